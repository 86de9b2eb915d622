"""Imported fields of which no constitutive law is known: checks, notes, datasets."""

import tomllib

import numpy as np
import pytest
from imported_files import LOAD, MAPPING, STRAIN, STRESS, arrays, solved
from small_datasets import refused, run

from fftmech import Grid, InputError, Microstructure, io, solve
from fftmech.datasets.import_fields import check_fields
from fftmech.datasets.import_lawless import MISPLACED, OPPOSED, UNCHECKED
from fftmech.datasets.imported import ImportedRecipe
from fftmech.datasets.mapping import FieldMapping
from fftmech.materials import cubic
from fftmech.microstructure import polycrystal
from fftmech.microstructure.fingerprint import fingerprint
from fftmech.tensors import bunge_from_quaternion, matrix_from_mandel, rotate_stiffness

HEAD, TAIL = MAPPING.split("[stiffness]")
LAWLESS = f'law = "none"\n{HEAD}[strain]{TAIL.split("[strain]")[1]}'
ORIENTED = LAWLESS + '[orientation]\narray = "q"\nform = "bunge degrees"\n'


@pytest.fixture(scope="module")
def result():
    return solved()


@pytest.fixture
def place(tmp_path, result):
    (tmp_path / "fields").mkdir()
    data = arrays(result)
    del data["C"]
    np.savez(tmp_path / "fields" / "a.npz", **data)
    (tmp_path / "mapping.toml").write_text(LAWLESS)
    return tmp_path


def stated(text):
    return FieldMapping.from_document(tomllib.loads(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAWLESS.replace('"none"', '"plastic"'), "elastic, none"),
        (f'law = "none"\n{MAPPING}', "[stiffness]"),
        (LAWLESS + "[limits]\nlaw = 1e-4\n", "[limits] law"),
        (MAPPING.replace("[stiff", "isotropic = true\n[stiff"), "[phase] isotropic"),
        (MAPPING + ORIENTED[len(LAWLESS) :], "[orientation]"),
        (LAWLESS.replace("[strain]", 'isotropic = "yes"\n[strain]'), "true or false"),
        (ORIENTED.replace("[strain]", "isotropic = true\n[strain]"), "no orientation"),
        (ORIENTED.replace("bunge degrees", "degrees"), "bunge radians"),
        (LAWLESS.replace("[stress]", "[other]"), "other"),
    ],
)
def test_a_mapping_says_one_thing_of_the_law(text, words):
    with pytest.raises(InputError) as error:
        stated(text)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_what_is_not_checked_is_a_note_in_output_and_card(place, result):
    done = run(f"dataset import {place / 'mapping.toml'} -o {place / 'out'}")
    assert f"note: {UNCHECKED}\n" == done.stderr
    assert "C e" not in done.stdout and "incompatibility" in done.stdout
    data = io.Dataset(place / "out")
    assert data.card.notes == (UNCHECKED,) and data.card.units["stress"] == "MPa"
    sample = data[0]
    assert sample.low.body.stiffness is None
    back = sample.result()
    assert np.allclose(back.stress, 1000 * result.stress, rtol=1e-6, atol=1e-4)
    assert np.isnan(back.energy) and "energy_density" not in back.fields
    assert UNCHECKED in run(f"dataset info {place / 'out'}").stderr
    run(f"dataset verify {place / 'out'}")
    run(f"dataset merge {place / 'out'} -o {place / 'merged'}")
    assert io.Dataset(place / "merged").card.notes == (UNCHECKED,)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('shear = "engineering"', 'shear = "tensor"', "strain"),
        ("xx yy zz xy xz yz", "xx yy zz yz xz xy", "strain"),
        ("11 22 33 12 13 23", "11 22 33 23 13 12", "stress"),
        ('axes = "z y x c"', 'axes = "x y z c"', "strain"),
        ('axes = "z y x c"', 'axes = "z x y c"', "strain"),
    ],
)
def test_a_wrong_convention_is_refused_though_no_law_tells(place, old, new, field):
    assert old in LAWLESS
    (place / "mapping.toml").write_text(LAWLESS.replace(old, new, 1))
    said = refused(f"dataset import {place / 'mapping.toml'} -o {place / 'out'}")
    assert f"{field} as stated is not as near to" in said
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ("x y z", "x and z exchanged in [phase] axes"),
        ("x z y", "x, y, z named z, x, y in [phase] axes"),
    ],
)
def test_phases_that_lie_otherwise_than_the_fields_are_refused(place, axes, words):
    (place / "mapping.toml").write_text(LAWLESS.replace('"z y x"', f'"{axes}"', 1))
    with pytest.raises(InputError, match="phases do not lie where") as error:
        check_fields(place / "mapping.toml")
    assert words in str(error.value)


def test_phases_and_signs_that_may_be_wrong_are_noted(place, result):
    data = arrays(result)
    data["phase"] = np.random.default_rng(0).permutation(data["phase"].ravel())
    data["phase"] = data["phase"].reshape(4, 4, 4)
    np.savez(place / "fields" / "a.npz", **data | {"sig": -data["sig"]})
    assert {MISPLACED, OPPOSED} <= set(check_fields(place / "mapping.toml").notes)


