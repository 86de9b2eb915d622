"""Grains of a polycrystal, and the stress in them, on three faces of the box.

    python examples/polycrystal_stress.py [picture.png [voxels along an edge]]

The box is stretched along x by 0.1 %, its other sides are held. Neighbouring grains
differ only by their orientation.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.transforms import Affine2D

from fftmech import Load, solve
from fftmech.figures.colors import phase_colors
from fftmech.microstructure import polycrystal

picture = sys.argv[1] if len(sys.argv) > 1 else "polycrystal_stress.png"
res = int(sys.argv[2]) if len(sys.argv) > 2 else 64

body = polycrystal(res, grains=40, seed=1)
result = solve(body, Load(strain={"xx": 1e-3}))
stress = 1000 * result.stress[0]  # MPa
print(f"{result.status} in {result.iterations} iterations")
print(f"stress xx from {stress.min():.0f} to {stress.max():.0f} MPa,", end=" ")
print(f"mean {stress.mean():.0f} MPa")


def draw_cube(ax, values, **how):
    """Draw the faces y = 0, x = 1 and z = 1 of the box, in isometric projection."""
    x, y, z = np.array([[0.866, -0.5], [0.866, 0.5], [0, 1]])  # the axes on paper
    for face, corner, along, up in (
        (values[:, 0], 0 * x, x, z),
        (values[-1], x, y, z),
        (values[:, :, -1], z, x, y),
    ):
        place = Affine2D(np.array([[*along, 0], [*up, 0], [*corner, 1]]).T)
        image = ax.imshow(
            face.swapaxes(0, 1),
            origin="lower",
            extent=(0, 1, 0, 1),
            interpolation="nearest",
            transform=place + ax.transData,
            **how,
        )
    ax.set(xlim=(-0.1, 1.83), ylim=(-0.6, 1.55), aspect="equal")
    ax.axis("off")
    for name, at in (("x", 0.5 * x), ("y", x + 0.5 * y), ("z", 0.5 * z)):
        shift = {"x": (-0.07, -0.07), "y": (0.07, -0.07), "z": (-0.06, 0)}[name]
        ax.text(*(at + shift), name, ha="center", va="center", fontsize=12)
    return image


fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
draw_cube(left, np.array(phase_colors(body))[body.phase])
left.set_title("40 grains", fontsize=13)
low, high = np.percentile(stress, (0.5, 99.5))
image = draw_cube(right, stress, cmap="inferno", vmin=low, vmax=high)
right.set_title("stress along x", fontsize=13)
bar = fig.colorbar(image, ax=right, shrink=0.8, extend="both")
bar.set_label(r"$\sigma_{xx}$ (MPa)", fontsize=12)
fig.savefig(picture, dpi=130)
