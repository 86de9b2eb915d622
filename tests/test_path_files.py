"""Files of load paths: TOML, time series, tables and curves, checkpoints."""

import csv
from dataclasses import fields, replace

import h5py
import numpy as np
import pytest
from conftest import EMPTY, SOFT, STIFF, sphere

from fftmech import FiniteLoad, Grid, InputError, Load, March, Microstructure, io
from fftmech.io.load_path import read_path
from fftmech.io.series import append_result, cut_series, read_times, write_series
from fftmech.loads.path import Path, Step
from fftmech.materials import isotropic
from fftmech.materials.plasticity import Plasticity
from fftmech.simulations.march_checkpoint import (
    identity,
    read_checkpoint,
    write_checkpoint,
)
from fftmech.simulations.stress_strain_curve import StressStrainCurve
from fftmech.tensors import COMPONENTS, components_from_mandel

SHEAR = FiniteLoad(F={"xx": 1.1, "xy": 0.3}, P={"yy": 0.0})
TENSION = Load.uniaxial("xx", 0.01)


def plastic(n=4):
    C = isotropic(E=200.0, nu=0.3)
    law = {0: Plasticity(yield_stress=0.3, hardening=2.0)}
    body = sphere(n, C, 5 * C).with_changes(law=law)
    return body.with_changes(units={"stress": "GPa", "time": "s"})


@pytest.fixture
def read(tmp_path):
    def read_(text):
        (tmp_path / "path.toml").write_text(text)
        return read_path(tmp_path / "path.toml")

    return read_


def solved(march, count=None):
    """The march after so many increments."""
    for number, point in enumerate(march.points(), start=1):
        assert point.status == "converged"
        if number == count:
            break
    return march


def test_a_file_says_loads_times_and_increments_of_its_steps(read):
    path = read(
        """
        [[step]]
        strain = { xx = 0.01, xy = -1 }
        stress = { yy = 0, zz = 2.5 }
        time = 3
        increments = 20
        [[step]]
        uniaxial = { zz = 1e-3 }
        """
    )
    load = Load({"xx": 0.01, "xy": -1.0}, {"yy": 0.0, "zz": 2.5})
    assert path.steps == (Step(load, 3.0, 20), Step(Load.uniaxial("zz", 1e-3)))


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("[[step]]\nF = { xx = 1.1, xy = 0.3 }\nP = { yy = 0 }", SHEAR),
        ("finite = true\n[[step]]\nuniaxial = { yy = 1.2 }", None),
    ],
)
def test_F_and_P_or_the_word_finite_make_a_path_of_finite_strain(read, text, load):
    path = read(text)
    assert path.finite
    assert path.steps[0].load == (load or FiniteLoad.uniaxial("yy", 1.2))


def test_a_rate_adds_to_the_strain_that_there_is_and_what_is_not_named_stays(read):
    path = read(
        """
        [[step]]
        stress = { xx = 0.2, yz = 0.1 }
        strain = { yy = 0.03 }
        [[step]]
        rate = { xx = -0.02 }
        stress = { zz = 0.1 }
        time = 2.5
        increments = 2
        """
    )
    C = isotropic(E=2.0, nu=0.25)
    body = Microstructure(Grid((2, 2, 2)), np.zeros((2, 2, 2), int), C[None])
    points = solved(March(body, path)).state.points
    before, half, after = (components_from_mandel(p.mean_strain) for p in points)
    # Hooke with e_zz = 0: s_xx = 1.6 (1.5 e_xx + 0.5 e_yy), s_yz = 1.6 e_yz
    expected = [(0.2 / 1.6 - 0.5 * 0.03) / 1.5, 0.03, 0, 0.1 / 1.6, 0, 0]
    np.testing.assert_allclose(before, expected, atol=1e-7)
    changed = np.array([-0.05, 0, 0, 0, 0, 0])
    free = np.array(COMPONENTS) == "zz"
    np.testing.assert_allclose(half[~free], (before + changed / 2)[~free], atol=1e-14)
    np.testing.assert_allclose(after[~free], (before + changed)[~free], atol=1e-14)
    stress = components_from_mandel(points[-1].mean_stress)
    assert stress[2] == pytest.approx(0.1, abs=1e-7)
    assert [p.time for p in points] == [1, 2.25, 3.5]
    load = March.result(solved(March(body, path))).load
    np.testing.assert_allclose(components_from_mandel(load.mean_strain)[:2], after[:2])


