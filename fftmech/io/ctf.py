"""EBSD scans of Oxford Instruments (Channel Text File, `.ctf`): orientations a pixel.

The head's lines are key and value with a tab between; "Phases" is followed by a line a
phase (lattice; angles; name; Laue group 1 to 11; ...), then come the names of the
columns, and a line a pixel. Angles are Bunge's in degrees, steps in micrometres, phase
0 was not indexed. Hexagonal crystals have x along a*, y along b.

The format is that of HKL Channel 5's manual, which AZtec exports; Laue groups and
crystal axes as in the specification of .h5oina (github.com/oinanoanalysis/h5oina).
"""

from os import PathLike, fspath
from pathlib import Path

import numpy as np

from fftmech.errors import InputError
from fftmech.io import ebsd
from fftmech.io.crystals import LAUE
from fftmech.microstructure.base import Microstructure

COLUMNS = ("Phase", "X", "Y", "Euler1", "Euler2", "Euler3")

OPTIONS = ebsd.OPTIONS

USED = (
    "XCells, YCells, XStep, YStep of the head",
    "names and Laue groups of the phases",
    "Phase (0: not indexed), X, Y, Euler1, Euler2, Euler3",
)

IGNORED = (
    "Bands, Error, MAD, BC, BS and further columns",
    "acquisition angles AcqE1, AcqE2, AcqE3 (with a note where they are not 0)",
    "lattice constants, space groups, microscope settings",
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
    if not lines or "channel text file" not in lines[0].lower():
        raise InputError(f"{name}: its first line is no 'Channel Text File'")
    start = next(
        (i for i, line in enumerate(lines) if line.startswith("Phase\t")), None
    )
    if start is None:
        raise InputError(f"{name}: no line 'Phase X Y ...' with the names of columns")
    head = [line.rstrip("\r").split("\t") for line in lines[:start]]
    values = {words[0].strip(): words[1:] for words in head}
    columns = [word.strip() for word in lines[start].split("\t")]
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise InputError(f"{name}: no column {', '.join(missing)}")
    # in some countries numbers are exported with a decimal comma
    rows = [line.replace(",", ".") for line in lines[start + 1 :] if line.strip()]
    places = [columns.index(column) for column in COLUMNS]
    table = ebsd.numbers(name, rows, places)
    shape, spacing = _grid(name, values)
    ebsd.check_pixels(name, shape, spacing, len(table))
    table = table[ebsd.by_position(name, shape, spacing, table[:, 1:3])]
    names, group = _phases(name, head)
    scan = ebsd.Scan(
        where=name,
        shape=shape,
        spacing=spacing,
        euler=np.where(table[:, :1] > 0, table[:, 3:], np.nan),
        phase=ebsd.phases(name, table[:, 0]),
        name=names,
        group=group,
        degrees=True,
        hexagonal="y=b",
        notes=_turned(values),
    )
    return ebsd.body_from_scan(scan, misorientation, frame, hexagonal)


def _number(name: str, values: dict[str, list[str]], key: str) -> float:
    try:
        return float(values[key][0].replace(",", "."))
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(
            f"{name}: head without {key}, or no number",
            mend="export a map (JobMode Grid): single points are none",
        ) from error


def _grid(
    name: str, values: dict[str, list[str]]
) -> tuple[tuple[int, int], tuple[float, float]]:
    cells = [_number(name, values, key) for key in ("XCells", "YCells")]
    if not all(0 <= n < 2**31 and n == int(n) for n in cells):
        raise InputError(f"{name}: XCells, YCells = {cells}", "whole numbers")
    xstep, ystep = (_number(name, values, key) for key in ("XStep", "YStep"))
    return (int(cells[0]), int(cells[1])), (xstep, ystep)


def _phases(name: str, head: list[list[str]]) -> tuple[dict[int, str], dict[int, str]]:
    """Names and rotation groups of the phases, from 1."""
    start = next((i for i, words in enumerate(head) if words[0] == "Phases"), None)
    if start is None:
        raise InputError(f"{name}: head without Phases", mend="export it again")
    said = "".join(head[start][1:2]).strip()
    listed = [words for words in head[start + 1 :] if any(words)]
    if not said.isdigit() or int(said) > len(listed):
        raise InputError(
            f"{name}: Phases {said!r}, and {len(listed)} lines of phases",
            mend="export it again",
        )
    names, group = {}, {}
    for number, words in enumerate(listed[: int(said)], start=1):
        if len(words) < 4 or not words[3].strip().isdigit():
            raise InputError(
                f"{name}: phase {number} is {' '.join(words)!r}",
                "lattice, angles, name and Laue group, with tabs between",
            )
        names[number] = words[2].strip()
        if int(words[3]) in LAUE:
            group[number] = LAUE[int(words[3])]
    return names, group


def _turned(values: dict[str, list[str]]) -> list[str]:
    angles = [values.get(f"AcqE{i}", ["0"])[:1] for i in (1, 2, 3)]
    texts = [text[0].strip() if text else "0" for text in angles]
    if all(text.strip("0.,-") == "" for text in texts):
        return []
    return [f"acquisition angles AcqE1, AcqE2, AcqE3 = {', '.join(texts)} are not used"]
