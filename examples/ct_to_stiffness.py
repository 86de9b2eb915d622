"""Effective stiffness of a rock from its CT image, with three readings of the grey.

    python examples/ct_to_stiffness.py [image.raw.gz] [--res 32] [-o picture.png]

The image is headerless: 128 x 128 x 128 voxels of uint8, grey value 0 is a pore. It is
read as

- binary: 0 is empty, everything else calcite; coarse voxels are what most of them is;
- composite: the same, but coarse voxels are mixed by volume fraction (Voigt);
- porous: grey value g is calcite with the fraction 1 - g/255 of it missing, finer than
  a voxel can show.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fftmech import homogenize, read
from fftmech.io.materials import parse_materials
from fftmech.microstructure import resample
from fftmech.tensors.stiffness import isotropic_moduli

BESIDE = Path(__file__).resolve().parents[2] / "shared/data/grosmont_128.raw.gz"
CALCITE = {"K": 70.2, "G": 29.0}  # GPa

arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
arguments.add_argument("image", nargs="?", default=BESIDE)
arguments.add_argument("--res", type=int, default=32, help="finest grid")
arguments.add_argument("-o", "--output", default="ct_to_stiffness.png")
options = arguments.parse_args()

headerless = {"shape": (128, 128, 128), "dtype": "uint8"}
grey = read(options.image, **headerless)
solid = read(options.image, threshold=0, **headerless)
phases = [{"id": 0, "pore": True}, {"id": 1, "isotropic": CALCITE}]
binary = parse_materials({"phase": phases}, "binary").apply(solid)
porous = parse_materials({"grey": {"solid": CALCITE}}, "porous").apply(grey)
print(f"pores: {binary.fractions[0]:.1%}; with fine porosity", end=" ")
print(f"{1 - grey.phase.mean() / 255:.1%}")

readings = {
    "binary": (binary, "majority", "cg"),
    "composite": (binary, "voigt", "cg"),
    # a stiffness that varies from voxel to voxel down to almost nothing
    "porous": (porous, "voigt", "jacobi-cg"),
}
sizes = [max(4, options.res // 4), options.res // 2, options.res]
moduli = {name: [] for name in readings}
for name, (body, rule, solver) in readings.items():
    for n in sizes:
        effective = homogenize(resample(body, n, rule), solver=solver)
        K, G = isotropic_moduli(effective.stiffness)
        moduli[name].append((K, G))
        print(
            f"{name:9} {n:3}^3: K {K:.2f}, G {G:.2f} GPa, "
            f"iterations up to {max(effective.iterations)}, {effective.status}"
        )

fig, (image, local, ax) = plt.subplots(1, 3, figsize=(13.5, 3.8), layout="constrained")
shown = image.imshow(grey.phase[:, :, 64].T, origin="lower", cmap="gray")
image.set(title="CT image, slice z = 64", xlabel="x (voxel)", ylabel="y (voxel)")
fig.colorbar(shown, ax=image, shrink=0.85, label="grey value")

coarse = resample(porous, options.res, "voigt")
bulk = np.array([isotropic_moduli(C)[0] for C in np.nan_to_num(coarse.stiffness)])
shown = local.imshow(
    bulk[coarse.phase[:, :, options.res // 2]].T, origin="lower", cmap="viridis"
)
local.set(title=f"porous reading, {options.res}$^3$")
local.set(xlabel="x (voxel)", ylabel="y (voxel)")
fig.colorbar(shown, ax=local, shrink=0.85, label="bulk modulus (GPa)")

for name, pairs in moduli.items():
    bulk, shear = np.transpose(pairs)
    (line,) = ax.plot(sizes, bulk, "o-", label=f"K, {name}")
    ax.plot(sizes, shear, "s--", color=line.get_color(), mfc="w", label=f"G, {name}")
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, [str(n) for n in sizes])
ax.set(xlabel="voxels along an edge", ylabel="effective modulus (GPa)", ylim=(0, 75))
ax.set_title("effective stiffness")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
ax.grid(color="0.92")
fig.savefig(options.output, dpi=120)
