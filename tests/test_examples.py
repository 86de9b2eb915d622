"""Examples run from any folder and draw a picture; code in the documentation runs."""

import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from ecosurrogate.response.trained_network import TrainedNetwork
from ecosurrogate.response.tree import LaminateTree
from ecosurrogate.training.settings import resolve
from ecosurrogate.tuning.search_space import read_study_file
from fftmech import Grid, Load, Microstructure, solve, write, write_result
from fftmech.io.load_path import read_path
from fftmech.io.materials import parse_materials
from fftmech.materials import isotropic
from fftmech.tensors.bounds import hashin_shtrikman

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = ("serve-a-model", "own-data")
"""Pages whose code test_serve_page.py and test_own_data_page.py run."""
CT, LAMINATE = "ct_to_stiffness", "laminate_by_hand"
LONG = (
    "ask_a_server",
    "foam_stiffness",
    "how_many_grains",
    "identify_by_gradients",
    "identify_moduli",
    "inclusion_in_large_shear",
    "plate_with_hole",
    "make_a_dataset",
    "polycrystal_tension",
    "pore_in_a_plastic_matrix",
    "rigid_inclusions",
    "texture_in_tension",
    "texture_r_values",
    "train_a_surrogate",
    "two_schemes_near_an_interface",
)
"""Examples and pages whose code make slow runs."""
FEW_SAMPLES = {
    "24, levels=(16,), parts=(20, 2, 2)": "6, levels=(8,), parts=(4, 1, 1)",
    '"steps": 60': '"steps": 6',
}
SMALLER = {
    "ask_a_server": {
        "polycrystal(24, grains=20": "polycrystal(8, grains=6",
        "= 16, 4": "= 4, 2",
        **FEW_SAMPLES,
    },
    "foam_stiffness": {"64, 16, 3, (32, 48, 64, 80)": "24, 6, 2, (16,)"},
    "how_many_grains": {"else 100": "else 10", "12, 24, 48": "12, 18"},
    "identify_by_gradients": {"STRESS_ERROR = 24, 60,": "STRESS_ERROR = 8, 12,"},
    "identify_moduli": {"N, NOISE = 16,": "N, NOISE = 8,"},
    "inclusion_in_large_shear": {"N = 96": "N = 24"},
    "make_a_dataset": {"levels=(64, 32)": "levels=(16, 8)"},
    "polycrystal_tension": {"N, GRAINS = 24, 40": "N, GRAINS = 8, 6"},
    "pore_in_a_plastic_matrix": {"N, RADIUS = 32,": "N, RADIUS = 12,"},
    "pore_in_tension": {"N, RADIUS, NU = 64,": "N, RADIUS, NU = 32,"},
    "python_api": {"polycrystal(32,": "polycrystal(12,"},
    "rigid_inclusions": {"N, RADII, SCHEME = 32,": "N, RADII, SCHEME = 24,"},
    "texture_in_tension": {
        "GRAINS = 250": "GRAINS = 30",
        "polycrystal(16,": "polycrystal(8,",
    },
    "texture_r_values": {
        "SPREAD = 20, 400,": "SPREAD = 8, 30,",
        "(0, 91, 5), np.arange(0, 91, 15)": "(0, 91, 45), np.arange(0, 91, 45)",
    },
    "train_a_surrogate": {
        "polycrystal(32, grains=24": "polycrystal(18, grains=12",
        **FEW_SAMPLES,
    },
}
"""By example or page, what is replaced by what for it to take less time."""
PLASTIC = """
[default]
isotropic = { E = 70.0, nu = 0.3 }
plasticity = { yield_stress = 0.2 }
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run an example in a folder of its own, and return what it prints.

    Smaller where that would take long. In this process, where all is imported already;
    those that take long, or that begin processes, and one of the others, in a process
    of their own.
    """
    pyplot = pytest.importorskip("matplotlib.pyplot")

    def run_(example, *arguments):
        text, example = smaller(example), tmp_path / example.name
        example.write_text(text, "utf-8")
        if example.stem in (*LONG, "python_api"):
            return run_alone(example, tmp_path, *arguments)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(example), *map(str, arguments)])
        pyplot.switch_backend("Agg")
        with pyplot.rc_context():
            runpy.run_path(str(example), run_name="__main__")
        pyplot.close("all")
        return capsys.readouterr().out

    return run_


def smaller(path):
    """Text of an example or a page that takes less time."""
    text = path.read_text("utf-8")
    for large, small in SMALLER.get(path.stem, {}).items():
        assert text.count(large) == 1, large
        text = text.replace(large, small)
    return text


