"""What a mapping file has to state, and what it may, by table and key."""

from collections.abc import Mapping
from typing import Any

from fftmech.datasets.conventions import FORMS, MATRIX, ORDERS, SHEARS
from fftmech.errors import InputError
from fftmech.io.materials_table import PRESSURES
from fftmech.io.toml_file import check_keys
from fftmech.tensors import COMPONENTS

_ORDER = f"the six of {' '.join(COMPONENTS)} as they are stored, or {MATRIX}"
_AXES = "of the array, the fastest last"

STATED = {
    "": {
        "files": "a pattern, a file or folder a sample",
        "program": "what computed the fields",
        "scheme": "discretization of the models to be trained",
    },
    "grid": {"size": "edges of the box", "periodic": "true or false"},
    "phase": {"array": "its name", "axes": f'"z y x", {_AXES}'},
    "strain": {
        "array": "its name",
        "axes": f'"z y x c", {_AXES}',
        "order": _ORDER,
        "shear": ", ".join(SHEARS),
        "unit": '"1" or "%"',
    },
    "stress": {
        "array": "its name",
        "axes": f'"z y x c", {_AXES}',
        "order": _ORDER,
        "shear": "tensor or mandel",
        "unit": ", ".join(PRESSURES),
    },
    "load": {},
}
"""What a mapping has to state, by table and key, and what that may be."""

FROM_FILE = {
    "stiffness": {
        "array": "its name",
        "order": f'such as "{next(iter(ORDERS))}"',
        "form": "voigt or mandel",
        "unit": ", ".join(PRESSURES),
    },
    "orientation": {"array": "its name", "form": ", ".join(FORMS)},
}
"""Tables that it may have, of arrays with a row a phase."""

IMAGE = {
    "array": "its name",
    "axes": f'"z y x", {_AXES}',
    "unit": "text",
}
"""What it has to state of each scalar image."""

MAY = {
    "grid": ("cells",),
    "phase": ("materials", "isotropic"),
    "load": ("strain", "stress"),
}
"""What it may state besides; each component of the load is in one of the two."""

LAWS = ("elastic", "none")
"""s = C e with a stiffness that is stated, which is meant if nothing is; any other."""


def check_tables(given: Mapping[str, Any]) -> None:
    """Refuse unknown keys, and a mapping that leaves something open."""
    tables = [name for name in STATED if name]
    check_keys(given, (*STATED[""], "law", *tables, *FROM_FILE, "images", "limits"))
    if given.get("law", LAWS[0]) not in LAWS:
        raise InputError(f"law = {given['law']!r}", f"one of {', '.join(LAWS)}")
    missing = []
    wanted = STATED | {name: FROM_FILE[name] for name in FROM_FILE if name in given}
    images = given.get("images", {})
    if not isinstance(images, Mapping):
        raise InputError("images", "tables, [images.NAME]")
    given = {**given, **{f"images.{name}": entry for name, entry in images.items()}}
    wanted |= {f"images.{name}": IMAGE for name in images}
    vti = str(given.get("files", "")).lower().endswith(".vti")
    for table, keys in wanted.items():
        entry = given.get(table, {}) if table else given
        if table:
            check_keys(entry, (*keys, *MAY.get(table, ())), f"[{table}]")
        missing += [
            f"{f'[{table}] ' if table else ''}{key} ({what})"
            for key, what in keys.items()
            if key not in entry and not (vti and key == "axes")
        ]
    lawless, phase = given.get("law") == "none", given.get("phase", {})
    if not lawless and "materials" not in phase and "stiffness" not in given:
        missing.append(
            '[phase] materials or [stiffness] (of every phase; or law = "none", if '
            "the stress is no C e, or C is not known)"
        )
    load = given.get("load", {})
    prescribed = [
        name
        for key in MAY["load"]
        for name in check_keys(load.get(key, {}), COMPONENTS, f"[load] {key}")
    ]
    left = [name for name in COMPONENTS if name not in prescribed]
    if left:
        missing.append(f"[load] strain or stress of {', '.join(left)}")
    if missing:
        raise InputError("nothing is assumed: state " + ", ".join(missing))
    if "materials" in given["phase"] and "stiffness" in given:
        raise InputError(
            "[phase] materials and [stiffness]: stiffness from two places",
            mend="leave one of them out",
        )
    _check_law(given, lawless)


def _check_law(given: Mapping[str, Any], lawless: bool) -> None:
    """Refuse what is stated of a law that there is none of, or the other way round."""
    phase = given["phase"]
    known = {
        "[phase] materials": "materials" in phase,
        "[stiffness]": "stiffness" in given,
        "[limits] law": "law" in given.get("limits", {}),
    }
    unknown = {
        "[phase] isotropic": "isotropic" in phase,
        "[orientation]": "orientation" in given,
    }
    for name, stated in (known if lawless else unknown).items():
        if stated:
            law = 'law = "none"' if lawless else "a stiffness"
            raise InputError(f"{law} and {name}", mend="leave one of them out")
    if not isinstance(phase.get("isotropic", False), bool):
        raise InputError(f"[phase] isotropic = {phase['isotropic']!r}", "true or false")
    if phase.get("isotropic") and "orientation" in given:
        raise InputError(
            "[phase] isotropic and [orientation]: isotropic phases have no orientation",
            mend="leave one of them out",
        )
