"""Named tensors in a safetensors file, read as data that may be hostile.

Tensors are read only if names, shapes and types are as expected, so that a file takes
no more memory than the model that it belongs to. Pickles are never loaded.
"""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ecosurrogate.training.files import damaged, short
from fftmech.errors import InputError
from fftmech.io.atomic import whole_file

_NOTE = "ecosurrogate"
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "I64": torch.int64,
    "U8": torch.uint8,
}


def write_tensors(
    path: str | PathLike, tensors: Mapping[str, Tensor], note: Mapping[str, Any]
) -> None:
    """Write tensors and a JSON note; the file appears whole or not at all."""
    data = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    # one entry: the order of several is not fixed
    content = save(data, {_NOTE: json.dumps(note, allow_nan=False)})
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def read_tensors(
    path: str | PathLike, expected: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and their note.

    They have the names, shapes and types of the `expected` ones, and finite values;
    InputError for any other file. What is expected in single precision may be stored
    in half.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file", mend="restore it, or train again")
    try:
        with safe_open(path, framework="pt") as file:
            _check_tensors(path, file, expected)
            # copies: the file may be replaced while they are in use
            tensors = {
                name: file.get_tensor(name).to(tensor.dtype, copy=True)
                for name, tensor in expected.items()
            }
            note = json.loads((file.metadata() or {})[_NOTE])
    except InputError:
        raise
    except (SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise damaged(path, error, "restore it") from error
    if not isinstance(note, dict):
        raise InputError(f"{path}: damaged (its note is no object)", mend="restore it")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise InputError(
                f"{path}: {name} has values that are not finite",
                mend="take an earlier copy, or train again with a lower lr",
            )
    return tensors, note


def _check_tensors(path: Any, file: Any, expected: Mapping[str, Tensor]) -> None:
    found = set(file.keys())
    for what, names in (
        ("without tensor", sorted(set(expected) - found)),
        ("with unexpected tensor", sorted(found - set(expected))),
    ):
        if names:
            raise InputError(
                f"{path}: {what} {short(repr(names[0]))} ({len(names)} in all)",
                mend="it does not belong to this configuration",
            )
    for name, tensor in expected.items():
        part = file.get_slice(name)
        shape, kind = tuple(part.get_shape()), part.get_dtype()
        stored = _TYPES.get(kind)
        half = (stored, tensor.dtype) == (torch.float16, torch.float32)
        if shape != tuple(tensor.shape) or not (half or stored == tensor.dtype):
            raise InputError(
                f"{path}: {name} of shape {short(shape)}, type {kind}",
                f"{tuple(tensor.shape)}, {tensor.dtype}",
            )
