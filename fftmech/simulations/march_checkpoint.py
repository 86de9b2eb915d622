"""Checkpoints: the state of a load path after an increment, bit by bit, in HDF5.

Attributes and datasets have the names of the fields of
`fftmech.simulations.march_state.MarchState`; internal variables are state/POINT/LAW,
points/NAME has an entry for each increment, and identity (JSON) says what is solved and
how. Arrays keep their type and order, (*batch, component, x, y, z), on whatever device
they are. A checkpoint replaces the one before it whole.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from os import PathLike
from typing import Any

import h5py
import numpy as np

from fftmech.arrays.backend import to_numpy
from fftmech.errors import InputError
from fftmech.io import container
from fftmech.io.atomic import whole_hdf5
from fftmech.io.format_version import check_format_version
from fftmech.microstructure.base import Microstructure
from fftmech.problems.nonlinear import StepStart
from fftmech.simulations.march import March
from fftmech.simulations.march_state import IncrementLog, MarchState
from fftmech.version import __version__

FORMAT_VERSION = 5

FIELDS = ("v", "stress", "work")
MEANS = ("mean_strain", "mean_stress")
NUMBERS = ("step", "increment", "part", "duration", "norm", "ratio", "spin")
"""Names in `MarchState` of arrays of a backend, of arrays on the host, of numbers."""


def identity(march: March, **more: Any) -> dict[str, Any]:
    """What a march solves and how, JSON-ready; a checkpoint fits an equal one only."""
    return {
        "microstructure": _digest(march.microstructure),
        "path": [asdict(step) for step in march.path.steps],
        "scheme": march.method.scheme,
        "solver": march.method.solver,
        "tolerance": march.tolerance,
        "temperature": march.temperature,
        "rotate_crystals": march.rotate_crystals,
        **more,
    }


def write_checkpoint(
    path: str | PathLike, state: MarchState, identity: Mapping[str, Any]
) -> None:
    """Write the state of a march; the file appears whole or not at all."""
    with whole_hdf5(path) as file:
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["fftmech_version"] = __version__
        _write_text(file, "identity", json.dumps(identity))
        for name in NUMBERS:
            file.attrs[name] = getattr(state, name)
        for name in (*FIELDS, *MEANS):
            file[name] = to_numpy(getattr(state, name))
        file["strain"] = to_numpy(state.start.strain)
        file["residuals"] = np.array(state.residuals)
        file["begun/mean_strain"], file["begun/mean_stress"] = state.begun
        if state.orientation is not None:
            file["orientation"] = state.orientation
        if state.change is not None:
            file["change"] = to_numpy(state.change)
        for q, states in enumerate(state.start.state):
            group = file.create_group(f"state/{q}")
            for number, variables in enumerate(states):
                group[str(number)] = to_numpy(variables)
        for item in fields(IncrementLog) if state.points else ():
            column = [getattr(point, item.name) for point in state.points]
            if item.name == "status":
                _write_text(file, "points/status", json.dumps(column))
            else:
                file[f"points/{item.name}"] = np.array(column)


def read_checkpoint(
    path: str | PathLike, identity: Mapping[str, Any], xp: Any
) -> MarchState:
    """Read the state of a march, with fields as arrays of the library `xp`."""
    with container.opened(path) as file:
        _check_identity(file, identity)

        def array(name: str) -> Any:
            return xp.asarray(_values(file, name))

        groups = container.group(file, "state")
        counts = [len(container.group(groups, str(q))) for q in range(len(groups))]
        state = [
            [array(f"state/{q}/{law}") for law in range(count)]
            for q, count in enumerate(counts)
        ]
        return MarchState(
            **{name: np.asarray(file.attrs[name]).item() for name in NUMBERS},
            **{name: array(name) for name in FIELDS},
            **{name: _values(file, name) for name in MEANS},
            change=array("change") if "change" in file else None,
            orientation=_values(file, "orientation") if "orientation" in file else None,
            start=StepStart(array("strain"), state),
            begun=tuple(_values(file, f"begun/{name}") for name in MEANS),
            points=_read_points(file),
            residuals=tuple(_values(file, "residuals").tolist()),
        )


def _read_points(file: h5py.File) -> tuple[IncrementLog, ...]:
    if "points" not in file:
        return ()
    columns = []
    for item in fields(IncrementLog):
        values = _values(file, f"points/{item.name}")
        if item.name == "status":
            columns.append(json.loads(container.text(values)))
        else:
            # numbers as Python's, and a row of means as an array
            columns.append(values.tolist() if values.ndim == 1 else list(values))
    return tuple(IncrementLog(*row) for row in zip(*columns, strict=True))


def _values(file: h5py.File, name: str) -> Any:
    return container.dataset(file, name)[()]


def _check_identity(file: h5py.File, wanted: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of another problem; the message names what differs first."""
    version = file.attrs.get("format_version")
    if version is None:
        raise InputError(f"{file.filename} is no checkpoint", mend="check the name")
    writer = file.attrs.get("fftmech_version")
    check_format_version(file.filename, version, FORMAT_VERSION, writer)
    if version != FORMAT_VERSION:
        raise InputError(
            f"{file.filename}: checkpoint of format version {version}",
            f"{FORMAT_VERSION}",
            "begin anew, without --restart and with --force",
        )
    known = json.loads(container.text(_values(file, "identity")))
    for key, value in json.loads(json.dumps(wanted)).items():
        if known.get(key) == value:
            continue
        what = key
        if not isinstance(value, list) and key != "microstructure":
            what = f"{key} ({known.get(key)}, and now {value})"
        raise InputError(
            f"{file.filename} is a checkpoint of another {what}: repeat the command "
            "line that it is of, or begin anew, without --restart and with --force"
        )


def _digest(body: Microstructure) -> str:
    """SHA-256 of the grid, the phases and their properties."""
    digest = hashlib.sha256()
    grid = body.grid
    laws = {p: (law.name, law.constants()) for p, law in sorted(body.law.items())}
    digest.update(repr((grid.shape, grid.size, laws)).encode())
    digest.update(repr((grid.shape, "<i4")).encode())
    for plane in body.phase:
        digest.update(plane.astype("<i4").data)
    tables = (body.stiffness, body.orientation)
    for table in (*tables, body.eigenstrain, body.thermal_expansion):
        if table is None:
            digest.update(b"none")
            continue
        digest.update(repr((table.shape, table.dtype.str)).encode())
        digest.update(np.ascontiguousarray(table).data)
    return digest.hexdigest()


def _write_text(file: h5py.File, name: str, text: str) -> None:
    file.create_dataset(name, data=text, dtype=h5py.string_dtype())
