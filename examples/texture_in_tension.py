"""Copper crystals turn in tension: pole figures before and after.

    python examples/texture_in_tension.py [picture.png]

250 random fcc crystals without elasticity, 12 slip systems each, drawn along z to a
strain of 0.4. Slip turns them towards <111> or <100> along z, as in a drawn wire.
"""

import sys

from fftmech import Load, March, Path, Step
from fftmech.figures import pole_figure, save_figure
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.microstructure import polycrystal
from fftmech.microstructure.poles import poles

GRAINS = 250
law = CrystalCreep(tau0=0.05, rate0=1e-3, exponent=10, bulk=150)  # GPa, 1/s, GPa s
body = polycrystal(16, grains=GRAINS, seed=1)
body = body.with_changes(law=dict.fromkeys(range(GRAINS), law))

path = Path((Step(Load.uniaxial("zz", 0.4), time=400.0, increments=30),))
march = March(body, path, solver="dual", rotate_crystals=True)
for _ in march.points():
    pass
result = march.result()
print(
    f"{result.status}: {1000 * result.mean_stress[2]:.0f} MPa; "
    f"{result.iterations} iterations; crystals turned by up to "
    f"{march.largest_turn:.0f} degrees",
    *result.notes,
    sep="\nnote: ",
)

bodies = {"before": body, "after": result.microstructure}
planes = (1, 1, 1), (1, 0, 0)
figure = pole_figure([poles(b, plane) for plane in planes for b in bodies.values()])
for ax, when in zip(figure.axes, [*bodies, *bodies], strict=False):
    ax.text(-1, -0.99, when, va="top")
save_figure(figure, sys.argv[1] if len(sys.argv) > 1 else "texture_in_tension.png", 130)
