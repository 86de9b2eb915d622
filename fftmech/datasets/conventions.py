"""How other programs write tensors: axes, order of components, shear; and ours of it.

A field is stored with some order of its axes, for instance "z y x c" (C order: the last
one runs fastest), where c counts six components, or i and j those of a 3x3 matrix.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from fftmech.arrays.memory import size_text
from fftmech.errors import InputError
from fftmech.tensors import (
    COMPONENTS,
    FACTORS,
    mandel_from_matrix,
    quaternion_from_bunge,
)

ORDERS = {
    "xx yy zz yz xz xy": "Voigt",
    "xx yy zz xy yz xz": "VTK",
    "xx yy zz xy xz yz": "Abaqus",
}
"""Orders of six components that are in use; any other is taken too."""

MATRIX = "3x3"
"""Order of tensors that are stored as whole matrices."""

SHEARS = {"tensor": 2**0.5, "engineering": 0.5**0.5, "mandel": 1.0}
"""Conventions of shear components, and the Mandel component of one that is 1."""

_DIGITS = {"1": "x", "2": "y", "3": "z"}

FORMS = ("quaternion", "bunge degrees", "bunge radians")
"""Ways to write an orientation: w x y z (v_sample = R v_crystal), or three angles."""

UNIT = 1e-3
"""Part by which the length of a stored quaternion may be off 1."""

ASYMMETRY = 1e-6
"""Part of the largest entry by which a stored matrix may be off its transpose."""


@dataclass(frozen=True)
class TensorConvention:
    """How a program writes a symmetric tensor.

    Parameters
    ----------
    order
        Six names, "xx yy zz xy xz yz" or "11 22 33 12 13 23" for instance, or "3x3".
    shear
        One of `SHEARS`; of "3x3" it is "tensor".
    """

    order: str
    shear: str

    @classmethod
    def stated(cls, order: Any, shear: Any, stress: bool, where: str) -> Any:
        """Return a convention that was stated in words, checked."""
        known = [name for name in SHEARS if not (stress and name == "engineering")]
        if shear not in known:
            raise InputError(f"{where} shear = {shear!r}", f"one of {', '.join(known)}")
        if order == MATRIX:
            if shear != "tensor":
                raise InputError(
                    f"{where} shear = {shear!r} of {MATRIX} matrices", "tensor"
                )
            return cls(order, shear)
        return cls(" ".join(component_order(order, where)), shear)

    @property
    def places(self) -> list[int]:
        """Place in a Mandel vector of each stored component."""
        return [COMPONENTS.index(name) for name in self.order.split()]

    def mandel(self, stored: np.ndarray) -> np.ndarray:
        """Mandel field (6, ...) of stored components (6, ...) or matrices (3, 3, ...).

        A matrix that is not symmetric is an InputError.
        """
        if self.order == MATRIX:
            skew = abs(stored - stored.swapaxes(0, 1)).max()
            if not skew <= ASYMMETRY * abs(stored).max():
                raise InputError(
                    f"matrices that are not symmetric (by {skew:.3g})",
                    "symmetric tensors",
                    "of F and P write strain and stress out",
                )
            return np.moveaxis(
                mandel_from_matrix(np.moveaxis(stored, (0, 1), (-2, -1))), -1, 0
            )
        made = np.empty_like(stored, dtype=float)
        for value, place in zip(stored, self.places, strict=True):
            made[place] = value if place < 3 else SHEARS[self.shear] * value
        return made

    def stored(self, mandel: np.ndarray) -> np.ndarray:
        """The inverse of `mandel`, of six components."""
        factors = np.where(np.arange(6) < 3, 1.0, SHEARS[self.shear])
        shape = (6,) + (1,) * (mandel.ndim - 1)
        return (mandel / factors.reshape(shape))[self.places]

    def others(self, stress: bool) -> list["TensorConvention"]:
        """The conventions that this one may have been mistaken for, itself first."""
        if self.order == MATRIX:
            return [self]
        orders = dict.fromkeys((self.order, *ORDERS))
        shears = dict.fromkeys((self.shear, *SHEARS))
        return [
            TensorConvention(order, shear)
            for order in orders
            for shear in shears
            if not (stress and shear == "engineering")
        ]

    def shear_orders(self) -> list["TensorConvention"]:
        """The same with the shear components in each other order."""
        if self.order == MATRIX:
            return []
        names = self.order.split()
        shear = [i for i, name in enumerate(names) if name[0] != name[1]]
        made = []
        for moved in permutations(shear):
            new = list(names)
            for i, j in zip(shear, moved, strict=True):
                new[i] = names[j]
            made.append(TensorConvention(" ".join(new), self.shear))
        return made[1:]


def component_order(order: Any, where: str) -> list[str]:
    """Our names of six stored components."""
    words = order.split() if isinstance(order, str) else order
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        names = ["".join(_DIGITS.get(c, c) for c in word.lower()) for word in words]
        names = ["".join(sorted(name)) for name in names]
        if sorted(names) == sorted(COMPONENTS):
            return names
    raise InputError(
        f"{where} order = {order!r}",
        f"the six of {' '.join(COMPONENTS)} as they are stored, or {MATRIX}",
    )


def check_axes(axes: Any, components: str, where: str) -> str:
    """Return the axes of an array, x, y, z and those of `components`, once each."""
    words = axes.split() if isinstance(axes, str) else []
    if sorted(words) != sorted("xyz" + components):
        fastest_x = " ".join("zyx" + components)
        raise InputError(
            f"{where} axes = {axes!r}",
            f"{', '.join('xyz' + components)} in the order of the array's axes, the "
            f'fastest last ("{fastest_x}")',
        )
    return " ".join(words)


def spatial_last(
    values: np.ndarray, axes: str, cells: tuple[int, ...] | None, where: str
) -> np.ndarray:
    """Return an array with axes (components, x, y, z), whatever they were.

    A flat one, or one whose voxels are one axis, is given the shape that `cells` (along
    x, y, z) say.
    """
    names = axes.split()
    tail = {"c": 6, "i": 3, "j": 3}
    if cells is not None:
        sides = {**dict(zip("xyz", cells, strict=True)), **tail}
        shape = tuple(sides[name] for name in names)
        # a row a voxel, or a column; any other would be taken apart wrongly
        count, rest = int(np.prod(cells)), shape[3:]
        flat = {(int(np.prod(shape)),)}
        flat |= {(count, *rest)} if {*names[:3]} == {*"xyz"} else set()
        flat |= {(*shape[:-3], count)} if {*names[-3:]} == {*"xyz"} else set()
        if values.shape not in (shape, *flat):
            raise InputError(
                f"{where} has shape {values.shape}",
                f"{size_text(shape)} numbers ({axes}), or "
                f"{' or '.join(map(str, sorted(flat)))}",
            )
        values = values.reshape(shape)
    if values.ndim != len(names) or any(
        n != tail.get(name, n) for name, n in zip(names, values.shape, strict=True)
    ):
        expected = ", ".join(str(tail.get(name, f"n{name}")) for name in names)
        raise InputError(
            f"{where} has shape {values.shape}",
            f"({expected}), its axes {axes}",
            "state cells in [grid] if it is flat",
        )
    wanted = [name for name in ("c", "i", "j", "x", "y", "z") if name in names]
    return values.transpose([names.index(name) for name in wanted])


def mandel_stiffness(values: np.ndarray, order: list[str], form: str) -> np.ndarray:
    """Mandel stiffness (P, 6, 6) of matrices whose rows have this order.

    `form` is "voigt" (stress of engineering shear strain) or "mandel".
    """
    places = [COMPONENTS.index(name) for name in order]
    made = np.empty_like(values, dtype=float)
    made[:, np.array(places)[:, None], places] = values
    return made * np.outer(FACTORS, FACTORS) if form == "voigt" else made


def quaternions(values: np.ndarray, form: str, name: str) -> np.ndarray:
    """Unit quaternions w x y z, (P, 4), of a table in one of `FORMS`."""
    width = 4 if form == "quaternion" else 3
    if values.ndim != 2 or values.shape[1] != width:
        raise InputError(f"{name} has shape {values.shape}", f"(P, {width}), {form}")
    if not np.isfinite(values).all():
        raise InputError(f"{name} is not finite everywhere", "numbers")
    if form != "quaternion":
        return quaternion_from_bunge(values, degrees=form == "bunge degrees")
    length = np.linalg.norm(values, axis=1, keepdims=True)
    if (abs(length - 1) > UNIT).any():
        worst = length.flat[abs(length - 1).argmax()]
        raise InputError(f"{name}: a quaternion of length {worst:.3g}", "1")
    return values / length
