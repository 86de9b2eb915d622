"""Abaqus input decks (`.inp`): keyword blocks, and what they say of materials.

The format is described in the Abaqus Keywords Reference Guide; constants of `*ELASTIC`
in the Abaqus Materials Guide, "Linear elastic behavior": D1111, D1122, D2222, ... are
entries of the stiffness with engineering shear, in the order 11 22 33 12 13 23.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fftmech.errors import InputError
from fftmech.io import image
from fftmech.materials import elastic

LONG = ("NODE", "ELEMENT", "ELSET", "DISTRIBUTION")
"""Keywords whose data may be in a file of their own, INPUT=name."""

MOST_FILES = 100
"""Files that a deck may include, all together."""

ORDER = (0, 1, 2, 5, 4, 3)
"""Place in xx yy zz yz xz xy of Abaqus' 11 22 33 12 13 23."""

CONSTANTS = {
    "ISOTROPIC": 2,
    "ENGINEERING CONSTANTS": 9,
    "ORTHOTROPIC": 9,
    "ANISOTROPIC": 21,
}
"""Numbers of each type of *ELASTIC."""

ON_A_LINE = 8


@dataclass
class Block:
    """A keyword, its parameters, and the data lines under it."""

    keyword: str
    options: dict[str, str]
    lines: list[str] = field(default_factory=list)

    def numbers(self) -> np.ndarray:
        """All numbers of the data lines; what is left out between commas is 0."""
        words = ",".join(line.removesuffix(",") for line in self.lines).split(",")
        return np.array([word.strip() or "0" for word in words], dtype=float)

    def rows(self) -> list[list[str]]:
        """Words of each data line."""
        return [[word.strip() for word in line.split(",")] for line in self.lines]


def blocks(path: str) -> Iterator[Block]:
    """Keyword blocks of a deck, with what it includes."""
    block = None
    read: list[Path] = []
    for line in _lines(Path(path), read):
        if not line.startswith("*"):
            if block is not None:
                block.lines.append(line)
            continue
        if block is not None:
            yield block
        keyword, *words = (word.strip() for word in line[1:].split(","))
        options = {}
        for word in words:
            key, _, value = word.partition("=")
            options[" ".join(key.upper().split())] = value.strip().strip('"')
        block = Block(" ".join(keyword.upper().split()), options)
        if block.keyword in LONG and "INPUT" in options:
            block.lines += _lines(image.beside(path, options["INPUT"]), read)
    if block is not None:
        yield block


def _lines(path: Path, read: list[Path]) -> Iterator[str]:
    """Lines that are no comments, keyword lines joined, includes in their place.

    `read` are the files before this one.
    """
    read.append(path)
    if len(read) > MOST_FILES:
        raise InputError(f"{read[0]}: it includes more than {MOST_FILES} files")
    whole = ""
    for line in path.read_text("latin-1").split("\n"):
        line = line.strip()
        if not line or line.startswith("**"):
            continue
        if whole or line.startswith("*"):
            whole += line
            if line.endswith(","):
                continue
            line, whole = whole, ""
        if line.upper().replace(" ", "").startswith("*INCLUDE,"):
            named = line.partition("=")[2]
            yield from _lines(image.beside(str(path), named), read)
        else:
            yield line
    if whole:
        yield whole


def stiffness(block: Block, where: str) -> tuple[np.ndarray | None, list[str]]:
    """Mandel stiffness of *ELASTIC in the material's axes, and notes."""
    kind = block.options.get("TYPE", "ISOTROPIC").upper()
    if kind not in CONSTANTS:
        return None, [f"*ELASTIC, TYPE={kind} of {where} is not used"]
    count = CONSTANTS[kind]
    lines = -(-count // ON_A_LINE)
    first = Block("", {}, block.lines[:lines]).numbers()
    if len(first) < count:
        raise InputError(
            f"{where}: *ELASTIC, TYPE={kind} has {len(first)} numbers", str(count)
        )
    notes = []
    if len(block.lines) > lines:
        notes.append(f"*ELASTIC of {where} depends on temperature: its first row is it")
    c = first[:count].tolist()
    try:
        if kind == "ISOTROPIC":
            return elastic.isotropic(E=c[0], nu=c[1]), notes
        if kind == "ENGINEERING CONSTANTS":
            return elastic.orthotropic_moduli(*c), notes
        return elastic.anisotropic(_voigt(c, kind)), notes
    except InputError as error:
        raise error.within(where) from error


def _voigt(c: list[float], kind: str) -> np.ndarray:
    """Voigt matrix xx yy zz yz xz xy of constants in Abaqus' order."""
    D = np.zeros((6, 6))
    if kind == "ORTHOTROPIC":
        places = [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2), (3, 3), (4, 4)]
        places.append((5, 5))
    else:  # the upper triangle, by columns
        places = [(i, j) for j in range(6) for i in range(j + 1)]
    for (i, j), value in zip(places, c, strict=True):
        D[i, j] = D[j, i] = value
    # row m of D is Abaqus' m-th component
    voigt = np.zeros((6, 6))
    voigt[np.ix_(ORDER, ORDER)] = D
    return voigt
