"""The discrete problem that a solver solves: K v = b, with its preconditioner.

The unknown v = (u, E) is one flat array: the displacement fluctuation u at the nodes
(n components a node, see `Discretization.unknowns`), then the six mean strains E, of
which only those count whose mean stress is prescribed. With e = E + sym(D u),

    K v = (D* C e, <C e> on the free components)
    b   = -(D* s0, <s0> - S on the free components),     s0 = C (E_prescribed - e0),

which is symmetric: the gradient of the potential <1/2 e : C : e> - S : E. The reference
medium decouples u from E, so its inverse M is exact for a homogeneous body.
"""

from copy import copy
from functools import cached_property
from typing import Any

import numpy as np

from fftmech.backend import Backend
from fftmech.discretization.base import Discretization
from fftmech.engineering import isotropic_moduli
from fftmech.green import Green, mean
from fftmech.grid import Grid
from fftmech.load import Load
from fftmech.materials.linear import LinearElastic
from fftmech.microstructure.base import Microstructure
from fftmech.tensors import J, K

# On compatible fields a soft phase follows its surroundings, so that the spectrum of
# the operator hardly reaches down to the least stiffness (0 for a pore). Polarization
# on a sphere of contrast 1000, of 1e-4 and a pore: 84, 86 and 86 iterations with this
# floor, 262, 478 and 523 with 1e-3. With 0, the step 2 / (0 + high) of the basic
# scheme would not contract on strains that vanish in the pores.
LEAST_CONTRAST = 0.03


class Problem:
    """Small-strain linear elasticity of one microstructure under one load.

    Parameters
    ----------
    microstructure
        Checked (`Microstructure.check`).
    load
        Mean strains and mean stresses.
    scheme, backend, precision
        Discretization, arrays, and real dtype.
    reference
        Bulk and shear modulus of the reference medium; `reference_medium` if None.
    temperature
        Temperature change that drives thermal expansion (degrees).
    """

    def __init__(
        self,
        microstructure: Microstructure,
        load: Load,
        scheme: Discretization,
        backend: Backend,
        precision: Any = np.float64,
        reference: tuple[float, float] | None = None,
        temperature: float = 0.0,
    ) -> None:
        assert microstructure.stiffness is not None
        self.grid: Grid = microstructure.grid
        self.load = load
        self.scheme = scheme
        self.backend = backend
        self.precision = np.dtype(precision)
        self.microstructure = microstructure
        self.material = LinearElastic(
            microstructure.phase,
            microstructure.stiffness,
            total_eigenstrain(microstructure, temperature),
            backend.xp,
            precision,
        )
        self.reference = reference or reference_medium(microstructure)
        self.nodes = (scheme.unknowns(self.grid), *self.grid.shape)
        self._parts = scheme.parts()
        self._free = backend.xp.asarray(load.free)

    @cached_property
    def green(self) -> Green:
        """The preconditioner of u."""
        return self.new_green(*self.reference)

    def new_green(self, bulk: float, shear: float) -> Green:
        """Return the Green operator of another reference medium."""
        return Green(self.scheme, self.grid, self.backend, bulk, shear, self.precision)

    def with_load(self, load: Load) -> "Problem":
        """Return the same body under another load; everything else is shared."""
        self.green  # made once, for all loads  # noqa: B018
        problem = copy(self)
        problem.load = load
        problem._free = self.backend.xp.asarray(load.free)
        return problem

    @property
    def scale(self) -> float:
        """Energy that the load would put into the reference medium (stress units)."""
        C0, S0 = self.green.stiffness, self.green.compliance
        strain, stress = self.load.mean_strain, self.load.mean_stress
        scale = strain @ C0 @ strain + stress @ S0 @ stress
        if self.material.eigenstrain is not None:
            scale += float(abs(self.material.eigenstrain).max()) ** 2 * np.trace(C0)
        return float(scale)

    def zeros(self) -> Any:
        """The unknown of a homogeneous strain, shape (n nx ny nz + 6,)."""
        size = int(np.prod(self.nodes)) + 6
        return self.backend.xp.zeros(size, self.precision)

    def pack(self, u: Any, E: Any) -> Any:
        """Join nodal values (n, x, y, z) and free mean strains (6,) into one vector."""
        xp = self.backend.xp
        E = xp.where(self._free, E, 0).astype(self.precision)
        return xp.concatenate([u.ravel(), E])

    def displacement(self, v: Any) -> Any:
        """The nodal part of v, a view of shape (n, x, y, z)."""
        return v[:-6].reshape(self.nodes)

    def mean_strain(self, v: Any) -> Any:
        """Mean strain, prescribed and free, Mandel (6,)."""
        return self.asarray(self.load.mean_strain) + v[-6:]

    def strain(self, v: Any) -> Any:
        """Total strain at integration points, Mandel, (q, 6, x, y, z)."""
        return self._shift(self._fluctuation(v), self.mean_strain(v))

    def stress(self, strain: Any) -> Any:
        """Stress at integration points, Mandel, (q, 6, x, y, z)."""
        return self.material.stress(strain)

    def apply(self, v: Any) -> Any:
        """K v, point by point: a point's fields are all that is in memory at once."""
        u, E = self.displacement(v), v[-6:]
        total = 0
        for part in self._parts:
            stress = self.material.tangent(self._shift(part.strain(u, self.grid), E))
            force = part.strain_adjoint(stress, self.grid)
            total = total + self.pack(force, mean(stress))
        return total * (1 / len(self._parts)) if len(self._parts) > 1 else total

    def residual(self, v: Any) -> Any:
        """b - K v, from the stress of v."""
        return self.force(self.stress(self.strain(v)))

    def force(self, stress: Any) -> Any:
        """-(D* s, <s> - S on the free components): zero for an equilibrated stress."""
        force = -self._adjoint(stress)
        force[-6:] += self.asarray(np.where(self.load.free, self.load.mean_stress, 0))
        return force

    def precondition(self, r: Any, green: Green | None = None) -> Any:
        """M r: the exact solution for the reference medium."""
        green = green or self.green
        free = self.load.free
        inverse = np.zeros((6, 6))
        inverse[np.ix_(free, free)] = np.linalg.inv(green.stiffness[np.ix_(free, free)])
        return self.pack(
            green.solve(self.displacement(r)), self.asarray(inverse) @ r[-6:]
        )

    def dot(self, a: Any, b: Any) -> float:
        """Volume average of a.b, an energy density for (unknown, force) pairs."""
        xp = self.backend.xp
        return float(xp.dot(a[:-6], b[:-6])) / self.grid.voxels + float(
            xp.dot(a[-6:], b[-6:])
        )

    def _fluctuation(self, v: Any) -> Any:
        return self.scheme.strain(self.displacement(v), self.grid)

    def _adjoint(self, stress: Any) -> Any:
        return self.pack(self.scheme.strain_adjoint(stress, self.grid), mean(stress))

    def asarray(self, values: np.ndarray) -> Any:
        """Copy host values to the problem's array library and precision."""
        return self.backend.xp.asarray(values, dtype=self.precision)

    @staticmethod
    def _shift(field: Any, constant: Any) -> Any:
        field += constant[:, None, None, None]
        return field


