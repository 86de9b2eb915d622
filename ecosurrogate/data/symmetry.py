"""The cube's 48 symmetries, acting on fields, bodies and loads.

A symmetry is a signed permutation g of the axes; a field f becomes
(g f)(x) = g . f(g^-1 x). In a periodic box a reflection takes voxel i, which covers
[i, i + 1], to voxel n - 1 - i, but the point i to the point -i (mod n): fields at the
lower corners of voxels ("corners", as a scheme's `nodes` says) move differently from
fields at their centres.

A solution moves with its body and its load: solve(g body, g load) = g solve(body, load)
for every g that the scheme's derivative commutes with. `rotated`, `central`, `fourier`
and `hex8` commute with all 48; `forward` only with the six permutations of the axes: a
reflection makes it a backward difference.

Results are contiguous: NumPy's flips have negative strides, which torch does not take.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations, product

import numpy as np

from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import (
    COMPONENTS,
    mandel_rotation,
    matrix_from_quaternion,
    quaternion_from_xyzw,
)


@dataclass(frozen=True)
class Symmetry:
    """x'_a = signs[a] x_axes[a]: a rotation, a reflection or both.

    `axes` are the old axes that the new ones were, a permutation of 0, 1, 2.
    """

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]

    @cached_property
    def matrix(self) -> np.ndarray:
        """The orthogonal 3x3 matrix g."""
        g = np.zeros((3, 3))
        g[range(3), self.axes] = self.signs
        return g

    @property
    def determinant(self) -> int:
        """1 of a rotation, -1 of an operation that mirrors."""
        return round(float(np.linalg.det(self.matrix)))

    def scalar(self, f: np.ndarray, at: str = "centers") -> np.ndarray:
        """Scalar fields or phase maps (..., x, y, z) at voxel "centers" or "corners".

        Axes change places: a field of shape (..., 4, 6, 8) may become (..., 8, 4, 6).
        """
        return np.ascontiguousarray(self._moved(f, at))

    def vector(self, u: np.ndarray, at: str) -> np.ndarray:
        """Vector fields (..., 3, x, y, z) at the `nodes`: "corners" or "centers"."""
        return _select(self._moved(u, at), self._vector, -4)

    def tensor(self, f: np.ndarray, at: str = "centers") -> np.ndarray:
        """Symmetric tensor fields, Mandel (..., 6, x, y, z): strain or stress."""
        return _select(self._moved(f, at), self._mandel, -4)

    def gradient(self, H: np.ndarray) -> np.ndarray:
        """Gradients of vector fields in voxels, (..., 3, 3, x, y, z)."""
        rows = _select(self._moved(H, "centers"), self._vector, -5)
        return _select(rows, self._vector, -4)

    def mean(self, mandel: np.ndarray) -> np.ndarray:
        """Symmetric tensors, Mandel (..., 6): mean strains, eigenstrains."""
        return _select(mandel, self._mandel, -1)

    def stiffness(self, C: np.ndarray) -> np.ndarray:
        """Stiffness, Mandel (..., 6, 6)."""
        return _select(_select(C, self._mandel, -2), self._mandel, -1)

    def orientation(self, quaternion: np.ndarray) -> np.ndarray:
        """Crystal orientations, unit quaternions w x y z (..., 4), NaN where unknown.

        R becomes det(g) g R, a rotation again: elasticity does not tell a crystal from
        its point inversion. The scalar part is not negative.
        """
        from scipy.spatial.transform import Rotation

        quaternion = np.asarray(quaternion, dtype=float)
        R = self.determinant * self.matrix @ matrix_from_quaternion(quaternion)
        known = np.isfinite(R).all(axis=(-2, -1))
        moved = np.full(quaternion.shape, np.nan)
        xyzw = Rotation.from_matrix(R[known]).as_quat(canonical=True)
        moved[known] = quaternion_from_xyzw(xyzw)
        return moved

    def load(self, load: Load) -> Load:
        """Return the load with its components moved."""
        names = [(COMPONENTS[old], sign) for old, sign in self._mandel]
        strain, stress = (
            {
                new: sign * given[old]
                for new, (old, sign) in zip(COMPONENTS, names, strict=True)
                if old in given
            }
            for given in (load.strain, load.stress)
        )
        return Load(strain=strain, stress=stress)

    def body(self, body: Microstructure) -> Microstructure:
        """Return the microstructure with grid, phase map and tables moved."""
        grid, (i, j, k) = body.grid, self.axes
        moved = Grid(
            (grid.shape[i], grid.shape[j], grid.shape[k]),
            (grid.h[i], grid.h[j], grid.h[k]),
            (grid.origin[i], grid.origin[j], grid.origin[k]),
        )
        actions = {
            "stiffness": self.stiffness,
            "orientation": self.orientation,
            "eigenstrain": self.mean,
            "thermal_expansion": self.mean,
        }
        tables = {
            name: action(getattr(body, name))
            for name, action in actions.items()
            if getattr(body, name) is not None
        }
        phase = self.scalar(body.phase)
        images = {name: self.scalar(image) for name, image in body.images.items()}
        return body.with_changes(grid=moved, phase=phase, images=images, **tables)

    @property
    def _vector(self) -> list[tuple[int, int]]:
        return list(zip(self.axes, self.signs, strict=True))

    @cached_property
    def _mandel(self) -> list[tuple[int, int]]:
        """Old component of each new one, and its sign: Mandel factors are kept."""
        Q = np.rint(mandel_rotation(self.matrix)).astype(int)
        old = np.abs(Q).argmax(axis=1)
        return [(int(m), int(Q[n, m])) for n, m in enumerate(old)]

    def _moved(self, f: np.ndarray, at: str) -> np.ndarray:
        f = np.moveaxis(f, tuple(a - 3 for a in self.axes), (-3, -2, -1))
        mirrored = tuple(a - 3 for a in range(3) if self.signs[a] < 0)
        if mirrored:
            f = np.flip(f, mirrored)
        if at == "corners":
            for axis in mirrored:
                # point i goes to -i: one step on from n - 1 - i
                rest = (slice(None),) * (-1 - axis)
                last, others = f[..., -1:, *rest], f[..., :-1, *rest]
                f = np.concatenate((last, others), axis)
        return f


SYMMETRIES: tuple[Symmetry, ...] = tuple(
    Symmetry((x, y, z), (sx, sy, sz))
    for x, y, z in permutations(range(3))
    for sx, sy, sz in product((1, -1), repeat=3)
)
"""All 48, the identity first."""


def symmetries(
    scheme: str,
    grid: Grid | None = None,
    load: Load | None = None,
    boundary: Boundary | None = None,
) -> tuple[Symmetry, ...]:
    """Symmetries that commute with a scheme's derivative, to augment samples by.

    They keep the shape and spacing of `grid`, so that samples fit in a batch, and
    `load`, of a network that does not see the load and learns one: uniaxial loads are
    kept by 16 of the 48, hydrostatic ones by all. Faces of a box stay of their kind.
    """
    return tuple(
        g
        for g in _commuting(scheme)
        if (grid is None or _keeps_grid(g, grid))
        and (load is None or _keeps_load(g, load))
        and (boundary is None or _keeps_faces(g, boundary))
    )


@cache
def _commuting(name: str) -> tuple[Symmetry, ...]:
    """Symmetries with strain(g u) = g strain(u), tried on a random displacement."""
    scheme, grid = discretization(name), Grid((5, 5, 5))
    u = np.random.default_rng(0).normal(size=(3, *grid.shape))

    def strain(displacement: np.ndarray) -> np.ndarray:
        return scheme.strain(displacement, grid).mean(axis=0)

    before = strain(u)
    return tuple(
        g
        for g in SYMMETRIES
        if np.allclose(strain(g.vector(u, scheme.nodes)), g.tensor(before), atol=1e-9)
    )


def _keeps_grid(g: Symmetry, grid: Grid) -> bool:
    return all(
        grid.shape[g.axes[a]] == grid.shape[a]
        and np.isclose(grid.h[g.axes[a]], grid.h[a], rtol=1e-9, atol=0)
        for a in range(3)
    )


def _keeps_load(g: Symmetry, load: Load) -> bool:
    moved = g.load(load)
    return all(
        np.array_equal(getattr(moved, name), getattr(load, name))
        for name in ("free", "mean_strain", "mean_stress")
    )


def _keeps_faces(g: Symmetry, boundary: Boundary) -> bool:
    kinds = boundary.kinds
    return all(kinds[g.axes[a]] == kinds[a] for a in range(3))


def _select(f: np.ndarray, picks: list[tuple[int, int]], axis: int) -> np.ndarray:
    """Components by index and sign along `axis`, a new array."""
    rest = (slice(None),) * (-1 - axis)
    parts = [f[(..., old, *rest)] for old, _ in picks]
    signed = [p if s > 0 else -p for p, (_, s) in zip(parts, picks, strict=True)]
    return np.ascontiguousarray(np.stack(signed, axis))
