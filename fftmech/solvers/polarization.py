"""Eyre and Milton's polarization scheme, for finite contrast and mixed loads.

Eyre & Milton 1999 (doi:10.1051/epjap:1999150), in the form of Monchiet & Bonnet 2012
(doi:10.1002/nme.3295). With p = s + C0 e, one iteration is

    e  = (C + C0)^-1 (p + C e0)         the material law, voxel by voxel
    t  = p - 2 C0 e                     = s - C0 e
    e' = the compatible strain that makes t + C0 e' equilibrated, under the load
    p  = t + 2 C0 e'

The number of iterations grows with the square root of the contrast, when C0 is the
geometric mean of the extreme stiffnesses.
"""

from typing import Any

import numpy as np

from fftmech.operators.green import Green
from fftmech.operators.reference_medium import stiffness_bounds
from fftmech.problems.linear import Problem
from fftmech.solvers.base import Solver, State
from fftmech.tensors.fields import multiply


class Polarization(Solver):
    """Two reflections, one on the material law and one on equilibrium."""

    name = "polarization"

    def init(self, problem: Problem, v: Any) -> State:
        """Start from the polarization s + C0 e of v."""
        low, high = stiffness_bounds(problem.microstructure)
        factor = np.sqrt(low * high)
        green = problem.new_green(*(factor * m for m in problem.reference))
        resolvent = problem.material.resolvent(green.stiffness)
        strain = problem.strain(v)
        stress = problem.stress(strain)
        p = stress + _multiply(problem, green, strain)
        return State(v, _square(problem, stress), (p, green, resolvent))

    def step(self, problem: Problem, state: State) -> State:
        """Reflect on the material law, then on equilibrium."""
        _, _, (p, green, resolvent) = state
        material = problem.material
        if material.eigenstrain is not None:
            eigenstress = material.tangent(
                problem.backend.xp.broadcast_to(material.eigenstrain, p.shape)
            )
            strain = resolvent.apply(p + eigenstress)
        else:
            strain = resolvent.apply(p)
        t = p - 2 * _multiply(problem, green, strain)
        zero = problem.zeros()
        prescribed = problem.mean_strain(zero)[:, None, None, None] + 0 * t
        force = problem.force(t + _multiply(problem, green, prescribed))
        v = problem.precondition_with(green, force)
        strain = problem.strain(v)
        p = t + 2 * _multiply(problem, green, strain)
        square = _square(problem, problem.stress(strain))
        return State(v, square, (p, green, resolvent))


def _multiply(problem: Problem, green: Green, field: Any) -> Any:
    matrix = problem.backend.xp.asarray(green.stiffness, dtype=field.dtype)
    return multiply(matrix, field)


def _square(problem: Problem, stress: Any) -> float:
    """<r, M r> of the compatible strain, in the problem's own norm."""
    r = problem.force(stress)
    return problem.dot(r, problem.precondition(r))
