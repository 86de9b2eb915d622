"""Minimise a quadratic energy, by exact steps in the span of a few directions.

Fields are (B, 6, X, Y, Z), Mandel, in the units of `Bodies`.
"""

import torch
from torch import Tensor

from ecosurrogate.mechanics.fields import apply, inner_product
from ecosurrogate.models.energies import Energy


class Descent:
    """Descent of an energy, each step to the minimum over some directions.

    The last step is always among the directions: with the steepest descent as the only
    other one, an `advance` is an iteration of conjugate gradients.

    Parameters
    ----------
    field
        Start: admissible, with minimising means; the best uniform field if None.
    dual
        An admissible field of the other kind, as in `Energy.gradient`.

    Attributes
    ----------
    field, response
        x, and the Hessian times x.
    """

    def __init__(
        self, energy: Energy, field: Tensor | None = None, dual: Tensor | None = None
    ) -> None:
        self.energy = energy
        self.field = energy.start() if field is None else field
        self.response = apply(energy.hessian, self.field)
        self.gradient = energy.gradient(self.response, dual)
        self._last: list[tuple[Tensor, Tensor]] = []

    def advance(self, *guesses: Tensor) -> None:
        """Minimise over the steepest descent, the last step, and guessed directions.

        Guesses are (B, 6, X, Y, Z); each is projected on admissible directions, which
        takes one Green operation, and the next gradient takes one.
        """
        energy = self.energy
        directions = [
            energy.along(self.gradient.direction),
            *map(energy.direction, guesses),
        ]
        pairs = [(d, apply(energy.hessian, d)) for d in directions] + self._last
        steps = minimizing_steps(
            pairs, [energy.slope(d, self.response) for d, _ in pairs]
        )
        step, A_step = (
            torch.stack(
                [a * pair[i] for a, pair in zip(steps, pairs, strict=True)]
            ).sum(dim=0)
            for i in range(2)
        )
        self._last = [(step, A_step)]
        self.field = energy.with_means(self.field + step)
        self.response = apply(energy.hessian, self.field)
        self.gradient = energy.gradient(self.response, self.gradient.dual)


def rms(field: Tensor) -> Tensor:
    """Root mean square of a field, never zero, (B, 1, 1, 1, 1)."""
    square = (field**2).mean(dim=(1, 2, 3, 4), keepdim=True)
    return (square + torch.finfo(field.dtype).tiny).sqrt()


def line_minimum(energy: Energy, old: Tensor, new: Tensor) -> Tensor:
    """The field of least energy on the line through two admissible ones."""
    d = new - old
    A_d = apply(energy.hessian, d)
    (step,) = minimizing_steps([(d, A_d)], [inner_product(old, A_d) - energy.work(d)])
    return old + step * d


def minimizing_steps(
    pairs: list[tuple[Tensor, Tensor]], slopes: list[Tensor]
) -> list[Tensor]:
    """Steps along several directions d that minimise the energy together.

    `pairs` are (d, A d), A the Hessian, `slopes` the derivatives along them, (B,); of
    each the step, (B, 1, 1, 1, 1).
    """
    A = torch.stack(
        [
            torch.stack([inner_product(d, A_b) for _, A_b in pairs], -1)
            for d, _ in pairs
        ],
        -2,
    ).double()
    b = -torch.stack(slopes, -1).double()
    # scaled by each direction's energy; a small diagonal keeps the system regular
    # where a direction is zero or repeats another one
    scale = A.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).rsqrt()
    A = A * scale[:, :, None] * scale[:, None, :]
    A = A + 1e-9 * torch.eye(len(pairs), dtype=A.dtype, device=A.device)
    steps = (torch.linalg.solve(A, b * scale) * scale).to(pairs[0][0].dtype)
    return [step[:, None, None, None, None] for step in steps.unbind(-1)]
