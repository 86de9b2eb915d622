"""Pictures without a browser, and what `fftmech view` refuses."""

import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from command_lines import one_line_of
from command_lines import run_fftmech as run
from viewed_files import written

from fftmech.viewer.picture import Projection

folder = pytest.fixture(scope="module")(written)


def failed_line(*words):
    return one_line_of(run("view", *words, code=2))


def test_a_picture_from_above_has_x_to_the_right_and_y_upwards():
    above = Projection.towards((0, 0, 1), (0, 1, 0))
    np.testing.assert_allclose(above.flat(np.eye(3)), [[1, 0], [0, 1], [0, 0]])


def test_a_screenshot_has_its_size_and_changes_with_what_is_shown(folder, tmp_path):
    pictures = []
    for name, options in {
        "xx.png": ("--component", "xx"),
        "xy.png": ("--component", "xy"),
        "corner.png": ("--component", "xx", "--mode", "corner", "--warp", "100"),
    }.items():
        shown = "view", folder / "a.vtkhdf", "--field", "stress", "--size", "500x400"
        run(*shown, *options, "--screenshot", tmp_path / name)
        pictures.append(matplotlib.image.imread(tmp_path / name))
        assert pictures[-1].shape[:2] == (400, 500)
        # coloured voxels, no empty frame
        assert (np.ptp(pictures[-1][..., :3], axis=2) > 0.2).mean() > 0.05
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_a_screenshot_of_two_files_shows_both_and_their_difference(folder, tmp_path):
    out = tmp_path / "two.png"
    run("view", folder / "a.vtkhdf", folder / "b.vtkhdf", "--screenshot", out)
    picture = matplotlib.image.imread(out)[..., :3]
    colored = (np.ptp(picture, axis=2) > 0.2).mean(axis=0)
    for third in np.array_split(colored, 3):
        assert third.max() > 0.1


def test_the_phases_of_a_microstructure_have_a_screenshot(folder, tmp_path):
    out = tmp_path / "grains.png"
    run("view", folder / "grains.h5", "--screenshot", out)
    assert out.stat().st_size > 5000


@pytest.mark.parametrize(
    "args, message",
    [
        (("a.vtkhdf", "--field", "heat"), "field 'heat': expected one of phase"),
        (("a.vtkhdf", "--field", "stress", "--component", "q"), "component 'q'"),
        (("grains.h5", "--warp", "10"), "has no displacement"),
        (("grains.h5", "--field", "stress"), "microstructure"),
        (("a.vtkhdf", "small.vtkhdf"), "expected equal grids"),
        (("a.vtkhdf", "a.vtkhdf", "a.vtkhdf"), "expected one, or two to compare"),
        (("absent.vtkhdf",), "no such file"),
        (("a.vtkhdf", "--size", "9x9"), "expected 300 to 8000 pixels"),
        (("a.vtkhdf", "--size", "big"), "expected WIDTHxHEIGHT"),
        (("a.vtkhdf", "--warp", "nan"), "finite number"),
    ],
)
def test_bad_input_is_one_line(folder, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(folder)
    out = tmp_path / "out.png"
    assert message in failed_line(*args, "--screenshot", out)
    assert not out.exists()


def test_a_picture_is_png_and_is_kept_without_force(folder, tmp_path):
    file = folder / "a.vtkhdf"
    assert "are PNG" in failed_line(file, "--screenshot", tmp_path / "out.jpg")
    out = tmp_path / "out.png"
    out.write_text("mine")
    assert "exists" in failed_line(file, "--screenshot", out)
    assert out.read_text() == "mine"


def test_a_page_without_its_packages_is_refused_in_one_line(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "trame.app", None)
    monkeypatch.delitem(sys.modules, "fftmech.viewer.app", raising=False)
    monkeypatch.setitem(sys.modules, "pyvista", None)
    monkeypatch.delitem(sys.modules, "fftmech.viewer.render_window", raising=False)
    assert "fftmech[view]" in failed_line(folder / "a.vtkhdf", "--no-browser")


def test_a_screenshot_needs_neither_vtk_nor_trame(folder, tmp_path):
    code = (
        "import sys; sys.modules['vtkmodules'] = sys.modules['trame'] = None\n"
        "from fftmech_cli.fftmech_main import main\n"
        f"main(['view', {str(folder / 'a.vtkhdf')!r}, '--screenshot', "
        f"{str(tmp_path / 'out.png')!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.png").exists()
