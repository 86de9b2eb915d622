"""Small-strain linear elasticity with the stress for the unknown.

Of all stresses in equilibrium that carry the prescribed mean stresses, the solution has
the least complementary energy

    W*(s) = <1/2 s : S : s + s : e0> - <s> : E,

with the compliance S = C^-1, the eigenstrain e0 and the prescribed mean strains E. In
the words of `fftmech.problems.equilibrium`, with v = s less the prescribed mean stress,

    K v = S v,      b = E - e0 - S <s>_prescribed,      M = Q C0,

where Q projects on stresses that may be added to s, in the norm of C0^-1. The residual
b - K v is zero but for compatible strains where the strain S s + e0 is compatible and
has the means E. A rigid phase is one of S = 0; its own stress is then not determined.
"""

from copy import copy
from functools import cached_property
from typing import Any

import numpy as np

from fftmech.arrays.backend import Backend, to_numpy
from fftmech.discretization.base import Discretization
from fftmech.discretization.stencil import StencilDiscretization
from fftmech.kernels import get_kernels, has_point_kernels
from fftmech.loads.load import Load
from fftmech.materials.elastic import compliance
from fftmech.microstructure.base import Microstructure, total_eigenstrain
from fftmech.operators.reference_medium import compliant_medium
from fftmech.problems.complementary import work
from fftmech.problems.elastic_field import LinearElastic
from fftmech.problems.equilibrium import Equilibrium, Solution, whole
from fftmech.problems.linear import Problem, load_energy
from fftmech.results.result import FieldPlanes
from fftmech.tensors.fields import dot, mean, multiply
from fftmech.tensors.stiffness import reference_stiffness


