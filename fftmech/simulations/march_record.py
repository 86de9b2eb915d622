"""Files of a load path: fields over time, means as a table and a curve, the end."""

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from fftmech.errors import InputError
from fftmech.figures import save_figure
from fftmech.io import write_result
from fftmech.io.series import append_result, check_series, cut_series, write_series
from fftmech.results.field_names import Fields, chosen, known_names
from fftmech.results.result import Result
from fftmech.simulations.march import March
from fftmech.simulations.march_checkpoint import (
    identity,
    read_checkpoint,
    write_checkpoint,
)
from fftmech.simulations.march_state import IncrementLog
from fftmech.simulations.stress_strain_curve import StressStrainCurve


class Files(NamedTuple):
    """Names of the files of a load path.

    Fields over time from the undeformed body on, means by increment as a table and a
    curve, the result of the last increment, and a checkpoint, which is removed when the
    path is over.
    """

    series: Path
    table: Path
    curve: Path
    end: Path
    checkpoint: Path

    @classmethod
    def beside(cls, output: str | PathLike) -> "Files":
        """All names from that of the series."""
        path = Path(output)
        return cls(
            path,
            path.with_suffix(".csv"),
            path.with_suffix(".png"),
            path.with_name(f"{path.stem}-end{path.suffix}"),
            path.with_name(f"{path.name}.checkpoint"),
        )


class Record:
    """Writes the files of a load path while it is solved, after every increment.

    The series, `output`, has every Nth increment and the last. `written` are the names
    of files once the path is over or has failed: "output", "csv", "end", and "picture"
    if Matplotlib is installed; none if no increment converged. `fields` are the names
    of those that both files of fields have, all if None.
    """

    def __init__(
        self,
        march: March,
        output: str | PathLike,
        every: int = 1,
        fields: Fields = None,
    ) -> None:
        self.march, self.every = march, every
        self.files = Files.beside(output)
        self.written: dict[str, str] = {}
        known = known_names(march.microstructure, march.path)
        self.fields = chosen(fields, known)
        # a series that was begun with all of them says nothing of fields
        some = {} if self.fields == known else {"fields": self.fields}
        self._identity = identity(march, every=every, **some)
        self._origin = march.state
        self._begun = False
        self._result: Result | None = None

    @property
    def result(self) -> Result:
        """The result of the last increment, certified if that is possible."""
        return self._result or self.march.result()

    def restart(self) -> None:
        """Go on from the checkpoint, if there is one.

        Times of the series after that increment are removed.
        """
        files, march = self.files, self.march
        if not files.checkpoint.exists():
            return
        xp = march.problem.backend.xp
        state = read_checkpoint(files.checkpoint, self._identity, xp)
        outputs = self._outputs(len(state.points))
        self._begun = outputs > 0
        if self._begun or files.series.exists():
            check_series(files.series, self._identity, self._begun + outputs)
        if self._begun:
            cut_series(files.series, 1 + outputs)
        march.state = state

    def points(
        self, progress: Callable[[int, float], None] | None = None
    ) -> Iterator[IncrementLog]:
        """Solve the rest of the path as `March.points`, and write each increment."""
        files, march = self.files, self.march
        write_checkpoint(files.checkpoint, march.state, self._identity)
        self._curve(march.state.points).write(files.table)
        for point in march.points(progress):
            if point.status == "converged":
                if self._is_output(len(march.state.points)):
                    self._write_fields()
                self._curve((point,)).append(files.table)
                # last: a restart removes what was written after the checkpoint
                write_checkpoint(files.checkpoint, march.state, self._identity)
            yield point
        self._finish()

    def _finish(self) -> None:
        files, march = self.files, self.march
        solved = len(march.state.points)
        self._result = march.result()
        if solved:
            if not self._is_output(solved):
                self._write_fields()
            write_result(files.end, self._result, self.fields)
            kept = {"output": files.series, "csv": files.table, "end": files.end}
            with suppress(InputError):
                save_figure(self._curve(march.state.points).figure(), files.curve)
                kept["picture"] = files.curve
            self.written = {name: str(path) for name, path in kept.items()}
        else:
            files.table.unlink()
        if march.over or not solved:
            files.checkpoint.unlink()

    def _write_fields(self) -> None:
        result = self.march.result(certificate=False)
        if self._begun:
            append_result(self.files.series, result, self.fields)
            return
        resting = copy.copy(self.march)
        resting.state = self._origin
        results = resting.result(certificate=False), result
        count = 1 + self._outputs(self.march.path.increments)
        write_series(self.files.series, results, count, self._identity, self.fields)
        self._begun = True

    def _is_output(self, solved: int) -> bool:
        """Whether the fields of this increment are written."""
        return solved % self.every == 0 or solved == self.march.path.increments

    def _outputs(self, solved: int) -> int:
        """Number of the first `solved` increments whose fields are written."""
        last = solved == self.march.path.increments and solved % self.every > 0
        return solved // self.every + last

    def _curve(self, points: tuple[IncrementLog, ...]) -> StressStrainCurve:
        march = self.march
        how = march.path.finite, march.microstructure.units, march.estimates_time
        return StressStrainCurve(points, *how)
