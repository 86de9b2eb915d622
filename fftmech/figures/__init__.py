"""Pictures by Matplotlib, which is imported when one is drawn."""

from fftmech.figures.field_figures import slices_figure, spectrum_figure
from fftmech.figures.matplotlib_figure import (
    FORMATS,
    check_picture,
    color_bar,
    matplotlib_module,
    new_figure,
    save_figure,
    with_unit,
)
from fftmech.figures.pole_figures import pole_figure

__all__ = [
    "FORMATS",
    "check_picture",
    "color_bar",
    "matplotlib_module",
    "new_figure",
    "pole_figure",
    "save_figure",
    "slices_figure",
    "spectrum_figure",
    "with_unit",
]
