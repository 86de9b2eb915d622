"""Models at equal processor time, judged on bodies that they were not trained on.

    python benchmarks/surrogates.py FOLDER [--study NAME ...] [--minutes 4]
                                    [--page docs/surrogates-measured.md]

Each study makes one dataset, trains its models on it for as many steps as fit in the
minutes of processor time, with one thread, and evaluates them on the test split.
Everything is kept in FOLDER, and done again only if it is not there. Studies may run
beside each other, each in a process of its own, if there are processors for all.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import fill, table

from fftmech.arrays.crowding import busy

PROBE = 4, 16
"""Steps of two short runs, whose difference tells how many fit in the time."""

THREADS = {
    name: "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "DUCC0_NUM_THREADS")
}

ECOSR = (sys.executable, "-m", "fftmech_cli.ecosr_main")
FFTMECH = (sys.executable, "-m", "fftmech_cli.fftmech_main")


def without_labels(model: str, *options: str) -> tuple[str, ...]:
    """Arguments of a model that is trained by the hypercircle alone."""
    return (
        *("--model", model, "--set", "loss.hypercircle=1"),
        *(f"--set=loss.{name}=0" for name in ("strain", "stress", "constitutive")),
        *(f"--set={option}" for option in options),
    )


def model(name: str, *options: str) -> tuple[str, ...]:
    """Arguments of a model as it is trained by default."""
    return ("--model", name, *(f"--set={option}" for option in options))


@dataclass(frozen=True)
class Study:
    """One dataset, and the models that are compared on it.

    Attributes
    ----------
    dataset
        Arguments of `fftmech dataset`.
    runs
        Arguments of `ecosr fit` by name.
    baselines
        Of `ecosr evaluate`.
    """

    dataset: tuple[str, ...]
    runs: dict[str, tuple[str, ...]]
    baselines: tuple[str, ...] = ()


STUDIES: dict[str, Study] = {
    "label-free": Study(
        (
            *("polycrystal", "--count", "80", "--res", "32", "--low-res", "32"),
            *("--strain", "xx=8e-5", "--splits", "64,8,8", "--seed", "0"),
        ),
        {
            "w-eco": model("w-eco"),
            "s-eco-maxwell": without_labels(
                "s-eco", "options.stress_functions=maxwell"
            ),
            "s-eco-beltrami": without_labels(
                "s-eco", "options.stress_functions=beltrami"
            ),
            "p-eco": model("p-eco"),
            "p-eco-stepped": model("p-eco-stepped"),
            "p-eco-iterated-1": model("p-eco-iterated", "options.corrections=1"),
            "p-eco-iterated": model("p-eco-iterated"),
        },
        tuple(f"cg:{k}" for k in range(1, 8)),
    ),
    "pores": Study(
        (
            *("pores", "--count", "48", "--res", "64", "--low-res", "32"),
            *("--splits", "36,4,8", "--seed", "0"),
        ),
        {
            "s-eco": model("s-eco", "batch=1"),
            "unet": model("unet", "batch=1"),
            "p-eco-iterated": model("p-eco-iterated", "batch=1"),
        },
        ("low-res", "cg:1", "cg:3", "cg:7"),
    ),
    "contrast": Study(
        (
            *("composites", "--count", "224", "--res", "32", "--low-res", "32"),
            *("--contrast", "100,1000", "--strain", "xx=1e-3"),
            *("--splits", "192,16,16", "--seed", "0"),
        ),
        {
            "strain": model("p-eco-iterated"),
            "stress": model("p-eco-iterated", "options.energy=stress"),
            "unet": model("unet"),
        },
        ("cg:7", "cg:14", "cg:28"),
    ),
}


def train(folder: Path, data: Path, arguments: tuple[str, ...], minutes: float) -> None:
    """Train one run for as long as the time allows."""
    if (folder / "config.json").exists():
        call(*ECOSR, "fit", data, "-o", folder, "--resume")
        return
    probe = folder.with_name(f"{folder.name}-probe")
    spent = []
    for steps in PROBE:
        before = processor_seconds()
        call(*ECOSR, "fit", data, "-o", probe, *arguments, "--steps", steps, "--force")
        spent.append(processor_seconds() - before)
    each = (spent[1] - spent[0]) / (PROBE[1] - PROBE[0])
    steps = max(PROBE[1], int(60 * minutes / each))
    often = ("--set", f"validate_every={max(1, steps // 5)}")
    call(*ECOSR, "fit", data, "-o", folder, *arguments, "--steps", steps, *often)


def evaluate(
    folder: Path,
    data: Path,
    runs: Iterable[str],
    baselines: tuple[str, ...],
    name: str = "evaluation",
) -> dict[str, Any]:
    """Judge runs in a folder, and keep the evaluation there by its name."""
    first, *others = [folder / run for run in runs]
    against = [part for run in others for part in ("--against", run)]
    judged = [part for b in baselines or ("none",) for part in ("--baseline", b)]
    out = folder / name
    call(*ECOSR, "evaluate", first, data, *against, *judged, "-o", out, "--force")
    return json.loads((out / "evaluation.json").read_text())


def rows(folder: Path, found: dict[str, Any]) -> list[list[str]]:
    """Lines of the table of one study, the uniform field last."""
    lines = []
    for contender in [*found["contenders"], found["uniform"]]:
        name = contender["name"]
        card = folder / name / "config.json"
        steps = labels = "-"
        if card.exists():
            config = json.loads(card.read_text())["config"]
            steps = str(config["steps"])
            terms = {name for name, weight in config["loss"].items() if weight}
            labels = "no" if terms <= {"hypercircle", "energy"} else "yes"
        else:
            name = f"{name}, {contender['what']}"
        error = contender["nrmse"][found["normalisation"]]
        spectrum = contender.get("spectrum") or {}
        skills = [skill(contender, name) for name in ("strain", "stress")]
        lines.append(
            [
                *(name, labels, steps),
                *(number(error[field]["mean"]) for field in ("strain", "stress")),
                *(number(error[field]["all"]) for field in ("strain", "stress")),
                min(skills, key=float),
                *ranged(found, contender),
                number(contender["divergence"]),
                number(contender["certificate"], percent=True),
                number(contender["energy"], percent=True),
                number(spectrum.get("stress")),
                str(contender.get("applications") or "-"),
                # a time that other work has made is none
                "-" if busy(found["crowding"]) else number(contender["seconds"]),
            ]
        )
    return lines


def head(found: dict[str, Any]) -> list[str]:
    """Headings of these lines."""
    return [
        *("", "labels", "steps", "strain", "stress", "strain, all", "stress, all"),
        *("skill", *(["strain / range", "stress / range"] if found["pores"] else [])),
        *("divergence", "certificate", "energy error", "spectrum", "Green", "s"),
    ]


def ranged(found: dict[str, Any], contender: dict[str, Any]) -> list[str]:
    """Errors over the range, as the paper has them for pores; of no other bodies."""
    if not found["pores"]:
        return []
    error = contender["nrmse"]["range"]
    return [number(error[field]["mean"]) for field in ("strain", "stress")]


def skill(contender: dict[str, Any], field: str) -> str:
    """Median over samples, in two decimals."""
    return f"{contender['skill'][field]['median']:.2f}"


def number(statistic: dict[str, Any] | None, percent: bool = False) -> str:
    """Median over samples in two digits, or a dash."""
    if statistic is None:
        return "-"
    median = statistic["median"]
    return f"{100 * median:.2g} %" if percent else f"{median:.2g}"


def processor_seconds() -> float:
    """Processor time of all commands so far."""
    times = os.times()
    return times.children_user + times.children_system


def call(*arguments: object) -> None:
    """Run a command, with one thread."""
    subprocess.run(
        [str(a) for a in arguments], check=True, env={**os.environ, **THREADS}
    )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--study", action="append", choices=tuple(STUDIES))
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--page")
    options = parser.parse_args()
    for name in options.study or STUDIES:
        study = STUDIES[name]
        folder = options.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / "data"
        call(*FFTMECH, "dataset", *study.dataset, "-o", data, "--jobs", 1)
        for run, arguments in study.runs.items():
            train(folder / run, data, arguments, options.minutes)
        found = evaluate(folder, data, study.runs, study.baselines)
        text = table(head(found), rows(folder, found))
        print(f"{name}\n{text}\n", flush=True)
        if options.page:
            fill(options.page, name, text)


if __name__ == "__main__":
    main()
