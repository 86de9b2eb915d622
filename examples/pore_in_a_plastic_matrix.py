"""A pore in an aluminium matrix that yields: curve and plastic strain.

    python examples/pore_in_a_plastic_matrix.py [picture.png]

J2 plasticity with saturating hardening; tension along x to 1 %, then back to no stress.
The curve is that of the cell beside the matrix alone. Scheme bbar: with one point a
voxel, plastic strain near a jagged pore may alternate from voxel to voxel.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from fftmech import Grid, Load, March, Microstructure, Path, Step
from fftmech.materials import PORE, isotropic
from fftmech.materials.plasticity import Plasticity
from fftmech.microstructure.inclusions import sphere

N, RADIUS = 32, 0.25
aluminium = isotropic(E=70.0, nu=0.33)  # GPa
law = Plasticity(yield_stress=0.25, saturation_stress=0.1, saturation_rate=200.0)
unload = {name: 0.0 for name in ("xx", "yy", "zz", "yz", "xz", "xy")}
path = Path(
    (
        Step(Load.uniaxial("xx", 0.01), increments=16),
        Step(Load(stress=unload), increments=1),
    )
)

bodies = {
    "matrix alone": Microstructure(
        Grid((1, 1, 1)), np.zeros((1, 1, 1), int), [aluminium], law={0: law}
    ),
    "with a pore": sphere(N, RADIUS, aluminium, PORE).with_changes(law={0: law}),
}
fig = plt.figure(figsize=(10.5, 4), layout="constrained")
left, right = fig.subplots(1, 2)
for name, body in bodies.items():
    march = March(body, path, scheme="bbar")
    strain, stress, plastic = [0.0], [0.0], None
    for point in march.points():
        strain.append(point.mean_strain[0])
        stress.append(point.mean_stress[0])
        if point.step == 1:
            plastic = march.result().variables["accumulated_plastic_strain"][0]
    points = march.state.points
    print(
        f"{name}: {max(stress):.4f} GPa at 1 %, {strain[-1]:.3%} is left without load; "
        f"{sum(p.iterations for p in points)} Newton steps, "
        f"{sum(p.linear_iterations for p in points)} iterations"
    )
    left.plot(100 * np.array(strain), 1000 * np.array(stress), ".-", label=name)
left.set(xlabel="mean strain xx (%)", ylabel="mean stress xx (MPa)", ylim=0)
left.legend(frameon=False)
left.grid(color="0.92")

right.set_facecolor("0.8")
middle = np.where(body.phase == 0, plastic, np.nan)[:, :, N // 2]
image = right.imshow(
    100 * middle.T,
    origin="lower",
    extent=(0, 1, 0, 1),
    vmax=float(np.nanpercentile(100 * middle, 99)),
    interpolation="nearest",
)
bar = fig.colorbar(image, ax=right, extend="max")
bar.set_label("accumulated plastic strain at 1 % (%)")
right.set(xlabel="x", ylabel="y", title="middle of the cell")
fig.savefig(
    sys.argv[1] if len(sys.argv) > 1 else "pore_in_a_plastic_matrix.png", dpi=130
)
