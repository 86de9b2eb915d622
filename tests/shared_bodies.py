"""A program for mpiexec: bodies that processes share, beside the same in one process.

Its first process prints JSON, a line a solve.
"""

import json
import sys

import numpy as np

from fftmech import Grid, Load, Microstructure, solve
from fftmech.arrays.ranks import world
from fftmech.materials import isotropic

FREE = dict.fromkeys(("xx", "yy", "zz", "yz", "xz", "xy"), 0.0)


def bodies(shape):
    """Three phases under a strain, a stress, and an eigenstrain; pores."""
    rng = np.random.default_rng(0)
    phase, grid = rng.integers(0, 3, shape), Grid(shape, (0.1, 0.2, 0.15))
    moduli = (1.0, 0.3), (5.0, 0.2), (20.0, 0.25)
    C = np.stack([isotropic(E=E, nu=nu) for E, nu in moduli])
    body = Microstructure(grid, phase, stiffness=C)
    yield "strain", body, Load(strain={"xx": 1e-3, "xy": 5e-4})
    yield "stress", body, Load(strain={"xx": 1e-3}, stress={"yy": 0.0, "xy": 0.01})
    e0 = 1e-3 * rng.standard_normal((3, 6))
    yield "eigenstrain", body.with_changes(eigenstrain=e0), Load(stress=FREE)
    phase = (rng.random(shape) < 0.1).astype(int)
    phase[0, 0, 0] = 0
    C = np.stack([C[0], 0 * C[0]])
    yield "pores", Microstructure(grid, phase, stiffness=C), Load(strain={"xx": 1e-3})


def compare(body, load, scheme, solver):
    """Iterations of both, and the largest deviations of fields and of means."""
    ranks = world()
    how = {"scheme": scheme, "solver": solver, "tolerance": 1e-10}
    one = solve(body, load, threads=1, **how)
    all_ = solve(body.shared(ranks), load, **how)
    own = ranks.planes(body.grid.shape[0])
    fields = {}
    for name in ("displacement", "strain", "stress", "energy_density"):
        whole, part = getattr(one, name), getattr(all_, name)
        gap = abs(part - whole[..., own, :, :])
        largest = float(gap.max()) if gap.size else 0.0
        fields[name] = ranks.max(largest) / (float(abs(whole).max()) or 1.0)
    means = {
        name: float(np.max(abs(getattr(all_, name) - getattr(one, name))) / size)
        for name, size in (
            ("mean_stress", abs(one.stress).max()),
            ("energy", abs(one.energy)),
        )
    }
    certificates = [r.certificate.get("relative") for r in (one, all_)]
    return {
        "status": [one.status, all_.status],
        "iterations": [one.iterations, all_.iterations],
        "fields": fields,
        "means": means,
        "certificates": certificates,
        "notes": [one.notes, all_.notes],
    }


def main():
    """Compare shapes, schemes and solvers given as JSON."""
    for shape, scheme, solver in json.loads(sys.argv[1]):
        for name, body, load in bodies(tuple(shape)):
            if name == "pores" and "basic" in solver:
                continue
            found = compare(body, load, scheme, solver)
            if world().rank == 0:
                case = {"case": [name, shape, scheme, solver], "size": world().size}
                print(json.dumps(case | found), flush=True)


if __name__ == "__main__":
    main()
