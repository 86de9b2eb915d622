"""Summary of a file, as plain data that can be printed or written as JSON."""

from os import PathLike
from typing import Any

import numpy as np

from fftmech import io
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import bunge_from_quaternion, voigt_from_mandel
from fftmech.tensors.bounds import is_isotropic
from fftmech.tensors.stiffness import isotropic_moduli

_PREDICTED = {
    "solver": "model",
    "iterations": "corrections",
    "residuals": "certificates",
}
"""What a prediction has in the place of a solve's numbers."""


def summarize_microstructure(body: Microstructure) -> dict[str, Any]:
    """Grid, units and phases of a microstructure, JSON-ready.

    Returns
    -------
    dict
        "shape", "spacing", "size", "origin" (x, y, z), "voxels", "units", and "phases":
        of each phase in use its "id" (in the file that it came from), "material" and
        "material_name" where known, "voxels", "fraction", "symmetry" ("pore", "rigid",
        "isotropic", "anisotropic", "unknown" or "not indexed"), and, where known,
        "stiffness" (Voigt), "K" and "G" (moduli of the nearest isotropic stiffness,
        stress units), "euler" (Bunge, degrees) and "law" ("name" and "constants"). Of a
        law without elasticity these are viscosities at its reference rate (stress units
        times time), and "quantity" is "viscosity" instead of "stiffness".
    """
    grid = body.grid
    counts, fractions = body.counts, body.fractions
    # once, as there may be very many phases
    rigid = set(body.rigid.tolist())
    phases = []
    for p in body.phases:
        entry: dict[str, Any] = {
            "id": body.number_of(p),
            **_material(body, p),
            "voxels": int(counts[p]),
            "fraction": float(fractions[p]),
            **_stiffness(body, p, p in rigid),
        }
        table = body.orientation
        if table is not None and p < len(table) and np.isfinite(table[p]).all():
            entry["euler"] = bunge_from_quaternion(table[p], degrees=True).tolist()
        if p in body.law:
            law = body.law[p]
            entry["law"] = {"name": law.name, "constants": law.constants()}
        if "K" in entry:
            viscous = p in body.law and body.law[p].material.rate
            entry["quantity"] = "viscosity" if viscous else "stiffness"
        phases.append(entry)
    return {
        "shape": list(grid.shape),
        "spacing": list(grid.h),
        "size": list(grid.size),
        "origin": list(grid.origin),
        "voxels": grid.voxels,
        "units": body.units,
        "phases": phases,
        "materials": _materials(body),
        "unindexed": body.unindexed_voxels,
        "notes": list(body.notes),
    }


def summarize_run(path: str | PathLike) -> dict[str, Any] | None:
    """How a result was computed (load, scheme, status, ...); None of no result.

    A prediction has a "model" instead of a "solver", "corrections" instead of
    "iterations", and "certificates", relative energy errors before and after each of
    them, instead of "residuals"; it has no tolerance.
    """
    if io.kind(path) != "result":
        return None
    from fftmech.io.vtkhdf_result import read_run

    run = read_run(path)
    if run["status"] == "predicted":
        del run["tolerance"]
        for name, meant in _PREDICTED.items():
            run[meant] = run.pop(name)
    return run


def _materials(body: Microstructure) -> list[dict[str, Any]]:
    """Number and name of each material, its grains, how many of them are oriented."""
    table = np.full((0, 4), np.nan) if body.orientation is None else body.orientation
    oriented = np.flatnonzero(np.isfinite(table).all(axis=1))
    used, fractions = body.phases, body.fractions
    made_of = np.array([body.material_of(p) for p in used])
    found = []
    for m in body.materials:
        grains = used[made_of == m]
        entry = {
            "id": int(m),
            "name": body.material_name.get(int(m), ""),
            "grains": len(grains),
            "oriented": len(np.intersect1d(oriented, grains)),
            "fraction": float(fractions[grains].sum()),
        }
        found.append(entry)
    return found


def _material(body: Microstructure, p: int) -> dict[str, Any]:
    m = body.material_of(p)
    if m < 0:
        return {}
    return {"material": m, "material_name": body.material_name.get(m, "")}


def _stiffness(body: Microstructure, p: int, rigid: bool) -> dict[str, Any]:
    if rigid:
        return {"symmetry": "rigid"}
    table = body.stiffness
    if table is None or p >= len(table) or not np.isfinite(C := table[p]).all():
        return {"symmetry": "not indexed" if p == body.unindexed else "unknown"}
    if not C.any():
        return {"symmetry": "pore"}
    bulk, shear = isotropic_moduli(C)
    return {
        "symmetry": "isotropic" if is_isotropic(C) else "anisotropic",
        "stiffness": voigt_from_mandel(C).tolist(),
        "K": bulk,
        "G": shear,
    }
