"""Parts of gpu.py, each run in a process of its own; here the machine and the tests.

    python benchmarks/gpu_parts.py PART [--dry]

prints one JSON object a line, each as soon as it is measured, so that what a time limit
ends has said what it knew.
"""

import argparse
import importlib
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

NO_DEVICE = "no CUDA device"

Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Bench:
    """How a part runs: where its rows go, and whether small and on the host."""

    emit: Emit
    dry: bool = False

    @property
    def xp(self) -> Any:
        """CuPy, or its stand-in."""
        return importlib.import_module("cupy")

    def wait(self) -> None:
        """Until the device has done all that it was given."""
        self.xp.cuda.runtime.deviceSynchronize()

    def row(self, measure: Callable[[], dict[str, Any]], **what: Any) -> None:
        """Emit what is measured, or how that failed."""
        started = time.perf_counter()
        try:
            row = what | measure()
        except Exception as error:
            # CuPy's, and torch's
            full = type(error).__name__ == "OutOfMemoryError"
            row = what | {"skipped" if full else "error": last_lines(error)}
        self.emit(row | {"took": time.perf_counter() - started})

    def best(self, work: Callable[[], object], repeats: int = 10) -> float:
        """Least seconds of a piece of work, after one that is not counted."""
        times = []
        for _ in range(repeats + 1):
            self.wait()
            started = time.perf_counter()
            work()
            self.wait()
            times.append(time.perf_counter() - started)
        return min(times[1:])


def last_lines(error: BaseException) -> str:
    """Message of an error, and where it came from, on one line."""
    where = [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)[-4:]
    ]
    text = " | ".join(str(error).strip().splitlines()[-3:])
    return f"{type(error).__name__}: {text[:600]} ({', '.join(where)})"


def facts(bench: Bench) -> None:
    """Names and versions, and what the driver says of the GPU."""
    bench.row(_libraries, what="libraries")
    bench.row(lambda: _device(bench), what="device")
    bench.row(lambda: _compiled(bench), what="first kernel")
    bench.row(_driver, what="nvidia-smi")


def _libraries() -> dict[str, Any]:
    found = {}
    for name in ("fftmech", "numpy", "scipy", "numba", "cupy", "torch"):
        try:
            found[name] = importlib.import_module(name).__version__
        except (ImportError, AttributeError) as error:
            found[name] = str(error)
    if "torch" in sys.modules:
        found["torch's CUDA"] = sys.modules["torch"].version.cuda
    return found


def _device(bench: Bench) -> dict[str, Any]:
    from fftmech.arrays.backend import gpu_backend

    gpu_backend()
    runtime = bench.xp.cuda.runtime
    found = runtime.getDeviceProperties(0)
    return {
        "name": found["name"].decode(),
        "memory_GiB": found["totalGlobalMem"] / 2**30,
        "multiprocessors": found["multiProcessorCount"],
        "cache_MiB": found["l2CacheSize"] / 2**20,
        "compute": f"{found['major']}.{found['minor']}",
        "driver": runtime.driverGetVersion(),
        "runtime": runtime.runtimeGetVersion(),
    }


def _compiled(bench: Bench) -> dict[str, Any]:
    """A sum that CuPy compiles a kernel for: finds NVRTC and CUDA's headers."""
    total = float((bench.xp.arange(4, dtype=np.float64) + 1).sum())
    return {"right": total == 10}


def _driver() -> dict[str, Any]:
    names = "name,driver_version,memory.used,clocks.sm,clocks.mem,power.draw"
    command = ["nvidia-smi", f"--query-gpu={names}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except FileNotFoundError:
        return {"answer": "no nvidia-smi"}
    return {"answer": done.stdout.strip() or done.stderr.strip()}


class Reporter:
    """A plugin of pytest that emits the outcome of each test."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Of the call, or of a set-up that failed or skipped."""
        if report.when == "call" or report.outcome != "passed":
            row = {"test": report.nodeid, "outcome": report.outcome}
            if report.failed:
                row["error"] = " | ".join(report.longreprtext.splitlines()[-6:])[:900]
            self.emit(row | {"took": report.duration})


def suite(bench: Bench) -> None:
    """The tests of device arrays and kernels, which take CuPy where there is a GPU."""
    import pytest

    names = ("test_gpu_kernels.py", "test_device_arrays.py", "test_cuda_sources.py")
    files = [str(ROOT / "tests" / name) for name in names]
    if bench.dry:
        files = [f"{files[0]}::test_a_twin_has_a_descent_of_its_own"]
    # the terminal would write between rows, and without it pytest knows no -ra
    plugins = ("terminal", "cacheprovider", "xdist")
    quiet = [option for name in plugins for option in ("-p", f"no:{name}")]
    options = [*quiet, "-o", "addopts=", "-m", "not slow"]
    pytest.main([*files, *options], plugins=[Reporter(bench.emit)])


PARTS = {part.__name__: part for part in (facts, suite)}


def main() -> None:
    """Run one part."""
    from gpu_learning import PARTS as LEARNING
    from gpu_solves import PARTS as SOLVES

    parts = PARTS | SOLVES | LEARNING
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=tuple(parts))
    parser.add_argument("--dry", action="store_true")
    options = parser.parse_args()

    def emit(row: dict[str, Any]) -> None:
        print(json.dumps(row), flush=True)

    if options.dry:
        stand_in()
    parts[options.part](Bench(emit, options.dry))


def stand_in() -> None:
    """Put the tests' stand-in for CuPy in its place."""
    sys.path.insert(0, str(ROOT / "tests"))
    import cuda_on_host
    import pytest

    cuda_on_host.install(pytest.MonkeyPatch())


if __name__ == "__main__":
    main()
