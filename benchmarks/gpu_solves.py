"""What gpu.py measures of the solver: operators, iterations, a whole solve."""

import importlib
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import bodies
import numpy as np

if TYPE_CHECKING:
    from gpu_parts import Bench

DEVIATION = {"double": 1e-11, "single": 2e-5}
"""Largest deviation from the CPU's result, relative to the largest value."""

MOVED = {"double": 580, "mixed": 316, "single": 292}
"""Bytes a voxel that an iteration of `cg` moves: `fftmech.kernels.gpu`."""

PASSES = {"operator": 28, "residual": 132, "direction": 156, "dot": 24}
"""The same by pass, in `mixed`; each transform is a half of a pair's 144."""

HELD = {"cg": {"double": 220, "mixed": 140, "single": 130}, "dual": {"double": 690}}
"""Bytes a voxel of device memory, to skip what cannot fit: estimates, rounded up."""

ITERATIONS = 12


def operators(bench: "Bench") -> None:
    """Every scheme against the reference code on the CPU, in both precisions."""
    from fftmech import SCHEMES

    shapes = [(6, 5, 7)] if bench.dry else [(32, 33, 31), (64, 48, 1)]
    for shape in shapes:
        for scheme in SCHEMES:
            for precision in DEVIATION:
                what = {"scheme": scheme, "precision": precision, "shape": shape}
                bench.row(lambda what=what: _deviations(**what), **what)


def _deviations(scheme: str, precision: str, shape: tuple) -> dict[str, Any]:
    """Largest deviations of one body's operators, relative to the largest values."""
    from fftmech import SCHEMES, Grid, Load
    from fftmech.arrays.backend import cpu_backend, to_numpy
    from fftmech.problems.linear import Problem
    from fftmech.simulations.method import Method
    from fftmech.simulations.prepare import prepare

    rng = np.random.default_rng(0)
    body = bodies.body("polycrystal", 8)
    grid = Grid(shape, (1.0, 0.5, 0.7))
    phase = rng.integers(0, len(body.stiffness), shape)
    body = body.with_changes(grid=grid, phase=phase, orientation=None)
    load = Load(strain={"xx": 1e-3}, stress={"yy": 0.0})
    method = Method(scheme=scheme, precision=precision, device="cuda")
    made = prepare(body, load, method)
    ours = made.problem
    ours.search = ours.precision
    compiled = made.compile_time + ours.prepare(made.solver.mixed)
    exact = Problem(
        *(body, load, SCHEMES[scheme], cpu_backend()),
        reference=ours.reference,
        kernels=False,
    )
    v = rng.normal(size=exact.zeros().size)
    mine, theirs = (_results(p, p.asarray(v)) for p in (ours, exact))
    deviation = {
        name: float(abs(to_numpy(mine[name]) - value).max() / abs(value).max())
        for name, value in theirs.items()
    }
    worst = max(deviation.values())
    right = worst <= DEVIATION[precision]
    return {"deviation": deviation, "worst": worst, "right": right, "compile": compiled}


def _results(problem: Any, v: Any) -> dict[str, Any]:
    stress, residual = problem.balance(v)
    product, _ = problem.curvature(v)
    strain, local, energy = problem.solution(v, stress).planes(slice(None))
    return {
        "mean stress": stress,
        "residual": residual,
        "product": product,
        "inverse": problem.precondition(residual),
        "strain": strain,
        "stress": local,
        "energy": energy,
    }


def solves(bench: "Bench") -> None:
    """A whole solve beside the CPU's; iterations beside cuFFT's pair and a copy."""
    size = 2**15 if bench.dry else 2**28
    bench.row(lambda: {"bandwidth": bandwidth(bench, size)}, what="copy")
    n = 8 if bench.dry else 128
    bench.row(lambda: _passes(bench, n), what="passes", n=n)
    bench.row(lambda: _whole(n), what="solve", n=n)
    sizes = (8,) if bench.dry else (128, 256, 384, 512)
    for n in sizes:
        for dtype in ("float32", "float64"):
            bench.row(
                lambda n=n, t=dtype: {"pair": pair(bench, n, t)},
                **{"what": "pair", "n": n, "dtype": dtype},
            )
        for solver, scheme in (("cg", "rotated"), ("cg", "bbar"), ("dual", "rotated")):
            for precision in HELD[solver]:
                what = {"n": n, "solver": solver, "scheme": scheme}
                what |= {"precision": precision, "what": "iteration"}
                needed = n**3 * HELD[solver][precision]
                free = bench.xp.cuda.runtime.memGetInfo()[0]
                if needed > free:
                    text = f"needs about {needed / 2**30:.0f} GiB, {free / 2**30:.0f} "
                    bench.emit(what | {"skipped": text + "GiB are free"})
                    continue
                bench.row(lambda what=what: iteration(bench, **what), **what)


def bandwidth(bench: "Bench", size: int) -> float:
    """GB/s of a copy, bytes read and written."""
    a = bench.xp.zeros(size, np.float32)
    b = bench.xp.empty_like(a)

    def copy() -> None:
        b[...] = a

    return 2e-9 * a.nbytes / bench.best(copy)


