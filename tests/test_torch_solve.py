"""The solver on tensors: the solver's fields, and gradients that are derivatives."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import EMPTY, SOFT, STIFF, grains, sphere
from torch.autograd import gradcheck

import fftmech
from fftmech import SCHEMES, Grid, InputError, Load, Microstructure, materials, tensors
from fftmech.torch import (
    NotConverged,
    cubic,
    effective_stiffness,
    isotropic,
    quaternion_from_bunge,
    rotate,
    solve,
)

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE = (4, 3, 4)
SPACING = (1.0, 0.7, 1.5)
MIXED = Load(strain={"xx": 1e-3, "yz": 4e-4}, stress={"zz": 2e-3, "xy": -1e-3})
EXACT = {"spacing": SPACING, "tolerance": 1e-12}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def random_stiffness(*batch):
    A = 0.3 * random(*batch, 6, 6)
    return A @ A.mT + 2 * torch.eye(6, dtype=torch.float64)


def body(micro, dtype=torch.float64):
    """Phase and stiffness of a microstructure as tensors."""
    phase = torch.as_tensor(micro.phase.astype(np.int64))
    return phase, torch.tensor(micro.stiffness, dtype=dtype)


def relative(value, reference):
    value, reference = (np.asarray(a, dtype=float) for a in (value, reference))
    assert np.abs(reference).max() > 0
    return np.abs(value - reference).max() / np.abs(reference).max()


@pytest.mark.parametrize(
    ("scheme", "stiffness"),
    [
        pytest.param(
            scheme,
            "shared table",
            marks=[] if scheme in ("rotated", "bbar") else pytest.mark.slow,
        )
        for scheme in SCHEMES
    ]
    + [("rotated", stiffness) for stiffness in ("tables", "shared field")],
)
def test_every_gradient_is_the_derivative(scheme, stiffness):
    field = stiffness == "shared field"
    phase = None if field else torch.randint(0, 3, (2, *SHAPE))
    C = random_stiffness(
        *{"shared table": (3,), "tables": (2, 3)}.get(stiffness, SHAPE)
    )
    C = C.permute(3, 4, 0, 1, 2).contiguous() if field else C
    e0 = random(3, 6) if stiffness == "shared table" else random(2, 6, *SHAPE)
    free = [[1, 0, 1, 0, 0, 1], [0, 1, 0, 1, 1, 0]]

    def fields(C, E, S, e0):
        kwargs = {"mean_stress": S, "free": free, "eigenstrain": e0, "scheme": scheme}
        return solve(phase, C, E, **kwargs, **EXACT)[:4]

    arguments = [C, random(2, 6), random(2, 6), e0]
    arguments = [argument.requires_grad_() for argument in arguments]
    assert gradcheck(fields, arguments, fast_mode=True, atol=1e-7, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("argument", range(4))
def test_each_gradient_alone_is_the_derivative_entry_by_entry(argument):
    phase = torch.randint(0, 2, (3, 2, 2))
    given = [random_stiffness(2), random(6), random(6), random(2, 6)]
    given[argument].requires_grad_()
    weights = random(2, 6, 3, 2, 2)

    def loss(C, E, S, e0):
        free = torch.tensor([True, False, True, False, False, True])
        kwargs = {"mean_stress": S, "free": free, "eigenstrain": e0, **EXACT}
        found = solve(phase, C, E, **kwargs)
        return (weights * torch.stack([found.strain, found.stress])).sum()

    assert gradcheck(loss, given, atol=1e-7, rtol=1e-6)
    (gradient,) = torch.autograd.grad(loss(*given), given[argument])
    assert gradient.abs().max() > 1e-3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_fields_are_those_of_the_solver(scheme, dtype):
    rng = np.random.default_rng(1)
    micro = grains((6, 5, 4))
    eigenstrain = 1e-3 * rng.normal(size=(5, 6))
    micro = Microstructure(
        Grid(micro.grid.shape, SPACING),
        micro.phase,
        micro.stiffness,
        eigenstrain=eigenstrain,
    )
    single = dtype == torch.float32
    reference = fftmech.solve(micro, MIXED, scheme=scheme, tolerance=1e-10)
    found = solve(
        *body(micro, dtype),
        MIXED,
        eigenstrain=torch.tensor(eigenstrain),
        spacing=SPACING,
        scheme=scheme,
        tolerance=1e-5 if single else 1e-10,
    )
    for name in ("strain", "stress", "mean_strain", "mean_stress"):
        assert getattr(found, name).dtype == dtype
        error = relative(getattr(found, name), getattr(reference, name))
        assert error < (5e-5 if single else 1e-9), name
    assert 0 < found.iterations <= reference.iterations + 5


@pytest.mark.parametrize(
    "scheme", ["rotated", pytest.param("hex8", marks=pytest.mark.slow)]
)
def test_a_body_with_a_pore_has_the_solvers_stress_and_a_derivative(scheme):
    micro = sphere(8, STIFF, EMPTY)
    load = Load.uniaxial("zz", 1e-3)
    phase, C = body(micro)
    reference = fftmech.solve(micro, load, scheme=scheme, tolerance=1e-10)
    found = solve(phase, C, load, scheme=scheme, tolerance=1e-10)
    assert relative(found.stress, reference.stress) < 1e-8
    solid = phase == 0

    def response(E, nu):
        C = torch.stack([isotropic(E=E, nu=nu), torch.zeros(6, 6).to(E)])
        found = solve(phase, C, load, scheme=scheme, tolerance=1e-12)
        return found.stress, 1e3 * found.mean_strain, 1e3 * found.strain * solid

    constants = [torch.tensor(c, dtype=torch.float64) for c in (2.0, 0.3)]
    constants = [constant.requires_grad_() for constant in constants]
    assert gradcheck(response, constants, fast_mode=True, atol=1e-7, rtol=1e-6)


def test_derivative_of_the_energy_is_the_mean_strain_product_of_each_phase(scheme):
    phase, C = body(sphere(6, SOFT, STIFF))
    C.requires_grad_()
    E = torch.tensor([1.0, -0.4, 0.2, 0.3, 0.0, 0.5], dtype=torch.float64)
    found = solve(phase, C, E, scheme=scheme, tolerance=1e-11)
    energy = 0.5 * (found.mean_stress * E).sum()
    (gradient,) = torch.autograd.grad(energy, C)
    if scheme in ("hex8", "bbar"):
        # the strain is not uniform in a voxel: half its energy, <C : dW/dC>, is enough
        # (W is homogeneous of degree one in C)
        energies = (C * gradient).sum()
        assert relative(energies.detach(), energy.detach()) < 1e-9
        return
    e = found.strain.detach()
    for p in range(2):
        inside = e[:, phase == p]
        product = 0.5 * inside @ inside.T / phase.numel()
        assert relative(gradient[p], product) < 1e-9


def test_effective_stiffness_is_that_of_homogenize_and_homogeneous_of_degree_one():
    micro = grains((5, 4, 4))
    phase, C = body(micro)
    C.requires_grad_()
    found = effective_stiffness(phase, C, tolerance=1e-10)
    reference = fftmech.homogenize(micro, scheme="rotated", tolerance=1e-10).stiffness
    assert relative(found.detach(), reference) < 1e-8
    weights = random(6, 6)
    (gradient,) = torch.autograd.grad((weights * found).sum(), C)
    euler = (gradient * C).sum().detach()
    assert relative(euler, (weights * found).sum().detach()) < 1e-7


def test_a_batch_is_its_samples_one_by_one():
    phase = torch.randint(0, 2, (4, 4, 3, 5))
    soft = isotropic(E=torch.tensor([1.0, 2.0, 5.0, 5.0]), nu=0.3).double()
    stiff = isotropic(E=torch.tensor([2.0, 90.0, 5.0, 1e4]), nu=0.1).double()
    C = torch.stack([soft, stiff], 1)
    C[2, 1] = C[2, 0]  # homogeneous: done before the others begin
    C[1] = isotropic(K=torch.tensor([30.0, 2.0]).double(), G=0.5)
    C.requires_grad_()
    E, free = random(4, 6), torch.rand(4, 6) > 0.5
    weights = random(4, 6, 4, 3, 5)

    def solved(n):
        found = solve(phase[n], C[n], E[n], free=free[n], tolerance=1e-9)
        return found, torch.autograd.grad((weights[n] * found.stress).sum(), C)[0][n]

    together, gradients = solved(slice(None))
    assert len(set(together.iterations.tolist())) > 2
    for n in range(4):
        alone, gradient = solved(n)
        assert alone.iterations == together.iterations[n]
        assert alone.stress.ndim == 4
        assert relative(together.stress[n].detach(), alone.stress.detach()) < 1e-10
        assert relative(gradients[n], gradient) < 1e-8


def test_what_samples_share_gets_the_sum_of_their_gradients():
    phase, C = body(sphere(4, SOFT, STIFF))
    E = random(3, 6)
    field = C[phase].permute(3, 4, 0, 1, 2).contiguous().requires_grad_()
    C.requires_grad_()
    (by_phase,) = torch.autograd.grad((solve(phase, C, E).stress ** 2).sum(), C)
    (by_voxel,) = torch.autograd.grad((solve(None, field, E).stress ** 2).sum(), field)
    parts = [
        torch.autograd.grad((solve(phase, C, e).stress ** 2).sum(), C)[0] for e in E
    ]
    assert relative(by_phase, sum(parts)) < 1e-9
    for p in range(2):
        assert relative(by_voxel[..., phase == p].sum(-1), by_phase[p]) < 1e-9


def test_a_step_against_the_gradient_lowers_the_misfit():
    phase, C = body(sphere(6, SOFT, STIFF))
    E = torch.eye(6, dtype=torch.float64)
    measured = solve(phase, C, E).mean_stress

    def misfit(moduli):
        C = isotropic(E=moduli, nu=torch.tensor([0.3, 0.2]))
        found = solve(phase, C, E).mean_stress
        return ((found - measured) ** 2).sum() / (measured**2).sum()

    moduli = torch.tensor([1.4, 6.0], dtype=torch.float64, requires_grad=True)
    before = misfit(moduli)
    (gradient,) = torch.autograd.grad(before, moduli)
    slope = (gradient**2).sum()
    after = misfit((moduli - 1e-3 / slope.sqrt() * gradient).detach())
    fall = (before - after).item()
    assert fall == pytest.approx(1e-3 * slope.sqrt().item(), rel=0.05)


def test_the_graph_keeps_no_iterations():
    def kept(tolerance):
        phase, C = body(sphere(8, SOFT, STIFF))
        sizes = []

        def pack(tensor):
            sizes.append(tensor.numel() * tensor.element_size())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            found = solve(
                phase, C.requires_grad_(), [1, 0, 0, 0, 0, 0], tolerance=tolerance
            )
        return int(found.iterations), sum(sizes)

    (few, bytes_few), (many, bytes_many) = kept(1e-1), kept(1e-10)
    assert many > 5 * few
    # the displacement and the phase map, eight bytes each
    assert bytes_few == bytes_many
    assert 0 < bytes_many < 1.1 * 8 * (3 + 1) * 8**3


def test_gradients_do_not_depend_on_the_size_of_the_loss_in_single_precision():
    phase, C = body(sphere(6, SOFT, STIFF), torch.float32)
    C.requires_grad_()
    stress = solve(phase, C, [1.0, 0, 0, 0, 0, 0]).stress
    loss = (stress * random(6, 6, 6, 6)).sum()
    (gradient,) = torch.autograd.grad(loss, C, retain_graph=True)
    (small,) = torch.autograd.grad(1e-25 * loss, C, retain_graph=True)
    assert relative(1e25 * small, gradient) < 1e-4
    (none,) = torch.autograd.grad(0.0 * loss, C)
    assert not none.any()


def test_autocast_does_not_lower_the_precision():
    phase, C = body(sphere(5, SOFT, STIFF), torch.float32)
    q = random(4).float()
    E = [1e-3, 0, 0, 0, 0, 5e-4]
    plain = solve(phase, rotate(C, q), E)
    with torch.autocast("cpu", torch.bfloat16):
        cast = solve(phase, rotate(C, q), E)
    assert torch.equal(cast.stress, plain.stress)


def test_what_has_not_converged_has_neither_fields_nor_gradients():
    phase, C = body(sphere(6, SOFT, STIFF))
    with pytest.raises(NotConverged, match="max_iterations = 2 reached"):
        solve(phase, C, [1, 0, 0, 0, 0, 0], max_iterations=2)
    field = C[phase].permute(3, 4, 0, 1, 2).contiguous()
    field[..., 0, 0, 0] *= -3
    with pytest.raises(NotConverged, match="not positive definite"):
        solve(None, field, [1, 0, 0, 0, 0, 0])
    with pytest.raises(NotConverged, match="sample 1 of 2"):
        solve(phase, C, torch.eye(6)[:2] * torch.tensor([[0.0], [1]]), max_iterations=2)


def test_a_loss_on_the_strain_in_a_pore_is_refused_in_the_backward_pass():
    phase, C = body(sphere(6, STIFF, EMPTY))
    found = solve(phase, C.requires_grad_(), [1, 0, 0, 0, 0, 0])
    with pytest.raises(NotConverged, match="backward pass.*strains in pores"):
        (found.strain**2).sum().backward()


PHASE = torch.zeros(3, 3, 3, dtype=torch.long)
TABLE = torch.tensor(SOFT)[None]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"stiffness": TABLE.half()}, "float32 or float64"),
        ({"stiffness": SOFT}, "expected a tensor"),
        ({"stiffness": TABLE[0]}, r"stiffness of shape \(6, 6\): expected \(P, 6, 6\)"),
        ({"stiffness": TABLE * torch.nan}, "stiffness has values that are not finite"),
        ({"stiffness": TABLE + torch.eye(6).roll(1, 0)}, "not symmetric"),
        ({"stiffness": -TABLE}, "phase 0 in sample 0 is not positive definite"),
        ({"phase": None}, "without phases: expected a field"),
        ({"phase": PHASE[0]}, r"expected a tensor \(x, y, z\) or \(B, x, y, z\)"),
        ({"phase": PHASE.numpy()}, "expected a tensor"),
        ({"phase": PHASE.double()}, "expected integers"),
        ({"phase": PHASE + 1}, "phase ids from 1 to 1: expected 0 to 0"),
        ({"load": [1.0, 0, 0]}, r"mean strain of shape \(3,\): expected \(6\)"),
        ({"load": torch.ones(6) / 0}, "mean strain has values that are not finite"),
        ({"load": torch.ones(6) * 1j}, "mean strain of torch.complex64: expected real"),
        ({"load": ["1e-3"] * 6}, "mean strain of list: expected a tensor, or numbers"),
        ({"load": [torch.ones((), requires_grad=True)] * 6}, "mean strain of list"),
        ({"free": [0.5] * 6}, "free has values other than 0 and 1"),
        ({"load": MIXED, "free": [True] * 6}, "the Load holds both"),
        ({"mean_stress": [0.0] * 6}, "mean_stress without free"),
        ({"load": torch.ones(2, 6), "free": torch.ones(3, 6)}, "batch of 2"),
        ({"eigenstrain": torch.ones(2, 6)}, "eigenstrain of shape"),
        ({"load": torch.ones(6, device="meta")}, "expected one device"),
        ({"scheme": "rotate"}, "expected one of rotated"),
        ({"tolerance": 2.0}, "tolerance"),
        ({"stiffness": TABLE.float(), "tolerance": 1e-9}, "expected at least 1e-05"),
        ({"spacing": (1.0, 0.0, 1.0)}, "three positive lengths"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, named):
    given = {"phase": PHASE, "stiffness": TABLE, "load": [1.0, 0, 0, 0, 0, 0]}
    given |= arguments
    with pytest.raises(InputError, match=named) as error:
        solve(given.pop("phase"), given.pop("stiffness"), given.pop("load"), **given)
    assert "\n" not in str(error.value)


def test_stiffness_of_constants_is_that_of_the_materials():
    E, nu = torch.tensor([[2.0, 200.0], [0.3, -0.2]], dtype=torch.float64)
    expected = [materials.isotropic(E=2, nu=0.3), materials.isotropic(E=200, nu=-0.2)]
    assert relative(isotropic(E=E, nu=nu), expected) < 1e-14
    assert relative(isotropic(K=3.0, G=2.0), materials.isotropic(K=3, G=2)) < 1e-14
    c = (170.0, 122.5, 75.8)
    assert relative(cubic(*c), materials.cubic(*c)) < 1e-14
    assert cubic(torch.ones(3, 1), torch.ones(2), 1.0).shape == (3, 2, 6, 6)
    with pytest.raises(InputError, match=r"one pair of \{E, nu\}"):
        isotropic(E=1.0, G=1.0)


def test_rotated_stiffness_is_that_of_the_numpy_algebra_and_has_a_derivative(rng):
    euler = rng.uniform(0, 360, (5, 3))
    q = tensors.quaternion_from_bunge(euler, degrees=True)
    turned = quaternion_from_bunge(torch.tensor(euler), degrees=True)
    same = np.where(turned[:, :1] < 0, -turned, turned)
    np.testing.assert_allclose(same, q, atol=1e-14)
    C = materials.cubic(204.6, 137.7, 126.2)
    expected = tensors.rotate_stiffness(C, tensors.matrix_from_quaternion(q))
    assert relative(rotate(torch.tensor(C), turned), expected) < 1e-14
    # the length of a quaternion does not count
    assert relative(rotate(torch.tensor(C), 3 * turned), expected) < 1e-14
    C = random_stiffness(2).requires_grad_()
    angles = random(2, 3).requires_grad_()

    def turn(C, angles):
        return rotate(C, quaternion_from_bunge(angles))

    assert gradcheck(turn, (C, angles))


def test_without_torch_the_message_says_what_to_install():
    program = (
        "import sys\nsys.modules['torch'] = None\nimport fftmech\n"
        "try:\n    import fftmech.torch\n"
        "except fftmech.InputError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 'pip install "fftmech[' in done.stdout
    assert done.stdout.count("\n") == 1
