"""The package of docs/own-package.md: a law, a format, a network of somebody else."""

import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from command_lines import run_fftmech

from fftmech import InputError, Load, io, solve
from fftmech.io.materials import parse_materials, read_materials
from fftmech.materials.laws import LAWS
from fftmech.plugins import plugins

PAGE = Path(__file__).resolve().parents[1] / "docs" / "own-package.md"
PATH = "[[step]]\nuniaxial = { xx = 5e-3 }\nincrements = 2\n"


def install(folder, name, version, entries):
    """Make a folder of Python's path hold a package's metadata, as pip does."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(text)
    lines = [
        f"[{g}]\n{k} = {v}\n" for g, own in entries.items() for k, v in own.items()
    ]
    (info / "entry_points.txt").write_text("".join(lines))


def forget():
    for name in [n for n in sys.modules if n.partition(".")[0] == "my_materials"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Folder of the page's files, and the package installed beside them."""
    folder = tmp_path_factory.mktemp("own")
    text = PAGE.read_text(encoding="utf-8")
    for code in re.findall(
        r"^```\w+\n(# \S+\n.*?)^```", text, re.MULTILINE | re.DOTALL
    ):
        path = folder / code.split()[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    (folder / "my_materials" / "__init__.py").touch()
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    install(folder, project["name"], project["version"], project["entry-points"])
    (folder / "path.toml").write_text(PATH)
    x, y, z = np.indices((4, 3, 2))
    phases = "\n".join(map(str, (x + y + z).T.ravel() % 2))
    (folder / "body.cells").write_text(f"4 3 2\n{phases}\n")
    return folder


@pytest.fixture
def installed(files, tmp_path, monkeypatch):
    """The package is there; `files`, with a folder to write in as the current one."""
    monkeypatch.syspath_prepend(files)
    monkeypatch.chdir(tmp_path)
    yield files
    forget()


def add(monkeypatch, folder, name, group, **entries):
    install(folder, name, "0.3", {group: entries})
    monkeypatch.syspath_prepend(folder)


def run(*words, code=0):
    done = run_fftmech(*words, code=code)
    assert code == 0 or len(done.stderr.splitlines()) == 1, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_names_are_known_without_importing_the_package(installed):
    assert "deformation_theory" in LAWS and "deformation_theory" in list(LAWS)
    assert ".cells" in io.FORMATS and ".cells" not in io.FORMATS.own
    assert [str(p) for p in plugins("ecosurrogate.networks")] == ["my-materials 1.0"]
    assert "my_materials" not in sys.modules
    assert LAWS.package("deformation_theory") == "my-materials 1.0"
    assert LAWS.package("plasticity") is None


def test_the_tests_of_the_page_pass(installed):
    names = {}
    exec((installed / "tests" / "test_law.py").read_text(), names)
    names["test_the_law_is_one"]()


def test_a_law_in_a_materials_file_a_path_a_result_and_where_it_is_missing(
    installed, monkeypatch
):
    run("convert", installed / "body.cells", "-o", "body.h5")
    assert json.loads(run("info", installed / "body.cells", "--json"))["shape"] == [
        *(4, 3, 2)
    ]
    body = "--materials", installed / "materials.toml", "-o", "r.vtkhdf"
    done = run("solve", "body.h5", *body, "--path", installed / "path.toml", "--json")
    answer = json.loads(done)
    assert answer["status"] == "converged"
    # the law of a homogeneous body is known without a solve
    e = np.array([answer["mean_strain"][c] for c in ("xx", "yy", "zz")])
    trace = e.sum()
    deviator = e - trace / 3
    G, K = 70.0 / 2.66, 70.0 / (3 * 0.34)
    r = (1 + (deviator**2).sum() / 1e-3**2) ** 0.5
    expected = K * trace + 2 * G / r * deviator
    found = [answer["mean_stress"][c] for c in ("xx", "yy", "zz")]
    np.testing.assert_allclose(found, expected, atol=1e-6 * expected[0])
    result = io.read_result("r-end.vtkhdf")
    assert {law.name for law in result.microstructure.law.values()} == {
        "deformation_theory"
    }
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(installed)])
    said = run("info", "r-end.vtkhdf", code=2)
    assert "law 'deformation_theory' is of the package my-materials 1.0" in said
    assert "not installed; pip install my-materials" in said
    said = run("convert", installed / "body.cells", "-o", "again.h5", code=2)
    assert "unknown extension" in said
    said = run("solve", "body.h5", *body, "--force", code=2)
    assert "unknown key 'deformation_theory'" in said