class StressProblem(Equilibrium):
    """One microstructure without pores under one load, for its stress.

    The unknown v is a stress at integration points, (q, 6, x, y, z).

    Parameters
    ----------
    microstructure
        Checked (`Microstructure.check`); phases may be rigid.
    load, scheme, backend, precision, temperature
        As in `fftmech.problems.linear.Problem`.
    reference
        Bulk and shear modulus of the reference medium; `compliant_medium` if None.
    kernels
        Whether to use compiled kernels where there are some.

    Attributes
    ----------
    fields
        Compiled operators, or None for the reference code.
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
        reference = reference or compliant_medium(microstructure)
        self.fields = None
        if kernels and backend.blocks is not None and has_point_kernels(scheme):
            self.fields = _kernels(microstructure, scheme, backend, reference)
        super().__init__(
            microstructure.grid,
            scheme,
            backend,
            precision,
            load,
            reference,
            reference_stiffness(*reference),
            None,
        )
        self.material = LinearElastic(
            microstructure.phase,
            microstructure.stiffness,
            self.eigenstrain,
            backend.xp,
            precision,
        )

    @cached_property
    def in_strains(self) -> Problem:
        """The same problem for the displacement, of a body without rigid phases."""
        problem = Problem(
            self.microstructure.with_changes(
                eigenstrain=self.eigenstrain, thermal_expansion=None
            ),
            self.load,
            self.scheme,
            self.backend,
            self.precision,
            self.reference,
            kernels=False,
        )
        problem.green, problem.material = self.green, self.material
        return problem

    def prepare(self, mixed: bool) -> float:
        """See `Equilibrium.prepare`."""
        if self.fields is None:
            return super().prepare(mixed)
        return self.fields.prepare(self.precision)

    def with_load(self, load: Load, threads: int | None = None) -> "StressProblem":
        """Return the same body under another load; see `Problem.with_load`."""
        # made once, for all loads
        if self.fields is None:
            self.green  # noqa: B018
        self.material.compliance  # noqa: B018
        problem = copy(self)
        vars(problem).pop("in_strains", None)
        if self.fields is not None and threads is not None:
            problem.fields = self.fields.twin(threads)
        problem._set_load(load)
        return problem

    @property
    def scale(self) -> float:
        """Energy that the load would put into the reference medium (stress units)."""
        e0 = self.eigenstrain
        used = None if e0 is None else e0[self.microstructure.phases]
        return load_energy(self.reference_stiffness, self.load, used)

    def zeros(self) -> Any:
        """The unknown of the prescribed mean stress alone."""
        return self.backend.xp.zeros(
            (self.scheme.points, 6, *self.grid.shape), self.precision
        )

    def uniform_start(self) -> Any:
        """The uniform stress of less W* than any other."""
        body, held, v = self.microstructure, ~self.load.free, self.zeros()
        assert body.stiffness is not None
        fractions = body.fractions[body.phases]
        S = np.tensordot(fractions, compliance(body.stiffness[body.phases]), 1)
        missing = to_numpy(mean(self.residual(v))).astype(float)
        s = np.zeros(6)
        s[held] = np.linalg.solve(S[np.ix_(held, held)], missing[held])
        return v + self.asarray(s)[:, None, None, None]

    def stress(self, v: Any) -> Any:
        """Stress at integration points, Mandel, (q, 6, x, y, z)."""
        return v + self.asarray(self.load.mean_stress)[:, None, None, None]

    def strain(self, stress: Any) -> Any:
        """S s + e0, Mandel, (q, 6, x, y, z): compatible for the solution alone."""
        strain = self._compliant(stress)
        e0 = self.material.eigenstrain
        return strain if e0 is None else strain + e0

    def pair(self, v: Any) -> tuple[Any, Any]:
        """Total strain of the displacement of v, and stress, Mandel (q, 6, x, y, z)."""
        stress = self.stress(v)
        u, E = self._displacement(self.strain(stress))
        return self.scheme.strain(u, self.grid) + E[:, None, None, None], stress

    def field_planes(self, v: Any) -> FieldPlanes:
        """Fields of `pair`, and the energy of the stress; computed at once."""
        return self.solution(v, np.zeros(6)).planes

    def solution(self, v: Any, mean_stress: np.ndarray) -> Solution:
        """Displacement and strain of `pair`, and the stress and its energy."""
        stress = self.stress(v)
        u, E = self._displacement(self.strain(stress))
        strain = self.scheme.strain(u, self.grid) + E[:, None, None, None]
        energy = dot(stress, self.material.compliance.apply(stress)) / 2
        return Solution(
            to_numpy(u[:3]),
            whole(*(to_numpy(f.mean(axis=0)) for f in (strain, stress, energy))),
            to_numpy(E).astype(float),
            mean_stress,
        )

    def balance(
        self, v: Any, dtype: Any = None, out: Any = None
    ) -> tuple[np.ndarray, Any]:
        """Mean stress of v, Mandel (6,), and its residual b - K v, a strain."""
        stress = self.stress(v)
        E = self.asarray(self.load.mean_strain)[:, None, None, None]
        residual = E - self.strain(stress)
        residual = residual.astype(dtype or self.precision, copy=False)
        return to_numpy(mean(stress)).astype(float), residual

    def curvature(self, p: Any, out: Any = None) -> tuple[Any, float]:
        """S p, and <p : S : p>."""
        Kp = self._compliant(p)
        return Kp, work(p, Kp)

    def update_residual(
        self, r: Any, alpha: float = 0.0, q: Any = None, weights: Any = None
    ) -> tuple[Any, float]:
        """r <- r - alpha q; z = M r, and <r, z>.

        What is compatible in r does no work on z, and is taken out of it.
        """
        assert weights is None
        if q is not None and self.fields is not None:
            self.fields.subtract(r, alpha, q)
        elif q is not None:
            r -= alpha * q
        u = self._compatible(self._reference(r))
        # of the means, what stresses on the held components can do anything about
        held, C0 = ~self.load.free, self.reference_stiffness
        missing = to_numpy(mean(r)).astype(float)
        stress, S0 = np.zeros(6), np.linalg.inv(C0)
        stress[held] = np.linalg.solve(S0[np.ix_(held, held)], missing[held])
        shift = S0 @ stress - missing
        if self.fields is not None:
            square = self.fields.take_compatible(r, u, shift)
            return self._reference(r), square
        r -= self.scheme.strain(u, self.grid)
        r += self.asarray(shift)[:, None, None, None]
        z = self._reference(r)
        return z, work(r, z)

    def update_direction(
        self, v: Any, alpha: float, p: Any, beta: float, z: Any, weights: Any = None
    ) -> None:
        """See `Equilibrium.update_direction`."""
        if self.fields is None:
            super().update_direction(v, alpha, p, beta, z, weights)
        else:
            self.fields.update_direction(v, alpha, p, beta, z)

    def strain_norm(self, strain: Any) -> float:
        """sqrt(<e : C0 : e>)."""
        return max(work(strain, self._reference(strain)), 0.0) ** 0.5

    def dot(self, a: Any, b: Any) -> float:
        """<a : b>, of a stress and a strain."""
        return work(a, b)

    def _compliant(self, stress: Any) -> Any:
        """S s."""
        if self.fields is not None:
            return self.fields.strain(stress)
        return self.material.compliance.apply(stress)

    def _reference(self, strain: Any) -> Any:
        """C0 e."""
        return multiply(self.asarray(self.reference_stiffness), strain)

    def _displacement(self, strain: Any) -> tuple[Any, Any]:
        """The fluctuation whose strain is nearest, and the mean strain."""
        xp = self.backend.xp
        u = self._compatible(self._reference(strain))
        prescribed = self.asarray(self.load.mean_strain)
        return u, xp.where(xp.asarray(self.load.free), mean(strain), prescribed)

    def _compatible(self, stress: Any) -> Any:
        """M D* s: the displacement whose strain is nearest to C0^-1 s."""
        if self.fields is not None:
            return self.fields.displacement(stress)
        return self.green.solve(self.scheme.strain_adjoint(stress, self.grid))


def _kernels(
    body: Microstructure,
    scheme: Discretization,
    backend: Backend,
    reference: tuple[float, float],
) -> Any:
    """Compiled operators of a body."""
    from fftmech.kernels.stress import StressKernels

    C, used = body.stiffness, body.phases
    assert C is not None and isinstance(scheme, StencilDiscretization)
    S = np.zeros_like(C)
    S[used] = compliance(C[used])
    green = get_kernels(scheme, body.grid, body.phase, C, None, reference, backend)
    assert green is not None
    C0 = reference_stiffness(*reference)
    of = body.grid, body.phase, S, scheme
    return StressKernels(*of, green, C0, backend.threads)
