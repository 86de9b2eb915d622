"""What the site has beside the files of docs/, and links and equations of its pages.

`make docs` runs it; mkdocs.yml names it as a hook.
"""

import re
from html import unescape
from pathlib import Path
from posixpath import dirname, normpath, relpath

import gallery
import reference
from latex2mathml.converter import convert
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

AS_WRITTEN = reference.AsWritten()


def on_config(config):
    """Register how docstrings are read."""
    config.markdown_extensions.append(AS_WRITTEN)


def on_files(files, config):
    """Add the pages that are not in docs/, and to the navigation those of folders."""
    made = {page: (ROOT / name).read_text("utf-8") for name, page in PAGES.items()}
    made |= reference.pages() | gallery.pages()
    made |= {page: listing(*names, made=made) for page, names in LISTINGS.items()}
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    pages = [file.src_uri for file in files.documentation_pages()]
    config.nav = expanded(config.nav, pages)
    return files


def listing(title, *names, made):
    """A page with the text of files, but of those that the gallery shows."""
    parts = [reference.HEAD.format(title), f"# {title}\n"]
    for path in (ROOT / name for name in names):
        for file in sorted(path.glob("*.*")) if path.is_dir() else [path]:
            if f"gallery/{file.stem}.md" not in made:
                name, code = file.relative_to(ROOT).as_posix(), file.read_text("utf-8")
                kind = file.suffix[1:].replace("slurm", "bash")
                parts.append(
                    f"## {file.name} {{ #{name} }}\n\n````{kind}\n{code}````\n"
                )
    return "\n".join(parts)


def expanded(nav, pages):
    """The navigation with the pages that begin so for each entry without `.md`."""
    if isinstance(nav, dict):
        return {title: expanded(entry, pages) for title, entry in nav.items()}
    if isinstance(nav, str):
        begun = [page for page in pages if page.startswith(nav)]
        return nav if nav.endswith(".md") else begun
    entries = [expanded(entry, pages) for entry in nav]
    lists = [entry if isinstance(entry, list) else [entry] for entry in entries]
    return sum(lists, [])


def on_page_markdown(markdown, page, config, files):
    """Turn links to files of the repository into links to pages that show them."""
    here = page.file.src_uri
    AS_WRITTEN.on = here.startswith(("api/", "cli/"))
    origin = {made: name for name, made in PAGES.items()}.get(here, f"docs/{here}")

    def moved(link):
        name = normpath(f"{dirname(origin)}/{link[1]}").lstrip("/")
        if not (ROOT / name).exists():
            return link[0]  # code, or a fault that mkdocs finds
        target, anchor = place(name, files)
        return f"]({relpath(target, dirname(here) or '.')}{link[2] or anchor})"

    return re.sub(r"\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)", moved, markdown)


def place(name, files):
    """Page and anchor of the site that show a file of the repository, or a folder."""
    folder, _, file = name.partition("/")
    shown = f"gallery/{Path(file).stem or 'index'}.md"
    if folder == "examples" and shown in files.src_uris:
        return shown, ""
    for page, (_, *names) in LISTINGS.items():
        if name in names or dirname(name) in names:
            return page, f"#{name}" if (ROOT / name).is_file() else ""
    return PAGES.get(name, name.removeprefix("docs/")), ""


def on_page_content(html, page, config, files):
    """Make MathML of equations, which browsers draw without scripts."""

    def drawn(found):
        tex = unescape(found[2])
        made = convert(tex, display="block" if found[1] == "div" else "inline")
        if "\\" in made:
            raise PluginError(f"{page.file.src_uri}: no MathML of {tex}")
        return made

    equation = r'<(div|span) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>'
    return re.sub(equation, drawn, html, flags=re.S)
