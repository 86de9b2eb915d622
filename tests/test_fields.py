"""Fields that are asked for: what is computed, kept and written, and what is not."""

import json
import shutil
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from command_lines import run_fftmech
from conftest import EMPTY, SOFT, STIFF, sphere
from test_path_files import SHEAR, plastic

from fftmech import Boundary, Grid, InputError, Load, homogenize, io, solve
from fftmech.discretization import grid as grid_module
from fftmech.io import read_result, write_result
from fftmech.io.series import read_result_at
from fftmech.results.averages import averages
from fftmech.results.comparison import compare
from fftmech.results.field_names import FIELDS
from fftmech.results.scalar_fields import default_field, known_fields, scalar_fields
from fftmech.simulations import homogenize as homogenize_module
from fftmech.simulations.method import Method

LOAD = Load.uniaxial("zz", 1e-3)
ARRAYS = ("strain", "stress", "energy_density", "displacement")


@pytest.fixture
def slabs(monkeypatch):
    """Fields in parts of two planes, the last one of one plane."""
    monkeypatch.setattr(grid_module, "SLAB", 1)
    monkeypatch.setattr(grid_module, "LEAST_PLANES", 2)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a line in a folder with a linear and a plastic body."""
    monkeypatch.chdir(tmp_path)
    io.write("sphere.h5", sphere(7, SOFT, STIFF))
    io.write("plastic.h5", plastic())

    return run_fftmech


def said(result):
    """Numbers of a result that are no fields."""
    means = result.mean_strain.tolist(), result.mean_stress.tolist()
    return means, result.energy, result.certificate, result.residuals, result.notes


def datasets(path):
    """Arrays below /VTKHDF by name, and their attributes."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()], dict(item.attrs)

    with h5py.File(path) as file:
        file["VTKHDF"].visititems(visit)
    return found


@pytest.mark.parametrize("fields", ["none", "stress", ["von_mises", "displacement"]])
def test_means_energy_and_certificate_do_not_depend_on_the_fields(fields, slabs):
    body = sphere(7, SOFT, STIFF)
    whole, part = solve(body, LOAD), solve(body, LOAD, fields=fields)
    assert said(part) == said(whole)
    asked = () if fields == "none" else [fields] if isinstance(fields, str) else fields
    for name in ARRAYS:
        if name in asked:
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name))
        else:
            with pytest.raises(InputError, match=f"{name}.*--fields"):
                getattr(part, name)
    if "von_mises" in asked:
        (scalar,) = scalar_fields(whole, "von_mises")
        np.testing.assert_array_equal(part.von_mises, scalar.values)


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"precision": "single"},
        {"scheme": "fourier"},
        {"scheme": "central"},
        {"solver": "dual"},
        {"solver": "minres", "scheme": "rotated"},
        {"boundary": Boundary("uniaxial"), "load": Load({"xx": 1e-3})},
        {"load": Load({"xx": 1e-20})},
        {"grid": Grid((7, 6, 1))},
        {"temperature": 10.0},
        {"pore": True},
    ],
    ids=str,
)
def test_what_is_written_by_planes_is_what_is_kept_whole(case, slabs, tmp_path):
    body = sphere(7, SOFT, EMPTY if case.pop("pore", False) else STIFF)
    if "grid" in case:
        body = replace(body, grid=case.pop("grid"), phase=body.phase[:, :6, 3:4])
    if "temperature" in case:
        expansion = 1e-5 * np.arange(12.0).reshape(2, 6)
        body = body.with_changes(thermal_expansion=expansion)
    case = {"load": LOAD, **case}
    result = solve(body, **case)
    write_result(tmp_path / "whole.h5", result)
    by_planes = solve(body, **case, output=tmp_path / "planes.h5")
    assert said(by_planes) == said(result)
    assert by_planes.fields == ()
    whole, planes = (datasets(tmp_path / f"{n}.h5") for n in ("whole", "planes"))
    assert list(whole) == list(planes)
    for name, (values, attributes) in whole.items():
        assert planes[name][0].dtype == values.dtype
        np.testing.assert_array_equal(planes[name][0], values)
        assert planes[name][1] == attributes


