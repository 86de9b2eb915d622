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

from ecosurrogate.blocks import (
    Compatibility,
    Equilibrium,
    Gains,
    MeanField,
    Projection,
    StressFunctions,
)
from ecosurrogate.bodies import Bodies
from ecosurrogate.descent import (
    better_stress,
    descent,
    line_search,
    size,
    subspace,
)
from ecosurrogate.fields import average, single
from ecosurrogate.losses import apply
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
    """

    strain: Tensor
    stress: Tensor
    path: tuple[tuple[Tensor, Tensor], ...] = ()


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
        self.compatible = Projection("compatible")
        self.equilibrated = Projection("equilibrated")
        self.means = Means()

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        C, operators = bodies.stiffness, bodies.operators
        strain = self.means.strain(torch.zeros_like(C[:, 0]), bodies)
        C_e = apply(C, strain)
        g = descent(C_e, bodies)
        C_g = apply(C, g)
        unit = size(g)
        out = self.network(torch.cat([bodies.inputs, g / unit, C_g / unit], dim=1))
        out = unit * single(out)
        alpha = line_search(g, C_g, C_e)
        strain = strain + alpha * g + self.compatible(out[:, :6], operators)
        stress = C_e + alpha * C_g + out[:, 6:]
        return Prediction(
            *self.means(strain, self.equilibrated(stress, operators), bodies)
        )


class IteratedPECO(nn.Module):
    """`corrections` steps of one network, each certified and none for the worse.

    Each correction computes g = -Gamma C e, the steepest descent of the energy in the
    norm of C0, shows the network g and C g in units of the size of g, adds to g its
    guess y projected on compatible strains, and goes along this direction and the last
    one as far as the energy falls: an exact minimum over two numbers. With y = 0 this
    is the conjugate gradient method. The stress is C e projected on equilibrated
    fields, which needs no operation beyond those for the next g, and is combined with
    the last one so that its complementary energy falls too. So neither energy error
    ever grows, nor their sum, the certificate.

    A correction takes two Green operations, and the model one more.

    Parameters
    ----------
    backbone, channels
        As in `UNetModel`.
    corrections
        Number of corrections; may be changed after training.

    Raises
    ------
    InputError
        Less than one correction.
    """

    def __init__(self, backbone: Backbone, channels: int, corrections: int = 3) -> None:
        super().__init__()
        if corrections < 1:
            raise InputError(f"corrections {corrections}: expected at least 1")
        self.corrections = corrections
        self.network = backbone(channels + 12, 6)
        # without it the network would have to learn to pass its input on
        self.linear = nn.Conv3d(12, 6, 1, bias=False)
        nn.init.zeros_(self.linear.weight)
        self.compatible = Projection("compatible")
        self.means = Means()

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        C, operators = bodies.stiffness, bodies.operators
        strain = self.means.strain(torch.zeros_like(C[:, 0]), bodies)
        C_e = apply(C, strain)
        g = descent(C_e, bodies)
        stress = self.means.stress(C_e + operators.stiffness(g), C_e, bodies)
        path = [(strain, stress)]
        last: list[tuple[Tensor, Tensor]] = []
        for _ in range(self.corrections):
            unit = size(g)
            seen = torch.cat([g / unit, apply(C, g) / unit], dim=1)
            y = single(self.network(torch.cat([bodies.inputs, seen], dim=1)))
            y = unit * (y + self.linear(seen))
            direction = g + self.compatible(y - average(y), operators)
            C_d = apply(C, direction)
            pairs = [(direction, C_d), *last]
            steps = subspace(pairs, C_e)
            d, C_d = torch.zeros_like(strain), torch.zeros_like(strain)
            for a, (d_i, C_d_i) in zip(steps, pairs, strict=True):
                d, C_d = d + a * d_i, C_d + a * C_d_i
            last = [(d, C_d)]
            strain = self.means.strain(strain + d, bodies)
            C_e = apply(C, strain)
            g = descent(C_e, bodies)
            new = self.means.stress(C_e + operators.stiffness(g), C_e, bodies)
            stress = better_stress(stress, new, bodies)
            path.append((strain, stress))
        return Prediction(strain, stress, tuple(path[:-1]))


class Means(nn.Module):
    """Means of strain and stress: prescribed ones, and the best free ones.

    Free mean strains minimise the energy. Free mean stresses minimise the complementary
    energy, or, in bodies with pores, where there is none, are those of C e.
    """

    def __init__(self) -> None:
        super().__init__()
        self.solved = {f: MeanField(f, "solved") for f in ("strain", "stress")}
        self.given = MeanField("stress", "predicted")

    def forward(
        self, strain: Tensor, stress: Tensor, bodies: Bodies
    ) -> tuple[Tensor, Tensor]:
        """Replace both means."""
        strain = self.strain(strain, bodies)
        return strain, self.stress(stress, apply(bodies.stiffness, strain), bodies)

    def strain(self, strain: Tensor, bodies: Bodies) -> Tensor:
        """Replace the mean of a strain."""
        return self.solved["strain"](strain, bodies.load, bodies.stiffness)

    def stress(self, stress: Tensor, C_e: Tensor, bodies: Bodies) -> Tensor:
        """Replace the mean of a stress."""
        if bool(bodies.solid.all()):
            return self.solved["stress"](stress, bodies.load, bodies.compliance)
        return self.given(stress, bodies.load, average(C_e)[..., 0, 0, 0])


MODELS: dict[str, type[nn.Module]] = {
    "unet": UNetModel,
    "w-eco": WECO,
    "s-eco": SECO,
    "p-eco": PECO,
    "p-eco-stepped": SteppedPECO,
    "p-eco-iterated": IteratedPECO,
}
"""Models by the name on the command line."""
