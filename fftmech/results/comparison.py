"""Fields of one result compared with those of another, the reference."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fftmech.discretization import discretization
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.boundary import Boundary
from fftmech.microstructure.base import Microstructure
from fftmech.results.metrics import (
    DEFAULT,
    NORMALISATIONS,
    QUANTILES,
    Norm,
    divergence_norm,
    incompatibility_norm,
    nrmse,
    skill,
    tail,
    tensor_nrmse,
    uniform_field,
)
from fftmech.results.result import Result, missing
from fftmech.results.spectrum import octave_bands, power_spectrum
from fftmech.tensors import COMPONENTS, components_from_mandel


def compare(a: Result, b: Result) -> dict[str, Any]:
    """Return how far the fields of `a` are from those of the reference `b`.

    Strain, stress and energy are compared in the voxels that are solid in both, and
    rigid in neither (no equation determines the strain of a pore, or the stress of a
    rigid phase). Values that do not exist are None: an
    nRMSE against a uniform reference that `a` does not match, the compatibility of a
    scheme with several integration points, a ratio to a band without power, divergence
    and compatibility of finite strain and of a box with faces. Grids or units that
    differ, and bodies without a common solid voxel, are an InputError.

    Returns
    -------
    dict
        JSON-ready, tensor components by name (xx yy zz yz xz xy), "all" is the tensor.
        schemes, notes: the two schemes; one line each on what else differs.
        voxels, compared_voxels: of the grid, and those that are compared.
        nrmse: field, component, normalisation (`nrmse`, `tensor_nrmse`).
        uniform: by field and normalisation, the tensor's error of the uniform field,
        the mean of `b`; skill: by field and component, 1 - error / its error ("std").
        divergence, compatibility: of "a" and "b", each in its own scheme; absolute and
        relative (`divergence_norm`, `incompatibility_norm`).
        spectra: wavenumber (edges of octave bands, cycles per length), and by field and
        component the variance of `a` over that of `b` in each band.
        energy_tail: quantiles of the energy density of "a" and "b", and their ratio;
        None where one of them knows no constitutive law, and so no energy.
        mean: mean fields of "a" and "b".
    """
    grid = _one_grid(a, b)
    solid = _determined(a) & _determined(b)
    if not solid.any():
        raise InputError(
            "no voxel is solid in both results and rigid in neither: nothing to compare"
        )
    pair = {"a": a, "b": b}
    for key, result in pair.items():
        energy = () if result.lawless else ("energy_density",)
        for name in ("strain", "stress", *energy):
            if name not in result.fields:
                raise missing(name, result.fields, result.status).within(key.upper())
    fields = {"strain": (a.strain, b.strain), "stress": (a.stress, b.stress)}
    errors = {name: _errors(*both, solid) for name, both in fields.items()}
    uniform = {
        name: _errors(uniform_field(b, solid), b, solid)
        for name, (_, b) in fields.items()
    }
    return {
        "schemes": {"a": a.scheme, "b": b.scheme},
        "notes": _notes(a, b),
        "voxels": grid.voxels,
        "compared_voxels": int(solid.sum()),
        "nrmse": errors,
        "uniform": {name: rows["all"] for name, rows in uniform.items()},
        "skill": {
            name: {
                c: skill(row[DEFAULT], uniform[name][c][DEFAULT])
                for c, row in errors[name].items()
            }
            for name in fields
        },
        "divergence": {k: _norm(r, divergence_norm, r.stress) for k, r in pair.items()},
        "compatibility": {
            # a field at several points of a voxel is not in the file
            k: _norm(r, incompatibility_norm, r.strain, _points(r) == 1)
            for k, r in pair.items()
        },
        "spectra": _spectra(fields, solid, grid),
        "energy_tail": None if a.lawless or b.lawless else _tails(a, b, solid),
        "mean": {
            name: {key: _mean(result, name) for key, result in pair.items()}
            for name in fields
        },
    }


def _one_grid(a: Result, b: Result) -> Grid:
    first, second = a.microstructure.grid, b.microstructure.grid
    if first.shape != second.shape:
        raise InputError(
            f"grids of {first.shape} and {second.shape} voxels",
            "equal grids",
            "solve both at one --res",
        )
    if not np.allclose(first.size, second.size, rtol=1e-6, atol=0):
        raise InputError(
            f"boxes of size {first.size} and {second.size}",
            "one size",
            "check the spacing of both files",
        )
    for kind, unit in a.microstructure.units.items():
        other = b.microstructure.units.get(kind, unit)
        if other != unit:
            raise InputError(
                f"{kind} in {unit} and in {other}", "one unit", "convert one file"
            )
    return second


def _notes(a: Result, b: Result) -> list[str]:
    notes = []
    if a.scheme != b.scheme:
        notes.append(
            f"schemes differ ({a.scheme}, {b.scheme}): part of every difference is the "
            "discretization's"
        )
    if not np.array_equal(a.microstructure.phase, b.microstructure.phase):
        notes.append("phase maps differ")
    notes += _different_materials(a.microstructure, b.microstructure)
    if a.load != b.load or a.temperature != b.temperature:
        notes.append("loads differ")
    if not _same_faces(a, b):
        notes.append("boundaries differ")
    both = (("a", a), ("b", b))
    notes += [
        f"{key} is predicted by {result.solver}"
        if result.status == "predicted"
        else f"{key} is not converged (status {result.status})"
        for key, result in both
        if not result.converged
    ]
    for key, result in both:
        if result.finite is not None:
            notes.append(
                f"{key} is of finite strain: its strain is Green and Lagrange's, its "
                "stress Cauchy's, and their derivatives in space are not taken"
            )
        if result.boundary is not None:
            notes.append(
                f"{key} has faces that are not periodic: its divergence and "
                "compatibility are not taken, and spectra see a jump there"
            )
    several = [r.scheme for r in (a, b) if _points(r) > 1]
    if several:
        notes.append(
            f"{several[0]} files hold voxel averages, which are in equilibrium only up "
            "to the variation inside a voxel"
        )
    return notes


def _different_materials(a: Microstructure, b: Microstructure) -> list[str]:
    """One line for each property that the phases of two bodies do not share."""
    notes = []
    known = a.stiffness is not None and b.stiffness is not None
    if known and not _same_rows(a, b, "stiffness"):
        notes.append("stiffness tables differ")
    for name in ("eigenstrain", "thermal_expansion"):
        if not _same_rows(a, b, name):
            notes.append(f"{name.replace('_', ' ')} differs")
    if a.law != b.law:
        notes.append("laws differ")
    return notes


def _same_rows(a: Microstructure, b: Microstructure, name: str) -> bool:
    """Whether two bodies have equal rows of the phases in use; no table is zeros."""
    first, second = (
        np.zeros((len(body.phases), 6))
        if (table := getattr(body, name)) is None
        else table[body.phases[body.phases < len(table)]]
        for body in (a, b)
    )
    return np.array_equal(first, second, equal_nan=True)


def _same_faces(a: Result, b: Result) -> bool:
    """Whether two results have the same conditions on the faces of the box."""
    first, second = (result.boundary or Boundary() for result in (a, b))
    u, v = (
        np.zeros(1) if (u := faces.values(result.microstructure.grid)) is None else u
        for faces, result in ((first, a), (second, b))
    )
    # no displacement beside E.x is the same as zeros
    return first == second and not np.any(u - v)


def _determined(result: Result) -> np.ndarray:
    """Voxels in which equations determine strain and stress."""
    micro = result.microstructure
    return ~np.isin(micro.phase, [*micro.pores, *micro.rigid])


def _points(result: Result) -> int:
    """Integration points of a voxel."""
    return discretization(result.scheme).points


def _mean(result: Result, name: str) -> dict[str, float | None]:
    values = components_from_mandel(getattr(result, f"mean_{name}"))
    return dict(zip(COMPONENTS, _floats(values), strict=True))


def _errors(p: np.ndarray, r: np.ndarray, solid: np.ndarray) -> dict[str, Any]:
    table: dict[str, Any] = {name: {} for name in (*COMPONENTS, "all")}
    for normalisation in NORMALISATIONS:
        values = [
            *nrmse(p, r, normalisation, solid),
            tensor_nrmse(p, r, normalisation, solid),
        ]
        for name, value in zip(table, _floats(values), strict=True):
            table[name][normalisation] = value
    return table


def _norm(
    result: Result, norm: Callable[..., Norm], field: np.ndarray, exists: bool = True
) -> dict[str, Any] | None:
    """A norm of a field in its own scheme; None of finite strain and with faces."""
    if not exists or result.finite is not None or result.boundary is not None:
        return None
    found = norm(field, result.microstructure.grid, result.scheme)
    return {"scheme": result.scheme, **found._asdict()}


def _spectra(fields: dict[str, Any], solid: np.ndarray, grid: Grid) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, pair in fields.items():
        # zero in pores, so that what no equation determines has no power
        (edges, p), (_, r) = (
            octave_bands(power_spectrum(np.where(solid, field, 0.0), grid))
            for field in pair
        )
        document["wavenumber"] = _floats(edges)
        p, r = (np.vstack([v, v.sum(axis=0)]) for v in (p, r))
        # variances below this are the rounding of the largest
        floor = np.finfo(pair[1].dtype).eps ** 1.5 * r[-1].sum()
        ratio = np.divide(p, r, out=np.full_like(r, np.nan), where=r > floor)
        document[name] = {
            component: _floats(row)
            for component, row in zip((*COMPONENTS, "all"), ratio, strict=True)
        }
    return document


def _tails(a: Result, b: Result, solid: np.ndarray) -> dict[str, Any]:
    p, r = (tail(result.energy_density[solid]) for result in (a, b))
    ratio = np.divide(p, r, out=np.full_like(r, np.nan), where=r > 0)
    return {
        "quantile": list(QUANTILES),
        "a": _floats(p),
        "b": _floats(r),
        "ratio": _floats(ratio),
    }


def _floats(values: Any) -> list[float | None]:
    """JSON has no infinity and no NaN: they become None."""
    return [float(v) if np.isfinite(v) else None for v in values]
