"""`fftmech solve` and `fftmech homogenize`: what they compute, print and write."""

import json
import subprocess
import sys

import numpy as np
import pytest
from command_lines import run_fftmech
from conftest import EMPTY, SOFT, STIFF, sphere

from fftmech import Grid, Microstructure, io
from fftmech.materials import isotropic
from fftmech.tensors import COMPONENTS, voigt_from_mandel

E, NU = 2.0, 0.3

EXPANDING = """units = { stress = "GPa", length = "um" }
[default]
isotropic = { E = 2.0, nu = 0.3 }
thermal_expansion = 1e-5
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a line in a folder that holds a sphere, a pore and a homogeneous body."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    io.write("sphere.h5", sphere(8, SOFT, STIFF))
    io.write("pore.h5", sphere(8, SOFT, EMPTY))
    plain = Microstructure(
        Grid((4, 4, 4)), np.zeros((4, 4, 4), int), isotropic(E=E, nu=NU)[None]
    )
    io.write("plain.h5", plain)
    (tmp_path / "expanding.toml").write_text(EXPANDING)

    return run_fftmech


def values(document, name):
    """Six tensor components of a field's mean, as they are in JSON."""
    assert list(document[name]) == list(COMPONENTS)
    return np.array([document[name][c] for c in COMPONENTS])


def test_json_is_alone_on_standard_output_and_has_the_documented_keys(run):
    done = run("solve sphere.h5 --res 10 --json -o s.vtkhdf")
    document = json.loads(done.stdout)
    assert done.stderr.splitlines() == [
        "note: resampling changes the fraction of phase 0 from 89.1% to 90.2%",
        "note: refined from 8 x 8 x 8 to 10 x 10 x 10 voxels",
    ]
    assert set(document) >= {
        *("status", "iterations", "residual", "mean_strain", "mean_stress"),
        *("energy", "time", "voxels", "output"),
    }
    assert document["status"] == "converged" and document["residual"] <= 1e-6
    assert document["voxels"] == 1000 and document["output"] == "s.vtkhdf"
    assert set(document["time"]) == {"setup", "compile", "solve"}
    result = io.read_result("s.vtkhdf")
    assert document["iterations"] == result.iterations == len(result.residuals) - 1
    work = values(document, "mean_strain") @ values(document, "mean_stress")
    assert document["energy"] == pytest.approx(work / 2)


def test_a_line_without_load_strains_xx_by_one_in_a_thousand(run):
    document = json.loads(run("solve plain.h5 --json").stdout)
    assert values(document, "mean_strain").tolist() == [1e-3, 0, 0, 0, 0, 0]
    shear, lame = E / (2 * (1 + NU)), E * NU / ((1 + NU) * (1 - 2 * NU))
    expected = np.array([lame + 2 * shear, lame, lame, 0, 0, 0]) * 1e-3
    np.testing.assert_allclose(values(document, "mean_stress"), expected, atol=1e-15)
    assert document["output"] == "plain-result.vtkhdf"
    assert io.read_result("plain-result.vtkhdf").converged


