"""What an installation is and where it runs: packages, machine, GPU, compiled code.

Nothing here raises: what cannot be found out is said in place of what was asked for.
"""

import getpass
import os
import platform
import re
import sys
from math import isfinite
from pathlib import Path
from typing import Any

import fftmech
from fftmech_cli.packages import attempt, packages, registered

VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("OMP_WAIT_POLICY", "DUCC0_NUM_THREADS", "NUMBA_CACHE_DIR"),
    *("NUMBA_DISABLE_JIT", "NUMBA_CPU_NAME", "CUDA_VISIBLE_DEVICES"),
)
"""Environment variables that change how fast it is, or what it uses."""


def describe(full: bool) -> dict[str, Any]:
    """Describe the installation and the machine, without names of users and hosts.

    Parameters
    ----------
    full
        Import every optional package, each in a process of its own, which takes
        seconds; otherwise their versions are read, and those imported that a solve
        imports.

    Returns
    -------
    dict
        JSON; a part that could not be found out is `{"error": reason}`.
    """
    parts = {
        "fftmech": _own,
        "python": _python,
        "processors": _processors,
        "memory": _memory,
        "variables": lambda: {n: os.environ[n] for n in VARIABLES if n in os.environ},
        "fft": _fft,
        "gpu": _gpu,
        "driver": _driver,
        "kernels": _kernels,
        "packages": lambda: packages(full),
        "plugins": lambda: registered(full),
    }
    return anonymous({name: attempt(part) for name, part in parts.items()})


def _own() -> dict[str, Any]:
    folder = Path(fftmech.__file__).parent
    return {"version": fftmech.__version__, "folder": str(folder)}


def _python() -> dict[str, Any]:
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
    }


def _processors() -> dict[str, Any]:
    from fftmech.arrays.cgroups import cpu_quota
    from fftmech.arrays.threads import processors

    affinity = getattr(os, "sched_getaffinity", None)
    quota = cpu_quota()
    return {
        "machine": os.cpu_count(),
        "allowed": len(affinity(0)) if affinity else None,
        "quota": quota if isfinite(quota) else None,
        "threads": processors(),
    }


def _memory() -> dict[str, Any]:
    import psutil

    from fftmech.arrays.memory import free_memory

    return {"free": free_memory(), "total": psutil.virtual_memory().total}


def _fft() -> dict[str, Any]:
    from fftmech.arrays.backend import cpu_backend

    return {"library": cpu_backend().fft}


def _gpu() -> dict[str, Any]:
    from fftmech.arrays.backend import gpu_backend

    cuda = gpu_backend().xp.cuda.runtime
    found = [cuda.getDeviceProperties(i) for i in range(cuda.getDeviceCount())]
    return {
        "devices": [
            {"name": each["name"].decode(), "memory": each["totalGlobalMem"]}
            for each in found
        ]
    }


def _driver() -> dict[str, Any]:
    """CUDA version and number of GPUs of NVIDIA's driver, which needs no package."""
    import ctypes

    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return {"cuda": None, "devices": 0}
    version, count = ctypes.c_int(), ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(version))
    code = library.cuInit(0) or library.cuDeviceGetCount(ctypes.byref(count))
    found = {"cuda": f"{version.value // 1000}.{version.value % 1000 // 10}"}
    return {**found, "devices": count.value, **({"code": code} if code else {})}


def _kernels() -> dict[str, Any]:
    from fftmech.kernels.compiled import code_on_disk
    from fftmech.kernels.vectors import dot

    if not hasattr(dot, "stats"):
        return {"error": "nothing is compiled: NUMBA_DISABLE_JIT is set"}
    return code_on_disk(dot)


def anonymous(document: Any) -> Any:
    """The same data without names of the user and the host, and with ~ for the home."""
    home, host = attempt(Path.home), platform.node()
    rules = [(rf"{re.escape(str(path))}(?![\w-])", "~") for path in _spellings(home)]
    # a short name may also be a word: the user's is replaced where it is a folder
    rules += [(rf"(?<=[\\/]){re.escape(_user())}(?![\w-])", "USER")] * bool(_user())
    rules += [
        (rf"\b{re.escape(name)}\b", "HOST") for name in (host, host.split(".")[0])
    ] * bool(host)
    return _replaced(document, rules)


def _spellings(home: Any) -> set[Path]:
    """A home folder with and without links; none where it is not known, or the root."""
    if not isinstance(home, Path) or home == home.parent:
        return set()
    return {home, home.resolve()}


def _user() -> str:
    user = attempt(getpass.getuser)
    return user if isinstance(user, str) else ""


def _replaced(value: Any, rules: list[tuple[str, str]]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(entry, rules) for key, entry in value.items()}
    if isinstance(value, list):
        return [_replaced(entry, rules) for entry in value]
    if isinstance(value, str):
        for pattern, text in rules:
            value = re.sub(pattern, text, value, flags=_CASE)
    return value


_CASE = re.IGNORECASE if os.name == "nt" else 0
