"""Networks of laminates against the solver: error and speed of nonlinear response.

    pip install . -r benchmarks/requirements.txt
    python benchmarks/dmn.py [BODY ...] [--res 32] [--count 400] [--depth 6]
                             [--folder dmn] [--solve-again]
                             [--page docs/which-surrogate.md]

Bodies, all if none is named: spheres, fibres, pores, norton, polycrystal. For each one
pairs of stiffness are made, a network is trained on them, and judged on load paths that
it has not seen, against `fftmech.March` with the scheme of the pairs and the same
increments. All that is made is kept in --folder, and an interrupted run goes on there;
with --solve-again the solver follows the paths again, so that its seconds and those of
the network are of one run.

Errors are of the mean stress, mean and largest over the path, relative to the largest
norm of the solver's. Seconds are those of the processor, one thread: an increment of
the solver, of one point of the network, and of a point of --points at once (which are
strained by different amounts along the same path), each the least of some repeats.
"""

import argparse
import json
import os
import time
from pathlib import Path as Folder

# before NumPy: seconds of the processor are those of one thread
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import numpy as np
from machine import fill, table

from ecosurrogate.response.network import Network
from ecosurrogate.response.trained_network import TrainedNetwork, fit
from ecosurrogate.response.training import Training
from fftmech import Grid, Load, March, Microstructure, Path, Step
from fftmech.datasets.stiffness import make_pairs
from fftmech.datasets.stiffness_draw import Pairs
from fftmech.datasets.stiffness_pairs import StiffnessPairs
from fftmech.loads.path import Target
from fftmech.materials import PORE, cubic, isotropic
from fftmech.materials.crystal_plasticity import CrystalPlasticity
from fftmech.materials.norton import Norton
from fftmech.materials.plasticity import Plasticity
from fftmech.microstructure import polycrystal
from fftmech.microstructure.inclusions import inclusions

METAL, CERAMIC = isotropic(E=70.0, nu=0.3), isotropic(E=400.0, nu=0.2)
FLOW = Plasticity(0.1, hardening=1.0, saturation_stress=0.05, saturation_rate=100.0)
SOFT = Norton(bulk=1e5, stress0=0.1, rate0=1e-3, exponent=5.0)
HARD = Norton(bulk=1e5, stress0=0.5, rate0=1e-3, exponent=5.0)
COPPER = cubic(C11=168.4, C12=121.4, C44=75.4)
SLIP = CrystalPlasticity(
    tau0=0.016, tau1=0.03, theta0=0.2, theta1=0.02, rate0=1e-3, exponent=10.0
)
HEAD = (
    "body",
    "path",
    "error, mean",
    "largest",
    "solver, s",
    "one point, ms",
    "of many, ms",
    "times faster, one",
    "of many",
)


def bodies(res):
    """Microstructure, and stiffness and laws by phase, of each body, when asked for."""

    def spheres(inclusion=CERAMIC, fraction=0.2):
        return inclusions(res, fraction, (0.15, 0.2), METAL, inclusion)

    def fibres():
        plane = inclusions((res, res, 1), 0.25, (0.1, 0.14), METAL, CERAMIC)
        phase = np.repeat(plane.phase, res, axis=2)
        return Microstructure(Grid(phase.shape), phase, plane.stiffness)

    def norton():
        return spheres().with_changes(stiffness=None, law={0: SOFT, 1: HARD})

    def crystals():
        body = polycrystal(res, 40, stiffness=COPPER)
        return body.with_changes(law=dict.fromkeys(body.phases.tolist(), SLIP))

    return {
        "spheres": lambda: spheres().with_changes(law={0: FLOW}),
        "fibres": lambda: fibres().with_changes(law={0: FLOW}),
        "pores": lambda: spheres(PORE, 0.1).with_changes(law={0: FLOW}),
        "norton": norton,
        "polycrystal": crystals,
    }


def paths(name):
    """Load paths by name."""
    free = {"zz": 0.0, "yz": 0.0, "xz": 0.0, "xy": 0.0}
    along = {c: Path((Step(Load.uniaxial(c, 0.02), 20.0, 10),)) for c in ("xx", "zz")}
    shear = Path((Step(Load({"xy": 0.01}), 20.0, 10),))
    biaxial = Path((Step(Load({"xx": 0.01, "yy": 0.01}, free), 10.0, 8),))
    turns = (0.006, -0.006, 0.006, -0.006)
    cycles = Path(tuple(Step(Load({"xy": g}), 10.0, 5) for g in turns))
    swell = Path((Step(Load(dict.fromkeys(("xx", "yy", "zz"), 0.004)), 10.0, 8),))
    return {
        "spheres": {
            "uniaxial": along["xx"],
            "shear": shear,
            "biaxial": biaxial,
            "2 cycles": cycles,
        },
        "fibres": {"along": along["zz"], "across": along["xx"], "shear": shear},
        "pores": {"uniaxial": along["xx"], "hydrostatic": swell},
        "norton": {"uniaxial": along["xx"], "shear": shear},
        "polycrystal": {"uniaxial": along["xx"], "shear": shear},
    }[name]


