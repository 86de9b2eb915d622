"""FFT micromechanics on voxel grids.

Conventions
-----------
Fields in memory are `(*batch, component, x, y, z)`, C order, space last. Symmetric
tensors are Mandel 6-vectors in the order xx, yy, zz, yz, xz, xy, off-diagonals times
sqrt(2); stiffness is Mandel 6x6. Fields at integration points carry an axis q before
the component.

Files, the command line and printed tables speak tensor components (no factor) for
strain and stress and Voigt 6x6 (engineering shear) for stiffness.

Orientations are Bunge Euler angles (phi1, Phi, phi2), kept as unit quaternions w x y z
of the rotation that takes crystal to sample components: v_sample = R v_crystal.

Units are the user's, and consistent: strains have none, moduli and stresses share one.

Convergence is the relative equilibrium residual in the dual norm,
sqrt(<r, M r> / <r0, M r0>).
"""

from fftmech.arrays.ranks import world
from fftmech.discretization import SCHEMES, discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError, NotConverged
from fftmech.io import read, read_result, write, write_result
from fftmech.loads.boundary import Boundary
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.loads.path import Path, Step
from fftmech.microstructure import Microstructure
from fftmech.microstructure.base import share
from fftmech.results.result import Result
from fftmech.simulations.batch import solve_many
from fftmech.simulations.homogenize import Effective, homogenize
from fftmech.simulations.march import March
from fftmech.simulations.solve import solve
from fftmech.solvers import SOLVERS
from fftmech.tensors import (
    components_from_mandel,
    mandel_from_components,
    mandel_from_voigt,
    voigt_from_mandel,
)
from fftmech.version import __version__

__all__ = [
    "SCHEMES",
    "SOLVERS",
    "Boundary",
    "Effective",
    "FiniteLoad",
    "Grid",
    "InputError",
    "Load",
    "March",
    "Microstructure",
    "NotConverged",
    "Path",
    "Result",
    "Step",
    "__version__",
    "components_from_mandel",
    "discretization",
    "homogenize",
    "mandel_from_components",
    "mandel_from_voigt",
    "read",
    "read_result",
    "share",
    "solve",
    "solve_many",
    "voigt_from_mandel",
    "world",
    "write",
    "write_result",
]
