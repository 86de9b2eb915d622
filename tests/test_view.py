"""What the viewer shows: the view as data, surfaces and colours, pictures."""

import subprocess
import sys
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import EMPTY, SOFT, STIFF, grains, sphere

import fftmech
from fftmech import Grid, InputError, Load, March, Microstructure, io
from fftmech.io.series import write_series
from fftmech.materials.plasticity import Plasticity
from fftmech.path import Path, Step
from fftmech.viewer.exhibit import Exhibit
from fftmech.viewer.moment import read_moment
from fftmech.viewer.picture import Projection
from fftmech.viewer.scene import colors, nodes, plane, skin, surface
from fftmech.viewer.state import (
    color_scale,
    difference,
    first_view,
    probe_rows,
    scalar_of,
    with_field,
    with_slice,
)
from fftmech.viewer.subject import describe, headline, open_subject
from fftmech_cli.fftmech_main import main

TENSION = Load.uniaxial("xx", 1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files to look at: a result, another one, a body with a pore, its result."""
    where = tmp_path_factory.mktemp("view")
    body = grains((6, 5, 4)).with_changes(units={"stress": "GPa", "length": "um"})
    io.write_result(where / "a.vtkhdf", fftmech.solve(body, TENSION))
    io.write_result(where / "b.vtkhdf", fftmech.solve(body, Load({"xy": 1e-3})))
    io.write(where / "grains.h5", body)
    io.write_result(
        where / "pore.vtkhdf", fftmech.solve(sphere(6, STIFF, EMPTY), TENSION)
    )
    io.write_result(
        where / "small.vtkhdf", fftmech.solve(sphere(4, STIFF, SOFT), TENSION)
    )
    return where


@pytest.fixture
def a(folder):
    return open_subject(folder / "a.vtkhdf")


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def failed_line(outcome):
    assert outcome.exit_code == 2
    (line,) = outcome.stderr.splitlines()
    return line


def test_a_result_is_first_shown_by_the_middle_slices_of_its_von_mises_stress(a):
    view = first_view(a)
    assert (view.field, view.component) == ("von_mises", "")
    assert view.slices == (3, 2, 2)
    assert view.planes == (True, True, True)


def test_a_flat_body_is_first_shown_by_the_one_plane_that_it_has(tmp_path):
    io.write(tmp_path / "flat.h5", grains((5, 4, 1)))
    assert first_view(open_subject(tmp_path / "flat.h5")).planes == (False, False, True)


def test_a_slider_changes_which_voxels_a_slice_shows(a):
    view = replace(first_view(a), planes=(False, False, True))
    scalar = scalar_of(view, a)
    seen = {}
    for index in (0, 3):
        moved = with_slice(view, a, 2, index)
        shown = surface(a.source, scalar, moved)
        seen[index] = scalar.values.ravel()[shown.voxels].reshape(6, 5)
        assert shown.points[:, 2] == pytest.approx((index + 0.5) * a.body.grid.h[2])
        np.testing.assert_array_equal(seen[index], scalar.values[:, :, index])
    assert not np.allclose(seen[0], seen[3])


def test_a_slider_beyond_the_grid_is_the_last_voxel(a):
    assert with_slice(first_view(a), a, 0, 99).slices[0] == 5


def test_another_component_has_another_label_and_other_values(a):
    xx, yz = (
        scalar_of(with_field(first_view(a), a, "stress", c), a) for c in ("xx", "yz")
    )
    assert xx.label != yz.label
    assert "GPa" in xx.label
    assert "xx" in xx.label
    assert not np.allclose(xx.values, yz.values)


def test_a_tensor_without_component_is_shown_by_its_first(a):
    assert with_field(first_view(a), a, "strain").component == "xx"


def test_the_difference_of_two_files_is_that_of_their_values(folder, a):
    b = open_subject(folder / "b.vtkhdf")
    view = with_field(first_view(a), a, "stress", "xy")
    shown = difference(view, a, b)
    expected = (a.source.stress[5] - b.source.stress[5]) / np.sqrt(2)
    np.testing.assert_allclose(shown.values, expected, rtol=1e-12, atol=1e-15)
    assert abs(expected).max() > 1e-3
    assert not difference(view, a, a).values.any()


def test_files_of_different_grids_are_not_compared(folder, a):
    small = open_subject(folder / "small.vtkhdf")
    with pytest.raises(InputError, match="expected equal grids"):
        difference(first_view(a), a, small)


def test_own_ends_of_the_colour_scale_are_kept_and_full_ones_are_extremes(a):
    view = with_field(first_view(a), a, "stress", "xx")
    scalar = scalar_of(view, a)
    own = replace(view, ends="own", limits=(0.1, 0.2), colors="cividis")
    assert color_scale(own, scalar) == (0.1, 0.2, "cividis")
    low, high, _ = color_scale(replace(view, ends="full"), scalar)
    assert (low, high) == (scalar.values.min(), scalar.values.max())
    robust = color_scale(view, scalar)
    assert low < robust[0] < robust[1] < high


def test_cells_have_the_colours_of_the_colour_bar(a):
    view = with_field(first_view(a), a, "stress", "xx")
    scalar = scalar_of(view, a)
    low, high, name = color_scale(view, scalar)
    voxels = np.arange(20)
    expected = matplotlib.colormaps[name](
        (scalar.values.ravel()[:20] - low) / (high - low)
    )
    np.testing.assert_array_equal(colors(scalar, a.body, view, voxels), expected[:, :3])


def test_pores_are_grey_in_slices_and_absent_from_skins(folder):
    pore = open_subject(folder / "pore.vtkhdf")
    view = first_view(pore)
    scalar = scalar_of(view, pore)
    empty = np.flatnonzero(pore.body.phase.ravel() == 1)
    assert len(empty)
    assert np.ptp(colors(scalar, pore.body, view, empty)) == 0
    shown = surface(pore.source, scalar, replace(view, mode="body"))
    assert not np.isin(shown.voxels, empty).any()


def test_the_skin_of_a_box_is_its_six_faces(rng):
    body = Microstructure(Grid((3, 4, 5)), np.zeros((3, 4, 5), int))
    whole = skin(nodes(body), np.ones((3, 4, 5), bool))
    assert len(whole.quads) == 2 * (3 * 4 + 4 * 5 + 3 * 5)
    kept = np.zeros((3, 4, 5), bool)
    kept[1, 1, 1] = kept[1, 1, 2] = True
    pair = skin(nodes(body), kept)
    assert len(pair.quads) == 10
    assert len(pair.points) == 12


def test_the_area_of_a_skin_is_that_of_its_faces():
    grid = Grid((2, 3, 4), (0.5, 1.0, 2.0))
    shown = skin(
        nodes(Microstructure(grid, np.zeros(grid.shape, int))),
        np.ones(grid.shape, bool),
    )
    p = shown.points[shown.quads]
    areas = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 3] - p[:, 0]), axis=1)
    x, y, z = grid.size
    assert areas.sum() == pytest.approx(2 * (x * y + y * z + x * z))


def test_the_corner_that_is_cut_off_and_the_threshold_hide_voxels(a):
    view = replace(first_view(a), mode="body")
    scalar = scalar_of(view, a)
    cut = surface(a.source, scalar, replace(view, mode="corner"))
    i, j, k = np.unravel_index(cut.voxels, a.body.grid.shape)
    assert not ((i >= 3) & (j <= 2) & (k >= 2)).any()
    middle = float(np.median(scalar.values))
    kept = surface(a.source, scalar, replace(view, keep=(middle, np.inf)))
    assert scalar.values.ravel()[kept.voxels].min() >= middle
    assert len(kept.voxels)


def test_the_deformed_box_has_the_mean_strain_of_the_load(a):
    factor = 50.0
    moved = nodes(a.source, factor)
    u = (moved - nodes(a.source)) / factor
    edge = u[-1] - u[0]
    # the fluctuation is periodic: opposite faces move apart by E.x alone
    assert np.ptp(edge[..., 0]) < 1e-12
    assert edge[0, 0, 0] == pytest.approx(1e-3 * a.body.grid.size[0])


@pytest.mark.parametrize("scheme", ["rotated", "fourier"])
def test_faces_of_a_deformed_body_move_as_its_opposite_ones(scheme):
    result = fftmech.solve(grains((4, 4, 4)), TENSION, scheme=scheme)
    u = nodes(result, 1.0) - nodes(result)
    for axis in range(3):
        apart = np.take(u, -1, axis) - np.take(u, 0, axis)
        assert np.ptp(apart.reshape(-1, 3), axis=0) == pytest.approx(0, abs=1e-12)
    assert abs(np.diff(u, axis=0)).max() > 1e-5


def test_a_plane_lies_between_the_two_layers_of_nodes_of_its_voxels(a):
    middle = plane(nodes(a.source), 0, 2)
    assert middle.points[:, 0] == pytest.approx(2.5 * a.body.grid.h[0])
    assert len(middle.quads) == 5 * 4


def test_the_probe_lists_what_is_in_its_voxel(a):
    view = replace(first_view(a), probe=(1, 2, 3))
    rows = {name: (text, unit) for name, text, unit in probe_rows(view, a, a.fields)}
    stress = a.source.stress[4, 1, 2, 3] / np.sqrt(2)
    assert float(rows["stress xz"][0]) == pytest.approx(stress, rel=1e-4)
    assert rows["stress xz"][1] == "GPa"
    assert rows["phase"][0] == str(a.body.phase[1, 2, 3])


def test_a_headline_names_file_load_and_certificate(a):
    text = headline(a)
    for part in ("a.vtkhdf", "strain xx = 0.001", "certificate", "relative error"):
        assert part in text
    assert describe(a)["voxels"] == "6 x 5 x 4"


def test_files_that_share_a_phase_map_only_are_compared_by_it(folder):
    exhibit = Exhibit.open([folder / "a.vtkhdf", folder / "grains.h5"])
    assert exhibit.view.field == "phase"
    assert list(exhibit.fields) == ["phase"]
    assert not exhibit.scalars()[2].values.any()


def test_a_time_of_a_series_is_the_result_that_was_written(tmp_path):
    C = fftmech.materials.isotropic(E=200.0, nu=0.3)
    law = {0: Plasticity(yield_stress=0.3, hardening=2.0)}
    body = sphere(4, C, 5 * C).with_changes(law=law)
    march = March(body, Path((Step(Load.uniaxial("xx", 0.01), increments=2),)))
    results = []
    for point in march.points():
        assert point.status == "converged"
        results.append(march.result())
    run_ = {"scheme": "rotated", "solver": "cg", "tolerance": 1e-6}
    write_series(tmp_path / "path.vtkhdf", results, 2, run_)
    series = open_subject(tmp_path / "path.vtkhdf")
    assert series.times == (0.5, 1.0)
    for number, result in enumerate(results):
        moment = series.at(number).source
        np.testing.assert_allclose(moment.stress, result.stress, rtol=1e-12)
        np.testing.assert_allclose(nodes(moment, 1), nodes(result, 1), atol=1e-12)
        for name, values in result.variables.items():
            np.testing.assert_allclose(moment.variables[name], values, rtol=1e-12)
    assert abs(results[0].stress - results[1].stress).max() > 1e-2
    assert read_moment(tmp_path / "path.vtkhdf", 1).time == 1.0


def test_a_picture_from_above_has_x_to_the_right_and_y_upwards():
    above = Projection.towards((0, 0, 1), (0, 1, 0))
    np.testing.assert_allclose(above.flat(np.eye(3)), [[1, 0], [0, 1], [0, 0]])


def test_a_screenshot_has_its_size_and_changes_with_what_is_shown(folder, tmp_path):
    pictures = []
    for name, options in {
        "xx.png": ("--component", "xx"),
        "xy.png": ("--component", "xy"),
        "corner.png": ("--component", "xx", "--mode", "corner", "--warp", "100"),
    }.items():
        outcome = run(
            "view",
            folder / "a.vtkhdf",
            *("--field", "stress", "--size", "500x400"),
            *options,
            *("--screenshot", tmp_path / name),
        )
        assert outcome.exit_code == 0, outcome.stderr
        pictures.append(matplotlib.image.imread(tmp_path / name))
        assert pictures[-1].shape[:2] == (400, 500)
        # coloured voxels, no empty frame
        assert (np.ptp(pictures[-1][..., :3], axis=2) > 0.2).mean() > 0.05
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_a_screenshot_of_two_files_shows_both_and_their_difference(folder, tmp_path):
    out = tmp_path / "two.png"
    outcome = run(
        *("view", folder / "a.vtkhdf", folder / "b.vtkhdf", "--screenshot", out)
    )
    assert outcome.exit_code == 0, outcome.stderr
    picture = matplotlib.image.imread(out)[..., :3]
    colored = (np.ptp(picture, axis=2) > 0.2).mean(axis=0)
    for third in np.array_split(colored, 3):
        assert third.max() > 0.1


def test_the_phases_of_a_microstructure_have_a_screenshot(folder, tmp_path):
    out = tmp_path / "grains.png"
    assert run("view", folder / "grains.h5", "--screenshot", out).exit_code == 0
    assert out.stat().st_size > 5000


@pytest.mark.parametrize(
    "args, message",
    [
        (("a.vtkhdf", "--field", "heat"), "field 'heat': expected one of phase"),
        (("a.vtkhdf", "--field", "stress", "--component", "q"), "component 'q'"),
        (("grains.h5", "--warp", "10"), "has no displacement"),
        (("grains.h5", "--field", "stress"), "microstructure"),
        (("a.vtkhdf", "small.vtkhdf"), "expected equal grids"),
        (("a.vtkhdf", "a.vtkhdf", "a.vtkhdf"), "expected one, or two to compare"),
        (("absent.vtkhdf",), "no such file"),
        (("a.vtkhdf", "--size", "9x9"), "expected 300 to 8000 pixels"),
        (("a.vtkhdf", "--size", "big"), "expected WIDTHxHEIGHT"),
        (("a.vtkhdf", "--warp", "nan"), "finite number"),
    ],
)
def test_bad_input_is_one_line(folder, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(folder)
    out = tmp_path / "out.png"
    assert message in failed_line(run("view", *args, "--screenshot", out))
    assert not out.exists()


def test_a_picture_is_png_and_is_kept_without_force(folder, tmp_path):
    file = folder / "a.vtkhdf"
    assert "are PNG" in failed_line(
        run("view", file, "--screenshot", tmp_path / "out.jpg")
    )
    out = tmp_path / "out.png"
    out.write_text("mine")
    assert "exists" in failed_line(run("view", file, "--screenshot", out))
    assert out.read_text() == "mine"


def test_a_page_without_its_packages_is_refused_in_one_line(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "trame.app", None)
    monkeypatch.delitem(sys.modules, "fftmech.viewer.app", raising=False)
    monkeypatch.setitem(sys.modules, "vtkmodules.util.numpy_support", None)
    monkeypatch.delitem(sys.modules, "fftmech.viewer.stage", raising=False)
    outcome = run("view", folder / "a.vtkhdf", "--no-browser")
    assert "fftmech[view]" in failed_line(outcome)


def test_a_screenshot_needs_neither_vtk_nor_trame(folder, tmp_path):
    code = (
        "import sys; sys.modules['vtkmodules'] = sys.modules['trame'] = None\n"
        "from fftmech_cli.fftmech_main import main\n"
        f"main(['view', {str(folder / 'a.vtkhdf')!r}, '--screenshot', "
        f"{str(tmp_path / 'out.png')!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.png").exists()
