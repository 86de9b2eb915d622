"""Exported models: the file's fields are the model's, without this package."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from degenerate_bodies import LOADS, POROUS, SOLID
from small_runs import one_line, refused, run
from untrained_models import untrained

from ecosurrogate.data.representation import inputs
from ecosurrogate.evaluation import exported_model
from ecosurrogate.evaluation.export_description import describe
from ecosurrogate.evaluation.exported_model import PhysicalModel, export
from ecosurrogate.evaluation.predict import predict
from ecosurrogate.models.eco import MODELS
from ecosurrogate.training.checkpoint import CARD, WEIGHTS
from ecosurrogate.training.config import BACKBONES
from ecosurrogate.training.tensor_file import write_tensors
from fftmech import Grid, InputError, Load, Microstructure
from fftmech.datasets.loading import Loading
from fftmech.materials import PORE, isotropic
from fftmech.microstructure import polycrystal

LOAD = Load.uniaxial("xx", 2e-3)
SHAPE = (6, 5, 4)


def learned(name, representation="stiffness", load=LOAD, **options):
    """A model of random weights that has learned a load, and its card."""
    model, card = untrained(name, representation=representation, **options)
    loads = Loading("fixed", load).as_dict()
    return model, replace(card, dataset={**card.dataset, "loads": loads})


def shown(body, representation="stiffness"):
    """What an exported model is given of a body."""
    given = [torch.as_tensor(inputs(body, "stiffness"))[None]]
    if representation != "stiffness":
        given.append(torch.as_tensor(inputs(body, representation))[None])
    return given


def check_fields(found, result, rtol=1e-5):
    for name in ("strain", "stress"):
        exact = getattr(result, name)
        field = found[name][0].numpy()
        assert abs(field - exact).max() <= rtol * abs(exact).max() > 0


def body_with(kind):
    """A polycrystal, or a sphere that is a pore or stiff, in GPa."""
    if kind == "grains":
        return polycrystal(SHAPE, 4, seed=2)
    inside = PORE if kind == "pore" else isotropic(E=300, nu=0.2)
    phase = np.zeros(SHAPE, int)
    phase[2:5, 1:4, 1:3] = 1
    table = np.stack([isotropic(E=70, nu=0.3), inside])
    return Microstructure(Grid(SHAPE), phase, stiffness=table)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["grains", "pore", "stiff"])
def test_fields_in_physical_units_are_those_of_a_prediction(name, kind):
    # minus half of the load that was learned
    load, body = Load.uniaxial("xx", -1e-3), body_with(kind)
    model, card = learned(name)
    physical = PhysicalModel(model, card, SHAPE, load)
    with torch.no_grad():
        check_fields(physical(*shown(body)), predict(model, card, body, load))
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("body", {**SOLID, **POROUS})
def test_degenerate_bodies_have_the_fields_of_a_prediction(body):
    body, load = {**SOLID, **POROUS}[body], LOADS["strain zz"]
    model, card = learned("p-eco-stepped", load=load)
    physical = PhysicalModel(model, card, body.grid.shape, load)
    with torch.no_grad():
        found = physical(*shown(body))
    check_fields(found, predict(model, card, body, load), 1e-4)


@pytest.mark.parametrize("representation", ["indicator", "quaternion"])
def test_what_a_network_is_shown_instead_of_the_stiffness_is_an_input(representation):
    body = body_with("stiff" if representation == "indicator" else "grains")
    model, card = learned("p-eco", representation=representation)
    physical = PhysicalModel(model, card, SHAPE, LOAD)
    with torch.no_grad():
        found = physical(*shown(body, representation))
    check_fields(found, predict(model, card, body, LOAD))
    _, given = describe(card, SHAPE, LOAD)["inputs"]
    assert given["shape"] == list(shown(body, representation)[1].shape)
    assert given["meaning"]


def test_a_body_that_cannot_be_predicted_gives_no_numbers():
    stiffness = shown(body_with("grains"))[0]
    negative = -stiffness
    partly = stiffness.clone()
    partly[..., 0] *= -1
    singular = torch.ones_like(stiffness)
    infinite = stiffness * torch.inf
    model, card = learned("w-eco")
    physical = PhysicalModel(model, card, SHAPE, LOAD)
    for wrong in (negative, partly, singular, infinite, 0 * stiffness):
        assert all(field.isnan().all() for field in physical(wrong).values())
    options = {"energy": "stress"}
    physical = PhysicalModel(*learned("p-eco-iterated", **options), SHAPE, LOAD)
    porous = physical(*shown(body_with("pore")))
    assert all(field.isnan().all() for field in porous.values())
    assert all(field.isfinite().all() for field in physical(stiffness).values())


def test_loads_that_a_model_cannot_predict_are_refused():
    model, card = learned("s-eco")
    for load in (Load({"xy": 1e-3}), Load({"xx": 0.0})):
        with pytest.raises(InputError) as refusal:
            PhysicalModel(model, card, SHAPE, load)
        one_line(refusal)


# a model that starts from the solver's step, or is asked once, is a part of the others;
# each correction repeats the same operations; an FNO is a TFNO with other weights
SAVED = {
    "unet": {"backbone": "deeponet"},
    "w-eco": {"backbone": "tfno"},
    "s-eco": {"backbone": "ddpm-unet"},
    "p-eco-iterated": {"backbone": "unet", "corrections": 2},
}
"""A network for each model: all of both, for neither sees the other."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVED)
def test_the_file_of_a_model_has_the_fields_of_a_prediction(name, tmp_path):
    assert {of["backbone"] for of in SAVED.values()} == {*BACKBONES} - {"fno"}
    model, card = learned(name, **SAVED[name])
    path = tmp_path / "model.pt2"
    said = export(model, card, SHAPE, LOAD, path)
    assert said.pop("difference") < 1e-5
    assert said["backbone"] == SAVED[name]["backbone"]
    extra = {exported_model.METADATA: ""}
    program = torch.export.load(path, extra_files=extra).module()
    assert json.loads(extra[exported_model.METADATA]) == said
    assert said["inputs"][0]["shape"] == [1, 21, *SHAPE]
    assert said["outputs"][1]["components"][-1] == "sqrt(2) xy"
    for kind in ("grains", "pore"):
        body = body_with(kind)
        found = program(*shown(body))
        check_fields(found, predict(model, card, body, LOAD))
        assert not found["stress"].requires_grad
    for wrong in (torch.ones(1, 21, 6, 6, 6), shown(body)[0].double()):
        with pytest.raises((AssertionError, RuntimeError)):
            program(wrong)


