"""A trained network of laminates in its folder: network.json, a log and a picture."""

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosurrogate.response.cross_check import cross_check
from ecosurrogate.response.doubts import doubts_of, fingerprint
from ecosurrogate.response.network import Network
from ecosurrogate.response.tree import LaminateTree
from ecosurrogate.training.files import (
    damaged,
    holds,
    read_json,
    write_json,
    write_text,
)
from fftmech.datasets.stiffness_pairs import BODY, StiffnessPairs
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io import read
from fftmech.io.materials import Materials, read_materials
from fftmech.microstructure.base import Microstructure
from fftmech.version import __version__

if TYPE_CHECKING:
    from ecosurrogate.response.training import Training

NAME = "network.json"
FORMAT_VERSION = 1

NORMS = {
    "energy": "|C^-1/2 (X - C) C^-1/2| / sqrt(6), Mandel, Frobenius norm",
    "stiffness": "|X - C| / |C|, Mandel, Frobenius norm",
}
"""Of the errors in a card, of a stiffness X that should be C."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A tree with what is known of it.

    Attributes
    ----------
    tree
        Weights, normals and orientations.
    phases, fractions
        Ids and volume fractions of the phases, (P,); of a polycrystal one, 0.
    data
        Attributes of the pairs that it was trained on.
    training
        Settings.
    check
        Errors of mean stresses against the solver on fixed paths
        (`ecosurrogate.response.cross_check`), by path; empty where it was not made.
    errors
        By "train" and "validation", by name of the norm (`NORMS`): mean, median, max.
    notes
        What its numbers do not say.
    """

    tree: LaminateTree
    phases: np.ndarray
    fractions: np.ndarray
    data: Mapping[str, Any]
    training: Mapping[str, Any]
    errors: Mapping[str, Any]
    check: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = field(default=())

    @property
    def scheme(self) -> str:
        """Discretization of the pairs."""
        return str(self.data["scheme"])

    @staticmethod
    def at(folder: str | PathLike) -> bool:
        """Whether a folder holds one."""
        return (Path(folder) / NAME).is_file()

    @classmethod
    def read(cls, folder: str | PathLike) -> "TrainedNetwork":
        """Read the network of a folder.

        Raises
        ------
        InputError
            There is none, or it is damaged.
        """
        path = Path(folder) / NAME
        if not path.is_file():
            raise InputError(
                f"{folder}: no network of laminates (no {NAME})",
                mend="ecosr fit PAIRS -o RUN --model dmn trains one",
            )
        document = read_json(path, FORMAT_VERSION, "train it again")
        try:
            return cls(
                LaminateTree.from_dict(document["tree"]),
                np.array(document["phases"], dtype=int),
                np.array(document["fractions"], dtype=float),
                document["data"],
                document["training"],
                document["errors"],
                document["check"],
                tuple(document["notes"]),
            )
        except (KeyError, TypeError, ValueError, InputError) as error:
            raise damaged(path, error, "train it again") from error

    def write(self, folder: str | PathLike) -> None:
        """Write network.json; it appears whole."""
        document = {
            "format_version": FORMAT_VERSION,
            "kind": "dmn",
            "fftmech_version": __version__,
            "depth": self.tree.depth,
            "phases": self.phases.tolist(),
            "fractions": self.fractions.tolist(),
            "norms": NORMS,
            **{
                name: getattr(self, name)
                for name in ("errors", "check", "training", "data")
            },
            "notes": list(self.notes),
            "tree": self.tree.as_dict(),
        }
        write_json(Path(folder) / NAME, document)

    def body(self, materials: Materials | str | PathLike) -> Microstructure:
        """A voxel of each phase, with the properties that a materials file gives it.

        Raises
        ------
        InputError
            Phases without a stiffness; of a network of crystals, whose materials file
            has one crystal, materials of single phases, or axes that are not its own.
        """
        if not isinstance(materials, Materials):
            materials = read_materials(materials)
        count = len(self.phases)
        orientation = None
        if self.tree.quaternion is not None:
            one = materials.default
            if materials.phases or materials.materials or one is None:
                raise InputError(
                    f"{materials.name}: materials of single phases, for a network of "
                    "one crystal in many orientations",
                    "one [default], and no others",
                )
            if one.orientation is not None:
                raise InputError(
                    f"{materials.name}: [default]: euler, for a network of crystals "
                    "which have their orientations",
                    "a crystal without euler",
                )
            # in the crystal's axes: leaves turn it
            orientation = np.tile([1.0, 0, 0, 0], (int(self.phases[-1]) + 1, 1))
        bare = Microstructure(
            Grid((count, 1, 1)),
            self.phases.reshape(-1, 1, 1),
            orientation=orientation,
        )
        return materials.apply(bare)

    def network(
        self, materials: Materials | str | PathLike, *, temperature: float = 0.0
    ) -> Network:
        """The network with a law at each leaf, of a materials file.

        What makes its responses doubtful is a warning (UserWarning).
        """
        body = self.body(materials)
        for doubt in doubts_of(self, body):
            warnings.warn(doubt, stacklevel=2)
        return Network(self.tree, body, temperature=temperature)


