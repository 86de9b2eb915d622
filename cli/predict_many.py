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
from fftmech.io.atomic import whole_file
from fftmech.tensors import COMPONENTS
from fftmech_cli import many_sources
from fftmech_cli.many_sources import are_several, print_counted, print_failed, reason_of
from fftmech_cli.means import by_component
from fftmech_cli.progress import progress_bar
from fftmech_cli.rim import NOT_CONVERGED, check_notes, print_json

TABLE = "predictions.csv"
"""Name of the table in the folder of results."""

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
    if are_several(sources):
        return True
    if output is None:
        return False
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def plan(sources: Sequence[str], folder: str, force: bool) -> dict[str, Path]:
    """Outputs of all sources, by source; a folder stands for the files in it.

    InputError for names that clash, and for outputs that exist, unless `force`.
    """
    outputs = many_sources.plan(sources, folder, ".vtkhdf")
    own = {Path(source).resolve() for source in outputs}
    for output in outputs.values():
        if output.resolve() in own:
            raise InputError(
                f"{output} is a source and would be overwritten",
                mend="choose another -o",
            )
    many_sources.check_folder(Path(folder))
    _check_outputs([Path(folder) / TABLE, *outputs.values()], force)
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
    print_counted((row["notes"] for row in rows), "files", document["table"])
    for row in rows:
        if row["status"] != "predicted":
            reason = row["reason"].removeprefix(f"{row['source']}: ")
            what = "" if row["status"] == FAILED else f"{row['status']}: "
            print_failed(row["source"], what + reason)
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
        return row | {"reason": reason_of(error)}
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


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"notes": "; ".join(row["notes"])} for row in rows)
    return text.getvalue()


def _check_outputs(outputs: Sequence[Path], force: bool) -> None:
    """Refuse to replace results, unless `force`."""
    there = [path for path in outputs if path.exists()]
    if there and not force:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        verb = "exist" if more else "exists"
        raise InputError(f"{there[0]}{more} {verb}: choose another -o, or add --force")
    for path in there:
        if path.is_dir():
            raise InputError(f"{path} is a folder: choose another -o")
