"""The viewer's page without a browser: its variables, keys, and windows."""

import socket

import numpy as np
import pytest
from command_lines import one_line_of, run_fftmech
from conftest import grains

import fftmech
from fftmech import Load, io
from fftmech.viewer.surface import nodes
from fftmech.viewer.viewer import Viewer, first_state, probed_voxel, shown_view


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "a.vtkhdf"
    body = grains((6, 5, 4)).with_changes(units={"stress": "GPa"})
    io.write_result(path, fftmech.solve(body, Load.uniaxial("xx", 1e-3)))
    return path


@pytest.fixture
def viewer(file):
    return Viewer.open([file], "stress", "xy", mode="corner", warp=12.5)


@pytest.fixture
def app(viewer):
    for name in ("trame.app", "trame_vtk", "trame_vuetify", "vtkmodules"):
        pytest.importorskip(name)
    from fftmech.viewer.app import App

    return App(viewer)


def test_the_page_at_first_says_what_the_view_shows(viewer):
    assert shown_view(first_state(viewer), viewer) == viewer.view


def test_sliders_and_switches_of_the_page_are_the_views(viewer):
    state = first_state(viewer) | {"slice_y": 4, "planes": ["z"], "mode": "body"}
    view = shown_view(state, viewer)
    assert view.slices == (3, 4, 2)
    assert view.planes == (False, False, True)
    assert view.mode == "body"


def test_a_threshold_is_a_part_of_the_range_of_values(viewer):
    values = viewer.scalars()[0].values
    keep = shown_view(first_state(viewer) | {"keep": [25, 100]}, viewer).keep
    assert keep is not None
    low, high = keep
    assert low == pytest.approx(values.min() + 0.25 * np.ptp(values))
    assert high == values.max()


def test_ones_own_colour_scale_begins_with_the_ends_that_it_had(viewer):
    (panel,) = viewer.panels()
    own = shown_view(first_state(viewer) | {"ends": "own"}, viewer)
    assert own.limits == (panel.scale.low, panel.scale.high)
    assert own.limits[0] < own.limits[1]


def test_two_files_share_a_colour_scale_that_the_difference_does_not_have(file):
    viewer = Viewer.open([file, file], "stress", "xx", ends="own", limits=(0.1, 0.2))
    a, b, difference = (panel.scale for panel in viewer.panels())
    assert a[:2] == b[:2] == (0.1, 0.2)
    assert difference.low < 0 < difference.high


def test_text_that_is_no_number_changes_nothing(viewer):
    state = first_state(viewer)
    assert shown_view(state | {"warp": "1e", "low": "-"}, viewer) == viewer.view
    assert probed_voxel(state | {"probe_x": ""}, viewer) is None


def test_a_probe_beyond_the_grid_is_its_last_voxel(viewer):
    state = first_state(viewer) | {"probe_x": "99", "probe_z": -3}
    assert probed_voxel(state, viewer) == (5, 2, 0)


def test_the_visible_factor_moves_a_node_by_a_tenth_of_the_box(viewer):
    source = viewer.files[0].source
    moved = nodes(source, viewer.visible_warp()) - nodes(source)
    longest = max(viewer.files[0].body.grid.size)
    assert np.linalg.norm(moved, axis=-1).max() == pytest.approx(0.1 * longest)


def test_keys_change_slices_component_field_and_mode(app):
    state = app.server.state
    app.on_key("x")
    app.on_key("ArrowRight")
    assert state.slice_x == 4
    for _ in range(9):
        app.on_key("ArrowLeft")
    assert state.slice_x == 0
    app.on_key("c")
    assert state.component == "xx"
    app.on_key("C")
    assert state.component == "xy"
    app.on_key("m")
    assert state.mode == "body"
    app.on_key("f")
    assert state.field == "displacement"


def test_a_place_on_a_cell_is_found_to_be_in_its_voxel(app):
    (window,) = app.windows
    corners = window.shown.points[window.shown.quads]
    for number in (0, len(corners) // 2, len(corners) - 1):
        found = window.voxel_at(corners[number].mean(axis=0))
        flat = np.ravel_multi_index(found, (6, 5, 4))
        assert flat == window.shown.voxels[number]


def test_a_press_far_from_the_release_probes_nothing(app):
    place = app.windows[0].shown.points[app.windows[0].shown.quads[0]].mean(axis=0)
    event = {"worldPosition": place.tolist(), "displayPosition": [50, 50, 0]}
    before = app.server.state.probe_x, app.server.state.probe_y
    app.pick(0, event, {"x": 90, "y": 50})
    assert (app.server.state.probe_x, app.server.state.probe_y) == before
    app.pick(0, event, {"x": 50, "y": 51})
    assert (app.server.state.probe_x, app.server.state.probe_y) != before


def test_a_saved_picture_is_png(app):
    camera = {"position": [5, 0, 1], "focalPoint": [0, 0, 0], "viewUp": [0, 0, 1]}
    assert app.picture(camera).startswith(b"\x89PNG")


def test_a_port_that_is_taken_is_one_line(app, file):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_fftmech("view", file, "--no-browser", "--port", port, code=2)
    line = one_line_of(done)
    assert f"port {port}" in line
    assert "choose another --port" in line
