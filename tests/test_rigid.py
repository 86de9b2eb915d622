"""Rigid phases: the limit of stiff ones, and what is refused of them."""

import json

import numpy as np
import pytest
from closed_forms import nunan_keller, rigid_spheres
from command_lines import run_fftmech as run
from conftest import sphere

from fftmech import (
    Boundary,
    FiniteLoad,
    Grid,
    Load,
    Microstructure,
    homogenize,
    io,
    solve,
    solve_many,
)
from fftmech.errors import InputError
from fftmech.io.materials import read_materials
from fftmech.io.summary import summarize_microstructure
from fftmech.materials import PORE, RIGID, isotropic, orthotropic
from fftmech.materials.norton import Norton
from fftmech.microstructure import resample
from fftmech.microstructure.fingerprint import fingerprint
from fftmech.microstructure.percolation import windings
from fftmech.microstructure.poles import poles
from fftmech.results.comparison import compare
from fftmech.simulations.prepare import RIGID_SCHEMES
from fftmech.tensors.bounds import bounds

SOFT = isotropic(E=3.0, nu=0.35)
SHEAR = Load(strain={"xy": 1e-3, "xx": 1e-3})
PART = {"yy": 0.1, "zz": 0.0, "yz": -0.2}


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def body(phase, *stiffness):
    phase = np.asarray(phase, dtype=int)
    return Microstructure(
        Grid(phase.shape), phase, np.array(stiffness or [SOFT, RIGID])
    )


def marked(shape, *places):
    """Zeros with ones at places."""
    phase = np.zeros(shape, int)
    for place in places:
        phase[place] = 1
    return phase


FIBRE = marked((6, 6, 6), np.s_[:, 2:4, 2:4])
LAYER = marked((7, 3, 3), np.s_[3:])
BALL = sphere(8, SOFT, SOFT).phase


@pytest.mark.parametrize("scheme", RIGID_SCHEMES)
@pytest.mark.parametrize("load", [SHEAR, Load.uniaxial("zz", 1e-3)])
def test_stiff_inclusions_approach_rigid_ones(scheme, load):
    rigid = solve(body(BALL), load, scheme=scheme, tolerance=1e-9)
    assert rigid.converged and rigid.solver == "dual"
    soft = BALL == 0
    gaps = []
    for contrast in (1e3, 1e5):
        stiff = body(BALL, SOFT, contrast * SOFT)
        result = solve(stiff, load, scheme=scheme, solver="dual", tolerance=1e-9)
        assert result.converged
        gaps.append(distance(result.stress[:, soft], rigid.stress[:, soft]))
        assert abs(rigid.iterations - result.iterations) <= 3
    assert gaps[0] < 0.02 and gaps[1] == pytest.approx(gaps[0] / 100, rel=0.1)
    assert abs(rigid.strain[:, ~soft]).max() < 1e-7 * abs(rigid.strain).max()
    assert (rigid.energy_density[~soft] == 0).all()
    work = rigid.mean_stress @ rigid.mean_strain
    assert 2 * rigid.energy == pytest.approx(work, rel=1e-6)


def test_a_rigid_body_has_a_note_and_a_reason_why_it_has_no_certificate():
    result = solve(body(BALL), SHEAR)
    assert "phase 1 is rigid: its own stress is one of many" in result.notes[0]
    assert result.certificate["gap"] is None
    assert "rigid" in result.certificate["reason"]


def test_the_error_is_below_what_the_tolerance_promises():
    for phase in (BALL, FIBRE):
        for scheme in RIGID_SCHEMES:
            load = Load(strain={"yz": 1e-3, "yy": 1e-3}, stress={"xx": 0.001})
            method = {"scheme": scheme, "tolerance": 1e-10}
            exact = solve(body(phase), load, **method)
            result = solve(body(phase), load, **method | {"tolerance": 1e-5})
            assert exact.converged and result.converged
            soft = phase == 0
            assert distance(result.stress[:, soft], exact.stress[:, soft]) < 2e-4


def rigid_laminate(e0=0.0):
    """A rigid layer beside an orthotropic one, both with eigenstrains."""
    C = orthotropic(4.0, 5.0, 3.0, 1.0, 0.6, 0.8, 0.7, 0.9, 1.3)
    both = e0 * np.array([[1, 2, -1, 0.5, 1, -2], [2, -1, 1, 1, 0.3, 0.7]])
    return body(LAYER, C, RIGID).with_changes(eigenstrain=both)


