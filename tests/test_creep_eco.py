"""Models of viscoplastic crystals: their energy, its derivatives, their certificate."""

import json

import numpy as np
import pytest
import torch
from degenerate_bodies import SOLID
from small_runs import as_options, make_dataset, refused, run, tiny
from untrained_models import predict, untrained

from ecosurrogate.data.creep_bodies import creep_bodies, creep_problem, law_error
from ecosurrogate.data.examples import Batch
from ecosurrogate.models.creep import CreepPECO, IteratedCreepPECO
from ecosurrogate.models.creep_energy import CreepEnergy
from ecosurrogate.networks import make_network
from ecosurrogate.training.objective import TERMS
from fftmech import Load, Microstructure, read_result, solve
from fftmech.errors import InputError
from fftmech.materials import PORE, cubic
from fftmech.materials.crystal_creep import CrystalCreep
from fftmech.materials.norton import Norton
from fftmech.materials.slip import SlipFamily
from fftmech.microstructure import polycrystal
from fftmech.microstructure.fingerprint import fingerprint
from fftmech.problems.certificate import certify
from fftmech.problems.complementary import ComplementaryEnergy
from fftmech.problems.potential import FieldPotential

COPPER = cubic(C11=168.4, C12=121.4, C44=75.4)
LOAD = Load(strain={"xx": 1e-3, "yy": -4e-4, "zz": -6e-4, "yz": 2e-4})
FCC = CrystalCreep(tau0=0.016, rate0=1e-3, exponent=10.0, bulk=100.0)
HCP = CrystalCreep(
    rate0=1e-3,
    exponent=5.0,
    bulk=900.0,
    lattice="hcp",
    c_over_a=1.587,
    families=(
        SlipFamily(name="basal", tau0=0.12),
        SlipFamily(name="pyramidal_ca", tau0=0.25, exponent=7.0),
    ),
)
LAWS = {"fcc": FCC, "hcp, two exponents": HCP}


def crystals(law=FCC, n=6, seed=0):
    body = polycrystal(n, grains=4, seed=seed, stiffness=COPPER)
    return body.with_changes(law=dict.fromkeys(range(4), law))


