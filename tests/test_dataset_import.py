"""Fields of other programs: conventions, checks, refusals, and what is imported."""

import copy
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from imported_files import LOAD, MAPPING, STRAIN, STRESS, arrays, dadf5, solved
from small_datasets import refused, run

from fftmech import (
    Grid,
    InputError,
    Load,
    Microstructure,
    components_from_mandel,
    io,
    solve,
    voigt_from_mandel,
)
from fftmech.datasets.conventions import ORDERS, SHEARS, TensorConvention, spatial_last
from fftmech.datasets.import_checks import StoredFields, check_directions
from fftmech.datasets.import_fields import check_fields
from fftmech.datasets.imported import ImportedRecipe
from fftmech.datasets.mapping import FieldMapping
from fftmech.io.named_fields import named_arrays
from fftmech.materials import isotropic
from fftmech.tensors import COMPONENTS, FACTORS, matrix_from_mandel


@pytest.fixture(scope="module")
def result():
    return solved()


@pytest.fixture
def place(tmp_path, result):
    """A folder with one sample and its mapping."""
    (tmp_path / "fields").mkdir()
    np.savez(tmp_path / "fields" / "a.npz", **arrays(result))
    (tmp_path / "mapping.toml").write_text(MAPPING)
    return tmp_path


def change(place, *pairs):
    """Change the mapping, each text once."""
    text = (place / "mapping.toml").read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    (place / "mapping.toml").write_text(text)


def line(place, *pairs):
    """The one line that refuses a changed mapping; nothing is written."""
    change(place, *pairs)
    said = refused(f"dataset import {place / 'mapping.toml'} -o {place / 'out'}")
    assert not (place / "out").exists()
    return said


def read(place):
    """The sample of a mapping, in GPa."""
    recipe = ImportedRecipe.from_mapping(place / "mapping.toml")
    sample = recipe.read(0)
    assert recipe.unit == "GPa"
    return sample


# conventions


@pytest.mark.parametrize("shear", SHEARS)
@pytest.mark.parametrize("order", [*ORDERS, "xy xz yz zz yy xx"])
def test_a_tensor_comes_back_from_each_convention(order, shear):
    mandel = np.random.default_rng(0).normal(size=(6, 2, 3, 4))
    convention = TensorConvention(order, shear)
    stored = convention.stored(mandel)
    assert np.allclose(convention.mandel(stored), mandel)
    # by hand: what a shear component is
    tensor = components_from_mandel(mandel, axis=0)
    place = order.split().index("xz")
    factor = {"tensor": 1, "engineering": 2, "mandel": 2**0.5}[shear]
    assert np.allclose(stored[place], factor * tensor[4])
    assert np.allclose(stored[order.split().index("zz")], tensor[2])


def test_a_matrix_comes_back_and_has_to_be_symmetric():
    mandel = np.random.default_rng(0).normal(size=(6, 2, 3, 4))
    matrix = np.moveaxis(
        matrix_from_mandel(np.moveaxis(mandel, 0, -1)), (-2, -1), (0, 1)
    )
    convention = TensorConvention("3x3", "tensor")
    assert np.allclose(convention.mandel(matrix), mandel)
    matrix[0, 1] += 1e-3
    with pytest.raises(InputError, match="not symmetric"):
        convention.mandel(matrix)


@pytest.mark.parametrize("axes", ["x y z c", "c z y x", "z y x c", "y c x z"])
def test_axes_come_back_from_each_order_and_from_flat_arrays(axes):
    field = np.random.default_rng(0).normal(size=(6, 2, 3, 4))
    stored = field.transpose(["cxyz".index(name) for name in axes.split()])
    assert np.array_equal(spatial_last(stored, axes, None, "a"), field)
    assert np.array_equal(spatial_last(stored.ravel(), axes, (2, 3, 4), "a"), field)
    with pytest.raises(InputError, match="its axes"):
        spatial_last(stored.ravel(), axes, None, "a")


