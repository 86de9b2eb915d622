"""Lines of the two command lines, run in this process."""

from unittest.mock import patch

from click import Group
from click.testing import CliRunner, Result

from fftmech_cli import ecosr_main, fftmech_main


def run_fftmech(*words, code: int | None = 0) -> Result:
    """Run `fftmech` with one line of words, or with words, and check its exit code."""
    return _run(fftmech_main.main, words, code)


def run_ecosr(*words, code: int | None = 0) -> Result:
    """Run `ecosr` with one line of words, or with words, and check its exit code."""
    return _run(ecosr_main.main, words, code)


def _run(main: Group, words: tuple, code: int | None) -> Result:
    given = [str(word) for word in words]
    line = given[0].split() if len(given) == 1 else given
    # lines of progress come on a slow machine alone
    with patch("fftmech_cli.progress.PAUSE", float("inf")):
        done = CliRunner().invoke(main, line)
    assert code in (None, done.exit_code), (done.output, done.exception)
    return done


def one_line_of(done: Result) -> str:
    """Return the one line on standard error of a command that was refused."""
    assert done.stdout == "" and done.stderr.startswith("Error: "), done.output
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.output
    return done.stderr
