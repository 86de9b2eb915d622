"""The gallery has a page, a picture and a topic for every example."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def gallery():
    """docs/gallery.py, which is no package."""
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "docs/gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_has_a_topic_and_what_it_showed_under_its_title(gallery):
    kept = json.loads(gallery.KEPT.read_text(encoding="utf-8"))
    assert sorted(name for names in gallery.TOPICS.values() for name in names) == (
        EXAMPLES
    )
    titles = {name: gallery.about(name)[0] for name in EXAMPLES}
    assert {name: kept[name]["title"] for name in kept} == titles, (
        "run python docs/gallery.py with the examples that changed"
    )
    assert all(kept[name]["printed"] for name in EXAMPLES)


def test_links_and_pictures_of_pages_are_there_and_small(gallery):
    pages = gallery.pages()
    assert len(pages) == len(EXAMPLES) + 1
    for path, text in pages.items():
        text = re.sub("```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r'(?:\]\(|src=")([^)"]+)', text):
            there = (gallery.DOCS / path).parent / target
            assert f"gallery/{target}" in pages or there.is_file(), (path, target)
    sizes = [p.stat().st_size for p in (gallery.DOCS / "img/gallery").iterdir()]
    assert max(sizes) <= gallery.BYTES and sum(sizes) < 2.5e6
