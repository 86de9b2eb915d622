"""What the documentation shows runs, and prints what is shown."""

import contextlib
import re
import sys
import tomllib
from types import SimpleNamespace

import click
import pytest
from page_sessions import FAST, FOREIGN, NOT_RUN, RUN, SMALLER, Session, is_not_run
from pages import (
    LANGUAGES,
    PAGES,
    PROGRAMS,
    ROOT,
    blocks,
    check_others,
    commands,
    name_of,
    options_of,
    options_of_scripts,
    own,
    parse,
    resolve,
    words_of,
)

from ecosurrogate.training.settings import resolve as settings_of
from ecosurrogate.tuning.search_space import read_study_file
from fftmech.datasets.mapping import FieldMapping
from fftmech.io.load_path import read_path
from fftmech.io.materials import parse_materials


class Board:
    """Stands in for writers of TensorBoard and of Weights & Biases."""

    def __init__(self, *given, **settings):
        assert settings.get("mode", "offline") == "offline"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def add_scalar(self, name, value, step):
        assert isinstance(value, int | float) and step >= 0

    def log(self, record, step):
        assert "step" not in record and step >= 0


NEITHER = "run by no one: tag output `output` or `text`, or add it to NOT_RUN"


def runnable(page):
    """Whether something of a page runs."""
    return any(b.language in ("", "python") for b in blocks(page))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            p, id=name_of(p), marks=[pytest.mark.slow] * (name_of(p) not in FAST)
        )
        for p in PAGES
        if runnable(p)
    ],
)
def test_what_a_page_shows_runs_and_prints_what_is_shown(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    boards = SimpleNamespace(SummaryWriter=Board)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", boards)
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=Board))
    with contextlib.suppress(ImportError):  # without torch
        monkeypatch.setattr("ecosurrogate.mechanics.cost.ROUNDS", (1, 1))
    session = Session(page)
    for block in blocks(page):
        session.run(block)


def test_every_block_has_a_language_and_every_command_line_parses():
    lines, wrong = [], []
    for page in PAGES:
        variables = {}
        for block in blocks(page):
            assert block.language in LANGUAGES, block.place
            for line, _ in commands(block.text) if block.language == "" else ():
                lines.append(line)
                words = words_of(line, variables)
                try:
                    parse(own(words))
                    check_others(words)
                    assert not words or is_not_run(line) or words[0] in RUN, NEITHER
                except (AssertionError, click.ClickException) as error:
                    wrong.append((block.place, line, str(error)))
    assert not wrong
    python = [b.text for page in PAGES for b in blocks(page) if b.language == "python"]
    unused = {p for p in NOT_RUN if not any(re.search(p, x) for x in lines + python)}
    texts = {name_of(page): page.read_text("utf-8") for page in PAGES}
    unused |= {x for name in SMALLER for x in SMALLER[name] if x not in texts[name]}
    assert not unused and {*FAST} <= {*texts}
    for name in re.findall(r"test_\w+\.py", " ".join(NOT_RUN.values())):
        assert (ROOT / "tests" / name).exists(), name


def test_command_lines_of_help_and_of_the_makefile_parse():
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    lines = re.findall(r"\$\(BIN\)/((?:fftmech|ecosr) .*)", makefile)
    assert len(lines) > 5
    for program in PROGRAMS.values():
        lines += re.findall(r"^ *((?:fftmech|ecosr) -?\w.* .*)", help_of(program), re.M)
    for line in lines:
        parse(own(words_of(line, {})))


def help_of(command):
    """Help of a command and of those below it."""
    text = f"{command.help}\n\n"
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            text += help_of(command.get_command(context, name))
    return re.sub(r"(?s)Example: .*?\n\n", _one_line, text.replace("\\\n", " "))


def _one_line(example):
    return example[0].replace("\n", " ").replace("Example: ", "\n") + "\n"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_that_a_page_names_are_there(page):
    text = page.read_text("utf-8")
    known = {*FOREIGN}.union(options_of_scripts(), *map(options_of, PROGRAMS.values()))
    assert {*re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)} <= known
    for line in re.findall(r"`((?:fftmech|ecosr) [^`]*)`", text):
        words = re.sub(r"\.\.\. | [\w|]*\|[\w|]*", " ", line).split()
        command, rest = resolve(words)
        given = {word.split("=")[0] for word in rest if re.match("--?[a-z]", word)}
        assert given <= options_of(command), line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tables_of_a_page_are_read(page, tmp_path):
    for block in blocks(page):
        if block.language != "toml" or is_not_run(block.text):
            continue
        document = tomllib.loads(block.text)
        path = tmp_path / "table.toml"
        path.write_text(block.text)
        if "model" in document:
            settings, space = read_study_file(path)
            assert settings_of(settings).model == document["model"] and space
        elif "step" in document:
            assert read_path(path).increments > len(document["step"])
        elif "files" in document:
            FieldMapping.from_document(document)
        elif document.keys() != {"units"}:
            parse_materials(document, page.name)
