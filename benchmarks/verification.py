"""Solved beside what is known: closed forms, published values, other programs.

    pip install .
    python benchmarks/verification.py [PART ...] [--page docs/verification.md]
        [--schemes bbar rotated] [--rock grosmont_128.raw.gz] [--fierro CHECKOUT]
        [--materialite OTHER/bin/python]

Parts, all if none is named:

coated     Hashin's coated sphere: bulk modulus
hill       equal shear moduli: effective stiffness
square     Obnosov's square array: antiplane shear modulus
laminates  random anisotropic layers with eigenstrain under mixed loads
levin      thermal expansion of two phases, by Levin's theorem
ellipsoid  strain in Eshelby's ellipsoid at 2 % of the volume
rigid      Nunan and Keller's rigid spheres in an incompressible matrix
hollow     limit load of a plastic hollow sphere
rock       a carbonate with pores at several resolutions; needs --rock
evpfft     a crystal plasticity regression of Los Alamos; needs --fierro
steps      that test in more steps
materialite  the same increments in NASA's materialite; needs --materialite

A part whose input is not given is skipped, and its place on the page left as it is.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import verification_crystals as crystals
from machine import fill, table
from verification_table import ODD, entries, grids, head, percent

from fftmech import (
    SCHEMES,
    Grid,
    Load,
    March,
    Microstructure,
    Step,
    homogenize,
    read,
    solve,
)
from fftmech import Path as LoadPath
from fftmech.materials import PORE, isotropic
from fftmech.microstructure import resample

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import closed_forms as cf
import eshelby

SIZES = (16, 32, 64)

CALCITE = {"K": 70.2, "G": 29.0}  # GPa


def coated(options):
    """Bulk modulus of Hashin's neutral inclusion."""
    drawn = [cf.coated_sphere(n).fractions for n in SIZES]
    exact = cf.sphere_volume(0.2), cf.sphere_volume(0.4)
    pairs = [exact, *((f[2], f[1] + f[2]) for f in drawn)]
    yield ["drawn", *(f"{a:.4f}, {b:.4f}" for a, b in pairs), ""]
    for scheme in options.schemes:
        bodies = [cf.coated_sphere(n) for n in grids(scheme, SIZES)]
        values = [cf.bulk(b, scheme=scheme, certificate=False) for b in bodies]
        exact = [cf.coated_bulk(b) for b in bodies]
        yield [scheme, *entries(values, exact, SIZES)]


coated.head = head(sizes=SIZES)


def hill(options):
    """Bulk modulus, and the stiffness's largest error, at equal shear moduli."""
    sizes = hill.sizes
    for scheme in options.schemes:
        values, references, worst = [], [], []
        for n in sizes:
            n -= (scheme in ODD) * (n + 1) % 2
            body = cf.equal_shear_cube(n)
            exact = cf.hill(body)
            C = homogenize(body, scheme=scheme, tolerance=1e-8).stiffness
            values.append(C[:3, :3].sum() / 9)
            references.append(exact[:3, :3].sum() / 9)
            worst.append(np.abs(C - exact).max() / exact.max())
        yield [scheme, *entries(values, references, sizes), f"{worst[-1]:.0e}"]


hill.sizes = (15, 30, 60)
hill.head = (*head(sizes=hill.sizes), "largest error of C")


def square(options):
    """Antiplane shear modulus of Obnosov's square array."""
    for contrast in (100.0, 1e-3):
        exact = cf.obnosov(contrast)
        for scheme in options.schemes:
            sizes = (16, 64, 256)
            # an odd grid has no square of a quarter: even ones for all
            values = [
                cf.antiplane(
                    cf.square_array(n, contrast),
                    scheme=scheme,
                    tolerance=1e-8,
                    certificate=False,
                )
                for n in sizes
            ]
            yield [f"{contrast:g}", scheme, *entries(values, exact, sizes)]


square.head = head("contrast", sizes=(16, 64, 256))


def laminates(options):
    """Largest relative errors over twenty random laminates."""
    for scheme in options.schemes:
        errors = []
        for seed in range(20):
            body, load = cf.random_laminate(seed)
            result = solve(body, load, scheme=scheme, tolerance=1e-11)
            strain, stress, inside = cf.layered(body, load)
            errors.append(
                [
                    np.abs(actual - exact).max() / np.abs(exact).max()
                    for actual, exact in (
                        (result.mean_strain, strain),
                        (result.mean_stress, stress),
                        (result.strain[..., 0, 0].T, inside),
                    )
                ]
            )
        yield [scheme, *(f"{worst:.0e}" for worst in np.max(errors, axis=0))]


laminates.head = ("scheme", "mean strain", "mean stress", "strain in a layer")


def levin(options):
    """Largest relative error of the six expansions, on 15^3 or 16^3 voxels."""
    for scheme in options.schemes:
        (n,) = grids(scheme, (16,))
        solved, exact = cf.expansions(
            cf.expanding_phases(n), scheme=scheme, tolerance=1e-8
        )
        yield [scheme, f"{np.abs(solved - exact).max() / np.abs(exact).max():.0e}"]


levin.head = ("scheme", "largest error")


def ellipsoid(options):
    """Mean and scatter of the strain in an ellipsoid of a unit strain xx."""
    sizes = ellipsoid.sizes
    for scheme in options.schemes:
        means, scatter = [], []
        for n in grids(scheme, sizes):
            body = eshelby.ellipsoid(n)
            load = Load(strain={"xx": 1.0})
            result = solve(body, load, scheme=scheme, certificate=False)
            inside = result.strain[:, body.phase == 1]
            means.append(inside[0].mean())
            scatter.append(inside[0].std() / means[-1])
        unbounded = eshelby.eshelby(body)[0, 0]
        yield [
            scheme,
            *entries(means, eshelby.eshelby_array(body)[0, 0], sizes),
            f"{scatter[-1]:.1%}",
            f"{unbounded:.5g}",
        ]


