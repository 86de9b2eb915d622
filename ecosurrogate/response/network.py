"""The nonlinear response of a tree of laminates, along load paths."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ecosurrogate.response.increment import Increment, Means, Prescribed
from ecosurrogate.response.leaves import Leaves
from ecosurrogate.response.newton import NewtonSolver
from ecosurrogate.response.state import NetworkState
from ecosurrogate.response.tree import LaminateTree
from fftmech.errors import InputError
from fftmech.loads.path import Path, Target
from fftmech.microstructure.base import Microstructure, check_temperature
from fftmech.simulations.march_state import IncrementLog

TOLERANCE = 1e-6
"""Of the stress, relative."""

MOST_CUTS = 8
"""Times that an increment is halved."""

BLOCK = 128
"""Points that are solved at once: their tangents fit the cache."""


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
        Phases without a stiffness, laws of finite strain, a temperature where no phase
        expands.
    """

    def __init__(
        self,
        tree: LaminateTree,
        body: Microstructure,
        *,
        temperature: float = 0.0,
        tolerance: float = TOLERANCE,
    ) -> None:
        check_temperature(body, temperature)
        self.tree, self.leaves = tree, Leaves(tree, body, temperature)
        self._newton = NewtonSolver(self.leaves, tolerance)
        self._shapes = _shapes(self.start())

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

    def checked(self, state: NetworkState) -> NetworkState:
        """Return a state; InputError for one of another network."""
        if _shapes(state) != self._shapes:
            raise InputError(
                "a state of another network, or of other laws", "one of this network"
            )
        return state

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
            A path of finite strain, a state of another network.
        """
        if path.finite:
            raise InputError(
                "a load path of finite strain", "strains and stresses, not F and P"
            )
        started = time.perf_counter()
        state = self.checked(state) if state else self.start()
        logs: list[IncrementLog] = []
        elapsed, rest = 0.0, np.zeros(6)
        for number, step in enumerate(path.steps, 1):
            begun = state.mean_strain[:, 0], state.mean_stress[:, 0]
            dt = step.time / step.increments
            end = Target.between(step, 1.0, *begun, rest)
            ways = end.mean_strain - begun[0], end.mean_stress - begun[1]
            for i in range(1, step.increments + 1):
                part = i / step.increments
                means = (a + part * way for a, way in zip(begun, ways, strict=True))
                target = Target(end.free, *means)
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
            parts.append(self._advance(own, Prescribed.of(target, block), dt, tangent))
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
        aim: "Prescribed",
        dt: float,
        tangent: bool,
        cuts: int = 0,
    ) -> Increment:
        """`advance` of one block; points that fail go in halves."""
        made = self._newton.solve(state, aim, dt, tangent)
        failed = made.failed
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


def _shapes(state: NetworkState) -> list[tuple[int, ...]]:
    """Shapes of what a state has at each point."""
    return [own.shape[:-1] for own in (state.strain, *state.variables)]
