"""The nonlinear response of a tree of laminates, along load paths."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from ecosurrogate.response.condensation import Condensed, condense, spread
from ecosurrogate.response.leaves import LeafResponse, Leaves
from ecosurrogate.response.state import NetworkState
from ecosurrogate.response.tree import LaminateTree
from fftmech.errors import InputError
from fftmech.loads.path import Path, Target
from fftmech.microstructure.base import Microstructure
from fftmech.simulations.march_state import IncrementLog

TOLERANCE = 1e-7
"""Of the stress, relative: what the last Newton step foresaw against what was found."""

MOST_NEWTON = 30
"""Newton steps of an increment, before it is cut."""

MOST_CUTS = 8
"""Times that an increment is halved."""

OVERSHOOT, LEAST_SHARE = 0.5, 0.02
"""Stress power at the end of a Newton step, relative to that at its beginning, from
which it is shortened, and the least part of it that is shortened again."""

LONGEST = 2.0
"""Most that an increment may be foreseen to be, relative to the last."""

BLOCK = 128
"""Points that are solved at once: their tangents fit the cache."""

LAG, CORRECTIONS = 1e-4, 8
"""Relative error of hardening that is held in a step from which it is solved again, and
how often at most: as in `fftmech.simulations.held_hardening`."""


class Means(Protocol):
    """What is prescribed at the end of an increment: see `fftmech.loads.path.Target`.

    `free` are the components whose stress is prescribed, (6,); strains and stresses are
    Mandel, (6, n) or (6,).
    """

    @property
    def free(self) -> np.ndarray: ...
    @property
    def mean_strain(self) -> np.ndarray: ...
    @property
    def mean_stress(self) -> np.ndarray: ...


class Increment(NamedTuple):
    """Points at the end of an increment.

    Attributes
    ----------
    state
        Of all points.
    tangent
        Derivative of the mean stress by the mean strain, Mandel (6, 6, n); None where
        it was not asked for. Of an increment that was cut it is that of its last part.
    iterations
        Evaluations of the laws, (n,).
    cuts
        Times that a point's increment was halved, (n,).
    error
        Relative error of the stress, (n,); NaN where none was found.
    """

    state: NetworkState
    tangent: np.ndarray | None
    iterations: np.ndarray
    cuts: np.ndarray
    error: np.ndarray

    @property
    def solved(self) -> np.ndarray:
        """Which points have a solution, (n,)."""
        return np.isfinite(self.error)


@dataclass(frozen=True)
class PathResponse:
    """The response of one point to a load path.

    Attributes
    ----------
    points
        Its increments, as those of `fftmech.March`.
    status, advice
        "converged", or what failed and what to do.
    state
        After the last increment that was solved.
    seconds
        Of all of them.
    """

    points: tuple[IncrementLog, ...]
    status: str
    advice: str
    state: NetworkState
    seconds: float


class Network:
    """A tree of laminates with a law at each leaf.

    Parameters
    ----------
    tree
        A trained network, or a laminate.
    body
        A voxel or more of each phase of the tree, in the order of ids: stiffness, laws,
        eigenstrain. Where they lie is no matter.
    temperature
        Temperature change (degrees), for thermal expansion; there from the beginning
        on.
    tolerance
        Of the stress, relative.

    Raises
    ------
    InputError
        Phases without a stiffness, laws of finite strain.
    """

    def __init__(
        self,
        tree: LaminateTree,
        body: Microstructure,
        *,
        temperature: float = 0.0,
        tolerance: float = TOLERANCE,
    ) -> None:
        self.tree, self.laminates, self.tolerance = tree, tree.laminates, tolerance
        self.leaves = Leaves(tree, body, temperature)

    def prepare(self) -> None:
        """Compile what an increment needs."""
        nothing = np.zeros(6)
        self.advance(self.start(), Target(nothing > 0, nothing, nothing), 1.0)

    def start(self, points: int = 1) -> NetworkState:
        """Virgin points."""
        strain = np.zeros((6, self.leaves.count, points))
        mean = np.zeros((6, points))
        variables = self.leaves.start(points)
        return NetworkState(
            strain, variables, mean, mean, strain, mean, np.zeros(points)
        )

    def respond(
        self,
        path: Path,
        state: NetworkState | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> PathResponse:
        """Follow a load path of small strain, from a state or from virgin material.

        Raises
        ------
        InputError
            A path of finite strain.
        """
        if path.finite:
            raise InputError(
                "a load path of finite strain", "strains and stresses, not F and P"
            )
        started = time.perf_counter()
        state = state or self.start()
        logs: list[IncrementLog] = []
        elapsed, rest = 0.0, np.zeros(6)
        for number, step in enumerate(path.steps, 1):
            begun = state.mean_strain[:, 0], state.mean_stress[:, 0]
            dt = step.time / step.increments
            for i in range(1, step.increments + 1):
                target = Target.between(step, i / step.increments, *begun, rest)
                made = self.advance(state, target, dt, tangent=False)
                status = "converged" if made.solved[0] else "max_iterations"
                state = made.state if made.solved[0] else state
                logs.append(
                    IncrementLog(
                        step=number,
                        increment=i,
                        time=elapsed + i * dt,
                        mean_strain=state.mean_strain[:, 0],
                        mean_stress=state.mean_stress[:, 0],
                        status=status,
                        iterations=int(made.iterations[0]),
                        linear_iterations=0,
                        cuts=int(made.cuts[0]),
                        residual=float(made.error[0]),
                    )
                )
                if progress:
                    progress(len(logs), path.increments)
                if status != "converged":
                    seconds = time.perf_counter() - started
                    advice = (
                        f"step {number}, increment {i} of the network failed after "
                        f"{MOST_CUTS} cuts; ask for more increments or smaller steps"
                    )
                    return PathResponse(
                        tuple(logs[:-1]), status, advice, state, seconds
                    )
            elapsed += step.time
        seconds = time.perf_counter() - started
        return PathResponse(tuple(logs), "converged", "", state, seconds)

    def advance(
        self, state: NetworkState, target: Means, dt: float, tangent: bool = True
    ) -> Increment:
        """Bring points to prescribed means at the end of a step of duration dt.

        Points that fail keep their state. Prescribed means go there linearly where the
        increment has to be cut.
        """
        parts = []
        for first in range(0, state.points, BLOCK):
            block = slice(first, first + BLOCK)
            own = state if state.points <= BLOCK else state.take(block)
            parts.append(self._advance(own, _Aim.of(target, block), dt, tangent))
        if len(parts) == 1:
            return parts[0]
        return Increment(
            NetworkState.join([part.state for part in parts]),
            np.concatenate([part.tangent for part in parts], axis=-1)
            if tangent
            else None,
            *(np.concatenate(each) for each in list(zip(*parts, strict=True))[2:]),
        )

    def _advance(
        self,
        state: NetworkState,
        aim: "_Aim",
        dt: float,
        tangent: bool,
        cuts: int = 0,
    ) -> Increment:
        """`advance` of one block; points that fail go in halves."""
        made = self._corrected(state, aim, dt, tangent)
        failed = np.flatnonzero(~made.solved)
        if not len(failed) or cuts == MOST_CUTS:
            return made
        before, goal = state.take(failed), aim.take(failed)
        half = self._advance(before, goal.half(before), dt / 2, False, cuts + 1)
        iterations, counted = made.iterations.copy(), made.cuts.copy()
        iterations[failed] += half.iterations
        counted[failed] += 1 + half.cuts
        made = made._replace(iterations=iterations, cuts=counted)
        there = np.flatnonzero(half.solved)
        if not len(there):
            return made
        end = self._advance(
            half.state.take(there), goal.take(there), dt / 2, tangent, cuts + 1
        )
        iterations[failed[there]] += end.iterations
        counted[failed[there]] += end.cuts
        good = np.flatnonzero(end.solved)
        at, error = failed[there[good]], made.error.copy()
        error[at] = end.error[good]
        if made.tangent is not None and end.tangent is not None:
            made.tangent[:, :, at] = end.tangent[:, :, good]
        after = made.state.put(at, end.state.take(good))
        return made._replace(state=after, error=error)

    def _corrected(
        self, state: NetworkState, aim: "_Aim", dt: float, tangent: bool
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
            if lag > 0.3 * lag_before:
                share = 1 / (1 + min(lag / lag_before, 1.0))
            lag_before = lag
            begun = self.leaves.correct(begun, made.state.variables, share)
        return made

    def _newton(
        self,
        state: NetworkState,
        variables: list[np.ndarray],
        aim: "_Aim",
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

    def _first(self, state: NetworkState, aim: "_Aim", dt: float) -> np.ndarray:
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
        aim: "_Aim",
        dt: float,
        tangent: bool,
        guess: np.ndarray,
    ) -> Increment:
        """Newton's method from a guess; points that are solved are left alone.

        A step in which the stress power changes its sign, and grows, is shortened.
        """
        weight = self.leaves.weight[:, None]
        end = _End.of(state, weight, tangent)
        at = np.arange(state.points)
        now = _Trial(guess, state.strain, variables, aim, state.largest)
        for _ in range(MOST_NEWTON):
            ahead = now.foreseen if self.leaves.foresight else None
            response = self.leaves.respond(
                now.strain, now.before, now.variables, dt, ahead
            )
            stress = response.stress
            size = _norm(stress, weight)
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


class _Trial(NamedTuple):
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
    aim: "_Aim"
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
        error = _norm(stress - self.foreseen, weight)
        error = error / np.where(self.largest == 0, 1.0, self.largest)
        return error if self.share is None else np.where(self.share < 1, np.inf, error)

    def take(self, points: np.ndarray) -> "_Trial":
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
    ) -> "_Trial":
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


def _norm(stress: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Root mean square over the volume, (6, L, n) -> (n,)."""
    return np.sqrt((weight * (stress * stress).sum(0)).sum(0))


