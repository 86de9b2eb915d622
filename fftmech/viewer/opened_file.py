"""A file that is looked at, and what a summary, a title and a probe say of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from os import PathLike
from pathlib import Path

import numpy as np

from fftmech import io
from fftmech.loads.finite_load import NAMES, FiniteLoad
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.results.scalar_fields import (
    ScalarField,
    known_fields,
    microstructure_of,
    scalar_fields,
)
from fftmech.tensors import COMPONENTS, components_from_mandel

_TITLES = {
    "displacement": "displacement fluctuation",
    "von_mises": "von Mises stress",
    "hydrostatic": "hydrostatic stress",
    "F": "F, deformation gradient",
    "P": "P, first Piola-Kirchhoff stress",
}
_FINITE_TITLES = {"strain": "Green-Lagrange strain", "stress": "Cauchy stress"}
_IN_TITLE = 3  # components of a mean
_SHOWN = 5e-5  # of the largest component: what four digits show


@dataclass(frozen=True, eq=False)
class OpenedFile:
    """What a file holds, of a time series at `times[number]`.

    `note` says which of the solutions of a dataset's sample this is.
    """

    path: Path
    source: Microstructure | Result
    times: tuple[float, ...] = ()
    number: int = 0
    note: str = ""

    @property
    def body(self) -> Microstructure:
        """The microstructure."""
        return microstructure_of(self.source)

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Components of each field; of a microstructure its phase alone."""
        known = known_fields(self.source)
        return known if isinstance(self.source, Result) else {"phase": known["phase"]}

    @property
    def titles(self) -> dict[str, str]:
        """Field names in words."""
        finite = isinstance(self.source, Result) and self.source.finite is not None
        titles = _TITLES | _FINITE_TITLES if finite else _TITLES
        return {n: titles.get(n, n.replace("_", " ")) for n in self.fields}

    def scalar(self, field: str, component: str = "") -> ScalarField:
        """A field's component, "" of a scalar (InputError if there is none)."""
        components = (component,) if component else ()
        return scalar_fields(self.source, field, components)[0]

    def at(self, number: int) -> "OpenedFile":
        """The same file at another time; beyond the last it is the last."""
        number = min(number, len(self.times) - 1)
        if not self.times or number == self.number:
            return self
        return _open_series(self.path, self.times, number)


def open_file(path: str | PathLike) -> OpenedFile:
    """Open a result, a microstructure of any format, a sample or a time series.

    A sample is its first load at the lowest resolution, a series its last time.
    """
    path, kind = Path(path), io.kind(path)
    if kind == "series":
        # here, as below, because --help needs no HDF5
        from fftmech.io.series import read_times

        times = tuple(read_times(path).tolist())
        return _open_series(path, times, len(times) - 1)
    if kind == "sample":
        from fftmech.io.sample_file import read_sample

        sample = read_sample(path)
        *_, low = levels = list(map(str, sample.levels))
        note = f"resolution {low} of {', '.join(levels)}; load 1 of {len(sample.loads)}"
        return OpenedFile(path, sample.result(), note=note)
    return OpenedFile(path, (io.read_result if kind == "result" else io.read)(path))


def _open_series(path: Path, times: tuple[float, ...], number: int) -> OpenedFile:
    from fftmech.io.series import read_result_at

    return OpenedFile(path, read_result_at(path, number), times, number)


def describe(file: OpenedFile) -> dict[str, str]:
    """What a summary says of a file: names and text; tensors by components."""
    body, result = file.body, file.source
    rows = {"file": file.path.name}
    if file.note:
        rows["sample"] = file.note
    if isinstance(result, Result):
        rows |= _describe_run(file, result)
    grid, length = body.grid, body.units.get("length", "")
    box = " x ".join(f"{s:.4g}" for s in grid.size)
    kinds = {"pores": len(body.pores), "rigid": len(body.rigid)}
    return rows | {
        "voxels": " x ".join(map(str, grid.shape)),
        "box": f"{box} {length}".strip(),
        "phases": f"{len(body.phases)}"
        + "".join(f", {name} {count}" for name, count in kinds.items() if count),
    }


