"""The energies of strains and of stresses, which an iterated model descends.

    strain    W(e)  = <1/2 e : C : e> - S : <e>      e compatible
    stress    W*(s) = <1/2 s : C^-1 : s> - <s> : E   s equilibrated

with the prescribed mean stresses S and mean strains E. Both minima are the solution
(the principles of minimum potential and of minimum complementary energy). Descending W
is slow where inclusions are stiff, whose energy a small strain error multiplies;
descending W* is slow where they are soft, and impossible where they are pores.

Fields are (B, 6, X, Y, Z), Mandel, in the units of `Bodies`.
"""

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.mechanics.fields import average, energy
from ecosurrogate.mechanics.mean_field import MeanField, MeanLoad

Kind = Literal["strain", "stress"]


class Gradient(NamedTuple):
    """What one Green operation finds at a field.

    Attributes
    ----------
    direction
        Steepest descent in the norm of the reference medium, a fluctuation.
    other
        The admissible field of the other kind nearest to what the constitutive law
        makes of this one.
    """

    direction: Tensor
    other: Tensor


class Energy(ABC):
    """The energy of one kind of field, for a batch of bodies under their loads.

    Attributes
    ----------
    matrix
        Its Hessian at each voxel: C or C^-1, (B, 6, 6, X, Y, Z).
    """

    field: Kind

    def __init__(self, bodies: Bodies, matrix: Tensor) -> None:
        self.bodies, self.matrix = bodies, matrix
        load = bodies.load
        self._no_load = MeanLoad(
            torch.zeros_like(load.strain), torch.zeros_like(load.stress), load.free
        )

    def start(self) -> Tensor:
        """The best uniform field."""
        zero = torch.zeros_like(self.matrix[:, 0])
        return self.with_means(zero)

    def with_means(self, field: Tensor) -> Tensor:
        """The fluctuation of a field with the best means; prescribed ones exactly."""
        return MeanField(self.field, "solved")(field, self.bodies.load, self.matrix)

    def direction(self, guess: Tensor) -> Tensor:
        """An admissible direction near a guess, with the best means; one operation."""
        return self.along(self.project(guess - average(guess)))

    def along(self, fluctuation: Tensor) -> Tensor:
        """A fluctuation with the means that change with it."""
        means = MeanField(self.field, "solved")
        return means(fluctuation, self._no_load, self.matrix)

    def slope(self, direction: Tensor, answer: Tensor) -> Tensor:
        """Derivative along an admissible direction, where means are the best, (B,).

        `answer` is matrix x. Means are of no effect: prescribed ones do not move, and
        free ones are the best; only their rounding would count.
        """
        return energy(direction - average(direction), answer - average(answer))

    def work(self, direction: Tensor) -> Tensor:
        """What the load does along a direction, (B,)."""
        return energy(average(direction), self.conjugate)

    @property
    @abstractmethod
    def conjugate(self) -> Tensor:
        """Prescribed means of the other field, zero where free, (B, 6, 1, 1, 1)."""

    @abstractmethod
    def gradient(self, answer: Tensor, near: Tensor | None = None) -> Gradient:
        """Of the field whose `answer`, matrix x, is given.

        `near` is an admissible field of the other kind; the nearer it is to the answer,
        the less of the direction is rounding.
        """

    @abstractmethod
    def project(self, guess: Tensor) -> Tensor:
        """Nearest admissible fluctuation in the norm of the reference medium."""


class StrainEnergy(Energy):
    """W of compatible strains."""

    field: Kind = "strain"

    def __init__(self, bodies: Bodies) -> None:
        super().__init__(bodies, bodies.stiffness)

    @property
    def conjugate(self) -> Tensor:
        """Prescribed mean stresses."""
        load = self.bodies.load
        return torch.where(load.free, load.stress, 0)[..., None, None, None]

    def gradient(self, answer: Tensor, near: Tensor | None = None) -> Gradient:
        """g = -D M D* C e, and the stress C e + C0 g, which is equilibrated."""
        operators = self.bodies.operators
        fluctuation = answer - average(answer)
        g = -operators.strain(operators.green(operators.strain_adjoint(fluctuation)))
        return Gradient(g, answer + operators.stiffness(g))

    def project(self, guess: Tensor) -> Tensor:
        """On compatible fields."""
        return self.bodies.operators.project_compatible(guess)


class StressEnergy(Energy):
    """W* of equilibrated stresses; it says nothing of bodies with pores."""

    field: Kind = "stress"

    def __init__(self, bodies: Bodies) -> None:
        super().__init__(bodies, bodies.compliance)

    @property
    def conjugate(self) -> Tensor:
        """Prescribed mean strains."""
        return self.bodies.mean

    def gradient(self, answer: Tensor, near: Tensor | None = None) -> Gradient:
        """h = C0 (P e - e) with e = C^-1 s, and the strain P e, P on compatible ones.

        h is the descent -(1 - C0 P C0^-1) C0 e, equilibrated as far as this is exact.
        """
        operators = self.bodies.operators
        # P takes off nothing of what is compatible
        e = answer if near is None else answer - near
        e = e - average(e)
        compatible = operators.project_compatible(e)
        direction = operators.stiffness(compatible - e)
        return Gradient(direction, compatible if near is None else near + compatible)

    def project(self, guess: Tensor) -> Tensor:
        """On equilibrated fields."""
        return self.bodies.operators.without_force(guess)


ENERGIES: dict[Kind, type[StrainEnergy] | type[StressEnergy]] = {
    "strain": StrainEnergy,
    "stress": StressEnergy,
}
"""Energies by the field that descends."""
