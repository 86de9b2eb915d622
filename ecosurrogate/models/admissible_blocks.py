"""Blocks that cannot break compatibility or equilibrium (Oommen et al. 2025, Methods).

The grid and its derivatives (`Operators`) are an argument of each call, so that a
trained block works on every grid. Fields are (B, C, X, Y, Z), symmetric tensors
Mandel (xx, yy, zz, yz, xz, xy, shear times sqrt(2)), means (B, C).

Blocks compute in single precision at least, under autocast too. `Equilibrium` computes
in double precision always, and rounds its result: near a null mode of `rotated`,
potentials are far larger than their stress. The divergence relative to the gradient
(`fftmech.results.metrics.divergence_norm`, grids of 8^3 to 33^3, white noise to a
spectrum k^-4) is then

                     single          double
    Equilibrium      1e-8 to 7e-8    7e-17 to 6e-16
    Projection       2e-8 to 7e-7    6e-17 to 2e-15

One factor for all components keeps a field compatible or equilibrated, up to rounding;
one factor a component does not. The paper therefore normalises its polycrystals by one
standard deviation, and reports that rescaling raises the divergence from 1e-8 (its
footnote 2). Scaling a block's input instead of its output adds no rounding.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from ecosurrogate.mechanics.box_operators import BoxOperators
from ecosurrogate.mechanics.fields import (
    average,
    centred,
    full_precision,
    one_of,
    single,
    uniform,
)
from ecosurrogate.mechanics.operators import Operators
from fftmech.errors import InputError

Kinematics = Literal["strain", "deformation_gradient"]
StressFunctions = Literal["maxwell", "beltrami"]
Gains = Literal["fixed", "learnable", "predicted"]
Means = Literal["optimal", "predicted"]
Admissible = Literal["compatible", "equilibrated"]


class Compatibility(nn.Module):
    """Strain, eq. 9, or deformation gradient of a displacement fluctuation.

        e_ij = E_ij + 1/2 (u_i,j + u_j,i)    or    F_ij = Fbar_ij + u_i,j

    With `fourier` on even grids the result is zero at Nyquist frequencies, where the
    solver's strain is free (`Operators`).
    """

    def __init__(self, kind: Kinematics = "strain") -> None:
        super().__init__()
        self.kind: Kinematics = one_of(kind, Kinematics, "kind of kinematics")

    def forward(
        self, u: Tensor, operators: Operators, mean: Tensor | None = None
    ) -> Tensor:
        """Return a strain (B, 6, X, Y, Z), or deformation gradient (B, 3, 3, X, Y, Z).

        Parameters
        ----------
        u
            Displacement fluctuation at the nodes, length units, (B, 3, X, Y, Z). A
            constant in it has no effect.
        mean
            E, Mandel (B, 6), or Fbar (B, 3, 3); zero if None.
        """
        with full_precision(u):
            u = centred(u)
            strain = self.kind == "strain"
            field = operators.strain(u) if strain else operators.gradient(u)
            return field if mean is None else field + uniform(mean, field)


class Equilibrium(nn.Module):
    """Stress of stress functions, eqs. 10 to 12: symmetric, and div s = 0.

    The derivatives are the scheme's adjoint ones, so that its divergence vanishes to
    rounding. "beltrami" has six potentials, Mandel, s = S + inc(Phi). "maxwell" is the
    paper's block, P = (f, g, h):

        s = S + a F + b G + c H = S + inc diag(c h, b g, a f),

    where f acts in the 12 plane, g in 13 and h in 23 (eq. 11): they are Maxwell's
    Phi_33, Phi_22 and Phi_11.

    Three periodic potentials do not reach every equilibrated stress: where a component
    of the symbol vanishes, they lack the antiplane shear. Six leave out the null modes
    of even grids alone. How much that is: see docs/eco-equations.md.

    Second derivatives are products of the scheme's first ones: only these cancel.

    Parameters
    ----------
    gains
        One factor of each potential, a, b, c of eq. 12: "fixed" at 1 (the paper's
        pores), "learnable" parameters, or "predicted" for each sample from the
        network's last hidden state (the paper's polycrystals).
    hidden
        Channels of that hidden state.
    """

    def __init__(
        self,
        kind: StressFunctions = "beltrami",
        gains: Gains = "fixed",
        hidden: int = 0,
    ) -> None:
        super().__init__()
        self.kind: StressFunctions = one_of(
            kind, StressFunctions, "kind of stress functions"
        )
        one_of(gains, Gains, "gains")
        self.channels = 3 if kind == "maxwell" else 6
        self.gains: nn.Parameter | nn.Module | None = None
        if gains == "learnable":
            self.gains = nn.Parameter(torch.ones(self.channels))
        elif gains == "predicted":
            if hidden < 1:
                raise InputError(
                    f"predicted gains from a hidden state of {hidden} channels",
                    "at least one",
                )
            self.gains = NumberHead(hidden, self.channels, 1.0)

    def forward(
        self,
        potential: Tensor,
        operators: Operators | BoxOperators,
        mean: Tensor | None = None,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """Return an equilibrated stress, Mandel (B, 6, X, Y, Z).

        Parameters
        ----------
        potential
            P = (f, g, h), (B, 3, X, Y, Z), or Phi, Mandel (B, 6, X, Y, Z), at the
            nodes; stress x length^2. A constant in it has no effect. In a box with
            faces it is around the box.
        mean
            S, Mandel (B, 6); zero if None.
        hidden
            The network's last hidden state, (B, C, x, y, z), for predicted gains.
        """
        if potential.shape[1] != self.channels:
            raise InputError(
                f"potentials of shape {tuple(potential.shape)} for {self.kind}",
                f"{self.channels} channels",
            )
        with full_precision(potential):
            # double: near a null mode potentials are far larger than their stress
            phi = potential.double()
            gains = self._gains(hidden)
            if gains is not None:
                # one number a potential: one that varies in space breaks equilibrium
                phi = phi * uniform(gains, phi)
            if self.kind == "maxwell":
                phi = phi.flip(1)
            stress = operators.stress_function(phi)
            if mean is not None:
                stress = stress + uniform(mean, stress)
            return stress.to(single(potential).dtype)

    def _gains(self, hidden: Tensor | None) -> Tensor | None:
        if not isinstance(self.gains, nn.Module):
            return self.gains
        if hidden is None:
            raise InputError("predicted gains", "the network's hidden state")
        return self.gains(single(hidden))


class NumberHead(nn.Module):
    """Numbers from a hidden state: averaged over the box, two layers; first `start`."""

    def __init__(self, channels: int, count: int, start: float) -> None:
        super().__init__()
        self.first = nn.Linear(channels, channels)
        self.last = nn.Linear(channels, count)
        nn.init.zeros_(self.last.weight)
        nn.init.constant_(self.last.bias, start)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, C, x, y, z) -> (B, count)."""
        pooled = hidden.mean(dim=(-3, -2, -1))
        return self.last(nn.functional.gelu(self.first(pooled)))


class Projection(nn.Module):
    """The admissible field nearest to an unconstrained guess (p-ECO).

        compatible      e = <g> + D M D* C0 g      nearest in the norm of C0
        equilibrated    s = g - C0 D M D* g        nearest in the norm of C0^-1

    with M = (D* C0 D)^+, by FFT. Every admissible field is reached.
    """

    def __init__(self, kind: Admissible) -> None:
        super().__init__()
        self.kind: Admissible = one_of(kind, Admissible, "kind of projection")

    def forward(
        self, guess: Tensor, operators: Operators, mean: Tensor | None = None
    ) -> Tensor:
        """Return an admissible field of a guess, both Mandel (B, 6, X, Y, Z).

        Its mean, Mandel (B, 6), is the guess's if None.
        """
        with full_precision(guess):
            guess = single(guess)
            if mean is not None:
                guess = guess - average(guess) + uniform(mean, guess)
            if self.kind == "compatible":
                return operators.project_compatible(guess)
            return operators.project_equilibrated(guess)
