"""Whether fields of another program are what their mapping says, and what else fits."""

from collections.abc import Iterator
from itertools import product
from math import isclose
from typing import NamedTuple

import numpy as np

from fftmech.datasets.conventions import TensorConvention
from fftmech.datasets.import_axes import moved_fields
from fftmech.datasets.mapping import STRAIN_UNITS, FieldMapping
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.io.materials_table import PRESSURES
from fftmech.loads.load import Load
from fftmech.microstructure.base import Microstructure
from fftmech.results.metrics import divergence_norm

PROBES = 400
"""Voxels on which other conventions are tried."""

CLEARLY = 0.95
"""Part of the divergence that another order has to leave, on average of `TRIED`.

Right fields of six schemes had 1.0 at least, with two components exchanged 0.91 at
most (composites, pores, polycrystals of 8^3 and 16^3)."""

LOW = 0.02
"""Relative divergence below which no other order is looked for."""

UNIFORM = 1e-3
"""Part of a stress that varies, below which its divergence is what its solver left."""

TRIED = ("rotated", "central", "fourier", "forward")
"""Schemes in which it is measured: nobody knows that of the other program."""


class StoredFields(NamedTuple):
    """A sample as its file has it.

    `strain` and `stress` are components as stored, (6, x, y, z) or (3, 3, x, y, z), in
    units of 1 and of the stiffness.
    """

    body: Microstructure
    strain: np.ndarray
    stress: np.ndarray


