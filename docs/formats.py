"""Fill the table of formats in docs/file-format.md from what the readers declare.

    python docs/formats.py            # write it
    python docs/formats.py --check    # fail where it is not what the readers declare

A reader says in `USED` and `IGNORED` what it takes of a file and what it does not.
"""

import sys
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).resolve().parent / "file-format.md"
FIRST = "<!-- formats: made by python docs/formats.py -->\n"
LAST = "<!-- formats: end -->"

NAMES = {
    "sample_file": "sample of a dataset",
    "vtkhdf": "VTKHDF ImageData",
    "dream3d": "DREAM.3D 7 and 8",
    "h5oina": "Oxford Instruments' HDF5",
    "ang": "EBSD scan of EDAX",
    "ctf": "EBSD scan of Oxford Instruments",
    "evpfft": "EVPFFT and MASSIF",
    "hdf5": "bare HDF5",
    "fans": "FANS, or one 3-D dataset",
    "vti": "VTK image, DAMASK's grid",
    "vtr": "VTK rectilinear grid",
    "vtk_legacy": "legacy VTK, STRUCTURED_POINTS",
    "tesr": "neper",
    "npy": "NumPy",
    "tif": "TIFF",
    "png": "PNG",
    "slices": "folder, list or pattern of slices",
    "raw": "headerless",
    "metaimage": "MetaImage",
    "nrrd": "NRRD",
    "abaqus": "Abaqus",
    "damask": "DAMASK's materials, to `--materials`",
}


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(FIRST)
    made = f"{before}{FIRST}{table()}{LAST}{rest.partition(LAST)[2]}"
    if "--check" not in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    elif made != text:
        print(f"docs/{PAGE.name}: run python docs/formats.py")
        return 1
    return 0


def readers() -> dict[str, list[str]]:
    """Modules of readers and the extensions that each reads."""
    from fftmech.io import FORMATS

    found: dict[str, list[str]] = {}
    for extension, modules in FORMATS.own.items():
        for module in modules:
            found.setdefault(module, []).append(f"`{extension}`")
    return found | {"slices": ["`.tif` `.png`"], "damask": ["`.yaml` `.yml`"]}


def table() -> str:
    rows = ["| Format | Extensions | Used | Ignored |", "|---|---|---|---|"]
    for name, extensions in readers().items():
        module = import_module(f"fftmech.io.{name}")
        used, ignored = (
            "; ".join(getattr(module, key, ())).replace("*", "\\*")
            for key in ("USED", "IGNORED")
        )
        called = NAMES.get(name, name)
        rows.append(f"| {called} | {' '.join(extensions)} | {used} | {ignored} |")
    return "\n".join([*rows, ""])


if __name__ == "__main__":
    sys.exit(main())
