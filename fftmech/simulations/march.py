"""Solve a load path, one increment after the other."""

import time
from collections.abc import Iterator
from dataclasses import replace
from numbers import Real
from typing import Any, Unpack

import numpy as np

from fftmech.errors import InputError
from fftmech.loads.path import Path, Step
from fftmech.materials.st_venant_kirchhoff import StVenantKirchhoffMaterial
from fftmech.microstructure.base import Microstructure
from fftmech.results.result import Result
from fftmech.simulations.increment_part import PartSolver, TriedPart
from fftmech.simulations.lattice_rotation import (
    first_orientation,
    largest_turn,
    lattice_spin,
    turned,
    turned_body,
)
from fftmech.simulations.march_result import march_result
from fftmech.simulations.march_state import IncrementLog, MarchState
from fftmech.simulations.method import Method, MethodOptions
from fftmech.simulations.prepare import prepare_march
from fftmech.solvers.iteration import Goal, IterationReport

MOST_NEWTON = 50
"""Newton steps of an increment, before it is cut."""

LEAST_FRACTION = 2.0**-8
"""Smallest part of an increment that is tried: it is halved eight times at most."""

SAFETY, SHORTEST, LONGEST = 0.9, 0.2, 2.0
"""Of a part by its time error: share of the tolerance that is aimed at, and how much
shorter or longer than the last it may be."""

LEAST_PART = 2.0**-10
"""Smallest part of an increment that its time error asks for."""


