"""What is measured, each in a process of its own: `call` runs one of these functions.

    python benchmarks/measures.py NAME '{"argument": value}'

prints the function's answer as JSON. All times are in seconds.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from bodies import body, read
from machine import peak_memory

STRAIN = {"xx": 1e-3}


def call(name: str, **arguments: Any) -> Any:
    """Answer of a function of this file, from a fresh process.

    Raises
    ------
    RuntimeError
        With the last line of its error.
    """
    command = [sys.executable, __file__, name, json.dumps(arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} {arguments}: exit code {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def write(path: str, case: str, n: int) -> None:
    """Make a body and write it: see `bodies.write`."""
    import bodies

    bodies.write(path, case, n)


def solves(
    path: str, repeats: int, unit: int = 0, wisdom: str = "", **options: Any
) -> dict:
    """Solve again and again, beside the transform pair of `unit`^3 voxels if given.

    Returns
    -------
    dict
        "runs": by repeat the pair, the whole solve and its parts (iterations,
        certificate, fields), the mean and the median time of an iteration after the
        first; "iterations", "status", "library" of the pair.
    """
    from pair import Pair

    given = warm_up(read(path), **options)
    spent = watch("iterate", "certify_solution")
    pair = Pair(unit, options.get("threads"), Path(wisdom)) if unit else None
    runs, result = [], None
    for _ in range(repeats):
        run = {"pair": pair.seconds() if pair else None}
        result = None  # its memory, before it is taken again
        spent.clear()
        result, steps = timed_solve(given, **options)
        run["solve"] = result.times["solve"]
        run["iterate"] = spent["iterate"]
        run["certificate"] = spent.get("certify_solution", 0.0)
        run["fields"] = run["solve"] - run["iterate"] - run["certificate"]
        run["iteration"] = float(steps.mean())
        run["median_iteration"] = float(np.median(steps))
        runs.append(run)
    return {
        "runs": runs,
        "iterations": result.iterations,
        "status": result.status,
        "voxels": result.microstructure.phase.size,
        "library": pair.library if pair else "",
    }


def passes(path: str, repeats: int, **options: Any) -> dict[str, float]:
    """Median time of each pass over the grid in solves, and of an iteration.

    A pass is named by the method of the kernels, and its function that threads run.
    """
    module = importlib.import_module("fftmech.kernels.cpu")
    given = warm_up(read(path), **options)
    times: dict[str, list[float]] = {}

    def timed(run: Any, position: int) -> Any:
        """Record a function that shares out the work of its argument at `position`."""

        def timed_run(*arguments: Any) -> None:
            start = time.perf_counter()
            run(*arguments)
            name = arguments[position].__qualname__.partition(".")[2]
            name = name.replace("<locals>.", "")
            times.setdefault(name, []).append(time.perf_counter() - start)

        return timed_run

    host = importlib.import_module("fftmech.kernels.host")
    module.parallel = host.parallel = timed(module.parallel, 0)
    kernels = module.CpuKernels
    kernels._each_block = timed(kernels._each_block, 3)
    steps = np.concatenate([timed_solve(given, **options)[1] for _ in range(repeats)])
    found = {name: float(np.median(t)) for name, t in times.items()}
    return found | {"iteration": float(np.median(steps))}


def memory(path: str, **options: Any) -> dict:
    """What the memory grows by in a solve, fields of the result included."""
    given = warm_up(read(path), **options)
    with suppress(OSError):  # Linux: the peak starts anew from here
        Path("/proc/self/clear_refs").write_text("5")
    before = peak_memory()
    result, steps = timed_solve(given, **options)
    return {
        "bytes_per_voxel": (peak_memory() - before) * 2**20 / given.phase.size,
        "peak_GiB": peak_memory() / 2**10,
        "iterations": result.iterations,
        "status": result.status,
        "residual": result.residual,
        "solve": result.times["solve"],
        "iteration": float(steps.mean()),
    }


def batch(count: int, n: int, unit: int, wisdom: str) -> dict:
    """Solve polycrystals on n^3 voxels by `solve_many`, in five parts.

    The bodies are generated before; pairs of `unit`^3 are timed between the parts.
    """
    from pair import Pair

    from fftmech.simulations.batch import solve_many

    start = time.perf_counter()
    bodies = [body("polycrystal", n, seed) for seed in range(count)]
    generated = time.perf_counter() - start
    pair = Pair(unit, None, Path(wisdom))
    deliver(solve_many((given, load()) for given in bodies[:4]))
    runs = []
    for part in np.array_split(np.arange(count), 5):
        run = {"pair": pair.seconds()}
        start = time.perf_counter()
        deliver(solve_many((bodies[i], load()) for i in part))
        run["each"] = (time.perf_counter() - start) / len(part)
        runs.append(run)
    return {"runs": runs, "generate": 1000 * generated / count, "library": pair.library}


def deliver(results: Any) -> None:
    """Take results as they come and keep none."""
    for result in results:
        if not result.converged:
            raise RuntimeError(result.status)


def homogenize(path: str, repeats: int) -> dict:
    """Whole calls of `homogenize` and of `solve`, in turns."""
    from fftmech import homogenize

    given = read(path)
    runs: list[dict] = []
    for repeat in range(repeats + 1):
        start = time.perf_counter()
        solve(given)
        middle = time.perf_counter()
        effective = homogenize(given)
        end = time.perf_counter()
        if repeat:  # the first turn compiles
            runs.append({"solve": middle - start, "homogenize": end - middle})
    return {"runs": runs, "iterations": effective.iterations}


def solve(given: Any, **options: Any) -> Any:
    """Stretch along x, the other mean strains zero."""
    fftmech = importlib.import_module("fftmech")
    return fftmech.solve(given, load(), **options)


def timed_solve(given: Any, **options: Any) -> tuple[Any, np.ndarray]:
    """Result, and the seconds of each iteration but the first."""
    ticks: list[float] = []
    result = solve(
        given, progress=lambda *_: ticks.append(time.perf_counter()), **options
    )
    return result, np.diff(ticks)


def load() -> Any:
    """The load of all benchmarks."""
    from fftmech import Load

    return Load(strain=STRAIN)


def warm_up(given: Any, **options: Any) -> Any:
    """Return a body after a few voxels of it, and of its phases, have been solved."""
    from fftmech import Grid

    phase = np.resize(np.unique(given.phase), (4, 4, 4))
    solve(given.with_changes(grid=Grid(phase.shape), phase=phase), **options)
    return given


def watch(*names: str) -> dict[str, float]:
    """Add up what functions of `fftmech.solve` take from now on."""
    module = importlib.import_module("fftmech.simulations.solve")
    spent: dict[str, float] = {}

    def timed(name: str, function: Any) -> Any:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            answer = function(*arguments, **options)
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - start
            return answer

        return wrapper

    for name in names:
        setattr(module, name, timed(name, getattr(module, name)))
    return spent


if __name__ == "__main__":
    if os.environ.get("BENCHMARK_CLOCK") == "cpu":
        # before fftmech is imported, whose times are then those of the processor too
        time.perf_counter = time.process_time
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
