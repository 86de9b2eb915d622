"""Pictures of evaluations show what differs, and say what is drawn."""

import numpy as np
import pytest

from ecosurrogate.evaluation.evaluate import evaluate
from ecosurrogate.evaluation.figures import figures
from ecosurrogate.evaluation.slices import choose
from ecosurrogate.evaluation.solved_cases import PredictedFields, Predictor, SolvedCases
from ecosurrogate.training.log import curves


class Rough(Predictor):
    """Predicts the solution, with noise of a part of its size."""

    what = "by hand"

    def __init__(self, part):
        self.name, self.part = f"{part:g}", part

    def describe(self):
        return {"kind": "cg"}

    def predict(self, cases):
        rng = np.random.default_rng(0)
        found = []
        for case in cases:
            fields = (case.strain.astype(float), case.stress.astype(float))
            noisy = (x + self.part * x.std() * rng.normal(size=x.shape) for x in fields)
            found.append(PredictedFields(*noisy))
        return found


def pictures(dataset, *parts):
    """All of them by name, of predictors with errors of some sizes."""
    cases = SolvedCases(dataset, "test")
    predictors = [Rough(part) for part in parts]
    found = evaluate(cases, predictors)
    return dict(figures(found, choose(found, cases, predictors)))


@pytest.fixture(scope="module")
def drawn(grains8):
    return pictures(grains8, 1e-4, 0.01, 0.3)


def images(figure):
    """Images of all panels that are shown, the colour bars left out."""
    return [ax.images[0] for ax in figure.axes if ax.images]


def test_errors_of_all_sizes_are_told_apart(drawn):
    errors = [i for i in images(drawn["slices.png"]) if i.cmap.name == "inferno"]
    assert len(errors) == 6
    for row in (errors[:3], errors[3:]):
        assert len({(i.norm.vmin, i.norm.vmax) for i in row}) == 1
        # in tenths of the scale, typical colours lie apart, and none is at its end
        places = [float(np.ma.median(i.norm(i.get_array()))) for i in row]
        assert 0.02 < places[0] < places[1] - 0.1 < places[2] - 0.2 < 0.8


def test_fields_that_look_like_the_solution_are_not_drawn_again(drawn):
    fields = [i for i in images(drawn["slices.png"]) if i.cmap.name != "inferno"]
    # stress and strain: the solution, and the one prediction that is seen to be wrong
    assert len(fields) == 4
    texts = [t.get_text() for ax in drawn["slices.png"].axes for t in ax.texts]
    assert sum("looks like the DNS" in text for text in texts) == 4


def test_spectra_and_energies_show_errors_on_a_logarithmic_scale(drawn):
    for name, lower in (("spectra.png", slice(2, 4)), ("energy.png", slice(1, 2))):
        for ax in drawn[name].axes[lower]:
            assert ax.get_yscale() == "log"
            sizes = [np.ma.median(line.get_ydata()) for line in ax.lines[:3]]
            assert 0 < sizes[0] < sizes[1] < sizes[2]


def test_every_picture_says_what_its_axes_and_lines_are(drawn):
    for name, figure in drawn.items():
        text = f"{figure.get_suptitle()} {figure.get_supxlabel()}"
        for ax in figure.axes:
            if not ax.axison or ax.images:
                continue
            bar = ax.get_label() == "<colorbar>"
            named = ax.get_ylabel() if bar else ax.get_xlabel()
            below = ax.get_subplotspec() and not ax.get_subplotspec().is_last_row()
            assert named or below, name
            text += named
        assert "0.5 -" not in text
    assert drawn["divergence.png"].axes[1].get_legend() is not None


def test_pictures_of_exact_predictions_are_drawn(grains8):
    for figure in pictures(grains8, 0.0).values():
        figure.canvas.draw()


def test_a_loss_that_is_a_logarithm_says_so():
    records = [{"step": k, "loss": -k / 2, "terms": {"energy": -k / 2}} for k in (1, 2)]
    assert curves(records).axes[0].get_ylabel() == (
        "loss: energy, ln of a relative error"
    )
    records = [{"step": k, "loss": 1 / k, "terms": {"stress": 1 / k}} for k in (1, 2)]
    assert curves(records).axes[0].get_ylabel() == "loss: stress"
