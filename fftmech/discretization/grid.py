"""The periodic voxel grid and its frequencies."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fftmech.errors import InputError

SLAB = 2**24
"""Bytes of a part of the fields that is in memory at a time."""

LEAST_PLANES = 8
"""Planes of such a part, however large: a cache line of float64."""


@dataclass(frozen=True)
class Grid:
    """A periodic box of nx x ny x nz voxels; 2-D is one voxel in z.

    Parameters
    ----------
    shape
        Voxels along x, y, z.
    spacing
        Edge lengths of a voxel (length units). Without it the longest edge of the
        box is 1 and voxels are cubes.
    origin
        Position of the box's corner (length units).

    Raises
    ------
    InputError
        An axis without voxels, a spacing that is not positive, what is no three finite
        numbers.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float] | None = None
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        numbers = _three(self.shape)
        if numbers is None or any(n % 1 or n < 1 for n in numbers):
            raise InputError(
                f"grid shape {self.shape}",
                "three axes of at least one voxel each (2-D is one voxel in z)",
            )
        shape = tuple(int(n) for n in self.shape)
        given = (1.0 / max(shape),) * 3 if self.spacing is None else self.spacing
        spacing = _three(given)
        if spacing is None or min(spacing) <= 0:
            raise InputError(f"grid spacing {given}", "three positive lengths")
        origin = _three(self.origin)
        if origin is None:
            raise InputError(f"grid origin {self.origin}", "three finite coordinates")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "spacing", spacing)
        object.__setattr__(self, "origin", origin)

    @property
    def h(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel (`spacing`, never None)."""
        assert self.spacing is not None
        return self.spacing

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def size(self) -> tuple[float, float, float]:
        """Edge lengths of the box."""
        nx, ny, nz = self.shape
        hx, hy, hz = self.h
        return (nx * hx, ny * hy, nz * hz)

    @property
    def awkward(self) -> list[int]:
        """Lengths of long axes that FFTs are slow on: a prime factor above 13.

        Measured with ducc0 in single precision, time for a node relative to 128: 1.2
        with 130 = 13 x 10, 2 with 129 = 3 x 43, 3 to 4 with primes from 127 to 257.
        """
        return sorted({n for n in self.shape if n > 64 and _largest_prime(n) > 13})

    @cached_property
    def spectral_shape(self) -> tuple[int, int, int]:
        """Shape of the half-complex transform of a real field."""
        nx, ny, nz = self.shape
        return (nx, ny, nz // 2 + 1)

    def angles(self, xp: Any = np) -> tuple[Any, Any, Any]:
        """Phase angles xi_a in [-pi, pi], radians a voxel, of the half spectrum.

        Returns three arrays of shapes (nx, 1, 1), (1, ny, 1) and (1, 1, nz//2 + 1);
        a Nyquist frequency is exactly -pi or pi.
        """
        nx, ny, nz = self.shape
        turn = 2 * np.pi
        return (
            (turn * xp.fft.fftfreq(nx)).reshape(-1, 1, 1),
            (turn * xp.fft.fftfreq(ny)).reshape(1, -1, 1),
            (turn * xp.fft.rfftfreq(nz)).reshape(1, 1, -1),
        )

    def spectral_weights(self, xp: Any = np) -> Any:
        """Multiplicity, 1 or 2, of each half-complex frequency, (1, 1, nz//2 + 1).

        Sums over the full spectrum are sums over the half spectrum with these weights.
        """
        nz = self.shape[2]
        weights = xp.full(nz // 2 + 1, 2.0)
        weights[0] = 1.0
        if nz % 2 == 0:
            weights[-1] = 1.0
        return weights.reshape(1, 1, -1)

    def centers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Voxel-centre coordinates per axis (length units), broadcastable."""
        x, y, z = (
            o + h * (np.arange(n) + 0.5)
            for o, h, n in zip(self.origin, self.h, self.shape, strict=True)
        )
        return x.reshape(-1, 1, 1), y.reshape(1, -1, 1), z.reshape(1, 1, -1)

    def slabs(self, itemsize: int) -> Iterator[slice]:
        """Planes across z in parts of `SLAB` bytes, of `itemsize` bytes a voxel."""
        nx, ny, nz = self.shape
        step = max(LEAST_PLANES, SLAB // (itemsize * nx * ny))
        return (slice(k, min(k + step, nz)) for k in range(0, nz, step))

    def with_shape(self, shape: tuple[int, int, int]) -> "Grid":
        """Return the same box cut into another number of voxels."""
        nx, ny, nz = (s / n for s, n in zip(self.size, shape, strict=True))
        return Grid(shape, (nx, ny, nz), self.origin)


def _three(values: Any) -> tuple[float, ...] | None:
    """Three finite numbers, or None if that is not what is given."""
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == 3 and np.isfinite(numbers).all() else None


def _largest_prime(n: int) -> int:
    factor, largest = 2, 1
    while n > 1:
        while n % factor == 0:
            n, largest = n // factor, factor
        factor += 1
    return largest
