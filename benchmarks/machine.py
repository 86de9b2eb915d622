"""What a benchmark says of the machine: its model, and nothing that names it."""

import platform
from pathlib import Path

import psutil


def machine() -> dict[str, str | int]:
    """Processor model, cores, memory and Python version."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "processor": model,
        "cores": psutil.cpu_count(logical=False) or 1,
        "memory_GiB": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
    }
