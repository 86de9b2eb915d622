"""The complementary energy of a time step, over equilibrated stresses.

For laws that are explicit in the stress, e = dw*/ds, the stress of a step minimises

    W*(s) = <w*(s)> - <s> : E

over stresses in equilibrium that carry the prescribed mean stresses, E being the mean
strains that are prescribed (principle of minimum complementary energy). Of laws with
rates only, e and E are rates. In the metric of C0^-1 the gradient of W* is C0 r, where

    r = e - D u - <e> + m,      D u the compatible strain nearest to e,

and C0 m the nearest to <e> - E of mean stresses that may still change. It is zero where
e(s) is compatible and has the prescribed means.

A law that hardens within the step, of which e(s) is only nearly the gradient of a
potential, has no W*: what is said of the gradient holds, and `energy` is that of the
hardening at the beginning of the step.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fftmech.arrays.backend import namespace, to_numpy
from fftmech.arrays.threads import threads_for
from fftmech.errors import InputError
from fftmech.problems.nonlinear import Evaluation, TimeStep
from fftmech.problems.potential import FieldPotential
from fftmech.tensors.fields import mean, multiply


class Compatibility(NamedTuple):
    """How far the strain of a stress is from a compatible one.

    Attributes
    ----------
    v
        Unknown of the problem: the displacement nearest to e, at the end of the step.
    r
        Incompatible part of e, or of a rate, Mandel (q, 6, x, y, z).
    square
        <r : C0 : r>, the squared dual norm (stress units).
    product
        <r : C0 : r'> with another strain r'.
    """

    v: Any
    r: Any
    square: float
    product: float


class ComplementaryEnergy:
    """W* of a step of `TimeStep`, and its derivatives.

    Parameters
    ----------
    problem
        The step; its laws are explicit in the stress (`prepare_conjugates`).
    displacement
        That of the strain at its beginning; computed if it is not given.

    Attributes
    ----------
    E
        Prescribed mean strains, or rates, Mandel (6,); 0 on free components.
    vectors
        What is done to fields voxel by voxel.
    """

    def __init__(self, problem: TimeStep, displacement: Any = None) -> None:
        self._problem = problem
        self.vectors = _vectors(problem)
        self._potential = FieldPotential(
            problem.material, problem.start.state, problem.dt
        )
        self._dt = problem.dt if problem.material.rate else 1.0
        free = problem.load.free
        E = problem.load.mean_strain
        self.displacement = displacement
        if problem.material.rate:
            begun = problem.start.strain
            self._before = mean(begun)
            if displacement is None:
                self.displacement = self._nearest(begun)
            E = (E - to_numpy(self._before)) / self._dt
        self.E = np.where(free, 0.0, E)
        self._phases = list(self._potential.phases())
        e0 = self._potential.eigenstrain
        self._eigenstrain = 0.0
        if e0 is not None:
            self._eigenstrain = to_numpy(mean(e0))[:, None]
        held, compliance = ~free, np.linalg.inv(problem.reference_stiffness)
        self._held = np.zeros((6, 6))
        inverse = np.linalg.inv(compliance[np.ix_(held, held)])
        self._held[:, held] = compliance[:, held] @ inverse

    def shifted(self, stress: Any) -> Any:
        """A stress with the mean stresses that are prescribed."""
        load = self._problem.load
        shift = np.where(load.free, load.mean_stress - to_numpy(mean(stress)), 0)
        return stress + self._problem.asarray(shift)[:, None, None, None]

    def work(self, stress: Any) -> float:
        """<s> : E."""
        return float(to_numpy(mean(stress)) @ self.E)

    def uniform_strain(self, stresses: np.ndarray) -> np.ndarray:
        """<e> of uniform stresses, (6, m) -> (6, m), with mean states of phases."""
        total = np.zeros(stresses.shape)
        for material, rows, weights, state in self._phases:
            for m, stress in enumerate(stresses.T):
                same = np.repeat(stress[:, None], len(rows), axis=1)
                strains = material.conjugate_strain(rows, same, state, self._problem.dt)
                total[:, m] += strains @ weights
        return total + self._eigenstrain

    def energy(self, stress: Any) -> float:
        """W* of a stress (stress units, a power density where laws have rates)."""
        conjugate = float(self._potential.conjugate_energy(stress).mean())
        return conjugate - self.work(stress)

    def strain(self, stress: Any) -> Any:
        """e(s), Mandel (q, 6, x, y, z)."""
        return self._potential.conjugate_strain(stress)

    def compatibility(self, strain: Any, other: Any = None) -> Compatibility:
        """Nearest compatible strain and what is left: one Green operation.

        `other` is the strain r' of `Compatibility.product`, by default e.
        """
        problem, E = self._problem, mean(strain)
        u = self._nearest(strain)
        r, square, product = self.vectors.remainder(
            strain,
            problem.derive(u, E),
            self._held @ (to_numpy(E) - self.E),
            problem.reference_stiffness,
            strain if other is None else other,
        )
        if problem.material.rate:
            u = self.displacement + self._dt * u
            E = self._before + self._dt * E
        v = problem.pack(u, E - problem.asarray(problem.load.mean_strain))
        return Compatibility(v, r, square, product)

    def _nearest(self, strain: Any) -> Any:
        """Displacement of the compatible strain nearest to one."""
        problem = self._problem
        force = problem.adjoin(self.reference(strain))
        nothing = problem.asarray(np.zeros(6))
        return problem.displacement(problem.precondition(problem.pack(force, nothing)))

    def evaluation(self, stress: Any, v: Any) -> Evaluation:
        """What `TimeStep.evaluate` returns, of a stress in equilibrium."""
        problem = self._problem
        return Evaluation(
            to_numpy(mean(stress)).astype(float),
            problem.backend.xp.zeros(v.shape, problem.search),
            problem.strain(v),
            stress,
            self._potential.state_after(stress, problem.dt),
            None,
        )

    def direction(
        self, r: Any, old: Any, before: Any, parts: tuple[float, float, float]
    ) -> Any:
        """C0 (a r + b r') + c d, of strains r, r' and a stress d: see `direction`."""
        C0 = self._problem.reference_stiffness
        return self.vectors.direction(r, old, before, parts, C0)

    def reference(self, strain: Any) -> Any:
        """C0 e."""
        C0 = self._problem.reference_stiffness
        return multiply(self._problem.asarray(C0), strain)

    def product(self, a: Any, b: Any) -> float:
        """<a : C0 : b>."""
        return work(a, self.reference(b))


def work(stress: Any, strain: Any) -> float:
    """<s : e>, of fields (q, 6, x, y, z)."""
    product = namespace(stress).dot(stress.ravel(), strain.ravel())
    return 6 * float(product) / stress.size


class Vectors(NamedTuple):
    """`remainder`, `direction` and `largest_deviator`, or kernels that shadow them."""

    remainder: Callable[..., tuple[Any, float, float]]
    direction: Callable[..., Any]
    largest_deviator: Callable[[Any], float]


def _vectors(problem: TimeStep) -> Vectors:
    backend = problem.backend
    if backend.blocks is None:
        return Vectors(remainder, direction, largest_deviator)
    from fftmech.kernels import descent

    threads = threads_for(problem.grid.voxels, backend.threads)
    return Vectors(
        partial(descent.remainder, threads=threads),
        partial(descent.direction, threads=threads),
        partial(descent.largest_deviator, threads=threads),
    )


def remainder(
    strain: Any, compatible: Any, shift: np.ndarray, C0: np.ndarray, old: Any
) -> tuple[Any, float, float]:
    """r = e - e' + m, <r : C0 : r> and <r : C0 : old>; of strains, m uniform."""
    xp = namespace(strain)
    r = strain - compatible
    r += xp.asarray(shift, dtype=r.dtype)[:, None, None, None]
    stress = multiply(xp.asarray(C0, dtype=r.dtype), r)
    return r, work(stress, r), work(stress, old)


def direction(
    r: Any, old: Any, before: Any, parts: tuple[float, float, float], C0: np.ndarray
) -> Any:
    """C0 (a r + b old) + c before, with a, b and c the `parts`."""
    a, b, c = parts
    stress = multiply(namespace(r).asarray(C0, dtype=r.dtype), a * r + b * old)
    return stress + c * before


def largest_deviator(stress: Any) -> float:
    """Largest norm of the deviator of a stress (q, 6, x, y, z)."""
    third = stress[:, :3].mean(axis=1)
    return float(((stress**2).sum(axis=1) - 3 * third**2).max()) ** 0.5


def prepare_conjugates(problem: TimeStep) -> float:
    """Evaluate each law at one stress; seconds spent, on compiling kernels.

    Raises
    ------
    InputError
        Pores, or a law that is not explicit in the stress.
    """
    newton, started = "use --solver newton", time.perf_counter()
    if len(problem.microstructure.pores):
        raise InputError(
            "solver dual for a body with pores", "solid everywhere", newton
        )
    for group in problem.material.groups:
        rows = group.rows[:1]
        stress = problem.asarray(np.zeros((6, 1)))
        try:
            group.conjugate_strain(rows, stress, group.material.start(rows))
        except NotImplementedError:
            raise InputError(
                f"solver dual for the law {group.material.laws[0].name}",
                "crystal_creep, crystal_plasticity, norton",
                newton,
            ) from None
    return time.perf_counter() - started
