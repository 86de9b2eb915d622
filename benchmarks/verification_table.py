"""Rows of verification's tables: values by number of voxels, and their convergence."""

import numpy as np

ODD = ("fourier", "central")
"""Schemes that are right on odd grids: they get a voxel a side less."""

EXACT = 1e-6
"""Deviation below which a value counts as exact: the solver's tolerance."""


def grids(scheme, sizes):
    """Voxels a side of a scheme, coarsest first."""
    return [n - (scheme in ODD) for n in sizes]


def entries(values, reference, sizes):
    """Cells of a row: reference, value and deviation of each size, order.

    The reference is one number, or one of each value if the drawn body enters it.
    """
    exact = np.broadcast_to(reference, len(values))
    wrong = [value / x - 1 for value, x in zip(values, exact, strict=True)]
    cells = [
        f"{value:.5g} ({percent(d)})" for value, d in zip(values, wrong, strict=True)
    ]
    cells += ["" for _ in range(len(sizes) - len(cells))]
    return [f"{exact[-1]:.5g}", *cells, order(wrong, sizes)]


def percent(d):
    """A relative deviation, to two digits."""
    if abs(d) < EXACT:
        return "exact"
    return f"{100 * d:+.0f} %" if abs(d) >= 1 else f"{100 * d:+.2g} %"


def order(wrong, sizes):
    """Observed order of convergence, from the two finest grids."""
    if len(wrong) < 2 or max(map(abs, wrong[-2:])) < EXACT:
        return ""
    if wrong[-1] * wrong[-2] < 0:
        return "changes sign"
    ratio = sizes[len(wrong) - 1] / sizes[len(wrong) - 2]
    return f"{np.log(wrong[-2] / wrong[-1]) / np.log(ratio):.1f}"


def head(*first, sizes):
    """Head of a table of values by size."""
    return (*first, "scheme", "reference", *(f"{n}" for n in sizes), "order")
