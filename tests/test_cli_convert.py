"""`fftmech convert` and `fftmech info`: files in, one format and its summary out."""

import json

import numpy as np
import pytest
from command_lines import run_fftmech
from written_files import NX, NY, NZ, bare_hdf5, body, marked, result, tesr, vti

from fftmech import io
from fftmech.tensors import COMPONENTS, components_from_mandel

bare = pytest.fixture(bare_hdf5)

STEEL = """units = "GPa"
[default]
cubic = { C11 = 204.6, C12 = 137.7, C44 = 126.2 }
[random_orientations]
seed = 0
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "steel.toml").write_text(STEEL)
    (tmp_path / "a.doc").write_text("x")
    return run_fftmech


def test_convert_writes_ids_and_materials(run, tmp_path):
    (tmp_path / "a.vti").write_bytes(vti("binary"))
    done = run("convert", "a.vti", "-o", "m.h5", "--materials", "steel.toml")
    assert done.stdout == (
        "wrote m.h5: 2 x 3 x 4 voxels, 24 phases, stiffness in GPa\n"
    )
    micro = io.read("m.h5").check()
    assert (micro.phase == marked()).all() and micro.orientation.shape == (124, 4)


def test_convert_takes_every_option_of_a_bare_image(run, tmp_path):
    marked().T.astype(np.uint8).tofile("a.raw")
    done = run(
        *("convert", "a.raw", "-o", "m.h5", "--shape", "2,3,4", "--dtype", "uint8"),
        *("--axes", "zyx", "--threshold", "99", "--spacing", "0.5,1,2"),
    )
    assert "2 phases, no stiffness yet (--materials)" in done.stdout
    micro = io.read("m.h5")
    assert (micro.phase == (marked() > 99)).all() and micro.grid.h == (0.5, 1, 2)


def test_convert_of_a_real_image_with_grey_values(run, data, tmp_path):
    grey = "[grey]\nsolid = { K = 70.2, G = 29.0 }\n"
    (tmp_path / "calcite.toml").write_text(grey)
    source = ("convert", data / "grosmont_128.raw.gz", "--shape", "128,128,128")
    source += ("--dtype", "uint8", "-o", "rock.h5")
    done = run(*source, "--materials", "calcite.toml")
    assert "256 phases" in done.stdout, done.output
    assert io.read("rock.h5").pores.tolist() == [0]
    done = run(*source, "--threshold", "0", "--force")
    assert "2 phases" in done.stdout, done.output
    porosity = io.read("rock.h5").fractions[0]
    assert porosity == pytest.approx(82655 / 128**3)


def test_an_output_that_exists_is_kept_unless_forced(run, tmp_path):
    (tmp_path / "a.tesr").write_bytes(tesr())
    (tmp_path / "m.h5").write_text("mine")
    refused = run("convert", "a.tesr", "-o", "m.h5", code=2)
    assert "add --force" in refused.stderr
    assert (tmp_path / "m.h5").read_text() == "mine"
    run("convert", "a.tesr", "-o", "m.h5", "--force")
    assert (io.read("m.h5").phase == marked()).all()


def test_a_file_may_be_converted_onto_itself(run, tmp_path):
    io.write("m.h5", body())
    run("convert", "m.h5", "-o", "m.h5", "--force", "--materials", "steel.toml")
    assert len(io.read("m.h5").pores) == 0


def test_info_of_a_microstructure_names_conventions(run):
    io.write("m.h5", body())
    shown = run("info", "m.h5")
    for text in (
        "m.h5: 24 voxels; stress in GPa, length in um",
        "Stiffness of phase 0 (GPa); Voigt, engineering shear, sample frame",
        "204.6",
        "pore",
        "0.9583",
    ):
        assert text in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_info_lists_the_first_phases_only(run, tmp_path):
    (tmp_path / "a.tesr").write_bytes(tesr())
    shown = run("info", "a.tesr", "--materials", "steel.toml")
    assert "12 more" in shown.stdout and "Bunge angles (deg)" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    document = json.loads(run("info", "a.tesr", "--json").stdout)
    assert len(document["phases"]) == 24


def test_info_json_of_a_microstructure(run):
    io.write("m.h5", body())
    document = json.loads(run("info", "m.h5", "--json").stdout)
    assert document["shape"] == [NX, NY, NZ] and document["size"] == [1, 0.75, 0.8]
    solid, pore = document["phases"]
    assert (solid["voxels"], pore["voxels"]) == (23, 1)
    assert (solid["symmetry"], pore["symmetry"]) == ("anisotropic", "pore")
    assert solid["stiffness"][3][3] == pytest.approx(126.2)
    assert solid["K"] == pytest.approx((204.6 + 2 * 137.7) / 3)
    assert "run" not in document


def test_info_of_a_result_shows_load_and_outcome(run, rng):
    solved = result(rng)
    io.write_result("r.vtkhdf", solved)
    shown = run("info", "r.vtkhdf")
    for text in ("max_iterations", "raise --max-iterations", "strain 0.001", "0.25"):
        assert text in shown.stdout
    assert "tensor components" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    run_ = json.loads(run("info", "r.vtkhdf", "--json").stdout)["run"]
    means = [run_["mean_stress"][c] for c in COMPONENTS]
    np.testing.assert_allclose(means, components_from_mandel(solved.mean_stress))
    assert run_["load"]["strain"] == {"zz": 1e-3} and run_["residuals"] == [1, 0.25]


RATES = {
    "norton": "bulk = 9e3, stress0 = 0.3, rate0 = 1e-3, exponent = 3.0",
    "crystal_creep": "bulk = 9e3, tau0 = 0.1, rate0 = 1e-3, exponent = 5.0",
}


@pytest.mark.parametrize("law", RATES)
def test_info_calls_a_viscosity_a_viscosity_in_its_units(run, tmp_path, law):
    text = f"[units]\nstress = 'MPa'\ntime = 's'\n[default]\n{law} = {{{RATES[law]}}}"
    (tmp_path / "rates.toml").write_text(text)
    io.write("m.h5", body())
    shown = run("info", "m.h5", "--materials", "rates.toml").stdout
    for part in (
        "K, G of the nearest isotropic viscosity (MPa s)",
        "isotropic, viscosity",
        "Viscosity of phase 0 at rate0 (MPa s); Voigt",
    ):
        assert part in shown
    assert "tiffness" not in shown and "(MPa)" not in shown
    line = ("info", "m.h5", "--materials", "rates.toml", "--json")
    phase = json.loads(run(*line).stdout)["phases"][0]
    assert phase["quantity"] == "viscosity" and phase["K"] == pytest.approx(9e3)
    solid = json.loads(run("info", "m.h5", "--json").stdout)["phases"][0]
    assert solid["quantity"] == "stiffness"
