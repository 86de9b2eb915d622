"""What the commands print with --json is JSON, which has no NaN and no infinity."""

import json

import pytest
from command_lines import run_fftmech
from conftest import SOFT, STIFF, sphere

from fftmech import io
from fftmech_cli.rim import print_json


@pytest.fixture
def printed(tmp_path, monkeypatch):
    """Run a line beside a sphere and a solve of it that diverged; parse its output."""
    monkeypatch.chdir(tmp_path)
    io.write("sphere.h5", sphere(4, SOFT, STIFF))

    def printed_(line, code=0):
        done = run_fftmech(line, code=code)
        return json.loads(done.stdout, parse_constant=pytest.fail)

    line = "solve sphere.h5 --strain xx=1e300 -o far.vtkhdf"
    run_fftmech(line, code=3)
    return printed_


@pytest.mark.parametrize(
    "load", ["--strain xx=1e300", "--finite --F xx=1e200"], ids=["linear", "finite"]
)
def test_a_solve_that_diverges_has_null_for_what_is_no_number(printed, load):
    document = printed(f"solve sphere.h5 {load} -o out.vtkhdf --json", code=3)
    assert document["status"] == "diverged"
    assert document["residual"] is None


@pytest.mark.parametrize(
    "line",
    ["info far.vtkhdf", "compare far.vtkhdf far.vtkhdf"],
    ids=["info", "compare"],
)
def test_what_is_said_of_fields_that_overflow_is_json(printed, line):
    assert None in leaves(printed(f"{line} --json"))


def test_numbers_that_are_finite_are_printed_to_the_last_digit(capsys):
    document = {"a": [0.1, 1e300, 1], "b": (float("nan"), {"c": float("-inf")})}
    print_json(document)
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"a": [0.1, 1e300, 1], "b": [None, {"c": None}]}


def leaves(document):
    """All values of a JSON document that hold no others."""
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        return [leaf for entry in document for leaf in leaves(entry)]
    return [document]
