"""Errors of strain and stress against a reference solution."""

from functools import cached_property

import numpy as np

from fftmech.arrays.backend import cpu_backend
from fftmech.discretization import discretization
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.problems.admissible_fields import admissible_stress
from fftmech.problems.linear import Problem
from fftmech.results.metrics import nrmse
from fftmech.results.result import Result

VARIES = 1e-6
"""Deviation of a component, relative to the largest value, above which it varies."""


class Measure:
    """Errors against a reference, whose strain and stress must not both be uniform."""

    def __init__(self, reference: Result) -> None:
        self.reference = reference
        body = reference.microstructure
        self._solid = ~np.isin(body.phase, body.pores)
        self._varies = {
            name: self._varying(getattr(reference, name))
            for name in ("strain", "stress")
        }
        if not any(varies.any() for varies in self._varies.values()):
            raise InputError(
                "strain and stress are uniform under this load: nothing to compare",
                mend="take a body of several phases",
            )

    def __call__(self, name: str, field: np.ndarray) -> float:
        """nRMSE over the standard deviation, outside of pores, of "strain" or "stress".

        Mean over the components that vary; 0 if none does.
        """
        varies = self._varies[name]
        if not varies.any():
            return 0.0
        exact = getattr(self.reference, name)
        return float(nrmse(field, exact, "std", self._solid)[varies].mean())

    def equilibrated(self, stress: np.ndarray) -> float:
        """The nRMSE of a stress that is projected on equilibrated fields first."""
        return self("stress", admissible_stress(self._problem, stress[None])[0])

    def varies(self, name: str) -> bool:
        """Whether the reference's "strain" or "stress" is not uniform."""
        return bool(self._varies[name].any())

    @cached_property
    def _problem(self) -> Problem:
        exact = self.reference
        assert isinstance(exact.load, Load)
        return Problem(
            exact.microstructure,
            exact.load,
            discretization(exact.scheme),
            cpu_backend(),
            kernels=False,
        )

    def _varying(self, field: np.ndarray) -> np.ndarray:
        values = field[:, self._solid]
        # the reference resolves no deviation below its tolerance
        least = max(VARIES, self.reference.tolerance)
        return values.std(axis=1) > least * abs(values).max()