def test_a_table_has_tensor_components_units_and_every_digit(tmp_path):
    march = solved(March(plastic(), Path.of((TENSION, Load({"xy": 0.02})), 2)))
    history = StressStrainCurve(march.state.points, units=march.microstructure.units)
    history.write(tmp_path / "all.csv")
    for number in range(4):
        part = replace(history, points=march.state.points[number : number + 1])
        (part.append if number else part.write)(tmp_path / "grown.csv")
    text = (tmp_path / "all.csv").read_text()
    assert (tmp_path / "grown.csv").read_text() == text
    header, *rows = csv.reader(text.splitlines())
    assert header == [
        *("time (s)", "step", "increment"),
        *(f"strain_{c}" for c in COMPONENTS),
        *(f"stress_{c} (GPa)" for c in COMPONENTS),
        "iterations",
    ]
    assert [row[:3] for row in rows] == [
        *(["0.5", "1", "1"], ["1.0", "1", "2"], ["1.5", "2", "1"], ["2.0", "2", "2"])
    ]
    for row, point in zip(rows, march.state.points, strict=True):
        means = point.mean_strain, point.mean_stress
        wanted = np.hstack([components_from_mandel(mean) for mean in means])
        np.testing.assert_array_equal(np.array(row[3:-1], float), wanted)
        assert int(row[-1]) == point.iterations > 0
    assert float(rows[-1][8]) == pytest.approx(0.02)


def test_a_curve_is_over_the_strain_that_changes_with_a_dot_at_the_end_of_a_step():
    pytest.importorskip("matplotlib")
    march = solved(March(plastic(), Path.of((TENSION, TENSION.scaled(-1)), 3)))
    history = StressStrainCurve(march.state.points, units=march.microstructure.units)
    (ax,) = history.figure().axes
    assert r"\varepsilon_{xx}" in ax.get_xlabel()
    assert r"\sigma_{xx}" in ax.get_ylabel() and "(GPa)" in ax.get_ylabel()
    line, dots = ax.lines[:2]
    strain, stress = history.strain[:, 0], history.stress[:, 0]
    np.testing.assert_array_equal(line.get_xydata(), np.c_[[0, *strain], [0, *stress]])
    np.testing.assert_array_equal(
        dots.get_xydata(), np.c_[strain[[2, 5]], stress[[2, 5]]]
    )


def test_a_curve_of_finite_strain_begins_at_the_identity_and_names_F_and_P():
    pytest.importorskip("matplotlib")
    march = solved(March(sphere(4, SOFT, STIFF), Path.of((SHEAR,))))
    (ax,) = StressStrainCurve(march.state.points, finite=True).figure().axes
    assert "F_{xy}" in ax.get_xlabel() and "Piola" in ax.get_ylabel()
    labels = [line.get_label() for line in ax.lines]
    assert "$P_{xx}$" in labels and "$P_{yx}$" in labels and "$P_{yy}$" not in labels
    assert ax.lines[0].get_xydata()[0].tolist() == [0, 0]


SERIES = {
    "plastic": (plastic(), Path.of((TENSION, Load({"xy": 0.02})), 2), "rotated"),
    "finite": (sphere(4, SOFT, STIFF), Path.of((SHEAR,), 3), "hex8"),
    "centres": (sphere(5, SOFT, STIFF), Path.of((SHEAR,), 2), "fourier"),
    "pore": (sphere(4, SOFT, EMPTY), Path.of((TENSION,), 2), "rotated"),
}


@pytest.fixture(params=SERIES, scope="module")
def series(request, tmp_path_factory):
    """A series, and the results that are in it."""
    body, path, scheme = SERIES[request.param]
    name = tmp_path_factory.mktemp("series") / "s.vtkhdf"
    march = March(body, path, scheme=scheme)
    results = [march.result(certificate=False)]
    results += [march.result(certificate=False) for _ in march.points()]
    write_series(name, results[:2], len(results), {"path": request.param})
    for result in results[2:]:
        append_result(name, result)
    return name, results


