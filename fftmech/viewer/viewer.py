"""The files that are looked at together, and the view that they share."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.figures.colors import DIVERGING
from fftmech.results.scalar_fields import ScalarField
from fftmech.viewer.coloring import DIFFERENT_PHASES, ColorScale
from fftmech.viewer.opened_file import OpenedFile, open_file
from fftmech.viewer.summary import headline
from fftmech.viewer.surface import Panel, nodes
from fftmech.viewer.view import View


class Viewer:
    """One file or two, A and B, which share a view.

    Parameters
    ----------
    files
        The files.
    view
        What is shown of each of them.

    Raises
    ------
    InputError
        Two files whose grids or units differ.
    """

    def __init__(self, files: Sequence[OpenedFile], view: View) -> None:
        self.files, self.view = list(files), view
        self._last: tuple[Any, list[ScalarField]] | None = None
        self.scalars()

    @classmethod
    def open(
        cls,
        paths: Sequence[str | PathLike],
        field: str | None = None,
        component: str = "",
        **shown: Any,
    ) -> "Viewer":
        """Open files and show a field of them; `shown` are more attributes of `View`.

        Raises
        ------
        InputError
            A file that cannot be read, no such field or component, or a warp of a file
            without displacement.
        """
        files = [open_file(path) for path in paths]
        if len(files) > 1 and any("stress" not in file.fields for file in files):
            field = field or "phase"
        view = View.first(files[0])
        if field is not None or component:
            view = with_field(view, files[0], field or view.field, component)
        view = replace(view, **shown)
        for file in files:
            if view.warp and "displacement" not in file.fields:
                raise InputError(
                    f"warp {view.warp:g}: {file.path} holds a microstructure, which "
                    "has no displacement",
                    mend="solve it first (fftmech solve ... -o result.vtkhdf)",
                )
        return cls(files, view)

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Components of the fields that every file has."""
        first, *others = (file.fields for file in self.files)
        return {
            name: components
            for name, components in first.items()
            if all(other.get(name) == components for other in others)
        }

    def scalars(self) -> list[ScalarField]:
        """What is shown: of one file its values, of two also those of A - B."""
        shown = self.view.field, self.view.component
        key = (shown, *(file.number for file in self.files))
        # a slider asks for the same values again and again
        if self._last is None or self._last[0] != key:
            scalars = [file.scalar(*shown) for file in self.files]
            if len(self.files) == 2:
                a, b = self.files
                scalars.append(difference(a, b, *shown))
            self._last = (key, scalars)
        return self._last[1]

    def panels(self) -> list[Panel]:
        """What is shown, each with the body that it is shown on.

        A and B share the colour scale of A. That of the difference is centred on zero,
        and robust where the ends of the others are the user's own.
        """
        a, *others = self.files
        scalars = self.scalars()
        scale = self.view.color_scale(scalars[0])
        if not others:
            return [Panel(a, scalars[0], headline(a), scale)]
        view, gap = self.view, scalars[2]
        if view.ends == "own":
            view = replace(view, ends="robust")
        low, high, name = view.color_scale(gap)
        most = max(-low, high)
        name = DIVERGING if view.colors == "automatic" else name
        return [
            Panel(a, scalars[0], f"A: {a.path.name}", scale),
            Panel(others[0], scalars[1], f"B: {others[0].path.name}", scale),
            Panel(
                a,
                gap,
                f"A − B: {_size(gap, scalars[1])}",
                ColorScale(-most, most, name),
            ),
        ]

    def visible_warp(self) -> float:
        """Factor that makes the largest displacement a tenth of the longest edge."""
        largest = max(
            float(np.linalg.norm(nodes(f.source, 1) - nodes(f.source), axis=-1).max())
            for f in self.files
        )
        longest = max(self.files[0].body.grid.size)
        return 0.1 * longest / largest if largest else 1.0


def with_field(view: View, file: OpenedFile, field: str, component: str = "") -> View:
    """The same view of another field, of its first component unless one is named.

    A threshold, and ends of the colour scale that are the user's own, were the other
    field's.

    Raises
    ------
    InputError
        No such field or component.
    """
    known = file.fields.get(field, ())
    component = component or (known[0] if known else "")
    file.scalar(field, component)
    ends = view.ends
    if ends == "own" and field != view.field:
        ends = "robust"
    return replace(view, field=field, component=component, keep=None, ends=ends)


def difference(
    a: OpenedFile, b: OpenedFile, field: str, component: str = ""
) -> ScalarField:
    """A field of `a` less that of `b`, where both are solid; of phases, 0 or 1.

    Raises
    ------
    InputError
        Grids or units that differ.
    """
    first, second = (file.scalar(field, component) for file in (a, b))
    if first.values.shape != second.values.shape:
        raise InputError(
            f"{a.path} has {first.values.shape} voxels, {b.path} {second.values.shape}",
            "equal grids",
            "solve both at one --res",
        )
    if first.unit != second.unit and first.unit and second.unit:
        raise InputError(
            f"{a.path} is in {first.unit}, {b.path} in {second.unit}",
            "one unit",
            "convert one file",
        )
    if field == "phase":
        values = (first.values != second.values).astype(int)
        return ScalarField(values, DIFFERENT_PHASES, "", first.solid, 1.0)
    values = first.values.astype(float) - second.values
    solid = first.solid & second.solid
    magnitude = max(first.magnitude, second.magnitude)
    return ScalarField(values, f"A − B, {first.symbol}", first.unit, solid, magnitude)


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
