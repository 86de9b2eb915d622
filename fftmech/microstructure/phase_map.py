"""Phase maps: the id of each voxel, in the smallest type that holds it.

Whatever is done to a whole map is done to some planes of it at a time, a slab, so that
nothing as large as a map of int64 or float64 is made on the way.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fftmech.errors import InputError

MOST_PHASES = 2**24
"""Largest phase id: tables have a row for every id up to it."""

SPARSE = 2**16
"""Ids above this are renumbered where most of those below are not in use."""

SLAB = 2**21
"""Voxels that are looked at together."""

SEGMENT = "segment a grey image first (fftmech convert --threshold T)"


def slabs(
    shape: Sequence[int], least: int = 1, voxels: int | None = None
) -> Iterator[slice]:
    """Slices of planes across the first axis, of about `voxels`, by default `SLAB`.

    Planes come in multiples of `least`, but for the last ones.
    """
    area = max(1, int(np.prod(shape[1:], dtype=object)))
    step = least * max(1, (voxels or SLAB) // (area * least))
    return (slice(a, min(a + step, shape[0])) for a in range(0, shape[0], step))


def smallest(most: int) -> np.dtype:
    """Type of ids up to `most`: uint8, uint16 or int32."""
    kinds = (kind for kind in (np.uint8, np.uint16) if most <= np.iinfo(kind).max)
    return np.dtype(next(kinds, np.int32))


def counts(phase: np.ndarray, phases: int = 0) -> np.ndarray:
    """Number of voxels of each phase id, of at least `phases` ids."""
    total = np.zeros(max(int(phase.max(initial=0)) + 1, phases), dtype=np.int64)
    for part in slabs(phase.shape):
        total += np.bincount(phase[part].ravel(), minlength=len(total))
    return total


def compact(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Renumber large ids that leave gaps from 0 upwards, as `phase_map` does.

    Returns
    -------
    tuple
        The ids, on any number of axes, and the old number of each new one, (P,), or
        None where they were kept.
    """
    if ids.size == 0:
        return ids, None
    numbers = _sparse(ids, list(slabs(ids.shape)), int(ids.min()), int(ids.max()))
    return (ids, None) if numbers is None else (np.searchsorted(numbers, ids), numbers)


def check_phase(phase: np.ndarray) -> np.ndarray:
    """Return a phase map, whole numbers >= 0 on three axes, in the smallest type."""
    if np.ma.is_masked(phase):
        raise InputError(
            "phase map with masked voxels", "a phase in each", "fill them with one"
        )
    phase = np.asarray(phase)
    if phase.ndim != 3:
        raise InputError(
            f"phase map with {phase.ndim} axes (shape {phase.shape})",
            "three",
            "2-D is one voxel in z: give it an axis of length 1",
        )
    return phase_map(phase)[0]


def phase_map(
    values: Any, zyx: bool = False, renumber: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
    """Make a phase map of whole numbers that may be in a file.

    Parameters
    ----------
    values
        On three axes: an array, or what gives some planes of one when it is indexed
        with a slice; `chunk` says how many of them are read together.
    zyx
        Whether its indices are z, y, x.
    renumber
        Whether large ids that leave gaps are numbered from 0 upwards.

    Returns
    -------
    tuple
        The map, phase[x, y, z], which may be the array itself, and the old number of
        each new id, (P,), or None where ids were kept.
    """
    if 0 in values.shape:
        raise InputError(f"phase map of shape {values.shape}: an axis has no voxels")
    if values.dtype.kind not in "biuf":
        raise InputError(f"phase ids of type {values.dtype}", "integers")
    parts = list(slabs(values.shape, getattr(values, "chunk", 1)))
    low, high = _extremes(values, parts)
    numbers = _sparse(values, parts, low, high) if renumber else None
    if low < 0:
        raise InputError(
            f"phase id {low} is negative", "ids from 0 upwards", mend=SEGMENT
        )
    most = high if numbers is None else len(numbers) - 1
    if most > MOST_PHASES:
        raise InputError(
            f"phase id {most} is too large (at most {MOST_PHASES})",
            mend="renumber the ids",
        )
    kind = smallest(most)
    # a Boolean is one byte, 0 or 1
    same = values.dtype in (kind, np.dtype(bool)) and numbers is None
    if same and not zyx and isinstance(values, np.ndarray):
        whole = np.ascontiguousarray(values)
        return whole if whole.dtype == kind else whole.view(kind), None
    shape = values.shape[::-1] if zyx else values.shape
    phase = np.empty(shape, kind)
    for part in parts:
        ids = values[part]
        ids = ids if numbers is None else np.searchsorted(numbers, ids)
        if zyx:
            phase[..., part] = ids.T
        else:
            phase[part] = ids
    return phase, numbers


def _extremes(values: Any, parts: list[slice]) -> tuple[int, int]:
    """Least and largest of numbers that are whole."""
    ends = []
    for part in parts:
        ids = values[part]
        if ids.dtype.kind == "f" and not (
            np.isfinite(ids).all() and (ids == np.round(ids)).all()
        ):
            raise InputError("phase ids are not whole numbers", mend=SEGMENT)
        ends.append((int(ids.min()), int(ids.max())))
    return min(low for low, _ in ends), max(high for _, high in ends)


def _sparse(values: Any, parts: list[slice], low: int, high: int) -> np.ndarray | None:
    """Sorted numbers that occur, where some are large and most do not occur."""
    if low < 0 or high < SPARSE or values.dtype.kind == "f":
        return None
    numbers = np.array([], dtype=values.dtype)
    for part in parts:
        numbers = np.union1d(numbers, values[part])
    return None if 2 * len(numbers) > numbers[-1] else numbers
