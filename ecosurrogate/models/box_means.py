"""Means of fields in boxes with faces: affine displacements, resultants of stresses.

Faces release mean strains, and uniform stresses are no longer all that stress functions
lack: a bar may be bent. Both are solved for, as in periodic boxes: the energy of the
strain and the complementary energy of the stress are quadratic in them.
"""

import torch
from torch import Tensor

from ecosurrogate.data.bodies import Bodies
from ecosurrogate.mechanics.fields import apply, average
from ecosurrogate.mechanics.mean_field import stationary_means


def mean_gradient(bodies: Bodies, strain: Tensor | None = None) -> Tensor:
    """Gradient of the affine part of the displacement, (B, 3, 3, 1, 1, 1).

    What the load prescribes, and with the strain (B, 6, X, Y, Z) of the rest of the
    displacement what it or the faces leave free: that minimises the energy.
    """
    box, load = bodies.box, bodies.load
    assert box is not None
    mean = torch.where(load.free, 0, load.strain)
    if strain is not None:
        parts = [len(ways) > 0 for ways in box.affine_parts]
        free = load.free | torch.tensor(parts, device=mean.device)
        stress = torch.where(load.free, load.stress, 0)
        solved = stationary_means(bodies.stiffness, strain, mean, stress, free)
        mean = torch.where(free, solved, mean)
    return box.affine(mean)[..., None, None, None]


def with_resultants(stress: Tensor, bodies: Bodies) -> Tensor:
    """Add the stresses that stress functions lack, (B, 6, X, Y, Z).

    They are `BoxOperators.stress_modes`. Their factors give prescribed mean stresses,
    and minimise the complementary energy otherwise.
    """
    assert bodies.box is not None
    modes = bodies.box.stress_modes(stress)
    if not modes:
        return stress
    load, S = bodies.load, bodies.compliance
    given = torch.stack([load.free[:, n] & uniform for n, uniform, _ in modes], 1)
    mean = average(stress)[..., 0, 0, 0]
    known = torch.stack([load.stress[:, n] - mean[:, n] for n, _, _ in modes], 1)
    work = torch.stack([load.strain[:, n] * p.mean() for n, _, p in modes], 1)
    strain = apply(S, stress)
    response = torch.stack(
        [(strain[:, n] * p).mean(dim=(-3, -2, -1)) for n, _, p in modes], 1
    )
    gram = torch.stack(
        [
            torch.stack(
                [(S[:, n, m] * p * q).mean(dim=(-3, -2, -1)) for m, _, q in modes], 1
            )
            for n, _, p in modes
        ],
        1,
    )
    # in double precision: nothing beside the averages
    gram, known = gram.double(), torch.where(given, known, 0).double()
    b = (work - response).double() - (gram * known[:, None]).sum(dim=-1)
    both = ~given[:, :, None] & ~given[:, None, :]
    identity = torch.eye(len(modes), dtype=gram.dtype, device=gram.device)
    solved = torch.linalg.solve(
        torch.where(both, gram, identity), torch.where(given, 0, b)
    )
    factors = torch.where(given, known, solved).to(stress.dtype)
    parts = list(stress.unbind(1))
    for k, (n, _, values) in enumerate(modes):
        parts[n] = parts[n] + factors[:, k, None, None, None] * values
    return torch.stack(parts, 1)
