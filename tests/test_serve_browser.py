"""The page of `ecosr serve` in Chromium: from a body to certificate and download."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from browsing import Look, chromium, sync_api
from command_lines import run_fftmech
from served import Served
from small_runs import run

from fftmech import io, read_result
from fftmech.microstructure import polycrystal
from fftmech.results import metrics

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[1]
SIZES = [(1024, 768), (1280, 800), (1920, 1080)]
"""Of windows."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that has learned something, and a body."""
    folder = tmp_path_factory.mktemp("page")
    command = "dataset polycrystal --count 16 --res 16 --low-res 16 --splits 10,3,3"
    run_fftmech(*command.split(), "-o", folder / "grains")
    run(f"fit {folder / 'grains'} -o {folder / 'run'} --preset smoke --set steps=60")
    run(f"evaluate {folder / 'run'} {folder / 'grains'} -o {folder}/run/evaluation")
    io.write(folder / "micro.h5", polycrystal((24, 20, 16), 9, seed=5))
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def served(folder):
    with Served({"run": folder / "run"}) as served:
        yield served


@pytest.fixture
def look(served, browser):
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
    (certified,) = numbers["its certificate"]
    name = download(look, "Save prediction", tmp_path / "p.vtkhdf")
    assert name == "prediction.vtkhdf"
    predicted = read_result(tmp_path / "p.vtkhdf")
    assert certified == shown(predicted.certificate["relative"])

    press(look, "Compare with the solver")
    wait(look, 3)
    numbers = look.text("compared")
    assert download(look, "Save solution", tmp_path / "s.vtkhdf")
    solved = read_result(tmp_path / "s.vtkhdf")
    assert solved.converged and solved.load == predicted.load
    assert numbers["its certificate"][1] == shown(solved.certificate["relative"])
    error = metrics.nrmse(predicted.stress, solved.stress).mean()
    assert numbers["stress"][0] == shown(error)
    assert int(numbers["iterations"][1]) == solved.iterations
    verdict = look.page.locator("#verdict").inner_text()
    assert f"took {solved.iterations} iterations" in verdict


def test_a_slider_moves_a_slice_and_a_component_changes_the_colour_bar(look):
    look.page.get_by_label("voxels per axis").fill("32")
    press(look, "Predict")
    wait(look, 1)
    press(look, "Compare with the solver")
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


@pytest.mark.parametrize("width,height", SIZES)
def test_nothing_leaves_the_window_is_cut_is_hidden_or_moves(look, width, height):
    look.page.set_viewport_size({"width": width, "height": height})
    look.page.get_by_label("own", exact=True).check()
    look.page.get_by_label("voxels per axis").fill("8,16,12")
    press(look, "Predict")
    wait(look, 1)
    press(look, "Compare with the solver")
    wait(look, 3)

    def boxes(selector):
        return [e.bounding_box() for e in look.page.locator(selector).all()]

    panels = boxes("main, #ask, .inputs, #answer, #about, #fields, #numbers, table")
    assert all(box["x"] + box["width"] <= width for box in panels)
    slices = boxes(".slice canvas")
    shown_ = {round(box["width"] / box["height"], 1) for box in slices}
    assert shown_ == {round(16 / 12, 1), round(8 / 12, 1), round(8 / 16, 1)}
    assert all(box["width"] > 50 for box in slices)

    look.page.locator(".slice canvas").first.hover()
    assert "difference" in look.page.locator("#probe").inner_text()
    assert boxes(".slice canvas") == slices
    assert "GPa" in look.page.locator("#probe").inner_text()
    wide = "([e]) => e.scrollWidth <= e.clientWidth"
    assert look.page.locator("#probe").evaluate_all(wide)

    last = look.page.get_by_label("value of xy")
    last.scroll_into_view_if_needed()
    box, (button,) = last.bounding_box(), boxes("#predict")
    assert box["y"] + box["height"] <= button["y"]
    assert button["y"] + button["height"] <= height


def test_a_result_says_what_it_is_of_and_that_inputs_have_changed(look, folder):
    about, stale = look.page.locator("#about"), look.page.locator("#stale")
    press(look, "Predict")
    wait(look, 1)
    load = "mean strain xx = 8e-5, mean stress yy zz yz xz xy = 0"
    for told in ("polycrystal, grains 20, seed 1", "16 × 16 × 16", load, "run"):
        assert told in about.inner_text()
    seed = look.page.get_by_label("seed")
    assert stale.is_hidden()
    seed.fill("2")
    assert stale.is_visible() and "seed 1" in about.inner_text()
    seed.fill("1")
    assert stale.is_hidden()

    look.page.get_by_label("file", exact=True).check()
    assert stale.is_visible()
    look.page.locator("[name=file]").set_input_files(folder / "micro.h5")
    look.page.get_by_label("own", exact=True).check()
    look.page.get_by_label("value of yy").fill("0.25")
    press(look, "Predict")
    sync_api.expect(about).to_contain_text("micro.h5")
    for told in ("24 × 20 × 16", "mean stress yy = 0.25 in the file's unit"):
        assert told in about.inner_text()
    assert stale.is_hidden()
    look.page.get_by_label("generate", exact=True).check()
    press(look, "Predict")
    sync_api.expect(about).to_contain_text("mean stress yy = 0.25 GPa")


