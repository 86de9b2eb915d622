"""A file that is looked at: a body, its fields, and their times."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from fftmech import io
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.results.scalar_fields import (
    ScalarField,
    known_fields,
    microstructure_of,
    scalar_fields,
)

_TITLES = {
    "displacement": "displacement fluctuation",
    "von_mises": "von Mises stress",
    "hydrostatic": "hydrostatic stress",
    "F": "F, deformation gradient",
    "P": "P, first Piola-Kirchhoff stress",
}
_FINITE_TITLES = {"strain": "Green-Lagrange strain", "stress": "Cauchy stress"}


@dataclass(frozen=True, eq=False)
class OpenedFile:
    """What a file holds; of a time series one of its times.

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
    note
        Which of the solutions of a dataset's sample this is, else "".
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

    Raises
    ------
    InputError
        As in `io.read` and `io.read_result`.
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
