"""Texture makes a sheet anisotropic: r-values of rolled and recrystallized metal.

    python examples/texture_r_values.py [picture.png]

A sheet is pulled at an angle to its rolling direction (RD); r is the rate at which it
becomes narrower over that at which it becomes thinner, here at 3 % of strain, of fcc
polycrystals (`crystal_plasticity`): random, recrystallized (Cube), and rolled (Brass, S
and Copper, a third each), ideal orientations with a spread of 12 degrees. Instead of
the sheet, the load has one direction, and its crystals are turned.

Isotropic sheets have r = 1; those of 400 random grains scatter about it by 0.08. Of
single crystals, printed first, Schmid's law says by symmetry: r = 1, 0, 1 of Cube at 0,
45 and 90 degrees (pulled along <110> it cannot narrow along the other <110>), r = 1 and
infinity of Goss at 0 and 90 degrees. Left out are the turning of the crystals,
elongated grains and their boundaries, and that slip hardens systems differently: this
is a few percent of strain, not a drawn cup.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.transform import Rotation

from fftmech import Grid, Load, March, Microstructure, Path, Step
from fftmech.materials import cubic
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.microstructure import Peak, polycrystal
from fftmech.microstructure.texture import orientations
from fftmech.tensors import rotate_stiffness

N, GRAINS, SPREAD = 20, 400, 12.0
IDEAL = {
    "Cube": (0, 0, 0),
    "Goss": (0, 45, 0),
    "Brass": (35.3, 45, 0),
    "S": (59, 37, 63),
    "Copper": (90, 35.3, 45),
}
TEXTURES = {"random": (), "Cube": ("Cube",), "rolled": ("Brass", "S", "Copper")}
aluminium = cubic(C11=106.8, C12=60.4, C44=28.3)  # GPa
law = CrystalPlasticity(
    tau0=0.02, tau1=0.02, theta0=0.1, theta1=0.01, rate0=1e-3, exponent=30.0
)
random = np.random.default_rng(0)


def texture(names):
    """Rotations of the grains about ideal orientations, a like number about each."""
    if not names:
        return Rotation.random(GRAINS, random)
    each = -(-GRAINS // len(names))
    q = [orientations(each, random, Peak(IDEAL[name], SPREAD)) for name in names]
    crystals = Rotation.from_quat(np.roll(np.concatenate(q), -1, axis=1))
    # rolling makes half turns about RD, TD and ND alike; shuffled over the grains
    turns = Rotation.create_group("D2")[random.integers(4, size=len(crystals))]
    return (turns * crystals)[random.permutation(len(crystals))[:GRAINS]]


def r_value(phase, crystals, angle):
    """r under tension at an angle to RD, and iterations."""
    turned = Rotation.from_euler("z", -angle, degrees=True) * crystals
    body = Microstructure(
        Grid(phase.shape),
        phase,
        rotate_stiffness(aluminium, turned.as_matrix()),
        np.roll(turned.as_quat(), 1, axis=1),
        law=dict.fromkeys(range(len(crystals)), law),
    )
    step = Step(Load.uniaxial("xx", 0.03), time=30.0, increments=6)
    points = list(March(body, Path((step,))).points())
    assert all(point.status == "converged" for point in points)
    rate = points[-1].mean_strain - points[-2].mean_strain
    return rate[1] / rate[2], sum(point.linear_iterations for point in points)


fig = plt.figure(figsize=(8, 5), layout="constrained")
figures = fig.subfigures(1, 2, width_ratios=(1, 3))
ax, poles = figures[1].subplots(), figures[0].subplots(3, 1)
voxel = np.zeros((1, 1, 1), int)
fine, angles = np.arange(0, 91, 5), np.arange(0, 91, 15)
for name in ("Cube", "Goss"):
    crystal = Rotation.from_euler("ZXZ", [IDEAL[name]], degrees=True)
    r = np.array([r_value(voxel, crystal, angle)[0] for angle in fine])
    a, b, c = r[[0, len(r) // 2, -1]]
    print(f"{name} crystal: r = {a:.3f}, {b:.3f}, {c:.3g} at 0, 45, 90 degrees")
    if name == "Cube":
        ax.plot(fine, r / (1 + r), "--", color="0.5", lw=1, label="Cube, one crystal")

phase = polycrystal(N, grains=GRAINS, seed=0).phase
for pole, (name, names) in zip(poles, TEXTURES.items(), strict=True):
    crystals = texture(names)
    r, iterations = np.transpose([r_value(phase, crystals, a) for a in angles])
    (line,) = ax.plot(angles, r / (1 + r), "o-", label=f"{name}, {GRAINS} grains")
    a, b, c = r[[0, len(r) // 2, -1]]
    print(
        f"{name}: r = {a:.2f}, {b:.2f}, {c:.2f} at 0, 45, 90 degrees; mean (r0 + 2 r45 "
        f"+ r90) / 4 = {(a + 2 * b + c) / 4:.2f}; {iterations.sum():.0f} iterations"
    )
    corners = [(1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)]
    x, y, z = np.concatenate([crystals.apply(c) for c in corners]).T / 3**0.5
    shown = np.where(z < 0, -1, 1) / (1 + abs(z))
    pole.plot(-y * shown, x * shown, ".", ms=2, color=line.get_color())
    pole.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.3"))
    pole.set(aspect="equal", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))
    pole.set_title(f"{name}, {{111}}", fontsize=9, pad=9)
    pole.text(0, 1.03, "RD", ha="center", va="bottom", fontsize=7)
    pole.axis("off")

ticks = np.array([0, 0.25, 0.5, 1, 2, 4, np.inf])
places = np.append(ticks[:-1] / (1 + ticks[:-1]), 1)
ax.set(yticks=places, yticklabels=["0", "0.25", "0.5", "1", "2", "4", "infinite"])
ax.set(xticks=angles, xlabel="angle of tension to the rolling direction (degrees)")
ax.set(ylabel="r = width strain / thickness strain", ylim=(-0.02, 1.02))
ax.legend(frameon=False, fontsize=9, loc="upper center", ncols=2)
ax.grid(color="0.92")
fig.savefig(sys.argv[1] if len(sys.argv) > 1 else "texture_r_values.png", dpi=130)
