"""Crystal plasticity beside EVPFFT (Los Alamos) and materialite (NASA).

Both are given what they need by the user; nothing of theirs is in this repository.
"""

import csv
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fftmech import Load, March, Step, read
from fftmech import Path as LoadPath
from fftmech.materials import cubic
from fftmech.materials.base import Response
from fftmech.materials.crystal_plasticity import (
    CrystalPlasticity,
    CrystalPlasticityMaterial,
)
from fftmech.materials.slip import SlipLaw
from fftmech.materials.slip_flow import SlipFlow
from fftmech.materials.tangent import MatrixTangent
from fftmech.microstructure import polycrystal
from fftmech.tensors import matrix_from_quaternion, rotate_stiffness

COPPER = {"C11": 168.4e3, "C12": 121.4e3, "C44": 75.4e3}  # MPa
SLIP = {
    **{"tau0": 9.0, "tau1": 5.0, "theta0": 400.0, "theta1": 250.0},
    **{"rate0": 1.0, "exponent": 10.0},
}


class LaggedMaterial(CrystalPlasticityMaterial):
    """The resistance is that of the beginning of the step: an explicit update of it."""

    def respond(self, step):
        """See `Material.respond`."""
        rows, state = step.rows, step.state
        target = (step.strain.astype(float) - state[:6]).T
        rate0, exponent, *hardening = self.constants[:, rows]
        schmid = self.schmid[rows]
        stress, flow = SlipFlow(
            schmid=schmid,
            family=self.family,
            compliance=self.compliance[rows],
            target=target,
            guess=np.einsum("nij,nj->ni", self.stiffness[rows], target),
            farthest=self.farthest[rows],
            rate=rate0 * step.dt,
            exponent=exponent,
            hardening=hardening,
            accumulated=state[6],
            implicit=False,
            linear_below=np.zeros_like(rate0),
        ).solve()
        plastic = state[:6] + np.einsum("na,nai->in", flow.slip, schmid)
        slip = state[6] + np.abs(flow.slip).sum(axis=1)
        tangent = None
        if step.precision is not None:
            matrix = np.moveaxis(np.linalg.inv(flow.jacobian), 0, -1)
            tangent = MatrixTangent(matrix.astype(step.precision))
        state = np.concatenate([plastic, slip[None]])
        return Response(stress.T.astype(step.strain.dtype), state, tangent)


@dataclass(frozen=True, kw_only=True)
class Lagged(SlipLaw):
    """Crystal plasticity whose hardening lags by one step."""

    name = "lagged_crystal_plasticity"
    material = LaggedMaterial


def stresses(body, law, load, increments, **method):
    """Mean stress zz of each increment, at a strain rate of 1; and seconds."""
    laws = dict.fromkeys(range(len(body.stiffness)), law(**SLIP))
    step = Step(load, time=load.strain["zz"], increments=increments)
    march = March(body.with_changes(law=laws), LoadPath((step,)), **method)
    started = time.perf_counter()
    mean = [float(point.mean_stress[2]) for point in march.points()]
    assert march.status == "converged"
    return np.array(mean), time.perf_counter() - started


TEST = Load(strain={"zz": 30 * 5e-5}, stress={"xx": 0, "yy": 0})
"""What EVPFFT's regression test prescribes in 30 steps; shear strains are zero."""


def regression(options):
    """Body of the test, and its stress zz at each step."""
    tests = options.fierro / "apps/micromechanics/regression_tests"
    inputs = tests / "standard_inputs/EVPFFT/example_input_files"
    expected = tests / "standard_results/EVPFFT_standalone/str_str.out"
    with expected.open() as lines:
        reference = np.array([float(row["S33"]) for row in csv.DictReader(lines)])
    body = read(inputs / "random_microstructure_8x8x8.txt")
    rotation = matrix_from_quaternion(body.orientation)
    C = np.array([rotate_stiffness(cubic(**COPPER), R) for R in rotation])
    return body.with_changes(stiffness=C), reference


def evpfft(options):
    """Stress of EVPFFT's regression test at each step, and deviations from it."""
    if not options.fierro:
        return
    body, reference = regression(options)
    columns = [
        stresses(body, law, TEST, 30, scheme=scheme)[0]
        for scheme, law in (
            ("fourier", CrystalPlasticity),
            ("fourier", Lagged),
            ("rotated", CrystalPlasticity),
            ("bbar", CrystalPlasticity),
        )
    ]
    for step in (1, 2, 3, 5, 10, 20, 30):
        exact = reference[step - 1]
        values = [column[step - 1] for column in columns]
        cells = [f"{value:.4f} ({value / exact - 1:+.3%})" for value in values]
        yield [step, f"{exact:.5g}", *cells]


evpfft.head = (
    *("step", "EVPFFT", "`fourier`", "`fourier`, hardening lagged"),
    *("`rotated`", "`bbar`"),
)


def steps(options):
    """Stress at the end of the test in more steps, with both updates of hardening."""
    if not options.fierro:
        return
    body, _ = regression(options)
    for count in (30, 120, 480):
        pair = [
            stresses(body, law, TEST, count, scheme="fourier")[0][-1]
            for law in (CrystalPlasticity, Lagged)
        ]
        yield [count, *(f"{value:.4f}" for value in pair), f"{pair[1] - pair[0]:+.4f}"]


steps.head = ("steps", "at the end of the step", "lagged", "difference")


def materialite(options):
    """Stress of ten increments in both, and seconds of one run."""
    if not options.materialite:
        return
    script = Path(__file__).parent / "peer_materialite.py"
    load, increments = Load.uniaxial("zz", 1e-3), 10
    for n in (9, 15):
        body = polycrystal(n, grains=20, seed=0, stiffness=cubic(**COPPER))
        with tempfile.TemporaryDirectory() as folder:
            given, returned = Path(folder) / "in.npz", Path(folder) / "out.npz"
            np.savez(
                given,
                rotation=matrix_from_quaternion(body.orientation)[body.phase],
                cubic=list(COPPER.values()),
                slip=list(SLIP.values()),
                end=1e-3,
                increments=increments,
            )
            subprocess.run([options.materialite, script, given, returned], check=True)
            with np.load(returned) as answer:
                theirs, seconds = answer["stress"][:, 2, 2], float(answer["seconds"])
        options_of = {"scheme": "rotated", "tolerance": 1e-8}
        stresses(body, CrystalPlasticity, load, increments, **options_of)
        ours, took = stresses(body, CrystalPlasticity, load, increments, **options_of)
        worst = np.abs(ours / theirs - 1).max()
        cells = f"{ours[-1]:.7f}", f"{theirs[-1]:.7f}", f"{worst:.0e}"
        yield [f"{n}^3", *cells, f"{took:.2f}", f"{seconds:.2f}"]


materialite.head = (
    *("grid", "fftmech, last", "materialite, last", "largest deviation"),
    *("fftmech, s", "materialite, s"),
)
