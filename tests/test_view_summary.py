"""What the viewer says: probe, summary and title, legend of phases."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import SOFT, STIFF, sphere
from small_runs import make_dataset
from viewed_files import solved, written

from fftmech import FiniteLoad, Grid, Load, March, Microstructure, io
from fftmech.figures import new_figure
from fftmech.io.series import read_result_at, write_series
from fftmech.loads.path import Path, Step
from fftmech.materials import isotropic
from fftmech.materials.plasticity import Plasticity
from fftmech.results.scalar_fields import scalar_fields
from fftmech.viewer.opened_file import describe, headline, open_file, probe
from fftmech.viewer.surface import nodes
from fftmech.viewer.view import View, colors, draw_colors, named_values
from fftmech.viewer.viewer import difference

folder = pytest.fixture(scope="module")(written)


@pytest.fixture
def a(folder):
    return open_file(folder / "a.vtkhdf")


def test_few_phases_have_a_legend_that_names_pores_and_has_their_colours(folder):
    pore = open_file(folder / "pore.vtkhdf")
    phase = pore.scalar("phase")
    scale = View.first(pore).color_scale(phase)
    named = named_values(phase, pore.body)
    assert [entry.text for entry in named] == ["0", "1 (pore)"]
    for entry in named:
        voxels = np.flatnonzero(pore.body.phase == entry.value)[:1]
        shown = colors(phase, pore.body, scale, voxels)
        assert tuple(shown[0]) == entry.color
    assert not named_values(pore.scalar("von_mises"), pore.body)
    figure = new_figure((4, 1))
    draw_colors(figure.add_axes((0, 0, 1, 1)), phase, pore.body, scale)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["0", "1 (pore)"]


def test_many_phases_have_no_scale_and_neighbouring_numbers_differ():
    body = Microstructure(Grid((40, 1, 1)), np.arange(40).reshape(40, 1, 1))
    phase = scalar_fields(body, "phase")[0]
    rgb = np.array([entry.color for entry in named_values(phase, body)])
    assert np.linalg.norm(np.diff(rgb, axis=0), axis=1).min() > 0.2
    figure = new_figure((4, 1))
    draw_colors(
        figure.add_axes((0, 0, 1, 1)), phase, body, View("phase").color_scale(phase)
    )
    (text,) = figure.axes[0].texts
    assert "40 phases" in text.get_text()
    assert figure.axes[0].get_legend() is None


def test_voxels_of_other_phases_are_named_as_different(folder):
    grains_, result = (open_file(folder / n) for n in ("grains.h5", "a.vtkhdf"))
    changed = grains_.body.phase.astype(int)
    changed[0, 0, 0] += 1 if changed[0, 0, 0] == 0 else -1
    other = replace(grains_, source=grains_.body.with_changes(phase=changed))
    shown = difference(other, result, "phase")
    assert np.count_nonzero(shown.values) == 1
    assert [e.text for e in named_values(shown, result.body)] == ["equal", "different"]
    rgb = colors(
        shown, result.body, View.first(result).color_scale(shown), np.arange(2)
    )
    assert not np.allclose(*rgb)


def test_the_probe_lists_what_is_in_its_voxel(a):
    rows = {row[0]: row[1:] for row in probe(a, (1, 2, 3), a.fields)}
    stress = solved(a).stress[4, 1, 2, 3] / np.sqrt(2)
    assert float(rows["stress xz"][0]) == pytest.approx(stress, rel=1e-4)
    assert rows["stress xz"][1] == "GPa"
    assert rows["phase"][0] == str(a.body.phase[1, 2, 3])


def test_a_headline_names_file_load_and_certificate(a):
    text = headline(a)
    for part in ("a.vtkhdf", "strain xx = 0.001", "certificate", "relative error"):
        assert part in text
    assert describe(a)["voxels"] == "6 x 5 x 4"


def test_a_time_of_a_series_is_the_result_that_was_written(tmp_path):
    C = isotropic(E=200.0, nu=0.3)
    law = {0: Plasticity(yield_stress=0.3, hardening=2.0)}
    body = sphere(4, C, 5 * C).with_changes(law=law)
    march = March(body, Path((Step(Load.uniaxial("xx", 0.01), increments=2),)))
    results = []
    for point in march.points():
        assert point.status == "converged"
        results.append(march.result())
    run_ = {"scheme": "rotated", "solver": "cg", "tolerance": 1e-6}
    write_series(tmp_path / "path.vtkhdf", results, 2, run_)
    series = open_file(tmp_path / "path.vtkhdf")
    assert series.times == (0.5, 1.0)
    for number, result in enumerate(results):
        moment = solved(series.at(number))
        np.testing.assert_allclose(moment.stress, result.stress, rtol=1e-12)
        np.testing.assert_allclose(nodes(moment, 1), nodes(result, 1), atol=1e-12)
        for name, values in result.variables.items():
            np.testing.assert_allclose(moment.variables[name], values, rtol=1e-12)
    assert abs(results[0].stress - results[1].stress).max() > 1e-2
    assert read_result_at(tmp_path / "path.vtkhdf", 1).time == 1.0
    rows = describe(series)
    mean = results[1].mean_stress[0]
    assert rows["mean stress"].startswith(f"xx\u00a0{mean:.4g}")
    assert rows["mean strain"].startswith("xx\u00a00.01, yy")
    assert rows["certificate"].startswith("none: a series")
    assert "-end" not in rows["certificate"]
    io.write_result(tmp_path / "path-end.vtkhdf", results[1])
    assert "path-end.vtkhdf" in describe(series)["certificate"]
    for part in ("time 1 (2/2)", "mean strain xx\u00a00.01", "mean stress xx"):
        assert part in headline(series)


def test_means_of_a_finite_series_are_those_of_its_results(tmp_path):
    path = Path((Step(FiniteLoad({"xx": 1.1, "xy": 0.2}), increments=2),))
    march = March(sphere(4, STIFF, SOFT), path)
    results = [march.result() for _ in march.points()]
    run_ = {"scheme": "rotated", "solver": "newton", "tolerance": 1e-6}
    write_series(tmp_path / "path.vtkhdf", results, 2, run_)
    moment = read_result_at(tmp_path / "path.vtkhdf", 1)
    for name in ("mean_strain", "mean_stress"):
        np.testing.assert_allclose(
            getattr(moment, name), getattr(results[1], name), rtol=1e-10, atol=1e-12
        )
    rows = describe(open_file(tmp_path / "path.vtkhdf"))
    assert rows["mean F"] == "xx\u00a01.1, xy\u00a00.2"


def test_a_sample_says_which_of_its_solutions_is_shown(tmp_path):
    make_dataset(
        f"dataset polycrystal -o {tmp_path / 'ds'} --res 4 --low-res 2 --grains 3 "
        "--count 1 --splits 1,0,0"
    )
    (sample,) = (tmp_path / "ds").glob("samples/*.h5")
    rows = describe(open_file(sample))
    assert rows["sample"] == "resolution 2 of 4, 2; load 1 of 1"
    assert rows["voxels"] == "2 x 2 x 2"
