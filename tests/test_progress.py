"""How commands say how far they are where there is no terminal."""

import pytest

from fftmech_cli import progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    return clock


def test_a_line_every_ten_seconds_says_what_is_done_and_what_is_left(clock, capsys):
    with progress.progress_bar("Training", counted=True) as report:
        for step in range(1, 26):
            clock[0] += 1.0
            report(50 + step, 100, "loss 0.1")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Training: 60 of 100, loss 0.1, about 4")
    assert lines[0].endswith(" s left")


def test_what_is_not_counted_says_what_it_does(clock, capsys):
    with progress.progress_bar("Comparing") as report:
        report(0, None, "prediction")
        clock[0] += 11.0
        report(3, None, "timing, rounds")
    assert capsys.readouterr().err == "Comparing: timing, rounds\n"


def test_what_takes_no_time_says_nothing(capsys):
    with progress.progress_bar("Solving", counted=True) as report:
        report(1, 1, "")
    assert capsys.readouterr() == ("", "")
