"""Whether fields whose constitutive law nobody states are what their mapping says.

Stress cannot be compared with C e. What is left is that a strain is compatible and a
stress in equilibrium: a wrong order of components, or shear convention, of either makes
it less so.
"""

from collections.abc import Callable

import numpy as np

from fftmech.datasets.conventions import MATRIX, SHEARS, TensorConvention
from fftmech.datasets.import_axes import moved_fields, moves
from fftmech.datasets.import_checks import (
    LOW,
    TRIED,
    StoredFields,
    is_uniform,
    relative_divergence,
)
from fftmech.datasets.mapping import FieldMapping, TensorArray
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.results.metrics import Norm, divergence_norm, incompatibility_norm

UNCHECKED = (
    "no constitutive law is stated: whether this stress is that of this strain, and "
    "the units of both beyond the stated means, were not checked"
)
"""Note on every import without a law, and in the card of its dataset."""

CLEARLY = 0.9
"""What another convention has to leave of the distance, on average of `TRIED`.

Right fields of six schemes had 0.94 at least (stress in tensor components, tried as
Mandel's, of voxel averages)."""

PLACED = 0.95
"""What phases placed otherwise have to leave of what phases do not explain.

Right ones had 1.07 at least, wrong ones 0.93 at most (composites, also with large
plastic strain, and polycrystals, of 4^3 to 16^3)."""

HARDLY = 0.95
"""What phases leave of what they leave placed otherwise, on average, for a note.

Right ones had 0.92 at most, those of another body 0.96 at least."""

MISPLACED = (
    "phases explain the fields hardly better than if turned or mirrored: do they "
    "belong to these fields?"
)
"""Note on phases that other fields may belong to."""

OPPOSED = (
    "stress : strain is negative on average: expected of a body that was unloaded; or "
    "does one of the two count compression as positive?"
)
"""Note on stresses that may have the wrong sign."""

Measure = Callable[[np.ndarray, Grid, str], Norm]


def check_conventions(
    found: StoredFields, mapping: FieldMapping, strain: np.ndarray, stress: np.ndarray
) -> list[str]:
    """Refuse conventions beside which others are clearly nearer to admissible fields.

    So are phases that explain the fields clearly better when they lie otherwise. Where
    another way is nearer, but not clearly, the texts returned say so.
    """
    grid = found.body.grid
    notes = [
        _nearer("strain", mapping.strain, found.strain, strain, grid),
        _nearer("stress", mapping.stress, found.stress, stress, grid),
        _placed(found.body, strain, stress),
        OPPOSED if (stress * strain).sum() < 0 else None,
    ]
    return [note for note in notes if note]


def relative_incompatibility(strain: np.ndarray, grid: Grid, scheme: str) -> float:
    """inc e over all second derivatives, at most 1; 0 where uniform."""
    if is_uniform(strain):
        return 0.0
    return incompatibility_norm(strain, grid, scheme).relative


def admissibility(
    body: Microstructure, scheme: str, strain: np.ndarray, stress: np.ndarray
) -> dict[str, float]:
    """How far fields are off compatibility and equilibrium, relative, at most 1.

    Beside each in the scheme: by central differences, and in the scheme that of the
    phases' mean values, which know nothing of either.
    """
    made: dict[str, float] = {}
    for name, field, measure in (
        ("incompatibility", strain, relative_incompatibility),
        ("divergence", stress, relative_divergence),
    ):
        made[name] = measure(field, body.grid, scheme)
        made[f"{name}_central"] = measure(field, body.grid, "central")
        means = phase_means(body, field)
        made[f"{name}_phase_means"] = measure(means, body.grid, scheme)
    return made


def phase_means(body: Microstructure, field: np.ndarray) -> np.ndarray:
    """A field with its mean over each phase in all voxels of that phase."""
    phase, counts = body.phase.ravel(), np.maximum(body.counts, 1)
    sums = [np.bincount(phase, part.ravel(), len(counts)) for part in field]
    return (np.stack(sums) / counts)[:, body.phase]


