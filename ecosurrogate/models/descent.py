"""Descent of a quadratic energy: exact steps in the span of a few directions.

Fields are (B, 6, X, Y, Z), Mandel, in the units of `Bodies`.
"""

import torch
from torch import Tensor

from ecosurrogate.mechanics.fields import apply, energy
from ecosurrogate.models.energies import Energy


class Descent:
    """A field that goes down its energy, each time to the minimum over some directions.

    The last step is always among the directions: with the steepest descent alone beside
    it, this is the conjugate gradient method, an iteration an `advance`.

    Parameters
    ----------
    of
        The energy.
    field
        Where to begin: admissible, with the best means. The best uniform one if None.
    near
        An admissible field of the other kind, as in `Energy.gradient`.

    Attributes
    ----------
    field, answer
        x, and matrix x.
    gradient
        Steepest descent there, and the field of the other kind.
    """

    def __init__(
        self, of: Energy, field: Tensor | None = None, near: Tensor | None = None
    ) -> None:
        self.energy = of
        self.field = of.start() if field is None else field
        self.answer = apply(of.matrix, self.field)
        self.gradient = of.gradient(self.answer, near)
        self._last: list[tuple[Tensor, Tensor]] = []

    def advance(self, *guesses: Tensor) -> None:
        """Go down along the steepest descent, the last step, and what is guessed.

        Guesses are (B, 6, X, Y, Z); each is projected on admissible directions, which
        takes one Green operation, and the next gradient takes one.
        """
        of = self.energy
        directions = [of.along(self.gradient.direction), *map(of.direction, guesses)]
        pairs = [(d, apply(of.matrix, d)) for d in directions] + self._last
        steps = least(pairs, [of.slope(d, self.answer) for d, _ in pairs])
        step, A_step = (
            torch.stack(
                [a * pair[i] for a, pair in zip(steps, pairs, strict=True)]
            ).sum(dim=0)
            for i in range(2)
        )
        self._last = [(step, A_step)]
        self.field = of.with_means(self.field + step)
        self.answer = apply(of.matrix, self.field)
        self.gradient = of.gradient(self.answer, self.gradient.other)


def size(field: Tensor) -> Tensor:
    """Root mean square of a field, never zero, (B, 1, 1, 1, 1)."""
    square = (field**2).mean(dim=(1, 2, 3, 4), keepdim=True)
    return (square + torch.finfo(field.dtype).tiny).sqrt()


def better(of: Energy, old: Tensor, new: Tensor) -> Tensor:
    """The field between and beyond two admissible ones with the least energy."""
    d = new - old
    A_d = apply(of.matrix, d)
    (step,) = least([(d, A_d)], [energy(old, A_d) - of.work(d)])
    return old + step * d


def least(pairs: list[tuple[Tensor, Tensor]], slopes: list[Tensor]) -> list[Tensor]:
    """Steps along several directions d that minimise the energy together.

    `pairs` are (d, A d), A the Hessian, `slopes` the derivatives along them, (B,); of
    each the step, (B, 1, 1, 1, 1).
    """
    A = torch.stack(
        [torch.stack([energy(d, A_b) for _, A_b in pairs], -1) for d, _ in pairs], -2
    ).double()
    b = -torch.stack(slopes, -1).double()
    # in units of each direction's energy; one that is zero, or that another one
    # repeats, takes no step
    scale = A.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).rsqrt()
    A = A * scale[:, :, None] * scale[:, None, :]
    A = A + 1e-9 * torch.eye(len(pairs), dtype=A.dtype, device=A.device)
    steps = (torch.linalg.solve(A, b * scale) * scale).to(pairs[0][0].dtype)
    return [step[:, None, None, None, None] for step in steps.unbind(-1)]