def batch(bodies, loads=(LOAD,)):
    loads = [*loads] * (len(bodies) // len(loads))
    return creep_bodies(bodies, loads, dtype=torch.float64)


def network(channels, out):
    torch.manual_seed(0)
    made = make_network("unet", channels, out, channels=(4, 8), groups=2)
    return made.double()


MODELS = {
    "one-shot": lambda: CreepPECO(network),
    "iterated": lambda: IteratedCreepPECO(network, corrections=2),
}
BOTH = [pytest.param("one-shot", marks=pytest.mark.slow), "iterated"]


def loss_of(model, made):
    batch = Batch(made, None, None, torch.ones(1))
    return TERMS["complementary"](model(made), batch, 1.0)


def predict_creep(model, body, load):
    _, card = untrained("p-eco", creep=next(iter(body.law.values())))
    return predict(model, card, body, load)


@pytest.fixture(params=LAWS, name="body")
def a_body(request):
    return crystals(LAWS[request.param])


def test_the_law_on_tensors_is_that_of_the_solver(body, rng):
    made, energy = batch([body]), ComplementaryEnergy(creep_problem(body, LOAD))
    potential = FieldPotential(
        energy._problem.material, energy._problem.start.state, energy._problem.dt
    )
    rate, unit = float(made.strain_unit[0]), float(made.stress_unit[0])
    # from systems nearly at rest to those that flow a thousand times as fast
    for size in (0.05, 1.0, 1.5):
        s = torch.as_tensor(size * rng.normal(size=(1, 6, *body.grid.shape)))
        stress = unit * s.numpy()
        x, trace = made.flow.resolve(s)
        w = potential.conjugate_energy(stress)
        np.testing.assert_allclose(made.flow.energy(x, trace) * unit * rate, w, 1e-11)
        e = energy.strain(stress)
        found = made.flow.strain(s).numpy() * rate
        assert abs(found - e).max() < 1e-12 * abs(e).max()
        total = float(CreepEnergy(made)(s)) * unit * rate
        assert total == pytest.approx(energy.energy(stress), rel=1e-11)


def test_rate_and_fluidity_are_derivatives(body, rng):
    made = batch([body])
    s = torch.as_tensor(rng.normal(size=(1, 6, *body.grid.shape))).requires_grad_()
    x, trace = made.flow.resolve(s)
    (slope,) = torch.autograd.grad(made.flow.energy(x, trace).sum(), s)
    e = made.flow.strain(s)
    torch.testing.assert_close(slope, e, rtol=1e-10, atol=1e-12)
    d = torch.as_tensor(rng.normal(size=s.shape))
    (change,) = torch.autograd.grad((e * d).sum(), s)
    product = (made.flow.fluidity(s) * d[:, None]).sum(dim=2)
    torch.testing.assert_close(product, change, rtol=1e-9, atol=1e-9)


def test_the_least_energy_along_directions_has_no_slope_along_them(rng):
    made = batch([crystals(), crystals(seed=1)])
    energy = CreepEnergy(made)
    s = energy.start()
    # far too long, and twice the same
    d = [
        energy.direction(torch.as_tensor(size * rng.normal(size=s.shape)))
        for size in (100.0, 1e-3)
    ]
    best = energy.minimized(s, *d, 2 * d[0], s)
    assert (energy(best) < energy(s)).all()
    h = energy.gradient(best).direction
    for along in (*d, s):
        C0_h = made.operators.compliance(h)
        slope = -(along * C0_h).sum(dim=1).mean(dim=(1, 2, 3))
        assert (slope.abs() < 1e-9 * along.abs().amax()).all()


@pytest.mark.parametrize("name", BOTH)
def test_the_gradient_of_the_loss_is_its_derivative(name):
    made, model = batch([crystals(n=4)]), MODELS[name]()
    weights = [p for p in model.parameters() if p.ndim > 1]
    weight = weights[0]
    direction = torch.randn(weight.shape, dtype=weight.dtype)

    def loss(h):
        with torch.no_grad():
            weight.add_(h * direction)
        value = loss_of(model, made)
        with torch.no_grad():
            weight.sub_(h * direction)
        return value

    value = loss_of(model, made)
    (slope,) = torch.autograd.grad(value, weight)
    h = 1e-5
    difference = float((loss(h) - loss(-h)).detach()) / (2 * h)
    assert difference == pytest.approx(float((slope * direction).sum()), rel=1e-5)
    assert abs(difference) > 1e-8


def test_the_loss_is_a_mean_over_samples():
    model, bodies = MODELS["one-shot"](), [crystals(n=4, seed=seed) for seed in (0, 1)]
    both, a, b = (loss_of(model, batch(x)).item() for x in (bodies, *zip(bodies)))
    assert both == pytest.approx((a + b) / 2) and abs(a - b) > 1e-3 * both


@pytest.mark.parametrize("name", BOTH)
def test_predictions_are_admissible_and_certified_from_above(name):
    body, model = crystals(), MODELS[name]()
    result = predict_creep(model, body, LOAD)
    problem = creep_problem(body, LOAD)
    strain, stress = result.strain[None], result.stress[None]
    assert result.status == "predicted"
    np.testing.assert_allclose(result.mean_strain, LOAD.mean_strain, atol=1e-15)
    assert abs(problem.adjoin(stress)).max() < 1e-12 * abs(stress).max()
    compatible = problem.green.project_compatible(strain)
    assert abs(compatible - strain).max() < 1e-12 * abs(strain).max()
    nodal = problem.derive(result.displacement, problem.asarray(result.mean_strain))
    assert abs(nodal - strain).max() < 1e-12 * abs(strain).max()
    # the gap is what both energies lack of those of the solution
    exact = solve(body, LOAD, solver="dual", tolerance=1e-8)
    solved = certify(problem, exact.strain[None], exact.stress[None])
    certificate = result.certificate
    lacking = certificate["energy_upper"] - solved.energy_lower
    lacking += solved.energy_upper - certificate["energy_lower"]
    assert certificate["gap"] == pytest.approx(lacking, rel=1e-5)
    assert solved.relative < 1e-5 < certificate["relative"] < certificate["uniform"]


@pytest.mark.slow
def test_corrections_lower_the_energy_and_approach_the_solution():
    body = crystals()
    made, model = batch([body]), IteratedCreepPECO(network, corrections=8)
    energy = CreepEnergy(made)
    with torch.no_grad():
        found = model(made)
        stresses = [*(stress for _, stress in found.path), found.stress]
        energies = [float(energy(stress)) for stress in stresses]
    assert float(energy(energy.start())) > energies[0]
    assert (np.diff(energies) < 0).all()
    exact = solve(body, LOAD, solver="dual", tolerance=1e-8).stress
    least = float(energy(torch.as_tensor(exact[None]) / made.stress_unit[0]))
    assert float(made.least) < least
    assert 0 < energies[-1] - least < 1e-2 * (energies[0] - least)


@pytest.mark.parametrize("name", BOTH)
def test_a_prediction_scales_with_the_load_as_the_solution_does(name):
    # but for the bulk viscosity, and systems that are nearly at rest
    factor, n, model = -7.0, 3.0, MODELS[name]()
    ratio = abs(factor) ** (1 / n - 1)
    laws = (
        CrystalCreep(tau0=1.0, rate0=1e-3, exponent=n, bulk=b, linear_below=1e-10)
        for b in (1e4, 1e4 * ratio)
    )
    load = Load(strain={c: factor * e for c, e in LOAD.strain.items()})
    one, other = (
        predict_creep(model, crystals(law), own)
        for law, own in zip(laws, (LOAD, load), strict=True)
    )
    power = np.sign(factor) * abs(factor) ** (1 / n)
    np.testing.assert_allclose(other.strain, factor * one.strain, atol=1e-9)
    np.testing.assert_allclose(other.stress, power * one.stress, atol=1e-6)
    relative = [result.certificate["relative"] for result in (one, other)]
    assert relative[0] == pytest.approx(relative[1], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", SOLID)
def test_degenerate_bodies_are_certified(kind, name):
    given = SOLID[kind]
    turned = np.random.default_rng(0).normal(size=(2, 4))
    body = Microstructure(
        given.grid,
        given.phase,
        orientation=turned / np.linalg.norm(turned, axis=1)[:, None],
        law={0: FCC, 1: FCC},
    )
    result = predict_creep(MODELS[name](), body, LOAD)
    certificate = result.certificate
    assert result.status == "predicted"
    assert certificate["relative"] <= certificate["uniform"] + 1e-6
    if len(body.phases) == 1:
        # what the law itself is right to
        assert certificate["relative"] < 1e-5
        assert np.ptp(result.stress, axis=(1, 2, 3)).max() < 1e-9


def test_crystals_of_one_law_are_told_apart_by_their_orientations():
    body = crystals(n=4).with_changes(stiffness=None)
    assert body.orientation is not None
    turned = body.with_changes(orientation=body.orientation[::-1].copy())
    assert fingerprint(body) != fingerprint(turned)


def test_labels_that_do_not_obey_the_law_are_found():
    body = crystals(n=4)
    exact = solve(body, LOAD, solver="dual", tolerance=1e-6)
    given = [f.astype(np.float32) for f in (exact.strain, exact.stress)]
    assert law_error(body, LOAD, *given) < 1e-4
    assert law_error(body, LOAD, given[0], 1.05 * given[1]) > 1e-2


@pytest.mark.slow
def test_from_a_dataset_to_an_evaluation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    constants = "tau0 = 0.016, rate0 = 1e-3, exponent = 5, bulk = 100.0"
    law = f"crystal_creep = {{ {constants} }}"
    (tmp_path / "copper.toml").write_text(f"[default]\n{law}\n")
    make_dataset(
        "dataset polycrystal -o d --res 4 --low-res 4 --grains 4 --count 8 "
        "--splits 5,2,1 --materials copper.toml"
    )
    # as one that was interrupted
    make_dataset(
        "dataset polycrystal -o d --res 4 --low-res 4 --grains 4 --count 8 "
        "--splits 5,2,1 --materials copper.toml"
    )
    given = as_options(tiny(steps=30, lr=1e-2, augment=False))
    given = given.replace("--set model=p-eco-iterated", "")
    ended = json.loads(run(f"fit d -o one --model p-eco {given} --json").stdout)
    log = (tmp_path / "one/log.jsonl").read_text().splitlines()
    losses = [r["loss"] for r in map(json.loads, log) if "loss" in r]
    assert min(losses[-5:]) < losses[0] - 1e-3
    # the rate is chosen after the model
    assert set(ended["validation"]) == {"loss", "stress"}
    assert ended["validation"]["stress"] < 1 and not ended["notes"]
    run(f"fit d -o more --from one {as_options({'steps': 2})}")
    short = given.replace("steps=30", "steps=2")
    run(f"fit d -o iterated --model p-eco-iterated --set options.corrections=2 {short}")
    found = json.loads(
        run("evaluate one d --against iterated --baseline dual:2 --json").stdout
    )
    one, iterated, dual = found["contenders"]
    assert [c["applications"] for c in (one, iterated, dual)] == [2, 6, 3]
    for contender in (one, iterated, dual):
        assert 0 < contender["certificate"]["mean"] < 0.5
        assert contender["energy"] is None
    run("predict one d/samples/00004.h5 -o p.vtkhdf")
    result = read_result("p.vtkhdf")
    assert 0 < result.certificate["relative"] < result.certificate["uniform"]
    for line, what in (
        ("fit d -o x --model s-eco", "take --model p-eco or p-eco-iterated"),
        ("fit d -o x --from polycrystal-iterated", "are of elastic bodies"),
        ("fit d -o x --set representation=stiffness", "slip"),
        ("fit d -o x --set precision=bf16", "fp32"),
        ("fit d -o x --set loss.energy=1", "complementary, stress"),
        ("tune d -o x --trials 1", "use ecosr fit"),
        ("serve one", "use ecosr predict"),
        ("export one -o x.pt2 --res 8", "use ecosr predict"),
        ("compare one d/samples/00004.h5", "--baseline dual:6"),
        ("evaluate one d --baseline cg:2", "dual:2"),
        ("evaluate polycrystal-iterated d", "trained on elastic bodies"),
        ("predict one d/samples/00004.h5 --uniaxial xx=1 -o x.h5", "mean stresses"),
        ("predict one d/samples/00004.h5 --average-shifts 2 -o x.h5", "none"),
        (
            "predict polycrystal-iterated d/samples/00004.h5 --strain xx=1e-3 -o x.h5",
            "crystal_creep",
        ),
    ):
        assert what in refused(line), line


def test_what_there_is_no_model_for_is_refused():
    body = crystals(n=4)
    hard = CrystalCreep(tau0=0.016, theta1=0.1, rate0=1e-3, exponent=5.0, bulk=100.0)
    norton = Norton(bulk=9.0, stress0=1.0, rate0=1e-3, exponent=3.0)
    stiffness = np.array(body.stiffness)
    stiffness[0] = PORE
    laws = dict(body.law)
    del laws[0]
    for other, load, what in (
        (body, Load.uniaxial("xx", 1e-3), "mean stresses"),
        (body, Load(strain={}), "a load of zero"),
        (body.with_changes(law=dict.fromkeys(range(4), hard)), LOAD, "harden"),
        (body.with_changes(law=dict.fromkeys(range(4), norton)), LOAD, "one metal"),
        (body.with_changes(law={**body.law, 0: HCP}), LOAD, "one metal"),
        (body.with_changes(law=laws, stiffness=stiffness), LOAD, "one metal"),
        (body.with_changes(law={}), LOAD, "one metal"),
    ):
        with pytest.raises(InputError, match=what) as error:
            creep_problem(other, load)
        assert "\n" not in str(error.value)
    for some, loads in (([], []), ([body], [])):
        with pytest.raises(InputError, match="a load for each"):
            creep_bodies(some, loads)
    with pytest.raises(InputError, match="in one batch"):
        creep_bodies([body, crystals(n=6)], [LOAD] * 2)
    with pytest.raises(InputError, match="several laws"):
        creep_bodies([body, crystals(HCP, n=4)], [LOAD] * 2)
    with pytest.raises(InputError, match="corrections"):
        IteratedCreepPECO(network, corrections=0)
