"""Newton's method on the jumps of all interfaces of a tree, over many points."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ecosurrogate.response.condensation import condense, spread
from ecosurrogate.response.increment import (
    EndOfStep,
    Increment,
    Prescribed,
    volume_norm,
)
from ecosurrogate.response.leaves import Leaves
from ecosurrogate.response.state import NetworkState
from ecosurrogate.response.tree import Laminates

MOST_NEWTON = 30
"""Newton steps of an increment, before it is cut."""

OVERSHOOT, LEAST_SHARE = 0.5, 0.02
"""Stress power at the end of a Newton step, relative to that at its beginning, from
which it is shortened, and the least part of it that is shortened again."""

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
    leaves, laminates
        The network.
    tolerance
        Of the stress, relative: what the last step foresaw against what was found.
    """

    leaves: Leaves
    laminates: Laminates
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
        failed = np.flatnonzero(~made.solved)
        if not len(failed) or not state.dt:
            return made
        before, goal = state.take(failed), aim.take(failed)
        own = [each[..., failed] for each in variables]
        again = self._iterate(before, own, goal, dt, tangent, before.strain)
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
        change = (aim.mean_strain - state.mean_strain)[held]
        last = state.mean_change[held]
        square = (last * last).sum(0)
        ratio = (change * last).sum(0) / np.where(square == 0, 1.0, square)
        if not held.any():
            ratio = np.full(state.points, dt / state.dt if state.dt else 0.0)
        return state.strain + np.clip(ratio, 0.0, LONGEST) * state.change

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
        weight = self.leaves.weight[:, None]
        end = EndOfStep.of(state, weight, tangent)
        at = np.arange(state.points)
        now = Trial(guess, state.strain, variables, aim, state.largest)
        for _ in range(MOST_NEWTON):
            ahead = now.foreseen if self.leaves.foresight else None
            response = self.leaves.respond(
                now.strain, now.before, now.variables, dt, ahead
            )
            stress = response.stress
            size = volume_norm(stress, weight)
            now = now._replace(largest=np.maximum(now.largest, size))
            end.iterations[at] += 1
            good = now.error(stress, weight) <= self.tolerance
            D = None
            if tangent or not good.all():
                D = self.leaves.matrices(response.tangents, len(at))
            if good.any():
                whole = None
                if tangent and D is not None:
                    whole = condense(self.laminates, D, np.zeros_like(stress)).tangent
                error = now.error(stress, weight)
                end.keep(at, good, now.strain, response, error, whole)
            left = np.flatnonzero(~good & np.isfinite(size))
            if D is None or not len(left):
                break
            if len(left) < len(at):
                at, now = at[left], now.take(left)
                stress, D = stress[..., left], D[..., left]
            offset = stress - np.einsum("ijln,jln->iln", D, now.strain)
            whole = condense(self.laminates, D, offset)
            strain = spread(self.laminates, whole, now.aim.mean_strain_of(whole))
            foreseen = np.einsum("ijln,jln->iln", D, strain) + offset
            now = now.after(strain, foreseen, stress, weight)
        return end.increment(dt)


class Trial(NamedTuple):
    """Strains of the leaves at n points that are tried.

    Attributes
    ----------
    strain, before
        At the end and at the beginning of the increment, (6, L, n).
    variables, aim, largest
        Internal variables at its beginning, what is prescribed, and the largest stress.
    foreseen
        Stress that Newton's method foresaw at `strain`, (6, L, n); None of a guess.
    origin, change, slope
        Strains that the step began with, the whole step, and the stress power along it
        at its beginning, (n,); None where there is none to compare with.
    share
        Part of the step that is tried, (n,).
    """

    strain: np.ndarray
    before: np.ndarray
    variables: list[np.ndarray]
    aim: "Prescribed"
    largest: np.ndarray
    foreseen: np.ndarray | None = None
    origin: np.ndarray | None = None
    change: np.ndarray | None = None
    slope: np.ndarray | None = None
    share: np.ndarray | None = None

    def error(self, stress: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Relative error of the stress that was foreseen, (n,); inf if there was none.

        What was foreseen after a whole step is in equilibrium.
        """
        if self.foreseen is None:
            return np.full(len(self.largest), np.inf)
        error = volume_norm(stress - self.foreseen, weight)
        error = error / np.where(self.largest == 0, 1.0, self.largest)
        return error if self.share is None else np.where(self.share < 1, np.inf, error)

    def take(self, points: np.ndarray) -> "Trial":
        """Some of the points."""
        taken = {
            name: value[..., points]
            for name, value in self._asdict().items()
            if isinstance(value, np.ndarray)
        }
        variables = [own[..., points] for own in self.variables]
        return self._replace(variables=variables, aim=self.aim.take(points), **taken)

    def after(
        self,
        strain: np.ndarray,
        foreseen: np.ndarray,
        stress: np.ndarray,
        weight: np.ndarray,
    ) -> "Trial":
        """The next trial: Newton's strains, or a part of the step before.

        `stress` is that of the strains that were tried.
        """
        if self.foreseen is None:
            # a guess does not have the prescribed means
            return self._replace(strain=strain, foreseen=foreseen)
        change = strain - self.strain
        slope = self._power(stress, change, weight)
        made = self._replace(
            strain=strain,
            foreseen=foreseen,
            origin=self.strain,
            change=change,
            slope=slope,
            share=np.ones_like(slope),
        )
        if self.slope is None:
            return made
        assert self.share is not None and self.change is not None
        assert self.origin is not None
        passed = self._power(stress, self.change, weight)
        far = (passed > OVERSHOOT * abs(self.slope)) & (self.share > LEAST_SHARE)
        if not far.any():
            return made
        part = np.clip(-self.slope / np.where(far, passed - self.slope, 1), 0.1, 0.9)
        share = self.share * part
        mixed = {
            "strain": self.origin + share * self.change,
            "origin": self.origin,
            "change": self.change,
            "slope": self.slope,
            "share": share,
        }
        return made._replace(
            **{n: np.where(far, v, getattr(made, n)) for n, v in mixed.items()}
        )

    def _power(
        self, stress: np.ndarray, change: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """Power of the stress, less that of the prescribed one, (n,)."""
        inner = (weight * (stress * change).sum(0)).sum(0)
        outer = np.where(self.aim.free[:, None], self.aim.mean_stress, 0.0)
        return inner - (outer * (weight * change).sum(1)).sum(0)
