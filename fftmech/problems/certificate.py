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
from typing import Any

import numpy as np

from fftmech.arrays.backend import to_numpy
from fftmech.materials.base import Material
from fftmech.microstructure.base import Microstructure
from fftmech.problems.admissible_fields import (
    Pair,
    admissible_strain,
    admissible_stress,
    changed,
    eigenvalues,
    in_double,
    not_admissible,
    projection_rounding,
    root_mean_square,
    rounded,
)
from fftmech.problems.duality_gap import (
    changed_energies,
    eigenstrain_work,
    gap_by_work,
    mean_on_host,
)
from fftmech.problems.linear import Problem
from fftmech.problems.nonlinear import TimeStep
from fftmech.problems.potential import FieldPotential, Potential
from fftmech.problems.rounding import is_rounding


@dataclass(frozen=True)
class Certificate:
    """A guaranteed error.

    Attributes
    ----------
    gap
        At least the energy error of the strain plus the complementary energy error of
        the stress (stress units); None where it does not exist.
    relative
        sqrt(gap / <w(e) + w*(s) - s : e0>), the error relative to the norms of the
        elastic strain and the stress, or None.
    energy_upper, energy_lower
        They bracket the potential energy of the solution: W(e) = <w(e)> - S : <e> over
        the free components, and -W*(s), of admissible fields (stress units).
    reason
        Why there is no gap, else "".
    """

    gap: float | None
    relative: float | None
    energy_upper: float | None
    energy_lower: float | None
    reason: str = ""

    @classmethod
    def none(cls, reason: str) -> "Certificate":
        """There is none."""
        return cls(None, None, None, None, reason)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def certify(problem: Problem | TimeStep, strain: Any, stress: Any) -> Certificate:
    """Bound the error of a strain and a stress, whatever made them.

    Both are projected on admissible fields in double precision. The duality gap is the
    error of these; what the projection changed is added to it, and what rounding may
    have left. The energies are those of the projected fields.

    Parameters
    ----------
    problem
        What the fields claim to solve: linear elasticity, or a step of a body with a
        convex potential (`certify_increment`).
    strain
        Mandel, (q, 6, x, y, z). Of a body with rates only, the strain rate.
    stress
        Mandel, (q, 6, x, y, z).

    Returns
    -------
    Certificate
        None, with a reason, of fields that are not finite, or that the projection
        changes by more than `MOST_CHANGED`.
    """
    reason = no_potential(problem) if isinstance(problem, TimeStep) else ""
    if reason:
        return Certificate.none(reason)
    problem = in_double(problem)
    xp = problem.backend.xp
    strain, stress = (xp.asarray(f, dtype=np.float64) for f in (strain, stress))
    if not bool(xp.isfinite(strain).all() and xp.isfinite(stress).all()):
        return Certificate.none(_NOT_FINITE)
    admissible = admissible_strain(problem, strain), admissible_stress(problem, stress)
    if len(problem.microstructure.pores):
        # a projection fills pores with stress: this one has to be in balance as it is
        missing = root_mean_square(admissible[1] - stress)
        if missing > projection_rounding(problem) * root_mean_square(stress):
            return Certificate.none(_PORES)
        admissible = admissible[0], stress
    return _bound(problem, (strain, stress), admissible)


def certify_solution(
    problem: Problem, v: Any, balance: tuple[np.ndarray, Any] | None = None
) -> Certificate:
    """Certify a solver's iterate: its strain e, and its stress C e.

    The duality gap is that of e and the stress made equilibrated (C0^-1 norm). Twice
    that bounds the error of e and C e, each of which is the error of e. Where there are
    pores the equilibrated stress does not vanish in them, and the certificate says that
    it does not exist. `balance` is `Problem.balance` of v, if it is known: its
    residual is overwritten.
    """
    if len(problem.microstructure.pores):
        return Certificate.none(_PORES)
    if problem.kernels is not None:
        balance = balance or problem.balance(v, problem.search)
        energy, gap, none = gap_by_work(problem, v, *balance)
    else:
        strain = problem.strain(v)
        stress = problem.stress(strain)
        fields = [(slice(None), strain, stress)]
        none = is_rounding(problem, problem.microstructure, fields)
        stress = admissible_stress(problem, stress)
        energy = float(problem.material.energy(strain).mean())
        gap = float(problem.material.gap(strain, stress).mean())
    # e is compatible as it is: rounding is that of C e, at each voxel
    least, most = eigenvalues(problem.microstructure)
    rounding = 16 * float(np.finfo(problem.precision).eps * (most / least).max())
    left = rounding**2 * energy
    error = 2 * (max(gap, 0.0) ** 0.5 + left**0.5) ** 2
    E = to_numpy(problem.mean_strain(v)).astype(float)
    upper = energy - float(problem.load.mean_stress @ E)
    # where rounding leaves nothing of the energy, it does not make the error small
    relative = error, max(2 * energy, error)
    certificate = _certificate(problem, upper, gap, relative, 2 * rounding * energy)
    # a stress that is rounding has no size to compare its error with
    return replace(certificate, relative=0.0) if none else certificate


