"""The response of a network beside that of the solver on the same path."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.figures import new_figure, with_unit
from fftmech.simulations.march_state import IncrementLog
from fftmech.simulations.stress_strain_curve import LEAST_RANGE, StressStrainCurve
from fftmech.tensors import COMPONENTS, FACTORS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ResponseError:
    """Error of mean stresses, relative to the largest norm of the solver's on the path.

    Attributes
    ----------
    mean, largest
        Of the norm of the error, over the increments; NaN of none.
    components
        Mean of its absolute value, of each tensor component that changes.
    increments
        How many were compared.
    """

    mean: float
    largest: float
    components: dict[str, float]
    increments: int

    @classmethod
    def of(
        cls, found: Sequence[IncrementLog], right: Sequence[IncrementLog]
    ) -> "ResponseError":
        """Compare the increments that both have."""
        count = min(len(found), len(right))
        own, there = (
            np.array([p.mean_stress for p in points[:count]]).reshape(-1, 6)
            for points in (found, right)
        )
        if not count:
            return cls(nan, nan, {}, 0)
        size = np.linalg.norm(there, axis=1).max() or 1.0
        error = (own - there) / size
        norm = np.linalg.norm(error, axis=1)
        components = (abs(error) / FACTORS).mean(0).tolist()
        return cls(
            float(norm.mean()),
            float(norm.max()),
            dict(zip(COMPONENTS, components, strict=True)),
            count,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON; null where nothing was compared."""
        return {
            "mean": self.mean if self.increments else None,
            "max": self.largest if self.increments else None,
            "components": self.components,
            "increments": self.increments,
        }


def response_figure(
    curve: StressStrainCurve, solver: StressStrainCurve | None = None
) -> "Figure":
    """Draw mean stresses over the time of the path, the solver's as dots."""
    figure = new_figure((7.6, 4.4))
    ax = figure.add_axes((0.11, 0.13, 0.68, 0.83))
    stress = np.vstack([np.zeros(6), curve.stress])
    times = [0.0, *(point.time for point in curve.points)]
    ranges = np.ptp(stress, axis=0)
    for number, c in enumerate(np.flatnonzero(ranges >= LEAST_RANGE * ranges.max())):
        label = rf"$\sigma_{{{COMPONENTS[c]}}}$"
        ax.plot(times, stress[:, c], f"C{number}", lw=1.5, label=label)
        if solver is not None and solver.points:
            at = [point.time for point in solver.points]
            ax.plot(at, solver.stress[:, c], f"C{number}o", ms=4, mfc="none")
    if solver is not None:
        ax.plot([], [], "o", color="0.4", ms=4, mfc="none", label="solver")
        ax.plot([], [], "0.4", lw=1.5, label="network")
    ax.set_xlabel(with_unit("time", curve.units.get("time", "")))
    ax.set_ylabel(with_unit("mean stress", curve.units.get("stress", "")))
    ax.ticklabel_format(scilimits=(-2, 4), useMathText=True)
    ax.grid(color="0.9")
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
