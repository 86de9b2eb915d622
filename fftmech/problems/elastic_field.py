"""Linear elasticity with eigenstrain, phase by phase: s = C (e - e0)."""

from functools import cached_property
from typing import Any

import numpy as np

from fftmech.materials.elastic import compliance
from fftmech.tensors.fields import dot, multiply

# Past this many phases a loop over phases is slower than one matrix for each voxel.
MANY_PHASES = 2048


class PhaseTable:
    """Field of 6x6 matrices given by phase, applied to fields of Mandel vectors.

    Parameters
    ----------
    phase
        Phase ids, (x, y, z), NumPy.
    table
        One Mandel matrix a phase id, (P, 6, 6).
    xp, precision
        Array library and real dtype.
    """

    def __init__(
        self, phase: np.ndarray, table: np.ndarray, xp: Any, precision: Any
    ) -> None:
        self.xp = xp
        self.shape = phase.shape
        ids = phase.ravel()
        counts = np.bincount(ids)
        used = np.flatnonzero(counts)
        self._matrices = xp.asarray(table[used], dtype=precision)
        self._order = self._field = None
        if len(used) == 1:
            return
        if len(used) > MANY_PHASES:
            rows = np.searchsorted(used, ids)
            upper = [(i, j) for i in range(6) for j in range(i, 6)]
            self._field = {
                (i, j): self._matrices[:, i, j][xp.asarray(rows)] for i, j in upper
            }
            return
        order = np.argsort(ids, kind="stable")
        inverse = np.empty_like(order)
        inverse[order] = np.arange(len(order))
        self._order, self._inverse = xp.asarray(order), xp.asarray(inverse)
        self._ends = np.cumsum(counts[used])

    def apply(self, field: Any) -> Any:
        """Multiply, voxel by voxel, (..., 6, x, y, z) -> the same."""
        xp = self.xp
        if self._order is None and self._field is None:
            return multiply(self._matrices[0], field)
        flat = field.reshape(*field.shape[:-3], -1)
        if self._field is not None:
            out = xp.empty_like(flat)
            for i in range(6):
                row = out[..., i, :]
                row[...] = self._field[0, i] * flat[..., 0, :]
                for j in range(1, 6):
                    row += self._field[min(i, j), max(i, j)] * flat[..., j, :]
            return out.reshape(field.shape)
        # voxels sorted by phase: one product of matrices for each phase
        flat = xp.take(flat, self._order, axis=-1)
        start = 0
        for matrix, end in zip(self._matrices, self._ends, strict=True):
            flat[..., start:end] = matrix @ flat[..., start:end]
            start = end
        return xp.take(flat, self._inverse, axis=-1).reshape(field.shape)


class LinearElastic:
    """s = C (e - e0), with C and e0 by phase.

    Parameters
    ----------
    phase
        Phase ids, (x, y, z).
    stiffness
        Mandel, (P, 6, 6), stress units; zero is a pore. Of a rigid phase nothing is
        known but its compliance.
    eigenstrain
        e0, Mandel, (P, 6), or None.
    xp, precision
        Array library and real dtype.
    """

    def __init__(
        self,
        phase: np.ndarray,
        stiffness: np.ndarray,
        eigenstrain: np.ndarray | None = None,
        xp: Any = np,
        precision: Any = np.float64,
    ) -> None:
        self._new = lambda table: PhaseTable(phase, table, xp, precision)
        empty = ~np.any(np.asarray(stiffness), axis=(1, 2))
        self._pore = xp.asarray(np.take(empty, phase))
        self._used = np.flatnonzero(np.bincount(phase.ravel()))
        self._stiffness = stiffness
        self.eigenstrain = None
        if eigenstrain is not None and eigenstrain[self._used].any():
            table = xp.asarray(eigenstrain, dtype=precision)
            ids = xp.asarray(phase)
            self.eigenstrain = xp.stack([table[:, m][ids] for m in range(6)])

    def stress(self, strain: Any) -> Any:
        """C (e - e0), (..., 6, x, y, z), stress units."""
        return self._stiff.apply(self.elastic_strain(strain))

    def tangent(self, strain: Any) -> Any:
        """C e, the derivative of the stress in direction e, (..., 6, x, y, z)."""
        return self._stiff.apply(strain)

    def elastic_strain(self, strain: Any) -> Any:
        """The strain e - e0, (..., 6, x, y, z)."""
        return strain if self.eigenstrain is None else strain - self.eigenstrain

    def energy(self, strain: Any) -> Any:
        """w(e) = 1/2 (e - e0) : C : (e - e0), (..., x, y, z), stress units."""
        elastic = self.elastic_strain(strain)
        return 0.5 * dot(elastic, self._stiff.apply(elastic))

    def conjugate_energy(self, stress: Any) -> Any:
        """w*(s) = 1/2 s : C^-1 : s + s : e0; inf in a pore that carries stress."""
        energy = 0.5 * dot(stress, self.compliance.apply(stress))
        if self.eigenstrain is not None:
            energy = energy + dot(stress, self.eigenstrain)
        return self._infinite_in_pores(energy, stress)

    def gap(self, strain: Any, stress: Any) -> Any:
        """1/2 (s - C (e - e0)) : C^-1 : (s - C (e - e0)), (..., x, y, z)."""
        error = stress - self.stress(strain)
        gap = 0.5 * dot(error, self.compliance.apply(error))
        return self._infinite_in_pores(gap, stress)

    @cached_property
    def _stiff(self) -> PhaseTable:
        return self._new(self._stiffness)

    @cached_property
    def compliance(self) -> PhaseTable:
        """The field C^-1, zero in rigid phases, and in pores."""
        inverse = np.zeros_like(self._stiffness)
        inverse[self._used] = compliance(self._stiffness[self._used])
        return self._new(inverse)

    def resolvent(self, C0: np.ndarray) -> PhaseTable:
        """The field (C + C0)^-1, for one Mandel 6x6 matrix C0."""
        inverse = np.zeros_like(self._stiffness)
        inverse[self._used] = np.linalg.inv(self._stiffness[self._used] + C0)
        return self._new(inverse)

    def _infinite_in_pores(self, energy: Any, stress: Any) -> Any:
        loaded = self._pore & (dot(stress, stress) > 0)
        energy[loaded] = np.inf
        return energy
