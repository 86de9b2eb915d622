"""DAMASK's materials file (`material.yaml`), beside its grid (`.vti`).

phase:                                  names of what grains are made of
  copper:
    lattice: cF                         cF, cI cubic; hP hexagonal; tI tetragonal
    mechanical:
      elastic: { type: Hooke, C_11: 168.4e9, C_12: 121.4e9, C_44: 75.4e9 }
material:                               entry m is what voxels of number m are
- constituents:
  - { phase: copper, v: 1.0, O: [0.018, 0.716, -0.645, -0.269] }

Stresses are in Pa. `O` is a unit quaternion w x y z of a passive rotation, from the
sample to the crystal, in the convention P = -1 of Rowenhorst et al. 2015
(doi:10.1088/0965-0393/23/8/083501): its numbers are those of ours, v_sample = R
v_crystal. Plasticity is read where it is a law of ours: `phenopowerlaw` on whole
families of slip systems whose resistance hardens as xi' = h_0 (1 - xi / xi_inf) sum_b
h_b |gamma_b'|, that is, a_sl = 1, is `crystal_plasticity` with, of each family,

    tau0 = xi_0,  tau1 = xi_inf - xi_0,  theta0 = h_0 h (1 + h_int) tau1 / xi_inf

where all of h_sl-sl is h. Where it is not, the seven that octahedral systems of cF have
are `latent_hardening`, with h = 1; those of other lattices are not ours.

The format is described at https://damask-multiphysics.org, "Material Configuration".
"""

from collections.abc import Callable
from math import hypot
from os import PathLike, fspath
from pathlib import Path
from reprlib import repr as short
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io.materials_table import Phase
from fftmech.materials import elastic
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.slip import SlipFamily
from fftmech.materials.slip_interactions import TYPES
from fftmech.materials.slip_systems import slip_systems

CONSTANTS = {
    "cF": (elastic.cubic, "C_11 C_12 C_44"),
    "cI": (elastic.cubic, "C_11 C_12 C_44"),
    "hP": (elastic.hexagonal, "C_11 C_12 C_13 C_33 C_44"),
    "tI": (elastic.tetragonal, "C_11 C_12 C_13 C_33 C_44 C_66"),
}
"""Stiffness by Bravais lattice: a function and the names of its arguments."""

SLIP = {
    "cF": ("fcc", ("octahedral",)),
    "cI": ("bcc", ("110", "112")),
    "hP": ("hcp", ("basal", "prismatic", "pyramidal_a", "pyramidal_ca")),
}
"""Lattice and families of slip systems of ours, in the order of N_sl."""

IDENTITY = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]

DEEPEST = 50
"""Levels of nesting: the parser of PyYAML does not survive many thousands."""

SILENT = ("references", "output", "type")
"""Keys that change nothing here."""

USED = (
    "material: phase and orientation of each entry",
    "phase: Hooke's constants (Pa), their names",
    "phenopowerlaw, where it is crystal_plasticity",
)
IGNORED = (
    "homogenization",
    "other plasticity, thermal and damage laws",
    "constants' dependence on temperature",
)


def read(path: str | PathLike) -> dict[str, Any]:
    """Return what `Materials` takes: phases, names, units and notes.

    Raises
    ------
    InputError
        What is no YAML, lacks what is needed, or has several constituents a voxel.
    """
    name = fspath(path)
    document = _table(_parse(name), name)
    entries = document.get("material")
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{name}: material", "a list, an entry a grain")
    listed = _table(document.get("phase"), f"{name}: phase")
    listed = {str(what): phase for what, phase in listed.items()}
    notes: dict[str, None] = {}
    made: dict[str, Phase] = {}
    phases: dict[int, Phase] = {}
    made_of: dict[int, str] = {}
    for m, entry in enumerate(entries):
        where = f"{name}: material {m}"
        what, orientation = _constituent(entry, where, notes)
        if what not in made:
            made[what] = _phase(listed, what, name, notes)
        phases[m] = Phase(made[what].stiffness, orientation, law=made[what].law)
        made_of[m] = what
    units = {"stress": "Pa"}
    if any(phase.law for phase in made.values()):
        units["time"] = "s"
    return {
        "phases": phases,
        "made_of": made_of,
        "units": units,
        "notes": tuple(notes),
    }


