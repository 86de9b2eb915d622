"""Time of a 3-component real transform pair: libraries, and the solver's own blocks.

    python benchmarks/fft.py [--sizes 64 128 256] [--repeats 7] [--json out.json]
                             [--page docs/speed.md]

Libraries take turns in every repeat, so that ratios are of one run. `in blocks` is
what the solver does: planes along y and z, rows along x and back, planes again, each
thread with blocks that stay in its cache.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from machine import parser, report, table
from pair import LIBRARIES, Arrays, arrays, fftw_estimated, transforms

from fftmech.arrays.backend import FFT_LIBRARIES, cpu_backend
from fftmech.arrays.threads import parallel, processors
from fftmech.kernels.host import BLOCK_BYTES

PRECISIONS = {"float64": np.float64, "float32": np.float32}


def blocked(library: str) -> Callable[[Arrays, int], Callable]:
    """Pair as the solver's kernels go through it, with one of the package's libraries.

    The kernels work on the spectrum between the two transforms along x, and on the
    field before the first and after the last step, while a block is in the cache.
    """

    def make(a: Arrays, threads: int) -> Callable:
        transform = cpu_backend(1, library).blocks
        assert transform is not None
        _, nx, ny, nz = a.field.shape
        plane = 3 * a.field.itemsize * ny * nz
        row = 3 * a.spectrum.itemsize * nx * a.spectrum.shape[-1]

        def forward(first: int, last: int) -> None:
            for part in blocks(first, last, plane):
                transform.planes(a.field[:, part], a.spectrum[:, part])

        def rows(first: int, last: int) -> None:
            for part in blocks(first, last, row):
                transform.rows(a.spectrum[:, :, part], forward=True)
                transform.rows(a.spectrum[:, :, part], forward=False)

        def back(first: int, last: int) -> None:
            for part in blocks(first, last, plane):
                transform.back(a.spectrum[:, part], a.back[:, part])

        def run() -> np.ndarray:
            parallel(forward, nx, threads)
            parallel(rows, ny, threads)
            parallel(back, nx, threads)
            return a.back

        return run

    return make


def blocks(first: int, last: int, size: int):
    """Slices of as many planes or rows of `size` bytes as make a block."""
    step = max(1, BLOCK_BYTES // size)
    for start in range(first, last, step):
        yield slice(start, min(start + step, last))


def measure(n: int, precision: str, threads: int, repeats: int) -> list[dict]:
    """Median time and planning time of each way to make a pair."""
    libraries = LIBRARIES | {"pyFFTW, estimated": fftw_estimated}
    libraries |= {f"{name} in blocks": blocked(name) for name in FFT_LIBRARIES}
    found = transforms(arrays(n, PRECISIONS[precision]), threads, libraries)
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(repeats):
        for name, transform in found.items():
            start = time.perf_counter()
            transform.run()
            times[name].append(time.perf_counter() - start)
    return [
        {
            "n": n,
            "precision": precision,
            "library": name,
            "seconds": statistics.median(times[name]),
            "planning": transform.planning,
        }
        for name, transform in found.items()
    ]


def show(rows: list[dict]) -> str:
    """Milliseconds by library, with the seconds of planning where there is any."""
    columns = list(dict.fromkeys((row["n"], row["precision"]) for row in rows))
    cells: dict[str, dict] = {}
    for row in rows:
        text = f"{1e3 * row['seconds']:.3g}"
        if row["planning"] > 0.1:
            text += f" ({row['planning']:.2g} s)"
        place = cells.setdefault(row["library"], {})
        place[row["n"], row["precision"]] = text
    head = ["ms (planning)", *(f"{n}^3 {precision}" for n, precision in columns)]
    return table(head, [[k, *(v[c] for c in columns)] for k, v in cells.items()])


def main() -> None:
    """Print the medians as a table."""
    defaults = {"sizes": [64, 127, 128, 256], "repeats": 7, "threads": processors()}
    options = parser(__doc__, **defaults).parse_args()
    rows = []
    for n in options.sizes:
        for precision in PRECISIONS:
            rows += measure(n, precision, options.threads, options.repeats)
    report(options, "fft", show(rows), threads=options.threads, rows=rows)


if __name__ == "__main__":
    main()