def run_alone(example, folder, *arguments):
    """What an example prints, run in `folder` in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(example), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_picture(path):
    """A picture of some size, with something drawn in it."""
    image = pytest.importorskip("matplotlib.image").imread(path)
    assert min(image.shape[:2]) > 300
    assert image[..., :3].std() > 0.05


def numbers(line):
    """Numbers in a line that an example prints."""
    return [float(n) for n in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", line)]


def check_foams(open_cells, *rest):
    """Published stiffness of open cells; closed ones are stiffer, below the bound."""
    n, _, E, density, _ = numbers(open_cells)
    published = 0.93 * density**2.04
    assert abs(n - 2.04) < 0.15 and abs(E / published - 1) < 0.1
    closed = next(line for line in rest if line.startswith("closed"))
    n, _, stiffer, density, _ = numbers(closed)
    most = hashin_shtrikman((5 / 6, 0), (5 / 13, 0), (density, 1 - density))
    K, G = most["K"][1], most["G"][1]
    assert 1 < n < 2 and E < stiffer < 9 * K * G / (3 * K + G)


def check_grains(*lines):
    """One grain has Voigt's mean exactly; scatter is the first one's / sqrt(N)."""
    rows = [numbers(line) for line in lines]
    assert rows[0][3:5] == [209.92, 0.0]
    for grains, _, _, better, error, scatter, _ in rows[1:]:
        assert better + error < 209.92 and error < 1
        assert 0.6 < scatter * grains**0.5 / rows[0][5] < 1.6


def check_r_values(cube, goss, *textures):
    """Single crystals by Schmid's law; a Cube texture is least at 45 degrees."""
    assert np.allclose(numbers(cube)[:3], (1, 0, 1), atol=0.01)
    assert abs(numbers(goss)[0] - 1) < 0.01 and numbers(goss)[2] > 100
    random, cube, rolled = (numbers(line)[:3] for line in textures)
    assert 0.7 < np.mean(random) < 1.4 and abs(cube[1]) < 0.3 < min(cube[0], cube[2])
    assert rolled[1] > 1 + max(rolled[0], rolled[2])


def check_constants(misfit, *constants):
    """The misfit is that of the errors, and constants are off by a few error bars."""
    assert 0.7 < numbers(misfit)[-1] < 1.3
    for line in constants:
        found, error, true, averaged = numbers(line.partition("=")[2])
        assert abs(found - true) < 3 * error < 3 * averaged


LAWS = {
    "foam_stiffness": check_foams,
    "how_many_grains": check_grains,
    "identify_by_gradients": check_constants,
    "texture_r_values": check_r_values,
}
"""By example, what its printed lines have to obey."""


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(e, id=e.stem, marks=[pytest.mark.slow] * (e.stem in LONG))
        for e in EXAMPLES
        if e.stem not in (CT, LAMINATE)
    ],
)
def test_example_converges_and_draws_the_picture_it_is_told_to(run, example, tmp_path):
    printed = run(example, "picture.png")
    assert re.search(r"[1-9]\d* iterations", printed)
    check_picture(tmp_path / "picture.png")
    if example.stem in LAWS:
        LAWS[example.stem](*printed.splitlines())


def test_laminate_example_meets_the_closed_form(run, tmp_path):
    example = next(e for e in EXAMPLES if e.stem == LAMINATE)
    error = run(example).split()[-1]
    assert float(error) < 1e-9
    check_picture(tmp_path / "laminate_by_hand.png")


@pytest.mark.slow
def test_ct_example_reads_an_image_and_finer_porosity_makes_it_softer(
    run, data, tmp_path
):
    example = next(e for e in EXAMPLES if e.stem == CT)
    image = data / "grosmont_128.raw.gz"
    printed = run(example, image, "--res", 16, "-o", "picture.png")
    K = dict(re.findall(r"(\w+) +16\^3: K ([\d.]+)", printed))
    assert 0 < float(K["porous"]) < float(K["composite"]) < 70.2
    assert printed.count("converged") == 9
    check_picture(tmp_path / "picture.png")


def blocks(page, language):
    """Code blocks of one language in a page."""
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, smaller(page), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem in LONG))
        for p in PAGES
        if blocks(p, "python") and p.stem not in ELSEWHERE
    ],
)
def test_python_in_the_documentation_runs(page, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    if page.stem == "paraview":
        pytest.importorskip("pyvista")
    monkeypatch.chdir(tmp_path)
    body = Microstructure(
        Grid((4, 4, 4)), np.zeros((4, 4, 4), int), [isotropic(E=1, nu=0)]
    )
    write_result("tension.vtkhdf", solve(body, Load(strain={"zz": 1e-3})))
    write("micro.h5", body)
    Path("materials.toml").write_text(PLASTIC)
    if page.stem == "which-surrogate":
        Path("run").mkdir()
        tree = LaminateTree([0, 1], [0.7, 0.3], [[1.0, 0, 0]])
        data = {"scheme": "rotated"}
        TrainedNetwork(tree, np.arange(2), tree.fractions, data, {}, {}).write("run")
    for code in blocks(page, "toml"):
        if "[[step]]" in code:
            Path("cycle.toml").write_text(code)
    for code in blocks(page, "python"):
        names = {}
        exec(compile(code, str(page), "exec"), names)
        assert len(names) > 1, code


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p, "toml")], ids=lambda p: p.stem
)
def test_tables_in_the_documentation_are_read(page, tmp_path):
    for code in blocks(page, "toml"):
        document = tomllib.loads(code)
        if "model" in document:
            (tmp_path / "study.toml").write_text(code)
            settings, space = read_study_file(tmp_path / "study.toml")
            assert resolve(settings).model == document["model"] and space
        elif "step" in document:
            (tmp_path / "path.toml").write_text(code)
            assert read_path(tmp_path / "path.toml").increments > len(document["step"])
        elif "files" not in document and document.keys() != {"units"}:
            # files of own-data.md are a mapping, which a test of its own reads
            parse_materials(document, page.name)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_in_the_documentation_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
