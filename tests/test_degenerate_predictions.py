"""Predictions of degenerate bodies, by models good and bad: certificates hold."""

from functools import cache

import numpy as np
import pytest
from degenerate_bodies import LOADS, SOLID
from hypothesis import given, settings
from hypothesis import strategies as some
from random_bodies import Solution, problem_of, random_body, random_load
from small_runs import as_options, run, tiny
from untrained_models import predict, untrained

from ecosurrogate.models.eco import IteratedPECO
from ecosurrogate.training.checkpoint import load_model
from fftmech import InputError, Load, io
from fftmech.microstructure import polycrystal

pytestmark = pytest.mark.usefixtures("no_curves")

MODELS = {
    "s-eco": {},
    "p-eco": {},
    "p-eco-stepped": {},
    "p-eco-iterated": {"corrections": 4},
    "p-eco-iterated by the stress": {"corrections": 4, "energy": "stress"},
}
BODIES = {**SOLID, "polycrystal": polycrystal(8, 4, seed=1)}
LOADED = {name: load for name, load in LOADS.items() if name != "nothing"}


@pytest.fixture(scope="module")
def trained(grains8, tmp_path_factory):
    """A model of twelve steps, which corrects eight times."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    run(f"fit {grains8} -o {folder} {as_options(tiny())}")
    model, card = load_model(folder)
    model.corrections = 8
    return model, card


@cache
def solution(body, load, scheme="rotated"):
    return Solution(problem_of(BODIES[body], LOADED[load], scheme))


def check(result, known):
    """The certificate holds of the fields, and those carry the load."""
    strain, stress = (f[None].astype(float) for f in (result.strain, result.stress))
    if result.certificate["gap"] is None:
        assert result.status == "not certified"
        assert "not" in result.certificate["reason"]
        return None
    assert result.status == "predicted"
    beside = {"uniform"}  # that of uniform fields
    given = {k: v for k, v in result.certificate.items() if k not in beside}
    certificate = known.certificate.__class__(**given)
    said, _ = known.broken(strain, stress, certificate)
    assert not said, said
    load = known.problem.load
    for field, wanted, here in (
        (strain, load.mean_strain, ~load.free),
        (stress, load.mean_stress, load.free),
    ):
        missing = abs(field.mean(axis=(0, 2, 3, 4)) - wanted)[here]
        # sums of single precision
        assert (missing <= 5e-6 * abs(field).max()).all()
    return certificate.relative


@pytest.mark.parametrize("name", MODELS)
def test_certificates_of_untrained_models_hold_for_every_body_and_load(name):
    model, card = untrained(name.split()[0], **MODELS[name])
    for body in BODIES:
        for load in ("strain xy", "uniaxial zz"):
            result = predict(model, card, BODIES[body], LOADED[load])
            check(result, solution(body, load))


@pytest.mark.slow
def test_corrections_are_never_for_the_worse_and_solve_laminates(trained):
    model, card = trained
    for body in BODIES:
        for load in LOADED:
            result = predict(model, card, BODIES[body], LOADED[load])
            check(result, solution(body, load))
            certified = np.array(result.residuals)
            # in the fibre, rounding of single precision is some 1e-3 of the energy
            worse = 5e-3 if "rigid" in body else 3e-7
            assert (np.diff(certified) <= worse).all(), (body, load, certified)
            if "laminate" in body:
                assert certified[-1] < 1e-6, (body, load, certified)


def test_thirty_corrections_of_a_polycrystal_never_raise_the_certificate(trained):
    model, card = trained
    body = polycrystal(16, 12, seed=3)
    before, model.corrections = model.corrections, 30
    try:
        result = predict(model, card, body, Load.uniaxial("zz", 1e-3))
    finally:
        model.corrections = before
    certified = np.array(result.residuals)
    assert len(certified) == 31 and certified[-1] < 2e-6
    assert (np.diff(certified) <= 0).all()


def test_no_load_is_refused(trained):
    with pytest.raises(InputError, match="load of zero"):
        predict(*trained, BODIES["checkerboard"], LOADS["nothing"])


def test_fields_that_break_equilibrium_are_not_certified(monkeypatch):
    """Of a model that ought to keep it, as a fault would show."""
    model, card = untrained("p-eco")
    body, load = BODIES["polycrystal"], LOADED["uniaxial zz"]
    certified = predict(model, card, body, load)
    assert certified.status == "predicted"
    forward = type(model).forward

    def faulty(self, bodies):
        prediction = forward(self, bodies)
        x = prediction.stress
        return prediction._replace(stress=x + 0.1 * x.std() * x.new_tensor(NOISE))

    monkeypatch.setattr(type(model), "forward", faulty)
    result = predict(model, card, body, load)
    assert result.status == "not certified"
    assert "stress is not in equilibrium" in result.certificate["reason"]
    assert result.certificate["relative"] is None


NOISE = np.random.default_rng(0).normal(size=(1, 6, 8, 8, 8))


def test_what_is_not_certified_ends_with_code_3(trained, tmp_path, monkeypatch):
    model, card = trained
    io.write(tmp_path / "micro.h5", BODIES["polycrystal"])
    forward = IteratedPECO.forward

    def faulty(self, bodies):
        prediction = forward(self, bodies)
        return prediction._replace(stress=prediction.stress * float("nan"))

    monkeypatch.setattr(IteratedPECO, "forward", faulty)
    monkeypatch.setattr(
        "ecosurrogate.training.checkpoint.load_model", lambda _: (model, card)
    )
    line = f"predict run {tmp_path}/micro.h5 -o {tmp_path}/p.vtkhdf --uniaxial zz=1e-3"
    done = run(line, code=3)
    assert "Error: not certified: the fields are not finite" in done.stderr
    assert "certified: energy error" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=10, deadline=None)
@given(seed=some.integers(0, 2**20), contrast=some.floats(0, 6))
def test_certificates_hold_for_random_bodies(name, one_point_scheme, seed, contrast):
    scheme = one_point_scheme
    rng = np.random.default_rng(seed)
    shape = (6, 5, 4) if seed % 2 else (4, 6, 8)
    body, load = random_body(rng, shape, 10**contrast), random_load(rng)
    model, card = untrained(name.split()[0], scheme, seed, **MODELS[name])
    check(predict(model, card, body, load), Solution(problem_of(body, load, scheme)))
