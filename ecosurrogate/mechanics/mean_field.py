"""Means of strain and stress: prescribed exactly, free ones predicted or solved for."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ecosurrogate.mechanics.fields import (
    apply,
    average,
    full_precision,
    one_of,
    single,
    uniform,
)
from fftmech.loads.load import Load

FieldName = Literal["strain", "stress"]
FreeMeans = Literal["predicted", "solved"]


class MeanLoad(NamedTuple):
    """Prescribed mean strains and stresses of each sample, Mandel (B, 6).

    Entries of the other kind do not count: where `free`, boolean (B, 6), the mean
    stress is prescribed and the mean strain is free.
    """

    strain: Tensor
    stress: Tensor
    free: Tensor

    @classmethod
    def of(cls, loads: Load | Sequence[Load], like: Tensor) -> "MeanLoad":
        """Loads of a batch, or one for all (B = 1), with `like`'s dtype and device."""
        loads = [loads] if isinstance(loads, Load) else loads
        strain = np.array([load.mean_strain for load in loads])
        stress = np.array([load.mean_stress for load in loads])
        free = np.array([load.free for load in loads])
        return cls(
            torch.as_tensor(strain, dtype=like.dtype, device=like.device),
            torch.as_tensor(stress, dtype=like.dtype, device=like.device),
            torch.as_tensor(free, device=like.device),
        )


class MeanField(nn.Module):
    """The mean of a strain or of a stress: prescribed components exactly, others free.

    Free means are predicted, or solved for. With a compatible fluctuation e' and an
    equilibrated one s', both of zero mean, "solved" minimises over them

        strain    W(E)  = <1/2 (E + e') : C : (E + e')> - S : E
        stress    W*(S) = <1/2 (S + s') : C^-1 : (S + s')> - S : E,

    in W over the components of E whose mean stress S is prescribed, in W* over those of
    S whose mean strain E is prescribed. The energies are quadratic: it takes one 6 x 6
    system a sample. W + W* is the hypercircle's gap (`fftmech.problems.certificate`),
    in which no free component of one occurs together with one of the other; so the two
    minima make the certificate as small as these fluctuations allow.
    """

    def __init__(self, field: FieldName, means: FreeMeans = "predicted") -> None:
        super().__init__()
        self.field: FieldName = one_of(field, FieldName, "field")
        self.means: FreeMeans = one_of(means, FreeMeans, "means")

    def forward(self, fluctuation: Tensor, load: MeanLoad, given: Tensor) -> Tensor:
        """Return the field with its mean, Mandel (B, 6, X, Y, Z).

        Parameters
        ----------
        fluctuation
            Mandel (B, 6, X, Y, Z); its mean is replaced.
        given
            "predicted": mean strains or stresses, Mandel (B, 6), of which the free
            components are taken. "solved": C for a strain, C^-1 for a stress, Mandel
            (B, 6, 6, X, Y, Z); a body with pores has no C^-1: predict its mean stress.
        """
        with full_precision(fluctuation):
            field = single(fluctuation)
            field = field - average(field)
            if self.field == "strain":
                prescribed, conjugate, free = load
            else:
                conjugate, prescribed, free = load[0], load[1], ~load[2]
            if self.means == "solved":
                given = stationary_means(given, field, prescribed, conjugate, free)
            mean = torch.where(free, given.to(field.dtype), prescribed.to(field.dtype))
            return field + uniform(mean, field)


def stationary_means(
    A: Tensor, field: Tensor, prescribed: Tensor, conjugate: Tensor, free: Tensor
) -> Tensor:
    """Means m with <A (m + f)> = conjugate where free, and `prescribed` elsewhere.

    A is (B, 6, 6, X, Y, Z), f (B, 6, X, Y, Z), the rest (B, 6).
    """
    response = average(apply(A, field))[..., 0, 0, 0]
    # in double precision: nothing beside the averages
    mean_A = A.mean(dim=(-3, -2, -1)).double()
    known = torch.where(free, 0, prescribed).double()
    b = conjugate.double() - response - (mean_A * known[:, None]).sum(dim=-1)
    both = free[:, :, None] & free[:, None, :]
    identity = torch.eye(6, dtype=mean_A.dtype, device=mean_A.device)
    matrix = torch.where(both, mean_A, identity)
    return torch.linalg.solve(matrix, torch.where(free, b, 0)).to(field.dtype)
