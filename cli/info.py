"""`fftmech info`: what a microstructure or a result holds."""

from math import isfinite
from typing import Any

import click

from fftmech import Boundary, FiniteLoad, InputError, Load, read_result
from fftmech.io.summary import summarize_microstructure, summarize_run
from fftmech.results.averages import BY
from fftmech.results.field_names import FIELDS, FINITE
from fftmech.tensors import COMPONENTS
from fftmech_cli.averages import show_averages_by
from fftmech_cli.means import show_averages
from fftmech_cli.options import force_option, json_option
from fftmech_cli.rim import check_output, print_json, print_notes, show, table
from fftmech_cli.source import load_microstructure, source_options

SHOWN = 12
"""Phases that the table lists; --json lists all."""

MATRICES = 4
"""Microstructures of at most this many phases have their stiffness printed."""


@click.command()
@source_options
@click.option(
    "--by",
    type=click.Choice(BY),
    help="Averages of a result over each grain or each material instead.",
)
@click.option("--csv", type=click.Path(), help="File that the averages are written to.")
@force_option
@json_option
def info(
    source: str,
    by: str | None,
    csv: str | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Show what SOURCE holds and how it was solved.

    \b
    fftmech info micro.h5
    fftmech info result.vtkhdf --by grain --csv grains.csv
    """
    if csv is not None:
        if by is None:
            raise InputError("--csv without --by", mend="add --by grain")
        check_output(csv, force)
    if by is not None:
        for name, value in options.items():
            if value is not None:
                raise InputError(
                    f"{name} of a result", "SOURCE as it is", "leave it out"
                )
        show_averages_by(read_result(source), by, csv, as_json)
        return
    document = summarize_microstructure(load_microstructure(source, **options))
    run = summarize_run(source)
    if run is not None:
        document["run"] = run
    if as_json:
        print_json({"file": source, **document})
        return
    units = document["units"]
    _show_grid(source, document, units.get("length"))
    _show_materials(document["materials"])
    _show_phases(document["phases"], units)
    if run is not None:
        _show_run(run, units.get("stress", "stress units"))


def _show_grid(source: str, document: dict[str, Any], length: str | None) -> None:
    title = f"{source}: {document['voxels']} voxels"
    if document["units"]:
        listed = ", ".join(f"{k} in {v}" for k, v in document["units"].items())
        title = f"{title}; {listed}"
    unit = f" ({length})" if length else ""
    rows = table("grid", "x", "y", "z")
    rows.add_row("voxels", *map(str, document["shape"]))
    for name in ("spacing", "size", "origin"):
        rows.add_row(name + unit, *(f"{v:.6g}" for v in document[name]))
    show(title, rows)


def _show_materials(materials: list[dict[str, Any]]) -> None:
    """Table of the materials that grains are made of, where the file says so."""
    if not materials:
        return
    rows = table("id", "name", "grains", "oriented", "fraction")
    for m in materials:
        counts = str(m["grains"]), str(m["oriented"])
        rows.add_row(str(m["id"]), m["name"], *counts, f"{m['fraction']:.4g}")
    show(f"Materials: {len(materials)}", rows)


def _show_phases(phases: list[dict[str, Any]], units: dict[str, str]) -> None:
    known = any("K" in phase for phase in phases)
    stress = units.get("stress", "stress units")
    unit_of = {
        "stiffness": stress,
        "viscosity": f"{stress} {units.get('time', 'time')}",
    }
    shown = {phase["quantity"] for phase in phases if "K" in phase}
    turned = any("euler" in phase for phase in phases)
    title = f"Phases: {len(phases)}"
    made_of = any("material" in phase for phase in phases)
    columns = [
        "id",
        *["material"] * made_of,
        "voxels",
        "fraction",
        " or ".join(sorted(shown)) or "stiffness",
    ]
    if known:
        names = [f"{name} ({unit})" for name, unit in unit_of.items() if name in shown]
        title += f"; K, G of the nearest isotropic {' or '.join(names)}"
        columns += ["K", "G"]
    if turned:
        title += "; Bunge angles (deg)"
        columns += ["phi1", "Phi", "phi2"]
    rows = table(*columns)
    for phase in phases[:SHOWN]:
        row = [str(phase["id"]), str(phase["voxels"]), f"{phase['fraction']:.4g}"]
        if made_of:
            row.insert(1, phase.get("material_name") or str(phase.get("material", "")))
        viscous = phase.get("quantity") == "viscosity"
        row.append(phase["symmetry"] + ", viscosity" * viscous)
        if known:
            row += [f"{phase[m]:.4g}" if m in phase else "" for m in ("K", "G")]
        if turned:
            angles = phase.get("euler")
            row += [f"{angle:.1f}" for angle in angles] if angles else [""] * 3
        rows.add_row(*row)
    if len(phases) > SHOWN:
        rows.add_row("...", f"{len(phases) - SHOWN} more")
    show(title, rows)
    if len(phases) > SHOWN:
        click.echo("--json lists all phases")
    _show_laws(phases)
    if len(phases) <= MATRICES:
        for phase in phases:
            if "stiffness" in phase:
                _show_stiffness(phase, unit_of[phase["quantity"]])


def _show_laws(phases: list[dict[str, Any]]) -> None:
    """One line for each law, with its constants and the phases that obey it."""
    obeyed: dict[str, list[str]] = {}
    for phase in phases:
        if "law" in phase:
            given = phase["law"]["constants"].items()
            listed = ", ".join(f"{name} {value}" for name, value in given)
            text = f"{phase['law']['name']} ({listed})"
            obeyed.setdefault(text, []).append(str(phase["id"]))
    for text, ids in obeyed.items():
        more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        click.echo(f"Law of phases {' '.join(ids[:SHOWN])}{more}: {text}")


def _show_stiffness(phase: dict[str, Any], unit: str) -> None:
    rows = table("", *COMPONENTS)
    for name, row in zip(COMPONENTS, phase["stiffness"], strict=True):
        rows.add_row(name, *(f"{value:.5g}" for value in row))
    what = phase["quantity"].capitalize()
    at = " at rate0" if what == "Viscosity" else ""
    show(
        f"{what} of phase {phase['id']}{at} ({unit}); Voigt, engineering shear, sample "
        "frame",
        rows,
    )


def _show_run(run: dict[str, Any], unit: str) -> None:
    from rich.table import Table

    kind = FiniteLoad if "mean_F" in run else Load
    faces = Boundary(**run["boundary"]) if "boundary" in run else None
    show_averages(kind(**run["load"]), run, unit, faces)

    listed = {
        **(_predicted(run) if "model" in run else _solved(run)),
        # of a model that knows no law there is none
        f"energy density ({unit})": f"{run['energy']:.6g}"
        if isfinite(run["energy"])
        else "",
    }
    outcome = Table(box=None, pad_edge=False, show_header=False)
    for name, value in listed.items():
        if value:
            outcome.add_row(name, value)
    show("Prediction" if "model" in run else "Solve", outcome)
    print_notes(run["notes"])


def _solved(run: dict[str, Any]) -> dict[str, str]:
    largest = run.get("boundary_displacement", 0.0)
    last = run["residuals"][-1] if run["residuals"] else float("nan")
    known = (*FIELDS, *(FINITE if "mean_F" in run else ()))
    left_out = [name for name in known if name not in run["fields"]]
    return {
        "status": run["status"],
        "advice": run["advice"],
        "scheme, solver": f"{run['scheme']}, {run['solver']}, {run['precision']}",
        "iterations": str(run["iterations"]),
        "residual": f"{last:.3g} (tolerance {run['tolerance']:.3g})",
        "temperature change": f"{run['temperature']:g}" if run["temperature"] else "",
        "displacement of faces beside the load": f"up to {largest:.3g}" * bool(largest),
        "certificate": _certificate(run["certificate"]),
        "written without": ", ".join(left_out) + " (--fields)" * bool(left_out),
        "time (s)": ", ".join(f"{k} {v:.3g}" for k, v in run["times"].items()),
    }


def _predicted(run: dict[str, Any]) -> dict[str, str]:
    times, certificate = run["times"], run["certificate"]
    certified = f"none: {certificate.get('reason')}"
    if certificate.get("relative") is not None:
        certified = f"{100 * certificate['relative']:.2g} %"
    if "uniform" in certificate:
        certified += f" (uniform fields {100 * certificate['uniform']:.2g} %)"
    return {
        "predicted by": f"{run['model']}, scheme {run['scheme']}, {run['precision']}",
        "corrections": str(run["corrections"] or ""),
        "certified energy error": certified,
        "predicted in": f"{times['solve']:.3g} s, prepared in {times['setup']:.3g} s",
    }


def _certificate(certificate: dict[str, Any]) -> str:
    relative = certificate.get("relative")
    if relative is not None:
        return f"relative error of the fields {relative:.2g}"
    return str(certificate.get("reason", ""))
