"""What all small-strain isotropic laws have in common."""

import numpy as np
import pytest
from isotropic_laws import DT, LAWS, NAMES, loaded, make
from scipy.spatial.transform import Rotation

from fftmech import InputError
from fftmech.materials import cubic
from fftmech.materials.base import StrainStep
from fftmech.materials.creep import Creep
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.materials.viscoelasticity import Viscoelasticity
from fftmech.tensors import mandel_rotation


@pytest.mark.parametrize("name", NAMES)
def test_tangent_is_the_derivative_of_the_stress(name, rng):
    material, rows, strain, *rest = loaded(name, rng)
    direction = rng.normal(size=strain.shape)

    def difference(h):
        ahead = material.respond(
            StrainStep(rows, strain + h * direction, *rest, DT)
        ).stress
        behind = material.respond(
            StrainStep(rows, strain - h * direction, *rest, DT)
        ).stress
        return (ahead - behind) / (2 * h)

    h = 1e-6
    expected = (4 * difference(h / 2) - difference(h)) / 3
    response = material.respond(StrainStep(rows, strain, *rest, DT, np.float64))
    actual = response.tangent.apply(direction)
    error = np.abs(actual - expected).max(0) / np.abs(expected).max(0)
    assert error.max() < 1e-7
    elastic = np.stack(
        [material.stiffness[row] @ d for row, d in zip(rows, direction.T, strict=True)]
    ).T
    assert np.median(np.abs(actual - elastic).max(0)) > 0.05 * np.abs(elastic).max()


@pytest.mark.parametrize("name", NAMES)
def test_tangent_is_symmetric_and_not_negative(name, rng):
    material, rows, *rest = loaded(name, rng, points=12)
    tangent = material.respond(StrainStep(rows, *rest, DT, np.float64)).tangent
    columns = [tangent.apply(np.tile(e[:, None], 12)) for e in np.eye(6)]
    D = np.moveaxis(np.array(columns), 2, 0)
    scale = np.abs(D).max()
    np.testing.assert_allclose(D, np.swapaxes(D, 1, 2), atol=1e-13 * scale)
    assert np.linalg.eigvalsh(D).min() > -1e-13 * scale


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_tangent_agrees(name, rng):
    material, rows, strain, *rest = loaded(name, rng)
    double, single = (
        material.respond(StrainStep(rows, strain, *rest, DT, precision)).tangent.apply(
            strain.astype(precision)
        )
        for precision in (np.float64, np.float32)
    )
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=2e-6 * np.abs(double).max())


@pytest.mark.parametrize("name", NAMES)
def test_response_turns_with_the_strain(name, rng):
    material, rows, strain, before, state = loaded(name, rng)
    Q = mandel_rotation(Rotation.random(rng=rng).as_matrix())

    def turned(a):
        # tensors have six components each, scalars come last
        tensors = len(a) // 6
        blocks = [Q @ a[6 * i : 6 * i + 6] for i in range(tensors)]
        return np.concatenate([*blocks, a[6 * tensors :]])

    here = material.respond(StrainStep(rows, strain, before, state, DT))
    fields = (turned(a) for a in (strain, before, state))
    there = material.respond(StrainStep(rows, *fields, DT))
    scale = np.abs(here.stress).max()
    np.testing.assert_allclose(there.stress, turned(here.stress), atol=1e-12 * scale)
    if len(state):
        np.testing.assert_allclose(there.state, turned(here.state), atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_phases_together_answer_as_each_alone(name, rng):
    material, rows, *rest = loaded(name, rng)
    together = material.respond(StrainStep(rows, *rest, DT))
    size = len(together.state)
    for row, law in enumerate(LAWS[name]):
        own = rows == row
        alone = make([law])
        fields = [a[:, own] for a in rest]
        fields[2] = fields[2][: sum(alone.variables.values())]
        response = alone.respond(StrainStep(np.zeros(own.sum(), int), *fields, DT))
        expected = together.stress[:, own]
        np.testing.assert_allclose(response.stress, expected, rtol=1e-13, atol=1e-15)
        expected = together.state[:size, own][: len(response.state)]
        np.testing.assert_allclose(response.state, expected, rtol=1e-13, atol=1e-18)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_left_alone(name, rng):
    material, *arrays = loaded(name, rng)
    for array in arrays:
        array.flags.writeable = False
    tangent = material.respond(StrainStep(*arrays, DT, np.float64)).tangent
    first = tangent.apply(arrays[1])
    assert (tangent.apply(arrays[1]) == first).all() and first.any()


@pytest.mark.parametrize("name", NAMES)
def test_law_is_made_from_its_own_constants(name):
    for law in LAWS[name]:
        assert type(law).parse(law.constants(), "phase 1") == law


@pytest.mark.parametrize("name", ["plasticity", "viscoelasticity", "creep"])
def test_anisotropic_stiffness_and_pores_are_refused(name):
    for stiffness in (cubic(C11=204.6, C12=137.7, C44=126.2), np.zeros((6, 6))):
        with pytest.raises(InputError, match=f"{name} with a stiffness"):
            make(LAWS[name][:1], stiffness)


@pytest.mark.parametrize(
    "law, entry, message",
    [
        (Plasticity, dict(yield_stress=0.0), "yield_stress = 0.0: expected a pos"),
        (Plasticity, dict(yield_stress=1.0, hardening=-2.0), "hardening = -2.0"),
        (Plasticity, dict(yield_stress=1.0, saturation_stress=1.0), "expected both"),
        (Viscoelasticity, dict(relaxation_times=-1.0, shear_fractions=0.5), "times"),
        (
            Viscoelasticity,
            dict(relaxation_times=[1.0, 2.0], shear_fractions=[0.5]),
            "expected 2 numbers",
        ),
        (
            Viscoelasticity,
            dict(relaxation_times=[1.0, 2.0], shear_fractions=[0.5, 0.6]),
            "sum of at most 1",
        ),
        (Creep, dict(rate0=1.0, stress0=1.0, exponent=0.5), "exponent = 0.5"),
        (Creep, dict(rate0=-1.0, stress0=1.0, exponent=2.0), "rate0 = -1.0"),
        (
            Norton,
            dict(bulk=1.0, stress0=1.0, rate0=1.0, exponent=2.0, linear_below=2.0),
            "linear_below = 2.0",
        ),
        (Norton, dict(stress0=1.0, rate0=1.0, exponent=2.0), "bulk missing"),
    ],
)
def test_bad_constants_are_refused_in_one_line(law, entry, message):
    with pytest.raises(InputError, match=message) as error:
        law.parse(entry, "phase 3")
    assert str(error.value).startswith("phase 3: ") and "\n" not in str(error.value)