def test_uniaxial_gives_youngs_modulus_and_poissons_ratio(run):
    document = json.loads(run("solve plain.h5 --uniaxial zz=1e-3 --json").stdout)
    strain, stress = values(document, "mean_strain"), values(document, "mean_stress")
    np.testing.assert_allclose(stress, [0, 0, E * 1e-3, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(
        strain, [-NU * 1e-3, -NU * 1e-3, 1e-3, 0, 0, 0], atol=1e-12
    )


def test_strain_and_stress_may_be_mixed_and_shear_is_a_tensor_component(run):
    line = "--strain xx=1e-3 --stress yy=0 --stress zz=2e-3 --strain xy=5e-4"
    document = json.loads(run(f"solve plain.h5 {line} --json").stdout)
    # Hooke: e_xx = (s_xx - nu (s_yy + s_zz)) / E and s_xy = 2 G e_xy
    sxx = E * 1e-3 + NU * 2e-3
    stress = [sxx, 0, 2e-3, 0, 0, E / (1 + NU) * 5e-4]
    strain = [1e-3, -NU * (sxx + 2e-3) / E, (2e-3 - NU * sxx) / E, 0, 0, 5e-4]
    np.testing.assert_allclose(values(document, "mean_stress"), stress, atol=1e-12)
    np.testing.assert_allclose(values(document, "mean_strain"), strain, atol=1e-12)


@pytest.mark.parametrize(
    ("load", "strain", "stress"),
    [
        ("--strain xx=0", 0, -E / (1 - 2 * NU) * 1e-3),
        (" ".join(f"--stress {c}=0" for c in COMPONENTS), 1e-3, 0),
    ],
    ids=["clamped", "free"],
)
def test_temperature_expands_what_has_a_thermal_expansion(run, load, strain, stress):
    line = f"solve plain.h5 --materials expanding.toml --temperature 100 {load} --json"
    document = json.loads(run(line).stdout)
    isotropic_part = np.array([1, 1, 1, 0, 0, 0])
    for name, value in (("mean_strain", strain), ("mean_stress", stress)):
        expected = value * isotropic_part
        np.testing.assert_allclose(values(document, name), expected, atol=1e-12)
    result = io.read_result("plain-result.vtkhdf")
    assert result.temperature == 100 and result.microstructure.units["length"] == "um"


def test_a_restart_from_its_own_result_takes_no_iteration(run):
    first = json.loads(run("solve sphere.h5 --uniaxial zz=1 -o a.h5 --json").stdout)
    again = "solve sphere.h5 --uniaxial zz=1 --initial a.h5 -o b.h5 --json"
    second = json.loads(run(again).stdout)
    assert first["iterations"] > 3 and second["iterations"] == 0
    assert second["energy"] == pytest.approx(first["energy"], rel=1e-12)


def test_not_converged_is_exit_code_3_with_the_fields_written_and_marked(run):
    done = run("solve sphere.h5 --max-iterations 2 -o s.vtkhdf --json", code=3)
    assert json.loads(done.stdout)["status"] == "max_iterations"
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: not converged (max_iterations): residual")
    assert "raise --max-iterations (now 2)" in done.stderr
    result = io.read_result("s.vtkhdf")
    assert not result.converged and np.ptp(result.stress) > 0
    shown = run("info s.vtkhdf").stdout
    assert "max_iterations" in shown and "raise --max-iterations" in shown


def test_the_output_is_replaced_with_force_only(run, tmp_path):
    (tmp_path / "s.vtkhdf").write_text("mine")
    run("solve plain.h5 -o s.vtkhdf", code=2)
    assert (tmp_path / "s.vtkhdf").read_text() == "mine"
    run("solve plain.h5 -o s.vtkhdf --force")
    assert io.read_result("s.vtkhdf").converged


def test_res_coarsens_the_same_box(run):
    done = run("solve sphere.h5 --res 4 -o s.h5 --json")
    assert json.loads(done.stdout)["voxels"] == 64
    assert done.stderr == (
        "note: resampling changes the fraction of phase 0 from 89.1% to 87.5%\n"
    )
    assert io.read("s.h5").grid.size == io.read("sphere.h5").grid.size


def test_composite_voigt_keeps_the_mean_stiffness_of_the_fine_grid(run):
    def bound(line):
        document = json.loads(run(f"homogenize sphere.h5 {line} --json").stdout)
        return np.array(document["bounds"]["voigt"])

    np.testing.assert_allclose(bound("--res 3 --composite voigt"), bound(""))
    run("solve sphere.h5 --res 3 --composite voigt -o s.h5")
    assert len(io.read("s.h5").phases) > 2


def test_a_headerless_image_is_solved_with_its_materials(run, tmp_path):
    np.zeros((4, 4, 4), np.uint8).tofile("image.raw")
    head = "--shape 4,4,4 --dtype uint8 --spacing 2,2,2"
    run(f"solve image.raw {head} --materials expanding.toml -o s.h5")
    result = io.read_result("s.h5")
    assert result.microstructure.grid.size == (8, 8, 8) and result.converged


def test_the_table_says_components_units_and_file(run):
    line = "solve plain.h5 --materials expanding.toml --uniaxial zz=1e-3 -o s.h5"
    shown = run(line).stdout
    for text in (
        "converged in",
        "Load and volume averages; tensor components",
        "mean stress (GPa)",
        "0.002",
        "energy density 1e-06 GPa",
        "wrote s.h5",
    ):
        assert text in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_homogenize_gives_back_a_homogeneous_stiffness(run):
    done = run("homogenize plain.h5 --json")
    document = json.loads(done.stdout)
    assert not done.stderr
    assert set(document) >= {"stiffness", "engineering", "bounds", "iterations"}
    expected = voigt_from_mandel(isotropic(E=E, nu=NU))
    np.testing.assert_allclose(document["stiffness"], expected, atol=1e-12)
    assert document["engineering"]["E_x"] == pytest.approx(E)
    assert document["engineering"]["nu_xy"] == pytest.approx(NU)
    assert document["iterations"] == [0] * 6


def test_homogenize_lies_between_its_bounds_on_both_outputs(run):
    document = json.loads(run("homogenize sphere.h5 --json").stdout)
    C, bounds = np.array(document["stiffness"]), document["bounds"]
    np.testing.assert_allclose(C, C.T)
    for lower, upper in ((bounds["reuss"], C), (C, bounds["voigt"])):
        assert np.linalg.eigvalsh(np.array(upper) - lower).min() > -1e-12
    shown = run("homogenize sphere.h5").stdout
    assert f"{C[0, 0]:.5g}" in shown
    assert "Hashin-Shtrikman lower" in shown and "Voigt, engineering shear" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_homogenize_that_does_not_converge_is_exit_code_3(run):
    done = run("homogenize pore.h5 --max-iterations 2 --json", code=3)
    document = json.loads(done.stdout)
    assert document["status"] == "max_iterations" and document["iterations"][0] == 2
    assert done.stderr.count("\n") == 1 and "raise --max-iterations" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of the size of files")
def test_a_full_disk_leaves_nothing_and_says_so_in_one_line(run, tmp_path):
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999));"
        "from fftmech_cli.fftmech_main import main; main()"
    )
    before = sorted(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", limited, "solve", "sphere.h5", "-o", "s.h5"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: s.h5: File too large; ")
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