def _parse(name: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise InputError(
            f"{name}: reading YAML needs PyYAML",
            mend='pip install "fftmech[formats]"',
        ) from error
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc, valid-type]
        """Safe, and refuses a key that is given twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if isinstance(key.value, str)]
            twice = {key for key in keys if keys.count(key) > 1} - {"<<"}
            if twice:
                raise yaml.YAMLError(f"{twice.pop()} is given twice")
            return super().construct_mapping(node, deep)

    try:
        # a constructor of mappings by generator would not call the check
        Loader.add_constructor(
            "tag:yaml.org,2002:map",
            lambda loader, node: loader.construct_mapping(node, deep=True),
        )
        content = Path(name).read_bytes()
        depth = 0
        for event in yaml.parse(content, base):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise yaml.YAMLError(f"nested more than {DEEPEST} levels deep")
        return yaml.load(content, Loader)
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file", mend="check --materials") from error
    except OSError as error:
        raise InputError(
            f"{name}: {error.strerror}", mend="check --materials"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{name}: not YAML ({reason})") from error


def _constituent(
    entry: Any, where: str, notes: dict[str, None]
) -> tuple[str, np.ndarray | None]:
    """Name of the phase and orientation of an entry of material."""
    parts = _table(entry, where).get("constituents")
    if not isinstance(parts, list) or len(parts) != 1:
        count = len(parts) if isinstance(parts, list) else "no"
        raise InputError(f"{where} has {count} constituents", "one a voxel")
    part = _table(parts[0], where)
    what = part.get("phase")
    if isinstance(what, int):  # as DAMASK itself writes names that are numbers
        what = str(what)
    if not isinstance(what, str):
        raise InputError(f"{where}: phase = {short(what)}", "the name of a phase")
    if part.get("V_e", IDENTITY) != IDENTITY:
        notes["initial stretches (V_e) are not used"] = None
    if "O" not in part:
        return what, None
    given = part["O"]
    if not isinstance(given, list) or len(given) != 4:
        raise InputError(f"{where}: O = {short(given)}", "a quaternion, w x y z")
    q = np.array([_number(c, f"{where}: O") for c in given])
    length = hypot(*q)
    if abs(length - 1) > 1e-3:
        raise InputError(
            f"{where}: O = {short(given)} has length {length:.4g}",
            "a unit quaternion, w x y z",
        )
    return what, q / length


def _phase(
    listed: dict[str, Any], what: str, name: str, notes: dict[str, None]
) -> Phase:
    """Stiffness in the crystal frame, and the law, of a phase."""
    if what not in listed:
        names = ", ".join(map(str, listed))
        raise InputError(
            f"{name}: phase {short(what)} is not described", f"one of {names}"
        )
    where = f"{name}: phase {what}"
    phase = _table(listed[what], where)
    lattice = phase.get("lattice")
    if not isinstance(lattice, str) or lattice not in CONSTANTS:
        raise InputError(
            f"{where}: lattice {short(lattice)}", f"one of {', '.join(CONSTANTS)}"
        )
    mechanical = _table(phase.get("mechanical"), f"{where}: mechanical")
    hooke = _table(mechanical.get("elastic"), f"{where}: elastic")
    if hooke.get("type") != "Hooke":
        raise InputError(f"{where}: elastic type {short(hooke.get('type'))}", "Hooke")
    function, words = CONSTANTS[lattice]
    names = words.split()
    missing = [key for key in names if key not in hooke]
    if missing:
        raise InputError(f"{where}: {', '.join(missing)} missing", ", ".join(names))
    try:
        constants = {key.replace("_", ""): _number(hooke[key], key) for key in names}
        stiffness = function(**constants)
    except InputError as error:
        raise error.within(where) from error
    law = _law(mechanical.get("plastic"), lattice, phase.get("c/a"), where)
    unused = [key for key in hooke if key not in (*names, *SILENT)]
    unused += [key for key in ("thermal", "damage") if key in phase]
    unused += [key for key in ("eigen",) if mechanical.get(key)]
    if law is None and _plastic(mechanical.get("plastic")):
        unused.append(f"plastic ({_plastic(mechanical['plastic'])})")
    if unused:
        listing = ", ".join(map(str, unused))
        notes[f"{where}: {listing} not used, it is elastic"] = None
    return Phase(stiffness, law=law)


def _plastic(plastic: Any) -> str:
    """Type of a law of plasticity, empty of none."""
    kind = plastic.get("type") if isinstance(plastic, dict) else None
    return "" if kind in (None, "none") else str(kind)


def _law(
    plastic: Any, lattice: str, c_over_a: Any, where: str
) -> CrystalPlasticity | None:
    """The law of ours that a phenopowerlaw is, or None."""
    others = ("tw", "nonSchmid")
    if (
        _plastic(plastic) != "phenopowerlaw"
        or lattice not in SLIP
        or any(word in str(key) for key in plastic for word in others)
    ):
        return None
    where = f"{where}: plastic"
    ours, names = SLIP[lattice]
    counts = plastic.get("N_sl")
    counts = counts if isinstance(counts, list) else [counts]
    given = plastic.get("h_sl-sl", [1.0])
    given = given if isinstance(given, list) else [given]
    ratios = tuple(_number(h, f"{where}: h_sl-sl") for h in given) or (1.0,)
    if lattice == "cF":
        ratios = ratios[: len(TYPES)]
    by_type = len(set(ratios)) > 1
    scale = 1.0 if by_type else ratios[0]
    if by_type and (lattice != "cF" or len(ratios) < len(TYPES)):
        scale = None
    families = []
    for f, count in enumerate(counts):
        if count == 0:
            continue
        if f >= len(names) or count != len(slip_systems(names[f])[0]):
            return None

        def of_family(key: str, default: Any = None, f: int = f) -> float:
            value = plastic.get(key, default)
            if isinstance(value, list) and len(value) in (1, len(counts)):
                value = value[f if len(value) > 1 else 0]
            return _number(value, f"{where}: {key}")

        found = _family(names[f], of_family, scale)
        if found is None:
            return None
        families.append(found)
    if not families:
        return None
    own = {"rate0": families[0].rate0, "exponent": families[0].exponent}
    if ours == "hcp":
        own["c_over_a"] = _number(c_over_a, f"{where}: c/a")
    try:
        if lattice == "cF":
            hardens = by_type and families[0].theta0 is not None
            latent = ratios if hardens else 1.0
            return CrystalPlasticity(**families[0].given, latent_hardening=latent)
        return CrystalPlasticity(lattice=ours, families=tuple(families), **own)
    except InputError as error:
        raise error.within(where) from error


def _family(
    name: str, number: Callable[..., float], scale: float | None
) -> SlipFamily | None:
    """Constants of a family, or None where it hardens otherwise than ours.

    `scale` is a factor of h_0, None where systems harden each other otherwise.
    """
    tau0, h0 = number("xi_0_sl"), number("h_0_sl-sl", 0.0)
    slip = {"rate0": number("dot_gamma_0_sl"), "exponent": number("n_sl")}
    if h0 == 0:
        return SlipFamily(name=name, tau0=tau0, **slip)
    end = number("xi_inf_sl")
    if number("a_sl") != 1 or scale is None or end <= tau0:
        return None
    h0 *= scale * (1 + number("h_int", 0.0))
    tau1 = end - tau0
    theta0 = h0 * tau1 / end
    return SlipFamily(name=name, tau0=tau0, tau1=tau1, theta0=theta0, **slip)


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(where, "a mapping, of keys and values")
    return value


def _number(value: Any, where: str) -> float:
    """A finite number; YAML 1.1, which PyYAML reads, has 1e9 as text."""
    try:
        found = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = float("nan")
    if not np.isfinite(found):
        raise InputError(f"{where} = {short(value)}", "a finite number")
    return found
