"""The experiments of the ECO paper, trained to the end, and its tables and figures.

Oommen et al. 2025, "Equilibrium Conserving Neural Operators for Super-Resolution
Learning".

    python benchmarks/paper.py laptop FOLDER [--study NAME ...] [--no-training]
                               [--page docs/paper-reproduced.md]

Each study makes one dataset, trains its runs on it and evaluates them on bodies for the
test. It takes hours, may be stopped at any time, and continues where it stopped; runs
that have not ended are evaluated as they are, which their row says. `--page` fills the
tables between the comments of a page, and puts the pictures into img beside it.

`laptop` is for two cores without a GPU; `paper` has the paper's sizes and settings, for
a GPU.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from machine import fill, table
from paper_studies import SCALES, Study
from surrogates import ECOSR, FFTMECH, call, evaluate, number, skill

from ecosurrogate.evaluation.table import MORE_ROWS, ROWS, row_label


def train(folder: Path, data: Path, arguments: tuple[str, ...]) -> None:
    """Train one run to its end, or continue it."""
    if (folder / "config.json").exists():
        call(*ECOSR, "fit", data, "-o", folder, "--resume")
    else:
        call(*ECOSR, "fit", data, "-o", folder, *arguments)


def records(folder: Path) -> list[dict[str, Any]]:
    """What a run wrote of its steps and validations."""
    return [json.loads(line) for line in (folder / "log.jsonl").open()]


def steps(folder: Path) -> str:
    """Steps of a run, and how many it is meant to have if there are more."""
    last = max(r["step"] for r in records(folder))
    wanted = json.loads((folder / "config.json").read_text())["config"]["steps"]
    return f"{last}" if last == wanted else f"{last} of {wanted}"


def hours(folder: Path) -> str:
    """Time of all steps."""
    return f"{sum(r.get('seconds', 0) for r in records(folder)) / 3600:.2g}"


def summary(folder: Path, found: dict[str, Any]) -> str:
    """One line for each run, each baseline and the uniform field."""
    scale = "range" if found["pores"] else found["normalisation"]
    lines = []
    for one in [*found["contenders"], found["uniform"]]:
        name = one["name"]
        trained = (folder / name / "log.jsonl").exists()
        error = one["nrmse"][scale]
        spectrum, tail = one.get("spectrum") or {}, one.get("tail") or {}
        lines.append(
            [
                name if trained else f"{name}, {one['what']}",
                f"{one['parameters'] / 1e6:.2g}" if "parameters" in one else "-",
                steps(folder / name) if trained else "-",
                hours(folder / name) if trained else "-",
                *(spread(error[field]["mean"]) for field in fields(found)),
                min((skill(one, field) for field in fields(found)), key=float),
                number(one["divergence"]),
                number(one.get("energy"), percent=True),
                number(spectrum.get("stress")),
                number(tail.get("0.999"), percent=True),
            ]
        )
    head = [
        *("", "parameters (10^6)", "steps", "h", *fields(found), "skill"),
        *("divergence", "energy error", "spectrum", "energy 0.999"),
    ]
    return table(head, lines)


def fields(found: dict[str, Any]) -> list[str]:
    """Names of the two fields, kinematic and kinetic."""
    known = found["uniform"]["nrmse"][found["normalisation"]]
    return ["gradient" if "gradient" in known else "strain", "stress"]


def by_component(found: dict[str, Any]) -> str:
    """Table 1 of the paper: errors by component of all runs, mean and deviation."""
    scale = "range" if found["pores"] else found["normalisation"]
    runs = [one for one in found["contenders"] if one["kind"] == "run"]
    lines = []
    for field in fields(found):
        known = runs[0]["nrmse"][scale][field]
        for name in (name for name in (*ROWS, *MORE_ROWS) if name in known):
            errors = [one["nrmse"][scale][field][name] for one in runs]
            lines.append([row_label(field, name), *map(spread, errors)])
    return table(["", *(one["name"] for one in runs)], lines)


def label_errors(data: Path) -> str:
    """Errors of the labels themselves: of solutions of the test, averaged, in them.

    A model that predicts the exact fields has these errors in a validation.
    """
    from ecosurrogate.evaluation.evaluate import statistic
    from ecosurrogate.evaluation.solved_cases import SolvedCases
    from ecosurrogate.training.losses import window_average
    from fftmech.results.metrics import mean_nrmse

    errors = []
    for case in SolvedCases(data):
        assert case.low is not None
        for fine, label in zip((case.strain, case.stress), case.low, strict=True):
            mean = window_average(torch.tensor(fine)[None], label.shape[-3:])[0]
            errors.append(mean_nrmse(mean.numpy(), label))
    return " / ".join(spread(statistic(errors[k::2])) for k in (0, 1))


def spread(statistic: dict[str, Any] | None) -> str:
    """Mean and standard deviation over the bodies, in two digits."""
    if statistic is None:
        return "-"
    return f"{statistic['mean']:.2g} ± {statistic['std'] or 0:.1g}"


def curves(folder: Path, runs: tuple[str, ...]) -> Any:
    """Draw the errors of the validations of runs by their steps."""
    from fftmech.figures import new_figure

    figure = new_figure((8, 3.2))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for field, panel in zip(("strain", "stress"), panels, strict=True):
        for name in runs:
            found = [r for r in records(folder / name) if "validation" in r]
            errors = [r["validation"][field] for r in found]
            panel.plot([r["step"] for r in found], errors, label=name)
        panel.set(xlabel="step", yscale="log", title=f"{field} nRMSE, validation")
    panels[0].legend(frameon=False, fontsize=8)
    return figure


def report(folder: Path, study: Study, page: str | None) -> None:
    """Evaluate what was trained, print all tables, and fill a page with them."""
    from fftmech.figures import save_figure

    print(f"solutions averaged to the labels: {label_errors(folder / 'data')}")
    for name, wanted in study.tables.items():
        runs = tuple(r for r in wanted if (folder / r / "weights.safetensors").exists())
        if not runs:
            continue
        found = evaluate(folder, folder / "data", runs, study.baselines, name)
        texts = {
            name: summary(folder, found),
            f"{name}-components": by_component(found),
        }
        print(*(f"{key}\n{text}\n" for key, text in texts.items()), sep="\n")
        if not page:
            continue
        for key, text in texts.items():
            if f"<!-- {key} -->" in Path(page).read_text():
                fill(page, key, text)
        images = Path(page).parent / "img"
        for picture in ("curves", "slices", "spectra", "energy", "divergence"):
            place = images / f"paper_{name}_{picture}.png"
            if place.name not in Path(page).read_text():
                continue
            if picture == "curves":
                save_figure(curves(folder, runs), place)
            else:
                shutil.copy(folder / name / f"{picture}.png", place)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scale", choices=tuple(SCALES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--study", action="append")
    parser.add_argument("--no-training", action="store_true")
    parser.add_argument("--page")
    options = parser.parse_args()
    for name, study in SCALES[options.scale].items():
        if options.study and name not in options.study:
            continue
        folder = options.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        if not options.no_training:
            data = folder / "data"
            call(*FFTMECH, "dataset", *study.dataset, "-o", data, "--jobs", 1)
            for run_name, arguments in study.runs.items():
                own = (text.format(folder=options.folder) for text in arguments)
                train(folder / run_name, data, (*own, *study.settings))
        report(folder, study, options.page)


if __name__ == "__main__":
    main()
