"""Elasto-viscoplastic crystals."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import Response, StrainStep
from fftmech.materials.held_slip import CrystalMaterial
from fftmech.materials.slip import SlipLaw, farthest, schmid_tensors
from fftmech.materials.slip_flow import SlipFlow
from fftmech.materials.tangent import MatrixTangent


class CrystalPlasticityMaterial(CrystalMaterial):
    """s = C (e - e_p), where e_p follows from slip.

        d e_p / dt = sum_a d gamma_a / dt P_a

    with the slip rates and the hardening of `fftmech.materials.slip`, C of any
    symmetry, and slip systems turned with the crystal. Backward Euler in e_p and in the
    accumulated slip (Lebensohn, Kanjarla & Eisenlohr 2012,
    doi:10.1016/j.ijplas.2011.12.005, solve for the stress likewise); the tangent is the
    derivative of that step. It is symmetric without hardening, and nearly so with it.

    The strain that a stress belongs to is explicit but for the accumulated slip G at
    the end of the step, a scalar equation. With the resistances g held at some G it is
    the gradient of a potential, where strains count from e_p at its beginning:

        w*(s) = 1/2 s : C^-1 : s + dt sum_a rate0 g |tau_a / g|^(n + 1) / (n + 1)

    With ratios of latent hardening g is held in a step (`CrystalMaterial`): the state
    has the slip of each system, too, and that expected in a step, or brought by it.

    Attributes
    ----------
    schmid
        P_a of each row, Mandel (R, N, 6).
    farthest
        Bound on the slip of a system of each row, (R,).
    compliance
        C^-1, Mandel (R, 6, 6).

    Raises
    ------
    InputError
        A phase without stiffness.
    """

    foresight = True
    variables = {"plastic_strain": 6, "accumulated_slip": 1}
    held = None
    hardens = True

    def prepare(self) -> None:
        """See `Material.prepare`."""
        if not self.stiffness.any(axis=(1, 2)).all():
            raise InputError(
                "crystal_plasticity: the phase is a pore: give it a stiffness, such as "
                "cubic = { C11 = ..., C12 = ..., C44 = ... }, or leave out the law"
            )
        self.schmid = schmid_tensors(self.laws, self.rotation)
        self.prepare_slip(7)
        self.compliance = np.linalg.inv(self.stiffness)
        grows = bool(self.constants[[3, 5]].any())
        self.hardens = self.held is None and grows
        self.farthest = farthest(self.laws, self.compliance)

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`; it does not depend on `before`."""
        rows, strain, state = step.rows, step.strain, step.state
        xp = namespace(strain)
        elastic = xp.asarray(strain, dtype=float) - state[:6]
        foreseen = None if step.foreseen is None else step.foreseen.T
        problem = self._problem(rows, elastic, state, step.dt, foreseen=foreseen)
        stress, flow = problem.solve()
        state = self._after(state, problem, flow.slip)
        tangent = None
        if step.precision is not None:
            matrix = xp.moveaxis(xp.linalg.inv(flow.jacobian), 0, -1)
            tangent = MatrixTangent(xp.asarray(matrix, dtype=step.precision))
        return Response(xp.asarray(stress.T, dtype=strain.dtype), state, tangent)

    def for_potentials(self, begun: Any, ended: Any) -> Any:
        """See `Material.for_potentials`: with the slip accumulated in the end."""
        if self.held is not None:
            return begun
        return namespace(begun).concatenate([begun[:6], ended[6:]])

    def inelastic_strain(self, state: Any) -> Any:
        """See `Material.inelastic_strain`: e_p."""
        return state[:6]

    def energy(self, rows: Any, strain: Any, state: Any = None, dt: float = 1.0) -> Any:
        """See `Material.energy`: max_s [s : e - w*(s)], g held at the state's G."""
        problem = self._problem(rows, strain, state, dt, implicit=False)
        stress = problem.solve()[0].T
        work = (stress * strain).sum(axis=0)
        return work - self.conjugate_energy(rows, stress, state, dt)

    def conjugate_energy(
        self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0
    ) -> Any:
        """See `Material.conjugate_energy`: w* with g held at the state's G."""
        problem = self._problem(rows, stress, state, dt, implicit=False)
        slip, tau = problem.slip(stress.T)[0], problem.resolve(stress.T)
        n = problem.exponent[:, problem.family]
        work = (stress * self._elastic_strain(rows, stress)).sum(axis=0)
        return work / 2 + (slip * tau / (n + 1)).sum(axis=1)

    def conjugate_strain(
        self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0
    ) -> Any:
        """See `Material.conjugate_strain`: beyond e_p, with the last g."""
        problem = self._problem(rows, stress, state, dt)
        slip, _ = problem.slip(stress.T)
        slipped = namespace(stress).einsum("na,nai->in", slip, problem.schmid)
        return self._elastic_strain(rows, stress) + slipped

    def state_after(self, rows: Any, stress: Any, state: Any, dt: float) -> Any:
        """See `Material.state_after`."""
        problem = self._problem(rows, stress, state, dt)
        return self._after(state, problem, problem.slip(stress.T)[0])

    def slip(self, rows: Any, stress: Any, begun: Any, ended: Any, dt: float) -> Any:
        """Slip of each system in a step, (n, N), by its states and its last stress."""
        held = self.for_potentials(begun, ended)
        return self._problem(rows, stress, held, dt, implicit=False).slip(stress.T)[0]

    def _after(self, state: Any, problem: SlipFlow, slip: Any) -> Any:
        """State after slip of each system, (n, N)."""
        xp = namespace(slip)
        plastic = state[:6] + xp.einsum("na,nai->in", slip, problem.schmid)
        total, *slips = self._brought(state, slip)
        return xp.concatenate([plastic, state[6:7] + total, *slips])

    def _elastic_strain(self, rows: Any, stress: Any) -> Any:
        xp = namespace(stress)
        return xp.einsum("nij,jn->in", xp.asarray(self.compliance)[rows], stress)

    def _problem(
        self,
        rows: Any,
        strain: Any,
        state: Any,
        dt: float,
        *,
        implicit: bool = True,
        foreseen: Any = None,
    ) -> SlipFlow:
        xp, target = namespace(strain), strain.T
        rate0, exponent, *hardening = xp.asarray(self.constants)[:, rows]
        stiffness = xp.asarray(self.stiffness)[rows]
        if state is None:
            state = xp.asarray(self.start(rows))
        if self.held is not None:
            g = self.resistances(rows, state)
            hardening = g, *[xp.zeros_like(g)] * 3
        return SlipFlow(
            schmid=xp.asarray(self.schmid)[rows],
            family=xp.asarray(self.family),
            compliance=xp.asarray(self.compliance)[rows],
            target=target,
            guess=xp.einsum("nij,nj->ni", stiffness, target),
            farthest=xp.asarray(self.farthest)[rows],
            rate=rate0 * dt,
            exponent=exponent,
            hardening=hardening,
            accumulated=state[6],
            implicit=implicit and self.held is None,
            linear_below=xp.zeros_like(rate0),
            foreseen=foreseen,
        )


@dataclass(frozen=True, kw_only=True)
class CrystalPlasticity(SlipLaw):
    """Constants of an elasto-viscoplastic crystal; its stiffness is the phase's.

    Fewer than five independent systems leave strains that are elastic alone.
    """

    name = "crystal_plasticity"
    material = CrystalPlasticityMaterial
