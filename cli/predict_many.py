"""Predict many files in one process: results in a folder, and a table of them."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import click

from fftmech import InputError, Result, write_result
from fftmech.datasets.image_files import files_in
from fftmech.io import FORMATS
from fftmech.io.atomic import whole_file
from fftmech.io.slices import files, is_stack
from fftmech.tensors import COMPONENTS
from fftmech_cli.means import by_component
from fftmech_cli.progress import progress_bar
from fftmech_cli.rim import NOT_CONVERGED, check_notes, print_json

TABLE = "predictions.csv"
"""Name of the table in the folder of results."""

SHOWN = 10
"""Different notes that are printed; the table has all."""

MEANS = ("mean_strain", "mean_stress")

COLUMNS = (
    *("source", "output", "status", "relative_error", "uniform_error"),
    *("energy", "energy_lower", "energy_upper", "reason"),
    *(f"{mean}_{name}" for mean in MEANS for name in COMPONENTS),
    *("stress_unit", "nx", "ny", "nz", "seconds", "notes"),
)
"""Columns of the table."""

FAILED = "failed"

Answer = tuple[str, Result | Exception]


def are_many(sources: Sequence[str], output: str | None) -> bool:
    """Whether results go into a folder: several sources, a folder of bodies, or -o."""
    if len(sources) > 1 or _is_folder_of_bodies(sources[0]):
        return True
    return output is not None and (output.endswith(("/", os.sep)) or _is_dir(output))


def plan(sources: Sequence[str], folder: str, force: bool) -> dict[str, Path]:
    """Outputs of all sources, by source; a folder stands for the files in it.

    InputError for names that clash, and for outputs that exist, unless `force`.
    """
    listed = [
        str(path)
        for source in sources
        for path in (files_in(source) if _is_folder_of_bodies(source) else [source])
    ]
    taken: dict[str, str] = {}
    outputs: dict[str, Path] = {}
    for source in listed:
        output = Path(folder) / f"{_stem(source)}.vtkhdf"
        # as on file systems that do not tell cases apart
        other = taken.setdefault(output.name.lower(), source)
        if source in outputs or other != source:
            raise InputError(
                f"{other} and {source} would both become {output}",
                mend="rename one, or predict them into two folders",
            )
        outputs[source] = output
    own = {Path(source).resolve() for source in listed}
    for output in outputs.values():
        if output.resolve() in own:
            raise InputError(
                f"{output} is a source and would be overwritten",
                mend="choose another -o",
            )
    _check_folder(Path(folder), [Path(folder) / TABLE, *outputs.values()], force)
    return outputs


def write_all(
    outputs: dict[str, Path], answers: Iterable[Answer], about: dict[str, Any]
) -> dict[str, Any]:
    """Write results as they come, and their table, also if interrupted.

    Returns `about` with the counts and a row for each source: JSON.
    """
    folder = next(iter(outputs.values())).parent
    folder.mkdir(exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    counts: Counter[str] = Counter()
    try:
        with progress_bar("Predicting", counted=True) as report:
            for source, answer in answers:
                rows[source] = row = _row(source, outputs[source], answer)
                counts[row["status"]] += 1
                report(len(rows), len(outputs), f"failed {counts[FAILED]}")
    finally:
        ordered = [rows[source] for source in outputs if source in rows]
        with whole_file(folder / TABLE) as name:
            name.write_text(_csv(ordered), encoding="utf-8")
    return {
        **about,
        "predicted": counts["predicted"],
        "not_certified": counts["not certified"],
        "failed": counts[FAILED],
        "table": str(folder / TABLE),
        "files": ordered,
    }


def tell(document: dict[str, Any], as_json: bool) -> int:
    """Print what became of the files, and return the exit code."""
    rows = document["files"]
    notes = Counter(note for row in rows for note in row["notes"])
    for note, count in notes.most_common(SHOWN):
        click.echo(f"note: {note} ({count} of {len(rows)} files)", err=True)
    if len(notes) > SHOWN:
        more = f"{len(notes) - SHOWN} more different notes"
        click.echo(f"note: {more} in {document['table']}", err=True)
    for row in rows:
        if row["status"] != "predicted":
            what = "" if row["status"] == FAILED else f"{row['status']}: "
            reason = row["reason"].removeprefix(f"{row['source']}: ")
            click.echo(f"Error: {row['source']}: {what}{reason}", err=True)
    if as_json:
        print_json(document)
    else:
        click.echo(
            f"{len(rows)} files: {document['predicted']} predicted, "
            f"{document['not_certified']} not certified, {document['failed']} failed"
        )
        click.echo(f"wrote {document['table']}")
    if document["failed"]:
        return 2
    return NOT_CONVERGED if document["not_certified"] else 0


def _row(source: str, output: Path, answer: Result | Exception) -> dict[str, Any]:
    """Write a result; what the table says of it, None where it does not exist."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"source": source, "status": FAILED, "reason": "", "notes": []}
    try:
        if isinstance(answer, Exception):
            raise answer
        found = answer.microstructure.notes
        check_notes(note for note in answer.notes if note not in found)
        write_result(output, answer)
    except Exception as error:
        # a result of an earlier run would pass for this one's
        output.unlink(missing_ok=True)
        return row | {"reason": _reason(error)}
    certificate = answer.certificate
    for mean in MEANS:
        values = by_component(getattr(answer, mean))
        row |= {f"{mean}_{name}": value for name, value in values.items()}
    row |= dict(zip(("nx", "ny", "nz"), answer.microstructure.grid.shape, strict=True))
    return row | {
        "output": str(output),
        "status": answer.status,
        "relative_error": certificate["relative"],
        "uniform_error": certificate.get("uniform"),
        "energy": answer.energy if isfinite(answer.energy) else None,
        "energy_lower": certificate["energy_lower"],
        "energy_upper": certificate["energy_upper"],
        "reason": certificate["reason"],
        "stress_unit": answer.microstructure.units.get("stress"),
        "seconds": sum(answer.times.values()),
        "notes": answer.notes,
    }


