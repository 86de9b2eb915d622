"""Minimise a quadratic energy, by exact steps in the span of a few directions.

Fields are (B, 6, X, Y, Z), Mandel, in the units of `Bodies`.
"""

import torch
from torch import Tensor

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.mechanics.fields import apply, inner_product, unless_rounding
from ecosurrogate.models.energies import Energy

Pair = tuple[Tensor, Tensor]
"""Strain and stress, (B, 6, X, Y, Z)."""


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
        g = self.gradient.direction
        steps = minimizing_steps(pairs, [energy.slope(d, g) for d, _ in pairs])
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


def line_minimum(hessian: Tensor, old: Tensor, new: Tensor, other: Tensor) -> Tensor:
    """The field on the line through two admissible ones that is best beside another.

    `other` is admissible, of the other kind. The gap of the pair is least where the
    energy is, and so no step is longer than the gap.
    """
    d = unless_rounding(old - new, new)
    slope = inner_product(d, apply(hessian, new) - other)
    (step,) = minimizing_steps([(d, apply(hessian, d))], [slope])
    return new + step * d


def minimizing_steps(
    pairs: list[tuple[Tensor, Tensor]], slopes: list[Tensor]
) -> list[Tensor]:
    """Steps along several directions d that minimise the energy together.

    `pairs` are (d, A d), A the Hessian, `slopes` the derivatives along them, (B,); of
    each the step, (B, 1, 1, 1, 1).
    """
    A = torch.stack(
        [torch.stack([_sum(d, A_b) for _, A_b in pairs], -1) for d, _ in pairs], -2
    )
    b = -torch.stack(slopes, -1).double()
    # more than rounding on the diagonal, as directions may be zero or repeat each other
    steps = scaled_solution(A, b, 2 * torch.finfo(pairs[0][0].dtype).eps)
    steps = steps.to(pairs[0][0].dtype)
    return [step[:, None, None, None, None] for step in steps.unbind(-1)]


def scaled_solution(A: Tensor, b: Tensor, least: float) -> Tensor:
    """The solution of A x = b, positive semidefinite (B, m, m), double, (B, m).

    A is scaled to a unit diagonal first, and `least` is then added to that; x is zero
    where the diagonal is.
    """
    diagonal = A.diagonal(dim1=-2, dim2=-1)
    scale = torch.where(diagonal > 0, diagonal.clamp_min(1e-300).rsqrt(), 0)
    A = A * scale[:, :, None] * scale[:, None, :]
    A = A + least * torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
    return torch.linalg.solve(A, b * scale) * scale


def _sum(a: Tensor, b: Tensor) -> Tensor:
    """<a : b> of each body, summed in double precision, (B,)."""
    return (a * b).sum(dim=1).mean(dim=(-3, -2, -1), dtype=torch.float64)


def better(bodies: Bodies, old: Pair, new: Pair) -> Pair:
    """The new strain and stress where they are better beyond rounding, else the old.

    Of each body of a batch. Better is a smaller certified error; of a body with pores,
    which has none, a strain that changes.
    """
    with torch.no_grad():
        C, S = bodies.stiffness, bodies.compliance
        errors = []
        for strain, stress in (old, new):
            gap = stress - apply(C, strain)
            errors.append(inner_product(gap, apply(S, gap)).sqrt())
        change = new[0] - old[0]
        moved = inner_product(change, apply(C, change)).sqrt()
        gained = torch.where(
            bodies.without_pores.flatten(), errors[0] - errors[1], moved
        )
        taken = (gained > _rounding(bodies, *old))[:, None, None, None, None]
    strain, stress = (torch.where(taken, b, a) for a, b in zip(old, new, strict=True))
    return strain, stress


def _rounding(bodies: Bodies, strain: Tensor, stress: Tensor) -> Tensor:
    """Energy norm of a pair's rounding, (B,)."""
    square = sum(
        inner_product(field, field)
        * matrix.diagonal(dim1=1, dim2=2).mean(dim=(1, 2, 3, 4))
        for field, matrix in (
            (strain, bodies.stiffness),
            (stress, bodies.compliance),
        )
    )
    return 4 * torch.finfo(strain.dtype).eps * torch.as_tensor(square).sqrt()
