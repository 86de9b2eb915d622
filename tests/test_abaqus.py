"""Abaqus decks: voxels, sections, constants, orientations, and what is not used."""

import numpy as np
import pytest
from foreign_files import IRON, ORIGIN, SPACING, abaqus, material

from fftmech import Grid, InputError, io
from fftmech.materials import isotropic, orthotropic
from fftmech.materials.elastic import anisotropic, orthotropic_moduli
from fftmech.tensors import mandel_from_voigt, rotate_stiffness, voigt_from_mandel

IDS = np.arange(1, 13).reshape(2, 3, 2) % 2 + 1
ENGINEERING = (100.0, 50.0, 20.0, 0.1, 0.2, 0.3, 11.0, 12.0, 13.0)


@pytest.fixture
def read(tmp_path):
    """A function that writes a deck and reads it."""

    def read_(content):
        (tmp_path / "a.inp").write_bytes(content)
        return io.read(tmp_path / "a.inp")

    return read_


def test_sections_are_phases_and_materials_have_names(read):
    tin = material("MAT-2", "*Elastic, type=ISOTROPIC", "50, 0.35")
    body = read(abaqus(IDS, extra=f"{material('MAT-1', IRON)}\n{tin}"))
    assert (body.phase == IDS).all()
    assert body.grid == Grid(IDS.shape, SPACING, ORIGIN) and not body.notes
    assert body.label(1) == "phase 1 (material 0, MAT-1)"
    np.testing.assert_allclose(body.stiffness[2], isotropic(E=50, nu=0.35))
    body.check()


def constants(kind, numbers):
    """*ELASTIC of a type, eight numbers a line."""
    rows = [numbers[i : i + 8] for i in range(0, len(numbers), 8)]
    lines = [", ".join(map(str, row)) for row in rows]
    return material("MAT-1", f"*Elastic, type={kind}", *lines)


def test_constants_of_every_type(read):
    extra = constants("ENGINEERING CONSTANTS", ENGINEERING)
    body = read(abaqus(extra=extra))
    np.testing.assert_allclose(body.stiffness[1], orthotropic_moduli(*ENGINEERING))
    # D1111 D1122 D2222 D1133 D2233 D3333 D1212 D1313 D2323
    body = read(abaqus(extra=constants("ORTHOTROPIC", [9, 1, 8, 2, 3, 7, 4, 5, 6])))
    expected = orthotropic(
        C11=9, C22=8, C33=7, C12=1, C13=2, C23=3, C44=6, C55=5, C66=4
    )
    np.testing.assert_allclose(body.stiffness[1], expected)
    rng = np.random.default_rng(0)
    voigt = rng.normal(size=(6, 6)) / 10
    voigt = voigt + voigt.T + 5 * np.eye(6)
    order = [0, 1, 2, 5, 4, 3]  # 11 22 33 12 13 23
    D = voigt[np.ix_(order, order)]
    upper = [float(D[i, j]) for j in range(6) for i in range(j + 1)]
    body = read(abaqus(extra=constants("ANISOTROPIC", upper)))
    np.testing.assert_allclose(voigt_from_mandel(body.stiffness[1]), voigt)
    assert np.allclose(body.stiffness[1], anisotropic(voigt)) and not body.notes
    assert np.allclose(body.stiffness[1], mandel_from_voigt(voigt))


def test_orientations_turn_the_stiffness(read):
    extra = constants("ENGINEERING CONSTANTS", ENGINEERING)
    deck = abaqus(extra=extra).replace(
        b"material=MAT-1", b"orientation=O, material=MAT-1"
    )
    # x is the sample's y, then 30 degrees about the local z
    turn = b"*Orientation, name=O\n0, 1, 0, -1, 0, 0\n3, 30\n"
    body = read(deck + turn)
    c, s = np.cos(np.deg2rad(30)), np.sin(np.deg2rad(30))
    R = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]) @ [
        [c, -s, 0],
        [s, c, 0],
        [0, 0, 1],
    ]
    expected = rotate_stiffness(orthotropic_moduli(*ENGINEERING), R)
    np.testing.assert_allclose(body.stiffness[1], expected, atol=1e-10)
    assert not body.notes and np.isfinite(body.orientation[1]).all()
    # the modulus along the sample's direction of the local 1 is E1
    polar = turn.replace(b"name=O", b"name=O, system=CYLINDRICAL")
    notes = " ".join(read(deck + polar).notes)
    assert "*ORIENTATION O is not used" in notes and "along x y z: O" in notes


