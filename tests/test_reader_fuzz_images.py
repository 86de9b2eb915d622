"""Damaged files: a microstructure or one line that says what is wrong, never more."""

import io as memory
import time

import numpy as np
import pytest
from foreign_files import FORMS, bytes_of
from written_files import marked

from fftmech import InputError, Microstructure, io
from fftmech.io.materials import Materials, read_materials

EXTREMES = (b"0", b"-1", b"1e308", b"-1e308", b"nan", b"inf", b"9" * 30, b"65536", b"")
LONGEST = 5.0
"""Seconds that no file may take."""


def tif():
    """A small TIFF stack as ImageJ writes it."""
    tifffile = pytest.importorskip("tifffile")
    file = memory.BytesIO()
    ids = marked().T.astype("u2")
    tifffile.imwrite(file, ids, imagej=True, metadata={"spacing": 2.0, "unit": "um"})
    return file.getvalue()


def png():
    """A small PNG."""
    pillow = pytest.importorskip("PIL.Image")
    file = memory.BytesIO()
    pillow.fromarray(marked()[:, :, 0].astype("u1")).save(file, format="PNG")
    return file.getvalue()


MAKERS = {form: lambda form=form: bytes_of(form) for form in FORMS}
MAKERS |= {"tif": tif, "png": png}


def flip(rng, content):
    """Some bits turned round."""
    damaged = bytearray(content)
    for place in rng.integers(len(content), size=rng.integers(1, 9)):
        damaged[place] ^= 1 << rng.integers(8)
    return bytes(damaged)


def cut(rng, content):
    """The end cut off."""
    return content[: rng.integers(1, len(content))]


def hole(rng, content):
    """Bytes cut out."""
    start = rng.integers(len(content))
    return content[:start] + content[start + rng.integers(1, 40) :]


def extreme(rng, content):
    """A number replaced by an extreme one."""
    digits = [i for i, byte in enumerate(content) if chr(byte).isdigit()]
    if not digits:
        return flip(rng, content)
    start = end = digits[rng.integers(len(digits))]
    while end < len(content) and chr(content[end]) in "0123456789.e":
        end += 1
    return content[:start] + EXTREMES[rng.integers(len(EXTREMES))] + content[end:]


MUTATIONS = (flip, cut, hole, extreme)


def check(path):
    """Read a file that may be damaged; whatever is wrong is said in one line."""
    begin = time.perf_counter()
    try:
        with np.errstate(all="ignore"):
            reader = read_materials if path.suffix == ".yaml" else io.read
            assert isinstance(reader(path), Microstructure | Materials)
    except InputError as error:
        assert str(error) and "\n" not in str(error).strip()
    assert time.perf_counter() - begin < LONGEST


def fuzz(tmp_path, form, seeds):
    content = MAKERS[form]()
    path = tmp_path / f"a.{form.split()[0]}"
    path.write_bytes(content)
    check(path)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        damaged = MUTATIONS[seed % len(MUTATIONS)](rng, content)
        path.write_bytes(damaged or b"x")
        try:
            check(path)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error


@pytest.mark.parametrize("form", MAKERS)
def test_a_damaged_file_is_read_or_named_in_one_line(tmp_path, form):
    fuzz(tmp_path, form, range(100))


@pytest.mark.slow
@pytest.mark.parametrize("form", MAKERS)
def test_many_damaged_files_are_read_or_named_in_one_line(tmp_path, form):
    fuzz(tmp_path, form, range(100, 2100))