def trained(name, body, folder, count, training):
    """The network of a body, trained now or before."""
    pairs, run = folder / f"{name}-pairs", folder / f"{name}-run"
    if not TrainedNetwork.at(run):
        started = time.process_time()
        made = make_pairs(body, pairs, count, Pairs(), jobs=1, progress=shown(name))
        seconds = time.process_time() - started
        print(f"{name}: {made.done} pairs, {made.made} made now in {seconds:.0f} s")
        started = time.process_time()
        fit(pairs, run, training)
        print(f"{name}: trained in {time.process_time() - started:.0f} s")
    own = TrainedNetwork.read(run)
    held = own.errors["validation"]
    print(
        f"{name}: {len(StiffnessPairs.read(pairs).effective)} pairs, "
        f"{len(own.tree.leaves)} leaves, error of pairs for validation: "
        f"energy {100 * held['energy']['mean']:.2g} %, "
        f"stiffness {100 * held['stiffness']['mean']:.2g} %"
    )
    return own


def shown(name):
    def progress(done, failed, count):
        if (done + failed) % 50 == 0:
            print(f"{name}: {done} of {count} pairs, {failed} failed", flush=True)

    return progress


def network(own, body):
    """The network with the materials of a body."""
    count = len(own.phases)
    some = np.arange(count).reshape(-1, 1, 1)
    grid = Grid(some.shape)
    if own.tree.quaternion is not None:
        here = Microstructure(grid, some, COPPER[None], [[1.0, 0, 0, 0]], law={0: SLIP})
        return Network(own.tree, here)
    laws = {p: law for p, law in body.law.items() if p in own.phases}
    return Network(own.tree, Microstructure(grid, some, body.stiffness, law=laws))


def solved(file, body, path, scheme, again, repeats=2):
    """Mean stresses of the solver, and seconds of an increment; kept in a file."""
    if again or not file.exists():
        times = []
        for _ in range(repeats):
            march = March(body, path, scheme=scheme, threads=1)
            started = time.process_time()
            stress = [point.mean_stress for point in march.points()]
            times.append((time.process_time() - started) / len(stress))
            assert march.status == "converged", march.advice
        np.savez(file, stress=stress, seconds=min(times))
    with np.load(file) as held:
        return held["stress"], float(held["seconds"])


def one(net, path, repeats=3):
    """Mean stresses of the network, and seconds of an increment, the least of some."""
    net.prepare()
    times = []
    for _ in range(repeats):
        started = time.process_time()
        found = net.respond(path)
        times.append(time.process_time() - started)
    assert found.status == "converged", found.advice
    stress = np.array([point.mean_stress for point in found.points])
    return stress, min(times) / len(stress)


def many(net, path, points):
    """Seconds of an increment of one of many points, strained by different amounts."""
    share = np.linspace(0.5, 1.0, points)
    state = net.start(points)
    started = time.process_time()
    rest = np.zeros(6)
    for step in path.steps:
        begun = state.mean_strain, state.mean_stress
        for i in range(1, step.increments + 1):
            part = i / step.increments
            aim = Target.between(step, 1.0, rest, rest, rest)
            strain, stress = (
                from_ + part * (to[:, None] * share - from_)
                for from_, to in zip(
                    begun, (aim.mean_strain, aim.mean_stress), strict=True
                )
            )
            target = Target(aim.free, strain, stress)
            made = net.advance(state, target, step.time / step.increments, False)
            assert made.solved.all()
            state = made.state
    return (time.process_time() - started) / path.increments / points


def rows(name, body, own, folder, points, again):
    """A row of the table for each path of a body."""
    net = network(own, body)
    for label, path in paths(name).items():
        file = folder / f"{name}-{label.replace(' ', '-')}.npz"
        right, seconds = solved(file, body, path, own.data["scheme"], again)
        found, alone = one(net, path)
        error = np.linalg.norm(found - right, axis=1)
        error /= np.linalg.norm(right, axis=1).max()
        each = min(many(net, path, points) for _ in range(3))
        yield (
            name,
            label,
            f"{100 * error.mean():.1f} %",
            f"{100 * error.max():.1f} %",
            f"{seconds:.2f}",
            f"{1e3 * alone:.2f}",
            f"{1e3 * each:.3f}",
            f"{seconds / alone:.0f}",
            f"{seconds / each:.0f}",
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bodies", nargs="*")
    parser.add_argument("--res", type=int, default=32)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--folder", type=Folder, default=Folder("dmn"))
    parser.add_argument("--solve-again", action="store_true")
    parser.add_argument("--page")
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    given.folder.mkdir(exist_ok=True)
    training = Training(depth=given.depth, steps=given.steps)
    made = bodies(given.res)
    lines = []
    for name in given.bodies or made:
        body = made[name]()
        own = trained(name, body, given.folder, given.count, training)
        again = given.solve_again
        for line in rows(name, body, own, given.folder, given.points, again):
            print(*line, flush=True)
            lines.append(line)
    text = table(HEAD, lines)
    print(text)
    (given.folder / "table.json").write_text(json.dumps([HEAD, *lines], indent=1))
    if given.page:
        fill(given.page, "response", text)


if __name__ == "__main__":
    main()