def pair(bench: "Bench", n: int, dtype: str) -> float:
    """Seconds of cuFFT there and back, three components, plans made before."""
    seconds = bench.best(_transforms(bench.xp, (n, n, n), dtype))
    _free(bench)
    return seconds


def _transforms(xp: Any, shape: tuple[int, int, int], dtype: str) -> Callable[[], None]:
    fft = importlib.import_module("cupyx.scipy.fft")
    field, axes = xp.zeros((3, *shape), dtype), (1, 2, 3)
    there = fft.get_fft_plan(field, shape=shape, axes=axes, value_type="R2C")
    spectrum = fft.rfftn(field, axes=axes, plan=there)
    back = fft.get_fft_plan(spectrum, shape=shape, axes=axes, value_type="C2R")
    del spectrum
    options = {"s": shape, "axes": axes, "norm": "forward", "plan": back}

    def transform() -> None:
        spectrum = fft.rfftn(field, axes=axes, plan=there)
        fft.irfftn(spectrum, overwrite_x=True, **options)

    return transform


def _free(bench: "Bench") -> None:
    bench.xp.fft.config.get_plan_cache().clear()
    bench.xp.get_default_memory_pool().free_all_blocks()


@lru_cache(maxsize=1)
def _sphere(n: int) -> Any:
    """Ten times as stiff as its matrix; of the last size alone, for it is large."""
    return bodies.body("contrast 10", n)


def _prepared(n: int, solver: str, scheme: str, precision: str) -> Any:
    """The sphere, stretched along x."""
    from fftmech import Load
    from fftmech.simulations.method import Method
    from fftmech.simulations.prepare import prepare

    single = "single" if precision == "single" else "double"
    method = Method(scheme=scheme, solver=solver, precision=single, device="cuda")
    made = prepare(_sphere(n), Load(strain={"xx": 1e-3}), method)
    if precision == "double":
        made.problem.search = made.problem.precision
        made.problem.prepare(made.solver.mixed)
    return made


def iteration(
    bench: "Bench", n: int, solver: str, scheme: str, precision: str, **_: Any
) -> dict[str, Any]:
    """Seconds of an iteration, and the pool's bytes a voxel."""
    from fftmech.solvers.iteration import iterate

    _free(bench)
    pool = bench.xp.get_default_memory_pool()
    before = pool.total_bytes()
    made = _prepared(n, solver, scheme, precision)
    start = made.problem.uniform_start() if solver == "dual" else None
    ticks: list[float] = []

    def tick(*_: Any) -> None:
        bench.wait()
        ticks.append(time.perf_counter())

    count = 3 if bench.dry else ITERATIONS
    iterate(made.problem, made.solver, start, 1e-15, count, tick)
    steps = np.diff(ticks)
    held = (pool.total_bytes() - before) / n**3
    del made, start
    _free(bench)
    seconds = float(np.median(steps))
    return {
        "seconds": seconds,
        "mean": float(steps.mean()),
        "iterations": len(ticks),
        "ns": 1e9 * seconds / n**3,
        "held": held,
        "moved": MOVED[precision] if solver == "cg" else None,
    }


def _passes(bench: "Bench", n: int) -> dict[str, Any]:
    """Seconds of the passes of an iteration of `cg`, and GB/s by their bytes."""
    problem = _prepared(n, "cg", "rotated", "mixed").problem
    kernels, E = problem.kernels, np.zeros(6)
    p, q, r = (bench.xp.zeros(3 * n**3, np.float32) for _ in range(3))
    v = bench.xp.zeros(3 * n**3, np.float64)
    turns = {
        "operator": lambda: kernels.apply(p, E, q),
        "dot": lambda: kernels.dot(p, q),
    }
    found = {name: bench.best(turn) for name, turn in turns.items()}
    descent = bench.best(lambda: kernels.update_residual(r, 0.1, q))

    def both() -> None:
        kernels.update_residual(r, 0.1, q)
        kernels.update_direction(v, 0.1, p, 0.1)

    found |= {"residual": descent, "direction": bench.best(both) - descent}
    rates = {name: 1e-9 * PASSES[name] * n**3 / found[name] for name in PASSES}
    return {"seconds": found, "GB/s": rates}


def _whole(n: int) -> dict[str, Any]:
    """Whole solves of a polycrystal to 1e-6, on the device and on the CPU."""
    from fftmech import Load, solve

    body, load = bodies.body("polycrystal", n), Load(strain={"xx": 1e-3})
    found, seconds = {}, {}
    for device in ("cuda", "cpu"):
        # the first one compiles, and makes plans
        for _ in range(2):
            started = time.perf_counter()
            found[device] = solve(body, load, device=device)
            seconds[device] = time.perf_counter() - started
    ours, exact = found["cuda"].stress, found["cpu"].stress
    return {
        "seconds": seconds,
        "iterations": {device: found[device].iterations for device in found},
        "deviation": float(abs(ours - exact).max() / abs(exact).max()),
    }


PARTS = {part.__name__: part for part in (operators, solves)}
