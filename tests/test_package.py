"""What is installed: packages, dependencies at import, versions, console scripts."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ecosurrogate
import fftmech

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_list_of_packages_is_that_of_the_folders_with_python_files():
    settings = PROJECT["tool"]["setuptools"]
    folders = {"fftmech": "fftmech", "ecosurrogate": "ecosurrogate"}
    folders |= settings["package-dir"]
    found = {
        ".".join((name, *file.parent.relative_to(ROOT / folder).parts))
        for name, folder in folders.items()
        for file in (ROOT / folder).rglob("*.py")
    }
    assert set(settings["packages"]) == found


def test_every_package_folder_has_an_init_file():
    for folder in ("fftmech", "ecosurrogate", "cli"):
        for file in (ROOT / folder).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), file.parent


@pytest.mark.parametrize("package", ["fftmech", "ecosurrogate", "fftmech_cli"])
def test_import_takes_no_optional_or_heavy_package(package):
    heavy = ["torch", "cupy", "numba", "matplotlib", "pyvista", "vtk", "tifffile"]
    code = f"import {package}, sys; print(*(set({heavy}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_fftmech_does_not_import_what_depends_on_it():
    code = "import fftmech, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert "fftmech.solve" in loaded
    assert not [m for m in loaded if m.startswith(("ecosurrogate", "fftmech_cli"))]


def test_version_is_the_same_everywhere_it_is_written():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    cited = re.search(r"^version: (\S+)$", citation, re.MULTILINE)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    latest = re.search(r"^## \[([\d.]+)\]", changelog, re.MULTILINE)
    assert cited and latest
    version = PROJECT["project"]["version"]
    assert fftmech.__version__ == ecosurrogate.__version__ == version
    assert cited.group(1) == latest.group(1) == version


@pytest.mark.parametrize("script", sorted(PROJECT["project"]["scripts"]))
def test_console_script_prints_its_version(script):
    path = shutil.which(script, path=str(Path(sys.executable).parent))
    assert path, f"{script} is not beside {sys.executable}"
    done = subprocess.run([path, "--version"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.strip().endswith(PROJECT["project"]["version"])


def test_every_extra_that_a_message_recommends_exists():
    extras = PROJECT["project"]["optional-dependencies"]
    named = {
        extra
        for folder in ("fftmech", "ecosurrogate", "cli")
        for file in (ROOT / folder).rglob("*.py")
        for extra in re.findall(r"fftmech\[(\w+)\]", file.read_text(encoding="utf-8"))
    }
    assert named and named <= set(extras)
