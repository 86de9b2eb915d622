"""Time of a solve by part, iterations and peak memory.

    python benchmarks/solve.py [--sizes 32 64 128] [--repeats 5] [--json out.json]

Every solve runs in a process of its own (peak memory), `repeats` times; medians are
printed. `pairs` is the time of an iteration in units of one 3-component real transform
pair of the same grid, measured in the same process.
"""

import argparse
import copy
import json
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
from machine import machine

CASES = ("polycrystal", "contrast 10", "pore")
PARTS = ("fft", "green", "stencil", "material", "vectors")


def body(case: str, n: int):
    """Microstructure of a case on n^3 voxels."""
    from fftmech.materials import PORE, isotropic
    from fftmech.microstructure import polycrystal, sphere

    if case == "polycrystal":
        return polycrystal(n, grains=24, seed=0)
    matrix = isotropic(E=1, nu=0.3)
    inclusion = PORE if case == "pore" else isotropic(E=10, nu=0.3)
    return sphere(n, 0.3, matrix, inclusion)


def run(case: str, n: int, scheme: str) -> dict:
    """Solve once under a stopwatch; all times in seconds."""
    from fftmech import Load, discretization
    from fftmech.backend import cpu_backend
    from fftmech.problem import Problem
    from fftmech.solve import iterate
    from fftmech.solvers import get_solver

    spent = dict.fromkeys(PARTS, 0.0)

    def timed(part, function):
        def wrapper(*arguments):
            start = time.perf_counter()
            result = function(*arguments)
            spent[part] += time.perf_counter() - start
            return result

        return wrapper

    microstructure = body(case, n)
    backend = cpu_backend()
    watched = replace(
        backend,
        rfftn=timed("fft", backend.rfftn),
        irfftn=timed("fft", backend.irfftn),
    )

    def watch(stencils):
        stencils = copy.copy(stencils)
        stencils.strain = timed("stencil", stencils.strain)
        stencils.strain_adjoint = timed("stencil", stencils.strain_adjoint)
        return stencils

    stencils = watch(discretization(scheme))
    if stencils.points > 1:
        parts = tuple(map(watch, stencils.parts()))
        stencils.parts = lambda: parts
    start = time.perf_counter()
    problem = Problem(microstructure, Load(strain={"xx": 1e-3}), stencils, watched)
    problem.green.solve = timed("green", problem.green.solve)
    problem.material.tangent = timed("material", problem.material.tangent)
    problem.material.stress = timed("material", problem.material.stress)
    setup = time.perf_counter() - start
    for part in spent:
        spent[part] = 0.0
    start = time.perf_counter()
    _, status, residuals = iterate(problem, get_solver("cg"), problem.zeros())
    total = time.perf_counter() - start
    spent["green"] -= spent["fft"]
    spent["vectors"] = total - sum(spent[p] for p in PARTS if p != "vectors")
    memory = peak_memory()
    field = np.random.default_rng(0).normal(size=(3, n, n, n))
    pairs = []
    for _ in range(5):
        start = time.perf_counter()
        backend.irfftn(backend.rfftn(field), (n, n, n))
        pairs.append(time.perf_counter() - start)
    return {
        "status": status,
        "iterations": len(residuals) - 1,
        "setup": setup,
        "solve": total,
        "pair": statistics.median(pairs),
        "memory_MiB": memory,
        "fft_library": backend.fft,
        **spent,
    }


def peak_memory() -> float:
    """Largest resident memory of this process so far, MiB."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def main() -> None:
    """Run every case at every size and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--scheme", default="rotated")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        case, n = options.one
        print(json.dumps(run(case, int(n), options.scheme)))
        return
    rows = []
    print(
        "case          n   iterations  solve s  pairs/it   "
        + " ".join(f"{p:>9}" for p in PARTS)
        + "   peak MiB"
    )
    for case in options.cases:
        for n in options.sizes:
            arguments = ["--scheme", options.scheme, "--one", case, str(n)]
            command = [sys.executable, __file__, *arguments]
            runs = [
                json.loads(
                    subprocess.run(command, capture_output=True, check=True).stdout
                )
                for _ in range(options.repeats)
            ]
            row = {
                key: statistics.median(r[key] for r in runs)
                if isinstance(value, float)
                else value
                for key, value in runs[0].items()
            }
            row["pairs"] = statistics.median(
                r["solve"] / r["iterations"] / r["pair"] for r in runs
            )
            rows.append({"case": case, "n": n, "scheme": options.scheme, **row})
            shares = " ".join(f"{100 * row[p] / row['solve']:7.0f} %" for p in PARTS)
            print(
                f"{case:12}{n:4}{row['iterations']:9}{row['solve']:12.3f}"
                f"{row['pairs']:9.1f}   {shares}{row['memory_MiB']:10.0f}",
                flush=True,
            )
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": machine(), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
