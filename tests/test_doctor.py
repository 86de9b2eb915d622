"""`fftmech doctor`: it names what is wrong, nobody by name, and ends well always."""

import ctypes
import getpass
import json
import os
import pickle
import platform
import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numba
import pytest
from command_lines import run_fftmech
from device_array import RUNTIME

from fftmech.arrays import backend
from fftmech.kernels.compiled import code_on_disk
from fftmech_cli import installation, packages

ROOT = Path(__file__).resolve().parents[1]


def doctor(*words):
    done = run_fftmech("doctor", *words)
    return done.stdout


def test_what_is_looked_for_is_what_the_project_needs_and_its_extras_install():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(requirements):
        return {re.match(r"[\w-]+", one)[0] for one in requirements} - {"fftmech"}

    assert names(project["dependencies"]) == set(packages.REQUIRED)
    extras = project["optional-dependencies"]
    known = set(extras) - {"gpu13", "docs", "dev", "browser"}
    assert known == set(packages.OPTIONAL)
    for extra in known:
        listed = names(extras[extra]) - {"mpich"}  # a library, not a module
        expected = {
            name
            for each in packages.OPTIONAL[extra]
            for name in packages.NAMES.get(each, (each,))
        }
        assert listed == expected if extra != "gpu" else listed < expected


def test_it_is_one_screen_of_text_with_a_line_on_each_part(monkeypatch):
    lines = doctor().splitlines()
    assert len(lines) < 40
    parts = [line[:13].strip() for line in lines if line[0] != " "]
    shown = set(json.loads(doctor("--json"))) - {"packages"}
    assert shown | {"required", "optional", "missing"} == set(parts)


class Unprintable(BaseException):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "raised", ["ImportError('lib\\nx.so')", "SystemExit(0)", "Unprintable()"]
)
def test_a_package_whose_import_raises_anything_is_broken(
    raised, tmp_path, monkeypatch
):
    code = f"from test_doctor import Unprintable\nraise {raised}\n"
    (tmp_path / "ducc0.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ducc0", raising=False)
    reason = json.loads(doctor("--json"))["packages"]["ducc0"]["broken"]
    assert raised.partition("(")[0] in reason and "\n" not in reason
    assert "BROKEN        ducc0" in doctor()


def test_with_full_a_package_that_ends_python_is_broken_too(tmp_path, monkeypatch):
    bodies = {
        "works": "",
        "quits": "raise SystemExit(0)",
        "dies": "import os; os._exit(3)",
        "raises": "import no_such_module",
    }
    for name, body in bodies.items():
        (tmp_path / f"fake_{name}.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    names = tuple(f"fake-{name}" for name in [*bodies, "absent"])
    monkeypatch.setattr(packages, "OPTIONAL", {"torch": names})
    found = packages.packages(full=True)
    assert "broken" not in found["fake-works"] | found["fake-absent"]
    assert found["fake-absent"]["version"] is None
    assert "no_such_module" in found["fake-raises"]["broken"]
    assert "code 3" in found["fake-dies"]["broken"]
    assert "code 0" in found["fake-quits"]["broken"]
    broken = [
        name for name, each in packages.packages(False).items() if "broken" in each
    ]
    assert not broken  # none of them was imported


def test_two_packages_of_one_module_are_broken(monkeypatch):
    monkeypatch.setitem(packages.NAMES, "cupy", ("numpy", "scipy"))
    assert "break each other" in packages.packages(False)["cupy"]["broken"]


def test_gpus_are_listed_and_what_their_driver_says_without_cupy(monkeypatch):
    cuda = SimpleNamespace(runtime=SimpleNamespace(**RUNTIME))
    found = SimpleNamespace(xp=SimpleNamespace(cuda=cuda))
    monkeypatch.setattr(backend, "gpu_backend", lambda: found)

    def answer(number, code=0):
        def call(place):
            place._obj.value = number
            return code

        return call

    driver = SimpleNamespace(
        cuDriverGetVersion=answer(12080),
        cuInit=lambda _: 0,
        cuDeviceGetCount=answer(2),
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda _: driver)
    assert "gpu           stand-in on the host" in doctor()
    assert "driver        CUDA 12.8, 2 GPUs\n" in doctor()
    driver.cuInit = lambda _: 999
    assert "error 999" in doctor()


def test_what_cannot_be_found_out_is_said_and_the_rest_is_shown(monkeypatch):
    def fails(*_):
        raise Unprintable

    parts = [name for name in vars(installation) if re.match(r"_[a-z]+$", name)]
    looks = [name for name in parts if name not in ("_spellings", "_user", "_replaced")]
    for name in (*looks, "packages", "registered"):
        monkeypatch.setattr(installation, name, fails)
    found = json.loads(doctor("--json"))
    assert {name for name, part in found.items() if "error" not in part} == {
        "variables"
    }
    assert doctor().count("Unprintable") == len(found) - 1


def test_it_names_no_user_no_host_and_no_home(tmp_path, monkeypatch):
    home = tmp_path / "home" / "maria.k"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setattr(getpass, "getuser", lambda: "maria.k")
    monkeypatch.setattr(platform, "node", lambda: "node17.cluster.edu")
    monkeypatch.setenv("NUMBA_CACHE_DIR", f"{home}/cache{os.pathsep}/scratch/maria.k/x")
    document = json.loads(doctor("--json"))
    assert document["variables"]["NUMBA_CACHE_DIR"].startswith("~/cache")
    secret = [f"{home}/lib.so: not found", {"a": "[node17:3] /scratch/maria.k"}]
    shown = str(document) + str(installation.anonymous(secret)) + doctor()
    for name in ("maria.k", "node17", str(tmp_path / "home")):
        assert name not in shown
    assert installation.anonymous(f"{home}2/x") == f"{home}2/x"


def test_somebody_without_name_or_home_is_no_trouble(monkeypatch):
    def unknown(*_):
        raise RuntimeError

    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.setattr(getpass, "getuser", unknown)
    monkeypatch.setattr(platform, "node", lambda: "")
    assert installation.anonymous({"a": "/x/y", "b": 3}) == {"a": "/x/y", "b": 3}


def test_compiled_code_counts_if_this_version_can_load_it(tmp_path):
    (tmp_path / "vectors.py").write_text("f = lambda: 0\n")
    code = SimpleNamespace(co_filename=str(tmp_path / "vectors.py"))
    kernel = SimpleNamespace(
        stats=SimpleNamespace(cache_path=str(tmp_path)),
        py_func=SimpleNamespace(__code__=code),
    )
    here = f"py{sys.version_info.major}{sys.version_info.minor}"
    for number, (python, version, source) in enumerate(
        [
            (here, numba.__version__, "vectors"),
            ("py27", numba.__version__, "vectors"),
            (here, "0.1", "vectors"),
            (here, numba.__version__, "deleted"),
        ]
    ):
        index = tmp_path / f"{source}.f{number}-1.{python}.nbi"
        index.write_bytes(pickle.dumps(version))
    found = code_on_disk(kernel)
    assert found["files"] == 1 and found["bytes"] > 0 and found["writable"]
    os.utime(tmp_path / "vectors.py", (2**31, 2**31))  # edited since
    assert code_on_disk(kernel)["files"] == 0
    kernel.stats.cache_path = None
    assert code_on_disk(kernel)["folder"] is None
