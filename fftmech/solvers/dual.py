"""Descent of the complementary energy W* over equilibrated stresses, by L-BFGS.

Where a law is explicit in the stress, as power laws and viscoplastic crystals are, an
evaluation of W* asks for powers only, while one of the strain's energy asks for a local
Newton iteration at each point; and the stress, which varies little where rates vary by
orders of magnitude, is the better unknown (Wicht, Schneider & Boehlke 2020, An
efficient solution scheme for small-strain crystal-elasto-viscoplasticity in a dual
framework, Comput. Methods Appl. Mech. Eng.).

L-BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.4) in the metric of C0^-1:
gradients are C0 r, of incompatible strains r, so that inner products <r : ds> need no
C0^-1. A step costs one Green operation; its length is found by slopes along a line,
which need none.
"""

from collections import deque
from typing import Any, NamedTuple

from fftmech.problems.complementary import ComplementaryEnergy, work
from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.stress_error import field_norm, stress_size
from fftmech.solvers.base import Balance, Solver, State, root
from fftmech.solvers.line_search import minimum_along
from fftmech.solvers.uniform_stress import uniform_stress

PAIRS = 4
"""Steps that are remembered, with the changes of the gradient along them."""

LONGEST = 0.5
"""Largest change of a deviatoric stress that is tried first, relative to the largest:
powers of it are steep."""

PROPORTION = 0.01
"""Change of a stress before, in proportion, that is tried first."""


class Descent(NamedTuple):
    """What the next step needs.

    Attributes
    ----------
    energy
        W* of the step of time.
    stress
        In equilibrium, Mandel (q, 6, x, y, z).
    strain, r
        Its strain e, and the incompatible part of that.
    pairs
        Changes of stress and of r in the last steps, and their product, the newest
        last.
    """

    energy: ComplementaryEnergy
    stress: Any
    strain: Any
    r: Any
    pairs: deque[tuple[Any, Any, float]]


class DualDescent(Solver):
    """Stresses in equilibrium, whose strains become compatible."""

    name = "dual"
    patience = 1000
    allowed = 10.0

    def init(self, problem: TimeStep, v: Any) -> State:
        """Start from the best uniform stress, or that of the step before."""
        energy = ComplementaryEnergy(problem)
        best = uniform_stress(energy, problem.load, problem.reference_stiffness)
        stress = problem.uniform(best)
        if problem.stress is not None:
            before = _multiple(energy, problem.stress)
            stress = min(stress, before, key=energy.energy)
        return _state(energy, stress, energy.strain(stress), deque(maxlen=PAIRS))

    def again(self, problem: TimeStep, v: Any) -> State:  # noqa: ARG002
        """See `Solver.again`: in proportion."""
        energy = ComplementaryEnergy(problem)
        stress = _multiple(energy, problem.stress)
        return _state(energy, stress, energy.strain(stress), deque(maxlen=PAIRS))

    def step(self, problem: TimeStep, state: State) -> State:
        """One line search along the quasi-Newton direction."""
        energy, stress, strain, r, pairs = state.memory
        for known in (pairs, deque(maxlen=PAIRS)):
            line = _Line(energy, stress, strain - r, _direction(energy, r, known))
            begun = work(r, line.direction)
            length = minimum_along(line.slope, begun, line.first())
            if length is not None:
                change = length * line.direction
                new = _state(energy, stress + change, line.strain, known)
                y = new.memory.r - r
                product = work(change, y)
                if product > 0:
                    known.append((change, y, product))
                return new
        return State(state.v, float("nan"), state.memory)

    def size(self, problem: TimeStep, state: State) -> float:
        """See `Solver.size`: that of the strain of the stress."""
        memory: Descent = state.memory
        return memory.energy.product(memory.strain, memory.strain) ** 0.5

    def check(self, problem: TimeStep, state: State) -> tuple[Balance, float]:
        """See `Solver.check`: the residual is that of the state itself."""
        memory: Descent = state.memory
        problem.keep(state.v, memory.energy.evaluation(memory.stress, state.v))
        return problem.balance(state.v), root(state.square)

    def stress_error(
        self,
        problem: TimeStep,
        state: State,
        balance: Balance,
        norm: float,
        enough: float,
    ) -> float:
        """See `Solver.stress_error`: from the stress that the law gives the strain.

        It costs one evaluation of the law. On crystals and power laws it was 1.2 to 50
        times the error of the deviatoric stress, and never less.
        """
        if norm == 0:
            return 0.0
        last, start = problem.last, problem.start
        assert last is not None
        law = problem.material.respond(
            last.strain, start.strain, start.state, problem.dt
        )
        size = stress_size(problem, state.v, balance[0])
        error = field_norm(problem, law.stress - last.stress)
        return error / size if size > 0 else float("inf")


class _Line:
    """Stresses along a direction, and the strain of the last one looked at.

    `admissible` is a strain that does the work <s> : E on any stress in equilibrium.
    """

    def __init__(
        self, energy: ComplementaryEnergy, stress: Any, admissible: Any, direction: Any
    ) -> None:
        self.energy, self.stress, self.admissible = energy, stress, admissible
        self.direction = direction

    def slope(self, length: float) -> float:
        """Derivative of W* along the line, without any Green operation.

        Less the work that they share, for rounding leaves no stress in balance.
        """
        self.strain = self.energy.strain(self.stress + length * self.direction)
        return work(self.strain - self.admissible, self.direction)

    def first(self) -> float:
        """The whole step, or the part of it that changes no stress by too much."""
        largest, change = map(_largest_deviator, (self.stress, self.direction))
        if largest == 0 or change == 0:
            return 1.0
        return min(1.0, LONGEST * largest / change)


def _multiple(energy: ComplementaryEnergy, stress: Any) -> Any:
    """The multiple of a stress, shifted to prescribed means, of about the least W*."""
    first = energy.shifted(stress)
    change = energy.shifted(2 * stress) - first
    begun = energy.slope(first, change)
    sign = 1.0 if begun < 0 else -1.0

    def slope(a: float) -> float:
        return sign * energy.slope(first + sign * a * change, change)

    step = minimum_along(slope, -abs(begun), PROPORTION, flat=0.01)
    return first if step is None else first + sign * step * change


def _state(
    energy: ComplementaryEnergy, stress: Any, strain: Any, pairs: deque
) -> State:
    """State of a stress and its strain."""
    v, r, square = energy.compatibility(strain)
    return State(v, square, Descent(energy, stress, strain, r, pairs))


def _direction(energy: ComplementaryEnergy, r: Any, pairs: deque) -> Any:
    """-H C0 r, with H the inverse of the Hessian that the pairs tell."""
    q, weights = r.copy(), []
    for s, y, product in reversed(pairs):
        weights.append(work(s, q) / product)
        q -= weights[-1] * y
    d = energy.reference(q)
    if pairs:
        _, y, product = pairs[-1]
        d *= product / energy.product(y, y)
    for (s, y, product), weight in zip(pairs, reversed(weights), strict=True):
        d += (weight - work(y, d) / product) * s
    return -d


def _largest_deviator(stress: Any) -> float:
    third = stress[:, :3].mean(axis=1)
    return float(((stress**2).sum(axis=1) - 3 * third**2).max()) ** 0.5
