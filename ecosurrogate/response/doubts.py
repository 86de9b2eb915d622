"""What makes the response of a trained network doubtful: a line for each doubt."""

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.datasets.stiffness_pairs import phase_digest
from fftmech.microstructure.base import Microstructure
from fftmech.simulations.remarks import phase_doubts
from fftmech.tensors import FACTORS, K, isotropic_moduli

if TYPE_CHECKING:
    from ecosurrogate.response.trained_network import TrainedNetwork

LARGE_ERROR = 0.05
"""Mean error on a path of the check from which there is a note."""

LARGE_STRAIN = 0.1
"""Strain, or engineering shear, from which there is a note."""

LARGE_EXPONENT = 10
"""Exponent of a power law from which there is a note."""

LARGE_ANISOTROPY = 50.0
"""Ratio of a phase's shear moduli from which there is a note: 99 % of the pairs that
networks are trained on have less."""

LEAST_FRACTION = 5e-4
"""Difference between volume fractions that is told."""

_, _MODES = np.linalg.eigh(K)
_DEVIATORS = _MODES[:, 1:]


def doubts_of(trained: "TrainedNetwork", body: Microstructure) -> list[str]:
    """What makes any response of a network doubtful, with the materials of a body.

    `body` is that of `TrainedNetwork.body`.
    """
    notes = [*body.notes, *trained.notes]
    worst = max((one["mean"] for one in trained.check.values()), default=0.0)
    if worst > LARGE_ERROR:
        notes.append(
            f"when it was trained, mean stresses were wrong by up to {100 * worst:.2g} "
            "% on the paths of its check"
        )
    return notes + _of_pores(trained, body) + _of_moduli(trained, body) + _of_laws(body)


def doubts_of_strain(mean: np.ndarray) -> list[str]:
    """What makes a response at mean strains doubtful, Mandel (..., 6)."""
    largest = abs(np.asarray(mean) * FACTORS).max(initial=0.0)
    if not largest > LARGE_STRAIN:
        return []
    return [
        f"mean strains, or engineering shears, of up to {largest:.2g}: the network is "
        "of small strain"
    ]


def differences(trained: "TrainedNetwork", body: Microstructure) -> list[str]:
    """How a body differs from that which a network was trained on."""
    own = fingerprint(body)
    # equal bytes are other voxels in a grid of another shape
    grids = ("sha256_phase", "resolution")
    if any(own[name] != trained.data.get(name, own[name]) for name in grids):
        before = dict(zip(trained.phases.tolist(), trained.fractions, strict=True))
        there = dict(enumerate(body.fractions.tolist()))
        ids = sorted({*before, *body.phases.tolist()})
        changed = [
            f"phase {p} {there.get(p, 0.0):.3g} instead of {before.get(p, 0.0):.3g}"
            for p in ids
            if abs(there.get(p, 0.0) - before.get(p, 0.0)) > LEAST_FRACTION
        ]
        of = f" and volume fractions: {', '.join(changed[:4])}"
        crystals = trained.tree.quaternion is not None
        return [f"other voxels{of if changed and not crystals else ''}"]
    # networks of former versions do not have these
    words = {"voxel": "voxels of other edges", "sha256_orientation": "other crystals"}
    return [
        text
        for name, text in words.items()
        if own[name] != trained.data.get(name, own[name])
    ]


def fingerprint(body: Microstructure) -> dict[str, Any]:
    """What says whether two bodies are the same but for their materials, JSON-ready."""
    turned: str | None = None
    if body.orientation is not None and len(body.oriented):
        q = body.orientation[body.phases]
        # a quaternion and its negative are the same turn
        q = np.round(q * np.where(q[:, :1] < 0, -1.0, 1.0), 6) + 0.0
        turned = sha256(q.tobytes()).hexdigest()
    edges = np.asarray(body.grid.h)
    return {
        "sha256_phase": phase_digest(body),
        "resolution": list(body.grid.shape),
        "voxel": (edges / edges[0]).round(6).tolist(),
        "sha256_orientation": turned,
    }


def _of_pores(trained: "TrainedNetwork", body: Microstructure) -> list[str]:
    notes = []
    if len(body.pores):
        notes.append(
            "pores are layers of a soft solid in a network of laminates: it was "
            "not made for them, check it with --against"
        )
    filled = np.setdiff1d(trained.data.get("pores", []), body.pores)
    if len(filled):
        notes.append(
            f"phase {', '.join(f'{p:g}' for p in filled)} was a pore when the network "
            "was trained, which has not learned it as a solid"
        )
    return notes


def _of_moduli(trained: "TrainedNetwork", body: Microstructure) -> list[str]:
    assert body.stiffness is not None
    solid = np.setdiff1d(body.phases, body.pores)
    stiffness = {p: body.stiffness[p] for p in solid.tolist()}
    notes = []
    low, high = trained.data.get("contrast", (0, np.inf))
    sizes = np.array([isotropic_moduli(C)[1] for C in stiffness.values()])
    ratios = sizes / sizes[0]
    if ratios.min() < low or ratios.max() > high:
        notes.append(
            f"shear moduli differ by {max(ratios.max(), 1 / ratios.min()):.3g}, "
            f"more than what the network was trained for ({low:g} to {high:g})"
        )
    for p, C in stiffness.items():
        shear = np.linalg.eigvalsh(_DEVIATORS.T @ C @ _DEVIATORS)
        if shear[-1] > LARGE_ANISOTROPY * shear[0]:
            notes.append(
                f"the shear moduli of phase {p} differ by {shear[-1] / shear[0]:.3g} "
                f"between directions, those of most phases that the network was "
                f"trained on by less than {LARGE_ANISOTROPY:g}: check it with --against"
            )
    return notes + phase_doubts(body, trained.scheme)


def _of_laws(body: Microstructure) -> list[str]:
    exponents = [getattr(law, "exponent", None) or 1.0 for law in body.law.values()]
    if max(np.ravel(exponents), default=1.0) <= LARGE_EXPONENT:
        return []
    return [
        f"a power law of exponent {np.max(exponents):g}: flow concentrates in "
        "bands that laminates hardly have, check it with --against"
    ]
