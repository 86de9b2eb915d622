"""Linear viscoelasticity: generalised Maxwell model, a Prony series of moduli."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import Law, Material, Response, StrainStep
from fftmech.materials.isotropy import RadialTangent, moduli, pick
from fftmech.tensors.points import join, split

# of a sum of shares
ROUNDING = 1e-9


class ViscoelasticityMaterial(Material):
    """A spring beside Maxwell branches (spring and dashpot in series), isotropic.

        s = K (1 - sum k_i) tr(e) 1 + 2 G (1 - sum g_i) dev(e)
              + sum_i [K k_i tr(e_i) 1 + 2 G g_i dev(e_i)]
        d e_i / dt + e_i / t_i = de / dt

    K and G, the phase's own, are instantaneous: those of a step much shorter than all
    relaxation times t_i. e_i, the strain of a branch's spring, is integrated exactly
    for a strain that is linear in the step (Simo & Hughes, Computational Inelasticity,
    1998, chapter 10):

        e_i <- exp(-dt / t_i) e_i + (1 - exp(-dt / t_i)) t_i / dt (strain - before)

    Its variables are `branch_strain_1`, ...: e_i, Mandel.

    Raises
    ------
    InputError
        A stiffness that is not isotropic, or is a pore's.
    """

    def prepare(self) -> None:
        """See `Material.prepare`."""
        self._moduli = moduli(self.stiffness, "viscoelasticity")
        self.variables = max((law.variables for law in self.laws), key=len)
        self._branches = len(self.variables)
        # branches that a row lacks have no stiffness and no strain
        self._times = self._padded("relaxation_times", np.inf)
        self._shear = self._padded("shear_fractions", 0.0)
        self._bulk = self._padded("bulk_fractions", 0.0)

    def respond(self, step: StrainStep) -> Response:
        """See `Material.respond`; exact for a strain that is linear in the step."""
        rows, strain = step.rows, step.strain
        steps = step.dt / self._times
        decay, gain = np.exp(-steps), np.zeros_like(steps)
        np.divide(-np.expm1(-steps), steps, out=gain, where=steps > 0)
        K, G = pick(self._moduli, rows, strain)
        # the tangent's moduli, relative to K and G
        bulk, shear = (
            pick((1 + (part * (gain - 1)).sum(1))[:, None], rows, strain)[0]
            for part in (self._bulk, self._shear)
        )
        decay, gain, bulk_parts, shear_parts = (
            pick(part, rows, strain) for part in (decay, gain, self._bulk, self._shear)
        )
        trace, deviator = split(strain)
        volumetric = (1 - bulk_parts.sum(0)) * trace
        deviatoric = (1 - shear_parts.sum(0)) * deviator
        branches = []
        for i in range(self._branches):
            old = step.state[6 * i : 6 * i + 6]
            branches.append(decay[i] * old + gain[i] * (strain - step.before))
            trace, deviator = split(branches[i])
            volumetric = volumetric + bulk_parts[i] * trace
            deviatoric = deviatoric + shear_parts[i] * deviator
        stress = join(K * volumetric, 2 * G * deviatoric)
        tangent = None
        if step.precision is not None:
            tangent = RadialTangent.isotropic(K * bulk, 2 * G * shear, step.precision)
        return Response(stress, namespace(strain).concatenate(branches), tangent)

    def _padded(self, name: str, filling: float) -> np.ndarray:
        """A constant of every row and branch, (R, branches)."""
        padded = np.full((len(self.laws), self._branches), filling)
        for row, law in zip(padded, self.laws, strict=True):
            values = getattr(law, name)
            row[: len(values)] = values
        return padded


@dataclass(frozen=True)
class Viscoelasticity(Law):
    """Constants of linear viscoelasticity; the stiffness is the phase's, isotropic.

    The phase's moduli are instantaneous. G(t) / G = 1 - sum g_i (1 - exp(-t / t_i)),
    and K(t) / K likewise with k_i: after a long time 1 - sum g_i is left.

    Attributes
    ----------
    relaxation_times
        t_i > 0, time units, of each branch.
    shear_fractions
        g_i >= 0, share of the shear modulus that relaxes, sum <= 1.
    bulk_fractions
        k_i >= 0, share of the bulk modulus, sum <= 1; none relaxes if left out.
    """

    name = "viscoelasticity"
    material = ViscoelasticityMaterial

    relaxation_times: tuple[float, ...]
    shear_fractions: tuple[float, ...]
    bulk_fractions: tuple[float, ...] = ()

    @property
    def variables(self) -> Mapping[str, int]:
        """See `Law.variables`: the strain of each branch."""
        return {f"branch_strain_{i + 1}": 6 for i in range(len(self.relaxation_times))}

    def __post_init__(self) -> None:
        for name in ("relaxation_times", "shear_fractions", "bulk_fractions"):
            values = tuple(np.atleast_1d(getattr(self, name)).tolist())
            object.__setattr__(self, name, values)
        times = self.relaxation_times
        if not times or not all(time > 0 for time in times):
            raise InputError(f"relaxation_times = {times}", "positive numbers")
        if not self.bulk_fractions:
            object.__setattr__(self, "bulk_fractions", (0.0,) * len(times))
        for name in ("shear_fractions", "bulk_fractions"):
            values = getattr(self, name)
            if len(values) != len(times):
                raise InputError(
                    f"{name} = {values}",
                    f"{len(times)} numbers, one for each relaxation time",
                )
            if min(values) < 0 or sum(values) > 1 + ROUNDING:
                raise InputError(
                    f"{name} = {values}",
                    "shares of the phase's modulus, zero or more, with a sum of at "
                    "most 1",
                )
