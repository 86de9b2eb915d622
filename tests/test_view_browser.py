"""The viewer in a real browser: Chromium, driven by playwright; skipped without them.

Pictures of the page are kept in the folder that the environment variable SCREENSHOTS
names: docs/img holds some of them.
"""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import fftmech
from fftmech import Load
from fftmech.io import write_result
from fftmech.microstructure import polycrystal

sync_api = pytest.importorskip("playwright.sync_api")
for name in ("trame.app", "trame_vtk", "trame_vuetify", "vtkmodules"):
    pytest.importorskip(name)

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("no chromium", allow_module_level=True)

SOFTWARE = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader")
SOFTWARE += ("--enable-unsafe-swiftshader",)
"""WebGL without a GPU, and no sandbox, which containers do not allow."""


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
def chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(SOFTWARE)
        )
        yield browser
        browser.close()


class Look:
    """A page of the viewer, and what was asked of which address."""

    def __init__(self, browser, address):
        self.page = browser.new_page(viewport={"width": 1280, "height": 800})
        self.requests, self.errors = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_selector(".bar img", timeout=30_000)
        self.until(lambda: self.colored(0) > 0.02)

    def pixels(self, number=0):
        """RGB of one of the scenes."""
        picture = self.page.locator(".scene").nth(number).screenshot()
        return matplotlib.image.imread(io.BytesIO(picture))[..., :3]

    def colored(self, number):
        """Share of its pixels that are neither white nor grey."""
        return float((np.ptp(self.pixels(number), axis=2) > 0.2).mean())

    def bar(self, number=0):
        """The colour bar."""
        return self.page.locator(".bar img").nth(number).get_attribute("src")

    def until(self, holds, seconds=15):
        """Wait until something holds."""
        for _ in range(seconds * 5):
            if holds():
                return
            self.page.wait_for_timeout(200)
        raise AssertionError(f"not within {seconds} s")

    def changed(self, before, number=0):
        """Wait until a scene has changed."""
        self.until(lambda: not np.array_equal(self.pixels(number), before))

    def text(self, name):
        """Of a table, its rows by their first cells."""
        rows = self.page.locator(f"#{name} tr").all()
        cells = [row.locator("td").all_inner_texts() for row in rows]
        return {first: rest for first, *rest in cells}

    def keep(self, name):
        """Keep a picture of the page for the docs."""
        if "SCREENSHOTS" in os.environ:
            self.page.mouse.move(5, 795)
            self.page.wait_for_timeout(500)
            self.page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / name)


@pytest.fixture
def open_page(chromium, folder):
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
        looks.append(Look(chromium, address))
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
    slider = look.page.get_by_role("slider").nth(0)
    slider.focus()
    for _ in range(5):
        look.page.keyboard.press("ArrowRight")
    look.changed(before)

    before, bar = look.pixels(), look.bar()
    look.page.get_by_role("button", name="xy", exact=True).click()
    look.changed(before)
    look.until(lambda: look.bar() != bar)

    assert "box" in look.text("runs")
    assert "relative error" in look.text("runs")["certificate"][0]
    hosts = {url.split("/")[2].split(":")[0] for url in look.requests if "//" in url}
    assert hosts == {"127.0.0.1"}


def test_a_click_probes_a_voxel_and_a_drag_turns_the_body_only(open_page, folder):
    look = open_page("rotated.vtkhdf")
    scene = look.page.locator(".scene").bounding_box()
    x, y = scene["x"] + scene["width"] / 2, scene["y"] + scene["height"] / 2

    before, probed = look.pixels(), look.text("probed")
    look.page.mouse.move(x - 60, y)
    look.page.mouse.down()
    look.page.mouse.move(x + 40, y + 30, steps=6)
    look.page.mouse.up()
    look.changed(before)
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
        look.changed(before[number], number)
    assert look.text("runs")["scheme"] == ["rotated", "fourier"]


def test_keys_choose_mode_and_component_and_a_picture_is_saved(open_page, tmp_path):
    look = open_page("rotated.vtkhdf")
    before, bar = look.pixels(), look.bar()
    look.page.locator("body").click(position={"x": 1270, "y": 790})
    look.page.keyboard.press("m")
    look.changed(before)
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