@pytest.mark.slow
def test_a_scheme_without_a_stencil_exports(tmp_path):
    model, card = learned("p-eco-stepped", scheme="fourier")
    said = export(model, card, SHAPE, LOAD, tmp_path / "model.pt2")
    assert said["scheme"] == "fourier" and said["difference"] < 1e-5


@pytest.mark.slow
def test_what_torch_cannot_export_is_refused_and_leaves_no_file(tmp_path):
    model, card = learned("w-eco")
    forward = type(model).forward

    class Another(type(model)):
        def forward(self, bodies):
            found = forward(self, bodies)
            if torch.compiler.is_compiling() and bool(found.stress.sum() > 0):
                return found
            return found

    model.__class__ = Another
    with pytest.raises(InputError, match="torch cannot export w-eco") as refusal:
        export(model, card, SHAPE, LOAD, tmp_path / "model.pt2")
    one_line(refusal)

    class Other(type(model)):
        def forward(self, bodies):
            found = forward(self, bodies)
            factor = 2 if torch.compiler.is_compiling() else 1
            return found._replace(stress=factor * found.stress)

    model.__class__ = Other
    with pytest.raises(InputError, match="differ by") as refusal:
        export(model, card, SHAPE, LOAD, tmp_path / "model.pt2")
    one_line(refusal)
    assert not [*tmp_path.iterdir()]


PAGE = Path(__file__).resolve().parents[1] / "docs" / "surrogates.md"


@pytest.mark.slow
def test_the_command_writes_a_file_for_a_program_without_this_package(tmp_path):
    model, card = learned("s-eco")
    folder, path = tmp_path / "run", tmp_path / "model.pt2"
    folder.mkdir()
    (folder / CARD).write_text(json.dumps(card.as_dict()))
    write_tensors(folder / WEIGHTS, model.state_dict(), {})
    line = f"export {folder} -o {path} --res 6,5,4"
    done = run(line)
    assert "input stiffness (1, 21, 6, 5, 4)" in done.stdout and done.stderr == ""
    assert "add --force" in refused(line)
    assert json.loads(run(f"{line} --force --json").stdout)["load"] == str(LOAD)
    codes = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    (code,) = [code for code in codes if "torch.export" in code]
    code += """
import sys
assert not {"ecosurrogate", "fftmech"} & {name.split(".")[0] for name in sys.modules}
assert {name: field.shape for name, field in fields.items()} == dict.fromkeys(
    ("strain", "stress"), (1, 6, *described["grid"]["shape"])
)
"""
    command = [sys.executable, "-I", "-c", code]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(str(LOAD)) and "nan" not in found.stdout
    assert ".pt2" in refused(f"export {folder} -o {tmp_path}/model.onnx --res 6")
    assert "at least one" in refused(f"export {folder} -o {tmp_path}/b.pt2 --res 0")
    load = "--strain xy=1e-3"
    assert "does not see" in refused(f"{line} --force {load}")
