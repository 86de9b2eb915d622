"""Which laws a compiled kernel answers for."""

import numpy as np
import pytest

from fftmech.arrays.backend import cpu_backend
from fftmech.kernels.laws import KERNELS, responder
from fftmech.materials import LAWS
from fftmech.materials.creep import CreepMaterial
from fftmech.materials.hooke import Hooke, HookeMaterial
from fftmech.materials.neo_hooke import NeoHookeMaterial
from fftmech.materials.plasticity import Plasticity, PlasticityMaterial
from fftmech.materials.st_venant_kirchhoff import StVenantKirchhoff


def is_fast(kind):
    """Whether the points of a material of this class are answered by a kernel."""
    material = kind.__new__(kind)
    return responder(material, cpu_backend(1)) != material.respond


def derived(kind, **overridden):
    return type("Renamed", (kind,), overridden)


@pytest.fixture(params=KERNELS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def test_every_law_with_a_kernel_is_one_that_a_phase_may_obey(kind):
    laws = [*LAWS.values(), Hooke, StVenantKirchhoff]
    assert kind in [law.material for law in laws]
    assert is_fast(kind)


def test_laws_without_a_kernel_answer_themselves():
    assert not is_fast(CreepMaterial)
    assert not is_fast(derived(CreepMaterial))


def test_a_subclass_that_overrides_nothing_has_the_kernel_of_its_parent(kind):
    assert is_fast(derived(kind))
    assert is_fast(derived(derived(kind), author="somebody"))


def test_a_subclass_with_another_energy_has_the_kernel_of_its_parent(kind):
    assert is_fast(derived(kind, energy=lambda self, *fields: 0.0))
    assert is_fast(derived(kind, start=lambda self, rows: np.ones((1, len(rows)))))


@pytest.mark.parametrize("name", ["respond", "__init__", "rate", "variables"])
def test_a_subclass_with_another_law_answers_itself(kind, name):
    assert not is_fast(derived(kind, **{name: lambda self, *arguments: None}))
    assert not is_fast(derived(derived(kind, **{name: None})))


def test_a_subclass_that_overrides_what_the_law_calls_answers_itself():
    assert not is_fast(derived(NeoHookeMaterial, _inverse=lambda self, F: (1.0, F)))


def test_a_law_mixed_in_before_its_parent_answers_itself():
    class Mixin:
        def respond(self, step):
            return step

    assert not is_fast(type("Mixed", (Mixin, HookeMaterial), {}))


def test_a_subclass_with_a_kernel_of_its_own_has_that_one(monkeypatch):
    own = derived(PlasticityMaterial, respond=lambda self, step: None)
    monkeypatch.setitem(KERNELS, own, KERNELS[HookeMaterial])
    assert is_fast(own)


def test_a_renamed_law_gives_the_same_numbers_as_its_parent():
    from fftmech import Grid, Load, March, Microstructure, Path, Step
    from fftmech.materials import isotropic

    class Renamed(Plasticity):
        material = derived(PlasticityMaterial)

    results = []
    for law in (Plasticity(2e-3, 0.1), Renamed(2e-3, 0.1)):
        body = Microstructure(
            Grid((3, 2, 1)),
            np.arange(6).reshape(3, 2, 1) % 2,
            np.array([isotropic(E=1.0, nu=0.3), isotropic(E=9.0, nu=0.2)]),
            law={0: law},
        )
        march = March(body, Path((Step(Load(strain={"xx": 5e-3})),)))
        assert all(point.status == "converged" for point in march.points())
        results.append(march.result().stress)
    np.testing.assert_array_equal(*results)
