"""Whether the solid can carry a prescribed stress across the periodic box."""

import numpy as np


def connected_axes(solid: np.ndarray) -> tuple[bool, bool, bool]:
    """Axes along which some part of the solid connects with its own periodic image."""
    winds = np.zeros(3, bool)
    for loops in windings(solid):
        winds |= loops.any(axis=0)
    return bool(winds[0]), bool(winds[1]), bool(winds[2])


def windings(solid: np.ndarray) -> list[np.ndarray]:
    """Boxes that closed paths go around, (n, 3) of each part that has such paths.

    Voxels that share a corner are connected, as they are in the default scheme.
    A part winds along an axis if a closed path on it does; paths are followed across
    the faces of the box as in union-find with offsets (Newman & Ziff 2001,
    doi:10.1103/PhysRevE.64.016706, on wrapping clusters).
    """
    # here, because to import it takes as long as a small solve
    from scipy import ndimage

    labels = np.empty(solid.shape, np.int32)
    count = int(ndimage.label(solid, np.ones((3, 3, 3)), output=labels))  # pyright: ignore
    parent = list(range(count + 1))
    offset = np.zeros((count + 1, 3), int)
    loops: list[tuple[int, np.ndarray]] = []

    def find(a: int) -> tuple[int, np.ndarray]:
        shift = np.zeros(3, int)
        while parent[a] != a:
            shift = shift + offset[a]
            a = parent[a]
        return a, shift

    for a, b, *step in _links(labels):
        root_a, shift_a = find(a)
        root_b, shift_b = find(b)
        # the image of b displaced by `step` boxes touches a
        loop = shift_a - shift_b + step
        if root_a != root_b:
            parent[root_b] = root_a
            offset[root_b] = loop
        elif loop.any():
            loops.append((a, loop))
    parts: dict[int, list[np.ndarray]] = {}
    for a, loop in loops:
        parts.setdefault(find(a)[0], []).append(loop)
    return [np.unique(part, axis=0) for part in parts.values()]


def _links(labels: np.ndarray) -> list[list[int]]:
    """Distinct rows (label, label, box offset) of voxels that touch across a face."""
    rows = []
    shape = labels.shape
    # the box that each voxel of a padded layer belongs to, along each axis
    box = [np.arange(-1, n + 1) // n for n in shape]
    for axis in range(3):
        # the layer just below the box is the periodic image of the last layer
        a = np.take(labels, 0, axis=axis)
        below = np.pad(np.take(labels, -1, axis=axis), 1, mode="wrap")
        first, second = (other for other in range(3) if other != axis)
        n, m = shape[first], shape[second]
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                b = below[1 + i : n + 1 + i, 1 + j : m + 1 + j]
                steps = np.zeros((n, m, 3), int)
                steps[..., axis] = -1
                steps[..., first] = box[first][1 + i : n + 1 + i, None]
                steps[..., second] = box[second][None, 1 + j : m + 1 + j]
                both = (a > 0) & (b > 0)
                rows.append(np.column_stack([a[both], b[both], steps[both]]))
    return np.unique(np.concatenate(rows), axis=0).tolist()
