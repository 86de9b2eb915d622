"""The convex potential of a body in one step, and its conjugate."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace, to_numpy
from fftmech.materials.base import Material
from fftmech.problems.material_field import MaterialField, State, flatten
from fftmech.tensors.fields import dot


class FieldPotential:
    """w and w* of a field of laws: `fftmech.problems.certificate.Potential`.

    Parameters
    ----------
    field
        The laws. Viscous ones have potentials of the strain rate.
    state
        Internal variables at the beginning of the step; they are held constant.
    near
        A stress, (q, 6, x, y, z), near those that belong to strains, if one is known.

    Raises
    ------
    NotImplementedError
        A law has no convex potential: when a method needs it.
    """

    def __init__(self, field: MaterialField, state: State, near: Any = None) -> None:
        self._field, self._state, self._near = field, state, near
        self._known: tuple[Any, Any] = None, None

    @property
    def eigenstrain(self) -> Any:
        """e0, (6, x, y, z), or None."""
        e0 = self._field.eigenstrain
        return None if e0 is None else e0.reshape(6, *self._field.shape)

    def energy(self, strain: Any) -> Any:
        """w of a strain, or of a rate: (q, 6, x, y, z) -> (q, x, y, z)."""
        self._known = strain, self._evaluate("energy", self._elastic(strain))
        return self._known[1]

    def conjugate_energy(self, stress: Any) -> Any:
        """w*, (q, 6, x, y, z) -> (q, x, y, z); inf in a pore that carries stress."""
        conjugate = self._evaluate("conjugate_energy", stress)
        if self.eigenstrain is not None:
            conjugate += dot(stress, self.eigenstrain)
        return conjugate

    def conjugate_strain(self, stress: Any) -> Any:
        """dw*/ds, (q, 6, x, y, z): a strain, or a rate."""
        strain = self._evaluate("conjugate_strain", stress, components=6)
        return strain if self.eigenstrain is None else strain + self.eigenstrain

    def phases(self) -> Iterator[tuple[Material, Any, Any, Any]]:
        """Each law's material, the rows in use, their fractions and mean states."""
        count = int(np.prod(self._field.shape))
        for group, states in zip(
            self._field.groups, zip(*self._state, strict=True), strict=True
        ):
            rows = to_numpy(group.rows)
            counts = np.bincount(rows)
            used = np.flatnonzero(counts)
            state = to_numpy(sum(states) / len(states))
            means = [np.bincount(rows, variable)[used] for variable in state]
            means = np.reshape(means, (len(state), len(used))) / counts[used]
            yield group.material, used, counts[used] / count, means

    def state_after(self, stress: Any, dt: float) -> State:
        """Internal variables at the end of a step of duration dt, at a stress."""
        _, flat = flatten(stress)
        return [
            [
                group.state_after(group.rows, group.take(own), state, dt)
                for group, state in zip(self._field.groups, states, strict=True)
            ]
            for own, states in zip(flat, self._state, strict=True)
        ]

    def gap(self, strain: Any, stress: Any) -> Any:
        """w(e) + w*(s) - s : e >= 0, (q, x, y, z)."""
        known, w = self._known
        if known is not strain:
            w = self.energy(strain)
        return self._evaluate("gap", self._elastic(strain), stress, energy=w[:, None])

    def _elastic(self, strain: Any) -> Any:
        return strain if self.eigenstrain is None else strain - self.eigenstrain

    def _evaluate(
        self, name: str, *fields: Any, components: int = 1, energy: Any = None
    ) -> Any:
        xp, shape = namespace(fields[0]), self._field.shape
        flat = [flatten(field)[1] for field in fields]
        values = xp.empty((len(flat[0]), components, flat[0].shape[-1]))
        for q, states in enumerate(self._state):
            for group, state in zip(self._field.groups, states, strict=True):
                potential = getattr(group, name, None) or getattr(group.material, name)
                own = [group.take(field[q]) for field in flat]
                known: list[Any] = []
                if name == "energy" and self._near is not None:
                    near = group.take(flatten(self._near)[1][q])
                    potential = partial(potential, near=near)
                if energy is not None:
                    known = [group.take(flatten(energy)[1][q])[0]]
                found = potential(group.rows, *own, state, *known)
                if group.points is None and len(values) == 1:
                    values = found.reshape(values.shape)
                elif group.points is None:
                    values[q] = found
                else:
                    values[q][:, group.points] = found
        kept = values if components > 1 else values[:, 0]
        return kept.reshape(*kept.shape[:-1], *shape)