@dataclass(frozen=True)
class _Aim:
    """Prescribed means at n points: free (6,), others Mandel (6, n)."""

    free: np.ndarray
    mean_strain: np.ndarray
    mean_stress: np.ndarray

    @classmethod
    def of(cls, target: Means, block: slice) -> "_Aim":
        strain, stress = (
            own[:, None] if own.ndim == 1 else own[:, block]
            for own in map(np.asarray, (target.mean_strain, target.mean_stress))
        )
        return cls(np.asarray(target.free), strain, stress)

    def take(self, points: Any) -> "_Aim":
        return replace(
            self,
            mean_strain=self._at(self.mean_strain, points),
            mean_stress=self._at(self.mean_stress, points),
        )

    @staticmethod
    def _at(own: np.ndarray, points: Any) -> np.ndarray:
        return own if own.shape[1] == 1 else own[:, points]

    def half(self, state: NetworkState) -> "_Aim":
        """Half way from a state."""
        return replace(
            self,
            mean_strain=(self.mean_strain + state.mean_strain) / 2,
            mean_stress=(self.mean_stress + state.mean_stress) / 2,
        )

    def mean_strain_of(self, whole: Condensed) -> np.ndarray:
        """The mean strain at which a linear whole has the prescribed means, (6, n)."""
        points = whole.offset.shape[1]
        strain = np.broadcast_to(self.mean_strain, (6, points))
        f = np.flatnonzero(self.free)
        if not len(f):
            return strain
        strain = np.where(self.free[:, None], 0.0, strain)
        D = whole.tangent
        left = self.mean_stress - whole.offset - np.einsum("ijn,jn->in", D, strain)
        D_free = np.moveaxis(D[f][:, f], -1, 0)
        strain[f] = np.linalg.solve(D_free, left[f].T[..., None])[..., 0].T
        return strain


