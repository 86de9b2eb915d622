"""A copper polycrystal in tension: crystal viscoplasticity, curve and slip.

    python examples/polycrystal_tension.py [picture.png]

Forty fcc grains, 12 slip systems each, extended Voce hardening, to 2 % at 1e-3 a
second.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from fftmech import Load, March, Path, Step
from fftmech.materials import cubic
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.microstructure import polycrystal

N, GRAINS = 24, 40
copper = cubic(C11=168.4, C12=121.4, C44=75.4)  # GPa
law = CrystalPlasticity(
    tau0=0.016, tau1=0.03, theta0=0.2, theta1=0.02, rate0=1e-3, exponent=20.0
)
body = polycrystal(N, grains=GRAINS, stiffness=copper, seed=1)
body = body.with_changes(law=dict.fromkeys(range(GRAINS), law))

path = Path((Step(Load.uniaxial("xx", 0.02), time=20.0, increments=20),))
march = March(body, path)
strain, stress = [0.0], [0.0]
for point in march.points():
    strain.append(100 * point.mean_strain[0])
    stress.append(1000 * point.mean_stress[0])
points = march.state.points
result = march.result()
slip = 100 * result.variables["accumulated_slip"][0]
print(
    f"{stress[-1]:.1f} MPa at 2 %; {sum(p.iterations for p in points)} Newton steps, "
    f"{sum(p.linear_iterations for p in points)} iterations; slip {slip.min():.1f} to "
    f"{slip.max():.1f} %, {slip.mean():.1f} % in the mean"
)

fig = plt.figure(figsize=(11, 3.6), layout="constrained")
left, middle, right = fig.subplots(1, 3)
left.plot(strain, stress, ".-")
left.set(xlabel="mean strain xx (%)", ylabel="mean stress xx (MPa)", xlim=0, ylim=0)
left.grid(color="0.92")
grains = body.phase[:, :, N // 2]
for ax, field, name, cmap in (
    (middle, slip, "accumulated slip (%)", "viridis"),
    (right, 1000 * result.stress[0], "stress xx (MPa)", "magma"),
):
    image = ax.imshow(
        field[:, :, N // 2].T,
        origin="lower",
        extent=(0, 1, 0, 1),
        cmap=cmap,
        interpolation="nearest",
    )
    i, j = np.nonzero(np.diff(grains, axis=0))
    ax.vlines((i + 1) / N, j / N, (j + 1) / N, color="white", lw=0.8)
    i, j = np.nonzero(np.diff(grains, axis=1))
    ax.hlines((j + 1) / N, i / N, (i + 1) / N, color="white", lw=0.8)
    ax.set(xlabel="x", ylabel="y")
    fig.colorbar(image, ax=ax, shrink=0.9, label=name)
fig.savefig(sys.argv[1] if len(sys.argv) > 1 else "polycrystal_tension.png", dpi=130)