def test_a_matrix_of_engineering_shear_is_refused(place, result):
    data = arrays(result)
    matrices = matrix_from_mandel(result.strain.T)
    data["eps"] = matrices * (2 - np.eye(3))
    np.savez(place / "fields" / "a.npz", **data)
    text = LAWLESS.replace('"z y x c"', '"z y x i j"', 1)
    text = text.replace('"xx yy zz xy xz yz"', '"3x3"', 1)
    text = text.replace('"engineering"', '"tensor"', 1)
    (place / "mapping.toml").write_text(text)
    with pytest.raises(InputError, match="half of what is off the diagonal"):
        check_fields(place / "mapping.toml")
    np.savez(place / "fields" / "a.npz", **data | {"eps": matrices})
    assert check_fields(place / "mapping.toml").notes == [UNCHECKED]


def test_means_and_numbers_are_checked_as_ever(place, result):
    (place / "mapping.toml").write_text(LAWLESS.replace("xx = 1e-3", "xx = 2e-3"))
    with pytest.raises(InputError, match="mean strain is not what"):
        check_fields(place / "mapping.toml")
    (place / "mapping.toml").write_text(LAWLESS)
    data = arrays(result)
    data["sig"][0, 0, 0, 0] = np.inf
    np.savez(place / "fields" / "a.npz", **data)
    with pytest.raises(InputError, match="stress is not finite"):
        check_fields(place / "mapping.toml")


def test_fields_that_know_nothing_are_noted(place, result):
    phase = result.microstructure.phase
    means = []
    for field in (result.strain, 1000 * result.stress):
        made = np.empty_like(field)
        for p in (0, 1):
            made[:, phase == p] = field[:, phase == p].mean(axis=1)[:, None]
        means.append(made)
    data = {"phase": phase.T, "eps": STRAIN.stored(means[0]).T}
    np.savez(place / "fields" / "a.npz", **data, sig=STRESS.stored(means[1]).T)
    notes = check_fields(place / "mapping.toml").notes
    assert "the strain of 1 of 1 samples is hardly nearer to compat" in " ".join(notes)
    assert "the stress of 1 of 1 samples is hardly nearer to equil" in " ".join(notes)


def test_orientations_come_by_phase(place):
    body = polycrystal(4, 3, seed=0)
    result = solve(body, LOAD, scheme="rotated", certificate=False, threads=1)
    angles = np.degrees(bunge_from_quaternion(body.orientation))
    path = place / "fields" / "a.npz"
    np.savez(path, **arrays(result), q=angles)
    (place / "mapping.toml").write_text(ORIENTED)
    recipe = ImportedRecipe.from_mapping(place / "mapping.toml")
    found = recipe.read(0).body.orientation
    assert found is not None
    same = np.minimum(abs(found - body.orientation), abs(found + body.orientation))
    assert same.max() < 1e-9
    for wrong, words in ((angles[:2], "no orientation"), (np.nan * angles, "finite")):
        np.savez(path, **arrays(result), q=wrong)
        with pytest.raises(InputError, match=words):
            check_fields(place / "mapping.toml")


def test_fingerprints_tell_phases_apart_and_forget_how_a_body_lies():
    phase = np.random.default_rng(0).integers(0, 3, (4, 4, 4))
    body = Microstructure(Grid((4,) * 3), phase)
    own = fingerprint(body)
    assert own == fingerprint(body.with_changes(phase=np.roll(phase, 1, 0)))
    assert own == fingerprint(body.with_changes(phase=phase[::-1].transpose(1, 0, 2)))
    assert own != fingerprint(body.with_changes(phase=(phase + 1) % 3))
    one = [fingerprint(body.with_changes(phase=0 * phase + p)) for p in (0, 1, 40)]
    assert len({*one}) == 3
    # of grains, the numbers are forgotten and not the orientations
    grains = polycrystal(4, 3, seed=0)
    bare = grains.with_changes(stiffness=None)
    turned = np.array([2, 0, 1])
    assert grains.orientation is not None
    renumbered = bare.with_changes(
        phase=turned[grains.phase], orientation=grains.orientation[np.argsort(turned)]
    )
    assert fingerprint(bare) == fingerprint(renumbered)
    exchanged = bare.with_changes(orientation=grains.orientation[turned])
    assert fingerprint(bare) != fingerprint(exchanged)


def test_a_crystal_stiffness_is_not_needed_to_move_orientations():
    symmetry = pytest.importorskip("ecosurrogate.data.symmetry")
    from fftmech.tensors import matrix_from_quaternion

    # a crystal without cubic symmetry: every rotation of it differs
    crystal = cubic(3, 1, 2) + np.diag([0, 0.3, 0.6, 0.1, 0.2, 0.4])
    body = polycrystal(4, 3, seed=0).with_changes(stiffness=None)
    assert body.orientation is not None
    R = matrix_from_quaternion(body.orientation)
    for g in symmetry.SYMMETRIES[::5]:
        moved = matrix_from_quaternion(g.body(body).orientation)
        assert np.allclose(
            rotate_stiffness(crystal, moved), g.stiffness(rotate_stiffness(crystal, R))
        )
