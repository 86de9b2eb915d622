"""A trained network of laminates in its folder: network.json, a log and a picture."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosurrogate.response.cross_check import cross_check
from ecosurrogate.response.network import Network
from ecosurrogate.response.tree import LaminateTree
from ecosurrogate.training.files import damaged, holds, read_json, write_json
from fftmech.datasets.stiffness_pairs import BODY, StiffnessPairs
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io import read
from fftmech.io.materials import Materials, read_materials
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import isotropic_moduli
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

LARGE_ERROR = 0.05
"""Mean error on a path of the check from which there is a note."""

LARGE_STRAIN = 0.1
"""Mean strain from which there is a note."""

LARGE_EXPONENT = 10
"""Exponent of a power law from which there is a note."""


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
        """A voxel of each phase, with the properties that a materials file gives it."""
        if not isinstance(materials, Materials):
            materials = read_materials(materials)
        count = len(self.phases)
        orientation = None
        if self.tree.quaternion is not None:
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
        """The network with a law at each leaf, of a materials file."""
        return Network(self.tree, self.body(materials), temperature=temperature)

    def doubts(self, body: Microstructure, strain: float) -> list[str]:
        """What makes the response of a body up to a mean strain doubtful, a line each.

        `body` is that of `body`.
        """
        notes = list(self.notes)
        worst = max((one["mean"] for one in self.check.values()), default=0.0)
        if worst > LARGE_ERROR:
            notes.append(
                f"when it was trained, mean stresses were wrong by up to "
                f"{100 * worst:.2g} % on the paths of its check"
            )
        assert body.stiffness is not None
        solid = np.setdiff1d(body.phases, body.pores)
        if len(body.pores):
            notes.append(
                "pores are layers of a soft solid in a network of laminates: it was "
                "not made for them, check it with --against"
            )
        filled = np.intersect1d(self.data.get("pores", []), solid)
        if len(filled):
            notes.append(
                f"phase {', '.join(map(str, filled))} was a pore when the network was "
                "trained, which has not learned it as a solid"
            )
        sizes = [isotropic_moduli(body.stiffness[p])[1] for p in solid]
        low, high = self.data.get("contrast", (0, np.inf))
        ratios = np.array(sizes) / sizes[0]
        if ratios.min() < low or ratios.max() > high:
            notes.append(
                f"shear moduli differ by {max(ratios.max(), 1 / ratios.min()):.3g}, "
                f"more than what the network was trained for ({low:g} to {high:g})"
            )
        if strain > LARGE_STRAIN:
            notes.append(
                f"mean strains of up to {strain:.2g}: the network is of small strain"
            )
        exponents = [getattr(law, "exponent", 1.0) for law in body.law.values()]
        if max(np.ravel(exponents), default=1.0) > LARGE_EXPONENT:
            notes.append(
                f"a power law of exponent {np.max(exponents):g}: flow concentrates in "
                "bands that laminates hardly have, check it with --against"
            )
        return notes


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
        {**pairs.attributes, "pores": pairs.pores.tolist()},
        {**asdict(training), "seconds": fitted.seconds},
        own,
    )
    if check:
        body = read(Path(dataset) / BODY)
        made = replace(made, check=cross_check(made.tree, body, made.scheme))
    path.mkdir(exist_ok=True)
    lines = [
        {"step": step, "loss": loss, "validation": {"energy": error}}
        for step, loss, error in fitted.curve
    ]
    (path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    made.write(path)
    return made, fitted.seconds


def _spread(errors: np.ndarray) -> dict[str, float]:
    return {
        "mean": float(errors.mean()),
        "median": float(np.median(errors)),
        "max": float(errors.max()),
    }