def _reason(error: Exception) -> str:
    """Why a file has no result, in one line."""
    if isinstance(error, InputError):
        text = str(error)
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    elif isinstance(error, MemoryError):
        text = "out of memory; use a smaller --res"
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"notes": "; ".join(row["notes"])} for row in rows)
    return text.getvalue()


def _is_dir(path: str) -> bool:
    return Path(path).is_dir()


def _is_folder_of_bodies(source: str) -> bool:
    """Whether a source is a folder, and not one of slices, which are one body."""
    if not _is_dir(source):
        return False
    try:
        files(source)
    except InputError:
        return True
    return False


def _stem(source: str) -> str:
    """Name of a source without folder and extension; of a pattern, that of the folder.

    Of "a.1.h5" it is "a.1".
    """
    path = Path(source)
    if path.is_dir():
        return path.resolve().name
    if is_stack(source):
        return path.resolve().parent.name
    ends = [end for end in FORMATS if path.name.lower().endswith(end)]
    return path.name[: -len(max(ends, key=len))] if ends else path.stem


def _check_folder(folder: Path, outputs: Sequence[Path], force: bool) -> None:
    """Refuse a folder that cannot be written to, or that has results already."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: give a folder for several results")
    parent = folder if folder.exists() else folder.absolute().parent
    if not parent.is_dir():
        raise InputError(f"{folder}: no folder {parent}", mend="create it first")
    if not os.access(parent, os.W_OK):
        raise InputError(f"{folder} cannot be written to", mend="choose another -o")
    there = [path for path in outputs if path.exists()]
    if there and not force:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        verb = "exist" if more else "exists"
        raise InputError(f"{there[0]}{more} {verb}: choose another -o, or add --force")
    for path in there:
        if path.is_dir():
            raise InputError(f"{path} is a folder: choose another -o")
