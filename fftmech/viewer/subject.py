"""What a file holds that can be looked at: a body, its fields, and their times."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from fftmech import io
from fftmech.fields import known_fields, microstructure_of
from fftmech.finite_load import FiniteLoad
from fftmech.microstructure.base import Microstructure
from fftmech.result import Result


@dataclass(frozen=True)
class Subject:
    """A file at one of its times.

    Parameters
    ----------
    path
        The file.
    source
        What it holds, of a series at `times[number]`.
    times
        Those of a series, else empty.
    number
        Of the time, from 0.
    """

    path: Path
    source: Microstructure | Result
    times: tuple[float, ...] = ()
    number: int = 0

    @property
    def body(self) -> Microstructure:
        """The microstructure."""
        return microstructure_of(self.source)

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Components of each field; of a microstructure its phase alone."""
        known = known_fields(self.source)
        return known if isinstance(self.source, Result) else {"phase": known["phase"]}

    def at(self, number: int) -> "Subject":
        """The same file at another time; beyond the last it is the last."""
        number = min(number, len(self.times) - 1)
        if not self.times or number == self.number:
            return self
        # here, as below, because --help reads no file
        from fftmech.viewer.moment import read_moment

        return Subject(self.path, read_moment(self.path, number), self.times, number)


def open_subject(path: str | PathLike) -> Subject:
    """Open a result, a microstructure of any format, a sample or a time series.

    A sample is its first load at the lowest resolution, a series its last time.

    Raises
    ------
    InputError
        As in `io.read` and `io.read_result`.
    """
    kind = io.kind(path)
    if kind == "series":
        from fftmech.io.series import read_times
        from fftmech.viewer.moment import read_moment

        times = tuple(read_times(path).tolist())
        last = len(times) - 1
        return Subject(Path(path), read_moment(path, last), times, last)
    if kind in ("result", "sample"):
        return Subject(Path(path), io.read_result(path))
    return Subject(Path(path), io.read(path))


def describe(subject: Subject) -> dict[str, str]:
    """What a summary says of a file: names and text."""
    body = subject.body
    grid, length = body.grid, body.units.get("length", "")
    box = " x ".join(f"{s:.4g}" for s in grid.size)
    pores = len(body.pores)
    rows = {
        "file": subject.path.name,
        "voxels": " x ".join(map(str, grid.shape)),
        "box": f"{box} {length}".strip(),
        "phases": f"{len(body.phases)}" + (f", pores {pores}" if pores else ""),
    }
    result = subject.source
    if not isinstance(result, Result):
        return rows
    if subject.times:
        rows["time"] = f"{result.time:.5g} ({subject.number + 1}/{len(subject.times)})"
        rows["scheme"] = result.scheme
        return rows
    rows |= {
        "load": _load(result),
        "scheme": result.scheme,
        "solver": result.solver,
        "status": f"{result.status}, {result.iterations} iterations",
    }
    if result.residuals and np.isfinite(result.residual):
        rows["residual"] = f"{result.residual:.1e} (asked {result.tolerance:.0e})"
    rows["certificate"] = _certificate(result)
    rows["energy"] = f"{result.energy:.5g} {body.units.get('stress', '')}".strip()
    if "solve" in result.times:
        rows["solved in"] = f"{result.times['solve']:.3g} s"
    return rows


def headline(subject: Subject) -> str:
    """One line for a picture: file, load or time, certificate."""
    rows = describe(subject)
    parts = [rows["file"]]
    parts += [rows[k] for k in ("load",) if k in rows]
    if "time" in rows:
        parts.append(f"time {rows['time']}")
    if "certificate" in rows:
        parts.append(f"certificate {rows['certificate']}")
    return "  ·  ".join(parts)


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
    return ", ".join(parts) or "none"


def _certificate(result: Result) -> str:
    relative = result.certificate.get("relative")
    if relative is not None:
        return f"{relative:.1e} relative error"
    return "none: " + str(result.certificate.get("reason") or "not computed")