def law_error(
    body: Microstructure, phase: np.ndarray, strain: np.ndarray, stress: np.ndarray
) -> float:
    """Largest error of s = C e in a voxel, over the size of its terms.

    `phase` is (n,), strain and stress are Mandel (6, n).
    """
    assert body.stiffness is not None
    worst = 0.0
    for p in np.unique(phase):
        here = phase == p
        C, e, s = body.stiffness[p], strain[:, here], stress[:, here]
        size = (abs(C) @ abs(e) + abs(s)).max(axis=0)
        off = abs(s - C @ e).max(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            worst = max(worst, float(np.where(off > 0, off / size, 0.0).max()))
    return worst


def check_law(
    found: StoredFields, mapping: FieldMapping, strain: np.ndarray, stress: np.ndarray
) -> float:
    """Return the error of the law; an InputError says which conventions would fit."""
    phase = found.body.phase.ravel()
    flat = strain.reshape(6, -1), stress.reshape(6, -1)
    error, limit = law_error(found.body, phase, *flat), mapping.limits["law"]
    if error <= limit:
        return error
    fitting = list(_fitting(found, mapping, limit))
    if fitting:
        least = min(len(changes) for changes in fitting)
        ways = [" and ".join(c) for c in fitting if len(c) == least]
        advice = f"it would fit with {', or with '.join(ways[:3])}"
    else:
        advice = (
            "no other order, shear convention or power of ten fits: check the materials"
        )
    raise InputError(
        f"stress is not C e of its strain (off by {error:.2g} of the terms in the "
        f"worst voxel, limit {limit:g})",
        mend=advice,
    )


def _fitting(
    found: StoredFields, mapping: FieldMapping, limit: float
) -> Iterator[list[str]]:
    """Changes of what was stated after which the law holds, each a list of texts."""
    body, count = found.body, found.body.phase.size
    probes = np.unique(np.linspace(0, count - 1, min(count, PROBES)).astype(int))
    e, s = (
        field.reshape(*field.shape[:-3], -1)[..., probes]
        for field in (found.strain, found.stress)
    )
    own = mapping.strain.convention, mapping.stress.convention
    phases = {"": body.phase, "x and z exchanged in [phase] axes": body.phase.T}
    for (moved, phase), ce, cs in product(
        phases.items(), own[0].others(False), own[1].others(True)
    ):
        if phase.shape != body.phase.shape:
            continue
        at = phase.ravel()[probes]
        strain, stress = ce.mandel(e), cs.mandel(s)
        factor = _factor(body, at, strain, stress)
        if factor is None or law_error(body, at, strain, stress / factor) > limit:
            continue
        changes = [moved] if moved else []
        changes += _changes("strain", own[0], ce) + _changes("stress", own[1], cs)
        if factor != 1:
            changes.append(_unit_change(mapping, factor))
        yield changes


def _factor(
    body: Microstructure, phase: np.ndarray, strain: np.ndarray, stress: np.ndarray
) -> float | None:
    """The power of ten that s is of C e, or None."""
    assert body.stiffness is not None
    law = np.einsum("nij,jn->in", body.stiffness[phase], strain)
    whole = float((law * law).sum())
    ratio = float((law * stress).sum()) / whole if whole > 0 else 0.0
    if not (np.isfinite(ratio) and ratio > 0):
        return None
    power = round(np.log10(ratio))
    return 10.0**power if abs(ratio / 10.0**power - 1) < 0.01 else None


def _unit_change(mapping: FieldMapping, factor: float) -> str:
    """How to make stress a power of ten smaller."""
    stress, strain = mapping.stress.unit, mapping.strain.unit
    for unit, size in PRESSURES.items():
        if isclose(size * factor, PRESSURES[stress], rel_tol=1e-9):
            return f'[stress] unit = "{unit}" (or that of the stiffness)'
    for unit, size in STRAIN_UNITS.items():
        if isclose(size, factor * STRAIN_UNITS[strain], rel_tol=1e-9):
            return f'[strain] unit = "{unit}"'
    return f"units in which stress is {1 / factor:g} of this"


def _changes(name: str, own: TensorConvention, new: TensorConvention) -> list[str]:
    return [
        f'[{name}] {key} = "{getattr(new, key)}"'
        for key in ("order", "shear")
        if getattr(new, key) != getattr(own, key)
    ]


def check_means(
    body: Microstructure,
    load: Load,
    strain: np.ndarray,
    stress: np.ndarray,
    limit: float,
) -> float:
    """Return how far means are off the load, relative to the size of the fields."""
    worst = 0.0
    for name, field in (("strain", strain), ("stress", stress)):
        prescribed = ~load.free if name == "strain" else load.free
        given = load.mean_strain if name == "strain" else load.mean_stress
        size = max(abs(field).mean(axis=(1, 2, 3)).max(), abs(given).max())
        mean = field.mean(axis=(1, 2, 3))
        off = abs(mean - given)[prescribed]
        error = float(off.max(initial=0.0) / size) if size > 0 else 0.0
        if error > limit:
            pores = " (the strain in pores counts too)" if body.pores.size else ""
            raise InputError(
                f"mean {name} is not what [load] prescribes (off by {error:.2g} of the "
                f"field's size, limit {limit:g}){pores}",
                mend="state the load of these fields, or check order and unit",
            )
        worst = max(worst, error)
    return worst


def relative_divergence(stress: np.ndarray, grid: Grid, scheme: str) -> float:
    """Divergence over all first derivatives, at most 1; 0 where uniform."""
    if is_uniform(stress):
        return 0.0
    return divergence_norm(stress, grid, scheme).relative


def is_uniform(stress: np.ndarray) -> bool:
    """Whether what varies of a stress is no more than a solver may have left."""
    varying = stress - stress.mean(axis=(1, 2, 3), keepdims=True)
    return bool(np.linalg.norm(varying) <= UNIFORM * np.linalg.norm(stress))


def divergences(
    body: Microstructure, scheme: str, stress: np.ndarray, mean_strain: np.ndarray
) -> dict[str, float]:
    """Relative divergence (at most 1), and that of a field that knows nothing.

    In the scheme, by central differences, and in the scheme that of C times the mean
    strain.
    """
    assert body.stiffness is not None
    C = np.nan_to_num(body.stiffness)
    uniform = np.moveaxis((C @ mean_strain)[body.phase], -1, 0)
    return {
        "divergence": relative_divergence(stress, body.grid, scheme),
        "divergence_central": relative_divergence(stress, body.grid, "central"),
        "divergence_uniform": relative_divergence(uniform, body.grid, scheme),
    }


def check_directions(
    found: StoredFields, convention: TensorConvention, stress: np.ndarray
) -> str | None:
    """Refuse components or axes that fit the law but not equilibrium.

    An isotropic law holds in any order of the shear components, if strain and stress
    have the same, and with any axes, if all arrays have the same. Where another order
    is nearer to equilibrium, but not clearly, the text returned says so.
    """

    def divergence(field: np.ndarray) -> np.ndarray:
        if is_uniform(field):
            return np.zeros(len(TRIED))
        norms = [divergence_norm(field, found.body.grid, s) for s in TRIED]
        # the derivatives of one scheme may vanish where a field does vary
        gradient = max(
            (n.absolute / n.relative for n in norms if n.relative), default=1.0
        )
        return np.array([n.absolute for n in norms]) / gradient

    stated = divergence(stress)
    if stated.min() < LOW:
        return None
    tried = moved_fields(stress)
    for other in convention.shear_orders():
        tried[f'order = "{other.order}", of strain and stress'] = other.mandel(
            found.stress
        )
    ratios = {way: divergence(field) / stated for way, field in tried.items()}
    way = min(ratios, key=lambda name: float(ratios[name].mean()))
    ratio = float(ratios[way].mean())
    if ratio < CLEARLY:
        raise InputError(
            "stress as stated is not as near to equilibrium as it could be (its "
            f"divergence is {100 * (1 / ratio - 1):.3g} % larger, on average of "
            f"schemes, than with {way})",
            mend="state that, if it is how the files are written",
        )
    return f"stress would be nearer to equilibrium with {way}" if ratio < 1 else None
