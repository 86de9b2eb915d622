"""Models: a network, and blocks that make admissible fields of what it says.

- `unet`: strain and stress as the network says (the paper);
- `w-eco`: strain as the network says, stress by the constitutive law (eq. 14);
- `s-eco`: strain of a displacement, stress of stress functions (eqs. 9, 12, 13);
- `p-eco`: guesses projected on compatible and on equilibrated fields.

`p-eco` with features starts from one Green step of the solver and shows it to the
network (`SteppedPECO`); iterated, it corrects itself several times (`IteratedPECO`).
"The paper" is Oommen et al. 2025, Equilibrium Conserving Neural Operators for
Super-Resolution Learning. All fields are in the units of `Bodies`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.mechanics.fields import apply, one_of, single
from ecosurrogate.models.admissible_blocks import (
    Compatibility,
    Equilibrium,
    Gains,
    Projection,
    StressFunctions,
)
from ecosurrogate.models.descent import Descent, better, least, size
from ecosurrogate.models.energies import ENERGIES, Kind, StrainEnergy, StressEnergy
from ecosurrogate.models.means import Means
from ecosurrogate.networks.base import Network
from fftmech.errors import InputError

Backbone = Callable[[int, int], Network]
"""Makes a network of its input and output channels."""


class Prediction(NamedTuple):
    """Fields of a batch, Mandel (B, 6, X, Y, Z), in the units of its `Bodies`.

    Attributes
    ----------
    strain, stress
        The prediction.
    path
        Earlier pairs of an iterated model, the first guess first; else empty.
    descended
        The field whose energy an iterated model descends; else None.
    """

    strain: Tensor
    stress: Tensor
    path: tuple[tuple[Tensor, Tensor], ...] = ()
    descended: Kind | None = None


class UNetModel(nn.Module):
    """Strain and stress as the network says: nothing holds but what it has learned.

    Parameters
    ----------
    backbone
        Makes the network.
    channels
        Input channels of a body.
    """

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.network = backbone(channels, 12)

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        out = single(self.network(bodies.inputs))
        return Prediction(out[:, :6] + bodies.mean, out[:, 6:])


class WECO(nn.Module):
    """Strain as the network says, stress by the constitutive law, eq. 14."""

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.network = backbone(channels, 6)

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        strain = single(self.network(bodies.inputs)) + bodies.mean
        return Prediction(strain, apply(bodies.stiffness, strain))


class SECO(nn.Module):
    """Compatible strain and equilibrated stress by construction, eqs. 9 to 13.

    Parameters
    ----------
    backbone, channels
        As in `UNetModel`.
    stress_functions, gains
        As in `Equilibrium`.
    """

    def __init__(
        self,
        backbone: Backbone,
        channels: int,
        stress_functions: StressFunctions = "maxwell",
        gains: Gains = "fixed",
    ) -> None:
        super().__init__()
        potentials = 3 if stress_functions == "maxwell" else 6
        self.network = backbone(channels, 3 + potentials)
        self.compatibility = Compatibility()
        self.equilibrium = Equilibrium(stress_functions, gains, self.network.hidden)
        self.means = Means()

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        hidden = self.network.features(bodies.inputs)
        out = single(self.network.head(hidden))
        strain = self.compatibility(out[:, :3], bodies.operators)
        stress = self.equilibrium(out[:, 3:], bodies.operators, hidden=hidden)
        return Prediction(*self.means(strain, stress, bodies))


class PECO(nn.Module):
    """Guesses projected on compatible strains and equilibrated stresses."""

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.network = backbone(channels, 12)
        self.compatible = Projection("compatible")
        self.equilibrated = Projection("equilibrated")
        self.means = Means()

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        out = single(self.network(bodies.inputs))
        strain = self.compatible(out[:, :6], bodies.operators)
        stress = self.equilibrated(out[:, 6:], bodies.operators)
        return Prediction(*self.means(strain, stress, bodies))


class SteppedPECO(nn.Module):
    """`PECO` that corrects one Green step of the solver, which it is also shown.

    The step: from the uniform strain E along g = -Gamma C E, as far as the energy
    falls. The network sees g and C g in units of the size of g, and its guesses are
    added, in that unit, to the strain and the stress after the step.
    """

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.network = backbone(channels + 12, 12)
        self.linear = _passed_on(12)
        self.compatible = Projection("compatible")
        self.equilibrated = Projection("equilibrated")
        self.means = Means()

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        operators = bodies.operators
        own = StrainEnergy(bodies)
        strain = own.start()
        C_e = apply(own.matrix, strain)
        g = own.gradient(C_e).direction
        C_g = apply(own.matrix, g)
        unit = size(g)
        seen = torch.cat([g / unit, C_g / unit], dim=1)
        out = single(self.network(torch.cat([bodies.inputs, seen], dim=1)))
        out = unit * (out + self.linear(seen))
        (alpha,) = least([(g, C_g)], [own.slope(g, C_e)])
        strain = strain + alpha * g + self.compatible(out[:, :6], operators)
        stress = C_e + alpha * C_g + out[:, 6:]
        return Prediction(
            *self.means(strain, self.equilibrated(stress, operators), bodies)
        )


class IteratedPECO(nn.Module):
    """`corrections` steps of one network, each certified and none for the worse.

    The model descends the energy of the strain, or that of the stress. Each correction
    shows the network the steepest descent g in the norm of C0 and A g, A the Hessian,
    in units of their sizes, projects its guess on admissible directions, and goes to
    the minimum over this direction, g, and the last step. With a guess of zero this is
    the conjugate gradient method. The field of the other kind is the constitutive law's
    projected on admissible ones, which needs no operation beyond those for the next g,
    and is combined with the last one so that its energy falls too. So neither energy
    error ever grows, nor their sum, the certificate.

    A correction takes two Green operations, and the model one more, or, down the energy
    of the stress, two.

    Parameters
    ----------
    backbone, channels
        As in `UNetModel`.
    corrections
        Number of corrections; may be changed after training.
    energy
        "strain" or "stress", see `ecosurrogate.models.energies`.

    Raises
    ------
    InputError
        Less than one correction; no such energy.
    """

    def __init__(
        self,
        backbone: Backbone,
        channels: int,
        corrections: int = 3,
        energy: Kind = "strain",
    ) -> None:
        super().__init__()
        if corrections < 1:
            raise InputError(f"corrections {corrections}", "at least 1")
        self.corrections = corrections
        self.energy: Kind = one_of(energy, Kind, "energy")
        self.network = backbone(channels + 12, 6)
        self.linear = _passed_on(6)
        self.means = Means()

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        if self.energy == "stress" and not bool(bodies.without_pores.all()):
            raise InputError(
                "a body with pores has no complementary energy",
                mend=(
                    "take a model that descends the energy of the strain "
                    "(options.energy=strain)"
                ),
            )
        own = ENERGIES[self.energy](bodies)
        descent = Descent(own)
        path = [self._pair(descent, bodies, None)]
        for _ in range(self.corrections):
            g = descent.gradient.direction
            A_g = apply(own.matrix, g)
            seen = torch.cat([g / size(g), A_g / size(A_g)], dim=1)
            y = single(self.network(torch.cat([bodies.inputs, seen], dim=1)))
            descent.advance(size(g) * (y + self.linear(seen)))
            path.append(self._pair(descent, bodies, path[-1]))
        strain, stress = path[-1]
        if self.energy == "stress":
            # takes off the rounding of all steps; nothing to differentiate
            with torch.no_grad():
                rest = bodies.operators.without_force(stress) - stress
            stress = stress + rest
        return Prediction(strain, stress, tuple(path[:-1]), self.energy)

    def _pair(
        self, descent: Descent, bodies: Bodies, last: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Strain and stress: the field that descends, and the best known other one."""
        x, other = descent.field, descent.gradient.other
        if self.energy == "strain":
            stress = self.means.stress(other, descent.answer, bodies)
            if last and bool(bodies.without_pores.any()):
                best = better(StressEnergy(bodies), last[1], stress)
                stress = torch.where(bodies.without_pores, best, stress)
            return x, stress
        strain = self.means.strain(other, bodies)
        if last:
            strain = better(StrainEnergy(bodies), last[0], strain)
        return strain, x


def _passed_on(channels: int) -> nn.Module:
    """What networks would have to learn to pass on of g and A g; 0 at the start."""
    linear = nn.Conv3d(12, channels, 1, bias=False)
    nn.init.zeros_(linear.weight)
    return linear


MODELS: dict[str, type[nn.Module]] = {
    "unet": UNetModel,
    "w-eco": WECO,
    "s-eco": SECO,
    "p-eco": PECO,
    "p-eco-stepped": SteppedPECO,
    "p-eco-iterated": IteratedPECO,
}
"""Models by the name on the command line."""