def test_tables_are_taken_apart_as_their_axes_say_or_not_at_all():
    field = np.random.default_rng(0).normal(size=(6, 2, 3, 4))
    rows = field.transpose(3, 2, 1, 0).reshape(24, 6)
    assert np.array_equal(spatial_last(rows, "z y x c", (2, 3, 4), "a"), field)
    columns = field.transpose(0, 3, 2, 1).reshape(6, 24)
    assert np.array_equal(spatial_last(columns, "c z y x", (2, 3, 4), "a"), field)
    for table, axes in ((columns, "z y x c"), (rows, "c z y x"), (rows, "z c y x")):
        with pytest.raises(InputError, match="has shape"):
            spatial_last(table, axes, (2, 3, 4), "a")
    with pytest.raises(InputError, match="has shape"):
        spatial_last(field, "z y x c", (2, 3, 4), "a")


# formats


def write_npz(place, data):
    np.savez(place / "fields" / "a.npz", **data)


def write_hdf5(place, data):
    with h5py.File(place / "fields" / "a.h5", "w") as file:
        for name, values in data.items():
            file[f"results/{name}"] = values
    change(place, *((f'array = "{n}"', f'array = "results/{n}"') for n in data))


def write_npy(place, data):
    (place / "fields" / "a").mkdir()
    for name, values in data.items():
        np.save(place / "fields" / "a" / f"{name}.npy", values)
    change(place, *((f'array = "{n}"', f'array = "{n}.npy"') for n in data))


def with_materials(place):
    (place / "materials.toml").write_text(
        'units = "GPa"\n'
        "[[phase]]\nid = 0\nisotropic = { E = 70.0, nu = 0.3 }\n"
        "[[phase]]\nid = 1\nisotropic = { E = 200.0, nu = 0.25 }\n"
    )
    text = (place / "mapping.toml").read_text()
    head, rest = text.split("[stiffness]")
    rest = "[strain]" + rest.split("[strain]")[1]
    head += 'materials = "materials.toml"\n'
    (place / "mapping.toml").write_text(head + rest)


def write_vti(place, data):
    rows = "".join(
        f'<DataArray type="Float64" Name="{n}" NumberOfComponents="{k}" format="ascii">'
        f"{' '.join(map(repr, data[n].ravel().tolist()))}</DataArray>"
        for n, k in (("phase", 1), ("eps", 6), ("sig", 6))
    )
    (place / "fields" / "a.vti").write_text(
        '<VTKFile type="ImageData"><ImageData WholeExtent="0 4 0 4 0 4" Spacing='
        '"0.25 0.25 0.25"><Piece Extent="0 4 0 4 0 4"><CellData>'
        f"{rows}</CellData></Piece></ImageData></VTKFile>"
    )
    with_materials(place)
    axes = [f'axes = "z y x{c}"\n' for c in ("", " c", " c")]
    change(place, ('"fields/*"', '"fields/*.vti"'), *((a, "") for a in axes))


def write_csv(place, data):
    names = [f"{n}{i}" for n in ("E", "S") for i in range(6)]
    table = [data["phase"].reshape(-1, 1)]
    table += [data[n].reshape(-1, 6) for n in ("eps", "sig")]
    path = place / "fields" / "a.csv"
    header = ",".join(["phase", *names])
    np.savetxt(path, np.hstack(table), delimiter=",", header=header, comments="")
    with_materials(place)
    columns = [str(names[:6]), str(names[6:])]
    change(
        place,
        ("periodic = true", "periodic = true\ncells = [4, 4, 4]"),
        *(
            (f'array = "{n}"', f"array = {c}")
            for n, c in zip(("eps", "sig"), columns, strict=True)
        ),
    )


WRITERS = [write_npz, write_hdf5, write_npy, write_vti, write_csv]


@pytest.mark.parametrize("write", WRITERS, ids=lambda w: w.__name__[6:])
def test_every_format_gives_the_fields_that_were_solved(write, place, result):
    (place / "fields" / "a.npz").unlink()
    write(place, arrays(result))
    sample = read(place)
    assert np.array_equal(sample.body.phase, result.microstructure.phase)
    assert np.allclose(sample.body.stiffness, result.microstructure.stiffness)
    for ours, theirs in (
        (sample.strain, result.strain),
        (sample.stress, result.stress),
    ):
        assert np.allclose(ours, theirs, rtol=0, atol=1e-12 * abs(theirs).max())
    assert sample.found["law_error"] < 1e-12
    assert sample.found["divergence"] < 1e-4 < sample.found["divergence_uniform"]


