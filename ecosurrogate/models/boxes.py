"""Models of bodies in boxes with faces: displacement gradient and Cauchy stress.

They are those of `ecosurrogate.models.eco` in the variables of the paper's
polycrystals: F = 1 + H with nine components, and T(C, F) of eq. 17 for C e. The network
works around the box, with a layer of void beyond each face (`BoxOperators`). Fields are
in the units of `Bodies`, H in that of strains.
"""

import torch
from torch import Tensor, nn

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.mechanics.box_operators import BoxOperators
from ecosurrogate.mechanics.fields import average, cauchy_stress, full_precision, single
from ecosurrogate.models.admissible_blocks import Equilibrium, Gains, StressFunctions
from ecosurrogate.models.box_means import mean_gradient, with_resultants
from ecosurrogate.models.eco import Backbone, Prediction
from fftmech.tensors.fields import symmetrize


class BoxUNet(nn.Module):
    """Gradient and stress are outputs of the network, without any constraint."""

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.network = backbone(channels, 15)

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        out = _box(bodies).voxels(single(self.network(bodies.inputs)))
        H = out[:, :9].unflatten(1, (3, 3)) + mean_gradient(bodies)
        return Prediction(symmetrize(H), out[:, 9:], gradient=H)


class BoxWECO(nn.Module):
    """The gradient is an output of the network, stress follows by the law, eq. 14."""

    def __init__(self, backbone: Backbone, channels: int) -> None:
        super().__init__()
        self.network = backbone(channels, 9)

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        out = _box(bodies).voxels(single(self.network(bodies.inputs)))
        H = out.unflatten(1, (3, 3)) + mean_gradient(bodies)
        stress = cauchy_stress(bodies.stiffness, H, bodies.strain_unit)
        return Prediction(symmetrize(H), stress, gradient=H)


class BoxSECO(nn.Module):
    """Gradient of a displacement, stress of stress functions: eqs. 9 to 13.

    The displacement has prescribed values exactly. Stress functions and gains are those
    of `Equilibrium`; with "beltrami" there are no tractions but reactions, with
    "maxwell" tractions are arbitrary (`BoxOperators.stress_function`).
    """

    def __init__(
        self,
        backbone: Backbone,
        channels: int,
        stress_functions: StressFunctions = "beltrami",
        gains: Gains = "fixed",
    ) -> None:
        super().__init__()
        potentials = 3 if stress_functions == "maxwell" else 6
        self.network = backbone(channels, 3 + potentials)
        self.equilibrium = Equilibrium(stress_functions, gains, self.network.hidden)

    def forward(self, bodies: Bodies) -> Prediction:
        """Predict."""
        box = _box(bodies)
        hidden = self.network.features(bodies.inputs)
        out = single(self.network.head(hidden))
        stress = self.equilibrium(out[:, 3:], box, hidden=hidden)
        with full_precision(out):
            u = box.without_turn(box.held(box.nodes(out[:, :3])))
            rest = box.gradient(u)
            strain = symmetrize(rest)
            affine = mean_gradient(bodies, strain)
            # as of solutions, there is no turn in u less that of its mean strain
            turn = box.turn(average(strain)[..., 0, 0, 0])
            affine = affine + turn[..., None, None, None]
            stress = with_resultants(stress, bodies)
        H = rest + affine
        u = u + (affine * _positions(u)).sum(dim=2)
        return Prediction(symmetrize(H), stress, gradient=H, displacement=u)


def _box(bodies: Bodies) -> BoxOperators:
    assert bodies.box is not None
    return bodies.box


def _positions(u: Tensor) -> Tensor:
    """Coordinates of nodes, in voxels, (3, *nodes)."""
    axes = [torch.arange(n, dtype=u.dtype, device=u.device) for n in u.shape[-3:]]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


BOX_MODELS: dict[str, type[nn.Module]] = {
    "unet": BoxUNet,
    "w-eco": BoxWECO,
    "s-eco": BoxSECO,
}
"""Models by the name on the command line."""
