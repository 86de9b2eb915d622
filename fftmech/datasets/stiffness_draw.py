"""Random stiffnesses of phases, which networks of laminates learn from."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from fftmech.errors import InputError
from fftmech.materials.elastic import orthotropic_moduli
from fftmech.microstructure.base import Microstructure
from fftmech.simulations.method import Method
from fftmech.tensors import J, K, matrix_from_quaternion, rotate_stiffness

MOST_PHASES = 8
"""Of a body whose phases are materials, not grains."""

FLOW = 2.5, 1.0
"""Decades that the shear modulus of a solid that flows falls by, and those that it
falls by along its flow beyond that."""


@dataclass(frozen=True)
class Pairs:
    """How stiffnesses are drawn and solved.

    Pairs of even numbers are orthotropic: Young's moduli are 10^u with u uniform in
    [-1, 1], brought to geometric mean 1; shear moduli G_ij / sqrt(E_i E_j) are uniform
    in [1/4, 1/2], Poisson's ratios nu_ij sqrt(E_j / E_i) in [0, 1/2], axes along the
    box (a crystal's: its own).

    Pairs of odd numbers are tangents of solids that flow: E is 1, Poisson's ratio
    uniform in [0, 0.45], and of every other phase, at random, the shear modulus falls
    by a factor between 1 and 1/300, whose logarithm is uniform, and along a random
    deviator by another one between 1 and 1/10. Without them a network hardly learns
    how phases flow that keep their volume.

    Means of the phases after the first have a ratio to its mean whose logarithm is
    uniform, of tangents in half as many decades.

    Parameters
    ----------
    seed
        Pair i depends on the seed and i alone.
    contrast
        Least and largest ratio of means.
    scheme, tolerance, max_iterations
        Of `fftmech.homogenize`; the stiffness is right to the tolerance squared.
    """

    seed: int = 0
    contrast: tuple[float, float] = (1e-3, 1e3)
    scheme: str = "rotated"
    tolerance: float = 1e-4
    max_iterations: int = 2000

    def __post_init__(self) -> None:
        low, high = self.contrast
        if not 0 < low <= high < np.inf:
            raise InputError(f"contrast {low:g} to {high:g}", "0 < low <= high")
        # refuses what no solve can use
        Method(
            scheme=self.scheme,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
        )

    def draw(self, index: int, phases: int) -> np.ndarray:
        """Stiffness of each phase of pair `index`, Mandel (phases, 6, 6)."""
        random = Generator(PCG64(SeedSequence(self.seed, spawn_key=(index,))))
        low, high = np.log(self.contrast) / (1 + index % 2)
        means = np.exp(random.uniform(low, high, phases))
        means[0] = 1.0
        draw = _flowing if index % 2 else _orthotropic
        return np.stack([mean * draw(random) for mean in means])


def _orthotropic(random: Generator) -> np.ndarray:
    """A stiffness whose Young's moduli have the geometric mean 1, Mandel (6, 6)."""
    logarithms = random.uniform(-1, 1, 3)
    E1, E2, E3 = E = 10 ** (logarithms - logarithms.mean())
    pairs = ((0, 1), (0, 2), (1, 2))
    nu = [random.uniform(0, 0.5) * np.sqrt(E[i] / E[j]) for i, j in pairs]
    G = [random.uniform(0.25, 0.5) * np.sqrt(E[i] * E[j]) for i, j in pairs]
    return orthotropic_moduli(E1, E2, E3, *nu, *G)


def _flowing(random: Generator) -> np.ndarray:
    """An isotropic stiffness of E = 1, or the tangent of one that flows."""
    nu = random.uniform(0, 0.45)
    bulk, shear = 1 / (3 * (1 - 2 * nu)), 1 / (2 * (1 + nu))
    across, along = 10 ** -random.uniform(0, FLOW)
    direction = K @ random.standard_normal(6)
    direction /= np.linalg.norm(direction)
    if random.random() < 0.5:
        across = along = 1.0
    softer = K - (1 - along) * np.outer(direction, direction)
    return 3 * bulk * J + 2 * shear * across * softer


class Inputs(NamedTuple):
    """Whose stiffnesses are drawn, of a body.

    Attributes
    ----------
    phases
        Ids of the phases that have one each, or of all grains of a polycrystal.
    pores
        Which of them are pores.
    rotation
        R with v_sample = R v_crystal of the grains, (N, 3, 3), or None.
    """

    phases: np.ndarray
    pores: np.ndarray
    rotation: np.ndarray | None

    @classmethod
    def of(cls, body: Microstructure) -> "Inputs":
        """Those of a body.

        Raises
        ------
        InputError
            One phase, nothing but pores, or too many phases without orientation.
        """
        phases = body.phases
        if len(phases) < 2:
            raise InputError(f"{len(phases)} phase", "a body of two phases or more")
        if len(body.oriented) == len(phases):
            assert body.orientation is not None
            rotation = matrix_from_quaternion(body.orientation[phases])
            return cls(phases, np.array([False]), rotation)
        if len(phases) > MOST_PHASES:
            raise InputError(
                f"{len(phases)} phases, not all with an orientation",
                f"at most {MOST_PHASES} phases, or grains with orientations",
            )
        pores = np.isin(phases, body.pores)
        if pores[0] or pores.all():
            raise InputError(
                f"phase {phases[0]} is a pore",
                "a solid as the phase of the least id",
                "number the phases the other way round",
            )
        return cls(phases, pores, None)

    @property
    def count(self) -> int:
        """Number of stiffnesses that are drawn."""
        return 1 if self.rotation is not None else len(self.phases)

    def table(self, drawn: np.ndarray) -> np.ndarray:
        """Stiffness by phase id of what was drawn, Mandel (max id + 1, 6, 6)."""
        table = np.full((int(self.phases[-1]) + 1, 6, 6), np.nan)
        if self.rotation is not None:
            table[self.phases] = rotate_stiffness(drawn[0], self.rotation)
        else:
            table[self.phases] = drawn
        return table
