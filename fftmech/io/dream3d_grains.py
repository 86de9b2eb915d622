"""What a DREAM.3D file says of its grains: orientations, phases and their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from fftmech.arrays.memory import check_bytes
from fftmech.errors import InputError
from fftmech.io import container
from fftmech.io.crystals import Convention, grains_from_voxels, orientations_from_bunge
from fftmech.tensors import quaternion_from_xyzw

ROTATION_GROUPS = {
    0: "D6", 1: "O", 2: "C6", 3: "T", 4: "C1", 5: "C2", 6: "D2", 7: "C4", 8: "D4",
    9: "C3", 10: "D3",
}  # fmt: skip
"""Rotations of each of DREAM.3D's crystal structures (Laue classes), Schoenflies."""

CELLS = ("Quats", "AvgQuats", "EulerAngles", "AvgEulerAngles", "Eulers")
FEATURES = ("AvgQuats", "Quats", "AvgEulerAngles", "EulerAngles")
"""Names of orientations of cells and of features; the first that exists is used."""

NAMES = ("MaterialName", "PhaseName")

ORIENTATION_BYTES = 310
"""Bytes a voxel taken while orientations are averaged, measured."""


@dataclass(frozen=True)
class Source:
    """Where grains are described: the file, the container, and its cell arrays.

    `alone` says whether the file has no other image geometry.
    """

    file: h5py.File
    container: h5py.Group
    cells: h5py.Group
    alone: bool


@dataclass(frozen=True)
class Found:
    """Tables by grain, see `fftmech.io.crystals.Grains`; names and groups by phase."""

    orientation: np.ndarray | None
    material: np.ndarray | None
    name: dict[int, str]
    group: dict[int, str]
    notes: list[str]


def grains(
    source: Source,
    ids: np.ndarray,
    number: np.ndarray,
    phase: np.ndarray | None,
    convention: Convention,
) -> Found:
    """Orientation and phase of each grain.

    `ids` is the grain of each cell, (n,), `number` what the file calls each grain (0:
    none, its cells are not indexed), `phase` the phase of each cell, (n,), or None.
    """
    name = source.file.filename
    features = _feature_group(source, int(number.max()) + 1)
    by_feature = _rows(features, "Phases", number)
    if phase is None and by_feature is not None:
        phase = by_feature[ids]
    group, names, notes = _ensemble(source)
    inside = number[ids] > 0
    voxels = np.where(inside, 1 if phase is None else phase, 0)
    if any(key in source.cells for key in CELLS):
        check_bytes(
            ORIENTATION_BYTES * len(ids),
            f"{name}: averaging the orientations of {len(ids)} voxels",
            "crop the image",
        )
    quaternion, said = _quaternions(source.cells, CELLS, len(ids))
    if quaternion is not None:
        quaternion = convention.ours(quaternion, voxels, group)
    known = group if phase is not None else {}
    found = grains_from_voxels(ids, quaternion, voxels, known, number)
    orientation = found.orientation
    if orientation is None and features is not None:
        count = _count(features)
        table, said = _quaternions(features, FEATURES, count)
        if table is not None:
            made_of = np.zeros(count, int)
            made_of[number] = found.material  # type: ignore[assignment]
            orientation = convention.ours(table, made_of, group)[number]
            orientation[number == 0] = np.nan
    used = set(np.unique(voxels)) - {0}
    return Found(
        orientation,
        None if phase is None else found.material,
        {p: text for p, text in names.items() if p in used},
        {p: text for p, text in group.items() if p in used},
        [*notes, *said, *found.notes],
    )


def whole_numbers(item: Any, count: int) -> np.ndarray | None:
    """The values of a dataset of this many whole numbers, flat; None of another."""
    fits = isinstance(item, h5py.Dataset) and item.size == count
    if not fits or item.dtype.kind not in "iu":
        return None
    return item[()].ravel().astype(np.int64)