@pytest.mark.parametrize(
    "precision, limit",
    [("single", 56), pytest.param("double", 84, marks=pytest.mark.slow)],
)
def test_a_solve_that_writes_all_fields_holds_four_vectors(
    precision, limit, slabs, tmp_path
):
    n, options = 64, {"precision": precision, "threads": 1, "tolerance": 1e-2}
    body = sphere(n, SOFT, STIFF)
    assert len(body.phases) == 2  # counted once, and kept
    solve(sphere(4, SOFT, STIFF), LOAD, output=tmp_path / "a.h5", **options)

    def peak(function):
        tracemalloc.start()
        try:
            function()
            return tracemalloc.get_traced_memory()[1] / n**3
        finally:
            tracemalloc.stop()

    output = tmp_path / "b.h5"
    written = peak(lambda: solve(body, LOAD, output=output, **options))
    without = peak(lambda: solve(body, LOAD, fields="none", **options))
    stress = peak(lambda: solve(body, LOAD, fields="stress", **options))
    whole = peak(lambda: solve(body, LOAD, **options))
    assert without <= 1.05 * written and written <= limit
    word = {"single": 4, "double": 8}[precision]
    # v and what is kept; the iterations take more than v and stress
    assert stress < 12 * word + 8 < 16 * word < whole
    method = Method(precision=precision)
    assert written * n**3 <= method.solve_bytes(body.grid, ())
    assert whole * n**3 <= method.solve_bytes(body.grid)


def test_homogenize_takes_no_more_memory_than_a_solve(monkeypatch):
    n, options = 64, {"precision": "single", "threads": 1, "tolerance": 1e-2}
    body = sphere(n, SOFT, STIFF)
    kept = homogenize(body, **options)
    monkeypatch.setattr(homogenize_module, "STORED", 1)
    tracemalloc.start()
    stored = homogenize(body, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(stored.stiffness, kept.stiffness)
    assert peak <= 56 * n**3


def test_homogenize_says_at_once_that_the_disk_has_no_room(monkeypatch):
    monkeypatch.setattr(homogenize_module, "STORED", 1)
    full = SimpleNamespace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: full)
    with pytest.raises(InputError, match="and 9.31e-08 GiB are free; set TMPDIR"):
        homogenize(sphere(4, SOFT, STIFF))


@pytest.mark.parametrize(
    "line, names",
    [
        ("solve sphere.h5 --fields stress,von_mice", "strain, stress, energy_density"),
        ("solve sphere.h5 --fields F", "displacement"),
        ("solve sphere.h5 --fields stress,none", "or all, or none of them: none"),
        ("solve plastic.h5 --fields strian", "plastic_strain"),
        ("solve sphere.h5 --finite --F xx=1.1 --fields G", "F, P"),
    ],
)
def test_a_name_that_there_is_not_is_refused_before_anything_is_solved(
    run, tmp_path, monkeypatch, line, names
):
    def never(*_args, **_options):
        raise AssertionError("it was solved")

    monkeypatch.setattr("fftmech.simulations.solve.prepare", never)
    monkeypatch.setattr("fftmech_cli.path.March", never)
    before = set(tmp_path.iterdir())
    error = run(line, code=2).stderr
    assert error.count("\n") == 1 and names in error
    assert set(tmp_path.iterdir()) == before


def test_a_file_has_the_fields_that_were_asked_for(run):
    run("solve sphere.h5 -o r.vtkhdf --fields von_mises,stress")
    assert set(datasets("r.vtkhdf")) == {
        f"CellData/{name}" for name in ("phase", "stress", "von_mises")
    }
    result = read_result("r.vtkhdf")
    assert result.fields == ("stress", "von_mises")
    assert set(known_fields(result)) == {"phase", "stress", "von_mises", "hydrostatic"}
    run("plot r.vtkhdf -o r.png")
    error = run("plot r.vtkhdf --field strain -o s.png", code=2).stderr
    assert "strain: the result was written without: --fields" in error
    text = " ".join(run("info r.vtkhdf").stdout.split())
    assert "written without strain, energy_density, displacement (--fields)" in text
    document = json.loads(run("info r.vtkhdf --json").stdout)
    assert document["run"]["fields"] == ["stress", "von_mises"]
    for line in ("compare r.vtkhdf r.vtkhdf", "info r.vtkhdf --by grain"):
        error = run(line, code=2).stderr
        assert "strain: the result was written without: --fields" in error
        assert error.count("\n") == 1
    error = run("solve sphere.h5 --initial r.vtkhdf -o s.vtkhdf", code=2).stderr
    assert "displacement: the result was written without: --fields" in error
    run("solve sphere.h5 -o v.vtkhdf --fields von_mises")
    alone = read_result("v.vtkhdf")
    assert default_field(alone) == "von_mises"
    (expected,), (found,) = (scalar_fields(r, "von_mises") for r in (result, alone))
    np.testing.assert_array_equal(found.values, expected.values)
    run("solve sphere.h5 -o n.vtkhdf --fields none")
    assert default_field(read_result("n.vtkhdf")) == "phase"
    run("plot n.vtkhdf -o n.png")


