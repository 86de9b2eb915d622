"""Models: what holds of every prediction, before and after any training."""

import numpy as np
import pytest
import torch

from ecosurrogate.data.bodies import bodies
from ecosurrogate.data.representation import inputs
from ecosurrogate.mechanics.fields import inner_product
from ecosurrogate.models.eco import MODELS, IteratedPECO, Prediction
from ecosurrogate.networks import make_network
from ecosurrogate.training.losses import hypercircle
from fftmech import Load, solve
from fftmech.materials.elastic import isotropic
from fftmech.microstructure import inclusions, polycrystal, single_pore
from fftmech.operators.reference_medium import reference_medium
from fftmech.results.metrics import divergence_norm

ADMISSIBLE = ["s-eco", "p-eco", "p-eco-stepped", "p-eco-iterated"]
LOADS = [Load({"xx": 8e-5}), Load.uniaxial("xx", 8e-5), Load({"xy": 1e-3})]
CRYSTALS = 5


def backbone(channels, out):
    return make_network("unet", channels, out, "smoke")


def make(name, channels=21, **options):
    torch.manual_seed(0)
    return MODELS[name](backbone, channels, **options).double()


def batch(shape, load, scheme="rotated", count=2):
    microstructures = [polycrystal(shape, CRYSTALS, seed=s) for s in range(count)]
    return microstructures, batch_of(microstructures, load, scheme)


def batch_of(microstructures, load, scheme="rotated"):
    bulk, shear = reference_medium(microstructures[0])
    seen = [inputs(body, "stiffness", 2 * shear) for body in microstructures]
    loads = [load] * len(microstructures)
    return bodies(microstructures, loads, seen, scheme, bulk / shear, torch.float64)


def predict(name, made, **options):
    with torch.no_grad():
        return make(name, **options)(made)


def relative(made, prediction):
    return hypercircle(made.stiffness, made.compliance, *prediction[:2])


