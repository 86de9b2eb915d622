"""The duality gap of convex bodies: zero when solved, else the two energy errors."""

import numpy as np
import pytest
from conftest import EMPTY, SOFT, STIFF, grains, sphere

from fftmech import SCHEMES, FiniteLoad, Load, March, Microstructure, Path, Step, solve
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.problems.certificate import certify, certify_increment
from fftmech.problems.potential import FieldPotential

LOADS = {
    "strain": Load(strain={"xx": 2e-3, "xy": -1e-3}),
    "mixed": Load.uniaxial("zz", 2e-3),
}
TIME = 2.0


def _norton():
    phase = sphere(8, SOFT, STIFF).phase
    laws = {
        0: Norton(bulk=9.0, stress0=1.0, rate0=1e-3, exponent=3.0),
        1: Norton(bulk=20.0, stress0=4.0, rate0=1e-3, exponent=5.0),
    }
    return Microstructure(sphere(8, SOFT, STIFF).grid, phase, law=laws)


def _crystals():
    body = grains((4, 5, 3))
    law = CrystalCreep(tau0=1.0, rate0=1e-3, exponent=3.0, bulk=3e3)
    return Microstructure(
        body.grid,
        body.phase,
        orientation=body.orientation,
        law=dict.fromkeys(range(5), law),
    )


BODIES = {
    "norton": _norton,
    "crystals": _crystals,
    "elastic": lambda: grains((6, 5, 7)),
}


class _Pair:
    """Solved rate (or strain) and stress of a body, and admissible changes of them."""

    def __init__(self, body, load, scheme="rotated"):
        self.march = March(
            body, Path((Step(load, time=TIME),)), scheme=scheme, tolerance=1e-11
        )
        (self.point,) = self.march.points()
        assert self.point.status == "converged"
        problem = self.problem = self.march.problem
        rate = TIME if problem.material.rate else 1.0
        self.strain = self.march.state.start.strain / rate
        self.stress = problem.green.project_equilibrated(problem.last.stress)
        self.potential = FieldPotential(
            problem.material, problem.material.start(problem.scheme.points)
        )
        self.free = problem.load.free

    def change(self, rng, size):
        """A compatible strain and an equilibrated stress of free means."""
        problem, shape = self.problem, self.problem.grid.shape
        e = rng.normal(size=(problem.scheme.points, 6, *shape))
        e = problem.green.project_compatible(e)
        e -= np.where(self.free, 0, e.mean((0, 2, 3, 4)))[:, None, None, None]
        s = problem.green.project_equilibrated(rng.normal(size=e.shape))
        s -= np.where(self.free, s.mean((0, 2, 3, 4)), 0)[:, None, None, None]
        e *= size * abs(self.strain).max() / abs(e).max()
        s *= size * abs(self.stress).max() / abs(s).max()
        return self.strain + e, self.stress + s

    def gap(self, e, s):
        return self.potential.gap(e, s).mean()

    def errors(self, e, s):
        """W(e) - W(e_sol) and W*(s) - W*(s_sol), potential energies of the load."""
        E, S = e.mean((0, 2, 3, 4)), s.mean((0, 2, 3, 4))
        given_S = np.where(self.free, self.problem.load.mean_stress, 0)
        given_E = np.where(self.free, 0, self.strain.mean((0, 2, 3, 4)))
        W = self.potential.energy(e).mean() - given_S @ E
        W_star = self.potential.conjugate_energy(s).mean() - S @ given_E
        return W, W_star


@pytest.mark.parametrize(
    ("body", "load", "scheme"),
    [(body, load, "rotated") for body in BODIES for load in LOADS]
    + [
        pytest.param(
            "crystals",
            "mixed",
            scheme,
            marks=[pytest.mark.slow] * (scheme == "central"),
        )
        for scheme in SCHEMES
        if scheme != "rotated"
    ],
)
def test_the_gap_of_a_solved_body_is_zero(body, load, scheme):
    pair = _Pair(BODIES[body](), LOADS[load], scheme)
    certificate = certify_increment(pair.problem)
    size = pair.potential.energy(pair.strain).mean()
    assert size > 1e-7
    assert abs(certificate.gap) < 1e-12 * size
    gap = certificate.energy_upper - certificate.energy_lower
    assert abs(gap) < 1e-8 * size


@pytest.mark.parametrize("size", [0.5, 0.02])
@pytest.mark.parametrize("load", list(LOADS))
@pytest.mark.parametrize("body", list(BODIES))
def test_the_gap_of_perturbed_fields_is_the_sum_of_both_energy_errors(
    body, load, size, rng
):
    pair = _Pair(BODIES[body](), LOADS[load])
    solved = np.array(pair.errors(pair.strain, pair.stress))
    for changed in ("both", "strain", "stress"):
        e, s = pair.change(rng, size)
        e = pair.strain if changed == "stress" else e
        s = pair.stress if changed == "strain" else s
        errors = np.array(pair.errors(e, s)) - solved
        assert errors.sum() > 1e-6 * abs(solved[0])
        assert pair.gap(e, s) == pytest.approx(errors.sum(), rel=1e-8)


@pytest.mark.parametrize("body", list(BODIES))
def test_the_gap_of_a_hundred_random_admissible_pairs_is_never_negative(body, rng):
    pair = _Pair(BODIES[body](), LOADS["mixed"])
    gaps = [pair.gap(*pair.change(rng, 10.0 ** rng.uniform(-3, 1))) for _ in range(100)]
    assert min(gaps) > 0


def test_certify_takes_admissible_pairs_of_nonlinear_bodies_only(rng):
    pair = _Pair(_norton(), LOADS["mixed"])
    e, s = pair.change(rng, 0.1)
    certificate = certify(pair.problem, e, s)
    assert certificate.gap == pytest.approx(pair.gap(e, s), rel=1e-12)
    for strain, stress, message in (
        (e + 0.1 * abs(e).max() * rng.normal(size=e.shape), s, "not compatible"),
        (2 * e, s, "not compatible with the prescribed means"),
        (e, s * rng.normal(size=s.shape), "not in equilibrium"),
    ):
        certificate = certify(pair.problem, strain, stress)
        assert certificate.gap is None and message in certificate.reason


def test_a_capped_solve_has_a_gap_that_bounds_its_energy_error():
    body, load = _norton(), LOADS["strain"]
    exact = _Pair(body, load)
    march = March(body, Path((Step(load, time=TIME),)), tolerance=0.2)
    (point,) = march.points()
    assert point.status == "converged"
    rate = march.state.start.strain / TIME
    W, W_exact = (exact.errors(e, exact.stress)[0] for e in (rate, exact.strain))
    gap = march.result().certificate["gap"]
    assert 0 < W - W_exact < gap < 1000 * (W - W_exact)


@pytest.mark.parametrize(
    "body, load, words",
    [
        (sphere(4, SOFT, STIFF), FiniteLoad(F={"xx": 1.1}), "no convex potential"),
        (
            sphere(4, SOFT, STIFF).with_changes(law={0: Plasticity(yield_stress=1e-3)}),
            LOADS["strain"],
            "remembers its history",
        ),
        (
            sphere(4, SOFT, EMPTY).with_changes(
                law={0: Norton(bulk=9.0, stress0=1.0, rate0=1e-3, exponent=3.0)}
            ),
            LOADS["strain"],
            "pores",
        ),
    ],
    ids=["finite", "plastic", "pores"],
)
def test_bodies_without_a_certificate_say_why(body, load, words):
    result = solve(body, load)
    assert result.converged
    assert result.certificate["gap"] is None and words in result.certificate["reason"]
