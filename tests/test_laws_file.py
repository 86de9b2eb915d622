"""Laws of phases in files, and what has to refuse them."""

import json

import h5py
import numpy as np
import pytest
from conftest import SOFT, STIFF, sphere

from fftmech import Grid, InputError, Load, Microstructure, homogenize, read, write
from fftmech.io.materials import read_materials
from fftmech.materials.creep import Creep
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.materials.viscoelasticity import Viscoelasticity
from fftmech.microstructure.resample import resample

TOML = """
units = "GPa"
[default]
isotropic = { E = 210.0, nu = 0.3 }
plasticity = { yield_stress = 0.3, hardening = 1.0 }
[[phase]]
id = 1
isotropic = { E = 70.0, nu = 0.3 }
[[phase]]
id = 2
cubic = { C11 = 170.0, C12 = 120.0, C44 = 75.0 }
viscoelasticity = { relaxation_times = [1.0, 10.0], shear_fractions = [0.2, 0.3] }
"""


@pytest.fixture
def materials(tmp_path):
    def make(text):
        (tmp_path / "m.toml").write_text(text)
        return read_materials(tmp_path / "m.toml")

    return make


def _body(*ids):
    phase = np.array(ids).reshape(-1, 1, 1)
    return Microstructure(Grid(phase.shape), phase)


def test_a_materials_file_gives_phases_their_laws(materials):
    body = materials(TOML).apply(_body(0, 1, 2, 5)).check()
    hard = Plasticity(yield_stress=0.3, hardening=1.0)
    assert body.law == {
        0: hard,
        5: hard,
        2: Viscoelasticity(relaxation_times=(1.0, 10.0), shear_fractions=(0.2, 0.3)),
    }
    assert body.stiffness[2, 0, 0] == 170.0


def test_a_law_with_constants_of_its_own_needs_no_stiffness(materials):
    text = "[default]\nnorton = { bulk=9.0, stress0=1.0, rate0=1.0, exponent=3.0 }"
    body = materials(text).apply(_body(0, 1)).check()
    C = Norton(bulk=9.0, stress0=1.0, rate0=1.0, exponent=3.0).stiffness
    np.testing.assert_array_equal(body.stiffness[1], C)


def test_a_listed_phase_without_a_law_loses_the_one_that_it_had(materials):
    body = materials(TOML).apply(_body(0, 1))
    again = materials("[[phase]]\nid = 0\nisotropic = { E = 1.0, nu = 0.3 }").apply(
        body
    )
    assert again.law == {} and body.law


def test_laws_come_back_from_a_file(materials, tmp_path):
    body = materials(TOML).apply(_body(0, 1, 2, 5))
    write(tmp_path / "b.vtkhdf", body)
    assert read(tmp_path / "b.vtkhdf").law == body.law


@pytest.mark.parametrize(
    "phase, words",
    [
        (
            "plasticity = { yield_stress = 0.3, softness = 1.0 }",
            "unknown key 'softness'",
        ),
        ("plasticity = { hardening = 1.0 }", "yield_stress missing"),
        ("plasticity = 0.3", "expected a table"),
        ("plasticity = { yield_stress = -1.0 }", "yield_stress = -1.0"),
        ("plasticity = { yield_stress = [1.0] }", "expected a number"),
        ("plasticity = { yield_stress = true }", "expected a number"),
        ("plasticity = { yield_stress = nan }", "expected a number"),
        (
            "viscoelasticity = { relaxation_times = 1.0, shear_fractions = [0.1] }",
            "expected a list",
        ),
        (
            'viscoelasticity = { relaxation_times = ["1"], shear_fractions = [0.1] }',
            "expected numbers",
        ),
        (
            "plasticity = { yield_stress = 1.0 }\n"
            "creep = { rate0 = 1.0, stress0 = 1.0, exponent = 3.0 }",
            "one law at most",
        ),
        ("neo_hooke = { K = 1.0, G = 1.0 }", "leave out isotropic"),
        ("plastic = { yield_stress = 1.0 }", "unknown key 'plastic'"),
    ],
)
def test_laws_that_mean_nothing_are_refused_in_one_line(materials, phase, words):
    text = f"[[phase]]\nid = 3\nisotropic = {{ E = 1.0, nu = 0.3 }}\n{phase}"
    with pytest.raises(InputError) as raised:
        materials(text)
    message = str(raised.value)
    assert words in message and "m.toml: phase 3" in message and "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[{}]",
        json.dumps([{"law": "magic", "phases": [0], "constants": {}}]),
        json.dumps([{"law": "creep", "phases": [0], "constants": {}}]),
    ],
)
def test_a_damaged_law_in_a_file_is_named(tmp_path, text):
    body = sphere(3, SOFT, STIFF).with_changes(
        law={0: Creep(rate0=1.0, stress0=1.0, exponent=3.0)}
    )
    path = tmp_path / "b.vtkhdf"
    write(path, body)
    with h5py.File(path, "r+") as file:
        del file["fftmech/law"]
        file["fftmech/law"] = text
    with pytest.raises(InputError, match="dataset /fftmech/law"):
        read(path)


def test_what_only_linear_bodies_have_is_refused_to_a_plastic_body():
    body = sphere(4, SOFT, STIFF).with_changes(law={0: Plasticity(yield_stress=1.0)})
    with pytest.raises(InputError, match="phase 0 obeys plasticity"):
        homogenize(body)
    with pytest.raises(InputError, match="phase 0 obeys plasticity"):
        resample(body, (3, 3, 3), "voigt")
    assert resample(body, (2, 2, 2)).law == body.law


def test_a_surrogate_is_refused_to_a_plastic_body():
    pytest.importorskip("torch")
    from untrained_models import predict, untrained

    body = sphere(4, SOFT, STIFF).with_changes(law={1: Plasticity(yield_stress=1.0)})
    with pytest.raises(InputError, match="phase 1 obeys plasticity"):
        predict(*untrained("p-eco"), body, Load(strain={"xx": 1e-3}))
