"""A discrete problem as solvers see it: unknowns, products, a preconditioner.

The unknown v = (u, E) is one flat array: the displacement fluctuation u at the nodes
(n components a node, see `Discretization.unknowns`; or its coordinates, where kernels
have any), then the m components of the mean
strain or deformation gradient, of which only those count whose mean stress is
prescribed. The reference medium decouples u from E, so that its inverse M is exact for
a homogeneous body.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from fftmech.arrays.backend import Backend, to_numpy
from fftmech.arrays.ranks import ALONE, Ranks
from fftmech.discretization.base import Discretization
from fftmech.discretization.grid import Grid
from fftmech.kernels import Coordinates, Kernels
from fftmech.operators.green import Green
from fftmech.results.result import FieldPlanes


class Means(Protocol):
    """What a load prescribes of the m components of the mean strain or of F."""

    @property
    def free(self) -> np.ndarray:
        """Components whose mean stress is prescribed, boolean, (m,)."""
        ...

    @property
    def mean_strain(self) -> np.ndarray:
        """Prescribed means, (m,); of free components, the mean where v is zero."""
        ...

    @property
    def mean_stress(self) -> np.ndarray:
        """Prescribed mean stress, (m,); zero where the strain is prescribed."""
        ...


class Solution(NamedTuple):
    """Fields of a solution on the host, as `fftmech.results.result.Result` has them.

    Attributes
    ----------
    displacement, mean_strain, mean_stress
        As in `Result`.
    planes
        The other fields, computed when they are asked for.
    """

    displacement: np.ndarray
    planes: FieldPlanes
    mean_strain: np.ndarray
    mean_stress: np.ndarray

    def divided_by(self, unit: float) -> "Solution":
        """The solution of 1 / unit of the load."""
        if unit == 1:
            return self

        def planes(part: slice) -> tuple[Any, Any, Any]:
            strain, stress, energy = self.planes(part)
            return strain / unit, stress / unit, energy / unit / unit

        # not in place: the displacement may be that of which planes are computed
        u, means = self.displacement / unit, (self.mean_strain, self.mean_stress)
        return Solution(u, planes, *(mean / unit for mean in means))


def whole(strain: Any, stress: Any, energy: Any) -> FieldPlanes:
    """Fields that are in memory, by planes."""
    return lambda part: (strain[..., part], stress[..., part], energy[..., part])


def on_host(planes: FieldPlanes) -> FieldPlanes:
    """Fields by planes, copied to the host."""

    def copied(part: slice) -> tuple[Any, Any, Any]:
        strain, stress, energy = map(to_numpy, planes(part))
        return strain, stress, energy

    return copied


class Equilibrium(ABC):
    """A problem D* s(v) = 0 under a load, and the vectors v of its unknowns.

    Parameters
    ----------
    grid, scheme, backend, precision
        Voxels, discretization, arrays, and the real dtype of a solution.
    load
        Means that are prescribed.
    reference
        Bulk and shear modulus of the reference medium (stress units).
    mean_stiffness
        Stiffness of the reference medium acting on the mean strain, (m, m), positive
        definite (stress units).
    kernels
        Compiled vector operations, or None for the reference code. With kernels,
        residuals and search directions are in single precision.

    Attributes
    ----------
    search
        Real dtype of residuals and search directions.
    target
        Dual norm of the residual that is aimed at, 0 if that is not known.
    ranks
        Processes that share the body; what this one has of fields are its own planes.
    """

    ranks: Ranks = ALONE

    def __init__(
        self,
        grid: Grid,
        scheme: Discretization,
        backend: Backend,
        precision: Any,
        load: Means,
        reference: tuple[float, float],
        mean_stiffness: np.ndarray,
        kernels: Kernels | None,
    ) -> None:
        self.grid = grid
        self.scheme = scheme
        self.backend = backend
        self.precision = np.dtype(precision)
        self.reference = reference
        self.reference_stiffness = mean_stiffness
        self.kernels = kernels
        self.search = np.dtype(np.float32 if kernels else precision)
        self.target = 0.0
        self.nodes = (scheme.unknowns(grid), *grid.shape)
        self.means = len(mean_stiffness)
        self._set_load(load)

    @abstractmethod
    def balance(
        self, v: Any, dtype: Any = None, out: Any = None
    ) -> tuple[np.ndarray, Any]:
        """Mean stress of v, (m,), and its residual, in another precision if given.

        The residual may be in the memory of `out`, a vector of that precision.
        """

    @abstractmethod
    def curvature(self, p: Any, out: Any = None) -> tuple[Any, float]:
        """K p, written to `out` if there is one, and <p, K p>."""

    @property
    @abstractmethod
    def scale(self) -> float:
        """Energy density that the load would put into the reference medium."""

    @cached_property
    def green(self) -> Green:
        """The reference medium on symbols."""
        return self.new_green(*self.reference)

    def new_green(self, bulk: float, shear: float) -> Green:
        """Return the Green operator of another reference medium."""
        return Green(self.scheme, self.grid, self.backend, bulk, shear, self.precision)

    def _set_load(self, load: Means) -> None:
        self.load = load
        self._free = self.backend.xp.asarray(load.free)
        self._free_compliance = self._inverse_on_free(self.reference_stiffness)

    def _inverse_on_free(self, stiffness: np.ndarray) -> np.ndarray:
        """Mean strain for a mean stress on the free components, zero else, (m, m)."""
        free = np.ix_(self.load.free, self.load.free)
        inverse = np.zeros_like(stiffness)
        inverse[free] = np.linalg.inv(stiffness[free])
        return inverse

    def zeros(self) -> Any:
        """The unknown of a homogeneous strain, shape (n nx ny nz + m,)."""
        coordinates = self._coordinates
        size = coordinates.size if coordinates else int(np.prod(self.nodes))
        return self.backend.xp.zeros(size + self.means, self.precision)

    def uniform_start(self) -> Any:
        """A uniform strain: a step on the mean stresses, with the reference medium."""
        v = self.zeros()
        missing = self.load.mean_stress - self.balance(v, self.search)[0]
        v[-self.means :] = self.asarray(self._free_compliance @ missing)
        return v

    def pack(self, u: Any, E: Any) -> Any:
        """Join nodal values (n, x, y, z) and free means (m,) into one vector."""
        xp = self.backend.xp
        E = xp.where(self._free, E, 0).astype(self.precision)
        if self._coordinates is not None:
            u = self._coordinates.from_nodes(u)
        return xp.concatenate([u.ravel(), E])

    def displacement(self, v: Any) -> Any:
        """The nodal part of v, of shape (n, x, y, z): a view, but of coordinates."""
        if self._coordinates is not None:
            return self._coordinates.to_nodes(v[: -self.means])
        return v[: -self.means].reshape(self.nodes)

    @property
    def _coordinates(self) -> Coordinates | None:
        return None if self.kernels is None else self.kernels.coordinates

    def mean_strain(self, v: Any) -> Any:
        """Mean strain (Mandel, or F by rows), prescribed and free, (m,)."""
        return self.asarray(self.load.mean_strain) + v[-self.means :]

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

    def apply(self, v: Any) -> Any:
        """K v."""
        return self.curvature(v)[0]

    def residual(self, v: Any, dtype: Any = None, out: Any = None) -> Any:
        """The residual of v, from its stress; see `balance`."""
        return self.balance(v, dtype, out)[1]

    def transient(self, r: Any) -> Any:
        """A vector like r, for K p, until the next `update_residual` is over."""
        if self.kernels is None:
            return self.backend.xp.empty_like(r)
        return self.kernels.transient(r.size, r.dtype)

    def precondition(self, r: Any) -> Any:
        """M r: the exact solution for the reference medium."""
        if self.kernels is None:
            u = self.green.solve(self.displacement(r))
            return self.pack(u, self.asarray(self._free_compliance) @ r[-self.means :])
        z = self.backend.xp.empty_like(r)
        z[-self.means :] = self.update_residual(r)[0]
        self.kernels.finish(z[: -self.means])
        return z

    def update_residual(
        self, r: Any, alpha: float = 0.0, q: Any = None, weights: Any = None
    ) -> tuple[Any, float]:
        """r <- r - alpha q, and the preconditioned residual z = W M W r.

        Parameters
        ----------
        weights
            Diagonal of W, a vector of the problem with 1 on the means.

        Returns
        -------
        tuple
            z in the form that `update_direction` takes, to be used before the next
            `update_residual`, and <r, z>.
        """
        if self.kernels is None:
            if q is not None:
                r -= alpha * q
            z = self.precondition(r if weights is None else weights * r)
            if weights is not None:
                z *= weights
            return z, self.dot(r, z)
        m = self.means
        if q is not None:
            r[-m:] -= alpha * q[-m:]
        E = to_numpy(r[-m:]) if self.load.free.any() else np.zeros(m)
        z = self._free_compliance @ E
        product = self.kernels.update_residual(
            r[:-m],
            alpha,
            None if q is None else q[:-m],
            None if weights is None else weights[:-m],
        )
        return self.backend.xp.asarray(z, dtype=r.dtype), product + float(E @ z)

    def update_direction(
        self, v: Any, alpha: float, p: Any, beta: float, z: Any, weights: Any = None
    ) -> None:
        """v <- v + alpha p, then p <- z + beta p, with z and W of `update_residual`."""
        if self.kernels is None:
            v += alpha * p
            p *= beta
            p += z
            return
        m = self.means
        v[-m:] += alpha * p[-m:]
        p[-m:] = z + beta * p[-m:]
        nodal = None if weights is None else weights[:-m]
        self.kernels.update_direction(v[:-m], alpha, p[:-m], beta, nodal)

    def add(self, v: Any, alpha: float, p: Any) -> None:
        """v <- v + alpha p."""
        if self.kernels is None:
            v += alpha * p
            return
        m = self.means
        v[-m:] += alpha * p[-m:]
        self.kernels.add(v[:-m], alpha, p[:-m])

    def dot(self, a: Any, b: Any) -> float:
        """Volume average of a.b, an energy density for (unknown, force) pairs."""
        m, xp = self.means, self.backend.xp
        if self.kernels is not None:
            nodal = self.kernels.dot(a[:-m], b[:-m])
        else:
            nodal = float(xp.dot(a[:-m], b[:-m])) / self.grid.voxels
        return nodal + float(xp.dot(a[-m:], b[-m:]))

    def asarray(self, values: np.ndarray) -> Any:
        """Copy host values to the problem's array library and precision."""
        return self.backend.xp.asarray(values, dtype=self.precision)

    def _free_strain(self, v: Any) -> np.ndarray:
        """Means of v on the free components, on the host."""
        if not self.load.free.any():
            return np.zeros(self.means)
        return to_numpy(v[-self.means :]).astype(float)

    def _on_free(self, values: np.ndarray) -> Any:
        """Host values on the array library, zero where the strain is prescribed."""
        return self.asarray(np.where(self.load.free, values, 0))
