"""The energies of strains and of stresses that an iterated model minimises.

    strain    W(e)  = <1/2 e : C : e> - S : <e>      e compatible
    stress    W*(s) = <1/2 s : C^-1 : s> - <s> : E   s equilibrated

with the prescribed mean stresses S and mean strains E. Both minima are the solution
(the principles of minimum potential and of minimum complementary energy). Descending W
is slow where inclusions are stiff, whose energy a small strain error multiplies;
descending W* is slow where they are soft, and impossible where they are pores.

Fields are (B, 6, X, Y, Z), Mandel, in the units of `Bodies`.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.mechanics.fields import average, inner_product, unless_rounding
from ecosurrogate.mechanics.mean_field import FieldName, MeanField, MeanLoad


class Gradient(NamedTuple):
    """Steepest descent of an energy, and what the same Green operation also gives.

    `direction` is steepest in the norm of the reference medium, a fluctuation; `dual`
    is of a strain e the equilibrated stress nearest to C e, of a stress s the
    compatible strain nearest to C^-1 s.
    """

    direction: Tensor
    dual: Tensor


class Energy(ABC):
    """The energy of a strain or of a stress, for a batch of bodies under their loads.

    `hessian` is C or C^-1 at each voxel, (B, 6, 6, X, Y, Z).
    """

    field: FieldName

    def __init__(self, bodies: Bodies, hessian: Tensor) -> None:
        self.bodies, self.hessian = bodies, hessian
        load = bodies.load
        self._no_load = MeanLoad(
            torch.zeros_like(load.strain), torch.zeros_like(load.stress), load.free
        )

    def start(self) -> Tensor:
        """The uniform field of least energy."""
        zero = torch.zeros_like(self.hessian[:, 0])
        return self.with_means(zero)

    def with_means(self, field: Tensor) -> Tensor:
        """Give a field the prescribed means, and free ones that minimise."""
        return MeanField(self.field, "solved")(field, self.bodies.load, self.hessian)

    def direction(self, guess: Tensor) -> Tensor:
        """Project a guess on admissible directions, with minimising means."""
        guess = guess - average(guess)
        return self.along(unless_rounding(self.project(guess), guess))

    def along(self, fluctuation: Tensor) -> Tensor:
        """A fluctuation, with the change of the free means that minimises along it."""
        means = MeanField(self.field, "solved")
        return means(fluctuation, self._no_load, self.hessian)

    def slope(self, direction: Tensor, descent: Tensor) -> Tensor:
        """Derivative along an admissible direction, (B,), where means are minimising.

        `descent` is the steepest one, g. The derivative is that of the Hessian times
        the field, of which all but -C0 g (or -C0^-1 g) is orthogonal to what is
        admissible; left in, it would add rounding.
        """
        return -inner_product(direction, self.metric(descent))

    @property
    @abstractmethod
    def conjugate(self) -> Tensor:
        """Prescribed means of the other field, zero where free, (B, 6, 1, 1, 1)."""

    @abstractmethod
    def metric(self, direction: Tensor) -> Tensor:
        """The reference medium's Hessian times a direction."""

    @abstractmethod
    def gradient(self, response: Tensor, dual: Tensor | None = None) -> Gradient:
        """Gradient at a field x, of which `response` is the Hessian times x.

        `dual`, an admissible field of the other kind near the response, is subtracted
        from it to save digits.
        """

    @abstractmethod
    def project(self, guess: Tensor) -> Tensor:
        """Nearest admissible fluctuation in the norm of the reference medium."""


class StrainEnergy(Energy):
    """W of compatible strains."""

    field: FieldName = "strain"

    def __init__(self, bodies: Bodies) -> None:
        super().__init__(bodies, bodies.stiffness)

    @property
    def conjugate(self) -> Tensor:
        """Prescribed mean stresses."""
        load = self.bodies.load
        return torch.where(load.free, load.stress, 0)[..., None, None, None]

    def metric(self, direction: Tensor) -> Tensor:
        """C0 e."""
        return self.bodies.operators.stiffness(direction)

    def gradient(self, response: Tensor, dual: Tensor | None = None) -> Gradient:
        """g = -D M D* C e, and the equilibrated stress C e + C0 g."""
        operators = self.bodies.operators
        fluctuation = response - average(response)
        g = -operators.strain(operators.green(operators.strain_adjoint(fluctuation)))
        return Gradient(g, response + operators.stiffness(g))

    def project(self, guess: Tensor) -> Tensor:
        """On compatible fields."""
        return self.bodies.operators.project_compatible(guess)


class StressEnergy(Energy):
    """W* of equilibrated stresses, in bodies without pores."""

    field: FieldName = "stress"

    def __init__(self, bodies: Bodies) -> None:
        super().__init__(bodies, bodies.compliance)

    @property
    def conjugate(self) -> Tensor:
        """Prescribed mean strains."""
        return self.bodies.mean

    def metric(self, direction: Tensor) -> Tensor:
        """C0^-1 s."""
        return self.bodies.operators.compliance(direction)

    def gradient(self, response: Tensor, dual: Tensor | None = None) -> Gradient:
        """h = C0 (P e - e) and the strain P e, P the projection on compatible fields.

        With e = C^-1 s, h = -(1 - C0 P C0^-1) C0 e is equilibrated but for rounding.
        """
        operators = self.bodies.operators
        # P leaves a compatible field as it is
        e = response if dual is None else response - dual
        e = e - average(e)
        compatible = operators.project_compatible(e)
        direction = unless_rounding(operators.stiffness(compatible - e), e)
        return Gradient(direction, compatible if dual is None else dual + compatible)

    def project(self, guess: Tensor) -> Tensor:
        """On equilibrated fields."""
        return self.bodies.operators.without_force(guess)


ENERGIES: dict[FieldName, type[StrainEnergy] | type[StressEnergy]] = {
    "strain": StrainEnergy,
    "stress": StressEnergy,
}
"""Energies by the field that they are of."""
