"""Effective stiffness of one body for random stiffnesses of its phases.

What a network of laminates learns from: DIRECTORY/stiffness.h5 beside micro.h5, the
body. Root of stiffness.h5, Voigt (engineering shear), in units of phase 0's mean
modulus:

    stiffness   (count, P, 6, 6)   of each phase; a pore's is zero
    effective   (count, 6, 6)      of the body
    status      (count,)           0 missing, 1 done, 2 not converged
    phase, fraction   (P,)         id and volume fraction of each phase

Of a polycrystal whose phases have orientations P is 1, the stiffness in the crystal
frame, and the phases are one: `orientation` (N, 4) and `grain_fraction` (N,) are those
of the grains. Attributes say how pairs were drawn and solved (`Pairs`).
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from fftmech.arrays.threads import count_of
from fftmech.datasets.directory import locked
from fftmech.datasets.executor import run, stop_if_cancelled
from fftmech.errors import InputError
from fftmech.io.atomic import whole_hdf5
from fftmech.materials.elastic import orthotropic_moduli
from fftmech.microstructure.base import Microstructure
from fftmech.simulations.homogenize import homogenize
from fftmech.simulations.method import Method
from fftmech.tensors import (
    J,
    K,
    mandel_from_voigt,
    matrix_from_quaternion,
    rotate_stiffness,
    voigt_from_mandel,
)
from fftmech.version import __version__

NAME = "stiffness.h5"
BODY = "micro.h5"
FORMAT_VERSION = 1

MISSING, DONE, FAILED = range(3)

MOST_PHASES = 8
"""Of a body whose phases are materials, not grains."""

FLOW = 2.5, 1.0
"""Decades that the shear modulus of a solid that flows falls by, and those that it
falls by along its flow beyond that."""

PAUSE = 2.0
"""Seconds between two writes of the file: what a kill may cost."""


@dataclass(frozen=True)
class Pairs:
    """How stiffnesses are drawn and solved.

    Pairs of even numbers are orthotropic: Young's moduli are 10^u with u uniform in
    [-1, 1], brought to geometric mean 1; shear moduli G_ij / sqrt(E_i E_j) are uniform
    in [1/4, 1/2], Poisson's ratios nu_ij sqrt(E_j / E_i) in [0, 1/2], axes along the
    box (a crystal's: its own).

    Pairs of odd numbers are tangents of solids that flow: E is 1, Poisson's ratio
    uniform in [0, 0.45], and of every other phase, at random, the shear modulus falls
    by a factor between 1 and 1/300, whose logarithm is uniform, and along a random
    deviator by another one between 1 and 1/10. Without them a network hardly learns
    how phases flow that keep their volume.

    Means of the phases after the first have a ratio to its mean whose logarithm is
    uniform, of tangents in half as many decades.

    Parameters
    ----------
    seed
        Pair i depends on the seed and i alone.
    contrast
        Least and largest ratio of means.
    scheme, tolerance, max_iterations
        Of `fftmech.homogenize`; the stiffness is right to the tolerance squared.
    """

    seed: int = 0
    contrast: tuple[float, float] = (1e-3, 1e3)
    scheme: str = "rotated"
    tolerance: float = 1e-4
    max_iterations: int = 2000

    def __post_init__(self) -> None:
        low, high = self.contrast
        if not 0 < low <= high < np.inf:
            raise InputError(f"contrast {low:g} to {high:g}", "0 < low <= high")
        # refuses what no solve can use
        Method(
            scheme=self.scheme,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
        )

    def draw(self, index: int, phases: int) -> np.ndarray:
        """Stiffness of each phase of pair `index`, Mandel (phases, 6, 6)."""
        random = Generator(PCG64(SeedSequence(self.seed, spawn_key=(index,))))
        low, high = np.log(self.contrast) / (1 + index % 2)
        means = np.exp(random.uniform(low, high, phases))
        means[0] = 1.0
        draw = _flowing if index % 2 else _orthotropic
        return np.stack([mean * draw(random) for mean in means])


def _orthotropic(random: Generator) -> np.ndarray:
    """A stiffness whose Young's moduli have the geometric mean 1, Mandel (6, 6)."""
    logarithms = random.uniform(-1, 1, 3)
    E1, E2, E3 = E = 10 ** (logarithms - logarithms.mean())
    pairs = ((0, 1), (0, 2), (1, 2))
    nu = [random.uniform(0, 0.5) * np.sqrt(E[i] / E[j]) for i, j in pairs]
    G = [random.uniform(0.25, 0.5) * np.sqrt(E[i] * E[j]) for i, j in pairs]
    return orthotropic_moduli(E1, E2, E3, *nu, *G)


def _flowing(random: Generator) -> np.ndarray:
    """An isotropic stiffness of E = 1, or the tangent of one that flows."""
    nu = random.uniform(0, 0.45)
    bulk, shear = 1 / (3 * (1 - 2 * nu)), 1 / (2 * (1 + nu))
    across, along = 10 ** -random.uniform(0, FLOW)
    direction = K @ random.standard_normal(6)
    direction /= np.linalg.norm(direction)
    if random.random() < 0.5:
        across = along = 1.0
    softer = K - (1 - along) * np.outer(direction, direction)
    return 3 * bulk * J + 2 * shear * across * softer


class Inputs(NamedTuple):
    """Whose stiffnesses are drawn, of a body.

    Attributes
    ----------
    phases
        Ids of the phases that have one each, or of all grains of a polycrystal.
    pores
        Which of them are pores.
    rotation
        R with v_sample = R v_crystal of the grains, (N, 3, 3), or None.
    """

    phases: np.ndarray
    pores: np.ndarray
    rotation: np.ndarray | None

    @classmethod
    def of(cls, body: Microstructure) -> "Inputs":
        """Those of a body.

        Raises
        ------
        InputError
            One phase, nothing but pores, or too many phases without orientation.
        """
        phases = body.phases
        if len(phases) < 2:
            raise InputError(f"{len(phases)} phase", "a body of two phases or more")
        if len(body.oriented) == len(phases):
            assert body.orientation is not None
            rotation = matrix_from_quaternion(body.orientation[phases])
            return cls(phases, np.array([False]), rotation)
        if len(phases) > MOST_PHASES:
            raise InputError(
                f"{len(phases)} phases, not all with an orientation",
                f"at most {MOST_PHASES} phases, or grains with orientations",
            )
        pores = np.isin(phases, body.pores)
        if pores[0] or pores.all():
            raise InputError(
                f"phase {phases[0]} is a pore",
                "a solid as the phase of the least id",
                "number the phases the other way round",
            )
        return cls(phases, pores, None)

    @property
    def count(self) -> int:
        """Number of stiffnesses that are drawn."""
        return 1 if self.rotation is not None else len(self.phases)

    def table(self, drawn: np.ndarray) -> np.ndarray:
        """Stiffness by phase id of what was drawn, Mandel (max id + 1, 6, 6)."""
        table = np.full((int(self.phases[-1]) + 1, 6, 6), np.nan)
        if self.rotation is not None:
            table[self.phases] = rotate_stiffness(drawn[0], self.rotation)
        else:
            table[self.phases] = drawn
        return table


class PairCounts(NamedTuple):
    """Pairs of a dataset after a run; `made` of them are this run's."""

    done: int
    failed: int
    missing: int
    made: int


def make_pairs(
    body: Microstructure,
    directory: str | PathLike,
    count: int,
    pairs: Pairs | None = None,
    *,
    jobs: int | None = None,
    progress: Any = None,
) -> PairCounts:
    """Make the pairs that a folder does not have yet; an interrupted run is continued.

    Parameters
    ----------
    body
        Phases, and which of them are pores; other stiffnesses play no part.
    directory
        A new folder, or that of a run with the same body and parameters. More pairs may
        be asked for than it was begun with.
    jobs
        Processes; as many as there are processors if None.
    progress
        Called with the numbers of pairs done, failed, and wanted in all.

    Raises
    ------
    InputError
        A body or a folder that does not go with it.
    """
    pairs, jobs = pairs or Pairs(), count_of("jobs", jobs)
    inputs = Inputs.of(body)
    path = Path(directory)
    _begin(path, body)
    with locked(path):
        made = _Made.opened(path, body, inputs, pairs, count)
        todo = np.flatnonzero(made.status[:count] == MISSING).tolist()
        task = partial(_solve, body=_bare(body), inputs=inputs, pairs=pairs)
        written = monotonic()
        try:
            with closing(run(task, todo, "local", min(jobs, len(todo) or 1))) as solved:
                for index, effective in solved:
                    made.add(index, pairs.draw(index, inputs.count), effective)
                    if progress:
                        progress(*made.counts(DONE, FAILED), count)
                    if monotonic() - written > PAUSE:
                        made.write()
                        written = monotonic()
        finally:
            made.write()
    done, failed, missing = made.counts(DONE, FAILED, MISSING)
    return PairCounts(done, failed, missing, len(todo) - missing)


def _bare(body: Microstructure) -> Microstructure:
    """The geometry alone: drawn stiffnesses go with no law, eigenstrain, expansion."""
    return body.with_changes(
        law={}, eigenstrain=None, thermal_expansion=None, stiffness=None
    )


def _solve(
    index: int, body: Microstructure, inputs: Inputs, pairs: Pairs
) -> tuple[int, np.ndarray | None]:
    """The effective stiffness of one pair, Mandel (6, 6); None if not converged."""
    drawn = pairs.draw(index, inputs.count)
    drawn[inputs.pores] = 0.0
    effective = homogenize(
        body.with_changes(stiffness=inputs.table(drawn)),
        scheme=pairs.scheme,
        tolerance=pairs.tolerance,
        max_iterations=pairs.max_iterations,
        threads=1,
        progress=stop_if_cancelled,
    )
    return index, effective.stiffness if effective.converged else None


@dataclass
class _Made:
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
    ) -> "_Made":
        """Read the file of a folder, or begin one, with room for `count` pairs."""
        phase = np.ascontiguousarray(body.phase)
        attributes = {
            "kind": "stiffness",
            "format_version": FORMAT_VERSION,
            "fftmech_version": __version__,
            "convention": "Voigt xx yy zz yz xz xy, engineering shear",
            "resolution": body.grid.shape,
            "sha256_phase": sha256(phase.tobytes()).hexdigest(),
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


def _begin(path: Path, body: Microstructure) -> None:
    """Make the folder with the body, or refuse one that holds something else."""
    # HDF5 takes longer to import than --help may
    from fftmech.io import write

    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file: give the name of a folder")
    if not path.absolute().parent.is_dir():
        raise InputError(
            f"{path}: no folder {path.absolute().parent}", mend="create it first"
        )
    path.mkdir(exist_ok=True)
    if (path / BODY).exists():
        return
    if any(not item.name.startswith(".") for item in path.iterdir()):
        raise InputError(
            f"{path}: the folder is not empty and holds no {BODY}",
            mend="choose another -o",
        )
    write(path / BODY, body)


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
    attributes: Mapping[str, Any]

    @staticmethod
    def at(folder: str | PathLike) -> bool:
        """Whether a folder holds such a dataset."""
        return (Path(folder) / NAME).is_file()

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
            done = held["status"] == DONE
            stiffness, effective = held["stiffness"][done], held["effective"][done]
            tables = held["phase"], held["fraction"]
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
            attributes,
        )
