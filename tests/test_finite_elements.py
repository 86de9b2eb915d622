"""`hex8`, `bbar` and `rotated` against finite elements assembled element by element."""

from itertools import product

import numpy as np
import pytest

from fftmech import Grid, Load, Microstructure, solve
from fftmech.tensors import FACTORS, PAIRS

pytestmark = pytest.mark.usefixtures("kernels")

LOAD = Load(
    strain={"xx": 1e-3, "yz": -4e-4}, stress={"yy": 2e-3, "zz": 0.0, "xy": 1e-3}
)
POINTS = {
    "hex8": list(product((0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5), repeat=3)),
    "rotated": [(0.5, 0.5, 0.5)],
}
POINTS["bbar"] = POINTS["hex8"]


def _strain_matrix(point, h):
    """Mandel strain (6, 8 x 3) of the trilinear brick at a point of the unit cube."""
    B = np.zeros((6, 8, 3))
    for node, corner in enumerate(product((0, 1), repeat=3)):
        shape = [t if c else 1 - t for c, t in zip(corner, point, strict=True)]
        slope = [(1 if c else -1) / size for c, size in zip(corner, h, strict=True)]
        gradient = [
            slope[a] * shape[(a + 1) % 3] * shape[(a + 2) % 3] for a in range(3)
        ]
        for m, (i, j) in enumerate(PAIRS):
            B[m, node, i] += FACTORS[m] / 2 * gradient[j]
            B[m, node, j] += FACTORS[m] / 2 * gradient[i]
    return B.reshape(6, 24)


def _strain_matrices(scheme, h):
    """Those of all points; `bbar` has the mean of their traces at each."""
    B = np.array([_strain_matrix(point, h) for point in POINTS[scheme]])
    if scheme == "bbar":
        trace = B[:, :3].sum(axis=1, keepdims=True)
        B[:, :3] += (trace.mean(axis=0) - trace) / 3
    return B


def _finite_elements(body, load, scheme):
    """Mean strain, and stress by voxel (6, x, y, z), of a dense assembled solve."""
    shape, h = body.grid.shape, body.grid.h
    number = np.arange(body.grid.voxels).reshape(shape)
    size = 3 * body.grid.voxels + 6
    K, f = np.zeros((size, size)), np.zeros(size)
    B = [np.hstack([b, np.eye(6)]) for b in _strain_matrices(scheme, h)]
    dofs = {}
    for voxel in np.ndindex(shape):
        nodes = [
            number[
                tuple((v + c) % n for v, c, n in zip(voxel, corner, shape, strict=True))
            ]
            for corner in product((0, 1), repeat=3)
        ]
        dof = np.array([3 * n + i for n in nodes for i in range(3)])
        dofs[voxel] = np.concatenate([dof, np.arange(size - 6, size)])
        C, e0 = (
            table[body.phase[voxel]] for table in (body.stiffness, body.eigenstrain)
        )
        for b in B:  # np.add.at: a node may appear twice where an axis has one voxel
            np.add.at(K, np.ix_(dofs[voxel], dofs[voxel]), b.T @ C @ b / len(B))
            np.add.at(f, dofs[voxel], b.T @ C @ e0 / len(B))
    f[-6:] += body.grid.voxels * load.mean_stress
    held = np.zeros(size, bool)
    held[-6:] = ~load.free
    x = np.zeros(size)
    x[-6:] = load.mean_strain
    right = f[~held] - K[np.ix_(~held, held)] @ x[held]
    x[~held] = np.linalg.lstsq(K[np.ix_(~held, ~held)], right, rcond=1e-12)[0]
    stress = np.zeros((6, *shape))
    for voxel, dof in dofs.items():
        C, e0 = (
            table[body.phase[voxel]] for table in (body.stiffness, body.eigenstrain)
        )
        stress[(slice(None), *voxel)] = np.mean([C @ (b @ x[dof] - e0) for b in B], 0)
    return x[-6:], stress


@pytest.mark.parametrize("scheme", POINTS)
@pytest.mark.parametrize("size", [(3, 4, 2), (4, 3, 1), (3, 3, 3)], ids=str)
def test_solution_is_that_of_assembled_finite_elements(scheme, size, rng):
    root = rng.normal(size=(4, 6, 6))
    body = Microstructure(
        Grid(size, (0.1, 0.25, 0.4)),
        rng.integers(0, 4, size),
        root @ root.transpose(0, 2, 1) + np.eye(6),
        eigenstrain=1e-3 * rng.normal(size=(4, 6)),
    )
    result = solve(body, LOAD, scheme=scheme, tolerance=1e-11)
    strain, stress = _finite_elements(body, LOAD, scheme)
    assert result.converged
    np.testing.assert_allclose(
        result.mean_strain, strain, atol=1e-8 * abs(strain).max()
    )
    np.testing.assert_allclose(result.stress, stress, atol=1e-8 * abs(stress).max())
