"""Load paths (TOML): what is prescribed at the end of each step.

[[step]]
strain = { xx = 0.01 }             mean strain, tensor components; the others are zero
stress = { yy = 0, zz = 0 }        mean stress
time = 1.0                         duration; 1 unless given
increments = 20                    equal parts; 1 unless given
[[step]]
rate = { xx = -1e-3 }              strain a unit of time, from what the strain is when
stress = { yy = 0, zz = 0 }        the step begins; components not named keep theirs
[[step]]
uniaxial = { xx = 0.01 }           this strain, zero stress in the five others

At finite strain F and P, xx xy xz yx yy yz zx zy zz by row and column:

[[step]]
F = { xx = 1.1, xy = 0.2 }         F not named is that of the identity
P = { yy = 0 }

and, for `uniaxial = { xx = 1.1 }` to be a stretch, `finite = true` at the top.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

from fftmech.errors import InputError
from fftmech.io.toml_file import check_keys, number, read_toml, whole
from fftmech.loads.finite_load import NAMES, FiniteLoad
from fftmech.loads.load import Load
from fftmech.loads.path import Path, Step
from fftmech.tensors import COMPONENTS

SMALL = ("strain", "rate", "stress", "uniaxial")
FINITE = ("F", "P", "uniaxial")

MOST_INCREMENTS = 10**6
"""Of a step."""


def read_path(path: str | PathLike) -> Path:
    """Read a load path, all steps of small or all of finite strain.

    The module's docstring shows the file; an InputError names the step at fault.
    """
    name = fspath(path)
    document = read_toml(path)
    check_keys(document, ("finite", "step"), name)
    finite = document.get("finite", False)
    if not isinstance(finite, bool):
        raise InputError(f"{name}: finite = {finite!r}", "true or false")
    entries = document.get("step")
    if not isinstance(entries, list) or not entries:
        raise InputError(
            f"{name}: no steps",
            "[[step]] with a load, for instance uniaxial = { xx = 0.01 }",
        )
    reader = _Reader(finite or any(_names(entry, "FP") for entry in entries))
    steps = []
    for n, entry in enumerate(entries, start=1):
        where = f"{name}: step {n}"
        try:
            steps.append(reader.step(entry))
        except InputError as error:
            raise error.within(where) from error
    return Path(tuple(steps))


@dataclass(frozen=True)
class _Reader:
    """Reads steps of one kind of strain."""

    finite: bool

    def step(self, entry: Any) -> Step:
        """A step from its table."""
        if not isinstance(entry, Mapping):
            raise InputError(f"{entry!r}", "a table, [[step]]")
        kinds, others = (FINITE, SMALL) if self.finite else (SMALL, FINITE)
        mixed = [key for key in others if key in entry and key not in kinds]
        if mixed:
            raise InputError(
                f"{mixed[0]} in a path of {'finite' if self.finite else 'small'} "
                "strain",
                f"{', '.join(kinds)}, in all steps",
            )
        check_keys(entry, (*kinds, "time", "increments"))
        given = [key for key in kinds if key in entry]
        if not given:
            raise InputError("no load", f"one or more of {', '.join(kinds)}")
        values = {key: self._components(key, entry[key]) for key in given}
        time = number(entry.get("time", 1.0), "time")
        if not time > 0:
            raise InputError(f"time = {time:g}", "a positive duration")
        load = self._load(values, time)
        return Step(load, time, _increments(entry), "rate" in values)

    def _load(
        self, values: dict[str, dict[str, float]], time: float
    ) -> Load | FiniteLoad:
        kind = FiniteLoad if self.finite else Load
        if "uniaxial" in values:
            if len(values) > 1 or len(values["uniaxial"]) != 1:
                raise InputError(
                    "uniaxial sets all components",
                    f"one, for instance {{ xx = {1.1 if self.finite else 0.01} }}, "
                    "and nothing beside it",
                )
            ((component, value),) = values["uniaxial"].items()
            return kind.uniaxial(component, value)
        if self.finite:
            return FiniteLoad(values.get("F", {}), values.get("P", {}))
        if "rate" in values:
            if "strain" in values:
                raise InputError("strain and rate are both given", "one of them")
            strain = {c: rate * time for c, rate in values["rate"].items()}
        else:
            strain = values.get("strain", {})
        return Load(strain, values.get("stress", {}))

    def _components(self, key: str, table: Any) -> dict[str, float]:
        names = NAMES if self.finite else COMPONENTS
        if not isinstance(table, Mapping):
            raise InputError(
                f"{key} = {table!r}",
                f"values by component, for instance {key} = {{ xx = 0.01 }}",
            )
        for name in table:
            if name not in names:
                what = f"{key} component {name!r}"
                raise InputError(what, f"one of {', '.join(names)}")
        return {name: number(v, f"{key} {name}") for name, v in table.items()}


def _increments(entry: Mapping[str, Any]) -> int:
    expected = f"a whole number from 1 to {MOST_INCREMENTS}"
    count = whole(entry.get("increments", 1), "increments", expected, 1)
    if count > MOST_INCREMENTS:
        raise InputError(f"increments = {count}", expected)
    return count


def _names(entry: Any, keys: str) -> bool:
    return isinstance(entry, Mapping) and any(key in entry for key in keys)
