"""What a trained network answers along a load path, and what makes it doubtful."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np

from ecosurrogate.response.comparison import ResponseError
from ecosurrogate.response.doubts import doubts_of, doubts_of_strain
from ecosurrogate.response.network import Network, PathResponse
from ecosurrogate.response.trained_network import TrainedNetwork
from fftmech.io.materials import Materials
from fftmech.loads.path import Path
from fftmech.microstructure.base import Microstructure
from fftmech.simulations.stress_strain_curve import StressStrainCurve
from fftmech.tensors import COMPONENTS, components_from_mandel

NO_CERTIFICATE = "a network of laminates has no fields to certify"

LARGE_CHANGE = 0.01
"""Change of the stress by halved increments from which there is a note."""


@dataclass(frozen=True)
class Response:
    """The response of a network with materials, along a path.

    Attributes
    ----------
    found
        Its increments.
    body
        A voxel of each phase with its properties.
    increment_error
        What halving the increments changes in the mean stress at most, relative to its
        largest; None where it is not known.
    notes
        What makes it doubtful.
    """

    found: PathResponse
    body: Microstructure
    increment_error: float | None
    notes: tuple[str, ...]

    @property
    def curve(self) -> StressStrainCurve:
        """Its table."""
        return StressStrainCurve(self.found.points, units=self.body.units)

    def as_dict(self) -> dict[str, Any]:
        """Return what it is at its end, JSON-ready."""
        points, state = self.found.points, self.found.state
        means = {
            name: dict(zip(COMPONENTS, values.tolist(), strict=True))
            for name in ("mean_strain", "mean_stress")
            for values in [components_from_mandel(getattr(state, name)[:, 0])]
        }
        return {
            "status": self.found.status,
            "increments": len(points),
            "iterations": sum(p.iterations for p in points),
            "cuts": sum(p.cuts for p in points),
            **means,
            "increment_error": self.increment_error,
            "certificate": {"relative": None, "reason": NO_CERTIFICATE},
            "time": self.found.seconds,
            "notes": list(self.notes),
        }


def respond(
    trained: TrainedNetwork,
    materials: Materials | str | PathLike,
    path: Path,
    *,
    temperature: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Response:
    """Follow a load path, and once more with halved increments if there are laws.

    Parameters
    ----------
    trained
        A network.
    materials
        Of its phases.
    path
        Of small strain.
    temperature
        Temperature change, for thermal expansion.
    progress
        Called with increments done and increments in all.

    Raises
    ------
    InputError
        Materials, a path or a temperature that do not go with the network.
    """
    body = trained.body(materials)
    network = Network(trained.tree, body, temperature=temperature)
    network.prepare()
    whole = 3 * path.increments if body.law else path.increments
    found = network.respond(
        path, progress=progress and (lambda done, _: progress(done, whole))
    )
    change: float | None = None if body.law else 0.0
    if body.law and found.status == "converged":
        change = _change(network, path, found, progress)
    strains = np.array([point.mean_strain for point in found.points]).reshape(-1, 6)
    notes = [*doubts_of(trained, body), *doubts_of_strain(strains)]
    if change is None and found.status == "converged":
        notes.append(
            "with halved increments no solution is found: what their size changes is "
            "not known"
        )
    if change is not None and change > LARGE_CHANGE:
        notes.append(
            f"halving the increments changes the mean stress by up to "
            f"{100 * change:.2g} % of its largest: ask for more increments"
        )
    return Response(found, body, change, tuple(notes))


def _change(
    network: Network,
    path: Path,
    found: PathResponse,
    progress: Callable[[int, int], None] | None,
) -> float | None:
    """What halved increments change, relative; None where they find no solution."""
    count = path.increments
    finer = Path(
        tuple(replace(step, increments=2 * step.increments) for step in path.steps)
    )
    again = network.respond(
        finer,
        progress=progress and (lambda done, of: progress(count + done, 3 * count)),
    )
    if again.status != "converged":
        return None
    return ResponseError.of(found.points, again.points[1::2]).largest
