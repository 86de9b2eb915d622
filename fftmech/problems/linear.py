"""The discrete problem of small-strain linear elasticity: K v = b.

With e = E + sym(D u) and the unknown v = (u, E) of `fftmech.problems.equilibrium`,

    K v = (D* C e, <C e> on the free components)
    b   = -(D* s0, <s0> - S on the free components),     s0 = C (E_prescribed - e0),

which is symmetric: the gradient of the potential <1/2 e : C : e> - S : E.
"""

from copy import copy
from functools import cached_property
from typing import Any

import numpy as np

from fftmech.arrays.backend import Backend, to_numpy
from fftmech.discretization.base import Discretization
from fftmech.kernels import get_kernels
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure, total_eigenstrain
from fftmech.operators.green import Green
from fftmech.operators.reference_medium import reference_medium, relative_contrast
from fftmech.problems.elastic_field import LinearElastic
from fftmech.problems.equilibrium import Equilibrium, Solution, on_host, whole
from fftmech.results.result import FieldPlanes
from fftmech.tensors.fields import mean
from fftmech.tensors.stiffness import reference_stiffness


class Problem(Equilibrium):
    """Small-strain linear elasticity of one microstructure under one load.

    Parameters
    ----------
    microstructure
        Checked (`Microstructure.check`).
    load
        Mean strains and mean stresses.
    scheme, backend, precision
        Discretization, arrays, and real dtype.
    reference
        Bulk and shear modulus of the reference medium; `reference_medium` if None.
    temperature
        Temperature change that drives thermal expansion (degrees).
    kernels
        Whether to use compiled kernels where there are some; the reference code
        otherwise. They carry a double-precision solution with residuals and search
        directions in single precision (`search`).
    """

    load: Load

    def __init__(
        self,
        microstructure: Microstructure,
        load: Load,
        scheme: Discretization,
        backend: Backend,
        precision: Any = np.float64,
        reference: tuple[float, float] | None = None,
        temperature: float = 0.0,
        kernels: bool = True,
    ) -> None:
        assert microstructure.stiffness is not None
        self.microstructure = microstructure
        self.eigenstrain = total_eigenstrain(microstructure, temperature)
        self._parts = scheme.parts()
        reference = reference or reference_medium(microstructure)
        compiled = None
        if kernels:
            compiled = get_kernels(
                scheme,
                microstructure.grid,
                microstructure.phase,
                microstructure.stiffness,
                self.eigenstrain,
                reference,
                backend,
                microstructure.ranks,
            )
        self.ranks = microstructure.ranks
        super().__init__(
            microstructure.grid,
            scheme,
            backend,
            precision,
            load,
            reference,
            reference_stiffness(*reference),
            compiled,
        )

    @cached_property
    def material(self) -> LinearElastic:
        """The material law on fields."""
        assert self.microstructure.stiffness is not None
        return LinearElastic(
            self.microstructure.phase,
            self.microstructure.stiffness,
            self.eigenstrain,
            self.backend.xp,
            self.precision,
        )

    @cached_property
    def contrast(self) -> float:
        """Ratio of the extreme stiffnesses relative to the reference medium's."""
        assert self.microstructure.stiffness is not None
        C = self.microstructure.stiffness[self.microstructure.phases]
        return relative_contrast(C, self.reference_stiffness)

    def with_load(self, load: Load, threads: int | None = None) -> "Problem":
        """Return the same body under another load; everything else is shared.

        With a number of threads, kernels get scratch of their own and use that many:
        the copy may be solved at the same time as the original.
        """
        if self.kernels is None:
            self.green  # made once, for all loads  # noqa: B018
        problem = copy(self)
        problem._set_load(load)
        if self.kernels is not None and threads is not None:
            problem.kernels = self.kernels.twin(threads)
        return problem

    @property
    def scale(self) -> float:
        """Energy that the load would put into the reference medium (stress units)."""
        e0 = self.eigenstrain
        used = None if e0 is None else e0[self.microstructure.phases]
        return load_energy(self.reference_stiffness, self.load, used)

    def strain(self, v: Any) -> Any:
        """Total strain at integration points, Mandel, (q, 6, x, y, z)."""
        return self._shift(self._fluctuation(v), self.mean_strain(v))

    def stress(self, strain: Any) -> Any:
        """Stress at integration points, Mandel, (q, 6, x, y, z)."""
        return self.material.stress(strain)

    def field_planes(self, v: Any) -> FieldPlanes:
        """Fields of v; the reference code computes the whole of them at once."""
        if self.kernels is not None:
            E = self.load.mean_strain + self._free_strain(v)
            return self.kernels.field_planes(v[:-6], E)
        strain = self.strain(v)
        stress, energy = self.stress(strain), self.material.energy(strain)
        fields = [field.mean(axis=0) for field in (strain, stress, energy)]
        return whole(*fields)

    def solution(self, v: Any, mean_stress: np.ndarray) -> Solution:
        """The fields and means of v, whose mean stress `balance` returned.

        v is changed only where its fields are.
        """
        own = self._coordinates
        if own:
            own.release()
        u = own.to_nodes(v[:-6], 3) if own else self.displacement(v)[:3]
        return Solution(
            to_numpy(u),
            on_host(self.field_planes(v)),
            to_numpy(self.mean_strain(v)).astype(float),
            mean_stress,
        )

    def curvature(self, p: Any, out: Any = None) -> tuple[Any, float]:
        """K p, written to `out` if there is one, and <p, K p>."""
        if self.kernels is None:
            Kp = self._apply(p)
            return Kp, self.dot(p, Kp)
        out = self.backend.xp.empty_like(p) if out is None else out
        E = self._free_strain(p)
        stress, work = self.kernels.apply(p[:-6], E, out[:-6])
        out[-6:] = self._on_free(stress)
        return out, work + float(E @ np.where(self.load.free, stress, 0))

    def balance(
        self, v: Any, dtype: Any = None, out: Any = None
    ) -> tuple[np.ndarray, Any]:
        """Mean stress of v, Mandel (6,), and its residual b - K v."""
        xp, dtype = self.backend.xp, dtype or self.precision
        if self.kernels is None:
            stress = self.stress(self.strain(v))
            force = self.force(stress).astype(dtype, copy=False)
            return to_numpy(mean(stress)).astype(float), force
        r = xp.empty(v.shape, dtype) if out is None else out
        E = self.load.mean_strain + self._free_strain(v)
        stress, _ = self.kernels.apply(v[:-6], E, r[:-6], total=True)
        xp.negative(r[:-6], out=r[:-6])
        r[-6:] = self._on_free(self.load.mean_stress - stress)
        return stress, r

    def precondition_with(self, green: Green, r: Any) -> Any:
        """The exact solution for another reference medium."""
        compliance = self._inverse_on_free(green.stiffness)
        u = green.solve(self.displacement(r))
        return self.pack(u, self.asarray(compliance) @ r[-6:])

    def force(self, stress: Any) -> Any:
        """-(D* s, <s> - S on the free components): zero for an equilibrated stress."""
        force = -self._adjoint(stress)
        force[-6:] += self.asarray(np.where(self.load.free, self.load.mean_stress, 0))
        return force

    def _apply(self, v: Any) -> Any:
        """K v by the reference code: one integration point is in memory at once."""
        u, E = self.displacement(v), v[-6:]
        total = 0
        for part in self._parts:
            stress = self.material.tangent(self._shift(part.strain(u, self.grid), E))
            force = part.strain_adjoint(stress, self.grid)
            total = total + self.pack(force, mean(stress))
        return total * (1 / len(self._parts)) if len(self._parts) > 1 else total

    def _fluctuation(self, v: Any) -> Any:
        return self.scheme.strain(self.displacement(v), self.grid)

    def _adjoint(self, stress: Any) -> Any:
        return self.pack(self.scheme.strain_adjoint(stress, self.grid), mean(stress))

    @staticmethod
    def _shift(field: Any, constant: Any) -> Any:
        field += constant[:, None, None, None]
        return field


def load_energy(C0: np.ndarray, load: Load, eigenstrain: np.ndarray | None) -> float:
    """Energy density that a load and eigenstrains (P, 6) put into a medium C0."""
    strain, stress = load.mean_strain, load.mean_stress
    energy = strain @ C0 @ strain + stress @ np.linalg.solve(C0, stress)
    if eigenstrain is not None:
        energy += float(abs(eigenstrain).max()) ** 2 * np.trace(C0)
    return float(energy)
