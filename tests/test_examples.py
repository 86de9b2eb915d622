"""Every example runs from any folder and draws a picture."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))
CT, LAMINATE = "ct_to_stiffness", "laminate_by_hand"


def run(example, folder, *arguments):
    """What an example prints, run in `folder`."""
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
    [e for e in EXAMPLES if e.stem not in (CT, LAMINATE)],
    ids=lambda e: e.stem,
)
def test_example_converges_and_draws_the_picture_it_is_told_to(example, tmp_path):
    pytest.importorskip("matplotlib")
    printed = run(example, tmp_path, "picture.png")
    assert re.search(r"[1-9]\d* iterations", printed)
    check_picture(tmp_path / "picture.png")


def test_laminate_example_meets_the_closed_form(tmp_path):
    pytest.importorskip("matplotlib")
    example = next(e for e in EXAMPLES if e.stem == LAMINATE)
    error = run(example, tmp_path).split()[-1]
    assert float(error) < 1e-9
    check_picture(tmp_path / "laminate_by_hand.png")


def test_ct_example_reads_an_image_and_finer_porosity_makes_it_softer(data, tmp_path):
    pytest.importorskip("matplotlib")
    example = next(e for e in EXAMPLES if e.stem == CT)
    image = data / "grosmont_128.raw.gz"
    printed = run(example, tmp_path, image, "--res", 16, "-o", "picture.png")
    K = dict(re.findall(r"(\w+) +16\^3: K ([\d.]+)", printed))
    assert 0 < float(K["porous"]) < float(K["composite"]) < 70.2
    assert printed.count("converged") == 9
    check_picture(tmp_path / "picture.png")
