"""Losses of Oommen et al. 2025, eqs. 15 to 18, and the hypercircle, without labels.

Fields are (B, C, X, Y, Z): symmetric tensors Mandel with C = 6, deformation gradients
(B, 3, 3, X, Y, Z). D(.) is the windowed average that coarsens a prediction to the
resolution of its labels.
"""

from torch import Tensor
from torch.nn import functional

from ecosurrogate.mechanics.fields import apply, inner_product
from fftmech.errors import InputError


def window_average(field: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """D(.): mean over windows of voxels, (..., X, Y, Z) -> (..., *shape)."""
    fine = tuple(field.shape[-3:])
    if fine == tuple(shape):
        return field
    window = tuple(n // m for n, m in zip(fine, shape, strict=True))
    if any(n != m * w for n, m, w in zip(fine, shape, window, strict=True)):
        raise InputError(
            f"labels of {shape} voxels for predictions of {fine}", "divisors"
        )
    flat = field.reshape(-1, 1, *fine)
    return functional.avg_pool3d(flat, window).reshape(*field.shape[:-3], *shape)


def masked_error(prediction: Tensor, label: Tensor, solid: Tensor) -> Tensor:
    """|g (X - D(X'))|^2 / |g X|^2, the first term of eqs. 15 and 16.

    X' is the prediction at the high resolution, X its label at the low one; there
    g = 1 - m, `solid`, is 1 outside the pore, 0 in it, (B, 1, x, y, z).
    """
    x, y, z = label.shape[-3:]
    error = solid * (label - window_average(prediction, (x, y, z)))
    square = (error**2).sum(dim=(1, 2, 3, 4))
    return (square / ((solid * label) ** 2).sum(dim=(1, 2, 3, 4))).mean()


def constitutive_error(stiffness: Tensor, strain: Tensor, stress: Tensor) -> Tensor:
    """Mean over voxels of |C e - s|^2: the second term of eq. 15.

    The paper's norm is a sum or a mean, it does not say which; a mean does not depend
    on the resolution.
    """
    residual = apply(stiffness, strain) - stress
    return (residual**2).sum(dim=1).mean()


def divergence_error(divergence: Tensor) -> Tensor:
    """Mean over nodes of |div s|_1: the second term of eq. 16, (B, 3, X, Y, Z)."""
    return divergence.abs().sum(dim=1).mean()


def component_error(prediction: Tensor, label: Tensor, gamma: float) -> Tensor:
    """sum_ij gamma^(1 - delta_ij) <|X_ij - X'_ij|>, as in eqs. 17 and 18.

    Fields are Mandel (B, 6, x, y, z), whose off-diagonal entries count twice, or
    tensors (B, 3, 3, x, y, z).
    """
    error = (prediction - label).abs()
    if error.shape[1] == 6:
        # a Mandel shear is sqrt(2) times a component that occurs twice
        shear = gamma * 2**0.5
        weights = error.new_tensor([1, 1, 1, shear, shear, shear])
        return (error.mean(dim=(0, 2, 3, 4)) * weights).sum()
    weights = error.new_full((3, 3), gamma).fill_diagonal_(1)
    return (error.mean(dim=(0, 3, 4, 5)) * weights).sum()


def hypercircle(
    stiffness: Tensor, compliance: Tensor, strain: Tensor, stress: Tensor
) -> Tensor:
    """|s - C e|^2 in the norm of C^-1, relative to |e|^2_C + |s|^2 there, (B,).

    For admissible e and s, with the prescribed means, this is the sum of the squares of
    both energy errors, exactly (Prager and Synge 1947, doi:10.1090/qam/25902): a loss
    that needs no label. No voxel may be a pore, which has no C^-1.
    """
    C_e = apply(stiffness, strain)
    residual = stress - C_e
    gap = inner_product(residual, apply(compliance, residual))
    size = inner_product(strain, C_e) + inner_product(stress, apply(compliance, stress))
    return gap / size