def test_a_column_that_is_there_twice_is_refused(place, result):
    (place / "fields" / "a.npz").unlink()
    write_csv(place, arrays(result))
    file = place / "fields" / "a.csv"
    head, _, rows = file.read_text().partition("\n")
    # those of another increment, beside the first ones
    file.write_text(f"{head.replace('S1', 'S0')}\n{rows}")
    assert "2 columns 'S0': expected one of that name" in line(place)
    assert "six different columns" in line(place, ("'S1'", "'S0'"))


def finite(result):
    """F = 1 + H of the strain alone, and P of Hooke's law between E and S."""
    e, C = result.strain, result.microstructure.stiffness
    F = np.eye(3) + matrix_from_mandel(np.moveaxis(e, 0, -1))
    E = (F.swapaxes(-1, -2) @ F - np.eye(3)) / 2
    rows = np.stack([E[..., i, j] for i, j in ((0, 0), (1, 1), (2, 2))], -1)
    shear = np.stack([E[..., i, j] for i, j in ((1, 2), (0, 2), (0, 1))], -1)
    mandel = np.concatenate([rows, 2**0.5 * shear], -1)
    phase = result.microstructure.phase
    S = matrix_from_mandel(np.einsum("xyzij,xyzj->xyzi", C[phase] * 1e9, mandel))
    return (np.moveaxis(f, (-2, -1), (0, 1)) for f in (F, F @ S))


DAMASK = (
    ('array = "phase"', 'array = "material"'),
    ('array = "eps"', 'array = "last/green_lagrange"'),
    ('array = "sig"', 'array = "7/second_piola_kirchhoff"'),
    ("z y x c", "z y x i j"),
    ("z y x c", "z y x i j"),
    ("xx yy zz xy xz yz", "3x3"),
    ("11 22 33 12 13 23", "3x3"),
    ('"engineering"', '"tensor"'),
    ('"MPa"', '"Pa"'),
    ("[load]", "[limits]\nmean = 5e-3\n[load]"),
)


def test_a_result_of_damask_obeys_its_law(place, result):
    (place / "fields" / "a.npz").unlink()
    phase = result.microstructure.phase
    dadf5(place / "fields" / "a.hdf5", *finite(result), phase)
    with_materials(place)
    change(place, *DAMASK)
    sample = read(place)
    assert np.array_equal(sample.body.phase, phase)
    assert sample.found["law_error"] < 1e-12
    # small strains: equal up to their squares
    assert np.allclose(sample.strain, result.strain, rtol=0, atol=1e-5)
    with named_arrays(place / "fields" / "a.hdf5") as (fields, size):
        F, P = fields("7/F"), fields("7/P")
        cauchy, small = fields("7/cauchy"), fields("7/small_strain")
    assert size == (1, 1, 1)
    assert np.allclose(small, (F + F.swapaxes(-1, -2)) / 2 - np.eye(3))
    expected = P @ F.swapaxes(-1, -2) / np.linalg.det(F)[..., None, None]
    assert np.allclose(cauchy, expected, rtol=1e-9, atol=1e-3)
    change(place, ("last/green", "3/green"))
    assert "increment '3'" in line(place)
    change(place, ("3/green", "last/green"), ("1.0, 1.0, 1.0", "1.0, 1.0, 2.0"))
    assert "the file says 1 x 1 x 1" in line(place)


# refusals


def test_what_is_not_stated_is_listed_in_one_line(place):
    said = line(
        place,
        ('shear = "engineering"\n', ""),
        ('unit = "MPa"\n', ""),
        ('axes = "z y x"\n', ""),
        ("yy = 0, ", ""),
        ("periodic = true\n", ""),
        ('scheme = "rotated"\n', ""),
    )
    for words in (
        "[strain] shear (tensor, engineering, mandel)",
        "[stress] unit (Pa",
        "[phase] axes",
        "[load] strain or stress of yy",
        "[grid] periodic",
        "scheme (",
    ):
        assert words in said


