"""Tables of docs/gpu.md, from the rows that gpu.py measured."""

from collections.abc import Mapping
from typing import Any

from machine import table

UNKNOWN = "not measured"

CASES = (
    ("cg", "bbar", "mixed"),
    ("cg", "bbar", "double"),
    ("cg", "bbar", "single"),
    ("cg", "rotated", "mixed"),
    ("cg", "rotated", "double"),
    ("cg", "rotated", "single"),
    ("dual", "rotated", "double"),
)
"""Solver, scheme and precision of rows, as tables have them."""

SEARCH = {"double": "float64", "mixed": "float32", "single": "float32"}
"""Type of transforms: the pair's."""

Rows = list[dict[str, Any]]


def show(parts: Mapping[str, Rows]) -> dict[str, str]:
    """Tables by name, each with "not measured" where there is no figure."""
    rows = {name: parts.get(name, []) for name in (*MAKERS, "compare")}
    made = {f"gpu-{name}": make(rows[name]) for name, make in MAKERS.items()}
    made["gpu-compare"] = _compare(rows["compare"])
    return made


def find(rows: Rows, **what: Any) -> dict[str, Any]:
    """The row that has these entries; empty if there is none."""
    for row in rows:
        if all(row.get(name) == value for name, value in what.items()):
            return row
    return {}


def number(row: Mapping[str, Any], name: str, factor: float = 1.0) -> str:
    """Three digits of a figure, or why there is none."""
    value = row.get(name)
    if value is None:
        return (
            "skipped" if "skipped" in row else "failed" if "error" in row else UNKNOWN
        )
    return f"{factor * value:.3g}"


def _facts(rows: Rows) -> str:
    device, libraries = find(rows, what="device"), find(rows, what="libraries")
    if "name" not in device:
        return table(["GPU"], [[UNKNOWN]])
    lines = [
        ["GPU", device["name"]],
        ["memory", f"{device['memory_GiB']:.0f} GiB"],
        ["multiprocessors", device["multiprocessors"]],
        ["CUDA of the driver, of CuPy", f"{device['driver']}, {device['runtime']}"],
        ["CuPy", libraries.get("cupy", UNKNOWN)],
        ["torch", libraries.get("torch", UNKNOWN)],
        ["nvidia-smi", find(rows, what="nvidia-smi").get("answer", UNKNOWN)],
    ]
    return table(["what", "figure"], lines)


def _operators(rows: Rows) -> str:
    schemes = list(dict.fromkeys(row["scheme"] for row in rows if "scheme" in row))
    lines = []
    for scheme in schemes or [UNKNOWN]:
        line = [scheme]
        for precision in ("double", "single"):
            own = [row for row in rows if row.get("scheme") == scheme]
            own = [row for row in own if row.get("precision") == precision]
            failed = any("error" in row for row in own)
            worst = max((row["worst"] for row in own if "worst" in row), default=None)
            known = UNKNOWN if worst is None else f"{worst:.1e}"
            line.append("failed" if failed else known)
        lines.append(line)
    return table(["scheme", "float64", "float32"], lines)


def _solves(rows: Rows) -> str:
    bandwidth = find(rows, what="copy").get("bandwidth")
    lines = []
    for solver, scheme, precision in CASES:
        case = {"solver": solver, "scheme": scheme, "precision": precision}
        name = f"`{solver}`, `{scheme}`, {precision}"
        own = [row for row in rows if row.items() >= case.items()]
        for row in own or [{"n": None}]:
            n, seconds, pairs, limits = row["n"], row.get("seconds"), UNKNOWN, UNKNOWN
            pair = find(rows, what="pair", n=n, dtype=SEARCH[precision]).get("pair")
            if seconds and pair:
                pairs = f"{seconds / pair:.3g}"
            if solver == "dual":
                limits = "-"
            elif seconds and bandwidth:
                limits = f"{seconds / (1e-9 * row['moved'] * n**3 / bandwidth):.3g}"
            figures = [number(row, "seconds", 1e3), pairs, limits, number(row, "ns")]
            size = f"{n}^3" if n else "-"
            lines.append([name, size, *figures, number(row, "held")])
    head = ["solver, scheme, precision", "n", "ms", "pairs", "memory limits", "ns"]
    known = UNKNOWN if bandwidth is None else f"{bandwidth:.0f} GB/s"
    text = table([*head, "bytes a voxel"], lines)
    copy = f"Copy: {known}, bytes read and written."
    return f"{text}\n\n{copy} {_passes(rows)} {_whole(rows)}"


def _passes(rows: Rows) -> str:
    row = find(rows, what="passes")
    if "seconds" not in row:
        return f"Passes of an iteration: {UNKNOWN}."
    each = [
        f"{name} {1e3 * row['seconds'][name]:.3g} ms ({row['GB/s'][name]:.0f} GB/s)"
        for name in ("operator", "residual", "direction")
    ]
    return f"Passes of `cg`, `rotated`, mixed, {row['n']}^3: {', '.join(each)}."


def _whole(rows: Rows) -> str:
    row = find(rows, what="solve")
    if "seconds" not in row:
        return f"A whole solve of 24 grains beside the CPU: {UNKNOWN}."
    ours, theirs = row["seconds"]["cuda"], row["seconds"]["cpu"]
    return (
        f"A whole solve of 24 grains, {row['n']}^3, fields and certificate included: "
        f"{1e3 * ours:.3g} ms, on the CPU {1e3 * theirs:.3g} ms; largest deviation of "
        f"the stress {row['deviation']:.1e}."
    )


def _suite(rows: Rows) -> str:
    tests = [row for row in rows if "test" in row]
    if not tests:
        return table(["tests"], [[UNKNOWN]])
    outcomes = ("passed", "failed", "skipped")
    counts = [sum(row["outcome"] == name for row in tests) for name in outcomes]
    whole = "no" if any("test" not in row for row in rows) else "yes"
    return table([*outcomes, "to the end"], [[*counts, whole]])


def _train(rows: Rows) -> str:
    steps = [row for row in rows if row.get("what") == "step"]
    lines = [
        [
            *(f"`{row['model']}`", row["precision"], f"{row['n']}^3"),
            *(number(row, "seconds"), number(row, "memory_GiB")),
        ]
        for row in steps
    ]
    head = ["model", "precision", "n", "s a step of 2 bodies", "GiB"]
    return table(head, lines or [[UNKNOWN] * 5])


def _compare(rows: Rows) -> str:
    found: dict[str, float] = {}
    for row in rows:
        found |= row.get("batches", {})
    solved = [row["solver"] for row in rows if row.get("solver")]
    last = list(solved[0].values())[-1] if solved else None
    line = [number(found, size, 1e3) for size in ("1", "8", "64")]
    solver = UNKNOWN if last is None else f"{1e3 * last:.3g}"
    head = ["ms a body, batch of 1", "of 8", "of 64", "solver to 1e-6"]
    return table(head, [[*line, solver]])


MAKERS = {
    "facts": _facts,
    "operators": _operators,
    "solves": _solves,
    "suite": _suite,
    "train": _train,
}
