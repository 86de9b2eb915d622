"""The site that `make docs` builds: nothing from elsewhere, no text lost as HTML.

Links, anchors and the navigation are checked by the build.
"""

from html.parser import HTMLParser
from pathlib import Path

import pytest

SITE = Path(__file__).resolve().parents[1] / "site"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SITE.is_dir(), reason="make docs builds the site"),
]

TAGS = {
    *("html", "head", "meta", "link", "title", "style", "script", "body", "header"),
    *("main", "nav", "aside", "article", "footer", "form", "input", "label", "button"),
    *("div", "span", "p", "a", "img", "svg", "path", "hr", "h1", "h2", "h3", "h4"),
    *("h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr"),
    *("th", "td", "pre", "code", "em", "strong", "b", "blockquote", "details"),
    *("summary", "small", "figure", "figcaption", "br", "video", "source"),
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msub", "msup", "msubsup"),
    *("mfrac", "msqrt", "mroot", "mover", "munder", "munderover", "mtable", "mtr"),
    *("mtd", "mstyle", "mpadded", "mphantom", "menclose"),
}


class Page(HTMLParser):
    """Tags of a page, and what a browser loads to show it."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loaded = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        named = dict(attrs)
        self.loaded.add(named.get("src") or "")
        if tag == "link":
            self.loaded.add(named.get("href") or "")


@pytest.fixture(scope="module")
def pages():
    return {file: Page(file.read_text("utf-8")) for file in SITE.rglob("*.html")}


def test_a_page_loads_nothing_from_another_machine(pages):
    for file, page in pages.items():
        assert not [url for url in page.loaded if "//" in url], file
    for file in SITE.rglob("*.css"):
        assert "url(http" not in file.read_text("utf-8"), file
        assert "@import" not in file.read_text("utf-8"), file


def test_angle_brackets_of_formulas_are_text(pages):
    strange = {file: page.tags - TAGS for file, page in pages.items()}
    assert not {file: tags for file, tags in strange.items() if tags}


def test_every_package_module_and_command_has_its_place(pages):
    from fftmech_cli import ecosr_main, fftmech_main

    root = SITE.parent
    for file in [*root.glob("fftmech/**/*.py"), *root.glob("ecosurrogate/**/*.py")]:
        *package, name = file.relative_to(root).with_suffix("").parts
        page = (SITE / f"api/{'.'.join(package)}.html").read_text("utf-8")
        if not name.startswith("_"):
            assert f'id="{".".join((*package, name))}"' in page
    for line in (fftmech_main, ecosr_main):
        text = (SITE / f"cli/{line.main.name}.html").read_text("utf-8")
        for name in line.SUBCOMMANDS:
            assert f'id="{line.main.name}-{name}"' in text
