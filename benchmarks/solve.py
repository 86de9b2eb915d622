"""What solves take, in transform pairs of the same grid, beside what they should.

    pip install . -r benchmarks/requirements.txt
    python benchmarks/solve.py [PART ...] [--json out.json] [--page docs/speed.md]

Parts, all if none is named:

iteration    an iteration of conjugate gradients, default scheme, at --size and twice it
polycrystal  24 grains solved to 1e-6: iterations, certificate and fields
pore         a spherical pore of 10 % likewise
memory       what the memory grows by in these solves
batch        1000 polycrystals of 32^3 by `solve_many`, from 200 or all (--full)
homogenize   six loads of a polycrystal of 64^3 against one solve
process      `fftmech solve` of 32^3, the whole process; what a first run compiles

A figure is the median of --repeats ratios, each to a pair (see pair.py) timed in the
same process right before. Every part has processes of its own; code is compiled, plans
are made and bodies are generated before the clock starts.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

from machine import parser, report, table
from measures import call

# limit and aim; pairs but for memory (B/voxel), homogenize (solves), process (s)
TARGETS = {
    "iteration, 128^3": (1.8, 1.2),
    "iteration, 256^3": (1.5, 1.0),
    "polycrystal, 128^3": (24, 15),
    "pore, 128^3": (68, 45),
    "memory, polycrystal, 128^3": (150, 110),
    "memory, pore, 128^3": (150, 110),
    "memory, double, 128^3": (84, 60),
    "memory, single, 128^3": (56, 48),
    # 60 and 35 s where the pair of 128^3 takes 31 ms
    "1000 polycrystals of 32^3": (60 / 0.031, 35 / 0.031),
    "homogenize, 64^3": (5, 4),
    "fftmech solve, 32^3": (1.5, 0.8),
    "compiling, first run": (15, None),
}

UNIT = 128
"""Grid whose pair the batch counts in."""


class Run:
    """What the parts of one run share: bodies and FFTW's plans in a folder, solves."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.wisdom = str(folder / "wisdom")
        self.body = cache(self._body)
        self.solves = cache(self._solves)

    def _body(self, case: str, n: int) -> str:
        path = str(self.folder / f"{case}-{n}.npz")
        call("write", path=path, case=case, n=n)
        return path

    def _solves(self, case: str, n: int) -> dict:
        return call(
            "solves",
            path=self.body(case, n),
            repeats=self.options.repeats,
            unit=n,
            wisdom=self.wisdom,
            threads=self.options.threads,
        )


def iteration(run: Run) -> list[dict]:
    """Mean over a solve, in which some iterations compute the residual anew."""
    rows = []
    for n in (run.options.size, 2 * run.options.size):
        answer = run.solves("polycrystal", n)
        note = f"{_ms(answer, 'iteration')} ms; without renewed residuals "
        note += f"{_ratio(answer, 'median_iteration'):.3g}; "
        note += f"pair {_ms(answer, 'pair')} ms ({answer['library']})"
        value = _ratio(answer, "iteration")
        rows.append(_row(f"iteration, {n}^3", value, "pairs", note, answer))
    return rows


def polycrystal(run: Run) -> list[dict]:
    """Grains, without pores: with a certificate."""
    return _solve(run, "polycrystal")


def pore(run: Run) -> list[dict]:
    """A pore, whose solve has no certificate."""
    return _solve(run, "pore")


def _solve(run: Run, case: str) -> list[dict]:
    n = run.options.size
    answer = run.solves(case, n)
    parts = {"iterations": "iterate", "certificate": "certificate", "fields": "fields"}
    shares = [
        f"{part} {_ratio(answer, key):.3g}"
        for part, key in parts.items()
        if _ratio(answer, key) > 0.01
    ]
    note = f"{answer['iterations']} iterations, {_ms(answer, 'solve')} ms: "
    note += ", ".join(shares)
    return [_row(f"{case}, {n}^3", _ratio(answer, "solve"), "pairs", note, answer)]


def memory(run: Run) -> list[dict]:
    """Once a case: memory does not vary."""
    n, threads, rows = run.options.size, run.options.threads, []
    for case in ("polycrystal", "pore"):
        answer = call("memory", path=run.body(case, n), threads=threads)
        value, note = answer["bytes_per_voxel"], "beyond the phase map; with all fields"
        rows.append(_row(f"memory, {case}, {n}^3", value, "B/voxel", note, answer))
    output = str(run.folder / "written.vtkhdf")
    for precision in ("double", "single"):
        options = {"precision": precision, "threads": threads, "output": output}
        answer = call("memory", path=run.body("polycrystal", n), **options)
        value, note = answer["bytes_per_voxel"], "all fields written, none kept"
        what = f"memory, {precision}, {n}^3"
        rows.append(_row(what, value, "B/voxel", note, answer))
    return rows


