"""Bodies are made, read and resampled by slabs: the same, and in little memory."""

import pickle
import tracemalloc

import numpy as np
import pytest

from fftmech import Boundary, Grid, InputError, Load, Microstructure, io, solve
from fftmech.datasets.blocks import _planes
from fftmech.materials.elastic import isotropic
from fftmech.microstructure import (
    inclusions,
    laminate,
    phase_map,
    polycrystal,
    pores,
    resample,
    single_pore,
    sphere,
    tessellation,
)
from fftmech.microstructure.laguerre import Laguerre, _solved
from fftmech.microstructure.packing import Packing
from fftmech.microstructure.polycrystal import _seeds, tessellate
from fftmech.microstructure.tessellation import UNIT

SOFT, STIFF = isotropic(E=1.0, nu=0.3), isotropic(E=10.0, nu=0.3)
STEEL = isotropic(E=200.0, nu=0.3)

GENERATORS = {
    "sphere": lambda **slab: sphere(20, 0.4, SOFT, STIFF, **slab),
    "spheres": lambda **slab: inclusions(24, 0.2, 0.12, SOFT, STIFF, **slab),
    "fibres": lambda **slab: inclusions(
        (24, 20, 22), 0.1, 0.1, SOFT, STIFF, (1, 1, 2), **slab
    ),
    "discs": lambda **slab: inclusions((24, 20, 1), 0.2, 0.12, SOFT, STIFF, **slab),
    "pores": lambda **slab: pores(24, 0.05, 4, "mixed", **slab),
    "pore": lambda **slab: single_pore(20, "keyhole", 0.03, **slab),
    "laminate": lambda **slab: laminate(10, [(0.3, SOFT), (0.7, STIFF)], **slab),
    "voronoi": lambda **slab: polycrystal((24, 20, 16), 30, **slab),
    "cut": lambda **slab: polycrystal(20, 9, periodic=False, **slab),
    "plane": lambda **slab: polycrystal((24, 20, 1), 6, **slab),
    "sized": lambda **slab: polycrystal(20, 8, sizes=(0, 0.2), **slab),
    "two kinds": lambda **slab: polycrystal(20, 9, others=[(STEEL, 0.4)], **slab),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_slabs_of_a_body_are_parts_of_the_whole(name, monkeypatch):
    whole = GENERATORS[name]()
    monkeypatch.setattr(phase_map, "SLAB", 999)
    n, low = whole.grid.shape[0], whole.grid.origin[0]
    for first, last in ((0, 3), (3, 4), (4, n)):
        part = GENERATORS[name](slab=(first, last))
        assert (part.phase == whole.phase[first:last]).all()
        assert part.grid.h == whole.grid.h
        assert part.grid.origin[0] == low + first * whole.grid.h[0]
        for table in ("stiffness", "orientation", "material"):
            # what is not there is NaN
            same = (np.asarray(getattr(b, table), float) for b in (part, whole))
            assert np.array_equal(*same, equal_nan=True)


def test_a_geometry_can_be_sent_to_another_process():
    for periodic in (True, False):
        geometry = tessellate(20, 9, periodic=periodic)
        whole = geometry.rasterise()
        sent = pickle.loads(pickle.dumps(geometry))
        assert (sent.rasterise((3, 8)) == whole[3:8]).all()
        assert (whole == polycrystal(20, 9, periodic=periodic).phase).all()


@pytest.mark.parametrize("slab", [(-1, 3), (3, 3), (0, 21)])
def test_a_slab_lies_within_the_body(slab):
    with pytest.raises(InputError, match="0 <= first < last <= 20 planes"):
        sphere(20, 0.4, SOFT, STIFF, slab=slab)


@pytest.mark.parametrize("periodic", [(True,) * 3, (True, False, False)], ids=str)
@pytest.mark.parametrize("spread", [0.0, 4.0, 900.0])
@pytest.mark.parametrize("shape", [(14, 9, 12), (30, 17, 1)])
def test_the_tree_finds_the_grains_that_comparing_all_of_them_finds(
    periodic, spread, shape, monkeypatch
):
    random = np.random.default_rng(0)
    seeds = (random.random((60, 3)) * np.array(shape) * UNIT).astype(np.int64)
    # on a lattice many voxels are as far from one grain as from another
    seeds[:30] = seeds[:30] // UNIT * UNIT
    weights = np.rint(spread * UNIT**2 * random.random(60))
    diagram = Laguerre(shape, seeds, periodic)
    compared = diagram.phase(weights)
    monkeypatch.setattr(tessellation, "FEW", 1)
    assert (diagram.phase(weights) == compared).all()
    coarse = Laguerre(shape, seeds, periodic, stride=2).phase(weights)
    assert (coarse == compared[::2, ::2, ::2]).all()


def test_faces_and_centroids_do_not_depend_on_slabs(monkeypatch):
    random = np.random.default_rng(0)
    seeds = (random.random((20, 3)) * 16 * UNIT).astype(np.int64)
    for periodic in ((True,) * 3, (False, False, True)):
        diagram = Laguerre((16, 16, 16), seeds, periodic)
        phase = diagram.phase(np.zeros(20))
        found = []
        for slab in (2**21, 700):
            monkeypatch.setattr(phase_map, "SLAB", slab)
            slope = diagram.sensitivity(phase).toarray()
            found.append((slope, diagram.centroids(phase)))
        assert (found[0][0] == found[1][0]).all()
        assert (found[0][1] == found[1][1]).all()
        # the larger bodies' way to solve finds the same weights
        error = random.random(20)
        error -= error.mean()
        exact = _solved(diagram.sensitivity(phase), error)
        monkeypatch.setattr("fftmech.microstructure.laguerre.DIRECT", 1)
        assert _solved(diagram.sensitivity(phase), error) == pytest.approx(exact)
        monkeypatch.undo()


@pytest.mark.parametrize("periodic", [(True,) * 3, (False,) * 3, (True, False, True)])
@pytest.mark.parametrize("shape", [(12, 10, 9), (40, 30, 1)])
def test_seeds_are_drawn_one_by_one_at_least_two_voxels_apart(shape, periodic):
    grid, count = Grid(shape), int(np.prod(shape)) // 16
    edges = np.array(shape) * UNIT
    random = np.random.default_rng(3)
    taken: list[np.ndarray] = []
    while len(taken) < count:
        seed = (random.random(3) * edges).astype(np.int64)
        seed[edges == UNIT] = UNIT // 2
        gaps = np.abs(np.array(taken).reshape(-1, 3) - seed)
        gaps = np.where(periodic, np.minimum(gaps, edges - gaps), gaps)
        if ((gaps**2).sum(axis=1) >= (2 * UNIT) ** 2).all():
            taken.append(seed)
    found = _seeds(grid, count, np.random.default_rng(3), periodic)
    assert (found == np.array(taken)).all()


def test_bodies_of_a_packing_keep_a_voxel_between_them_and_their_images():
    packing = Packing(Grid((8, 8, 1)))
    assert packing.place(np.ones((3, 2, 1), bool), np.array([7, 7, 0]))
    rows = np.flatnonzero(packing.rasterise().any(axis=(1, 2)))
    assert rows.tolist() == [0, 1, 7]
    bar = np.ones((7, 1, 1), bool)
    assert not packing.place(bar, np.array([0, 1, 0]))
    assert not packing.place(np.ones((8, 1, 1), bool), np.array([0, 4, 0]))
    assert packing.place(bar, np.array([3, 4, 0]))
    assert packing.voxels == packing.rasterise().sum() == 13


@pytest.mark.parametrize(
    ("largest", "kind"), [(1, "u1"), (255, "u1"), (256, "u2"), (65536, "i4")]
)
@pytest.mark.parametrize("given", ["i8", "f8", "u4", ">u4"])
def test_phases_are_kept_in_the_smallest_type(largest, kind, given, tmp_path):
    phase = np.zeros((3, 4, 5), given)
    phase[1, 2, 3] = largest
    body = Microstructure(Grid(phase.shape), phase)
    np.save(tmp_path / "a.npy", phase)
    read = io.read(tmp_path / "a.npy", axes="xyz")
    io.write(tmp_path / "a.h5", body)
    for made in (body, body.noted("seen")):
        assert made.phase.dtype == kind and (made.phase == phase).all()
        assert made.counts[largest] == 1
    for made in (read, io.read(tmp_path / "a.h5")):
        # of few large ids those in a file are renumbered
        few = made.number is not None
        assert few == (
            largest >= phase_map.SPARSE and (given != "f8" or made is not read)
        )
        assert made.phase.dtype == ("u1" if few else kind)
        assert made.number_of(int(made.phase[1, 2, 3])) == largest


def test_a_phase_more_than_a_type_holds_is_the_void_of_a_free_face():
    phase = np.arange(256).reshape(8, 8, 4)
    table = np.tile(SOFT, (256, 1, 1))
    body = Microstructure(Grid(phase.shape), phase, table)
    free = solve(body, Load(strain={"xx": 1e-3}), boundary=Boundary(z="free"))
    # a homogeneous bar in plane stress: E / (1 - nu^2)
    assert free.mean_stress[0] == pytest.approx(1e-3 / (1 - 0.3**2), rel=1e-5)


def test_equal_planes_of_images_of_different_types_are_recognised():
    plane = np.arange(20, dtype=np.uint8).reshape(1, 4, 5)
    assert _planes(plane, 0) == _planes(plane.astype(np.uint16), 0)


@pytest.mark.parametrize("shape", [(24, 30, 18), (12, 12, 12), (7, 20, 5)])
def test_resampling_does_not_depend_on_slabs(shape, monkeypatch):
    body = polycrystal(12, 20)
    whole = resample(body, shape)
    monkeypatch.setattr(phase_map, "SLAB", 100)
    assert (resample(body, shape).phase == whole.phase).all()
    assert whole.phase.dtype == np.uint8


CROP = (1, 5, 2, 6, 0, 3)


@pytest.mark.parametrize("axes", ["xyz", "zyx"])
@pytest.mark.parametrize("threshold", [None, 90.0])
@pytest.mark.parametrize("kind", ["raw", "raw.gz", "npy", "h5"])
def test_a_crop_is_that_part_of_the_image_in_its_place(
    kind, axes, threshold, tmp_path, monkeypatch
):
    import gzip

    import h5py

    monkeypatch.setattr(phase_map, "SLAB", 40)
    image = np.random.default_rng(0).integers(0, 200, (6, 7, 8)).astype(np.uint16)
    stored = image if axes == "xyz" else image.T
    path = tmp_path / f"a.{kind}"
    given = {"axes": axes, "spacing": (1.0, 2.0, 3.0), "threshold": threshold}
    if kind == "npy":
        np.save(path, stored)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("phase", data=stored, chunks=(4, 3, 2))
    else:
        data = np.ascontiguousarray(stored).tobytes()
        path.write_bytes(data if kind == "raw" else gzip.compress(data))
        given |= {"shape": image.shape, "dtype": "<u2"}
    expected = image if threshold is None else image > threshold
    assert (io.read(path, **given).phase == expected).all()
    part = io.read(path, crop=CROP, **given)
    assert (part.phase == expected[1:5, 2:6, 0:3]).all()
    assert part.grid.origin == (1.0, 4.0, 0.0)
    for wrong in ((0, 7, 0, 7, 0, 8), (2, 2, 0, 7, 0, 8), (0, 6, 0, 7)):
        with pytest.raises(InputError, match=r"crop .* within 6 x 7 x 8 voxels"):
            io.read(path, crop=wrong, **given)


N = 96
FEW_BYTES = 1.6 * N**3


def test_a_body_is_made_read_and_written_in_little_more_than_its_bytes(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(phase_map, "SLAB", 2**12)
    monkeypatch.setattr(tessellation, "COMPARED", 2**10)
    small = polycrystal(32, 12)
    grey = np.random.default_rng(0).integers(0, 9, (N, N, N), dtype=np.uint8)
    grey.tofile(tmp_path / "a.raw")
    raw = {"shape": (N, N, N), "dtype": "uint8"}
    body = io.read(tmp_path / "a.raw", **raw)
    tasks = {
        "ball": lambda: sphere(N, 0.4, SOFT, STIFF),
        "grains": lambda: polycrystal(N, 24),
        "refined": lambda: resample(small, N),
        "read": lambda: io.read(tmp_path / "a.raw", **raw).phases,
        "cut": lambda: io.read(tmp_path / "a.raw", threshold=4, **raw).phases,
        "written": lambda: io.write(tmp_path / "a.h5", body),
        "read again": lambda: io.read(tmp_path / "a.h5").phases,
    }
    for task in tasks.values():
        task()  # what is imported
    peaks = {}
    for name, task in tasks.items():
        tracemalloc.start()
        try:
            task()
            peaks[name] = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert {name for name, peak in peaks.items() if peak > FEW_BYTES} == set(), peaks
