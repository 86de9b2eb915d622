"""Models of viscoplastic crystals: equilibrated stresses of low complementary energy.

They are `p-eco` for the law `crystal_creep`, of which w* is explicit in the stress: a
network guesses a stress, a projection brings it into equilibrium, and W* says how good
it is (`ecosurrogate.models.creep_energy`). The strain rate is the compatible one
nearest to dw*/ds. All fields are in the units of `CreepBodies`; strains are rates.
"""

import torch
from torch import Tensor, nn

from ecosurrogate.data.creep_bodies import CHANNELS, CreepBodies
from ecosurrogate.mechanics.fields import single, unless_rounding
from ecosurrogate.models.creep_energy import CreepEnergy
from ecosurrogate.models.descent import rms
from ecosurrogate.models.eco import Backbone, Prediction
from fftmech.errors import InputError


class CreepPECO(nn.Module):
    """One guess, and the best stress along it.

    The network sees the bodies; what it says is added to the stress that each crystal
    has at the mean rate. W* is minimised over the equilibrated stress nearest to that
    and the uniform stress together. Two Green operations, one of them for the rate.
    """

    def __init__(self, backbone: Backbone, channels: int = CHANNELS) -> None:
        super().__init__()
        self.network = backbone(channels, 6)

    def forward(self, bodies: CreepBodies) -> Prediction:
        """Predict."""
        energy = CreepEnergy(bodies)
        stress = self.guess(energy)
        return Prediction(energy.gradient(stress).dual, stress)

    def guess(self, energy: CreepEnergy) -> Tensor:
        """The stress, for one Green operation."""
        bodies, uniform = energy.bodies, energy.start()
        guess = bodies.taylor + _seen(self.network, bodies.inputs)
        return energy.minimized(uniform, uniform, energy.direction(guess))


class IteratedCreepPECO(nn.Module):
    """A first guess, that of `CreepPECO`, and `corrections` steps of another network.

    In each correction the network sees the bodies, the stress, the steepest descent h,
    and a step g of Newton's method in each voxel (`CreepEnergy.local_step`). What it
    says is added to g, and W* is minimised over the equilibrated stress nearest to
    that, h, the stress itself and all steps before. So W* never grows. A correction
    takes two Green operations, the model two more. `corrections` may be changed after
    training.
    """

    def __init__(
        self, backbone: Backbone, channels: int = CHANNELS, corrections: int = 3
    ) -> None:
        super().__init__()
        if corrections < 1:
            raise InputError(f"corrections {corrections}", "at least 1")
        self.corrections = corrections
        self.first = CreepPECO(backbone, channels)
        self.network = backbone(channels + 18, 6)

    def forward(self, bodies: CreepBodies) -> Prediction:
        """Predict."""
        energy = CreepEnergy(bodies)
        stress = self.first.guess(energy)
        steps = [stress - energy.start()]
        h, rate = energy.gradient(stress)
        path = []
        for _ in range(self.corrections):
            path.append((rate, stress))
            g = energy.local_step(stress, rate)
            seen = [bodies.inputs, stress, h / rms(h), g / rms(g)]
            guess = g + rms(g) * _seen(self.network, torch.cat(seen, dim=1))
            new = energy.minimized(stress, stress, h, energy.direction(guess), *steps)
            steps.append(unless_rounding(new - stress, new))
            stress = new
            h, rate = energy.gradient(stress)
        return Prediction(rate, stress, tuple(path))


def _seen(network: nn.Module, inputs: Tensor) -> Tensor:
    """What a network says, computed in its precision, in that of its inputs."""
    weights = next(network.parameters())
    return single(network(inputs.to(weights.dtype))).to(inputs.dtype)


CREEP_MODELS: dict[str, type[nn.Module]] = {
    "p-eco": CreepPECO,
    "p-eco-iterated": IteratedCreepPECO,
}
"""Models of viscoplastic crystals by the name on the command line."""
