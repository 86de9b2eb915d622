"""Pointwise algebra of fields of tensors, on arrays of any library.

Fields of Mandel vectors are (..., 6, x, y, z), of second-order tensors without symmetry
(..., 3, 3, x, y, z).
"""

from typing import Any

from fftmech.arrays.backend import is_tensor, namespace
from fftmech.tensors.mandel import PAIRS


def green_lagrange(F: Any) -> Any:
    """1/2 (F^T F - 1), (..., 3, 3, x, y, z) -> Mandel (..., 6, x, y, z)."""
    parts = []
    for i, j in PAIRS:
        product = (F[..., :, i, :, :, :] * F[..., :, j, :, :, :]).sum(axis=-4)
        parts.append(0.5 * (product - 1) if i == j else 0.5**0.5 * product)
    return namespace(F).stack(parts, -4)


def cauchy(F: Any, P: Any) -> Any:
    """P F^T / det F, (..., 3, 3, x, y, z) -> Mandel (..., 6, x, y, z)."""
    J = determinant(F)
    parts = []
    for i, j in PAIRS:
        one = (P[..., i, :, :, :, :] * F[..., j, :, :, :, :]).sum(axis=-4)
        other = (P[..., j, :, :, :, :] * F[..., i, :, :, :, :]).sum(axis=-4)
        # symmetric but for rounding
        parts.append((one + other) * ((0.5 if i == j else 0.5**0.5) / J))
    return namespace(F).stack(parts, -4)


def determinant(F: Any) -> Any:
    """det F, (..., 3, 3, x, y, z) -> (..., x, y, z)."""

    def f(i: int, j: int) -> Any:
        return F[..., i, j, :, :, :]

    return (
        f(0, 0) * (f(1, 1) * f(2, 2) - f(1, 2) * f(2, 1))
        - f(0, 1) * (f(1, 0) * f(2, 2) - f(1, 2) * f(2, 0))
        + f(0, 2) * (f(1, 0) * f(2, 1) - f(1, 1) * f(2, 0))
    )


def multiply(matrix: Any, field: Any) -> Any:
    """One 6x6 matrix times a field of Mandel vectors (..., 6, x, y, z)."""
    flat = field.reshape(*field.shape[:-3], -1)
    return (matrix @ flat).reshape(field.shape)


def mean(field: Any) -> Any:
    """Volume average over points and voxels: (*batch, q, c, x, y, z) -> (*batch, c)."""
    return field.mean(axis=(-5, -3, -2, -1))


def symmetrize(gradient: Any) -> Any:
    """Mandel strain (..., 6, x, y, z) of a gradient (..., 3, 3, x, y, z)."""
    xp = namespace(gradient)
    g = gradient
    if is_tensor(g):
        rows = [row.unbind(-4) for row in g.unbind(-5)]
        parts = [
            rows[i][i] if i == j else (rows[i][j] + rows[j][i]) * 0.5**0.5
            for i, j in PAIRS
        ]
        return xp.stack(parts, -4)
    strain = xp.empty((*g.shape[:-5], 6, *g.shape[-3:]), g.dtype)
    for m, (i, j) in enumerate(PAIRS):
        if i == j:
            strain[..., m, :, :, :] = g[..., i, i, :, :, :]
        else:
            out = strain[..., m, :, :, :]
            xp.add(g[..., i, j, :, :, :], g[..., j, i, :, :, :], out=out)
            out *= 0.5**0.5
    return strain


def dot(a: Any, b: Any) -> Any:
    """Double contraction of Mandel fields, (..., 6, x, y, z) -> (..., x, y, z)."""
    return (a * b).sum(axis=-4)


def energy_density(strain: Any, stress: Any) -> Any:
    """Elastic energy density 1/2 s : e, Mandel (..., 6, x, y, z) -> (..., x, y, z).

    With eigenstrain, `strain` is the elastic part, total minus eigenstrain.
    """
    return (strain * stress).sum(axis=-4) / 2


def full(stress: Any) -> Any:
    """Symmetric tensors (..., 3, 3, x, y, z) of Mandel vectors (..., 6, x, y, z)."""
    xp = namespace(stress)
    if is_tensor(stress):
        s = stress.unbind(-4)
        off = {m: s[m] * 0.5**0.5 for m in range(3, 6)}
        parts = [off.get(m, s[m]) for m in (0, 5, 4, 5, 1, 3, 4, 3, 2)]
        return xp.stack(parts, -4).unflatten(-4, (3, 3))
    t = xp.empty((*stress.shape[:-4], 3, 3, *stress.shape[-3:]), stress.dtype)
    for m, (i, j) in enumerate(PAIRS):
        component = stress[..., m, :, :, :]
        if i != j:
            component = component * 0.5**0.5
            t[..., j, i, :, :, :] = component
        t[..., i, j, :, :, :] = component
    return t


def hydrostatic(stress: Any) -> Any:
    """Mean normal stress tr(s)/3, Mandel (..., 6, x, y, z) -> (..., x, y, z)."""
    return stress[..., :3, :, :, :].mean(axis=-4)


def von_mises(stress: Any) -> Any:
    """Von Mises stress sqrt(3/2 dev s : dev s), (..., 6, x, y, z) -> (..., x, y, z)."""
    normal, shear = stress[..., :3, :, :, :], stress[..., 3:, :, :, :]
    deviator = normal - normal.mean(axis=-4, keepdims=True)
    return (1.5 * ((deviator**2).sum(axis=-4) + (shear**2).sum(axis=-4))) ** 0.5
