"""`fftmech compare`: the fields of one result against those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fftmech import io
from fftmech.results.comparison import compare as compare_results
from fftmech.results.metrics import NORMALISATIONS
from fftmech_cli.options import json_option
from fftmech_cli.rim import print_json, print_notes, show, table

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@click.argument("a", type=click.Path())
@click.argument("reference", type=click.Path(), metavar="B")
@json_option
def compare(a: str, reference: str, as_json: bool) -> None:
    """Compare the fields of result A with the reference B.

    Errors are root mean squares over the voxels that are solid in both, divided by the
    standard deviation (std), the range, or the root mean square (norm) of B. The row
    "uniform" has those of the mean of B, which knows nothing: beside it, a small error
    over the range may be none at all. Skill is 1 - std / std of the uniform field.

    \b
    fftmech compare coarse.vtkhdf fine.vtkhdf
    fftmech compare prediction.vtkhdf solved.vtkhdf --json
    """
    found = compare_results(io.read_result(a), io.read_result(reference))
    document = {"a": a, "b": reference} | found
    print_notes(document["notes"])
    if as_json:
        print_json(document)
        return
    for title, content in _tables(document):
        show(title, content)


def _tables(found: dict[str, Any]) -> list[tuple[str, Table]]:
    names = (*NORMALISATIONS, "skill")
    headings = [f"{field}\n{name}" for field in found["nrmse"] for name in names]
    errors = table("", *headings)
    for component in found["nrmse"]["strain"]:
        cells = []
        for field, rows in found["nrmse"].items():
            cells += [_text(rows[component][n]) for n in NORMALISATIONS]
            cells.append(_text(found["skill"][field][component]))
        errors.add_row(component, *cells)
    cells = [
        cell
        for rows in found["uniform"].values()
        for cell in (*(_text(rows[n]) for n in NORMALISATIONS), _text(0.0))
    ]
    errors.add_row("uniform", *cells)

    balance = table(
        *("", "scheme", "rms div stress", "relative", "rms inc strain", "relative")
    )
    for key in ("a", "b"):
        parts = (found[norm][key] or {} for norm in ("divergence", "compatibility"))
        values = (p.get(n) for p in parts for n in ("absolute", "relative"))
        balance.add_row(key.upper(), found["schemes"][key], *map(_text, values))

    edges = found["spectra"]["wavenumber"]
    spectra = table("wavenumber", "strain", "stress")
    for band, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        ratios = (found["spectra"][f]["all"][band] for f in ("strain", "stress"))
        spectra.add_row(f"{low:.4g} - {high:.4g}", *map(_text, ratios))

    tails = table("quantile", "A", "B", "A / B")
    tail = found["energy_tail"]
    for n, q in enumerate(tail["quantile"] if tail else ()):
        values = (tail[key][n] for key in ("a", "b", "ratio"))
        tails.add_row("max" if q == 1 else f"{q:g}", *map(_text, values))

    means = table("component", "strain A", "B", "stress A", "B")
    for component in found["mean"]["strain"]["a"]:
        values = (found["mean"][f][k][component] for f in found["mean"] for k in "ab")
        means.add_row(component, *map(_text, values))
    return [
        ("nRMSE of A against B, and of B's mean (uniform)", errors),
        ("Equilibrium and compatibility, each in its own scheme", balance),
        ("Variance of A over that of B, by octave of wavenumber", spectra),
        *([("Energy density", tails)] if tail else []),
        ("Mean fields", means),
    ]


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
