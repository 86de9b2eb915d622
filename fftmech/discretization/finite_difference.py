"""Finite differences on one grid of nodes.

`central`: (u(x + 1) - u(x - 1)) / 2, nodes and strain at voxel centres; on even axes it
decouples interleaved grids (zero modes). `forward`: u(x + 1) - u(x); nodes at corners.
Willot & Pellegrini 2008 (doi:10.48550/arXiv.0802.2488) solve with the Green operators
of finite differences.
"""

from fftmech.discretization.stencil import (
    DIFFERENCE,
    IDENTITY,
    StencilDiscretization,
    product_stencils,
)

CENTRAL = StencilDiscretization(
    "central", (product_stencils(((-1, -0.5), (1, 0.5)), IDENTITY),), nodes="centers"
)
FORWARD = StencilDiscretization("forward", (product_stencils(DIFFERENCE, IDENTITY),))
