"""The recipe of pores and windows from images."""

import numpy as np
import pytest

from fftmech import InputError
from fftmech.datasets import images
from fftmech.datasets.image_files import images_in
from fftmech.datasets.images import ImagesRecipe
from fftmech.materials.elastic import PORE, isotropic


def rock(*blocks):
    """An image of 24^3 voxels, phase 1 with blocks of phase 0."""
    values = np.ones((24, 24, 24), dtype=np.uint8)
    for x, y, z, *sides in blocks:
        values[
            tuple(slice(c, c + n) for c, n in zip((x, y, z), sides, strict=True))
        ] = 0
    return values


@pytest.fixture
def folder(tmp_path):
    """Two images: pores of 60, 48, 8 and 64 voxels, and one of 75 that is cut off."""
    place = tmp_path / "ct"
    place.mkdir()
    blocks = [(2, 2, 2, 5, 4, 3), (12, 12, 12, 4, 4, 3), (20, 20, 20, 2, 2, 2)]
    np.save(place / "b.npy", rock(*blocks))
    np.save(place / "a.npy", rock((8, 8, 8, 4, 4, 4), (0, 18, 18, 5, 5, 3)))
    (place / "notes.txt").write_text("no image")
    return place


def recipe(folder, **options):
    return ImagesRecipe.from_folder(folder, **{"smallest": 40, **options})


def test_every_pore_is_drawn_once_and_those_cut_off_at_a_face_are_left_out(folder):
    made = recipe(folder)
    assert made.available() == 3
    drawn = [made.draw(0, index, 16).statistics for index in range(3)]
    assert {(s["image"], s["voxels"]) for s in drawn} == {
        ("a.npy", 64),
        ("b.npy", 60),
        ("b.npy", 48),
    }
    assert not any(s["cut"] for s in drawn)
    orders = {
        tuple(made.draw(seed, i, 16).statistics["voxels"] for i in range(3))
        for seed in range(20)
    }
    assert len(orders) == 6


def test_pores_that_are_cut_off_are_taken_where_there_are_no_others(folder):
    made = recipe(folder, smallest=70)
    assert made.available() == 1
    assert made.draw(0, 0, 16).statistics["cut"] is True


def test_an_index_beyond_the_pores_is_refused_with_their_number(folder):
    with pytest.raises(InputError, match="has 3 of at least 40 voxels") as refusal:
        recipe(folder).draw(0, 3, 16)
    assert "\n" not in str(refusal.value)


def test_pore_at_the_voxels_of_the_image_is_the_one_in_the_image(folder):
    made = recipe(folder, smallest=60, margin=0.25, E=70.0, nu=0.3)
    draws = [made.draw(0, index, 10) for index in range(2)]
    (flat,) = (d for d in draws if d.statistics["voxels"] == 60)
    found = np.argwhere(flat.body.phase)
    # 5 x 4 x 3 voxels in a cube of 5 / (1 - 2 / 4) = 10
    assert (np.ptp(found, axis=0) + 1 == [5, 4, 3]).all()
    assert len(found) == 60
    assert (found.min(axis=0) == [2, 3, 3]).all()
    assert flat.statistics["fraction"] == 0.06
    assert flat.statistics["aspect_ratio"] == pytest.approx(5 / 3)
    assert flat.body.grid.size == (1.0, 1.0, 1.0)
    assert flat.body.stiffness is not None
    assert (flat.body.stiffness == [isotropic(E=70.0, nu=0.3), PORE]).all()


def test_refining_a_pore_changes_neither_its_fraction_nor_its_shape(folder):
    made = recipe(folder)
    for index in range(3):
        coarse, fine = (made.draw(0, index, res).statistics for res in (10, 40))
        # edges of 10, and of 8 voxels
        if coarse["voxels"] == 60:
            assert fine == coarse
        else:
            assert fine["fraction"] == fine["voxels"] / 8**3


def test_pore_in_voxels_that_are_no_cubes_keeps_its_proportions(tmp_path):
    values = np.ones((24, 24, 24), dtype=np.uint8)
    values[8:16, 8:16, 10:14] = 0
    np.save(tmp_path / "flat.npy", values)
    made = recipe(tmp_path, spacing=(1.0, 1.0, 2.0))
    statistics = made.draw(0, 0, 32).statistics
    assert statistics["aspect_ratio"] == pytest.approx(1, abs=0.01)
    # a cube of 8 in one of 16
    assert statistics["fraction"] == 1 / 8


def test_a_changed_image_is_noticed(folder):
    made = recipe(folder)
    np.save(folder / "a.npy", rock((8, 8, 8, 4, 4, 5)))
    assert recipe(folder) != made
    with pytest.raises(InputError, match="a.npy is not the file .* SHA-256"):
        made.draw(0, 0, 16)


def test_images_are_read_once_a_process(folder, monkeypatch):
    names = []
    read = images.read

    def counted(path, **options):
        names.append(path.name)
        return read(path, **options)

    monkeypatch.setattr(images, "read", counted)
    single, whole = recipe(folder, smallest=41), recipe(folder, window=10)
    for index in range(3):
        single.draw(0, index % 2, 8)
    assert names == ["a.npy", "b.npy"]
    names.clear()
    for index in range(20):
        whole.draw(0, index, 8)
    assert sorted(names) == ["a.npy", "b.npy"]


