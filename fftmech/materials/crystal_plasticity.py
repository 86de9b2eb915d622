"""Elasto-viscoplastic crystals."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import Material, MatrixTangent, Response, StrainStep
from fftmech.materials.slip import (
    SlipLaw,
    constants,
    farthest,
    resistance,
    schmid_tensors,
)
from fftmech.materials.slip_flow import SlipFlow


class CrystalPlasticityMaterial(Material):
    """s = C (e - e_p), where e_p follows from slip.

        d e_p / dt = sum_a d gamma_a / dt P_a

    with the slip rates and the hardening of `fftmech.materials.slip`, C of any
    symmetry, and slip systems turned with the crystal. Backward Euler in e_p and in the
    accumulated slip (Lebensohn, Kanjarla & Eisenlohr 2012,
    doi:10.1016/j.ijplas.2011.12.005, solve for the stress likewise); the tangent is the
    derivative of that step. It is symmetric without hardening, and nearly so with it.

    Attributes
    ----------
    schmid
        P_a of each row, Mandel (R, N, 6).
    family, farthest
        Of each system, (N,), and the bound on its slip of each row, (R,).
    compliance
        C^-1, Mandel (R, 6, 6).
    constants
        rate0, exponent, tau0, tau1, theta0 and theta1, (6, R, F).

    Raises
    ------
    InputError
        A phase without stiffness.
    """

    foresight = True
    variables = {"plastic_strain": 6, "accumulated_slip": 1}

    def prepare(self) -> None:
        """See `Material.prepare`."""
        if not self.stiffness.any(axis=(1, 2)).all():
            raise InputError(
                "crystal_plasticity: the phase is a pore: give it a stiffness, such as "
                "cubic = { C11 = ..., C12 = ..., C44 = ... }, or leave out the law"
            )
        self.schmid = schmid_tensors(self.laws, self.rotation)
        self.family = self.laws[0].family
        self.compliance = np.linalg.inv(self.stiffness)
        self.constants = constants(self.laws)
        self.farthest = farthest(self.laws, self.compliance)

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`; it does not depend on `before`."""
        rows, strain, state = step.rows, step.strain, step.state
        xp = namespace(strain)
        target = (xp.asarray(strain, dtype=float) - state[:6]).T
        rate0, exponent, *hardening = xp.asarray(self.constants)[:, rows]
        stiffness = xp.asarray(self.stiffness)[rows]
        schmid = xp.asarray(self.schmid)[rows]
        stress, flow = SlipFlow(
            schmid=schmid,
            family=xp.asarray(self.family),
            compliance=xp.asarray(self.compliance)[rows],
            target=target,
            guess=xp.einsum("nij,nj->ni", stiffness, target),
            farthest=xp.asarray(self.farthest)[rows],
            rate=rate0 * step.dt,
            exponent=exponent,
            hardening=hardening,
            accumulated=state[6],
            implicit=True,
            linear_below=xp.zeros_like(rate0),
            foreseen=None if step.foreseen is None else step.foreseen.T,
        ).solve()
        plastic = state[:6] + xp.einsum("na,nai->in", flow.slip, schmid)
        state = xp.concatenate([plastic, flow.accumulated[None]])
        tangent = None
        if step.precision is not None:
            matrix = xp.moveaxis(xp.linalg.inv(flow.jacobian), 0, -1)
            tangent = MatrixTangent(xp.asarray(matrix, dtype=step.precision))
        return Response(xp.asarray(stress.T, dtype=strain.dtype), state, tangent)

    def slip(self, rows: Any, stress: Any, begun: Any, ended: Any, dt: float) -> Any:  # noqa: ARG002
        """Slip of each system in a step, (n, N), by its states and its last stress."""
        xp = namespace(stress)
        rate0, exponent, *hardening = xp.asarray(self.constants)[:, rows]
        g = resistance(ended[6][:, None], hardening)[0]
        own = xp.asarray(self.family)
        rate0, exponent, g = (c[:, own] for c in (rate0, exponent, g))
        tau = xp.einsum("nai,in->na", xp.asarray(self.schmid)[rows], stress)
        return dt * rate0 * xp.sign(tau) * abs(tau / g) ** exponent


@dataclass(frozen=True, kw_only=True)
class CrystalPlasticity(SlipLaw):
    """Constants of an elasto-viscoplastic crystal; its stiffness is the phase's.

    Fewer than five independent systems leave strains that are elastic alone.
    """

    name = "crystal_plasticity"
    material = CrystalPlasticityMaterial
