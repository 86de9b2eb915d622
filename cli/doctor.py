"""`fftmech doctor`: one screen on the installation and the machine, for an issue."""

import textwrap
from typing import Any

import click

from fftmech_cli.installation import describe
from fftmech_cli.options import json_option
from fftmech_cli.rim import print_json

WIDTH = 79


@click.command()
@click.option(
    "--full",
    is_flag=True,
    help="Also import each optional package, in a process of its own: some seconds "
    "more, and those that are broken are found.",
)
@json_option
def doctor(full: bool, as_json: bool) -> None:
    """Show what is installed, what is missing, and what this machine has.

    One screen to paste into an issue; it has no names of users or hosts, and ~ for
    your home folder.
    """
    document = describe(full)
    if as_json:
        print_json(document)
        return
    for name, text in _lines(document):
        click.echo(
            textwrap.fill(
                f"{name:13} {text}",
                WIDTH,
                subsequent_indent=" " * 14,
                break_long_words=False,
                break_on_hyphens=False,
            )
        )


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What is printed, a name and a text each."""
    texts = {
        "fftmech": lambda own: f"{own['version']} in {own['folder']}",
        "python": lambda p: f"{p['version']}, {p['implementation']}, {p['platform']}",
        "processors": _processors,
        "memory": lambda m: f"{_gib(m['free'])} GiB free of {_gib(m['total'])}",
        "variables": lambda set_: " ".join(f"{k}={v}" for k, v in set_.items()),
        "fft": lambda fft: fft["library"],
        "gpu": _gpu,
        "driver": _driver,
        "kernels": _kernels,
    }
    lines = []
    for name, text in texts.items():
        part = found[name]
        lines.append((name, part["error"] if "error" in part else text(part)))
    return lines + _packages(found["packages"]) + _plugins(found["plugins"])


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f}"


def _processors(found: dict[str, Any]) -> str:
    allowed, quota = found["allowed"], found["quota"]
    return (
        f"{found['machine']} in this machine"
        + (f", {allowed} allowed" if allowed is not None else "")
        + (f", quota {quota:g}" if quota is not None else ", no quota")
        + f"; threads: {found['threads']}"
    )


def _gpu(found: dict[str, Any]) -> str:
    return ", ".join(f"{d['name']} {_gib(d['memory'])} GiB" for d in found["devices"])


def _driver(found: dict[str, Any]) -> str:
    if found["cuda"] is None:
        return "none of NVIDIA"
    code = f", error {found['code']}" if "code" in found else ""
    return f"CUDA {found['cuda']}, {found['devices']} GPUs{code}"


def _kernels(found: dict[str, Any]) -> str:
    if found["folder"] is None:
        return "no folder to keep them in: compiled anew by each run"
    state = (
        f"{found['files']} functions compiled for this version"
        if found["files"]
        else "none compiled yet for this version, the first solve does it"
    )
    access = "writable" if found["writable"] else "NOT WRITABLE"
    return f"{state}, {found['bytes'] / 2**20:.1f} MiB, {access}, {found['folder']}"


def _packages(packages: dict[str, Any]) -> list[tuple[str, str]]:
    """Those that are there, required and optional, those that are not, the broken."""
    if "error" in packages:
        return [("packages", packages["error"])]
    there = {name: p for name, p in packages.items() if p["version"]}
    missing: dict[str, list[str]] = {}
    for name, package in packages.items():
        if name not in there:
            missing.setdefault(package.get("extra", ""), []).append(name)
    absent = [
        f"{', '.join(names)} (fftmech[{extra}])" if extra else ", ".join(names)
        for extra, names in missing.items()
    ]
    lines = [
        ("required", _versions({n: p for n, p in there.items() if "extra" not in p})),
        ("optional", _versions({n: p for n, p in there.items() if "extra" in p})),
        ("missing", "; ".join(absent) or "none"),
    ]
    broken = [
        ("BROKEN", f"{name} {p['version']}: {p['broken']}")
        for name, p in there.items()
        if "broken" in p
    ]
    return lines + broken


def _plugins(found: Any) -> list[tuple[str, str]]:
    """What other packages register, a line each package, and the broken."""
    if "error" in found:
        return [("plugins", found["error"])]
    names: dict[str, list[str]] = {}
    for each in found:
        package = f"{each['package']} {each['version']}"
        names.setdefault(package, []).append(f"{each['kind']} {each['name']}")
    lines = [("plugins", f"{k}: {', '.join(v)}") for k, v in names.items()]
    broken = [("BROKEN", each["broken"]) for each in found if "broken" in each]
    return (lines or [("plugins", "none")]) + broken


def _versions(packages: dict[str, Any]) -> str:
    listed = (f"{name} {p['version']}" for name, p in packages.items())
    return ", ".join(listed) or "none"
