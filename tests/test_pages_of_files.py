"""Pages on files of other programs: their commands run, and print the notes shown."""

import re
import runpy
import shlex
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from foreign_files import PLASTIC, abaqus, damask_yaml, material, voxel_tesr
from written_files import MARK, NX, NY, NZ, marked, tesr, vti

from fftmech.io import FORMATS
from fftmech_cli.fftmech_main import main

DOCS = Path(__file__).resolve().parents[1] / "docs"


def damask(folder):
    """A grid of four grains and its materials."""
    ids = marked().T.ravel()
    numbers = " ".join(map(str, ids)).encode()
    some = " ".join(map(str, ids % 4)).encode()
    (folder / "grid.vti").write_bytes(vti("ascii").replace(numbers, some))
    yaml = damask_yaml(plastic=PLASTIC.format(a=2.25, h=1.4), count=4)
    (folder / "material.yaml").write_bytes(yaml.replace(b"steel", b"copper"))


def neper(folder):
    """Tessellations with orientations of cells, of voxels, and with groups."""
    cells = 1 + marked() % 2
    turns = "  *ori\n   rodrigues\n   0.1 0 0\n   0 0.2 0.3\n"
    (folder / "grains.tesr").write_bytes(tesr(extra=turns, values=cells))
    groups = turns + "  *group\n   1 2\n"
    (folder / "groups.tesr").write_bytes(tesr(extra=groups, values=cells))
    cells = np.ones((NX, NY, NZ), int)
    cells[MARK] = cells[0, 0, 0] = 0
    rows = np.random.default_rng(0).normal(scale=0.01, size=(cells.size, 3))
    (folder / "ebsd.tesr").write_bytes(voxel_tesr(rows, cells=cells))


def deck(folder):
    """A deck of voxels of two materials."""
    extra = material("ALUMINIUM", "*Elastic", "70., 0.33", "*Plastic", "0.2, 0.")
    extra += "\n" + material("STEEL", "*Elastic", "210., 0.3") + "\n*Step\n*End Step"
    ids = np.ones((4, 4, 4), int)
    ids[:2] = 2
    content = abaqus(ids, h=(1, 1, 1), extra=extra)
    content = content.replace(b"MAT-1", b"ALUMINIUM").replace(b"MAT-2", b"STEEL")
    (folder / "voxels.inp").write_bytes(content)


def scan(folder):
    """Slices, of which one is missing, and a stack as ImageJ writes it."""
    pillow = pytest.importorskip("PIL.Image")
    tifffile = pytest.importorskip("tifffile")
    grey = np.random.default_rng(0).integers(0, 255, (8, 16, 16)).astype("u1")
    (folder / "scan").mkdir()
    for k, plane in zip([1, 2, 3, 4, 6, 7, 8, 10], grey, strict=True):
        pillow.fromarray(plane).save(folder / "scan" / f"scan_{k}.png")
    (folder / "scan" / "scanner.log").write_text("8 slices")
    said = {"spacing": 2.0, "unit": "um", "axes": "ZYX"}
    tifffile.imwrite(
        folder / "fiji.tif", grey, imagej=True, resolution=(2, 2), metadata=said
    )


def blocks(page, language):
    """Blocks of one language of a page; of commands it is empty."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    return [code for kind, code in found if kind == language]


def words_of(lines):
    """Words of each line, without rules of tables."""
    return {" ".join(line.replace("─", "").split()) for line in lines}


PAGES = {
    "from-damask": damask,
    "from-neper": neper,
    "from-abaqus": deck,
    "from-a-ct-scan": scan,
}


@pytest.mark.parametrize("name", PAGES)
def test_commands_run_and_print_the_notes_that_the_page_shows(
    name, tmp_path, monkeypatch
):
    pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    page = DOCS / f"{name}.md"
    PAGES[name](tmp_path)
    for code in blocks(page, "toml"):
        file = re.match(r"# (\S+\.toml)\n", code)
        if file:
            (tmp_path / file.group(1)).write_text(code)
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec"), {})
    printed, shown = "", []
    for block in blocks(page, ""):
        notes = [line for line in block.splitlines() if line.startswith("note: ")]
        shown += notes
        for line in [] if notes else block.replace("\\\n", " ").splitlines():
            command = line.removeprefix("$ ")
            if not command.startswith("fftmech "):
                continue
            words = shlex.split(command)[1:]
            if words[0] in ("solve", "homogenize") and "--res" not in words:
                words += ["--res", "6"]
            done = CliRunner().invoke(main, words)
            assert done.exit_code == 0, (command, done.stderr)
            printed += done.stderr
            if line.startswith("$ "):
                assert words_of(block.splitlines()[1:]) <= words_of(
                    done.stdout.splitlines()
                )
    assert printed and shown
    missing = set(shown) - set(printed.splitlines())
    assert not missing, (missing, printed)


def test_every_reader_declares_what_it_uses_and_what_it_ignores():
    modules = {module for several in FORMATS.own.values() for module in several}
    for name in sorted(modules | {"slices", "damask"}):
        reader = import_module(f"fftmech.io.{name}")
        for said in (reader.USED, reader.IGNORED):
            assert isinstance(said, tuple), name
            assert all(isinstance(phrase, str) and phrase for phrase in said), name
        assert reader.USED, name


def test_the_table_of_formats_is_what_the_readers_declare(monkeypatch):
    names = runpy.run_path(str(DOCS / "formats.py"))
    monkeypatch.setattr("sys.argv", ["formats.py", "--check"])
    assert names["main"]() == 0
