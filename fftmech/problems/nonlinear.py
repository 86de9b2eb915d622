"""The discrete problem of one time step of a nonlinear body.

Small strain: e = E + sym(D u), D* s(e) = 0; finite: F = F_mean + D u, D* P(F) = 0 in
the undeformed cell. The stress at the end of the step follows from the strain there and
from what the body was at the beginning (`fftmech.materials.base`).
"""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fftmech.arrays.backend import Backend, to_numpy
from fftmech.arrays.threads import threads_for
from fftmech.discretization.base import Discretization
from fftmech.discretization.stencil import StencilDiscretization
from fftmech.kernels import get_kernels, has_point_kernels
from fftmech.microstructure.base import Microstructure, total_eigenstrain
from fftmech.operators.reference_medium import reference_medium
from fftmech.problems.equilibrium import Equilibrium, Means
from fftmech.problems.kinematics import Kinematics
from fftmech.problems.material_field import FieldTangent, MaterialField, State
from fftmech.tensors.fields import determinant, mean


@dataclass(frozen=True)
class StepStart:
    """State of a body at the beginning of a time step.

    Attributes
    ----------
    strain
        At integration points, (q, c, x, y, z).
    state
        Internal variables.
    """

    strain: Any
    state: State


class Evaluation(NamedTuple):
    """Strain, stress and residual of an unknown v.

    Attributes
    ----------
    mean_stress
        (c,), on the host.
    residual
        Of the precision `Equilibrium.search`.
    strain, stress
        (q, c, x, y, z).
    state
        Internal variables at the end of the step.
    tangent
        None where it was not asked for.
    """

    mean_stress: np.ndarray
    residual: Any
    strain: Any
    stress: Any
    state: State
    tangent: FieldTangent | None


