"""Names of the fields of results, and which of them are asked for."""

from collections.abc import Iterable

from fftmech.errors import InputError
from fftmech.loads.finite_load import FiniteLoad
from fftmech.loads.load import Load
from fftmech.loads.path import Path
from fftmech.microstructure.base import Microstructure

FIELDS = ("strain", "stress", "energy_density", "von_mises", "displacement")
"""Fields that every result may have."""

FINITE = ("F", "P")
"""Fields of finite strain."""

BY_SYSTEM = ("slip", "slip_increment")
"""Internal variables with a number for each slip system: six of them are no tensor."""

Fields = str | Iterable[str] | None
"""Names, also as "stress,strain"; "all", which None is too; "none"."""


def known_names(
    body: Microstructure, load: Load | FiniteLoad | Path
) -> tuple[str, ...]:
    """Names of the fields that a solve can have, internal variables of laws too."""
    finite = load.finite if isinstance(load, Path) else isinstance(load, FiniteLoad)
    laws = [body.law[p] for p in body.phases if p in body.law]
    variables = dict.fromkeys(name for law in laws for name in law.variables)
    return (*FIELDS, *(FINITE if finite else ()), *variables)


def is_tensor(variable: str, components: int) -> bool:
    """Whether an internal variable is a symmetric tensor, Mandel, by its name."""
    return components == 6 and variable not in BY_SYSTEM


def chosen(fields: Fields, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that are asked for, in the order of `known`.

    Raises
    ------
    InputError
        A name that is not known, with those that are.
    """
    if fields is None or fields == "all":
        return known
    if fields == "none":
        return ()
    names = fields.split(",") if isinstance(fields, str) else fields
    asked = {str(name).strip() for name in names}
    for name in sorted(asked):
        if name not in known:
            raise InputError(
                f"field {name!r}", f"{', '.join(known)}, or all, or none of them: none"
            )
    return tuple(name for name in known if name in asked)
