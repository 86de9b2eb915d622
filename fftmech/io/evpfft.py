"""Text of EVPFFT and MASSIF (Los Alamos FFT codes): a line a voxel.

Columns phi1 Phi phi2 x y z grain phase: Bunge angles in degrees, whole positions from 1
(in any order), the number of the voxel's grain, and that of its phase. A grain's
orientation is the mean of its voxels. Grain 0 and phase 0 are "not indexed", as
DREAM.3D writes them.

The format is described in DREAM.3D's manual ("Write Los Alamos FFT File") and by
Lebensohn 2001 (doi 10.1016/S1359-6454(01)00172-0). It says nothing of the size of a
voxel or of the crystals' symmetry.
"""

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from fftmech.errors import InputError
from fftmech.io import ebsd, image
from fftmech.io.crystals import Convention, grains_from_voxels, orientations_from_bunge
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.phase_map import compact

COLUMNS = ("phi1", "Phi", "phi2", "x", "y", "z", "grain", "phase")

OPTIONS = ("spacing", "frame")

USED = ("Euler angles (degrees)", "x, y, z", "grain and phase (0: not indexed)")

IGNORED = ()


def recognises(_start: bytes) -> bool:
    """Whether a file may be of this format: any text may."""
    return True


def read(
    path: str | PathLike,
    spacing: Sequence[float] | None = None,
    frame: str = "map",
) -> Microstructure:
    """Read grains, their orientations and phases."""
    name = fspath(path)
    rows = [r for r in Path(path).read_text("latin-1").split("\n") if r.strip()]
    words = rows[0].split() if rows else []
    if len(words) != len(COLUMNS):
        raise InputError(
            f"{name}: {len(words)} columns in its first line",
            f"the eight of EVPFFT: {' '.join(COLUMNS)}"
            + ", or a keyword of Abaqus" * name.lower().endswith(".inp"),
        )
    table = ebsd.numbers(name, rows)
    if not np.isfinite(table).all():
        at = int(np.argmin(np.isfinite(table).all(axis=1)))
        raise InputError(f"{name}: voxel {at + 1} has a value that is no number")
    if (table[:, 3:] % 1).any() or np.abs(table[:, 3:]).max() >= 2**31:
        raise InputError(f"{name}: x, y, z, grain, phase", "whole numbers")
    position, grain, phase = np.split(table[:, 3:].astype(np.int64), [3, 4], axis=1)
    order, shape = _order(name, position)
    grain, phase = grain[order, 0], phase[order, 0]
    ids, numbers = compact(np.where((grain > 0) & (phase > 0), grain, 0))
    quaternion, notes = orientations_from_bunge(table[order, :3], True, name)
    quaternion = Convention(frame).ours(quaternion, phase, {})
    if spacing is None:
        notes.append(f"{name}: no size of a voxel: edges of 1 (--spacing)")
    body = image.microstructure_from_image(
        ids.reshape(shape[::-1]), name, axes="zyx", spacing=spacing or (1.0, 1.0, 1.0)
    )
    number = np.arange(len(body.counts)) if numbers is None else numbers
    phase = np.where(number[ids] > 0, phase, 0)
    found = grains_from_voxels(ids, quaternion, phase, {}, number)
    return body.with_changes(
        orientation=found.orientation,
        material=found.material,
        number=numbers,
        unindexed=None if (phase > 0).all() else 0,
    ).noted(*notes, *found.notes)


def _order(name: str, position: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Line of each voxel, x fastest, and the number of voxels along x, y, z."""
    first = position.min(axis=0)
    nx, ny, nz = (int(n) for n in position.max(axis=0) - first + 1)
    count = len(position)
    if nx * ny * nz != count:
        raise InputError(
            f"{name}: {count} lines where x, y, z have {nx} x {ny} x {nz} values",
            "a line a voxel",
        )
    x, y, z = (position - first).T
    place = x + nx * (y + ny * z)
    order = np.argsort(place, kind="stable")
    if (place[order] != np.arange(count)).any():
        raise InputError(f"{name}: a voxel is there twice", "a line a voxel")
    return order, (nx, ny, nz)
