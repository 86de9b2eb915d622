"""The files that are looked at together, and the view that they share."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.errors import InputError
from fftmech.results.scalar_fields import ScalarField
from fftmech.viewer.picture import Panel, Projection, draw
from fftmech.viewer.scene import nodes
from fftmech.viewer.state import (
    DIFFERENT_PHASES,
    View,
    color_scale,
    difference,
    first_view,
    scalar_of,
    with_field,
)
from fftmech.viewer.subject import Subject, open_subject
from fftmech.viewer.summary import headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Exhibit:
    """One file or two, A and B, which share a view.

    Parameters
    ----------
    subjects
        The files.
    view
        What is shown of each of them.

    Raises
    ------
    InputError
        Two files whose grids or units differ.
    """

    def __init__(self, subjects: Sequence[Subject], view: View) -> None:
        self.subjects, self.view = list(subjects), view
        self._shown: tuple[Any, list[ScalarField]] | None = None
        self.scalars()

    @classmethod
    def open(
        cls,
        paths: Sequence[str | PathLike],
        field: str | None = None,
        component: str = "",
        **shown: Any,
    ) -> "Exhibit":
        """Open files and show a field of them; `shown` are more attributes of `View`.

        Raises
        ------
        InputError
            A file that cannot be read, no such field or component, or a warp of a file
            without displacement.
        """
        subjects = [open_subject(path) for path in paths]
        if len(subjects) > 1 and any("stress" not in s.fields for s in subjects):
            field = field or "phase"
        view = first_view(subjects[0])
        if field is not None or component:
            view = with_field(view, subjects[0], field or view.field, component)
        view = replace(view, **shown)
        if view.warp:
            for subject in subjects:
                if "displacement" not in subject.fields:
                    raise InputError(
                        f"warp {view.warp:g}: {subject.path} holds a microstructure, "
                        "which has no displacement",
                        mend="solve it first (fftmech solve ... -o result.vtkhdf)",
                    )
        return cls(subjects, view)

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Components of the fields that every file has."""
        first, *others = (subject.fields for subject in self.subjects)
        return {
            name: components
            for name, components in first.items()
            if all(other.get(name) == components for other in others)
        }

    def scalars(self) -> list[ScalarField]:
        """What is shown: of one file its values, of two also those of A - B."""
        view = self.view
        key = (view.field, view.component, *(s.number for s in self.subjects))
        # a slider asks for the same values again and again
        if self._shown is None or self._shown[0] != key:
            shown = [scalar_of(view, subject) for subject in self.subjects]
            if len(self.subjects) == 2:
                shown.append(difference(view, *self.subjects))
            self._shown = (key, shown)
        return self._shown[1]

    def panels(self) -> list[Panel]:
        """What is shown, each with the body that it is shown on and a title."""
        a, *others = self.subjects
        if not others:
            return [Panel(a, self.scalars()[0], headline(a))]
        scalars = self.scalars()
        names = (
            f"A: {a.path.name}",
            f"B: {others[0].path.name}",
            f"A − B: {_size(scalars[2], scalars[1])}",
        )
        bodies = (a, others[0], a)
        return [Panel(*row) for row in zip(bodies, scalars, names, strict=True)]

    def colored_panels(self) -> list[tuple[Panel, View]]:
        """Panels, each with a view whose colour scale is fixed.

        A and B share that of A. Ends of the user's own are theirs: the difference has
        robust ones. Its scale is centred on zero.
        """
        scales: dict[str, tuple[float, float, str]] = {}
        shown = []
        for number, panel in enumerate(self.panels()):
            label, view = panel.scalar.label, self.view
            if number == 2 and view.ends == "own":
                view = replace(view, ends="robust")
            if label not in scales:
                scales[label] = color_scale(view, panel.scalar)
            low, high, name = scales[label]
            if number == 2:
                high = max(-low, high)
                low = -high
                name = "RdBu_r" if self.view.colors == "automatic" else name
            view = replace(self.view, ends="own", limits=(low, high), colors=name)
            shown.append((panel, view))
        return shown

    def visible_warp(self) -> float:
        """Factor that makes the largest displacement a tenth of the longest edge."""
        largest = max(
            float(np.linalg.norm(nodes(s.source, 1) - nodes(s.source), axis=-1).max())
            for s in self.subjects
        )
        longest = max(self.subjects[0].body.grid.size)
        return 0.1 * longest / largest if largest else 1.0

    def at(self, number: int) -> None:
        """Show series at another time."""
        self.subjects = [subject.at(number) for subject in self.subjects]

    def picture(
        self,
        size: tuple[int, int] = (1280, 800),
        projection: Projection | None = None,
    ) -> "Figure":
        """Draw what is shown."""
        return draw(self.colored_panels(), size, projection)


def _size(difference: ScalarField, reference: ScalarField) -> str:
    """How large a difference is, in words."""
    if difference.symbol == DIFFERENT_PHASES:
        return f"{np.count_nonzero(difference.values)} voxels differ"
    values, whole = (s.values[difference.solid] for s in (difference, reference))
    if not values.size:
        return "no voxel to compare"
    rms, scale = (float((x.astype(float) ** 2).mean() ** 0.5) for x in (values, whole))
    text = f"rms {rms:.3g} {difference.unit}".strip()
    return f"{text}, {100 * rms / scale:.3g} % of B" if scale else text
