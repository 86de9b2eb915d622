"""Willot's rotated scheme: a hexahedron with one integration point.

Nodes at voxel corners, strain at voxel centres: D_a is a difference along its axis and
a mean across the two others (Willot 2015, doi:10.1016/j.crme.2014.12.005). On an even
axis it has zero modes, wherever at least two components of the frequency are Nyquist.
"""

from fftmech.discretization.stencil import (
    DIFFERENCE,
    SUM,
    StencilDiscretization,
    product_stencils,
)

ROTATED = StencilDiscretization(
    "rotated", (product_stencils(DIFFERENCE, SUM, scale=0.25),)
)
