"""The same problems solved by fftmech and by the other solvers that are installed.

    pip install . -r benchmarks/requirements.txt -r benchmarks/peers-requirements.txt
    python benchmarks/peers.py [--sizes 32 64] [--repeats 5] [--json out.json]
                               [--python OTHER/bin/python]

muSpectre brings another muGrid under the same module name and therefore needs an
environment of its own (numpy and muSpectre are enough), named with `--python`.

Every solve has a process of its own; the solvers, and the transform pair that times
are measured in, take turns in every repeat; medians are printed. Mean strain xx = 1e-3,
the others zero; tolerance 1e-6 in each solver's own relative residual:

- fftmech: nodal forces in the norm of the preconditioner
- muGrid: nodal forces in the Euclidean norm
- muSpectre, xpektra: stress projected onto compatible fields, in the Euclidean norm

`set-up` is from phase map and stiffness to the first iteration (fields, materials,
symbols, compilation), `solve` from there to the mean stress, `process` all that a user
waits for, imports included. `cores` is processor time over wall time from set-up to
the end. `B/voxel` is what the peak memory has grown by since the imports. `deviation`
is that of the mean stress xx from the solver after it; more than 5 % is a failure.

Solvers without a rule for the modes that a stencil does not see (xpektra, muSpectre
`rotated`) converge faster and to more digits on odd sizes: try `--sizes 33`.
"""

import argparse
import contextlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
from bodies import CASES, body
from machine import peak_memory, write_json
from peer_solvers import Answer, run_fftmech, run_mugrid, run_muspectre, run_xpektra

GROSS = 0.05


@dataclass(frozen=True)
class Solver:
    """A row of the table: what runs it, and whose effective value it should have."""

    name: str
    package: str
    run: Callable[..., Answer]
    same_as: str = ""
    bytes_per_voxel: float = 0.0
    one_thread: bool = False


SOLVERS = (
    Solver("fftmech rotated", "fftmech", partial(run_fftmech, scheme="rotated")),
    Solver(
        "fftmech rotated, 1 thread",
        "fftmech",
        partial(run_fftmech, scheme="rotated", threads=1),
        same_as="fftmech rotated",
        one_thread=True,
    ),
    Solver(
        "fftmech hex8",
        "fftmech",
        partial(run_fftmech, scheme="hex8"),
        same_as="fftmech rotated",
    ),
    Solver("muGrid hexahedra", "muGrid", run_mugrid, same_as="fftmech hex8"),
    Solver(
        "muSpectre rotated",
        "muSpectre",
        partial(run_muspectre, scheme="rotated"),
        same_as="fftmech rotated",
    ),
    Solver(
        "muSpectre tetrahedra",
        "muSpectre",
        partial(run_muspectre, scheme="tetrahedra"),
        same_as="fftmech hex8",
        bytes_per_voxel=26e3,
    ),
    Solver("xpektra rotated", "xpektra", run_xpektra, same_as="fftmech rotated"),
)


def work(name: str, problem: str) -> dict:
    """Solve once, in a process that does nothing else; all times in seconds."""
    solver = next(s for s in SOLVERS if s.name == name)
    importlib.import_module(solver.package)
    if solver.package == "fftmech":
        # imported on first use; imports count in no solver's set-up
        importlib.import_module("fftmech.kernels.cpu")
    with np.load(problem) as arrays:
        phase, stiffness = arrays["phase"], arrays["stiffness"]
    before, start, used = peak_memory(), time.perf_counter(), time.process_time()
    iterations, stress, solve = solver.run(phase, stiffness)
    total = time.perf_counter() - start
    return {
        "iterations": iterations,
        "mean_stress_xx": float(stress),
        "setup": total - solve,
        "solve": solve,
        "cores": (time.process_time() - used) / total,
        "memory_MiB": peak_memory(),
        "bytes_per_voxel": (peak_memory() - before) * 2**20 / phase.size,
    }


def pair(n: int, plans: str) -> dict:
    """Seconds of a transform pair, and the library that is fastest."""
    from pair import Pair

    unit = Pair(n, wisdom=Path(plans))
    return {"pair": unit.seconds(), "library": unit.library}


def versions() -> dict[str, str]:
    """Version of each package of the table that this environment has."""
    found = {}
    for package in {solver.package for solver in SOLVERS}:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def child(python: str, *arguments: str, one_thread: bool = False) -> dict:
    """Answer of this script run with other arguments, with the time that it took.

    Raises
    ------
    RuntimeError
        With its error, one line.
    """
    environment = dict(os.environ)
    if one_thread:
        for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
            environment[f"{library}_NUM_THREADS"] = "1"
    start = time.perf_counter()
    done = subprocess.run(
        [python, __file__, *arguments], capture_output=True, text=True, env=environment
    )
    process = time.perf_counter() - start
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "Error" in line]
        raise RuntimeError(lines[-1] if lines else f"exit code {done.returncode}")
    return {**json.loads(done.stdout.splitlines()[-1]), "process": process}


