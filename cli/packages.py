"""Packages that this one needs or can use: their versions, and which are broken."""

import subprocess
import sys
import traceback
from collections.abc import Callable
from importlib import import_module, metadata, util
from typing import Any

from fftmech.errors import InputError
from fftmech.plugins import GROUPS, plugins

REQUIRED = ("numpy", "scipy", "h5py", "click", "numba", "rich", "psutil", "filelock")

OPTIONAL = {
    "fast": ("ducc0",),
    "gpu": ("cupy",),
    "torch": ("torch",),
    "surrogate": ("safetensors",),
    "serve": ("fastapi", "fastapi-offline", "uvicorn", "python-multipart"),
    "tune": ("optuna",),
    "viz": ("matplotlib", "pyvista"),
    "view": ("vtk", "trame", "trame-vtk", "trame-vuetify"),
    "formats": ("tifffile", "pillow", "pyyaml"),
    "mpi": ("mpi4py",),
}
"""Packages by the extra that installs them."""

NAMES = {"cupy": ("cupy-cuda12x", "cupy-cuda13x", "cupy")}
"""Packages that several distributions bring."""

MODULES = {"pillow": "PIL", "pyyaml": "yaml"}
"""Modules that are not called as their package is."""

USES = {
    "cupy": "import cupy; assert (cupy.arange(4.0) + 1).sum() == 10",
    "mpi4py": "from mpi4py import MPI",
}
"""What is tried of a package of which the bare import says little."""


REGISTRIES = {
    "fftmech.laws": ("fftmech.materials.laws", "LAWS"),
    "fftmech.formats": ("fftmech.io", "FORMATS"),
    "ecosurrogate.networks": ("ecosurrogate.networks", "NETWORKS"),
}
"""Where what other packages register is looked up, by group."""

PATIENCE = 120
"""Seconds that the import of a package may take."""


def attempt(part: Callable[[], Any]) -> Any:
    """Return what a function returns, or `{"error": one line}` of what it raises."""
    try:
        return part()
    except KeyboardInterrupt:
        raise
    except InputError as error:
        return {"error": str(error)}
    except BaseException as error:
        # the last line of a syntax error, for instance, is what is wrong
        return {"error": _one_line(traceback.format_exception_only(error)[-1])}


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def packages(full: bool) -> dict[str, dict[str, Any]]:
    """Version, extra, and what is broken, of each package.

    Those that a solve imports are imported; with `full` the others too, each in a
    process of its own.
    """
    found = {name: _package(name, _import_here) for name in REQUIRED}
    for extra, names in OPTIONAL.items():
        # FFTs import it anyway
        test = _import_here if extra == "fast" else _use_apart if full else None
        for name in names:
            found[name] = {"extra": extra, **_package(name, test)}
    return found


def registered(full: bool) -> list[dict[str, str]]:
    """What other packages register, and why it cannot be used.

    Networks, which need torch, are tried with `full` only, in another process.
    """
    found = []
    for group, (module, registry) in REGISTRIES.items():
        for plugin in plugins(group):
            entry = {"package": plugin.package, "version": plugin.version}
            entry |= {"kind": GROUPS[group], "name": plugin.name}
            reason = None
            if group != "ecosurrogate.networks":
                place = module, registry, plugin.name
                made = attempt(
                    lambda of=place: getattr(import_module(of[0]), of[1])[of[2]]
                )
                reason = made["error"] if isinstance(made, dict) else None
            elif full:
                reason = _apart(
                    f"from {module} import {registry} as r; r[{plugin.name!r}]"
                )
            found.append(entry if reason is None else {**entry, "broken": reason})
    return found


def _package(name: str, test: Callable[[str, str], str | None] | None) -> dict:
    """Version of a package, None if it is missing, and why it is broken."""
    module = MODULES.get(name, name.replace("-", "_"))
    versions = _versions(NAMES.get(name, (name,)))
    if not versions and attempt(lambda: util.find_spec(module)) is not None:
        # installed by copying, or under another name
        versions = ["unknown"]
    if not versions:
        return {"version": None}
    entry = {"version": ", ".join(versions)}
    if len(versions) > 1:
        entry["broken"] = "they break each other: uninstall all but one"
    elif test is not None and (reason := test(name, module)):
        entry["broken"] = reason
    return entry


def _versions(names: tuple[str, ...]) -> list[str]:
    found = []
    for name in names:
        version = attempt(lambda name=name: metadata.version(name))
        if isinstance(version, str):
            found.append(version if len(names) == 1 else f"{version} of {name}")
    return found


def _import_here(name: str, module: str) -> str | None:
    """Why the import of a module fails."""
    found = attempt(lambda: import_module(module))
    return found["error"] if isinstance(found, dict) else None


def _use_apart(name: str, module: str) -> str | None:
    """Why a package does not work, in another process, which it may end."""
    return _apart(USES.get(name, f"import {module}"))


def _apart(use: str) -> str | None:
    """Why Python code fails in another process."""
    code = f"import sys\nsys.path[:] = {sys.path!r}\n{use}\nprint('\\nworks')"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return f"import takes more than {PATIENCE} s"
    if "works" in done.stdout.splitlines():
        return None
    lines = done.stderr.strip().splitlines()
    if lines:
        return _one_line(lines[-1].removeprefix("fftmech.errors.InputError: "))
    return f"Python ends: code {done.returncode}"