def test_phase_ids_alone_are_refused_unless_no_law_is_stated(place):
    text = (place / "mapping.toml").read_text()
    head, rest = text.split("[stiffness]")
    rest = rest.split("[strain]")[1]
    (place / "mapping.toml").write_text(f"{head}[strain]{rest}")
    said = line(place)
    assert "[phase] materials or [stiffness]" in said and 'law = "none"' in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"engineering"', '"tensor"', 'fit with [strain] shear = "engineering"'),
        ('"MPa"', '"GPa"', '[stress] unit = "MPa"'),
        ('unit = "1"', 'unit = "%"', '[strain] unit = "1"'),
        ("11 22 33 12 13 23", "xx yy zz yz xz xy", 'order = "xx yy zz xy xz yz"'),
        ('"z y x"', '"x y z"', "x and z exchanged in [phase] axes"),
        ("xx = 1e-3", "xx = 2e-3", "mean strain is not what [load] prescribes"),
        ("yy = 0", "yy = 100", "mean stress is not what [load] prescribes"),
        ('"rotated"', '"hex8"', "models have one point a voxel"),
        ("periodic = true", "periodic = false", "take the box to be periodic"),
        ("1.0, 1.0, 1.0", "1.0, 1.0, 2.0", "of a cube"),
        ("fields/*", "fields/*.h5", "a file at least"),
        ('array = "sig"', 'array = "sigma"', "it has phase, C, eps, sig"),
        ("11 22 33 12 13 23", "11 22 33 12 13", "the six of xx yy zz yz xz xy"),
        ('shear = "tensor"', 'shear = "engineering"', "one of tensor, mandel"),
        ('"z y x c"', '"z y x"', "x, y, z, c in the order"),
        ('unit = "MPa"', 'unit = "psi"', "one of Pa, kPa, MPa"),
        ("program", "programme", "unknown key 'programme'"),
        ('form = "voigt"', 'form = "engineering"', "one of voigt, mandel"),
        ("[load]", "[limits]\nlaw = 0.5\n[load]", "at most 0.01"),
    ],
)
def test_a_wrong_statement_is_refused_with_what_would_fit(place, old, new, words):
    assert words in line(place, (old, new))


def test_an_order_that_the_law_cannot_tell_is_told_by_equilibrium(place):
    wrong = "xx yy zz yz xz xy"
    said = line(place, ("xx yy zz xy xz yz", wrong), ("11 22 33 12 13 23", wrong))
    assert "near to equilibrium" in said and 'order = "xx yy zz xy xz yz"' in said


@pytest.mark.parametrize(
    ("axes", "words"), [("x y z", "x and z"), ("z x y", "x and y")]
)
def test_axes_that_the_law_cannot_tell_are_told_by_equilibrium(place, axes, words):
    pairs = [(f'"z y x{c}"', f'"{axes}{c}"') for c in ("", " c", " c")]
    assert f"{words} exchanged in axes" in line(place, *pairs)


@pytest.mark.parametrize("scheme", ["central", "hex8"])
@pytest.mark.parametrize("load", [LOAD, Load(strain={"xy": 1e-3})])
def test_right_fields_of_other_discretizations_are_not_refused(scheme, load):
    phase = np.zeros((6, 6, 6), int)
    phase[3:] = 1
    C = np.stack([isotropic(E=3.0, nu=0.35), isotropic(E=72.0, nu=0.22)])
    other = np.random.default_rng(0).integers(0, 2, (6, 6, 6))
    for ids in (phase, other):
        body = Microstructure(Grid((6, 6, 6)), ids, C)
        found = solve(body, load, scheme=scheme, certificate=False, threads=1)
        stored = StoredFields(body, found.strain, found.stress)
        convention = TensorConvention("xx yy zz yz xz xy", "mandel")
        assert check_directions(stored, convention, found.stress) is None
        wrong = convention.mandel(found.stress[[0, 1, 2, 3, 5, 4]])
        if ids is other:
            wrongly = StoredFields(body, found.strain, wrong)
            with pytest.raises(InputError, match="than with order"):
                check_directions(wrongly, convention, wrong)


def damaged(place, result, **changes):
    np.savez(place / "fields" / "a.npz", **(arrays(result) | changes))


