"""Files: a module a format, found by extension and, within HDF5, by content.

A format is a module with `read(path, **options) -> Microstructure`, `OPTIONS`, the
names of the options of `fftmech.read` that it takes, and `USED` and `IGNORED`, what it
takes of a file and what it does not (the table in docs/file-format.md). HDF5 formats
also have `recognises(file, dataset)`: the first one that does reads the file; formats
of text that share an extension have `recognises(start)`, of the first bytes. A format
is imported when a file needs it, and h5py with the first that does.
"""

from collections.abc import Sequence
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType
from typing import Any

from fftmech.arrays.ranks import Processes
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.plugins import Registry
from fftmech.results.field_names import Fields
from fftmech.results.result import FieldSource, Result

HDF5 = ("sample_file", "vtkhdf", "dream3d", "h5oina", "hdf5", "fans")

WRITTEN = (".h5", ".hdf5", ".hdf", ".vtkhdf")
"""Extensions of the one format that is written."""


def _format(name: str, loaded: Any) -> tuple[Any, ...]:
    """The reader of another package, if it is one."""
    if not name.startswith(".") or name != name.lower():
        raise InputError("its name is no extension in small letters, such as .xyz")
    if not callable(getattr(loaded, "read", None)):
        raise InputError(f"{loaded!r} has no function read")
    if not isinstance(getattr(loaded, "OPTIONS", None), tuple):
        raise InputError(f"{loaded!r} has no tuple OPTIONS")
    return (loaded,)


FORMATS: Registry[tuple[Any, ...]] = Registry(
    "fftmech.formats",
    {
        **dict.fromkeys((*WRITTEN, ".dream3d", ".h5oina"), HDF5),
        ".ang": ("ang",),
        ".ctf": ("ctf",),
        ".txt": ("evpfft",),
        ".vti": ("vti",),
        ".tesr": ("tesr",),
        ".npy": ("npy",),
        ".tif": ("tif",),
        ".tiff": ("tif",),
        ".raw": ("raw",),
        ".raw.gz": ("raw",),
        ".png": ("png",),
        ".vtr": ("vtr",),
        ".vtk": ("vtk_legacy",),
        ".mha": ("metaimage",),
        ".mhd": ("metaimage",),
        ".nrrd": ("nrrd",),
        ".nhdr": ("nrrd",),
        ".inp": ("abaqus", "evpfft"),
    },
    _format,
)
"""Modules by extension; of several, the first that recognises the file's content.
A folder, a list or a pattern of files is a stack of slices (`slices`)."""

MATERIALS = (".toml", ".yaml", ".yml")
"""Extensions of materials files."""

SHARED = (".txt", ".inp", ".png")
"""Extensions that files of many kinds have: such a file is read when it is named."""

KINDS = ("microstructure", "result", "sample", "series")
"""What a file may hold."""

__all__ = [
    "FORMATS",
    "KINDS",
    "SHARED",
    "WRITTEN",
    "check_writable",
    "kind",
    "read",
    "read_result",
    "read_shared",
    "write",
    "write_result",
]


def __getattr__(name: str) -> Any:
    # datasets stand on simulations, which stand on this package: the name alone is here
    if name != "Dataset":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("fftmech.datasets.dataset").Dataset


def read(
    path: str | PathLike | Sequence[str | PathLike],
    *,
    dataset: str | None = None,
    axes: str | None = None,
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    spacing: Sequence[float] | None = None,
    threshold: float | None = None,
    crop: Sequence[int] | None = None,
    misorientation: float | None = None,
    frame: str | None = None,
    hexagonal: str | None = None,
) -> Microstructure:
    """Read a microstructure from any known format (of a result: its microstructure).

    Parameters
    ----------
    path
        The file; its extension, and for HDF5 its content, tells the format. Slices
        are a folder of .tif or .png files, a list or a pattern ("ct/*.tif") of them.
    dataset
        Path inside the file of the phase ids, where a file may hold several.
    axes
        "xyz" (array[x, y, z]) or "zyx" (x runs fastest), for bare arrays.
    shape, dtype
        Voxels along x, y, z, and a voxel's type, for headerless files.
    spacing
        Edges of a voxel along x, y, z (length units), for files that hold none.
    threshold
        Grey value T of an image: voxels with value > T are phase 1, others phase 0.
    crop
        Part of an image: first voxel and the one after the last, along x, y, z, as
        (x0, x1, y0, y1, z0, z1). Of a headerless file no more than that is read.
    misorientation
        Degrees between neighbouring pixels of one grain of an EBSD scan, 5 unless given
        (`fftmech.io.ebsd`); with 0 each pixel is its own grain.
    frame, hexagonal
        Axes of the specimen and of hexagonal crystals to which a file's Euler angles
        refer (`fftmech.io.crystals`).

    Raises
    ------
    InputError
        No such file, an unknown format, an option that the format does not take, or
        content that is no microstructure.
    """
    options = {
        "dataset": dataset,
        "axes": axes,
        "shape": shape,
        "dtype": dtype,
        "spacing": spacing,
        "threshold": threshold,
        "crop": crop,
        "misorientation": misorientation,
        "frame": frame,
        "hexagonal": hexagonal,
    }
    given = {name: value for name, value in options.items() if value is not None}
    _check_file(path)
    reader = _reader(path, dataset)
    for name in given:
        if name not in reader.OPTIONS:
            listed = " ".join(f"--{option}" for option in reader.OPTIONS)
            raise InputError(
                f"{path}: this format takes no --{name} (it takes "
                f"{listed or 'no options'})",
                mend="leave it out",
            )
    made = reader.read(path, **given)
    if not isinstance(made, Microstructure):  # by a reader of another package
        raise InputError(
            f"{path}: {reader.__name__}.read made a {type(made).__name__} of it",
            "a Microstructure",
        )
    return made


