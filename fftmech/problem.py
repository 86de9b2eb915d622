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

from fftmech.backend import Backend, to_numpy
from fftmech.discretization.base import Discretization
from fftmech.green import Green, mean
from fftmech.grid import Grid
from fftmech.kernels import get_kernels
from fftmech.load import Load
from fftmech.materials.linear import LinearElastic
from fftmech.microstructure.base import Microstructure
from fftmech.reference import reference_medium, reference_stiffness


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
    kernels
        Whether to use compiled kernels where there are some; the reference code
        otherwise.

    Attributes
    ----------
    search
        Real dtype of residuals and search directions: single precision where kernels
        carry a double-precision solution.
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
        kernels: bool = True,
    ) -> None:
        assert microstructure.stiffness is not None
        self.grid: Grid = microstructure.grid
        self.load = load
        self.scheme = scheme
        self.backend = backend
        self.precision = np.dtype(precision)
        self.microstructure = microstructure
        self.eigenstrain = total_eigenstrain(microstructure, temperature)
        self.reference = reference or reference_medium(microstructure)
        self.reference_stiffness = reference_stiffness(*self.reference)
        self.nodes = (scheme.unknowns(self.grid), *self.grid.shape)
        self._parts = scheme.parts()
        self._set_load(load)
        self.kernels = None
        if kernels:
            self.kernels = get_kernels(
                scheme,
                self.grid,
                microstructure.phase,
                microstructure.stiffness,
                self.eigenstrain,
                self.reference,
                backend,
            )
        self.search = np.dtype(np.float32) if self.kernels else self.precision

    @cached_property
    def material(self) -> LinearElastic:
        """The material law on fields."""
        assert self.microstructure.stiffness is not None
        return LinearElastic(
            self.microstructure.phase,
            self.microstructure.stiffness,
            self.eigenstrain,
            self.backend.xp,
            self.precision,
        )

    @cached_property
    def green(self) -> Green:
        """The reference medium on symbols."""
        return self.new_green(*self.reference)

    def new_green(self, bulk: float, shear: float) -> Green:
        """Return the Green operator of another reference medium."""
        return Green(self.scheme, self.grid, self.backend, bulk, shear, self.precision)

    def with_load(self, load: Load, threads: int | None = None) -> "Problem":
        """Return the same body under another load; everything else is shared.

        With a number of threads, kernels get scratch of their own and use that many:
        the copy may be solved at the same time as the original.
        """
        if self.kernels is None:
            self.green  # made once, for all loads  # noqa: B018
        problem = copy(self)
        problem._set_load(load)
        if self.kernels is not None and threads is not None:
            problem.kernels = self.kernels.twin(threads)
        return problem

    def _set_load(self, load: Load) -> None:
        self.load = load
        free, C0 = load.free, self.reference_stiffness
        self._free = self.backend.xp.asarray(free)
        # the reference medium's answer to mean stresses on the free components
        self._free_compliance = np.zeros((6, 6))
        self._free_compliance[np.ix_(free, free)] = np.linalg.inv(
            C0[np.ix_(free, free)]
        )

    @property
    def scale(self) -> float:
        """Energy that the load would put into the reference medium (stress units)."""
        C0 = self.reference_stiffness
        strain, stress = self.load.mean_strain, self.load.mean_stress
        scale = strain @ C0 @ strain + stress @ np.linalg.solve(C0, stress)
        if self.eigenstrain is not None:
            used = self.eigenstrain[self.microstructure.phases]
            scale += float(abs(used).max()) ** 2 * np.trace(C0)
        return float(scale)

    def zeros(self) -> Any:
        """The unknown of a homogeneous strain, shape (n nx ny nz + 6,)."""
        size = int(np.prod(self.nodes)) + 6
        return self.backend.xp.zeros(size, self.precision)

    def uniform(self) -> Any:
        """The uniform strain whose mean stresses the reference medium finds right."""
        v = self.zeros()
        missing = self.load.mean_stress - self.balance(v, self.search)[0]
        v[-6:] = self.asarray(self._free_compliance @ missing)
        return v

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

    def prepare(self, mixed: bool) -> float:
        """Make what the first iteration needs; seconds spent on compiling kernels.

        `mixed` is whether the solver carries its vectors in the precision `search`.
        """
        if self.kernels is None:
            self.green  # noqa: B018
            return 0.0
        seconds = self.kernels.prepare(self.precision, self.search)
        if not mixed:
            seconds += self.kernels.prepare(self.precision, self.precision)
        return seconds

    def fields(self, v: Any) -> tuple[Any, Any, Any]:
        """Voxel averages of strain, stress, Mandel (6, x, y, z), and energy density."""
        if self.kernels is None:
            strain = self.strain(v)
            stress = self.stress(strain)
            energy = self.material.energy(strain)
            return strain.mean(axis=0), stress.mean(axis=0), energy.mean(axis=0)
        E = self.load.mean_strain + self._free_strain(v)
        return self.kernels.fields(v[:-6], E)

    def apply(self, v: Any) -> Any:
        """K v."""
        return self.curvature(v)[0]

    def curvature(self, p: Any, out: Any = None) -> tuple[Any, float]:
        """K p, written to `out` if there is one, and <p, K p>."""
        if self.kernels is None:
            Kp = self._apply(p)
            return Kp, self.dot(p, Kp)
        out = self.backend.xp.empty_like(p) if out is None else out
        E = self._free_strain(p)
        stress, work = self.kernels.apply(p[:-6], E, out[:-6])
        out[-6:] = self._on_free(stress)
        return out, work + float(E @ np.where(self.load.free, stress, 0))

    def residual(self, v: Any, dtype: Any = None) -> Any:
        """b - K v, from the stress of v, in another precision if `dtype` is given."""
        return self.balance(v, dtype)[1]

    def balance(self, v: Any, dtype: Any = None) -> tuple[np.ndarray, Any]:
        """Mean stress of v, Mandel (6,), and its residual b - K v."""
        xp, dtype = self.backend.xp, dtype or self.precision
        if self.kernels is None:
            stress = self.stress(self.strain(v))
            force = self.force(stress).astype(dtype, copy=False)
            return to_numpy(mean(stress)).astype(float), force
        r = xp.empty(v.shape, dtype)
        E = self.load.mean_strain + self._free_strain(v)
        stress, _ = self.kernels.apply(v[:-6], E, r[:-6], total=True)
        xp.negative(r[:-6], out=r[:-6])
        r[-6:] = self._on_free(self.load.mean_stress - stress)
        return stress, r

    def force(self, stress: Any) -> Any:
        """-(D* s, <s> - S on the free components): zero for an equilibrated stress."""
        force = -self._adjoint(stress)
        force[-6:] += self.asarray(np.where(self.load.free, self.load.mean_stress, 0))
        return force

    def precondition(self, r: Any, green: Green | None = None) -> Any:
        """M r: the exact solution for the reference medium, or for that of `green`."""
        if self.kernels is not None and green is None:
            z = self.backend.xp.empty_like(r)
            z[-6:] = self.descend(r)[0]
            self.kernels.finish(z[:-6])
            return z
        green = green or self.green
        free = self.load.free
        inverse = np.zeros((6, 6))
        inverse[np.ix_(free, free)] = np.linalg.inv(green.stiffness[np.ix_(free, free)])
        return self.pack(
            green.solve(self.displacement(r)), self.asarray(inverse) @ r[-6:]
        )

    def descend(
        self, r: Any, alpha: float = 0.0, q: Any = None, weights: Any = None
    ) -> tuple[Any, float]:
        """r <- r - alpha q, and the preconditioned residual z = W M W r.

        Parameters
        ----------
        weights
            Diagonal of W, a vector of the problem with 1 on the mean strains.

        Returns
        -------
        tuple
            z in the form that `turn` takes, to be used before the next `descend`, and
            <r, z>.
        """
        if self.kernels is None:
            if q is not None:
                r -= alpha * q
            z = self.precondition(r if weights is None else weights * r)
            if weights is not None:
                z *= weights
            return z, self.dot(r, z)
        if q is not None:
            r[-6:] -= alpha * q[-6:]
        E = to_numpy(r[-6:]) if self.load.free.any() else np.zeros(6)
        z = self._free_compliance @ E
        product = self.kernels.descend(
            r[:-6],
            alpha,
            None if q is None else q[:-6],
            None if weights is None else weights[:-6],
        )
        return self.backend.xp.asarray(z, dtype=r.dtype), product + float(E @ z)

    def turn(
        self, v: Any, alpha: float, p: Any, beta: float, z: Any, weights: Any = None
    ) -> None:
        """v <- v + alpha p, then p <- z + beta p, with z and W of `descend`."""
        if self.kernels is None:
            v += alpha * p
            p *= beta
            p += z
            return
        v[-6:] += alpha * p[-6:]
        p[-6:] = z + beta * p[-6:]
        nodal = None if weights is None else weights[:-6]
        self.kernels.turn(v[:-6], alpha, p[:-6], beta, nodal)

    def advance(self, v: Any, alpha: float, p: Any) -> None:
        """v <- v + alpha p."""
        if self.kernels is None:
            v += alpha * p
            return
        v[-6:] += alpha * p[-6:]
        self.kernels.add(v[:-6], alpha, p[:-6])

    def dot(self, a: Any, b: Any) -> float:
        """Volume average of a.b, an energy density for (unknown, force) pairs."""
        if self.kernels is not None:
            nodal = self.kernels.dot(a[:-6], b[:-6])
        else:
            nodal = float(self.backend.xp.dot(a[:-6], b[:-6])) / self.grid.voxels
        return nodal + float(self.backend.xp.dot(a[-6:], b[-6:]))

    def _apply(self, v: Any) -> Any:
        """K v by the reference code: one integration point is in memory at once."""
        u, E = self.displacement(v), v[-6:]
        total = 0
        for part in self._parts:
            stress = self.material.tangent(self._shift(part.strain(u, self.grid), E))
            force = part.strain_adjoint(stress, self.grid)
            total = total + self.pack(force, mean(stress))
        return total * (1 / len(self._parts)) if len(self._parts) > 1 else total

    def _free_strain(self, v: Any) -> np.ndarray:
        """Mean strains of v on the free components, on the host."""
        if not self.load.free.any():
            return np.zeros(6)
        return to_numpy(v[-6:]).astype(float)

    def _on_free(self, values: np.ndarray) -> Any:
        """Six host values on the array library, zero where the strain is prescribed."""
        return self.asarray(np.where(self.load.free, values, 0))

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
    if total is None or not total[microstructure.phases].any():
        return None
    return total
