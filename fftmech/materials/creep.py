"""Power-law creep of an elastic solid."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import Law, Material, Response, StrainStep, positive, table
from fftmech.materials.isotropy import RadialTangent, moduli, pick
from fftmech.tensors.points import join, norm, split

# Newton's method begins within a factor of two of the root.
ITERATIONS = 30

CONSTANTS = ("rate0", "stress0", "exponent")


class CreepMaterial(Material):
    """s = K tr(e) 1 + 2 G dev(e - e_c), where e_c creeps by a power of the stress.

        q = sqrt(3/2) |dev s|
        d e_c / dt = 3/2 dp / dt dev s / q,   dp / dt = rate0 (q / stress0)^exponent

    (Norton), integrated by backward Euler: the elastic trial stress is returned along
    its own direction until q + 3 G dp = q_trial, with the consistent tangent. Any dt is
    stable; the error at the end of a path falls like dt. Creep keeps the volume.

    Raises
    ------
    InputError
        A stiffness that is not isotropic, or is a pore's.
    """

    variables = {"creep_strain": 6, "accumulated_creep_strain": 1}

    def prepare(self) -> None:
        """See `Material.prepare`."""
        columns = [table(self.laws, name) for name in CONSTANTS]
        self._table = np.column_stack([moduli(self.stiffness, "creep"), *columns])

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`; it does not depend on `before`."""
        strain, state = step.strain, step.state
        K, G, rate0, stress0, exponent = pick(self._table, step.rows, strain)
        trace, deviator = split(strain)
        trial = 2 * G * (deviator - state[:6])
        q_trial = 1.5**0.5 * norm(trial)
        # in units of stress0: q + a q^n = q_trial, and 3 G dp / q = a q^(n - 1)
        a = 3 * G * rate0 * step.dt / stress0
        q = relaxed(q_trial / stress0, a, exponent)
        softer = a * q ** (exponent - 1)
        flow = softer / (1 + softer) / (2 * G) * trial
        stress = join(K * trace, trial / (1 + softer))
        dp = (2 / 3) ** 0.5 * norm(flow)
        state = namespace(strain).concatenate([state[:6] + flow, (state[6] + dp)[None]])
        tangent = None
        if step.precision is not None:
            across = 2 * G / (1 + softer)
            along = 2 * G / (1 + exponent * softer)
            tangent = RadialTangent.of(K, across, along, trial, step.precision)
        return Response(stress, state, tangent)


def relaxed(trial: Any, a: Any, exponent: Any) -> Any:
    """Root q of q + a q^n = trial, (n,), for a > 0; NaN where none is found.

    The left side is convex and grows with q, and neither term is more than the right
    side: Newton's method from the lesser of both bounds comes down to the root.
    """
    xp = namespace(trial)
    bound = (trial / a) ** (1 / exponent)
    q = xp.where(bound < trial, bound, trial)
    # what the rounding of q makes of its power
    rounding = (4 + exponent) * float(xp.finfo(trial.dtype).eps)
    for _ in range(ITERATIONS):
        slope = a * q ** (exponent - 1)
        excess = q + slope * q - trial
        active = excess > rounding * trial
        if not active.any():
            return q
        q = q - xp.where(active, excess / (1 + exponent * slope), 0.0)
    return xp.where(active, xp.nan, q)


@dataclass(frozen=True)
class Creep(Law):
    """Constants of power-law creep; the elasticity is the phase's, isotropic.

    Attributes
    ----------
    rate0
        Rate of equivalent creep strain at stress0, > 0, one over time.
    stress0
        Equivalent stress, > 0, stress units.
    exponent
        n >= 1.
    """

    name = "creep"
    isochoric = True
    material = CreepMaterial

    rate0: float
    stress0: float
    exponent: float

    def __post_init__(self) -> None:
        positive(self, "rate0", "stress0")
        if not self.exponent >= 1:
            raise InputError(f"exponent = {self.exponent!r}", "1 or more")
