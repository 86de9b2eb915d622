"""Viscoplastic crystals without elasticity."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import Response, StrainStep, positive, table
from fftmech.materials.elastic import isotropic
from fftmech.materials.held_slip import CrystalMaterial
from fftmech.materials.slip import (
    INDEPENDENT,
    SlipLaw,
    constants,
    farthest,
    schmid_tensors,
)
from fftmech.materials.slip_flow import SlipFlow
from fftmech.materials.tangent import MatrixTangent
from fftmech.tensors import J
from fftmech.tensors.points import join, trace

# Least `linear_below`: the viscosity at rest is then infinite but for rounding.
LEAST = 1e-10


class CrystalCreepMaterial(CrystalMaterial):
    """e = dw*/ds, e a rate: slip, and a bulk viscosity K.

    With x = |P_a : s| / g, n the exponent and x0^n the rate `linear_below` which a
    system is linear,

        w*(s) = tr(s)^2 / (18 K) + sum_a rate0 g psi(x_a)
        psi(x) = x^(n + 1) / (n + 1) + x0^(n + 1) (1/2 - 1 / (n + 1))       x >= x0
               = x0^(n - 1) x^2 / 2                                         x <= x0
        w(e)  = max_s [s : e - w*(s)],   s = dw/de where it is reached

    (Hutchinson 1976, doi:10.1098/rspa.1976.0027, for the powers; solved with FFTs by
    Lebensohn 2001, doi:10.1016/S1359-6454(01)00172-0). The maximum is found by Newton's
    method, and by the envelope theorem the stress is exactly the derivative of w.

    g is held constant in a step (`CrystalMaterial`): the problem of a step is then
    convex, with the potentials w and w*. The state is the accumulated slip and, at the
    beginning of a step, the slip that is expected in it, at its end the slip that it
    has brought; or, with ratios of latent hardening, these of each system.

    Attributes
    ----------
    schmid
        P_a of each row, Mandel (R, N, 6).
    farthest
        Bound on the slip of a system of each row, (R,).
    bulk, linear_below
        K, stress units times time, (R,), and x0, (R, F).
    compliance, guess
        D = d(tr(s)^2 / 18 K)/ds ds, and the viscosity that guesses stresses, (R, 6, 6).
    """

    rate = True
    foresight = True
    variables = {"accumulated_slip": 1, "increment_of_slip": 1}
    held = 0, 1
    hardens = False

    def prepare(self) -> None:
        """See `Material.prepare`."""
        self.schmid = schmid_tensors(self.laws, self.rotation)
        self.prepare_slip(1)
        self.bulk = table(self.laws, "bulk")
        self.linear_below = table(self.laws, "linear_below")[:, None] ** (
            1 / self.constants[1]
        )
        self.compliance = J / (3 * self.bulk[:, None, None])
        self.farthest = farthest(self.laws, self.compliance)
        self.guess = np.stack([law.stiffness for law in self.laws])

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`."""
        strain, dt, xp = step.strain, step.dt, namespace(step.strain)
        rate = (xp.asarray(strain, dtype=float) - step.before) / dt
        problem = self._problem(step.rows, rate, step.state, step.foreseen)
        stress, flow = problem.solve()
        state = self._after(step.state, dt * flow.slip)
        tangent = None
        if step.precision is not None:
            matrix = xp.moveaxis(xp.linalg.inv(flow.jacobian), 0, -1) / dt
            tangent = MatrixTangent(xp.asarray(matrix, dtype=step.precision))
        stress = xp.asarray(stress.T, dtype=strain.dtype)
        return Response(stress, state, tangent)

    def energy(self, rows: Any, strain: Any, state: Any = None, dt: float = 1.0) -> Any:
        """w of rates, power density; `state` is that of the beginning of the step.

        None is the virgin state.
        """
        stress = self._problem(rows, strain, state).solve()[0].T
        work = (stress * strain).sum(axis=0)
        return work - self.conjugate_energy(rows, stress, state)

    def conjugate_energy(
        self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0
    ) -> Any:
        """w* of stresses, power density; see `energy`."""
        xp = namespace(stress)
        rate0, n, g = self._resistance(rows, stress, state)
        bulk, x0 = (xp.asarray(c)[rows] for c in (self.bulk, self.linear_below))
        own = xp.asarray(self.family)
        rate0, n, g, x0 = (c[:, own] for c in (rate0, n, g, x0))
        x = abs(xp.einsum("nai,in->na", xp.asarray(self.schmid)[rows], stress)) / g
        offset = x0 ** (n + 1) * (0.5 - 1 / (n + 1))
        power = x ** (n + 1) / (n + 1) + offset
        psi = xp.where(x < x0, x0 ** (n - 1) * x**2 / 2, power)
        return trace(stress) ** 2 / (18 * bulk) + (rate0 * g * psi).sum(axis=1)

    def conjugate_strain(
        self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0
    ) -> Any:
        """dw*/ds of stresses, a rate; see `energy`."""
        xp = namespace(stress)
        bulk, schmid = (xp.asarray(c)[rows] for c in (self.bulk, self.schmid))
        slip = self._slip_rates(rows, stress, state)
        return join(trace(stress) / (9 * bulk), xp.einsum("na,nai->in", slip, schmid))

    def state_after(self, rows: Any, stress: Any, state: Any, dt: float) -> Any:
        """See `Material.state_after`."""
        return self._after(state, dt * self._slip_rates(rows, stress, state))

    def slip(self, rows: Any, stress: Any, begun: Any, ended: Any, dt: float) -> Any:
        """Slip of each system in a step, (n, N), by its states and its last stress."""
        return dt * self._slip_rates(rows, stress, begun)

    def _after(self, state: Any, slip: Any) -> Any:
        """State after slip of each system, (n, N)."""
        total, *slips = self._brought(state, slip)
        parts = [state[:1] + total, *(slips or [total])]
        return namespace(slip).concatenate(parts)

    def _slip_rates(self, rows: Any, stress: Any, state: Any) -> Any:
        """Rates of the systems, (n, N)."""
        xp = namespace(stress)
        own = xp.asarray(self.family)
        x0 = xp.asarray(self.linear_below)[rows]
        rate0, n, g = self._resistance(rows, stress, state)
        rate0, n, g, x0 = (c[:, own] for c in (rate0, n, g, x0))
        x = xp.einsum("nai,in->na", xp.asarray(self.schmid)[rows], stress) / g
        return rate0 * xp.maximum(abs(x), x0) ** (n - 1) * x

    def _resistance(self, rows: Any, like: Any, state: Any) -> tuple[Any, Any, Any]:
        """rate0, exponent and g of each point and family, (n, F)."""
        xp = namespace(like)
        rate0, exponent = xp.asarray(self.constants)[:2, rows]
        if state is None:
            state = xp.asarray(self.start(rows))
        return rate0, exponent, self.resistances(rows, state)

    def _problem(
        self, rows: Any, rate: Any, state: Any, foreseen: Any = None
    ) -> SlipFlow:
        xp = namespace(rate)
        rate0, exponent, g = self._resistance(rows, rate, state)
        target = xp.asarray(rate, dtype=float).T
        still = xp.zeros_like(g)
        return SlipFlow(
            schmid=xp.asarray(self.schmid)[rows],
            family=xp.asarray(self.family),
            compliance=xp.asarray(self.compliance)[rows],
            target=target,
            guess=xp.einsum("nij,nj->ni", xp.asarray(self.guess)[rows], target),
            farthest=xp.asarray(self.farthest)[rows],
            rate=rate0,
            exponent=exponent,
            hardening=(g, still, still, still),
            accumulated=still[:, 0],
            implicit=False,
            linear_below=xp.asarray(self.linear_below)[rows],
            foreseen=None if foreseen is None else foreseen.T,
        )


