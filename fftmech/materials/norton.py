"""Power-law viscosity without elasticity."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import Law, Material, Response, StrainStep, positive, table
from fftmech.materials.elastic import isotropic
from fftmech.materials.isotropy import RadialTangent, pick
from fftmech.materials.tangent import held
from fftmech.tensors.points import join, norm, split

CONSTANTS = ("bulk", "rate0", "stress0", "exponent", "linear_below")


class NortonMaterial(Material):
    """s = K tr(e) 1 + 2/3 s_eq dev(e) / e_eq, with s_eq a power of e_eq; e is a rate.

    With m = 1 / exponent, r = e_eq / rate0, e_eq = sqrt(2/3) |dev e|, t = s_eq /
    stress0, s_eq = sqrt(3/2) |dev s|, and r0 the rate `linear_below` which the law is
    linear:

        t  = r^m                                   r >= r0
           = r0^(m - 1) r                          r <= r0
        w  = K/2 tr(e)^2 + stress0 rate0 [r^(m + 1) / (m + 1) - c]       r >= r0
           = K/2 tr(e)^2 + stress0 rate0 r0^(m - 1) r^2 / 2              r <= r0
        w* = tr(s)^2 / (18 K) + stress0 rate0 [t^(n + 1) / (n + 1) + c]  r >= r0
           = tr(s)^2 / (18 K) + stress0 rate0 r0^(1 - m) t^2 / 2         r <= r0

    with n = 1 / m and c = r0^(m + 1) (1 / (m + 1) - 1 / 2). A power alone has no
    tangent at rest. Here w is convex, differentiable and quadratic near zero, and w* is
    exactly its conjugate.
    """

    rate = True
    foresight = True

    def prepare(self) -> None:
        """See `Material.prepare`."""
        self.table = np.column_stack([table(self.laws, name) for name in CONSTANTS])

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`; there is no state."""
        strain, dt = step.strain, step.dt
        K, rate0, stress0, exponent, r0 = pick(self.table, step.rows, strain)
        trace, deviator = split((strain - step.before) / dt)
        r = (2 / 3) ** 0.5 * norm(deviator) / rate0
        m = 1 / exponent
        power = r > r0
        xp = namespace(strain)
        # 2 eta, with s = 2 eta dev(e)
        viscosity = 2 / 3 * stress0 / rate0 * xp.where(power, r, r0) ** (m - 1)
        stress = join(K * trace, viscosity * deviator)
        tangent = None
        if step.precision is not None:
            if step.foreseen is not None:
                work = (step.foreseen * deviator).sum(0)
                m = 1 / held(exponent, work, viscosity * (deviator**2).sum(0))
            along = xp.where(power, m, 1.0) * viscosity
            tangent = RadialTangent.of(
                K / dt, viscosity / dt, along / dt, deviator, step.precision
            )
        return Response(stress, step.state, tangent)

    def energy(self, rows: Any, strain: Any, state: Any = None, dt: float = 1.0) -> Any:
        """w of rates, power density."""
        K, rate0, stress0, exponent, r0 = pick(self.table, rows, strain)
        trace, deviator = split(strain)
        r = (2 / 3) ** 0.5 * norm(deviator) / rate0
        m = 1 / exponent
        power = r ** (m + 1) / (m + 1) - _offset(r0, m)
        linear = r0 ** (m - 1) * r**2 / 2
        w = namespace(strain).where(r > r0, power, linear)
        return K / 2 * trace**2 + stress0 * rate0 * w

    def conjugate_energy(
        self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0
    ) -> Any:
        """w* of stresses, power density."""
        K, rate0, stress0, n, r0 = pick(self.table, rows, stress)
        trace, deviator = split(stress)
        t = 1.5**0.5 * norm(deviator) / stress0
        power = t ** (n + 1) / (n + 1) + _offset(r0, 1 / n)
        linear = r0 ** (1 - 1 / n) * t**2 / 2
        w = namespace(stress).where(t > r0 ** (1 / n), power, linear)
        return trace**2 / (18 * K) + stress0 * rate0 * w

    def conjugate_strain(
        self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0
    ) -> Any:
        """dw*/ds of stresses, a rate."""
        K, rate0, stress0, n, r0 = pick(self.table, rows, stress)
        trace, deviator = split(stress)
        t = 1.5**0.5 * norm(deviator) / stress0
        fluidity = namespace(stress).maximum(t, r0 ** (1 / n)) ** (n - 1)
        return join(trace / (9 * K), 1.5 * rate0 / stress0 * fluidity * deviator)


def _offset(r0: Any, m: Any) -> Any:
    """Constant by which the power's w exceeds the linear law's at r0."""
    return r0 ** (m + 1) * (1 / (m + 1) - 0.5)


@dataclass(frozen=True)
class Norton(Law):
    """Constants of a power-law fluid.

    Attributes
    ----------
    bulk
        Bulk viscosity K > 0, stress units times time: far above stress0 / rate0 for
        flow that nearly keeps the volume.
    stress0
        Equivalent stress at rate0, > 0, stress units.
    rate0
        Rate of equivalent strain, > 0, one over time: about that of the load.
    exponent
        n >= 1; with 1 the law is linear.
    linear_below
        r0, 0 < r0 < 1: rates of equivalent strain below r0 rate0 get the viscosity of
        r0 rate0. Linear iterations and mean stress of a sheared sphere, 12^3 voxels,
        contrast 10 in stress, n = 10, with 1e-3 and 1e-4: 2174 and 0.626948, 7967 and
        0.626959.
    """

    name = "norton"
    isochoric = True
    material = NortonMaterial

    bulk: float
    stress0: float
    rate0: float
    exponent: float
    linear_below: float = 1e-3

    def __post_init__(self) -> None:
        positive(self, "bulk", "stress0", "rate0")
        if not self.exponent >= 1:
            raise InputError(f"exponent = {self.exponent!r}", "1 or more")
        if not 0 < self.linear_below < 1:
            raise InputError(
                f"linear_below = {self.linear_below!r}",
                "between 0 and 1, a part of rate0",
            )

    @property
    def stiffness(self) -> np.ndarray:
        """Viscosity at rate0: bulk K and shear stress0 / (3 rate0), Mandel (6, 6)."""
        return isotropic(K=self.bulk, G=self.stress0 / (3 * self.rate0))
