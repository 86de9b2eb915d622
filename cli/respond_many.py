"""`ecosr respond` with the networks of many bodies: one table with a column `body`."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fftmech import InputError, read
from fftmech import Path as LoadPath
from fftmech.datasets.image_files import files_in
from fftmech.io.atomic import whole_file
from fftmech.io.load_path import read_path
from fftmech.io.materials import Materials, read_materials
from fftmech.simulations.stress_strain_curve import StressStrainCurve
from fftmech_cli.many_sources import name_of, print_counted, print_failed, reason_of
from fftmech_cli.progress import progress_bar
from fftmech_cli.respond import solve_path, solver_table
from fftmech_cli.rim import (
    NOT_CONVERGED,
    check_notes,
    check_output,
    print_json,
    show,
    table,
)

if TYPE_CHECKING:
    from ecosurrogate.response.response import Response
    from ecosurrogate.response.trained_network import TrainedNetwork

FAILED = "failed"

Row = dict[str, Any]


def respond_many(
    run: str,
    materials: str,
    path_file: str,
    output: str,
    against: str | None,
    temperature: float,
    force: bool,
    as_json: bool,
) -> int:
    """Follow a path with each network, write one table, and return the exit code.

    A network that fails ends no other.
    """
    from ecosurrogate.response.fit_many import untrained
    from ecosurrogate.response.response import respond
    from ecosurrogate.response.trained_network import TrainedNetwork, networks_in

    networks = networks_in(run)
    bodies = _bodies(against, networks)
    tables = [Path(output), solver_table(Path(output))][: 2 if bodies else 1]
    for file in tables:
        check_output(file, force)
    path, listed = read_path(path_file), read_materials(materials)
    curves: list[dict[str, StressStrainCurve]] = [{}, {}]
    rows: list[Row] = []
    with progress_bar("Responding", counted=True) as report:
        for number, (name, folder) in enumerate(networks.items(), 1):
            row: Row = {"body": name, "status": FAILED, "reason": "", "notes": []}
            rows.append(row)
            try:
                trained = TrainedNetwork.read(folder)
                found = respond(trained, listed, path, temperature=temperature)
                row |= {**found.as_dict(), "reason": found.found.advice}
                check_notes(found.notes)
                curves[0][name] = found.curve
                if name in bodies:
                    solved = _solve(
                        trained, found, bodies[name], listed, path, temperature, row
                    )
                    curves[1][name] = solved
            except Exception as error:
                row |= {"status": FAILED, "reason": reason_of(error)}
            report(number, len(networks), name)
    left = untrained(run)
    document: Row = {"untrained": left, "bodies": rows}
    # nothing is written of no curves
    for key, file, own in zip(("output", "solver"), tables, curves, strict=False):
        if own:
            with whole_file(file) as name:
                name.write_text(_text(own), encoding="utf-8")
            document[key] = str(file)
    return _finish(document, as_json)


def _bodies(against: str | None, networks: Mapping[str, Path]) -> dict[str, str]:
    """Bodies that networks are compared with, by name.

    Those of a folder that have the names of networks; a file of one's name.
    """
    if against is None:
        return {}
    sources = files_in(against) if Path(against).is_dir() else [Path(against)]
    found: dict[str, str] = {}
    for source in map(str, sources):
        name = name_of(source)
        if name in found:
            raise InputError(
                f"{found[name]} and {source} are both {name}", mend="remove one"
            )
        if name in networks:
            found[name] = source
    if not found:
        raise InputError(
            f"--against {against}: no body of the name of a network",
            f"one of {', '.join(list(networks)[:8])}, or a folder of them",
        )
    return found


def _solve(
    trained: "TrainedNetwork",
    found: "Response",
    source: str,
    materials: Materials,
    path: LoadPath,
    temperature: float,
    row: Row,
) -> StressStrainCurve:
    """Solve the path on a body; what the row says of it."""
    body = materials.apply(read(source))
    right = solve_path(trained, found, body, path, temperature)
    row["notes"] += right.notes
    row["against"] = right.as_dict()
    if right.status != "converged":
        row["reason"] = f"the solver: {right.advice}"
    return right.curve


def _text(curves: Mapping[str, StressStrainCurve]) -> str:
    """The tables of curves one below the other, with a column that says whose it is."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for number, (name, curve) in enumerate(curves.items()):
        header, *rows = curve.table()
        if not number:
            writer.writerow(["body", *header])
        writer.writerows([name, *row] for row in rows)
    return stream.getvalue()


def _finish(document: Row, as_json: bool) -> int:
    """Print the outcome; the exit code."""
    rows, left = document["bodies"], document["untrained"]
    print_counted((row["notes"] for row in rows), "networks", "")
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        click.echo(f"note: no network of {', '.join(left[:3])}{more}", err=True)
    codes = [0]
    for row in rows:
        own, solver = row["status"], row.get("against", {}).get("status", "converged")
        if own == FAILED:
            codes.append(2)
            print_failed(row["body"], row["reason"])
        elif (own, solver) != ("converged", "converged"):
            codes.append(NOT_CONVERGED)
            print_failed(row["body"], row["reason"])
    if as_json:
        print_json(document)
        return 2 if 2 in codes else max(codes)
    shown = table("body", "increments", "ms each", "error, %", "largest, %")
    for row in rows:
        if row["status"] == FAILED:
            shown.add_row(row["body"], FAILED)
            continue
        count = row["increments"]
        errors = row.get("against", {})
        compared = errors.get("increments")
        shown.add_row(
            row["body"],
            str(count),
            f"{1e3 * row['time'] / max(count, 1):.2g}",
            *(f"{100 * errors[n]:.2g}" for n in ("mean", "max") if compared),
        )
    show("Mean stresses of each network, without certificate", shown)
    if files := [document[key] for key in ("output", "solver") if key in document]:
        click.echo(f"wrote {', '.join(files)}")
    return 2 if 2 in codes else max(codes)
