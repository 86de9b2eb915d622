"""A load path that is killed goes on from its checkpoint as if nothing had happened."""

import csv
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from conftest import SOFT, STIFF, sphere

from fftmech import io
from fftmech.materials import isotropic
from fftmech.materials.plasticity import Plasticity

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="processes are forked, so that they start at once"
)

DRIVER = """
import importlib, json, os, random, shutil, signal, sys, time
from pathlib import Path
from fftmech_cli.fftmech_main import main

line, kills, places = json.loads(sys.argv[1])
chance = random.Random(5)

def owner(place):
    module, *names, name = place.split(":")
    held = importlib.import_module(module)
    for part in names:
        held = getattr(held, part)
    return held, name

def wrap(place, before):
    held, name = owner(place)
    inner, calls = getattr(held, name), [0]
    def outer(*args, **options):
        calls[0] += 1
        before(calls[0], *args)
        return inner(*args, **options)
    setattr(held, name, outer)

def run(output, prepare, *more):
    child = os.fork()
    if child:
        return child
    prepare()
    sys.stdout = sys.stderr = open(output + ".log", "a", buffering=1)
    try:
        main([*line, "-o", output, *more])
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code or 0)

def code(child):
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status)

def keep(number):
    if Path("b.vtkhdf").exists():
        shutil.copy("b.vtkhdf", f"killed-{number}.vtkhdf")

# this process compiles, and its children have it
try:
    main([*line, "-o", "warm.vtkhdf"])
except SystemExit:
    pass
assert code(run("a.vtkhdf", lambda: None)) == 0, Path("a.vtkhdf.log").read_text()
codes = []
for number in range(kills):
    reader, writer = os.pipe()
    def tell(count, path, state, identity):
        os.write(writer, bytes([len(state.points)]))
    child = run(
        "b.vtkhdf", lambda: wrap("fftmech.simulations.march_record:write_checkpoint",
        tell), "--restart"
    )
    os.close(writer)
    # a random moment of an increment, of each of the twenty in turn
    solved = waited = 0
    while solved < number:
        began = time.perf_counter()
        solved = os.read(reader, 1)[0]
        waited = time.perf_counter() - began
    time.sleep(chance.uniform(0, min(waited, 0.05)))
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    codes.append(code(child))
    keep(number)
for number, (place, call) in enumerate(places):
    def die(count, *_):
        if count == call:
            os.kill(os.getpid(), signal.SIGKILL)
    child = run("b.vtkhdf", lambda: wrap(place, die), "--restart")
    codes.append(code(child))
    keep(number)
over = not Path("b.vtkhdf.checkpoint").exists()
last = code(run("b.vtkhdf", lambda: None, "--restart"))
print(json.dumps({"codes": codes, "over": over, "last": last}))
"""
"""Solves a path to a.vtkhdf, and to b.vtkhdf with processes that are killed."""

SMALL = """
[[step]]
uniaxial = { xx = 0.01 }
increments = 7
[[step]]
rate = { xx = -0.02 }
stress = { yy = 0, zz = 0 }
time = 0.5
increments = 6
[[step]]
strain = { xx = 0.01, xy = 0.01 }
stress = { zz = 0.1 }
increments = 7
"""

FINITE = """
[[step]]
F = { xx = 1.2 }
P = { yy = 0, zz = 0 }
increments = 10
[[step]]
F = { xx = 1.0, xy = 0.3 }
increments = 10
"""

MOMENTS = [
    # fields of no time are whole, nor the series; then its name is not yet there
    ("fftmech.simulations.march_record:write_series", 1),
    ("os:replace", 3),
    # fields are not whole, not counted, half counted, or in the series only
    ("fftmech.io.series:write_fields", 3),
    ("fftmech.io.series:changed_hdf5", 3),
    ("h5py:Dataset:resize", 2),
    ("fftmech.io.atomic:_Patch:finish", 2),
    ("fftmech.simulations.stress_strain_curve:StressStrainCurve:append", 3),
    # there is no checkpoint of what is written, or half of one
    ("fftmech.simulations.march_record:write_checkpoint", 3),
    ("fftmech.simulations.march_checkpoint:_write_text", 5),
    ("os:replace", 4),
    # the path is over, and its files are not complete
    ("fftmech.simulations.march_record:write_result", 1),
    ("fftmech.simulations.march_record:save_figure", 1),
    ("pathlib:Path:unlink", 5),
]
"""Before which call of what the process is killed."""