@pytest.mark.parametrize("beside", [False, True])
def test_elements_may_have_their_own_orientations(tmp_path, read, beside):
    """As TexGen writes yarns: vectors an element, in a file of their own."""
    deck = abaqus(extra=constants("ENGINEERING CONSTANTS", ENGINEERING))
    deck = deck.replace(b"material=MAT-1", b"orientation=O, material=MAT-1")
    rows = b", 1, 0, 0, 0, 1, 0\n3, 0, 1, 0, -1, 0, 0\n8, 0, 2, 0, -3, 1, 0\n"
    (tmp_path / "a.ori").write_bytes(rows)
    where = b", input=a.ori\n" if beside else b"\n" + rows
    deck += b"*Distribution Table, name=T\nCOORD3D,COORD3D\n"
    deck += b"*Distribution, location=element, table=T, name=D" + where
    body = read(deck + b"*Orientation, name=O, definition=coordinates\nD\n1, 0\n")
    # elements are numbered along z, then y, then x
    expected = np.ones((2, 2, 2), int)
    expected[0, 1, 0] = expected[1, 1, 1] = 2
    turned = body.phase == body.phase[0, 1, 0]
    assert (turned == (expected == 2)).all() and len(body.phases) == 2
    straight = orthotropic_moduli(*ENGINEERING)
    R = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(body.stiffness[body.phase[0, 0, 0]], straight)
    np.testing.assert_allclose(
        body.stiffness[body.phase[0, 1, 0]], rotate_stiffness(straight, R), atol=1e-10
    )
    assert body.material[1] == body.material[2] and not body.notes


def test_sections_may_share_the_orientations_of_elements(read):
    """Yarns of a fabric: one field of vectors, another direction in each."""
    extra = "\n".join(constants("ENGINEERING CONSTANTS", ENGINEERING).split("\n"))
    deck = abaqus(np.array([[[1, 2]]]), extra=f"{extra}\n{material('MAT-2', IRON)}")
    deck = deck.replace(b"material=MAT-2", b"orientation=O, material=MAT-1")
    deck = deck.replace(b"RAIN-1, material", b"RAIN-1, orientation=O, material")
    deck += b"*Distribution, location=element, name=D\n, 1, 0, 0, 0, 1, 0\n"
    body = read(deck + b"2, 0, 1, 0, -1, 0, 0\n*Orientation, name=O\nD\n1, 0\n")
    straight = orthotropic_moduli(*ENGINEERING)
    R = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(body.stiffness[1], straight)
    np.testing.assert_allclose(body.stiffness[2], rotate_stiffness(straight, R))


@pytest.mark.parametrize(
    "lines",
    [
        b"*Distribution, location=node, name=D\n, 1, 0, 0, 0, 1, 0\n",
        b"*Distribution, location=element, name=D\n, 1, 0, 0\n",
        b"*Distribution, location=element, name=D\n3, 1, 0, 0, 0, 1, 0\n",
        b"*Distribution, location=element, name=D\n, 1, 0, 0, 1, 0, 0\n",
    ],
)
def test_orientations_that_are_not_understood_are_noted(read, lines):
    deck = abaqus(extra=constants("ENGINEERING CONSTANTS", ENGINEERING))
    deck = deck.replace(b"material=MAT-1", b"orientation=O, material=MAT-1")
    body = read(deck + lines + b"*Orientation, name=O\nD\n")
    assert any("crystal axes along x y z: O" in note for note in body.notes)


