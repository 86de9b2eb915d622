"""EBSD scans and EVPFFT's text: each orientation, phase and pixel is what it was."""

import h5py
import numpy as np
import pytest
from scan_files import (
    E111,
    E111_STEEL,
    GRAINS,
    SCANS,
    STEEL,
    STEPS,
    ang,
    ctf,
    evpfft,
    h5oina,
    hexagonal_ang,
    modulus,
    two_grains,
    uniform,
)
from scipy.spatial.transform import Rotation

from fftmech import Grid, InputError, io
from fftmech.io.materials import parse_materials
from fftmech.materials.elastic import trigonal
from fftmech.microstructure import fill_unindexed
from fftmech.microstructure.grains import misorientation
from fftmech.tensors import quaternion_from_bunge, voigt_from_mandel

QUARTZ = {"C11": 86.8, "C12": 7.0, "C13": 11.9, "C14": -18.0, "C33": 105.8, "C44": 58.2}


@pytest.mark.parametrize("name", GRAINS)
def test_every_format_puts_111_along_z_where_its_angles_do(tmp_path, name):
    body = io.read(GRAINS[name](tmp_path / name, uniform()))
    assert modulus(body, STEEL, (0, 0, 1)) == pytest.approx(E111_STEEL, rel=1e-4)


@pytest.mark.parametrize("name", GRAINS)
def test_every_format_has_its_pixels_where_they_were(tmp_path, name):
    body = io.read(GRAINS[name](tmp_path / name, two_grains()))
    np.testing.assert_array_equal(body.phase[:, :, 0], [[1] * 3] * 2 + [[2] * 3] * 2)
    expected = quaternion_from_bunge(np.array([E111, (10, 20, 30)]), degrees=True)
    np.testing.assert_allclose(body.orientation[1:], expected, atol=1e-4)
    assert body.material.tolist() == [-1, 1, 1] and body.unindexed is None


@pytest.mark.parametrize("name", SCANS)
def test_scans_have_their_steps_names_and_unit(tmp_path, name):
    body = io.read(SCANS[name](tmp_path / name, two_grains()))
    assert body.grid == Grid((4, 3, 1), (*STEPS, min(STEPS)))
    assert body.material_name == {1: "Iron"} and body.units == {"length": "um"}


@pytest.mark.parametrize("name", SCANS)
def test_a_scan_whose_options_say_all_has_no_notes(tmp_path, name):
    path = SCANS[name](tmp_path / name, two_grains())
    assert len(io.read(path).notes) == 2
    assert io.read(path, frame="map", misorientation=5).notes == ()


@pytest.mark.parametrize("name", GRAINS)
def test_pixels_of_phase_0_are_not_indexed_until_somebody_says_what_they_are(
    tmp_path, name
):
    phase = np.ones((3, 4), int)
    phase[1, 2] = 0
    kinds = {"phase": phase}
    if name == "a.ang":  # one phase may be called 0 there
        kinds = {"ci": np.where(phase, 0.5, -1)}
    body = io.read(GRAINS[name](tmp_path / name, two_grains(), **kinds))
    assert body.unindexed == 0 and body.unindexed_voxels == 1
    assert body.phase[2, 1, 0] == 0 and np.isnan(body.orientation[0]).all()
    steel = parse_materials({"default": {"cubic": dict(C11=3, C12=1, C44=2)}}, "m")
    with pytest.raises(InputError, match="1 of 12 voxels are not indexed"):
        steel.apply(body).check()
    for filled in (
        steel.apply(fill_unindexed(body, "pore")),
        fill_unindexed(steel.apply(body), "pore"),
    ):
        assert list(filled.check().pores) == [0]
    nearest = steel.apply(fill_unindexed(body, "nearest")).check()
    assert nearest.phase[2, 1, 0] == 2 and nearest.unindexed is None
    assert not steel.apply(fill_unindexed(body, 1)).check().pores.size
    listed = {
        "phase": [{"id": 0, "pore": True}],
        "default": {"isotropic": dict(E=1, nu=0)},
    }
    assert list(parse_materials(listed, "m").apply(body).check().pores) == [0]


def test_ang_has_several_ways_to_say_that_a_pixel_is_not_indexed(tmp_path):
    one = np.zeros((3, 4), int)
    assert io.read(ang(tmp_path / "a.ang", uniform(), one)).unindexed is None
    two = np.ones((3, 4), int)
    two[0, :3] = 0, -1, 2
    body = io.read(
        ang(tmp_path / "b.ang", uniform(), two, None, ("43", "62"), ("Iron", "Ti"))
    )
    assert body.unindexed_voxels == 2 and body.material_name == {1: "Iron", 2: "Ti"}
    assert sorted(body.material[body.phases]) == [-1, 1, 2]
    far = np.array(uniform())
    far[2, 3] = 720.0
    assert io.read(ang(tmp_path / "c.ang", far)).unindexed_voxels == 1