def read_shared(path: str | PathLike, ranks: Processes) -> Microstructure | None:
    """Read a body that processes share, each its own planes.

    Returns
    -------
    Microstructure or None
        None of a file that this program did not write, or whose ids are not small: it
        has to be read whole (`fftmech.microstructure.base.share`).
    """

    def own() -> bool:
        _check_file(path)
        return _formats(path) is HDF5

    return _module("vtkhdf").read_shared(path, ranks) if ranks.first(own) else None


def read_result(path: str | PathLike) -> Result:
    """Read a result that `write_result` wrote, or that of a dataset's sample.

    A sample may have several: this is the first load at the lowest resolution.

    Raises
    ------
    InputError
        No such file, or no result in it.
    """
    _check_file(path)
    held = kind(path)
    if held == "sample":
        return _module("sample_file").read_sample(path).result()
    if held == "series":
        raise InputError(
            f"{fspath(path)} is the time series of a load path",
            f"a result, for instance {Path(path).stem}-end{Path(path).suffix}, where "
            "it ended",
        )
    if held != "result":
        raise InputError(
            f"{fspath(path)} holds no result",
            mend="make one with fftmech solve ... -o result.vtkhdf",
        )
    return _module("vtkhdf_result").read_result(path)


def write(path: str | PathLike, microstructure: Microstructure) -> None:
    """Write a microstructure as VTKHDF; the file appears whole or not at all."""
    check_writable(path)
    _module("vtkhdf").write(path, microstructure)


def write_result(
    path: str | PathLike,
    result: Result,
    fields: Fields = None,
    source: FieldSource | None = None,
) -> None:
    """Write a result as VTKHDF; the file appears whole or not at all.

    Parameters
    ----------
    fields
        Names of those that are written ("stress,von_mises"), all that the result has if
        None; "none".
    source
        Computes the fields of a result that has none, some planes at a time.
    """
    check_writable(path)
    _module("vtkhdf_result").write_result(path, result, fields, source)


def check_writable(path: str | PathLike) -> None:
    """Refuse a name whose extension is not that of the one format written.

    Call it before work is done whose result is to be written.
    """
    if Path(path).suffix.lower() not in WRITTEN:
        raise InputError(
            f"{fspath(path)}: files are written as VTKHDF: end the name in .h5 or "
            ".vtkhdf"
        )


def kind(path: str | PathLike) -> str | None:
    """What a file holds, of `KINDS`, or None where nothing known."""
    _check_file(path)
    formats = _formats(path)
    if formats is None:
        return None
    if formats is HDF5:
        vtkhdf = _module("vtkhdf")
        with _module("container").opened(path) as file:
            if vtkhdf.recognises(file, None):
                found = vtkhdf.kind(file)
                return found if found in KINDS else None
    return "microstructure"


def _is_stack(path: Any) -> bool:
    """Whether a source is slices rather than one file."""
    one = isinstance(path, str | PathLike)
    return not one or not Path(path).is_file() and _module("slices").is_stack(path)


def _check_file(path: Any) -> None:
    if _is_stack(path):
        _module("slices").files(path)
        return
    name = Path(path)
    if not name.exists():
        raise InputError(f"{name}: no such file", mend="check the name")
    if name.stat().st_size == 0:
        raise InputError(f"{name} is empty (0 bytes)", mend="copy or write it again")
    if name.is_file():
        _module("image").check_fetched(name)


def _module(name: str | ModuleType) -> ModuleType:
    return import_module(f"{__name__}.{name}") if isinstance(name, str) else name


def _formats(path: Any) -> tuple[Any, ...] | None:
    if _is_stack(path):
        return ("slices",)
    name = Path(path).name.lower()
    fitting = [known for known in FORMATS if name.endswith(known.lower())]
    return FORMATS[max(fitting, key=len)] if fitting else None


def _reader(path: Any, dataset: str | None) -> ModuleType:
    formats = _formats(path)
    if formats is None:
        if Path(path).suffix.lower() in MATERIALS:
            raise InputError(
                f"{fspath(path)} says what a body is made of, not its shape",
                "the file of one",
                f"give --materials {Path(path).name} beside it",
            )
        raise InputError(
            f"{fspath(path)}: unknown extension", f"one of {' '.join(FORMATS)}"
        )
    if len(formats) == 1:
        return _module(formats[0])
    if formats is not HDF5:
        with Path(path).open("rb") as file:
            start = file.read(4096)
        modules = map(_module, formats)
        return next(module for module in modules if module.recognises(start))
    with _module("container").opened(path) as file:
        modules = map(_module, formats)
        return next(module for module in modules if module.recognises(file, dataset))
