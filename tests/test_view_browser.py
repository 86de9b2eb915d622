"""The viewer in a real browser."""

import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from browsing import Look, chromium

import fftmech
from fftmech import Load
from fftmech.io import write_result
from fftmech.microstructure import polycrystal

for name in ("trame.app", "trame_vtk", "trame_vuetify", "vtkmodules"):
    pytest.importorskip(name)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One polycrystal, solved by two schemes."""
    where = tmp_path_factory.mktemp("browser")
    body = polycrystal(32, grains=20, seed=2)
    body = body.with_changes(units={"stress": "GPa", "length": "um"})
    for scheme in ("rotated", "fourier"):
        result = fftmech.solve(body, Load.uniaxial("xx", 1e-3), scheme=scheme)
        write_result(where / f"{scheme}.vtkhdf", result)
    return where


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


class Viewer(Look):
    """A page of the viewer."""

    def __init__(self, browser, address):
        super().__init__(browser, address)
        self.page.wait_for_selector(".bar img", timeout=30_000)
        self.until(lambda: self.colored(0) > 0.02)

    def pixels(self, number=0):
        """RGB of one of the scenes."""
        return self.picture(".scene", number)

    def colored(self, number):
        """Share of its pixels that are neither white nor grey."""
        return float((np.ptp(self.pixels(number), axis=2) > 0.2).mean())

    def bar(self, number=0):
        """The colour bar."""
        return self.page.locator(".bar img").nth(number).get_attribute("src")

    def moved(self, before, number=0):
        """Wait until a scene has changed."""
        self.changed(before, ".scene", number)

    def chosen(self):
        """Buttons that are pressed."""
        return self.page.locator(".v-btn--active").all_inner_texts()


@pytest.fixture
def open_page(browser, folder):
    """Open files in a viewer of their own."""
    started, looks = [], []

    def open_(*names, field="stress", component="xx"):
        command = [sys.executable, "-m", "fftmech_cli.fftmech_main", "view"]
        command += [*names, "--field", field, "--component", component]
        process = subprocess.Popen(
            [*command, "--no-browser"], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        address = process.stdout.readline().split()[0]
        looks.append(Viewer(browser, address))
        return looks[-1]

    yield open_
    for look in looks:
        look.page.close()
        assert not look.errors
    for process in started:
        process.terminate()
        process.wait(10)


def test_the_stress_of_a_polycrystal_is_seen_and_slider_and_component_change_it(
    open_page,
):
    look = open_page("rotated.vtkhdf")
    assert look.colored(0) > 0.1
    look.keep("view_slices.png")

    before = look.pixels()
    look.page.get_by_role("slider", name="slice x").focus()
    for _ in range(5):
        look.page.keyboard.press("ArrowRight")
    look.moved(before)

    before, bar = look.pixels(), look.bar()
    look.page.get_by_role("button", name="xy", exact=True).click()
    look.moved(before)
    look.until(lambda: look.bar() != bar)

    assert "box" in look.text("runs")
    assert "relative error" in look.text("runs")["certificate"][0]
    assert look.hosts == {"127.0.0.1"}

    # in a window that is high and narrow the box is seen whole
    before = look.pixels()
    look.page.set_viewport_size({"width": 1024, "height": 768})
    look.until(lambda: look.pixels().shape != before.shape and look.colored(0) > 0.1)
    assert look.pixels()[:, [0, 1, -2, -1]].min() > 0.9


def test_a_click_probes_a_voxel_and_a_drag_turns_the_body_only(open_page, folder):
    look = open_page("rotated.vtkhdf")
    scene = look.page.locator(".scene").bounding_box()
    x, y = scene["x"] + scene["width"] / 2, scene["y"] + scene["height"] / 2

    before, probed = look.pixels(), look.text("probed")
    look.page.mouse.move(x - 60, y)
    look.page.mouse.down()
    look.page.mouse.move(x + 40, y + 30, steps=6)
    look.page.mouse.up()
    look.moved(before)
    look.page.wait_for_timeout(1000)
    assert look.text("probed") == probed

    look.page.mouse.click(x - 60, y)
    look.until(lambda: look.text("probed") != probed)
    voxel = tuple(
        int(look.page.get_by_label(name, exact=True).last.input_value())
        for name in "xyz"
    )
    result = fftmech.read_result(folder / "rotated.vtkhdf")
    shown = float(look.text("probed")["stress xx"][0])
    assert shown == pytest.approx(result.stress[0][voxel], rel=1e-4)


def test_two_files_and_their_difference_turn_together(open_page):
    look = open_page("rotated.vtkhdf", "fourier.vtkhdf")
    for number in range(3):
        look.until(lambda n=number: look.colored(n) > 0.02)
    assert look.bar(0) == look.bar(1) != look.bar(2)
    look.keep("view_two_files.png")
    before = [look.pixels(number) for number in range(3)]
    box = look.page.locator(".scene").nth(0).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    look.page.mouse.move(x, y)
    look.page.mouse.down()
    look.page.mouse.move(x + 60, y + 20, steps=6)
    look.page.mouse.up()
    for number in range(3):
        look.moved(before[number], number)
    assert look.text("runs")["scheme"] == ["rotated", "fourier"]
    assert look.page.locator("#runs th").all_inner_texts() == ["", "A", "B"]
    look.page.set_viewport_size({"width": 1024, "height": 768})
    cells = look.page.locator("#runs td:nth-child(2)").all()
    # -1.234e-05 is on one line
    look.until(lambda: all(cell.bounding_box()["width"] > 90 for cell in cells))


def test_lists_switches_and_sliders_leave_keys_to_the_page_and_text_does_not(open_page):
    look = open_page("rotated.vtkhdf")
    page = look.page

    page.get_by_label("Field").first.click(force=True)
    page.get_by_role("option", name="strain", exact=True).click()
    look.until(lambda: "strain" in page.locator(".v-select").first.inner_text())
    page.keyboard.press("c")
    look.until(lambda: "yy" in look.chosen())
    page.get_by_label("show x").click()
    page.keyboard.press("c")
    look.until(lambda: "zz" in look.chosen())
    page.get_by_role("slider", name="slice y").focus()
    page.keyboard.press("c")
    look.until(lambda: "yz" in look.chosen())

    factor = page.get_by_label("displacement times")
    factor.click()
    page.keyboard.type("c")
    page.wait_for_timeout(500)
    assert "yz" in look.chosen()
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    look.until(lambda: "xz" in look.chosen())


def test_phases_have_no_colour_scale_to_choose(open_page):
    look = open_page("rotated.vtkhdf", field="phase", component="")
    assert look.page.get_by_label("Map").count() == 0
    assert look.page.locator(".bar img").count() == 1


def test_keys_choose_mode_and_component_and_a_picture_is_saved(open_page, tmp_path):
    look = open_page("rotated.vtkhdf")
    before, bar = look.pixels(), look.bar()
    look.page.locator("body").click(position={"x": 1270, "y": 790})
    look.page.keyboard.press("m")
    look.moved(before)
    look.page.keyboard.press("c")
    look.until(lambda: look.bar() != bar)
    look.page.get_by_role("button", name="visible").click()
    warp = look.page.get_by_label("displacement times")
    look.until(lambda: float(warp.input_value()) > 10)
    look.page.get_by_role("tab", name="histogram").click()
    look.page.wait_for_selector("img.chart")
    look.keep("view_corner.png")
    with look.page.expect_download() as download:
        look.page.locator("#save-picture").click()
    download.value.save_as(tmp_path / "saved.png")
    assert matplotlib.image.imread(tmp_path / "saved.png").shape[:2] == (800, 1280)
