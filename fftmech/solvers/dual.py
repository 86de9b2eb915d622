"""Descent of the complementary energy W* over equilibrated stresses, by L-BFGS.

Where a law is explicit in the stress, as power laws and viscoplastic crystals are, an
evaluation of W* asks for powers only, while one of the strain's energy asks for a local
Newton iteration at each point; and the stress, which varies little where rates vary by
orders of magnitude, is the better unknown (Wicht, Schneider & Boehlke 2020, An
efficient solution scheme for small-strain crystal-elasto-viscoplasticity in a dual
framework, Comput. Methods Appl. Mech. Eng.).

The direction is that of BFGS without memory but for the last step (Shanno 1978,
doi:10.1287/moor.3.3.244), in the metric of C0^-1: gradients are C0 r, of incompatible
strains r, so that inner products <r : ds> need no C0^-1. A step costs one Green
operation; its length is found by slopes along a line, which need none.
"""

from typing import Any, NamedTuple

from fftmech.problems.complementary import ComplementaryEnergy, work
from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.stress_error import field_norm, stress_size
from fftmech.solvers.base import Balance, Solver, State, root
from fftmech.solvers.line_search import minimum_along
from fftmech.solvers.uniform_stress import uniform_stress

FLAT = 0.2
"""Ratio of the slopes at the end and at the beginning of a step that ends it."""

LONGEST = 0.5
"""Largest change of a deviatoric stress that is tried first, relative to the largest:
powers of it are steep."""

PROPORTION = 0.01
"""Change of a stress before, in proportion, that is tried first."""

ENOUGH = 1e-5
"""Slope of W* along multiples of a stress, relative to the work of its change, that is
as good as none: for powers of exponent n the stress is then right to ENOUGH / n."""


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
    direction
        A stress along which the next step goes, Mandel (q, 6, x, y, z).
    steepest
        Whether it is -C0 r.
    """

    energy: ComplementaryEnergy
    stress: Any
    strain: Any
    r: Any
    direction: Any
    steepest: bool


class DualDescent(Solver):
    """Stresses in equilibrium, whose strains become compatible."""

    name = "dual"
    patience = 1000
    allowed = 10.0

    def __init__(self) -> None:
        self._begun: tuple[Any, Any] = None, None

    def init(self, problem: TimeStep, v: Any) -> State:
        """Start from the best uniform stress, or that of the step before."""
        energy = self._energy(problem)
        best = uniform_stress(energy, problem.load, problem.reference_stiffness)
        stress = problem.uniform(best)
        strain = energy.strain(stress)
        if problem.stress is not None:
            before = energy.shifted(problem.stress)
            before, its_strain = _multiple(energy, before, energy.strain(before))
            if energy.energy(before) < energy.energy(stress):
                stress, strain = before, its_strain
        return _first(energy, stress, strain)

    def again(self, problem: TimeStep, v: Any) -> State:
        """See `Solver.again`."""
        energy, stress = self._energy(problem), problem.stress
        return _first(energy, stress, energy.strain(stress))

    def _energy(self, problem: TimeStep) -> ComplementaryEnergy:
        """W*; what it asks of the strain at the beginning is computed once."""
        strain, displacement = self._begun
        if strain is not problem.start.strain:
            displacement = None
        energy = ComplementaryEnergy(problem, displacement)
        self._begun = problem.start.strain, energy.displacement
        return energy

    def step(self, problem: TimeStep, state: State) -> State:
        """One line search along the quasi-Newton direction, or the steepest one."""
        memory: Descent = state.memory
        line = _Line(memory)
        length = line.search()
        if length is None and not memory.steepest:
            memory = _steepest(memory)
            line = _Line(memory)
            length = line.search()
        if length is None:
            return State(state.v, float("nan"), state.memory)
        energy, r = memory.energy, memory.r
        v, new, square, product = energy.compatibility(line.strain, r)
        memory = memory._replace(stress=line.stress, strain=line.strain, r=new)
        # of the step s and the change y of r: <s : y> and <y : C0 : y>
        curvature = length * (line.ended - line.begun)
        size = square - 2 * product + state.square
        if not curvature > 0 < size:
            return State(v, square, _steepest(memory))
        share, scale = length * line.ended / curvature, curvature / size
        along = length * ((square - product) / size - 2 * share)
        parts = -scale * (1 - share), -scale * share, along
        direction = energy.direction(new, r, memory.direction, parts)
        return State(v, square, memory._replace(direction=direction, steepest=False))

    def size(self, problem: TimeStep, state: State) -> float:
        """See `Solver.size`: that of the strain of the stress."""
        memory: Descent = state.memory
        return memory.energy.product(memory.strain, memory.strain) ** 0.5

    def check(self, problem: TimeStep, state: State) -> tuple[Balance, float]:
        """See `Solver.check`: the residual is that of the state itself.

        The stress that counts is the best multiple of its own.
        """
        memory: Descent = state.memory
        stress, _ = _multiple(memory.energy, memory.stress, memory.strain)
        problem.keep(state.v, memory.energy.evaluation(stress, state.v))
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
    """Stresses along a direction, and the last one looked at, with its strain."""

    def __init__(self, state: Descent) -> None:
        self._energy, self._begin = state.energy, state.stress
        self._direction = state.direction
        self.begun = work(state.r, state.direction)
        # less the work that they share, for rounding leaves no stress in balance
        self._shared = work(state.strain, state.direction) - self.begun

    def search(self) -> float | None:
        """Length of the step to about the least W*; None if it does not descend."""
        return minimum_along(self._slope, self.begun, self._longest(), FLAT)

    def _slope(self, length: float) -> float:
        """Derivative of W* along the line, without any Green operation."""
        self.stress = self._begin + length * self._direction
        self.strain = self._energy.strain(self.stress)
        self.ended = work(self.strain, self._direction) - self._shared
        return self.ended

    def _longest(self) -> float:
        """The whole step, or the part of it that changes no stress by too much."""
        deviator = self._energy.vectors.largest_deviator
        largest, change = deviator(self._begin), deviator(self._direction)
        if largest == 0 or change == 0:
            return 1.0
        return min(1.0, LONGEST * largest / change)


def _multiple(energy: ComplementaryEnergy, stress: Any, strain: Any) -> tuple[Any, Any]:
    """The multiple of a stress of about the least W*, and its strain.

    It keeps prescribed means. For powers the error of its work <s> : E is of second
    order in the stress. `strain` is that of the stress.
    """
    change = energy.shifted(2 * stress) - stress
    done, given = work(change, strain), energy.work(change)
    begun, size = done - given, abs(done)
    if not abs(begun) > ENOUGH * size:
        return stress, strain
    sign = 1.0 if begun < 0 else -1.0
    last = stress, strain

    def slope(a: float) -> float:
        nonlocal last
        other = stress + sign * a * change
        last = other, energy.strain(other)
        return sign * (work(change, last[1]) - given)

    flat = max(0.01, ENOUGH * size / abs(begun))
    step = minimum_along(slope, -abs(begun), PROPORTION, flat)
    return (stress, strain) if step is None else last


def _first(energy: ComplementaryEnergy, stress: Any, strain: Any) -> State:
    """State of a stress and its strain, before the first step."""
    v, r, square, _ = energy.compatibility(strain)
    memory = Descent(energy, stress, strain, r, None, True)
    return State(v, square, _steepest(memory))


def _steepest(state: Descent) -> Descent:
    """The same with the direction -C0 r."""
    direction = -state.energy.reference(state.r)
    return state._replace(direction=direction, steepest=True)
