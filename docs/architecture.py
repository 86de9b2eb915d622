"""Draw the packages and what they import: docs/img/architecture.svg.

    python docs/architecture.py            # write the picture
    python docs/architecture.py --check    # fail where it is not that of the imports

Rows are the layers of pyproject.toml, which `lint-imports` enforces; an arrow is an
import that does not follow from others.
"""

import ast
import sys
import tomllib
from itertools import product
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "img" / "architecture.svg"

WIDTH, HEIGHT = 290, 46  # of a box
ACROSS, DOWN = 40, 40  # between boxes
LINE = 46  # letters of a box's second line


def main() -> int:
    rows = levels()
    for top in ("ecosurrogate", "fftmech"):
        count = sum(row[0].startswith(f"{top}.") for row in rows)
        print(f"{top}: {count} levels of packages")
    picture = draw(rows, imports(rows))
    if "--check" in sys.argv:
        if PICTURE.read_text(encoding="utf-8") != picture:
            print(f"{PICTURE.relative_to(ROOT)}: run python docs/architecture.py")
            return 1
        return 0
    PICTURE.write_text(picture, encoding="utf-8")
    return 0


def levels() -> list[list[str]]:
    """The packages of each layer, from the command lines down."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rows = [["fftmech_cli"]]
    for contract in settings["tool"]["importlinter"]["contracts"][1:]:
        (top,) = contract["containers"]
        for layer in contract["layers"]:
            names = [f"{top}.{name.strip()}" for name in layer.split("|")]
            rows.append([name for name in names if folder(name).is_dir()])
    return [row for row in rows if row]


def folder(package: str) -> Path:
    return ROOT.joinpath(*package.replace("fftmech_cli", "cli").split("."))


def imports(rows: list[list[str]]) -> set[tuple[str, str]]:
    """Pairs (importer, imported) that do not follow from other pairs."""
    graph = grimp.build_graph("fftmech", "ecosurrogate", "fftmech_cli")
    packages = [name for row in rows for name in row]
    pairs = {
        (a, b)
        for a, b in product(packages, packages)
        if a != b
        and graph.direct_import_exists(importer=a, imported=b, as_packages=True)
    }
    reached = {a: {b for x, b in pairs if x == a} for a in packages}
    for a in reversed(packages):  # from the ground up
        reached[a] |= {c for b in reached[a] for c in reached[b]}
    return {
        (a, b)
        for a, b in pairs
        if not any(b in reached[c] for x, c in pairs if x == a and c != b)
    }


def draw(rows: list[list[str]], arrows: set[tuple[str, str]]) -> str:
    across = max(len(row) for row in rows)
    wide = across * (WIDTH + ACROSS) + ACROSS
    high = len(rows) * (HEIGHT + DOWN) + DOWN
    place = {}
    for i, row in enumerate(rows):
        left = (wide - len(row) * (WIDTH + ACROSS) + ACROSS) / 2
        for j, name in enumerate(row):
            place[name] = left + j * (WIDTH + ACROSS), DOWN + i * (HEIGHT + DOWN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" '
        f'width="{wide}" height="{high}" font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#667"/>'
        "</marker></defs>",
    ]
    for a, b in sorted(arrows):
        (x0, y0), (x1, y1) = place[a], place[b]
        x0, x1, y0 = x0 + WIDTH / 2, x1 + WIDTH / 2, y0 + HEIGHT
        bend = (y1 - y0) / 2
        # past a box that stands between, around its side
        side = 0.0
        if x0 == x1 and y1 - y0 > DOWN:
            side = (WIDTH / 2 + ACROSS / 2) * 4 / 3
        parts.append(
            f'<path d="M{x0:g},{y0:g} C{x0 + side:g},{y0 + bend:g} '
            f'{x1 + side:g},{y1 - bend:g} {x1:g},{y1:g}" fill="none" stroke="#99a" '
            'stroke-width="1.3" marker-end="url(#tip)"/>'
        )
    colors = {"fftmech": "#dbe9f6", "ecosurrogate": "#e3f1dc", "fftmech_cli": "#f6ead6"}
    for name, (x, y) in place.items():
        top = name.partition(".")[0]
        title = "cli" if name == "fftmech_cli" else name
        parts += [
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="5" '
            f'fill="{colors[top]}" stroke="#667"/>',
            f'<text x="{x + WIDTH / 2:g}" y="{y + 19:g}" font-size="14" '
            f'font-weight="bold" text-anchor="middle">{title}</text>',
            f'<text x="{x + WIDTH / 2:g}" y="{y + 36:g}" font-size="11" fill="#333" '
            f'text-anchor="middle">{escape(purpose(name))}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def purpose(package: str) -> str:
    """The first words of a package's docstring, as many as a box has room for."""
    code = (folder(package) / "__init__.py").read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(code)) or "").partition("\n")[0]
    words = first.split(": ", 1)[-1].replace("`", "").split()
    line = ""
    for word in words:
        if len(line) + len(word) > LINE:
            break
        line += word + " "
    return line.rstrip(" .,;:") + " ..." * (len(line) < len(" ".join(words)))


if __name__ == "__main__":
    sys.exit(main())
