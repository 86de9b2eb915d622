"""FFT micromechanics on voxel grids."""

__version__ = "0.1.0"
