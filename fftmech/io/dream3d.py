"""DREAM.3D files, version 7 (SIMPL) and 8 (simplnx): grains, phases and orientations.

Groups are named as their author liked, so the image geometry is looked for, then the
cell arrays whose dimensions are those of the geometry. Grain ids are `FeatureIds`,
kept as they are; 0 is DREAM.3D's "no feature" and phase 0 its "no phase": such cells
are not indexed. A grain's orientation is the mean over its cells of `Quats` (x y z w)
or else `EulerAngles` (Bunge, radians); where cells have none, that of the feature data
of the same container (`AvgQuats`, else `AvgEulerAngles` or `EulerAngles`). DREAM.3D's
rotations are passive, from the sample to the crystal; ours, v_sample = R v_crystal, are
their conjugates.

What grains are made of comes from `Phases` of the cells, else of the features; names
and crystal structures of phases from the ensemble data of the same container, or the
only one in the file.

The layout is described in the manuals of SIMPL and simplnx ("Supported file formats",
"Data structure"), the crystal structures in EbsdLib's EbsdConstants.h.
"""

from dataclasses import dataclass
from os import PathLike, fspath

import h5py
import numpy as np

from fftmech.errors import InputError
from fftmech.io import container, crystals, image
from fftmech.io.crystals import Convention
from fftmech.io.dream3d_grains import Source, grains, whole_numbers
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.phase_map import compact

OPTIONS = ("dataset", *crystals.OPTIONS)

USED = (
    "dimensions, spacing and origin of the image geometry",
    "FeatureIds of the cells (0: not indexed)",
    "orientations of the cells (Quats, EulerAngles), else of the features (AvgQuats)",
    "Phases of the cells, else of the features (0: not indexed)",
    "CrystalStructures and MaterialName or PhaseName of the ensemble data",
)

IGNORED = (
    "masks and quality (Mask, Confidence Index, Image Quality, ...)",
    "statistics of the features and the ensembles",
    "meshes, pipelines, units",
)


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


def read(
    path: str | PathLike,
    dataset: str | None = None,
    frame: str = "map",
    hexagonal: str | None = None,
) -> Microstructure:
    """Read grains, what they are made of and, where the file has any, orientations.

    `dataset` is the path of the grain ids, where they are not the only `FeatureIds`;
    `frame` and `hexagonal` are those of `fftmech.io.crystals`.
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
        ids = item[()].reshape(item.shape[:3])
        cells = container.group(file, str(item.name).rpartition("/")[0])
        phase = whole_numbers(cells.get("Phases"), ids.size)
        if phase is not None:
            ids = np.where(phase.reshape(ids.shape) > 0, ids, 0)
        ids, numbers = compact(ids)
        body = image.microstructure_from_image(
            ids, where, axes="zyx", spacing=geometry.spacing, origin=geometry.origin
        )
        number = np.arange(len(body.counts)) if numbers is None else numbers
        found = grains(
            Source(file, geometry.group, cells, len(geometries) == 1),
            ids.ravel(),
            number,
            phase,
            Convention(frame, hexagonal or "x=a"),
        )
        notes = found.notes
        if hexagonal is None and {"C3", "D3"} & set(found.group.values()):
            notes.append("trigonal crystals: a is taken to be along x, --hexagonal x=a")
        return body.with_changes(
            orientation=found.orientation,
            material=found.material,
            material_name=found.name,
            number=numbers,
            unindexed=0 if number[0] == 0 and body.counts[0] else None,
        ).noted(*notes)


def _geometries(file: h5py.File) -> list[_Geometry]:
    found = []

    def visit(item_name: str, item: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(item, h5py.Group):
            return
        spacing = "SPACING" if "SPACING" in item else "RESOLUTION"
        if item_name.endswith("_SIMPL_GEOMETRY") and spacing in item:
            keys = ("DIMENSIONS", spacing, "ORIGIN")
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