@pytest.mark.parametrize("scheme", RIGID_SCHEMES)
@pytest.mark.parametrize("e0", [0.0, 1e-4])
def test_a_rigid_layer_has_the_closed_form(scheme, e0):
    layers = rigid_laminate(e0)
    load = Load(strain={"xx": 1e-3, "xz": 2e-3}, stress={"yy": 3, "zz": -1, "yz": 2})
    a, rigid = layers.eigenstrain
    f = layers.fractions[0]
    across, along = [0, 4, 5], [1, 2, 3]
    e = rigid.copy()
    e[across] = (load.mean_strain - (1 - f) * rigid)[across] / f
    s = layers.stiffness[0] @ (e - a)
    result = solve(layers, load, scheme=scheme, tolerance=1e-11)
    assert result.converged
    soft = LAYER[:, 0, 0] == 0
    assert distance(result.strain[:, soft, 0, 0].T, np.tile(e, (3, 1))) < 1e-9
    assert distance(result.stress[:, soft, 0, 0].T, np.tile(s, (3, 1))) < 1e-9
    assert distance(result.mean_stress[across], s[across]) < 1e-9
    assert distance(result.mean_stress[along], load.mean_stress[along]) < 1e-12
    assert distance(result.mean_strain, f * e + (1 - f) * rigid) < 1e-9
    assert abs(result.strain[:, ~soft, 0, 0].T - rigid).max() < 1e-9 * abs(e).max()


def test_effective_stiffness_and_expansion_of_rigid_inclusions():
    expansion = np.outer([1e-5, 3e-5], [1, 1, 1, 0, 0, 0])
    rigid = homogenize(
        body(BALL).with_changes(thermal_expansion=expansion), tolerance=1e-8
    )
    assert rigid.converged and rigid.bounds["voigt"][0, 0] == np.inf
    K, G = rigid.bounds["hashin_shtrikman"].values()
    assert K[0] < rigid.engineering["K"] < K[1] == np.inf
    stiff = homogenize(body(BALL, SOFT, 1e6 * SOFT), tolerance=1e-8)
    assert distance(rigid.stiffness, stiff.stiffness) < 1e-5
    # Levin: the matrix and a phase without compliance
    S, S0 = np.linalg.inv(rigid.stiffness), np.linalg.inv(SOFT)
    exact = expansion[1] + S @ SOFT @ (expansion[0] - expansion[1])
    assert distance(rigid.thermal_expansion, exact) < 1e-6
    assert np.linalg.eigvalsh(rigid.bounds["reuss"] - SOFT)[0] > 0
    assert np.linalg.eigvalsh(S0 - S)[0] > 0


def test_rigid_spheres_reach_nunan_and_kellers():
    ratios = []
    for n in (16, 32):
        near = rigid_spheres(n, 0.24)
        C = near.stiffness.copy()
        C[1] = RIGID
        method = {"scheme": "rotated", "tolerance": 1e-5, "certificate": False}
        values = []
        for load, i in (
            (Load(strain={"xx": 0.5, "yy": -0.5}), 0),
            (Load(strain={"xy": 0.5 * 0.5**0.5}), 5),
        ):
            result = solve(near.with_changes(stiffness=C), load, **method)
            assert result.converged
            values.append(result.mean_stress[i] - 1)
        ratios.append(np.array(values) / nunan_keller(near.fractions[1]))
    np.testing.assert_allclose(2 * ratios[1] - ratios[0], 1, atol=0.04)


def loops(phase):
    return sorted(map(np.ndarray.tolist, windings(np.asarray(phase, bool))))


def test_closed_paths_go_around_the_box():
    assert loops(BALL) == []
    assert loops(FIBRE) == [[[1, 0, 0]]] or loops(FIBRE) == [[[-1, 0, 0]]]
    two = marked((6, 6, 6), np.s_[:, 0, 0], np.s_[3, :, 3])
    assert len(loops(two)) == 2
    (plane,) = loops(LAYER)
    assert np.linalg.matrix_rank(plane) == 2 and not np.any(np.array(plane)[:, 0])
    i = np.arange(5)
    (turned,) = loops(marked((5, 5, 5), (i, i, np.full(5, 2))))
    assert np.array(turned).tolist() in ([[1, 1, 0]], [[-1, -1, 0]])


DIAGONAL = marked((6, 6, 6), *((i, i, 2) for i in range(6)))
CROSSED = marked((6, 6, 6), np.s_[:, 0, 0], np.s_[0, :, 0])


