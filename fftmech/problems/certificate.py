"""The error of a pair of fields, without the solution.

For a convex potential w with conjugate w*, a compatible strain e that carries every
prescribed mean strain and an equilibrated stress s that carries every prescribed mean
stress, the duality gap is the error:

    <w(e) + w*(s) - s : e> = [W(e) - W(e_sol)] + [W*(s) - W*(s_sol)] >= 0.

For linear elasticity with eigenstrain e0, w = 1/2 (e - e0) : C : (e - e0), the gap is
1/2 |s - C (e - e0)|^2 in the norm of C^-1, and the identity is Prager & Synge's
hypercircle (1947, doi:10.1090/qam/25902):

    |s - C (e - e0)|^2_{C^-1} = |e - e_sol|^2_C + |s - s_sol|^2_{C^-1}.

Both fields must belong to one and the same discretization.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from fftmech.arrays.backend import to_numpy
from fftmech.microstructure.base import Microstructure
from fftmech.problems.admissible_fields import admissible_stress, check_admissible
from fftmech.problems.linear import Problem
from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.potential import FieldPotential
from fftmech.problems.rounding import is_rounding
from fftmech.tensors.fields import dot, mean


class Potential(Protocol):
    """A material's potential w and its conjugate w*."""

    @property
    def eigenstrain(self) -> Any:
        """e0, part of both potentials, (6, x, y, z), or None."""
        ...

    def energy(self, strain: Any) -> Any:
        """w(e): (..., 6, x, y, z) -> (..., x, y, z), stress units."""
        ...

    def conjugate_energy(self, stress: Any) -> Any:
        """w*(s): (..., 6, x, y, z) -> (..., x, y, z); inf where it is infinite."""
        ...

    def gap(self, strain: Any, stress: Any) -> Any:
        """w(e) + w*(s) - s : e >= 0, without cancellation: (..., x, y, z)."""
        ...


@dataclass(frozen=True)
class Certificate:
    """A guaranteed error.

    Attributes
    ----------
    gap
        Duality gap: energy error of the strain plus complementary energy error of the
        stress (stress units); None where it does not exist.
    relative
        sqrt(gap / <w(e) + w*(s) - s : e0>), the error relative to the norms of the
        elastic strain and the stress, or None.
    energy_upper, energy_lower
        W(e) = <w(e)> - S : <e> over the free components, from above, and -W*(s) from
        below: they bracket the potential energy of the solution (stress units).
    reason
        Why there is no gap, else "".
    """

    gap: float | None
    relative: float | None
    energy_upper: float | None
    energy_lower: float | None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def certify(problem: Problem | TimeStep, strain: Any, stress: Any) -> Certificate:
    """Bound the error of a strain and a stress by their duality gap.

    Parameters
    ----------
    problem
        What the fields claim to solve: linear elasticity, or a step of a body with a
        convex potential (`certify_increment`).
    strain
        Compatible, with every prescribed mean strain; Mandel, (q, 6, x, y, z). Of a
        body with rates only, the strain rate.
    stress
        Equilibrated, with every prescribed mean stress; Mandel, (q, 6, x, y, z).

    Raises
    ------
    InputError
        A field that is not compatible, not equilibrated, or without the prescribed
        mean (to 1e-6 of its size in double precision).
    """
    if isinstance(problem, TimeStep):
        reason = _no_potential(problem)
        if reason:
            return Certificate(None, None, None, None, reason)
        potential = FieldPotential(problem.material, problem.start.state)
    else:
        potential = problem.material
    check_admissible(problem, strain, stress)
    return _duality_gap(problem, potential, strain, stress)


def certify_solution(
    problem: Problem, v: Any, balance: tuple[np.ndarray, Any] | None = None
) -> Certificate:
    """Certify a solver's iterate: its strain, and its stress made equilibrated.

    The stress is projected on equilibrated fields (C0^-1 norm), and the prescribed mean
    stresses are set. Where there are pores the projected stress does not vanish in
    them, and the certificate says that it does not exist. `balance` is
    `Problem.balance` of v, if it is known.
    """
    if len(problem.microstructure.pores):
        return Certificate(None, None, None, None, _PORES)
    if problem.kernels is not None and problem.eigenstrain is None:
        balance = balance or problem.balance(v, problem.search)
        return _certify_by_work(problem, v, *balance)
    strain = problem.strain(v)
    stress = problem.stress(strain)
    none = is_rounding(problem, problem.microstructure, strain, stress)
    stress = admissible_stress(problem, stress)
    certificate = _duality_gap(problem, problem.material, strain, stress)
    # a stress that is rounding has no size to compare its error with
    return replace(certificate, relative=0.0) if none else certificate