def headline(file: OpenedFile) -> str:
    """One line for a picture: file, load or time with its means, certificate."""
    rows, result = describe(file), file.source
    parts = [rows["file"]]
    if isinstance(result, Result) and file.times:
        parts.append(f"time {rows['time']}")
        for name, (values, unit) in _means(result).items():
            parts.append(f"{name} {_listed(values, _IN_TITLE)} {unit}".strip())
    elif isinstance(result, Result):
        known = result.certificate.get("relative") is not None
        text = (
            f"certificate {_certificate(file, result)}" if known else "no certificate"
        )
        if result.status == "predicted":
            text = f"predicted by {result.solver}, {text}"
        parts += [rows["load"], text]
    return "  ·  ".join(parts)


def probe(
    file: OpenedFile,
    voxel: tuple[int, int, int],
    fields: Mapping[str, tuple[str, ...]],
    digits: int = 5,
) -> list[tuple[str, str, str]]:
    """Name, value and unit of fields in a voxel, tensors by component."""
    rows = []
    for field, components in fields.items():
        scalars = scalar_fields(file.source, field)
        name = "fluctuation" if field == "displacement" else field.replace("_", " ")
        for component, scalar in zip(components or ("",), scalars, strict=True):
            value = scalar.values[voxel]
            text = str(value) if field == "phase" else f"{value:.{digits}g}"
            if not scalar.solid[voxel]:
                text = "pore"
            rows.append((f"{name} {component}".strip(), text, scalar.unit))
    return rows


def _describe_run(file: OpenedFile, result: Result) -> dict[str, str]:
    """The state first, then how it was found."""
    rows = {}
    if file.times:
        rows["time"] = f"{result.time:.5g} ({file.number + 1}/{len(file.times)})"
    else:
        rows["load"] = _load(result)
    predicted = result.status == "predicted"
    name = "certified energy error" if predicted else "certificate"
    rows[name] = _certificate(file, result)
    for name, (values, unit) in _means(result).items():
        rows[name] = f"{_listed(values)} {unit}".strip()
    unit = result.microstructure.units.get("stress", "")
    if isfinite(result.energy):
        # of a model that knows no law there is none
        rows["energy density"] = f"{result.energy:.5g} {unit}".strip()
    if predicted:
        rows["predicted by"] = result.solver
        if result.iterations:
            rows["corrections"] = str(result.iterations)
    else:
        if not file.times:
            rows["status"] = f"{result.status}, {result.iterations} iterations"
        if result.residuals and np.isfinite(result.residual):
            asked = f" (asked {_number(result.tolerance)})" if result.tolerance else ""
            rows["residual"] = f"{_number(result.residual, '.1e')}{asked}"
        rows["solver"] = result.solver
    rows["scheme"] = result.scheme
    if "solve" in result.times:
        how = "predicted in" if predicted else "solved in"
        rows[how] = f"{result.times['solve']:.3g} s"
    return rows


def _means(result: Result) -> dict[str, tuple[dict[str, float], str]]:
    """Mean strain and stress, at finite strain F and P: components and unit.

    Components that are rounding in four digits of the largest, or within the solver's
    tolerance, are left out, and so are those of F that are the identity's.
    """
    unit = result.microstructure.units.get("stress", "")
    if result.finite is None:
        names, rest = COMPONENTS, np.zeros(6)
        strain = components_from_mandel(result.mean_strain)
        stress = components_from_mandel(result.mean_stress)
        rows = ("mean strain", strain, rest, ""), ("mean stress", stress, rest, unit)
    else:
        names, rest = NAMES, np.eye(3).ravel()
        F, P = result.finite.mean_F.ravel(), result.finite.mean_P.ravel()
        rows = ("mean F", F, rest, ""), ("mean P", P, 0 * rest, unit)
    means = {}
    for name, values, rest, unit in rows:
        least = max(result.tolerance, _SHOWN) * abs(values).max()
        shown = np.flatnonzero(abs(values - rest) > least)
        means[name] = {names[k]: float(values[k]) for k in shown}, unit
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
            for axis, kind in result.boundary.as_dict().items()
            if kind != "periodic"
        ]
    return ", ".join(parts) or "none"


def _certificate(file: OpenedFile, result: Result) -> str:
    relative = result.certificate.get("relative")
    if relative is not None:
        text = f"{_number(relative, '.1e')} relative error"
        if uniform := result.certificate.get("uniform"):
            text += f" (uniform fields {_number(uniform, '.1e')})"
        return text
    if file.times:
        end = file.path.with_name(f"{file.path.stem}-end{file.path.suffix}")
        text = "none: a series stores the fields of its times alone"
        if end.exists():
            text += f"; {end.name} has that of the last time"
        return text
    return "none: " + str(result.certificate.get("reason") or "not computed")
