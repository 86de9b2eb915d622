"""What nonlinear bodies cost, beside linear elasticity in the same run.

    pip install . -r benchmarks/requirements.txt
    python benchmarks/nonlinear.py [PART ...] [--page docs/nonlinear-bodies.md]

Parts, all if none is named:

finite    a polycrystal of --size, F_xx = 1.001 and 1.05, against the linear solve
cube      de Geus' stiff cube, 31^3, contrast 10, F_xy = 0.1 and 0.7
norton    a sphere, 16^3, two power laws of contrast 2 and 10 in stress: iterations
plastic   a sphere in a matrix that yields, --size, an elastic and a plastic increment
crystals  a polycrystal of 32^3, 2 % of tension, with elasticity and with rates only
dual      solvers dual and newton: Green operations, time, and deviation of the stress
curve     the same solvers: deviation of the mean stress on the path, by tolerance

The tables of `dual` and `curve` are their own; a Green operation is a linear iteration,
or the residual of a step. Seconds of `curve` are those of the processor, one thread.
Ratios are medians of --repeats pairs, one timed right after the other; code is compiled
and bodies are made before the clock starts.
"""

import argparse
import statistics
import time

import numpy as np
from machine import fill, table

from fftmech import FiniteLoad, Grid, Load, March, Microstructure, Path, Step, solve
from fftmech.materials import cubic, isotropic
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.microstructure import polycrystal
from fftmech.microstructure.inclusions import sphere
from fftmech.simulations import held_hardening

COPPER = cubic(C11=168.4, C12=121.4, C44=75.4)
SLIP = {"tau0": 0.016, "tau1": 0.03, "theta0": 0.2, "theta1": 0.02, "rate0": 1e-3}
CERTIFIED = 5e-3
DUAL_HEAD = (
    "body",
    "Green operations, newton",
    "dual",
    "seconds, newton",
    "with dual",
    "times faster",
    "deviation, newton",
    "of dual",
)
CURVE_HEAD = (
    "solver and tolerance",
    "n",
    "Green operations",
    "seconds",
    "deviation of the curve",
)
HEAD = ("body", "Newton steps", "linear iterations", "linear solves", "s", "voxels/s")


def seconds(call):
    """Time of a call, and what it returned."""
    started = time.perf_counter()
    returned = call()
    return time.perf_counter() - started, returned


def row(name, linear, nonlinear, voxels, repeats):
    """Compare two calls; `nonlinear` returns points of a path."""
    linear(), nonlinear()
    ratios, times = [], []
    for _ in range(repeats):
        one, _ = seconds(linear)
        other, points = seconds(nonlinear)
        ratios.append(other / one)
        times.append(other)
    assert all(point.status == "converged" for point in points)
    took = statistics.median(times)
    return (
        name,
        sum(point.iterations for point in points),
        sum(point.linear_iterations for point in points),
        f"{statistics.median(ratios):.1f}",
        f"{took:.2f}",
        f"{voxels * len(points) / took:.2g}",
    )


def marched(body, load, increments=1, time=1.0, **options):
    """Points of a march to one load."""
    path = Path((Step(load, time=time, increments=increments),))
    return list(March(body, path, **options).points())


def finite(size, repeats):
    """Finite strain of a polycrystal."""
    body = polycrystal(size, grains=40, stiffness=COPPER)
    for F in (1.001, 1.05):
        yield row(
            f"St. Venant-Kirchhoff polycrystal, {size}^3, F_xx = {F}",
            lambda F=F: solve(body, Load(strain={"xx": F - 1}), certificate=False),
            lambda F=F: marched(body, FiniteLoad(F={"xx": F})),
            body.grid.voxels,
            repeats,
        )


def cube(_, repeats):
    """Large shear of a stiff cube in a soft matrix."""
    phase = np.zeros((31, 31, 31), int)
    phase[-9:, :9, -9:] = 1
    soft, stiff = isotropic(K=0.833, G=0.386), isotropic(K=8.33, G=3.86)
    body = Microstructure(Grid(phase.shape), phase, np.array([soft, stiff]))
    for F in (0.1, 0.7):
        yield row(
            f"cube of de Geus, 31^3, F_xy = {F}",
            lambda F=F: solve(body, Load(strain={"xy": F / 2}), certificate=False),
            lambda F=F: marched(body, FiniteLoad(F={"xy": F})),
            body.grid.voxels,
            repeats,
        )


