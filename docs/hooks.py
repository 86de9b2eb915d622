"""What the site has beside the pages of docs/: README, examples, reference, equations.

`make docs` runs it; mkdocs.yml names it as a hook.
"""

import ast
import inspect
import re
import sys
import tomllib
from html import unescape
from importlib import import_module
from pathlib import Path
from posixpath import dirname, normpath, relpath

import click
from latex2mathml.converter import convert
from markdown import Extension
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
}
"""Files of the repository that are pages of the site."""

LISTINGS = {
    "examples.md": ("Examples", "examples"),
    "build-files.md": ("Builds", ".github/workflows", "recipe/meta.yaml", "Dockerfile"),
}
"""Pages that show files: title, and files or folders."""


LESS_FOUND = "---\ntitle: {}\nsearch:\n  boost: 0.3\n---\n"
"""A page that search ranks below those that explain."""

LEVEL = "    options:\n      heading_level: {}\n"


class AsWritten(Extension):
    """Text of docstrings and help, where <a, b> is no HTML and D* not emphasis."""

    on = False

    def extendMarkdown(self, md):
        if self.on:
            md.preprocessors.deregister("html_block")
            md.inlinePatterns.deregister("html")
            md.inlinePatterns.deregister("em_strong")


AS_WRITTEN = AsWritten()


def on_config(config):
    """Register how docstrings are read."""
    config.markdown_extensions.append(AS_WRITTEN)


def on_files(files, config):
    """Add the pages that are not in docs/, and the navigation of folders."""
    made = {page: (ROOT / name).read_text("utf-8") for name, page in PAGES.items()}
    made |= {page: listing(*names) for page, names in LISTINGS.items()}
    made |= reference()
    if (ROOT / "docs" / "gallery.py").exists():
        sys.path.insert(0, str(ROOT / "docs"))
        made |= import_module("gallery").pages()
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    pages = [file.src_uri for file in files.documentation_pages()]
    config.nav = expanded(config.nav, pages)
    return files


def expanded(nav, pages):
    """The navigation with the pages of a folder for each `folder/`."""
    if isinstance(nav, dict):
        return {title: expanded(entry, pages) for title, entry in nav.items()}
    if isinstance(nav, str):
        below = [page for page in pages if page.startswith(nav)]
        return below if nav.endswith("/") else nav
    found = []
    for entry in nav:
        entry = expanded(entry, pages)
        found += entry if isinstance(entry, list) else [entry]
    return found


def listing(title, *names):
    """A page with the text of files, each below its path."""
    parts = [f"# {title}\n"]
    for file in shown(*names):
        code = file.read_text("utf-8").rstrip()
        name = file.relative_to(ROOT).as_posix()
        kind = {".py": "python", ".yml": "yaml", ".yaml": "yaml"}.get(file.suffix, "")
        parts.append(f"## {file.name} {{ #{name} }}\n\n````{kind}\n{code}\n````\n")
    return "\n".join(parts)


def shown(*names):
    """Files, and those in folders."""
    for path in (ROOT / name for name in names):
        yield from sorted(path.glob("*.*")) if path.is_dir() else [path]


def reference():
    """Pages of the packages, with all their modules, and of the command lines."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    made, rows = {}, ["# Python", ""]
    for package in settings["tool"]["setuptools"]["packages"]:
        folder = ROOT / package.replace(".", "/")
        if not folder.is_dir():
            continue  # fftmech_cli: the command lines
        modules = sorted(file.stem for file in folder.glob("[!_]*.py"))
        parts = [LESS_FOUND.format(package), f"::: {package}\n{LEVEL.format(1)}"]
        parts += [f"::: {package}.{name}\n{LEVEL.format(2)}" for name in modules]
        made[f"api/{package}.md"] = "\n".join(parts)
        code = ast.parse((folder / "__init__.py").read_text("utf-8"))
        first = (ast.get_docstring(code) or "").partition("\n")[0]
        rows.append(f"- [`{package}`]({package}.md): {first}")
    for name in settings["project"]["scripts"]:
        main = import_module(f"fftmech_cli.{name}_main").main
        context = click.Context(main, info_name=name)
        made[f"cli/{name}.md"] = "\n".join(described(context, 1))
    return {"api/index.md": "\n".join(rows)} | made


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


def on_page_markdown(markdown, page, config, files):
    """Turn links to files of the repository into links to pages that show them."""
    here = page.file.src_uri
    AS_WRITTEN.on = here.startswith(("api/", "cli/"))
    origin = {made: name for name, made in PAGES.items()}.get(here, f"docs/{here}")

    def moved(link):
        name = normpath(f"{dirname(origin)}/{link[1]}").lstrip("/")
        if not (ROOT / name).exists():
            return link[0]  # code, or a fault that mkdocs finds
        target = place(name, files)
        anchor = link[2] or (
            "#" + name if target in LISTINGS and (ROOT / name).is_file() else ""
        )
        return f"]({relpath(target, dirname(here) or '.')}{anchor})"

    return re.sub(r"\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)", moved, markdown)


def place(name, files):
    """The page of the site that shows a file of the repository, or a folder."""
    gallery = f"gallery/{Path(name).stem}.md"
    if name.startswith("examples/") and gallery in files.src_uris:
        return gallery
    for page, (_, *names) in LISTINGS.items():
        if name in names or dirname(name) in names:
            return page
    return PAGES.get(name, name.removeprefix("docs/"))


def on_page_content(html, page, config, files):
    """Make MathML of equations, which browsers draw without scripts."""

    def drawn(equation):
        tex = unescape(equation[3]).strip()
        made = convert(tex[2:-2], display="block" if equation[1] == "div" else "inline")
        if "\\" in made:
            raise PluginError(f"{page.file.src_uri}: no MathML of {tex}")
        return made

    return re.sub(
        r'<(div|span) class="arithmatex">(<.*?>)?(.*?)(<.*?>)?</\1>',
        drawn,
        html,
        flags=re.S,
    )
