"""Everything that a GPU has to show, in one call of less than 8 minutes.

    pip install ".[gpu,surrogate]" pytest hypothesis
    python benchmarks/gpu.py [PART ...] [--json gpu.json] [--page docs/gpu.md] [--dry]
    python benchmarks/gpu.py --from gpu.json --page docs/gpu.md

Parts, all if none is named:

facts      the GPU, the driver, versions; whether CuPy can compile
operators  every scheme against the CPU's reference code, in both precisions
solves     iterations of `cg` and `dual` to 512^3, beside cuFFT's pair and a copy
suite      the tests of device arrays and kernels
train      a training step of each model, 64^3
compare    a model beside the solver, batches of 1, 8 and 64

Each part has a process and a time limit of its own. What fails is reported, and the
next part begins. The exit code is 0, 1 if something failed or is wrong, 3 without a
GPU; the JSON file is written in any case. With --dry a stand-in on the host takes the
GPU's place, on few voxels: it shows that the script runs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gpu_parts import NO_DEVICE
from gpu_tables import show
from machine import fill, write_json

LIMITS = {
    "facts": 30,
    "operators": 70,
    "solves": 130,
    "suite": 100,
    "train": 70,
    "compare": 60,
}
"""Seconds of each part; what one leaves the last ones may have."""

SPARE = 5

PROGRAM = Path(__file__).with_name("gpu_parts.py")

Rows = list[dict[str, Any]]


def run(part: str, seconds: float, dry: bool) -> Rows:
    """Rows of a part; the last says how the part failed, if it did."""
    command = [sys.executable, str(PROGRAM), part, *(["--dry"] if dry else [])]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, text=True)
        failure = ""
        try:
            if process.wait(seconds):
                err.seek(0)
                last = [line for line in err.read().splitlines() if line.strip()][-3:]
                text = " | ".join(last)
                failure = f"exit code {process.returncode}: {text[:600]}"
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            failure = f"stopped after {seconds:.0f} s"
        out.seek(0)
        rows = list(filter(None, map(_row, out.read().splitlines())))
    return [*rows, {"error": failure}] if failure else rows


def _row(line: str) -> dict[str, Any] | None:
    """A row of a part's output, which other libraries may write to, too."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def has_device(facts: Rows) -> bool:
    """Whether CuPy found a GPU."""
    return any(row.get("what") == "device" and "name" in row for row in facts)


def measure(names: list[str], dry: bool, path: str | None) -> dict[str, Rows]:
    """Rows by part, written after each."""
    parts: dict[str, Rows] = {}
    left = float(sum(LIMITS.values()))
    for number, part in enumerate(["facts", *(n for n in names if n != "facts")]):
        later = sum(LIMITS[n] for n in names[number + 1 :] if n != part)
        seconds = max(float(LIMITS[part]), left - later) - SPARE
        started = time.perf_counter()
        print(f"{part}, at most {seconds:.0f} s ...", file=sys.stderr, flush=True)
        if part == "facts" or has_device(parts["facts"]):
            parts[part] = run(part, seconds, dry)
        else:
            parts[part] = [{"error": NO_DEVICE}]
        left -= time.perf_counter() - started
        for row in parts[part]:
            if "error" in row:
                print(f"  {row['error']}", file=sys.stderr, flush=True)
        if path:
            write_json(path, dry=dry, parts=parts)
    return parts


def exit_code(parts: dict[str, Rows]) -> int:
    """0, 1 if something failed or is wrong, 3 without a GPU."""
    if not has_device(parts["facts"]):
        return 3
    rows = [row for part in parts.values() for row in part]
    wrong = any("error" in row or row.get("right") is False for row in rows)
    return int(wrong)


def main() -> int:
    """Measure or read, print the tables, fill the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(LIMITS))
    parser.add_argument("--json", default="gpu.json", help="gpu.json if not given")
    parser.add_argument("--page", help="page with places for the tables")
    parser.add_argument("--dry", action="store_true", help="without a GPU")
    parser.add_argument("--from", dest="source", help="JSON file of an earlier run")
    options = parser.parse_args()
    unknown = set(options.parts) - LIMITS.keys()
    if unknown:
        parser.error(f"{unknown.pop()!r}: expected {', '.join(LIMITS)}")
    if options.source:
        parts = json.loads(Path(options.source).read_text())["parts"]
    else:
        names = options.parts or list(LIMITS)
        parts = measure(names, options.dry, options.json)
    for name, text in show(parts).items():
        print(f"{name}\n{text}\n")
        # figures of a stand-in are none of a GPU
        if options.page and not options.dry:
            fill(options.page, name, text)
    return exit_code(parts)


if __name__ == "__main__":
    sys.exit(main())
