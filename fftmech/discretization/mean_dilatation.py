"""The trilinear hexahedron with the mean dilatation of the element.

Strain at the eight integration points of `hex8`, but its trace at each is the mean over
the voxel, which is the trace of `rotated`: the element does not lock where a phase is
nearly incompressible, elastically or by plastic flow (Hughes 1980,
doi:10.1002/nme.1620150914, the B-bar method). Small strain only.
"""

from typing import Any

from fftmech.arrays.backend import namespace
from fftmech.discretization.base import Discretization
from fftmech.discretization.grid import Grid
from fftmech.discretization.hexahedral import HEX8
from fftmech.discretization.rotated import ROTATED
from fftmech.discretization.stencil import Stencil, StencilDiscretization


class MeanDilatation(StencilDiscretization):
    """Strains of a table of stencils, with the trace of another scheme.

    Parameters
    ----------
    name, table
        As in `StencilDiscretization`.
    dilatation
        Scheme of one integration point whose trace it is.
    """

    def __init__(
        self,
        name: str,
        table: tuple[tuple[Stencil, Stencil, Stencil], ...],
        dilatation: Discretization,
    ) -> None:
        super().__init__(name, table)
        self.dilatation: Discretization = dilatation

    def parts(self) -> tuple[Discretization, ...]:
        """One scheme for each integration point; their mean is this one."""
        return tuple(
            MeanDilatation(self.name, (stencils,), self.dilatation)
            for stencils in self.table
        )

    def strain(self, u: Any, grid: Grid) -> Any:
        """sym(D u) with the mean trace, (*batch, 3, x, y, z) -> (*batch, q, 6, ...)."""
        D = self.dilatation.derivative
        x, y, z = (D(u[..., a, :, :, :], a, grid) for a in range(3))
        return _with_trace(super().strain(u, grid), (x + y + z)[..., None, :, :, :])

    def strain_adjoint(self, stress: Any, grid: Grid) -> Any:
        """D* s: (*batch, q, 6, x, y, z) Mandel -> (*batch, 3, x, y, z)."""
        pressure = stress[..., :3, :, :, :].sum(-4) / 3
        deviator = _with_trace(stress, 0 * pressure)
        force, pressure = super().strain_adjoint(deviator, grid), pressure.mean(-4)
        xp = namespace(force)
        adjoint = self.dilatation.adjoint
        return force + xp.stack([adjoint(pressure, a, grid) for a in range(3)], -4)


def _with_trace(tensor: Any, trace: Any) -> Any:
    """A Mandel field (..., 6, x, y, z) with another trace, (..., x, y, z)."""
    xp = namespace(tensor)
    normal, shear = tensor[..., :3, :, :, :], tensor[..., 3:, :, :, :]
    shift = (trace - normal.sum(-4)) / 3
    return xp.concatenate([normal + shift[..., None, :, :, :], shear], -4)


BBAR = MeanDilatation("bbar", HEX8.table, ROTATED)
