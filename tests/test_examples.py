"""Examples run from any folder and draw a picture."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
CT, LAMINATE = "ct_to_stiffness", "laminate_by_hand"
LONG = (
    "ask_a_server",
    "how_many_grains",
    "identify_moduli",
    "inclusion_in_large_shear",
    "plate_with_hole",
    "make_a_dataset",
    "polycrystal_tension",
    "pore_in_a_plastic_matrix",
    "rigid_inclusions",
    "texture_in_tension",
    "train_a_surrogate",
    "two_schemes_near_an_interface",
)
"""Examples that make slow runs."""
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
    "how_many_grains": {"else 50": "else 3"},
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
    "train_a_surrogate": {
        "polycrystal(32, grains=24": "polycrystal(18, grains=12",
        **FEW_SAMPLES,
    },
}
"""By example, what is replaced by what for it to take less time."""


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
    """Text of an example that takes less time."""
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
