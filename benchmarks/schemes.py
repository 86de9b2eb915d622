"""Which scheme has the least error of its fields for the time that it takes.

    pip install . -r benchmarks/requirements.txt
    python benchmarks/schemes.py [PART ...] [--ct FILE] [--page docs/which-scheme.md]

Parts, all if none is named:

drawn   linear bodies drawn on a grid four times as fine as the measured one, and
        coarsened by majority, as `--res` does
split   linear bodies drawn on the measured grid, whose voxels are split in the finer
        ones: the geometry is the same; with --ct also a window of a CT image of 128^3
        uint8, 0 a pore
laws    plasticity, creep and finite strain, drawn on the fine grid

The reference favours no scheme: solutions on the fine grid and on one half as fine, by
`rotated` (one integration point) and by the hexahedron with eight (`bbar`; `hex8` at
finite strain), each averaged over the voxels of the measured grid, extrapolated at
first order, 2 f(h/4) - f(h/2), and the mean of the two. The distance of the two from it
is printed beside the errors: closer than that nothing can be told.

An error is the root mean square over solid voxels of the difference of all components
over that of the reference from its mean. Time is that of one processor for the solve at
twice the measured resolution, the median of solves in turns, precision and tolerance as
they are by default. "Equal
time" charges a scheme for it: with p the order of the error, measured from half the
resolution (split bodies: to twice), a scheme that takes k times as long as `rotated`
could have been given a grid coarser by k^(1/3), whose error is k^(p/3) times as large.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from machine import fill, table

from fftmech import SCHEMES, FiniteLoad, Grid, Load, Microstructure, solve
from fftmech.errors import InputError
from fftmech.io import read
from fftmech.materials import PORE, isotropic
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.plasticity import Plasticity
from fftmech.microstructure import inclusions, polycrystal, resample
from fftmech.microstructure.inclusions import sphere

MATRIX = isotropic(E=1.0, nu=0.3)
STRETCH = Load(strain={"xx": 1e-3, "xy": 5e-4})
REPEATS, LONG = 7, 3.0
"""Solves whose time is measured, if they take no more than so many seconds."""

RADIUS = 0.29
"""Of the sphere, box edges: a tenth of the volume."""


class Case(NamedTuple):
    """A body to be measured at `size` voxels an edge."""

    name: str
    body: Callable[[int], Microstructure]
    load: Load | FiniteLoad
    size: int
    split: bool = False


def linear(split: bool) -> Iterator[Case]:
    """Linear elastic bodies."""
    yield Case("polycrystal, 24 grains of steel", _grains, STRETCH, 32, split)
    for times in (10.0, 100.0, 1000.0, 0.1, 0.01, 0.001):
        yield Case(
            f"sphere, contrast {times:g}",
            lambda n, t=times: sphere(n, RADIUS, MATRIX, t * MATRIX),
            STRETCH,
            32,
            split,
        )
    yield Case("pore", lambda n: sphere(n, RADIUS, MATRIX, PORE), STRETCH, 32, split)
    yield Case("fibre composite, 2-D, contrast 50", _fibres, STRETCH, 64, split)


def window(image: Path) -> Case:
    """A part of a CT image."""
    solid = read(image, shape=(128,) * 3, dtype="uint8").phase[:32, :32, :32] > 0
    body = Microstructure(Grid(solid.shape), solid, np.stack([PORE, MATRIX]))
    return Case("window of a CT image", lambda _: body, STRETCH, 32, split=True)


def laws() -> Iterator[Case]:
    """Bodies that are not linear."""
    yield Case("plasticity around a pore", _plastic, _load(0.002), 12)
    yield Case("creeping polycrystal, n = 5", _creeping, _load(1e-3), 12)
    yield Case(
        "finite strain, contrast 10",
        lambda n: sphere(n, RADIUS, MATRIX, 10 * MATRIX),
        FiniteLoad(F={"xx": 1.1, "xy": 0.1}),
        16,
    )


PARTS = {
    "drawn": lambda: linear(split=False),
    "split": lambda: linear(split=True),
    "laws": laws,
}


def _load(size: float) -> Load:
    return Load(strain={"xx": size, "yy": -size / 2, "zz": -size / 2, "xy": size / 2})


def _grains(n: int) -> Microstructure:
    return polycrystal(n, grains=24, seed=0)


def _fibres(n: int) -> Microstructure:
    return inclusions((n, n, 1), 0.4, 0.08, MATRIX, 50 * MATRIX, seed=1)


def _plastic(n: int) -> Microstructure:
    body = sphere(n, RADIUS, isotropic(E=200.0, nu=0.3), PORE)
    return body.with_changes(law={0: Plasticity(yield_stress=0.2, hardening=2.0)})


def _creeping(n: int) -> Microstructure:
    body = polycrystal(n, grains=8, seed=0)
    law = CrystalCreep(bulk=1e3, tau0=0.01, rate0=1e-3, exponent=5.0)
    grains = {int(p): law for p in body.phases}
    return body.with_changes(stiffness=None, law=grains)


def averaged(field: np.ndarray, size: int) -> np.ndarray:
    """Means over the voxels of a grid with `size` along x; (6, ...) both."""
    k = field.shape[1] // size
    for axis in (1, 2, 3):
        if field.shape[axis] > 1:
            shape = list(field.shape)
            shape[axis : axis + 1] = [shape[axis] // k, k]
            field = field.reshape(shape).mean(axis=axis + 1)
    return field


class Measured(NamedTuple):
    """Strain and stress, iterations, processor time."""

    strain: np.ndarray
    stress: np.ndarray
    iterations: int
    time: float


def measured(body: Microstructure, load: Any, scheme: str, **how) -> Measured | None:
    """Solve, or None where the scheme cannot."""
    if scheme == "fourier" and len(body.pores):
        return None
    try:
        started = time.process_time()
        result = solve(body, load, scheme=scheme, threads=1, certificate=False, **how)
        took = time.process_time() - started - result.times.get("compile", 0.0)
    except InputError:
        return None
    if not result.converged:
        return None
    count = result.linear_iterations or result.iterations
    return Measured(result.strain, result.stress, count, took)


def coarse(case: Case, n: int) -> Microstructure:
    """The body on n voxels an edge: the fine one coarsened, or the measured split."""
    drawn = case.size if case.split else 4 * case.size
    body = case.body(drawn)
    shape = tuple(m if m == 1 else m * n // drawn for m in body.grid.shape)
    return resample(body, shape)


def reference(case: Case, sizes: Sequence[int]) -> dict[int, list]:
    """Strain and stress by two schemes, [scheme][field], by voxels an edge."""
    many = "hex8" if isinstance(case.load, FiniteLoad) else "bbar"
    both: dict[int, list] = {n: [] for n in sizes}
    for scheme in ("rotated", many):
        ends = []
        for fine in (4 * case.size, 2 * case.size):
            found = measured(coarse(case, fine), case.load, scheme)
            assert found is not None, f"{case.name}: no reference with {scheme}"
            ends.append(found[:2])
        for n in sizes:
            means = [[averaged(f, n) for f in end] for end in ends]
            both[n].append([2 * a - b for a, b in zip(*means, strict=True)])
    return both


def distance(a: np.ndarray, b: np.ndarray, solid: np.ndarray) -> float:
    """Root mean square of a - b over that of b from its mean, on solid voxels."""
    a, b = a[:, solid], b[:, solid]
    spread = b - b.mean(axis=1, keepdims=True)
    return float(np.linalg.norm(a - b) / np.linalg.norm(spread))


class Row(NamedTuple):
    """One scheme on one body."""

    strain: float
    stress: float
    iterations: int
    time: float
    order: float


def rows(case: Case) -> tuple[dict[str, Row | None], tuple[float, float]]:
    """Errors by scheme, and how uncertain the reference of strain and stress is."""
    sizes = (case.size, 2 * case.size) if case.split else (case.size // 2, case.size)
    exact = reference(case, sizes)
    bodies = {n: coarse(case, n) for n in {*sizes, 2 * case.size}}
    solids = {n: ~np.isin(b.phase, b.pores) for n, b in bodies.items()}
    times = timed(case, bodies[2 * case.size])
    found: dict[str, Row | None] = {}
    for scheme in SCHEMES:
        runs = [measured(bodies[n], case.load, scheme) for n in sizes]
        if scheme not in times or None in runs:
            found[scheme] = None
            continue
        errors = [
            [
                distance(getattr(run, name), (a + b) / 2, solids[n])
                for name, a, b in zip(("strain", "stress"), *exact[n], strict=True)
            ]
            for n, run in zip(sizes, runs, strict=True)
        ]
        first, second = (np.sqrt(np.prod(pair)) for pair in errors)
        strain, stress = errors[sizes.index(case.size)]
        order = float(np.log2(first / second))
        found[scheme] = Row(strain, stress, *times[scheme], order)
    one, other = exact[case.size]
    doubt = [
        distance((a + b) / 2, a, solids[case.size])
        for a, b in zip(one, other, strict=True)
    ]
    return found, (doubt[0], doubt[1])


def timed(case: Case, body: Microstructure) -> dict[str, tuple[int, float]]:
    """Iterations and time by scheme: medians of solves in turns, one of long ones."""
    runs: dict[str, list[Measured]] = {}
    left = list(SCHEMES)
    for _ in range(REPEATS):
        for scheme in tuple(left):
            run = measured(body, case.load, scheme)
            if run is not None:
                runs.setdefault(scheme, []).append(run)
            if run is None or run.time > LONG:
                left.remove(scheme)
    return {
        scheme: (found[0].iterations, statistics.median(run.time for run in found))
        for scheme, found in runs.items()
    }


def at_equal_time(row: Row, other: Row) -> tuple[float, float]:
    """Errors of strain and stress with the time of another scheme, over its errors."""
    order = min(max(row.order, 0.0), 2.0)
    charge = (row.time / other.time) ** (order / 3)
    return charge * row.strain / other.strain, charge * row.stress / other.stress


def report(measured_rows: list, base: str = "rotated") -> str:
    """Errors by body and scheme; below, geometric means of the errors at equal time."""
    lines, equal = [], {scheme: [] for scheme in SCHEMES}
    for name, found, doubt in measured_rows:
        entries = []
        for scheme in SCHEMES:
            row = found[scheme]
            if row is None:
                entries.append("-")
                continue
            ratio = row.time / found[base].time
            entries.append(
                f"{row.strain:.3f} / {row.stress:.3f}, {row.iterations}, {ratio:.2f}"
            )
            equal[scheme].append(at_equal_time(row, found[base]))
        lines.append((name, *entries, f"{doubt[0]:.3f} / {doubt[1]:.3f}"))
    ends = []
    for pairs in equal.values():
        if not pairs:
            ends.append("-")
            continue
        strain, stress = np.exp(np.mean(np.log(pairs), axis=0))
        ends.append(f"**{strain:.2f} / {stress:.2f}** ({len(pairs)})")
    lines.append(("all, at equal time, of rotated's error", *ends, ""))
    return table(("body", *SCHEMES, "reference"), lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--ct", type=Path, help="128^3 uint8 image, 0 = pore")
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    for part in options.parts or PARTS:
        cases = list(PARTS[part]())
        if part == "split" and options.ct:
            cases.append(window(options.ct))
        found = []
        for case in cases:
            for scheme in SCHEMES:  # compile before the clock starts
                measured(coarse(case, 8), case.load, scheme)
            found.append((case.name, *rows(case)))
            print(report(found[-1:]), flush=True)
        print(report(found))
        if options.page:
            fill(options.page, f"schemes {part}", report(found))


if __name__ == "__main__":
    main()
