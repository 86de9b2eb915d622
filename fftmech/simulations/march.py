"""March along a load path: one increment after the other, each accepted whole."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from fftmech.arrays.backend import get_backend, to_numpy
from fftmech.discretization import discretization
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.loads.path import Path, Step, Target
from fftmech.microstructure.base import (
    Microstructure,
    check_temperature,
    total_eigenstrain,
)
from fftmech.problems.kinematics import FINITE, SMALL
from fftmech.problems.nonlinear import Evaluation, Increment, Moment
from fftmech.results.result import Result
from fftmech.simulations.march_result import result_of
from fftmech.simulations.march_state import Point, Stand
from fftmech.simulations.mechanisms import check_load
from fftmech.simulations.memory import check_march_memory
from fftmech.simulations.method import PRECISIONS, check_options
from fftmech.solvers import Solver, State, get_solver
from fftmech.solvers.iteration import run

MOST_NEWTON = 50
"""Newton steps of an increment, before it is cut."""

LEAST_FRACTION = 2.0**-8
"""Smallest part of an increment that is tried."""

LEAST_STRAIN = 1e-12
"""Mean strain below which there is no load to speak of."""

LEAST_RATIO = 1e-3
"""Of the residual of a homogeneous strain to the stress, for bodies nearly uniform."""


class March:
    """A body on a load path.

    Parameters
    ----------
    microstructure, path
        What is loaded, and how.
    scheme, solver, tolerance, max_iterations, device, precision, threads, temperature,
    reference
        As for `fftmech.solve`; `solver` is one of `NONLINEAR_SOLVERS`, and the
        temperature change is there from the beginning on.
    stand
        Where to go on, from an earlier march of the same body on the same path.

    Attributes
    ----------
    stand
        The last increment that was accepted.
    status, advice
        As in `Result`: "converged" as long as every increment is, and what to do else.
    failed
        The increment that was not, or None.

    Raises
    ------
    InputError
        Names, values, shapes or a load that cannot be solved.
    """

    def __init__(
        self,
        microstructure: Microstructure,
        path: Path,
        *,
        scheme: str = "rotated",
        solver: str = "newton",
        tolerance: float | None = None,
        max_iterations: int = 1000,
        device: str = "cpu",
        precision: str = "double",
        threads: int | None = None,
        temperature: float = 0.0,
        reference: tuple[float, float] | None = None,
        stand: Stand | None = None,
    ) -> None:
        started = time.perf_counter()
        self._method: Solver = get_solver(solver, nonlinear=True)
        if precision != "double":
            raise InputError(
                f"precision {precision} for a nonlinear body",
                "double",
                "its search directions are in single precision anyway",
            )
        self.tolerance = check_options(
            tolerance, max_iterations, precision, microstructure.grid, reference
        )
        microstructure.check()
        check_temperature(microstructure, temperature)
        for step in path.steps:
            if isinstance(step.load, Load):
                check_load(microstructure, step.load)
        self.microstructure = microstructure
        self.path = path
        self.scheme, self.solver = scheme, solver
        self.temperature = temperature
        self._most = max_iterations
        if solver == "newton":
            self._most = min(max_iterations, MOST_NEWTON)
        discretized = discretization(scheme)
        kinematics = FINITE if path.finite else SMALL
        kinematics.check(discretized, microstructure.grid)
        check_march_memory(microstructure.grid, discretized, device)
        self.problem = problem = Increment(
            microstructure,
            kinematics,
            path.steps[0].load,
            discretized,
            get_backend(device, threads),
            PRECISIONS[precision],
            total_eigenstrain(microstructure, temperature),
            reference,
        )
        if problem.material.rate and solver != "newton":
            raise InputError(
                f"solver {solver} for a body with rates only",
                "newton",
                "the reference medium of the others would have to know the duration",
            )
        compiled = problem.prepare(self._method.mixed) + problem.prepare_laws()
        self.stand = stand or self._start()
        self.status, self.advice = "converged", ""
        self.failed: Point | None = None
        self.times = {
            "setup": time.perf_counter() - started,
            "compile": compiled,
            "solve": 0.0,
        }

    def _start(self) -> Stand:
        problem, rest = self.problem, self.problem.kinematics.rest
        nothing = np.zeros(problem.means)
        stress = problem.backend.xp.zeros_like(problem.moment.strain)
        return Stand(
            step=0,
            increment=0,
            v=problem.zeros(),
            change=None,
            part=0.0,
            moment=problem.moment,
            stress=stress,
            work=stress[:, 0],
            mean_strain=rest,
            mean_stress=nothing,
            begun=(rest, nothing),
        )

    @property
    def over(self) -> bool:
        """Whether all steps are solved."""
        return self.stand.step == len(self.path.steps)

    def points(
        self, progress: Callable[[int, float], None] | None = None
    ) -> Iterator[Point]:
        """Solve what is left of the path; the last point may not have converged."""
        while not self.over:
            started = time.perf_counter()
            point = self._increment(self.path.steps[self.stand.step], progress)
            self.times["solve"] += time.perf_counter() - started
            yield point
            if point.status != "converged":
                return

    def _increment(self, step: Step, progress: Any) -> Point:
        """Go one increment on, in as many parts as it needs."""
        stand = self.stand
        done, end = stand.increment / step.increments, 1 / step.increments
        goal = 1.0 if stand.increment + 1 == step.increments else done + end
        part = end
        iterations = linear = cuts = 0
        while done < goal:
            part = min(part, goal - done)
            status, residual, counts, new = self._part(
                stand, step, done, part, progress
            )
            iterations, linear = iterations + counts[0], linear + counts[1]
            if status == "converged":
                stand, done = new, goal if done + part >= goal - 1e-12 else done + part
                continue
            if part <= LEAST_FRACTION * end:
                break
            part, cuts = part / 2, cuts + 1
        else:
            status = "converged"
        number = self.stand.increment + 1
        before = sum(s.time for s in self.path.steps[: self.stand.step])
        point = Point(
            step=self.stand.step + 1,
            increment=number,
            time=before + done * step.time,
            mean_strain=stand.mean_strain,
            mean_stress=stand.mean_stress,
            status=status,
            iterations=iterations,
            linear_iterations=linear,
            cuts=cuts,
            residual=residual,
        )
        if status != "converged":
            self.status, self.failed = status, point
            self.advice = (
                f"step {point.step}, increment {number} failed after {cuts} cuts; ask "
                "for more increments, smaller steps or a larger --tol"
            )
            return point
        stand = replace(stand, increment=number, points=(*stand.points, point))
        if number == step.increments:
            stand = replace(
                stand,
                step=stand.step + 1,
                increment=0,
                change=None,
                begun=(stand.mean_strain, stand.mean_stress),
            )
        self.stand = stand
        return point

    def _part(
        self, stand: Stand, step: Step, done: float, part: float, progress: Any
    ) -> tuple[str, float, tuple[int, int], Stand]:
        """Try a part of a step: status, residual, iterations, and where it leads."""
        problem = self.problem
        rest = problem.kinematics.rest
        problem.set_load(Target.between(step, done + part, *stand.begun, rest))
        problem.begin(stand.moment, part * step.time)
        start = stand.v.copy()
        start[-problem.means :] = problem.asarray(
            np.where(problem.load.free, stand.mean_strain - rest, 0.0)
        )
        v = start.copy()
        if stand.change is not None:
            v += (part / stand.part) * stand.change
        state = self._method.init(problem, v)
        norm, ratio = self._norm(stand, state)
        problem.target = self.tolerance * norm
        outcome = run(
            problem, self._method, state, norm, self.tolerance, self._most, progress
        )
        counts = len(outcome.residuals) - 1, problem.linear_iterations
        residual = outcome.residuals[-1]
        if outcome.status != "converged":
            return outcome.status, residual, counts, stand
        last = problem.last
        assert last is not None
        after = replace(
            stand,
            v=outcome.v,
            change=outcome.v - start,
            part=part,
            moment=Moment(last.strain, last.state),
            stress=last.stress,
            work=stand.work + _work(stand, last),
            mean_strain=to_numpy(problem.mean_strain(outcome.v)).astype(float),
            mean_stress=last.mean_stress,
            norm=norm,
            ratio=ratio,
        )
        return "converged", residual, counts, after

    def result(self, certificate: bool = True) -> Result:
        """Fields where the march stands, certified if that is possible."""
        return result_of(self, certificate)

    def _norm(self, stand: Stand, state: State) -> tuple[float, float]:
        """What residuals of this part are relative to, and its ratio to the stress.

        In the first increment that is the residual of a homogeneous strain; later ones
        are as much larger as the stress is, and never smaller.
        """
        problem = self.problem
        assert problem.last is not None
        S0 = np.linalg.inv(problem.reference_stiffness)
        xp = problem.backend.xp
        stress = problem.last.stress
        flat = stress.reshape(*stress.shape[:2], -1)
        second = to_numpy((flat @ xp.swapaxes(flat, 1, 2)).sum(0)).astype(float)
        prescribed = problem.load.mean_stress
        square = (second * S0).sum() / (len(flat) * flat.shape[-1])
        size = float(square + prescribed @ S0 @ prescribed) ** 0.5
        least = LEAST_STRAIN * float(np.trace(problem.reference_stiffness)) ** 0.5
        residual = max(state.square, 0.0) ** 0.5
        if not stand.norm:
            ratio = max(residual / max(size, least), LEAST_RATIO)
            return max(residual, LEAST_RATIO * size, least), ratio
        return max(stand.norm, stand.ratio * size), stand.ratio


def _work(stand: Stand, last: Evaluation) -> Any:
    """Stress work density of a part by the trapezoidal rule, (q, x, y, z)."""
    change = last.strain - stand.moment.strain
    return 0.5 * ((last.stress + stand.stress) * change).sum(1)
