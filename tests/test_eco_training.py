"""Training: it learns, it survives, and it follows what its configuration says."""

import dataclasses

import numpy as np
import pytest
import torch
from small_runs import make_dataset, one_line, tiny

from ecosurrogate.data.encoder import Encoder
from ecosurrogate.data.examples import Examples
from ecosurrogate.models.eco import MODELS as MODULES
from ecosurrogate.models.eco import Prediction
from ecosurrogate.networks import NETWORKS
from ecosurrogate.training.checkpoint import load_model, make_model
from ecosurrogate.training.config import ADMISSIBLE, MODELS, SEE_LOAD
from ecosurrogate.training.log import read_log
from ecosurrogate.training.objective import TERMS, Objective
from ecosurrogate.training.run import prepare
from ecosurrogate.training.settings import LOSSES, resolve
from ecosurrogate.training.train import _result, fit, learning_rate
from ecosurrogate.training.train_state import TrainState, parameter_groups
from ecosurrogate.training.validation import validate
from fftmech import InputError
from fftmech.results.metrics import divergence_norm

pytestmark = pytest.mark.usefixtures("one_thread", "no_curves")


@pytest.fixture(scope="module")
def grains16(tmp_path_factory):
    """Eight polycrystals of 16^3 voxels for training, one for validation."""
    folder = tmp_path_factory.mktemp("data") / "grains16"
    make_dataset(
        f"dataset polycrystal --res 16 --low-res 16 --grains 6 --splits 8,1,0 --seed 0 "
        f"--count 9 -o {folder}"
    )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "steps", "lr", "least"),
    [
        pytest.param(
            *("p-eco-iterated", 20, 1e-2, "certificate"), marks=pytest.mark.slow
        ),
        ("s-eco", 100, 1e-2, "loss"),
    ],
)
def test_loss_and_error_fall_on_polycrystals(
    grains16, tmp_path, model, steps, lr, least
):
    settings = {
        **{"model": model, "preset": "smoke", "steps": steps, "validate_every": 5},
        **{"lr": lr, "warmup_steps": 5},
    }
    outcome = fit(prepare(grains16, tmp_path / "run", settings))
    records = list(read_log(tmp_path / "run"))
    losses = [r["loss"] for r in records if "loss" in r]
    errors = [r["validation"][least] for r in records if "validation" in r]
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    assert outcome.validation[least] == errors[-1] < 0.97 * errors[0]
    assert outcome.status == "done" and outcome.skipped == 0


@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains_with_its_own_loss_on_grains_and_on_pores(
    grains8, pores8, tmp_path, model
):
    # of every model the blocks take what a network in half precision says
    for dataset, precision in ((grains8, "fp32"), (pores8, "bf16")):
        run = tmp_path / dataset.name
        settings = tiny(model=model, steps=2, precision=precision)
        outcome = fit(prepare(dataset, run, settings))
        assert outcome.step == 2 and outcome.loss is not None
        assert set(outcome.validation) >= {"loss", "strain", "stress"}
        certified = model in ADMISSIBLE and dataset == grains8
        assert ("certificate" in outcome.validation) == certified
        load_model(run)


def test_lists_of_names_are_those_of_the_modules():
    assert list(MODELS) == list(MODULES) == list(LOSSES)
    for losses in LOSSES.values():
        assert all(set(loss) <= set(TERMS) for loss in losses)
    assert set(SEE_LOAD) < set(ADMISSIBLE) < set(MODELS)
    for preset in ("smoke", "small", "paper"):
        for model in MODELS:
            for pores in (False, True):
                assert resolve({"model": model, "preset": preset}, pores).backbone in (
                    NETWORKS
                )


def test_defaults_are_the_papers():
    config = resolve({"model": "s-eco", "preset": "paper"})
    assert config.loss == {"strain": 1, "stress": 4.7068, "constitutive": 1.3258}
    assert config.gamma == 1.7297 and config.weight_decay == 0.0165
    assert config.backbone == "ddpm-unet"
    assert config.options == {"stress_functions": "maxwell", "gains": "predicted"}
    assert (config.batch, config.lr) == (16, 5e-4)
    epochs = config.steps * config.batch / 750
    assert epochs == pytest.approx(2000, rel=0.01)
    assert config.warmup_steps * config.batch / 750 == pytest.approx(100, rel=0.01)
    assert learning_rate(config, config.steps) == pytest.approx(1e-5)
    assert resolve({"model": "w-eco"}).loss["divergence"] == 1
    pores = resolve({"model": "s-eco", "preset": "paper"}, pores=True)
    assert pores.loss == {"masked-labels": 1, "constitutive-squared": 1}
    assert pores.backbone == "unet"
    assert pores.options == {"stress_functions": "maxwell", "gains": "fixed"}
    assert pores.representation == "indicator"


