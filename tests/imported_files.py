"""Fields as other programs write them, and mapping files that say how."""

import h5py
import numpy as np

from fftmech import Grid, Microstructure, solve, voigt_from_mandel
from fftmech.datasets.conventions import TensorConvention
from fftmech.loads.load import Load
from fftmech.materials import isotropic

LOAD = Load.uniaxial("xx", 1e-3)

MAPPING = """
files = "fields/*"
program = "another program"
scheme = "rotated"
[grid]
size = [1.0, 1.0, 1.0]
periodic = true
[phase]
array = "phase"
axes = "z y x"
[stiffness]
array = "C"
order = "xx yy zz yz xz xy"
form = "voigt"
unit = "GPa"
[strain]
array = "eps"
axes = "z y x c"
order = "xx yy zz xy xz yz"
shear = "engineering"
unit = "1"
[stress]
array = "sig"
axes = "z y x c"
order = "11 22 33 12 13 23"
shear = "tensor"
unit = "MPa"
[load]
strain = { xx = 1e-3 }
stress = { yy = 0, zz = 0, yz = 0, xz = 0, xy = 0 }
"""
"""What `arrays` are, but for the units of stiffness, GPa."""

STRAIN = TensorConvention("xx yy zz xy xz yz", "engineering")
STRESS = TensorConvention("xx yy zz xy xz yz", "tensor")


def solved(res=4, seed=0):
    """A body of two isotropic phases and its solution."""
    random = np.random.default_rng(seed)
    body = Microstructure(
        Grid((res,) * 3),
        random.integers(0, 2, (res,) * 3),
        np.stack([isotropic(E=70.0, nu=0.3), isotropic(E=200.0, nu=0.25)]),
    )
    return solve(body, LOAD, scheme="rotated", certificate=False, threads=1)


def arrays(result):
    """What `MAPPING` says: x runs fastest, stress in MPa."""
    body = result.microstructure
    return {
        "phase": body.phase.T,
        "C": voigt_from_mandel(body.stiffness),
        "eps": STRAIN.stored(result.strain).T,
        "sig": 1000 * STRESS.stored(result.stress).T,
    }


def dadf5(path, F, P, phase, size=(1.0, 1.0, 1.0)):
    """A result of DAMASK with one increment, 7; F and P are (3, 3, x, y, z)."""
    grid = (
        '<?xml version="1.0"?><VTKFile type="ImageData"><ImageData WholeExtent='
        '"0 {0} 0 {1} 0 {2}"><Piece Extent="0 {0} 0 {1} 0 {2}"><CellData>'
        '<DataArray type="Int64" Name="material" format="ascii">{3}</DataArray>'
        "</CellData></Piece></ImageData></VTKFile>"
    ).format(*phase.shape, " ".join(map(str, phase.T.ravel())))
    label = np.where(phase.T.ravel() == 0, b"soft", b"stiff")
    mapping = np.zeros((phase.size, 1), [("label", "S5"), ("entry", "i8")])
    with h5py.File(path, "w") as file:
        file.attrs["DADF5_version_major"], file.attrs["DADF5_version_minor"] = 1, 0
        geometry = file.create_group("geometry")
        geometry.attrs["cells"], geometry.attrs["size"] = phase.shape, size
        file["setup/grid.vti"] = np.array([grid.encode()])
        for name in np.unique(label):
            here = label == name
            # not in the order of the cells
            order = np.arange(here.sum())[::-1]
            mapping["label"][here, 0], mapping["entry"][here, 0] = name, order
            for field, values in (("F", F), ("P", P)):
                rows = values.transpose(4, 3, 2, 0, 1).reshape(-1, 3, 3)[here]
                place = f"increment_7/phase/{name.decode()}/mechanical/{field}"
                file[place] = rows[order]
        file["cell_to/phase"] = mapping
