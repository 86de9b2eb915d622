"""What is exported of a model that knows no constitutive law."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.evaluation.learned_load import sign_of
from ecosurrogate.mechanics.mean_field import MeanLoad
from ecosurrogate.mechanics.operators import Operators
from ecosurrogate.training.checkpoint import RunCard
from fftmech.discretization.grid import Grid
from fftmech.loads.load import Load


class ChannelModel(nn.Module):
    """A model without a law on one grid of cubic voxels, under the load it has learned.

    Parameters are those of `ecosurrogate.evaluation.exported_model.PhysicalModel`.
    """

    shift: Tensor
    scale: Tensor
    units: Tensor
    strain: Tensor
    stress: Tensor
    free: Tensor

    def __init__(
        self, model: nn.Module, card: RunCard, shape: Sequence[int], load: Load
    ) -> None:
        super().__init__()
        self.model = deepcopy(model).requires_grad_(False)
        encoder, norm = card.encoder, card.encoder.normalization
        assert encoder.scales is not None
        sign_of(card, load)
        grid = Grid((shape[0], shape[1], shape[2]), (1.0, 1.0, 1.0))
        self.operators = Operators(encoder.scheme, grid, encoder.ratio / 2, 0.5)
        means = MeanLoad.of(load, torch.empty(0, dtype=torch.float64))
        for name, value in {
            "shift": torch.tensor(norm.shift).reshape(1, -1, 1, 1, 1),
            "scale": torch.tensor(norm.scale).reshape(1, -1, 1, 1, 1),
            "units": torch.tensor(encoder.scales),
            "strain": (means.strain / encoder.scales.strain).float(),
            "stress": (means.stress / encoder.scales.stress).float(),
            "free": means.free,
        }.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, channels: Tensor) -> dict[str, Tensor]:
        """Predict "strain" and "stress", Mandel (1, 6, X, Y, Z), of (1, c, X, Y, Z)."""
        strain_unit, stress_unit = self.units
        found = self.model(
            Bodies(
                self.operators,
                None,
                channels[:, 0],
                MeanLoad(self.strain, self.stress, self.free),
                strain_unit[None],
                stress_unit[None],
                (channels - self.shift) / self.scale,
            )
        )
        return {
            "strain": found.strain * strain_unit,
            "stress": found.stress * stress_unit,
        }
