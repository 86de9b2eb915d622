"""What is installed: packages, dependencies at import, versions, console scripts."""

import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import ecosurrogate
import fftmech
from fftmech_cli import ecosr_main
from fftmech_cli.fftmech_main import SUBCOMMANDS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RECIPE = (ROOT / "recipe/meta.yaml").read_text(encoding="utf-8")


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


def test_every_file_beside_python_s_in_a_package_is_installed():
    settings = PROJECT["tool"]["setuptools"]
    folders = {name: ROOT / name.replace(".", "/") for name in settings["packages"]}
    folders["fftmech_cli"] = ROOT / "cli"
    installed = {
        file
        for package, patterns in settings["package-data"].items()
        for pattern in patterns
        for file in folders[package].glob(pattern)
    }
    found = {
        file
        for folder in ("fftmech", "ecosurrogate", "cli")
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and file.suffix != ".py" and file.parent.name != "__pycache__"
    }
    assert found == installed


def test_the_conda_recipe_has_the_requirements_and_scripts_of_the_project():
    project = PROJECT["project"]
    run = RECIPE.partition("  run:\n")[2].partition("  run_constrained:")[0]
    listed = {line.strip(" -").replace(" ", "") for line in run.splitlines() if line}
    assert listed - {"python>={{python_min}}"} == set(project["dependencies"])
    assert f'python_min = "{project["requires-python"].lstrip(">=")}"' in RECIPE
    assert all(f"- {k} = {v}\n" in RECIPE for k, v in project["scripts"].items())
    optional = "".join(map(str, project["optional-dependencies"].values()))
    constrained = RECIPE.partition("run_constrained:")[2].partition("test:")[0]
    names = {"matplotlib-base": "matplotlib", "pytorch": "torch"}
    for name, least in re.findall(r"- (\S+) (>=\S+)", constrained):
        assert re.search(rf"{names.get(name, name)}[^'>]*{least}'", optional), name


def test_what_workflows_hooks_and_templates_name_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for file in (ROOT / ".github/workflows").glob("*.yml"):
        text = file.read_text(encoding="utf-8")
        for named in re.findall(r"(?:tests|docs|benchmarks)/\w+\.py", text):
            assert (ROOT / named).exists(), named
        for target in re.findall(r"run: make (\w+)", text):
            assert f"\n{target}:" in makefile, target
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    ruff = re.search(r"ruff-pre-commit\n    rev: v(\S+)", hooks)
    assert ruff and f"\nruff=={ruff[1]}\n" in pinned
    for name in ("bug", "wrong-number"):
        form = ROOT / f".github/ISSUE_TEMPLATE/{name}.yml"
        assert "label: fftmech doctor" in form.read_text(encoding="utf-8")


def test_every_package_folder_has_an_init_file():
    for folder in ("fftmech", "ecosurrogate", "cli"):
        for file in (ROOT / folder).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), file.parent


HEAVY = {
    *("torch", "cupy", "numba", "matplotlib", "pyvista", "vtk", "tifffile"),
    *("scipy", "h5py", "psutil", "rich"),
}
"""Packages, optional or not, that only the functions which use them import."""


def imported(program, *arguments):
    """Modules that a Python program has imported when it ends."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n" + program
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("package", ["fftmech", "ecosurrogate", "fftmech_cli"])
def test_import_takes_no_optional_or_heavy_package(package):
    loaded = imported(f"import {package}")
    assert package in loaded
    assert not HEAVY & loaded


HELP = """
import contextlib
for line in sys.argv[1:]:
    with contextlib.suppress(SystemExit):
        main([*line.split(), "--help"])
"""


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("fftmech", ["", *SUBCOMMANDS, "generate polycrystal"]),
        ("ecosr", ["", *ecosr_main.SUBCOMMANDS]),
    ],
    ids=["fftmech", "ecosr"],
)
def test_help_takes_no_optional_or_heavy_package(script, lines):
    program = f"from fftmech_cli.{script}_main import main\n{HELP}"
    loaded = imported(program, *lines)
    assert {"fftmech_cli.solve", "fftmech_cli.tune"} & loaded
    assert not HEAVY & loaded


def test_a_subcommand_does_not_import_the_others():
    program = "from fftmech_cli.fftmech_main import main; main()"
    loaded = imported(program, "info", "--help")
    assert {name for name in SUBCOMMANDS if f"fftmech_cli.{name}" in loaded} == {"info"}


def test_the_list_of_subcommands_is_that_of_the_modules_with_a_command_of_their_name():
    found = set()
    for file in (ROOT / "cli").glob("*.py"):
        module = importlib.import_module(f"fftmech_cli.{file.stem}")
        if isinstance(getattr(module, file.stem, None), click.Command):
            found.add(file.stem)
    assert found == {*SUBCOMMANDS, *ecosr_main.SUBCOMMANDS}


def test_fftmech_does_not_import_what_depends_on_it():
    loaded = imported("import fftmech")
    assert "fftmech.simulations.solve" in loaded
    assert not [m for m in loaded if m.startswith(("ecosurrogate", "fftmech_cli"))]


def test_version_is_the_same_everywhere_it_is_written():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    cited = re.search(r"^version: (\S+)$", citation, re.MULTILINE)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    latest = re.search(r"^## \[([\d.]+)\]", changelog, re.MULTILINE)
    assert cited and latest
    version = PROJECT["project"]["version"]
    assert f'version = "{version}"' in RECIPE
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