def test_a_series_has_a_time_axis_before_each_array_as_the_specification_says(series):
    name, results = series
    count, (nx, ny, nz) = len(results), results[0].microstructure.grid.shape
    with h5py.File(name) as file:
        root = file["VTKHDF"]
        assert root.attrs["Version"].tolist() == [2, 0]
        assert root["CellData/phase"].shape == (1, nz, ny, nx)
        assert root["CellData/stress"].shape == (count, nz, ny, nx, 6)
        assert root["CellData/energy_density"].shape == (count, nz, ny, nx)
        steps = root["Steps"]
        assert steps.attrs["NSteps"] == count and steps["Values"].shape == (count,)
        for kind in ("CellData", "PointData"):
            for key in root.get(kind, ()):
                places = steps[f"{kind}Offsets/{key}"][()]
                expected = 0 if key == "phase" else np.arange(count)
                np.testing.assert_array_equal(places, np.zeros(count) + expected)
    np.testing.assert_array_equal(read_times(name), [r.time for r in results])
    assert read_times(name)[0] == 0


def test_vtk_reads_the_fields_of_every_time_that_a_result_file_has(series, tmp_path):
    pyvista = pytest.importorskip("pyvista")
    from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
    from vtkmodules.vtkIOHDF import vtkHDFReader

    name, results = series
    reader = vtkHDFReader()
    reader.SetFileName(str(name))
    reader.UpdateInformation()
    key = vtkStreamingDemandDrivenPipeline.TIME_STEPS()
    times = reader.GetOutputInformation(0).Get(key)
    assert list(times) == [result.time for result in results]
    # from the last to the first: nothing is left over from the time before
    for time, result in zip(times[::-1], results[::-1], strict=True):
        reader.UpdateTimeStep(time)
        got = pyvista.wrap(reader.GetOutput())
        io.write_result(tmp_path / "r.vtkhdf", result)
        wanted = pyvista.read(tmp_path / "r.vtkhdf")
        assert got.dimensions == wanted.dimensions and got.spacing == wanted.spacing
        for place in ("cell_data", "point_data"):
            ours, theirs = getattr(got, place), getattr(wanted, place)
            assert set(ours.keys()) == set(theirs.keys())
            for field, values in theirs.items():
                np.testing.assert_array_equal(ours[field], values)
    assert abs(results[-1].stress).max() > 0.01


def test_an_appended_time_changes_nothing_but_numbers_in_their_place(tmp_path):
    march = March(plastic(), Path.of((TENSION,), 4))
    results = [march.result(certificate=False)]
    results += [march.result(certificate=False) for _ in march.points()]
    name = tmp_path / "s.vtkhdf"
    write_series(name, results[:2], 5, {})
    places = {}
    with h5py.File(name) as file:
        for key in (
            "strain",
            "stress",
            "von_mises",
            "energy_density",
            "plastic_strain",
        ):
            item = file[f"VTKHDF/CellData/{key}"]
            size = item.nbytes // 5
            places[key] = slice(item.id.get_offset() + 2 * size, None), size
    before = np.fromfile(name, np.uint8)
    append_result(name, results[2])
    after = np.fromfile(name, np.uint8)
    assert len(before) == len(after)
    differs = before != after
    for place, size in places.values():
        inside = differs[place][:size]
        assert inside.any()
        inside[:] = False
    with h5py.File(name) as file:
        for key in (
            "VTKHDF/CellData/accumulated_plastic_strain",
            "VTKHDF/PointData/displacement",
            *(f"fftmech/{name}" for name in ("mean_strain", "mean_stress", "energy")),
        ):
            item = file[key]
            size = item.nbytes // 5
            differs[item.id.get_offset() + 2 * size :][:size] = False
    # what is left are a count, a length, and a time of 8 bytes
    assert 1 <= differs.sum() <= 24


def test_a_series_that_is_cut_is_as_if_the_later_times_had_never_been(series, tmp_path):
    name, results = series
    copy = tmp_path / "s.vtkhdf"
    copy.write_bytes(name.read_bytes())
    cut_series(copy, 2)
    assert read_times(copy).tolist() == [result.time for result in results[:2]]
    for result in results[2:]:
        append_result(copy, result)
    assert copy.read_bytes() == name.read_bytes()


