"""Resampling: the same box at another number of voxels."""

import numpy as np

from fftmech.arrays.memory import check_bytes, size_text
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.composite import Phases, laminate_pairs, reuss, voigt
from fftmech.microstructure.overlap import Overlap, PhaseVolumes, shared_volumes
from fftmech.microstructure.phase_map import MOST_PHASES, slabs, smallest
from fftmech.microstructure.resolution import Resolution, shape_for

RULES = ("majority", "voigt", "reuss", "laminate")
"""Rules for the phase, or the stiffness, of a voxel that several phases share."""

CHANGED = 0.01
"""Change of a phase's volume fraction by resampling that is worth a note."""

BYTES = 8
"""Bytes a new voxel taken while resampling: ids, before and after they are checked."""

STRAINS = ("eigenstrain", "thermal_expansion")
TABLES = ("stiffness", "orientation", *STRAINS)


def resample(
    microstructure: Microstructure, shape: Resolution, rule: str = "majority"
) -> Microstructure:
    """Resample by exact volume overlap, at any ratio of the two resolutions.

    Along an axis that gets more voxels, or keeps them, a new voxel takes what lies at
    its centre (the upper voxel where the centre is on a face): refining makes no
    composite voxels. Overlaps are whole numbers, so phases are the same on every
    platform.

    Parameters
    ----------
    microstructure
        What to resample; a composite rule needs its stiffness.
    shape
        New voxels along x, y, z, or of the longest axis (see `shape_for`).
    rule
        "majority": the phase with the largest share; among equals the one at the
        voxel's centre if it is among them, else the lowest id. The three others give
        every voxel that several phases share a phase id of its own, after the
        existing ones: "voigt" (equal strain) and "reuss" (equal stress; a pore makes
        the voxel a pore) for any number of phases; "laminate" for two, with the
        normal along the line through their centroids in the voxel, taken as a cube
        (Kabel, Merkert and Schneider 2015, doi 10.1016/j.cma.2015.06.003). There a
        voxel with a pore, three or more phases, or centroids that coincide is "voigt":
        layers beside a pore would bear nothing across, and a surface of such voxels
        is almost a mechanism.

    Returns
    -------
    Microstructure
        On the same box, tables kept; images are averaged over each voxel. Composite
        rules append rows to tables; composite voxels have no orientation: NaN.

    Raises
    ------
    InputError
        An unknown rule, a shape that is not whole numbers of at least 1, one that
        does not fit the memory, or a composite rule without stiffness.
    """
    if rule not in RULES:
        raise InputError(f"resampling {rule!r}", f"one of {', '.join(RULES)}")
    box = microstructure.grid
    grid = box.with_shape(shape_for(box, shape))
    check_bytes(BYTES * grid.voxels, f"a grid of {size_text(grid.shape)}")
    phases = (
        None
        if rule == "majority"
        else _phases(microstructure.check().check_linear("composite voxels"))
    )
    if all(new >= old for new, old in zip(grid.shape, box.shape, strict=True)):
        phase, changes = _refined(microstructure.phase, grid.shape), {}
    else:
        phase, changes = _coarsened(microstructure, grid, rule, phases)
    images = {k: _averaged(v, grid.shape) for k, v in microstructure.images.items()}
    made = microstructure.with_changes(grid=grid, phase=phase, images=images, **changes)
    return made.noted(*_losses(microstructure, made, rule))


