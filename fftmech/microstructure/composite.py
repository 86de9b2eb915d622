"""Composite voxels: one stiffness for a voxel that holds several phases.

Every rule gives C and the stress-free strain a of the voxel with
mean stress = C (mean strain - a), exact for the arrangement the rule stands for:
equal strain (Voigt), equal stress (Reuss), or plane layers (laminate). The energy that
residual stress stores inside a voxel is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fftmech.tensors import symmetric_product

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Phases:
    """Stiffness, Mandel (P, 6, 6), zero for a pore, of the phases that are mixed.

    Stress-free strains, Mandel (P, 6), are by name: eigenstrain, thermal expansion.
    """

    stiffness: np.ndarray
    strains: dict[str, np.ndarray]


def voigt(phases: Phases, fractions: csr_array) -> Phases:
    """Mix at equal strain: C = sum f C_p and a = C^-1 sum f C_p a_p.

    Volume fractions are sparse (voxels, P); rows sum to 1.
    """
    C = (fractions @ phases.stiffness.reshape(-1, 36)).reshape(-1, 6, 6)
    strains = {}
    for name, a in phases.strains.items():
        stress = fractions @ np.einsum("pmn,pn->pm", phases.stiffness, a)
        strains[name] = _solve(C, stress)
    return Phases(C, strains)


def reuss(phases: Phases, fractions: csr_array) -> Phases:
    """Mix at equal stress: C = (sum f C_p^-1)^-1 and a = sum f a_p; see `voigt`.

    A voxel with a pore in it is a pore.
    """
    solid = phases.stiffness.any(axis=(1, 2))
    compliance = np.zeros_like(phases.stiffness)
    compliance[solid] = np.linalg.inv(phases.stiffness[solid])
    porous = fractions @ (~solid).astype(float) > 0
    mixed = (fractions @ compliance.reshape(-1, 36)).reshape(-1, 6, 6)
    C = np.zeros_like(mixed)
    C[~porous] = np.linalg.inv(mixed[~porous])
    return Phases(C, {name: fractions @ a for name, a in phases.strains.items()})


def laminate_pairs(
    phases: Phases, pair: np.ndarray, fraction: np.ndarray, normal: np.ndarray
) -> Phases:
    """Mix two phases as layers with a common normal n (rank-one laminate).

    With f1 + f2 = 1, dC = C1 - C2, N a = sym(a (x) n) and
    G = N (N^T (f2 C1 + f1 C2) N)^-1 N^T,

        C = f1 C1 + f2 C2 - f1 f2 dC G dC,
        C a = f1 C1 a1 + f2 C2 a2 - f1 f2 dC G (C1 a1 - C2 a2),

    from strains that differ by N a and tractions that agree (Milton, The Theory of
    Composites, 2002, chapter 9; for composite voxels Kabel, Merkert and Schneider
    2015, doi 10.1016/j.cma.2015.06.003). Neither phase may be a pore. Of each voxel
    `pair` are the phase ids, (voxels, 2), `fraction` is f1, (voxels,), and `normal` a
    unit vector, (voxels, 3).
    """
    C1, C2 = phases.stiffness[pair[:, 0]], phases.stiffness[pair[:, 1]]
    f1 = fraction[:, None, None]
    f2 = 1 - f1
    # N^T: row i is sym(e_i (x) n)
    Nt = symmetric_product(np.eye(3), normal[:, None])
    N = np.swapaxes(Nt, 1, 2)
    G = N @ np.linalg.solve(Nt @ (f2 * C1 + f1 * C2) @ N, Nt)
    dC = C1 - C2
    C = f1 * C1 + f2 * C2 - f1 * f2 * dC @ G @ dC
    C = (C + np.swapaxes(C, 1, 2)) / 2
    strains = {}
    for name, a in phases.strains.items():
        s1, s2 = C1 @ a[pair[:, 0], :, None], C2 @ a[pair[:, 1], :, None]
        stress = f1 * s1 + f2 * s2 - f1 * f2 * dC @ G @ (s1 - s2)
        strains[name] = np.linalg.solve(C, stress)[..., 0]
    return Phases(C, strains)


def _solve(C: np.ndarray, stress: np.ndarray) -> np.ndarray:
    """C^-1 stress, voxel by voxel; zero where a voxel is all pore."""
    solid = C.any(axis=(1, 2))
    strain = np.zeros_like(stress)
    strain[solid] = np.linalg.solve(C[solid], stress[solid, :, None])[..., 0]
    return strain