@pytest.mark.parametrize(
    ("scheme", "shape", "load"),
    [
        ("rotated", (8, 8, 8), LOADS[1]),
        ("rotated", (9, 8, 7), LOADS[2]),
        ("fourier", (8, 8, 8), LOADS[0]),
        ("fourier", (9, 7, 5), LOADS[1]),
        ("forward", (8, 7, 6), LOADS[1]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("name", ADMISSIBLE)
def test_fields_are_admissible_and_carry_the_load(name, scheme, shape, load):
    _, made = batch(shape, load, scheme)
    strain, stress, *_ = predict(name, made)
    operators = made.operators
    size = stress.std()
    assert operators.divergence(stress).abs().max() <= 1e-13 * size * 10
    off = operators.project_compatible(strain) - strain
    assert off.abs().max() <= 1e-13 * strain.abs().max() * 10
    free = made.load.free
    mean_strain, mean_stress = (f.mean(dim=(2, 3, 4)) for f in (strain, stress))
    torch.testing.assert_close(mean_strain[~free], made.load.strain[~free])
    torch.testing.assert_close(
        mean_stress[free], made.load.stress[free], atol=1e-13, rtol=0
    )


@pytest.mark.parametrize("load", LOADS[:2], ids=["strain", "uniaxial"])
@pytest.mark.parametrize("name", ADMISSIBLE)
def test_the_certificate_is_the_error_against_a_solve(name, load):
    microstructures, made = batch((8, 9, 6), load)
    strain, stress, *_ = predict(name, made)
    certified = relative(made, (strain, stress))
    for k, body in enumerate(microstructures):
        exact = solve(body, load, scheme="rotated", tolerance=1e-11)
        e = torch.as_tensor(exact.strain / float(made.strain_unit[k]))
        s = torch.as_tensor(exact.stress / float(made.stress_unit[k]))
        C, S = made.stiffness[k : k + 1], made.compliance[k : k + 1]
        de, ds = strain[k : k + 1] - e, stress[k : k + 1] - s
        error = norm(C, de) + norm(S, ds)
        total = norm(C, strain[k : k + 1]) + norm(S, stress[k : k + 1])
        torch.testing.assert_close(
            certified[k], (error / total)[0], rtol=1e-8, atol=1e-15
        )


def norm(matrix, field):
    return inner_product(field, (matrix * field[:, None]).sum(dim=2))


@pytest.mark.parametrize("name", list(MODELS))
def test_predictions_scale_with_the_load_and_with_the_stiffness(name):
    microstructures, made = batch((8, 8, 8), Load.uniaxial("xx", 8e-5))
    stiffer = [b.with_changes(stiffness=7 * b.stiffness) for b in microstructures]
    other = batch_of(stiffer, Load.uniaxial("xx", 3e-3))
    first, second = (predict(name, b) for b in (made, other))
    torch.testing.assert_close(first.strain, second.strain, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(first.stress, second.stress, rtol=1e-6, atol=1e-6)
    ratio = other.stress_unit / made.stress_unit
    torch.testing.assert_close(ratio, torch.full_like(ratio, 7 * 3e-3 / 8e-5))


@pytest.mark.parametrize("energy", ["strain", "stress"])
@pytest.mark.parametrize("load", LOADS, ids=["strain", "uniaxial", "shear"])
def test_no_correction_makes_either_energy_or_the_certificate_worse(load, energy):
    _, made = batch((8, 8, 8), load)
    with torch.no_grad():
        model = make("p-eco-iterated", corrections=5, energy=energy)
        # any network at all
        for weight in model.parameters():
            weight.normal_(std=0.3)
        prediction = model(made)
    certificates = torch.stack(
        [relative(made, pair) for pair in (*prediction.path, prediction)]
    )
    assert len(certificates) == 6
    assert (certificates[1:] <= certificates[:-1] * (1 + 1e-10)).all()
    assert (certificates[-1] < certificates[0]).all()


def test_without_a_network_a_correction_is_a_conjugate_gradient_iteration():
    body = polycrystal((8, 8, 8), CRYSTALS, seed=1)
    load = Load({"xx": 1.0})
    made = batch_of([body], load)
    model = make("p-eco-iterated", corrections=4)
    torch.nn.init.zeros_(model.network.head.weight)
    torch.nn.init.zeros_(model.network.head.bias)
    with torch.no_grad():
        prediction: Prediction = model(made)
    medium = reference_medium(body)
    for k in range(1, 5):
        strain = (*prediction.path, prediction)[k][0][0]
        method = {"scheme": "rotated", "tolerance": 1e-14, "reference": medium}
        cg = solve(body, load, max_iterations=k, **method)
        assert cg.iterations == k
        np.testing.assert_allclose(strain.numpy(), cg.strain, atol=2e-6)


def test_corrections_may_be_added_after_training():
    _, made = batch((8, 8, 8), LOADS[0])
    model = make("p-eco-iterated", corrections=1)
    with torch.no_grad():
        one = relative(made, model(made))
        model.corrections = 6
        six = relative(made, model(made))
    assert (six < 1e-2 * one).all()


@pytest.mark.parametrize("name", ["s-eco", "p-eco", "p-eco-iterated"])
def test_a_body_with_a_pore_gets_finite_fields_and_its_load(name):
    body = single_pore(8, "gas", 0.1)
    made = batch_of([body], Load.uniaxial("zz", 1e-3))
    strain, stress, *_ = predict(name, made)
    assert torch.isfinite(strain).all() and torch.isfinite(stress).all()
    torch.testing.assert_close(strain[:, 2].mean(), made.load.strain[0, 2])
    assert stress[:, 0].mean().abs() < 1e-12


@pytest.mark.parametrize("energy", ["strain", "stress"])
def test_stiff_inclusions_leave_divergence_at_rounding_in_single_precision(energy):
    matrix, stiff = isotropic(E=3, nu=0.35), isotropic(E=1200, nu=0.2)
    body = inclusions(16, 0.15, 0.15, matrix, stiff, seed=0)
    bulk, shear = reference_medium(body)
    seen, load = [inputs(body, "stiffness", 2 * shear)], [Load({"xx": 1e-3})]
    made = bodies([body], load, seen, "rotated", bulk / shear)
    model = make("p-eco-iterated", corrections=8, energy=energy).float()
    with torch.no_grad():
        stress = model(made).stress
    norm = divergence_norm(stress[0].double().numpy(), body.grid, "rotated")
    assert norm.relative < 2e-7


def test_a_descent_of_the_stress_refuses_pores():
    made = batch_of([single_pore(8, "gas", 0.1)], Load.uniaxial("zz", 1e-3))
    with pytest.raises(ValueError, match="pores has no complementary energy"):
        predict("p-eco-iterated", made, energy="stress")


@pytest.mark.parametrize("name", ["s-eco", "p-eco", "p-eco-stepped", "p-eco-iterated"])
def test_a_prediction_does_not_depend_on_its_neighbours_in_the_batch(name):
    porous, crystals = single_pore(8, "gas", 0.1), polycrystal(8, CRYSTALS, seed=0)
    load = Load.uniaxial("xx", 1e-3)
    for both in ([porous, crystals], [crystals, porous]):
        # of a batch, the first body is the one of the medium and the units
        alone, together = predict(name, batch_of(both[:1], load)), batch_of(both, load)
        together = predict(name, together)
        torch.testing.assert_close(together.strain[:1], alone.strain)
        torch.testing.assert_close(together.stress[:1], alone.stress)


def test_gains_predicted_from_the_hidden_state_keep_equilibrium():
    _, made = batch((8, 8, 8), LOADS[0])
    for kind in ("maxwell", "beltrami"):
        for gains in ("fixed", "learnable", "predicted"):
            made_of = predict("s-eco", made, stress_functions=kind, gains=gains)
            assert made.operators.divergence(made_of.stress).abs().max() < 1e-12


@pytest.mark.parametrize("name", list(MODELS))
def test_every_parameter_of_a_model_has_a_gradient(name):
    _, made = batch((8, 8, 8), LOADS[0])
    model = make(name)
    prediction = model(made)
    (prediction.strain.pow(2).sum() + prediction.stress.pow(2).sum()).backward()
    for path, parameter in model.named_parameters():
        assert parameter.grad is not None, path
        assert torch.isfinite(parameter.grad).all(), path


def test_less_than_one_correction_is_refused():
    with pytest.raises(ValueError, match="corrections"):
        IteratedPECO(backbone, 21, corrections=0)
