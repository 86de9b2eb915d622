"""What can be seen of a body and of a result that its user should know."""

from typing import Any

import numpy as np

from fftmech.materials.slip import INDEPENDENT, SlipLaw
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import COMPONENTS, reference_stiffness
from fftmech.tensors.stiffness import isotropic_moduli

SLACK = 1e-3
"""Part of a bound by which a result may pass it, for the tolerance of the solves."""

ISOTROPIC = 0.1
"""Distance from isotropy up to which bounds for isotropic arrangements are a test."""

INCOMPRESSIBLE = 50.0
"""Ratio of bulk and shear modulus from which a phase locks: Poisson's ratio 0.49."""

ALONG = "crystal axes along x y z"
"""What notes of readers say too, where nothing says how crystals lie."""

ROUNDING = 1e-9
"""Part of the largest stiffness below which a modulus is zero to rounding."""


def doubts(body: Microstructure, scheme: str, finite: bool = False) -> list[str]:
    """What makes results of a body in a scheme doubtful, a line each.

    At `finite` strain there is no `bbar`.
    """
    return [
        *_idle(body),
        *_thin_walls(body, scheme, finite),
        *phase_doubts(body, scheme, finite),
    ]


def phase_doubts(body: Microstructure, scheme: str, finite: bool = False) -> list[str]:
    """What makes results doubtful for what phases are made of, a line each."""
    other = "rotated" if finite else "bbar"
    return [*_locking(body, scheme, other), *_few_systems(body), *_unturned(body)]


def undetermined(body: Microstructure) -> list[str]:
    """What no equation determines in the fields of a body, a line each."""
    return [
        f"{body.label(p)} is rigid: its own stress is one of many, and only what it "
        "passes on is determined"
        for p in body.rigid
    ]


def _idle(body: Microstructure) -> list[str]:
    """Note processes that have nothing to do."""
    count, nx = body.ranks.size, body.grid.shape[0]
    if count <= nx:
        return []
    return [f"{count - nx} of {count} processes have none of {nx} planes across x"]


def _thin_walls(body: Microstructure, scheme: str, finite: bool) -> list[str]:
    """Note solid between pores that is one voxel thick: the grid cannot bend it."""
    if not len(body.pores):
        return []
    solid = ~np.isin(body.phase, body.pores)
    thin = np.zeros_like(solid)
    nx, *others = body.grid.shape
    if nx > 2:
        padded = body.ranks.padded(solid, nx)
        thin |= solid & ~(padded[:-2] | padded[2:])
    for axis, n in enumerate(others, 1):
        if n > 2:
            beside = np.roll(solid, 1, axis) | np.roll(solid, -1, axis)
            thin |= solid & ~beside
    count, total = (int(body.ranks.sum(field.sum())) for field in (thin, solid))
    if not count:
        return []
    note = f"{count} of {total} solid voxels are walls of one voxel"
    if scheme == "rotated":
        other = "hex8" if finite else "bbar"
        return [f"{note}, which carry no shear in scheme rotated; use --scheme {other}"]
    return [f"{note}; refine with --res"]


def _locking(body: Microstructure, scheme: str, other: str) -> list[str]:
    """Note phases that keep their volume, which `hex8` makes too stiff."""
    if scheme != "hex8" or len(body.phases) < 2 or body.stiffness is None:
        return []
    flowing = [p for p in body.phases if p in body.law and body.law[p].isochoric]
    deforming = np.setdiff1d(body.phases, body.rigid)
    moduli = {p: isotropic_moduli(body.stiffness[p]) for p in deforming}
    nearly = [p for p, (bulk, shear) in moduli.items() if bulk > INCOMPRESSIBLE * shear]
    if not flowing and not nearly:
        return []
    why = "flows without change of volume" if flowing else "is nearly incompressible"
    p = (flowing or nearly)[0]
    return [f"{body.label(p)} {why}, and hex8 locks; use --scheme {other}"]


def _few_systems(body: Microstructure) -> list[str]:
    """Note crystals whose slip cannot strain them in every way."""
    laws = {law: p for p, law in body.law.items() if p in body.phases}
    few = {law: p for law, p in laws.items() if isinstance(law, SlipLaw)}
    return [
        f"{body.label(p)} has {law.independent} independent slip systems: strains that "
        "need a fifth are elastic, however large their stress"
        for law, p in few.items()
        if law.independent < INDEPENDENT
    ]


def _unturned(body: Microstructure) -> list[str]:
    """Note laws whose crystals lie along the box because nobody says otherwise."""
    if any(ALONG in note for note in body.notes):
        return []
    directed = [p for p in body.phases if p in body.law and body.law[p].directed]
    unknown = [p for p in directed if p not in body.oriented]
    if not unknown:
        return []
    laws = " or ".join(dict.fromkeys(body.law[p].name for p in unknown))
    return [f"{len(unknown)} phase(s) of {laws} without orientation: {ALONG}"]


def beyond_bounds(C: np.ndarray, bounds: dict[str, Any]) -> list[str]:
    """Note an effective stiffness (6, 6) outside of the bounds of its phases."""
    voigt = bounds["voigt"]
    upper = np.linalg.eigvalsh(voigt - C)[0] if np.isfinite(voigt).all() else np.inf
    lower = np.linalg.eigvalsh(C - bounds["reuss"])[0]
    size = np.linalg.norm(C)
    return [
        f"the effective stiffness is {where} by {-gap / size:.1%} of its norm"
        for where, gap in (("above Voigt's bound", upper), ("below Reuss'", lower))
        if gap < -SLACK * size
    ] + _beyond_isotropic(C, bounds["hashin_shtrikman"])


def _beyond_isotropic(C: np.ndarray, bounds: Any) -> list[str]:
    """Note moduli of a nearly isotropic stiffness outside of Hashin and Shtrikman's."""
    bulk, shear = isotropic_moduli(C)
    distance = np.linalg.norm(C - reference_stiffness(bulk, shear))
    if bounds is None or distance > ISOTROPIC * np.linalg.norm(C):
        return []
    return [
        f"{name} = {value:.5g} is outside of Hashin and Shtrikman's bounds "
        f"{lower:.5g} and {upper:.5g} for isotropic arrangements"
        for name, value, (lower, upper) in (
            ("K", bulk, bounds["K"]),
            ("G", shear, bounds["G"]),
        )
        if not (1 - SLACK) * lower <= value <= (1 + SLACK) * upper
    ]


def no_stiffness(C: np.ndarray) -> list[str]:
    """Note moduli on the diagonal of (6, 6) that are zero to rounding."""
    diagonal = np.diag(C)
    zero = [
        name
        for name, value in zip(COMPONENTS, diagonal, strict=True)
        if abs(value) <= ROUNDING * diagonal.max()
    ]
    if not zero:
        return []
    return [f"the body has no stiffness in {' '.join(zero)} (zero to rounding)"]
