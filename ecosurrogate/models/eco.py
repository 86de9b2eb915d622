"""Models: a network, and blocks that make admissible fields of its outputs.

- `unet`: strain and stress are outputs of the network (eq. 1);
- `w-eco`: strain is an output, stress follows by the constitutive law (eq. 14);
- `s-eco`: strain of a displacement, stress of stress functions (eqs. 9, 12, 13);
- `p-eco`: outputs projected on compatible and on equilibrated fields;
- `p-eco-stepped`: the same, as a correction of one Green step of the solver;
- `p-eco-iterated`: several such corrections.

Equations are those of Oommen et al. 2025, Equilibrium Conserving Neural Operators for
Super-Resolution Learning. All fields are in the units of `Bodies`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.mechanics.fields import apply, full_precision, one_of, single
from ecosurrogate.mechanics.mean_field import FieldName, MeanField
from ecosurrogate.models.admissible_blocks import (
    Compatibility,
    Equilibrium,
    Gains,
    Means,
    NumberHead,
    Projection,
    StressFunctions,
)
from ecosurrogate.models.descent import (
    Descent,
    better,
    line_minimum,
    minimizing_steps,
    rms,
)
from ecosurrogate.models.energies import ENERGIES, StrainEnergy
from ecosurrogate.models.optimal_means import OptimalMeans
from ecosurrogate.networks.base import Network
from fftmech.errors import InputError

Backbone = Callable[[int, int], Network]
"""Makes a network of its input and output channels; models take one, and the number of
input channels of a body."""


class Prediction(NamedTuple):
    """Fields of a batch, Mandel (B, 6, X, Y, Z), in the units of its `Bodies`.

    Of an iterated model, `path` has its earlier pairs, the first guess first, and
    `descended` is the field whose energy it descends; else they are empty and None. In
    boxes with faces `gradient` is the displacement gradient, (B, 3, 3, X, Y, Z), whose
    symmetric part is the strain, and `displacement`, where there is one, that of the
    nodes, in voxels, (B, 3, *nodes).
    """

    strain: Tensor
    stress: Tensor
    path: tuple[tuple[Tensor, Tensor], ...] = ()
    descended: FieldName | None = None
    gradient: Tensor | None = None
    displacement: Tensor | None = None

    @property
    def corrected(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """Pairs after each correction of an iterated model, else the prediction."""
        return (*self.path[1:], (self.strain, self.stress))


class UNetModel(nn.Module):
    """Strain and stress are outputs of the network, without any constraint."""

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.network = backbone(channels, 12)

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        out = single(self.network(bodies.inputs))
        return Prediction(out[:, :6] + bodies.mean, out[:, 6:])


class WECO(nn.Module):
    """Strain is an output of the network, stress follows by the law, eq. 14."""

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.network = backbone(channels, 6)

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        strain = single(self.network(bodies.inputs)) + bodies.mean
        return Prediction(strain, apply(bodies.stiffness, strain))


class SECO(nn.Module):
    """Compatible strain and equilibrated stress by construction, eqs. 9 to 13.

    Stress functions and gains are those of `Equilibrium`. Free means are "optimal", of
    the constitutive law, or "predicted" from the network's last hidden state, for which
    nothing has to be known of the law.
    """

    def __init__(
        self,
        backbone: Backbone,
        channels: int,
        stress_functions: StressFunctions = "beltrami",
        gains: Gains = "fixed",
        means: Means = "optimal",
    ) -> None:
        super().__init__()
        potentials = 3 if stress_functions == "maxwell" else 6
        self.network = backbone(channels, 3 + potentials)
        self.compatibility = Compatibility()
        self.equilibrium = Equilibrium(stress_functions, gains, self.network.hidden)
        if one_of(means, Means, "means") == "optimal":
            self.means = OptimalMeans()
        else:
            self.means = PredictedMeans(self.network.hidden)

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        hidden = self.network.features(bodies.inputs)
        out = single(self.network.head(hidden))
        strain = self.compatibility(out[:, :3], bodies.operators)
        stress = self.equilibrium(out[:, 3:], bodies.operators, hidden=hidden)
        if isinstance(self.means, PredictedMeans):
            return Prediction(*self.means(strain, stress, bodies, hidden))
        return Prediction(*self.means(strain, stress, bodies))


class PredictedMeans(nn.Module):
    """Means of a strain and a stress: prescribed, or from a hidden state where free."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.head = NumberHead(hidden, 12, 0.0)
        self.strain = MeanField("strain")
        self.stress = MeanField("stress")

    def forward(
        self, strain: Tensor, stress: Tensor, bodies: Bodies, hidden: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Replace both means."""
        with full_precision(hidden):
            free = self.head(single(hidden))
        return (
            self.strain(strain, bodies.load, free[:, :6]),
            self.stress(stress, bodies.load, free[:, 6:]),
        )


class PECO(nn.Module):
    """Outputs projected on compatible strains and equilibrated stresses."""

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.network = backbone(channels, 12)
        self.compatible = Projection("compatible")
        self.equilibrated = Projection("equilibrated")
        self.means = OptimalMeans()

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        out = single(self.network(bodies.inputs))
        strain = self.compatible(out[:, :6], bodies.operators)
        stress = self.equilibrated(out[:, 6:], bodies.operators)
        return Prediction(*self.means(strain, stress, bodies))


class SteppedPECO(nn.Module):
    """`PECO` that corrects one Green step of the solver, which is also its input.

    The step leads from the uniform strain E along g = -Gamma C E to the minimum of the
    energy. Inputs of the network are g and C g over the root mean square of g; its
    outputs, in that unit, are added to the strain and the stress after the step.
    """

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.network = backbone(channels + 12, 12)
        self.linear = _skip(12)
        self.compatible = Projection("compatible")
        self.equilibrated = Projection("equilibrated")
        self.means = OptimalMeans()

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        operators = bodies.operators
        energy = StrainEnergy(bodies)
        strain = energy.start()
        C_e = apply(energy.hessian, strain)
        g = energy.gradient(C_e).direction
        C_g = apply(energy.hessian, g)
        unit = rms(g)
        seen = torch.cat([g / unit, C_g / unit], dim=1)
        out = single(self.network(torch.cat([bodies.inputs, seen], dim=1)))
        out = unit * (out + self.linear(seen))
        (alpha,) = minimizing_steps([(g, C_g)], [energy.slope(g, g)])
        strain = strain + alpha * g + self.compatible(out[:, :6], operators)
        stress = C_e + alpha * C_g + out[:, 6:]
        return Prediction(
            *self.means(strain, self.equilibrated(stress, operators), bodies)
        )


class IteratedPECO(nn.Module):
    """`corrections` steps of one network, which keep the best pair so far.

    The model minimises the energy of the strain or of the stress. In each correction
    the network sees the steepest descent g in the norm of C0, and A g, A the Hessian,
    each over its root mean square. Its output is projected on admissible directions,
    and the energy is minimised over this direction, g, and the last step; with an
    output of zero this is the conjugate gradient method. The other field follows by the
    law and a projection that the next g needs anyway, and is combined with that of the
    last step so that its energy falls too. So neither energy error grows, nor the
    certificate, which is their sum, but for rounding: a pair whose certificate is not
    smaller by more than that is not taken, and the one before it stays.

    A correction takes two Green operations; the model takes one more, or two if it
    minimises the energy of the stress. `corrections` may be changed after training.
    """

    def __init__(
        self,
        backbone: Backbone,
        channels: int,
        corrections: int = 3,
        energy: FieldName = "strain",
    ) -> None:
        super().__init__()
        if corrections < 1:
            raise InputError(f"corrections {corrections}", "at least 1")
        self.corrections = corrections
        self.energy: FieldName = one_of(energy, FieldName, "energy")
        self.network = backbone(channels + 12, 6)
        self.linear = _skip(6)
        self.means = OptimalMeans()

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        if self.energy == "stress" and bodies.some_with_pores:
            raise InputError(
                "a body with pores has no complementary energy",
                mend=(
                    "take a model that descends the energy of the strain "
                    "(options.energy=strain)"
                ),
            )
        energy = ENERGIES[self.energy](bodies)
        descent = Descent(energy)
        path = [self._pair(descent, bodies, None)]
        for _ in range(self.corrections):
            g = descent.gradient.direction
            A_g = apply(energy.hessian, g)
            seen = torch.cat([g / rms(g), A_g / rms(A_g)], dim=1)
            y = single(self.network(torch.cat([bodies.inputs, seen], dim=1)))
            descent.advance(rms(g) * (y + self.linear(seen)))
            pair = self._pair(descent, bodies, path[-1])
            path.append(better(bodies, path[-1], pair))
        strain, stress = path[-1]
        if self.energy == "stress":
            # removes the rounding of all steps, which needs no gradient
            with torch.no_grad():
                rest = bodies.operators.without_force(stress) - stress
            stress = stress + rest
        return Prediction(strain, stress, tuple(path[:-1]), self.energy)

    def _pair(
        self, descent: Descent, bodies: Bodies, last: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Strain and stress: the field that descends, and the best one of the other."""
        x, other = descent.field, descent.gradient.dual
        if self.energy == "strain":
            stress = self.means.stress(other, descent.response, bodies)
            if last and bodies.some_without_pores:
                best = line_minimum(bodies.compliance, last[1], stress, x)
                stress = torch.where(bodies.without_pores, best, stress)
            return x, stress
        strain = self.means.strain(other, bodies)
        if last:
            strain = line_minimum(bodies.stiffness, last[0], strain, x)
        return strain, x


def _skip(channels: int) -> nn.Module:
    """A skip connection for g and A g, zero at the start."""
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
