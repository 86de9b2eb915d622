"""neper raster tessellations (`.tesr`, formats 2.0 to 2.2), ascii or binary.

Ids are neper's own (`*id`, else 1, 2, ...); 0 is void. Orientations are those of the
cells (`*ori`), in neper's convention: "active" (the default) is the rotation that takes
the sample's axes to the crystal's, v_sample = R v_crystal; "passive" is its inverse;
"rotmat" is Bunge's orientation matrix, the transpose of R. Angles are in degrees.
The format is described in neper's manual, "Raster Tessellation File".
"""

import re
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.microstructure.base import MOST_PHASES, Microstructure
from fftmech.tensors import quaternion_from_bunge, quaternion_from_xyzw

BINARY = {
    "binary8": "u1", "binary16": "<i2", "binary16_big": ">i2",
    "binary32": "<i4", "binary32_big": ">i4",
}  # fmt: skip
"""NumPy's name of each of neper's binary voxel types."""

PARAMETERS = {
    "quaternion": 4, "rodrigues": 3, "euler-bunge": 3, "rotmat": 9, "axis-angle": 4,
}  # fmt: skip
"""Numbers a cell in each orientation descriptor."""

OPTIONS = ()


def read(path: str | PathLike) -> Microstructure:
    """Read the cells of a raster tessellation and, where given, their orientations."""
    name = fspath(path)
    content = Path(path).read_bytes()
    start = re.search(rb"\*\*data[ \t]*\r?\n", content)
    if not content[:64].lstrip().startswith(b"***tesr") or start is None:
        raise InputError(f"{name}: no ***tesr head and **data: not a .tesr file")
    try:
        head = _sections(content[: start.start()].decode("ascii"))
        dimension = int(head["**general"][0])
        shape, spacing = _box(head["**general"][1:], dimension)
        origin = [float(v) for v in head.get("*origin", ())] or [0.0] * dimension
        image.check_size(shape, 4, name)
        cells = _data(name, content[start.end() :], head["**format"], shape)
        ids = _ids(head, cells)
        orientation = _orientation(name, head, ids)
    except InputError:
        raise
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"{name}: .tesr section missing, cut short or not numbers ({error})",
            mend="write it again with neper",
        ) from error
    return image.microstructure_from_image(
        ids[cells].reshape(shape[::-1]),
        name,
        axes="zyx",
        spacing=spacing,
        origin=[*origin, 0.0][:3],
        orientation=orientation,
    )


def _sections(text: str) -> dict[str, list[str]]:
    """Words of each section of the head, by its marker."""
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    for word in text.split():
        if word.startswith("*"):
            words = sections.setdefault(word, [])
        else:
            words.append(word)
    return sections


def _box(words: list[str], dimension: int) -> tuple[tuple[int, ...], list[float]]:
    shape = [int(n) for n in words[:dimension]]
    spacing = [float(h) for h in words[dimension : 2 * dimension]]
    if dimension not in (2, 3) or len(spacing) != dimension:
        raise ValueError("**general")
    if dimension == 2:
        shape, spacing = [*shape, 1], [*spacing, spacing[0]]
    return tuple(shape), spacing


def _data(
    name: str, content: bytes, version: list[str], shape: tuple[int, ...]
) -> np.ndarray:
    """Cell number of each voxel, x fastest, from the file or the one that it names."""
    if len(version) > 1:  # format 2.0 says the data's type in its head
        layout = version[1]
    else:
        line, _, content = content.partition(b"\n")
        layout = line.decode("ascii").strip()
    count = int(np.prod(shape))
    other = re.match(rb"\s*\*file\s+(\S+)", content)
    if other:
        file = Path(name).parent / other.group(1).decode()
        if not file.exists():
            raise InputError(f"{name}: its data file {file} does not exist")
        content = file.read_bytes()
    if layout == "ascii":
        cells = np.array(content.split(b"*", 1)[0].split(), dtype=np.int64)
    elif layout in BINARY:
        dtype = np.dtype(BINARY[layout])
        cells = np.frombuffer(content[: count * dtype.itemsize], dtype)
    else:
        raise InputError(
            f"{name}: data format {layout!r}", f"ascii, {', '.join(BINARY)}"
        )
    if cells.size != count:
        raise InputError(
            f"{name}: {cells.size} voxels under **data, expected {count}",
            mend="write it again",
        )
    if cells.min() < 0:
        raise InputError(f"{name}: cell {cells.min()} is negative", "0 (void) up")
    return cells


def _ids(head: dict[str, list[str]], cells: np.ndarray) -> np.ndarray:
    """Phase id of each cell number; cell 0 is void and keeps id 0."""
    last = int(cells.max())
    if "*id" not in head:
        number = head.get("**cell", [])
        last = max(last, int(number[0]) if number else 0)
        if last > MOST_PHASES:
            raise ValueError(f"{last} cells, at most {MOST_PHASES} are read")
        return np.arange(last + 1)
    ids = np.array([0, *map(int, head["*id"])])
    if last >= len(ids):
        raise ValueError(f"cell {last} in **data, {len(ids) - 1} cells under *id")
    if ids.max() > MOST_PHASES:
        raise ValueError(f"cell id {ids.max()}, at most {MOST_PHASES}")
    return ids


def _orientation(
    name: str, head: dict[str, list[str]], ids: np.ndarray
) -> np.ndarray | None:
    """Unit quaternions w x y z by phase id, NaN where unknown; None without `*ori`."""
    if "*ori" not in head:
        return None
    descriptor, *words = head["*ori"]
    kind, _, convention = descriptor.partition(":")
    if kind not in PARAMETERS or convention not in ("", "active", "passive"):
        raise InputError(
            f"{name}: orientation descriptor {descriptor!r}",
            f"one of {', '.join(PARAMETERS)} with :active or :passive",
            "write it with neper -oridescriptor",
        )
    values = np.array(words, dtype=float).reshape(len(ids) - 1, PARAMETERS[kind])
    quaternions = _quaternions(kind, values)
    if convention == "passive":
        quaternions = quaternions * [1.0, -1.0, -1.0, -1.0]
    table = np.full((int(ids.max()) + 1, 4), np.nan)
    table[ids[1:]] = quaternions
    return table


def _quaternions(kind: str, values: np.ndarray) -> np.ndarray:
    if kind == "quaternion":
        return values / np.linalg.norm(values, axis=1, keepdims=True)
    if kind == "euler-bunge":
        return quaternion_from_bunge(values, degrees=True)
    if kind == "rodrigues":
        whole = np.insert(values, 0, 1.0, axis=1)
        return whole / np.linalg.norm(whole, axis=1, keepdims=True)
    from scipy.spatial.transform import Rotation

    if kind == "rotmat":
        rotation = Rotation.from_matrix(values.reshape(-1, 3, 3).transpose(0, 2, 1))
    else:
        axis = values[:, :3] / np.linalg.norm(values[:, :3], axis=1, keepdims=True)
        rotation = Rotation.from_rotvec(axis * np.deg2rad(values[:, 3:]))
    return quaternion_from_xyzw(rotation.as_quat())