def test_a_broken_file_or_reader_is_one_line_that_names_the_package(installed):
    Path("short.cells").write_text("4 3 2\n0 1\n")
    assert "short.cells: 2 phases" in run("info", "short.cells", code=2)
    Path("text.cells").write_text("4 3 two\n")
    said = run("info", "text.cells", code=2)
    assert "the package my-materials 1.0 failed in my_materials.cells, line " in said
    assert "ValueError: invalid literal" in said


@pytest.mark.parametrize(
    "module, reason",
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("Law = 3", "3 is no Law"),
        ("from fftmech.materials.creep import Creep as Law", "Creep is not 'gurson'"),
        (
            "from fftmech.materials.base import Law as L\nclass Law(L): name='gurson'\n"
            "Law.__eq__ = Law.__hash__ = None",
            "Law is no frozen dataclass",
        ),
        ("x = 1", "AttributeError: module 'theirs' has no attribute 'Law'"),
    ],
)
def test_a_law_that_cannot_be_used_is_named_with_its_package(
    module, reason, tmp_path, monkeypatch
):
    (tmp_path / "theirs.py").write_text(module)
    add(monkeypatch, tmp_path, "their-laws", "fftmech.laws", gurson="theirs:Law")
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    text = "[default]\nisotropic = { E = 1, nu = 0.3 }\ngurson = { q = 1 }\n"
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(InputError) as error:
        read_materials(tmp_path / "m.toml")
    said = str(error.value)
    assert "law 'gurson' of the package their-laws 0.3 cannot be used (" in said
    assert reason in said and "\n" not in said
    monkeypatch.delitem(sys.modules, "theirs", raising=False)


@pytest.mark.parametrize(
    "loaded, reason",
    [
        ("OPTIONS = ()", "has no function read"),
        ("read = print", "has no tuple OPTIONS"),
        ("OPTIONS = ()\ndef read(path): pass", "made a NoneType of it"),
    ],
)
def test_a_reader_that_is_none_is_named(loaded, reason, tmp_path, monkeypatch):
    (tmp_path / "theirs.py").write_text(loaded)
    install(tmp_path, "their-files", "0.3", {"fftmech.formats": {".sem": "theirs"}})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    (tmp_path / "a.SEM").write_text("x")
    said = run("info", tmp_path / "a.SEM", code=2)
    assert reason in said and "theirs" in said
    monkeypatch.delitem(sys.modules, "theirs")


def test_a_name_that_is_taken_is_refused_by_name(tmp_path, monkeypatch):
    group = "fftmech.laws"
    add(monkeypatch, tmp_path / "a", "laws-a", group, plasticity="a:X", gurson="a:Y")
    add(monkeypatch, tmp_path / "b", "laws-b", group, gurson="b:Z")
    for name, owners in (
        ("plasticity", "fftmech and by laws-a 0.3; uninstall laws-a,"),
        ("gurson", "laws-b 0.3 and by laws-a 0.3; uninstall laws-a,"),
    ):
        with pytest.raises(InputError, match=f"law '{name}' is registered by {owners}"):
            LAWS[name]
    assert LAWS["creep"] is LAWS.own["creep"]
    add(monkeypatch, tmp_path / "c", "laws-c", group, isotropic="c:X")
    with pytest.raises(InputError, match="isotropic is a key of materials files, and"):
        parse_materials({"default": {"isotropic": {"E": 1.0, "nu": 0.3}}}, "m.toml")
    said = run("doctor")
    assert "laws-a 0.3: law plasticity, law gurson" in said
    assert "BROKEN        law 'plasticity' is registered by fftmech and by laws" in said
    formats = {"fftmech.formats": {".npy": "a"}}
    install(tmp_path / "a", "formats-a", "0.3", formats)
    monkeypatch.syspath_prepend(tmp_path / "new")  # the folder is looked at again
    np.save(tmp_path / "body.npy", np.zeros((2, 2, 2), int))
    said = run("info", tmp_path / "body.npy", code=2)
    assert "file format '.npy' is registered by fftmech and by formats-a 0.3" in said


