"""How far fields are from a reference, from equilibrium and from compatibility.

Fields are Mandel, (..., 6, x, y, z), of NumPy or CuPy.
"""

from typing import Any, NamedTuple

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary

NORMALISATIONS = ("std", "range", "norm")
"""Denominators of the nRMSE; see `nrmse`."""

DEFAULT = "std"
"""The one that is meant where none is named: a uniform field has 1, never less."""

UNIFORM = 1e-5
"""A component that varies by less, relative to the largest one, is uniform: what is
left of it is the solver's tolerance, and an error over that means nothing."""

QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)
"""Quantiles that describe a tail; 1.0 is the maximum."""


class Norm(NamedTuple):
    """A root mean square, and the same over its upper bound."""

    absolute: float
    relative: float


def nrmse(
    prediction: Any, reference: Any, normalisation: str = DEFAULT, mask: Any = None
) -> Any:
    """Root mean square error over the voxels, over a scale of the reference.

    nRMSE = sqrt(<(p - r)^2>) / s, for each component, with s of the reference:

    - "std": its standard deviation, sqrt(<(r - <r>)^2>);
    - "range": its maximum minus its minimum;
    - "norm": its root mean square, sqrt(<r^2>), which is the relative L2 error.

    Oommen et al. 2025 (Equilibrium conserving neural operators for super-resolution
    learning) call nRMSE "the root mean squared error computed on the normalized
    predictions" (caption of Fig. A.2): "std" for their polycrystals, whose fields are
    divided by a standard deviation, and "range" for their pores, whose fields are
    normalised by minimum and maximum; both scales are those of their whole training
    set, here they are those of the one reference field. Table 1 itself does not say.

    The mean of the reference, which knows nothing of the body, has 1 over the standard
    deviation, but over a range that one peak makes long it has a few hundredths: an
    error over "range" or "norm" says nothing without that of the uniform field beside
    it (`uniform_field`).

    A component whose scale vanishes (below `UNIFORM` of the largest component's root
    mean square) gives 0 if the error vanishes too, else infinity; never NaN.

    Fields (..., x, y, z) give (...); the largest component is that of the last axis
    before x. The boolean mask (x, y, z) says which voxels count; all if None.
    """
    error, scale, least = _error_and_scale(prediction, reference, normalisation, mask)
    return _ratio(error, scale, least)


def mean_nrmse(
    prediction: Any, reference: Any, normalisation: str = DEFAULT, mask: Any = None
) -> float:
    """nRMSE of a tensor field: the mean over its components that are not uniform.

    0 or infinity, as for each component, if all are. Arguments as in `nrmse`;
    (6, x, y, z).
    """
    errors = nrmse(prediction, reference, normalisation, mask)
    varies = varying(reference, mask)
    return float(errors[varies].mean() if varies.any() else errors.max())


def varying(reference: Any, mask: Any = None) -> Any:
    """Which components of (..., 6, x, y, z) are not uniform, boolean (..., 6).

    Their standard deviation is above `UNIFORM` of the largest component's root mean
    square.
    """
    _, scale, least = _error_and_scale(reference, reference, "std", mask)
    return scale > least


def uniform_field(reference: Any, mask: Any = None) -> Any:
    """The uniform field with the least error: the mean of the reference.

    It has the shape of the reference, (..., x, y, z); the mean is over the voxels that
    count. It knows the mean of each component, which has to be predicted too, and
    nothing else: what is no better has learned nothing of the body.
    """
    mean = _voxels(reference, mask).mean(axis=-1)[..., None, None, None]
    return mean + namespace(reference).zeros_like(reference)


def skill(error: float | None, uniform: float | None) -> float | None:
    """1 - error / error of the uniform field: 1 is the solution, 0 knows nothing.

    None where one of the two does not exist, or the reference is uniform itself.
    """
    if error is None or not uniform or not np.isfinite([error, uniform]).all():
        return None
    return 1 - error / uniform


def tensor_nrmse(
    prediction: Any, reference: Any, normalisation: str = DEFAULT, mask: Any = None
) -> Any:
    """nRMSE of the whole tensor: sqrt(sum_c rmse_c^2 / sum_c s_c^2).

    With Mandel components, "std" and "norm" do not depend on the axes. Arguments and
    errors as in `nrmse`; (..., 6, x, y, z) gives shape (...).
    """
    error, scale, least = _error_and_scale(prediction, reference, normalisation, mask)
    error = (error**2).sum(axis=-1) ** 0.5
    scale = (scale**2).sum(axis=-1) ** 0.5
    return _ratio(error, scale, least[..., 0])


def divergence(
    stress: Any, grid: Grid, scheme: str, boundary: Boundary | None = None
) -> Any:
    """div s at the nodes, (3, ...), of a box with faces at those inside it.

    Arguments are those of `divergence_norm`.
    """
    d = discretization(scheme)
    stress, grid = _with_void(stress, grid, boundary)
    points = namespace(stress).broadcast_to(stress, (d.points, *stress.shape))
    return _inside(d.divergence(points, grid), boundary)


