"""What a summary and a title say of a file, as text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fftmech.loads.finite_load import NAMES, FiniteLoad
from fftmech.results.result import Result
from fftmech.tensors import COMPONENTS, components_from_mandel
from fftmech.viewer.subject import Subject

_IN_TITLE = 3  # components of a mean
_SHOWN = 5e-5


def describe(subject: Subject) -> dict[str, str]:
    """What a summary says of a file: names and text; tensors by components."""
    body, result = subject.body, subject.source
    rows = {"file": subject.path.name}
    if subject.shown:
        rows["sample"] = subject.shown
    if isinstance(result, Result):
        rows |= _describe_run(subject, result)
    grid, length = body.grid, body.units.get("length", "")
    box = " x ".join(f"{s:.4g}" for s in grid.size)
    pores = len(body.pores)
    return rows | {
        "voxels": " x ".join(map(str, grid.shape)),
        "box": f"{box} {length}".strip(),
        "phases": f"{len(body.phases)}" + (f", pores {pores}" if pores else ""),
    }


def headline(subject: Subject) -> str:
    """One line for a picture: file, load or time with its means, certificate."""
    rows, result = describe(subject), subject.source
    parts = [rows["file"]]
    if isinstance(result, Result):
        if subject.times:
            parts.append(f"time {rows['time']}")
            for name, (values, unit) in _means(result).items():
                parts.append(f"{name} {_listed(values, _IN_TITLE)} {unit}".strip())
        else:
            parts.append(rows["load"])
            known = result.certificate.get("relative") is not None
            text = rows["certificate"]
            parts.append(f"certificate {text}" if known else "no certificate")
    return "  ·  ".join(parts)


def _describe_run(subject: Subject, result: Result) -> dict[str, str]:
    """The state first, then how it was found."""
    rows = {}
    if subject.times:
        rows["time"] = f"{result.time:.5g} ({subject.number + 1}/{len(subject.times)})"
    else:
        rows["load"] = _load(result)
    rows["certificate"] = _certificate(subject, result)
    for name, (values, unit) in _means(result).items():
        rows[name] = f"{_listed(values)} {unit}".strip()
    unit = result.microstructure.units.get("stress", "")
    rows["energy density"] = f"{result.energy:.5g} {unit}".strip()
    if not subject.times:
        rows["status"] = f"{result.status}, {result.iterations} iterations"
    if result.residuals and np.isfinite(result.residual):
        asked = f" (asked {_number(result.tolerance)})" if result.tolerance else ""
        rows["residual"] = f"{_number(result.residual, '.1e')}{asked}"
    rows |= {"scheme": result.scheme, "solver": result.solver}
    if "solve" in result.times:
        rows["solved in"] = f"{result.times['solve']:.3g} s"
    return rows


def _means(result: Result) -> dict[str, tuple[dict[str, float], str]]:
    """Mean strain and stress, at finite strain F and P: components and unit.

    Components that are rounding in four digits of the largest, or within the solver's
    tolerance, are left out, and so are those of F that are the identity's.
    """
    unit = result.microstructure.units.get("stress", "")
    if result.finite is None:
        names: Sequence[str] = COMPONENTS
        tensors: Any = {
            "mean strain": components_from_mandel(result.mean_strain),
            "mean stress": components_from_mandel(result.mean_stress),
        }
        rest = np.zeros(6)
    else:
        names = NAMES
        tensors = {
            "mean F": result.finite.mean_F.ravel(),
            "mean P": result.finite.mean_P.ravel(),
        }
        rest = np.eye(3).ravel()
    means = {}
    for (name, values), plain, unit_ in zip(
        tensors.items(), (rest, 0 * rest), ("", unit), strict=True
    ):
        least = max(result.tolerance, _SHOWN) * abs(values).max()
        means[name] = (
            {
                component: float(value)
                for component, value, base in zip(names, values, plain, strict=True)
                if abs(value - base) > least
            },
            unit_,
        )
    return means


def _listed(values: dict[str, float], most: int = 9) -> str:
    """Components that are not zero, of many the largest."""
    if not values:
        return "0"
    largest = sorted(values, key=lambda name: -abs(values[name]))[:most]
    texts = [
        f"{name}\u00a0{_number(values[name])}" for name in values if name in largest
    ]
    return ", ".join(texts) + (", …" if len(values) > most else "")


def _number(value: float, digits: str = ".4g") -> str:
    # after a hyphen a browser would begin a new line
    return f"{value:{digits}}".replace("-", "\N{MINUS SIGN}")


def _load(result: Result) -> str:
    load = result.load
    kinds = ("F", "P") if isinstance(load, FiniteLoad) else ("strain", "stress")
    parts = [
        f"{kind} {component} = {value:.4g}"
        for kind in kinds
        for component, value in getattr(load, kind).items()
        if value
    ]
    free = [c for c, value in getattr(load, kinds[1]).items() if not value]
    if free:
        parts.append(f"{kinds[1]} {' '.join(free)} = 0")
    if result.temperature:
        parts.append(f"temperature change {result.temperature:.4g}")
    if result.boundary is not None:
        parts += [
            f"faces {axis} {kind}"
            for axis, kind in zip("xyz", result.boundary.kinds, strict=True)
            if kind != "periodic"
        ]
    return ", ".join(parts) or "none"


def _certificate(subject: Subject, result: Result) -> str:
    relative = result.certificate.get("relative")
    if relative is not None:
        return f"{_number(relative, '.1e')} relative error"
    if subject.times:
        end = subject.path.with_name(f"{subject.path.stem}-end{subject.path.suffix}")
        text = "none: a series stores the fields of its times alone"
        if end.exists():
            text += f"; {end.name} has that of the last time"
        return text
    return "none: " + str(result.certificate.get("reason") or "not computed")