def test_headerless_grey_image_is_read_as_its_options_say(tmp_path):
    grey = rock((8, 8, 8, 4, 4, 2)) * 200 + 20
    grey.astype("uint8").transpose(2, 1, 0).tofile(tmp_path / "scan.raw")
    made = recipe(
        tmp_path, shape=(24, 24, 24), dtype="uint8", threshold=100.0, smallest=10
    )
    draw = made.draw(0, 0, 8)
    assert draw.statistics["voxels"] == 32
    assert (np.ptp(np.argwhere(draw.body.phase), axis=0) + 1 == [4, 4, 2]).all()


def test_window_is_that_part_of_the_image(folder):
    made = recipe(folder, window=12)
    assert made.available() is None
    corners = set()
    for index in range(12):
        body, statistics = made.draw(0, index, 12)
        corner = tuple(statistics[axis] for axis in "xyz")
        image = np.load(folder / statistics["image"])
        part = image[tuple(slice(c, c + 12) for c in corner)]
        # in the image 0 is a pore, in the body 1
        assert (body.phase == 1 - part).all()
        assert statistics["fraction"] == (part == 0).mean()
        corners.add((statistics["image"], *corner))
    assert len(corners) == 12
    assert {name for name, *_ in corners} == {"a.npy", "b.npy"}


def test_window_keeps_phases_that_a_materials_file_lists(tmp_path):
    place = tmp_path / "ct"
    place.mkdir()
    phases = np.arange(16**3).reshape(16, 16, 16) % 3
    np.save(place / "three.npy", phases)
    materials = tmp_path / "m.toml"
    text = 'units = "GPa"\n'
    for p in range(3):
        text += f"[[phase]]\nid = {p}\nisotropic = {{ E = {p + 1}.0, nu = 0.3 }}\n"
    materials.write_text(text)
    made = recipe(place, window=8, materials=materials)
    body, statistics = made.draw(0, 0, 8)
    x, y, z = (statistics[axis] for axis in "xyz")
    assert (body.phase == phases[x : x + 8, y : y + 8, z : z + 8]).all()
    assert statistics["phases"] == 3
    assert statistics["fraction"] == 0
    assert body.stiffness is not None
    assert body.stiffness[2] == pytest.approx(isotropic(E=3.0, nu=0.3))
    materials.write_text(text.replace("E = 2.0", "E = 9.0"))
    with pytest.raises(InputError, match="is not the file"):
        recipe(place, window=8, materials=materials)
        images._image.cache_clear()
        made.draw(0, 0, 8)


def test_windows_that_pores_separate_are_drawn_again(tmp_path):
    values = np.ones((24, 8, 8), dtype=np.uint8)
    values[4] = 0
    np.save(tmp_path / "layer.npy", values)
    made = recipe(tmp_path, window=8)
    assert all(made.draw(0, index, 8).statistics["x"] > 4 for index in range(20))
    values[::2] = 0
    np.save(tmp_path / "layer.npy", values)
    with pytest.raises(InputError, match="pores separate the solid; widen"):
        recipe(tmp_path, window=8).draw(0, 0, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smallest": 500}, "no pore of at least 500 voxels in 2 image"),
        ({"pore": (7,)}, r"phase of the pores \(now 7\)"),
        ({"window": 25}, "lower the window"),
        ({"threshold": float("nan")}, "finite"),
    ],
)
def test_images_of_which_nothing_can_be_cut_are_refused(folder, options, message):
    with pytest.raises(InputError, match=message) as refusal:
        recipe(folder, **options).draw(0, 0, 16)
    assert "\n" not in str(refusal.value)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(InputError, match="no body or image in this folder"):
        recipe(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        recipe(tmp_path / "absent")


def test_a_pore_that_vanishes_at_the_resolution_is_refused(tmp_path):
    values = np.ones((60, 9, 9), dtype=np.uint8)
    values[5:55, 4, 4] = 0
    np.save(tmp_path / "needle.npy", values)
    with pytest.raises(InputError, match="too thin for 8\\^3 voxels"):
        recipe(tmp_path).draw(0, 0, 8)


def test_closed_pores_of_a_scanned_rock(data, tmp_path):
    name = "grosmont_128.raw.gz"
    (tmp_path / name).symlink_to(data / name)
    made = ImagesRecipe.from_folder(
        tmp_path, shape=(128, 128, 128), dtype="uint8", threshold=0
    )
    count = made.available()
    assert count == 13
    drawn = [made.draw(0, index, 32) for index in range(count)]
    labels = {draw.statistics["label"] for draw in drawn}
    assert len(labels) == 13
    for body, statistics in drawn:
        assert list(body.check().pores) == [1]
        assert 200 <= statistics["voxels"] <= 2128
        assert not statistics["cut"]
        assert 0.2 < statistics["sphericity"] < 0.8


def test_text_beside_images_is_no_image(tmp_path):
    for name in ("a.npy", "README.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [name for name, _ in images_in(tmp_path)] == ["a.npy"]