def test_fields_that_are_no_numbers_or_on_other_grids_are_refused(place, result):
    eps = arrays(result)["eps"].copy()
    eps[0, 0, 0, 0] = np.nan
    damaged(place, result, eps=eps)
    assert "strain is not finite" in line(place)
    damaged(place, result, eps=arrays(result)["eps"][:3])
    assert "equal grids" in line(place)
    damaged(place, result, phase=arrays(result)["phase"] + 1)
    assert "phase 2 has no stiffness" in line(place)
    damaged(place, result, phase=arrays(result)["phase"] + 0.5)
    assert "whole numbers" in line(place)
    damaged(place, result, phase=arrays(result)["phase"] + 1)
    with_materials(place)
    assert "phase 2" in line(place) or "not listed" in line(place)


def test_samples_are_of_one_size_and_different(place):
    shutil.copy(place / "fields" / "a.npz", place / "fields" / "b.npz")
    assert "are the same" in line(place)
    np.savez(place / "fields" / "b.npz", **arrays(solved(res=3)))
    said = line(place)
    assert "fields/b.npz" in said and "3^3 voxels, the first file has 4^3" in said


def entries(table, before=()):
    for key, value in table.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from entries(value, (*before, key))


def test_values_of_any_other_type_are_refused_in_one_line():
    document = tomllib.loads(MAPPING)
    for *tables, key in entries(document):
        for bad in ([], {}, [1, 2], {"a": 1}, float("nan"), -(10**400)):
            changed = copy.deepcopy(document)
            table = changed
            for name in tables:
                table = table[name]
            table[key] = bad
            with pytest.raises(InputError) as error:
                FieldMapping.from_document(changed)
            assert "\n" not in str(error.value)


@pytest.mark.parametrize("write", WRITERS, ids=lambda w: w.__name__[6:])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.97])
def test_files_that_are_cut_short_are_refused_in_one_line(write, part, place, result):
    (place / "fields" / "a.npz").unlink()
    write(place, arrays(result))
    (path,) = (place / "fields").iterdir()
    path = path / "sig.npy" if path.is_dir() else path
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    line(place)


def test_a_damaged_mapping_of_damask_is_refused(place, result):
    (place / "fields" / "a.npz").unlink()
    path = place / "fields" / "a.hdf5"
    dadf5(path, *finite(result), result.microstructure.phase)
    with_materials(place)
    change(place, *DAMASK)
    with h5py.File(path, "r+") as file:
        mapping = file["cell_to/phase"][()]
        mapping["entry"][3] = 10**6
        file["cell_to/phase"][...] = mapping
    assert "entries" in line(place)
    with h5py.File(path, "r+") as file:
        file.attrs["DADF5_version_major"] = 0
    assert "DADF5 version 0.0" in line(place)


# the dataset


def test_an_import_is_a_dataset_that_verifies_and_continues(place, result):
    np.savez(place / "fields" / "b.npz", **arrays(solved(seed=1)))
    command = f"dataset import {place / 'mapping.toml'} -o {place / 'out'}"
    done = run(f"{command} --splits 1,1,0")
    assert "checked 2 samples of 4^3" in done.stdout
    data = io.Dataset(place / "out")
    assert [sample.split for sample in data] == ["train", "val"]
    assert data.card.units["stress"] == "GPa"
    sample = data[0]
    assert sample.loads == {"": LOAD}
    assert sample.low.displacement is None
    back = sample.result()
    assert np.allclose(back.stress, result.stress, rtol=0, atol=1e-6)
    with pytest.raises(InputError, match="displacement"):
        _ = back.displacement
    # a sample that is lost is imported again, the same
    path = place / "out" / "samples" / "00001.h5"
    content = path.read_bytes()
    path.unlink()
    run(f"dataset verify {place / 'out'} --repair --jobs 1")
    assert path.read_bytes() == content
    run(f"dataset verify {place / 'out'}")
    # and refused where the foreign file has changed
    path.unlink()
    np.savez(place / "fields" / "b.npz", **arrays(solved(seed=2)))
    said = refused(f"dataset verify {place / 'out'} --repair --jobs 1")
    assert "b.npz is not the file that the dataset was begun with" in said
    assert len(io.Dataset(place / "out")) == 1 and not io.Dataset(place / "out").failed


def test_checks_report_their_extremes_and_note_lost_equilibrium(place):
    checked = check_fields(place / "mapping.toml")
    assert checked.res == 4 and checked.notes == []
    low, high = checked.found["mean_error"]
    assert 0 <= low == high < 1e-6


