"""Energies and their descent: minima, means, and what stiffness does to them."""

import pytest
import torch

from ecosurrogate.data.bodies import bodies
from ecosurrogate.data.examples import Batch
from ecosurrogate.data.representation import inputs
from ecosurrogate.mechanics.fields import apply
from ecosurrogate.models.descent import Descent, line_minimum
from ecosurrogate.models.eco import Prediction
from ecosurrogate.models.energies import ENERGIES, StrainEnergy, StressEnergy
from ecosurrogate.training.losses import hypercircle
from ecosurrogate.training.objective import TERMS
from fftmech import Load, solve
from fftmech.materials.elastic import isotropic
from fftmech.microstructure import inclusions, polycrystal
from fftmech.operators.reference_medium import reference_medium

LOADS = [Load({"xx": 1e-3}), Load.uniaxial("xx", 1e-3), Load({"xy": 1e-3})]


def batch(body, load, dtype=torch.float64):
    bulk, shear = reference_medium(body)
    seen = [inputs(body, "stiffness", 2 * shear)]
    return bodies([body], [load], seen, "rotated", bulk / shear, dtype)


def exact(body, load, made):
    solved = solve(body, load, scheme="rotated", tolerance=1e-12)
    strain = torch.as_tensor(solved.strain / float(made.strain_unit[0]))
    stress = torch.as_tensor(solved.stress / float(made.stress_unit[0]))
    return strain[None], stress[None]


def error(field, reference):
    return float((field - reference).norm() / reference.norm())


@pytest.mark.parametrize("load", LOADS, ids=["strain", "uniaxial", "shear"])
@pytest.mark.parametrize("kind", ["strain", "stress"])
def test_both_energies_descend_to_the_solution(kind, load):
    body = polycrystal((8, 7, 6), 5, seed=1)
    made = batch(body, load)
    strain, stress = exact(body, load, made)
    descent = Descent(ENERGIES[kind](made))
    for _ in range(30):
        descent.advance()
    own, other = (strain, stress) if kind == "strain" else (stress, strain)
    assert error(descent.field, own) < 1e-9
    # the mean of the other field is not part of it
    assert error(centred(descent.gradient.dual), centred(other)) < 1e-8


@pytest.mark.parametrize("kind", ["strain", "stress"])
def test_guesses_never_make_an_iteration_worse_than_the_steepest_descent(kind):
    made = batch(polycrystal((8, 8, 8), 5, seed=2), LOADS[1])
    of = ENERGIES[kind](made)
    torch.manual_seed(0)
    with_guess, without = Descent(of), Descent(of)
    for _ in range(3):
        start = Descent(of, with_guess.field)
        with_guess.advance(torch.randn_like(of.start()))
        start.advance()
        assert value(of, with_guess.field) <= value(of, start.field) + 1e-14
    without.advance()
    assert value(of, without.field) < value(of, of.start())


@pytest.mark.parametrize("kind", ["strain", "stress"])
def test_free_means_stay_the_best_and_prescribed_ones_exact(kind):
    made = batch(polycrystal((8, 8, 8), 5, seed=3), LOADS[1])
    of = ENERGIES[kind](made)
    descent = Descent(of)
    for _ in range(4):
        descent.advance()
    free = made.load.free if kind == "strain" else ~made.load.free
    given = made.load.strain if kind == "strain" else made.load.stress
    mean = descent.field.mean(dim=(2, 3, 4))
    torch.testing.assert_close(mean[~free], given[~free], atol=1e-15, rtol=1e-14)
    answer = descent.response.mean(dim=(2, 3, 4))
    conjugate = of.conjugate[..., 0, 0, 0]
    torch.testing.assert_close(answer[free], conjugate[free], atol=1e-13, rtol=0)


def test_stiff_spheres_are_solved_sooner_by_the_stress():
    matrix, stiff = isotropic(E=3, nu=0.35), isotropic(E=1200, nu=0.2)
    body = inclusions(16, 0.15, 0.15, matrix, stiff, seed=0)
    load = Load({"xx": 1e-3})
    made = batch(body, load)
    _, stress = exact(body, load, made)
    primal, dual = Descent(StrainEnergy(made)), Descent(StressEnergy(made))
    for _ in range(7):
        primal.advance()
        dual.advance()
    assert error(dual.field, stress) < 0.1 * error(primal.response, stress)


def test_the_better_of_two_fields_has_at_most_either_energy():
    body = polycrystal((8, 8, 8), 5, seed=4)
    made = batch(body, LOADS[0])
    for kind, energy in ENERGIES.items():
        of = energy(made)
        torch.manual_seed(1)
        fields = [
            of.with_means(of.project(torch.randn_like(of.start()))) for _ in range(2)
        ]
        other = ENERGIES["stress" if kind == "strain" else "strain"](made).start()
        best = value(of, line_minimum(of.hessian, *fields, other))
        assert best <= min(value(of, field) for field in fields), kind


def test_both_energies_above_their_minima_add_up_to_the_hypercircle():
    body = polycrystal((8, 8, 8), 5, seed=5)
    load = LOADS[1]
    made = batch(body, load)
    primal, dual = Descent(StrainEnergy(made)), Descent(StressEnergy(made))
    e, s = primal.field, dual.field
    for _ in range(40):
        primal.advance()
        dual.advance()
    above = sum(
        value(d.energy, x) - value(d.energy, d.field)
        for d, x in ((primal, e), (dual, s))
    )
    size = ((e * apply(made.stiffness, e)) + s * apply(made.compliance, s)).sum(1)
    relative = hypercircle(made.stiffness, made.compliance, e, s)
    assert abs(2 * above / float(size.mean()) / float(relative) - 1) < 1e-9


@pytest.mark.parametrize("load", LOADS, ids=["strain", "uniaxial", "shear"])
@pytest.mark.parametrize("kind", ["strain", "stress"])
def test_the_loss_of_small_errors_has_its_digits_in_single_precision(kind, load):
    body = polycrystal(16, 8, seed=0)
    losses = []
    for dtype in (torch.float64, torch.float32):
        made = batch(body, load, dtype)
        descent = Descent(ENERGIES[kind](made))
        for _ in range(7):
            descent.advance()
        pair = (descent.field, descent.gradient.dual)
        pair = pair if kind == "strain" else pair[::-1]
        prediction = Prediction(*pair, path=(pair,), descended=kind)
        known = Batch(made, None, None, made.solid)
        losses.append(float(TERMS["energy"](prediction, known, 1.0)))
    assert losses[0] < -7
    assert abs(losses[1] - losses[0]) < 0.02


def value(of, field):
    work = (field.mean(dim=(2, 3, 4)) * of.conjugate[..., 0, 0, 0]).sum()
    return float((field * apply(of.hessian, field)).sum(1).mean() / 2 - work)


def centred(field):
    return field - field.mean(dim=(2, 3, 4), keepdim=True)
