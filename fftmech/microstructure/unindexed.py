"""Voxels that a measurement could not index: what they are is said by whoever knows."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from fftmech.errors import InputError
from fftmech.materials.elastic import PORE
from fftmech.microstructure.base import Microstructure


def fill_unindexed(body: Microstructure, what: str | int) -> Microstructure:
    """Say what the voxels are that a measurement did not index.

    Parameters
    ----------
    body
        With `unindexed`, or without such voxels: it is then returned as it is.
    what
        "pore": empty; "nearest": each such voxel becomes a part of the grain that is
        nearest to it (not across the faces of the box); otherwise the number or the
        name of one of the body's materials, without an orientation.

    Raises
    ------
    InputError
        A material that the body does not have, or no grain at all.
    """
    hole = body.unindexed
    if hole is None or not body.counts[hole]:
        return body.with_changes(unindexed=None)
    count = int(body.counts[hole])
    lines = f"{count} of {body.phase.size} voxels are not indexed: {what}"
    body = body.with_changes(unindexed=None).noted(lines)
    if what == "nearest":
        unknown = body.phase == hole
        if unknown.all():
            raise InputError("no voxel is indexed", mend="--unindexed MATERIAL")
        nearest = distance_transform_edt(
            unknown, body.grid.h, return_distances=False, return_indices=True
        )
        return body.with_changes(phase=body.phase[tuple(np.asarray(nearest))])
    rows = max(len(body.counts), hole + 1)
    if what == "pore":
        stiffness = _rows(body.stiffness, rows, np.full((6, 6), np.nan))
        stiffness[hole] = PORE
        return body.with_changes(stiffness=stiffness)
    numbers = {**{str(m): m for m in body.materials}, **_by_name(body)}
    if str(what) not in numbers:
        listed = ", ".join(numbers) or "none in this file"
        raise InputError(f"unindexed {what!r}", f"pore, nearest, or one of {listed}")
    material = _rows(body.material, rows, np.array(-1))
    material[hole] = numbers[str(what)]
    return body.with_changes(material=material)


def _by_name(body: Microstructure) -> dict[str, int]:
    return {name: number for number, name in body.material_name.items()}


def _rows(table: np.ndarray | None, count: int, empty: np.ndarray) -> np.ndarray:
    """A copy of a table with at least `count` rows."""
    kept = [] if table is None else list(table)
    return np.stack([*kept, *[empty] * (count - len(kept))])
