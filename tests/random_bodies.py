"""Random bodies and loads, and their solutions to judge certificates by."""

import numpy as np

from fftmech import Grid, Load, Microstructure, discretization
from fftmech.arrays.backend import cpu_backend
from fftmech.problems.admissible_fields import admissible_strain, admissible_stress
from fftmech.problems.certificate import certify
from fftmech.problems.linear import Problem
from fftmech.solvers import get_solver
from fftmech.solvers.iteration import iterate
from fftmech.tensors import COMPONENTS
from fftmech.tensors.fields import dot


def random_stiffness(rng, stiffness):
    """Anisotropic, eigenvalues up to a factor of ten apart around a stiffness."""
    Q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    C = (Q * stiffness * 10.0 ** rng.uniform(-0.5, 0.5, 6)) @ Q.T
    return (C + C.T) / 2


def random_body(rng, shape, contrast):
    """Two to five anisotropic phases, in voxels or in blocks, of a contrast."""
    count = int(rng.integers(2, 6))
    stiffness = contrast ** np.append([0.0, 1.0], rng.uniform(0, 1, count - 2))
    phase = rng.integers(0, count, shape)
    if rng.random() < 0.5:
        for axis, n in enumerate(shape):
            phase = phase.take(np.arange(n) // 2, axis)
    C = np.array([random_stiffness(rng, k) for k in stiffness])
    return Microstructure(Grid(shape), phase, C)


def random_load(rng, size=1e-3):
    """Mean strains, or mean stresses of some components; never all zero."""
    values = size * rng.normal(size=6)
    free = rng.random(6) < rng.choice([0.0, 0.3, 0.8])
    free[rng.integers(6)] = False
    given = dict(zip(COMPONENTS, values, strict=True))
    strain = {c: e for (c, e), f in zip(given.items(), free, strict=True) if not f}
    return Load(strain, {c: 0.0 for c in COMPONENTS if c not in strain})


def problem_of(body, load, scheme):
    """By the reference code, as a certificate needs it."""
    return Problem(body, load, discretization(scheme), cpu_backend(1), kernels=False)


class Solution:
    """Strain and stress of a problem, with what is certified of them.

    All else is judged beside that: a certificate is broken where no solution within
    these bounds obeys it.
    """

    def __init__(self, problem, fields=None):
        self.problem = problem
        if fields is None:
            v = iterate(problem, get_solver("cg"), problem.zeros(), 1e-14, 20000)[0]
            strain = problem.strain(v)
            fields = strain, problem.stress(strain)
        self.strain = admissible_strain(problem, fields[0])
        self.stress = admissible_stress(problem, fields[1])
        self.certificate = certify(problem, self.strain, self.stress)

    def error(self, strain, stress):
        """sqrt of both energy errors, added."""
        known = self.strain, self.stress
        if len(strain) < len(self.strain):
            # averages over the points of a voxel have no more error than the points
            known = (f.mean(axis=0, keepdims=True) for f in known)
        e, s = (a - b for a, b in zip((strain, stress), known, strict=True))
        material = self.problem.material
        square = dot(e, material.tangent(e)) + dot(s, material.compliance.apply(s))
        return float(square.mean() / 2) ** 0.5

    def size(self, strain, stress):
        """sqrt of both energies, added."""
        material = self.problem.material
        energy = material.energy(strain) + material.conjugate_energy(stress)
        return float(energy.mean()) ** 0.5

    def broken(self, strain, stress, certificate):
        """What is wrong with the certificate of fields; and error over certificate."""
        known, said = self.certificate, []
        strain, stress = (f.astype(float) for f in (strain, stress))
        error, own = self.error(strain, stress), known.gap**0.5
        if error - own > certificate.gap**0.5:
            said.append(f"error {error:.3e} > {certificate.gap**0.5:.3e}")
        relative = (error - own) / self.size(strain, stress)
        whole = len(strain) == len(self.strain)
        if whole and relative > certificate.relative * (1 + 1e-12):
            said.append(f"relative error {relative:.14e} > {certificate.relative:.14e}")
        if certificate.energy_lower > known.energy_upper:
            said.append("lower > true")
        if certificate.energy_upper < known.energy_lower:
            said.append("upper < true")
        return said, max(error - own, 0.0) / certificate.gap**0.5


def random_pair(rng, solution, inadmissible):
    """Fields at random distances of the solution, with an inadmissible part."""
    problem, shape = solution.problem, solution.strain.shape

    def noise(field, least, most):
        size = abs(field).max() * 10 ** rng.uniform(least, most)
        return size * rng.normal(size=shape)

    strain = solution.strain + noise(solution.strain, -9, 0.5)
    stress = solution.stress + noise(solution.stress, -9, 0.5)
    pair = [admissible_strain(problem, strain), admissible_stress(problem, stress)]
    for i in range(2):
        if inadmissible and rng.random() < 0.8:
            pair[i] = pair[i] + noise(pair[i], -12, -1)
        if rng.random() < 0.3:
            pair[i] = pair[i].astype(np.float32)
    return tuple(pair)
