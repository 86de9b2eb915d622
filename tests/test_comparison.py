import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import SOFT, STIFF, sphere

from fftmech import Boundary, FiniteLoad, solve
from fftmech.discretization import SCHEMES
from fftmech.discretization.grid import Grid
from fftmech.errors import InputError
from fftmech.loads.load import Load
from fftmech.materials.elastic import PORE, isotropic
from fftmech.materials.plasticity import Plasticity
from fftmech.microstructure.base import Microstructure
from fftmech.results.comparison import compare
from fftmech.results.result import Result
from fftmech.tensors.fields import energy_density


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture
def result():
    """A body that is a compatible strain times a stiffness, with a pore."""
    grid = Grid((6, 5, 4), (0.5, 0.5, 0.5))
    phase = np.zeros(grid.shape, int)
    phase[1:3, 1:3, 1:3] = 1
    C = np.stack([isotropic(K=100, G=40), PORE])
    u = 1e-3 * noise(3, *grid.shape)
    strain = SCHEMES["rotated"].strain(u, grid)[0]
    strain += 1e-3
    stress = np.einsum("xyzmn,nxyz->mxyz", C[phase], strain)
    return Result(
        microstructure=Microstructure(grid, phase, C, units={"stress": "GPa"}),
        load=Load({"xx": 1e-3}),
        scheme="rotated",
        solver="cg",
        tolerance=1e-6,
        displacement=u,
        strain=strain,
        stress=stress,
        energy_density=energy_density(strain, stress),
        mean_strain=strain.mean(axis=(1, 2, 3)),
        mean_stress=stress.mean(axis=(1, 2, 3)),
        energy=float(energy_density(strain, stress).mean()),
        status="converged",
        advice="",
        iterations=1,
        residuals=[1.0, 1e-7],
    )


def test_a_result_equals_itself_in_every_metric(result):
    found = compare(result, result)
    for table in found["nrmse"].values():
        assert all(e == 0 for row in table.values() for e in row.values())
    for name in ("strain", "stress"):
        for ratios in found["spectra"][name].values():
            assert ratios == pytest.approx([1] * len(ratios))
        assert found["mean"][name]["a"] == found["mean"][name]["b"]
    assert found["energy_tail"]["ratio"] == pytest.approx([1] * 5)
    assert found["notes"] == []
    assert found["compatibility"]["a"]["relative"] < 1e-12
    assert found["compared_voxels"] == result.strain[0].size - 8
    json.dumps(found, allow_nan=False)


def test_a_scaled_result_is_off_by_the_scale_everywhere_and_by_its_square_in_energy(
    result,
):
    big = replace(
        result,
        strain=1.1 * result.strain,
        stress=1.1 * result.stress,
        energy_density=1.21 * result.energy_density,
    )
    found = compare(big, result)
    for field in ("strain", "stress"):
        for row in found["nrmse"][field].values():
            assert row["norm"] == pytest.approx(0.1)
        assert found["spectra"][field]["all"] == pytest.approx(
            [1.21] * len(found["spectra"]["wavenumber"][1:])
        )
    assert found["energy_tail"]["ratio"] == pytest.approx([1.21] * 5)
    ratio = found["divergence"]["a"]["absolute"] / found["divergence"]["b"]["absolute"]
    assert ratio == pytest.approx(1.1)


def test_the_mean_of_the_reference_has_no_skill_whatever_its_error_is(result):
    solid = result.microstructure.phase == 0
    means = {
        name: np.zeros_like(field) + field[:, solid].mean(axis=1)[:, None, None, None]
        for name in ("strain", "stress")
        for field in (getattr(result, name),)
    }
    found = compare(replace(result, **means), result)
    for name in ("strain", "stress"):
        assert found["nrmse"][name]["all"] == pytest.approx(found["uniform"][name])
        assert found["uniform"][name]["std"] == pytest.approx(1)
        assert found["uniform"][name]["range"] < 0.3
        assert all(abs(value) < 1e-9 for value in found["skill"][name].values())
    same = compare(result, result)
    assert all(value == 1 for value in same["skill"]["stress"].values())


def test_the_strain_of_pores_does_not_count(result):
    pore = result.microstructure.phase == 1
    spoilt = replace(result, strain=np.where(pore, 7.0, result.strain))
    found = compare(spoilt, result)
    assert found["nrmse"]["strain"]["all"] == {"std": 0, "range": 0, "norm": 0}
    assert found["spectra"]["strain"]["all"][0] == pytest.approx(1)


def test_an_error_against_a_uniform_reference_is_none_in_json(result):
    flat = replace(result, stress=np.ones_like(result.stress))
    found = compare(result, flat)
    assert found["nrmse"]["stress"]["xx"]["std"] is None
    json.dumps(found, allow_nan=False)


def test_what_differs_beside_the_fields_is_said(result):
    other = replace(
        result, scheme="hex8", load=Load({"xx": 2e-3}), status="max_iterations"
    )
    notes = "; ".join(compare(other, result)["notes"])
    for words in ("hex8, rotated", "loads differ", "not converged", "voxel averages"):
        assert words in notes
    assert compare(other, result)["compatibility"]["a"] is None


@pytest.mark.parametrize(
    "name, value, note",
    [
        ("eigenstrain", np.full((2, 6), 1e-3), "eigenstrain differs"),
        ("thermal_expansion", np.full((2, 6), 1e-5), "thermal expansion differs"),
        ("law", {0: Plasticity(yield_stress=0.3)}, "laws differ"),
    ],
)
def test_properties_of_phases_that_differ_are_said(result, name, value, note):
    body = result.microstructure.with_changes(**{name: value})
    other = replace(result, microstructure=body)
    assert note in compare(other, result)["notes"]
    assert note in compare(result, other)["notes"]
    assert compare(other, other)["notes"] == []
    unused = np.zeros((5, 6))
    same = replace(
        result,
        microstructure=body.with_changes(
            law={}, **({name: unused} if name != "law" else {})
        ),
    )
    assert compare(same, result)["notes"] == []


def test_results_on_different_grids_or_in_different_units_are_refused(result):
    micro = result.microstructure
    coarse = replace(
        result,
        microstructure=Microstructure(Grid((3, 5, 4)), np.zeros((3, 5, 4), int)),
    )
    longer = replace(
        result, microstructure=replace(micro, grid=Grid(micro.grid.shape, (1, 1, 1)))
    )
    mega = replace(result, microstructure=replace(micro, units={"stress": "MPa"}))
    for other, words in ((coarse, "--res"), (longer, "spacing"), (mega, "MPa")):
        with pytest.raises(InputError, match=words) as error:
            compare(other, result)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "load, options, words",
    [
        (FiniteLoad(F={"xx": 1.1}), {}, "finite strain"),
        (
            Load(strain={"xx": 1e-3}),
            {"boundary": Boundary(x="uniaxial", y="free", z="free")},
            "faces that are not periodic",
        ),
    ],
)
def test_derivatives_that_are_not_periodic_small_strain_are_not_taken(
    load, options, words
):
    body = sphere(6, SOFT, STIFF)
    other = solve(body, load, **options)
    same = Load(strain={"xx": 1e-3})
    document = compare(other, solve(body, same, scheme="rotated"))
    for norm in ("divergence", "compatibility"):
        assert document[norm]["a"] is None and document[norm]["b"] is not None
    assert any(words in note for note in document["notes"])