def take_turns(
    solvers: list[Solver], pythons: dict[str, str], case: str, n: int, repeats: int
) -> tuple[dict[str, dict], dict]:
    """Medians of every solver on one problem, by name; the pair that they count in."""
    from fftmech import voigt_from_mandel
    from fftmech.arrays.memory import free_memory

    runs: dict[str, list[dict]] = {}
    for solver in solvers:
        need = solver.bytes_per_voxel * n**3
        if need > 0.8 * free_memory():
            print(f"{solver.name} left out: {n}^3 takes about {need / 2**30:.0f} GiB")
        else:
            runs[solver.name] = []
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        problem, plans = (os.path.join(folder, name) for name in ("body.npz", "plans"))
        given = body(case, n)
        stiffness = voigt_from_mandel(given.stiffness)
        np.savez(problem, phase=given.phase, stiffness=stiffness)
        for _ in range(repeats):
            pairs.append(child(sys.executable, "--pair", str(n), plans))
            for solver in solvers:
                if solver.name not in runs:
                    continue
                command = pythons[solver.package], "--one", solver.name, problem
                try:
                    answer = child(*command, one_thread=solver.one_thread)
                except RuntimeError as error:
                    if solver.package == "fftmech":
                        raise
                    print(f"{solver.name} failed: {error}")
                    del runs[solver.name]
                else:
                    runs[solver.name].append(answer)
    seconds = statistics.median(p["pair"] for p in pairs)
    rows = {}
    for solver in solvers:
        if solver.name in runs:
            answers = runs[solver.name]
            row = {k: statistics.median(a[k] for a in answers) for k in answers[0]}
            row["pairs"] = row["solve"] / seconds
            rows[solver.name] = row
    for solver in solvers:
        if solver.name in rows and solver.same_as in rows:
            row, other = rows[solver.name], rows[solver.same_as]
            row["same_as"] = solver.same_as
            row["deviation"] = row["mean_stress_xx"] / other["mean_stress_xx"] - 1
    return rows, {"pair": seconds, "library": pairs[-1]["library"]}


def show(rows: dict[str, dict]) -> None:
    """Print the table of one problem."""
    print(
        f"{'':25} iterations  set-up s  solve s    pairs  process s  cores  peak MiB"
        "  B/voxel  mean stress xx  deviation"
    )
    for name, row in rows.items():
        said = f"{row['deviation']:+.0e} {row['same_as']}" if "same_as" in row else ""
        print(
            f"{name:25}{row['iterations']:11.0f}{row['setup']:10.3f}"
            f"{row['solve']:9.3f}{row['pairs']:9.1f}{row['process']:11.2f}"
            f"{row['cores']:7.1f}{row['memory_MiB']:10.0f}"
            f"{row['bytes_per_voxel']:9.0f}{row['mean_stress_xx']:16.6e}  {said}",
            flush=True,
        )


def main() -> int:
    """Print a table a problem; 1 if an effective value is far from fftmech's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--python", action="append", default=[], help="of one more environment"
    )
    parser.add_argument(
        "--without", action="append", default=[], help="name of a solver"
    )
    parser.add_argument("--json")
    options = parser.parse_args()

    pythons: dict[str, str] = {}
    packages: dict[str, str] = {}
    for python in (sys.executable, *options.python):
        answer = child(python, "--versions")
        for package in answer.keys() - packages.keys() - {"process"}:
            pythons[package], packages[package] = python, answer[package]
    for package in dict.fromkeys(solver.package for solver in SOLVERS):
        print(package, packages.get(package, "is not installed: left out"))
    solvers = [
        solver
        for solver in SOLVERS
        if solver.package in packages and solver.name not in options.without
    ]
    table, gross = [], []
    for n in options.sizes:
        for case in options.cases:
            print(f"\n{case}, {n}^3")
            rows, unit = take_turns(solvers, pythons, case, n, options.repeats)
            print(f"pair {1e3 * unit['pair']:.2f} ms ({unit['library']})")
            show(rows)
            for name, row in rows.items():
                table.append({"case": case, "n": n, "solver": name, **unit, **row})
                if abs(row.get("deviation", 0)) > GROSS:
                    gross.append(f"{name}, {case}, {n}^3: {row['deviation']:+.1%}")
    if options.json:
        write_json(options.json, packages=packages, rows=table)
    for line in gross:
        print(f"effective value far off: {line}", file=sys.stderr)
    return 1 if gross else 0


if __name__ == "__main__":
    # In an environment that has a solver and little else, only these are asked for.
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(work(*sys.argv[2:])))
    elif sys.argv[1:2] == ["--pair"]:
        print(json.dumps(pair(int(sys.argv[2]), sys.argv[3])))
    elif sys.argv[1:2] == ["--versions"]:
        print(json.dumps(versions()))
    else:
        sys.exit(main())