@pytest.mark.parametrize(
    ("frame", "direction"),
    [
        ("map", (1, 2, 3)),
        ("x", (1, -2, -3)),
        ("y", (-1, 2, -3)),
        ("z", (-1, -2, 3)),
        ("xy", (2, 1, -3)),
        ("x-y", (-2, -1, -3)),
    ],
)
@pytest.mark.parametrize("name", GRAINS)
def test_frames_turn_crystals_half_way_about_an_axis(tmp_path, name, frame, direction):
    """A direction of the map is the turned direction of the angles' frame."""
    path = GRAINS[name](tmp_path / name, uniform((10.0, 20.0, 30.0)))
    turned = io.read(path, frame=frame)
    expected = modulus(io.read(path), STEEL, direction)
    assert modulus(turned, STEEL, (1, 2, 3)) == pytest.approx(expected, rel=1e-9)


def test_frame_swaps_stiff_and_soft_axes_of_the_map(tmp_path):
    """[111] along x of the angles' frame is along y of the map, half a turn off."""
    # R takes [111] to x and [1-10] to y
    rows = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]]).T
    R = (rows / np.linalg.norm(rows, axis=0)).T
    phi = Rotation.from_matrix(R).as_euler("ZXZ", degrees=True)
    path = ang(tmp_path / "a.ang", uniform(phi % 360))
    moduli = {
        frame: [
            modulus(io.read(path, frame=frame), STEEL, n)
            for n in ((1, 0, 0), (0, 1, 0))
        ]
        for frame in ("map", "xy")
    }
    assert moduli["map"] == pytest.approx([E111_STEEL, moduli["xy"][0]], rel=1e-4)
    assert moduli["xy"][1] == pytest.approx(E111_STEEL, rel=1e-4)
    assert moduli["xy"][0] < 0.8 * E111_STEEL


def nye(direction):
    """Young's modulus of quartz along a direction, x along a (Nye 1957, table 12)."""
    S = np.linalg.inv(voigt_from_mandel(trigonal(**QUARTZ)))
    x, y, z = np.array(direction) / np.linalg.norm(direction)
    return 1 / (
        (1 - z * z) ** 2 * S[0, 0]
        + z**4 * S[2, 2]
        + z * z * (1 - z * z) * (2 * S[0, 2] + S[3, 3])
        + 2 * y * z * (3 * x * x - y * y) * S[0, 3]
    )


@pytest.mark.parametrize("name", ["a.ang", "a.ctf", "a.h5oina"])
def test_trigonal_crystals_have_a_along_x_or_b_along_y(tmp_path, name):
    euler = (0.0, 50.0, 90.0)  # z lies along (sin 50, 0, cos 50) of the file's crystal
    tilt = np.deg2rad(50)
    turn = np.deg2rad(30)  # from a to a*
    along = {
        "x=a": (np.sin(tilt), 0, np.cos(tilt)),
        "y=b": (
            np.sin(tilt) * np.cos(turn),
            np.sin(tilt) * np.sin(turn),
            np.cos(tilt),
        ),
    }
    options = {"symmetry": ("32",)} if name == "a.ang" else {"laue": (7,)}
    path = SCANS[name](tmp_path / name, uniform(euler), **options)
    own = "x=a" if name == "a.ang" else "y=b"
    quartz = trigonal(**QUARTZ)
    for given, meant in ((None, own), ("x=a", "x=a"), ("y=b", "y=b")):
        found = modulus(io.read(path, hexagonal=given), quartz, (0, 0, 1))
        assert found == pytest.approx(nye(along[meant]), rel=1e-4)
    assert nye(along["x=a"]) > 1.2 * nye(along["y=b"])


def test_grains_are_pixels_within_an_angle_of_their_neighbours(tmp_path):
    """Neighbours 4 degrees apart are one grain; a turn of 90 degrees is none."""
    euler = np.zeros((1, 6, 3))
    euler[0, :, 0] = [0, 4, 8, 98, 12 + 180, 60]
    path = ctf(tmp_path / "a.ctf", euler)
    assert io.read(path).phase.ravel().tolist() == [1, 1, 1, 1, 1, 2]
    assert len(io.read(path, misorientation=3).phases) == 5
    each = io.read(path, misorientation=0)
    assert each.phase.ravel().tolist() == [1, 2, 3, 4, 5, 6]
    expected = quaternion_from_bunge(euler[0], degrees=True)
    off = misorientation(each.orientation[1:], expected, "O")
    assert off.max() < 1e-6
    with pytest.raises(InputError, match="misorientation -1: expected degrees"):
        io.read(path, misorientation=-1)


