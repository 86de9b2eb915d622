"""The packages, and what they may import."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("grimp")

ROOT = Path(__file__).resolve().parents[1]


def test_imports_keep_to_the_layers():
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_the_picture_is_that_of_the_imports_and_has_at_most_twelve_levels():
    names = runpy.run_path(str(ROOT / "docs" / "architecture.py"))
    rows = names["levels"]()
    assert names["draw"](rows, names["imports"](rows)) == names["PICTURE"].read_text(
        encoding="utf-8"
    )
    for package in ("fftmech", "ecosurrogate"):
        assert sum(row[0].startswith(f"{package}.") for row in rows) <= 12


def test_the_roots_hold_nothing_but_errors_plugins_version_and_the_client():
    for package, files in {
        "fftmech": {"__init__.py", "errors.py", "plugins.py", "version.py"},
        "ecosurrogate": {"__init__.py", "client.py"},
    }.items():
        assert {f.name for f in (ROOT / package).glob("*.py")} == files
