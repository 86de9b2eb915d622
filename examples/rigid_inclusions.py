"""Rigid spheres in a polymer: stress, two energies that meet, effective moduli.

    python examples/rigid_inclusions.py [picture.png]

The energies are of spheres 100 times as stiff as the polymer, solved with few
iterations: that of cg's strain is an upper bound, that of dual's stress a lower one.
Moduli are beside the dilute estimate (Einstein's, for any Poisson's ratio) and the
lower bound of Hashin and Shtrikman.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from fftmech import Load, homogenize, solve
from fftmech.materials import RIGID, isotropic
from fftmech.microstructure import inclusions
from fftmech.tensors.fields import von_mises
from fftmech.tensors.stiffness import isotropic_moduli

N, RADII, SCHEME = 32, (0.09, 0.14), "rotated"
polymer = isotropic(E=3.0, nu=0.35)  # GPa
load = Load(strain={"xx": 1e-3})


def spheres(fraction, stiffness):
    """Spheres of some volume fraction, the same ones of any stiffness."""
    return inclusions(N, fraction, RADII, polymer, stiffness, seed=1)


plt.rc("figure.constrained_layout", wspace=0.08)
fig = plt.figure(figsize=(13, 4), layout="constrained")
left, middle, right = fig.subplots(1, 3)

rigid = solve(spheres(0.2, RIGID), load, scheme=SCHEME)
print(f"rigid: {rigid.status}, {rigid.iterations} iterations with {rigid.solver}")
matrix = rigid.microstructure.phase == 0
stress = np.where(matrix, 1000 * von_mises(rigid.stress), np.nan)[:, :, N // 2]
left.set_facecolor("0.75")
image = left.imshow(
    stress.T,
    origin="lower",
    extent=(0, 1, 0, 1),
    vmax=float(np.nanpercentile(stress, 99)),
    interpolation="nearest",
)
fig.colorbar(image, ax=left, extend="max", label="von Mises stress (MPa)")
left.set(xlabel="x", ylabel="y", title="strain xx of 0.1 %; spheres are rigid")

stiff = spheres(0.2, 100 * polymer)
exact = solve(stiff, load, scheme=SCHEME, tolerance=1e-9).energy
counts = range(1, 13)
for solver, bound, name in (
    ("cg", "energy_upper", "of the strain (cg)"),
    ("dual", "energy_lower", "of the stress (dual)"),
):
    stopped = [
        solve(stiff, load, scheme=SCHEME, solver=solver, max_iterations=count)
        for count in counts
    ]
    ratios = [result.certificate[bound] / exact for result in stopped]
    middle.plot(counts, ratios, "o-", ms=4, label=name)
middle.axhline(1, color="0.6", lw=1)
middle.set(xlabel="iterations", ylabel="energy / converged energy")
middle.set(ylim=(0.9, 1.35), title="spheres 100 times as stiff")
middle.legend(frameon=False)

K, G = isotropic_moduli(polymer)
nu = (3 * K - 2 * G) / (6 * K + 2 * G)
slopes = 1 + 4 * G / (3 * K), 15 * (1 - nu) / (2 * (4 - 5 * nu))
c, moduli, bounds = [], [], []
for fraction in (0.05, 0.1, 0.15, 0.2, 0.25):
    body = spheres(fraction, RIGID)
    effective = homogenize(body, scheme=SCHEME, tolerance=1e-4)
    bound = effective.bounds["hashin_shtrikman"]
    c.append(body.fractions[1])
    moduli.append(np.divide(isotropic_moduli(effective.stiffness), (K, G)))
    bounds.append((bound["K"][0] / K, bound["G"][0] / G))
    print(
        f"{c[-1]:.1%} rigid: K {moduli[-1][0]:.3f}, G {moduli[-1][1]:.3f} times the "
        f"polymer's, {sum(effective.iterations)} iterations"
    )
for i, name in enumerate(("bulk", "shear")):
    color = f"C{i + 2}"
    right.plot(c, np.array(moduli)[:, i], "o", color=color, label=f"{name} modulus")
    right.plot([0, *c], [1, *np.array(bounds)[:, i]], color=color)
    right.plot([0, c[-1]], [1, 1 + slopes[i] * c[-1]], ":", color=color)
right.plot([], [], color="0.4", label="Hashin-Shtrikman, lower")
right.plot([], [], ":", color="0.4", label="dilute")
right.set(xlabel="volume fraction", ylabel="effective / polymer")
right.set(xlim=0, ylim=1, title="rigid spheres")
right.legend(frameon=False)
for ax in (middle, right):
    ax.grid(color="0.92")
fig.savefig(sys.argv[1] if len(sys.argv) > 1 else "rigid_inclusions.png", dpi=130)
