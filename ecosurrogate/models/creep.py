"""Models of viscoplastic crystals: equilibrated stresses of low complementary energy.

They are `p-eco` for the law `crystal_creep`, of which w* is explicit in the stress: a
network guesses a stress, a projection brings it into equilibrium, and W* says how good
it is (`ecosurrogate.models.creep_energy`). The strain rate is the compatible one nearest
to dw*/ds. All fields are in the units of `CreepBodies`.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ecosurrogate.data.creep_bodies import CHANNELS, CreepBodies, compressed
from ecosurrogate.mechanics.fields import single
from ecosurrogate.models.creep_energy import CreepEnergy
from ecosurrogate.models.descent import rms
from ecosurrogate.models.eco import Backbone
from fftmech.errors import InputError


class CreepPrediction(NamedTuple):
    """Fields of a batch, Mandel (B, 6, X, Y, Z).

    `rate` is compatible and has the mean E, `stress` is in equilibrium; `path` has the
    stresses after each correction, the last one at the end.
    """

    rate: Tensor
    stress: Tensor
    path: tuple[Tensor, ...]


class CreepPECO(nn.Module):
    """One guess, and the best stress along it.

    The network sees the bodies; what it says is added to the stress that each crystal
    has at the mean rate. W* is minimised over the equilibrated stress nearest to that
    and the uniform stress together. Two Green operations.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.network = backbone(CHANNELS, 6)

    def forward(self, bodies: CreepBodies) -> CreepPrediction:
        """Predict strain rate and stress."""
        energy = CreepEnergy(bodies)
        uniform = energy.start()
        guess = bodies.taylor + _seen(self.network, bodies.inputs)
        stress = energy.minimized(uniform, uniform, energy.direction(guess))
        return _prediction(energy, energy.gradient(stress).dual, [stress])


class IteratedCreepPECO(nn.Module):
    """`corrections` steps of one network, each the best along a few directions.

    The first stress is the best uniform one. In each correction the network sees the
    bodies, the stress, the steepest descent and the incompatible part of the rate, and
    W* is minimised over its guess, the steepest descent and the last step; in the first
    correction its guess is added to the stress that each crystal has at the mean rate.
    So W* never grows, and with a network of zeros the steps are those of a descent as
    the solver's. A correction costs two Green operations, the model one more.
    `corrections` may be changed after training.
    """

    def __init__(self, backbone: Backbone, corrections: int = 3) -> None:
        super().__init__()
        if corrections < 1:
            raise InputError(f"corrections {corrections}", "at least 1")
        self.corrections = corrections
        self.network = backbone(CHANNELS + 18, 6)

    def forward(self, bodies: CreepBodies) -> CreepPrediction:
        """Predict strain rate and stress."""
        energy = CreepEnergy(bodies)
        stress, last, path = energy.start(), [], []
        h, rate = energy.gradient(stress)
        for number in range(self.corrections):
            r = bodies.flow.strain(stress) - rate
            seen = [bodies.inputs, stress, h / rms(h), _compressed(r, bodies)]
            guess = _seen(self.network, torch.cat(seen, dim=1))
            if number == 0:
                guess = guess + bodies.taylor
            directions = h, energy.direction(guess), *last
            new = energy.minimized(stress, *directions)
            stress, last = new, [new - stress]
            path.append(stress)
            h, rate = energy.gradient(stress)
        return _prediction(energy, rate, path)


def _seen(network: nn.Module, inputs: Tensor) -> Tensor:
    """What a network of single precision says, in the precision of its inputs."""
    return single(network(inputs.float())).to(inputs.dtype)


def _compressed(rate: Tensor, bodies: CreepBodies) -> Tensor:
    """A rate of the size of a stress, as in the inputs of the bodies."""
    exponent = bodies.flow.exponent[:, 0]
    return compressed(rate.transpose(0, 1), exponent).transpose(0, 1)


def _prediction(
    energy: CreepEnergy, rate: Tensor, path: list[Tensor]
) -> CreepPrediction:
    """Remove the rounding of all steps, which needs no gradient."""
    stress = path[-1]
    with torch.no_grad():
        rest = energy.bodies.operators.without_force(stress) - stress
    return CreepPrediction(rate, stress + rest, tuple(path))