def networks_in(folder: str | PathLike) -> dict[str, Path]:
    """Networks in the folders of a folder, by name, sorted."""
    if not Path(folder).is_dir():
        return {}
    inside = sorted(Path(folder).iterdir())
    return {path.name: path for path in inside if TrainedNetwork.at(path)}


def fit(
    dataset: str | PathLike,
    folder: str | PathLike,
    training: "Training",
    *,
    force: bool = False,
    check: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[TrainedNetwork, float]:
    """Train a network on the pairs of a folder, and write it into another.

    Before that it is compared with the solver on fixed paths, if `check`.

    Returns
    -------
    tuple
        The network, and the seconds of its training.

    Raises
    ------
    InputError
        No pairs, a folder that holds something else, or a network without `force`.
    """
    from ecosurrogate.response.training import fit_tree

    pairs, path = StiffnessPairs.read(dataset), Path(folder)
    if holds(path, NAME, "network of laminates") and not force:
        raise InputError(
            f"{path} holds a network", mend="choose another -o, or --force"
        )
    body = read(Path(dataset) / BODY)
    oriented = pairs.orientation is not None
    fitted = fit_tree(
        pairs.stiffness,
        pairs.effective,
        pairs.fractions,
        training,
        oriented=oriented,
        progress=progress,
    )
    own = {
        name: {
            "pairs": len(errors),
            **{norm: _spread(errors[:, n]) for n, norm in enumerate(NORMS)},
        }
        for name, errors in fitted.errors.items()
    }
    made = TrainedNetwork(
        fitted.tree,
        pairs.phases,
        pairs.fractions,
        data_of(pairs, body),
        {**asdict(training), "seconds": fitted.seconds},
        own,
        notes=tuple(_left_out(pairs)),
    )
    if check:
        made = replace(made, check=cross_check(made.tree, body, made.scheme))
    path.mkdir(exist_ok=True)
    # first: a folder without it is taken for something else
    made.write(path)
    lines = [
        {"step": step, "loss": loss, "validation": {"energy": error}}
        for step, loss, error in fitted.curve
    ]
    write_text(path / "log.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return made, fitted.seconds


def data_of(pairs: StiffnessPairs, body: Microstructure) -> dict[str, Any]:
    """What a network keeps of its pairs, and of their body, JSON-ready."""
    return {**pairs.attributes, **fingerprint(body), "pores": pairs.pores.tolist()}


def _left_out(pairs: StiffnessPairs) -> list[str]:
    """What a network does not learn from, a line each."""
    count = len(pairs.effective) + pairs.failed + pairs.missing
    parts = (pairs.failed, "did not converge"), (pairs.missing, "were not made")
    return [
        f"{some} of {count} pairs that it should be trained on {what}"
        for some, what in parts
        if some
    ]


def _spread(errors: np.ndarray) -> dict[str, float]:
    return {
        "mean": float(errors.mean()),
        "median": float(np.median(errors)),
        "max": float(errors.max()),
    }