def _quaternions(
    group: h5py.Group, names: Sequence[str], count: int
) -> tuple[np.ndarray | None, list[str]]:
    """Orientations (count, 4), NaN where none, from the first array that has them."""
    for name in names:
        item = group.get(name)
        parts = 4 if "Quats" in name else 3
        if not isinstance(item, h5py.Dataset) or item.size != parts * count:
            continue
        if item.dtype.kind != "f":
            raise InputError(f"{container.where(item)} has type {item.dtype}", "reals")
        values = item[()].reshape(-1, parts).astype(float)
        if parts == 3:
            return orientations_from_bunge(values, False, container.where(item))
        norm = np.linalg.norm(values, axis=1)
        # cells that were not indexed have a quaternion of zeros or NaN
        bad = ~(np.isfinite(norm) & (norm > 0.5))
        values[bad] = np.nan
        unit = values / np.where(bad, 1.0, norm)[:, None]
        return quaternion_from_xyzw(unit) * [1.0, -1.0, -1.0, -1.0], []
    return None, []


def _count(features: h5py.Group) -> int:
    """Number of features that a group of feature data describes."""
    lengths = [d.shape[0] for d in features.values() if _is_table(d)]
    return max(lengths, default=0)


def _is_table(item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and item.ndim in (1, 2)


def _feature_group(source: Source, rows: int) -> h5py.Group | None:
    """Feature data of the container: orientations or phases with a row a feature."""
    fitting: dict[str, h5py.Group] = {}
    for item in container.datasets(source.container):
        path, _, name = str(item.name).rpartition("/")
        if name in (*FEATURES, "Phases") and _is_table(item) and item.shape[0] >= rows:
            fitting[path] = container.group(source.file, path)
    exact = {path: g for path, g in fitting.items() if _count(g) == rows}
    chosen = exact or fitting
    if len(chosen) > 1 and not any(key in source.cells for key in CELLS):
        raise InputError(
            f"{source.file.filename}: several groups of feature data have orientations "
            f"({', '.join(chosen)}), and cells have none",
            mend="leave one, or copy its orientations to the cells",
        )
    return next(iter(chosen.values()), None)


def _rows(
    features: h5py.Group | None, name: str, number: np.ndarray
) -> np.ndarray | None:
    """Whole numbers of the features, by grain."""
    if features is None:
        return None
    table = whole_numbers(features.get(name), _count(features))
    return None if table is None else table[number]


def _ensemble(source: Source) -> tuple[dict[int, str], dict[int, str], list[str]]:
    """Rotation group and name of each phase, and notes."""
    tables = _crystal_structures(source.container)
    if not tables and source.alone:
        elsewhere = _crystal_structures(source.file)
        tables = elsewhere if len(elsewhere) == 1 else []
    if not tables:
        return {}, {}, []
    table = tables[0]
    notes = []
    if len(tables) > 1:
        listed = ", ".join(str(t.name) for t in tables)
        notes.append(f"{table.name} is used of several ({listed})")
    values = np.asarray(table[()]).ravel()
    parent = container.group(source.file, str(table.name).rpartition("/")[0])
    group = {
        p: ROTATION_GROUPS[int(value)]
        for p, value in enumerate(values)
        if p > 0 and int(value) in ROTATION_GROUPS
    }
    return group, _names(parent), notes


def _crystal_structures(group: h5py.Group) -> list[h5py.Dataset]:
    return [
        d
        for d in container.datasets(group)
        if str(d.name).endswith("/CrystalStructures") and d.dtype.kind in "iu"
    ]


def _names(group: h5py.Group) -> dict[int, str]:
    """Names of the phases that have one."""
    for key in NAMES:
        item = group.get(key)
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "OS":
            texts = [container.text(value).strip() for value in item[()].ravel()]
            if any(texts[1:]):
                return {p: text for p, text in enumerate(texts) if p > 0 and text}
    return {}
