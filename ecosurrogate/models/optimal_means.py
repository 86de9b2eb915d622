"""Means of a predicted strain and stress: prescribed, or optimal where free."""

import torch
from torch import Tensor, nn

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.mechanics.fields import apply, average
from ecosurrogate.mechanics.mean_field import MeanField


class OptimalMeans(nn.Module):
    """Replace the means of a strain and a stress.

    Free mean strains minimise the energy. Free mean stresses minimise the complementary
    energy, or, in bodies with pores, which have none, are those of C e.
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
        # only the mean stress of bodies with pores is that of C e
        C_e = apply(bodies.stiffness, strain) if bodies.some_with_pores else stress
        return strain, self.stress(stress, C_e, bodies)

    def strain(self, strain: Tensor, bodies: Bodies) -> Tensor:
        """Replace the mean of a strain."""
        return self.solved["strain"](strain, bodies.load, bodies.stiffness)

    def stress(self, stress: Tensor, C_e: Tensor, bodies: Bodies) -> Tensor:
        """Replace the mean of a stress."""
        if not bodies.some_without_pores:
            return self.given(stress, bodies.load, average(C_e)[..., 0, 0, 0])
        solved = self.solved["stress"](stress, bodies.load, bodies.compliance)
        if not bodies.some_with_pores:
            return solved
        given = self.given(stress, bodies.load, average(C_e)[..., 0, 0, 0])
        return torch.where(bodies.without_pores, solved, given)
