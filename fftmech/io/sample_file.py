"""A sample of a dataset: one body at several resolutions, solved at some of them.

The file is VTKHDF of type MultiBlockDataSet: a block ImageData for each resolution,
`/VTKHDF/res64`, `/VTKHDF/res32`, ..., laid out as `vtkhdf` and `vtkhdf_fields` say,
with fields in float32 where that resolution was solved. Samples of boxes with faces
have the displacement gradient H = grad u too, nine components by rows; F = 1 + H would
lose the digits of small strains. Of several loads each has its own fields, `strain_xx`,
`strain_yy`, ... Tables by phase id and /fftmech/run, in JSON, are shared. Samples of
one body on one machine are equal to the last byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from typing import Any

import h5py
import numpy as np

from fftmech.discretization import discretization
from fftmech.errors import InputError
from fftmech.io import container
from fftmech.io.json_text import json_text, read_json
from fftmech.io.vtkhdf import (
    kind,
    read_microstructure,
    read_tables,
    write_image,
    write_tables,
)
from fftmech.io.vtkhdf_fields import (
    Arrays,
    read_displacement,
    read_rows,
    read_tensor,
    write_components,
    write_displacement,
    write_tensor,
)
from fftmech.loads.boundary import Boundary
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.results.sample import FIELDS, OTHER_PROGRAM, Level, Sample
from fftmech.tensors import COMPONENTS, FACTORS, mandel_from_components

OPTIONS = ("dataset",)
USED = ("the body at the highest resolution, or at that of --dataset",)
IGNORED = ("solutions, which fftmech plot and compare read",)


def sample_bytes(
    index: int,
    seed: int,
    split: str,
    statistics: Mapping[str, Any],
    bodies: Mapping[int, Microstructure],
    results: Mapping[int, Mapping[str, Result]],
) -> bytes:
    """Return the file of a sample.

    `bodies` by resolution, the highest first, share their tables; `results` are by
    resolution and name of the load. The others are those of `Sample`.
    """
    first = next(iter(results.values()))
    some = next(iter(first.values()))
    run = {
        "index": index,
        "seed": seed,
        "split": split,
        "statistics": dict(statistics),
        **{
            name: getattr(some, name)
            for name in ("scheme", "solver", "tolerance", "precision", "temperature")
        },
        "strain and stress": "voxel averages"
        if discretization(some.scheme).points > 1
        else "at the one integration point of each voxel",
        "displacement nodes": discretization(some.scheme).nodes,
        "loads": {name: asdict(result.load) for name, result in first.items()},
        "solutions": {
            str(res): {name: _outcome(result) for name, result in solved.items()}
            for res, solved in results.items()
        },
    }
    if some.boundary is not None:
        run["boundary"] = some.boundary.as_dict()
    # in memory: a full disk is met by one plain write, not inside HDF5
    with h5py.File("sample", "w", driver="core", backing_store=False) as file:
        # VTK takes blocks in the order of their creation
        root = file.create_group("VTKHDF", track_order=True)
        # the version that brought composite data
        root.attrs["Version"] = np.array([2, 1])
        root.attrs["Type"] = np.bytes_("MultiBlockDataSet")
        for i, (res, body) in enumerate(bodies.items()):
            block = root.create_group(f"res{res}")
            block.attrs["Index"] = i
            write_image(Arrays(block), body)
            for name, result in results.get(res, {}).items():
                _write_fields(Arrays(block), name, result)
        assembly = root.create_group("Assembly", track_order=True)
        for res in bodies:
            assembly[f"res{res}"] = h5py.SoftLink(f"/VTKHDF/res{res}")
        own = write_tables(file, next(iter(bodies.values())), "sample")
        own.create_dataset("run", data=json_text(run), dtype=h5py.string_dtype())
        file.flush()
        return file.id.get_file_image()


def _outcome(result: Result) -> dict[str, Any]:
    means = {
        name: dict(
            zip(COMPONENTS, (getattr(result, name) / FACTORS).tolist(), strict=True)
        )
        for name in ("mean_strain", "mean_stress")
    }
    return {
        "iterations": result.iterations,
        "residual": float(result.residual),
        "energy": result.energy,
        **means,
    }


def _write_fields(arrays: Arrays, load: str, result: Result) -> None:
    for name in ("strain", "stress"):
        field = getattr(result, name)
        write_tensor(arrays, f"CellData/{_called(name, load)}", field, np.float32)
    if result.boundary is not None:
        name = f"CellData/{_called('displacement_gradient', load)}"
        write_components(arrays, name, result.displacement_gradient, np.float32)
    if "displacement" not in result.fields:
        return
    write_displacement(
        arrays,
        _called("displacement", load),
        result.displacement,
        result.mean_gradient,
        result.microstructure.grid,
        result.scheme,
        np.float32,
    )


def _called(field: str, load: str) -> str:
    return f"{field}_{load}" if load else field


def recognises(file: h5py.File, _dataset: str | None) -> bool:
    """Whether the file is a sample."""
    return "VTKHDF" in file and kind(file) == "sample"


def read(path: str | PathLike, dataset: str | None = None) -> Microstructure:
    """Read the microstructure of a sample.

    `dataset` is the resolution, "res32" for instance; the highest unless given.
    """
    with container.opened(path) as file:
        names = _blocks(file)
        name = dataset or names[0]
        if name not in names:
            raise InputError(
                f"{file.filename} has no {name}; it has {', '.join(names)}"
            )
        return read_microstructure(file, None, f"VTKHDF/{name}")


def read_sample(
    path: str | PathLike,
    fields: Sequence[str] = FIELDS,
    levels: Sequence[int] | None = None,
) -> Sample:
    """Read a sample: some of `FIELDS`, at some resolutions or all of them.

    A file that is no sample, or lacks one of these, is an InputError.
    """
    check_fields(fields)
    with container.opened(path) as file:
        names = _blocks(file)
        run = read_json(container.dataset(file, "fftmech/run")[()])
        tables = read_tables(file)
        boundary = Boundary(**run["boundary"]) if "boundary" in run else None
        left_out = {"displacement"} if run["solver"] == OTHER_PROGRAM else set()
        if boundary is None:
            left_out.add("displacement_gradient")
        fields = [field for field in fields if field not in left_out]
        wanted = [int(name.removeprefix("res")) for name in names]
        if levels is not None:
            missing = [res for res in levels if res not in wanted]
            if missing:
                raise InputError(
                    f"{file.filename} has no resolution {missing[0]}; it has "
                    f"{', '.join(map(str, wanted))}"
                )
            wanted = [res for res in wanted if res in levels]
        return Sample(
            **{
                name: run[name]
                for name in (
                    *("index", "seed", "split", "statistics"),
                    *("scheme", "solver", "tolerance", "precision"),
                )
            },
            loads={name: Load(**load) for name, load in run["loads"].items()},
            levels={
                res: _read_level(
                    file,
                    res,
                    run["solutions"].get(str(res), {}),
                    fields,
                    tables,
                    boundary or Boundary(),
                )
                for res in wanted
            },
            boundary=boundary,
        )


def check_fields(fields: Sequence[str]) -> None:
    """Refuse a name that is no field."""
    for field in fields:
        if field not in FIELDS:
            raise InputError(f"field {field!r}", f"one of {', '.join(FIELDS)}")


def _read_level(
    file: h5py.File,
    res: int,
    solutions: dict[str, Any],
    fields: Sequence[str],
    tables: dict[str, Any],
    boundary: Boundary,
) -> Level:
    name = f"VTKHDF/res{res}"
    body = read_microstructure(file, None, name, tables)
    if not solutions:
        return Level(body)
    block = Arrays(container.group(file, name))
    means = {
        mean: mandel_from_components(
            np.array([[s[mean][c] for c in COMPONENTS] for s in solutions.values()])
        )
        for mean in ("mean_strain", "mean_stress")
    }
    arrays = {
        field: np.stack(
            [
                read_tensor(block, f"CellData/{_called(field, k)}", body.grid)
                for k in solutions
            ]
        )
        for field in ("strain", "stress")
        if field in fields
    }
    if "displacement" in fields:
        arrays["displacement"] = _stack(
            [
                read_displacement(
                    block,
                    _called("displacement", k),
                    body.grid,
                    boundary.mean_gradient(E),
                    boundary.periodic,
                )
                for k, E in zip(solutions, means["mean_strain"], strict=True)
            ]
        )
    if "displacement_gradient" in fields:
        name = "CellData/displacement_gradient"
        arrays["displacement_gradient"] = _stack(
            [read_rows(block, _called(name, k), body.grid) for k in solutions]
        )
    return Level(
        body,
        **arrays,
        **means,
        iterations=tuple(s["iterations"] for s in solutions.values()),
        residual=tuple(s["residual"] for s in solutions.values()),
    )


def _stack(fields: list[np.ndarray]) -> np.ndarray:
    """Fields with the load as first axis; one field is not copied."""
    return fields[0][None] if len(fields) == 1 else np.stack(fields)


def _blocks(file: h5py.File) -> list[str]:
    """Names of the resolutions, the highest first."""
    if not recognises(file, None):
        raise InputError(
            f"{file.filename} holds no sample", mend="make some with fftmech dataset"
        )
    blocks = map(str, container.group(file, "VTKHDF"))
    names = [name for name in blocks if name.startswith("res")]
    return sorted(names, key=lambda name: -int(name.removeprefix("res")))
