"""What is measured of the predictions of one case."""

from math import isfinite
from typing import Any

import numpy as np

from ecosurrogate.evaluation.solved_cases import (
    PredictedFields,
    SolvedCase,
    SolvedCases,
)
from fftmech.problems.certificate import energy_error
from fftmech.results.metrics import (
    QUANTILES,
    divergence,
    divergence_norm,
    mean_nrmse,
    nrmse,
    skill,
    tail,
    tensor_nrmse,
    uniform_field,
)
from fftmech.results.spectrum import power_spectrum
from fftmech.tensors import COMPONENTS
from fftmech.tensors.fields import energy_density

EDGES = np.geomspace(1e-10, 1e2, 121)
"""Bins of the local divergence."""

FIELDS = ("strain", "stress")

ROWS_OF_GRADIENTS = tuple(f"{a}{b}" for a in "xyz" for b in "xyz")
"""Components of a displacement gradient."""

_NORMALISATIONS = ("std", "range")
_LEAST = float(np.finfo(np.float32).eps) ** 2
"""Power of rounding, relative to the whole power."""


class CaseErrors:
    """The solution of one case, which predictions are compared with.

    `uniform` is the uniform field with the least error, the mean of the solution
    outside of pores.
    """

    def __init__(self, case: SolvedCase, cases: SolvedCases) -> None:
        self.case, self.scheme = case, cases.scheme
        self.grid, self.law = case.body.grid, cases.law
        self.solid = case.solid
        # stored in single precision, which would round in a transform
        strain, stress = case.strain.astype(float), case.stress.astype(float)
        self.fields = {"strain": strain, "stress": stress}
        if case.gradient is not None:
            H = case.gradient.astype(float)
            self.fields["gradient"] = H.reshape(9, *H.shape[2:])
        self.boundary = cases.boundary
        nyquist = 0.5 / max(self.grid.h)
        self.fine = (nyquist * cases.low / cases.res, nyquist) if cases.low else None
        self.power = {name: self._power(self.fields[name]) for name in FIELDS}
        self.tail = tail(energy_density(strain, stress)[self.solid])
        self.deviation = float(np.sqrt(stress.var(axis=(1, 2, 3)).sum()))
        means = {n: uniform_field(f, self.solid) for n, f in self.fields.items()}
        if "gradient" in means:
            means["gradient"] = means["gradient"].reshape(3, 3, *strain.shape[1:])
        self.uniform = PredictedFields(**means)
        self.uniform_error = self._skilled(self.uniform)

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
        errors = self._skilled(prediction)
        return record | {
            "nrmse": {
                kind: {
                    name: self._nrmse(prediction, name, kind) for name in self.fields
                }
                for kind in _NORMALISATIONS
            },
            "skill": {
                name: skill(error, self.uniform_error[name])
                for name, error in errors.items()
            },
            "divergence": self._divergence(prediction.stress),
            "certificate": _number(prediction.certificate),
            "energy": errors["energy"],
            "spectrum": {name: self._spectrum(prediction, name) for name in FIELDS}
            if self.fine
            else None,
            "tail": {
                f"{q:g}": _number(a / b - 1) if b > 0 else None
                for q, a, b in zip(QUANTILES, tail(density), self.tail, strict=True)
            }
            if self.law
            else None,
            "local_divergence": self._local_divergence(prediction.stress),
        }

    def _skilled(self, prediction: PredictedFields) -> dict[str, float | None]:
        """The errors that the uniform field's are compared with."""
        return {
            **{
                name: mean_nrmse(_flat(prediction, name), field, mask=self.solid)
                for name, field in self.fields.items()
            },
            "energy": self._energy(prediction),
        }

    def _nrmse(
        self, prediction: PredictedFields, name: str, kind: str
    ) -> dict[str, Any]:
        p, r = _flat(prediction, name), self.fields[name]
        errors = nrmse(p, r, kind, self.solid)
        names = COMPONENTS if name in FIELDS else ROWS_OF_GRADIENTS
        return {
            **{c: _number(e) for c, e in zip(names, errors, strict=True)},
            "mean": _number(mean_nrmse(p, r, kind, self.solid)),
            "all": _number(tensor_nrmse(p, r, kind, self.solid)),
        }

    def _energy(self, prediction: PredictedFields) -> float | None:
        if not self.law or not self.solid.all() or self.case.body.nonlinear:
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
        return divergence_norm(stress, self.grid, self.scheme, self.boundary).relative

    def _local_divergence(self, stress: np.ndarray) -> list[float] | None:
        if not self.deviation > 0:
            return None
        force = divergence(stress, self.grid, self.scheme, self.boundary)
        local = np.sqrt((force**2).sum(axis=0)) * self.grid.h[0] / self.deviation
        # what is smaller or larger than all bins belongs to the outermost
        counts, _ = np.histogram(local.clip(EDGES[0], EDGES[-1]), EDGES)
        return (counts / local.size).tolist()


def _flat(prediction: PredictedFields, name: str) -> np.ndarray:
    """A field with one axis of components."""
    field = getattr(prediction, name)
    return field.reshape(-1, *field.shape[-3:])


def _number(value: Any) -> float | None:
    return float(value) if value is not None and isfinite(value) else None
