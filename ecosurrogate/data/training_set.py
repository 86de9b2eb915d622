"""What a model was trained on: the bodies by fingerprint, and what they were like."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecosurrogate.data.representation import MOST_PHASES
from fftmech.arrays.memory import size_text
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.fingerprint import fingerprint
from fftmech.microstructure.resample import resample
from fftmech.tensors.mandel import J, K

Range = tuple[float, float]
Block = tuple[str, tuple[int, ...], tuple[int, ...]]

SLACK = 1.25
"""A number is unlike those of the training set if it lies out of their range by more
than this factor: of a random body a little is ordinary."""

SYMMETRIES = (
    *("isotropic", "isotropic", "cubic", "hexagonal or trigonal", "tetragonal"),
    "orthotropic or lower",
)
"""By the number of different eigenvalues of a stiffness, from one to six."""

IMAGE = "image "
"""How the name of a measure of a scalar image begins: it may have any sign."""

_SAME = 1e-4


@dataclass(frozen=True)
class TrainingSet:
    """The bodies that a model was trained on.

    Attributes
    ----------
    res
        Voxels of an edge of the bodies as the model saw them.
    resolution
        Voxels of an edge of the labels.
    fingerprints
        Of all bodies, at `res` and at `resolution`.
    ranges
        Least and largest of each of `measures`.
    symmetries
        Of the stiffness of phases, of `SYMMETRIES`.
    blocks
        Of windows of images: SHA-256 of the image, first and last voxel.
    periodic
        Axes along which the bodies are periodic.
    """

    res: int
    resolution: int
    fingerprints: frozenset[str]
    ranges: Mapping[str, Range]
    symmetries: tuple[str, ...]
    blocks: tuple[Block, ...] = ()
    periodic: tuple[bool, bool, bool] = (True, True, True)

    @classmethod
    def of(
        cls,
        bodies: Iterable[Microstructure],
        fingerprints: Iterable[str],
        res: int,
        resolution: int,
        parameters: Mapping[str, Any],
        periodic: tuple[bool, bool, bool] = (True, True, True),
    ) -> "TrainingSet":
        """Describe bodies at `res`; `parameters` are those of the dataset's recipe."""
        ranges: dict[str, Range] = {}
        found: set[str] = set()
        for body in bodies:
            found |= symmetries(body)
            for name, (low, high) in measures(body).items():
                least, most = ranges.get(name, (low, high))
                ranges[name] = min(least, low), max(most, high)
        ordered = tuple(name for name in dict.fromkeys(SYMMETRIES) if name in found)
        blocks = _training_blocks(parameters)
        seen = frozenset(fingerprints)
        return cls(res, resolution, seen, ranges, ordered, blocks, periodic)

    def has(self, body: Microstructure) -> bool:
        """Whether the model was trained on this body, however it lies.

        At its own resolution, or with its voxels taken together to those of the labels.
        """
        shape = body.grid.shape
        if len({*shape}) > 1 or shape[0] < self.resolution:
            return False
        if fingerprint(body, self.periodic) in self.fingerprints:
            return True
        low = resample(body, self.resolution)
        return fingerprint(low, self.periodic) in self.fingerprints

    def has_window(self, sha256: str, low: Sequence[int], high: Sequence[int]) -> bool:
        """Whether a window of an image meets the blocks that the model learned from."""
        return any(
            sha256 == image
            and all(a < last for a, last in zip(low, end, strict=True))
            and all(b > first for b, first in zip(high, begin, strict=True))
            for image, begin, end in self.blocks
        )

    def unlike(self, body: Microstructure) -> list[str]:
        """How a body differs from all that the model was trained on, a line each."""
        notes = []
        for name, (low, high) in measures(body).items():
            least, most = self.ranges.get(name, (low, high))
            slack = (SLACK - 1) * (most - least)
            far = low < least / SLACK - 1e-6 or high > most * SLACK + 1e-6
            if name.startswith(IMAGE):
                far = low < least - slack or high > most + slack
            if far:
                notes.append(
                    f"{name} {_text(low, high)}, trained on {_text(least, most)}"
                )
        others = symmetries(body) - {*self.symmetries}
        if others and self.symmetries:
            known = ", ".join(self.symmetries)
            notes.append(f"{', '.join(sorted(others))} phases, trained on {known} ones")
        if body.grid.shape != (self.res,) * 3:
            given = size_text(body.grid.shape)
            notes.append(f"{given} voxels, trained on {size_text((self.res,) * 3)}")
        return notes

    def as_dict(self) -> dict[str, Any]:
        """As JSON, which `from_dict` takes."""
        return {
            "res": self.res,
            "resolution": self.resolution,
            # one text, for a line each would be longer than all the rest
            "fingerprints": " ".join(sorted(self.fingerprints)),
            "ranges": {name: list(ends) for name, ends in self.ranges.items()},
            "symmetries": list(self.symmetries),
            "blocks": [list(map(_listed, block)) for block in self.blocks],
            "periodic": list(self.periodic),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "TrainingSet":
        """Return what `as_dict` wrote."""
        return cls(
            int(document["res"]),
            int(document["resolution"]),
            frozenset(document["fingerprints"].split()),
            {
                str(name): (float(low), float(high))
                for name, (low, high) in document["ranges"].items()
            },
            tuple(map(str, document["symmetries"])),
            tuple(
                (str(image), tuple(map(int, low)), tuple(map(int, high)))
                for image, low, high in document["blocks"]
            ),
            tuple(map(bool, document.get("periodic", (True,) * 3))),  # type: ignore
        )


def measures(body: Microstructure) -> dict[str, Range]:
    """Numbers that say what a body is like: those of its phases, and of its images."""
    images = {
        f"{IMAGE}{name}": (float(image.min()), float(image.max()))
        for name, image in body.images.items()
    }
    return _phase_measures(body) | images


def _phase_measures(body: Microstructure) -> dict[str, Range]:
    """Numbers that say what a body is like: least and largest over its phases.

    contrast: largest ratio of two phases' bulk or shear moduli; of the solid phases
    bulk over shear modulus, and anisotropy, the part of the stiffness that is not
    isotropic; number of solid phases; pore fraction. Without a stiffness, the number of
    phases, and the volume fraction of each if phases are few and have no orientation.
    """
    if body.stiffness is None:
        return _geometry(body)
    phases = body.phases
    solid = phases[~np.isin(phases, body.pores)]
    pores = float(body.fractions[body.pores].sum())
    if not len(solid):
        return {"pore fraction": (pores, pores)}
    assert body.stiffness is not None
    C = body.stiffness[solid] / abs(body.stiffness[solid]).max()
    # 3 K and 2 G of the nearest isotropic stiffness, whose squared norm follows
    moduli = np.stack([np.tensordot(C, J), np.tensordot(C, K) / 5], axis=1)
    part = (moduli**2 @ [1, 5]) / (C**2).sum(axis=(1, 2))
    anisotropy = np.sqrt((1 - part).clip(0)).round(6)
    contrast = float((moduli.max(axis=0) / moduli.min(axis=0)).max())
    ratio = moduli[:, 0] / moduli[:, 1] * 2 / 3
    count = len(np.unique(C, axis=0))
    return {
        "contrast": (contrast, contrast),
        "bulk over shear modulus": (float(ratio.min()), float(ratio.max())),
        "anisotropy": (float(anisotropy.min()), float(anisotropy.max())),
        "number of solid phases": (count, count),
        "pore fraction": (pores, pores),
    }


def _geometry(body: Microstructure) -> dict[str, Range]:
    count = len(body.phases)
    found: dict[str, Range] = {"number of phases": (count, count)}
    if body.orientation is None and count <= MOST_PHASES:
        for p in body.phases:
            fraction = float(body.fractions[p])
            found[f"fraction of phase {p}"] = (fraction, fraction)
    return found


def symmetries(body: Microstructure) -> set[str]:
    """Symmetries of the stiffness of solid phases, of `SYMMETRIES`."""
    if body.stiffness is None:
        return set()
    solid = body.phases[~np.isin(body.phases, body.pores)]
    values = np.linalg.eigvalsh(body.stiffness[solid])
    steps = np.diff(values, axis=1) > _SAME * values[:, -1:]
    return {SYMMETRIES[count] for count in steps.sum(axis=1)}


def _training_blocks(parameters: Mapping[str, Any]) -> tuple[Block, ...]:
    """Where windows for training may lie; whole images if the recipe does not say."""
    if parameters.get("window") is None:
        return ()
    images = dict(parameters["images"])
    blocks = parameters.get("blocks")
    if blocks is None:
        return tuple((image, (0,) * 3, (2**31,) * 3) for image in images.values())
    return tuple(
        (images[name], tuple(low), tuple(high))
        for split, name, _, low, high in blocks
        if split == "train"
    )


def _text(low: float, high: float) -> str:
    a, b = f"{low:.3g}", f"{high:.3g}"
    return a if a == b else f"{a} to {b}"


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