@dataclass
class _End:
    """Points at the end of an increment, filled in as they are solved."""

    begun: NetworkState
    weight: np.ndarray
    strain: np.ndarray
    variables: list[np.ndarray]
    mean_stress: np.ndarray
    largest: np.ndarray
    tangent: np.ndarray | None
    iterations: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, state: NetworkState, weight: np.ndarray, tangent: bool) -> "_End":
        """None of them is solved."""
        points = state.points
        return cls(
            state,
            weight,
            state.strain.copy(),
            [own.copy() for own in state.variables],
            state.mean_stress.copy(),
            state.largest.copy(),
            np.full((6, 6, points), np.nan) if tangent else None,
            np.zeros(points, int),
            np.full(points, np.nan),
        )

    def keep(
        self,
        at: np.ndarray,
        good: np.ndarray,
        strain: np.ndarray,
        response: LeafResponse,
        error: np.ndarray,
        tangent: np.ndarray | None,
    ) -> None:
        """Take the `good` ones of the points at work, whose numbers are `at`."""
        at, stress = at[good], response.stress[..., good]
        self.strain[..., at] = strain[..., good]
        self.mean_stress[:, at] = (self.weight * stress).sum(1)
        self.largest[at] = np.maximum(self.largest[at], _norm(stress, self.weight))
        self.error[at] = error[good]
        for mine, own in zip(self.variables, response.state, strict=True):
            mine[..., at] = own[..., good]
        if self.tangent is not None and tangent is not None:
            self.tangent[:, :, at] = tangent[:, :, good]

    def increment(self, dt: float) -> Increment:
        """All points, those that failed as they were."""
        change = self.strain - self.begun.strain
        mean_change = (self.weight * change).sum(1)
        after = replace(
            self.begun,
            strain=self.strain,
            variables=self.variables,
            mean_strain=self.begun.mean_strain + mean_change,
            mean_stress=self.mean_stress,
            change=change,
            mean_change=mean_change,
            largest=self.largest,
            dt=dt,
        )
        cuts = np.zeros_like(self.iterations)
        return Increment(after, self.tangent, self.iterations, cuts, self.error)
