"""Real inputs end to end, from file to picture: EBSD scan, DAMASK grid, CT image."""

import json

import numpy as np
import pytest
from command_lines import run_fftmech

from fftmech import read_result

STEEL = "cubic = { C11 = 204.6, C12 = 137.7, C44 = 126.2 }"
MATERIALS = {
    # nickel superalloy, room temperature
    "nickel": "[default]\ncubic = { C11 = 246.5, C12 = 147.3, C44 = 124.7 }",
    "steel": f"[default]\n{STEEL}\n[random_orientations]\nseed = 0",
    "calcite": "[[phase]]\nid = 0\npore = true\n"
    "[[phase]]\nid = 1\nisotropic = { K = 70.2, G = 29.0 }",
    "grey": "[grey]\nsolid = { K = 70.2, G = 29.0 }\nfull = 255\n"
    'rule = "hashin-shtrikman"',
}
CT = ["--shape", "128,128,128", "--dtype", "uint8"]


def run(*arguments):
    """Run `fftmech` in-process; give back standard output as JSON."""
    result = run_fftmech(*arguments)
    return json.loads(result.stdout) if result.stdout.startswith("{") else result.stdout


@pytest.fixture
def materials(tmp_path):
    """A function that writes a materials file and gives its path."""

    def write(name):
        path = tmp_path / f"{name}.toml"
        path.write_text(f'units = "GPa"\n{MATERIALS[name]}\n')
        return path

    return write


def solve_and_plot(tmp_path, source, *options):
    """Solve in tension along z, plot the stress; give back the outcome and result."""
    output, picture = tmp_path / "result.vtkhdf", tmp_path / "stress.png"
    load = ("--uniaxial", "zz=1e-3", "--json", "-o", output)
    outcome = run("solve", source, *options, *load)
    assert outcome["status"] == "converged" and outcome["residual"] <= 1.001e-6
    run("plot", output, "--field", "stress", "--component", "zz", "-o", picture)
    assert picture.stat().st_size > 10_000
    return outcome, read_result(output)


def within_bounds(outcome):
    """Whether Reuss <= C <= Voigt, as quadratic forms."""
    C = np.array(outcome["stiffness"])
    reuss, voigt = (np.array(outcome["bounds"][name]) for name in ("reuss", "voigt"))
    slack = 1e-9 * C.max()
    return (
        np.linalg.eigvalsh(C - reuss)[0] > -slack
        and np.linalg.eigvalsh(voigt - C)[0] > -slack
    )


def test_ebsd_scan_is_solved_homogenized_and_plotted(data, materials, tmp_path):
    source = data / "measured.dream3d"
    options = ("--materials", materials("nickel"))
    outcome, result = solve_and_plot(tmp_path, source, *options)
    assert outcome["voxels"] == 201 * 101
    assert len(result.microstructure.phases) == 621
    # grains differ: the stress does, and its mean lies between crystal extremes
    assert result.stress[2].std() > 0.02 * result.stress[2].mean()
    assert 130 < outcome["mean_stress"]["zz"] / 1e-3 < 310
    effective = run("homogenize", source, *options, "--res", 64, "--json")
    assert within_bounds(effective)
    assert effective["engineering"]["K"] == pytest.approx((246.5 + 2 * 147.3) / 3)


def test_damask_grid_is_solved_homogenized_and_plotted(data, materials, tmp_path):
    source = data / "20grains32x32x32.vti"
    options = ("--materials", materials("steel"))
    outcome, result = solve_and_plot(tmp_path, source, *options)
    assert outcome["voxels"] == 32**3 and outcome["iterations"] <= 14
    assert len(result.microstructure.phases) == 20
    effective = run("homogenize", source, *options, "--json")
    assert within_bounds(effective)
    assert effective["engineering"]["K"] == pytest.approx(160.0)


def test_binary_ct_image_is_solved_homogenized_and_plotted(data, materials, tmp_path):
    source = data / "grosmont_128.raw.gz"
    options = (*CT, "--threshold", 0, "--materials", materials("calcite"), "--res", 32)
    _, result = solve_and_plot(tmp_path, source, *options)
    pore = result.microstructure.phase == 0
    assert 0.01 < pore.mean() < 0.04 and not result.stress[:, pore].any()
    effective = run("homogenize", source, *options, "--json")
    assert within_bounds(effective)
    K, G = (effective["engineering"][m] for m in "KG")
    bounds = effective["bounds"]["hashin_shtrikman"]
    assert 0 < K < bounds["K"][1] and 0 < G < bounds["G"][1]


@pytest.mark.slow
def test_grey_ct_image_is_solved_with_composite_voxels(data, materials, tmp_path):
    source = data / "grosmont_128.raw.gz"
    options = (*CT, "--materials", materials("grey"), "--res", 32)
    options += ("--composite", "voigt", "--scheme", "hex8", "--solver", "jacobi-cg")
    outcome, _ = solve_and_plot(tmp_path, source, *options)
    assert outcome["iterations"] <= 60
    effective = run("homogenize", source, *options, "--json")
    assert within_bounds(effective)


@pytest.mark.slow
def test_ct_image_at_half_resolution_is_solved(data, materials, tmp_path):
    source = data / "grosmont_128.raw.gz"
    options = (*CT, "--threshold", 0, "--materials", materials("calcite"), "--res", 64)
    outcome, _ = solve_and_plot(tmp_path, source, *options, "--scheme", "hex8")
    assert outcome["iterations"] <= 80