def norton(_, repeats):
    """Power laws without elasticity."""
    phase = sphere(16, 0.3, isotropic(E=1, nu=0.3), isotropic(E=2, nu=0.3)).phase
    load = Load(strain={"xx": 1e-3, "yy": -1e-3})
    for contrast in (2.0, 10.0):
        for n in (1, 3, 5, 10):
            law = {
                # ten times the shear viscosity at rate0
                p: Norton(bulk=s / 3e-4, stress0=s, rate0=1e-3, exponent=n)
                for p, s in enumerate((1.0, contrast))
            }
            body = Microstructure(Grid(phase.shape), phase, law=law)
            elastic = body.with_changes(law={})
            yield row(
                f"Norton, 16^3, stresses 1 and {contrast:g}, n = {n}",
                lambda e=elastic: solve(e, load, certificate=False),
                lambda b=body: marched(b, load),
                body.grid.voxels,
                min(repeats, 3),
            )


def plastic(size, repeats):
    """J2 around an elastic sphere."""
    matrix, stiff = isotropic(E=70.0, nu=0.33), isotropic(E=400.0, nu=0.2)
    elastic = sphere(size, 0.3, matrix, stiff)
    body = elastic.with_changes(law={0: Plasticity(yield_stress=0.25, hardening=1.0)})
    for name, strain in (("elastic", 1e-4), ("plastic", 1e-2)):
        load = Load.uniaxial("xx", strain)
        yield row(
            f"J2 and a stiff sphere, {size}^3, an {name} increment".replace(
                "an p", "a p"
            ),
            lambda load=load: solve(elastic, load, certificate=False),
            lambda load=load: marched(body, load),
            body.grid.voxels,
            repeats,
        )


def crystals(_, repeats):
    """Crystal viscoplasticity."""
    body = polycrystal(32, grains=40, stiffness=COPPER)
    load = Load.uniaxial("xx", 2e-2)
    for law, increments in (
        (CrystalPlasticity(exponent=20.0, **SLIP), 10),
        (CrystalCreep(exponent=5.0, bulk=100.0, **SLIP), 10),
        (CrystalCreep(exponent=20.0, bulk=100.0, **SLIP), 10),
    ):
        grains = body.with_changes(law=dict.fromkeys(range(40), law))
        yield row(
            f"{law.name}, 32^3, n = {law.exponent:g}, 2 % in {increments} increments",
            lambda: solve(body, load, certificate=False),
            lambda g=grains, i=increments: marched(g, load, i, time=20.0),
            body.grid.voxels,
            1,
        )


def deviator(stress):
    """Deviator of a field (6, x, y, z)."""
    return np.concatenate([stress[:3] - stress[:3].mean(axis=0), stress[3:]])


def compared(name, body, load, increments=1, time=1.0, energy=None, **options):
    """Row of both solvers, to their default tolerance or a certified energy error."""

    def solved(solver, **more):
        path = Path((Step(load, time=time, increments=increments),))
        march = March(body, path, solver=solver, max_iterations=5000, **options, **more)
        took, points = seconds(lambda: list(march.points()))
        assert march.status == "converged", march.advice
        stress = deviator(march.result(certificate=False).stress)
        operations = sum(p.iterations + p.linear_iterations + 1 for p in points)
        return stress, operations, took

    reference = solved("newton", tolerance=1e-7)[0]
    solved("dual", tolerance=1e-2)
    goal = {} if energy is None else {"energy_tolerance": energy}
    both = [solved(solver, **goal) for solver in ("newton", "dual")]
    (newton, dual), size = both, np.linalg.norm(reference)
    return (
        name,
        *(operations for _, operations, _ in both),
        *(f"{took:.2f}" for _, _, took in both),
        f"{newton[2] / dual[2]:.1f}",
        *(f"{np.linalg.norm(s - reference) / size:.0e}" for s, _, _ in both),
    )