ellipsoid.sizes = (32, 64, 96)
ellipsoid.head = (*head(sizes=ellipsoid.sizes), "scatter", "one alone")


def rigid(options):
    """Nunan and Keller's alpha and beta, and their limit linear in the voxel size."""
    for fraction, published in cf.NUNAN_KELLER.items():
        drawn = [cf.ball(n, fraction).mean() for n in rigid.sizes]
        cells = [f"{c:.5f}" for c in drawn]
        yield [f"{fraction:g}", "drawn", "", fraction, *cells, "", ""]
        for scheme in options.schemes:
            # the last size costs most of the time
            sizes = rigid.sizes if scheme in ("bbar", "rotated") else rigid.sizes[:2]
            bodies = [cf.rigid_spheres(n, fraction) for n in grids(scheme, sizes)]
            values = np.array(
                [cf.suspension(b, scheme=scheme, tolerance=1e-5) for b in bodies]
            )
            # of the fractions that were drawn
            exact = np.array([cf.nunan_keller(b.fractions[1]) for b in bodies])
            (n, m), (a, b) = grids(scheme, sizes)[-2:], (values / exact)[-2:]
            limit = (m * b - n * a) / (m - n)
            for i, name in enumerate(("alpha", "beta")):
                cells = entries(values[:, i], exact[:, i], rigid.sizes)
                cells[0] = published[i]
                value = f"{limit[i] * published[i]:.5g} ({percent(limit[i] - 1)})"
                if b[i] > 1.25:  # too far away to say where it goes
                    value = "none"
                yield [f"{fraction:g}", name, scheme, *cells, value]


rigid.sizes = (32, 64, 96)
rigid.head = (*head("fraction", "", sizes=rigid.sizes), "linear limit")


def hollow(options):
    """Limit of the mean stress around a hollow sphere, over 2/3 s_y ln(1 / f)."""
    sizes, e = hollow.sizes, 0.01
    load = Load(strain=dict(xx=e, yy=e, zz=e))
    for scheme in options.schemes:
        if scheme == "fourier":  # no pores
            continue
        values, growth = [], []
        # forward takes a hundred times as many iterations
        for n in grids(scheme, sizes[: MOST_HOLLOW.get(scheme, 3)]):
            body = cf.hollow_sphere(n)
            march = March(body, LoadPath((Step(load, increments=4),)), scheme=scheme)
            mean = [float(p.mean_stress[:3].mean()) for p in march.points()]
            assert march.status == "converged"
            values.append(mean[-1] / cf.limit_pressure(body))
            growth.append(mean[-1] / mean[-2] - 1)
        yield [scheme, *entries(values, 1.0, sizes), f"{growth[-1]:+.2%}"]


MOST_HOLLOW = {"forward": 1, "central": 2}

hollow.sizes = (12, 24, 36)
hollow.head = (*head(sizes=hollow.sizes), "last increment")


def rock(options):
    """Bulk modulus of a carbonate: 64^3 voxels of an image, coarsened and refined."""
    if not options.rock:
        return
    image = read(options.rock, shape=(128, 128, 128), dtype="uint8").phase
    solid = (image[:64, :64, :64] > 127).astype(int)
    body = Microstructure(
        Grid((64,) * 3), solid, np.array([PORE, isotropic(**CALCITE)])
    )
    bodies = [resample(body, n) for n in rock.sizes]
    yield ["pores", *(f"{b.fractions[0]:.1%}" for b in bodies)]
    for scheme in options.schemes:
        if scheme == "fourier":  # no pores
            continue
        cells = []
        for b in bodies:
            result = solve(
                b, cf.HYDROSTATIC, scheme=scheme, certificate=False, max_iterations=3000
            )
            K = result.mean_stress[:3].mean()
            assert result.converged
            cells.append(f"{K:.2f} ({result.iterations})")
        yield [scheme, *cells]


rock.sizes = (16, 32, 64, 128)
rock.head = ("scheme", *(f"{n}^3" for n in rock.sizes))

PARTS = {
    part.__name__: part
    for part in (
        *(coated, hill, square, laminates, levin, ellipsoid, rigid, hollow, rock),
        *(crystals.evpfft, crystals.steps, crystals.materialite),
    )
}


def main():
    """Print the tables, and put them into a page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--page", help="page with places for the tables")
    parser.add_argument("--schemes", nargs="+", choices=SCHEMES, default=list(SCHEMES))
    parser.add_argument("--rock", help="128^3 voxels of uint8, 255 solid, .raw.gz")
    parser.add_argument("--fierro", type=Path, help="checkout of lanl/Fierro")
    parser.add_argument("--materialite", help="Python that has materialite")
    options = parser.parse_args()
    unknown = set(options.parts) - PARTS.keys()
    if unknown:
        parser.error(f"{unknown.pop()!r}: expected {', '.join(PARTS)}")
    for name in options.parts or PARTS:
        started, rows = time.perf_counter(), []
        for row in PARTS[name](options):
            print(name, *row, sep="  ", file=sys.stderr, flush=True)
            rows.append(row)
        took = time.perf_counter() - started
        print(f"{name}: {took:.0f} s" if rows else f"{name}: skipped", file=sys.stderr)
        if not rows:
            continue
        text = table(PARTS[name].head, rows)
        print(text, end="\n\n")
        if options.page:
            fill(options.page, name, text)


if __name__ == "__main__":
    main()
