"""Pictures of fields: slices and spectra."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.figures.colors import (
    DIVERGING,
    MOST_NAMED_PHASES,
    SEQUENTIAL,
    color_range,
    phase_colors,
    phase_labels,
)
from fftmech.figures.matplotlib_figure import (
    color_bar,
    matplotlib_module,
    new_figure,
    with_unit,
)
from fftmech.figures.planes import in_plane, parse_slice
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.results.scalar_fields import ScalarField, microstructure_of, scalar_fields
from fftmech.results.spectrum import power_spectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_PANEL = 3.4  # inches, the longer edge of a slice
_MARGINS = (0.75, 1.15, 0.6, 0.4)  # inches, for labels: left, right, bottom, top
_BAR = 1.1  # inches, the least height of a colour bar
_SLENDER = 8.0  # slices more slender than this are drawn wider than to scale
_ROUNDING = 1e-12  # of the largest power: below it a spectrum is noise
_PORE = "0.8"  # a grey that neither colour map has


def slices_figure(
    source: Microstructure | Result,
    field: str,
    components: Sequence[str] = (),
    slices: Sequence[str] = ("z=mid",),
) -> "Figure":
    """Draw slices of a field, one panel for each component and slice.

    One pixel is one voxel. Each component has one colour scale in all its slices,
    `colors.color_range` of the whole field: diverging and centred on zero where both
    signs matter, else sequential. Pores are grey. Lengths are to scale, except across
    a slice that is more than eight times as long as wide.

    Parameters
    ----------
    source
        A result, or a microstructure.
    field, components
        As in `fields.scalar_fields`; every component if none is named.
    slices
        Planes as in `planes.parse_slice`.

    Raises
    ------
    InputError
        An unknown field, component or plane; Matplotlib is not installed.
    """
    micro = microstructure_of(source)
    planes = [parse_slice(text, micro.grid) for text in slices]
    fields = scalar_fields(source, field, tuple(components))
    panels = [(f, plane) for f in fields for plane in planes]
    columns = min(3, len(panels)) if 1 in (len(planes), len(fields)) else len(planes)
    axes = _panels(micro.grid, [plane[0] for _, plane in panels], columns)
    for ax, (scalar, plane) in zip(axes, panels, strict=True):
        if field == "phase":
            _draw_phases(ax, micro, plane)
        else:
            _draw_values(ax, scalar, micro, plane)
        _describe(ax, scalar, micro, plane)
    return axes[0].figure


def spectrum_figure(
    source: Microstructure | Result, field: str, components: Sequence[str] = ()
) -> "Figure":
    """Draw radially averaged power spectra of a field's components, log-log.

    The dashed line is the Nyquist frequency of the coarsest axis, beyond which shells
    are incomplete. Pores count as zero. Arguments and errors as in `slices_figure`.

    Raises
    ------
    InputError
        Also for `phase`, whose ids are names and not numbers.
    """
    if field == "phase":
        raise InputError(
            "spectrum of phase: ids are names", mend="choose another --field"
        )
    micro = microstructure_of(source)
    grid = micro.grid
    fields = scalar_fields(source, field, tuple(components))
    figure = new_figure((6.4, 4.6))
    ax = figure.add_axes((0.14, 0.13, 0.82, 0.83))
    draw_spectra(ax, fields, [scalar.symbol for scalar in fields], micro)
    spacings = [h for h, n in zip(grid.h, grid.shape, strict=True) if n > 1]
    if spacings:
        ax.axvline(0.5 / max(spacings), color="0.5", ls="--", lw=1, label="Nyquist")
    name = fields[0].symbol if len(fields) == 1 else field.replace("_", " ")
    unit = fields[0].unit
    ax.set_ylabel(with_unit(f"power of {name} a mode", unit and f"{unit}$^2$"))
    ax.grid(which="major", color="0.9")
    ax.legend(frameon=False)
    return figure


def draw_spectra(
    ax: Any, fields: Sequence[ScalarField], labels: Sequence[str], micro: Microstructure
) -> None:
    """Draw radially averaged power spectra, a curve a field; pores count as zero."""
    for scalar, label in zip(fields, labels, strict=True):
        solid = np.where(scalar.solid, scalar.values, 0.0)
        spectrum = power_spectrum(solid, micro.grid)
        # what lies below rounding would stretch the axis over dozens of decades
        power = np.ma.masked_less_equal(
            spectrum.power, _ROUNDING * spectrum.power.max(initial=0.0)
        )
        ax.loglog(spectrum.wavenumber, power, lw=1.4, label=label)
    length = micro.units.get("length")
    ax.set_xlabel(with_unit("wavenumber", f"cycles/{length}" if length else "cycles"))


def _panels(grid: Grid, axes: Sequence[int], columns: int) -> list[Any]:
    """Axes for slices across the given axes, row by row, all in one scale."""
    sizes = np.array([[grid.size[a] for a in in_plane(axis)] for axis in axes])
    sizes = sizes * _PANEL / sizes.max()
    sizes = np.maximum(sizes, sizes.max(axis=1, keepdims=True) / _SLENDER)
    ticker = matplotlib_module("ticker")
    left, right, bottom, top = _MARGINS
    width = sizes[:, 0].max() + left + right
    height = max(sizes[:, 1].max(), _BAR) + bottom + top
    rows = -(-len(axes) // columns)
    figure = new_figure((columns * width, rows * height))
    panels = []
    for n, (w, h) in enumerate(sizes):
        row, column = divmod(n, columns)
        x = column * width + left
        y = (rows - 1 - row) * height + (height - top + bottom - h) / 2
        box = (x / columns / width, y / rows / height)
        ax = figure.add_axes((*box, w / columns / width, h / rows / height))
        for side, length in ((ax.xaxis, w), (ax.yaxis, h)):
            side.set_major_locator(ticker.MaxNLocator(max(1, round(1.5 * length))))
        panels.append(ax)
    return panels


def _show(ax: Any, values: Any, grid: Grid, axis: int, **how: Any) -> Any:
    """Draw a plane (first axis to the right, second up) at its place in the box."""
    extent = [
        edge
        for a in in_plane(axis)
        for edge in (grid.origin[a], grid.origin[a] + grid.size[a])
    ]
    return ax.imshow(
        values.T,
        origin="lower",
        interpolation="nearest",
        extent=extent,
        aspect="auto",  # the axes have the shape of the slice already
        **how,
    )


def _bar_axes(ax: Any) -> Any:
    """Axes for a colour bar of the height of its slice, or more of a slender one."""
    inches = ax.get_position().height * ax.figure.get_figheight()
    height = max(1.0, _BAR / inches)
    return ax.inset_axes((1.04, 0.5 - height / 2, 0.05, height))


def _draw_values(
    ax: Any, scalar: ScalarField, micro: Microstructure, plane: tuple[int, int]
) -> None:
    axis, index = plane
    masked = np.ma.array(scalar.values, mask=~scalar.solid).take(index, axis)
    low, high, diverging = color_range(scalar)
    how = {"cmap": DIVERGING if diverging else SEQUENTIAL, "vmin": low, "vmax": high}
    image = _show(ax, masked, micro.grid, axis, **how)
    ax.set_facecolor(_PORE)
    inside = scalar.values[scalar.solid]
    bar = {"unit": scalar.unit, "cax": _bar_axes(ax)}
    color_bar(ax.figure, image, scalar.symbol, inside, **bar)


def _draw_phases(ax: Any, micro: Microstructure, plane: tuple[int, int]) -> None:
    axis, index = plane
    phases = micro.phases
    rank = np.searchsorted(phases, micro.phase.take(index, axis))
    colors = matplotlib_module("colors")
    norm = colors.BoundaryNorm(np.arange(len(phases) + 1) - 0.5, len(phases))
    named = {"cmap": colors.ListedColormap(phase_colors(micro)), "norm": norm}
    image = _show(ax, rank, micro.grid, axis, **named)
    if len(phases) > MOST_NAMED_PHASES:
        text = f"{len(phases)} phases"
        ax.text(1.02, 0.5, text, rotation=90, va="center", transform=ax.transAxes)
        return
    bar = ax.figure.colorbar(image, cax=_bar_axes(ax), ticks=np.arange(len(phases)))
    bar.set_ticklabels(phase_labels(micro))
    bar.ax.tick_params(length=0)


def _describe(
    ax: Any, scalar: ScalarField, micro: Microstructure, plane: tuple[int, int]
) -> None:
    axis, index = plane
    grid, unit = micro.grid, micro.units.get("length", "")
    for a, label in zip(in_plane(axis), (ax.set_xlabel, ax.set_ylabel), strict=True):
        label(with_unit("xyz"[a], unit))
    position = grid.origin[axis] + (index + 0.5) * grid.h[axis]
    place = f"{'xyz'[axis]} = {position:.4g} {unit}".strip()
    ax.set_title(f"{scalar.symbol}, {place} (voxel {index})", fontsize=10)
