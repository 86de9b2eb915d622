"""The bodies that benchmarks solve, and the file that carries one between processes."""

from pathlib import Path

import numpy as np

CASES = ("polycrystal", "contrast 10", "pore")
"""24 grains of austenitic steel; a sphere ten times as stiff as the matrix; a pore of
10 % in its place."""

FRACTION = 0.1
RADIUS = (3 * FRACTION / (4 * np.pi)) ** (1 / 3)


def body(case: str, n: int, seed: int = 0):
    """Microstructure of a case on n^3 voxels."""
    from fftmech.materials import PORE, isotropic
    from fftmech.microstructure import polycrystal, sphere

    if case == "polycrystal":
        return polycrystal(n, grains=24, seed=seed)
    matrix = isotropic(E=1, nu=0.3)
    inclusion = PORE if case == "pore" else isotropic(E=10, nu=0.3)
    return sphere(n, RADIUS, matrix, inclusion)


def write(path: str | Path, case: str, n: int) -> None:
    """Make a body and write it, so that the process that solves has not made it."""
    made = body(case, n)
    np.savez(path, phase=made.phase, stiffness=made.stiffness)


def read(path: str | Path):
    """Microstructure that `write` wrote."""
    from fftmech import Grid, Microstructure

    with np.load(path) as arrays:
        phase, stiffness = arrays["phase"], arrays["stiffness"]
    return Microstructure(Grid(phase.shape), phase, stiffness)
