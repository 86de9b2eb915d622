"""Models of viscoplastic crystals beside the solver `dual` stopped early.

    pip install ".[torch]"
    python benchmarks/creep_surrogates.py [--page docs/nonlinear-bodies.md]

For each exponent n a one-shot model is trained, without labels, and an iterated one
from its weights: on polycrystals of 8^3 voxels and 24 grains, stretched along x at
constant volume. All are tested on other bodies of 8^3 voxels and on bodies of 16^3
voxels with 192 grains. "No network" is the same model whose network says zero: what is
left is what the projections, the local law and the search along directions do.

Errors are means over the bodies: of the deviatoric stress, relative (root mean square),
of W* and of the work <s> : E, relative, against the solver at a tolerance of 1e-6. The
certificate is that of `ecosr predict`, whose choice of the rate the solver is given,
too.

The iterated model begins with weights of the one-shot model, and samples are not
augmented, which `ecosr fit` does otherwise: so there is a loop of its own.
"""

import argparse
import time
from math import cos, pi

import numpy as np
import torch
from machine import fill, table
from torch import nn

from ecosurrogate.data.creep_bodies import creep_bodies, creep_problem
from ecosurrogate.data.examples import Batch
from ecosurrogate.evaluation.creep import best_rate, in_units, uniform_fields
from ecosurrogate.models.creep import CreepPECO, IteratedCreepPECO
from ecosurrogate.networks import make_network
from ecosurrogate.training.objective import TERMS
from fftmech import Load, solve
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.microstructure import polycrystal
from fftmech.problems.certificate import certify
from fftmech.problems.complementary import ComplementaryEnergy
from fftmech.solvers import get_solver
from fftmech.tensors import K

LOAD = Load(strain={"xx": 1e-3, "yy": -5e-4, "zz": -5e-4})
EXPONENTS = 5, 10, 20
TRAINED = 256
TESTED = 8
"""Bodies."""

STEPS = 900, 150
"""Of the one-shot model, and of the iterated one, in batches of 8."""

TRAINED_CORRECTIONS = 2

HEAD = (
    "n",
    "",
    "Green operations",
    "stress",
    "W*",
    "work",
    "certificate",
    "stress, 16^3",
    "certificate, 16^3",
    "ms a body, 16^3",
)


