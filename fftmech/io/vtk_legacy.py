"""Legacy VTK images (`.vtk`), ascii or binary: STRUCTURED_POINTS, RECTILINEAR_GRID.

The format is described at https://docs.vtk.org, "Legacy VTK file format". Binary
numbers are big-endian.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.io.named_arrays import choose, even
from fftmech.microstructure.base import Microstructure

TYPES = {
    "char": "i1", "unsigned_char": "u1", "short": "i2", "unsigned_short": "u2",
    "int": "i4", "unsigned_int": "u4", "long": "i8", "unsigned_long": "u8",
    "vtktypeint64": "i8", "vtktypeuint64": "u8", "vtkidtype": "i4", "float": "f4",
    "double": "f8",
}  # fmt: skip
"""NumPy's name of each of VTK's types."""

KINDS = ("structured_points", "rectilinear_grid")

PLANES = ("x_coordinates", "y_coordinates", "z_coordinates")

COMPONENTS = {"vectors": 3, "normals": 3, "tensors": 9}
"""Numbers a tuple in attributes that have a keyword of their own."""

OPTIONS = ("dataset", "threshold", "crop")
USED = (
    "cell data material, another by --dataset, or the only one",
    "point data, a voxel about each point, with a note",
    "DIMENSIONS, SPACING, ORIGIN, or coordinates, where evenly spaced",
)
IGNORED = ("other arrays, with a note", "lookup tables and field data")


def read(
    path: str | PathLike,
    dataset: str | None = None,
    threshold: float | None = None,
    crop: Sequence[int] | None = None,
) -> Microstructure:
    """Read the phase ids of an image; options are those of `.vti`."""
    name = fspath(path)
    file = _File(name, Path(path).read_bytes())
    try:
        file.parse()
    except InputError:
        raise
    except (ValueError, IndexError, OverflowError) as error:
        raise InputError(
            f"{name}: legacy VTK file cut short or damaged ({error})",
            mend="write it again",
        ) from error
    scalar = {
        place: {n: part[2] == 1 for n, part in arrays.items()}
        for place, arrays in file.arrays.items()
    }
    choice = choose(name, scalar, dataset, "material")
    if file.planes:
        file.spacing, file.origin = even(name, file.planes)
    cells = [n - 1 for n in file.points]
    shape, origin = choice.box(cells, file.spacing, file.origin)
    start, dtype, each, count = file.arrays[choice.place][choice.name]
    where = f"{name}: {choice.label}"
    if each != 1:
        raise InputError(where, "one number a voxel")
    if count != int(np.prod(shape, dtype=object)):
        raise InputError(f"{where} has {count} values", f"{shape} along x y z")
    try:
        values, _ = file.values(start, dtype, count)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{where}: data cut short or damaged ({error})") from error
    return image.microstructure_from_image(
        values.reshape(shape[::-1]),
        where,
        "zyx",
        file.spacing,
        origin,
        threshold,
        choice.notes,
        crop,
    )


@dataclass
class _File:
    """A file, read from its beginning: where each array starts, its type and size."""

    name: str
    content: bytes
    at: int = 0
    ascii: bool = True
    points: list[int] = field(default_factory=list)
    spacing: list[float] = field(default_factory=lambda: [1.0] * 3)
    origin: list[float] = field(default_factory=lambda: [0.0] * 3)
    planes: list[np.ndarray] = field(default_factory=list)
    arrays: dict[str, dict[str, tuple[int, np.dtype, int, int]]] = field(
        default_factory=lambda: {"CellData": {}, "PointData": {}}
    )

    def parse(self) -> None:
        """Read the head and find the arrays."""
        if not self.line().startswith("# vtk DataFile"):
            raise InputError(f"{self.name}: no legacy VTK file")
        self.line()  # a title
        self.ascii = self.line().strip().upper() == "ASCII"
        place, count = "", 0
        while self.at < len(self.content):
            words = self.line().split()
            key = words[0].lower() if words else ""
            if key == "dataset" and words[1].lower() not in KINDS:
                raise InputError(
                    f"{self.name}: {words[1]}",
                    "STRUCTURED_POINTS or RECTILINEAR_GRID",
                    "resample it to an image (in ParaView: Resample To Image)",
                )
            if key == "dimensions":
                self.points = [int(n) for n in words[1:4]]
                if len(self.points) != 3 or min(self.points) < 1:
                    raise ValueError(f"DIMENSIONS {words[1:]}")
                image.check_size(self.points, 1, self.name)
            elif key in ("spacing", "aspect_ratio"):
                self.spacing = [float(h) for h in words[1:4]]
            elif key == "origin":
                self.origin = [float(x) for x in words[1:4]]
            elif key in PLANES:
                dtype = self.dtype(words[0], words[2])
                at, self.at = self.values(self.at, dtype, int(words[1]))
                self.planes.append(at.astype(float))
            elif key in ("cell_data", "point_data"):
                place = "CellData" if key == "cell_data" else "PointData"
                count = int(words[1])
            elif key == "metadata":
                while self.line():
                    pass
            elif key == "field":
                for _ in range(int(words[2])):
                    self.field_array(place)
            elif key == "scalars":
                each = int(words[3]) if len(words) > 3 else 1
                before = self.at
                if not self.line().lower().startswith("lookup_table"):
                    self.at = before
                self.array(place, words[1], words[2], each, count)
            elif key in COMPONENTS:
                self.array(place, words[1], words[2], COMPONENTS[key], count)
            elif key == "lookup_table":  # a table of colours, four numbers each
                kind = "float" if self.ascii else "unsigned_char"
                self.array("", "", kind, 4, int(words[2]))
        if not self.points:
            raise ValueError("no DIMENSIONS")
        if self.planes and [len(at) for at in self.planes] != self.points:
            raise ValueError("coordinates do not fit DIMENSIONS")

    def line(self) -> str:
        """The next line."""
        end = self.content.find(b"\n", self.at)
        end = len(self.content) if end < 0 else end
        text, self.at = self.content[self.at : end], end + 1
        return text.decode("latin-1").strip()

    def field_array(self, place: str) -> None:
        """Pass over an array of a FIELD."""
        words: list[str] = []
        while self.at < len(self.content) and len(words) < 4:
            words = self.line().split()
            if words and words[0].lower() == "metadata":
                while self.line():
                    pass
        self.array(place, words[0], words[3], int(words[1]), int(words[2]))

    def array(self, place: str, name: str, kind: str, each: int, count: int) -> None:
        """Note an array of `each` x `count` numbers that starts here; pass over it."""
        dtype = self.dtype(name, kind)
        if each < 1 or count < 0:
            raise ValueError(f"{name} of {count} x {each} values")
        if place:
            self.arrays[place][name] = (self.at, dtype, each, count)
        self.at = self.end(self.at, dtype, each * count)

    def dtype(self, name: str, kind: str) -> np.dtype:
        """The type of an array, as it is in a binary file."""
        if kind.lower() not in TYPES:
            raise InputError(f"{self.name}: {name} of type {kind}", "numbers")
        return np.dtype(TYPES[kind.lower()]).newbyteorder(">")

    def end(self, start: int, dtype: np.dtype, count: int) -> int:
        """Where `count` numbers end that start at a place."""
        if not self.ascii:
            return start + count * dtype.itemsize
        # numbers are on lines of their own: the next word ends them
        letter = re.compile(rb"[\r\n]\s*[A-Za-z](?![aA][nN]\b)").search(
            self.content, max(start - 1, 0)
        )
        return letter.start() + 1 if letter else len(self.content)

    def values(self, start: int, dtype: np.dtype, count: int) -> tuple[np.ndarray, int]:
        """`count` numbers that start at a place, and where they end."""
        end = self.end(start, dtype, count)
        data = self.content[start:end]
        if self.ascii:
            values = np.array(data.split(), dtype=dtype.newbyteorder("="))
        else:
            values = np.frombuffer(data[: count * dtype.itemsize], dtype)
        if values.size != count:
            raise ValueError(f"{values.size} values, expected {count}")
        return values, end
