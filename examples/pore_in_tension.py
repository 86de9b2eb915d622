"""Stress around pores in Ti-6Al-4V under uniaxial tension.

    python examples/pore_in_tension.py [picture.png]

A spherical pore, for which Goodier's closed form is known (Timoshenko & Goodier, Theory
of Elasticity, article 137), and a flat, jagged lack-of-fusion pore of the same volume,
for which no closed form is. Tension is along z; the sides are free to contract.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from fftmech import Load, solve
from fftmech.materials import PORE, isotropic
from fftmech.microstructure import single_pore
from fftmech.microstructure.inclusions import sphere

N, RADIUS, NU = 64, 0.125, 0.342
titanium = isotropic(E=113.8, nu=NU)  # GPa

bodies = {
    "spherical pore": sphere(N, RADIUS, titanium, PORE),
    "lack of fusion": single_pore(
        N, "lack-of-fusion", radius=RADIUS, stiffness=titanium, seed=0
    ),
}
fields = {}
for name, body in bodies.items():
    result = solve(body, Load.uniaxial("zz", 1e-3))
    concentration = result.stress[2] / result.mean_stress[2]
    fields[name] = np.where(body.phase == 0, concentration, np.nan)
    print(
        f"{name}: {result.iterations} iterations, volume {body.fractions[1]:.3%}, "
        f"largest stress zz {np.nanmax(fields[name]):.2f} times the mean"
    )


def goodier(r):
    """Stress zz over that far away, at distance r from the axis, in the plane z = 0."""
    a = RADIUS / r
    return 1 + ((4 - 5 * NU) * a**3 + 9 * a**5) / (2 * (7 - 5 * NU))


fig = plt.figure(figsize=(11, 3.6), layout="constrained")
left, middle, right = fig.subplots(1, 3, width_ratios=(1, 1, 1.15))
for ax, (name, field) in zip((left, middle), fields.items(), strict=True):
    ax.set_facecolor("0.8")
    image = ax.imshow(
        field[:, N // 2].T,
        origin="lower",
        extent=(0, 1, 0, 1),
        cmap="RdBu_r",
        vmin=0,
        vmax=2,
        interpolation="nearest",
    )
    ax.set(title=name, xlabel="x", ylabel="z")
bar = fig.colorbar(image, ax=middle, shrink=0.9, extend="both")
bar.set_label(r"$\sigma_{zz}\,/\,\langle\sigma_{zz}\rangle$", fontsize=12)

# the plane z = 0 lies between two layers of voxels
profile = fields["spherical pore"][N // 2 :, N // 2, N // 2 - 1 : N // 2 + 1].mean(
    axis=1
)
x = (np.arange(N // 2) + 0.5) / N
r = np.hypot(x, 0.5 / N)  # the row of voxels is half a voxel off the centre
fine = np.linspace(RADIUS, 0.5, 200)
right.plot(fine / RADIUS, goodier(fine), lw=1.2, label="one pore, infinite body")
right.plot(r / RADIUS, profile, "o", ms=4, label=f"{N}$^3$ voxels, periodic")
right.set(
    xlim=(0.9, 4),
    xlabel="distance from the centre / radius",
    title=r"$\sigma_{zz}\,/\,\langle\sigma_{zz}\rangle$ beside the spherical pore",
)
right.legend(frameon=False)
right.grid(color="0.92")
fig.savefig(sys.argv[1] if len(sys.argv) > 1 else "pore_in_tension.png", dpi=130)
