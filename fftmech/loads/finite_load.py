"""What is prescribed at finite strain: of each component, the mean of F or of P."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fftmech.errors import InputError
from fftmech.loads.load import checked_values

NAMES = tuple(i + j for i in "xyz" for j in "xyz")
"""Components of F and P by rows: xy is F_12, the derivative of x along Y."""


@dataclass(frozen=True)
class FiniteLoad:
    """Means of the deformation gradient F and of the first Piola-Kirchhoff stress P.

    Components named in neither have the identity's F. A body that may turn has no one
    answer: of each pair ij, ji at least one F is prescribed. Because <P> <F>^T is
    symmetric, a zero P_ij that belongs to a free F_ij may be all that is needed
    (`uniaxial`).

    Parameters
    ----------
    F, P
        Components by name, of xx xy xz yx yy yz zx zy zz (row, column); P in stress
        units.

    Raises
    ------
    InputError
        An unknown component, one in both, a value that is not finite, F that turns the
        cell inside out, a rotation that nothing fixes.
    """

    F: Mapping[str, float] = field(default_factory=dict)
    P: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in "FP":
            values = checked_values(kind, getattr(self, kind), NAMES, "1.1")
            object.__setattr__(self, kind, values)
        both = [name for name in self.F if name in self.P]
        if both:
            raise InputError(
                f"F {both[0]} and P {both[0]} are both prescribed", "one of them"
            )
        for a, b in (("xy", "yx"), ("xz", "zx"), ("yz", "zy")):
            if a in self.P and b in self.P:
                raise InputError(
                    f"P {a} and P {b} are both prescribed, so that nothing keeps the "
                    f"body from turning: prescribe F {b}=0 instead of P {b}"
                )
        if not self.P and np.linalg.det(self.mean_strain.reshape(3, 3)) <= 0:
            raise InputError(
                "F has a determinant that is not positive: it turns the cell inside out"
            )

    @classmethod
    def uniaxial(cls, component: str, value: float) -> "FiniteLoad":
        """Stretch `value` along an axis, named xx, yy or zz; all else is free of P.

        Fibres along the axis do not turn, and of the two other axes the first stays in
        the plane of both: F_ia = 0 for i other than the axis a.
        """
        if component not in ("xx", "yy", "zz"):
            raise InputError(f"uniaxial {component!r} at finite strain", "xx, yy or zz")
        axis = component[0]
        F, P = {component: value}, {}
        for i, j in (("x", "y"), ("x", "z"), ("y", "z")):
            # the derivative along the axis of the others' displacement vanishes
            fixed, free = (i + j, j + i) if j == axis else (j + i, i + j)
            F[fixed], P[free] = 0.0, 0.0
        P.update({name: 0.0 for name in ("xx", "yy", "zz") if name != component})
        return cls(F, P)

    def scaled(self, factor: float) -> "FiniteLoad":
        """Return the load with `factor` times F - 1 and P."""
        F = {n: (n[0] == n[1]) * (1 - factor) + factor * v for n, v in self.F.items()}
        return FiniteLoad(F, {name: factor * value for name, value in self.P.items()})

    @property
    def free(self) -> np.ndarray:
        """Components whose mean P is prescribed, boolean, (9,)."""
        return np.array([name in self.P for name in NAMES])

    @property
    def mean_strain(self) -> np.ndarray:
        """Prescribed mean F by rows, (9,); the identity's where P is prescribed."""
        return np.array([self.F.get(name, float(name[0] == name[1])) for name in NAMES])

    @property
    def mean_stress(self) -> np.ndarray:
        """Prescribed mean P by rows, (9,); zero where F is prescribed."""
        return np.array([self.P.get(name, 0.0) for name in NAMES])
