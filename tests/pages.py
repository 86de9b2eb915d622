"""Pages of the documentation: their fenced blocks, and the command lines in these.

The language of a block says what it is: `python`, `toml`, none of command lines (or of
a session, in which commands have `$ ` before them and their output after), `output` of
what the page has printed so far, and `text` of what nothing runs or prints.
"""

import re
import shlex
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import click

from fftmech_cli.ecosr_main import main as ecosr
from fftmech_cli.fftmech_main import main as fftmech

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LANGUAGES = ("", "python", "toml", "output", "text")
PROGRAMS = {"fftmech": fftmech, "ecosr": ecosr}


class Block(NamedTuple):
    """A fenced block: its page, the line where it begins, and what is in it."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self):
        return f"{self.page.name}:{self.line}"


class Command(NamedTuple):
    """A command line, and the lines that a session shows after it."""

    line: str
    shown: str


def name_of(page):
    """Short name of a page, as in the tables of tests."""
    return str(page.relative_to(ROOT).with_suffix("")).removeprefix("docs/")


def blocks(page):
    """Fenced blocks of a page, in order."""
    text = page.read_text("utf-8")
    assert text.count("```") % 2 == 0, page
    fences = re.finditer(r"^```(.*)\n((?s:.*?))^```$", text, re.M)
    return [
        Block(page, text.count("\n", 0, f.start()) + 1, *f.groups()) for f in fences
    ]


def commands(text):
    """Commands of a block of command lines, or of a session."""
    text = text.replace("\\\n", " ")
    if not re.search(r"^\$ ", text, re.M):
        return [Command(line, "") for line in text.splitlines()]
    parts = re.split(r"^\$ ", text, flags=re.M)[1:]
    return [Command(*part.split("\n", 1)) for part in parts]


def words_of(line, variables):
    """Words of a command line; what it assigns to is put among the variables."""
    line = re.sub(r"\$\(which (\w+)\)", r"\1", line)
    line = re.sub(
        r"\$\(.*?\)|\$\{?(\w+)\}?", lambda name: variables.get(name[1], "1"), line
    )
    words = shlex.split(line, comments=True)
    while words and (given := re.match(r"(\w+)=(.*)", words[0])):
        variables[given[1]] = given[2]
        del words[0]
    return words


def own(words):
    """The part of a line that is a command of ours; empty where none is."""
    start = next((i for i, word in enumerate(words) if word in PROGRAMS), len(words))
    return words[start:]


def resolve(words):
    """The command that words begin with, and the words that are left to it."""
    command, rest = PROGRAMS[words[0]], list(words[1:])
    while isinstance(command, click.Group) and rest and rest[0][0] != "-":
        parent = click.Context(command, info_name=words[0])
        found = command.get_command(parent, rest[0])
        assert found, f"no command {rest[0]} of {command.name}"
        command = found
        del rest[0]
    return command, rest


def parse(words):
    """Parse a command of ours without running it; raises what click does."""
    if not words:
        return
    command, rest = resolve(words)
    assert not isinstance(command, click.Group) or rest, words
    command.make_context(command.name, rest)


@cache
def options_of(command):
    """Options of a command and of those below it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        names = command.list_commands(context)
        each = [options_of(command.get_command(context, name)) for name in names]
        return frozenset().union({"--help", "--version"}, *each)
    given = (param.opts + param.secondary_opts for param in command.params)
    return frozenset({"--help"}.union(*given))


def check_others(words):
    """Check what a line of another program names of this repository."""
    line = " ".join(words)
    for word in words:
        if re.fullmatch(r"(examples|benchmarks|docs)/[\w./-]+\.\w+", word):
            assert (ROOT / word).exists(), line
    if line.startswith("pip "):
        known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        for extras in re.findall(r"(?:fftmech|\.)\[([\w,]+)\]", line):
            assert {*extras.split(",")} <= {*known["optional-dependencies"]}, line
    elif line.startswith("make "):
        makefile = (ROOT / "Makefile").read_text("utf-8")
        assert re.search(rf"^{words[1]}:", makefile, re.M), line


@cache
def options_of_scripts():
    """Options of the scripts in this repository."""
    folders = (ROOT / name for name in ("benchmarks", "docs", "examples"))
    sources = [path.read_text("utf-8") for f in folders for path in f.glob("*.py")]
    return frozenset(re.findall(r'"(--[a-z][a-z-]*)"', "".join(sources)))


def masked(line):
    """A line without its numbers, rules of tables and times; and these numbers."""
    line = re.sub(r"[\d.]+( ?s\b|/s)", r"\1", line.replace("─", ""))
    numbers = [float(number) for number in NUMBER.findall(line)]
    return " ".join(NUMBER.sub("#", line).split()), numbers


NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.]*\w)")


def not_printed(shown, printed, exactly):
    """Lines of what a page shows that are not in what was printed.

    Numbers count only where the page ran `exactly` as it is written, to 2 %; and of
    those below 1e-6, which are rounding or what a solver leaves, only that they are.
    """
    if re.match("Error: ", shown):
        shown = " ".join(shown.split())
    there = [masked(line) for line in printed.splitlines()]

    def is_there(line):
        words, numbers = masked(line)
        return any(
            words == others and (not exactly or all(map(_close, numbers, found)))
            for others, found in there
        )

    return [line for line in shown.splitlines() if line != "..." and not is_there(line)]


def _close(a, b):
    return abs(a - b) <= max(0.02 * max(abs(a), abs(b)), 1e-6)
