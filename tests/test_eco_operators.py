"""The solver's operators on torch tensors: the same numbers, differentiable."""

import numpy as np
import pytest
import torch

from ecosurrogate.mechanics.operators import Operators
from fftmech import Grid, InputError, discretization
from fftmech.arrays.backend import cpu_backend, namespace
from fftmech.operators.green import Green
from fftmech.tensors import J, K
from fftmech.tensors.fields import multiply

SPACING = (0.1, 0.25, 0.4)
BULK, SHEAR = 2.0, 0.7


def operators(scheme, shape, spacing=SPACING):
    return Operators(scheme, Grid(shape, spacing), BULK, SHEAR)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


def check_equal(tensor, array):
    assert tuple(tensor.shape) == array.shape
    # fields of order one: their differences round in units of the spacing
    atol = 1e-14 * 10 / min(SPACING)
    np.testing.assert_allclose(tensor.numpy(), array, rtol=0, atol=atol)


def test_every_operator_of_a_scheme_has_the_same_value_on_tensors(scheme, shape, rng):
    d, grid = discretization(scheme), Grid(shape, SPACING)
    u = rng.normal(size=(2, d.unknowns(grid), *shape))
    s = rng.normal(size=(2, d.points, 6, *shape))
    t = rng.normal(size=(2, d.points, 3, 3, *shape))
    for operator, field in (
        (d.strain, u),
        (d.strain, u[:, :3]),
        (d.strain_adjoint, s),
        (d.divergence, s),
        (d.gradient, u),
        (d.gradient_adjoint, t),
    ):
        check_equal(operator(torch.tensor(field), grid), operator(field, grid))
    for axis in range(3):
        for point in range(d.points):
            for D in (d.derivative, d.adjoint):
                value = D(u, axis, grid, point)
                check_equal(D(torch.tensor(u), axis, grid, point), value)


def test_stress_functions_and_incompatibility_have_the_same_value_on_tensors(
    one_point_scheme, shape, rng
):
    d, grid = discretization(one_point_scheme), Grid(shape, SPACING)
    s = rng.normal(size=(2, 1, 6, *shape))
    scale = abs(s).max() / min(SPACING) ** 2
    for operator, field in (
        (d.incompatibility, s),
        (d.stress_function, s[:, 0]),
        (d.stress_function, s[:, 0, :3]),
    ):
        expected, found = operator(field, grid), operator(torch.tensor(field), grid)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-14 * scale)


def test_three_stress_functions_are_six_with_nothing_off_the_diagonal(
    one_point_scheme, shape, rng
):
    d, grid = discretization(one_point_scheme), Grid(shape, SPACING)
    six = rng.normal(size=(6, *shape))
    six[3:] = 0
    expected = d.stress_function(six, grid)
    np.testing.assert_allclose(d.stress_function(six[:3], grid), expected, atol=1e-11)


def test_divergence_is_minus_the_adjoint_of_strain(one_point_scheme, shape):
    ops = operators(one_point_scheme, shape)
    n = ops.discretization.unknowns(ops.grid)
    u = torch.randn(2, n, *shape, dtype=torch.float64)
    s = torch.randn(2, 6, *shape, dtype=torch.float64)
    strain = ops.strain(u)
    left, right = (strain * s).sum(), (u * ops.strain_adjoint(s)).sum()
    assert abs(left - right) < 1e-12 * strain.norm() * s.norm()
    assert torch.equal(ops.divergence(s), -ops.strain_adjoint(s)[:, :3])


OPERATORS = {
    "gradient": 3,
    "strain": 3,
    "strain_adjoint": 6,
    "incompatibility": 6,
    "stress_function": 6,
    "green": 3,
    "project_compatible": 6,
    "project_equilibrated": 6,
}


@pytest.mark.parametrize("name", OPERATORS)
def test_derivatives_of_operators_are_those_of_finite_differences(
    name, one_point_scheme
):
    shape = (3, 4, 2)
    ops = operators(one_point_scheme, shape, (1.0, 1.2, 0.8))
    field = torch.randn(1, OPERATORS[name], *shape, dtype=torch.float64)
    field.requires_grad_()
    assert torch.autograd.gradcheck(getattr(ops, name), field, fast_mode=True)
    if name == "stress_function":
        three = field[:, :3].detach().requires_grad_()
        assert torch.autograd.gradcheck(ops.stress_function, three, fast_mode=True)


def test_green_operator_and_projections_are_those_of_the_solver(
    one_point_scheme, shape, rng
):
    ops = operators(one_point_scheme, shape)
    d, backend = ops.discretization, cpu_backend()
    green = Green(d, ops.grid, backend, BULK, SHEAR)
    e = rng.normal(size=(2, 1, 6, *shape))
    force = d.strain_adjoint(e, ops.grid)
    tensor = torch.tensor(e[:, 0])
    for found, expected in (
        (ops.green(torch.tensor(force)), green.solve(force)),
        (ops.project_compatible(tensor), green.project_compatible(e)[:, 0]),
        (ops.project_equilibrated(tensor), green.project_equilibrated(e)[:, 0]),
    ):
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-13 * abs(e).max())