def test_what_no_element_fills_is_a_pore_and_says_so(read):
    ids = IDS.copy()
    ids[0, 0, 0] = 0
    tin = material("MAT-2", "*Elastic", "50, 0.35")
    body = read(abaqus(ids, extra=f"{material('MAT-1', IRON)}\n{tin}"))
    assert body.check().pores.tolist() == [0]
    assert body.notes == ("1 voxel(s) without an element are pores",)


def test_without_sections_element_sets_are_phases(read):
    body = read(abaqus(IDS, sections=False))
    assert (body.phase == IDS).all() and body.material_name[0] == "GRAIN-1"
    assert "element sets are the phases" in body.notes[0]


def test_sets_may_be_ranges_and_of_sets(read):
    deck = abaqus(np.ones((2, 2, 2), int), extra=material("MAT-1", IRON))
    listed = b"*Elset, elset=GRAIN-1\n1, 2, 3, 4, 5, 6, 7, 8\n"
    ranges = (
        b"*Elset, elset=odd, generate\n1, 7, 2\n*ELSET, ELSET=even, GENERATE\n2,8,2\n"
    )
    assert listed in deck
    made = deck.replace(listed, ranges + b"*Elset, elset=Grain-1\nODD, even\n")
    assert read(made).phases.tolist() == [1]
    with pytest.raises(InputError, match="GRAIN-1 is a part of itself"):
        read(made.replace(b"ODD, even", b"ODD, grain-1"))


def test_includes_are_read_from_the_same_folder(tmp_path, read):
    deck = abaqus(extra=material("MAT-1", IRON))
    start, end = deck.index(b"*Node"), deck.index(b"*Element")
    (tmp_path / "nodes.inp").write_bytes(deck[start:end])
    made = deck[:start] + b"*Include, input=nodes.inp\n" + deck[end:]
    assert read(made).grid == Grid((2, 2, 2), SPACING, ORIGIN)
    with pytest.raises(InputError, match="a file in its own folder"):
        read(made.replace(b"nodes.inp", b"../nodes.inp"))
    with pytest.raises(InputError, match="it includes more than 100 files"):
        read(made.replace(b"nodes.inp", b"a.inp\n*Include, input=a.inp"))


def test_other_keywords_are_one_note(read):
    extra = material("MAT-1", IRON, "0.4, 0.3, 100.", "*Plastic", "0.3, 0.")
    extra += "\n*Step\n*Static\n*Boundary\nA, 1\n*End Step"
    notes = read(abaqus(extra=extra)).notes
    assert len(notes) == 2
    assert notes[1] == "keywords that are not used: *PLASTIC, *STEP"
    assert "depends on temperature" in notes[0]


BAD = [
    (b"type=C3D8R", b"type=C3D4", "elements C3D4: expected C3D8, voxels alone"),
    (b"\n1, 1.0, 2.0, 3.0", b"\n1, 1.1, 2.0, 3.0", "not equal bricks along x, y, z"),
    (b"\n14, ", b"\n99, ", "elements of nodes that are not there"),
    (
        b"*Elset, elset=GRAIN-1\n1, ",
        b"*Elset, elset=GRAIN-1\n",
        "1 element.s. without a",
    ),
    (b"elset=GRAIN-1, m", b"elset=GRAIN-2, m", "no element set GRAIN-2"),
    (b"*End Part", b"*End Part\n*Instance\n*Instance", "several instances of parts"),
    (b" 210., 0.3", b" 210.", "MAT-1: .*ISOTROPIC has 1 numbers: expected 2"),
    (b" 210., 0.3", b" 210., 0.6", "material MAT-1: isotropic nu = 0.6"),
    (b"*Node\n", b"*Node\n1, 2\n", "not an Abaqus deck, or cut short"),
    (b"*Element", b"*Nothing", "no .NODE and .ELEMENT"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_bad_decks_are_named(read, old, new, message):
    deck = abaqus(extra=material("MAT-1", IRON))
    assert old in deck
    with pytest.raises(InputError, match=message):
        read(deck.replace(old, new, 1))
