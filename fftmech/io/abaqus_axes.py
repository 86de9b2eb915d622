"""Abaqus input decks (`.inp`): axes of materials, of sections and of each element.

`*ORIENTATION` gives points a on the local x axis and b in its x-y plane, maybe the
origin c, and then an axis, 1 to 3, and the angle (degrees) of a rotation about it. The
points may be those of a `*DISTRIBUTION` over elements, as TexGen writes them: a line an
element with its number, a and b, and a line without a number for all the others.
"""

from dataclasses import dataclass

import numpy as np

from fftmech.io.abaqus_deck import Block


@dataclass(frozen=True)
class Field:
    """Rotations R (n, 3, 3), v_sample = R v_material, of elements by number; 0: others.

    Parameters
    ----------
    number
        Number of the element of each rotation, (n,).
    R
        The rotations.
    """

    number: np.ndarray
    R: np.ndarray

    def of(self, elements: np.ndarray) -> np.ndarray | None:
        """Rotations of elements; None where one is not there, nor a default."""
        order = np.argsort(self.number, kind="stable")
        at = np.searchsorted(self.number[order], elements).clip(max=len(order) - 1)
        row = order[at]
        known = self.number[row] == elements
        others = np.flatnonzero(self.number == 0)
        if not known.all() and not len(others):
            return None
        return self.R[np.where(known, row, others[0] if len(others) else 0)]


def distribution(block: Block) -> np.ndarray | None:
    """Rows of element, a and b of *DISTRIBUTION; None of another one."""
    if block.options.get("LOCATION", "").upper() != "ELEMENT":
        return None
    try:
        return block.numbers().reshape(-1, 7)
    except ValueError:
        return None


def split(
    fields: dict[str, Field],
    sections: list[dict[str, str]],
    phase: np.ndarray,
    number: np.ndarray,
) -> tuple[list[dict[str, str]], np.ndarray, dict[str, np.ndarray]]:
    """Give each orientation of a section whose elements have their own a phase.

    `phase` is the section of each element, from 1; `number` what elements are called.
    Returned are the same, and the new orientations by name.
    """
    made: list[dict[str, str]] = []
    turned: dict[str, np.ndarray] = {}
    of = np.zeros_like(phase)
    for p, section in enumerate(sections, start=1):
        inside = np.flatnonzero(phase == p)
        name = section.get("ORIENTATION", "").upper()
        R = fields[name].of(number[inside]) if name in fields else None
        if R is None or not len(inside):
            made.append(section)
            of[inside] = len(made)
            continue
        rounded = np.round(R.reshape(-1, 9), 9) + 0.0
        _, first, which = np.unique(
            rounded, axis=0, return_index=True, return_inverse=True
        )
        of[inside] = len(made) + 1 + which.ravel()
        for one in first:
            # sections share a field: the phase tells their orientations apart
            own = f"{name}, {len(made) + 1}"
            turned[own] = R[one]
            made.append(section | {"ORIENTATION": own})
    return made, of, turned


def orientation(block: Block, points: np.ndarray | None) -> Field | np.ndarray | None:
    """Rotation R, v_sample = R v_material, of *ORIENTATION; None of other systems.

    Of each element, where `points` are the rows of the distribution that it names.
    """
    system = block.options.get("SYSTEM", "RECTANGULAR").upper()
    definition = block.options.get("DEFINITION", "COORDINATES").upper()
    rows = block.rows()
    if system != "RECTANGULAR" or definition != "COORDINATES" or not rows:
        return None
    try:
        turn = _turn(rows[1:])
        if points is not None:
            R = _frames(points[:, 1:4], points[:, 4:]) @ turn
            return Field(points[:, 0], R) if len(R) and _are_rotations(R) else None
        given = np.array([float(word) for word in rows[0] if word])
        if len(given) not in (6, 9):
            return None
        a, b, c = np.append(given, [0.0] * 3)[:9].reshape(3, 3)
        R = _frames(a - c, b - c) @ turn
    except (ValueError, KeyError, IndexError):
        return None
    return R if _are_rotations(R) else None


def _are_rotations(R: np.ndarray) -> bool:
    """Whether points made frames: of numbers that overflow they are none."""
    return bool(np.isfinite(R).all() and (np.linalg.det(R) > 0.5).all())


def _frames(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rotations whose first axis is along a, and b in the plane of the first two."""
    with np.errstate(all="ignore"):
        z = np.cross(a, b)
        x = a / np.linalg.norm(a, axis=-1, keepdims=True)
        z = z / np.linalg.norm(z, axis=-1, keepdims=True)
        return np.stack([x, np.cross(z, x), z], axis=-1)


def _turn(rows: list[list[str]]) -> np.ndarray:
    """Rotation about a local axis that the second line gives, if there is one."""
    turn = np.eye(3)
    if rows:
        axis, angle = int(rows[0][0]), np.deg2rad(float(rows[0][1]))
        i, j = {1: (1, 2), 2: (2, 0), 3: (0, 1)}[axis]
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[j, i], turn[i, j] = np.sin(angle), -np.sin(angle)
    return turn