def test_stress_functions_reach_every_stress_unless_the_papers_are_asked_for():
    for pores in (False, True):
        for preset, kind in (("smoke", "beltrami"), ("small", "beltrami")):
            config = resolve({"model": "s-eco", "preset": preset}, pores)
            assert config.options["stress_functions"] == kind
            assert make_model(config).equilibrium.channels == 6
    asked = resolve({"model": "s-eco", "options": {"stress_functions": "maxwell"}})
    assert make_model(asked).equilibrium.channels == 3


def test_learning_rate_rises_linearly_and_falls_as_a_cosine():
    config = resolve({"steps": 110, "warmup_steps": 10, "lr": 0.5})
    rates = [learning_rate(config, step) for step in range(111)]
    np.testing.assert_allclose(rates[:10], 0.05 * np.arange(1, 11))
    assert max(rates) == rates[10] == 0.5
    assert rates[60] == pytest.approx(0.51 / 2)
    assert rates[110] == pytest.approx(0.01)
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))


def test_biases_norms_and_gains_of_blocks_do_not_decay():
    for gains in ("learnable", "predicted"):
        for backbone in ("unet", "ddpm-unet"):
            config = resolve(
                {
                    **{"model": "s-eco", "preset": "smoke", "backbone": backbone},
                    "options": {"gains": gains},
                }
            )
            model = make_model(config)
            names = {id(p): name for name, p in model.named_parameters()}
            decayed, others = (
                {names[id(p)] for p in group["params"]}
                for group in parameter_groups(model, 0.1)
            )
            assert decayed | others == set(names.values()) and not decayed & others
            assert all(name.endswith("weight") for name in decayed)
            assert not any(name.startswith("equilibrium") for name in decayed)
            assert any(name.startswith("equilibrium") for name in others)
            norms = {
                f"{name}.weight"
                for name, module in model.named_modules()
                if isinstance(module, torch.nn.GroupNorm)
            }
            assert norms and norms <= others


def test_average_of_weights_follows_them_at_once_and_then_slowly():
    config = resolve(tiny())
    state = TrainState(config, make_model(config))
    name = "network.head.weight"
    weight = state.parameters[name]
    first = weight.detach().clone()
    with torch.no_grad():
        weight.add_(1)
    state.update_average(0.5)  # after no step: a tenth of the old ones
    torch.testing.assert_close(state.average[name], first + 0.9)
    state.step = 10**6
    state.update_average(0.5)
    torch.testing.assert_close(state.average[name], first + 0.95)


class Known(torch.nn.Module):
    """Predicts a constant times the labels that it was made with."""

    def __init__(self, batch, factor):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(float(factor)))
        self.fields = [
            label.repeat_interleave(2, -1)
            .repeat_interleave(2, -2)
            .repeat_interleave(2, -3)
            for label in (batch.strain, batch.stress)
        ]

    def forward(self, bodies):
        return Prediction(*(self.weight * field for field in self.fields))


def test_validation_of_the_labels_is_zero_and_of_their_double_is_their_own_nrmse(
    grains8,
):
    examples = Examples(grains8, "val")
    encoder = Encoder.fit(examples, "rotated", "stiffness")
    objective = Objective(resolve({"model": "unet"}), False, True)
    batch = encoder.batch(examples[:])
    for factor in (1.0, 2.0):
        model = Known(batch, factor)
        weights = model.state_dict()
        errors = validate(model, weights, examples, encoder, objective, 2)
        assert set(errors) == {"loss", "strain", "stress"}
        for name in ("strain", "stress"):
            label = getattr(batch, name).numpy().reshape(2, 6, -1)
            rms = (label**2).mean(axis=-1) ** 0.5
            expected = (factor - 1) * (rms / label.std(axis=-1)).mean()
            assert errors[name] == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    "model, precision",
    [
        ("s-eco", "bf16"),
        pytest.param("s-eco", "fp16", marks=pytest.mark.slow),
        pytest.param("p-eco-stepped", "fp16", marks=pytest.mark.slow),
        pytest.param("p-eco-iterated", "fp16", marks=pytest.mark.slow),
    ],
)
def test_lower_precision_of_the_network_leaves_stress_in_equilibrium(
    grains8, tmp_path, model, precision
):
    run = prepare(grains8, tmp_path / "run", tiny(model=model, precision=precision))
    outcome = fit(run)
    assert outcome.status == "done" and outcome.skipped < 3
    batch = run.batch(0)
    lower = torch.bfloat16 if precision == "bf16" else torch.float16
    with torch.autocast("cpu", lower), torch.no_grad():
        stress = run.model(batch.bodies).stress
    field = stress[0].double().numpy()
    assert divergence_norm(field, batch.bodies.operators.grid, "rotated")[1] < 1e-6


