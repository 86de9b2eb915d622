"""The convex potential of a body in one step, and its conjugate."""

from typing import Any

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

    Raises
    ------
    NotImplementedError
        A law has no convex potential: when a method needs it.
    """

    def __init__(self, field: MaterialField, state: State) -> None:
        self._field, self._state = field, state

    @property
    def eigenstrain(self) -> Any:
        """e0, (6, x, y, z), or None."""
        e0 = self._field.eigenstrain
        return None if e0 is None else e0.reshape(6, *self._field.shape)

    def energy(self, strain: Any) -> Any:
        """w of a strain, or of a rate: (q, 6, x, y, z) -> (q, x, y, z)."""
        return self._evaluate("energy", self._elastic(strain))

    def conjugate_energy(self, stress: Any) -> Any:
        """w*, (q, 6, x, y, z) -> (q, x, y, z); inf in a pore that carries stress."""
        conjugate = self._evaluate("conjugate_energy", stress)
        if self.eigenstrain is not None:
            conjugate += dot(stress, self.eigenstrain)
        return conjugate

    def gap(self, strain: Any, stress: Any) -> Any:
        """w(e) + w*(s) - s : e >= 0, (q, x, y, z)."""
        return self._evaluate("gap", self._elastic(strain), stress)

    def _elastic(self, strain: Any) -> Any:
        return strain if self.eigenstrain is None else strain - self.eigenstrain

    def _evaluate(self, name: str, *fields: Any) -> Any:
        flat = [flatten(field)[1] for field in fields]
        values = flatten(fields[0])[0].empty((len(flat[0]), flat[0].shape[-1]))
        for q, states in enumerate(self._state):
            for group, state in zip(self._field.groups, states, strict=True):
                potential = getattr(group.material, name)
                own = (group.take(field[q]) for field in flat)
                place = slice(None) if group.points is None else group.points
                values[q, place] = potential(group.rows, *own, state)
        return values.reshape(len(values), *fields[0].shape[-3:])
