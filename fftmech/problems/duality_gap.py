"""Duality gaps of fields: numbers that certificates are made of."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fftmech.arrays.backend import to_numpy
from fftmech.problems.admissible_fields import Pair
from fftmech.problems.linear import Problem
from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.potential import Potential
from fftmech.problems.rounding import is_rounding
from fftmech.tensors.fields import dot, mean


def gap_by_work(
    problem: Problem, v: Any, stress: np.ndarray, r: Any
) -> tuple[float, float, bool]:
    """Energy and gap of a solution without fields at integration points in memory.

    With s = C e, r = -D* s, w = M r and the constant c that mends the mean stress, the
    equilibrated stress is s + d, d = c + C0 sym(D w), and w takes the memory of r. Then

        w(e) = 1/2 <s : e>,    gap = 1/2 <d : C^-1 : d>,

    the last of which is the energy of w in a body of stiffness C0 C^-1 C0. With
    eigenstrain w(e) is that of the fields, since e and e0 may nearly cancel, and the
    stress may be no more than rounding.
    """
    kernels, load = problem.kernels, problem.load
    assert kernels is not None and problem.microstructure.stiffness is not None
    E = to_numpy(problem.mean_strain(v)).astype(float)
    work = -kernels.dot(v[:-6], r[:-6])
    kernels.update_residual(r[:-6])
    kernels.finish(r[:-6])
    C0 = problem.reference_stiffness
    C = problem.microstructure.stiffness
    used = problem.microstructure.phases
    energies = np.zeros_like(C)
    energies[used] = C0 @ np.linalg.solve(C[used], C0)
    missing = np.where(load.free, load.mean_stress - stress, 0)
    gap = kernels.quadratic(r[:-6], np.linalg.solve(C0, missing), energies) / 2
    if problem.eigenstrain is None:
        return (float(E @ stress) + work) / 2, gap, False
    body = problem.microstructure
    planes, energy = problem.field_planes(v), []

    def fields() -> Iterator[tuple[slice, Any, Any]]:
        for part in problem.grid.slabs(13 * v.itemsize):
            strain, stress, density = planes(part)
            energy.append(float(density.sum(dtype=float)))
            yield part, strain, stress

    none = is_rounding(problem, body, fields())
    return body.ranks.sum(sum(energy)) / problem.grid.voxels, gap, none


def changed_energies(
    problem: TimeStep, potential: Potential, given: Pair, admissible: Pair
) -> float:
    """|W(e) - W(e')| + |W*(s) - W*(s')| of the given and the admissible fields."""
    if given is admissible:
        return 0.0
    load = problem.load
    (e, s), (e_adm, s_adm) = given, admissible
    W = float((potential.energy(e) - potential.energy(e_adm)).mean())
    W -= float(load.mean_stress @ (mean_on_host(e) - mean_on_host(e_adm)))
    conjugate = potential.conjugate_energy(s) - potential.conjugate_energy(s_adm)
    prescribed = np.where(load.free, 0, mean_on_host(e_adm))
    W_star = float(conjugate.mean()) - float(
        (mean_on_host(s) - mean_on_host(s_adm)) @ prescribed
    )
    return abs(W) + abs(W_star)


def mean_on_host(field: Any) -> np.ndarray:
    """Volume average on the host, (6,)."""
    return to_numpy(mean(field)).astype(float)


def eigenstrain_work(material: Potential, stress: Any) -> float:
    """<s : e0> (stress units)."""
    eigenstrain = material.eigenstrain
    return 0.0 if eigenstrain is None else float(dot(stress, eigenstrain).mean())
