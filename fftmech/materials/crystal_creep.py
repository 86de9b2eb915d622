"""Viscoplastic fcc crystals without elasticity."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import (
    Material,
    MatrixTangent,
    Response,
    StrainStep,
    positive,
    table,
)
from fftmech.materials.elastic import isotropic
from fftmech.materials.slip import SlipLaw, constants, resistance, schmid_tensors
from fftmech.materials.slip_flow import SlipFlow
from fftmech.tensors import J
from fftmech.tensors.points import join, trace

# Least `linear_below`: the viscosity at rest is then infinite but for rounding.
LEAST = 1e-10


class CrystalCreepMaterial(Material):
    """e = dw*/ds, e a rate: slip on {111}<110>, and a bulk viscosity K.

    With x = |P_a : s| / g, n the exponent and x0^n the rate `linear_below` which a
    system is linear,

        w*(s) = tr(s)^2 / (18 K) + rate0 g sum_a psi(x_a)
        psi(x) = x^(n + 1) / (n + 1) + x0^(n + 1) (1/2 - 1 / (n + 1))       x >= x0
               = x0^(n - 1) x^2 / 2                                         x <= x0
        w(e)  = max_s [s : e - w*(s)],   s = dw/de where it is reached

    (Hutchinson 1976, doi:10.1098/rspa.1976.0027, for the powers; solved with FFTs by
    Lebensohn 2001, doi:10.1016/S1359-6454(01)00172-0). The maximum is found by Newton's
    method, and by the envelope theorem the stress is exactly the derivative of w.

    g is that of the beginning of the step: the problem of a step is then convex, with
    the potentials w and w*. The accumulated slip grows afterwards, at the end's rates.

    Attributes
    ----------
    schmid
        P_a of each row, Mandel (R, 12, 6).
    bulk, linear_below
        K, stress units times time, and x0, (R,).
    compliance, guess
        D = d(tr(s)^2 / 18 K)/ds ds, and the viscosity that guesses stresses, (R, 6, 6).
    constants
        rate0, exponent, tau0, tau1, theta0 and theta1, (6, R).
    """

    rate = True
    variables = {"accumulated_slip": 1}

    def prepare(self) -> None:
        """See `Material.prepare`."""
        self.schmid = schmid_tensors(self.rotation)
        self.bulk = table(self.laws, "bulk")
        self.constants = constants(self.laws)
        self.linear_below = table(self.laws, "linear_below") ** (1 / self.constants[1])
        self.compliance = J / (3 * self.bulk[:, None, None])
        self.guess = np.stack([law.stiffness for law in self.laws])

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`."""
        strain, dt, xp = step.strain, step.dt, namespace(step.strain)
        rate = (xp.asarray(strain, dtype=float) - step.before) / dt
        stress, flow = self._problem(step.rows, rate, step.state).solve()
        slip = step.state + dt * abs(flow.slip).sum(axis=1)
        tangent = None
        if step.precision is not None:
            matrix = xp.moveaxis(xp.linalg.inv(flow.jacobian), 0, -1) / dt
            tangent = MatrixTangent(xp.asarray(matrix, dtype=step.precision))
        stress = xp.asarray(stress.T, dtype=strain.dtype)
        return Response(stress, slip, tangent)

    def energy(self, rows: Any, strain: Any, state: Any = None) -> Any:
        """w of rates, power density; `state` is that of the beginning of the step.

        None is the virgin state.
        """
        stress = self._problem(rows, strain, state).solve()[0].T
        work = (stress * strain).sum(axis=0)
        return work - self.conjugate_energy(rows, stress, state)

    def conjugate_energy(self, rows: Any, stress: Any, state: Any = None) -> Any:
        """w* of stresses, power density; see `energy`."""
        xp = namespace(stress)
        rate0, n, g = self._resistance(rows, stress, state)
        bulk, x0 = (xp.asarray(c)[rows] for c in (self.bulk, self.linear_below))
        x = abs(xp.einsum("nai,in->an", xp.asarray(self.schmid)[rows], stress)) / g
        offset = x0 ** (n + 1) * (0.5 - 1 / (n + 1))
        power = x ** (n + 1) / (n + 1) + offset
        psi = xp.where(x < x0, x0 ** (n - 1) * x**2 / 2, power)
        return trace(stress) ** 2 / (18 * bulk) + rate0 * g * psi.sum(axis=0)

    def conjugate_strain(self, rows: Any, stress: Any, state: Any = None) -> Any:
        """dw*/ds of stresses, a rate; see `energy`."""
        xp = namespace(stress)
        bulk, schmid = (xp.asarray(c)[rows] for c in (self.bulk, self.schmid))
        slip = self._slip_rates(rows, stress, state)
        return join(trace(stress) / (9 * bulk), xp.einsum("an,nai->in", slip, schmid))

    def state_after(self, rows: Any, stress: Any, state: Any, dt: float) -> Any:
        """See `Material.state_after`."""
        return state + dt * abs(self._slip_rates(rows, stress, state)).sum(axis=0)

    def _slip_rates(self, rows: Any, stress: Any, state: Any) -> Any:
        """Rates of the systems, (12, n)."""
        xp = namespace(stress)
        rate0, n, g = self._resistance(rows, stress, state)
        x = xp.einsum("nai,in->an", xp.asarray(self.schmid)[rows], stress) / g
        x0 = xp.asarray(self.linear_below)[rows]
        return rate0 * xp.maximum(abs(x), x0) ** (n - 1) * x

    def _resistance(self, rows: Any, like: Any, state: Any) -> tuple[Any, Any, Any]:
        """rate0, exponent and g of each point, (n,)."""
        xp = namespace(like)
        rate0, exponent, *hardening = xp.asarray(self.constants)[:, rows]
        accumulated = xp.zeros(like.shape[1]) if state is None else state[0]
        return rate0, exponent, resistance(accumulated, hardening)[0]

    def _problem(self, rows: Any, rate: Any, state: Any) -> SlipFlow:
        xp = namespace(rate)
        rate0, exponent, g = self._resistance(rows, rate, state)
        target = xp.asarray(rate, dtype=float).T
        still = xp.zeros_like(g)
        return SlipFlow(
            schmid=xp.asarray(self.schmid)[rows],
            compliance=xp.asarray(self.compliance)[rows],
            target=target,
            guess=xp.einsum("nij,nj->ni", xp.asarray(self.guess)[rows], target),
            rate=rate0,
            exponent=exponent,
            hardening=(g, still, still, still),
            accumulated=still,
            implicit=False,
            linear_below=xp.asarray(self.linear_below)[rows],
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

    @property
    def stiffness(self) -> np.ndarray:
        """Viscosity at rate0, isotropic, Mandel (6, 6): bulk K and shear eta.

        2 eta = 1.1 tau0 / rate0 is the mean over orientations (Voigt's) of the
        viscosity of the linear crystal, exponent 1, which is 1/2 tau0 / rate0 for
        stretches along the cube's edges and 3/2 for shears of its faces.
        """
        return isotropic(K=self.bulk, G=0.55 * self.tau0 / self.rate0)
