"""A trained tree against the solver, on paths and for laws that it has not seen.

The first phase yields and hardens, E = 70, nu = 0.3, yield stress 0.1; the others are
elastic, E = 400, nu = 0.2; pores stay. Grains are copper that slips.
"""

from typing import Any

import numpy as np

from ecosurrogate.response.comparison import ResponseError
from ecosurrogate.response.network import Network
from ecosurrogate.response.tree import LaminateTree
from fftmech.discretization.grid import Grid
from fftmech.loads.load import Load
from fftmech.loads.path import Path, Step
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.elastic import PORE, cubic, isotropic
from fftmech.materials.plasticity import Plasticity
from fftmech.microstructure.base import Microstructure
from fftmech.simulations.march import March
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness

YIELDS, STAYS = isotropic(E=70.0, nu=0.3), isotropic(E=400.0, nu=0.2)
FLOW = Plasticity(0.1, 1.0, 0.0, 0.05, 100.0)
COPPER = cubic(C11=168.4, C12=121.4, C44=75.4)
SLIP = CrystalPlasticity(
    tau0=0.016, tau1=0.03, theta0=0.2, theta1=0.02, rate0=1e-3, exponent=10.0
)

_FREE: dict[str, float] = dict.fromkeys(("zz", "yz", "xz", "xy"), 0.0)
PATHS = {
    "uniaxial": Path((Step(Load.uniaxial("xx", 0.01), 10.0, 5),)),
    "shear cycle": Path(tuple(Step(Load({"xy": g}), 5.0, 3) for g in (5e-3, -5e-3))),
    "biaxial": Path((Step(Load({"yy": 0.01, "xx": 0.01}, _FREE), 10.0, 5),)),
}


def cross_check(
    tree: LaminateTree, body: Microstructure, scheme: str
) -> dict[str, dict[str, Any]]:
    """Errors of the mean stress by path, as `ResponseError.as_dict`.

    Where one of the two finds no solution the rest of the path is left out, as
    `increments` says.

    Parameters
    ----------
    tree
        Trained on the body.
    body
        Whole; what its phases are made of does not matter, but for pores.
    scheme
        Of the solver.
    """
    own, whole = _materials(tree, body)
    network = Network(tree, own)
    errors = {}
    for name, path in PATHS.items():
        march = March(whole, path, scheme=scheme)
        right = [p for p in march.points() if p.status == "converged"]
        found = network.respond(path).points
        errors[name] = ResponseError.of(found, right).as_dict()
    return errors


def _materials(
    tree: LaminateTree, body: Microstructure
) -> tuple[Microstructure, Microstructure]:
    """A voxel of each phase of the tree, and the body, of the check's materials."""
    phases = body.phases
    stiffness = np.full((int(phases[-1]) + 1, 6, 6), np.nan)
    bare = body.with_changes(eigenstrain=None, thermal_expansion=None)
    if tree.quaternion is not None:
        assert body.orientation is not None
        R = matrix_from_quaternion(body.orientation[phases])
        stiffness[phases] = rotate_stiffness(COPPER, R)
        laws = dict.fromkeys(phases.tolist(), SLIP)
        one = np.zeros((1, 1, 1), int)
        own = Microstructure(
            Grid((1, 1, 1)), one, COPPER[None], np.eye(4)[:1], law={0: SLIP}
        )
        return own, bare.with_changes(stiffness=stiffness, law=laws)
    stiffness[phases] = STAYS
    stiffness[phases[0]] = YIELDS
    stiffness[body.pores] = PORE
    laws = {int(phases[0]): FLOW}
    grid = Grid((len(phases), 1, 1))
    own = Microstructure(grid, phases.reshape(-1, 1, 1), stiffness, law=laws)
    return own, bare.with_changes(stiffness=stiffness, law=laws)
