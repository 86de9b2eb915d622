"""`fftmech generate` writes what the generators make, or one line saying why not."""

import json

import pytest

from fftmech import read
from fftmech.materials.elastic import cubic, isotropic
from fftmech.microstructure import (
    Fibre,
    Peak,
    inclusions,
    laminate,
    polycrystal,
    pores,
    single_pore,
)
from fftmech_cli.fftmech_main import main


@pytest.fixture
def generate(tmp_path, monkeypatch, capsys):
    """Run `fftmech generate ...` in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(line):
        with pytest.raises(SystemExit) as stop:
            main(["generate", *line.split()])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run


MATRIX, TITANIUM = isotropic(E=3.0, nu=0.35), isotropic(E=113.8, nu=0.342)
CASES = [
    (
        "laminate --res 10,1,1 --layer 1,88,0.3 --layer 9,8,0.3",
        lambda: laminate(
            (10, 1, 1), [(1, isotropic(E=88, nu=0.3)), (9, isotropic(E=8, nu=0.3))]
        ),
    ),
    (
        "inclusions --res 20 --fraction 0.1 --radius 0.1,0.2 --contrast 24 --seed 3",
        lambda: inclusions(
            20, 0.1, (0.1, 0.2), MATRIX, isotropic(E=72.0, nu=0.35), seed=3
        ),
    ),
    (
        "inclusions --res 20 --aspect 1,1,2 --pore",
        lambda: inclusions(20, 0.2, 0.1, MATRIX, 0 * MATRIX, (1, 1, 2)),
    ),
    (
        "pores --res 20 --fraction 0.05",
        lambda: single_pore(20, "lack-of-fusion", 0.05, stiffness=TITANIUM),
    ),
    (
        "pores --res 20 --count 3 --kind gas --matrix 1,0.2 --fraction 0.05",
        lambda: pores(20, 0.05, 3, "gas", isotropic(E=1.0, nu=0.2)),
    ),
    ("polycrystal --res 16 --seed 4", lambda: polycrystal(16, 24, 4)),
    (
        "polycrystal --res 16 --sizes -0.788,0.0998 --no-periodic --cubic 2,1,1",
        lambda: polycrystal(
            16, None, 0, (-0.788, 0.0998), False, cubic(C11=2.0, C12=1.0, C44=1.0)
        ),
    ),
    (
        "polycrystal --res 16,16,1 --grains 4 --fibre x --direction 1,1,1 --spread 5",
        lambda: polycrystal((16, 16, 1), 4, texture=Fibre("x", 5.0, (1, 1, 1))),
    ),
    (
        "polycrystal --res 8 --grains 4 --peak 10,20,30 --spread 5",
        lambda: polycrystal(8, 4, texture=Peak((10, 20, 30), 5.0)),
    ),
]


@pytest.mark.parametrize(("line", "make"), CASES, ids=[line for line, _ in CASES])
def test_generate_writes_what_the_generator_makes(generate, line, make):
    code, out, err = generate(f"{line} -o made.h5")
    assert (code, err) == (0, "")
    expected, written = make(), read("made.h5")
    assert (written.phase == expected.phase).all()
    assert written.grid == expected.grid
    assert written.stiffness == pytest.approx(expected.stiffness, rel=1e-12, abs=1e-12)
    if expected.orientation is not None:
        assert written.orientation == pytest.approx(expected.orientation, abs=1e-14)
    assert written.units["stress"] == "GPa"
    shape = " x ".join(map(str, expected.grid.shape))
    assert out.count("\n") == 1
    assert out.startswith(f"made.h5: {shape} voxels, {len(expected.phases)} phases")


def test_json_holds_shape_and_fractions(generate):
    code, out, _ = generate("polycrystal --res 8 --grains 5 -o made.h5 --json")
    assert code == 0
    document = json.loads(out)
    assert document["shape"] == [8, 8, 8]
    assert [phase["id"] for phase in document["phases"]] == [0, 1, 2, 3, 4]
    assert sum(phase["fraction"] for phase in document["phases"]) == pytest.approx(1)


def test_existing_file_is_kept_unless_forced(generate):
    generate("polycrystal --res 8 --grains 2 -o made.h5")
    code, _, err = generate("polycrystal --res 8 --grains 3 -o made.h5")
    assert code == 2
    assert "--force" in err
    assert len(read("made.h5").phases) == 2
    code, _, _ = generate("polycrystal --res 8 --grains 3 -o made.h5 --force")
    assert code == 0
    assert len(read("made.h5").phases) == 3


@pytest.mark.parametrize("name", ["laminate", "inclusions", "pores", "polycrystal"])
def test_help_shows_an_example(generate, name):
    code, out, _ = generate(f"{name} --help")
    assert code == 0
    assert f"Example: fftmech generate {name} -o" in " ".join(out.split())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("polycrystal --res 0", "at least 1"),
        ("polycrystal --res many", "whole number"),
        ("polycrystal --res 8 --grains some", "--grains"),
        ("polycrystal --res 8 --cubic 1,2,3", "positive definite"),
        ("polycrystal --res 8 --cubic 1,2", "C11,C12,C44"),
        ("polycrystal --res 8 --sizes 0", "MU,SIGMA"),
        ("polycrystal --res 8 --sizes 0,nan", "finite"),
        ("polycrystal --res 8 --fibre w", "--fibre"),
        ("polycrystal --res 8 --peak 0,0", "PHI1,PHI,PHI2"),
        ("polycrystal --res 8 --seed -1", "--seed"),
        ("inclusions --res 16 --contrast 0", "--contrast"),
        ("inclusions --res 16 --contrast inf", "--contrast"),
        ("inclusions --res 16 --contrast 2 --pore", "one of them"),
        ("inclusions --res 16 --matrix 1,0.5", "nu"),
        ("inclusions --res 16 --aspect 1,1", "A,B,C"),
        ("pores --res 16 --count 3 --radius 0.1", "--fraction"),
        ("laminate --res 8", "--layer"),
        ("laminate --res 8 --layer 1,-1,0.3", "positive"),
        ("laminate --res 8 --layer 1,inf,0.3", "finite"),
    ],
)
def test_bad_input_is_one_line_with_the_remedy_and_writes_nothing(
    generate, tmp_path, line, words
):
    code, out, err = generate(f"{line} -o made.h5")
    assert (code, out) == (2, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    assert words in err
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_not_vtkhdf_is_refused(generate, tmp_path):
    code, _, err = generate("polycrystal --res 8 --grains 2 -o made.png")
    assert code == 2
    assert ".h5" in err
    assert not list(tmp_path.iterdir())
