"""Errors of strain and stress against a reference solution."""

from functools import cached_property

import numpy as np

from fftmech.arrays.backend import cpu_backend
from fftmech.discretization import discretization
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.problems.admissible_fields import admissible_stress
from fftmech.problems.certificate import energy_error
from fftmech.problems.linear import Problem
from fftmech.results.metrics import mean_nrmse, uniform_field, varying
from fftmech.results.result import Result


class Measure:
    """Errors against a reference, whose strain and stress must not both be uniform."""

    def __init__(self, reference: Result) -> None:
        self.reference = reference
        body = reference.microstructure
        self._solid = ~np.isin(body.phase, body.pores)
        if not any(map(self.varies, ("strain", "stress"))):
            raise InputError(
                "strain and stress are uniform under this load: nothing to compare",
                mend="take a body of several phases",
            )

    def __call__(self, name: str, field: np.ndarray) -> float:
        """nRMSE over the standard deviation, outside of pores, of "strain" or "stress".

        Mean over the components that are not uniform (`mean_nrmse`).
        """
        exact = getattr(self.reference, name)
        return mean_nrmse(field, exact, mask=self._solid)

    def uniform(self) -> dict[str, float | None]:
        """Errors of the uniform field, the mean of the reference.

        Of strain and stress, and the relative energy error as "certificate", None in
        bodies with pores.
        """
        exact = self.reference
        pair = exact.strain, exact.stress
        means = [uniform_field(field, self._solid) for field in pair]
        energy = None
        if self._solid.all():
            energy = energy_error(exact.microstructure, (means[0], means[1]), pair)
        strain, stress = map(self, ("strain", "stress"), means)
        return {"strain": strain, "stress": stress, "certificate": energy}

    def equilibrated(self, stress: np.ndarray) -> float:
        """The nRMSE of a stress that is projected on equilibrated fields first."""
        return self("stress", admissible_stress(self._problem, stress[None])[0])

    def varies(self, name: str) -> bool:
        """Whether the reference's "strain" or "stress" is not uniform."""
        exact = getattr(self.reference, name)
        return bool(varying(exact, self._solid).any())

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