def test_a_series_is_read_as_its_microstructure_and_says_where_its_result_is(series):
    name, results = series
    body = io.read(name)
    assert io.kind(name) == "series"
    np.testing.assert_array_equal(body.phase, results[0].microstructure.phase)
    assert body.law == results[0].microstructure.law
    with pytest.raises(InputError, match=r"time series .*: expected .* s-end\.vtkhdf"):
        io.read_result(name)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("kind", ["plastic", "finite"])
def test_a_checkpoint_holds_where_a_march_stands_bit_by_bit(kind, count, tmp_path):
    body, path, scheme = SERIES[kind]
    march = March(body, path, scheme=scheme)
    if count:
        solved(march, count)
    write_checkpoint(tmp_path / "c", march.state, identity(march))
    again = read_checkpoint(tmp_path / "c", identity(march), np)

    def assert_same(a, b):
        if isinstance(a, list | tuple):
            assert type(a) is type(b) and len(a) == len(b)
            for x, y in zip(a, b, strict=True):
                assert_same(x, y)
        elif isinstance(a, np.ndarray):
            assert a.dtype == b.dtype and a.shape == b.shape
            assert a.tobytes() == b.tobytes()
        elif hasattr(a, "__dataclass_fields__"):
            for item in fields(a):
                assert_same(getattr(a, item.name), getattr(b, item.name))
        else:
            # a number that is not there is NaN
            assert type(a) is type(b) and (a == b or (a != a and b != b))

    assert_same(march.state, again)
    assert len(again.points) == count and abs(again.stress).any() == bool(count)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A march in the middle of its path, and its checkpoint."""
    march = solved(March(plastic(), Path.of((TENSION,), 2)), 1)
    name = tmp_path_factory.mktemp("checkpoint") / "c.checkpoint"
    write_checkpoint(name, march.state, identity(march, every=2))
    return march, name


OTHERS = {
    "microstructure": lambda: March(plastic(5), Path.of((TENSION,), 2)),
    "path": lambda: March(plastic(), Path.of((TENSION,), 3)),
    "scheme": lambda: March(plastic(), Path.of((TENSION,), 2), scheme="hex8"),
    "solver": lambda: March(plastic(), Path.of((TENSION,), 2), solver="basic"),
    "tolerance": lambda: March(plastic(), Path.of((TENSION,), 2), tolerance=1e-5),
}


@pytest.mark.parametrize("what", OTHERS)
def test_the_checkpoint_of_another_march_is_refused_by_what_differs(what, checkpoint):
    other = identity(OTHERS[what](), every=2)
    with pytest.raises(InputError, match=f"c.checkpoint is .* of another {what}.*anew"):
        read_checkpoint(checkpoint[1], other, np)


@pytest.mark.parametrize("law", ["yield_stress", "hardening"])
def test_a_constant_of_a_law_makes_another_microstructure(law, checkpoint):
    march, name = checkpoint
    laws = {0: replace(march.microstructure.law[0], **{law: 0.5})}
    body = march.microstructure.with_changes(law=laws)
    with pytest.raises(InputError, match="of another microstructure"):
        read_checkpoint(name, identity(March(body, march.path), every=2), np)


def test_every_tells_checkpoints_apart(checkpoint):
    march, name = checkpoint
    with pytest.raises(InputError, match=r"another every \(2, and now 3\)"):
        read_checkpoint(name, identity(march, every=3), np)


def test_files_that_are_no_checkpoint_of_this_format_are_refused(checkpoint, tmp_path):
    march, name = checkpoint
    wanted, copy = identity(march, every=2), tmp_path / "c"

    def refuse(message):
        with pytest.raises(InputError, match=message) as caught:
            read_checkpoint(copy, wanted, np)
        assert str(copy) in str(caught.value) and "\n" not in str(caught.value)

    copy.write_bytes(name.read_bytes())
    with h5py.File(copy, "r+") as file:
        file.attrs["format_version"] = 1
    refuse("format version 1: expected 5; begin anew")
    copy.write_bytes(name.read_bytes())
    with h5py.File(copy, "r+") as file:
        del file["state"]
    refuse("no group state")
    copy.write_bytes(name.read_bytes()[:4000])
    refuse("cut short|damaged")
    copy.write_text("text")
    refuse("not an HDF5 file")
    io.write_result(tmp_path / "r.h5", march.result())
    copy.write_bytes((tmp_path / "r.h5").read_bytes())
    refuse("no checkpoint")
