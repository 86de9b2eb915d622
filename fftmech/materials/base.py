"""Constitutive laws: constants of a phase, and the stress at points.

A `Law` holds the constants of one phase. A `Material` computes the stress of all phases
with the same law; it works on n points at once, component first, points last:

    strain   (c, n)     e, Mandel, c = 6; or F by rows, F_xx F_xy F_xz F_yx ..., c = 9
    stress   (c, n)     s, Mandel, or P by rows
    state    (k, n)     internal variables
    rows     (n,)       which phase's constants a point has

The stress at the end of a step of duration dt follows from the strain there, the strain
and the state at its beginning. Nothing is changed in place, so that a step can be
rejected.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from math import isfinite
from typing import Any, ClassVar, NamedTuple

import numpy as np

from fftmech.errors import InputError
from fftmech.materials.tangent import Tangent


@dataclass(frozen=True)
class Law:
    """Constants of one phase: numbers, or lists of numbers, checked when it is made.

    Subclasses are frozen dataclasses whose fields are the constants.

    Attributes
    ----------
    name
        Key of the law in a materials file.
    material
        The `Material` that evaluates it.
    directed
        Whether it distinguishes directions of the crystal beyond the stiffness.
    isochoric
        Whether it flows without change of volume.
    """

    name: ClassVar[str]
    material: ClassVar["type[Material]"]
    directed: ClassVar[bool] = False
    isochoric: ClassVar[bool] = False

    @property
    def structure(self) -> tuple[int, ...]:
        """Sizes of its tables, where laws of one kind differ in them."""
        return ()

    @property
    def variables(self) -> Mapping[str, int]:
        """Internal variables: those of its material, or as many as constants ask for.

        See `Material.variables`.
        """
        return self.material.variables

    @property
    def stiffness(self) -> np.ndarray | None:
        """Elastic stiffness (or viscosity), Mandel (6, 6), if the constants imply it.

        None where the phase gives it beside the law.
        """
        return None

    @classmethod
    def parse(cls, entry: Any, where: str) -> "Law":
        """Make a law from the table of a materials file.

        Raises
        ------
        InputError
            A key that is unknown or missing, a value that is no number.
        """
        known = {f.name: f.default is MISSING for f in fields(cls)}
        if not isinstance(entry, Mapping):
            raise InputError(where, f"a table with {', '.join(known)}")
        for key in entry:
            if key not in known:
                raise InputError(f"{where}: unknown key {key!r}", f"{', '.join(known)}")
        missing = [key for key, needed in known.items() if needed and key not in entry]
        if missing:
            raise InputError(
                f"{where}: {', '.join(missing)} missing", f"{', '.join(known)}"
            )
        values = {key: cls.value(key, v, where) for key, v in entry.items()}
        try:
            return cls(**values)
        except InputError as error:
            raise error.within(where) from error

    @classmethod
    def value(cls, key: str, value: Any, where: str) -> Any:
        """Read one constant of a table: a number, or a list of numbers as a tuple."""
        types = {f.name: str(f.type) for f in fields(cls)}
        if "tuple" in types[key]:
            if not isinstance(value, list):
                raise InputError(f"{where}: {key} = {value!r}", "a list, [...]")
            if not all(_is_number(x) for x in value):
                raise InputError(f"{where}: {key} = {value!r}", "numbers")
            return tuple(value)
        if not _is_number(value):
            raise InputError(f"{where}: {key} = {value!r}", "a number")
        return value

    def constants(self) -> dict[str, Any]:
        """The constants by name, JSON-ready: what `parse` makes the law from."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


class StrainStep(NamedTuple):
    """The strain of n points over a step of time.

    Attributes
    ----------
    rows
        Row of each point in the tables of its material, (n,).
    strain, before
        At the end and at the beginning of the step, (c, n).
    state
        Internal variables at its beginning, (k, n).
    dt
        Duration, > 0.
    precision
        Real dtype of the tangent; None if none is wanted.
    foreseen
        Stress that the last Newton step foresaw with its tangent, (c, n), for materials
        with `Material.foresight`; None if there was none.
    """

    rows: Any
    strain: Any
    before: Any
    state: Any
    dt: float = 1.0
    precision: Any = None
    foreseen: Any = None


class Response(NamedTuple):
    """Stress, internal variables and tangent at the end of a step.

    Attributes
    ----------
    stress
        (c, n).
    state
        Internal variables at the end of the step, (k, n).
    tangent
        None unless `StrainStep.precision` is given.
    """

    stress: Any
    state: Any
    tangent: Tangent | None


