"""Errors of models and other methods on every sample of a split of a dataset.

The reference is the solver's solution in the same scheme, or what was imported; strain,
stress, energy and spectra are compared in the voxels that are no pore. There is no
energy where no constitutive law is known.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ecosurrogate.data.lawless import NO_LAW
from ecosurrogate.evaluation import seen_bodies
from ecosurrogate.evaluation.case_errors import EDGES, CaseErrors
from ecosurrogate.evaluation.solved_cases import Predictor, SolvedCases
from fftmech.arrays import crowding
from fftmech.arrays.progress import ProgressReport
from fftmech.results.metrics import DEFAULT


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
        dataset, kind, split, resolution, low_resolution, scheme, boundary (None if
        periodic), units, law (whether it is known), notes, crowding (of the machine,
        `fftmech.arrays.crowding`).
        normalisation: "std", that of `nrmse` in tables and pictures; "range" is the
        paper's for bodies with pores (`fftmech.results.metrics.nrmse`).
        uniform: what is under contenders, of the uniform field: in each case the mean
        of the solution outside of pores, which is the best of all uniform fields.
        reference: divergence, iterations (statistics) and local_divergence.
        local_divergence: edges, of the histograms of |div s| h / std(s), with s of the
        reference below and h a voxel's edge; each has fraction, of all nodes.
        contenders: a list; name, what, all that `Predictor.describe` returned,
        applications (of the Green operator, for one case), local_divergence, and
        statistics of nrmse (by normalisation, field and component, in boxes with faces
        of the displacement gradient too; "mean" of those
        components that are not uniform in the solution, "all" for the tensor), skill
        (of strain and stress, by the mean over "std", and of energy: 1 - error / error
        of the uniform field in that case), divergence (relative, `divergence_norm`),
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
    uniform: list[dict[str, Any]] = []
    threads = torch.get_num_threads()
    crowded = crowding.crowding(threads)
    chunk = max((predictor.batch for predictor in predictors), default=1)
    for start in range(0, len(cases), chunk):
        part = cases[start : start + chunk]
        solutions = [CaseErrors(case, cases) for case in part]
        references += [solution.own() for solution in solutions]
        uniform += [solution.errors(solution.uniform) for solution in solutions]
        for records, predictor in zip(found, predictors, strict=True):
            predictions = predictor.predict(part)
            for solution, prediction in zip(solutions, predictions, strict=True):
                records.append(solution.errors(prediction))
        if report:
            report(min(start + chunk, len(cases)), len(cases), "")
    crowded = max(crowded, crowding.crowding(threads))
    document = _document(cases, references, uniform, predictors, found)
    if said := crowding.busy(crowded):
        document["notes"].append(f"{said}; times are too long")
    return {**document, "crowding": crowded}


def _document(
    cases: SolvedCases,
    references: Sequence[dict[str, Any]],
    uniform: Sequence[dict[str, Any]],
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
        "boundary": cases.boundary and cases.boundary.as_dict(),
        "units": dict(cases.card.units),
        "pores": pores,
        "law": cases.law,
        "normalisation": DEFAULT,
        "local_divergence": {"edges": EDGES.tolist()},
        "reference": _summary(references),
        "uniform": {
            "name": "uniform field",
            "what": "mean of DNS",
            "kind": "uniform",
            **_summary(uniform),
        },
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


def errors_of_run(found: Mapping[str, Any], weights: str) -> dict[str, Any]:
    """Mean errors of the run with weights of this SHA-256 in what `evaluate` returned.

    samples, resolution, normalisation, strain, stress, uniform (of the uniform field:
    strain, stress), certificate. StopIteration if that run was not evaluated.
    """
    runs = [c for c in found["contenders"] if c["kind"] == "run"]
    own = next(run for run in runs if run["weights"] == weights)
    # whatever the tables of that evaluation have: a uniform field has 1
    errors = own["nrmse"][DEFAULT]
    return {
        "samples": len(own["samples"]),
        "resolution": found["resolution"],
        "normalisation": DEFAULT,
        **{name: errors[name]["mean"]["mean"] for name in ("strain", "stress")},
        "uniform": {"strain": 1.0, "stress": 1.0},
        "certificate": (own["certificate"] or {}).get("mean"),
    }


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
    notes += [f"{p.label}: no certificate: {NO_LAW}" for p in predictors if not p.law]
    if cases.creep:
        notes.append(
            "viscoplastic crystals: strains are rates, the certificate is that of the "
            "duality gap, and there is no energy error"
        )
    if cases.boundary is not None:
        notes.append(
            f"boxes with faces ({cases.boundary}): no certificate, divergence at the "
            "nodes inside, and spectra see the faces as jumps"
        )
    return notes
