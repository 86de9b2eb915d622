"""Results of an evaluation as tables of text, and as Markdown."""

from collections.abc import Mapping, Sequence
from math import floor, log10
from typing import Any, NamedTuple

ROWS = ("xx", "xy", "xz", "yy", "yz", "zz")
"""Components in the order of the paper's table 1."""

MORE_ROWS = ("yx", "zx", "zy")
"""Those that gradients have too."""

SYMBOLS = {"gradient": "F", "strain": "eps", "stress": "sigma"}
"""Of fields, in the rows of table 1."""

TAILS = ("0.99", "0.999")
"""Quantiles of the energy density in a table; the document has more."""

SCALES = {"std": "standard deviation", "range": "range"}
"""Denominators of the nRMSE."""


class Table(NamedTuple):
    """Cells of text; the first column is names, a heading may have several lines."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def tables(found: Mapping[str, Any], together: int = 100) -> list[Table]:
    """Tables of what `evaluate` returned, with `together` predictors each at most."""
    everybody = found["contenders"]
    parts = [everybody[i : i + together] for i in range(0, len(everybody), together)]
    return [make(found, part) for make in (_errors, _others) for part in parts]


def markdown(found: Mapping[str, Any]) -> str:
    """The tables, with notes, as Markdown."""
    blocks = []
    for table in tables(found):
        lines = [" | ".join(c.replace("\n", "<br>") or " " for c in table.columns)]
        lines.append(" | ".join(["---"] + ["---:"] * (len(table.columns) - 1)))
        lines += [" | ".join(row) for row in table.rows]
        blocks += [table.title, "\n".join(f"| {line} |" for line in lines)]
    blocks += [*legend(found), *(f"Note: {note}." for note in found["notes"])]
    return "\n\n".join(blocks) + "\n"


def reference(found: Mapping[str, Any]) -> str:
    """Where the fields come from that predictions are compared with."""
    return "imported" if found["kind"] == "imported" else "solved"


def row_label(field: str, component: str) -> str:
    """Row of a component as in the paper's table 1: F12, eps11, sigma11, sigma mean."""
    symbol = SYMBOLS[field]
    if component not in (*ROWS, *MORE_ROWS):
        return f"{symbol} {component}"
    return symbol + "".join(str("xyz".index(axis) + 1) for axis in component)


def label(predictor: Mapping[str, Any], between: str = " ") -> str:
    """Name of a predictor, and in brackets what it is."""
    return f"{predictor['name']}{between}({predictor['what']})"


def legend(found: Mapping[str, Any]) -> list[str]:
    """What the rows mean, a sentence each."""
    low, pores = found["low_resolution"], found["pores"]
    where = ", outside of pores" if pores else ""
    lines = [
        f"nRMSE: over the standard deviation of each component{where}; mean: of the "
        "components that are not uniform in the DNS.",
        f"uniform field: the mean of the DNS of each case{where}, the best field that "
        "knows nothing of the body.",
        "skill: 1 - error / error of the uniform field; 1 is the DNS, 0 or less has "
        "learned nothing.",
    ]
    if pores:
        lines.append(
            "mean / range: nRMSE over maximum minus minimum, as the paper has it for "
            "pores (with the extremes of its training set): compare it with the "
            "uniform field's."
        )
    if found.get("boundary"):
        lines.append("F: displacement gradient plus 1; sigma: Cauchy stress.")
    lines += [
        "divergence: of the stress in the scheme of the dataset, relative, median"
        + ("; pores included." if pores else ".")
    ]
    if found["law"] and not pores and not found.get("boundary"):
        lines.append(
            "certificate: energy error that a model says it has, without any solution; "
            "energy error: the one it has."
        )
    if low:
        lines.append(
            "spectrum: mean |log10| of the ratio of powers past the Nyquist frequency "
            f"of {low}^3."
        )
    if found["law"]:
        lines.append(
            "energy 0.99: error of that quantile of the energy density, below 0 if too "
            "low."
        )
    lines.append(
        "Green: applications of the Green operator; time: of the model or of the solve "
        "alone, a case, median."
    )
    return lines


