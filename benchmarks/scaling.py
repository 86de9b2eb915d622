"""Time of an iteration by voxel, from small grids to large ones, awkward sizes too.

    python benchmarks/scaling.py [--sizes 32 64 128] [--schemes rotated hex8]
                                 [--large] [--json out.json] [--page docs/speed.md]

Each figure is from a process of its own: the polycrystal of solve.py, all threads,
`repeats` solves of a few iterations; the median iteration of each, the median of
these. `--large` solves 512^3 voxels once, in single precision, and says what memory
that takes.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from machine import parser, report, table
from measures import call

SIZES = (32, 48, 64, 96, 100, 127, 128, 129, 256)
FLAT = (32, 256)
"""Between these grids the time by voxel should not vary by more than 1.6."""

ITERATIONS = 6


def measure(n: int, schemes: list[str], repeats: int, folder: Path) -> list[dict]:
    """Nanoseconds by voxel and iteration of each scheme on one grid."""
    path, rows = str(folder / f"{n}.npz"), []
    call("write", path=path, case="polycrystal", n=n)
    for scheme in schemes:
        answer = call(
            "solves",
            path=path,
            repeats=repeats,
            scheme=scheme,
            max_iterations=ITERATIONS,
            certificate=False,
        )
        seconds = statistics.median(r["median_iteration"] for r in answer["runs"])
        rows.append({"n": n, "scheme": scheme, "ns": 1e9 * seconds / n**3})
    return rows


def show(rows: list[dict]) -> str:
    """Nanoseconds by grid and scheme."""
    cells = {(row["n"], row["scheme"]): f"{row['ns']:.3g}" for row in rows}
    sizes = dict.fromkeys(row["n"] for row in rows)
    schemes = dict.fromkeys(row["scheme"] for row in rows)
    lines = [[f"{n}^3", *(cells.get((n, s), "") for s in schemes)] for n in sizes]
    return table(["ns", *(f"`{scheme}`" for scheme in schemes)], lines)


def spread(rows: list[dict], scheme: str) -> float:
    """Largest over smallest time by voxel, of sizes that are powers of two."""
    times = [
        row["ns"]
        for row in rows
        if row["scheme"] == scheme
        and FLAT[0] <= row["n"] <= FLAT[1]
        and row["n"].bit_count() == 1
    ]
    return max(times) / min(times)


def large(folder: Path) -> dict:
    """Solve 512^3 voxels in single precision."""
    path = str(folder / "large.npz")
    call("write", path=path, case="polycrystal", n=512)
    return call("memory", path=path, precision="single")


def main() -> None:
    """Measure every grid, print the table."""
    schemes = ["rotated", "hex8", "fourier"]
    made = parser(__doc__, sizes=SIZES, schemes=schemes, repeats=5)
    made.add_argument("--large", action="store_true")
    options = made.parse_args()
    rows, answer = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for n in options.sizes:
            print(f"{n}^3 ...", file=sys.stderr, flush=True)
            rows += measure(n, options.schemes, options.repeats, Path(folder))
        if options.large:
            answer = large(Path(folder))
    text = show(rows)
    if any(row["n"].bit_count() == 1 for row in rows):
        ratios = [f"`{s}` {spread(rows, s):.2f}" for s in options.schemes]
        text += f"\n\nLargest over smallest, powers of two: {', '.join(ratios)}."
    if answer:
        text += (
            f"\n\n512^3 in single precision: {answer['status']} in "
            f"{answer['iterations']} iterations of {answer['iteration']:.2f} s "
            f"({1e9 * answer['iteration'] / 512**3:.3g} ns a voxel), "
            f"{answer['solve']:.0f} s in all, peak {answer['peak_GiB']:.1f} GiB."
        )
    report(options, "scaling", text, rows=rows, large=answer)


if __name__ == "__main__":
    main()
