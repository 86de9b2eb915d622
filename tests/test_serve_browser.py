"""The page of `ecosr serve` in Chromium: from a body to certificate and download."""

import numpy as np
import pytest

for name in ("torch", "fastapi", "uvicorn", "python_multipart"):
    pytest.importorskip(name)

from browsing import Look, chromium, sync_api  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from served import Served  # noqa: E402
from small_runs import run  # noqa: E402

from fftmech import io, read_result  # noqa: E402
from fftmech.microstructure import polycrystal  # noqa: E402
from fftmech.results import metrics  # noqa: E402
from fftmech_cli import fftmech_main  # noqa: E402

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that has learned something, and a body."""
    folder = tmp_path_factory.mktemp("page")
    command = "dataset polycrystal --count 24 --res 16 --low-res 16 --splits 16,4,4"
    made = CliRunner().invoke(
        fftmech_main.main, [*command.split(), "-o", str(folder / "grains")]
    )
    assert made.exit_code == 0, made.output
    run(f"fit {folder / 'grains'} -o {folder / 'run'} --preset smoke")
    run(f"evaluate {folder / 'run'} {folder / 'grains'} -o {folder}/run/evaluation")
    io.write(folder / "micro.h5", polycrystal((24, 20, 16), 9, seed=5))
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def look(folder, browser):
    with Served({"run": folder / "run"}) as served:
        look = Look(browser, served.address)
        look.page.wait_for_selector("#card dd")
        yield look
        look.page.close()
        assert not look.errors
        assert look.hosts == {"127.0.0.1"}


def press(look, name):
    look.page.get_by_role("button", name=name, exact=True).click()


def wait(look, rows):
    """Wait for the rows of fields."""
    sync_api.expect(look.page.locator("#grid h3")).to_have_count(rows, timeout=60_000)
    look.page.wait_for_selector("#progress", state="hidden")


def download(look, button, path):
    with look.page.expect_download() as given:
        press(look, button)
    given.value.save_as(path)
    return given.value.suggested_filename


def test_from_a_file_to_certificate_solver_and_download(look, folder, tmp_path):
    look.page.get_by_label("file", exact=True).check()
    look.page.locator("[name=file]").set_input_files(folder / "micro.h5")
    press(look, "Predict")
    wait(look, 1)
    numbers = look.text("compared")
    assert numbers["certified"][0].endswith("%") and numbers["certified"][1] == "–"
    name = download(look, "Save prediction", tmp_path / "p.vtkhdf")
    assert name == "prediction.vtkhdf"
    predicted = read_result(tmp_path / "p.vtkhdf")
    assert numbers["certified"][0] == shown(predicted.certificate["relative"])

    press(look, "Ask the solver")
    wait(look, 3)
    numbers = look.text("compared")
    assert download(look, "Save solution", tmp_path / "s.vtkhdf")
    solved = read_result(tmp_path / "s.vtkhdf")
    assert solved.converged and solved.load == predicted.load
    error = metrics.nrmse(predicted.stress, solved.stress).mean()
    assert numbers["stress"][0] == shown(error)
    assert int(numbers["iterations"][1]) == solved.iterations
    verdict = look.page.locator("#verdict").inner_text()
    assert f"took {solved.iterations} iterations" in verdict


def test_a_slider_moves_a_slice_and_a_component_changes_the_colour_bar(look):
    press(look, "Predict")
    wait(look, 1)
    press(look, "Ask the solver")
    wait(look, 3)
    look.page.select_option("#component", "xx")
    look.keep("serve_page.png")

    canvases = look.page.locator("#grid .slice canvas")
    assert canvases.count() == 9
    before = [look.picture("#grid .slice canvas", n) for n in range(9)]
    # pixels are those of a colour map, not of nothing
    assert all(len(np.unique(b.reshape(-1, 3), axis=0)) > 50 for b in before)
    slider = look.page.get_by_role("slider").first
    slider.focus()
    for _ in range(5):
        look.page.keyboard.press("ArrowRight")
    for row in range(3):
        look.changed(before[3 * row], "#grid .slice canvas", 3 * row)
        same = look.picture("#grid .slice canvas", 3 * row + 1)
        assert np.array_equal(same, before[3 * row + 1])

    bar = look.page.locator(".scale").all_inner_texts()
    look.page.select_option("#component", "xy")
    look.until(lambda: look.page.locator(".scale").all_inner_texts() != bar)
    assert bar[0] == bar[1] != bar[2]

    canvases.first.hover()
    assert look.page.locator("#probe").inner_text().startswith("voxel ")


def test_what_is_refused_is_one_line_and_the_page_goes_on(look, tmp_path):
    (tmp_path / "no.h5").write_bytes(b"no microstructure")
    look.page.get_by_label("file", exact=True).check()
    press(look, "Predict")
    error = look.page.locator("#error")
    look.until(lambda: "no file" in error.inner_text())
    look.page.locator("[name=file]").set_input_files(tmp_path / "no.h5")
    press(look, "Predict")
    look.until(lambda: "HDF5" in error.inner_text())
    look.page.get_by_label("generate", exact=True).check()
    look.page.get_by_label("voxels per axis").fill("8")
    press(look, "Predict")
    wait(look, 1)
    assert error.is_hidden()


def test_an_own_load_is_what_is_predicted(look, tmp_path):
    look.page.get_by_label("own", exact=True).check()
    for c in ("xx", "yy", "zz", "yz", "xz", "xy"):
        look.page.get_by_label(f"what is prescribed of {c}").select_option("strain")
        look.page.get_by_label(f"value of {c}").fill("0")
    look.page.get_by_label("value of xy").fill("2e-3")
    press(look, "Predict")
    wait(look, 1)
    download(look, "Save prediction", tmp_path / "p.vtkhdf")
    load = read_result(tmp_path / "p.vtkhdf").load
    assert dict(load.strain)["xy"] == 2e-3 and not dict(load.stress)


def test_routes_are_tried_on_the_page_for_programs(look, tmp_path):
    look.page.get_by_role("link", name="for programs").click()
    answer = look.page.locator(".live-responses-table .response")
    for route in ("GET /models The models", "POST /generate Make"):
        look.page.get_by_role("button", name=route).click()
        press(look, "Try it out")
        press(look, "Execute")
        sync_api.expect(answer.locator(".response-col_status").first).to_have_text(
            "200"
        )
        look.page.get_by_role("button", name=route).click()
    look.page.get_by_role("button", name="POST /generate Make").click()
    with look.page.expect_download() as given:
        look.page.get_by_role("link", name="Download file").click()
    given.value.save_as(tmp_path / "made.h5")
    assert io.read(tmp_path / "made.h5").grid.shape == (32, 32, 32)


def shown(x):
    """As the page writes an error."""
    return f"{float(f'{100 * x:.2g}'):g} %"