def _averaged(image: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Mean of an image over each new voxel, or what is at its centre (`resample`)."""
    for axis, (n, m) in enumerate(zip(image.shape, shape, strict=True)):
        cut = Overlap.between(n, m)
        begin = np.flatnonzero(np.diff(cut.new, prepend=-1))
        length = cut.length / np.add.reduceat(cut.length, begin)[cut.new]
        parts = np.moveaxis(image, axis, -1)[..., cut.old] * length
        image = np.moveaxis(np.add.reduceat(parts, begin, axis=-1), -1, axis)
    return np.ascontiguousarray(image)


def _refined(phase: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Phase at the centre of each new voxel."""
    x, y, z = (
        Overlap.between(n, m).centre for n, m in zip(phase.shape, shape, strict=True)
    )
    made = np.empty(shape, phase.dtype)
    for part in slabs(shape):
        made[part] = phase[np.ix_(x[part], y, z)]
    return made


def _coarsened(
    microstructure: Microstructure, grid: Grid, rule: str, phases: Phases | None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Phase map by overlap, and the tables that composite voxels change."""
    box, old = microstructure.grid, microstructure.phase
    tables = [t for name in TABLES if (t := getattr(microstructure, name)) is not None]
    rows = max([len(microstructure.counts), *map(len, tables)])
    # how many composite voxels there are is known in the end
    kind = old.dtype if phases is None else smallest(MOST_PHASES)
    phase = np.empty(grid.shape, kind)
    # unit of the offsets along x, y, z: parts of the new voxel's edges, in which it is
    # a cube, and over these, as normals go
    unit = 1 / np.array(box.shape) / grid.h
    mixed: list[Phases] = []
    added = 0
    for part, volumes in shared_volumes(old, grid.shape, rule == "laminate"):
        ids = volumes.majority()
        shared = np.flatnonzero(volumes.phases > 1)
        if phases and len(shared):
            ids[shared] = rows + added + np.arange(len(shared))
            added += len(shared)
            if rows + added > MOST_PHASES:
                raise InputError(
                    f"more than {MOST_PHASES} composite voxels at {grid.shape}: lower "
                    "the resolution, or resample by majority"
                )
            check_bytes(1500 * len(shared), f"averaging {len(shared)} voxels")
            mixed.append(_mix(phases, volumes, shared, unit, rule))
        phase[part] = ids.reshape(phase[part].shape)
    return phase, _append(microstructure, rows, mixed) if mixed else {}


def _losses(old: Microstructure, new: Microstructure, rule: str) -> list[str]:
    """Notes on phases that a coarser grid lost, or of which it has much more or less.

    What few voxels can show is said of the phase, or the material, that changed most.
    """
    if rule != "majority":
        return []
    notes = []
    lost = np.setdiff1d(old.phases, new.phases)
    if len(lost):
        listed = ", ".join(old.label(p) for p in lost[:3])
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        notes.append(f"{listed}{more} fills no voxel of {size_text(new.grid.shape)}")
    count = max(len(old.counts), len(new.counts))
    before, after = np.zeros(count), np.zeros(count)
    before[: len(old.counts)], after[: len(new.counts)] = old.fractions, new.fractions
    p = int(abs(after - before).argmax())
    if abs(after[p] - before[p]) > CHANGED:
        notes.append(
            f"resampling changes the fraction of {old.label(p)} from {before[p]:.1%} "
            f"to {after[p]:.1%}"
        )
    return notes


def _phases(microstructure: Microstructure) -> Phases:
    """Properties of the phases in use; other rows, which may be NaN, are zero."""
    used = microstructure.phases

    def rows(name: str) -> np.ndarray:
        table = getattr(microstructure, name)
        rows = np.zeros((used[-1] + 1, *table.shape[1:]))
        rows[used] = table[used]
        return rows

    given = [name for name in STRAINS if getattr(microstructure, name) is not None]
    return Phases(rows("stiffness"), {name: rows(name) for name in given})


def _mix(
    phases: Phases,
    volumes: PhaseVolumes,
    shared: np.ndarray,
    unit: np.ndarray,
    rule: str,
) -> Phases:
    """Properties of the voxels that several phases share."""
    if rule == "reuss":
        return reuss(phases, volumes.fractions(shared))
    mixed = voigt(phases, volumes.fractions(shared))
    if rule == "voigt":
        return mixed
    # the first of two phases lies on one side of the voxel's centre, the second on
    # the other: the moment of one gives the normal
    first = volumes.volume.indptr[shared]
    normal = np.stack([moment[first] for moment in volumes.moments], axis=1) * unit
    length = np.linalg.norm(normal, axis=1)
    empty = np.flatnonzero(~phases.stiffness.any(axis=(1, 2)))
    solid = ~np.isin(volumes.volume.indices, empty)
    plain = (volumes.phases[shared] == 2) & solid[first] & solid[first + 1]
    two = np.flatnonzero(plain & (length > 0))
    first = first[two]
    volume = volumes.volume.data
    pairs = laminate_pairs(
        phases,
        np.stack([volumes.volume.indices[first + i] for i in (0, 1)], axis=1),
        volume[first] / (volume[first] + volume[first + 1]),
        normal[two] / length[two, None],
    )
    mixed.stiffness[two] = pairs.stiffness
    for name, strain in pairs.strains.items():
        mixed.strains[name][two] = strain
    return mixed


def _append(
    microstructure: Microstructure, rows: int, mixed: list[Phases]
) -> dict[str, np.ndarray]:
    """Tables with `rows` rows (NaN where nothing is known) and the composite ones."""
    new = {"stiffness": np.concatenate([phases.stiffness for phases in mixed])}
    for name in STRAINS:
        if getattr(microstructure, name) is not None:
            new[name] = np.concatenate([phases.strains[name] for phases in mixed])
    if microstructure.orientation is not None:
        new["orientation"] = np.full((len(new["stiffness"]), 4), np.nan)
    tables = {}
    for name, composite in new.items():
        table = getattr(microstructure, name)
        unknown = np.full((rows - len(table), *table.shape[1:]), np.nan)
        tables[name] = np.concatenate([table, unknown, composite])
    return tables
