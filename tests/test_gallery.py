"""The gallery has a page, a picture and a topic for every example."""

import json
import posixpath
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
GALLERY = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "gallery.py")))


def test_every_example_has_a_topic_and_what_it_showed_under_its_title():
    kept = json.loads(GALLERY.KEPT.read_text(encoding="utf-8"))
    assert sorted(name for names in GALLERY.TOPICS.values() for name in names) == (
        EXAMPLES
    )
    titles = {name: GALLERY.about(name)[0] for name in EXAMPLES}
    assert {name: kept[name]["title"] for name in kept} == titles, (
        "run python docs/gallery.py with the examples that changed"
    )
    assert all(kept[name]["printed"] for name in EXAMPLES)


def test_links_and_pictures_of_pages_are_there_and_small():
    pages = GALLERY.pages()
    assert len(pages) == len(EXAMPLES) + 1
    for path, text in pages.items():
        text = re.sub("```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r'(?:\]\(|src=")([^)"]+)', text):
            # docs/gallery is no folder
            place = posixpath.normpath(posixpath.join("gallery", target))
            assert place in pages or (GALLERY.DOCS / place).is_file(), (path, target)
    sizes = [p.stat().st_size for p in (GALLERY.DOCS / "img/gallery").iterdir()]
    assert max(sizes) <= GALLERY.BYTES and sum(sizes) < 2.5e6
