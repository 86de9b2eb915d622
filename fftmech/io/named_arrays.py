"""Arrays by name on the cells or the points of an image, as VTK's files have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fftmech.errors import InputError

EVEN = 1e-2
"""Part of a voxel by which planes may be off their even places."""

PLACES = ("CellData", "PointData")


@dataclass(frozen=True)
class Choice:
    """An array that holds the phase ids: its place, its name, and notes on it."""

    place: str
    name: str
    notes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """How messages call it."""
        kind = "cell" if self.place == "CellData" else "point"
        return f"{kind} data {self.name}"

    def box(
        self, cells: Sequence[int], h: Sequence[float], corner: Sequence[float]
    ) -> tuple[tuple[int, ...], list[float]]:
        """Shape of the array, and the corner of its box, of an image of `cells`."""
        if self.place == "CellData":
            return tuple(cells), list(corner)
        half = np.array(corner, dtype=float) - np.array(h, dtype=float) / 2
        return tuple(int(n) + 1 for n in cells), half.tolist()


def even(name: str, planes: Sequence[np.ndarray]) -> tuple[list[float], list[float]]:
    """Edges of a voxel and corner of the box of a grid of planes across x, y and z."""
    spacing, corner = [], []
    for axis, at in zip("xyz", planes, strict=True):
        n = len(at) - 1
        if n < 1:
            raise InputError(f"{name}: {len(at)} plane(s) along {axis}", "two or more")
        with np.errstate(all="ignore"):
            h = (at[-1] - at[0]) / n
            off = np.abs(at - (at[0] + h * np.arange(n + 1)))
        if not (np.isfinite(h) and off.max() <= EVEN * h):
            raise InputError(
                f"{name}: planes along {axis} are not evenly spaced",
                mend="resample it to an image",
            )
        spacing.append(float(h))
        corner.append(float(at[0]))
    return spacing, corner


def choose(
    name: str,
    arrays: Mapping[str, Mapping[str, bool]],
    dataset: str | None,
    usual: str,
) -> Choice:
    """Return the array that is asked for, the usual one, or the only one.

    `arrays` has, by place, the names of arrays and whether each is one number a voxel.
    `dataset` is a name, with or without the place before it ("CellData/material").
    Of point data a voxel is made about each point, with a note.
    """
    places = PLACES
    wanted = dataset or usual
    if dataset is not None:
        *before, last = [part for part in dataset.split("/") if part] or [dataset]
        if before and before[-1] in PLACES:
            places, wanted = (before[-1],), last
    found = [place for place in places if wanted in arrays[place]]
    if not found and dataset is None:
        scalars = [(p, n) for p in PLACES for n, one in arrays[p].items() if one]
        cells = [item for item in scalars if item[0] == "CellData"]
        # cell data decide, where there are any
        if len(only := cells or scalars) == 1:
            found, wanted = [only[0][0]], only[0][1]
    if not found:
        listed = [*arrays["CellData"], *(f"PointData/{n}" for n in arrays["PointData"])]
        has = ", ".join(listed) or "no arrays"
        raise InputError(
            f"{name}: no cell data {wanted!r}; it has {has}",
            mend="name one with --dataset" if listed else "write the phase ids too",
        )
    place = found[0]
    notes = []
    if place == "PointData":
        notes.append(f"{wanted} is point data: a voxel is made about each point")
    others = [n for p in PLACES for n in arrays[p] if (p, n) != (place, wanted)]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        notes.append(f"other arrays are not used: {', '.join(others[:3])}{more}")
    return Choice(place, wanted, notes)
