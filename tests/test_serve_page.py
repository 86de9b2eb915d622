"""The page's files: no token, nothing from a network, nothing beside them."""

import json
import re
from pathlib import Path

import pytest

from ecosurrogate.server.app import PAGE
from fftmech.io import write
from fftmech.microstructure import polycrystal

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "t" * 20


@pytest.fixture(scope="module")
def served(shared_server):
    with shared_server.beside(token=TOKEN) as served:
        yield served


def test_the_page_needs_no_token_and_loads_only_files_of_this_server(served):
    status, headers, page = served.ask("GET", "/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    waiting = re.findall(r'(?:src|href)="(static/[^"]+)"', page.decode())
    loaded = {}
    while waiting:
        path = waiting.pop()
        status, headers, content = served.ask("GET", f"/{path}")
        assert status == 200, path
        assert headers["Cache-Control"] == "no-cache"
        loaded[path] = content
        for name in re.findall(rb'from "\./([^"]+)"', content):
            if (other := f"static/{name.decode()}") not in loaded:
                waiting.append(other)
    files = {f"static/{file.name}" for file in PAGE.iterdir()}
    assert {*loaded} == files - {"static/index.html"}
    for content in (page, *loaded.values()):
        assert b"//" not in re.sub(rb"(?m)//( .*)$", b"", content)


def test_routes_are_described_on_a_page_that_loads_only_files_of_this_server(served):
    status, headers, page = served.ask("GET", "/docs")
    assert status == 200 and headers["X-Frame-Options"] == "DENY"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.decode())
    assert len(loaded) == 3
    for path in [*loaded, *re.findall(r"url: '([^']+)'", page.decode())]:
        status, _, content = served.ask("GET", path)
        assert status == 200 and content, path
    document = json.loads(content)
    assert "/predict" in document["paths"] and document["paths"]["/predict"]["post"][
        "security"
    ] == [{"token": []}]
    assert b"://" not in page


def test_rules_of_the_page_have_selectors_that_browsers_read():
    rules = (PAGE / "page.css").read_text(encoding="utf-8")
    selectors = re.findall(r"([^{};]+){", rules)
    assert selectors and not [s for s in selectors if "@" in s.lstrip()[1:]]


def test_python_in_the_documentation_asks_the_server(served, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("micro.h5", polycrystal(8, 4, seed=5))
    page = ROOT / "docs" / "serve-a-model.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    assert "127.0.0.1:8000" in code
    code = code.replace("127.0.0.1:8000", f"127.0.0.1:{served.port}")
    code = code.replace('")', f'", "{TOKEN}")', 1)
    found = {}
    exec(compile(code, str(page), "exec"), found)
    assert found["result"].startswith(b"\x89HDF")


def test_other_routes_need_the_token_and_other_files_are_not_there(served):
    status, answer = served.json("GET", "/models")
    assert status == 401 and "token" in answer["error"]
    paths = ("../page.py", "%2e%2e/page.py", "..%2fpage.py", "none.js", "", "%00")
    for path in paths:
        status, _, content = served.ask("GET", f"/static/{path}")
        assert status in (401, 404), path
        assert {"error", "expected", "mend"} <= {*json.loads(content)}, path
