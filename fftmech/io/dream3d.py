"""DREAM.3D files, version 7 (SIMPL) and 8 (simplnx): grain ids and orientations.

Groups are named as their author liked, so the image geometry is looked for, then the
cell arrays whose dimensions are those of the geometry. Grain ids are `FeatureIds`,
kept as they are. A grain's orientation is the mean over its voxels of `Quats` (x y z w)
or else `EulerAngles` (Bunge, radians). DREAM.3D's rotations are passive, from the
sample to the crystal; ours, v_sample = R v_crystal, are their conjugates.

Symmetry comes from the ensemble's `CrystalStructures`; a file without it is taken to be
cubic.
"""

from dataclasses import dataclass
from os import PathLike, fspath

import h5py
import numpy as np

from fftmech.arrays.memory import check_bytes
from fftmech.errors import InputError
from fftmech.io import container, image
from fftmech.microstructure.base import Microstructure, compact
from fftmech.tensors import quaternion_from_bunge, quaternion_from_xyzw

ROTATION_GROUPS = {
    0: "D6", 1: "O", 2: "C6", 3: "T", 4: "C1", 5: "C2", 6: "D2", 7: "C4", 8: "D4",
    9: "C3", 10: "D3",
}  # fmt: skip
"""Rotations of each of DREAM.3D's crystal structures (Laue classes), Schoenflies."""

CUBIC = 1

ORIENTATION_BYTES = 310
"""Bytes a voxel taken while orientations are averaged, measured."""

OPTIONS = ("dataset",)


@dataclass(frozen=True)
class _Geometry:
    """An image geometry: the group that holds its cell arrays, and its box."""

    group: h5py.Group
    shape: tuple[int, ...]
    spacing: list[float]
    origin: list[float]

    def holds(self, item: h5py.Dataset) -> bool:
        """Whether a dataset has one entry a cell: (z, y, x, components)."""
        return item.shape[:3] == self.shape[::-1] and item.ndim in (3, 4)


def recognises(file: h5py.File, dataset: str | None) -> bool:
    """Whether the file has DREAM.3D's root groups."""
    return "DataContainers" in file or "DataStructure" in file


def read(path: str | PathLike, dataset: str | None = None) -> Microstructure:
    """Read grain ids and, where the file has any, the grains' orientations.

    `dataset` is the path of the grain ids, where they are not the only `FeatureIds`.
    """
    name = fspath(path)
    with container.opened(path) as file:
        geometries = _geometries(file)
        if not geometries:
            raise InputError(
                f"{name}: no image geometry (voxels)",
                mend=f"it holds {container.listing(container.datasets(file))}",
            )
        geometry, item = _feature_ids(file, geometries, dataset)
        where = container.where(item)
        image.check_size(item.shape, item.dtype.itemsize, where)
        if item.dtype.kind not in "iu" or item.shape[3:] not in ((), (1,)):
            raise InputError(where, "one integer a cell, the grain's id")
        ids, numbers = compact(item[()].reshape(item.shape[:3]))
        body = image.microstructure_from_image(
            ids, where, axes="zyx", spacing=geometry.spacing, origin=geometry.origin
        )
        cells = container.group(file, str(item.name).rpartition("/")[0])
        orientation = _orientation(cells, ids.ravel(), file)
        return body.with_changes(orientation=orientation, number=numbers)


