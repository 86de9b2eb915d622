"""EBSD scans: an orientation a pixel, of which grains are made.

A grain is a set of pixels that are connected by their edges, with neighbours of one
phase and at most `misorientation` degrees apart (the crystal's symmetry considered);
its orientation is the mean of its pixels. Grains are numbered from 1 in the order of
their first pixels; pixels that were not indexed are phase 0. The map lies in x and y,
x along its rows, and is one voxel thick: grains go on along z.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, prod

import numpy as np

from fftmech.arrays.memory import check_bytes
from fftmech.errors import InputError
from fftmech.io import crystals
from fftmech.io.crystals import Convention, grains_from_voxels, orientations_from_bunge
from fftmech.io.image import microstructure_from_image
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.grains import segment
from fftmech.microstructure.phase_map import MOST_PHASES

OPTIONS = ("misorientation", *crystals.OPTIONS)

MISORIENTATION = 5.0
"""Degrees between neighbouring pixels of one grain, unless another is given."""

PIXEL_BYTES = 350
"""Bytes a pixel taken while grains are made, measured."""


@dataclass(frozen=True)
class Scan:
    """What a file of a scan says.

    Parameters
    ----------
    where
        The file, for messages.
    shape, spacing
        Pixels along x and y, and the edges of one.
    euler
        Bunge angles, (pixels, 3), x fastest.
    phase
        Crystal phase of each pixel, (pixels,); 0 is not indexed.
    name, group
        Name and rotation group (Schoenflies) of crystal phases.
    degrees, hexagonal
        Unit of the angles and axes of hexagonal crystals, of this kind of file.
    length
        Unit of the spacing.
    """

    where: str
    shape: tuple[int, int]
    spacing: tuple[float, float]
    euler: np.ndarray
    phase: np.ndarray
    name: Mapping[int, str]
    group: Mapping[int, str]
    degrees: bool
    hexagonal: str
    length: str = "um"
    notes: list[str] = field(default_factory=list)


def check_pixels(
    where: str, shape: tuple[int, int], spacing: tuple[float, float], count: int
) -> None:
    """Refuse a head that does not fit the pixels that follow it."""
    if min(shape) < 1 or prod(shape) != count:
        raise InputError(
            f"{where}: {count} pixels where its head says {shape[0]} x {shape[1]}",
            mend="export it again",
        )
    if not all(isfinite(h) and h > 0 for h in spacing):
        raise InputError(f"{where}: steps {spacing[0]:g}, {spacing[1]:g}", "positive")


def phases(where: str, values: np.ndarray) -> np.ndarray:
    """Phase numbers of pixels, (n,), checked; those without one are 0."""
    values = np.nan_to_num(np.asarray(values, dtype=float).ravel(), nan=0.0)
    bad = (values % 1 != 0) | (np.abs(values) >= 2**31)
    if bad.any():
        at = int(np.argmax(bad))
        raise InputError(
            f"{where}: pixel {at + 1} has phase {values[at]:g}", "a whole number"
        )
    return np.maximum(values, 0).astype(np.int64)


def by_position(
    where: str, shape: tuple[int, int], spacing: tuple[float, float], at: np.ndarray
) -> np.ndarray:
    """Order that puts pixels at positions (n, 2) one after another along x, then y.

    Most files have them so; some programs write column by column.
    """
    start = np.fmin.reduce(at)
    with np.errstate(invalid="ignore"):
        place = (at - start) / spacing
        whole = np.round(place)
        on = np.abs(place - whole) <= 0.25
        on &= (whole >= 0) & (whole < shape)
    if not on.all():
        pixel, axis = np.argwhere(~on)[0]
        raise InputError(
            f"{where}: pixel {pixel + 1} is at {'xy'[axis]} = {at[pixel, axis]:g}",
            f"one of {shape[axis]} places {spacing[axis]:g} apart from {start[axis]:g}",
            "export the whole rectangle",
        )
    index = (whole @ [1, shape[0]]).astype(np.int64)
    order = np.argsort(index, kind="stable")
    if (index[order] != np.arange(len(at))).any():
        twice = int(np.argmax(index[order] != np.arange(len(at))))
        x, y = at[order[twice]]
        raise InputError(
            f"{where}: several pixels at x = {x:g}, y = {y:g}",
            "one at each place",
            "export the whole rectangle",
        )
    return order


def body_from_scan(
    scan: Scan,
    misorientation: float | None = None,
    frame: str | None = None,
    hexagonal: str | None = None,
) -> Microstructure:
    """Make grains of the pixels of a scan; notes say what its file does not.

    `misorientation` is in degrees, 0 takes each pixel as it is; `frame` and
    `hexagonal` are those of `fftmech.io.crystals`.
    """
    limit = MISORIENTATION if misorientation is None else misorientation
    if not 0 <= limit <= 180:
        raise InputError(f"misorientation {limit:g}", "degrees, 0 to 180")
    check_bytes(
        PIXEL_BYTES * len(scan.phase),
        f"{scan.where}: making grains of {len(scan.phase)} pixels",
        "crop the map",
    )
    quaternion, notes = orientations_from_bunge(scan.euler, scan.degrees, scan.where)
    phase = np.where(np.isfinite(quaternion).all(axis=1), scan.phase, 0)
    used = [int(p) for p in np.unique(phase[phase > 0])]
    group = {p: scan.group.get(p, "C1") for p in used}
    unknown = [str(p) for p in used if p not in scan.group]
    if unknown:
        notes.append(
            f"{scan.where}: crystal symmetry of phase {', '.join(unknown)} is not "
            "known: orientations are compared as they are written"
        )
    convention = Convention(frame or "map", hexagonal or scan.hexagonal)
    quaternion = convention.ours(quaternion, phase, group)
    image = (*scan.shape[::-1], 1)
    ids = segment(
        quaternion.reshape(*image, 4), phase.reshape(image), group, np.deg2rad(limit)
    )
    count = int(ids.max())
    if count > MOST_PHASES:
        raise InputError(f"{scan.where}: {count} grains", f"at most {MOST_PHASES}")
    if misorientation is None and used:
        notes.append(
            f"{count} grain(s) of {np.count_nonzero(phase)} pixels: neighbours up to "
            f"{limit:g} degrees apart are one grain (--misorientation)"
        )
    if frame is None and used:
        notes.append(
            "the frame of the Euler angles is taken to be that of the map, x along its "
            "rows and y down its columns (--frame)"
        )
    found = grains_from_voxels(ids.ravel(), quaternion, phase, group)
    body = microstructure_from_image(
        ids[..., 0].T[..., None],
        scan.where,
        axes="xyz",
        spacing=(*scan.spacing, min(scan.spacing)),
        units={"length": scan.length},
    )
    return body.with_changes(
        orientation=found.orientation,
        material=found.material,
        material_name={p: scan.name[p] for p in used if scan.name.get(p)},
        unindexed=None if (phase > 0).all() else 0,
    ).noted(*scan.notes, *notes, *found.notes)


def numbers(
    where: str, rows: list[str], columns: Sequence[int] | None = None
) -> np.ndarray:
    """Numbers of lines of text, (lines, columns); of the columns named, if any are."""
    if not rows:
        raise InputError(f"{where}: no pixels under its head", mend="export it again")
    try:
        return np.loadtxt(rows, comments=None, usecols=columns, ndmin=2)
    except (ValueError, IndexError, OverflowError) as error:
        raise InputError(
            f"{where}: not a table of numbers ({str(error).splitlines()[0]})",
            mend="copy or export it again",
        ) from error