def _certify_by_work(
    problem: Problem, v: Any, stress: np.ndarray, r: Any
) -> Certificate:
    """The certificate of a solution without a field of strain or stress in memory.

    With s = C e, r = -D* s, w = M r and the constant c that mends the mean stress, the
    equilibrated stress is s + d, d = c + C0 sym(D w). Its energies are

        w(e) = 1/2 <s : e>,    w*(s + d) = w(e) + <d : e> + gap,
        <d : e> = c : E + <u, r>,    gap = 1/2 <d : C^-1 : d>,

    the last of which is the energy of w in a body of stiffness C0 C^-1 C0.
    """
    kernels, load = problem.kernels, problem.load
    assert kernels is not None and problem.microstructure.stiffness is not None
    E = to_numpy(problem.mean_strain(v)).astype(float)
    work = -kernels.dot(v[:-6], r[:-6])
    w_nodes = problem.backend.xp.empty_like(r[:-6])
    kernels.update_residual(r[:-6])
    kernels.finish(w_nodes)
    C0 = problem.reference_stiffness
    C = problem.microstructure.stiffness
    used = problem.microstructure.phases
    energies = np.zeros_like(C)
    energies[used] = C0 @ np.linalg.solve(C[used], C0)
    missing = np.where(load.free, load.mean_stress - stress, 0)
    gap = kernels.quadratic(w_nodes, np.linalg.solve(C0, missing), energies) / 2
    w = (float(E @ stress) + work) / 2
    w_star = w + float(missing @ E) - work + gap
    # where rounding leaves nothing of the energies, they do not make the error small
    total = max(w + w_star, gap)
    return _certificate(problem, gap, w, w_star, total, (stress + missing) * E)


def certify_increment(problem: TimeStep) -> Certificate:
    """Certify the last evaluation of a small-strain step whose potential is convex.

    Of a body with rates only, w is a potential of the strain rate, and the gap is the
    error in it. A body that has pores, remembers its history otherwise or is strained
    finitely has no certificate.
    """
    reason = _no_potential(problem)
    if reason:
        return Certificate(None, None, None, None, reason)
    last, start, material = problem.last, problem.start, problem.material
    assert last is not None
    strain = last.strain
    if material.rate:
        strain = (strain - start.strain) / problem.dt
    stress = admissible_stress(problem, last.stress)
    potential = FieldPotential(material, start.state)
    return _duality_gap(problem, potential, strain, stress)


def _no_potential(problem: TimeStep) -> str:
    """Why a step of a body has no convex potential and its conjugate, or ""."""
    if problem.kinematics.finite:
        return _NOT_CONVEX
    if len(problem.microstructure.pores):
        return _PORES
    material = problem.material
    if any(law.variables for law in material.materials) and not material.rate:
        return _HISTORY
    return ""


_NOT_FINITE = "the fields are not finite"
_NOT_CONVEX = "the body has no convex potential"
_HISTORY = "the body remembers its history"
_PORES = "the body has pores, where it needs a stress that vanishes"


def _duality_gap(
    problem: Problem | TimeStep, material: Potential, strain: Any, stress: Any
) -> Certificate:
    conjugate = material.conjugate_energy(stress)
    if not bool(problem.backend.xp.isfinite(conjugate).all()):
        pores = len(problem.microstructure.pores) > 0
        reason = _PORES if pores else _NOT_FINITE
        return Certificate(None, None, None, None, reason)
    w = float(material.energy(strain).mean())
    w_star = float(conjugate.mean())
    # voxel by voxel, so that a small gap is not the difference of large numbers
    gap = float(material.gap(strain, stress).mean())
    # both energies of the elastic parts alone: s : e0 may have either sign
    total = w + w_star - _eigenstrain_work(material, stress)
    work = to_numpy(mean(stress) * mean(strain)).astype(float)
    return _certificate(problem, gap, w, w_star, total, work)


def _certificate(
    problem: Problem | TimeStep,
    gap: float,
    w: float,
    w_star: float,
    total: float,
    work: np.ndarray,
) -> Certificate:
    """Bounds of a gap; `work` is <s> : <e> by component."""
    if not np.isfinite([gap, w, w_star]).all():
        return Certificate(None, None, None, None, _NOT_FINITE)
    free = problem.load.free
    upper = w - float(work[free].sum())
    lower = float(work[~free].sum()) - w_star
    # a stress-free body has no size to compare with but rounding's
    floor = (100 * np.finfo(problem.precision).eps) ** 2 * problem.scale
    relative = float(np.sqrt(max(gap, 0.0) / total)) if total > floor else 0.0
    return Certificate(gap, relative, upper, lower)


def _eigenstrain_work(material: Potential, stress: Any) -> float:
    """<s : e0> (stress units)."""
    eigenstrain = material.eigenstrain
    return 0.0 if eigenstrain is None else float(dot(stress, eigenstrain).mean())


def energy_error(
    body: Microstructure,
    fields: tuple[np.ndarray, np.ndarray],
    exact: tuple[np.ndarray, np.ndarray],
) -> float:
    """sqrt of (|e - e*|^2_C + |s - s*|^2_C^-1) / (|e|^2_C + |s|^2_C^-1).

    Of admissible fields, without eigenstrain, it is their certificate (hypercircle).

    Parameters
    ----------
    body
        With stiffness, and without pores.
    fields, exact
        Strain and stress, and those of the solution, Mandel (6, x, y, z), stress in the
        unit of the stiffness.
    """
    assert body.stiffness is not None
    error = size = 0.0
    for p in body.phases:
        C, place = body.stiffness[p], body.phase == p
        for metric, field, reference in zip(
            (C, np.linalg.inv(C)), fields, exact, strict=True
        ):
            gap = field[:, place] - reference[:, place]
            error += np.einsum("in,ij,jn", gap, metric, gap)
            size += np.einsum("in,ij,jn", field[:, place], metric, field[:, place])
    return float(np.sqrt(error / size)) if size > 0 else float("nan")