def total_eigenstrain(
    microstructure: Microstructure, temperature: float
) -> np.ndarray | None:
    """Eigenstrain by phase, thermal expansion included, Mandel (P, 6), or None."""
    total = microstructure.eigenstrain
    if temperature and microstructure.thermal_expansion is not None:
        thermal = temperature * microstructure.thermal_expansion
        total = thermal if total is None else total + thermal
    return total


def reference_medium(microstructure: Microstructure) -> tuple[float, float]:
    """Bulk and shear modulus of the volume-averaged stiffness's isotropic part.

    Conjugate gradients depend on the ratio of the two alone; solvers that need bounds
    choose their own medium (`stiffness_bounds`).
    """
    assert microstructure.stiffness is not None
    used = microstructure.phases
    fractions = microstructure.fractions[used]
    return isotropic_moduli(np.tensordot(fractions, microstructure.stiffness[used], 1))


def stiffness_bounds(microstructure: Microstructure) -> tuple[float, float]:
    """Least and greatest eigenvalue of C0^-1 C that a solver should count with.

    C0 is the `reference_medium`; the spectrum of the preconditioned operator lies
    between the extremes over all voxels. The least is at least `LEAST_CONTRAST` times
    the greatest.
    """
    assert microstructure.stiffness is not None
    bulk, shear = reference_medium(microstructure)
    root = J / np.sqrt(3 * bulk) + K / np.sqrt(2 * shear)
    C = microstructure.stiffness[microstructure.phases]
    values = np.linalg.eigvalsh(root @ C @ root)
    high = float(values.max())
    return max(float(values.min()), LEAST_CONTRAST * high), high
