"""What holds for every law, checked at random strains: for the tests of a new one."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np

from fftmech.materials.base import Law, Material, Response, StrainStep
from fftmech.tensors import mandel_rotation, matrix_from_quaternion

TOLERANCE = 1e-7

SAME = 1e-6
"""Part of the largest stress by which two that are equal may differ."""


def check_laws(
    laws: Sequence[Law],
    stiffness: np.ndarray,
    strain: float = 2e-3,
    dt: float = 1.0,
    points: int = 40,
    seed: int = 0,
) -> None:
    """Check several sets of constants of one law, in a second step of random strains.

    A law is made from its own constants. The tangent is the derivative of the stress,
    and that the derivative of the energy, which is zero at rest, where there are no
    internal variables and the law has an energy. A tangent in single precision is the
    same one. Phases answer together as each alone. Nothing that is given is changed.

    Turned with its crystal and the strain, a law gives the turned stress; one that is
    not `directed` sees its axes in the stiffness alone; P of a turned body turns with
    it. The stress of one with rates only follows from the rate. Where there is a
    conjugate energy, a certificate can trust it: the gap is zero for the stress of a
    strain and positive for others, and `conjugate_strain` is that strain.

    Parameters
    ----------
    laws
        Of one class.
    stiffness
        Of all of them but those with their own, Mandel (6, 6), stress units.
    strain
        Size of the strains; choose one at which the law is not linear.
    dt
        Duration of each of the two steps.

    Raises
    ------
    AssertionError
        Naming what does not hold.
    """
    for law in laws:
        again = type(law).parse(law.constants(), law.name)
        _hold(again == law, f"{law} is made from its own constants: {again}")
    material = material_of(laws, stiffness)
    step = random_step(material, strain, dt, points, seed)
    response = _left_alone(material, step)
    _check_variables(material, step, response)
    _check_tangent(material, step, response, np.random.default_rng(seed + 1))
    _check_phases(material, step, response)
    if not material.variables:
        _check_energy(material, step, response, np.random.default_rng(seed + 2))
    _check_axes(material, step, response)
    if material.rate:
        _check_rate(material, step, response)
    _check_conjugate(material, step, response)


def material_of(laws: Sequence[Law], stiffness: np.ndarray) -> Material:
    """A material with a row for each law, none of them turned."""
    own = [law.stiffness for law in laws]
    table = np.array([stiffness if C is None else C for C in own])
    return laws[0].material(laws, table, np.tile(np.eye(3), (len(laws), 1, 1)))


def random_step(
    material: Material, strain: float, dt: float, points: int, seed: int
) -> StrainStep:
    """A step with a tangent after another one, each to random strains of a size."""
    rng = np.random.default_rng(seed)
    none = _rest(material, points)
    before = none + strain * rng.normal(size=none.shape)
    rows = np.arange(points) % len(material.laws)
    first = StrainStep(rows, before, none, material.start(rows), dt)
    end = before + strain * rng.normal(size=none.shape)
    state = material.respond(first).state
    return StrainStep(rows, end, before, state, dt, np.float64)


def _rest(material: Material, points: int) -> np.ndarray:
    """No strain, (c, n)."""
    rest = np.eye(3).reshape(9, 1) if material.finite else np.zeros((6, 1))
    return np.repeat(rest, points, axis=1)


def derivative(
    function: Callable[[Any], Any], x: np.ndarray, direction: np.ndarray, h: float
) -> np.ndarray:
    """Slope along a direction, (c, n): central differences, extrapolated twice.

    `h` is the largest difference of x at each point.
    """
    step = h / np.linalg.norm(direction, axis=0)
    slopes = []
    for i in range(3):
        d = step * direction / 2**i
        slopes.append((function(x + d) - function(x - d)) / (2 * step / 2**i))
    for i in (1, 2):
        slopes = [(4**i * b - a) / (4**i - 1) for a, b in pairwise(slopes)]
    return slopes[0]


def _left_alone(material: Material, step: StrainStep) -> Response:
    """The response to arguments that cannot be written to."""
    for array in (step.rows, step.strain, step.before, step.state):
        array.flags.writeable = False
    try:
        response = material.respond(step)
        assert response.tangent is not None
        response.tangent.apply(step.strain)
    except ValueError as error:
        raise AssertionError(f"{_name(material)} changes its arguments") from error
    _hold(
        np.isfinite(response.stress).all() and response.stress.any(),
        f"{_name(material)}: the stress is finite and not zero: choose another strain",
    )
    return response


def _check_variables(material: Material, step: StrainStep, response: Response) -> None:
    most = max((law.variables for law in material.laws), key=len)
    say = f"{_name(material)}: Law.variables are those of the material"
    _hold(dict(most) == dict(material.variables), say)
    say = f"{_name(material)}: the state has the components of its variables"
    shape = (sum(most.values()), len(step.rows))
    _hold(step.state.shape == response.state.shape == shape, say)


def _check_tangent(
    material: Material, step: StrainStep, response: Response, rng: np.random.Generator
) -> None:
    direction = rng.normal(size=step.strain.shape)
    size = np.abs(step.strain - step.before).max()
    slope = derivative(
        lambda e: material.respond(step._replace(strain=e, precision=None)).stress,
        *(step.strain, direction, 1e-3 * size),
    )
    tangent: Any = response.tangent
    found = tangent.apply(direction)
    name = f"{_name(material)}: the tangent"
    # differences are of no use where a law has a kink
    off = np.abs(found - slope).max(0) / np.abs(slope).max(0)
    _hold(np.median(off) < TOLERANCE, f"{name} is the derivative of the stress", off)
    _hold((off > 1e-4).mean() < 0.05, f"{name} is the derivative of the stress", off)
    single = material.respond(step._replace(precision=np.float32)).tangent
    small = direction.astype(np.float32)
    _close(single.apply(small), found, 1e-5, f"{name} is the same in single precision")  # pyright: ignore[reportOptionalMemberAccess]


def _check_phases(material: Material, step: StrainStep, response: Response) -> None:
    for row, law in enumerate(material.laws):
        own = step.rows == row
        alone = type(material)(
            [law], material.stiffness[[row]], material.rotation[[row]]
        )
        # tables of phases that have more may have more variables
        size = sum(alone.variables.values())
        fields = (step.strain, step.before, step.state[:size])
        part = StrainStep(np.zeros(own.sum(), int), *(a[:, own] for a in fields))
        found = alone.respond(part._replace(dt=step.dt)).stress
        say = f"{_name(material)}: phases together answer as each alone"
        _close(found, response.stress[:, own], 1e-12, say)


def _check_energy(
    material: Material, step: StrainStep, response: Response, rng: np.random.Generator
) -> None:
    x = (step.strain - step.before) / step.dt if material.rate else step.strain
    try:
        material.energy(step.rows, x, None, step.dt)
    except NotImplementedError:
        return
    direction = rng.normal(size=x.shape)
    slope = derivative(
        lambda e: material.energy(step.rows, e, None, step.dt),
        *(x, direction, 1e-1 * np.abs(step.strain - step.before).max()),
    )
    say = f"{_name(material)}: the stress is the derivative of the energy"
    _close((response.stress * direction).sum(0), slope, 1e-5, say)
    rest = np.zeros_like(x) if material.rate else _rest(material, x.shape[1])
    energies = [material.energy(step.rows, e, None, step.dt) for e in (rest, x)]
    say = f"{_name(material)}: the energy at rest is zero"
    off = np.abs(energies[0]) / np.abs(energies[1]).max()
    _hold(off.max() < TOLERANCE, say, off)


def _check_axes(material: Material, step: StrainStep, response: Response) -> None:
    """Both steps again, with other axes of the crystal, of both, or of the body."""
    # about no axis and by no angle that a crystal may have
    R = matrix_from_quaternion(np.array([0.8, 0.36, -0.3, 0.3741]))
    Q = mandel_rotation(R)
    both = np.kron(R, R) if material.finite else Q

    def again(stiffness: np.ndarray, rotation: np.ndarray, turn: np.ndarray) -> Any:
        turned = type(material)(material.laws, stiffness, rotation)
        rest = turn @ _rest(material, len(step.rows))
        strain, before = turn @ step.strain, turn @ step.before
        state = turned.start(step.rows)
        first = StrainStep(step.rows, before, rest, state, step.dt)
        state = turned.respond(first).state
        second = StrainStep(step.rows, strain, before, state, step.dt)
        return turned.respond(second).stress

    name, axes, C = _name(material), R @ material.rotation, material.stiffness
    found = again(Q @ C @ Q.T, axes, both)
    say = f"{name}: turned with its crystal and the strain, it gives the turned stress"
    _close(found, both @ response.stress, SAME, say)
    if not any(law.directed for law in material.laws):
        found = again(C, axes, np.eye(len(both)))
        say = f"{name}: a law that depends on the crystal's axes is `directed`"
        _close(found, response.stress, SAME, say)
    if material.finite:
        turn = np.kron(R, np.eye(3))
        say = f"{name}: the stress of a turned body turns with it"
        _close(again(C, material.rotation, turn), turn @ response.stress, SAME, say)


def _check_rate(material: Material, step: StrainStep, response: Response) -> None:
    """The same rate, from another strain and in a longer time."""
    before = step.before + 0.1
    strain = before + 3 * (step.strain - step.before)
    other = step._replace(strain=strain, before=before, dt=3 * step.dt, precision=None)
    say = f"{_name(material)}: the stress follows from the rate alone"
    _close(material.respond(other).stress, response.stress, SAME, say)


def _check_conjugate(material: Material, step: StrainStep, response: Response) -> None:
    """Fenchel's inequality, an equality for a strain and its stress."""
    rows, stress, dt = step.rows, response.stress, step.dt
    x = (step.strain - step.before) / dt if material.rate else step.strain
    inelastic = material.inelastic_strain(step.state)
    x = x if inelastic is None else x - inelastic
    name, state = _name(material), material.for_potentials(step.state, response.state)
    with suppress(NotImplementedError):
        found = material.conjugate_strain(rows, stress, step.state, dt)
        say = f"{name}: conjugate_strain is the strain that has the stress"
        _close(found, x, 1e-5, say)
    try:
        conjugate = material.conjugate_energy(rows, stress, state, dt)
        energy = material.energy(rows, x, state, dt)
    except NotImplementedError:
        return
    size = np.abs(energy + conjugate).max()
    for s in (stress, 1.1 * stress, 0.8 * stress, stress + 0.1 * stress[::-1]):
        energies = energy, material.conjugate_energy(rows, s, state, dt)
        plain = (sum(energies) - (s * x).sum(0)) / size
        own = material.gap(rows, x, s, state, dt, energies) / size
        off = np.maximum(np.abs(plain) if s is stress else -plain, abs(own - plain))
        say = (
            f"{name}: gap is w + w* - s : e, zero of a strain and its stress, else > 0"
        )
        _hold(off.max() < TOLERANCE, say, off)


def _name(material: Material) -> str:
    return material.laws[0].name


def _close(found: np.ndarray, expected: np.ndarray, part: float, what: str) -> None:
    off = np.abs(found - expected) / np.abs(expected).max()
    _hold(off.max() < part, what, off)


def _hold(true: Any, what: str, off: np.ndarray | None = None) -> None:
    if not true:
        by = "" if off is None else f" (off by {off.max():.1e} of it)"
        raise AssertionError(f"it does not hold that {what}{by}")
