"""`bbar` does not lock where a phase is nearly incompressible, and `hex8` does."""

import numpy as np
import pytest

from fftmech import (
    FiniteLoad,
    Grid,
    InputError,
    Load,
    March,
    Microstructure,
    Path,
    Step,
    homogenize,
    solve,
)
from fftmech.materials import PORE, isotropic
from fftmech.materials.neo_hooke import NeoHooke
from fftmech.materials.plasticity import Plasticity
from fftmech.microstructure.inclusions import sphere
from fftmech.tensors.stiffness import isotropic_moduli


def pore(n, stiffness, law=None):
    """A spherical pore of radius 0.3 in a unit cube."""
    grid = Grid((n, n, n))
    x, y, z = (c - 0.5 for c in grid.centers())
    inside = x**2 + y**2 + z**2 < 0.09
    laws = {} if law is None else {0: law}
    return Microstructure(grid, inside, np.array([stiffness, PORE]), law=laws)


@pytest.mark.parametrize("nu", [0.3, 0.45, 0.49, 0.499, 0.4999])
def test_a_porous_rubber_is_inside_the_bounds_at_every_poisson_ratio(nu):
    effective = homogenize(pore(12, isotropic(E=3.0, nu=nu)), scheme="bbar")
    assert effective.converged
    bulk, shear = isotropic_moduli(effective.stiffness)
    limits = effective.bounds["hashin_shtrikman"]
    assert bulk < limits["K"][1] and shear < limits["G"][1]


def test_hex8_is_outside_of_them_and_says_so():
    effective = homogenize(pore(12, isotropic(E=3.0, nu=0.4999)), scheme="hex8")
    bulk, _ = isotropic_moduli(effective.stiffness)
    assert bulk > 2 * effective.bounds["hashin_shtrikman"]["K"][1]
    assert effective.notes[0] == (
        "phase 0 is nearly incompressible, and hex8 locks; use --scheme bbar"
    )
    assert effective.notes[1].startswith("K = 162.") and "bounds" in effective.notes[1]


def swelling(scheme):
    """Mean stress of an ideally plastic body with a pore, as its volume grows."""
    body = pore(8, isotropic(E=200.0, nu=0.3), Plasticity(yield_stress=0.2))
    load = Load(strain={"xx": 0.03, "yy": 0.03, "zz": 0.03})
    march = March(body, Path((Step(load, increments=6),)), scheme=scheme)
    points = list(march.points())
    return [float(point.mean_stress[:3].mean()) for point in points]


def test_the_mean_stress_of_an_ideally_plastic_pore_has_a_plateau():
    bbar, hex8 = swelling("bbar"), swelling("hex8")
    assert abs(bbar[-1] - bbar[-2]) < 0.005 * bbar[-1]
    assert hex8[-1] - hex8[-2] > 0.05 * hex8[-1]


def test_finite_strain_is_refused():
    body = pore(4, isotropic(E=1.0, nu=0.3))
    with pytest.raises(InputError, match="scheme bbar at finite strain"):
        solve(body, FiniteLoad(F={"xx": 1.1}), scheme="bbar")


def test_the_scheme_that_a_note_names_takes_the_body():
    rubber = {p: NeoHooke() for p in (0, 1)}
    body = sphere(6, 0.3, isotropic(E=1.0, nu=0.4999), isotropic(E=2.0, nu=0.3))
    body, load = body.with_changes(law=rubber), FiniteLoad(F={"xy": 1e-3})
    (note,) = solve(body, load, scheme="hex8").notes
    assert note.endswith("hex8 locks; use --scheme rotated")
    assert solve(body, load, scheme="rotated").notes == []
