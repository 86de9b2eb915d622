"""Models of fields without a constitutive law: inputs, moves, refusals, no numbers."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
import torch
from imported_files import LOAD
from small_runs import one_line, refused, run
from test_import_lawless import LAWLESS, ORIENTED
from untrained_models import predict, untrained

from ecosurrogate.data.lawless import NO_LAW, Scales, without_law
from ecosurrogate.data.representation import channel_count, inputs
from ecosurrogate.data.symmetry import Symmetry, symmetries
from ecosurrogate.training import without_law as training
from ecosurrogate.training.checkpoint import CARD, WEIGHTS, RunCard
from ecosurrogate.training.files import write_json
from ecosurrogate.training.objective import Objective
from ecosurrogate.training.settings import LOSSES, resolve
from ecosurrogate.training.tensor_file import write_tensors
from fftmech import Grid, InputError, Load, Microstructure, solve, write_result
from fftmech.datasets.mapping import FieldMapping
from fftmech.io import write
from fftmech.materials import cubic, isotropic
from fftmech.microstructure import polycrystal
from fftmech.results.metrics import divergence_norm, incompatibility_norm
from fftmech.tensors import rotate_stiffness
from fftmech.tensors.mandel import matrix_from_quaternion

pytestmark = pytest.mark.usefixtures("no_curves", "one_thread")

PHASES = "phases:0,1,4"
SCALES = Scales(2e-3, 50.0)


def stated(text, *changes):
    for old, new in changes:
        text = text.replace(old, new)
    return FieldMapping.from_document(tomllib.loads(text))


@pytest.fixture
def body():
    phase = np.random.default_rng(0).choice([0, 1, 4], (6, 6, 6))
    return Microstructure(
        Grid((6,) * 3), phase, units={"stress": "GPa", "length": "um"}
    )


@pytest.fixture(scope="module", params=["unet", "s-eco"])
def learned(request):
    model, card = untrained(request.param, representation=PHASES, scales=SCALES)
    return model, replace(card, units={"stress": "MPa", "length": "box edge"})


# inputs


def test_each_phase_has_a_channel(body):
    channels = inputs(body, PHASES)
    assert channels.shape == (channel_count(PHASES), 6, 6, 6) == (3, 6, 6, 6)
    assert (channels.sum(axis=0) == 1).all()
    assert np.array_equal(channels[2] == 1, body.phase == 4)
    with pytest.raises(InputError, match="phase 4: the model knows phases 0, 1, 3"):
        inputs(body, "phases:0,1,3")


@pytest.mark.parametrize("ids", ["", "1,0", "0,0", "-1", "0,a", "0," + "9" * 12])
def test_names_of_phases_are_ascending_ids(ids):
    with pytest.raises(InputError):
        channel_count(f"phases:{ids}")
    with pytest.raises(InputError, match="at most 32"):
        training.representation(stated(LAWLESS), range(33))


def test_the_rotation_is_the_orientation():
    body = polycrystal(4, 3, seed=0).with_changes(stiffness=None)
    channels = inputs(body, "rotation")
    assert body.orientation is not None
    R = matrix_from_quaternion(body.orientation)[body.phase[1, 2, 3]]
    assert np.allclose(channels[:, 1, 2, 3], R.ravel(), atol=1e-6)
    with pytest.raises(InputError) as error:
        inputs(body.with_changes(orientation=None), "rotation")
    assert "stiffness" not in one_line(error)


# symmetries


def test_only_moves_that_are_known_to_be_right_are_used():
    every, config = symmetries("rotated", load=LOAD), resolve({}, shown=PHASES)
    plain, notes = training.sound_moves(every, stated(LAWLESS), config)
    assert "2 of 16 symmetries" in notes[0]
    assert len(every) == 16 and [g.signs for g in plain] == [(1, 1, 1), (-1, -1, -1)]
    known = stated(LAWLESS, ("[strain]", "isotropic = true\n[strain]"))
    assert training.sound_moves(every, known, config) == (every, ())
    oriented = stated(ORIENTED)
    turning = resolve({}, shown="rotation")
    moved, notes = training.sound_moves(every, oriented, turning)
    assert moved == every and "one material" in notes[0]
    # orientations that the network is not shown cannot turn
    assert training.sound_moves(every, oriented, config)[0] == plain
    # a derivative that has a direction allows no inversion
    one_sided = symmetries("forward", load=LOAD)
    assert len(training.sound_moves(one_sided, stated(LAWLESS), config)[0]) == 1


def test_an_inversion_moves_solutions_of_phases_that_have_directions():
    R = matrix_from_quaternion(polycrystal(4, 2, seed=1).orientation)
    C = rotate_stiffness(cubic(3.0, 1.0, 2.0), R)
    phase = np.random.default_rng(1).integers(0, 2, (4, 4, 4))
    body = Microstructure(Grid((4,) * 3), phase, C)
    load = Load({"xx": 1e-3, "yy": 0, "zz": 0, "yz": 0, "xz": 0, "xy": 0})

    def solved(moved):
        return solve(moved, load, tolerance=1e-10, certificate=False, threads=1).strain

    def error(g):
        # the phases as they are, elsewhere: what a network without stiffness sees
        there = body.with_changes(phase=g.scalar(body.phase))
        return abs(solved(there) - g.tensor(solved(body))).max() / 1e-3

    assert error(Symmetry((0, 1, 2), (-1, -1, -1))) < 1e-6
    assert error(Symmetry((0, 1, 2), (1, 1, -1))) > 0.01


# what needs a law is refused


@pytest.mark.parametrize("model", LOSSES)
def test_models_that_need_the_stiffness_say_which_do_not(model):
    config = resolve({"model": model}, shown=PHASES)
    if model in ("unet", "s-eco"):
        assert not Objective(config, False, True, law=False).certified
        return
    with pytest.raises(InputError, match=f"{model} needs.*unet or s-eco"):
        Objective(config, False, True, law=False)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        *(
            ({"loss": {name: 1.0}}, f"loss.{name} needs it")
            for name in ("constitutive", "constitutive-squared", "hypercircle")
        ),
        ({"options": {"means": "optimal"}}, "optimal means"),
        ({"representation": "stiffness"}, "phases:0,1"),
        ({"representation": "indicator"}, "phases:0,1"),
    ],
)
def test_settings_that_need_the_stiffness_are_refused(settings, words):
    config = resolve({"model": "s-eco", **settings}, shown=PHASES)
    with pytest.raises(InputError) as error:
        Objective(config, False, True, law=False)
    assert words in one_line(error)


def test_phases_for_validation_have_to_be_trained():
    config = resolve({"model": "unet"}, shown="phases:0,1")
    with pytest.raises(InputError, match="phase 2 is in samples for validation"):
        training.check_phases(config, {0, 1}, {0, 2})
    with pytest.raises(InputError, match="phase 1 is in no sample for training"):
        training.check_phases(config, {0}, {0})


def test_a_card_keeps_its_scales_and_cannot_pretend_to_a_law(learned):
    _, card = learned
    document = card.as_dict()
    assert document["scales"] == [2e-3, 50.0] and not card.law
    assert RunCard.from_dict(document).encoder == card.encoder
    for scales in ([0.0, 1.0], [1.0, float("nan")]):
        with pytest.raises(InputError, match="fields that do not vanish"):
            RunCard.from_dict({**document, "scales": scales})
    for name, value in (("model", "p-eco"), ("representation", "stiffness")):
        config = {**document["config"], name: value, "options": {}}
        channels = channel_count(config["representation"])
        same = {"shift": [0.0] * channels, "scale": [1.0] * channels}
        with pytest.raises(InputError, match="no constitutive law"):
            RunCard.from_dict({**document, "config": config, "normalization": same})


def test_scales_are_root_mean_squares_over_all_samples():
    ones = np.ones((6, 2, 2, 2))
    samples = [Scales.of(ones, 3 * ones), Scales.of(0 * ones, 4 * ones)]
    assert np.allclose(Scales.mean(samples), (3**0.5, 75**0.5))


# predictions


def test_a_prediction_has_no_certificate_and_no_energy(learned, body):
    model, card = learned
    result = predict(model, card, body, LOAD)
    assert result.status == "predicted" and result.residuals == []
    certificate = result.certificate
    assert certificate.pop("reason") == NO_LAW and {*certificate.values()} == {None}
    assert np.isnan(result.energy) and "energy_density" not in result.fields
    # the scale is absolute, and so is its unit
    assert result.microstructure.units == {"stress": "MPa", "length": "um"}


@pytest.mark.parametrize("learned", ["s-eco"], indirect=True)
def test_s_eco_without_a_law_is_still_admissible(learned, body):
    model, card = learned
    result = predict(model, card, body, LOAD)
    for norm, field in (
        (divergence_norm, result.stress),
        (incompatibility_norm, result.strain),
    ):
        assert norm(field.astype(float), body.grid, "rotated").relative < 1e-5
    strain, stress = LOAD.mean_strain, LOAD.mean_stress
    assert np.allclose(result.mean_strain[~LOAD.free], strain[~LOAD.free], atol=1e-9)
    assert np.allclose(result.mean_stress[LOAD.free], stress[LOAD.free], atol=1e-4)
    # free ones come from the network
    assert abs(result.mean_strain[LOAD.free]).min() > 1e-6


def test_a_stiffness_makes_no_difference_but_a_note(learned, body):
    model, card = learned
    stiff = np.stack([isotropic(E=E, nu=0.3) for E in (1, 2, 3, 4, 5)])
    given = predict(model, card, body.with_changes(stiffness=stiff), LOAD)
    bare = predict(model, card, body, LOAD)
    assert np.array_equal(given.stress, bare.stress)
    assert given.certificate["relative"] is None
    assert any("not used of the body: stiffness" in note for note in given.notes)
    assert given.microstructure.stiffness is None and not bare.notes[1:]


def write_run(folder, learned):
    """The run that a model and its card would be."""
    model, card = learned
    (folder / "run").mkdir()
    loads = {"mode": "fixed", **_as_dict(LOAD)}
    card = replace(card, dataset={**card.dataset, "loads": loads})
    write_json(folder / "run" / CARD, card.as_dict())
    write_tensors(folder / "run" / WEIGHTS, model.state_dict(), {"step": 0})
    return folder / "run"


@pytest.mark.parametrize("learned", ["s-eco"], indirect=True)
def test_a_solver_has_nothing_to_compare_with(tmp_path, learned, body):
    folder = write_run(tmp_path, learned)
    write(tmp_path / "body.h5", body)
    said = refused(f"compare {folder} {tmp_path}/body.h5 -o {tmp_path}/c.png")
    assert NO_LAW in said and "ecosr evaluate" in said
    assert not (tmp_path / "c.png").exists()


@pytest.mark.parametrize("learned", ["s-eco"], indirect=True)
def test_a_server_says_so_too(tmp_path, learned, body):
    from ecosurrogate.server.model_cards import describe
    from ecosurrogate.server.prediction_errors import solve_prediction
    from ecosurrogate.server.predictor import Predictor
    from ecosurrogate.server.worker_tasks import means_of, read_body

    folder = write_run(tmp_path, learned)
    predictor = Predictor({"run": folder})
    predictor.warm_up()
    predictor.end()
    model, card = predictor.models["run"]
    assert describe(model, card, folder)["law"] is False
    write(tmp_path / "body.h5", body)
    (tmp_path / "body.h5").rename(tmp_path / "body.vtkhdf")
    read = read_body(print, tmp_path / "body.vtkhdf", None, {}, None, 1000, law=False)
    result = predict(model, card, read, LOAD)
    means = means_of(result)
    assert means["energy"] is None and means["certificate"]["reason"] == NO_LAW
    write_result(tmp_path / "prediction.vtkhdf", result)
    with pytest.raises(InputError, match=NO_LAW):
        solve_prediction(print, "", tmp_path / "prediction.vtkhdf", {}, tmp_path / "s")


@pytest.mark.slow
@pytest.mark.parametrize("learned", ["s-eco"], indirect=True)
def test_an_exported_model_takes_phases_and_says_so(tmp_path, learned, body):
    folder = write_run(tmp_path, learned)
    run(f"export {folder} -o {tmp_path}/model.pt2 --res 6")
    extra = {"model.json": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=extra)
    document = json.loads(extra["model.json"])
    assert [part["name"] for part in document["inputs"]] == ["channels"]
    assert NO_LAW in document["notes"][0] and document["law"] is False
    assert document["outputs"][1]["unit"] == "MPa"
    channels = torch.as_tensor(inputs(body, PHASES))[None]
    found = program.module()(channels)
    result = predict(*learned, body, LOAD)
    for name in ("strain", "stress"):
        exact = getattr(result, name)
        assert abs(found[name][0].numpy() - exact).max() < 1e-4 * abs(exact).max()


def test_bodies_and_loads_that_the_model_does_not_know_are_refused(learned, body):
    from ecosurrogate.evaluation.learned_load import choose_load

    model, card = learned
    with pytest.raises(InputError, match="phase 5: the model knows phases 0, 1, 4"):
        predict(
            model, card, body.with_changes(phase=body.phase + (body.phase > 1)), LOAD
        )
    with pytest.raises(InputError, match="nobody measured"):
        without_law(body.with_changes(unindexed=4), {})
    dataset = {**card.dataset, "loads": {"mode": "fixed", **_as_dict(LOAD)}}
    card = replace(card, dataset=dataset)
    for load in (Load.uniaxial("xx", 2e-3), Load.uniaxial("xx", -1e-3), Load()):
        with pytest.raises(InputError, match="learned belong to"):
            choose_load(card, load)


def _as_dict(load):
    return {"strain": dict(load.strain), "stress": dict(load.stress)}
