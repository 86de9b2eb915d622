"""The tables of a materials file: every key, type and number checked as it is read."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io.toml_file import check_keys, number, whole
from fftmech.materials import elastic
from fftmech.materials.base import Law
from fftmech.materials.laws import LAWS
from fftmech.tensors import (
    COMPONENTS,
    IDENTITY,
    J,
    K,
    mandel_from_components,
    quaternion_from_bunge,
)
from fftmech.tensors.bounds import hashin_shtrikman, is_isotropic
from fftmech.tensors.stiffness import isotropic_moduli

CONSTANTS: dict[str, tuple[Callable[..., np.ndarray], ...]] = {
    "cubic": (elastic.cubic,),
    "hexagonal": (elastic.hexagonal,),
    "tetragonal": (elastic.tetragonal,),
    "trigonal": (elastic.trigonal,),
    "transversely_isotropic": (elastic.transversely_isotropic,),
    "orthotropic": (elastic.orthotropic, elastic.orthotropic_moduli),
}
"""Symmetry classes: functions whose arguments are the names of the constants."""

STIFFNESS_KEYS = ("isotropic", *CONSTANTS, "stiffness", "pore", "rigid")
KEYS = (*STIFFNESS_KEYS, "euler", "eigenstrain", "thermal_expansion", "units")
"""Keys of a phase that are no laws."""

PAIRS = ("E", "nu", "K", "G", "lambda", "mu")
RULES = ("voigt", "hashin-shtrikman")


PRESSURES = {"Pa": 1.0, "kPa": 1e3, "MPa": 1e6, "GPa": 1e9, "TPa": 1e12}
"""Units of stress that are converted into each other."""


def conversion(unit: Any, into: str | None) -> float | None:
    """Factor from one unit of stress to another, or None where it is not known."""
    if unit == into:
        return 1.0
    try:
        return PRESSURES[unit] / PRESSURES[into]  # type: ignore[index]
    except (KeyError, TypeError):
        return None


@dataclass(frozen=True)
class Phase:
    """Properties of a phase in its crystal frame, Mandel; None is not given.

    A stiffness of zero is a pore, an infinite one a rigid phase. The orientation is a
    unit quaternion w x y z, v_sample = R v_crystal. Without a law the phase is linear
    elastic.
    """

    stiffness: np.ndarray
    orientation: np.ndarray | None = None
    eigenstrain: np.ndarray | None = None
    thermal_expansion: np.ndarray | None = None
    law: Law | None = None


@dataclass(frozen=True)
class Grey:
    """Composite voxels: grey value g is a fraction g / full of solid in empty space.

    The rule "voigt" is the fraction times the stiffness of the solid (Mandel), and
    "hashin-shtrikman" the upper bound for an isotropic solid with pores.
    """

    solid: np.ndarray
    full: int
    rule: str

    def phase(self, grey: int, name: str) -> Phase:
        """Properties of the phase whose id is a grey value."""
        if grey > self.full:
            raise InputError(
                f"{name}: grey value {grey} of the image is above full = {self.full}",
                mend="set full to the grey value of solid",
            )
        fraction = grey / self.full
        if self.rule == "voigt" or grey in (0, self.full):
            return Phase(fraction * self.solid)
        bulk, shear = isotropic_moduli(self.solid)
        fractions = (fraction, 1 - fraction)
        upper = hashin_shtrikman((bulk, 0.0), (shear, 0.0), fractions)
        return Phase(3 * upper["K"][1] * J + 2 * upper["G"][1] * K)


def integer(entry: dict[str, Any], key: str, where: str) -> int:
    """Return the whole number >= 0 of a key that must be there."""
    if key not in entry:
        raise InputError(f"{where} has no {key}: add {key} = 0 (a whole number >= 0)")
    return whole(entry[key], f"{where}: {key}", "a whole number >= 0")


def parse_phase(entry: Any, where: str, unit: str | None = None) -> Phase:
    """Read the table of a phase (without its id); stiffness in `unit`, of the file."""
    check_keys(entry, (*KEYS, *LAWS), where)
    orientation = None
    if "euler" in entry:
        angles = _numbers(entry["euler"], 3, f"{where}: euler", "[phi1, Phi, phi2]")
        orientation = quaternion_from_bunge(np.array(angles), degrees=True)
    law = parse_law(entry, where)
    stiffness = None if law is None else law.stiffness
    if stiffness is None:
        stiffness = parse_stiffness(entry, where)
    if "units" in entry:
        factor = conversion(entry["units"], unit)
        if factor is None or (law is not None and factor != 1):
            raise InputError(
                f"{where}: units = {entry['units']!r} where the file's are {unit!r}",
                f"two of {', '.join(PRESSURES)}, for elastic constants",
                "write all constants in one unit",
            )
        stiffness = factor * stiffness
    return Phase(
        stiffness,
        orientation,
        _strain(entry, "eigenstrain", where),
        _strain(entry, "thermal_expansion", where),
        law,
    )


def parse_law(entry: dict[str, Any], where: str) -> Law | None:
    """The law that a table gives, or None."""
    names = [key for key in LAWS if key in entry]
    if not names:
        return None
    if len(names) > 1:
        raise InputError(
            f"{where}: {' and '.join(names)} are both given", "one law at most"
        )
    (name,) = names
    if name in KEYS:  # one of another package
        raise InputError(
            f"{where}: {name} is a key of materials files, and a law of the package "
            f"{LAWS.package(name)}",
            mend="uninstall that, or rename its entry point",
        )
    law = LAWS[name].parse(entry[name], f"{where}: {name}")
    elastic_keys = [key for key in STIFFNESS_KEYS if key in entry]
    if law.stiffness is not None and elastic_keys:
        raise InputError(
            f"{where}: {name} has constants of its own: leave out {elastic_keys[0]}"
        )
    return law


def parse_stiffness(entry: dict[str, Any], where: str) -> np.ndarray:
    """Mandel stiffness (6, 6) from the one key of a table that gives it."""
    kinds = [key for key in STIFFNESS_KEYS if key in entry]
    if len(kinds) != 1:
        given = f"{' and '.join(kinds)} are both given" if kinds else "has no stiffness"
        raise InputError(
            f"{where}: {given}", f"exactly one of {', '.join(STIFFNESS_KEYS)}"
        )
    (kind,) = kinds
    value = entry[kind]
    where = f"{where}: {kind}"
    try:
        if kind in ("pore", "rigid"):
            if value is not True:
                raise InputError("expected true", mend=f"else leave {kind} out")
            return elastic.PORE if kind == "pore" else elastic.RIGID
        if kind == "stiffness":
            if not isinstance(value, list) or len(value) != 6:
                raise InputError("expected six rows of six numbers, Voigt")
            rows = [_numbers(row, 6, "row", "") for row in value]
            return elastic.anisotropic(np.array(rows))
        if kind == "isotropic":
            check_keys(value, PAIRS, "constants")
            return elastic.isotropic(**{k: number(v, k) for k, v in value.items()})
        return _by_constants(kind, value)
    except InputError as error:
        raise error.within(where) from error


def _by_constants(kind: str, value: Any) -> np.ndarray:
    """Stiffness of a symmetry class, by one of its sets of constants."""
    sets = {f: tuple(signature(f).parameters) for f in CONSTANTS[kind]}
    check_keys(value, [name for names in sets.values() for name in names], "constants")
    # of several sets, the one that most of what is given belongs to
    function, names = max(sets.items(), key=lambda s: len(set(s[1]) & set(value)))
    missing = [name for name in names if name not in value]
    if missing:
        raise InputError(f"{', '.join(missing)} missing", f"{', '.join(names)}")
    check_keys(value, names, "constants")
    return function(**{k: number(v, k) for k, v in value.items()})


def parse_grey(entry: Any, where: str) -> Grey:
    """Read the table [grey]."""
    check_keys(entry, ("solid", "full", "rule"), where)
    solid = entry.get("solid")
    if not isinstance(solid, dict):
        raise InputError(
            f"{where}: solid missing: add solid = {{ K = 70.2, G = 29.0 }}"
        )
    if not any(key in STIFFNESS_KEYS for key in solid):
        solid = {"isotropic": solid}
    check_keys(solid, STIFFNESS_KEYS, f"{where}: solid")
    stiffness = parse_stiffness(solid, f"{where}: solid")
    if not stiffness.any():
        raise InputError(f"{where}: solid is a pore: give it a stiffness")
    if elastic.is_rigid(stiffness):
        raise InputError(f"{where}: solid is rigid: give it a stiffness")
    full = integer({"full": 255, **entry}, "full", where)
    if full == 0:
        raise InputError(f"{where}: full = 0", "the grey value of solid, > 0")
    rule = entry.get("rule", "voigt")
    if rule not in RULES:
        raise InputError(f"{where}: rule {rule!r}", f"{' or '.join(RULES)}")
    if rule == "hashin-shtrikman" and not is_isotropic(stiffness):
        raise InputError(
            f"{where}: hashin-shtrikman needs an isotropic solid",
            mend='give one, or rule = "voigt"',
        )
    return Grey(stiffness, full, rule)


def parse_units(document: dict[str, Any], name: str) -> dict[str, str]:
    """Units of a document: the stress unit alone, or a table of names."""
    units = document.get("units", {})
    if isinstance(units, str):
        return {"stress": units}
    if not isinstance(units, dict) or not all(
        isinstance(u, str) for u in units.values()
    ):
        raise InputError(
            f"{name}: units = {units!r}",
            'text, "GPa", or a table { stress = "GPa", length = "um" }',
        )
    return dict(units)


def _numbers(value: Any, count: int, where: str, form: str) -> list[float]:
    if not isinstance(value, list) or len(value) != count:
        raise InputError(f"{where} = {value!r}", f"{count} numbers {form}")
    return [number(v, where) for v in value]


def _strain(entry: dict[str, Any], key: str, where: str) -> np.ndarray | None:
    """Mandel vector of a number (isotropic) or of tensor components by name."""
    if key not in entry:
        return None
    value, where = entry[key], f"{where}: {key}"
    if not isinstance(value, dict):
        return number(value, where) * IDENTITY
    check_keys(value, COMPONENTS, where)
    components = [number(value.get(c, 0.0), f"{where} {c}") for c in COMPONENTS]
    return mandel_from_components(np.array(components))
