"""Where an iteration's time goes, against what memory and processor can do.

    pip install . -r benchmarks/requirements.txt
    python benchmarks/roofline.py [--sizes 128 256] [--repeats 5] [--json out.json]
                                  [--page docs/speed.md]
                                  [--picture docs/img/roofline.png]

Each pass of an iteration of conjugate gradients (`rotated`, single-precision search,
double-precision solution; beside it the operator of `hex8`) is timed inside solves of
the polycrystal of solve.py: the median over all iterations. Its bytes are those of the
grid's arrays that it reads and writes; what a cache keeps within the pass counts once,
and a line that is written is not counted as read. Its operations are counted from the
source, FFTs as 5/2 N log2 N for N real numbers along an axis.

The roofs are measured: a triad a = b + s c of large arrays, and a product of matrices,
on as many threads; the best of ten.
"""

import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from machine import parser, report, table
from measures import call
from picture import draw

from fftmech.arrays.threads import parallel, processors


class Pass(NamedTuple):
    """A pass over the grid.

    Parameters
    ----------
    name
        As tables and the picture call it.
    kernel
        Name of the function that `parallel` runs in it.
    moved
        Bytes by voxel of what it reads and writes, by array.
    spectra
        How often it reads or writes the half spectrum.
    flops
        Operations by voxel but those of FFTs.
    axes
        Along how many axes it transforms three components.
    """

    name: str
    kernel: str
    moved: dict[str, int]
    spectra: int
    flops: int
    axes: int

    def bytes(self, n: int) -> float:
        """Bytes by voxel: the half spectrum is a little larger than its field."""
        return sum(self.moved.values()) + self.spectra * 24 * (n // 2 + 1) / n

    def operations(self, n: int) -> float:
        """Operations by voxel."""
        return self.flops + 3 * self.axes * 2.5 * math.log2(n)


PASSES = (
    Pass(
        "operator",
        "_apply.slab",
        {"p read": 12, "phase read": 4, "K p written": 12},
        spectra=0,
        # sums and differences 24, strain 33, stress 72, back to nodes 57, sums 15
        flops=201,
        axes=0,
    ),
    Pass(
        "residual",
        "add.part",
        {"r read, written": 24, "K p read": 12},
        spectra=0,
        flops=6,
        axes=0,
    ),
    Pass(
        "planes",
        "update_residual.planes",
        {"r read": 12},
        spectra=1,
        flops=0,
        axes=2,
    ),
    Pass(
        "rows, Green",
        "update_residual.rows",
        {},
        spectra=2,
        # on half as many frequencies: inverse 58, product and its work 44
        flops=51,
        axes=2,
    ),
    Pass(
        "planes, update",
        "_finish.planes",
        {"v read, written": 48, "p read, written": 24},
        # read, and written by the transform along y, which is in place
        spectra=2,
        flops=12,
        axes=2,
    ),
)
# modes 27, strain and stress 105, hourglass forces 279, back to nodes 78, sums 15
HEX8 = PASSES[0]._replace(name="operator of hex8", flops=504)


def measure(n: int, repeats: int, threads: int, folder: Path) -> list[dict]:
    """Figures of each pass on one grid, then of the whole iteration."""
    path = str(folder / f"{n}.npz")
    call("write", path=path, case="polycrystal", n=n)
    rows = []
    for scheme, chosen in (("rotated", PASSES), ("hex8", (HEX8,))):
        seconds = call(
            "passes", path=path, repeats=repeats, threads=threads, scheme=scheme
        )
        for p in chosen:
            rows.append(
                _figures(p.name, n, seconds[p.kernel], p.bytes(n), p.operations(n))
            )
        if scheme == "rotated":
            total = [sum(row[key] for row in rows) for key in ("bytes", "flops")]
            rows.append(_figures("iteration", n, seconds["iteration"], *total))
    return rows


def _figures(name: str, n: int, seconds: float, size: float, flops: float) -> dict:
    return {
        "pass": name,
        "n": n,
        "ms": 1e3 * seconds,
        "bytes": size,
        "flops": flops,
        "GB/s": 1e-9 * size * n**3 / seconds,
        "GFLOP/s": 1e-9 * flops * n**3 / seconds,
    }


def bandwidth(threads: int) -> float:
    """GB/s of a triad a = b + s c, three arrays of 256 MiB; a written line once."""
    from fftmech.kernels.compiled import compiled

    @compiled
    def triad(a, b, c, s):
        for i in range(len(a)):
            a[i] = b[i] + s * c[i]

    a, b, c = (np.full(2**25, value) for value in (0.0, 1.0, 2.0))

    def part(first: int, last: int) -> None:
        triad(a[first:last], b[first:last], c[first:last], 3.0)

    best = _best(lambda: parallel(part, a.size, threads))
    return 1e-9 * 3 * a.nbytes / best


def peak(dtype: type) -> float:
    """GFLOP/s of a product of matrices, on NumPy's threads."""
    n = 2048
    a = np.random.default_rng(0).standard_normal((n, n), dtype)
    out = np.empty_like(a)
    return 1e-9 * 2 * n**3 / _best(lambda: np.matmul(a, a, out=out))


def _best(run: Callable[[], object], repeats: int = 10) -> float:
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def show(rows: list[dict], roofs: dict[str, float]) -> str:
    """Table of passes, and the roofs below it."""
    sizes = list(dict.fromkeys(row["n"] for row in rows))
    head = ["pass", "B a voxel", "flop a voxel"]
    for n in sizes:
        head += [f"{n}^3: ms", "GB/s", "GFLOP/s"]
    lines = []
    for name in dict.fromkeys(row["pass"] for row in rows):
        own = [row for row in rows if row["pass"] == name]
        line = [name, f"{own[0]['bytes']:.0f}", f"{own[0]['flops']:.0f}"]
        for row in own:
            line += [f"{row['ms']:.3g}", f"{row['GB/s']:.3g}", f"{row['GFLOP/s']:.0f}"]
        lines.append(line)
    return table(head, lines) + (
        f"\n\nMeasured roofs: {roofs['GB/s']:.1f} GB/s (triad), "
        f"{roofs['float32']:.0f} GFLOP/s in single and "
        f"{roofs['float64']:.0f} in double precision (product of matrices), "
        f"{roofs['threads']} threads."
    )


def main() -> None:
    """Measure, print the table, draw."""
    made = parser(__doc__, sizes=[128, 256], repeats=5, threads=processors())
    made.add_argument("--picture")
    options = made.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n in options.sizes:
            print(f"{n}^3 ...", file=sys.stderr, flush=True)
            rows += measure(n, options.repeats, options.threads, Path(folder))
    roofs = {"GB/s": bandwidth(options.threads), "threads": options.threads}
    roofs |= {name: peak(np.dtype(name)) for name in ("float32", "float64")}
    report(options, "roofline", show(rows, roofs), rows=rows, roofs=roofs)
    if options.picture:
        draw(rows, roofs, options.picture)


if __name__ == "__main__":
    main()
