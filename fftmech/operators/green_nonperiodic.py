"""The reference medium in a box with faces: preconditioner by sines and cosines.

Along an axis of N voxels with faces there are N + 1 nodes. A component that is free on
both faces is expanded in c_k(j) = cos(pi k j / N), one that is fixed there in
s_k(j) = sin(pi k j / N). With the difference d and the mean m of a scheme and
W = diag(1/2, 1, ..., 1, 1/2), the weight of a node in the box,

    d* d c_k = |d(xi)|^2 W c_k,    m* m c_k = |m(xi)|^2 W c_k,    xi = pi k / N,

likewise for s_k with W = 1: products of stencils are diagonal in products of DCT-I,
DST-I and Fourier modes, with the scheme's own symbols at the angles xi. That is exact
where the symbols of an axis share a phase (`rotated`, `hex8`); elsewhere both sides are
spectrally equivalent.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.discretization.base import Discretization
from fftmech.discretization.grid import Grid
from fftmech.loads.boundary import Boundary


@dataclass(frozen=True)
class Frequencies:
    """What `Discretization.symbol` reads of a grid, of a box with faces.

    Parameters
    ----------
    grid
        Voxels of the box.
    periodic
        Axes that are periodic; the last of them has the half spectrum.
    """

    grid: Grid
    periodic: tuple[bool, bool, bool]

    @property
    def h(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel."""
        return self.grid.h

    @property
    def spectral_shape(self) -> tuple[int, int, int]:
        """Shape of the transform of a real field."""
        nx, ny, nz = (angles.size for angles in self.angles())
        return (nx, ny, nz)

    def angles(self, xp: Any = np) -> tuple[Any, Any, Any]:
        """Phase angles in radians a voxel, broadcastable; with faces pi k / N."""
        whole = self.grid.angles(xp)
        x, y, z = (self._angles(axis, whole[axis], xp) for axis in range(3))
        return x, y, z

    def _angles(self, axis: int, whole: Any, xp: Any) -> Any:
        n = self.grid.shape[axis]
        shape = [1, 1, 1]
        shape[axis] = -1
        if not self.periodic[axis]:
            return xp.linspace(0, np.pi, n + 1).reshape(shape)
        if any(self.periodic[axis + 1 :]):
            return whole
        return abs(whole.ravel()[: n // 2 + 1]).reshape(shape)


class NonperiodicGreen:
    """Inverse of the reference medium's operator in a box with faces, or nearly.

    Of the acoustic tensor A of `fftmech.operators.green.Green`, at the angles above, M
    = A^-1 couples the components i and j where the axes i and j are "periodic" or
    "uniaxial"; where all are, it is exact. Free faces and prescribed displacements
    couple all modes: there M takes the diagonal of A, which is spectrally equivalent
    whatever the resolution, by Korn's inequality.

    Parameters
    ----------
    scheme, grid, boundary
        Discrete gradient, voxels of the box, conditions on its faces.
    bulk, shear
        Moduli of the reference medium (stress units), both positive.
    precision
        Real dtype of what is preconditioned.
    threads
        Threads of the transforms.
    """

    def __init__(
        self,
        scheme: Discretization,
        grid: Grid,
        boundary: Boundary,
        bulk: float,
        shear: float,
        precision: Any,
        threads: int = 1,
    ) -> None:
        # here, because to import it takes as long as a small solve
        from scipy import fft

        self._fft = fft
        self.boundary = boundary
        self.threads = threads
        self.nodes = boundary.nodes(grid)
        frequencies: Any = Frequencies(grid, boundary.periodic)
        self.shape = frequencies.spectral_shape
        self.real = not any(boundary.periodic)
        A = _acoustic_tensor(scheme, frequencies, bulk - 2 * shear / 3, shear, boundary)
        M = _inverse(A)
        self._inverse = {}
        for (i, j), m in M.items():
            if boundary.periodic[i] != boundary.periodic[j]:
                # a wave's derivative leads it by 90 degrees; a sine's is a cosine
                m = m * (-1j if boundary.periodic[i] else 1j)
            lowest = np.complex64 if np.iscomplexobj(m) else np.float32
            self._inverse[i, j] = m.astype(np.result_type(precision, lowest))

    def solve(self, force: np.ndarray) -> np.ndarray:
        """M f: nodal forces (3, *nodes) -> displacement (3, *nodes), 0 where fixed."""
        kind = force.dtype if self.real else np.result_type(force.dtype, np.complex64)
        f = np.zeros((3, *self.shape), kind)
        for i in range(3):
            f[i][self._own(i)] = self._forward(force[i][self._own(i)], i)
        u = np.zeros(force.shape, force.dtype)
        for i in range(3):
            total = self._inverse[i, i] * f[i]
            for j in range(3):
                if (i, j) in self._inverse and i != j:
                    total += self._inverse[i, j] * f[j]
                elif (j, i) in self._inverse and i != j:
                    total += self._inverse[j, i].conj() * f[j]
            u[i][self._own(i)] = self._backward(total[self._own(i)], i)
        return u

    def _forward(self, f: np.ndarray, component: int) -> np.ndarray:
        """Coefficients of W^-1 f."""
        f = f.copy()
        sines, cosines, waves = self._axes(component)
        for axis in cosines:
            ends = np.moveaxis(f, axis, 0)
            ends[[0, -1]] *= 2
        f = _half_range(self._fft.dstn, f, sines, self.threads)
        f = _half_range(self._fft.dctn, f, cosines, self.threads)
        return _waves(self._fft.rfftn, f, None, waves, self.threads)

    def _backward(self, f: np.ndarray, component: int) -> np.ndarray:
        sines, cosines, waves = self._axes(component)
        shape = [self.nodes[axis] for axis in waves]
        f = _waves(self._fft.irfftn, f, shape, waves, self.threads)
        f = _half_range(self._fft.idctn, f, cosines, self.threads)
        return _half_range(self._fft.idstn, f, sines, self.threads)

    def _axes(self, component: int) -> tuple[list[int], list[int], list[int]]:
        """Axes of sines, of cosines and of Fourier modes."""
        waves = [axis for axis in range(3) if self.boundary.periodic[axis]]
        closed = [axis for axis in range(3) if axis not in waves]
        sines = [axis for axis in closed if self.boundary.fixed(component, axis)]
        return sines, [axis for axis in closed if axis not in sines], waves

    def _own(self, component: int) -> tuple[slice, ...]:
        """Nodes where a component is not fixed, and its modes on axes of sines."""
        return tuple(
            slice(1, -1) if self.boundary.fixed(component, axis) else slice(None)
            for axis in range(3)
        )


def _half_range(transform: Any, f: np.ndarray, axes: list[int], threads: int) -> Any:
    """A transform of type I along some axes, or along none."""
    if not axes:
        return f
    return transform(f, type=1, axes=axes, workers=threads, overwrite_x=True)


def _waves(
    transform: Any,
    f: np.ndarray,
    shape: list[int] | None,
    axes: list[int],
    threads: int,
) -> Any:
    """A Fourier transform along some axes, or along none."""
    if not axes:
        return f
    return transform(f, shape, axes, workers=threads)


def _acoustic_tensor(
    scheme: Discretization,
    frequencies: Any,
    lame: float,
    shear: float,
    boundary: Boundary,
) -> dict[tuple[int, int], Any]:
    """Upper triangle of A, real if it can be, without couplings that are not exact."""
    couplings: dict[tuple[int, int], Any] = {
        (i, j): 0 for i in range(3) for j in range(i, 3)
    }
    d, bulk = None, 0.0
    if scheme.dilatation is not None:
        (d,) = scheme.dilatation.symbol(frequencies)
        lame, bulk = -2 * shear / 3, lame + 2 * shear / 3
    parts = scheme.parts()
    for part in parts:
        (k,) = part.symbol(frequencies)
        for i, j in couplings:
            couplings[i, j] = couplings[i, j] + k[i].conj() * k[j] / len(parts)
    square = sum(couplings[i, i].real for i in range(3))
    size = max(abs(c).max() for c in couplings.values())
    alike = all(abs(c.imag).max() <= 1e-12 * size for c in couplings.values())
    A = {}
    for (i, j), c in couplings.items():
        volumetric = 0.0 if d is None else bulk * d[i].conj() * d[j]
        kinds = {boundary.kinds[i], boundary.kinds[j]}
        if i == j:
            A[i, i] = (lame + shear) * c.real + shear * square + volumetric.real
        elif kinds == {"periodic"} or (alike and kinds <= {"periodic", "uniaxial"}):
            c = c.real if alike else c
            volumetric = volumetric.real if alike else volumetric
            A[i, j] = lame * c + shear * c.conj() + volumetric
    return A


def _inverse(A: dict[tuple[int, int], Any]) -> dict[tuple[int, int], Any]:
    """Upper triangle of A^-1, zero on null modes."""
    trace = A[0, 0] + A[1, 1] + A[2, 2]
    null = trace <= 1e-24 * trace.max()
    if len(A) == 3:
        return {
            key: np.where(null, 0, 1 / np.where(null, 1, a)) for key, a in A.items()
        }
    matrices = np.zeros((*null.shape, 3, 3), np.result_type(*A.values()))
    for (i, j), a in A.items():
        matrices[..., i, j] = a
        matrices[..., j, i] = a.conj()
    matrices[null] = np.eye(3)
    matrices = np.linalg.inv(matrices)
    matrices[null] = 0
    return {(i, j): matrices[..., i, j] for i, j in A}
