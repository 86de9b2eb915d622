"""Voxels that a measurement could not index: what they are is said by whoever knows."""

import numpy as np

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
        name of one of the body's materials, whose axes there are along the box.

    Raises
    ------
    InputError
        A material that the body does not have, or no grain at all.
    """
    hole, count = body.unindexed, body.unindexed_voxels
    if hole is None or not count:
        return body.with_changes(unindexed=None)
    kind = f"material {what}" if str(what).isdigit() else what
    body = body.noted(f"{count} of {body.phase.size} voxels are not indexed: {kind}")
    if what == "nearest":
        # here, because SciPy takes longer to import than a small solve
        from scipy.ndimage import distance_transform_edt

        unknown = body.phase == hole
        if unknown.all():
            raise InputError("no voxel is indexed", mend="--unindexed MATERIAL")
        nearest = distance_transform_edt(
            unknown, body.grid.h, return_distances=False, return_indices=True
        )
        filled = body.phase[tuple(np.asarray(nearest))]
        return body.with_changes(phase=filled, unindexed=None)
    tables = (body.stiffness, body.material)
    rows = max([len(body.counts), *(len(t) for t in tables if t is not None)])
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
    """A copy of a table with `count` rows, those that it lacks empty."""
    rows = np.broadcast_to(empty, (count, *empty.shape)).copy()
    if table is not None:
        rows[: len(table)] = table
    return rows
