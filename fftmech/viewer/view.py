"""What is shown of a file: pure data, which the browser's page and a picture share."""

from dataclasses import dataclass

import numpy as np

from fftmech.figures.colors import DIVERGING, ROBUST, SEQUENTIAL, color_range
from fftmech.figures.planes import middle_slices, parse_slice
from fftmech.results.scalar_fields import ScalarField, default_field
from fftmech.viewer.coloring import ColorScale
from fftmech.viewer.opened_file import OpenedFile

MODES = ("slices", "corner", "body")
"""Three planes; the body without the corner beyond them; the whole body."""

MAPS = ("automatic", SEQUENTIAL, "cividis", "magma", "gray", DIVERGING, "PuOr_r")
"""Colour maps; automatic is diverging where both signs matter, else sequential."""

ENDS = {"robust": " to ".join(f"{p:g}" for p in ROBUST) + " %", "full": "", "own": ""}
"""Ends of the colour scale: percentiles, extremes, `View.limits`; how they are said."""


@dataclass(frozen=True)
class View:
    """What is shown.

    Parameters
    ----------
    field, component
        As in `scalar_fields.scalar_fields`; the component of a scalar is "".
    slices
        Voxel index of the plane across x, y and z.
    planes
        Which of the three are shown.
    mode
        One of `MODES`.
    keep
        Least and largest value of voxels that are shown, or None for all.
    warp
        Factor on the displacement, 0 for the undeformed body.
    colors, ends, limits
        One of `MAPS`, one of `ENDS`, and the ends of the colour scale where own.
    probe
        Voxel whose values are listed.
    """

    field: str
    component: str = ""
    slices: tuple[int, int, int] = (0, 0, 0)
    planes: tuple[bool, bool, bool] = (True, True, True)
    mode: str = "slices"
    keep: tuple[float, float] | None = None
    warp: float = 0.0
    colors: str = "automatic"
    ends: str = "robust"
    limits: tuple[float, float] = (0.0, 1.0)
    probe: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def first(cls, file: OpenedFile) -> "View":
        """Middle slices of a file's default field."""
        grid = file.body.grid
        nx, ny, nz = grid.shape
        middle = (nx // 2, ny // 2, nz // 2)
        across = {parse_slice(text, grid)[0] for text in middle_slices(grid)}
        planes = (0 in across, 1 in across, 2 in across)
        field = default_field(file.source)
        return cls(field, slices=middle, planes=planes, probe=middle)

    def color_scale(self, scalar: ScalarField) -> ColorScale:
        """Colours of a field's values."""
        low, high, diverging = color_range(scalar)
        inside = scalar.values[scalar.solid]
        if self.ends == "own" and self.limits[0] < self.limits[1]:
            low, high = self.limits
        elif self.ends == "full" and inside.size and np.ptp(inside) > 0:
            low, high = float(inside.min()), float(inside.max())
            if diverging:
                high = max(-low, high)
                low = -high
        name = self.colors
        if name == "automatic":
            name = DIVERGING if diverging else SEQUENTIAL
        return ColorScale(low, high, name)