class TimeStep(Equilibrium):
    """Equilibrium of a nonlinear body at the end of a step.

    Parameters
    ----------
    microstructure
        Checked; its eigenstrain includes thermal expansion.
    kinematics
        Small or finite strain.
    load
        Means at the end of the step.
    scheme, backend, precision
        Discretization, arrays, and real dtype of the unknown.
    reference
        Moduli of the reference medium; those of the stiffnesses' mean if None.
    kernels
        Whether to use compiled kernels where there are some.

    Attributes
    ----------
    largest
        Norm (C0^-1) of the largest mean stress on the path so far.
    linear_iterations
        Conjugate gradient iterations since `begin`.
    points
        Compiled strains and adjoints, or None for the reference code.
    """

    def __init__(
        self,
        microstructure: Microstructure,
        kinematics: Kinematics,
        load: Means,
        scheme: Discretization,
        backend: Backend,
        precision: Any = np.float64,
        reference: tuple[float, float] | None = None,
        kernels: bool = True,
    ) -> None:
        assert microstructure.stiffness is not None
        self.microstructure = microstructure
        self.kinematics = kinematics
        self.material = MaterialField(
            microstructure,
            kinematics.finite,
            total_eigenstrain(microstructure),
            backend,
        )
        self.points = None
        reference = reference or reference_medium(microstructure)
        compiled = None
        if kernels and has_point_kernels(scheme):
            compiled = get_kernels(
                scheme,
                microstructure.grid,
                microstructure.phase,
                microstructure.stiffness,
                None,
                reference,
                backend,
            )
            self.points = _point_kernels(scheme, microstructure, kinematics, backend)
        super().__init__(
            microstructure.grid,
            scheme,
            backend,
            precision,
            load,
            reference,
            kinematics.reference(*reference),
            compiled,
        )
        rest = self.uniform(kinematics.rest)
        self.begin(StepStart(rest, self.material.start(scheme.points)), 1.0)

    def begin(self, start: StepStart, dt: float, stress: Any = None) -> None:
        """Set the state and the stress at the beginning of the step, and its duration.

        The stress, (q, c, x, y, z), is where a solver may start from; None if there is
        none.
        """
        self.start, self.dt, self.stress = start, dt, stress
        self.last: Evaluation | None = None
        self._at: Any = None
        self.largest = 0.0
        self.linear_iterations = 0

    def prepare_laws(self) -> float:
        """Make what the first evaluation needs; seconds spent on compiling kernels."""
        started = time.perf_counter()
        if self.points is not None:
            self.points.prepare(self.precision, self.search)
        self.material.prepare(self.start.strain, self.search)
        return time.perf_counter() - started

    def set_load(self, load: Means) -> None:
        """Prescribe other means."""
        self._set_load(load)

    @property
    def scale(self) -> float:
        """Energy density that the load would put into the reference medium."""
        C0 = self.reference_stiffness
        strain = self.load.mean_strain - self.kinematics.rest
        stress = self.load.mean_stress
        scale = strain @ C0 @ strain + stress @ np.linalg.solve(C0, stress)
        if self.material.eigenstrain is not None:
            scale += float(abs(self.material.eigenstrain).max()) ** 2 * np.trace(C0)
        return float(scale)

    def strain(self, v: Any) -> Any:
        """Strain at integration points, (q, c, x, y, z)."""
        return self.derive(self.displacement(v), self.mean_strain(v))

    def strain_and_stress(self, v: Any) -> tuple[Any, Any]:
        """Strain from rest on and stress of the v that was evaluated last.

        At integration points, (q, c, x, y, z).
        """
        assert self.last is not None
        rest = self.asarray(self.kinematics.rest)[:, None, None, None]
        return self.last.strain - rest, self.last.stress

    def inverted(self) -> float:
        """Fraction of the solid's integration points with det F <= 0, evaluated last.

        0 at small strain.
        """
        if not self.kinematics.finite:
            return 0.0
        assert self.last is not None
        F = self.last.strain
        J = determinant(F.reshape(len(F), 3, 3, *self.grid.shape))
        solid = ~np.isin(self.microstructure.phase, self.microstructure.pores)
        return float((J <= 0)[:, self.backend.xp.asarray(solid)].mean())

    def derive(self, u: Any, E: Any) -> Any:
        """Strain (q, c, x, y, z) of nodal values (n, x, y, z) and a mean (c,)."""
        if self.points is not None:
            return self.points.gradient(u, to_numpy(E).astype(float))
        return self.kinematics.strain(self.scheme, u, E, self.grid)

    def adjoin(self, stress: Any) -> Any:
        """D* s, (n, x, y, z), of a stress (q, c, x, y, z)."""
        if self.points is not None:
            return self.points.adjoint(stress)
        return self.kinematics.adjoint(self.scheme, stress, self.grid)

    def evaluate(
        self, v: Any, tangent: bool = False, foreseen: Any = None
    ) -> Evaluation:
        """Strain, stress, state and residual of v; the last one is kept in `last`.

        `foreseen` is the stress that the last tangent predicted, (q, c, x, y, z).
        """
        strain = self.strain(v)
        start = self.start
        precision = self.search if tangent else None
        response = self.material.respond(
            strain, start.strain, start.state, self.dt, precision, foreseen
        )
        stress = response.stress
        mean_stress = to_numpy(mean(stress)).astype(float)
        r = self.backend.xp.empty(v.shape, self.search)
        m = self.means
        r[:-m] = -self.adjoin(stress).ravel()
        r[-m:] = self._on_free(self.load.mean_stress - mean_stress)
        self.last = Evaluation(
            mean_stress, r, strain, stress, response.state, response.tangent
        )
        # who asks for a tangent goes on with another array
        self._at = v if tangent else None
        return self.last

    def balance(
        self, v: Any, dtype: Any = None, out: Any = None
    ) -> tuple[np.ndarray, Any]:
        """Mean stress of v, (c,), and its residual -(D* s, <s> - S where free)."""
        evaluation = self.last if self._at is v and self.last else self.evaluate(v)
        r = evaluation.residual.astype(dtype or self.precision, copy=False)
        return evaluation.mean_stress, r

    def curvature(self, p: Any, out: Any = None) -> tuple[Any, float]:
        """K p at the last v whose tangent was asked for, and <p, K p>."""
        raise TypeError("a nonlinear problem has no K: linearise it")

    def keep(self, v: Any, evaluation: Evaluation) -> None:
        """Take what a solver knows of v for its evaluation."""
        self.last, self._at = evaluation, v

    def uniform(self, values: np.ndarray) -> Any:
        """A field of one value (c,) at all integration points, (q, c, x, y, z)."""
        xp = self.backend.xp
        shape = (self.scheme.points, len(values), *self.grid.shape)
        field = xp.zeros(shape, self.precision)
        field += xp.asarray(values, dtype=self.precision)[:, None, None, None]
        return field


def _point_kernels(
    scheme: Discretization,
    microstructure: Microstructure,
    kinematics: Kinematics,
    backend: Backend,
) -> Any:
    """Compiled strains and adjoints, None where the reference code is all there is."""
    if backend.blocks is None or not has_point_kernels(scheme):
        return None
    assert isinstance(scheme, StencilDiscretization)
    from fftmech.kernels.points import PointKernels

    grid = microstructure.grid
    threads = threads_for(grid.voxels, backend.threads)
    return PointKernels(scheme, grid, kinematics.finite, threads)