class Poisoned:
    """An objective that is not finite in some steps."""

    def __init__(self, inner, steps, value):
        self.inner, self.steps, self.value, self.calls = inner, steps, value, 0
        self.certified = inner.certified

    def __call__(self, prediction, batch):
        loss, terms = self.inner(prediction, batch)
        self.calls += 1
        # a gradient that is not finite, too
        bad = self.calls in self.steps
        return (loss * self.value if bad else loss), terms


@pytest.mark.slow
@pytest.mark.parametrize(
    "value", [float("nan"), pytest.param(float("inf"), marks=pytest.mark.slow), 1e38]
)
def test_batches_that_are_not_finite_are_skipped_and_counted(grains8, tmp_path, value):
    run = prepare(grains8, tmp_path / "run", tiny(validate_every=12))
    run = dataclasses.replace(run, objective=Poisoned(run.objective, {3, 4, 7}, value))
    outcome = fit(run)
    assert (outcome.status, outcome.skipped, outcome.step) == ("done", 3, 12)
    model, _ = load_model(tmp_path / "run")
    assert all(p.isfinite().all() for p in model.parameters())
    records = [r for r in read_log(tmp_path / "run") if "loss" in r]
    assert [r["skipped"] for r in records] == [0, 0, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3]
    bad = [r["step"] for r in records if r["grad_norm"] is None]
    assert bad == [3, 4, 7]


def test_a_run_without_finite_batches_stops_with_advice_and_keeps_its_checkpoint(
    grains8, tmp_path
):
    run = prepare(grains8, tmp_path / "run", tiny(steps=50, save_every=4))
    bad = Poisoned(run.objective, range(6, 99), float("nan"))
    outcome = fit(dataclasses.replace(run, objective=bad))
    assert (outcome.status, outcome.step, outcome.skipped) == ("diverged", 25, 20)
    assert "lower lr" in outcome.advice
    state = TrainState(run.card.config, run.model)
    state.read(tmp_path / "run" / "state.safetensors")
    assert state.step == 24
    # a run of fewer steps, none of which was finite, has learned nothing
    for in_row, status in (2, "diverged"), (1, "done"):
        state.step, state.skipped, state.in_row = 2, in_row, in_row
        assert _result(state, [], 0.0).status == status


REFUSED = {
    "unknown term": ({"loss": {"speed": 1}}, "loss.speed: expected one of strain,"),
    "energy of what does not descend": (
        {"model": "p-eco", "loss": {"energy": 1}},
        "p-eco is not",
    ),
    "hypercircle of what is not admissible": (
        {"model": "unet", "loss": {"hypercircle": 1}},
        "not admissible",
    ),
    "more samples than there are": ({"count": 6}, "has 5 samples for train"),
    "no such resolution": ({"res": 7}, "resolution 7"),
    "no such network": ({"backbone": "resnet"}, "'resnet': expected one of unet"),
    "no such size": ({"network": {"depth": 3}}, "depth"),
    "no such option": ({"options": {"gains": "fixed"}}, "gains"),
    "no correction": ({"options": {"corrections": 0}}, "corrections 0"),
    "representation of what is not there": (
        {"representation": "indicator"},
        "as an indicator",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    grains8, tmp_path, name
):
    settings, expected = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        prepare(grains8, tmp_path / "run", tiny() | settings)
    assert expected in one_line(refusal)
    assert not (tmp_path / "run").exists()


def test_a_descent_of_the_stress_is_refused_for_pores(pores8, tmp_path):
    with pytest.raises(InputError) as refusal:
        prepare(pores8, tmp_path / "run", tiny(options={"energy": "stress"}))
    assert "options.energy=stress" in one_line(refusal)
    assert not (tmp_path / "run").exists()


def test_labels_that_are_missing_are_refused_for_a_loss_that_needs_them(
    grains8, tmp_path, monkeypatch
):
    read = Examples._read

    def unsolved(self, sample):
        return [e._replace(strain=None, stress=None) for e in read(self, sample)]

    monkeypatch.setattr(Examples, "_read", unsolved)
    with pytest.raises(InputError) as refusal:
        prepare(grains8, tmp_path / "run", tiny(model="s-eco"))
    assert "loss.strain needs labels" in one_line(refusal)
    outcome = fit(prepare(grains8, tmp_path / "run", tiny()))
    assert set(outcome.validation) == {"loss", "certificate", "uniform"}


def test_schemes_with_several_points_are_refused(tmp_path):
    make_dataset(
        f"dataset polycrystal --res 4 --low-res 4 --grains 3 --count 1 --splits 1,0,0 "
        f"--scheme hex8 -o {tmp_path / 'd'}"
    )
    with pytest.raises(InputError) as refusal:
        prepare(tmp_path / "d", tmp_path / "run", {})
    assert "scheme hex8 (8 integration points)" in one_line(refusal)
