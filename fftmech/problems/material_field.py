"""The laws of all voxels of a body."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fftmech.arrays.backend import Backend, namespace
from fftmech.errors import InputError
from fftmech.materials.base import Material, StrainStep
from fftmech.materials.slip import SlipLaw
from fftmech.materials.tangent import Tangent
from fftmech.microstructure.base import Microstructure
from fftmech.problems.law_group import Group, law_groups, rotations

State = list[list[Any]]
"""Internal variables by integration point and law, each (k, n)."""


class FieldResponse(NamedTuple):
    """`fftmech.materials.base.Response` of a field.

    Attributes
    ----------
    stress
        (q, c, x, y, z).
    state
        Internal variables at the end of the step.
    tangent
        None unless `precision` is given.
    """

    stress: Any
    state: State
    tangent: "FieldTangent | None"


class FieldTangent:
    """Derivative of the stress field by the strain field."""

    def __init__(self, parts: list[list[tuple[Group, Tangent]]]) -> None:
        self._parts = parts

    @property
    def fused(self) -> list[Tangent]:
        """One tangent an integration point that can be applied to parts of the grid.

        Empty where the body has several laws, or one that cannot.
        """
        tangents = [tangent for parts in self._parts for _, tangent in parts]
        alone = all(parts[0][0].points is None for parts in self._parts)
        able = all(hasattr(tangent, "apply_part") for tangent in tangents)
        return tangents if alone and able else []

    def apply(self, strain: Any) -> Any:
        """ds of de, (q, c, x, y, z), in the precision of de."""
        xp, flat = flatten(strain)
        if len(self._parts) == 1 and len(self._parts[0]) == 1:
            return self._parts[0][0][1].apply(flat[0]).reshape(strain.shape)
        stress = xp.empty_like(flat)
        for q, parts in enumerate(self._parts):
            for group, tangent in parts:
                group.put(stress[q], tangent.apply(group.take(flat[q])))
        return stress.reshape(strain.shape)


class MaterialField:
    """Laws by phase on the voxels of a microstructure.

    Parameters
    ----------
    microstructure
        Checked. A phase without a law is linear elastic: Hooke, or at finite strain
        St. Venant-Kirchhoff.
    finite
        Whether strains are F and stresses P.
    eigenstrain
        By phase, Mandel (P, 6), or None: laws are given the strain less this one.
    backend
        Arrays.

    Attributes
    ----------
    rate
        Whether the body has no elasticity: stresses follow from strain rates.
    eigenstrain
        At points, (6, n), or None.

    Raises
    ------
    InputError
        A law of the other kind of strain, an eigenstrain at finite strain, elastic
        phases beside others whose stress depends on rates only.
    """

    def __init__(
        self,
        microstructure: Microstructure,
        finite: bool,
        eigenstrain: np.ndarray | None,
        backend: Backend,
    ) -> None:
        self._xp = xp = backend.xp
        self.shape = microstructure.grid.shape
        self.eigenstrain = None
        if eigenstrain is not None:
            if finite:
                raise InputError(
                    "eigenstrain and thermal expansion at finite strain",
                    "none",
                    "leave them out, or solve at small strain",
                )
            ids = microstructure.phase.ravel()
            self.eigenstrain = xp.asarray(eigenstrain[ids].T.copy())
        self.groups = law_groups(microstructure, finite, backend)
        # pores fit either kind
        solid = [m for m in self.materials if m.stiffness.any()]
        rates = {material.rate for material in solid}
        if len(rates) > 1:
            raise InputError(
                "some phases are elastic and others have rates only",
                "all of one kind (pores aside)",
                "use creep or crystal_plasticity",
            )
        self.rate = rates == {True}
        if self.rate:
            # a constant has no rate
            self.eigenstrain = None

    @property
    def materials(self) -> list[Material]:
        """The law of each group."""
        return [group.material for group in self.groups]

    @property
    def foresight(self) -> bool:
        """Whether a law's tangent depends on the stress that was foreseen."""
        return any(material.foresight for material in self.materials)

    def start(self, points: int) -> State:
        """State before any load, of so many integration points a voxel."""
        one = [
            self._xp.asarray(group.material.start(group.rows)) for group in self.groups
        ]
        return [one for _ in range(points)]

    def prepare(self, strain: Any, precision: Any) -> None:
        """Evaluate each law at one point, which compiles it."""
        _, flat = flatten(strain)
        for group in self.groups:
            one = group.take(flat[0])[:, :1]
            rows = group.rows[:1]
            state = self._xp.asarray(group.material.start(rows))
            step = StrainStep(rows, one, one, state, 1.0, precision)
            tangent = group.respond(step).tangent
            assert tangent is not None
            tangent.apply(one.astype(precision))

    def respond(
        self,
        strain: Any,
        before: Any,
        state: State,
        dt: float,
        precision: Any = None,
        foreseen: Any = None,
    ) -> FieldResponse:
        """Stress, state and tangent of all points at the end of a step.

        `strain`, `before` and `foreseen` are (q, c, x, y, z); see `StrainStep`.
        """
        xp, flat = flatten(strain)
        _, flat_before = flatten(before)
        stress: Any = None
        states: State = []
        tangents: list[list[tuple[Group, Tangent]]] = []
        for q in range(len(flat)):
            states.append([])
            tangents.append([])
            own, own_before = self.elastic(flat[q]), self.elastic(flat_before[q])
            for group, old in zip(self.groups, state[q], strict=True):
                fields = group.take(own), group.take(own_before)
                step = StrainStep(group.rows, *fields, old, dt, precision)
                if foreseen is not None:
                    own_foreseen = foreseen[q].reshape(flat[q].shape)
                    step = step._replace(foreseen=group.take(own_foreseen))
                response = group.respond(step)
                if len(flat) == 1 and group.points is None:
                    stress = response.stress[None]
                else:
                    stress = xp.empty_like(flat) if stress is None else stress
                    group.put(stress[q], response.stress)
                states[q].append(response.state)
                if response.tangent is not None:
                    tangents[q].append((group, response.tangent))
        tangent = None if precision is None else FieldTangent(tangents)
        return FieldResponse(stress.reshape(strain.shape), states, tangent)

    def turn(self, microstructure: Microstructure) -> None:
        """Take orientations and stiffnesses of crystals that slip from a body."""
        assert microstructure.stiffness is not None
        for _, group in self.crystals:
            material, own = group.material, group.phases
            material.rotation = rotations(microstructure, own)
            material.stiffness = microstructure.stiffness[own]
            material.prepare()

    @property
    def crystals(self) -> list[tuple[int, Group]]:
        """Groups whose laws have slip systems, and their numbers."""
        return [
            (number, group)
            for number, group in enumerate(self.groups)
            if isinstance(group.material.laws[0], SlipLaw)
        ]

    def expect(self, state: State, ratio: float) -> State:
        """See `Material.expect`."""
        return [
            [group.material.expect(own, ratio) for group, own in self._each(states)]
            for states in state
        ]

    def correct(self, begun: State, ended: State, share: float = 1.0) -> State:
        """See `Material.correct`."""
        return [
            [
                group.material.correct(own, end, share)
                for (group, own), end in zip(self._each(states), ends, strict=True)
            ]
            for states, ends in zip(begun, ended, strict=True)
        ]

    def for_potentials(self, begun: State, ended: State) -> State:
        """See `Material.for_potentials`."""
        return [
            [
                group.material.for_potentials(own, end)
                for (group, own), end in zip(self._each(states), ends, strict=True)
            ]
            for states, ends in zip(begun, ended, strict=True)
        ]

    def time_error(self, begun: State, ended: State) -> float | None:
        """Relative error of what laws held constant in a step; None if none does."""
        error = size = 0.0
        for states, ends in zip(begun, ended, strict=True):
            for (group, own), end in zip(self._each(states), ends, strict=True):
                parts = group.material.time_error(group.rows, own, end)
                if parts is not None:
                    error, size = (
                        error + float(parts[0].sum()),
                        size + float(parts[1].sum()),
                    )
        return error / size if size else None

    def _each(self, states: list[Any]) -> Iterator[tuple[Group, Any]]:
        return zip(self.groups, states, strict=True)

    def variables(self, state: State) -> dict[str, Any]:
        """Voxel averages of internal variables by name, (k, x, y, z); else zero.

        k is that of the law that has most.
        """
        fields: dict[str, Any] = {}
        for name, size in (
            item for material in self.materials for item in material.variables.items()
        ):
            if size > len(fields.get(name, ())):
                fields[name] = self._xp.zeros((size, int(np.prod(self.shape))))
        for number, group in enumerate(self.groups):
            first = 0
            for name, size in group.material.variables.items():
                last = first + size
                average = sum(part[number][first:last] for part in state) / len(state)
                group.put(fields[name][:size], average)
                first = last
        return {
            name: field.reshape(len(field), *self.shape)
            for name, field in fields.items()
        }

    def elastic(self, flat: Any) -> Any:
        """Strains (c, n) less the eigenstrain."""
        return flat if self.eigenstrain is None else flat - self.eigenstrain

    def stress_free(self, strain: Any) -> Any:
        """A strain (q, c, x, y, z) of no stress, and the eigenstrain."""
        if self.eigenstrain is None:
            return strain
        return strain + self.eigenstrain.reshape(strain.shape[1:])


def flatten(field: Any) -> tuple[Any, Any]:
    """Return the array library, and (q, c, n) of a field (q, c, x, y, z)."""
    return namespace(field), field.reshape(*field.shape[:2], -1)