def test_neighbours_of_two_phases_are_two_grains(tmp_path):
    phase = np.array([[1, 1, 2, 2]])
    euler = uniform(shape=(4, 1))
    path = ctf(tmp_path / "a.ctf", euler, phase, (11, 9), ("Iron", "Ti"))
    body = io.read(path)
    assert body.phase.ravel().tolist() == [1, 1, 2, 2]
    assert body.material.tolist() == [-1, 1, 2]


def test_a_hexagonal_grid_is_read_with_a_note(tmp_path):
    body = io.read(hexagonal_ang(tmp_path / "a.ang"))
    assert body.grid.shape == (3, 4, 1) and "hexagonal grid" in body.notes[0]


def test_angles_in_the_other_unit_are_refused_or_doubted(tmp_path):
    with pytest.raises(InputError, match=r"a.ang: angle 54.7\d*: expected radians"):
        io.read(ang(tmp_path / "a.ang", np.rad2deg(uniform())))
    notes = io.read(ctf(tmp_path / "a.ctf", np.deg2rad(uniform()))).notes
    assert any("read as degrees" in note for note in notes)
    notes = io.read(ang(tmp_path / "b.ang", np.rad2deg([[[1.0, 2.0, 3.0]]]))).notes
    assert any("whole numbers, read as radians" in note for note in notes)


def test_what_a_scan_does_not_use_is_noted(tmp_path):
    notes = io.read(ctf(tmp_path / "a.ctf", uniform(), acquired=90)).notes
    assert any("AcqE1, AcqE2, AcqE3 = 90, 0, 0 are not used" in n for n in notes)
    path = h5oina(tmp_path / "a.h5oina", uniform())
    with h5py.File(path, "a") as file:
        file["1/EBSD/Header/Specimen Orientation Euler"][...] = [0, 0, 0.5]
        file.copy("1", "2")
    notes = io.read(path).notes
    assert any("Specimen Orientation Euler = 0, 0, 0.5" in note for note in notes)
    assert any("slice 1 is read, not 2" in note for note in notes)
    notes = io.read(ang(tmp_path / "a.ang", uniform(), symmetry=("99",))).notes
    assert any("symmetry of phase 1 is not known" in note for note in notes)
    assert (
        "no size of a voxel" in io.read(evpfft(tmp_path / "a.txt", uniform())).notes[0]
    )


@pytest.mark.parametrize("name", GRAINS)
def test_pixels_are_where_they_say_they_are(tmp_path, name, rng):
    """MTEX writes .ctf column by column."""
    if name == "a.h5oina":
        pytest.skip("its pixels have no positions")
    euler = np.array(two_grains())
    if name != "a.txt":
        euler[0, 3] = 70, 80, 90
    path = GRAINS[name](tmp_path / name, euler)
    before = io.read(path)
    lines = path.read_text().splitlines()
    head = lines[: -euler.shape[0] * euler.shape[1]]
    path.write_text("\n".join([*head, *rng.permutation(lines[len(head) :])]) + "\n")
    after = io.read(path)
    assert (before.phase == after.phase).all()
    assert before.phase[3, 0, 0] == (2 if name == "a.txt" else 3)
    np.testing.assert_array_equal(before.orientation, after.orientation)


@pytest.mark.parametrize("name", GRAINS)
@pytest.mark.parametrize("odd", ["\x85", "\x1d", "\x0c"])
def test_lines_end_at_line_ends_alone(tmp_path, name, odd):
    """The letter of an operator's name is a line break in another encoding."""
    if name == "a.h5oina":
        pytest.skip("no text")
    path = GRAINS[name](tmp_path / name, two_grains())
    first, line, rest = path.read_bytes().partition(b"\n")
    word = b" " + odd.encode("latin-1") + b"nes"
    if name == "a.txt":
        first, word = b" " + odd.encode("latin-1") + first, b""
    path.write_bytes(first + word + line + rest)
    assert len(io.read(path).phases) == 2