@dataclass(frozen=True, kw_only=True)
class CrystalCreep(SlipLaw):
    """Constants of a viscoplastic crystal: those of slip, and two more.

    Attributes
    ----------
    bulk
        Bulk viscosity K > 0, stress units times time: far above tau0 / rate0 for flow
        that nearly keeps the volume.
    linear_below
        r0, 1e-10 <= r0 < 1: systems that slip at less than r0 rate0 have the viscosity
        of that rate. So rate0 should be about the rate of the load. Less costs more
        iterations of the solver, and 1e-2 changes the mean stress of a copper
        polycrystal with n = 20 by 3 parts in 10,000.
    """

    name = "crystal_creep"
    material = CrystalCreepMaterial

    bulk: float
    linear_below: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "bulk")
        if not LEAST <= self.linear_below < 1:
            raise InputError(
                f"linear_below = {self.linear_below!r}",
                f"between {LEAST:g} and 1, a part of rate0",
            )
        if self.independent < INDEPENDENT:
            raise InputError(
                f"{self.independent} independent slip systems",
                "5: the others cannot strain a crystal without elasticity",
                "add a family (pyramidal_ca), or use crystal_plasticity",
            )

    @property
    def stiffness(self) -> np.ndarray:
        """Viscosity at rate0, isotropic, Mandel (6, 6): bulk K and shear eta.

        2 eta is the mean over orientations (Voigt's) of the viscosity of the linear
        crystal, exponent 1. That of fcc is 1.1 tau0 / rate0, where it is 1/2 tau0 /
        rate0 for stretches along the cube's edges and 3/2 for shears of its faces.
        """
        rate0, _, tau0, *_ = constants([self])[:, 0]
        fluidity = (rate0 / tau0)[self.family]
        P = self.schmid_tensors()
        viscosity = np.linalg.pinv((fluidity * P.T) @ P, rcond=1e-9)
        return isotropic(K=self.bulk, G=float(np.trace(viscosity)) / 10)