def _nearer(
    name: str, stated: TensorArray, stored: np.ndarray, field: np.ndarray, grid: Grid
) -> str | None:
    """Try other conventions and axes of one field."""
    measure: Measure = divergence_norm if name == "stress" else incompatibility_norm
    what = "equilibrium" if name == "stress" else "compatibility"
    least = _measured(measure, field, grid)
    if least.min() < LOW:
        return None
    tried = moved_fields(field)
    for other in _others(stated.convention, name == "stress"):
        changes = [
            f'{key} = "{getattr(other, key)}"'
            for key in ("order", "shear")
            if getattr(other, key) != getattr(stated.convention, key)
        ]
        tried[f"[{name}] {' and '.join(changes)}"] = other.mandel(stored)
    if stated.convention.order == MATRIX and name == "strain":
        halved = np.concatenate([field[:3], field[3:] / 2])
        tried["half of what is off the diagonal, engineering shear"] = halved
    ratios = {w: _measured(measure, f, grid) / least for w, f in tried.items()}
    way = min(ratios, key=lambda w: float(ratios[w].mean()))
    ratio = float(ratios[way].mean())
    if ratio < CLEARLY:
        raise InputError(
            f"{name} as stated is not as near to {what} as it could be (off it by "
            f"{100 * (1 / ratio - 1):.3g} % more, on average of schemes, than with "
            f"{way})",
            mend="state that, if it is how the files are written",
        )
    return f"{name} would be nearer to {what} with {way}" if ratio < 1 else None


def _placed(body: Microstructure, strain: np.ndarray, stress: np.ndarray) -> str | None:
    """Try other places of the phases; what counts is the fields' variance within."""
    fields = [field for field in (strain, stress) if not is_uniform(field)]
    if not fields:
        return None
    flat = np.concatenate([_normalized(field) for field in fields])
    stated = _within(body.phase, flat)
    if stated < LOW:
        return None
    ways = moves()
    ratios = {
        w.words("[phase] axes"): _within(w(body.phase), flat) / stated for w in ways
    }
    # the body has the other symmetries
    ratios = {way: ratio for way, ratio in ratios.items() if abs(ratio - 1) > 1e-9}
    if not ratios:
        return None
    way = min(ratios, key=lambda words: ratios[words])
    ratio = ratios[way]
    if ratio < PLACED:
        raise InputError(
            f"phases do not lie where strain and stress have them ({100 * stated:.3g} "
            f"% of the fields' variance is within phases, {100 * stated * ratio:.3g} "
            f"% with {way})",
            mend="state that, if it is how the files are written, or look whose phases "
            "they are",
        )
    if ratio < 1 or HARDLY * np.mean(list(ratios.values())) < 1:
        return MISPLACED
    return None


def _normalized(field: np.ndarray) -> np.ndarray:
    """A field less its mean, (6, n), of norm 1."""
    varying = field.reshape(6, -1) - field.mean(axis=(1, 2, 3))[:, None]
    return varying / np.linalg.norm(varying)


def _within(phase: np.ndarray, flat: np.ndarray) -> float:
    """Part of the variance of fields (c, n) within phases."""
    index = phase.ravel()
    sums = np.stack([np.bincount(index, part) for part in flat])
    between = (sums**2 / np.maximum(np.bincount(index), 1)).sum()
    return max(0.0, 1 - float(between / (flat**2).sum()))


def _others(own: TensorConvention, stress: bool) -> list[TensorConvention]:
    """The other orders of shear components, each with every shear convention."""
    orders = own.shear_orders()
    made = [
        TensorConvention(other.order, shear)
        for other in ([own, *orders] if orders else [])
        for shear in SHEARS
        if not (stress and shear == "engineering")
    ]
    return [each for each in made if each != own]


def _measured(measure: Measure, field: np.ndarray, grid: Grid) -> np.ndarray:
    """How far a field is off, in each of the schemes `TRIED`, at most 1."""
    if is_uniform(field):
        return np.zeros(len(TRIED))
    return np.array([measure(field, grid, scheme).relative for scheme in TRIED])
