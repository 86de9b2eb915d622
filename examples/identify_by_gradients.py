"""Three constants of a crystal, with error bars, from strains on a polycrystal.

    python examples/identify_by_gradients.py [picture.png]

A copper polycrystal of known grains (EBSD) is stretched by 0.1 %. Measured are the
strains xx, yy and xy of each voxel of its surface, with errors of 1e-4 (image
correlation), and the mean stress to 0.5 % (load cell). Gauss and Newton's method fits
the bulk modulus K and the shear moduli C' = (C11 - C12) / 2 and C44 in a few
iterations, each of them a solve for the fields and three for their derivatives
(`jacfwd`). The derivatives J, over the errors, also give the covariance of the
constants, (J^T J)^-1, and so what a measurement is worth before it is made: averaged
over the surface, the same strains tell C' and C44 to 21 and 12 %, and to 1.5 and 1 % by
voxels. K, which strains with free sides show least, is known to 3 %.

The misfit should be that of the supposed errors (chi^2 of 1 a datum), and the constants
a few error bars from the true ones at most. Data are computed on the same voxels: real
ones have errors of the grains and of the voxels as well.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.func import jacfwd

from fftmech.microstructure import polycrystal
from fftmech.torch import cubic, rotate, solve

N, GRAINS, STRAIN_ERROR, STRESS_ERROR = 24, 60, 1e-4, 5e-3
NAMES = "K", "C'", "C44"
TRUE, START = torch.tensor([[137.0667, 23.5, 75.4], [100, 45, 45]]).double()  # GPa
TENSION = {"load": [1e-3, 0, 0, 0, 0, 0], "free": [False] + 5 * [True]}

body = polycrystal(N, grains=GRAINS, seed=0)
phase = torch.from_numpy(body.phase.astype(np.int64))
orientation = torch.from_numpy(body.orientation)


def observed(constants):
    """Surface strains xx, yy, xy and the mean stress xx (GPa), one after the other."""
    K, shear, C44 = constants
    crystal = cubic(K + 4 / 3 * shear, K - 2 / 3 * shear, C44)
    fields = solve(phase, rotate(crystal, orientation), **TENSION)
    xx, yy, xy = fields.strain[[0, 1, 5], :, :, 0].flatten(1)
    return torch.cat([xx, yy, xy / 2**0.5, fields.mean_stress[:1]])  # of Mandel's xy


def derivatives(constants):
    """J and the model's data, over the errors of measurement."""
    J, model = jacfwd(lambda c: 2 * (observed(c),), has_aux=True)(constants)
    return J / errors[:, None], model / errors


def deviations(J):
    """Standard deviations of the constants."""
    return torch.linalg.inv(J.T @ J).diagonal().sqrt()


torch.manual_seed(1)
exact = observed(TRUE)
errors = torch.full_like(exact, STRAIN_ERROR)
errors[-1] = STRESS_ERROR * exact[-1]
data = exact / errors + torch.randn_like(exact)
constants, path, step = START, [START], torch.ones(3)
while (step / constants).abs().max() > 1e-4:
    J, model = derivatives(constants)
    step = torch.linalg.lstsq(J, data - model).solution
    constants = constants + step
    path.append(constants)
averaged = torch.cat([J[:-1].view(3, -1, 3).mean(dim=1) * N, J[-1:]])
found = {"each voxel": deviations(J), "averages": deviations(averaged)}
print(f"{len(path) - 1} iterations; chi^2 {((data - model) ** 2).mean():.3f} a datum")
for i, name in enumerate(NAMES):
    print(
        f"{name} = {constants[i]:.2f} +- {found['each voxel'][i]:.2f} GPa (true "
        f"{TRUE[i]:.2f}); +- {found['averages'][i]:.2f} from averages"
    )

fig, ((left, middle), (steps, bars)) = plt.subplots(
    2, 2, figsize=(8, 6.6), layout="constrained"
)
for ax, field, title in ((left, data, "measured"), (middle, model, "identified")):
    strain = 100 * STRAIN_ERROR * field[: N * N].view(N, N)
    image = ax.imshow(strain.T, origin="lower", vmin=0.04, vmax=0.16)
    ax.set(title=f"strain xx of the surface, {title}", xticks=[], yticks=[])
fig.colorbar(image, ax=middle, label="%", extend="both")
for i, name in enumerate(NAMES):
    steps.plot([float(c[i] / TRUE[i]) for c in path], "o-", label=name)
for i, (name, deviation) in enumerate(found.items()):
    bars.bar(np.arange(3) + 0.4 * i, 100 * deviation / TRUE, 0.4, label=name)
steps.axhline(1, color="0.6", lw=1, zorder=0)
steps.set(xlabel="iterations", ylabel="constant / true one")
bars.set(xticks=np.arange(3) + 0.2, xticklabels=NAMES, ylabel="standard deviation (%)")
for ax in (steps, bars):
    ax.legend(frameon=False)
    ax.grid(axis="y", color="0.92")
    ax.set_axisbelow(True)
fig.savefig(sys.argv[1] if len(sys.argv) > 1 else "identify_by_gradients.png", dpi=130)
