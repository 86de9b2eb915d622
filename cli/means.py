"""Volume averages of a result, as JSON and as a table."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import click
import numpy as np

from fftmech import Boundary, FiniteLoad, Load, Result
from fftmech.loads.finite_load import NAMES
from fftmech.tensors import COMPONENTS, components_from_mandel
from fftmech_cli.boundary import released
from fftmech_cli.load import prescribed
from fftmech_cli.method import note_speed
from fftmech_cli.rim import print_json, print_notes, show, table


def by_component(mandel: np.ndarray) -> dict[str, float]:
    """Tensor components by name of a Mandel vector."""
    values = components_from_mandel(mandel)
    return {name: float(x) for name, x in zip(COMPONENTS, values, strict=True)}


def means_of(result: Result) -> dict[str, Any]:
    """Mean strain and stress by component, or F and P by rows: JSON."""
    if result.finite is not None:
        return {
            "mean_F": result.finite.mean_F.tolist(),
            "mean_P": result.finite.mean_P.tolist(),
        }
    return {
        "mean_strain": by_component(result.mean_strain),
        "mean_stress": by_component(result.mean_stress),
    }


def show_means(result: Result) -> None:
    """Print the load, the volume averages and the energy."""
    unit = result.microstructure.units.get("stress", "stress units")
    show_averages(result.load, means_of(result), unit, result.boundary)
    if isfinite(result.energy):
        # of no law there is none
        click.echo(f"energy density {result.energy:.6g} {unit}")


def report(
    result: Result,
    headline: str,
    counts: Mapping[str, Any],
    written: Mapping[str, str],
    as_json: bool,
) -> None:
    """Print the outcome of a solve as JSON, which begins with `counts`, or as text."""
    grid, certificate = result.microstructure.grid, result.certificate
    # those of the body were printed when it was read
    print_notes(n for n in result.notes if n not in result.microstructure.notes)
    if as_json:
        print_json(
            {
                **counts,
                "residual": result.residual,
                **means_of(result),
                "energy": result.energy,
                "certificate": certificate,
                "notes": result.notes,
                "time": result.times,
                "voxels": grid.voxels,
                "output": None,
                **written,
            }
        )
        return
    nx, ny, nz = grid.shape
    click.echo(
        f"{headline}\n"
        f"{nx} x {ny} x {nz} voxels, scheme {result.scheme}, solver {result.solver}"
    )
    note_speed(grid, result.times)
    show_means(result)
    if certificate.get("relative") is not None:
        bound = certificate["relative"]
        click.echo(f"certified relative error of the discrete fields {bound:.1e}")
    elif certificate:
        click.echo(f"no certificate: {certificate['reason']}")
    if written:
        click.echo(f"wrote {', '.join(written.values())}")


def show_averages(
    load: Load | FiniteLoad,
    means: Mapping[str, Any],
    unit: str,
    boundary: Boundary | None = None,
) -> None:
    """Print a load and the volume averages, given as `means_of` returns them."""
    texts = {**prescribed(load), **released(boundary)}
    if "mean_F" in means:
        title = "Load and volume averages; xy is row x, column y"
        columns = "mean F", f"mean P ({unit})"
        tables = means["mean_F"], means["mean_P"]
        strain, stress = (dict(zip(NAMES, sum(t, []), strict=True)) for t in tables)
    else:
        title = "Load and volume averages; tensor components"
        columns = "mean strain", f"mean stress ({unit})"
        strain, stress = means["mean_strain"], means["mean_stress"]
    rows = table("", "prescribed", *columns)
    for name, text in texts.items():
        rows.add_row(name, text, _number(strain, name), _number(stress, name))
    show(title, rows)


def _number(values: Mapping[str, float], name: str) -> str:
    """A component, rounded to what the largest of them can resolve."""
    size = max(abs(v) for v in values.values())
    value = values[name] if abs(values[name]) > 1e-12 * size else 0.0
    return f"{value:.6g}"