@pytest.mark.parametrize(
    ("phase", "load", "component"),
    [
        (FIBRE, Load(strain={"xx": 1e-3}), "xx"),
        # a strain that it can have leaves its stress undetermined
        (FIBRE, Load(strain={"yy": 1e-3}), "xx"),
        (FIBRE, Load.uniaxial("xx", 1e-3), "xx"),
        (FIBRE, Load(strain={"xy": 1e-3}, stress={"xx": 0.0}), None),
        (FIBRE, Load.uniaxial("yy", 1e-3), None),
        (LAYER, Load(strain={"xx": 1e-3}, stress={"yy": 0.0, "zz": 0.0}), "yz"),
        (LAYER, Load(strain={"xx": 1e-3}, stress=PART), None),
        (CROSSED, Load(stress={"xx": 0.0, "yy": 0.0}), "xy"),
        (CROSSED, Load(stress={"xx": 0.0, "yy": 0.0, "xy": 0.0}), None),
        # along the diagonal, any component of its stress may give way
        (DIAGONAL, Load(strain={"zz": 1e-3}), "xx"),
        (DIAGONAL, Load(strain={"zz": 1e-3}, stress={"xy": 0.0}), None),
        (1 - BALL, Load(strain={"zz": 1e-3}), "xx"),
    ],
)
def test_strains_of_rigid_parts_that_go_through_the_box_are_refused(
    phase, load, component
):
    if component is None:
        assert solve(body(phase), load).converged
        return
    with pytest.raises(InputError, match=f"strain {component} is prescribed.*--stress"):
        solve(body(phase), load)


def test_what_is_not_prescribed_in_the_way_of_a_rigid_fibre_is_found():
    load = Load(strain={"yy": 1e-3}, stress={"xx": 0.5})
    result = solve(body(FIBRE), load)
    assert result.converged and abs(result.mean_strain[0]) < 1e-9
    near = solve(body(FIBRE, SOFT, 1e7 * SOFT), load, solver="dual")
    soft = FIBRE == 0
    assert distance(result.stress[:, soft], near.stress[:, soft]) < 1e-3


def with_law(one):
    law = Norton(bulk=1e3, stress0=1.0, rate0=1e-3, exponent=3)
    return one.with_changes(law={0: law})


@pytest.mark.parametrize(
    ("one", "options", "said"),
    [
        (body(BALL), {"solver": "cg"}, "phase 1 is rigid: expected phases that deform"),
        (body(BALL), {"solver": "minres"}, "phase 1 is rigid"),
        (body(BALL), {"energy_tolerance": 1e-3}, "energy_tolerance: .* rigid"),
        (body(BALL), {"scheme": "fourier"}, "scheme fourier for a body with rigid"),
        (body(BALL), {"scheme": "central"}, "scheme central for a body with rigid"),
        (body(BALL), {"boundary": Boundary(x="uniaxial")}, "phase 1 is rigid"),
        (body(BALL, PORE, RIGID), {}, "phase 0 is a pore in a body with a rigid phase"),
        (body(BALL, RIGID, RIGID), {}, "every voxel is rigid"),
        (with_law(body(BALL)), {"scheme": "rotated"}, "phase 0 obeys norton in a body"),
        (
            body(np.indices((4, 4, 4))[0] % 3, SOFT, RIGID, RIGID).with_changes(
                eigenstrain=np.eye(3, 6)
            ),
            {},
            "rigid phases of different eigenstrains",
        ),
    ],
)
def test_what_rigid_phases_do_not_go_with_is_refused(one, options, said):
    with pytest.raises(InputError, match=said) as caught:
        solve(one, SHEAR, **options)
    assert "\n" not in str(caught.value)


def test_uses_of_a_stiffness_refuse_a_rigid_phase():
    rigid = body(BALL)
    for use in (
        lambda: solve(rigid, FiniteLoad(F={"xx": 1.1})),
        lambda: homogenize(rigid, solver="cg"),
        lambda: resample(rigid, 4, "voigt"),
        lambda: list(solve_many([(rigid, SHEAR)], solver="cg")),
        rigid.check,
    ):
        with pytest.raises(InputError, match="phase 1 is rigid"):
            use()
    with pytest.raises(InputError, match="strain xx is prescribed"):
        homogenize(body(FIBRE))
    (result,) = solve_many([(rigid, SHEAR)])
    assert result.solver == "dual" and result.converged


def test_a_stiffness_with_some_infinite_entries_is_no_rigid_phase():
    C = SOFT.copy()
    C[0, 0] = np.inf
    with pytest.raises(InputError, match="C11 is not finite"):
        solve(body(BALL, SOFT, C), SHEAR)
    with pytest.raises(InputError, match="not finite"):
        bounds(np.array([SOFT, C]), np.array([0.5, 0.5]))


def test_torch_refuses_a_rigid_phase():
    torch = pytest.importorskip("torch")
    from fftmech.torch import solve as differentiable

    C = torch.tensor(np.array([SOFT, RIGID]))
    with pytest.raises(InputError, match="stiffness"):
        differentiable(torch.tensor(BALL), C, SHEAR)


def test_bounds_with_a_rigid_phase_are_limits():
    found = bounds(np.array([SOFT, RIGID]), np.array([0.7, 0.3]))
    near = bounds(np.array([SOFT, 1e9 * SOFT]), np.array([0.7, 0.3]))
    assert distance(found["reuss"], near["reuss"]) < 1e-8
    for name in ("K", "G"):
        (low, high), (other, _) = (b["hashin_shtrikman"][name] for b in (found, near))
        assert low == pytest.approx(other, rel=1e-8) and high == np.inf