def _errors(found: Mapping[str, Any], predictors: Sequence[Mapping]) -> Table:
    """Table 1 of the paper, with the uniform field and the skill."""
    kind, count = found["normalisation"], found["cases"]
    columns = [*predictors, found["uniform"]]
    rows = []

    def add(name: str, *keys: str) -> None:
        rows.append((name, *(_mean(_entry(c, *keys)) for c in columns)))

    for field in ("gradient" if found.get("boundary") else "strain", "stress"):
        more = MORE_ROWS if field == "gradient" else ()
        for name in (*ROWS, *more, "mean"):
            add(row_label(field, name), "nrmse", kind, field, name)
        if found["pores"]:
            range_ = "nrmse", "range", field, "mean"
            add(row_label(field, "mean / range"), *range_)
        add(row_label(field, "skill"), "skill", field)
    several = f"mean ± std of {count}" if count > 1 else "1"
    return Table(
        f"nRMSE over the {SCALES[kind]} of DNS {found['resolution']}^3: {several} "
        f"{found['split']} case{'s' * (count > 1)}",
        ("", *(label(c, "\n") for c in columns)),
        rows,
    )


def _others(found: Mapping[str, Any], predictors: Sequence[Mapping]) -> Table:
    """Everything else that is one number."""
    own = found["reference"]
    predictors = [*predictors, found["uniform"]]
    everybody = [own, *predictors]
    rows = [("divergence", *(_median(c.get("divergence")) for c in everybody))]

    def add(name: str, *keys: str, scale: float = 1) -> None:
        cells = [_mean(_entry(c, *keys), scale) for c in predictors]
        rows.append((name, "", *cells))

    if found["law"] and not found["pores"]:
        if not found.get("boundary"):
            add("certificate (%)", "certificate", scale=100)
        add("energy error (%)", "energy", scale=100)
        add("energy skill", "skill", "energy")
    if found["low_resolution"]:
        add("spectrum strain", "spectrum", "strain")
        add("spectrum stress", "spectrum", "stress")
    for q in TAILS if found["law"] else ():
        add(f"energy {q} (%)", "tail", q, scale=100)
    numbers = [f"{c['parameters']:,}" if "parameters" in c else "" for c in predictors]
    rows.append(("parameters", "", *numbers))
    known = ["-" if (n := c["applications"]) is None else f"{n}" for c in predictors]
    # fields of another program have none
    iterations = own.get("iterations", {}).get("mean")
    solved = f"{iterations + 1:.3g}" if iterations else "-"
    rows.append(("Green", solved, *known))
    times = (_median(c.get("seconds"), 1000, ".3g") for c in predictors)
    rows.append(("time (ms)", "", *times))
    names = (label(c, "\n") for c in predictors)
    n = found["resolution"]
    return Table(
        "Beyond the mean error", ("", f"DNS {n}^3\n({reference(found)})", *names), rows
    )


def _entry(found: Mapping[str, Any], *keys: str) -> Any:
    """An entry of nested tables, None where one of them is missing."""
    entry: Any = found
    for key in keys:
        entry = (entry or {}).get(key)
    return entry


def _median(found: Mapping[str, Any] | None, scale: float = 1, how: str = ".1e") -> str:
    return f"{scale * found['median']:{how}}" if found else "-"


def _mean(found: Mapping[str, Any] | None, scale: float = 1) -> str:
    """mean ± std, three digits of the mean and no less than one of the deviation."""
    if not found:
        return "-"
    mean = scale * found["mean"]
    if found["std"] is None:
        return f"{mean:.3g}"
    std = scale * found["std"]
    # less is rounding
    std = 0.0 if std < 1e-9 * abs(mean) else std
    places = max(2 - _exponent(max(abs(mean), std)), -_exponent(std) if std else 0, 0)
    if places > 6 or abs(mean) >= 1e6:
        return f"{mean:.2e} ± {std:.0e}"
    return f"{mean:.{places}f} ± {std:.{places}f}"


def _exponent(value: float) -> int:
    return floor(log10(abs(value))) if value else 0
