"""The outcome of a solve: fields, means, how it went, and how wrong it can be."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fftmech.load import Load
from fftmech.microstructure.base import Microstructure


@dataclass(frozen=True)
class Result:
    """Fields and history of one solve.

    Arrays are NumPy, float64 or float32 as solved; symmetric tensors are Mandel.

    Parameters
    ----------
    microstructure, load
        What was solved; `temperature` is the change that drove thermal expansion.
    scheme, solver, tolerance
        How it was solved.
    displacement
        Displacement fluctuation at the scheme's nodes (length units), (3, nx, ny, nz):
        voxel corners (node i is the lower corner of voxel i) or, for `central` and
        `fourier`, voxel centres.
    strain, stress
        Voxel averages, (6, nx, ny, nz); stress in stress units.
    energy_density
        Voxel average of 1/2 (strain - eigenstrain) : stress, (nx, ny, nz), stress
        units. With `hex8` it is not the product of the averages. What composite voxels
        store between their phases is left out.
    mean_strain, mean_stress
        Volume averages, (6,).
    energy
        Volume average of `energy_density` (stress units).
    status
        "converged", "max_iterations", "diverged" or "stagnated".
    advice
        One line saying what to do about a status that is not "converged", else "".
    iterations, residuals
        Iterations done; relative equilibrium residual before each and after the last.
    times
        Seconds: "setup", of which "compile" is spent on kernels (once for a machine),
        and "solve".
    certificate
        What `fftmech.certificate.certify` returned, or {} (JSON-ready).
    """

    microstructure: Microstructure
    load: Load
    scheme: str
    solver: str
    tolerance: float
    displacement: np.ndarray
    strain: np.ndarray
    stress: np.ndarray
    energy_density: np.ndarray
    mean_strain: np.ndarray
    mean_stress: np.ndarray
    energy: float
    status: str
    advice: str
    iterations: int
    residuals: list[float]
    times: dict[str, float] = field(default_factory=dict)
    certificate: dict[str, Any] = field(default_factory=dict)
    temperature: float = 0.0
    precision: str = "double"

    def __repr__(self) -> str:
        return (
            f"<Result: {self.status}, {self.iterations} iterations, scheme "
            f"{self.scheme}, {self.microstructure!r}>"
        )

    @property
    def converged(self) -> bool:
        """Whether the residual reached the tolerance."""
        return self.status == "converged"

    @property
    def residual(self) -> float:
        """Last relative equilibrium residual."""
        return self.residuals[-1]
