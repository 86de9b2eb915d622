"""Commands of the pages on DREAM.3D and EBSD run on files of these kinds."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scan_files import ang, ctf, evpfft, h5oina, two_grains, two_phases

from fftmech.datasets.image_files import images_in
from fftmech.io import FORMATS, dream3d
from fftmech.io import ang as ang_reader
from fftmech.io import ctf as ctf_reader
from fftmech.io import evpfft as evpfft_reader
from fftmech.io import h5oina as h5oina_reader
from fftmech_cli.fftmech_main import main

DOCS = Path(__file__).resolve().parents[1] / "docs"


def blocks(page, language):
    """Code blocks of one language, none by default, in a page of the docs."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [code for name, code in found if name == language]


def commands(page):
    """Commands of a page, lines that continue joined."""
    lines = "".join(blocks(page, "")).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("fftmech ")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a file of each kind that the pages name."""
    monkeypatch.chdir(tmp_path)
    missed = np.where(np.arange(12).reshape(3, 4) == 5, -1.0, 0.5)
    ang(tmp_path / "scan.ang", two_grains(), ci=missed)
    ctf(tmp_path / "scan.ctf", two_grains())
    h5oina(tmp_path / "scan.h5oina", two_grains())
    evpfft(tmp_path / "grains.txt", two_grains())
    two_phases(tmp_path / "volume.dream3d")
    return tmp_path


@pytest.mark.parametrize("page", ["from-dream3d", "from-ebsd"])
def test_commands_of_the_page_run(page, folder):
    for code in blocks(page, "toml"):
        name = re.match(r"# (\S+\.toml)\n", code)
        (folder / name[1]).write_text(code)
    assert len(commands(page)) >= 3
    for line in commands(page):
        done = CliRunner().invoke(main, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output)


def test_text_beside_images_is_no_image(tmp_path):
    for name in ("a.npy", "README.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [name for name, _ in images_in(tmp_path)] == ["a.npy"]


def test_readers_of_grains_say_what_they_use_and_ignore():
    for reader in (dream3d, ang_reader, ctf_reader, h5oina_reader, evpfft_reader):
        for phrases in (reader.USED, reader.IGNORED):
            assert isinstance(phrases, tuple)
            assert all(isinstance(phrase, str) and phrase for phrase in phrases)
        assert reader.USED and any(
            reader.__name__.rpartition(".")[2] in modules
            for modules in FORMATS.own.values()
        )
