"""A sample says what its file says, and its fields obey the laws of the solver."""

import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import h5py
import numpy as np
import pytest
from small_datasets import refused, run

import fftmech
from fftmech import SCHEMES, InputError, Load, discretization, solve
from fftmech.datasets.card import card_text
from fftmech.datasets.draft import new_card
from fftmech.datasets.loading import Loading
from fftmech.datasets.make import make
from fftmech.datasets.polycrystal import PolycrystalRecipe
from fftmech.datasets.pores import PoresRecipe
from fftmech.datasets.sample_task import make_sample
from fftmech.io import Dataset
from fftmech.io.sample_file import read_sample
from fftmech.microstructure.resample import resample
from fftmech.tensors import COMPONENTS, FACTORS

PORES = PoresRecipe(fraction=(0.05, 0.12))
GRAINS = PolycrystalRecipe(grains=(3, 4))
TO_VTK = [COMPONENTS.index(c) for c in ("xx", "yy", "zz", "xy", "yz", "xz")]


def made(folder, index=0, recipe=PORES, **options):
    """Make one sample; return its path. With parts (0, 0, 1) all are for the test."""
    options = {"levels": (12, 6), "parts": (0, 0, 1), **options}
    card = new_card(recipe, index + 1, seed=0, **options)
    (folder / "samples").mkdir(exist_ok=True)
    record = make_sample(
        index, directory=str(folder), card=card_text(card), threads=1, device="cpu"
    )
    assert record["status"] == "done", record
    return folder / f"samples/{index:05d}.h5"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Sample with a pore, solved at 12 and at 6."""
    return made(tmp_path_factory.mktemp("one"), index=2)


@pytest.fixture(scope="module")
def grains(tmp_path_factory):
    """Sample of grains, solved at 12 and at 6 under six loads."""
    folder = tmp_path_factory.mktemp("grains")
    return made(folder, recipe=GRAINS, loading=Loading("six"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Dataset of eight samples, the fifth for the test."""
    folder = tmp_path_factory.mktemp("whole") / "d"
    card = new_card(PORES, 8, levels=(8, 4), parts=(5, 2, 1))
    assert make(folder, card, jobs=1).done == 8
    return folder


def test_h5py_and_numpy_alone_read_what_the_documented_format_says(path):
    sample = read_sample(path)
    with h5py.File(path) as file:
        run = json.loads(file["fftmech/run"][()])
        assert file["fftmech"].attrs["kind"] == "sample"
        assert file["fftmech"].attrs["axes"] == "zyx"
        stiffness = file["fftmech/stiffness"][()]
        for res, level in sample.levels.items():
            block = file[f"VTKHDF/res{res}"]
            phase = block["CellData/phase"][()].transpose(2, 1, 0)
            np.testing.assert_array_equal(phase, level.body.phase)
            for name in ("strain", "stress"):
                field = block[f"CellData/{name}"]
                assert field.dtype == np.float32 and field.shape == (res, res, res, 6)
                # components first, x first, Mandel
                mandel = np.moveaxis(field[()], -1, 0).transpose(0, 3, 2, 1)
                mandel = mandel * FACTORS[TO_VTK][:, None, None, None]
                mine = getattr(level, name)[0]
                assert mine.dtype == np.float32
                np.testing.assert_allclose(mandel, mine[TO_VTK], rtol=3e-7)
            u = block["PointData/displacement"][()]
            assert u.dtype == np.float32 and u.shape == (res + 1,) * 3 + (3,)
            outcome = run["solutions"][str(res)][""]
            E = np.zeros((3, 3))
            for c, value in outcome["mean_strain"].items():
                i, j = "xyz".index(c[0]), "xyz".index(c[1])
                E[i, j] = E[j, i] = value
            k, j, i = np.indices(u.shape[:3])
            x = np.stack([i, j, k], axis=-1) / res
            fluctuation = (u - x @ E)[:-1, :-1, :-1].transpose(3, 2, 1, 0)
            np.testing.assert_allclose(
                fluctuation, level.displacement[0], atol=1e-6 * np.abs(u).max()
            )
            assert level.iterations == (outcome["iterations"],)
            assert level.residual == (outcome["residual"],)
    assert (run["index"], run["seed"], run["split"]) == (2, 0, "test")
    assert sample.statistics == run["statistics"] and sample.index == 2
    # Voigt: the pore is zero, the solid has E = 113.8 GPa and nu = 0.342
    shear = 113.8 / (2 * 1.342)
    np.testing.assert_allclose(stiffness[0, 3, 3], shear, rtol=1e-12)
    assert not stiffness[1].any()


