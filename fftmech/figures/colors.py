"""Colour scales of fields and colours of phases."""

import colorsys

import numpy as np

from fftmech.microstructure.base import Microstructure
from fftmech.results.scalar_fields import ScalarField

ROBUST = (0.5, 99.5)
"""Percentiles of the whole field (pores left out) at the ends of a colour scale."""

SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
"""Matplotlib's colour maps of fields of one sign, and of fields centred on zero."""

MOST_NAMED_PHASES = 12
"""Of more phases a legend would be a table."""

# Okabe & Ito's colours, which people of any colour vision tell apart, after a grey for
# the matrix
_FEW = tuple(
    (int(rgb[:2], 16) / 255, int(rgb[2:4], 16) / 255, int(rgb[4:], 16) / 255)
    for rgb in ("b9c4cf", "0072b2", "e69f00", "009e73", "cc79a7", "d55e00", "56b4e9")
)


def color_range(scalar: ScalarField) -> tuple[float, float, bool]:
    """Ends of the colour scale of a field, and whether it is centred on zero.

    The ends are the percentiles `ROBUST`; the scale is centred where the smaller end
    is of the other sign and more than a tenth of the larger. Variations below a
    millionth of the field's magnitude are rounding, and get no colours.
    """
    values = scalar.values[scalar.solid]
    if not values.size:
        return 0.0, 1.0, False
    low, high = (float(v) for v in np.percentile(values, ROBUST))
    largest = max(abs(low), abs(high))
    magnitude = max(largest, scalar.magnitude)
    if high - low <= 1e-6 * magnitude:
        margin = 0.01 * magnitude or 1.0
        return low - margin, high + margin, False
    if low < 0 < high and min(-low, high) > 0.1 * largest:
        return -largest, largest, True
    return low, high, False


def phase_labels(micro: Microstructure) -> list[str]:
    """Id of each phase in use as text, in the order of `micro.phases`.

    Pores and rigid phases say so.
    """
    what = dict.fromkeys(micro.pores, " (pore)") | dict.fromkeys(
        micro.rigid, " (rigid)"
    )
    return [f"{p}{what.get(p, '')}" for p in micro.phases]


def phase_colors(micro: Microstructure) -> list[tuple[float, float, float]]:
    """RGB of each phase in use, in the order of `micro.phases`; pores are white."""
    pores = set(micro.pores)
    count = len(micro.phases) - len(pores)
    palette = list(_FEW)
    if count > len(_FEW):
        # hues a golden ratio apart never come close to their predecessors
        palette = [
            colorsys.hsv_to_rgb(
                n * 0.6180339887498949 % 1,
                (0.40, 0.62, 0.50)[n % 3],
                (0.95, 0.82, 0.68)[n % 3],
            )
            for n in range(count)
        ]
    solid = iter(palette)
    return [(1.0, 1.0, 1.0) if p in pores else next(solid) for p in micro.phases]
