"""Time of a 3-component real transform pair, by FFT library.

    python benchmarks/fft.py [--sizes 64 128] [--repeats 7] [--json out.json]

Libraries take turns in every repeat, so that ratios are of one run.
"""

import argparse
import json
import statistics
import time

import numpy as np
from machine import machine

from fftmech.backend import FFT_LIBRARIES, cpu_backend
from fftmech.errors import InputError


def main() -> None:
    """Print the medians and their ratio to the fastest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json")
    options = parser.parse_args()
    backends = []
    for name in FFT_LIBRARIES:
        try:
            backends.append(cpu_backend(fft=name))
        except InputError:
            print(f"{name} is not installed")
    rows = []
    for n in options.sizes:
        field = np.random.default_rng(0).normal(size=(3, n, n, n))
        times: dict[str, list[float]] = {b.fft: [] for b in backends}
        for repeat in range(options.repeats + 1):
            for backend in backends:
                start = time.perf_counter()
                backend.irfftn(backend.rfftn(field), (n, n, n))
                if repeat:  # the first call plans
                    times[backend.fft].append(time.perf_counter() - start)
        medians = {name: statistics.median(t) for name, t in times.items()}
        best = min(medians.values())
        for name, t in medians.items():
            rows.append({"n": n, "library": name, "seconds": t, "ratio": t / best})
            print(f"{n:4}^3  {name:8} {1e3 * t:9.2f} ms  {t / best:5.2f} x the fastest")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": machine(), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
