"""Networks of many bodies, each in a folder of its name, and a table of them."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from ecosurrogate.response.cross_check import PATHS
from ecosurrogate.response.trained_network import (
    NORMS,
    TrainedNetwork,
    data_of,
    fit,
)
from ecosurrogate.response.training import Training
from ecosurrogate.training.files import write_text
from fftmech.datasets.stiffness_pairs import BODY, StiffnessPairs
from fftmech.errors import InputError
from fftmech.io import read

TABLE = "networks.csv"
"""Name of the table in the folder of the networks."""

MISSING, TRAINED, FAILED = "missing", "trained", "failed"

_MEASURES = (*NORMS, *PATHS)
COLUMNS = (
    *("body", "status", "pairs", "depth", "leaves"),
    *(f"{m.replace(' ', '_')}_{of}" for m in _MEASURES for of in ("mean", "max")),
    *("seconds", "notes", "reason"),
)
"""Columns of the table: relative errors are those of stiffnesses of pairs for
validation, and of mean stresses on the paths of the check."""


def fit_each(
    dataset: str | PathLike,
    folder: str | PathLike,
    training: Training,
    *,
    resume: bool = False,
    force: bool = False,
    progress: Callable[[str, int, int, str], None] | None = None,
) -> list[dict[str, Any]]:
    """Train a network for each body of a folder of pairs; one that fails ends no other.

    The table is written after each.

    Parameters
    ----------
    dataset
        Folder of folders of pairs.
    folder
        Of the networks, each in a folder of the same name.
    training
        Settings.
    resume
        Whether networks that are there are kept. They have to be of the same pairs and
        settings.
    force
        Whether they are replaced.
    progress
        Called with which it is, steps done, steps in all and what is to be shown.

    Returns
    -------
    list
        A row of the table for each body.

    Raises
    ------
    InputError
        A folder that holds one network, or networks, without `resume` or `force`.
    """
    path, bodies = Path(folder), StiffnessPairs.each(dataset)
    _check(path, bodies, resume or force)
    for name, pairs in bodies.items():
        if resume and TrainedNetwork.at(path / name):
            _check_same(path / name, StiffnessPairs.read(pairs), training)
    path.mkdir(exist_ok=True)
    rows = {name: _row(name, MISSING) for name in bodies}
    _write(path, rows)
    for number, (name, pairs) in enumerate(bodies.items(), 1):
        which = f"{name}, {number} of {len(bodies)} bodies"

        def told(step: int, of: int, text: str, which: str = which) -> None:
            if progress:
                progress(which, step, of, text)

        try:
            if resume and TrainedNetwork.at(path / name):
                made = TrainedNetwork.read(path / name)
            else:
                given = pairs, path / name, training
                made, _ = fit(*given, force=force, progress=told)
            rows[name] = row_of(name, made)
        except Exception as error:
            # pairs that cannot be read, of too few leaves, whose training diverged
            known = isinstance(error, InputError | OSError)
            text = str(error) if known else f"{type(error).__name__}: {error}"
            rows[name] = _row(name, FAILED) | {"reason": " ".join(text.split())}
        _write(path, rows)
    return list(rows.values())


def row_of(name: str, made: TrainedNetwork) -> dict[str, Any]:
    """What the table says of a network."""
    held = made.errors["validation"]
    errors = {**{norm: held[norm] for norm in NORMS}, **made.check}
    return _row(name, TRAINED) | {
        "pairs": held["pairs"] + made.errors["train"]["pairs"],
        "depth": made.tree.depth,
        "leaves": len(made.tree.leaves),
        **{
            f"{m.replace(' ', '_')}_{of}": error[of]
            for m, error in errors.items()
            for of in ("mean", "max")
        },
        "seconds": made.training["seconds"],
        "notes": list(made.notes),
    }


def untrained(folder: str | PathLike) -> list[str]:
    """Bodies of the table of a folder that have no network there."""
    try:
        text = (Path(folder) / TABLE).read_text(encoding="utf-8")
    except OSError:
        return []
    rows = csv.DictReader(io.StringIO(text))
    names = [row.get("body") or "" for row in rows]
    return [n for n in names if not TrainedNetwork.at(Path(folder) / n)]


def _check(path: Path, bodies: Mapping[str, Path], kept: bool) -> None:
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file: give the name of a folder")
    if not path.absolute().parent.is_dir():
        raise InputError(
            f"{path}: no folder {path.absolute().parent}", mend="create it first"
        )
    if TrainedNetwork.at(path):
        raise InputError(f"{path} holds one network", mend="choose another -o")
    there = [name for name in bodies if TrainedNetwork.at(path / name)]
    if there and not kept:
        raise InputError(
            f"{path} holds {len(there)} networks, {there[0]} the first",
            mend="add --resume to keep them, or --force, or choose another -o",
        )


def _check_same(path: Path, pairs: StiffnessPairs, training: Training) -> None:
    """Refuse to keep a network of other pairs or settings than the others."""
    made = TrainedNetwork.read(path)
    errors = made.errors
    count = errors["train"]["pairs"] + errors["validation"]["pairs"]
    before = dict(made.training)
    before.pop("seconds", None)
    given = data_of(pairs, read(pairs.folder / BODY))
    # networks of former versions do not have all of these
    same = all(made.data.get(name, given[name]) == given[name] for name in _OF)
    if before == asdict(training) and same and count == len(pairs.effective):
        return
    raise InputError(
        f"{path} holds a network of other pairs, or with other settings",
        mend="add --force, or choose another -o",
    )


_OF = (
    *("sha256_phase", "resolution", "voxel", "sha256_orientation", "pores"),
    *("seed", "contrast", "scheme", "tolerance"),
)
"""Attributes by which pairs are the same."""


def _row(name: str, status: str) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS) | {
        "body": name,
        "status": status,
        "notes": [],
        "reason": "",
    }


def _write(path: Path, rows: Mapping[str, dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows.values():
        writer.writerow(row | {"notes": "; ".join(row["notes"])})
    write_text(path / TABLE, text.getvalue())
