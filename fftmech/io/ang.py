"""EBSD scans of EDAX (`.ang`, of OIM, APEX and DREAM.3D): orientations a pixel.

Lines with # are the head; each other line is a pixel: phi1, Phi, phi2 (Bunge, radians),
x, y (micrometres), image quality, confidence index, phase, ... Phases are numbered from
1 in files that have several; in files of one phase it may be called 0. A pixel was not
indexed where its confidence index is negative, its angles are 4 pi, its phase is
negative, or 0 among several. Hexagonal crystals have x along a (OIM).

The columns and the numbers of phases are those that recent files explain in their own
"NOTES"; how pixels that were not indexed are written is in the documentation of orix
(`orix.io.plugins.ang`). TSL's numbers of crystal symmetries are its Laue groups.
"""

import re
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from fftmech.errors import InputError
from fftmech.io import ebsd
from fftmech.microstructure.base import Microstructure

SYMMETRY = {
    "1": "C1", "20": "C2", "22": "D2", "4": "C4", "42": "D4", "3": "C3", "32": "D3",
    "6": "C6", "62": "D6", "23": "T", "43": "O", "m3m": "O", "m-3m": "O",
    "6/mmm": "D6", "-3m": "D3", "4/mmm": "D4", "mmm": "D2",
}  # fmt: skip
"""Rotation group of each of the crystal symmetries that files name."""

SIZES = ("XSTEP", "YSTEP", "NCOLS_ODD", "NCOLS_EVEN", "NROWS")

COLUMNS = ("phi1", "Phi", "phi2", "x", "y", "image quality", "confidence", "phase")

UNINDEXED = 4 * np.pi

OPTIONS = ebsd.OPTIONS

USED = (
    "GRID, XSTEP, YSTEP, NCOLS_ODD, NCOLS_EVEN, NROWS of the head, else x and y",
    "Phase, MaterialName, Symmetry of the head",
    "Euler angles, x, y, confidence index (negative: not indexed), phase",
)

IGNORED = (
    "image quality, fit, detector signals and further columns",
    "lattice constants, reflections, calibration, working distance",
)


def read(
    path: str | PathLike,
    misorientation: float | None = None,
    frame: str | None = None,
    hexagonal: str | None = None,
) -> Microstructure:
    """Read a scan and make grains of it; see `fftmech.io.ebsd`."""
    name = fspath(path)
    lines = Path(path).read_text(encoding="latin-1").split("\n")
    head = [line[1:].strip() for line in lines if line.startswith("#")]
    rows = [line for line in lines if line.strip() and not line.startswith("#")]
    table = ebsd.numbers(name, rows, range(len(COLUMNS)))
    values = _values(head)
    shape, spacing, table, notes = _grid(name, values, table)
    phase, names, group = _phases(name, head, table[:, 7])
    missed = (table[:, 6] < 0) | (table[:, :3] > UNINDEXED - 1e-3).all(axis=1)
    missed |= ~np.isfinite(table[:, :3]).all(axis=1)
    phase = np.where(missed, 0, phase)
    euler = np.where(missed[:, None], np.nan, table[:, :3])
    astar = any("ACOM" in line for line in head)
    scan = ebsd.Scan(
        where=name,
        shape=shape,
        spacing=spacing,
        euler=euler,
        phase=phase,
        name=names,
        group=group,
        degrees=False,
        hexagonal="x=a",
        length="nm" if astar else "um",
        notes=notes,
    )
    return ebsd.body_from_scan(scan, misorientation, frame, hexagonal)


def _values(head: list[str]) -> dict[str, str]:
    """Words of the head's lines "KEY: value"."""
    pairs = (line.partition(":") for line in head if ":" in line)
    return {key.strip().upper(): value.strip() for key, _, value in pairs}


def _grid(
    name: str, head: dict[str, str], table: np.ndarray
) -> tuple[tuple[int, int], tuple[float, float], np.ndarray, list[str]]:
    """Pixels and steps along x and y, the pixels, and notes."""
    notes = []
    if any(key in head for key in SIZES):
        try:
            spacing = float(head["XSTEP"]), float(head["YSTEP"])
            odd, even, rows = (int(head[key]) for key in SIZES[2:])
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{name}: head without {', '.join(SIZES)} as numbers ({error})",
                mend="export it again as .ang",
            ) from error
    else:
        spacing, odd, even, rows = _rows(table[:, 3], table[:, 4])
        notes.append("steps and pixels are not in the head: those of x and y are taken")
    if not head.get("GRID", "SqrGrid").lower().startswith("hex"):
        ebsd.check_pixels(name, (odd, rows), spacing, len(table))
        order = ebsd.by_position(name, (odd, rows), spacing, table[:, 3:5])
        return (odd, rows), spacing, table[order], notes
    if min(odd, even, rows) < 1 or abs(odd - even) > 1:
        raise InputError(
            f"{name}: rows of {odd} and {even} pixels", "equal, or one less"
        )
    if len(table) != (rows + 1) // 2 * odd + rows // 2 * even:
        raise InputError(
            f"{name}: {len(table)} pixels where its head says {rows} rows of {odd} and "
            f"{even}",
            mend="export it again",
        )
    columns = min(odd, even)
    row, place = np.divmod(np.arange(len(table)), odd + even)
    inside = np.where(place < odd, place, place - odd) < columns
    kept = table[inside]
    every = np.arange(len(kept)) // columns
    straight = kept[:, 3:5] - np.outer(every % 2, [spacing[0] / 2, 0.0])
    ebsd.check_pixels(name, (columns, rows), spacing, len(kept))
    order = ebsd.by_position(name, (columns, rows), spacing, straight)
    notes.append(
        "hexagonal grid: every second row is moved by half a step, onto a rectangular "
        f"grid of {columns} x {rows} pixels"
    )
    return (columns, rows), spacing, kept[order], notes


def _rows(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, float], int, int, int]:
    """Steps, pixels of odd and of even rows, and rows, of pixels row after row."""
    with np.errstate(invalid="ignore"):
        starts = np.append(0, np.flatnonzero(np.diff(x) < 0) + 1)
        count = np.diff(starts, append=len(x))
        odd, rows = int(count[0]), len(count)
        width, height = x[odd - 1] - x[0], y[-1] - y[0]
    xstep = float(width / (odd - 1)) if odd > 1 else 1.0
    ystep = float(height / (rows - 1)) if rows > 1 else xstep
    return (xstep, ystep), odd, int(count[1]) if rows > 1 else odd, rows


def _phases(
    name: str, head: list[str], column: np.ndarray
) -> tuple[np.ndarray, dict[int, str], dict[int, str]]:
    """Phase of each pixel, 0 where not indexed, names and rotation groups."""
    names: dict[int, str] = {}
    symmetry: dict[int, str] = {}
    number = 0
    for line in head:
        if match := re.fullmatch(r"Phase\s*:?\s*(\d{1,6})", line):
            number = int(match[1])
        elif match := re.fullmatch(r"MaterialName\s*:?\s*(.*)", line):
            number = number if number not in names else max(names) + 1
            number = max(number, 1)
            names[number] = match[1].strip()
        elif match := re.fullmatch(r"Symmetry\s*:?\s*(\S+)", line):
            symmetry[number] = match[1]
    group = {p: SYMMETRY[s] for p, s in symmetry.items() if s in SYMMETRY}
    phase = ebsd.phases(name, column)
    if len(names) <= 1 and not phase.any():
        phase = np.where(column == 0, next(iter(names), 1), 0)
    return phase, names, group
