"""A body shared by the processes of mpiexec, against one process with as many threads.

    python benchmarks/processes.py [--sizes 128 256] [--most 4] [--precision single]
                                   [--repeats 3] [--json out.json] [--page FILE]

Strong: one grid, 2 to `most` processes; weak: n^2 voxels a plane, n planes a process.
Rounds alternate one process with all threads and each number of processes; ratios are
of one round, and the median of rounds is given. "Messages" is the share of an iteration
in which processes exchange planes, or wait for each other.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from machine import machine, parser, peak_memory, report, table

ITERATIONS = 12
ROUND = 16
"""Voxels across a grain-like block of the body."""


def body(shape, ranks):
    """Blocks of two materials, of which each process makes its own planes."""
    import fftmech
    from fftmech.materials import isotropic

    own = ranks.planes(shape[0])
    x, y, z = np.ogrid[own, : shape[1], : shape[2]]
    phase = ((x // ROUND) * 7 + (y // ROUND) * 3 + z // ROUND) % 5 < 2
    stiffness = np.stack([isotropic(E=70.0, nu=0.3), isotropic(E=400.0, nu=0.2)])
    return fftmech.Microstructure(
        fftmech.Grid(shape), phase.astype(np.uint8), stiffness=stiffness, ranks=ranks
    )


class Timed:
    """A communicator's methods, timed."""

    def __init__(self, communicator):
        self._communicator, self.seconds, self.bytes = communicator, 0.0, 0

    def __getattr__(self, name):
        method = getattr(self._communicator, name)
        if not callable(method):
            return method

        def call(*args, **options):
            started = time.perf_counter()
            try:
                return method(*args, **options)
            finally:
                self.seconds += time.perf_counter() - started

        return call


def work(shape, precision, threads):
    """One process: a few iterations; prints what it took, the first for all."""
    import fftmech
    from fftmech.arrays.ranks import Processes, world
    from fftmech.simulations.method import Method
    from fftmech.simulations.prepare import prepare
    from fftmech.solvers.iteration import iterate

    ranks = world()
    base = peak_memory()
    load = fftmech.Load(strain={"xx": 1e-3})
    method = Method(precision=precision, threads=threads)
    made = prepare(body(shape, ranks), load, method)
    timed = None
    if isinstance(ranks, Processes):
        timed = ranks.communicator = Timed(ranks.communicator)
    moments = []

    def report(*_):
        moments.append((time.perf_counter(), timed.seconds if timed else 0.0))

    outcome = iterate(made.problem, made.solver, None, 1e-12, ITERATIONS, report)
    steps = np.diff(np.array(moments), axis=0)
    seconds, waiting = np.median(steps, axis=0)
    answer = {
        "seconds": float(seconds),
        "messages": float(waiting / seconds),
        "peak_MiB": ranks.max(peak_memory() - base),
        "residual": outcome.residuals[ITERATIONS],
    }
    if ranks.rank == 0:
        print(json.dumps(answer))


def run(shape, precision, processes, threads):
    """Start `work` under mpiexec, or alone if `processes` is 0."""
    before = []
    if processes:
        mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
        before = [mpiexec or "mpiexec", "-n", str(processes)]
    shape = ",".join(map(str, shape))
    line = [sys.executable, __file__, "--work", shape, "--precision", precision]
    line += ["--threads", str(threads)]
    done = subprocess.run([*before, *line], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def strong(n, most, precision, repeats, cores):
    """One grid with each number of processes: rows of a table."""
    rounds = []
    for _ in range(repeats):
        found = {0: run((n, n, n), precision, 0, cores)}
        for count in range(2, most + 1):
            found[count] = run((n, n, n), precision, count, max(1, cores // count))
        rounds.append(found)
    return [row(f"{n}^3", rounds, count) for count in rounds[0]]


def weak(n, most, precision, repeats):
    """As many planes for each process, of one thread each."""
    rounds = [
        {c: run((c * n, n, n), precision, c, 1) for c in range(1, most + 1)}
        for _ in range(repeats)
    ]
    return [row(f"{c * n} x {n}^2", rounds, c, 1) for c in range(1, most + 1)]


def row(grid, rounds, count, first=0):
    """Medians over the rounds, and the speed beside that of the first line."""

    def median(name):
        return statistics.median(found[count][name] for found in rounds)

    ratios = [found[first]["seconds"] / found[count]["seconds"] for found in rounds]
    apart = max(
        abs(found[count]["residual"] / found[first]["residual"] - 1) for found in rounds
    )
    return {
        "grid": grid,
        "processes": count,
        "seconds": median("seconds"),
        "speed": statistics.median(ratios),
        "messages": median("messages"),
        "peak_MiB": median("peak_MiB"),
        "residual_apart": apart,
    }


def show(rows, threads):
    """The table of docs/cluster.md."""
    lines = [
        [
            r["grid"],
            str(r["processes"]) if r["processes"] else f"one, {threads} threads",
            f"{1e3 * r['seconds']:.0f}",
            f"{r['speed']:.2f}",
            f"{r['messages']:.0%}" if r["processes"] > 1 else "",
            f"{r['peak_MiB']:.0f}",
        ]
        for r in rows
    ]
    head = ["grid", "processes", "ms an iteration", "speed", "messages", "MiB each"]
    return table(head, lines)


def main():
    """Measure and print, or be one of the processes."""
    defaults = {"sizes": [128, 256], "most": 4, "precision": "double", "repeats": 3}
    made = parser(__doc__, **defaults)
    made.add_argument("--threads", type=int)
    made.add_argument("--work", help=argparse.SUPPRESS)
    given = made.parse_args()
    if given.work:
        shape = tuple(map(int, given.work.split(",")))
        return work(shape, given.precision, given.threads)
    about = machine()
    rows = []
    for n in given.sizes:
        common = given.most, given.precision, given.repeats
        rows += strong(n, *common, int(about["cores"]))
        rows += weak(n // 2, *common)
    report(given, "processes", show(rows, about["cores"]), rows=rows)


if __name__ == "__main__":
    main()
