"""The files of a dataset of pairs: its body, and the pairs that are done.

Root of stiffness.h5, Voigt (engineering shear), in units of phase 0's mean modulus:

    stiffness   (count, P, 6, 6)   of each phase; a pore's is zero
    effective   (count, 6, 6)      of the body
    status      (count,)           0 missing, 1 done, 2 not converged
    phase, fraction   (P,)         id and volume fraction of each phase

Of a polycrystal whose phases have orientations P is 1, the stiffness in the crystal
frame, and the phases are one: `orientation` (N, 4) and `grain_fraction` (N,) are those
of the grains. Attributes say how pairs were drawn and solved (`Pairs`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fftmech.datasets.stiffness_draw import Inputs, Pairs
from fftmech.datasets.stiffness_pairs import (
    BODY,
    DONE,
    FAILED,
    FORMAT_VERSION,
    NAME,
    phase_digest,
)
from fftmech.errors import InputError
from fftmech.io.atomic import whole_hdf5
from fftmech.io.format_version import check_format_version
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import voigt_from_mandel
from fftmech.version import __version__

LEFTOVERS = ".stiffness-????????.h5"
"""Names that `whole_hdf5` gives to what a kill leaves."""


@dataclass
class PairsFile:
    """What the file holds and will hold."""

    path: Path
    inputs: Inputs
    attributes: Mapping[str, Any]
    tables: Mapping[str, np.ndarray]
    stiffness: np.ndarray
    effective: np.ndarray
    status: np.ndarray

    @classmethod
    def opened(
        cls,
        folder: Path,
        body: Microstructure,
        inputs: Inputs,
        pairs: Pairs,
        count: int,
    ) -> "PairsFile":
        """Read the file of a folder, or begin one, with room for `count` pairs."""
        attributes = {
            "kind": "stiffness",
            "format_version": FORMAT_VERSION,
            "fftmech_version": __version__,
            "convention": "Voigt xx yy zz yz xz xy, engineering shear",
            "resolution": body.grid.shape,
            "sha256_phase": phase_digest(body),
            **asdict(pairs),
        }
        fractions = body.fractions[inputs.phases]
        tables = {"phase": inputs.phases, "fraction": fractions}
        if inputs.rotation is not None:
            assert body.orientation is not None
            tables = {
                "phase": np.array([0]),
                "fraction": np.array([1.0]),
                "orientation": body.orientation[inputs.phases],
                "grain_fraction": fractions,
            }
        made = cls(
            folder / NAME,
            inputs,
            attributes,
            tables,
            np.full((count, inputs.count, 6, 6), np.nan),
            np.full((count, 6, 6), np.nan),
            np.zeros(count, np.int8),
        )
        if made.path.exists():
            made._take(count)
        return made

    def _take(self, count: int) -> None:
        import h5py

        with h5py.File(self.path, "r") as file:
            found: Any = file.attrs.get("format_version")
            writer = file.attrs.get("fftmech_version")
            check_format_version(self.path, found, FORMAT_VERSION, writer)
            for name, value in self.attributes.items():
                if name == "fftmech_version":
                    continue
                there: Any = file.attrs.get(name)
                if not np.array_equal(there, value):
                    what = "another body" if name == "sha256_phase" else name
                    raise InputError(
                        f"{self.path.parent} was made with other parameters ({what})",
                        mend="choose another -o, or give the same",
                    )
            held = len(file["status"])  # pyright: ignore[reportArgumentType]
            if held > count:
                raise InputError(
                    f"{self.path.parent} has {held} pairs, {count} are asked for",
                    mend="a dataset does not shrink; choose another -o",
                )
            for name in ("stiffness", "effective", "status"):
                getattr(self, name)[:held] = file[name][()]  # pyright: ignore

    def add(self, index: int, drawn: np.ndarray, effective: np.ndarray | None) -> None:
        """Keep a pair, Mandel; None where it did not converge."""
        drawn[self.inputs.pores] = 0.0
        self.stiffness[index] = voigt_from_mandel(drawn)
        self.status[index] = FAILED if effective is None else DONE
        if effective is not None:
            self.effective[index] = voigt_from_mandel(effective)

    def counts(self, *which: int) -> list[int]:
        """Numbers of pairs with each status."""
        return [int((self.status == one).sum()) for one in which]

    def write(self) -> None:
        """Write the file; it appears whole or not at all."""
        with whole_hdf5(self.path) as file:
            file.attrs.update(self.attributes)
            for name, table in self.tables.items():
                file[name] = table
            for name in ("stiffness", "effective", "status"):
                file[name] = getattr(self, name)


def begin(path: Path, body: Microstructure) -> None:
    """Make the folder with the body, or refuse one that holds something else."""
    # HDF5 takes longer to import than --help may
    from fftmech.io import read, write

    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file: give the name of a folder")
    if not path.absolute().parent.is_dir():
        raise InputError(
            f"{path}: no folder {path.absolute().parent}", mend="create it first"
        )
    path.mkdir(exist_ok=True)
    if (path / BODY).exists():
        held = read(path / BODY)
        # equal voxels may have other orientations, other pores, or other edges
        parts = zip(Inputs.of(held), Inputs.of(body), strict=True)
        same = all(np.array_equal(a, b) for a, b in parts)  # pyright: ignore
        same &= np.allclose(held.grid.h, body.grid.h, rtol=1e-9, atol=0)
        if not (same and phase_digest(held) == phase_digest(body)):
            raise InputError(
                f"{path / BODY} is another body",
                mend="choose another -o, or give the same",
            )
        return
    if any(not item.name.startswith(".") for item in path.iterdir()):
        raise InputError(
            f"{path}: the folder is not empty and holds no {BODY}",
            mend="choose another -o",
        )
    write(path / BODY, body)
