"""Damaged files of every format: read, or refused in one line; never a traceback.

A format is one more function in MAKERS, which writes a small sound file into a folder.
"""

import re
import warnings
from functools import partial

import numpy as np
import pytest
from foreign_files import FORMS, write_form
from scan_files import ang, ctf, evpfft, h5oina, hexagonal_ang, two_grains
from written_files import dream3d, marked

from fftmech import InputError, io
from fftmech.io.materials import read_materials

MAKERS = [
    *(partial(write_form, form) for form in FORMS),
    lambda folder: ang(folder / "a.ang", two_grains()),
    lambda folder: hexagonal_ang(folder / "hexagonal.ang"),
    lambda folder: ctf(folder / "a.ctf", two_grains()),
    lambda folder: h5oina(folder / "a.h5oina", two_grains()),
    lambda folder: evpfft(folder / "a.txt", two_grains()),
    lambda folder: dream3d(
        folder / "a.dream3d", 7, marked(), euler=np.ones((*marked().shape, 3))
    ),
]

ODD = [b"nan", b"-1", b"0", b"1e300", b"999999999999", b"", b"\t", b"x", b"0.5", b"#"]


def mutated(content, rng):
    """A copy of a file with one kind of damage."""
    kind, at = rng.integers(6), int(rng.integers(len(content)))
    length = int(rng.integers(1, 40))
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + content[at + length :]
    if kind == 2:
        return content[: at + length] + content[at:]
    if kind == 3:
        return content[:at] + rng.bytes(length) + content[at + length :]
    numbers = list(re.finditer(rb"-?\d+\.?\d*", content))
    if kind == 4 and numbers:
        number = numbers[rng.integers(len(numbers))]
        odd = ODD[rng.integers(len(ODD))]
        return content[: number.start()] + odd + content[number.end() :]
    flipped = bytearray(content)
    flipped[at] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def survive(make, folder, count):
    """Read damaged copies of the file that `make` writes."""
    path = make(folder)
    content = path.read_bytes()
    rng = np.random.default_rng(7)
    read = read_materials if path.suffix == ".yaml" else io.read
    read(path)
    refused = 0
    for _ in range(count):
        path.write_bytes(mutated(content, rng))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                body = read(path)
            except InputError as error:
                refused += 1
                assert "\n" not in str(error) and path.name in str(error)
            else:
                table = getattr(body, "orientation", None)
                if table is not None:
                    known = table[np.isfinite(table).all(axis=1)]
                    np.testing.assert_allclose(np.linalg.norm(known, axis=1), 1)
    assert refused


@pytest.mark.parametrize("make", MAKERS, ids=range(len(MAKERS)))
def test_a_damaged_file_is_read_or_refused_in_one_line(make, tmp_path):
    survive(make, tmp_path, 30)


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS, ids=range(len(MAKERS)))
def test_many_damaged_files_are_read_or_refused_in_one_line(make, tmp_path):
    survive(make, tmp_path, 300)
