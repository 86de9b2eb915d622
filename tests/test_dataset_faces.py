"""Datasets of boxes with faces: their fields, their card, and who refuses them."""

import json
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
from small_datasets import content, refused, run
from test_dataset_card import CARD
from test_dataset_sample import made

from fftmech import Boundary, Grid, InputError, Load, Microstructure, discretization, io
from fftmech import solve as solve_
from fftmech.datasets.card import card_text, read_card
from fftmech.datasets.draft import new_card
from fftmech.datasets.loading import Loading
from fftmech.datasets.polycrystal import PolycrystalRecipe
from fftmech.io.sample_file import read_sample
from fftmech.materials import isotropic
from fftmech.microstructure import polycrystal
from fftmech.results.comparison import compare
from fftmech.tensors import FACTORS, matrix_from_mandel
from fftmech.tensors.fields import full, symmetrize

GRAINS = PolycrystalRecipe(grains=(2, 3))
PAPER = Boundary("uniaxial", "free", "free")
PULLED = Load({"xx": 8e-5})
FACES = "--boundary x=uniaxial --boundary y=free --boundary z=free"
LINE = "dataset polycrystal --res 8 --low-res 4 --grains 2 --count 3 --splits 1,1,1"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Dataset of three samples of pulled grains, the last for the test."""
    folder = tmp_path_factory.mktemp("faces") / "d"
    run(f"{LINE} -o {folder} --jobs 1 --strain xx=8e-5 {FACES}")
    return folder


MIXED = Boundary("displacement", "free", "periodic")


@pytest.mark.parametrize(
    ("boundary", "scheme"),
    [
        (PAPER, "rotated"),
        pytest.param(MIXED, "rotated", marks=pytest.mark.slow),
        pytest.param(PAPER, "bbar", marks=pytest.mark.slow),
        pytest.param(MIXED, "bbar", marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_fields_of_a_sample_obey_the_laws_of_a_box_with_faces(
    boundary, scheme, tmp_path
):
    load = Load({"xx": 8e-5}, {} if boundary == PAPER else {"zz": 0.0})
    loading = Loading("fixed", load, boundary)
    path = made(tmp_path, recipe=GRAINS, loading=loading, scheme=scheme, levels=(8, 4))
    sample, d = read_sample(path), discretization(scheme)
    assert sample.boundary == boundary and sample.result().boundary == boundary
    for level in sample.levels.values():
        grid = level.body.grid
        strain, stress, u, H = (
            getattr(level, name)[0].astype(float)
            for name in ("strain", "stress", "displacement", "displacement_gradient")
        )
        # one node more than voxels along an axis with faces
        nodes = Grid(boundary.nodes(grid), grid.spacing)
        assert u.shape == (3, *nodes.shape) and H.shape == (3, 3, *grid.shape)
        largest = abs(H).max()
        assert abs(symmetrize(H) - strain).max() < 1e-7 * largest
        # the rotation is no rounding
        assert abs(H - H.swapaxes(0, 1)).max() > 0.1 * largest
        n, m, k = grid.shape
        D = d.gradient(u, nodes).mean(axis=0)[..., :n, :m, :k]
        G = boundary.mean_gradient(level.mean_strain[0])[..., None, None, None]
        assert abs(D + G - H).max() < 3e-6 * largest
        means = level.mean_strain[0] / FACTORS, level.mean_stress[0] / FACTORS
        size = abs(means[1]).max()
        assert means[0][0] == pytest.approx(8e-5, rel=1e-12)
        free = [1, 2, 3, 4, 5] if boundary == PAPER else [2]
        assert abs(means[1][free]).max() < 1e-5 * size
        if d.points > 1:
            continue
        # forces at nodes, those on faces too, vanish but where faces are held
        layers = [
            (0, 0),
            *((0, new - n) for n, new in zip(grid.shape, nodes.shape, strict=True)),
        ]
        force = d.strain_adjoint(np.pad(stress, layers)[None], nodes)
        for axis in range(3):
            for component in range(3):
                if boundary.fixed(component, axis):
                    np.moveaxis(force[component], axis, 0)[[0, -1]] = 0
        assert abs(force).max() < 1e-4 * abs(stress).max() / grid.h[0]


def bar(shape=(5, 4, 3)):
    solid = [isotropic(E=210.0, nu=0.3)]
    return Microstructure(Grid(shape, (0.1, 0.2, 0.15)), np.zeros(shape, int), solid)


@pytest.mark.parametrize("scheme", ["rotated", "bbar", "hex8"])
def test_the_gradient_of_a_bar_in_tension_and_of_a_simple_shear_is_exact(scheme):
    options = {"scheme": scheme, "tolerance": 1e-11}
    pulled = solve_(bar(), Load({"xx": 1e-3}), boundary=PAPER, **options)
    H = np.diag([1e-3, -3e-4, -3e-4])[..., None, None, None]
    assert abs(pulled.displacement_gradient - H).max() < 1e-13
    # u_x = 1e-3 y: half of it is a rotation
    held = Boundary(
        *["displacement"] * 3,
        displacement=lambda x, y, z: np.stack([1e-3 * y, 0 * y, 0 * y]),
    )
    sheared = solve_(bar(), Load(), boundary=held, **options)
    H = 1e-3 * np.eye(3)[0][:, None] * np.eye(3)[1]
    assert abs(sheared.displacement_gradient - H[..., None, None, None]).max() < 1e-13
    with pytest.raises(InputError, match="free to turn"):
        replace(sheared, scheme="forward").displacement_gradient  # noqa: B018


def test_a_shear_across_a_periodic_axis_that_faces_release_is_periodic(tmp_path):
    # a crystal that shears in yz when it is pulled, and one that does not
    grains = polycrystal((6, 4, 3), 2, 5)
    boundary, load = Boundary("uniaxial", "free", "periodic"), Load({"xx": 1e-3})
    load = replace(load, stress={"zz": 0.0})
    twice = grains.with_changes(
        grid=Grid((6, 4, 6), grains.grid.spacing), phase=np.tile(grains.phase, 2)
    )
    one, two = (
        solve_(body, load, boundary=boundary, scheme="rotated", tolerance=1e-10)
        for body in (grains, twice)
    )
    assert abs(one.mean_strain[3]) > 5e-6
    np.testing.assert_allclose(
        np.tile(one.displacement_gradient, 2), two.displacement_gradient, atol=1e-11
    )
    io.write_result(tmp_path / "one.vtkhdf", one)
    with h5py.File(tmp_path / "one.vtkhdf") as file:
        # the last plane of nodes too, which the result does not repeat
        written = file["VTKHDF/PointData/displacement"][()].T
    np.testing.assert_allclose(written, two.total_displacement[..., :4], atol=1e-11)
    again = io.read_result(tmp_path / "one.vtkhdf")
    np.testing.assert_allclose(again.displacement, one.displacement, atol=1e-15)


def test_the_mean_gradient_of_a_periodic_box_is_its_mean_strain():
    result = solve_(polycrystal(6, 3, seed=2), Load.uniaxial("xx", 1e-3))
    H = result.displacement_gradient
    assert abs(H - H.swapaxes(0, 1)).max() > 1e-5
    np.testing.assert_allclose(H.mean(axis=(2, 3, 4)), result.mean_gradient, atol=1e-15)
    assert abs(H + H.swapaxes(0, 1) - 2 * full(result.strain)).max() < 1e-15


def test_samples_of_periodic_boxes_are_as_they_were(tmp_path):
    sample = read_sample(made(tmp_path, recipe=GRAINS, levels=(4,)))
    assert sample.boundary is None and sample.low.displacement_gradient is None
    with h5py.File(tmp_path / "samples/00000.h5") as file:
        assert "displacement_gradient" not in file["VTKHDF/res4/CellData"]
        assert "boundary" not in json.loads(file["fftmech/run"][()])
    text = card_text(CARD)
    assert "boundary" not in text and '"format_version": 1' in text


def test_h5py_reads_the_gradient_by_rows(tmp_path):
    loading = Loading("fixed", PULLED, PAPER)
    path = made(tmp_path, recipe=GRAINS, loading=loading, levels=(4,))
    sample = read_sample(path)
    with h5py.File(path) as file:
        block = file["VTKHDF/res4/CellData"]
        H, strain = block["displacement_gradient"], block["strain"]
        assert H.shape == (4, 4, 4, 9) and H.dtype == np.float32
        assert H.attrs["components"] == "by rows: xx xy xz yx yy yz zx zy zz"
        mine = sample.low.displacement_gradient[0]
        np.testing.assert_array_equal(H[1, 2, 3], mine[:, :, 3, 2, 1].ravel())
        half = (H[..., 1] + H[..., 3]) / 2
        np.testing.assert_allclose(half, strain[..., 3], atol=1e-11)


def test_a_card_with_faces_is_read_again_and_named_where_it_differs(tmp_path):
    card = replace(CARD, loading=Loading("fixed", PULLED, PAPER))
    (tmp_path / "dataset.json").write_text(card_text(card), encoding="utf-8")
    assert '"format_version": 2' in card_text(card)
    assert read_card(tmp_path).loading == card.loading
    other = replace(card, loading=Loading("fixed", PULLED, Boundary("uniaxial")))
    assert [text.split(":")[0] for text in card.differences(other)] == [
        "loads.boundary.y",
        "loads.boundary.z",
    ]


def test_loads_that_faces_decide_on_are_refused():
    clamped = Boundary(*["displacement"] * 3)
    for mode in ("six", "random"):
        assert Loading(mode, boundary=clamped).periodic == (False,) * 3
        for boundary in (PAPER, Boundary("uniaxial"), Boundary(z="free")):
            with pytest.raises(InputError, match=f"{boundary}, which decides on"):
                Loading(mode, boundary=boundary)
    with pytest.raises(InputError, match="strain zz=1 with boundary z=free"):
        Loading("fixed", Load({"zz": 1.0}), PAPER)
    for boundary in (Boundary(), replace(clamped, displacement=np.zeros(3))):
        with pytest.raises(InputError, match="of a dataset"):
            Loading("six", boundary=boundary)


@pytest.mark.slow
def test_six_loads_of_clamped_faces_have_their_gradients(tmp_path):
    loading = Loading("six", boundary=Boundary(*["displacement"] * 3))
    sample = read_sample(made(tmp_path, recipe=GRAINS, loading=loading, levels=(4,)))
    H, E = sample.low.displacement_gradient, sample.low.mean_strain
    assert H.shape == (6, 3, 3, 4, 4, 4)
    mean = H.mean(axis=(3, 4, 5), dtype=float)
    np.testing.assert_allclose(mean, [matrix_from_mandel(e) for e in E], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (f"{FACES} --strain zz=1e-3", "strain zz=0.001 with boundary z=free"),
        (f"{FACES} --loads random", "which decides on strain yy"),
        (f"{FACES} --scheme fourier", "use --scheme rotated"),
        (f"{FACES} --scheme forward", "expected rotated, bbar or hex8"),
        (f"{FACES} --solver basic", "expected one of cg, minres"),
        (f"{FACES} --low-res 1", "boundary x=uniaxial across 1 voxel"),
        ("--boundary x=fixed", "--boundary x=fixed: expected AXIS=KIND"),
    ],
)
def test_what_faces_do_not_have_is_refused_before_anything_is_made(
    options, told, tmp_path
):
    assert told in refused(f"{LINE} -o {tmp_path / 'd'} {options}")
    assert not (tmp_path / "d").exists()


def test_a_device_that_faces_do_not_have_is_refused(tmp_path):
    from fftmech.datasets.draft import check_machine

    loading = Loading("fixed", PULLED, PAPER)
    card = new_card(GRAINS, 1, (8, 4), loading=loading)
    with pytest.raises(InputError, match="use --device cpu"):
        check_machine(card, 1, "cuda")


def test_grains_do_not_continue_through_faces():
    def of(*kinds):
        loading = Loading("fixed", Load(), Boundary(*kinds))
        return new_card(GRAINS, 1, (8, 4), loading=loading).parameters["periodic"]

    assert of("free", "free", "free") is False
    assert of("uniaxial", "periodic", "free") == (False, True, False)
    assert new_card(GRAINS, 1, (8, 4)).parameters["periodic"] is True
    first, second = (
        polycrystal(12, 6, 1, sizes, (False, True, False)).phase
        for sizes in (None, (0.0, 0.1))
    )
    for phase in (first, second):
        # more grains meet themselves across the seam of y than across x and z
        same = [
            (phase.take(0, axis) == phase.take(-1, axis)).mean() for axis in range(3)
        ]
        assert same[1] > max(same[0], same[2]) + 0.2


@pytest.mark.slow
def test_a_boundary_that_was_tampered_with_is_found_and_mended(whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "d")
    path = copy / "samples/00001.h5"
    for changed in (lambda run: {**run, "boundary": {"x": "free"}}, without):
        with h5py.File(path, "r+") as file:
            document = json.loads(file["fftmech/run"][()])
            file["fftmech/run"][()] = json.dumps(changed(document))
        with pytest.raises(InputError, match="expected that of the card, x=uniaxial"):
            io.Dataset(copy)[1]
        assert "sample 1: altered" in run(f"dataset verify {copy}", code=2).stdout
    run(f"dataset verify {copy} --repair --jobs 1")
    assert content(copy) == content(whole)


def without(document):
    return {name: value for name, value in document.items() if name != "boundary"}


@pytest.mark.slow
def test_a_dataset_with_faces_is_continued_extended_drawn_and_not_merged(
    whole, tmp_path
):
    copy = shutil.copytree(whole, tmp_path / "d")
    assert ": 0 made" not in run(f"dataset extend {copy} --count 4 --jobs 1").stdout
    assert io.Dataset(copy)[3].boundary == PAPER
    assert "boundary x uniaxial, y free, z free" in run(f"dataset info {copy}").stdout
    line = f"{LINE} -o {tmp_path / 'd'} --jobs 1 --strain xx=8e-5 --count 4"
    assert "loads.boundary.x: uniaxial there, None asked" in refused(line)
    run(f"{LINE} -o {tmp_path / 'p'} --jobs 1 --strain xx=8e-5")
    told = refused(f"dataset merge {whole} {tmp_path / 'p'} -o {tmp_path / 'm'}")
    assert "loads.boundary.x" in told and "format_version" not in told
    assert not (tmp_path / "m").exists()
    results = [io.read_result(f / "samples/00000.h5") for f in (whole, tmp_path / "p")]
    document = compare(*results)
    assert document["divergence"]["a"] is None and document["divergence"]["b"]
    assert any("faces" in note for note in document["notes"])