def test_what_is_refused_is_one_line_without_the_old_result(look, tmp_path):
    (tmp_path / "no.h5").write_bytes(b"no microstructure")
    error, result = look.page.locator("#error"), look.page.locator("#result")
    press(look, "Predict")
    wait(look, 1)
    look.page.get_by_label("file", exact=True).check()
    press(look, "Predict")
    look.until(lambda: "No file" in error.inner_text())
    assert result.is_hidden() and not look.page.locator("#grid canvas").count()
    look.page.locator("[name=file]").set_input_files(tmp_path / "no.h5")
    press(look, "Predict")
    look.until(lambda: "HDF5" in error.inner_text())
    assert "fftmech" not in error.inner_text()
    look.page.get_by_label("generate", exact=True).check()
    press(look, "Predict")
    wait(look, 1)
    assert error.is_hidden() and result.is_visible()
    look.page.get_by_label("voxels per axis").fill("2000")
    press(look, "Predict")
    look.until(lambda: "8000000000 voxels" in error.inner_text())
    assert result.is_hidden()


def test_a_field_that_cannot_be_shown_leaves_no_other_in_its_place(look):
    press(look, "Predict")
    wait(look, 1)
    told = {"error": "the server made a mistake", "expected": "none", "mend": ""}
    look.page.route("**/strain?*", lambda r: r.fulfill(status=500, json=told))
    look.page.select_option("#field", "strain")
    sync_api.expect(look.page.locator("#error")).to_contain_text("made a mistake")
    assert not look.page.locator("#grid canvas").count()
    look.page.select_option("#field", "stress")
    wait(look, 1)
    assert look.page.locator("#error").is_hidden()


def test_notes_are_beside_the_result_and_are_text(look):
    notes = ["contrast 100, trained on 1 to 3", "<img src=x onerror=alert(1)> & more"]

    def with_notes(route):
        answer = route.fetch()
        told = answer.json()
        told.get("summary", {})["notes"] = notes
        route.fulfill(response=answer, json=told)

    look.page.route("**/jobs/*", with_notes)
    press(look, "Predict")
    wait(look, 1)
    assert look.page.locator("#notes li").all_inner_texts() == notes


def test_a_model_of_pores_says_that_it_has_no_certificate(look):
    def of_pores(route):
        answer = route.fetch()
        told = answer.json()
        told["models"][0]["trained_on"]["kind"] = "pores"
        route.fulfill(response=answer, json=told)

    look.page.route("**/models", of_pores)
    look.page.reload()
    card = look.page.locator("#card")
    expected = "no certificate: bodies with pores have none"
    sync_api.expect(card).to_contain_text(expected)
    look.page.get_by_label("number of pores").fill("1")
    press(look, "Predict")
    wait(look, 1)
    assert look.text("compared")["its certificate"] == ["none"]
    verdict = look.page.locator("#verdict").inner_text()
    assert verdict.startswith("No certificate: the body has pores")


def test_errors_are_written_in_one_way(look):
    call = "import('/static/numbers.js').then(m => {}.map(x => m.percent(x)))"
    given = [0, 1.5, 0.0123456, 2.2e-4, 1e-4, 9.94e-5, 2.3e-7, None]
    assert look.page.evaluate(call.format(json.dumps(given))) == [
        *("0 %", "150 %", "1.2 %", "0.022 %", "0.01 %", "0.0099 %", "2.3e-5 %", "–")
    ]


def test_advice_on_the_page_names_no_command_and_no_option(look):
    found = [
        *("coarsen it: fftmech convert --res", "see /docs", "raise --res or mu"),
        "segment a grey image first (fftmech convert --threshold T)",
    ]
    folders = ("fftmech/io", "fftmech/microstructure", "fftmech/simulations")
    for name in (*folders, "fftmech/problems", "ecosurrogate/server"):
        for path in (ROOT / name).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and "Error" in ast.dump(node.func):
                    texts = [n for n in ast.walk(node) if isinstance(n, ast.Constant)]
                    found += [n.value for n in texts if isinstance(n.value, str)]
    assert sum("--" in text for text in found) > 20
    call = "import('/static/server.js').then(m => {}.map(mend => m.reworded({{mend}})))"
    said = look.page.evaluate(call.format(json.dumps(found)))
    named = [
        s for s in said if any(c in s for c in ("--", "fftmech ", "ecosr ", "GET"))
    ]
    assert not named
    assert "raise the voxels per axis or mu" in said
    assert "segment a grey image first" in said
    call = "import('/static/server.js').then(m => m.reworded({error: '--res: 0'}))"
    assert look.page.evaluate(call) == "the voxels per axis: 0"


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
    return f"{100 * x:.2g} %".replace("e-0", "e-")