def fields(level, name):
    """A field of the first load in float64, (6 or 3, n, n, n)."""
    return getattr(level, name)[0].astype(float)


def test_strain_is_that_of_the_displacement_and_stress_is_in_equilibrium(
    scheme, tmp_path
):
    sample = read_sample(made(tmp_path, scheme=scheme, recipe=GRAINS))
    assert sample.scheme == scheme
    d = discretization(scheme)
    for level in sample.levels.values():
        grid, u = level.body.grid, fields(level, "displacement")
        eps, sig = fields(level, "strain"), fields(level, "stress")
        u = np.concatenate([u, np.zeros((d.unknowns(grid) - 3, *grid.shape))])
        compatible = (
            d.strain(u, grid).mean(axis=0) + level.mean_strain[0][:, None, None, None]
        )
        assert np.ptp(eps[0]) > 0.1 * eps[0].mean()
        if d.unknowns(grid) == 3:
            np.testing.assert_allclose(eps, compatible, atol=3e-6 * np.abs(eps).max())
        if d.points > 1:
            continue
        # to the tolerance of the solve, and rounding, times how far a derivative is
        # from the field that it is of
        divergence = d.strain_adjoint(sig[None], grid)
        fluctuation = np.linalg.norm(sig - sig.mean(axis=(1, 2, 3), keepdims=True))
        size = fluctuation * np.pi / grid.h[0]
        assert np.linalg.norm(divergence) < 1e-5 * size
        # Hill and Mandel
        work = np.einsum("cxyz,cxyz->", eps, sig) / grid.voxels
        means = level.mean_strain[0] @ level.mean_stress[0]
        assert work == pytest.approx(means, rel=1e-5)


def test_stress_is_stiffness_times_strain_and_none_in_the_pore(path):
    for level in read_sample(path).levels.values():
        C = level.body.stiffness[level.body.phase]
        expected = np.einsum("xyzij,jxyz->ixyz", C, fields(level, "strain"))
        sig = fields(level, "stress")
        np.testing.assert_allclose(sig, expected, atol=1e-5 * np.abs(sig).max())
        assert not sig[:, level.body.phase == 1].any() and level.body.phase.any()


def test_means_that_are_recorded_are_those_of_the_fields_and_of_the_load(path, grains):
    for sample in map(read_sample, (path, grains)):
        for level in sample.levels.values():
            for name in ("strain", "stress"):
                field, mean = getattr(level, name), getattr(level, f"mean_{name}")
                assert field.shape[:2] == mean.shape == (len(sample.loads), 6)
                averages = field.mean(axis=(2, 3, 4), dtype=float)
                atol = 3e-7 * np.abs(field).max()
                np.testing.assert_allclose(averages, mean, atol=atol)
            for k, load in enumerate(sample.loads.values()):
                strain = level.mean_strain[k] / FACTORS
                stress = level.mean_stress[k] / FACTORS
                largest = np.abs(stress).max()
                for c, prescribed in load.strain.items():
                    at = COMPONENTS.index(c)
                    assert strain[at] == pytest.approx(prescribed, rel=1e-12)
                for c, prescribed in load.stress.items():
                    at = COMPONENTS.index(c)
                    assert stress[at] == pytest.approx(prescribed, abs=1e-5 * largest)


def test_the_low_body_is_the_high_one_by_majority(path, grains):
    for sample in map(read_sample, (path, grains)):
        expected = resample(sample.high.body, 6, "majority")
        np.testing.assert_array_equal(sample.low.body.phase, expected.phase)
        # by hand: the most frequent phase of the 8 voxels, where one is
        blocks = sample.high.body.phase.reshape(6, 2, 6, 2, 6, 2)
        blocks = blocks.transpose(0, 2, 4, 1, 3, 5).reshape(6, 6, 6, 8)
        count = np.stack([(blocks == p).sum(-1) for p in range(blocks.max() + 1)])
        sure = (count == count.max(axis=0)).sum(axis=0) == 1
        assert sure.mean() > 0.5
        np.testing.assert_array_equal(
            sample.low.body.phase[sure], count.argmax(axis=0)[sure]
        )