@pytest.mark.parametrize("write", [lambda p: ang(p, two_grains()), hexagonal_ang])
def test_ang_without_a_grid_in_its_head_has_that_of_its_positions(tmp_path, write):
    """As ASTAR and old versions of OIM write it."""
    path = write(tmp_path / "a.ang")
    before = io.read(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(k for k in lines if "STEP" not in k and "# N" not in k))
    after = io.read(path)
    assert after.grid == before.grid and (after.phase == before.phase).all()
    assert set(after.notes) - set(before.notes) == {
        "steps and pixels are not in the head: those of x and y are taken"
    }
    text = path.read_text().replace("0.00000   0.00000  100", "nan   0.00000  100")
    path.write_text(text.replace("0.00000 0.00000 100", "nan 0.00000 100"))
    with pytest.raises(InputError, match="steps nan|pixel 1 is at x = nan"):
        io.read(path)


def test_words_of_a_file_that_cannot_be_printed_are_no_part_of_a_note(tmp_path):
    path = ctf(tmp_path / "a.ctf", two_grains())
    path.write_bytes(path.read_bytes().replace(b"AcqE2\t0", b"AcqE2\t1\0\x1b[31m2"))
    body = io.read(path)
    (note,) = [note for note in body.notes if "AcqE" in note]
    assert note.isprintable() and "AcqE3 = 0, 1  [31m2, 0 are not used" in note
    io.write(tmp_path / "a.h5", body)
    assert io.read(tmp_path / "a.h5").notes == body.notes


def test_evpfft_lines_may_come_in_any_order(tmp_path, rng):
    path = evpfft(tmp_path / "a.txt", two_grains())
    before = io.read(path, spacing=(1, 2, 3))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(rng.permutation(lines)))
    after = io.read(path, spacing=(1, 2, 3))
    assert (before.phase == after.phase).all() and after.notes == ()
    assert after.grid.h == (1, 2, 3)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("a.ang", "NROWS: 3", "NROWS: 4", "12 pixels where its head says 4 x 4"),
        ("a.ang", "XSTEP: 0.5", "XSTEP: 0", "steps 0, 0.25: expected positive"),
        (
            "a.ang",
            "XSTEP: 0.5",
            "XSTEP: 0.7",
            "pixel 2 is at x = 0.5: expected one of 4 places 0.7 apart",
        ),
        ("a.ang", "NCOLS_ODD", "COLUMNS", "head without XSTEP, YSTEP, NCOLS_ODD"),
        ("a.ang", "0.900  1  1  1.2", "0.900", "not a table of numbers"),
        (
            "a.ang",
            "0.900  1",
            "0.900  1.5",
            "has phase 1.5: expected a whole",
        ),
        ("a.ctf", "Channel Text File", "Text", "is no 'Channel Text File'"),
        ("a.ctf", "XCells\t4", "XCells\t0", "12 pixels where its head says 0 x 3"),
        ("a.ctf", "XCells\t4", "XCells\tfour", "head without XCells, or no number"),
        ("a.ctf", "Euler3", "Angle3", "no column Euler3"),
        ("a.ctf", "Iron\t11", "Iron\tcubic", "phase 1 is .* Laue group"),
        ("a.ctf", "Phases\t1", "Phases\t2", "Phases '2', and 1 lines of phases"),
        ("a.ctf", "1\t0.5000\t0.0000", "7.5\t0.5000\t0.0000", "pixel 2 has phase 7.5"),
        ("a.txt", " 1 1 1 1 1", " 1 1 1 1 1 7", "9 columns .* the eight of EVPFFT"),
        ("a.txt", " 2 1 1 ", " 1 1 1 ", "a voxel is there twice"),
        ("a.txt", " 2 1 1 ", " 2 1 9 ", "12 lines where x, y, z have 4 x 3 x 9"),
        (
            "a.txt",
            "54.736 45.000 2 1",
            "nan 45.000 2 1",
            "voxel 2 has a value that is no",
        ),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, name, old, new, message):
    path = GRAINS[name](tmp_path / name, two_grains())
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1 if name == "a.txt" else -1).encode())
    with pytest.raises(InputError, match=message) as caught:
        io.read(path)
    assert "\n" not in str(caught.value) and name in str(caught.value)


@pytest.mark.parametrize("name", SCANS)
def test_a_scan_without_an_indexed_pixel_is_read(tmp_path, name):
    nothing = {"phase": np.zeros((3, 4), int)}
    if name == "a.ang":
        nothing = {"ci": np.full((3, 4), -1.0)}
    body = io.read(SCANS[name](tmp_path / name, uniform(), **nothing))
    assert body.unindexed_voxels == 12 and body.notes == ()
    with pytest.raises(InputError, match="no voxel is indexed"):
        fill_unindexed(body, "nearest")
