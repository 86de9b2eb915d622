"""How many grains represent a polycrystal: stiffness of many small ones, in a batch.

    python examples/how_many_grains.py [picture.png] [count]

Each of `count` polycrystals of 24^3 voxels has its own random grains. Their stiffness
along x under uniaxial strain scatters less, the more grains there are: as 1 / sqrt(N),
the law of averages of N independent grains.
"""

import sys
import time

import matplotlib.pyplot as plt
import numpy as np

from fftmech import Load, solve_many
from fftmech.materials import cubic
from fftmech.microstructure import polycrystal

GRAINS = (8, 32, 128)
PICTURE = sys.argv[1] if len(sys.argv) > 1 else "how_many_grains.png"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 50
copper = cubic(C11=168.4, C12=121.4, C44=75.4)  # GPa

moduli, iterations = {}, 0
started = time.perf_counter()
for grains in GRAINS:
    bodies = (
        polycrystal(24, grains=grains, seed=seed, stiffness=copper)
        for seed in range(COUNT)
    )
    cases = ((body, Load(strain={"xx": 1e-3})) for body in bodies)
    results = list(solve_many(cases, certificate=False))
    assert all(result.converged for result in results)
    moduli[grains] = np.array([result.mean_stress[0] / 1e-3 for result in results])
    iterations += sum(result.iterations for result in results)
    mean, scatter = moduli[grains].mean(), moduli[grains].std(ddof=1)
    print(f"{grains:4} grains: C11 = {mean:.1f} +- {scatter:.1f} GPa")
seconds = time.perf_counter() - started
print(f"{COUNT * len(GRAINS)} polycrystals, {iterations} iterations, {seconds:.1f} s")

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for grains, values in moduli.items():
    left.plot(np.full(COUNT, grains), values, "o", alpha=0.4, markeredgewidth=0)
left.set(xscale="log", xticks=GRAINS, xticklabels=GRAINS, xlabel="grains")
left.set(ylabel="C11 of one polycrystal (GPa)", title="each from its own seed")
left.minorticks_off()
numbers = np.array(GRAINS)
scatter = np.array([values.std(ddof=1) for values in moduli.values()])
right.loglog(numbers, scatter, "o", color="0.1", label="computed")
law = scatter[0] * (numbers / numbers[0]) ** -0.5
right.loglog(numbers, law, "-", color="0.6", label="1 / sqrt(N) from the first")
right.set(xticks=GRAINS, xticklabels=GRAINS, xlabel="grains")
right.set(yticks=(1, 2, 4, 8), yticklabels=(1, 2, 4, 8), title="scatter")
right.set_ylabel("standard deviation of C11 (GPa)")
right.minorticks_off()
right.legend()
fig.savefig(PICTURE, dpi=150)
