"""How many grains represent a polycrystal: scatter and bias of small bodies.

    python examples/how_many_grains.py [picture.png [count]]

The stiffness C11 of `count` random periodic polycrystals of each size, with 6^3 voxels
a grain, solved in a batch. It scatters as 1 / sqrt(N), the law of averages of N grains,
and the mean of all bodies is known to 1.96 standard errors with 95 % confidence. Small
bodies are also too stiff, which no number of them mends: a grain that is surrounded by
itself deforms uniformly, as Voigt supposed. Theory has this bias fall as 1 / N, faster
than the scatter (Gloria, Neukamm and Otto 2015, doi:10.1007/s00222-014-0518-z).

Voigt's average over a body's own grains needs no solve, and its mean over all possible
bodies is known. What a body has by chance it has in both: the mean of their difference,
added to the known mean (a control variate), is more certain for the same solves.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from fftmech import Load, solve_many
from fftmech.materials import cubic
from fftmech.microstructure import polycrystal
from fftmech.tensors.bounds import voigt
from fftmech.tensors.stiffness import isotropic_moduli

EDGES = 6, 12, 24, 48  # voxels
PICTURE = sys.argv[1] if len(sys.argv) > 1 else "how_many_grains.png"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 100
copper = cubic(C11=168.4, C12=121.4, C44=75.4)  # GPa
K, G = isotropic_moduli(copper)
VOIGT = K + 4 / 3 * G

numbers = (np.array(EDGES) // 6) ** 3
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
scatter, means, errors = [], [], []
for edge, grains in zip(EDGES, numbers, strict=True):
    bodies = [
        polycrystal(edge, grains=int(grains), seed=1000 * edge + i, stiffness=copper)
        for i in range(COUNT)
    ]
    cases = ((body, Load(strain={"xx": 1.0})) for body in bodies)
    C11, iterations = np.zeros(COUNT), 0
    for i, result in enumerate(solve_many(cases, certificate=False)):
        assert result.converged
        C11[i] = result.mean_stress[0]
        iterations += result.iterations
    by_voigt = [voigt(body.stiffness, body.fractions)[0, 0] for body in bodies]
    better = C11 - by_voigt + VOIGT
    scatter.append((C11.std(ddof=1), better.std(ddof=1)))
    means.append((C11.mean(), better.mean()))
    errors.append(1.96 * np.array(scatter[-1]) / COUNT**0.5)
    print(
        f"{grains:3} grains: C11 = {means[-1][0]:.1f} +- {errors[-1][0]:.1f} GPa, with "
        f"the control variate {means[-1][1]:.2f} +- {errors[-1][1]:.2f}; scatter "
        f"{scatter[-1][0]:.2f}; {iterations} iterations"
    )
    shown = grains * np.exp(0.2 * np.random.default_rng(0).standard_normal(COUNT))
    left.plot(shown, C11, ".", color="C0", alpha=0.25, markeredgewidth=0)

means, errors, scatter = np.transpose([means, errors, scatter], (0, 2, 1))
left.axhline(VOIGT, color="0.6", lw=1)
left.text(numbers[-1], VOIGT, "Voigt", ha="right", va="bottom", color="0.4")
names = "mean", "mean, control variate"
for mean, error, name, color in zip(means, errors, names, ("k", "C1"), strict=True):
    left.errorbar(numbers, mean, error, fmt="_", capsize=4, color=color, label=name)
left.set(xscale="log", ylabel="C11 (GPa)", title="each point one polycrystal")
left.legend(frameon=False, loc="lower right")

bias, error = means[1] - means[1][-1], np.hypot(errors[1], errors[1][-1])
right.loglog(numbers, scatter[0], "o", color="C0", label="scatter of C11")
right.loglog(numbers, scatter[0][0] * numbers**-0.5, color="C0", lw=1)
right.errorbar(numbers[:-1], bias[:-1], error[:-1], fmt="s", color="C1", label="bias")
right.loglog(numbers, bias[0] / numbers, color="C1", lw=1)
right.set(ylabel="GPa", title="lines: 1 / sqrt(N) and 1 / N", ylim=0.02)
right.legend(frameon=False)
for ax in (left, right):
    ax.set(xticks=numbers, xticklabels=numbers, xlabel="grains N")
    ax.minorticks_off()
    ax.grid(color="0.92")
fig.savefig(PICTURE, dpi=150)
