"""Rotation of crystals by slip, an increment after the other.

The lattice of a grain turns by what the material turns and slip does not,

    dw = <curl du> / 2 - <sum_a dgamma_a w_a>,     w_a the axial vector of skew(b_a m_a)

with means over the grain: du is the change of the displacement fluctuation in an
increment, dgamma_a the slip, with systems as they were when it began. Orientations
follow by the exponential map, R <- exp(dw) R: Euler's explicit method, of first order
in the increment. The body as a whole does not turn: its mean displacement gradient is
symmetric at small strain. Strains and stresses are not turned.
"""

from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace, to_numpy
from fftmech.errors import InputError
from fftmech.materials.slip import SlipLaw
from fftmech.microstructure.base import Microstructure
from fftmech.microstructure.grains import product
from fftmech.problems.law_group import Group
from fftmech.problems.material_field import flatten
from fftmech.problems.nonlinear import TimeStep
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness

PIECE = 2**14
"""Points whose systems are looked at together."""


def first_orientation(body: Microstructure) -> np.ndarray:
    """Orientations of a body whose crystals will turn, (P, 4).

    Those of crystals that slip are known, along the box where the body does not say.

    Raises
    ------
    InputError
        No crystal that slips, or eigenstrains, which would have to turn with it.
    """
    crystals = _crystals(body)
    if not crystals:
        raise InputError(
            "rotate_crystals in a body without slip",
            "the law crystal_plasticity or crystal_creep",
            "leave it out",
        )
    for table in (body.eigenstrain, body.thermal_expansion):
        if table is not None and table[crystals].any():
            raise InputError(
                "rotate_crystals with an eigenstrain or thermal expansion",
                "none",
                "leave it out",
            )
    orientation = np.full((len(body.counts), 4), np.nan)
    orientation[crystals] = 1.0, 0.0, 0.0, 0.0
    if body.orientation is not None:
        orientation[body.oriented] = body.orientation[body.oriented]
    return orientation


def turned_body(body: Microstructure, orientation: np.ndarray | None) -> Microstructure:
    """A body whose crystals have turned to other orientations, (P, 4); None is not."""
    if orientation is None:
        return body
    assert body.stiffness is not None
    crystals = _crystals(body)
    before = matrix_from_quaternion(first_orientation(body)[crystals])
    turn = matrix_from_quaternion(orientation[crystals]) @ np.swapaxes(before, 1, 2)
    stiffness = body.stiffness.copy()
    stiffness[crystals] = rotate_stiffness(stiffness[crystals], turn)
    return body.with_changes(orientation=orientation, stiffness=stiffness)


def lattice_spin(problem: TimeStep, change: Any) -> np.ndarray:
    """Turns of all phases' lattices in the step that was solved, rotation vectors.

    Parameters
    ----------
    problem
        The step, with its start and its end.
    change
        That of the unknown.

    Returns
    -------
    ndarray
        Radians, (P, 3); zero where nothing slips.
    """
    body = problem.microstructure
    curl = to_numpy(_curl(problem, change)).reshape(3, -1)
    ids, counts = body.phase.ravel(), np.maximum(body.counts, 1)
    spin = np.zeros((len(counts), 3))
    whole = np.stack([np.bincount(ids, c) for c in curl], axis=1) / 2
    for number, group in problem.material.crystals:
        own, slip = group.phases, _slip_spin(problem, number, group)
        spin[own] = (whole[own] - slip) / counts[own][:, None]
    return spin


def turned(orientation: np.ndarray, spin: np.ndarray) -> np.ndarray:
    """Orientations (P, 4) after turns by rotation vectors (P, 3) of the sample."""
    angle = np.linalg.norm(spin, axis=1, keepdims=True)
    # sin(a/2)/a, 1/2 at zero
    axis = 0.5 * np.sinc(angle / (2 * np.pi)) * spin
    after = product(np.hstack([np.cos(angle / 2), axis]), orientation)
    return np.where(after[:, :1] < 0, -after, after)


def largest_turn(before: np.ndarray, after: np.ndarray) -> float:
    """Largest angle between orientations (P, 4), degrees, leaving out unknown ones."""
    turn = product(after, before * [1.0, -1.0, -1.0, -1.0])
    angle = 2 * np.arctan2(np.linalg.norm(turn[:, 1:], axis=1), abs(turn[:, 0]))
    return float(np.degrees(np.nanmax(angle)))


def _crystals(body: Microstructure) -> list[int]:
    """Phases in use that slip."""
    return [p for p in body.phases.tolist() if isinstance(body.law.get(p), SlipLaw)]


def _curl(problem: TimeStep, change: Any) -> Any:
    """Voxel means of curl u of a change of the unknown, (3, x, y, z)."""
    u, scheme, grid = problem.displacement(change), problem.scheme, problem.grid
    parts = [
        sum(
            scheme.derivative(u[j], i, grid, q) - scheme.derivative(u[i], j, grid, q)
            for q in range(scheme.points)
        )
        for i, j in ((1, 2), (2, 0), (0, 1))
    ]
    return namespace(u).stack(parts) / scheme.points


def _slip_spin(problem: TimeStep, number: int, group: Group) -> np.ndarray:
    """Sum over each row's voxels of sum_a dgamma_a w_a, (R, 3)."""
    last = problem.last
    material: Any = group.material
    assert last is not None
    xp, stresses = flatten(last.stress)
    crystal = np.stack([law.spin_vectors() for law in material.laws])
    axes = xp.asarray(crystal @ np.swapaxes(material.rotation, 1, 2))
    total = np.zeros((len(group.phases), 3))
    for q, field in enumerate(stresses):
        stress = group.take(field)
        begun, ended = problem.start.state[q][number], last.state[q][number]
        for first in range(0, stress.shape[1], PIECE):
            part = slice(first, first + PIECE)
            rows = group.rows[part]
            states = begun[:, part], ended[:, part]
            slip = material.slip(rows, stress[:, part], *states, problem.dt)
            spin = to_numpy(xp.einsum("na,nai->in", slip, axes[rows]))
            for c in range(3):
                total[:, c] += np.bincount(to_numpy(rows), spin[c], len(total))
    return total / len(stresses)