def certify_increment(problem: TimeStep) -> Certificate:
    """Certify the last evaluation of a small-strain step whose potential is convex.

    The pair is its strain and the equilibrated stress nearest to its stress. Of a body
    with rates only, w is a potential of the strain rate, and the gap is the
    error in it; of crystals it is that with the slip resistances of the step, which are
    those that it ended with where they harden within it. A body that has pores,
    remembers its history otherwise or is strained finitely has no certificate.
    """
    reason = no_potential(problem)
    if reason:
        return Certificate.none(reason)
    last = problem.last
    assert last is not None
    strain = last.strain
    if problem.material.rate:
        strain = (strain - problem.start.strain) / problem.dt
    pair = strain, admissible_stress(problem, last.stress)
    return _bound(problem, pair, pair)


def no_potential(problem: TimeStep) -> str:
    """Why a step of a body has no convex potential and its conjugate, or ""."""
    if problem.kinematics.finite:
        return _NOT_CONVEX
    if len(problem.microstructure.pores):
        return _PORES
    material = problem.material
    states = zip(material.materials, problem.start.state[0], strict=True)
    if not material.rate and any(
        law.variables and law.inelastic_strain(own) is None for law, own in states
    ):
        return _HISTORY
    names = "energy", "conjugate_energy"
    known = [getattr(type(law), n) for law in material.materials for n in names]
    if any(getattr(Material, name) in known for name in names):
        return _NOT_KNOWN
    return ""


FACES = "the box has faces, and only periodic boxes have a certificate"
_NOT_FINITE = "the fields are not finite, or their energy is not"
_ROUNDED = "rounding is as large as the fields"
_NOT_CONVEX = "the body has no convex potential"
_NOT_KNOWN = "a law of the body has no convex potential and its conjugate"
_HISTORY = "the body remembers its history"
_PORES = "the body has pores, where it needs a stress that vanishes"

MOST_CHANGED = 0.01
"""Largest part of fields, in the norm of energy, that may not be admissible."""


def _bound(problem: Problem | TimeStep, given: Pair, admissible: Pair) -> Certificate:
    """Bound the error of given fields by the gap of admissible ones near them."""
    strain, stress = admissible
    potential: Potential = (
        problem.material
        if isinstance(problem, Problem)
        else _step_potential(problem, stress)
    )
    w, w_star = potential.energy(strain), potential.conjugate_energy(stress)
    if not bool(problem.backend.xp.isfinite(w_star).all()):
        pores = len(problem.microstructure.pores) > 0
        return Certificate.none(_PORES if pores else _NOT_FINITE)
    # voxel by voxel, so that a small gap is not the difference of large numbers
    gap = float(potential.gap(strain, stress).mean())
    # both energies of the elastic parts alone: s : e0 may have either sign
    total = float(w.mean() + w_star.mean()) - eigenstrain_work(potential, stress)
    upper = float(w.mean()) - float(problem.load.mean_stress @ mean_on_host(strain))
    if isinstance(problem, Problem):
        taken, left = changed(problem, given, admissible), rounded(problem, admissible)
        error = sum(max(part, 0.0) ** 0.5 for part in (gap, taken, left)) ** 2
        size = max(max(total, 0.0) ** 0.5 - taken**0.5 - left**0.5, 0.0) ** 2
        doubt = 2 * (left * max(total, 0.0)) ** 0.5 + left
        part = taken / MOST_CHANGED**2
    else:
        taken = changed_energies(problem, potential, given, admissible)
        doubt = projection_rounding(problem)
        doubt *= root_mean_square(strain) * root_mean_square(stress)
        error, size = max(gap, 0.0) + taken + doubt, total - taken
        part = taken / MOST_CHANGED
    if part > total:
        return Certificate.none(not_admissible(given, admissible))
    if size <= _no_energy(problem) < total:
        return Certificate.none(_ROUNDED)
    return _certificate(problem, upper, gap, (error, size), doubt)


def _step_potential(problem: TimeStep, stress: Any) -> FieldPotential:
    """Potentials with the hardening that a step was solved with, near a stress."""
    material, state = problem.material, problem.start.state
    if problem.last is not None:
        state = material.for_potentials(state, problem.last.state)
    return FieldPotential(material, state, problem.dt, near=stress)


def _certificate(
    problem: Problem | TimeStep,
    upper: float,
    gap: float,
    relative: tuple[float, float],
    doubt: float,
) -> Certificate:
    """Certificate of an error relative to a size, with the energies of a gap below.

    `upper` and `upper - gap` are the energies of admissible fields, but for `doubt`.
    """
    error, size = relative
    scale, load = problem.scale, problem.load
    loaded = bool(abs(load.mean_strain).max() + abs(load.mean_stress).max() > 0)
    if not np.isfinite([upper, gap, error, scale]).all() or (
        # energies of tiny loads are zero
        loaded and scale < 1e-280 and not isinstance(problem, TimeStep)
    ):
        return Certificate.none(_NOT_FINITE)
    # a stress-free body has no size to compare with but rounding's
    return Certificate(
        error,
        float(np.sqrt(error / size)) if size > _no_energy(problem) else 0.0,
        upper + doubt,
        upper - max(gap, 0.0) - doubt,
    )


def _no_energy(problem: Problem | TimeStep) -> float:
    """Energy that is no more than rounding of the load's (stress units)."""
    return (100 * float(np.finfo(problem.precision).eps)) ** 2 * problem.scale


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
