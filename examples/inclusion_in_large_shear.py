"""Soft matter with stiff inclusions in large simple shear.

    python examples/inclusion_in_large_shear.py [picture.png]

Two compressible neo-Hooke materials of contrast 20, sheared to F_xy = 1 in steps of
0.25 (plane strain). The pictures are of the deformed body, four cells of it: nodes are
where F_mean X + u takes them. Scheme hex8: with one point a voxel, stresses at a jagged
interface may alternate from voxel to voxel.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from fftmech import FiniteLoad, Grid, March, Microstructure, Path
from fftmech.materials.neo_hooke import NeoHooke
from fftmech.tensors.fields import von_mises

N = 96
grid = Grid((N, N, 1))
x, y, z = grid.centers()
phase = np.zeros(grid.shape, int)
for X, Y, radius in ((0.3, 0.35, 0.17), (0.72, 0.7, 0.2), (0.75, 0.22, 0.1)):
    phase[(x - X) ** 2 + (y - Y) ** 2 + 0 * z < radius**2] = 1
body = Microstructure(
    grid, phase, law={0: NeoHooke(K=5.0, G=1.0), 1: NeoHooke(K=100.0, G=20.0)}
)

path = Path.of([FiniteLoad(F={"xy": g}) for g in (0.25, 0.5, 0.75, 1.0)])
march = March(body, path, scheme="hex8")
results = []
for point in march.points():
    results.append(march.result())
    print(
        f"F_xy = {point.mean_strain[1]:.2f}: P_xy = {point.mean_stress[1]:.4f}, "
        f"{point.iterations} Newton steps, {point.linear_iterations} iterations"
    )

fig = plt.figure(figsize=(11, 3.4), layout="constrained")
axes = fig.subplots(1, 2, width_ratios=(3, 4))
nodes = np.stack(np.meshgrid(np.arange(N + 1), np.arange(N + 1), indexing="ij")) / N
limit = np.percentile(von_mises(results[-1].stress), 99)
for ax, result in zip(axes, (results[1], results[-1]), strict=True):
    u = np.pad(result.displacement[:2, :, :, 0], ((0, 0), (0, 1), (0, 1)), mode="wrap")
    F = result.finite.mean_F[:2, :2]
    for cell in np.ndindex(2, 2):
        X = nodes + np.array(cell)[:, None, None]
        place = np.einsum("ij,jxy->ixy", F, X) + u
        image = ax.pcolormesh(
            *place, von_mises(result.stress)[:, :, 0], vmin=0, vmax=limit
        )
    ax.set(aspect="equal", title=f"$F_{{xy}}$ = {F[0, 1]:g}", xlabel="x", ylabel="y")
bar = fig.colorbar(image, ax=axes, extend="max")
bar.set_label("von Mises stress (Cauchy) / G matrix")
fig.savefig(
    sys.argv[1] if len(sys.argv) > 1 else "inclusion_in_large_shear.png", dpi=130
)
