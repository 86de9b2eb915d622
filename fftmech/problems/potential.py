"""Convex potentials and their conjugates; that of a body in one step."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from fftmech.arrays.backend import namespace, to_numpy
from fftmech.materials.base import Material
from fftmech.problems.material_field import MaterialField, State, flatten
from fftmech.tensors.fields import dot


class Potential(Protocol):
    """A material's potential w and its conjugate w*."""

    @property
    def eigenstrain(self) -> Any:
        """e0, part of both potentials, (6, x, y, z), or None."""
        ...

    def energy(self, strain: Any) -> Any:
        """w(e): (..., 6, x, y, z) -> (..., x, y, z), stress units."""
        ...

    def conjugate_energy(self, stress: Any) -> Any:
        """w*(s): (..., 6, x, y, z) -> (..., x, y, z); inf where it is infinite."""
        ...

    def gap(self, strain: Any, stress: Any) -> Any:
        """w(e) + w*(s) - s : e >= 0, without cancellation: (..., x, y, z)."""
        ...


class FieldPotential:
    """w and w* of a field of laws: `Potential`.

    Parameters
    ----------
    field
        The laws. Viscous ones have potentials of the strain rate.
    state
        Internal variables at the beginning of the step; they are held constant.
    dt
        Duration of the step.
    near
        A stress, (q, 6, x, y, z), near those that belong to strains, if one is known.

    Attributes
    ----------
    eigenstrain
        e0, with the inelastic strain that laws remember, (q, 6, x, y, z), or None.

    Raises
    ------
    NotImplementedError
        A law has no convex potential: when a method needs it.
    """

    def __init__(
        self, field: MaterialField, state: State, dt: float = 1.0, near: Any = None
    ) -> None:
        self._field, self._state, self._dt, self._near = field, state, dt, near
        self._known: dict[str, tuple[Any, Any]] = {}
        e0 = field.eigenstrain
        flat = None if e0 is None else e0[None]
        for number, group in enumerate(field.groups):
            parts = [group.material.inelastic_strain(own[number]) for own in state]
            if parts[0] is None:
                continue
            count = int(np.prod(field.shape))
            own = namespace(parts[0]).zeros((len(parts), 6, count))
            for values, part in zip(own, parts, strict=True):
                group.put(values, part)
            flat = own if flat is None else flat + own
        self.eigenstrain = None
        if flat is not None:
            self.eigenstrain = flat.reshape(*flat.shape[:2], *field.shape)

    def energy(self, strain: Any) -> Any:
        """w of a strain, or of a rate: (q, 6, x, y, z) -> (q, x, y, z)."""
        w = self._evaluate("energy", self._elastic(strain))
        self._known["energy"] = strain, w
        return w

    def conjugate_energy(self, stress: Any) -> Any:
        """w*, (q, 6, x, y, z) -> (q, x, y, z); inf in a pore that carries stress."""
        conjugate = self._evaluate("conjugate_energy", stress)
        self._known["conjugate_energy"] = stress, conjugate
        if self.eigenstrain is not None:
            conjugate = conjugate + dot(stress, self.eigenstrain)
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
        energies = []
        for name, field in (("energy", strain), ("conjugate_energy", stress)):
            if self._known.get(name, (None,))[0] is not field:
                getattr(self, name)(field)
            energies.append(self._known[name][1][:, None])
        return self._evaluate("gap", self._elastic(strain), stress, energies=energies)

    def _elastic(self, strain: Any) -> Any:
        return strain if self.eigenstrain is None else strain - self.eigenstrain

    def _evaluate(
        self, name: str, *fields: Any, components: int = 1, energies: Sequence = ()
    ) -> Any:
        xp, shape = namespace(fields[0]), self._field.shape
        flat, known = ([flatten(f)[1] for f in some] for some in (fields, energies))
        values = xp.empty((len(flat[0]), components, flat[0].shape[-1]))
        for q, states in enumerate(self._state):
            for group, state in zip(self._field.groups, states, strict=True):
                potential = getattr(group, name, None) or getattr(group.material, name)
                own = [group.take(field[q]) for field in flat]
                more = [tuple(group.take(w[q])[0] for w in known)] if known else []
                if name == "energy" and self._near is not None:
                    near = group.take(flatten(self._near)[1][q])
                    potential = partial(potential, near=near)
                found = potential(group.rows, *own, state, self._dt, *more)
                if group.points is None and len(values) == 1:
                    values = found.reshape(values.shape)
                elif group.points is None:
                    values[q] = found
                else:
                    values[q][:, group.points] = found
        kept = values if components > 1 else values[:, 0]
        return kept.reshape(*kept.shape[:-1], *shape)
