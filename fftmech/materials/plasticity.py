"""J2 elastoplasticity with isotropic and kinematic hardening."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import Law, Material, Response, StrainStep, positive, table
from fftmech.materials.isotropy import RadialTangent, moduli, nonzero, pick
from fftmech.tensors.points import join, norm, split

# Newton's method needs its quadratic end, and about log(Q b / 3 G) iterations before.
ITERATIONS = 60

CONSTANTS = (
    "yield_stress",
    "hardening",
    "kinematic_hardening",
    "saturation_stress",
    "saturation_rate",
)


class PlasticityMaterial(Material):
    """s = K tr(e) 1 + 2 G dev(e - e_p), where q never exceeds the yield stress.

        q   = sqrt(3/2) |dev s - X|,   X = 2/3 C e_p
        s_y = yield_stress + H p + Q (1 - exp(-b p))
        d e_p = 3/2 dp (dev s - X) / q,   dp >= 0,   q <= s_y,   dp (q - s_y) = 0

    Integrated by backward Euler: the elastic trial stress is returned along its own
    direction, with the consistent tangent (Simo & Hughes, Computational Inelasticity,
    1998, boxes 3.1 and 3.2). Plastic flow keeps the volume.

    Attributes
    ----------
    table
        K, G and the constants of `Plasticity`, (R, 7).

    Raises
    ------
    InputError
        A stiffness that is not isotropic, or is a pore's.
    """

    variables = {"plastic_strain": 6, "accumulated_plastic_strain": 1}

    def prepare(self) -> None:
        """See `Material.prepare`."""
        columns = [table(self.laws, name) for name in CONSTANTS]
        self.table = np.column_stack([moduli(self.stiffness, "plasticity"), *columns])

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`; it depends neither on `before` nor on `dt`."""
        strain, xp = step.strain, namespace(step.strain)
        K, G, yield_stress, H, C, Q, b = pick(self.table, step.rows, strain)
        plastic, p = step.state[:6], step.state[6]
        trace, deviator = split(strain)
        trial = 2 * G * (deviator - plastic)
        relative = trial - 2 / 3 * C * plastic
        q = 1.5**0.5 * norm(relative)
        dp, slope = plastic_increment(q, 3 * G + C, p, yield_stress, H, Q, b)
        ratio = dp / nonzero(q)
        flow = 1.5 * ratio * relative
        stress = join(K * trace, trial - 2 * G * flow)
        state = xp.concatenate([plastic + flow, (p + dp)[None]])
        if step.precision is None:
            return Response(stress, state, None)
        across = 2 * G * (1 - 3 * G * ratio)
        plastic_along = 2 * G * (1 - 3 * G / (3 * G + C + slope))
        along = xp.where(dp > 0, plastic_along, across)
        tangent = RadialTangent.of(K, across, along, relative, step.precision)
        return Response(stress, state, tangent)


def plastic_increment(
    q: Any, stiff: Any, p: Any, yield_stress: Any, H: Any, Q: Any, b: Any
) -> tuple[Any, Any]:
    """Increment dp at which q - stiff dp is the yield stress; zero where q is below.

    The excess of q - stiff dp is convex and falls with dp: Newton's method from zero
    cannot overshoot.

    Returns
    -------
    tuple
        dp, NaN where none is found, and the slope of the yield stress at p + dp, (n,).
    """
    xp = namespace(q)
    dp = xp.zeros_like(q)
    rounding = 4 * float(xp.finfo(q.dtype).eps)
    for _ in range(ITERATIONS):
        left = Q * xp.exp(-b * (p + dp))
        slope = H + b * left
        excess = q - stiff * dp - (yield_stress + H * (p + dp) + Q - left)
        active = excess > rounding * q
        if not active.any():
            return dp, slope
        dp = dp + xp.where(active, excess / (stiff + slope), 0.0)
    return xp.where(active, xp.nan, dp), slope


@dataclass(frozen=True)
class Plasticity(Law):
    """Constants of J2 elastoplasticity; the elasticity is the phase's, isotropic.

    With E, the slope of a uniaxial curve is E (H + C) / (E + H + C) where Q = 0.
    Softening is refused: its solution would depend on the grid.

    Attributes
    ----------
    yield_stress
        Virgin yield stress in uniaxial tension, > 0, stress units.
    hardening
        Linear isotropic modulus H >= 0, stress units.
    kinematic_hardening
        Linear kinematic modulus C >= 0 (Prager), stress units.
    saturation_stress
        Q >= 0, what the yield stress gains by saturating hardening (Voce), stress
        units.
    saturation_rate
        b >= 0, how fast it does, one over strain.
    """

    name = "plasticity"
    isochoric = True
    material = PlasticityMaterial

    yield_stress: float
    hardening: float = 0.0
    kinematic_hardening: float = 0.0
    saturation_stress: float = 0.0
    saturation_rate: float = 0.0

    def __post_init__(self) -> None:
        positive(self, "yield_stress")
        for name in CONSTANTS[1:]:
            value = getattr(self, name)
            if not value >= 0:
                raise InputError(f"{name} = {value!r}", "zero or more")
        if (self.saturation_stress > 0) != (self.saturation_rate > 0):
            raise InputError(
                f"saturation_stress = {self.saturation_stress!r} with saturation_rate "
                f"= {self.saturation_rate!r}",
                "both positive, or neither given",
            )