def test_doctor_lists_what_is_registered_by_package(installed):
    listed = json.loads(run("doctor", "--json"))["plugins"]
    assert [(p["kind"], p["name"]) for p in listed] == [
        ("law", "deformation_theory"),
        ("file format", ".cells"),
        ("network", "one-layer"),
    ]
    assert {(p["package"], p["version"]) for p in listed} == {("my-materials", "1.0")}
    assert not any("broken" in p for p in listed)
    assert "plugins       my-materials 1.0: law deformation_theory, file" in run(
        "doctor"
    )


def solve_here(body, name):
    """The stress of a body, and whether a law has a kernel: in a process of a pool."""
    from fftmech.kernels.laws import kernel_of

    law = LAWS[name]
    assert type(body.law[0]) is law
    load = Load(strain={"xx": 1e-3})
    return solve(body, load).mean_stress, kernel_of(law.material)


@pytest.mark.slow
def test_a_started_process_knows_the_law_and_its_kernel(installed, monkeypatch):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    law = installed / "my_materials" / "law.py"
    text = law.read_text()
    page = PAGE.read_text(encoding="utf-8")
    (added,) = re.findall(
        r"^```python\n(from fftmech.kernels.*?)^```", page, re.M | re.S
    )
    law.write_text(text + added)
    kernel = (
        "def respond(material, step, threads):\n    return material.respond(step)\n"
    )
    (installed / "my_materials" / "kernel.py").write_text(kernel)
    try:
        body = io.read(installed / "body.cells")
        body = read_materials(installed / "materials.toml").apply(body)
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            stress, module = pool.submit(
                solve_here, body, "deformation_theory"
            ).result()
        assert module == "my_materials.kernel"
        here, _ = solve_here(body, "deformation_theory")
        np.testing.assert_allclose(stress, here, rtol=1e-12, atol=1e-15)
    finally:
        from fftmech.kernels.laws import KERNELS

        law.write_text(text)
        for kind in [k for k in KERNELS if k.__module__ == "my_materials.law"]:
            del KERNELS[kind]


def test_a_network_is_made_and_a_card_says_what_package_it_needs(
    installed, monkeypatch
):
    pytest.importorskip("torch")
    from untrained_models import untrained

    from ecosurrogate.networks import make_network
    from ecosurrogate.training.checkpoint import RunCard

    with pytest.raises(InputError, match="network 'two-layer': expected one of unet, "):
        make_network("two-layer", 2, 3)
    model, card = untrained("p-eco", backbone="one-layer")
    assert type(model.network).__name__ == "OneLayer"
    document = card.as_dict()
    assert document["package"] == "my-materials 1.0"
    assert RunCard.from_dict(document).config.backbone == "one-layer"
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(installed)])
    with pytest.raises(
        InputError, match="is of the package my-materials 1.0, which is"
    ):
        RunCard.from_dict(document)


@pytest.mark.slow
def test_a_network_is_trained_and_predicts(installed, grains8, no_curves, monkeypatch):
    from small_runs import TINY, as_options
    from small_runs import run as ecosr

    settings = {**TINY, "steps": 2, "validate_every": 2, "save_every": 2}
    settings = {k: v for k, v in settings.items() if k != "network"} | {
        "model": "p-eco-iterated"
    }
    line = f"fit {grains8} -o run --backbone one-layer --set network.width=6"
    ecosr(f"{line} --preset smoke {as_options(settings)}")
    run("generate", "polycrystal", "--res", 8, "--grains", 4, "-o", "b.h5")
    ecosr("predict run b.h5 -o p.vtkhdf")
    assert json.loads(Path("run/config.json").read_text())["package"] == (
        "my-materials 1.0"
    )
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(installed)])
    said = ecosr("predict run b.h5 --strain xx=1e-3 -o q.vtkhdf", code=2).stderr
    message = PAGE.read_text(encoding="utf-8").partition("Error: run/config.json: ")[2]
    assert message.splitlines()[0] in said and len(said.splitlines()) == 1
