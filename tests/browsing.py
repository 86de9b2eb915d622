"""Chromium, driven by playwright, for tests of pages; without them tests are skipped.

Pictures of the pages are kept in the folder that the environment variable SCREENSHOTS
names: docs/img holds some of them.
"""

import io
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("no chromium", allow_module_level=True)

SOFTWARE = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader")
SOFTWARE += ("--enable-unsafe-swiftshader",)
"""WebGL without a GPU, and no sandbox, which containers do not allow."""


@contextmanager
def chromium():
    """A browser."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(SOFTWARE)
        )
        yield browser
        browser.close()


class Look:
    """A page, and what was asked of which address."""

    def __init__(self, browser, address):
        self.page = browser.new_page(viewport={"width": 1280, "height": 800})
        self.requests, self.errors = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)

    @property
    def hosts(self):
        """Machines that were asked."""
        urls = [url for url in self.requests if url.startswith(("http", "ws"))]
        return {url.split("/")[2].split(":")[0] for url in urls}

    def picture(self, selector, number=0):
        """RGB of one of the elements, (height, width, 3)."""
        picture = self.page.locator(selector).nth(number).screenshot()
        return matplotlib.image.imread(io.BytesIO(picture))[..., :3]

    def until(self, holds, seconds=15):
        """Wait until something holds."""
        for _ in range(seconds * 5):
            if holds():
                return
            self.page.wait_for_timeout(200)
        raise AssertionError(f"not within {seconds} s")

    def changed(self, before, selector, number=0):
        """Wait until an element looks otherwise."""
        self.until(lambda: not np.array_equal(self.picture(selector, number), before))

    def text(self, name):
        """Of a table, its rows by their first cells."""
        rows = self.page.locator(f"#{name} tr").all()
        cells = [row.locator("td").all_inner_texts() for row in rows]
        return {row[0]: row[1:] for row in cells if row}

    def keep(self, name):
        """Keep a picture of the page for the docs."""
        if "SCREENSHOTS" in os.environ:
            self.page.mouse.move(5, 795)
            self.page.wait_for_timeout(500)
            self.page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / name)
