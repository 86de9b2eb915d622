"""The trilinear hexahedron with full 2 x 2 x 2 Gauss integration.

Nodes at voxel corners, eight integration points a voxel, material constant in the
voxel: the finite element that an FFT preconditioner solves on a regular mesh
(Schneider, Merkert & Kabel 2017, doi:10.1002/nme.5336). No zero modes but the mean.
"""

from itertools import product

from fftmech.discretization.stencil import (
    DIFFERENCE,
    Factor,
    Stencil,
    StencilDiscretization,
)

_GAUSS = (0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5)


def _hexahedron() -> tuple[tuple[Stencil, Stencil, Stencil], ...]:
    table = []
    for point in product(_GAUSS, repeat=3):
        x, y, z = (_linear(t) for t in point)
        table.append(
            (
                Stencil(DIFFERENCE, y, z),
                Stencil(x, DIFFERENCE, z),
                Stencil(x, y, DIFFERENCE),
            )
        )
    return tuple(table)


def _linear(t: float) -> Factor:
    """Linear interpolation between two nodes, at 0 <= t <= 1."""
    return ((0, 1 - t), (1, t))


HEX8 = StencilDiscretization("hex8", _hexahedron())
