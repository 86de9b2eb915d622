"""Stiff and rigid inclusions: the strain's energy against the stress's.

    pip install .
    python benchmarks/stiff_inclusions.py [PART ...] [--page docs/stiff-inclusions.md]
    python benchmarks/stiff_inclusions.py --picture docs/img/stiff_inclusions.png

Parts, all if none is named:

fibres    fibres at random, 1000 times as stiff, 32^3 and 64^3: error of the stress, and
          both energies, after as many Green operations with solvers cg and dual
contrast  a sphere in 32^3: iterations and error at the default tolerance, up to rigid
rigid     Nunan and Keller's rigid spheres, rigid and with 1e4 times the shear modulus

The picture is what `fibres` measures, after every Green operation, of fibres in 32^3
voxels that are 10, 100 and 1000 times as stiff.

The error is that of the stress in all voxels (in `contrast`, of the matrix), relative
to the stress, against a solve to 1e-10. Energies are relative to that solve's: of the
strain, an upper bound, and of the stress, a lower one.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from machine import fill, table

from fftmech import Load, homogenize, solve
from fftmech.materials import RIGID, isotropic
from fftmech.microstructure import inclusions
from fftmech.microstructure.inclusions import sphere
from fftmech.simulations.method import Method
from fftmech.simulations.prepare import prepare

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import closed_forms as cf

MATRIX = isotropic(E=3.0, nu=0.35)
LOAD = Load(strain={"xx": 1e-3})
AT = (1, 2, 5, 10, 20, 30, 40, 60, 80)


def distance(stress, exact):
    """Relative error of a stress."""
    return np.linalg.norm(stress - exact) / np.linalg.norm(exact)


def iterates(body, scheme, solver, at=AT):
    """Stress, energy and seconds after numbers of iterations; of dual, <s> : E - W*."""
    method = Method(scheme=scheme, solver=solver, threads=1)
    problem, steps, *_ = prepare(body, LOAD, method)
    if solver == "dual":
        state = steps.init(problem, problem.uniform_start())
    else:
        state = steps.init(problem, problem.zeros())
    took = 0.0
    for count in range(1, max(at) + 1):
        if count in at:
            mean = problem.balance(state.v)[0]
            solution = problem.solution(state.v.copy(), mean)
            _, stress, density = solution.planes(slice(None))
            energy = density.mean()
            if solver == "dual":
                energy = mean @ LOAD.mean_strain - energy
            yield stress, float(energy), took
        started = time.perf_counter()
        state = steps.step(problem, state)
        took += time.perf_counter() - started


def reinforced(n, ratio):
    """Fibres at random, `ratio` times as stiff as the matrix."""
    return inclusions(n, 0.1, 0.05, MATRIX, ratio * MATRIX, (1, 1, 5), seed=0)


def fibres():
    """Error and energies by number of Green operations."""
    for n, scheme in ((32, "rotated"), (32, "bbar"), (64, "rotated")):
        body = reinforced(n, 1000)
        exact = solve(body, LOAD, scheme=scheme, solver="dual", tolerance=1e-10)
        assert exact.converged
        both = [iterates(body, scheme, solver) for solver in ("cg", "dual")]
        for count, (cg, dual) in zip(AT, zip(*both, strict=True), strict=True):
            errors = [distance(stress, exact.stress) for stress, *_ in (cg, dual)]
            energies = [energy / exact.energy - 1 for _, energy, _ in (cg, dual)]
            yield (
                f"{n}^3, {scheme}",
                count,
                *(f"{error:.1e}" for error in errors),
                *(f"{energy:+.1e}" for energy in energies),
                *(f"{took:.2f}" for *_, took in (cg, dual)),
            )


fibres.head = (
    "fibres",
    "Green operations",
    "error of the stress, cg",
    "dual",
    "energy, cg",
    "dual",
    "seconds, cg",
    "dual",
)


def contrast():
    """What the default tolerance gives."""
    for scheme in ("bbar", "rotated"):
        for ratio in (10.0, 100.0, 1e3, 1e5, np.inf):
            stiff = RIGID if ratio == np.inf else ratio * MATRIX
            body = sphere(32, 0.3, MATRIX, stiff)
            matrix = body.phase == 0
            exact = solve(body, LOAD, scheme=scheme, solver="dual", tolerance=1e-10)
            assert exact.converged
            cells = []
            for solver in ("cg", "dual"):
                if solver == "cg" and ratio == np.inf:
                    cells += ["", ""]
                    continue
                result = solve(body, LOAD, scheme=scheme, solver=solver)
                assert result.converged
                error = distance(result.stress[:, matrix], exact.stress[:, matrix])
                cells += [result.iterations, f"{error:.1e}"]
            xx = exact.mean_stress[0] / LOAD.strain["xx"]
            name = "rigid" if ratio == np.inf else f"{ratio:g} x"
            yield scheme, name, *cells, f"{xx:.6f}"


contrast.head = ("scheme", "sphere", "cg", "error", "dual", "error", "C11 (GPa)")


def rigid():
    """Nunan and Keller's alpha and beta with both kinds of rigid."""
    K = 2 * (1 + cf.NU) / (3 * (1 - 2 * cf.NU))
    for fraction in (0.04, 0.24):
        for scheme in ("rotated", "bbar"):
            found, sizes = [], (32, 64)
            for n in sizes:
                stiff = cf.rigid_spheres(n, fraction)
                tables = np.array([isotropic(K=K, G=1.0), RIGID])
                body = stiff.with_changes(stiffness=tables)
                C = homogenize(body, scheme=scheme, tolerance=1e-5).stiffness
                values = (C[0, 0] - C[0, 1]) / 2 - 1, C[3, 3] / 2 - 1
                near = cf.suspension(stiff, scheme=scheme, tolerance=1e-5)
                exact = cf.nunan_keller(body.fractions[1])
                found.append(np.array([values / exact, near / exact]))
            n, m = sizes
            found.append((m * found[1] - n * found[0]) / (m - n))
            for i, name in enumerate(("alpha", "beta")):
                yield (
                    fraction,
                    name,
                    scheme,
                    *(f"{f[0, i] - 1:+.2%}" for f in found),
                    *(f"{f[1, i] - 1:+.2%}" for f in found),
                )


