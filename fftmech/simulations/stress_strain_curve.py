"""Mean stress and strain by increment of a load path, as a table or a curve.

Columns: time, step, increment, the mean strain (tensor components xx yy zz yz xz xy, or
F by rows xx xy xz yx ... at finite strain), the mean stress (or P) likewise, and the
solver's iterations; units in parentheses. Of laws with an estimate of it there is one
more, time_error: what the size of the increment changes in the stress, relative.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.figures import new_figure, with_unit
from fftmech.io.atomic import whole_file
from fftmech.loads.finite_load import NAMES
from fftmech.simulations.march_state import IncrementLog
from fftmech.tensors import COMPONENTS, components_from_mandel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_RANGE = 1e-3
"""Of the largest range of a stress: components that change less are not drawn."""

_WORDS = {
    False: ("mean strain", "mean stress", (r"\varepsilon", r"\sigma")),
    True: ("mean deformation gradient", "mean first Piola-Kirchhoff stress", "FP"),
}


@dataclass(frozen=True)
class StressStrainCurve:
    """Means of increments that converged; at `finite` strain they are F and P.

    `units` are those of stress and time, as in `Microstructure`; `time_errors` is
    whether points have an estimate of theirs.
    """

    points: Sequence[IncrementLog]
    finite: bool = False
    units: Mapping[str, str] = field(default_factory=dict)
    time_errors: bool = False

    @property
    def components(self) -> tuple[str, ...]:
        """Names of tensor components, in the order of the columns."""
        return NAMES if self.finite else COMPONENTS

    @property
    def strain(self) -> np.ndarray:
        """Mean strains (or F), tensor components, (points, 6 or 9)."""
        return self._components([point.mean_strain for point in self.points])

    @property
    def stress(self) -> np.ndarray:
        """Mean stresses (or P), tensor components, (points, 6 or 9), stress units."""
        return self._components([point.mean_stress for point in self.points])

    @property
    def _rows(self) -> list[list[float | int]]:
        means = np.hstack([self.strain, self.stress]).tolist()
        return [
            [float(p.time), p.step, p.increment, *values, p.iterations]
            + [p.time_error] * self.time_errors
            for p, values in zip(self.points, means, strict=True)
        ]

    def table(self) -> list[list[Any]]:
        """A header, and a row for each increment."""
        strain, stress = ("F", "P") if self.finite else ("strain", "stress")
        unit = self.units.get("stress", "")
        header = [
            with_unit("time", self.units.get("time", "")),
            *("step", "increment"),
            *(f"{strain}_{c}" for c in self.components),
            *(with_unit(f"{stress}_{c}", unit) for c in self.components),
            "iterations",
            *["time_error"] * self.time_errors,
        ]
        return [header, *self._rows]

    def write(self, path: str | PathLike) -> None:
        """Write its table (CSV); the file appears whole."""
        with whole_file(path) as name:
            name.write_text(_text(self.table()), encoding="utf-8")

    def append(self, path: str | PathLike) -> None:
        """Add the rows to a table that `write` began."""
        with open(path, "a", encoding="utf-8") as file:
            file.write(_text(self._rows))

    def figure(self) -> "Figure":
        """Draw mean stresses over the mean strain that changes most.

        Dots are the ends of steps. Stresses that change by less than `LEAST_RANGE` of
        the one that changes most are left out.
        """
        rest = np.eye(3).ravel() if self.finite else np.zeros(6)
        strain = np.vstack([rest, self.strain])
        stress = np.vstack([np.zeros(len(rest)), self.stress])
        along = int(np.ptp(strain, axis=0).argmax())
        ranges = np.ptp(stress, axis=0)
        drawn = np.flatnonzero(ranges >= LEAST_RANGE * ranges.max()).tolist()
        steps = [0, *(p.step for p in self.points)]
        ends = [n for n in range(1, len(steps)) if steps[n : n + 2] != [steps[n]] * 2]
        figure = new_figure((7.6, 4.4))
        ax = figure.add_axes((0.11, 0.13, 0.68, 0.83))
        kind, conjugate, symbols = _WORDS[self.finite]
        labels = [rf"${symbols[1]}_{{{name}}}$" for name in self.components]
        for c in drawn:
            label = labels[c] if len(drawn) > 1 else None
            (line,) = ax.plot(strain[:, along], stress[:, c], lw=1.5, label=label)
            dots = strain[ends, along], stress[ends, c]
            ax.plot(*dots, "o", ms=5, color=line.get_color())
        ax.plot([], [], "o", ms=5, color="0.4", label="end of a step")
        ax.set_xlabel(rf"{kind} ${symbols[0]}_{{{self.components[along]}}}$")
        if len(drawn) == 1:
            conjugate = f"{conjugate} {labels[drawn[0]]}"
        ax.set_ylabel(with_unit(conjugate, self.units.get("stress", "")))
        ax.ticklabel_format(scilimits=(-2, 4), useMathText=True)
        ax.grid(color="0.9")
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return figure

    def _components(self, means: Sequence[np.ndarray]) -> np.ndarray:
        table = np.array(means, dtype=float).reshape(-1, len(self.components))
        return table if self.finite else components_from_mandel(table)


def _text(rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
