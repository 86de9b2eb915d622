"""The search of the documentation in Chromium, from a folder, without a network."""

from pathlib import Path

import pytest
from browsing import Look, chromium

pytestmark = pytest.mark.browser

START = Path(__file__).resolve().parents[1] / "site" / "index.html"


@pytest.mark.skipif(not START.exists(), reason="make docs builds the site")
def test_the_search_of_the_site_finds_a_page_offline():
    with chromium() as browser:
        look = Look(browser, START.as_uri())
        search = look.page.locator(".md-search__input")
        search.press_sequentially("voxel edge length unit")
        look.page.locator(".md-search-result__link", has_text="Units").first.click()
        look.until(lambda: "/units.html" in look.page.url)
        assert look.page.locator("h1").inner_text().startswith("Units")
        assert not look.hosts
        assert not look.errors