def divergence_norm(
    stress: Any, grid: Grid, scheme: str, boundary: Boundary | None = None
) -> Norm:
    """Root mean square of div s, and relative to that of grad s, in one scheme.

    Both come from the scheme's adjoint derivative, (div s)_i = -sum_a D_a* s_ia and
    |grad s|^2 = sum_ija |D_a* s_ij|^2, so that the relative value is at most 1; it is 0
    for a stress that is uniform to rounding. The absolute one is in stress units per
    length.

    A voxel has one stress, Mandel (6, x, y, z): with `hex8` and `bbar` it is given to
    all eight integration points, and even a solved field is then not in equilibrium to
    the solver's tolerance.

    A box with faces has a `boundary`; what counts are the nodes inside it.
    """
    d = discretization(scheme)
    _check_field(stress, grid, "stress")
    absolute = _rms(divergence(stress, grid, scheme, boundary))
    floor = _rounding(stress.dtype) * _rms(stress) / min(grid.h)
    s, grid = _with_void(stress, grid, boundary)
    gradient = 0.0
    for a in range(3):
        D = sum(d.adjoint(s, a, grid, q) for q in range(d.points)) / d.points
        gradient += _rms(_inside(D, boundary)) ** 2
    return _norm(absolute, gradient**0.5, floor)


def incompatibility_norm(strain: Any, grid: Grid, scheme: str) -> Norm:
    """Root mean square of inc e = curl e curl, and relative to second differences.

    The strain is Mandel (6, x, y, z), the scheme one with a single integration point
    (not hex8, not bbar), the absolute value per length squared. The denominator of the
    relative one is sqrt(<sum_ijab |D_a D_b e_ij|^2>) in the same scheme, so that it is
    at most 1; it is 0 for a strain that is uniform to rounding.
    """
    d = discretization(scheme)
    _check_field(strain, grid, "strain")
    absolute = _rms(d.incompatibility(strain[None], grid))
    square = 0.0
    for a in range(3):
        first = d.derivative(strain, a, grid)
        for b in range(a, 3):
            twice = 1 if a == b else 2
            square += twice * _rms(d.derivative(first, b, grid)) ** 2
    floor = _rounding(strain.dtype) * _rms(strain) / min(grid.h) ** 2
    return _norm(absolute, square**0.5, floor)


def tail(density: Any) -> Any:
    """`QUANTILES` of a field over its voxels."""
    xp = namespace(density)
    return xp.quantile(density.ravel(), xp.asarray(QUANTILES))


def _error_and_scale(prediction, reference, normalisation, mask):
    if normalisation not in NORMALISATIONS:
        raise InputError(
            f"normalisation {normalisation!r}", f"one of {', '.join(NORMALISATIONS)}"
        )
    if prediction.shape != reference.shape:
        raise InputError(
            f"prediction of shape {prediction.shape} and reference of shape "
            f"{reference.shape}",
            "equal shapes",
            "resample one of them",
        )
    p, r = _voxels(prediction, mask), _voxels(reference, mask)
    mean_square = (r**2).mean(axis=-1)
    if normalisation == "std":
        scale = r.std(axis=-1)
    elif normalisation == "range":
        scale = r.max(axis=-1) - r.min(axis=-1)
    else:
        scale = mean_square**0.5
    largest = mean_square**0.5
    if largest.ndim:
        largest = largest.max(axis=-1, keepdims=True)
    error = ((p - r) ** 2).mean(axis=-1) ** 0.5
    return error, scale, UNIFORM * largest


def _voxels(field: Any, mask: Any) -> Any:
    """Values (..., n) of the voxels that count."""
    if mask is None:
        return field.reshape(*field.shape[:-3], -1)
    if mask.shape != field.shape[-3:] or not mask.any():
        raise InputError(
            f"mask of shape {mask.shape} with {int(mask.sum())} voxels for a field of "
            f"shape {field.shape}",
            f"{field.shape[-3:]} and at least one voxel",
        )
    return field[..., mask]


def _ratio(error: Any, scale: Any, least: Any) -> Any:
    """error / scale; where the scale vanishes, 0 or infinity."""
    xp = namespace(error)
    vanishes = scale <= least
    ratio = error / xp.where(vanishes, 1, scale)
    return xp.where(vanishes, xp.where(error <= least, 0.0, xp.inf), ratio)


def _norm(absolute: float, whole: float, floor: float) -> Norm:
    return Norm(absolute, absolute / whole if whole > floor else 0.0)


def _with_void(stress: Any, grid: Grid, boundary: Boundary | None) -> tuple[Any, Grid]:
    """A stress on the grid of the nodes, zero beyond faces."""
    if boundary is None:
        return stress, grid
    nodes = boundary.nodes(grid)
    layers = [(0, new - old) for new, old in zip(nodes, grid.shape, strict=True)]
    xp = namespace(stress)
    padded = xp.pad(stress, [(0, 0)] * (stress.ndim - 3) + layers)
    return padded, Grid(nodes, grid.spacing)


def _inside(field: Any, boundary: Boundary | None) -> Any:
    """Values at nodes that are not on faces."""
    if boundary is None:
        return field
    return field[
        (..., *(slice(None) if p else slice(1, -1) for p in boundary.periodic))
    ]


def _rms(field: Any) -> float:
    """sqrt(<|f|^2>): over the voxels a mean, over all other axes a sum."""
    voxels = float(np.prod(field.shape[-3:]))
    return float((field.astype(float) ** 2).sum() / voxels) ** 0.5


def _rounding(dtype: Any) -> float:
    return float(np.finfo(dtype).eps) ** 0.75


def _check_field(field: Any, grid: Grid, name: str) -> None:
    if field.shape != (6, *grid.shape):
        raise InputError(
            f"{name} of shape {field.shape} on a grid of {grid.shape}",
            f"{(6, *grid.shape)}",
        )
