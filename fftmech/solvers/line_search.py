"""Where a convex function is flat along a line, found by its slopes."""

from collections.abc import Callable

FLAT = 0.5
"""Ratio of the slopes at the end and at the beginning of a step that ends it.

Of a descent by many steps: steps that are found better are hardly fewer.
"""

MOST = 60
"""Slopes that are computed at most."""

LONGER = 1.5, 4.0
"""Least and greatest factor by which a step grows that was too short."""

EDGE = 0.1
"""Least part of a bracket that is cut off: the secant of a steep power cuts nothing."""


def minimum_along(
    slope: Callable[[float], float], begun: float, first: float, flat: float = FLAT
) -> float | None:
    """A step at which |slope| has fallen to `flat` times `begun`, that at zero.

    The root is bracketed by secants from `first` on, none of which goes farther than
    `LONGER`: slopes may be steep powers. It is then found by the Illinois rule (Dowell
    & Jarratt 1971, BIT 11, 168-174).

    Returns
    -------
    float or None
        The step whose slope was computed last; None where the function does not
        descend, or no such step is found.
    """
    if not begun < 0:
        return None
    (low, left), (step, there) = (0.0, begun), (first, slope(first))
    for _ in range(MOST):
        if abs(there) <= -flat * begun:
            return step
        if not there < 0:
            break
        secant = step - there * (step - low) / max(there - left, 1e-3 * abs(there))
        low, left = step, there
        step = min(max(secant, LONGER[0] * step), LONGER[1] * step)
        there = slope(step)
    high, right = step, there
    moved = 0.0
    for _ in range(MOST):
        part = min(max(left / (left - right), EDGE), 1 - EDGE)
        step = low + part * (high - low)
        there = slope(step)
        if abs(there) <= -flat * begun:
            return step
        # an end that stays twice gets half of its weight
        if there < 0:
            low, left = step, there
            right /= 2 if moved < 0 else 1
        else:
            high, right = step, there
            left /= 2 if moved > 0 else 1
        moved = there
    return None