def batch(run: Run) -> list[dict]:
    """Generation is not in the time."""
    count = 1000 if run.options.full else 200
    answer = call("batch", count=count, n=32, unit=UNIT, wisdom=run.wisdom)
    seconds = _median(answer, "each") * 1000
    note = f"{seconds:.3g} s, from {count}; pair of {UNIT}^3 "
    note += f"{_ms(answer, 'pair')} ms; to generate them {answer['generate']:.3g} s"
    value = 1000 * _ratio(answer, "each")
    return [_row("1000 polycrystals of 32^3", value, "pairs", note, answer)]


def homogenize(run: Run) -> list[dict]:
    """Whole calls, in turns."""
    path = run.body("polycrystal", 64)
    answer = call("homogenize", path=path, repeats=run.options.repeats)
    iterations = " + ".join(map(str, answer["iterations"]))
    note = f"{_ms(answer, 'homogenize')} ms; {iterations} iterations"
    value = _ratio(answer, "homogenize", "solve")
    return [_row("homogenize, 64^3", value, "solves", note, answer)]


def process(run: Run) -> list[dict]:
    """From the shell and back, with reading and writing files; and compiling first."""
    here = str(Path(sys.executable).parent)
    program = shutil.which("fftmech", path=here) or "fftmech"
    body, result = run.folder / "body.h5", run.folder / "result.vtkhdf"
    # an empty folder for compiled code, so that the first solve compiles
    environment = os.environ | {"NUMBA_CACHE_DIR": str(run.folder / "compiled")}

    def fftmech(*command: str | Path) -> tuple[float, str]:
        start = time.perf_counter()
        done = subprocess.run(
            [program, *command],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            check=True,
        )
        return time.perf_counter() - start, done.stdout

    fftmech("generate", "polycrystal", "--res", "32", "--grains", "24", "-o", body)
    seconds, compiled = [], []
    for _ in range(run.options.repeats + 1):
        took, answer = fftmech(
            *("solve", body, "--strain", "xx=1e-3", "-o", result, "--force", "--json")
        )
        seconds.append(took)
        compiled.append(json.loads(answer)["time"]["compile"])
    value, load = statistics.median(seconds[1:]), statistics.median(compiled[1:])
    everything = {"seconds": seconds, "compile": compiled}
    note = f"files read and written; {load:.2g} s to load compiled code"
    first = "once; the rest as above"
    return [
        _row("fftmech solve, 32^3", value, "s", note, everything),
        _row("compiling, first run", compiled[0], "s", first, everything),
    ]


PARTS = (iteration, polycrystal, pore, memory, batch, homogenize, process)


def _row(what: str, value: float, unit: str, note: str, answer: dict) -> dict:
    limit, aim = TARGETS.get(what, (None, None))
    figures = {"value": value, "unit": unit, "limit": limit, "aim": aim}
    return {"what": what, **figures, "note": note, "measured": answer}


def _median(answer: dict, key: str) -> float:
    return statistics.median(run[key] for run in answer["runs"])


def _ratio(answer: dict, key: str, unit: str = "pair") -> float:
    return statistics.median(run[key] / run[unit] for run in answer["runs"])


def _ms(answer: dict, key: str) -> str:
    ms = 1e3 * _median(answer, key)
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}"


def show(rows: list[dict]) -> str:
    """Table of figures beside what they should be."""
    lines = []
    for row in rows:
        targets = ["" if t is None else f"{t:.4g}" for t in (row["limit"], row["aim"])]
        measured = f"{row['value']:.3g} {row['unit']}"
        if row["value"] >= 1000:
            measured = f"{row['value']:.0f} {row['unit']}"
        lines.append([row["what"], measured, *targets, row["note"]])
    return table(["what", "measured", "limit", "aim", "of which"], lines)


def main() -> None:
    """Measure the parts, print their table."""
    names = {part.__name__: part for part in PARTS}
    made = parser(__doc__, size=128, repeats=5)
    made.add_argument("parts", nargs="*", metavar="PART", help=", ".join(names))
    made.add_argument("--threads", type=int, help="all processors if not given")
    made.add_argument("--full", action="store_true", help="batch: all 1000")
    options = made.parse_args()
    unknown = set(options.parts) - names.keys()
    if unknown:
        made.error(f"{unknown.pop()!r}: expected {', '.join(names)}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        run = Run(options, Path(folder))
        for name in options.parts or names:
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows += names[name](run)
    report(options, "solve", show(rows), rows=rows)


if __name__ == "__main__":
    main()
