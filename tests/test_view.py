"""What the viewer shows: the view as data, surfaces and colours."""

from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from conftest import grains
from viewed_files import TENSION, solved, written

import fftmech
from fftmech import Grid, InputError, Microstructure, io
from fftmech.viewer.opened_file import open_file
from fftmech.viewer.surface import nodes, plane, skin, surface
from fftmech.viewer.view import ColorScale, View, colors
from fftmech.viewer.viewer import Viewer, difference, with_field

folder = pytest.fixture(scope="module")(written)


@pytest.fixture
def a(folder):
    return open_file(folder / "a.vtkhdf")


def test_a_result_is_first_shown_by_the_middle_slices_of_its_von_mises_stress(a):
    view = View.first(a)
    assert (view.field, view.component) == ("von_mises", "")
    assert view.slices == (3, 2, 2)
    assert view.planes == (True, True, True)


def test_a_flat_body_is_first_shown_by_the_one_plane_that_it_has(tmp_path):
    io.write(tmp_path / "flat.h5", grains((5, 4, 1)))
    assert View.first(open_file(tmp_path / "flat.h5")).planes == (False, False, True)


def test_a_slider_changes_which_voxels_a_slice_shows(a):
    view = replace(View.first(a), planes=(False, False, True))
    scalar = a.scalar(view.field, view.component)
    seen = {}
    for index in (0, 3):
        moved = replace(view, slices=(3, 2, index))
        shown = surface(nodes(a.source), scalar, moved)
        seen[index] = scalar.values.ravel()[shown.voxels].reshape(6, 5)
        assert shown.points[:, 2] == pytest.approx((index + 0.5) * a.body.grid.h[2])
        np.testing.assert_array_equal(seen[index], scalar.values[:, :, index])
    assert not np.allclose(seen[0], seen[3])


def test_another_component_has_another_label_and_other_values(a):
    xx, yz = (a.scalar("stress", c) for c in ("xx", "yz"))
    assert xx.label != yz.label
    assert "GPa" in xx.label
    assert "xx" in xx.label
    assert not np.allclose(xx.values, yz.values)


def test_a_tensor_without_component_is_shown_by_its_first(a):
    assert with_field(View.first(a), a, "strain").component == "xx"


def test_the_difference_of_two_files_is_that_of_their_values(folder, a):
    b = open_file(folder / "b.vtkhdf")
    shown = difference(a, b, "stress", "xy")
    expected = (solved(a).stress[5] - solved(b).stress[5]) / np.sqrt(2)
    np.testing.assert_allclose(shown.values, expected, rtol=1e-12, atol=1e-15)
    assert abs(expected).max() > 1e-3
    assert not difference(a, a, "stress", "xy").values.any()


def test_files_of_different_grids_are_not_compared(folder, a):
    small = open_file(folder / "small.vtkhdf")
    with pytest.raises(InputError, match="expected equal grids"):
        difference(a, small, "von_mises")


def test_own_ends_of_the_colour_scale_are_kept_and_full_ones_are_extremes(a):
    view = with_field(View.first(a), a, "stress", "xx")
    scalar = a.scalar(view.field, view.component)
    own = replace(view, ends="own", limits=(0.1, 0.2), colors="cividis")
    assert own.color_scale(scalar) == (0.1, 0.2, "cividis")
    low, high, _ = replace(view, ends="full").color_scale(scalar)
    assert (low, high) == (scalar.values.min(), scalar.values.max())
    robust = view.color_scale(scalar)
    assert low < robust[0] < robust[1] < high


def test_cells_have_the_colours_of_the_colour_bar(a):
    view = with_field(View.first(a), a, "stress", "xx")
    scalar = a.scalar(view.field, view.component)
    low, high, name = view.color_scale(scalar)
    voxels = np.arange(20)
    expected = matplotlib.colormaps[name](
        (scalar.values.ravel()[:20] - low) / (high - low)
    )
    np.testing.assert_array_equal(
        colors(scalar, a.body, ColorScale(low, high, name), voxels), expected[:, :3]
    )


def test_pores_are_grey_in_slices_and_absent_from_skins(folder):
    pore = open_file(folder / "pore.vtkhdf")
    view = View.first(pore)
    scalar = pore.scalar(view.field, view.component)
    empty = np.flatnonzero(pore.body.phase.ravel() == 1)
    assert len(empty)
    assert np.ptp(colors(scalar, pore.body, view.color_scale(scalar), empty)) == 0
    shown = surface(nodes(pore.source), scalar, replace(view, mode="body"))
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
    view = replace(View.first(a), mode="body")
    scalar = a.scalar(view.field, view.component)
    cut = surface(nodes(a.source), scalar, replace(view, mode="corner"))
    i, j, k = np.unravel_index(cut.voxels, a.body.grid.shape)
    assert not ((i >= 3) & (j <= 2) & (k >= 2)).any()
    middle = float(np.median(scalar.values))
    kept = surface(nodes(a.source), scalar, replace(view, keep=(middle, np.inf)))
    assert scalar.values.ravel()[kept.voxels].min() >= middle
    assert len(kept.voxels)


def test_a_threshold_hides_cells_of_slices(a):
    view = replace(View.first(a), planes=(False, False, True))
    scalar = a.scalar(view.field, view.component)
    middle = float(np.median(scalar.values[:, :, 2]))
    shown = surface(nodes(a.source), scalar, replace(view, keep=(middle, np.inf)))
    assert len(shown.quads) == np.count_nonzero(scalar.values[:, :, 2] >= middle)
    assert 0 < len(shown.quads) < 30


def test_own_ends_of_the_colour_scale_are_those_of_one_field(a):
    view = replace(with_field(View.first(a), a, "stress", "xx"), ends="own")
    assert with_field(view, a, "stress", "yy").ends == "own"
    assert with_field(view, a, "strain", "xx").ends == "robust"


def test_the_scale_of_a_difference_is_centred_on_zero_and_its_size_is_said(folder):
    viewer = Viewer.open([folder / "a.vtkhdf", folder / "b.vtkhdf"], "stress", "xx")
    _, _, panel = viewer.panels()
    assert panel.scale.low == -panel.scale.high < 0
    assert panel.scale.name == "RdBu_r"
    first, second = (scalar.values for scalar in viewer.scalars()[:2])
    assert panel.title.startswith("A − B: rms ")
    rms = float(panel.title.split()[4])
    assert rms == pytest.approx(np.sqrt(((first - second) ** 2).mean()), rel=1e-2)
    share = float(panel.title.split()[6])
    assert share == pytest.approx(100 * rms / np.sqrt((second**2).mean()), rel=2e-2)


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


def test_files_that_share_a_phase_map_only_are_compared_by_it(folder):
    viewer = Viewer.open([folder / "a.vtkhdf", folder / "grains.h5"])
    assert viewer.view.field == "phase"
    assert list(viewer.fields) == ["phase"]
    assert not viewer.scalars()[2].values.any()