def dual(*_):
    """The stress's energy against the strain's."""
    shear = Load(strain={"xx": 1e-3, "yy": -5e-4, "zz": -5e-4})
    grains = polycrystal(16, grains=24, seed=0)
    for n, scheme in (*((n, "rotated") for n in (1, 3, 5, 10, 20)), (10, "bbar")):
        law = CrystalCreep(exponent=float(n), bulk=100.0, tau0=0.016, rate0=1e-3)
        body = grains.with_changes(law=dict.fromkeys(range(24), law))
        name = f"crystal_creep, 16^3, n = {n}, {scheme}"
        yield compared(name, body, shear, scheme=scheme)
    phase = sphere(16, 0.3, isotropic(E=1, nu=0.3), isotropic(E=2, nu=0.3)).phase
    for contrast in (2.0, 10.0):
        for n in (3, 5, 10):
            law = {
                p: Norton(bulk=s / 3e-4, stress0=s, rate0=1e-3, exponent=n)
                for p, s in enumerate((1.0, contrast))
            }
            body = Microstructure(Grid(phase.shape), phase, law=law)
            name = f"Norton, 16^3, stresses 1 and {contrast:g}, n = {n}"
            yield compared(name, body, Load(strain={"xx": 1e-3, "yy": -1e-3}))
    grains = polycrystal(16, grains=24, seed=0, stiffness=COPPER)
    for n in (5.0, 20.0):
        law = CrystalPlasticity(exponent=n, **SLIP)
        body = grains.with_changes(law=dict.fromkeys(range(24), law))
        name = f"crystal_plasticity, 16^3, n = {n:g}, 2 % in 10 increments"
        for energy in (None, CERTIFIED):
            yield compared(
                name if energy is None else f"{name}, --tol-energy {energy:g}",
                body,
                Load.uniaxial("xx", 2e-2),
                10,
                20.0,
                energy,
            )
    grains = polycrystal(32, grains=40, stiffness=COPPER)
    for n in (5.0, 20.0):
        law = CrystalCreep(exponent=n, bulk=100.0, **SLIP)
        body = grains.with_changes(law=dict.fromkeys(range(40), law))
        name = f"crystal_creep, 32^3, n = {n:g}, 2 % in 10 increments"
        for energy in (None, CERTIFIED):
            yield compared(
                name if energy is None else f"{name}, --tol-energy {energy:g}",
                body,
                Load.uniaxial("xx", 2e-2),
                10,
                20.0,
                energy,
            )


def curve(*_):
    """Stress-strain curves of a polycrystal, by solver and tolerance."""
    grains = polycrystal(32, grains=40, stiffness=COPPER)
    path = Path((Step(Load.uniaxial("xx", 2e-2), time=20.0, increments=10),))
    ways = [
        ("newton", {}),
        ("newton", {"energy_tolerance": 2e-2}),
        ("dual", {}),
        *(
            ("dual", {"energy_tolerance": tolerance})
            for tolerance in (5e-3, 1e-2, 2e-2)
        ),
    ]

    def solved(body, solver, **goal):
        march = March(body, path, solver=solver, max_iterations=5000, threads=1, **goal)
        started = time.process_time()
        points = list(march.points())
        took = time.process_time() - started
        assert march.status == "converged", march.advice
        operations = sum(p.iterations + p.linear_iterations + 1 for p in points)
        return np.array([p.mean_stress for p in points]), operations, took

    for n in (5.0, 20.0):
        law = CrystalCreep(exponent=n, bulk=100.0, **SLIP)
        body = grains.with_changes(law=dict.fromkeys(range(40), law))
        lag, held_hardening.LAG = held_hardening.LAG, 1e-6
        exact = solved(body, "newton")[0]
        held_hardening.LAG = lag
        solved(body, "dual", tolerance=1e-2)
        for solver, goal in ways:
            stress, operations, took = solved(body, solver, **goal)
            size = np.linalg.norm(exact, axis=1)
            error = (np.linalg.norm(stress - exact, axis=1) / size).max()
            name = (
                f"{solver}, --tol-energy {goal['energy_tolerance']:g}"
                if goal
                else solver
            )
            yield name, f"{n:g}", operations, f"{took:.2f}", f"{error:.1e}"


PARTS = {
    part.__name__: part
    for part in (finite, cube, norton, plastic, crystals, dual, curve)
}


def main():
    """Print the table, and put it into a page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--page")
    arguments = parser.parse_args()
    wanted = arguments.parts or list(PARTS)
    heads = {"dual": DUAL_HEAD, "curve": CURVE_HEAD}
    tables = {"nonlinear": (HEAD, [w for w in wanted if w not in heads])}
    for own, head in heads.items():
        tables[own] = head, [w for w in wanted if w == own]
    for marker, (head, names) in tables.items():
        rows = []
        for name in names:
            for made in PARTS[name](arguments.size, arguments.repeats):
                print(*made, sep="  ", flush=True)
                rows.append(made)
        if rows:
            text = table(head, rows)
            print(text)
            if arguments.page:
                fill(arguments.page, marker, text)


if __name__ == "__main__":
    main()
