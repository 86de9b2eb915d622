"""What a file holds that can be looked at: a body, its fields, and their times."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from fftmech import io
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.results.scalar_fields import known_fields, microstructure_of

_TITLES = {
    "displacement": "displacement fluctuation",
    "von_mises": "von Mises stress",
    "hydrostatic": "hydrostatic stress",
    "F": "F, deformation gradient",
    "P": "P, first Piola-Kirchhoff stress",
}
_FINITE_TITLES = {
    "strain": "Green-Lagrange strain",
    "stress": "Cauchy stress",
}


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
    shown
        What of a dataset's sample is shown, else "".
    """

    path: Path
    source: Microstructure | Result
    times: tuple[float, ...] = ()
    number: int = 0
    shown: str = ""

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
        return {
            name: (_FINITE_TITLES if finite else {}).get(name)
            or _TITLES.get(name, name.replace("_", " "))
            for name in self.fields
        }

    def at(self, number: int) -> "Subject":
        """The same file at another time; beyond the last it is the last."""
        number = min(number, len(self.times) - 1)
        if not self.times or number == self.number:
            return self
        # here, as below, because --help reads no file
        from fftmech.io.series_moment import read_moment

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
        from fftmech.io.series_moment import read_moment

        times = tuple(read_times(path).tolist())
        last = len(times) - 1
        return Subject(Path(path), read_moment(path, last), times, last)
    if kind == "sample":
        from fftmech.io.sample_file import read_sample

        sample = read_sample(path)
        low = next(reversed(sample.levels))
        held = ", ".join(map(str, sample.levels))
        return Subject(
            Path(path),
            sample.result(),
            shown=f"resolution {low} of {held}; load 1 of {len(sample.loads)}",
        )
    if kind == "result":
        return Subject(Path(path), io.read_result(path))
    return Subject(Path(path), io.read(path))