def test_no_mapping_is_one_line(tmp_path: Path):
    assert "no such file" in refused(f"dataset import {tmp_path / 'm'} -o {tmp_path}")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("eigenstrain = 1e-4", "eigenstrain, which models do not see"),
        ("plasticity = { yield_stress = 0.3 }", "linear elasticity for models"),
    ],
)
def test_materials_that_no_model_knows_are_refused(place, entry, words):
    with_materials(place)
    path = place / "materials.toml"
    path.write_text(path.read_text() + entry + "\n")
    assert words in line(place)


def test_fields_that_know_nothing_of_equilibrium_are_noted(place, result):
    mean = result.strain.mean(axis=(1, 2, 3))
    strain = np.broadcast_to(mean[:, None, None, None], result.strain.shape)
    C = result.microstructure.stiffness[result.microstructure.phase]
    stress = np.moveaxis(C @ mean, -1, 0)
    data = arrays(replace(result, strain=strain, stress=stress))
    np.savez(place / "fields" / "a.npz", **data)
    means = (1000 * stress.mean(axis=(1, 2, 3)) / FACTORS).tolist()
    named = zip(COMPONENTS[1:], means[1:], strict=True)
    stated = ", ".join(f"{name} = {value!r}" for name, value in named)
    change(place, ("yy = 0, zz = 0, yz = 0, xz = 0, xy = 0", stated))
    checked = check_fields(place / "mapping.toml")
    assert checked.found["divergence"] == checked.found["divergence_uniform"]
    assert "stress of 1 of 1 samples is hardly nearer" in checked.notes[-1]


def test_labels_are_checked_to_the_limits_that_they_were_imported_with(place, result):
    pytest.importorskip("torch")
    from ecosurrogate.data.label_check import check_labels

    rough = replace(result, stress=result.stress * (1 + 5e-5))
    np.savez(place / "fields" / "a.npz", **arrays(rough))
    run(f"dataset import {place / 'mapping.toml'} -o {place / 'out'}")
    sample = io.Dataset(place / "out")[0]
    assert sample.statistics["law_error"] > 1e-5
    check_labels(sample, "it")
    low = replace(sample.low, stress=1.01 * sample.low.stress)
    with pytest.raises(InputError, match="not C"):
        check_labels(replace(sample, levels={4: low}), "it")


@pytest.mark.slow
def test_our_own_fields_come_back_from_foreign_files_and_train(tmp_path):
    pytest.importorskip("torch")
    from small_runs import run as ecosr

    line = "--res 8 --low-res 8 --splits 4,1,1 --count 6 --jobs 1 --seed 0"
    run(f"dataset composites {line} -o {tmp_path / 'own'}")
    own = io.Dataset(tmp_path / "own")
    (tmp_path / "fields").mkdir()
    for sample in own:
        low = sample.low
        np.savez(
            tmp_path / "fields" / f"{sample.index}.npz",
            phase=low.body.phase.T,
            C=voigt_from_mandel(low.body.stiffness),
            eps=STRAIN.stored(low.strain[0].astype(float)).T,
            sig=1000 * STRESS.stored(low.stress[0].astype(float)).T,
        )
    (tmp_path / "mapping.toml").write_text(MAPPING)
    out = tmp_path / "imported"
    run(f"dataset import {tmp_path / 'mapping.toml'} -o {out} --splits 4,1,1")
    run(f"dataset verify {out}")
    records = zip(own.records, io.Dataset(out).records, strict=True)
    assert all(a["fingerprint"] == b["fingerprint"] for a, b in records)
    eps = np.finfo(np.float32).eps
    for a, b in zip(own, io.Dataset(out), strict=True):
        assert (a.split, a.loads) == (b.split, b.loads)
        assert np.array_equal(a.low.body.phase, b.low.body.phase)
        for name in ("strain", "stress", "mean_strain", "mean_stress"):
            one, other = getattr(a.low, name), getattr(b.low, name)
            off = 2 * eps * abs(one).max()
            assert np.allclose(one, other, rtol=0, atol=off), name
    for model in ("unet", "s-eco"):
        words = f"fit {out} -o {tmp_path / model} --model {model} --preset smoke"
        assert "step 2 of 2" in ecosr(f"{words} --steps 2 --batch 2").stdout
