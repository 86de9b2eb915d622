"""Kernels of `fourier` on the host: vectors are spectra, of which nodes are made last.

Of a direction the operator makes the strain on rows y and transforms it along x; planes
x go back along y and z, through the law, and forth; on rows again the divergence is
taken. Updates and the preconditioner act frequency by frequency, so that an iteration
transforms six components each way.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from fftmech.arrays.backend import Backend, cpu_backend
from fftmech.arrays.threads import parallel
from fftmech.discretization.fourier import FOURIER
from fftmech.discretization.grid import Grid
from fftmech.kernels import tile, trigonometric, vectors
from fftmech.kernels.compiled import timed
from fftmech.kernels.host import FieldPlanes, HostKernels
from fftmech.kernels.tables import UPPER, long_lines
from fftmech.kernels.trigonometric import Waves

LAW_ROWS = 12


class FourierKernels(HostKernels):
    """Fused operators of one body: see `fftmech.kernels.Kernels`.

    Vectors are coordinates (`fftmech.kernels.trigonometric`), `size` numbers each.
    """

    def __init__(
        self,
        grid: Grid,
        phase: np.ndarray,
        stiffness: np.ndarray,
        eigenstrain: np.ndarray | None,
        reference: tuple[float, float],
        backend: Backend,
        threads: int,
    ) -> None:
        assert backend.blocks is not None
        self._order, self._tensor_order, lines = long_lines(grid)
        self._reference, self._backend = reference, backend
        self._nyquist = FOURIER.nyquist(lines)
        self.size = 6 * (self._nyquist.size + int(self._nyquist.sum()))
        self._waves: dict[Any, Waves] = {}
        body = phase, stiffness, eigenstrain
        super().__init__(lines, *body, backend.blocks, threads)

    @property
    def coordinates(self) -> "FourierKernels":
        """See `fftmech.kernels.Kernels`."""
        return self

    def to_nodes(self, c: np.ndarray, components: int = 9) -> np.ndarray:
        """See `fftmech.kernels.Coordinates`."""
        u, extra = self._split(c)
        waves = u / self._root(c.dtype)
        waves *= -1j
        waves[:, self._nyquist] = 0
        spectra = [waves]
        if extra.size and components > 3:
            n = np.zeros((6, *self._nyquist.shape), u.dtype)
            n[:3, self._nyquist] = u[:, self._nyquist]
            n[3:, self._nyquist] = extra
            spectra.append(n / self._root(c.dtype))
        parts = [self._backend.irfftn(s, self._grid.shape) for s in spectra]
        nodes = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return nodes.reshape(-1, *self._shape)

    def from_nodes(self, f: np.ndarray) -> np.ndarray:
        """See `fftmech.kernels.Coordinates`."""
        spectrum = self._backend.rfftn(f.reshape(len(f), *self._grid.shape))
        spectrum *= self._root(f.dtype)
        c = np.zeros(self.size, f.dtype)
        u, extra = self._split(c)
        u[...] = 1j * spectrum[:3]
        u[:, self._nyquist] = 0
        if extra.size and len(f) > 3:
            u[:, self._nyquist] = spectrum[3:6, self._nyquist]
            extra[...] = spectrum[6:, self._nyquist]
        return c

    def prepare(self, precision: Any, search: Any) -> float:
        """Compile by working on eight voxels; see `fftmech.kernels.Kernels`."""
        return timed(_compile, np.dtype(precision), np.dtype(search))

    def field_planes(self, u: np.ndarray, E: np.ndarray) -> FieldPlanes:
        """See `fftmech.kernels.Kernels`."""
        whole, table = None, self._table(True, u.dtype)
        eigenstrain = self._eigenstrain
        phases = self._phase.reshape(self._grid.shape)

        def planes(part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            nonlocal whole
            (first, last), shape = self._own_planes(part)
            if whole is None:
                whole = self._strain_field(u, E)
            strain = np.ascontiguousarray(whole[..., first:last])
            if strain.shape == whole.shape:
                whole = None  # before the stress takes as much
                self.release()
            phase = np.ascontiguousarray(phases[..., first:last])
            stress, energy = np.empty_like(strain), np.empty(phase.shape, u.dtype)
            flat = strain.reshape(-1), stress.reshape(-1)
            size = phase[0].size

            def slabs(parts: Iterator[slice]) -> None:
                scratch = tile.new(LAW_ROWS, u.dtype)
                for x in parts:
                    points = x.start * size, x.stop * size, phase.size
                    trigonometric.law(*flat, points, phase.reshape(-1), table, scratch)
                    elastic = strain[:, x]
                    if eigenstrain is not None:
                        elastic = elastic - eigenstrain.T.astype(u.dtype)[:, phase[x]]
                    energy[x] = (elastic * stress[:, x]).sum(axis=0) / 2

            self._each_block(len(phase), u.itemsize * 6 * size, slabs)
            tensor = 6, *shape
            return strain.reshape(tensor), stress.reshape(tensor), energy.reshape(shape)

        return planes

    def update_residual(
        self,
        r: np.ndarray,
        alpha: float = 0.0,
        q: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> float:
        """r <- r - alpha q, and <W r, M W r>; M W r waits in the spectrum."""
        if q is not None:
            self.add(r, -alpha, q)
        if weights is not None:
            r = self._weigh(r, weights)
        nx, ny, nz = self._grid.spectral_shape
        bulk, shear = self._reference
        moduli = r.dtype.type(bulk - 2 * shear / 3), r.dtype.type(shear)
        waves, z, sums = self._tables_of(r.dtype), self._z(r.dtype), np.zeros(nx)

        def planes(first: int, last: int) -> None:
            scratch = np.empty(4 * nz, r.dtype)
            trigonometric.inverse(r, waves, moduli, z, sums, first, last, scratch)

        parallel(planes, nx, self._threads)
        return float(sums.sum()) / self._grid.voxels

    def update_direction(
        self,
        v: np.ndarray,
        alpha: float,
        p: np.ndarray,
        beta: float,
        weights: np.ndarray | None = None,
    ) -> None:
        """v <- v + alpha p, then p <- W M W r + beta p, after `update_residual`."""
        z = self._z(p.dtype)
        if weights is not None:
            z = self._weigh(z, weights)
        factors = v.dtype.type(alpha), p.dtype.type(beta)

        def part(first: int, last: int) -> None:
            own = slice(first, last)
            vectors.update_direction(v[own], factors[0], p[own], factors[1], z[own])

        parallel(part, v.size, self._threads)

    def finish(self, z: np.ndarray, weights: np.ndarray | None = None) -> None:
        """z <- W M W r, after `update_residual`."""
        z[...] = self._z(z.dtype)
        if weights is not None:
            z[...] = self._weigh(z, weights)

    def _weigh(self, c: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Coordinates of nodal values times weights."""
        f = self.to_nodes(c)
        f *= weights.reshape(f.shape)
        return self.from_nodes(f)

    def _z(self, dtype: np.dtype) -> np.ndarray:
        """The preconditioned residual, where the spectrum will be."""
        return self._half_spectrum(dtype, 6).view(dtype).reshape(-1)[: self.size]

    def _apply(
        self, u: np.ndarray, E: np.ndarray, out: np.ndarray, table: np.ndarray
    ) -> tuple[np.ndarray, float]:
        dtype = u.dtype
        nx, ny, nz = self._grid.shape
        spectrum = self._strain(u, E)

        def planes(parts: Iterator[slice]) -> None:
            work, scratch = None, tile.new(LAW_ROWS, dtype)
            for part in parts:
                count = part.stop - part.start
                if work is None or work.shape[1] != count:
                    work = np.empty((6, count, ny, nz), dtype)
                self._transform.back(spectrum[:, part], work)
                flat, first = work.reshape(-1), part.start * ny * nz
                points = 0, count * ny * nz, count * ny * nz
                phase = self._phase[first : first + points[1]]
                trigonometric.law(flat, flat, points, phase, table, scratch)
                self._transform.planes(work, spectrum[:, part])

        self._each_block(nx, dtype.itemsize * 6 * ny * nz, planes)
        s, waves = spectrum.view(dtype).reshape(-1), self._tables_of(dtype)
        sums = np.zeros(ny)

        def rows(parts: Iterator[slice]) -> None:
            for part in parts:
                self._transform.rows(spectrum[:, :, part], forward=True)
                trigonometric.force(s, waves, u, out, sums, part.start, part.stop)

        self._each_row(dtype, rows)
        mean = np.real(spectrum[:, 0, 0, 0]).astype(float) / self._grid.voxels
        return mean, float(sums.sum()) / self._grid.voxels

    def _strain(self, u: np.ndarray, E: np.ndarray) -> np.ndarray:
        """E + strain of u, transformed back along x."""
        spectrum = self._half_spectrum(u.dtype, 6)
        s, waves = spectrum.view(u.dtype).reshape(-1), self._tables_of(u.dtype)

        def rows(parts: Iterator[slice]) -> None:
            for part in parts:
                trigonometric.strain(u, waves, s, part.start, part.stop)
                if part.start == 0:
                    spectrum[:, 0, 0, 0] = E
                self._transform.rows(spectrum[:, :, part], forward=False)

        self._each_row(u.dtype, rows)
        return spectrum

    def _strain_field(self, u: np.ndarray, E: np.ndarray) -> np.ndarray:
        """E + strain of u, (6, nx, ny, nz), in the memory of its spectrum."""
        nx, ny, nz = self._grid.shape
        spectrum = self._strain(u, E)
        strain = spectrum.view(u.dtype)[..., :nz]

        def planes(parts: Iterator[slice]) -> None:
            for part in parts:
                block = np.empty((6, part.stop - part.start, ny, nz), u.dtype)
                self._transform.back(spectrum[:, part], block)
                strain[:, part] = block

        self._each_block(nx, u.itemsize * 6 * ny * nz, planes)
        return strain

    def _each_row(self, dtype: np.dtype, work: Any) -> None:
        nx, ny, nz = self._grid.spectral_shape
        self._each_block(ny, dtype.itemsize * 12 * nx * nz, work)

    def _constants(
        self, stiffness: np.ndarray, eigenstrain: np.ndarray | None = None
    ) -> np.ndarray:
        table = np.zeros((len(stiffness), 27))
        table[:, :21] = stiffness[:, *UPPER]
        if eigenstrain is not None:
            table[:, 21:] = np.einsum("pij,pj->pi", stiffness, eigenstrain)
        return table

    def _split(self, c: np.ndarray) -> tuple[Any, Any]:
        """Views of coordinates as complex numbers: (3, *half spectrum), and shears."""
        whole = c.view(np.result_type(c.dtype, np.complex64))
        u, shears = np.split(whole, [3 * self._nyquist.size])
        return u.reshape(3, *self._nyquist.shape), shears.reshape(3, -1)

    def _root(self, dtype: np.dtype) -> np.ndarray:
        """sqrt(w / N) along the last axis."""
        weights = self._grid.spectral_weights() / self._grid.voxels
        return np.sqrt(weights).astype(dtype)

    def _tables_of(self, dtype: np.dtype) -> Waves:
        if dtype not in self._waves:
            spacings = zip(self._grid.angles(), self._grid.h, strict=True)
            x, y, z = ((xi / h).ravel().astype(dtype) for xi, h in spacings)
            counts = self._nyquist.sum(axis=2).ravel()
            root = np.repeat(self._root(dtype).ravel(), 2)
            self._waves[dtype] = Waves(
                self._nyquist.shape,
                self._order,
                self._tensor_order,
                x,
                y,
                np.repeat(z, 2),
                root,
                1 / (root * dtype.type(self._grid.voxels)),
                self._nyquist.shape[2] - counts,
                np.concatenate([[0], np.cumsum(counts)]),
            )
        return self._waves[dtype]


@cache
def _compile(precision: np.dtype, search: np.dtype) -> None:
    grid = Grid((2, 2, 2))
    phase, unit = np.zeros(grid.shape, np.int32), np.eye(6)[None]
    kernels = FourierKernels(grid, phase, unit, None, (1.0, 1.0), cpu_backend(1), 1)
    v, p = (np.zeros(kernels.size, dtype) for dtype in (precision, search))
    for vector in {precision: v, search: p}.values():
        kernels.apply(vector, np.zeros(6), p)
    kernels.update_residual(p, 0.0, p)
    kernels.update_direction(v, 0.0, p, 0.0)
    kernels.add(v, 0.0, p)
    kernels.add(v, 0.0, v)
    kernels.dot(p, v)
    kernels.field_planes(v, np.zeros(6))(slice(None))