def body(kind):
    if kind == "finite":
        return sphere(6, SOFT, STIFF)
    C = isotropic(E=200.0, nu=0.3)
    law = {0: Plasticity(yield_stress=0.3, hardening=2.0)}
    return sphere(6, C, 5 * C).with_changes(law=law)


@pytest.fixture
def drive(tmp_path, monkeypatch):
    """Solve a path with and without kills; return what the driver says."""
    monkeypatch.chdir(tmp_path)

    def drive_(kind, kills=0, moments=(), every=1):
        io.write("body.h5", body(kind))
        (tmp_path / "path.toml").write_text(FINITE if kind == "finite" else SMALL)
        line = f"solve body.h5 --path path.toml --every {every} --threads 1".split()
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, json.dumps([line, kills, moments])],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return drive_


def table(name):
    with open(name, newline="") as file:
        header, *rows = csv.reader(file)
    return header, np.array(rows, float)


def fields(name, group="VTKHDF"):
    """Every array below a group, by name."""
    found = {}
    with h5py.File(name) as file:
        file[group].visititems(
            lambda key, item: (
                found.update({key: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


def assert_equal_files(one, other, times=None):
    """Equal names, and values to 1e-12 of the largest, of the first `times`."""
    a, b = fields(one), fields(other)
    assert a.keys() == b.keys()
    for key, wanted in a.items():
        if times is not None and not key.startswith("Steps") and len(wanted) > 1:
            a[key], b[key] = wanted[:times], b[key][:times]
        scale = abs(a[key]).max()
        np.testing.assert_allclose(b[key], a[key], rtol=0, atol=1e-12 * scale)
    assert abs(a["CellData/stress"]).max() > 0.01


def assert_undisturbed(count):
    """What was killed is what was not."""
    header, rows = table("b.csv")
    reference = table("a.csv")
    assert header == reference[0] and len(rows) == count
    scale = abs(reference[1]).max(axis=0)
    assert (abs(rows - reference[1]) <= 1e-12 * scale).all()
    assert_equal_files("a.vtkhdf", "b.vtkhdf")
    assert_equal_files("a-end.vtkhdf", "b-end.vtkhdf")


def read_with_vtk(name):
    """Times of a series, and the mean stress at each, as ParaView's reader has them."""
    vtk = pytest.importorskip("vtkmodules.vtkIOHDF")
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline

    reader = vtk.vtkHDFReader()
    reader.SetFileName(str(name))
    reader.UpdateInformation()
    key = vtkStreamingDemandDrivenPipeline.TIME_STEPS()
    times = reader.GetOutputInformation(0).Get(key)
    means = []
    for time in times:
        reader.UpdateTimeStep(time)
        cells = reader.GetOutput().GetCellData()
        means.append(vtk_to_numpy(cells.GetArray("stress")).mean(axis=0))
    return np.array(times), np.array(means)


@pytest.mark.slow
def test_twenty_kills_at_random_moments_of_twenty_increments_leave_no_trace(
    drive, tmp_path
):
    said = drive("small", kills=20)
    assert said["codes"] == [-9] * 20 and said["last"] == 0
    assert_undisturbed(20)
    whole_times, whole_means = read_with_vtk("b.vtkhdf")
    lengths = []
    for killed in tmp_path.glob("killed-*.vtkhdf"):
        times, means = read_with_vtk(killed)
        lengths.append(len(times))
        np.testing.assert_array_equal(times, whole_times[: len(times)])
        np.testing.assert_allclose(means, whole_means[: len(times)], atol=1e-12)
    assert len(whole_times) == 21 and len(set(lengths)) >= 10


@pytest.mark.slow
def test_kills_leave_no_trace_where_every_third_increment_has_fields(drive):
    said = drive("finite", kills=4, every=3)
    assert said["codes"] == [-9] * 4 and said["last"] == 0
    assert_undisturbed(20)
    times, _ = read_with_vtk("b.vtkhdf")
    np.testing.assert_allclose(times, [0, *np.arange(3, 20, 3) / 10, 2], rtol=1e-15)


@pytest.mark.slow
def test_a_kill_between_any_two_writes_leaves_no_trace(drive):
    said = drive("finite", moments=MOMENTS)
    assert said["codes"] == [-9] * len(MOMENTS)
    assert not said["over"] and said["last"] == 0
    assert_undisturbed(20)
    for number in range(2, len(MOMENTS)):
        times, means = read_with_vtk(f"killed-{number}.vtkhdf")
        reference, expected = read_with_vtk("a.vtkhdf")
        np.testing.assert_array_equal(times, reference[: len(times)])
        np.testing.assert_allclose(means, expected[: len(times)], atol=1e-12)