def test_six_loads_add_up_to_the_solution_of_any_other(grains, rng):
    sample = read_sample(grains)
    assert list(sample.loads) == list(COMPONENTS)
    values = rng.normal(size=6)
    load = Load(strain=dict(zip(COMPONENTS, values.tolist(), strict=True)))
    for level in sample.levels.values():
        direct = solve(level.body, load, scheme="rotated", tolerance=1e-8)
        for name in ("strain", "stress", "displacement"):
            added = np.einsum("l,lcxyz->cxyz", values, getattr(level, name))
            field = getattr(direct, name)
            np.testing.assert_allclose(added, field, atol=1e-5 * np.abs(field).max())


def test_a_sample_is_solved_as_its_body_would_be_alone(path):
    sample = read_sample(path)
    for level in sample.levels.values():
        method = {"scheme": sample.scheme, "tolerance": sample.tolerance}
        result = solve(level.body, sample.loads[""], **method)
        assert level.iterations == (result.iterations,)
        np.testing.assert_allclose(level.strain[0], result.strain, rtol=3e-7)


def test_tables_of_grains_are_those_of_the_body(grains):
    body = GRAINS.draw(0, 0, 12).body
    sample = read_sample(grains)
    for level in sample.levels.values():
        np.testing.assert_allclose(level.body.stiffness, body.stiffness, rtol=1e-12)
        np.testing.assert_allclose(level.body.orientation, body.orientation)
        assert level.body.units == body.units
    np.testing.assert_array_equal(sample.high.body.phase, body.phase)


def test_pyvista_opens_a_sample_with_one_block_a_resolution(path, grains):
    pv = pytest.importorskip("pyvista")
    for file, loads in [(path, [""]), (grains, [f"_{c}" for c in COMPONENTS])]:
        blocks = pv.HDFReader(str(file)).read()
        sample = read_sample(file)
        assert blocks.keys() == ["res12", "res6"]
        for block, (res, level) in zip(blocks, sample.levels.items(), strict=True):
            assert block.dimensions == (res + 1,) * 3
            np.testing.assert_allclose(block.bounds, [0, 1] * 3)
            fields = {f"{n}{k}" for n in ("strain", "stress") for k in loads}
            assert set(block.cell_data.keys()) == {"phase", *fields}
            assert set(block.point_data.keys()) == {f"displacement{k}" for k in loads}
            # VTK counts cells with x fastest
            phase = block.cell_data["phase"].reshape((res,) * 3, order="F")
            np.testing.assert_array_equal(phase, level.body.phase)
            zz = block.cell_data[f"strain{loads[0]}"][:, 2].reshape(
                (res,) * 3, order="F"
            )
            np.testing.assert_array_equal(zz, level.strain[0, 2])


def test_samples_are_read_by_what_reads_microstructures(path, tmp_path):
    sample = read_sample(path)
    for options, level in [({}, sample.high), ({"dataset": "res6"}, sample.low)]:
        body = fftmech.read(path, **options)
        np.testing.assert_array_equal(body.phase, level.body.phase)
        np.testing.assert_allclose(body.stiffness, level.body.stiffness)
        assert body.grid.size == (1, 1, 1)
    with pytest.raises(InputError, match=r"has no res8; it has res12, res6"):
        fftmech.read(path, dataset="res8")
    run(f"convert {path} --dataset res6 -o {tmp_path / 'low.h5'}")
    assert fftmech.read(tmp_path / "low.h5").grid.shape == (6, 6, 6)
    assert "it has res12, res6" in refused(f"solve {path} --dataset res8")


def test_other_files_are_no_samples(path, tmp_path):
    fftmech.write(tmp_path / "micro.h5", read_sample(path).high.body)
    (tmp_path / "text.h5").write_text("text")
    for name in ("micro.h5", "text.h5", "nowhere.h5"):
        with pytest.raises(InputError, match=name):
            read_sample(tmp_path / name)


