"""Newton's method on the jumps of all interfaces of a tree, over many points."""

from dataclasses import dataclass

import numpy as np

from ecosurrogate.response.increment import EndOfStep, Increment, Prescribed
from ecosurrogate.response.leaves import Leaves
from ecosurrogate.response.newton_step import newton_step
from ecosurrogate.response.state import NetworkState
from ecosurrogate.response.trial import Trial

MOST_NEWTON = 30
"""Newton steps of an increment, before it is cut."""

LONGEST = 2.0
"""Most that an increment may be foreseen to be, relative to the last."""

LAG, CORRECTIONS, SLOW = 1e-4, 8, 0.3
"""Relative error of hardening that is held in a step from which it is solved again, how
often at most, and what is left of it from which the next correction takes a share: as
in `fftmech.simulations.held_hardening`."""


@dataclass(frozen=True)
class NewtonSolver:
    """How an increment is solved.

    Attributes
    ----------
    leaves
        The network.
    tolerance
        Of the stress, relative: what the last step foresaw against what was found.
    """

    leaves: Leaves
    tolerance: float

    def solve(
        self, state: NetworkState, aim: "Prescribed", dt: float, tangent: bool
    ) -> Increment:
        """Solve an increment, again where laws held something that was not so."""
        if not self.leaves.held:
            return self._newton(state, state.variables, aim, dt, tangent)
        ratio = dt / state.dt if state.dt else 1.0
        begun = self.leaves.expect(state.variables, ratio)
        lag_before, share = np.inf, 1.0
        for _ in range(CORRECTIONS):
            made = self._newton(state, begun, aim, dt, tangent)
            lag = self.leaves.time_error(begun, made.state.variables) or 0.0
            if not lag > LAG or not made.solved.all():
                break
            if lag > SLOW * lag_before:
                share = 1 / (1 + min(lag / lag_before, 1.0))
            lag_before = lag
            begun = self.leaves.correct(begun, made.state.variables, share)
        return made

    def _newton(
        self,
        state: NetworkState,
        variables: list[np.ndarray],
        aim: "Prescribed",
        dt: float,
        tangent: bool,
    ) -> Increment:
        """Newton's method on the jumps of all interfaces, and on the free strains.

        From the strains of the leaves at the beginning and a multiple of their last
        change; where that fails, from those at the beginning.
        """
        made = self._iterate(
            state, variables, aim, dt, tangent, self._first(state, aim, dt)
        )
        failed = made.failed
        if not len(failed) or not state.dt:
            return made
        before, goal = state.take(failed), aim.take(failed)
        own = [each[..., failed] for each in variables]
        again = self._iterate(before, own, goal, dt, tangent, before.strain.copy())
        iterations, error = made.iterations.copy(), made.error.copy()
        iterations[failed] += again.iterations
        error[failed] = again.error
        if made.tangent is not None and again.tangent is not None:
            made.tangent[:, :, failed] = again.tangent
        after = made.state.put(failed, again.state)
        return made._replace(state=after, iterations=iterations, error=error)

    def _first(self, state: NetworkState, aim: "Prescribed", dt: float) -> np.ndarray:
        """Strains of the leaves to begin with, (6, L, n)."""
        if self.leaves.rate and not state.dt:
            # at rest a power law has a viscosity of its own
            guess = np.where(aim.free[:, None], 0.0, aim.mean_strain)
            return state.strain + (guess - state.mean_strain)[:, None]
        held = ~aim.free
        if held.any():
            last = state.mean_change[held]
            change = (aim.mean_strain - state.mean_strain)[held]
            square = np.add.reduce(last * last)
            ratio = np.add.reduce(change * last) / (square + (square == 0))
        else:
            ratio = dt / state.dt if state.dt else 0.0
        ratio = np.minimum(np.maximum(ratio, 0.0), LONGEST)
        return state.strain + ratio * state.change

    def _iterate(
        self,
        state: NetworkState,
        variables: list[np.ndarray],
        aim: "Prescribed",
        dt: float,
        tangent: bool,
        guess: np.ndarray,
    ) -> Increment:
        """Newton's method from a guess; points that are solved are left alone.

        A step in which the stress power changes its sign, and grows, is shortened.
        """
        leaves, end, at = self.leaves, None, np.arange(state.points)
        trial = first_trial(guess, leaves.flowing, state.largest, aim, tangent)
        # the eigenstrain comes with the first increment, on a body without stress
        before = state.strain if state.dt else leaves.stress_free(state.strain)
        for taken in range(MOST_NEWTON):
            ahead = trial.foreseen if leaves.foresight and taken else None
            response, after = leaves.respond(trial.strain, before, variables, dt, ahead)
            left = newton_step(leaves.tree, response, trial, taken, self.tolerance)
            last = not left or taken == MOST_NEWTON - 1
            # a few that are solved are no reason to copy the others
            if last or 2 * left < len(at):
                end = end or EndOfStep.of(state, tangent)
                end.keep(at, trial, after, taken + 1, self.tolerance)
                if last:
                    break
                going = trial.error > self.tolerance
                at, before = at[going], np.compress(going, before, axis=-1)
                trial = some_of(trial, going)
                variables = [np.compress(going, own, axis=-1) for own in variables]
        assert end is not None
        return end.increment(dt, leaves.weight)


def first_trial(
    strain: np.ndarray,
    flowing: int,
    largest: np.ndarray,
    aim: Prescribed,
    tangent: bool,
) -> Trial:
    """A guess of the strains of the leaves, (6, L, n), of which so many flow.

    The array may be that in which the next ones are tried.
    """
    points = strain.shape[-1]
    shape = (6, points)
    mean_strain, mean_stress = np.empty(shape), np.empty(shape)
    mean_strain[...], mean_stress[...] = aim.mean_strain, aim.mean_stress
    return Trial(
        np.ascontiguousarray(strain),
        np.empty((6, flowing, points)),
        np.empty(strain.shape),
        np.empty(points),
        np.ones(points),
        largest.copy(),
        np.empty(points),
        np.empty(points),
        mean_strain,
        mean_stress,
        np.empty(shape),
        np.empty((6, 6, points if tangent else 0)),
        aim.free.nonzero()[0],
    )


def some_of(trial: Trial, points: np.ndarray) -> Trial:
    """Some of the points of a trial."""
    some = {
        name: own
        if name == "free" or not own.shape[-1]
        else np.compress(points, own, axis=-1)
        for name, own in trial._asdict().items()
    }
    return Trial(**some)
