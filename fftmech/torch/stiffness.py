"""Stiffness matrices on tensors, differentiable in constants and orientations.

The formulas are those of `fftmech.materials` and `fftmech.tensors`, and are tested
against them. Products run in double precision, which neither autocast nor TF32 lowers.
"""

from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fftmech.errors import InputError
from fftmech.tensors import J, K, matrix_from_mandel, matrix_from_quaternion

_BASIS = matrix_from_mandel(np.eye(6))  # (6, 3, 3), orthonormal


def isotropic(**constants: Tensor | float) -> Tensor:
    """Isotropic stiffness 3 K J + 2 G K from a named pair of constants.

    Parameters
    ----------
    constants
        (E, nu) or (K, G), tensors (...) of any shapes that broadcast; moduli in stress
        units.

    Returns
    -------
    Tensor
        Mandel, (..., 6, 6), stress units.

    Raises
    ------
    InputError
        Another pair.
    """
    names = set(constants)
    if names == {"E", "nu"}:
        E, nu = _together(constants["E"], constants["nu"])
        bulk, shear = E / (3 * (1 - 2 * nu)), E / (2 * (1 + nu))
    elif names == {"K", "G"}:
        bulk, shear = _together(constants["K"], constants["G"])
    else:
        raise InputError(
            f"isotropic constants {sorted(names)}", "one pair of {E, nu}, {K, G}"
        )
    hydrostatic, deviatoric = (bulk.new_tensor(projector) for projector in (J, K))
    bulk, shear = bulk[..., None, None], shear[..., None, None]
    return 3 * bulk * hydrostatic + 2 * shear * deviatoric


def cubic(C11: Tensor | float, C12: Tensor | float, C44: Tensor | float) -> Tensor:
    """Cubic stiffness, axes along the cube's edges (Voigt names).

    Parameters
    ----------
    C11, C12, C44
        Tensors (...) of any shapes that broadcast, stress units.

    Returns
    -------
    Tensor
        Mandel, (..., 6, 6), stress units.
    """
    normal = np.diag([1.0, 1, 1, 0, 0, 0])
    c11, c12, c44 = (c[..., None, None] for c in _together(C11, C12, C44))
    # Mandel: twice the engineering shear modulus on the diagonal
    parts = (normal, 3 * J - normal, 2 * (np.eye(6) - normal))
    along, across, shear = (c11.new_tensor(part) for part in parts)
    return c11 * along + c12 * across + c44 * shear


def rotate(C: Tensor, quaternion: Tensor) -> Tensor:
    """Stiffness in the sample frame, Q C Q^T.

    Parameters
    ----------
    C
        Mandel stiffness in the crystal frame, (..., 6, 6).
    quaternion
        Orientations v_sample = R v_crystal, order w x y z, (..., 4), of any length but
        zero: a gradient step need not keep it one.

    Returns
    -------
    Tensor
        Mandel, (..., 6, 6), batch shapes broadcast, precision of C.
    """
    R = matrix_from_quaternion(quaternion.double())
    T = R.new_tensor(_BASIS)
    # the basis tensors turned, and their components along the basis
    turned = R[..., None, :, :] @ T @ R[..., None, :, :].transpose(-1, -2)
    Q = (T[:, None] * turned[..., None, :, :, :]).sum((-2, -1))
    return (Q @ C.double() @ Q.transpose(-1, -2)).to(C.dtype)


def _together(*values: Any) -> tuple[Tensor, ...]:
    """Constants as tensors of one dtype and device, broadcast."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    dtype = (
        reduce(torch.promote_types, (t.dtype for t in tensors))
        if tensors
        else torch.float64
    )
    device = tensors[0].device if tensors else None
    return torch.broadcast_tensors(
        *(torch.as_tensor(v, dtype=dtype, device=device) for v in values)
    )
