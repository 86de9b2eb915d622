"""Pages of the site that are made from the code: packages and command lines."""

import ast
import inspect
import tomllib
from importlib import import_module
from pathlib import Path

import click
from markdown import Extension

ROOT = Path(__file__).resolve().parents[1]

HEAD = "---\ntitle: {}\nsearch:\n  boost: 0.001\n---\n"
"""Of a page that the search ranks below those that explain."""

BLOCK = "::: {}\n    options:\n      heading_level: {}\n"
"""A module, for mkdocstrings."""


class AsWritten(Extension):
    """Text of docstrings and help, where <a, b> is no HTML and D* not emphasis."""

    on = False

    def extendMarkdown(self, md):
        """Take away what would change the text."""
        if self.on:
            md.preprocessors.deregister("html_block")
            md.inlinePatterns.deregister("html")
            md.inlinePatterns.deregister("em_strong")


def pages():
    """Markdown by path: of packages, with all their modules, and of command lines."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    made = {"api/index.md": "# Python\n\n"}
    for package in settings["tool"]["setuptools"]["packages"]:
        folder = ROOT / package.replace(".", "/")
        if not folder.is_dir():
            continue  # fftmech_cli: the command lines
        modules = sorted(file.stem for file in folder.glob("[!_]*.py"))
        blocks = [BLOCK.format(f"{package}.{name}", 2) for name in modules]
        parts = [HEAD.format(package), BLOCK.format(package, 1), *blocks]
        made[f"api/{package}.md"] = "\n".join(parts)
        code = ast.parse((folder / "__init__.py").read_text("utf-8"))
        first = (ast.get_docstring(code) or "").partition("\n")[0]
        made["api/index.md"] += f"- [`{package}`]({package}.md): {first}\n"
    for name in settings["project"]["scripts"]:
        main = import_module(f"fftmech_cli.{name}_main").main
        context = click.Context(main, info_name=name)
        text = "\n".join(described(context, 1))
        made[f"cli/{name}.md"] = f"---\ntitle: {name}, the command\n---\n{text}"
    return made


def described(context, level):
    """What `--help` says of a command and of those below it."""
    command = context.command
    yield f"{'#' * level} {context.command_path}\n"
    for part in inspect.cleandoc(command.help or "").split("\n\n"):
        code = part.removeprefix("\b\n")
        yield f"```text\n{code}\n```\n" if code != part else f"{part}\n"
    yield f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record and record[1]:
            yield f"`{record[0]}`\n:   {record[1]}\n"
    for name in getattr(command, "list_commands", lambda _: ())(context):
        below = command.get_command(context, name)
        yield from described(click.Context(below, context, name), level + 1)
