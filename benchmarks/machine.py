"""What a benchmark says of the machine, and how it reports: memory, tables, JSON."""

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

STATUS = Path("/proc/self/status")


def machine() -> dict[str, str | int]:
    """Processor model, cores, memory and Python version; nothing that names it."""
    import psutil

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


def peak_memory() -> float:
    """Largest resident memory of this process so far, MiB."""
    if STATUS.exists():  # Linux counts the parent's memory into ru_maxrss
        return int(STATUS.read_text().partition("VmHWM:")[2].split()[0]) / 2**10
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown table; columns are as wide as their widest entry."""
    lines = [list(head), *([str(entry) for entry in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = [
        "| " + " | ".join(e.ljust(w) for e, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(text)


def fill(page: str | Path, name: str, text: str) -> None:
    """Put text between the comments NAME and /NAME of a page.

    Raises
    ------
    ValueError
        The page has no such place.
    """
    page = Path(page)
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = page.read_text().partition(first)
    _, ended, after = rest.partition(last)
    if not (found and ended):
        raise ValueError(f"{page}: no place for {name}")
    page.write_text(f"{before}{first}\n{text}\n{last}{after}")


def write_json(path: str | Path, **content: object) -> None:
    """Write figures with the machine that they were measured on."""
    Path(path).write_text(json.dumps({"machine": machine(), **content}, indent=2))


def parser(doc: str, **defaults: object) -> argparse.ArgumentParser:
    """Return a parser with --json, --page, and options by name of their defaults.

    A list takes several values.
    """
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in defaults.items():
        several = isinstance(value, list)
        kind = type(value[0] if several else value)
        nargs = "+" if several else None
        made.add_argument(f"--{name}", type=kind, nargs=nargs, default=value)
    made.add_argument("--json")
    made.add_argument("--page", help="page with a place for the table")
    return made


def report(
    options: argparse.Namespace, name: str, text: str, **content: object
) -> None:
    """Print a text; put it into --page, and figures into --json, if these are given."""
    print(text)
    if options.json:
        write_json(options.json, **content)
    if options.page:
        fill(options.page, name, text)