def test_reference_medium_is_that_of_the_solver_and_its_compliance_the_inverse(rng):
    ops = operators("rotated", (3, 4, 5))
    e = rng.normal(size=(1, 6, 3, 4, 5))
    expected = multiply(3 * BULK * J + 2 * SHEAR * K, e)
    stress = ops.stiffness(torch.tensor(e))
    np.testing.assert_allclose(stress.numpy(), expected, atol=1e-14 * 10)
    np.testing.assert_allclose(ops.compliance(stress).numpy(), e, atol=1e-14 * 10)


def test_green_operator_inverts_the_reference_problem_but_on_null_modes(
    one_point_scheme, shape
):
    ops = operators(one_point_scheme, shape)

    def reference(u):
        return ops.strain_adjoint(ops.stiffness(ops.strain(u)))

    n = ops.discretization.unknowns(ops.grid)
    u = ops.green(reference(torch.randn(1, n, *shape, dtype=torch.float64)))
    assert torch.allclose(ops.green(reference(u)), u, rtol=0, atol=1e-12)
    spectrum = torch.fft.rfftn(u[:, :3], dim=(-3, -2, -1))
    null = torch.tensor(ops.discretization.null_modes(ops.grid))
    assert spectrum[..., null].abs().max() < 1e-12


@pytest.mark.parametrize("shape", [(4, 6, 8), (5, 3, 7)], ids=str)
def test_single_precision_gives_the_same_to_its_rounding(one_point_scheme, shape):
    ops = operators(one_point_scheme, shape, (1.0, 1.2, 0.8))
    for name, channels in OPERATORS.items():
        field = torch.randn(2, channels, *shape)
        operator = getattr(ops, name)
        found, exact = operator(field), operator(field.double())
        assert found.dtype == torch.float32
        assert (found - exact).abs().max() < 2e-6 * exact.abs().max(), name


@pytest.mark.parametrize("scheme", ["rotated", "central", "forward"])
def test_stencils_on_a_large_constant_are_exact_in_single_precision(scheme):
    # differences come before means; multiples of 1/64 make the sum itself exact
    shape = (6, 5, 8)
    ops = operators(scheme, shape, (1.0, 1.0, 1.0))
    for name in ("gradient", "strain", "stress_function"):
        field = torch.randint(-64, 64, (1, OPERATORS[name], *shape)) / 64
        operator = getattr(ops, name)
        expected = operator(field)
        error = (operator(field + 2.0**16) - expected).abs().max()
        assert error < 1e-6 * expected.abs().max(), name


def test_fourier_strain_at_nyquist_is_none_of_a_displacement_and_free_in_a_guess():
    ops = operators("fourier", (4, 5, 6))
    wave = (-1.0) ** torch.arange(4, dtype=torch.float64)[:, None, None]
    nyquist = wave * torch.ones(1, 6, 4, 5, 6, dtype=torch.float64)
    assert ops.strain(nyquist[:, :3]).abs().max() < 1e-13
    assert torch.allclose(ops.project_compatible(nyquist), nyquist, atol=1e-13)
    assert ops.project_equilibrated(nyquist).abs().max() < 1e-13
    assert ops.stress_function(nyquist).abs().max() < 1e-11


def test_operators_used_first_without_gradients_serve_training_later(one_point_scheme):
    ops = operators(one_point_scheme, (3, 2, 6), (0.3, 0.4, 0.5))
    field = torch.randn(1, 6, 3, 2, 6)
    with torch.inference_mode():
        expected = ops.project_compatible(field)
    training = field.clone().requires_grad_()
    found = ops.project_compatible(training)
    found.square().sum().backward()
    assert torch.equal(found.detach(), expected)
    # half the gradient of |P g|^2 is P^T P g
    assert training.grad is not None and training.grad.abs().max() > 0


def test_results_stay_on_the_device_of_the_field(one_point_scheme):
    ops = operators(one_point_scheme, (4, 5, 6))
    for name, channels in OPERATORS.items():
        field = torch.empty(1, channels, 4, 5, 6, device="meta")
        assert getattr(ops, name)(field).device.type == "meta"


def test_arrays_know_their_library():
    assert namespace(torch.zeros(1)) is torch
    assert namespace(torch.nn.Parameter(torch.zeros(1))) is torch
    assert namespace(np.zeros(1)) is np


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ("hex8", BULK, SHEAR),
            "hex8 .8 integration points.*one, for instance rotated",
        ),
        (("rotate", BULK, SHEAR), "'rotate': expected one of rotated"),
        (("rotated", 0.0, SHEAR), "bulk 0.0.*two positive moduli"),
    ],
)
def test_operators_that_do_not_exist_are_refused(arguments, message):
    scheme, bulk, shear = arguments
    with pytest.raises(InputError, match=message):
        Operators(scheme, Grid((4, 4, 4)), bulk, shear)


def test_field_of_another_shape_is_refused():
    ops = operators("rotated", (4, 5, 6))
    with pytest.raises(InputError, match=r"expected \('batch', 6, 4, 5, 6\)"):
        ops.project_compatible(torch.zeros(1, 6, 4, 5, 5))
    with pytest.raises(InputError, match=r"expected \('batch', 3, 4, 5, 6\)"):
        ops.strain(torch.zeros(3, 4, 5, 6))
