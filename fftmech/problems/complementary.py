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
from typing import Any, NamedTuple

import numpy as np

from fftmech.arrays.backend import namespace, to_numpy
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
    """

    v: Any
    r: Any
    square: float


class ComplementaryEnergy:
    """W* of a step of `TimeStep`, and its derivatives.

    Parameters
    ----------
    problem
        The step; its laws are explicit in the stress (`prepare_conjugates`).

    Attributes
    ----------
    E
        Prescribed mean strains, or rates, Mandel (6,); 0 on free components.
    """

    def __init__(self, problem: TimeStep) -> None:
        self._problem = problem
        self._potential = FieldPotential(
            problem.material, problem.start.state, problem.dt
        )
        self._dt = problem.dt if problem.material.rate else 1.0
        free = problem.load.free
        E = problem.load.mean_strain
        if problem.material.rate:
            begun = problem.start.strain
            self._before = self._nearest(begun), mean(begun)
            E = (E - to_numpy(self._before[1])) / self._dt
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

    def slope(self, stress: Any, change: Any) -> float:
        """Derivative of W* at a stress along a change of it."""
        E = self._problem.asarray(self.E)[:, None, None, None]
        return work(change, self.strain(stress) - E)

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
        return conjugate - float(to_numpy(mean(stress)) @ self.E)

    def strain(self, stress: Any) -> Any:
        """e(s), Mandel (q, 6, x, y, z)."""
        return self._potential.conjugate_strain(stress)

    def compatibility(self, strain: Any) -> Compatibility:
        """Nearest compatible strain and what is left: one Green operation."""
        problem, E = self._problem, mean(strain)
        u = self._nearest(strain)
        r = strain - problem.derive(u, E)
        m = self._held @ (to_numpy(E) - self.E)
        r += problem.asarray(m)[:, None, None, None]
        if problem.material.rate:
            u = self._before[0] + self._dt * u
            E = self._before[1] + self._dt * E
        v = problem.pack(u, E - problem.asarray(problem.load.mean_strain))
        return Compatibility(v, r, self.product(r, r))

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