def body(n, exponent, seed):
    """Crystals of copper's resistance, 24 of them in 8^3 voxels."""
    grains = 24 * (n // 8) ** 3
    law = CrystalCreep(exponent=exponent, bulk=100.0, tau0=0.016, rate0=1e-3)
    made = polycrystal(n, grains=grains, seed=seed)
    return made.with_changes(law=dict.fromkeys(range(grains), law))


def backbone(channels, out):
    """The small U-Net."""
    return make_network("unet", channels, out, "small")


class Nothing(nn.Module):
    """A network that says zero."""

    def __init__(self, channels, out):
        super().__init__()
        self.zeros = nn.Parameter(torch.zeros(out))

    def forward(self, x):
        """(B, C, X, Y, Z) -> zeros (B, out, X, Y, Z)."""
        return self.zeros[:, None, None, None].expand(len(x), -1, *x.shape[2:])


class Tested:
    """Bodies of one size, and their solutions."""

    def __init__(self, n, exponent):
        self.bodies = [body(n, exponent, seed) for seed in range(1000, 1000 + TESTED)]
        self.problems = [creep_problem(own, LOAD) for own in self.bodies]
        self.energies = [ComplementaryEnergy(problem) for problem in self.problems]
        started = time.process_time()
        solved = [solve(b, LOAD, solver="dual", tolerance=1e-6) for b in self.bodies]
        self.took = (time.process_time() - started) / TESTED
        assert all(result.converged for result in solved)
        self.iterations = round(np.mean([result.iterations for result in solved]))
        self.exact = [result.stress for result in solved]
        self.made = creep_bodies(self.bodies, [LOAD] * TESTED, dtype=torch.float64)

    def of_model(self, model):
        """Errors of a model, and its CPU seconds a body, one at a time."""
        ones = [self.made[i : i + 1] for i in range(TESTED)]
        with torch.no_grad():
            started = time.process_time()
            found = [model(one) for one in ones]
            took = (time.process_time() - started) / TESTED
        pairs = [
            (in_units(p.strain, one.strain_unit), in_units(p.stress, one.stress_unit))
            for p, one in zip(found, ones, strict=True)
        ]
        return self._errors(pairs), took

    def of_uniform(self):
        """Errors of the mean rate and of the best uniform stress."""
        pairs = [uniform_fields(self.made, i) for i in range(TESTED)]
        return self._errors(pairs), None

    def of_dual(self, operations):
        """Errors of the solver stopped early, and its CPU seconds a body.

        Seconds are from the uniform stress on, as those of models are.
        """
        pairs, took = [], 0.0
        for problem in self.problems:
            solver = get_solver("dual", nonlinear=True)
            state = solver.init(problem, problem.zeros())
            started = time.process_time()
            for _ in range(operations - 1):
                state = solver.step(problem, state)
            solver.check(problem, state)
            took += (time.process_time() - started) / TESTED
            pairs.append((problem.last.strain, problem.last.stress))
            problem.last = None
        return self._errors(pairs), took

    def _errors(self, pairs):
        """Stress, W*, work and certificate."""
        rows = []
        for problem, energy, exact, (rate, stress) in zip(
            self.problems, self.energies, self.exact, pairs, strict=True
        ):
            least, work = energy.energy(exact[None]), energy.work(exact[None])
            difference, size = (
                np.linalg.norm(np.tensordot(K, f, 1))
                for f in (stress[0] - exact, exact)
            )
            rows.append(
                (
                    difference / size,
                    1 - energy.energy(stress) / least,
                    abs(energy.work(stress) / work - 1),
                    certify(problem, best_rate(problem, rate), stress).relative,
                )
            )
        return np.mean(rows, axis=0)


def fitted(model, bodies, steps, lr, batch=8):
    """Train a model by Adam, the rate of learning a cosine after a warm-up."""
    random = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    warm_up = max(1, steps // 20)
    order = torch.empty(0, dtype=torch.long)
    model.train()
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(len(bodies), generator=random)
        which, order = order[:batch], order[batch:]
        wave = (1 + cos(pi * step / steps)) / 2
        for group in optimizer.param_groups:
            group["lr"] = lr * min((step + 1) / warm_up, wave + 0.02)
        some = bodies[which]
        without_labels = Batch(some, None, None, torch.ones(1))
        loss = TERMS["complementary"](model(some), without_labels, 1.0)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


def trained(exponent):
    """A one-shot and an iterated model, trained without labels."""
    bodies = [body(8, exponent, seed) for seed in range(TRAINED)]
    made = creep_bodies(bodies, [LOAD] * TRAINED)
    torch.manual_seed(0)
    started = time.process_time()
    one = fitted(CreepPECO(backbone), made, STEPS[0], lr=3e-3)
    print("one-shot trained in", time.process_time() - started, "CPU s", flush=True)
    iterated = IteratedCreepPECO(backbone, corrections=TRAINED_CORRECTIONS)
    iterated.first.load_state_dict(one.state_dict())
    started = time.process_time()
    fitted(iterated, made, STEPS[1], lr=2e-3)
    print("iterated trained in", time.process_time() - started, "CPU s", flush=True)
    return one, iterated


def solved(exponent, tested):
    """Row of a whole solve of the larger bodies, set-up and certificate included."""
    took = f"{1e3 * tested.took:.0f}"
    return exponent, "dual, to 1e-6", tested.iterations, *[""] * 6, took


def rows(exponent):
    """Rows of the table of one exponent."""
    sizes = [Tested(n, exponent) for n in (8, 16)]
    one, iterated = trained(exponent)
    nothing = IteratedCreepPECO(Nothing)

    def row(name, operations, measure):
        (errors, _), (large, took) = measure(sizes[0]), measure(sizes[1])
        cells = [
            f"{e:.1e}" if i in (1, 2) else f"{e:.3f}" for i, e in enumerate(errors)
        ]
        cells += [f"{large[0]:.3f}", f"{large[3]:.3f}"]
        cells += ["" if took is None else f"{1e3 * took:.0f}"]
        made = exponent, name, operations, *cells
        print(*made, sep="  ", flush=True)
        return made

    yield row("uniform fields", 0, Tested.of_uniform)
    for operations in (2, 6, 10):
        yield row("dual, stopped", operations, lambda t, k=operations: t.of_dual(k))
    yield solved(exponent, sizes[1])
    yield row("one-shot, no network", 2, lambda t: t.of_model(CreepPECO(Nothing)))
    yield row("one-shot", 2, lambda t: t.of_model(one))
    for corrections in (2, 4):
        for name, model in (("no network", nothing), ("", iterated)):
            model.corrections = corrections
            title = ", ".join(filter(None, (f"{corrections} corrections", name)))
            yield row(title, 2 * corrections + 2, lambda t, m=model: t.of_model(m))


def main():
    """Print the table and put it into a page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--page")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    text = table(HEAD, [row for exponent in EXPONENTS for row in rows(exponent)])
    print(text)
    if arguments.page:
        fill(arguments.page, "creep-surrogates", text)


if __name__ == "__main__":
    main()
