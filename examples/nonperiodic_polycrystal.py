"""A polycrystal pulled along x by grips, its sides free, as in a tensile test.

    python examples/nonperiodic_polycrystal.py [picture.png [voxels along an edge]]

The grips move by 8e-5 of the length and let the ends slide; no traction acts on the
sides. Beside it, the simple alternatives: layers of pore around a body that is periodic
along x, and a body that is periodic altogether. The grains do not fit together across
the faces of the box, so that both have grain boundaries there that the bar has not.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from fftmech import Boundary, Grid, Load, Microstructure, solve
from fftmech.microstructure import polycrystal

STRAIN = 8e-5

picture = sys.argv[1] if len(sys.argv) > 1 else "nonperiodic_polycrystal.png"
res = int(sys.argv[2]) if len(sys.argv) > 2 else 32

bar = polycrystal(res, grains=24, seed=1, periodic=False)


def with_layers(body, layers):
    """The body with layers of pore above it in y and z."""
    pore = len(body.stiffness)
    phase = body.phase.astype(int)
    phase = np.pad(phase, ((0, 0), (0, layers), (0, layers)), constant_values=pore)
    stiffness = np.concatenate([body.stiffness, np.zeros((1, 6, 6))])
    return Microstructure(Grid(phase.shape, body.grid.spacing), phase, stiffness)


tension = Load(strain={"xx": STRAIN})
faces = Boundary(x="uniaxial", y="free", z="free")
sides = Boundary(y="free", z="free")
results = {
    "grips, free sides": solve(bar, tension, boundary=faces),
    "periodic in x, free sides": solve(bar, tension, boundary=sides),
    "the same by 1 layer": solve(with_layers(bar, 1), tension),
    f"the same by {res // 4} layers": solve(with_layers(bar, res // 4), tension),
    "periodic": solve(bar, Load.uniaxial("xx", STRAIN)),
}
stress = {
    name: 1000 * result.stress[:, :, :res, :res]  # MPa, without the layers
    for name, result in results.items()
}
for name, result in results.items():
    print(
        f"{name}: {result.iterations} iterations, mean stress xx "
        f"{stress[name][0].mean():.3f} MPa"
    )
free_sides = stress["periodic in x, free sides"]
for name, s in stress.items():
    if "layer" in name:
        difference = abs(s - free_sides).max()
        print(f"{name}: stress differs by less than {difference:.1e} MPa")

fig = plt.figure(figsize=(11, 3.7), layout="constrained")
*panels, right = fig.subplots(1, 3, width_ratios=(1, 1, 1.1))
names = ("grips, free sides", "periodic")
low, high = np.percentile(stress[names[0]][0], (0.5, 99.5))
for ax, name in zip(panels, names, strict=True):
    image = ax.imshow(
        stress[name][0, :, :, res // 2].T,
        origin="lower",
        extent=(0, 1, 0, 1),
        cmap="inferno",
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )
    ax.set(title=name, xlabel="x", ylabel="y")
colors = fig.colorbar(image, ax=panels[-1], shrink=0.9, extend="both")
colors.set_label(r"$\sigma_{xx}$ (MPa)", fontsize=12)

depth = (np.arange(res) + 0.5) / res
for name, s in stress.items():
    if "layer" not in name:
        right.plot(depth, np.sqrt((s[1] ** 2).mean(axis=(0, 2))), lw=1.4, label=name)
right.set(
    xlim=(0, 1),
    ylim=(0, None),
    xlabel="y",
    title=r"$\sigma_{yy}$ (MPa), root mean square over x, z",
)
right.legend(frameon=False)
right.grid(color="0.92")
fig.savefig(picture, dpi=130)