def test_a_turned_copy_of_a_rigid_body_is_the_same_body():
    phase = (np.random.default_rng(0).random((4, 4, 4)) < 0.2).astype(int)
    assert fingerprint(body(phase)) == fingerprint(body(np.rot90(phase)))
    assert fingerprint(body(phase)) != fingerprint(body(phase, SOFT, 10 * SOFT))


def test_comparisons_leave_out_what_is_not_determined():
    one = solve(body(BALL), SHEAR)
    stress = one.stress.copy()
    stress[:, BALL == 1] *= 3
    from dataclasses import replace

    document = compare(replace(one, stress=stress), one)
    assert document["compared_voxels"] == (BALL == 0).sum()
    assert document["nrmse"]["stress"]["all"]["std"] == 0


MATERIALS = """units = "GPa"
[[phase]]
id = 1
rigid = true
[default]
isotropic = { E = 3.0, nu = 0.35 }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.toml").write_text(MATERIALS)
    io.write("plain.h5", Microstructure(Grid(BALL.shape), BALL))
    return tmp_path


def test_a_rigid_phase_goes_through_files_and_the_command_line(folder):
    run("convert plain.h5 --materials m.toml -o rigid.h5")
    read = io.read("rigid.h5")
    assert read.rigid.tolist() == [1] and len(read.pores) == 0
    io.write("again.h5", read)
    assert io.read("again.h5").rigid.tolist() == [1]
    phases = summarize_microstructure(read)["phases"]
    assert [p["symmetry"] for p in phases] == ["isotropic", "rigid"]
    assert "rigid" in run("info rigid.h5").stdout
    assert json.loads(run("info rigid.h5 --json").stdout)["phases"][1] == phases[1]

    done = run("solve rigid.h5 --strain xy=1e-3 -o out.vtkhdf --json")
    document = json.loads(done.stdout, parse_constant=pytest.fail)
    assert document["status"] == "converged"
    expected = solve(body(BALL), Load(strain={"xy": 1e-3}))
    shear = document["mean_stress"]["xy"]
    assert shear == pytest.approx(expected.mean_stress[5] / 2**0.5, rel=1e-9)
    result = io.read_result("out.vtkhdf")
    assert result.solver == "dual" and result.microstructure.rigid.tolist() == [1]
    assert "rigid" in run("info out.vtkhdf").stderr
    for field in ("phase", "stress --component xx"):
        run(f"plot out.vtkhdf --field {field} -o {field[:5]}.png")

    document = json.loads(
        run("homogenize rigid.h5 --json").stdout, parse_constant=pytest.fail
    )
    assert document["status"] == "converged"
    assert document["bounds"]["voigt"][0][0] is None
    assert "inf" in run("homogenize rigid.h5").stdout
    done = run("solve rigid.h5 --solver cg -o no.vtkhdf", code=2)
    assert "Error: phase 1 is rigid" in done.stderr.splitlines()[-1]
    assert not (folder / "no.vtkhdf").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rigid = false", "rigid: expected true"),
        ("rigid = true\npore = true", "pore and rigid are both given"),
        ("rigid = true\nisotropic = { E = 1, nu = 0.3 }", "both given"),
        ("stiffness = [[inf, 0, 0, 0, 0, 0]]", "stiffness"),
    ],
)
def test_a_materials_file_says_rigid_plainly(tmp_path, text, said):
    (tmp_path / "m.toml").write_text(f"[default]\n{text}\n")
    with pytest.raises(InputError, match=said):
        read_materials(tmp_path / "m.toml")


def test_a_rigid_grain_has_no_axes_and_a_unit_changes_nothing(tmp_path):
    (tmp_path / "m.toml").write_text(
        'units = "MPa"\n[[phase]]\nid = 1\nrigid = true\neuler = [10, 20, 30]\n'
        'units = "GPa"\n[default]\ncubic = { C11 = 2.0, C12 = 1.2, C44 = 0.7 }\n'
    )
    plain = Microstructure(Grid(BALL.shape), BALL)
    made = read_materials(tmp_path / "m.toml").apply(plain)
    assert made.rigid.tolist() == [1]
    assert made.notes[-1].startswith("1 anisotropic phase(s) without orientation")


@pytest.mark.filterwarnings("error")
def test_a_rigid_crystal_has_poles_of_the_symmetry_that_is_named():
    turned = np.array([[1.0, 0, 0, 0], [0.8, 0.6, 0, 0]])
    one = body(BALL).with_changes(orientation=turned)
    with pytest.raises(InputError, match="what symmetry the crystals have"):
        poles(one, (1, 0, 0))
    assert len(poles(one, (1, 0, 0), symmetry="cubic").weights) == 2
