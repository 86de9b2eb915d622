"""Train a surrogate for ten seconds, and let it say how wrong it is.

    python examples/train_a_surrogate.py [picture.png]

Twenty polycrystals of 16^3 voxels teach a small network to correct itself, without any
solution. It then predicts one of 32^3 that it has never seen. Its certificate is the
energy error that a solve confirms.
"""

import sys
import tempfile
from pathlib import Path

from matplotlib.figure import Figure

from ecosurrogate.evaluation.learned_load import choose_load
from ecosurrogate.evaluation.predict import predict
from ecosurrogate.training.checkpoint import load_model
from ecosurrogate.training.run import prepare
from ecosurrogate.training.train import fit
from fftmech import figures, solve
from fftmech.datasets.draft import new_card
from fftmech.datasets.make import make
from fftmech.datasets.polycrystal import PolycrystalRecipe
from fftmech.microstructure import polycrystal
from fftmech.problems.certificate import energy_error
from fftmech.results.metrics import nrmse


def main(picture: str) -> None:
    """Train, predict, compare and draw."""
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "grains", Path(folder) / "run"
        make(data, new_card(PolycrystalRecipe(), 24, levels=(16,), parts=(20, 2, 2)))
        outcome = fit(prepare(data, run, {"preset": "smoke", "steps": 60}))
        print(f"{outcome.step} steps in {outcome.seconds:.0f} s")
        model, card = load_model(run)
    body = polycrystal(32, grains=24, seed=7)
    load = choose_load(card, None)
    predicted = predict(model, card, body, load)
    solved = solve(body, load, scheme=predicted.scheme)
    path = ", ".join(f"{100 * error:.2g} %" for error in predicted.residuals)
    print(f"certified energy error, first guess and corrections: {path}")
    print(f"uniform fields would have {100 * predicted.certificate['uniform']:.2g} %")
    exact = energy_error(body, fields(predicted), fields(solved))
    print(f"energy error against a solve: {100 * exact:.2g} %")
    error = nrmse(predicted.stress, solved.stress).mean()
    print(f"stress nRMSE {error:.2g} (a uniform field has 1)")
    print(f"solved in {solved.iterations} iterations")
    draw(predicted, solved, picture)


def fields(result):
    """Strain and stress."""
    return result.strain, result.stress


def draw(predicted, solved, picture: str) -> None:
    """Stress xx in the middle plane: predicted, solved, and a hundred times the gap."""
    planes = [1e3 * result.stress[0, :, :, 16].T for result in (predicted, solved)]
    low, high = planes[1].min(), planes[1].max()
    gap = 100 * (planes[0] - planes[1])
    figure = Figure(figsize=(9, 3), layout="constrained")
    titles = ("predicted", "solved", "100 x the difference")
    for axes, plane, title in zip(
        figure.subplots(1, 3), (*planes, gap), titles, strict=True
    ):
        wide = abs(gap).max()
        style = (
            {"cmap": "RdBu_r", "vmin": -wide, "vmax": wide}
            if plane is gap
            else {"cmap": "viridis", "vmin": low, "vmax": high}
        )
        image = axes.imshow(plane, origin="lower", **style)
        figure.colorbar(image, ax=axes, shrink=0.75)
        axes.set(title=title, xticks=[], yticks=[])
    figure.suptitle("stress xx in the middle plane (MPa)")
    figures.save_figure(figure, picture)


# the processes that make samples import this file
if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "train_a_surrogate.png")