def _geometries(file: h5py.File) -> list[_Geometry]:
    found = []

    def visit(item_name: str, item: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(item, h5py.Group):
            return
        if item_name.endswith("_SIMPL_GEOMETRY") and "SPACING" in item:
            keys = ("DIMENSIONS", "SPACING", "ORIGIN")
            values = [container.dataset(item, key)[()] for key in keys]
            parent = container.group(file, str(item.name).rpartition("/")[0])
            found.append(_geometry(parent, *values))
        elif "_DIMENSIONS" in item.attrs and "_SPACING" in item.attrs:
            keys = ("_DIMENSIONS", "_SPACING", "_ORIGIN")
            values = [np.asarray(item.attrs[key]) for key in keys]
            found.append(_geometry(item, *values))

    try:
        file.visititems(visit)
    except KeyError as error:
        raise InputError(
            f"{file.filename}: image geometry without {error}", mend="save it again"
        ) from error
    return found


def _geometry(
    group: h5py.Group, dims: np.ndarray, spacing: np.ndarray, origin: np.ndarray
) -> _Geometry:
    # float32 in the file: round to its seven digits, so that 0.2 is 0.2
    lengths = [[float(f"{v:.7g}") for v in part] for part in (spacing, origin)]
    return _Geometry(group, tuple(int(n) for n in dims), *lengths)


def _feature_ids(
    file: h5py.File, geometries: list[_Geometry], dataset: str | None
) -> tuple[_Geometry, h5py.Dataset]:
    if dataset is not None:
        item = container.dataset(file, dataset)
        for geometry in geometries:
            inside = str(item.name).startswith(str(geometry.group.name))
            if inside and geometry.holds(item):
                return geometry, item
        shapes = ", ".join(str(g.shape[::-1]) for g in geometries)
        raise InputError(
            f"{container.where(item)} has shape {item.shape}",
            f"cells of an image geometry, {shapes} (z, y, x)",
        )
    arrays = [(g, d) for g in geometries for d in container.datasets(g.group)]
    cells = [(g, d) for g, d in arrays if g.holds(d)]
    if not cells:
        shapes = ", ".join(f"{g.group.name} {g.shape}" for g in geometries)
        raise InputError(
            f"{file.filename}: image geometry without cells ({shapes}, x y z)",
            "cell arrays of these dimensions",
            "save the cell data too",
        )
    ids = [(g, d) for g, d in cells if str(d.name).endswith("/FeatureIds")]
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise InputError(
            f"{file.filename}: {len(ids)} arrays of FeatureIds "
            f"({container.listing([d for _, d in ids])})",
            mend="say which with --dataset",
        )
    raise InputError(
        f"{file.filename}: cells without FeatureIds (grain ids)",
        mend=(
            "segment the grains in DREAM.3D first, or name an array with --dataset: "
            f"it has {container.listing([d for _, d in cells])}"
        ),
    )


def _orientation(
    cells: h5py.Group, ids: np.ndarray, file: h5py.File
) -> np.ndarray | None:
    """Unit quaternions w x y z by grain id, NaN where unknown; None without any."""
    if "Quats" in cells or "EulerAngles" in cells:
        check_bytes(
            ORIENTATION_BYTES * len(ids),
            f"{file.filename}: averaging the orientations of {len(ids)} voxels",
            "crop the image",
        )
    quaternion = _voxel_quaternions(cells, len(ids))
    if quaternion is None:
        return None
    norm = np.linalg.norm(quaternion, axis=1)
    # voxels that were not indexed have a quaternion of zeros or NaN
    known = np.isfinite(norm) & (norm > 0.5)
    quaternion[known] /= norm[known, None]
    table = np.full((int(ids.max()) + 1, 4), np.nan)
    structure = _structures(cells, file, len(ids))
    for value in np.unique(structure[known]):
        voxels = np.flatnonzero(known & (structure == value))
        group = ROTATION_GROUPS.get(int(value), "C1")
        grains, means = mean_orientations(ids[voxels], quaternion[voxels], group)
        table[grains] = means
    return table


def _voxel_quaternions(cells: h5py.Group, voxels: int) -> np.ndarray | None:
    item = cells.get("Quats")
    if isinstance(item, h5py.Dataset) and item.size == 4 * voxels:
        xyzw = item[()].reshape(-1, 4).astype(float)
        return quaternion_from_xyzw(xyzw) * [1.0, -1.0, -1.0, -1.0]
    item = cells.get("EulerAngles")
    if isinstance(item, h5py.Dataset) and item.size == 3 * voxels:
        euler = item[()].reshape(-1, 3).astype(float)
        largest = np.nanmax(np.abs(euler), initial=0.0)
        if largest > 4 * np.pi:
            raise InputError(f"{container.where(item)}: angle {largest:g}", "radians")
        quaternion = np.full((voxels, 4), np.nan)
        known = np.isfinite(euler).all(axis=1)
        quaternion[known] = quaternion_from_bunge(euler[known])
        return quaternion
    return None


def _structures(cells: h5py.Group, file: h5py.File, voxels: int) -> np.ndarray:
    """Crystal structure of each voxel: that of its ensemble, else cubic."""
    tables = [
        d
        for d in container.datasets(file)
        if str(d.name).endswith("/CrystalStructures")
    ]
    phases = cells.get("Phases")
    if not tables or not isinstance(phases, h5py.Dataset) or phases.size != voxels:
        return np.full(voxels, CUBIC)
    table = tables[0][()].ravel()
    index = phases[()].ravel()
    inside = (index >= 0) & (index < len(table))
    return np.where(inside, table[np.where(inside, index, 0)], CUBIC).astype(np.int64)


def mean_orientations(
    ids: np.ndarray, quaternion: np.ndarray, group: str = "O"
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted ids of the grains, (g,), and the mean unit quaternion of each, (g, 4).

    A voxel's orientation may be written as any of its crystal's symmetry equivalents,
    R S, and with either sign of the quaternion: each is first replaced by the
    equivalent nearest to the grain's first voxel; the mean is the normalised sum.
    Voxels have a grain id, (n,), and w x y z, v_sample = R v_crystal, (n, 4); `group`
    is the crystal's rotation group, as `scipy.spatial.transform.Rotation` names it.
    """
    from scipy.spatial.transform import Rotation

    axis = "Y" if group == "C2" else "Z"  # monoclinic crystals turn about b
    symmetry = quaternion_from_xyzw(Rotation.create_group(group, axis=axis).as_quat())
    grains, first, place = np.unique(ids, return_index=True, return_inverse=True)
    reference = quaternion[first][place]
    nearest = quaternion
    closeness = np.einsum("ni,ni->n", reference, quaternion)
    for s in symmetry:
        equivalent = _product(quaternion, s)
        cosine = np.einsum("ni,ni->n", reference, equivalent)
        closer = np.abs(cosine) > np.abs(closeness) + 1e-9
        nearest = np.where(closer[:, None], equivalent, nearest)
        closeness = np.where(closer, cosine, closeness)
    nearest = np.where(closeness[:, None] < 0, -nearest, nearest)
    sums = np.stack(
        [np.bincount(place, nearest[:, c], len(grains)) for c in range(4)], axis=1
    )
    means = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return grains, np.where(means[:, :1] < 0, -means, means)


def _product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Hamilton products p q of quaternions w x y z, (n, 4) and (4,)."""
    w, v = p[:, :1], p[:, 1:]
    scalar = w[:, 0] * q[0] - v @ q[1:]
    return np.column_stack([scalar, w * q[1:] + q[0] * v + np.cross(v, q[1:])])