def test_a_file_of_before_there_was_a_choice_has_all_fields(run):
    run("solve sphere.h5 -o r.vtkhdf")
    with h5py.File("r.vtkhdf", "r+") as file:
        document = json.loads(file["fftmech/run"][()])
        assert document.pop("fields") == list(FIELDS)
        del file["fftmech/run"]
        file["fftmech/run"] = json.dumps(document)
    result = read_result("r.vtkhdf")
    assert result.fields == FIELDS
    assert averages(result, "grain").stress.shape == (2, 6)
    compare(result, result)


def test_nonlinear_bodies_write_what_is_asked_for(run, tmp_path):
    run("solve plastic.h5 -o r.vtkhdf --fields stress,plastic_strain")
    result = read_result("r.vtkhdf")
    assert result.fields == ("stress", "von_mises", "plastic_strain")
    run("solve sphere.h5 --finite --F xx=1.01 -o f.vtkhdf --fields F")
    result = read_result("f.vtkhdf")
    assert result.fields == ("F",) and result.finite.F.shape == (3, 3, 7, 7, 7)
    with pytest.raises(InputError, match="P: the result was written without"):
        result.finite.P  # noqa: B018
    finite = solve(plastic().with_changes(law={}), SHEAR, fields="P,displacement")
    assert finite.fields == ("displacement", "P")


@pytest.mark.parametrize("finite", [False, True])
def test_a_series_without_strain_knows_its_means(run, tmp_path, finite):
    step = "uniaxial = { xx = %s }\nincrements = 2" % (1.01 if finite else 0.01)
    head = "finite = true\n" if finite else ""
    (tmp_path / "p.toml").write_text(f"{head}[[step]]\n{step}\n")
    line = f"solve {'sphere' if finite else 'plastic'}.h5 --path p.toml -o"
    run(f"{line} all.vtkhdf")
    run(f"{line} few.vtkhdf --fields displacement")
    names = {name.partition("/")[2] for name in datasets("few.vtkhdf")}
    assert names.isdisjoint({"strain", "stress", "plastic_strain", "F", "P"})
    for number in range(3):
        whole, part = (read_result_at(f"{n}.vtkhdf", number) for n in ("all", "few"))
        assert part.fields == ("displacement",)
        np.testing.assert_array_equal(part.displacement, whole.displacement)
        assert said(part) == said(whole)
        with pytest.raises(InputError, match="strain: the result was written without"):
            part.strain  # noqa: B018
    assert read_result("few-end.vtkhdf").fields == ("displacement",)


def test_a_series_of_before_it_had_means_takes_them_from_its_fields(run, tmp_path):
    step = "[[step]]\nuniaxial = { xx = 0.01 }\nincrements = 1\n"
    (tmp_path / "p.toml").write_text(step)
    run("solve plastic.h5 --path p.toml -o s.vtkhdf")
    now = read_result_at("s.vtkhdf", 1)
    with h5py.File("s.vtkhdf", "r+") as file:
        for name in ("mean_strain", "mean_stress", "energy"):
            del file[f"fftmech/{name}"]
    before = read_result_at("s.vtkhdf", 1)
    np.testing.assert_allclose(before.mean_strain, now.mean_strain, atol=1e-15)
    np.testing.assert_allclose(before.mean_stress, now.mean_stress, atol=1e-12)
    assert before.energy == pytest.approx(now.energy)
