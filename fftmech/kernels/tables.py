"""Constants by phase, by axis and by frequency, for kernels of every device."""

from dataclasses import dataclass

import numpy as np

from fftmech.discretization.finite_difference import CENTRAL
from fftmech.discretization.grid import Grid
from fftmech.discretization.hexahedral import HEX8
from fftmech.discretization.stencil import (
    DIFFERENCE,
    IDENTITY,
    SUM,
    Factor,
    StencilDiscretization,
)
from fftmech.tensors import FACTORS, K, voigt_from_mandel

UPPER = np.triu_indices(6)
"""Rows and columns of the 21 constants of a stiffness, in the kernels' order."""


@dataclass(frozen=True)
class Frame:
    """The grid as kernels see it.

    Axes are in an order that puts one voxel in z (2-D) in the middle, so that lines
    along the last axis are long on a plane grid too. Memory is the same.

    Attributes
    ----------
    scheme
        The discretization.
    grid
        The grid with its axes in that order.
    order
        Component of a vector that belongs to each axis.
    tensor_order
        Component of a Mandel vector for each of the frame's xx yy zz yz xz xy.
    scale
        Factor of the difference along each axis (1 / length).
    upper
        Weight of the upper node in a sum: 1, or 0 for `forward`.
    full
        Whether modes with several differences count (`hex8`, `bbar`).
    mean_dilatation
        Whether these modes have no trace (`bbar`).
    central
        Whether differences are central ones and nodes are at voxel centres.
    symbols
        By axis: S, B, Re G, Im G and M of `fftmech.kernels.spectral`, (5, n); along the
        last axis the half spectrum.
    real
        Whether the acoustic tensor is real.
    """

    scheme: StencilDiscretization
    grid: Grid
    order: tuple[int, int, int]
    tensor_order: tuple[int, ...]
    scale: np.ndarray
    upper: float
    full: bool
    mean_dilatation: bool
    central: bool
    symbols: list[np.ndarray]
    real: bool

    @classmethod
    def of(cls, scheme: StencilDiscretization, grid: Grid) -> "Frame":
        """Frame of a scheme that `supports` accepts."""
        order, tensor_order, grid = long_lines(grid)
        full = scheme.points > 1
        central = scheme.nodes == "centers"
        # the kernels' differences and sums have weights 1: hex8 takes sums of 1/2,
        # central differences of 1/2
        scale = 0.25 if full else 0.5 if central else scheme.table[0][0].scale
        symbols, real = _symbols(scheme, grid, order)
        return cls(
            scheme=scheme,
            grid=grid,
            order=order,
            tensor_order=tensor_order,
            scale=scale / np.array(grid.h),
            upper=float(scheme.table[0][0].y != IDENTITY),
            full=full,
            mean_dilatation=scheme.dilatation is not None,
            central=central,
            symbols=symbols,
            real=real,
        )

    def strain(self, mandel: np.ndarray) -> np.ndarray:
        """Mandel strain (6,) in the frame, with engineering shears."""
        return (mandel * FACTORS)[list(self.tensor_order)]

    def mandel_stress(self, stress: np.ndarray) -> np.ndarray:
        """Mandel stress (6,) of the frame's tensor components."""
        mandel = np.empty(6)
        mandel[list(self.tensor_order)] = stress * FACTORS
        return mandel

    def constants(
        self, stiffness: np.ndarray, eigenstrain: np.ndarray | None = None
    ) -> np.ndarray:
        """Rows of 27 by phase: stiffness in the frame (Voigt, 21), and C e0.

        Where modes with several differences count, 21 constants for these follow: of a
        mean dilatation those of the deviatoric part of C between deviators.

        Parameters
        ----------
        stiffness
            Mandel, (P, 6, 6).
        eigenstrain
            e0, Mandel, (P, 6), or None.
        """
        order = list(self.tensor_order)
        table = np.zeros((len(stiffness), 48 if self.full else 27))
        rows, columns = (np.take(order, index) for index in UPPER)
        table[:, :21] = voigt_from_mandel(stiffness)[:, rows, columns]
        if self.full:
            other = K @ stiffness @ K if self.mean_dilatation else stiffness
            table[:, 27:] = voigt_from_mandel(other)[:, rows, columns]
        if eigenstrain is not None:
            stress = np.einsum("pij,pj->pi", stiffness, eigenstrain)
            table[:, 21:27] = (stress / FACTORS)[:, order]
        return table


def long_lines(grid: Grid) -> tuple[tuple[int, int, int], tuple[int, ...], Grid]:
    """`order`, `tensor_order` and `grid` of `Frame`."""
    if grid.shape[2] > 1:
        return (0, 1, 2), (0, 1, 2, 3, 4, 5), Grid(grid.shape, grid.h)
    (nx, ny, nz), (hx, hy, hz) = grid.shape, grid.h
    return (0, 2, 1), (0, 2, 1, 3, 5, 4), Grid((nx, nz, ny), (hx, hz, hy))


def supports(scheme: StencilDiscretization) -> bool:
    """Whether kernels can do a scheme: `hex8`, `bbar`, or sums of two nodes."""
    if scheme.points > 1:
        return scheme.table == HEX8.table
    if scheme.nodes == "centers":
        return scheme.table == CENTRAL.table
    own, across = set(), set()
    for axis, stencil in enumerate(scheme.table[0]):
        factors = [stencil.x, stencil.y, stencil.z]
        own.add(factors.pop(axis))
        across.update(factors)
    return own == {DIFFERENCE} and across in ({SUM}, {IDENTITY})


def _symbols(
    scheme: StencilDiscretization, grid: Grid, order: tuple[int, int, int]
) -> tuple[list[np.ndarray], bool]:
    """S, B, Re G, Im G, M of each axis, and whether no G has a real part."""
    tables = []
    for axis, angles, h in zip(order, grid.angles(), grid.h, strict=True):
        name = "xyz"[axis]
        xi = angles.ravel()
        d = _factor(getattr(scheme.table[0][axis], name), xi) / h
        across = {
            getattr(stencils[other], name)
            for stencils in scheme.table
            for other in range(3)
            if other != axis
        }
        # the stencil's scale is shared out to its two means
        scale = scheme.table[0][axis].scale ** 0.5
        means = [scale * _factor(factor, xi) for factor in sorted(across)]
        S = abs(d) ** 2
        B = np.mean([abs(m) ** 2 for m in means], axis=0)
        G = np.mean([d.conj() * m for m in means], axis=0)
        # |d| <= 2 / h and |m| <= 1: zero instead of rounding, so that null modes and
        # phases of 90 degrees are exact
        tables.append(
            np.stack(
                [
                    _clean(S, (2 / h) ** 2),
                    _clean(B, 1.0),
                    _clean(G.real, 2 / h),
                    _clean(G.imag, 2 / h),
                    _clean(abs(np.mean(means, axis=0)) ** 2, 1.0),
                ]
            )
        )
    return tables, not any(table[2].any() for table in tables)


def _factor(factor: Factor, xi: np.ndarray) -> np.ndarray:
    return np.sum([w * np.exp(1j * offset * xi) for offset, w in factor], axis=0)


def _clean(values: np.ndarray, size: float) -> np.ndarray:
    return np.where(abs(values) <= 1e-14 * size, 0.0, values)
