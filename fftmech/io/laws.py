"""Laws of phases in VTKHDF files: /fftmech/law, JSON text.

A list of {"law": name, "phases": [ids], "constants": {...}}, with the constants that
the law has in a materials file, and for a law of another package its name and version
as "package". Phases that are not listed are linear elastic.
"""

import json
from collections.abc import Mapping

import h5py

from fftmech.errors import InputError
from fftmech.io import container
from fftmech.materials.base import Law
from fftmech.materials.laws import LAWS


def write_laws(group: h5py.Group, laws: Mapping[int, Law]) -> None:
    """Write the laws of phases, if there are any."""
    if not laws:
        return
    phases: dict[Law, list[int]] = {}
    for p, law in sorted(laws.items()):
        phases.setdefault(law, []).append(int(p))
    entries = []
    for law, ids in phases.items():
        package = LAWS.package(law.name)
        entries.append(
            {"law": law.name, "phases": ids, "constants": law.constants()}
            | ({} if package is None else {"package": package})
        )
    group.create_dataset("law", data=json.dumps(entries), dtype=h5py.string_dtype())


def read_laws(group: h5py.Group) -> dict[int, Law]:
    """Read the laws of phases, by phase id."""
    if "law" not in group:
        return {}
    item = container.dataset(group, "law")
    where = container.where(item)
    laws: dict[int, Law] = {}
    try:
        for entry in json.loads(container.text(item[()])):
            name = entry["law"]
            kind = LAWS.find(name, where, entry.get("package"))
            law = kind.parse(entry["constants"], f"{where}: {name}")
            laws.update({int(p): law for p in entry["phases"]})
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{where} does not say what the phases obey ({error})",
            mend="write the file again",
        ) from error
    return laws
