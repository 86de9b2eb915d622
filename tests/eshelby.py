"""Eshelby's ellipsoid: a body that has one a box, and the strain in it.

The mean strain in the ellipsoid is (1 + P dC)^-1 times the strain applied, with dC the
difference of the stiffnesses and P Hill's tensor of the ellipsoid, or of the array.
"""

import numpy as np
from closed_forms import ball, sphere_volume

from fftmech import Grid, Microstructure
from fftmech.materials import isotropic
from fftmech.tensors import symmetric_product

ELLIPSOID = (1.0, 0.7, 0.5)
"""Semi-axes of the ellipsoid, relative to each other."""

DILUTE = 0.02
"""Volume fraction of the ellipsoid."""


CUT = 4.0
"""Largest frequency that is summed, times the semi-axes."""


def ellipsoid(n):
    """An ellipsoid of 2 % of the volume, ten times as stiff."""
    C = np.array([isotropic(E=1, nu=0.3), isotropic(E=10, nu=0.2)])
    return Microstructure(Grid((n, n, n)), ball(n, DILUTE, ELLIPSOID), C)


def eshelby(body):
    """Strain in the ellipsoid for each strain at infinity, Mandel (6, 6).

    (1 + P dC)^-1 with Hill's tensor P, the mean of N (N^T C N)^-1 N^T over directions
    A^-1 k (Eshelby 1957, doi:10.1098/rspa.1957.0133; Mura 1987, 11.34).
    """
    return _concentration(body, _hill_tensor(body.stiffness[0]))


def eshelby_array(body):
    """Mean strain in the ellipsoid of a cubic array for each mean strain, (6, 6).

    P is the sum of |chi|^2 / f times the same matrix over the frequencies of the box,
    chi the transform of the ellipsoid (Nemat-Nasser, Iwakuma & Hejazi 1982, Mech.
    Mater. 1, 239): the strain is taken as uniform, an error of second order. Beyond
    a cut |A k| the directions are those of the single ellipsoid.
    """
    C0, axes = body.stiffness[0], _semi_axes()
    reach = np.ceil(CUT / axes).astype(int)
    k = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1)
    k = k.reshape(-1, 3).astype(float)
    size = np.linalg.norm(axes * k, axis=1)
    k, size = k[(size > 0) & (size < CUT)], size[(size > 0) & (size < CUT)]
    x = 2 * np.pi * size
    weight = DILUTE * (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2
    k /= np.linalg.norm(k, axis=1, keepdims=True)
    P = np.einsum("k,kij->ij", weight, _green(C0, k))
    # all weights sum to 1 - f
    return _concentration(body, P + (1 - DILUTE - weight.sum()) * _hill_tensor(C0))


def _semi_axes():
    axes = np.array(ELLIPSOID)
    return axes * np.cbrt(DILUTE / (sphere_volume(1) * axes.prod()))


def _concentration(body, P):
    C0, C1 = body.stiffness
    return np.linalg.inv(np.eye(6) + P @ (C1 - C0))


def _hill_tensor(C0):
    nodes, weights = np.polynomial.legendre.leggauss(64)
    turn = 2 * np.pi * (np.arange(128) + 0.5) / 128
    z, phi = (v.ravel() for v in np.meshgrid(nodes, turn, indexing="ij"))
    weight = np.repeat(weights, 128) / 256
    rho = np.sqrt(1 - z**2)
    k = np.stack([rho * np.cos(phi), rho * np.sin(phi), z], axis=-1) / ELLIPSOID
    k /= np.linalg.norm(k, axis=1, keepdims=True)
    return np.einsum("k,kij->ij", weight, _green(C0, k))


def _green(C0, k):
    """N (N^T C N)^-1 N^T with N a = sym(a (x) k), Mandel (n, 6, 6)."""
    Nt = symmetric_product(np.eye(3), k[:, None])
    return np.swapaxes(Nt, 1, 2) @ np.linalg.solve(Nt @ C0 @ np.swapaxes(Nt, 1, 2), Nt)
