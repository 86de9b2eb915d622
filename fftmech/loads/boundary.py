"""What is prescribed on the faces of a box that is not periodic."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.tensors import COMPONENTS, PAIRS, matrix_from_mandel

KINDS = ("periodic", "uniaxial", "displacement", "free")
"""What both faces across an axis can be."""

AXES = "xyz"


@dataclass(frozen=True)
class Boundary:
    """Conditions on the two faces across each axis.

    - "periodic": strain and stress are.
    - "uniaxial": frictionless grips. The load's mean strain along the axis prescribes
      the normal displacement, tangential tractions vanish.
    - "displacement": every component of the displacement is E.x, with the load's mean
      strain E and x from the corner of the box, plus `displacement`.
    - "free": no traction.

    Parameters
    ----------
    x, y, z
        One of `KINDS` for the faces across each axis.
    displacement
        Added to E.x on the faces of kind "displacement" (length units): a function
        u(x, y, z) of the coordinates of nodes, which returns (3, ...), or an array
        (3, nx + 1, ny + 1, nz + 1), an axis that is periodic without the 1, of which
        the values on these faces count. Files store these values.

    Raises
    ------
    InputError
        Another word, or a displacement that no face takes.
    """

    x: str = "periodic"
    y: str = "periodic"
    z: str = "periodic"
    displacement: Callable[[Any, Any, Any], Any] | np.ndarray | None = field(
        default=None, compare=False
    )

    def __post_init__(self) -> None:
        for axis, kind in zip(AXES, self.kinds, strict=True):
            if kind not in KINDS:
                raise InputError(
                    f"boundary {axis}={kind}", f"one of {', '.join(KINDS)}"
                )
        if self.displacement is not None and "displacement" not in self.kinds:
            raise InputError(
                "a displacement without faces to prescribe it on",
                'an axis of kind "displacement"',
            )

    @property
    def kinds(self) -> tuple[str, str, str]:
        """What the faces across x, y and z are."""
        return (self.x, self.y, self.z)

    def __str__(self) -> str:
        return ", ".join(f"{axis}={kind}" for axis, kind in self.as_dict().items())

    def as_dict(self) -> dict[str, str]:
        """The kinds by axis, as JSON; without the displacement."""
        return dict(zip(AXES, self.kinds, strict=True))

    @property
    def periodic(self) -> tuple[bool, bool, bool]:
        """Axes that are periodic."""
        x, y, z = (kind == "periodic" for kind in self.kinds)
        return (x, y, z)

    def fixed(self, component: int, axis: int) -> bool:
        """Whether a component of the displacement is prescribed on an axis' faces."""
        kind = self.kinds[axis]
        return kind == "displacement" or (kind == "uniaxial" and component == axis)

    def moves(self, component: int) -> bool:
        """Whether the box may be shifted along an axis."""
        return not any(self.fixed(component, axis) for axis in range(3))

    def turns(self, a: int, b: int) -> bool:
        """Whether the box may be turned in the plane of two axes."""
        closed = not (self.periodic[a] or self.periodic[b])
        return closed and self.moves(a) and self.moves(b)

    def nodes(self, grid: Grid) -> tuple[int, int, int]:
        """Nodes along each axis: one more than voxels where it is not periodic."""
        nx, ny, nz = (
            n + (not periodic)
            for n, periodic in zip(grid.shape, self.periodic, strict=True)
        )
        return (nx, ny, nz)

    def role(self, name: str) -> Literal["prescribed", "held", "released"]:
        """What the faces make of a component of the load.

        "prescribed": its mean strain or stress is the load's to say; "held": its mean
        strain is zero; "released": it follows from tractions that vanish.
        """
        a, b = PAIRS[COMPONENTS.index(name)]
        kinds = (self.kinds[a], self.kinds[b])
        if a == b:
            return "released" if kinds[0] == "free" else "prescribed"
        if kinds == ("periodic", "periodic"):
            return "prescribed"
        if "displacement" in kinds:
            return "held" if "uniaxial" in kinds else "prescribed"
        return "released"

    def affine(self, load: Load) -> Load:
        """The load without what the faces release or hold, if none contradicts it."""
        strain, stress = {}, {}
        for name in COMPONENTS:
            role = self.role(name)
            if name in load.strain:
                value = load.strain[name]
                if role == "prescribed":
                    strain[name] = value
                elif value:
                    raise InputError(self._refusal("strain", name, value))
            elif name in load.stress:
                value = load.stress[name]
                if role == "prescribed":
                    stress[name] = value
                elif value or not self._vanishes(name):
                    raise InputError(self._refusal("stress", name, value))
        return Load(strain, stress)

    def mean_gradient(self, mean_strain: np.ndarray) -> np.ndarray:
        """Mean displacement gradient G of a mean strain, Mandel (6,), as (3, 3).

        Its symmetric part is the mean strain, and u - G.x is periodic along the axes
        that are: a shear that faces release across another axis is in the derivative
        along that one alone.
        """
        G = matrix_from_mandel(mean_strain)
        for name in COMPONENTS[3:]:
            a, b = PAIRS[COMPONENTS.index(name)]
            if self.periodic[a] != self.periodic[b] and self.role(name) == "released":
                along, across = (a, b) if self.periodic[a] else (b, a)
                G[along, across] *= 2
                G[across, along] = 0
        return G

    def values(self, grid: Grid) -> np.ndarray | None:
        """`displacement` at the nodes, zero but on its faces, (3, *nodes), or None."""
        if self.displacement is None:
            return None
        nodes = self.nodes(grid)
        if callable(self.displacement):
            numbers = np.meshgrid(*map(np.arange, nodes), indexing="ij")
            x, y, z = (
                o + h * i for o, h, i in zip(grid.origin, grid.h, numbers, strict=True)
            )
            given = np.asarray(self.displacement(x, y, z), dtype=float)
        else:
            given = np.asarray(self.displacement, dtype=float)
        if given.shape != (3, *nodes):
            raise InputError(
                f"boundary displacement of shape {given.shape}",
                f"values at nodes, {(3, *nodes)}",
            )
        prescribed = np.zeros(nodes, bool)
        for axis, kind in enumerate(self.kinds):
            if kind == "displacement":
                faces = np.moveaxis(prescribed, axis, 0)
                faces[[0, -1]] = True
        values = np.where(prescribed, given, 0.0)
        if not np.isfinite(values).all():
            raise InputError("boundary displacement has values that are not finite")
        return values

    def check(self, grid: Grid) -> None:
        """Refuse an axis too thin to have two faces."""
        for axis, kind, n in zip(AXES, self.kinds, grid.shape, strict=True):
            if kind != "periodic" and n < 2:
                raise InputError(
                    f"boundary {axis}={kind} across {n} voxel",
                    "at least 2",
                    f"leave {axis} periodic, or raise --res",
                )

    def _vanishes(self, name: str) -> bool:
        """Whether the mean stress of a component that is not prescribed is zero.

        It is the first moment of the tractions, <s_ab> = <s_ba> = sum over faces of
        t_a x_b: normal tractions of two pairs of grips have one.
        """
        a, b = PAIRS[COMPONENTS.index(name)]
        grips = self.kinds[a] == self.kinds[b] == "uniaxial"
        return not grips and "displacement" not in self.kinds

    def _refusal(self, what: str, name: str, value: float) -> str:
        faces = " and ".join(
            dict.fromkeys(
                f"{AXES[a]}={self.kinds[a]}" for a in PAIRS[COMPONENTS.index(name)]
            )
        )
        done = {
            "held": "hold that strain at zero",
            "released": "leave it free",
        }[self.role(name)]
        return (
            f"{what} {name}={value:g} with boundary {faces}, which {done}: drop it, or "
            "choose other faces"
        )
