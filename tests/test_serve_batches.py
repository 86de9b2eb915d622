"""Bodies predicted together: as each alone, each certified, and in what batches."""

import asyncio
import time

import numpy as np
import pytest
from small_runs import one_line

from ecosurrogate.evaluation import batches
from ecosurrogate.evaluation.batches import CACHED, TOGETHER
from ecosurrogate.evaluation.predict import predict, predict_many
from ecosurrogate.evaluation.predicted_result import PORES
from ecosurrogate.server.predictor import Predictor
from ecosurrogate.training.checkpoint import load_model
from fftmech import Load, discretization
from fftmech.arrays.backend import cpu_backend
from fftmech.errors import InputError
from fftmech.materials import PORE, isotropic
from fftmech.microstructure import polycrystal, sphere
from fftmech.microstructure.polycrystal import AUSTENITIC_STEEL
from fftmech.problems.certificate import certify
from fftmech.problems.linear import Problem

FIELDS = ("strain", "stress", "displacement", "energy_density")
MODELS = ("p-eco-iterated", "s-eco", "unet")

LOADS = (
    Load({"xx": 1e-3, "yz": -4e-4}),
    Load.uniaxial("xx", 2e-3),
    Load({"xy": 1e-3}, {"zz": 0.05}),
)
"""Of three kinds: none, five and one of the mean strains are free."""

LEARNED = tuple(Load.uniaxial("xx", value) for value in (8e-5, -2e-3, 1e-3))
"""Multiples of the one load that models know which do not see it."""


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(served_folder):
    return served_folder


@pytest.fixture
def bodies():
    """As many as loads, of different stiffness."""
    return [
        polycrystal(8, 3 + k, seed=k, stiffness=4.0**k * AUSTENITIC_STEEL)
        for k in range(len(LOADS))
    ]


@pytest.mark.parametrize("name", MODELS)
def test_bodies_together_are_predicted_as_each_alone_but_for_rounding(
    folder, bodies, name
):
    model, card = load_model(folder / name)
    loads = LOADS if name == "p-eco-iterated" else LEARNED
    together = predict_many(model, card, bodies, loads)
    for got, body, load in zip(together, bodies, loads, strict=True):
        expected = predict(model, card, body, load)
        assert got.microstructure is body and got.load is load
        for field in FIELDS:
            a, b = getattr(got, field), getattr(expected, field)
            assert abs(a - b).max() < 1e-4 * abs(b).max() > 0
        assert len(got.residuals) == len(expected.residuals)
        np.testing.assert_allclose(
            got.residuals, expected.residuals, rtol=1e-3, atol=1e-5
        )


def test_each_body_of_a_batch_has_the_certificate_of_its_own_fields(folder, bodies):
    model, card = load_model(folder / "s-eco")
    scheme = discretization(card.encoder.scheme)
    results = predict_many(model, card, bodies, LEARNED)
    for result, body, load in zip(results, bodies, LEARNED, strict=True):
        problem = Problem(body, load, scheme, cpu_backend())
        fields = (f[None].astype(float) for f in (result.strain, result.stress))
        expected = certify(problem, *fields).as_dict()
        assert result.certificate["gap"] > 0
        for name, value in expected.items():
            if name != "reason":
                assert result.certificate[name] == pytest.approx(value, rel=1e-4)


def test_a_body_with_pores_has_no_certificate_and_those_beside_it_have(folder):
    model, card = load_model(folder / "p-eco-iterated")
    steel = isotropic(E=210.0, nu=0.3)
    porous, solid = (sphere(8, 0.3, steel, p) for p in (PORE, 2 * steel))
    given = [solid, porous, solid]
    load = Load({"xx": 1e-3})
    results = predict_many(model, card, given, [load] * 3)
    assert [r.certificate["gap"] is None for r in results] == [False, True, False]
    assert PORES in results[1].certificate.values()
    relative = [results[k].certificate["relative"] for k in (0, 2)]
    assert relative[0] == pytest.approx(relative[1], rel=1e-4)


def test_a_batch_takes_no_longer_than_the_times_of_its_bodies_say(folder, bodies):
    model, card = load_model(folder / "s-eco")
    started = time.perf_counter()
    results = predict_many(model, card, bodies, LEARNED)
    took = time.perf_counter() - started
    shares = [sum(result.times.values()) for result in results]
    assert 0 < sum(shares) <= took and max(shares) == min(shares)


def test_unequal_shapes_and_one_bad_body_are_refused_in_one_line(folder, bodies):
    model, card = load_model(folder / "s-eco")
    for spoiled, named in (
        ([*bodies[:2], polycrystal(6, 3)], "in one batch"),
        ([*bodies[:2], bodies[0].with_changes(stiffness=None)], "stiffness"),
    ):
        with pytest.raises(InputError, match=named) as refusal:
            predict_many(model, card, spoiled, LEARNED)
        one_line(refusal)


def test_what_waits_for_one_model_and_shape_is_one_batch_under_any_load(
    folder, bodies, monkeypatch
):
    shapes = []

    def seen(model, card, bodies, loads, device, shifts):
        shapes.append([body.grid.shape[0] for body in bodies])
        return predict_many(model, card, bodies, loads, device)

    service = Predictor({"run": folder / "p-eco-iterated"})
    other = polycrystal(6, 3)
    monkeypatch.setattr(batches, "predict_many", seen)

    async def asked():
        asked = [
            service.predict("run", body, load)
            for body, load in zip(bodies, LOADS, strict=True)
            for body in (body, other)
        ]
        return await asyncio.gather(*asked)

    answers = asyncio.run(asked())
    service.end()
    assert shapes == [[8] * 3, [6] * 3]
    for answer, load in zip(answers[::2], LOADS, strict=True):
        assert answer.load is load


def test_batches_shrink_where_bodies_are_large(folder):
    waiting = Predictor({"run": folder / "s-eco"}, voxels=40**3)
    assert waiting.most(polycrystal(8, 2)) == TOGETHER
    assert waiting.most(polycrystal(32, 2)) == 40**3 // 32**3
    assert waiting.most(polycrystal(48, 2)) == 1
    ample = Predictor({"run": folder / "s-eco"})
    assert ample.most(polycrystal(32, 2)) * 32**3 <= CACHED
