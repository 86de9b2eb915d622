"""The gallery: a page for each example, with its picture, text and time.

    python docs/gallery.py                  # run all examples, and keep what they show
    python docs/gallery.py how_many_grains  # this one alone

Pictures go to docs/img/gallery, what is printed and how long it takes to
docs/gallery.json. `pages` makes the pages of that, and runs nothing.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DOCS = Path(__file__).resolve().parent
EXAMPLES = DOCS.parent / "examples"
KEPT = DOCS / "gallery.json"

TOPICS = {
    "Solve": (
        "python_api",
        "polycrystal_stress",
        "pore_in_tension",
        "rigid_inclusions",
        "nonperiodic_polycrystal",
        "laminate_by_hand",
        "two_schemes_near_an_interface",
    ),
    "Nonlinear bodies": (
        "pore_in_a_plastic_matrix",
        "polycrystal_tension",
        "inclusion_in_large_shear",
    ),
    "Textures": ("texture_in_tension", "texture_r_values"),
    "Images, foams and statistics": (
        "ct_to_stiffness",
        "foam_stiffness",
        "how_many_grains",
    ),
    "Identification by gradients": ("identify_moduli", "identify_by_gradients"),
    "Datasets and surrogates": (
        "make_a_dataset",
        "train_a_surrogate",
        "plate_with_hole",
        "ask_a_server",
    ),
}
"""Examples by topic, in the order of the gallery."""

ELSEWHERE = {"two_schemes_near_an_interface": "schemes"}
"""Pictures that other pages show, where they have not the name of their example."""

OPTIONS = {"ct_to_stiffness": ("-o", "{}"), "polycrystal_stress": ("{}", "128")}
"""Arguments of examples, where they are not the path of the picture, {}, alone."""

WIDTHS, BYTES = (800, 720, 640), 120_000
"""Widths to try until a picture of the gallery takes no more than so many bytes."""


def pages() -> dict[str, str]:
    """Markdown of the gallery by its path below docs."""
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    index = ["# Gallery\n", "What the scripts in `examples/` draw, print and take.\n"]
    made = {}
    for topic, names in TOPICS.items():
        index += [f"## {topic}\n", '<div class="grid cards" markdown>\n']
        for name in names:
            title, text = about(name)
            image = f"../{picture(name).relative_to(DOCS).as_posix()}"
            index.append(f"-   [![]({image}){{ loading=lazy }}]({name}.md)\n")
            index.append(f"    [{title}]({name}.md)\n")
            made[f"gallery/{name}.md"] = page(name, title, text, image, kept[name])
        index.append("</div>\n")
    return {"gallery/index.md": "\n".join(index), **made}


def page(name: str, title: str, text: str, image: str, kept: dict) -> str:
    """The page of an example."""
    took = f"{kept['seconds']:.0f} s of one core ({kept['processor']})"
    if kept["elapsed"] > 1.5 * kept["seconds"]:
        took += f", {kept['elapsed']:.0f} s by the clock of a machine with other work"
    printed = "\n".join(kept["printed"])
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    return (
        f"# {title}\n\n![{title}]({image})\n\n{text}\n\n"
        f"It took {took}, with kernels that had been compiled before, and printed\n\n"
        f"```text\n{printed}\n```\n\n"
        f"## examples/{name}.py\n\n```python\n{source}```\n"
    )


def about(name: str) -> tuple[str, str]:
    """Title and text of an example, of its docstring, as Markdown."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source), clean=False) or ""
    title, _, text = docstring.partition("\n")
    lines = [
        # <111> is no tag
        line if line.startswith("    ") else line.replace("<", "&lt;")
        for line in text.strip("\n").splitlines()
    ]
    return title.removesuffix("."), "\n".join(lines).rstrip()


def picture(name: str) -> Path:
    """The picture of an example: one that another page shows too, or the gallery's."""
    shared = DOCS / "img" / f"{ELSEWHERE.get(name, name)}.png"
    return shared if shared.exists() else DOCS / "img" / "gallery" / f"{name}.png"


def run(name: str) -> dict:
    """Run an example: what it printed, and seconds of all its processes together."""
    import resource  # which Windows has not, where pages are made too

    threads = ("OMP", "OPENBLAS", "DUCC0")
    one = {f"{library}_NUM_THREADS": "1" for library in threads}
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "picture.png"
        options = [o.format(drawn) for o in OPTIONS.get(name, ("{}",))]
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"{name}.py"), *options],
            cwd=folder,
            env={**os.environ, "MPLBACKEND": "Agg", **one},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        elapsed = time.monotonic() - started
        if picture(name).parent.name == "gallery":
            keep(drawn, picture(name))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "title": about(name)[0],
        "seconds": round(seconds, 1),
        "elapsed": round(elapsed, 1),
        "processor": processor(),
        "printed": done.stdout.splitlines(),
    }


def keep(drawn: Path, path: Path) -> None:
    """Keep a picture, small: no wider than a page, with 256 colours if need be."""
    from PIL import Image

    path.parent.mkdir(exist_ok=True)
    image = Image.open(drawn).convert("RGB")
    for width in WIDTHS:
        width = min(width, image.width)
        size = width, round(image.height * width / image.width)
        scaled = image.resize(size, Image.Resampling.LANCZOS)
        for kept in (scaled, scaled.quantize(256)):
            kept.save(path, optimize=True)
            if path.stat().st_size <= BYTES:
                return
    raise SystemExit(f"{path.name}: more than {BYTES} bytes")


def processor() -> str:
    """What the processor calls itself."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if "model name" in line).partition(": ")[2]


def main() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    every = [name for names in TOPICS.values() for name in names]
    for name in sys.argv[1:] or every:
        kept[name] = run(name)
        print(f"{name}: {kept[name]['seconds']:.1f} s", flush=True)
        text = json.dumps(dict(sorted(kept.items())), indent=1, ensure_ascii=False)
        KEPT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
