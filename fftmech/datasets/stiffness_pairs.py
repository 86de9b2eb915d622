"""Pairs of stiffness that are read: see `fftmech.datasets.stiffness`."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.io.format_version import check_format_version
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import mandel_from_voigt

NAME = "stiffness.h5"
FORMAT_VERSION = 1
BODY = "micro.h5"

MISSING, DONE, FAILED = range(3)


def phase_digest(body: Microstructure) -> str:
    """SHA-256 of a phase map, which says whether two bodies are the same voxels."""
    return sha256(np.ascontiguousarray(body.phase).tobytes()).hexdigest()


@dataclass(frozen=True)
class StiffnessPairs:
    """A dataset of pairs that is read.

    Attributes
    ----------
    folder
        Where it is.
    stiffness, effective
        Of the pairs that converged, Mandel: (n, P, 6, 6), (n, 6, 6).
    phases, fractions
        Id and volume fraction of each phase, (P,).
    orientation, grain_fractions
        Of a polycrystal's grains, quaternions (N, 4) and (N,); else None.
    failed, missing
        Numbers of pairs that did not converge, and that were not made.
    attributes
        How they were made, JSON-ready.
    """

    folder: Path
    stiffness: np.ndarray
    effective: np.ndarray
    phases: np.ndarray
    fractions: np.ndarray
    orientation: np.ndarray | None
    grain_fractions: np.ndarray | None
    failed: int
    missing: int
    attributes: Mapping[str, Any]

    @property
    def pores(self) -> np.ndarray:
        """Ids of the phases that are pores."""
        return self.phases[(self.stiffness == 0).all(axis=(0, 2, 3))]

    @staticmethod
    def at(folder: str | PathLike) -> bool:
        """Whether a folder holds such a dataset."""
        return (Path(folder) / NAME).is_file()

    @staticmethod
    def each(folder: str | PathLike) -> dict[str, Path]:
        """Datasets in the folders of a folder, by name, also those only begun."""
        if not Path(folder).is_dir():
            return {}
        inside = sorted(Path(folder).iterdir())
        if not any(map(StiffnessPairs.at, inside)):
            return {}
        there = [p for p in inside if StiffnessPairs.at(p) or (p / BODY).is_file()]
        return {path.name: path for path in there}

    @classmethod
    def read(cls, folder: str | PathLike) -> "StiffnessPairs":
        """Read the pairs of a folder that are done (InputError: none, damaged)."""
        import h5py

        path = Path(folder) / NAME
        try:
            with h5py.File(path, "r") as file:
                held: dict[str, Any] = {name: item[()] for name, item in file.items()}  # pyright: ignore
                attributes = {
                    name: value.tolist() if hasattr(value, "tolist") else value
                    for name, value in file.attrs.items()
                }
            writer = attributes.get("fftmech_version")
            version = attributes["format_version"]
            check_format_version(path, version, FORMAT_VERSION, writer)
            done = held["status"] == DONE
            stiffness, effective = held["stiffness"][done], held["effective"][done]
            tables = held["phase"], held["fraction"]
        except InputError:
            raise
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{path} is no dataset of pairs ({error})",
                mend="fftmech dataset stiffness MICRO -o DIR makes one",
            ) from error
        if not done.any():
            raise InputError(f"{path}: no pair is done", mend="make some")
        return cls(
            Path(folder),
            mandel_from_voigt(stiffness),
            mandel_from_voigt(effective),
            *tables,
            held.get("orientation"),
            held.get("grain_fraction"),
            int((held["status"] == FAILED).sum()),
            int((held["status"] == MISSING).sum()),
            attributes,
        )
