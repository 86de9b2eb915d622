"""Whether a body can be solved: the stiffness of every phase that is in use."""

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from fftmech.errors import InputError
from fftmech.materials.base import Law
from fftmech.materials.elastic import check_stiffness

if TYPE_CHECKING:
    from fftmech.microstructure.base import Microstructure


def numbers(name: str, given: Any) -> np.ndarray:
    """A table of real numbers."""
    try:
        table = np.asarray(given)
    except ValueError:
        raise InputError(f"{name} with rows of different lengths") from None
    if table.dtype.kind not in "biuf" or np.ma.is_masked(given):
        kind = "masked entries" if np.ma.is_masked(given) else f"type {table.dtype}"
        raise InputError(f"{name} of {kind}", "real numbers")
    return table.astype(float, copy=False)


def check_laws(laws: Any) -> None:
    """Refuse what is no mapping of phase ids to laws."""
    if not isinstance(laws, Mapping):
        raise InputError(f"law {laws!r}", "laws by phase id")
    for p, law in laws.items():
        if not (isinstance(p, Integral) and int(p) >= 0 and isinstance(law, Law)):
            raise InputError(f"law {law!r} of phase {p!r}", "a law of a phase id >= 0")


def check(body: "Microstructure", rigid: bool) -> None:
    """Refuse what no solve can take: see `Microstructure.check`."""
    phases = body.phases
    if body.unindexed_voxels and not body.has_stiffness(body.unindexed):
        raise InputError(
            f"{body.unindexed_voxels} of {body.grid.voxels} voxels are not "
            "indexed: nobody measured what they are",
            mend="say it with --unindexed pore, nearest, or a material",
        )
    if body.stiffness is None:
        grey = "; of a grey image, cut it with --threshold" if len(phases) > 99 else ""
        raise InputError(
            f"{len(phases)} phase(s) without stiffness",
            mend=f"give them one with --materials materials.toml{grey}",
        )
    stiffness = body.stiffness
    for p in phases:
        if not body.has_stiffness(p):
            raise InputError(
                f"{body.label(p)} without stiffness",
                mend="give it one with --materials materials.toml",
            )
    _check_rigid(body, rigid)
    _check_rows(stiffness, np.setdiff1d(phases, body.rigid), body.label)
    for name in ("eigenstrain", "thermal_expansion"):
        table = getattr(body, name)
        if table is None:
            continue
        for p in phases:
            if p >= len(table) or not np.isfinite(table[p]).all():
                raise InputError(
                    f"{body.label(p)}: {name} is missing or not finite",
                    mend="give six numbers",
                )
    if len(body.pores) == len(phases):
        raise InputError(
            "every voxel is a pore: there is nothing to load",
            mend="give a phase a stiffness",
        )


def _check_rigid(body: "Microstructure", allowed: bool) -> None:
    """Refuse rigid phases where there must be none, or where they cannot be."""
    rigid, where = body.rigid, "in a body with a rigid phase"
    if not len(rigid):
        return
    for p in body.phases:
        if p in body.law:
            raise InputError(
                f"{body.label(p)} obeys {body.law[p].name} {where}",
                "linear elasticity",
                "leave the law out, or give the rigid phase a stiffness",
            )
    if len(body.pores):
        raise InputError(
            f"{body.label(body.pores[0])} is a pore {where}",
            "pores or rigid phases, not both",
            "give one of them a stiffness",
        )
    if not allowed:
        raise InputError(
            f"{body.label(rigid[0])} is rigid",
            "phases that deform",
            "use --solver dual of fftmech solve and homogenize, or give it a "
            "stiffness, 1000 times that of the others for instance",
        )
    if len(rigid) == len(body.phases):
        raise InputError(
            "every voxel is rigid: nothing deforms", mend="give a phase a stiffness"
        )


def _check_rows(
    stiffness: np.ndarray, phases: np.ndarray, label: Callable[[int], str]
) -> None:
    """Check the rows in use at once, and one by one only where the message needs it."""
    rows = stiffness[phases]
    scale = np.abs(rows).max(axis=(1, 2))
    if np.isfinite(rows).all():
        parts = rows / np.where(scale > 0, scale, 1.0)[:, None, None]
        skew = np.abs(parts - np.swapaxes(parts, 1, 2)).max(axis=(1, 2))
        least = np.linalg.eigvalsh((parts + np.swapaxes(parts, 1, 2)) / 2)[:, 0]
        sound = (scale == 0) | ((skew <= 1e-6) & (least > 1e-12))
        if sound.all():
            return
    for p in phases:
        check_stiffness(stiffness[p], f"stiffness of {label(p)}")
