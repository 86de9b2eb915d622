"""EBSD scans of Oxford Instruments in HDF5 (`.h5oina`): orientations a pixel.

/1/EBSD/Header has X Cells, Y Cells, X Step, Y Step (micrometres) and Phases/N with
Phase Name and Laue Group; /1/EBSD/Data has Phase (0: not indexed) and Euler (Bunge,
radians, from the crystal's to the surface's axes), a row a pixel, x fastest. Crystals
have z along c and x normal to b and c. Pixels outside the scan are NaN.

Specification: github.com/oinanoanalysis/h5oina, versions 1 to 8.
"""

from os import PathLike, fspath
from typing import Any

import h5py
import numpy as np

from fftmech.errors import InputError
from fftmech.io import container, ebsd
from fftmech.io.crystals import LAUE
from fftmech.microstructure.base import Microstructure

OPTIONS = ebsd.OPTIONS

TURNS = ("Specimen Orientation Euler", "Scanning Rotation Angle")

USED = (
    "X Cells, Y Cells, X Step, Y Step of EBSD/Header",
    "Phase Name and Laue Group of each phase",
    "Phase (0: not indexed) and Euler of EBSD/Data",
)

IGNORED = (
    "Specimen Orientation Euler, Scanning Rotation Angle (a note if they are not 0)",
    "band contrast, patterns and further data; EDS, images, Data Processing",
    "slices after the first",
)


def recognises(file: h5py.File, dataset: str | None) -> bool:
    """Whether the file has a slice with EBSD data."""
    return bool(_slices(file))


def read(
    path: str | PathLike,
    misorientation: float | None = None,
    frame: str | None = None,
    hexagonal: str | None = None,
) -> Microstructure:
    """Read the first scan and make grains of it; see `fftmech.io.ebsd`."""
    name = fspath(path)
    with container.opened(path) as file:
        first = _slices(file)[0]
        root = container.group(file, f"{first}/EBSD")
        header, data = container.group(root, "Header"), container.group(root, "Data")
        cells = [_scalar(header, key) for key in ("X Cells", "Y Cells")]
        if not all(0 < n < 2**31 and n == int(n) for n in cells):
            raise InputError(f"{name}: X Cells, Y Cells = {cells}", "whole numbers")
        shape = int(cells[0]), int(cells[1])
        spacing = _scalar(header, "X Step"), _scalar(header, "Y Step")
        if shape[1] == 1 and spacing[1] == 0:  # a line
            spacing = spacing[0], spacing[0]
        phases = container.dataset(data, "Phase")
        angles = container.dataset(data, "Euler")
        count = int(phases.size or 0)
        ebsd.check_pixels(name, shape, spacing, count)
        if angles.size != 3 * count or angles.dtype.kind != "f":
            raise InputError(
                f"{container.where(angles)} has shape {angles.shape} {angles.dtype}",
                f"({count}, 3) reals",
            )
        if phases.dtype.kind not in "iuf":
            raise InputError(f"{container.where(phases)} has type {phases.dtype}")
        phase = ebsd.phases(name, phases[()])
        euler = angles[()].reshape(-1, 3).astype(float)
        names, group = _phases(header)
        notes = _turned(header)
        others = [key for key in _slices(file) if key != first]
        if others:
            notes.append(f"slice {first} is read, not {', '.join(others[:8])}")
    scan = ebsd.Scan(
        where=name,
        shape=shape,
        spacing=spacing,
        euler=np.where(phase[:, None] > 0, euler, np.nan),
        phase=phase,
        name=names,
        group=group,
        degrees=False,
        hexagonal="y=b",
        notes=notes,
    )
    return ebsd.body_from_scan(scan, misorientation, frame, hexagonal)


def _slices(file: h5py.File) -> list[str]:
    """Names of the slices that have EBSD data: 1, 2, ..."""
    names = [key for key in map(str, file) if key.isdigit()]
    groups = {key: file.get(key) for key in sorted(names, key=int)}
    return [
        key
        for key, group in groups.items()
        if isinstance(group, h5py.Group)
        and isinstance(group.get("EBSD/Data"), h5py.Group)
    ]


def _scalar(group: h5py.Group, name: str) -> float:
    item = container.dataset(group, name)
    if item.size != 1 or item.dtype.kind not in "iuf":
        raise InputError(f"{container.where(item)} has shape {item.shape}", "a number")
    return float(np.asarray(item[()]).ravel()[0])


def _phases(header: h5py.Group) -> tuple[dict[int, str], dict[int, str]]:
    """Names and rotation groups of the phases."""
    names: dict[int, str] = {}
    group: dict[int, str] = {}
    listed: Any = header.get("Phases", {})
    for key, entry in listed.items():
        if not key.isdigit() or not isinstance(entry, h5py.Group):
            continue
        if "Phase Name" in entry:
            names[int(key)] = container.text(container.dataset(entry, "Phase Name")[()])
        if "Laue Group" in entry:
            laue = int(_scalar(entry, "Laue Group"))
            if laue in LAUE:
                group[int(key)] = LAUE[laue]
    return names, group


def _turned(header: h5py.Group) -> list[str]:
    notes = []
    for name in TURNS:
        item = header.get(name)
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            values = np.nan_to_num(np.asarray(item[()], dtype=float)).ravel()
            if (np.abs(values) > 1e-6).any():
                listed = ", ".join(f"{v:.4g}" for v in values)
                notes.append(f"{name} = {listed} (radians) is not used")
    return notes
