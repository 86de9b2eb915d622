"""A laminate of two isotropic layers, against the closed form that one derives by hand.

    python examples/laminate_by_hand.py [picture.png]

Layers lie across x. The strain components in their plane (yy, zz, yz) and the tractions
on them (xx, xz, xy) are uniform, which gives the effective stiffness as means <.> over
the layers. Ten voxels are enough to meet it to rounding.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from fftmech import homogenize
from fftmech.materials import isotropic
from fftmech.microstructure import laminate
from fftmech.tensors import voigt_from_mandel

NU = 1 / 3
STIFF, SOFT = 88 / 3, 8 / 3  # Young's moduli
ENTRIES = {"C11": (0, 0), "C22": (1, 1), "C12": (0, 1), "C23": (1, 2)}
ENTRIES |= {"C44": (3, 3), "C55": (4, 4)}


def by_hand(fraction):
    """Effective constants of a laminate with this fraction of the stiff phase."""
    E, f = np.array([STIFF, SOFT]), np.array([fraction, 1 - fraction])
    lam, mu = E * NU / ((1 + NU) * (1 - 2 * NU)), E / (2 * (1 + NU))
    M = lam + 2 * mu
    across = 1 / (f @ (1 / M))
    coupling = (f @ (lam / M)) ** 2 * across
    return {
        "C11": across,
        "C22": f @ (M - lam**2 / M) + coupling,
        "C12": (f @ (lam / M)) * across,
        "C23": f @ (lam - lam**2 / M) + coupling,
        "C44": f @ mu,
        "C55": 1 / (f @ (1 / mu)),
    }


def solved(layers):
    """The same constants from ten voxels, of which `layers` are stiff."""
    stack = [
        (layers, isotropic(E=STIFF, nu=NU)),
        (10 - layers, isotropic(E=SOFT, nu=NU)),
    ]
    effective = homogenize(laminate((10, 1, 1), stack), tolerance=1e-10)
    C = voigt_from_mandel(effective.stiffness)
    return {name: C[place] for name, place in ENTRIES.items()}


counts = np.arange(1, 10)
points = [solved(n) for n in counts]
error = max(
    abs(point[name] / by_hand(n / 10)[name] - 1)
    for n, point in zip(counts, points, strict=True)
    for name in ENTRIES
)
print("1 stiff voxel in 10:", {name: f"{v:.6f}" for name, v in points[0].items()})
print(f"largest relative difference to the closed form: {error:.1e}")

fig, ax = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
fine = np.linspace(0, 1, 101)
for name in ENTRIES:
    (line,) = ax.plot(fine, [by_hand(f)[name] for f in fine], lw=1.2)
    values = [point[name] for point in points]
    ax.plot(counts / 10, values, "o", ms=5, color=line.get_color(), label=name)
ax.set(
    xlabel="volume fraction of the stiff layers",
    ylabel="effective stiffness",
    title="Laminate: closed form (lines), ten voxels (points)",
)
ax.legend(frameon=False)
ax.grid(color="0.92")
fig.savefig(sys.argv[1] if len(sys.argv) > 1 else "laminate_by_hand.png", dpi=150)