@pytest.mark.slow
def test_a_damaged_sample_is_refused_or_read(path, tmp_path):
    sound, copy = path.read_bytes(), tmp_path / "s.h5"
    random, refusals = np.random.default_rng(0), 0
    # tables of contents lie at the ends, numbers in between
    ends = [*range(0, 6000, 40), *range(len(sound) - 9000, len(sound), 60)]
    for position in ends:
        data = bytearray(sound)
        data[position] ^= random.integers(1, 256)
        copy.write_bytes(data)
        try:
            read_sample(copy)
        except InputError as error:
            refusals += 1
            assert str(copy) in str(error) or "sample" in str(error)
    for size in (0, 100, len(sound) // 2, len(sound) - 1):
        copy.write_bytes(sound[:size])
        with pytest.raises(InputError, match=r"s\.h5"):
            read_sample(copy)
    assert refusals > 10


def test_a_dataset_is_a_sequence_of_its_samples(folder):
    data = Dataset(folder)
    assert len(data) == 8 and [s.index for s in data] == list(range(8))
    assert data[-1].index == 7 and data[np.int64(3)].index == 3
    assert [s.index for s in data[5:1:-2]] == [5, 3]
    for item in (8, -9):
        with pytest.raises(IndexError):
            data[item]
    assert data[1:1] == [] and "8 pores samples" in repr(data)


def test_splits_share_out_the_samples_and_the_test_has_the_high_solution(folder):
    parts = {split: Dataset(folder, split) for split in ("train", "val", "test")}
    assert {split: len(part) for split, part in parts.items()} == {
        "train": 5,
        "val": 2,
        "test": 1,
    }
    found = [sample.index for part in parts.values() for sample in part]
    assert sorted(found) == list(range(8))
    for split, part in parts.items():
        for sample, record in zip(part, part.records, strict=True):
            assert sample.split == split and sample.index == record["index"]
            assert sample.statistics == record["statistics"]
            assert (sample.high.strain is not None) == (split == "test")
            assert sample.low.strain is not None and list(sample.levels) == [8, 4]


def test_only_what_is_asked_for_is_read(folder):
    full = Dataset(folder, "test")[0]
    (sample,) = Dataset(folder, "test", fields=["stress"], levels=[4])
    assert list(sample.levels) == [4]
    level = sample.levels[4]
    assert level.strain is None and level.displacement is None
    np.testing.assert_array_equal(level.stress, full.low.stress)
    np.testing.assert_array_equal(level.mean_strain, full.low.mean_strain)
    (sample,) = Dataset(folder, "test", fields=[])
    assert sample.high.stress is None and sample.high.iterations


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"split": "validation"}, "train, val, test"),
        ({"fields": ["strains"]}, "strain, stress, displacement"),
        ({"levels": [16]}, "8, 4"),
    ],
)
def test_names_that_a_dataset_does_not_have_are_refused_with_those_it_has(
    folder, options, named
):
    with pytest.raises(InputError, match=named):
        Dataset(folder, **options)


def stress_of(data, item):
    return data[item].low.stress


def test_a_dataset_and_its_samples_go_to_other_processes(folder):
    data = Dataset(folder, fields=["stress"])
    again = pickle.loads(pickle.dumps(data))
    assert len(again) == 8 and again.card.as_dict() == data.card.as_dict()
    sample = pickle.loads(pickle.dumps(data[3]))
    np.testing.assert_array_equal(sample.low.stress, data[3].low.stress)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        stress = pool.submit(stress_of, data, 3).result(timeout=60)
    np.testing.assert_array_equal(stress, data[3].low.stress)


def test_samples_are_compared_and_kept_in_sets_as_objects(folder):
    data = Dataset(folder)
    sample, again = data[2], data[2]
    assert sample == sample and sample != again
    assert len({sample, again, sample}) == 2 and sample not in data


def test_every_scheme_is_recorded_with_the_places_of_its_fields(tmp_path):
    for scheme, d in SCHEMES.items():
        (tmp_path / scheme).mkdir()
        file = made(tmp_path / scheme, scheme=scheme, levels=(6,), recipe=GRAINS)
        with h5py.File(file) as sample:
            run = json.loads(sample["fftmech/run"][()])
            where = "PointData" if d.nodes == "corners" else "CellData"
            assert "displacement" in sample[f"VTKHDF/res6/{where}"]
        assert run["scheme"] == scheme and run["displacement nodes"] == d.nodes
        assert ("average" in run["strain and stress"]) == (d.points > 1)