rigid.head = (
    "fraction",
    "",
    "scheme",
    "rigid, 32^3",
    "64^3",
    "linear limit",
    "G = 1e4, 32^3",
    "64^3",
    "linear limit",
)


def draw(path):
    """Draw error and energies by number of Green operations, and write the picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10.5, 4.4), layout="constrained"
    )
    counts = range(1, max(AT) + 1)
    for ratio, color in ((10, "tab:green"), (100, "tab:blue"), (1000, "tab:red")):
        body = reinforced(32, ratio)
        exact = solve(body, LOAD, scheme="rotated", solver="dual", tolerance=1e-10)
        assert exact.converged
        for solver, line in (("cg", "--"), ("dual", "-")):
            found = iterates(body, "rotated", solver, counts)
            errors, energies = zip(
                *(
                    (distance(s, exact.stress), e / exact.energy - 1)
                    for s, e, _ in found
                ),
                strict=True,
            )
            left.plot(counts, errors, line, color=color)
            right.plot(counts, energies, line, color=color)
        left.plot([], [], color=color, label=f"{ratio} times as stiff")
    for line, name in (("--", "cg, the strain's energy"), ("-", "dual, the stress's")):
        right.plot([], [], line, color="0.3", label=name)
    left.set(yscale="log", ylabel="error of the stress", ylim=1e-6)
    right.axhline(0, color="0.6", lw=1)
    right.set_yscale("symlog", linthresh=1e-6)
    right.set(ylabel="energy / exact energy - 1", ylim=(-1, 1e2))
    for axes in (left, right):
        axes.set(xlabel="Green operations", xlim=(0, max(AT)))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="0.92")
        axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


PARTS = {part.__name__: part for part in (fibres, contrast, rigid)}


def main():
    """Print the tables and put them into a page, or draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--page")
    parser.add_argument("--picture", help="draw this file instead")
    arguments = parser.parse_args()
    if arguments.picture:
        draw(arguments.picture)
        return
    for name in arguments.parts or PARTS:
        rows = []
        for made in PARTS[name]():
            print(*made, sep="  ", flush=True)
            rows.append(made)
        text = table(PARTS[name].head, rows)
        print(text)
        if arguments.page:
            fill(arguments.page, name, text)


if __name__ == "__main__":
    main()
