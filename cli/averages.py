"""Averages of a result over grains or materials, as a table, JSON or CSV."""

import csv
from collections.abc import Iterator
from typing import Any

from fftmech import Result
from fftmech.io.atomic import whole_file
from fftmech.results.averages import Averages, averages
from fftmech.tensors import COMPONENTS, components_from_mandel
from fftmech_cli.rim import print_json, show, table

SHOWN = 20
"""Rows that the table has; JSON and CSV have all."""


def show_averages_by(
    result: Result, by: str, csv_file: str | None, as_json: bool
) -> None:
    """Print the averages of a result by grain or material, and write them as CSV."""
    found = averages(result, by)
    rows = list(_rows(found, by))
    if csv_file is not None:
        with whole_file(csv_file) as name, name.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    if as_json:
        print_json({"by": by, "rows": rows, "output": csv_file})
        return
    units = result.microstructure.units
    names = [name for name in rows[0] if not name.startswith(("strain", "stress"))]
    names += [f"stress_{c}" for c in COMPONENTS]
    shown = table(*names)
    for row in rows[:SHOWN]:
        shown.add_row(*(_text(row[name]) for name in names))
    if len(rows) > SHOWN:
        shown.add_row("...", f"{len(rows) - SHOWN} more: --csv or --json")
    unit = units.get("stress", "stress units")
    show(f"Averages by {by}; stress in {unit}, tensor components", shown)


def _rows(found: Averages, by: str) -> Iterator[dict[str, Any]]:
    tensors = {"strain": found.strain, "stress": found.stress}
    components = {
        f"{name}_{c}": column
        for name, mandel in tensors.items()
        for c, column in zip(COMPONENTS, components_from_mandel(mandel).T, strict=True)
    }
    for i, number in enumerate(found.number):
        yield {
            by: number,
            "name": found.name[i],
            "volume": float(found.volume[i]),
            "fraction": float(found.fraction[i]),
            "von_mises": float(found.von_mises[i]),
            "von_mises_largest": float(found.largest[i]),
            **{name: float(column[i]) for name, column in components.items()},
        }


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