class Material(ABC):
    """One law, for all phases that have it.

    Parameters
    ----------
    laws
        Constants, one of each row.
    stiffness
        Sample frame, Mandel, (R, 6, 6), stress units.
    rotation
        R with v_sample = R v_crystal, (R, 3, 3).

    Attributes
    ----------
    finite
        Whether it maps F to P, instead of e to s.
    rate
        Whether it has no elasticity: s follows from (e - before) / dt.
    foresight
        Whether its tangent depends on `StrainStep.foreseen`: see `held` of
        `fftmech.materials.tangent`.
    variables
        Internal variables: name and number of components. Symmetric tensors are Mandel
        and have 6. Nothing else has 6, but for
        `fftmech.results.field_names.BY_SYSTEM`.
    """

    finite: ClassVar[bool] = False
    rate: ClassVar[bool] = False
    foresight: ClassVar[bool] = False
    variables: Mapping[str, int] = {}

    def __init__(
        self, laws: Sequence[Any], stiffness: np.ndarray, rotation: np.ndarray
    ) -> None:
        self.laws = tuple(laws)
        self.stiffness = np.asarray(stiffness, dtype=float)
        self.rotation = np.asarray(rotation, dtype=float)
        self.prepare()

    def prepare(self) -> None:  # noqa: B027
        """Make the tables that `respond` reads from constants, stiffness, rotation."""

    def start(self, rows: Any) -> Any:
        """State before any load, (k, n): zeros unless a law overrides it."""
        size = sum(self.variables.values())
        return np.zeros((size, len(rows)))

    @abstractmethod
    def respond(self, step: StrainStep) -> Response:
        """Stress, state and tangent at the end of a step.

        Stress and state are NaN where the law has none (a local iteration that fails, a
        voxel turned inside out).
        """

    def expect(self, state: Any, ratio: float) -> Any:
        """State to begin a step with, after one that was shorter by `ratio`.

        Where a law holds something constant during a step, this is where it foresees
        what that will be.
        """
        return state

    def correct(self, begun: Any, ended: Any, share: float = 1.0) -> Any:
        """State `begun` with what the step's end, `ended`, says that it should hold.

        Or with a share of that, and the rest of what it held.
        """
        return begun

    def for_potentials(self, begun: Any, ended: Any) -> Any:
        """State `begun` with the hardening that the potentials of the step hold.

        Of laws that hold it in the step it is that, of others what they `ended` with.
        """
        return begun

    def time_error(self, rows: Any, begun: Any, ended: Any) -> Any:
        """Error of what was held constant in a step, and its size, (n,) each; or None.

        `begun` is the state that the step began with, `ended` the one at its end.
        """
        return None

    def inelastic_strain(self, state: Any) -> Any:
        """Strain from which the potentials of a step count theirs, (6, n); or None.

        `state` is that at the beginning of the step.
        """
        return None

    def energy(self, rows: Any, strain: Any, state: Any = None, dt: float = 1.0) -> Any:
        """Potential w, (n,): s = dw/de; of the strain, of F or, if `rate`, of rates.

        `state` is that at the beginning of the step, as `for_potentials` has it, or
        `start` if None. The strain is that beyond `inelastic_strain`.

        Raises
        ------
        NotImplementedError
            There is none.
        """
        raise NotImplementedError

    def conjugate_energy(
        self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0
    ) -> Any:
        """Conjugate potential w* of a convex w, (n,); inf where it is infinite.

        Raises
        ------
        NotImplementedError
            There is none: w is not convex, or not known in closed form.
        """
        raise NotImplementedError

    def conjugate_strain(
        self, rows: Any, stress: Any, state: Any = None, dt: float = 1.0
    ) -> Any:
        """dw*/ds of stresses, (6, n): the strain, or the rate, that they belong to.

        Hardening that is not held is that which they bring by the end of the step.

        Raises
        ------
        NotImplementedError
            The law is not explicit in the stress.
        """
        raise NotImplementedError

    def state_after(self, rows: Any, stress: Any, state: Any, dt: float) -> Any:
        """State at the end of a step that ends at a stress of `conjugate_strain`."""
        return state

    def gap(
        self,
        rows: Any,
        strain: Any,
        stress: Any,
        state: Any = None,
        dt: float = 1.0,
        energies: tuple[Any, Any] | None = None,
    ) -> Any:
        """w(e) + w*(s) - s : e >= 0, (n,); laws that can avoid the difference do.

        `energies` are w and w*, if they are known.

        Raises
        ------
        NotImplementedError
            There is no convex potential.
        """
        w, conjugate = energies or (
            self.energy(rows, strain, state, dt),
            self.conjugate_energy(rows, stress, state, dt),
        )
        return w + conjugate - (stress * strain).sum(0)


def table(laws: Sequence[Any], name: str) -> np.ndarray:
    """One constant of every row, (R,) or (R, m)."""
    return np.array([getattr(law, name) for law in laws], dtype=float)


def positive(law: Law, *names: str) -> None:
    """Refuse constants that are not positive.

    Raises
    ------
    InputError
        Naming the first.
    """
    for name in names:
        value = getattr(law, name)
        if not value > 0:
            raise InputError(f"{name} = {value!r}", "a positive number")


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and isfinite(value)