class March:
    """A body on a load path, solved increment by increment.

    Parameters
    ----------
    microstructure, path
        What is loaded, and how.
    temperature
        Temperature change (degrees): it comes with the first increment, as eigenstrains
        do, on a body without stress, and stays.
    time_tolerance
        Increments are solved in as many parts as it takes for the estimated error of
        their size to be below this on the whole path (`IncrementLog.time_error`); in
        one if None.
    state
        Where to go on, from an earlier march of the same body on the same path.
    rotate_crystals
        Whether the orientations of crystals that slip follow it, after every increment
        (`fftmech.simulations.lattice_rotation`).
    method
        scheme (`rotated` if none is named), solver (one of `NONLINEAR_SOLVERS`,
        newton if none is named), tolerance, max_iterations (of an increment), device,
        precision, threads, reference: as in `fftmech.solve`.

    Attributes
    ----------
    method, tolerance
        How increments are solved.
    state
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
        temperature: float = 0.0,
        time_tolerance: float | None = None,
        state: MarchState | None = None,
        rotate_crystals: bool = False,
        **method: Unpack[MethodOptions],
    ) -> None:
        started = time.perf_counter()
        self.microstructure = microstructure
        self.path = path
        self.temperature = temperature
        self.rotate_crystals = rotate_crystals
        known = "temperature", "time_tolerance", "state", "rotate_crystals"
        self.method = Method.of(method, *known, nonlinear=True)
        self.problem, solver, self.tolerance, compile_time = prepare_march(
            microstructure, path, self.method, temperature
        )
        most = self.method.max_iterations
        if self.method.solver == "newton":
            most = min(most, MOST_NEWTON)
        goal = Goal.of(self.tolerance, self.method.energy_tolerance)
        self._parts = PartSolver(self.problem, solver, goal, most)
        self.state = state or self._start()
        self.time_tolerance = time_tolerance
        if time_tolerance is not None:
            self._check_time_tolerance(time_tolerance)
        if (self.state.orientation is not None) != rotate_crystals:
            raise InputError(
                f"rotate_crystals={rotate_crystals}", "what the march of the state had"
            )
        # the orientations that the laws have
        self._turned_to = None if state else self.state.orientation
        self.status, self.advice = "converged", ""
        self.failed: IncrementLog | None = None
        self._failed_residuals: tuple[float, ...] = ()
        self.times = {
            "setup": time.perf_counter() - started,
            "compile": compile_time,
            "solve": 0.0,
        }

    def _start(self) -> MarchState:
        problem, rest = self.problem, self.problem.kinematics.rest
        nothing = np.zeros(problem.means)
        stress = problem.backend.xp.zeros_like(problem.start.strain)
        orientation = None
        if self.rotate_crystals:
            orientation = first_orientation(self.microstructure)
        return MarchState(
            step=0,
            increment=0,
            v=problem.zeros(),
            change=None,
            part=0.0,
            start=problem.start,
            stress=stress,
            work=stress[:, 0],
            mean_strain=rest,
            mean_stress=nothing,
            begun=(rest, nothing),
            orientation=orientation,
        )

    @property
    def estimates_time(self) -> bool:
        """Whether points have an estimate of the error of their increment's size."""
        state = self.state.start.state
        return self.problem.material.time_error(state, state) is not None

    def _check_time_tolerance(self, tolerance: float) -> None:
        if not (isinstance(tolerance, Real) and 0 < float(tolerance) < 1):
            raise InputError(f"time_tolerance {tolerance!r}", "a number in (0, 1)")
        if not self.estimates_time:
            raise InputError(
                "time_tolerance for laws without an estimate of what increments change",
                "crystal_creep, or crystals with latent_hardening",
                "choose the number of increments",
            )

    @property
    def largest_turn(self) -> float:
        """Largest angle, degrees, that a crystal has turned by so far."""
        after = self.state.orientation
        if after is None:
            return 0.0
        return largest_turn(first_orientation(self.microstructure), after)

    @property
    def over(self) -> bool:
        """Whether all steps are solved."""
        return self.state.step == len(self.path.steps)

    def points(self, progress: IterationReport | None = None) -> Iterator[IncrementLog]:
        """Solve what is left of the path; the last point may not have converged."""
        while not self.over:
            started = time.perf_counter()
            point = self._increment(self.path.steps[self.state.step], progress)
            self.times["solve"] += time.perf_counter() - started
            yield point
            if point.status != "converged":
                return

    def _increment(self, step: Step, progress: IterationReport | None) -> IncrementLog:
        """Solve the next increment, in as many parts as it needs."""
        state = self.state
        done, end = state.increment / step.increments, 1 / step.increments
        goal = 1.0 if state.increment + 1 == step.increments else done + end
        part = end
        if self.time_tolerance is not None and state.duration:
            part = min(end, LONGEST * state.duration / step.time)
        iterations = linear = cuts = 0
        error = 0.0
        residuals = state.residuals
        while done < goal:
            part = min(part, goal - done)
            if state.orientation is not self._turned_to:
                self._turned_to = state.orientation
                self.problem.material.turn(
                    turned_body(self.microstructure, state.orientation)
                )
            tried = self._parts.solve(state, step, done, part, progress)
            iterations += tried.iterations
            linear += tried.linear_iterations
            residuals = (*residuals, *tried.residuals[1:])
            if tried.iterations == 0:
                # the unknown has changed all the same, by the prediction
                residuals = (*residuals[:-1], tried.residuals[0])
            if tried.status == "converged":
                scale = self._time_scale(tried.time_error, part * step.time)
                following = max(scale * part, LEAST_PART * end)
                if scale < SAFETY and following < part:
                    part, cuts = following, cuts + 1
                    continue
                state = self._rotated(tried.state, state.v)
                error += float("nan") if tried.time_error is None else tried.time_error
                done = goal if done + part >= goal - 1e-12 else done + part
                part = following
                continue
            # a convex problem of the stress is no easier in parts
            convex = self.method.solver == "dual" and tried.status == "max_iterations"
            if convex or part <= LEAST_FRACTION * end:
                break
            part, cuts = part / 2, cuts + 1
        before = sum(s.time for s in self.path.steps[: self.state.step])
        point = IncrementLog(
            step=self.state.step + 1,
            increment=self.state.increment + 1,
            time=before + done * step.time,
            mean_strain=state.mean_strain,
            mean_stress=state.mean_stress,
            status=tried.status,
            iterations=iterations,
            linear_iterations=linear,
            cuts=cuts,
            residual=tried.residuals[-1],
            time_error=error,
        )
        if point.status == "converged":
            self._accept(replace(state, residuals=residuals), point, step)
        else:
            self._fail(point, residuals, tried)
        return point

    def _time_scale(self, error: float | None, duration: float) -> float:
        """How much longer a part may be than the one that had this time error.

        Errors of parts grow with the square of their duration, and what is allowed of
        one with the duration.
        """
        if self.time_tolerance is None or not error:
            return 1.0 if self.time_tolerance is None else LONGEST
        allowed = self.time_tolerance * duration / sum(s.time for s in self.path.steps)
        return float(np.clip(SAFETY * allowed / error, SHORTEST, LONGEST))

    def _rotated(self, state: MarchState, before: Any) -> MarchState:
        """A state with its crystals turned by the part that led to it from a v."""
        if state.orientation is None:
            return state
        spin = lattice_spin(self.problem, state.v - before)
        largest = float(np.degrees(np.linalg.norm(spin, axis=1).max()))
        return replace(
            state,
            orientation=turned(state.orientation, spin),
            spin=max(state.spin, largest),
        )

    def _accept(self, state: MarchState, point: IncrementLog, step: Step) -> None:
        """Go on from the end of an increment, and of a step if it is the last one."""
        state = replace(state, increment=point.increment, points=(*state.points, point))
        if point.increment == step.increments:
            state = replace(
                state,
                step=state.step + 1,
                increment=0,
                change=None,
                begun=(state.mean_strain, state.mean_stress),
            )
        self.state = state

    def _fail(
        self, point: IncrementLog, residuals: tuple[float, ...], last: TriedPart
    ) -> None:
        self.status, self.failed, self._failed_residuals = (
            point.status,
            point,
            residuals,
        )
        why = ""
        if last.inverted:
            why = f": det F <= 0 in {100 * last.inverted:.2g} % of the solid"
        elif min(last.residuals) <= self.tolerance:
            why = ": the residual was below --tol, but the stress is not right yet"
        remedy = "ask for more increments, smaller steps or a larger --tol"
        laws = self.problem.material.materials
        if any(isinstance(law, StVenantKirchhoffMaterial) for law in laws):
            remedy = (
                "St. Venant-Kirchhoff is for moderate strains (pressed to 0.58 of its "
                "length it gives way): give phases the law neo_hooke, or strain less"
            )
        if self.method.solver == "dual":
            remedy = "use --solver newton, or a larger --max-iterations or --tol"
        self.advice = (
            f"step {point.step}, increment {point.increment} failed after {point.cuts} "
            f"cuts{why}; {remedy}"
        )

    def result(self, certificate: bool = True) -> Result:
        """Fields at the last accepted increment, certified if that is possible."""
        state, failed = self.state, self.failed
        return march_result(
            self.problem,
            state,
            self.path,
            failed,
            certificate,
            self.time_tolerance,
            microstructure=turned_body(self.microstructure, state.orientation),
            scheme=self.method.scheme,
            solver=self.method.solver,
            tolerance=self.tolerance,
            temperature=self.temperature,
            status=self.status,
            advice=self.advice,
            residuals=list(
                state.residuals if failed is None else self._failed_residuals
            ),
            times=dict(self.times),
        )
