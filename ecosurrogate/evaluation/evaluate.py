"""Errors of models and other methods on every sample of a split of a dataset.

The reference is the solver's solution in the same scheme; strain, stress, energy and
spectra are compared in the voxels that are no pore.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from ecosurrogate.evaluation import seen_bodies
from ecosurrogate.evaluation.solved_cases import (
    PredictedFields,
    Predictor,
    SolvedCase,
    SolvedCases,
)
from fftmech.arrays.progress import ProgressReport
from fftmech.discretization import discretization
from fftmech.problems.certificate import energy_error
from fftmech.results.metrics import (
    QUANTILES,
    divergence_norm,
    nrmse,
    tail,
    tensor_nrmse,
)
from fftmech.results.spectrum import power_spectrum
from fftmech.tensors import COMPONENTS
from fftmech.tensors.fields import energy_density

EDGES = np.geomspace(1e-10, 1e2, 121)
"""Bins of the local divergence."""

FIELDS = ("strain", "stress")

_NORMALISATIONS = ("std", "range")
_LEAST = float(np.finfo(np.float32).eps) ** 2
"""Power of rounding, relative to the whole power."""


def evaluate(
    cases: SolvedCases,
    predictors: Sequence[Predictor],
    report: ProgressReport | None = None,
    include_trained: bool = False,
) -> dict[str, Any]:
    """Return the errors of all predictors on all cases; JSON-ready.

    Bodies that a predictor was trained on are left out, and counted in the notes,
    unless `include_trained`, or the cases are those for training.

    Numbers that do not exist are None. A statistic has mean, std (of the sample, None
    of one value), min, median, max and count.

    Returns
    -------
    dict
        dataset, split, resolution, low_resolution, scheme, units, notes.
        normalisation: that of `nrmse` in tables, "range" if any body has pores, else
        "std" (`fftmech.results.metrics.nrmse`).
        reference: divergence, iterations (statistics) and local_divergence.
        local_divergence: edges, of the histograms of |div s| h / std(s), with s of the
        reference below and h a voxel's edge; each has fraction, of all nodes.
        contenders: a list; name, what, all that `Predictor.describe` returned,
        applications (of the Green operator, for one case), local_divergence, and
        statistics of nrmse (by normalisation, field and component; "mean" of the
        components, "all" for the tensor), divergence (relative, `divergence_norm`),
        certificate, energy (the energy error that it bounds), spectrum (by field: mean
        |log10 of the ratio of powers| past the Nyquist frequency of the low
        resolution), tail (by quantile: relative error of that quantile of the energy
        density), seconds, preparation; and samples: these numbers of each case, with
        index and load.
    """
    if not include_trained:
        cases = seen_bodies.unseen(cases, predictors)
    found: list[list[dict[str, Any]]] = [[] for _ in predictors]
    references: list[dict[str, Any]] = []
    chunk = max((predictor.batch for predictor in predictors), default=1)
    for start in range(0, len(cases), chunk):
        part = cases[start : start + chunk]
        solutions = [_Reference(case, cases) for case in part]
        references += [solution.own() for solution in solutions]
        for records, predictor in zip(found, predictors, strict=True):
            predictions = predictor.predict(part)
            for solution, prediction in zip(solutions, predictions, strict=True):
                records.append(solution.errors(prediction))
        if report:
            report(min(start + chunk, len(cases)), len(cases), "")
    return _document(cases, references, predictors, found)


def _document(
    cases: SolvedCases,
    references: Sequence[dict[str, Any]],
    predictors: Sequence[Predictor],
    found: Sequence[Sequence[dict[str, Any]]],
) -> dict[str, Any]:
    pores = any([reference.pop("pores") for reference in references])
    return {
        "dataset": str(cases.directory),
        "kind": cases.card.kind,
        "split": cases.split,
        "cases": len(cases),
        "samples": len(cases.indices),
        "resolution": cases.res,
        "low_resolution": cases.low,
        "scheme": cases.scheme,
        "units": dict(cases.card.units),
        "pores": pores,
        "normalisation": "range" if pores else "std",
        "local_divergence": {"edges": EDGES.tolist()},
        "reference": _summary(references),
        "contenders": [
            {
                "name": predictor.name,
                "what": predictor.what,
                **predictor.describe(),
                **_summary(records),
            }
            for predictor, records in zip(predictors, found, strict=True)
        ],
        "notes": _notes(cases, predictors, found, pores),
    }


class _Reference:
    """The solution of one case, which predictions are compared with."""

    def __init__(self, case: SolvedCase, cases: SolvedCases) -> None:
        self.case, self.scheme = case, cases.scheme
        self.grid = case.body.grid
        self.solid = case.solid
        # stored in single precision, which would round in a transform
        strain, stress = case.strain.astype(float), case.stress.astype(float)
        self.fields = {"strain": strain, "stress": stress}
        nyquist = 0.5 / max(self.grid.h)
        self.fine = (nyquist * cases.low / cases.res, nyquist) if cases.low else None
        self.power = {name: self._power(f) for name, f in self.fields.items()}
        self.tail = tail(energy_density(strain, stress)[self.solid])
        self.deviation = float(np.sqrt(stress.var(axis=(1, 2, 3)).sum()))

    def own(self) -> dict[str, Any]:
        """Divergence and iterations of the solution itself."""
        return {
            "index": self.case.index,
            "load": self.case.name,
            "pores": not self.solid.all(),
            "divergence": self._divergence(self.fields["stress"]),
            "iterations": self.case.iterations,
            "local_divergence": self._local_divergence(self.fields["stress"]),
        }

    def errors(self, prediction: PredictedFields) -> dict[str, Any]:
        """Errors of a prediction; one that is not finite has none."""
        record: dict[str, Any] = {
            "index": self.case.index,
            "load": self.case.name,
            "finite": True,
            "seconds": prediction.seconds,
            "preparation": prediction.preparation,
            "applications": prediction.applications,
        }
        fields = prediction[:2]
        if not all(np.isfinite(field).all() for field in fields):
            return record | {"finite": False}
        density = energy_density(*fields)[self.solid]
        return record | {
            "nrmse": {
                kind: {name: self._nrmse(prediction, name, kind) for name in FIELDS}
                for kind in _NORMALISATIONS
            },
            "divergence": self._divergence(prediction.stress),
            "certificate": _number(prediction.certificate),
            "energy": self._energy(prediction),
            "spectrum": {name: self._spectrum(prediction, name) for name in FIELDS}
            if self.fine
            else None,
            "tail": {
                f"{q:g}": _number(a / b - 1) if b > 0 else None
                for q, a, b in zip(QUANTILES, tail(density), self.tail, strict=True)
            },
            "local_divergence": self._local_divergence(prediction.stress),
        }

    def _nrmse(
        self, prediction: PredictedFields, name: str, kind: str
    ) -> dict[str, Any]:
        p, r = getattr(prediction, name), self.fields[name]
        errors = nrmse(p, r, kind, self.solid)
        return {
            **{c: _number(e) for c, e in zip(COMPONENTS, errors, strict=True)},
            "mean": _number(errors.mean()),
            "all": _number(tensor_nrmse(p, r, kind, self.solid)),
        }

    def _energy(self, prediction: PredictedFields) -> float | None:
        if not self.solid.all():
            return None
        exact = (self.case.strain, self.case.stress)
        return _number(energy_error(self.case.body, prediction[:2], exact))

    def _spectrum(self, prediction: PredictedFields, name: str) -> float | None:
        """Mean |log10(P / P*)| over the shells past the low resolution's Nyquist."""
        assert self.fine
        wavenumber, reference = self.power[name]
        low, high = (1 + 1e-9) * np.array(self.fine)
        shells = (wavenumber > low) & (wavenumber <= high)
        least = _LEAST * reference.sum()
        if not shells.any() or not least > 0:
            return None
        power = self._power(getattr(prediction, name))[1]
        ratio = np.maximum(power, least)[shells] / np.maximum(reference, least)[shells]
        return float(abs(np.log10(ratio)).mean())

    def _power(self, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Wavenumbers, and the power of the whole tensor, zero in pores."""
        spectrum = power_spectrum(np.where(self.solid, field, 0.0), self.grid)
        return spectrum.wavenumber, spectrum.power.sum(axis=0)

    def _divergence(self, stress: np.ndarray) -> float | None:
        return divergence_norm(stress, self.grid, self.scheme).relative

    def _local_divergence(self, stress: np.ndarray) -> list[float] | None:
        if not self.deviation > 0:
            return None
        force = discretization(self.scheme).divergence(stress[None], self.grid)
        local = np.sqrt((force**2).sum(axis=0)) * self.grid.h[0] / self.deviation
        # what is smaller or larger than all bins belongs to the outermost
        counts, _ = np.histogram(local.clip(EDGES[0], EDGES[-1]), EDGES)
        return (counts / local.size).tolist()


def statistic(values: Sequence[float | None]) -> dict[str, Any] | None:
    """Mean, std, min, median, max and count of the values that there are."""
    known = np.array([value for value in values if value is not None])
    if not known.size:
        return None
    return {
        "mean": float(known.mean()),
        "std": float(known.std(ddof=1)) if known.size > 1 else None,
        "min": float(known.min()),
        "median": float(np.median(known)),
        "max": float(known.max()),
        "count": int(known.size),
    }


def _summary(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Statistics of records, from which the histograms are taken out."""
    local = [part for r in records if (part := r.pop("local_divergence", None))]
    whole = [r for r in records if r.get("finite", True)]
    applications = [n for r in whole if (n := r.get("applications")) is not None]
    summary = {
        key: _statistics([record[key] for record in whole])
        for key in (whole[0] if whole else ())
        if key not in ("index", "load", "finite", "applications")
    }
    return {
        **summary,
        "applications": max(applications, default=None),
        "local_divergence": np.mean(local, axis=0).tolist() if local else None,
        "samples": list(records),
    }


def _statistics(values: Sequence[Any]) -> Any:
    """Statistics of numbers, or of each entry of tables."""
    tables = [value for value in values if isinstance(value, dict)]
    if not tables:
        return statistic(values)
    return {key: _statistics([table[key] for table in tables]) for key in tables[0]}


def _notes(
    cases: SolvedCases,
    predictors: Sequence[Predictor],
    found: Sequence[Sequence[dict[str, Any]]],
    pores: bool,
) -> list[str]:
    notes = seen_bodies.notes(cases, predictors)
    for predictor, records in zip(predictors, found, strict=True):
        lost = sum(not record["finite"] for record in records)
        if lost:
            notes.append(
                f"{predictor.label}: fields that are not finite in {lost} of "
                f"{len(records)} cases, which are left out"
            )
    if pores:
        notes.append("bodies with pores: no certificate, and no energy error")
    return notes


def _number(value: Any) -> float | None:
    return float(value) if value is not None and isfinite(value) else None
