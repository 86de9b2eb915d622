"""The same problem in three discretizations: what happens beside an interface.

    python examples/two_schemes_near_an_interface.py [picture.png]

A stiff fibre (contrast 10) in plane strain, stretched along x. `fourier` rings (Gibbs)
and `rotated` carries a checkerboard, both some way into the phases; `hex8` is smooth
there, but sees the corners of the voxels that touch the interface more sharply. The
reference is `hex8` on voxels a quarter as wide, averaged over the voxels of the others.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from fftmech import Load, solve
from fftmech.materials import isotropic
from fftmech.microstructure.inclusions import sphere

N, FINER = 64, 4
MATRIX, FIBRE = isotropic(E=1, nu=0.3), isotropic(E=10, nu=0.3)
LOAD = Load(strain={"xx": 1.0})


def stress(voxels, scheme):
    """Stress xx on voxels x voxels x 1, with how it was solved."""
    body = sphere((voxels, voxels, 1), 0.25, MATRIX, FIBRE)
    result = solve(body, LOAD, scheme=scheme)
    return result.stress[0, :, :, 0], result


fine, _ = stress(N * FINER, "hex8")
reference = fine.reshape(N, FINER, N, FINER).mean(axis=(1, 3))
x = (np.arange(N) + 0.5) / N - 0.5
beside = abs(np.hypot(x[:, None], x) - 0.25) < 2 / N

fig = plt.figure(figsize=(10, 7), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=(1, 0.95))
maps = top.subplots(1, 3)
profile = bottom.subplots()
column = N // 2 + 11
position = (np.arange(N) + 0.5) / N
profile.plot(position, reference[column], color="0.6", lw=5, label="reference")
for ax, scheme in zip(maps, ("fourier", "rotated", "hex8"), strict=True):
    field, result = stress(N, scheme)
    near, far = (
        np.sqrt(((field - reference)[mask] ** 2).mean()) / reference.std()
        for mask in (beside, ~beside)
    )
    print(
        f"{scheme}: {result.iterations} iterations, {result.times['solve']:.2f} s, "
        f"nRMSE of stress xx within two voxels of the interface {near:.3f}, "
        f"elsewhere {far:.3f}"
    )
    image = ax.imshow(
        field.T,
        origin="lower",
        extent=(0, 1, 0, 1),
        vmin=0.8,
        vmax=2.8,
        interpolation="nearest",
    )
    ax.axvline(position[column], color="w", lw=1, ls="--")
    ax.set(title=scheme, xlabel="x", ylabel="y")
    profile.plot(position, field[column], "o-", ms=4, lw=1, label=scheme)
top.colorbar(image, ax=maps, shrink=0.9, label=r"$\sigma_{xx}$", extend="both")
profile.set(xlabel="y, along the dashed line", ylabel=r"$\sigma_{xx}$", xlim=(0.2, 0.8))
profile.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
profile.grid(color="0.92")
fig.savefig(sys.argv[1] if len(sys.argv) > 1 else "two_schemes.png", dpi=120)
