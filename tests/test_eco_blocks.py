"""Blocks cannot break compatibility or equilibrium, whatever the network says."""

import numpy as np
import pytest
import torch
from conftest import grains

from ecosurrogate.mechanics.mean_field import MeanField, MeanLoad
from ecosurrogate.mechanics.operators import Operators
from ecosurrogate.models.admissible_blocks import Compatibility, Equilibrium, Projection
from fftmech import Grid, InputError, Load, discretization, solve
from fftmech.arrays.backend import cpu_backend
from fftmech.problems.certificate import certify
from fftmech.problems.linear import Problem
from fftmech.results.metrics import divergence_norm, incompatibility_norm

SPACING = (1.0, 1.2, 0.8)
ROOT_2 = 2**0.5
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-13}
LOADS = {
    "strain": Load(strain={"xx": 1e-3, "yz": -5e-4}),
    "uniaxial": Load.uniaxial("zz", 1e-3),
    "mixed": Load(strain={"xx": 1e-3, "xy": 2e-4}, stress={"yy": 0.1, "zz": 0.0}),
}

dtypes = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
odd_and_even = pytest.mark.parametrize("shape", [(6, 8, 4), (7, 5, 9)], ids=str)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


def operators(scheme, shape, spacing=SPACING):
    return Operators(scheme, Grid(shape, spacing), 160.0, 78.0)


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def relative_divergence(stress, ops):
    """Of the worst sample, measured in double precision."""
    return max(
        divergence_norm(s.detach().double().numpy(), ops.grid, ops.scheme).relative
        for s in stress
    )


def blocks_of_stress(dtype):
    return {
        "maxwell": (Equilibrium("maxwell"), 3),
        "maxwell, learnt gains": (Equilibrium("maxwell", "learnable").to(dtype), 3),
        "beltrami": (Equilibrium("beltrami"), 6),
        "projection": (Projection("equilibrated"), 6),
    }


@pytest.mark.parametrize("offset, amplitude", [(0, 1), (1e3, 1), (0, 1e3), (0, 1e-6)])
@dtypes
@odd_and_even
def test_divergence_vanishes_to_rounding_however_the_input_is_scaled(
    one_point_scheme, shape, dtype, offset, amplitude
):
    ops = operators(one_point_scheme, shape)
    for name, (block, channels) in blocks_of_stress(dtype).items():
        field = (offset + amplitude * torch.randn(2, channels, *shape)).to(dtype)
        # potentials carry no mean; a guess keeps its own, so it gets one of its size
        mean = torch.full((2, 6), float(amplitude), dtype=dtype)
        stress = block(field, ops, mean)
        assert stress.dtype == dtype
        assert relative_divergence(stress, ops) < TOLERANCE[dtype], name


@dtypes
def test_divergence_vanishes_for_smooth_fields_that_are_large_beside_their_differences(
    one_point_scheme, dtype
):
    n = 48
    ops = operators(one_point_scheme, (n, n, 4))
    x = torch.arange(n, dtype=torch.float64) * (2 * np.pi / n)
    phase, size = torch.arange(6.0)[:, None], torch.linspace(-1, 1, 6)
    waves = torch.sin(x + phase)[:, :, None] * torch.cos(x + 2 * phase)[:, None]
    field = (size[:, None, None] * waves)[None, ..., None].repeat(1, 1, 1, 1, 4)
    for name, (block, channels) in blocks_of_stress(dtype).items():
        stress = block(field[:, :channels].to(dtype), ops)
        assert relative_divergence(stress, ops) < TOLERANCE[dtype], name


def test_divergence_vanishes_in_single_precision_near_the_null_modes_of_rotated():
    # where a potential is far larger than its stress
    n = 32
    ops = operators("rotated", (n, n, 4), (1.0, 1.0, 1.0))
    x = torch.arange(n)
    near = torch.cos((1 - 2 / n) * np.pi * x)
    checkerboard = (near[:, None] * near)[..., None].repeat(1, 1, 4)
    for block in (Equilibrium("maxwell"), Equilibrium("beltrami")):
        potential = torch.randn(1, block.channels, n, n, 4) + 1e3 * checkerboard
        assert relative_divergence(block(potential, ops), ops) < 1e-7


def test_a_constant_in_what_is_differentiated_costs_no_digits(one_point_scheme):
    shape = (6, 5, 8)
    ops = operators(one_point_scheme, shape)
    for block, channels in ((Compatibility(), 3), (Equilibrium("maxwell"), 3)):
        # multiples of 1/64, so that the sum is exact in single precision
        field = torch.randint(-64, 64, (1, channels, *shape)) / 64
        expected, found = block(field, ops), block(field + 4096, ops)
        assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_one_scale_for_all_components_keeps_equilibrium_and_one_for_each_does_not(
    one_point_scheme,
):
    ops = operators(one_point_scheme, (8, 8, 8), (1.0, 1.0, 1.0))
    stress = Equilibrium("maxwell")(torch.randn(1, 3, 8, 8, 8), ops)
    assert relative_divergence(0.3721 * stress, ops) < 1e-6
    each = torch.tensor([1.0, 1.1, 0.9, 1.2, 0.8, 1.0])[:, None, None, None]
    assert relative_divergence(each * stress, ops) > 1e-2


@odd_and_even
def test_compatibility_block_is_eq_9_and_compatible(one_point_scheme, shape):
    ops = operators(one_point_scheme, shape)
    u, E = double(2, 3, *shape), double(2, 6)
    strain = Compatibility()(u, ops, E)
    d = ops.discretization
    D = [[d.derivative(u[:, i], j, ops.grid) for j in range(3)] for i in range(3)]
    shear = (D[0][2] + D[2][0]) / 2 * ROOT_2 + E[:, 4, None, None, None]
    assert torch.allclose(strain[:, 4], shear, atol=1e-12)
    assert torch.allclose(strain[:, 1], D[1][1] + E[:, 1, None, None, None], atol=1e-12)
    assert torch.allclose(strain.mean(dim=(2, 3, 4)), E, atol=1e-13)
    for e in strain:
        norm = incompatibility_norm(e.numpy(), ops.grid, ops.scheme)
        assert norm.relative < 1e-13


def test_deformation_gradient_is_its_mean_and_the_gradient_of_the_displacement(
    one_point_scheme,
):
    shape = (4, 5, 6)
    ops = operators(one_point_scheme, shape)
    u = double(2, 3, *shape)
    mean = torch.eye(3, dtype=torch.float64) + 0.1 * double(2, 3, 3)
    F = Compatibility("deformation_gradient")(u, ops, mean)
    assert torch.allclose(F.mean(dim=(3, 4, 5)), mean, atol=1e-13)
    grad = F - mean[..., None, None, None]
    strain = Compatibility()(u, ops)
    shear = (grad[:, 1, 2] + grad[:, 2, 1]) / 2 * ROOT_2
    assert torch.allclose(strain[:, 3], shear, atol=1e-13)
    D_z_u_x = ops.discretization.derivative(u[:, 0], 2, ops.grid)
    assert torch.allclose(grad[:, 0, 2], D_z_u_x, atol=1e-12)


def test_fourier_strain_of_a_displacement_is_zero_at_nyquist_frequencies():
    shape = (4, 6, 5)
    strain = Compatibility()(double(1, 3, *shape), operators("fourier", shape))
    nyquist = discretization("fourier").nyquist(Grid(shape))
    spectrum = torch.fft.rfftn(strain, dim=(-3, -2, -1)).abs()
    assert spectrum[..., torch.tensor(nyquist)].max() < 1e-12 < spectrum.max()


def maxwell_by_hand(P, second, gains=(1, 1, 1)):
    """Eq. 12, Mandel order, with a mixed or pure derivative `second(f, k, m)`."""
    (f, g, h), (a, b, c) = P, gains
    return torch.stack(
        [
            a * second(f, 2, 2) + b * second(g, 3, 3),
            a * second(f, 1, 1) + c * second(h, 3, 3),
            b * second(g, 1, 1) + c * second(h, 2, 2),
            -c * second(h, 2, 3) * ROOT_2,
            -b * second(g, 1, 3) * ROOT_2,
            -a * second(f, 1, 2) * ROOT_2,
        ]
    )


def test_equilibrium_block_is_eq_12_with_the_gain_of_each_potential(one_point_scheme):
    shape = (4, 5, 6)
    ops = operators(one_point_scheme, shape)
    D = ops.discretization.adjoint
    P, gains = double(1, 3, *shape), [2.0, -3.0, 0.5]
    expected = maxwell_by_hand(
        P[0], lambda f, k, m: D(D(f, m - 1, ops.grid), k - 1, ops.grid), gains
    )
    block = Equilibrium("maxwell", "learnable").double()
    with torch.no_grad():
        block.gains.copy_(torch.tensor(gains))
    assert torch.allclose(block(P, ops)[0], expected, atol=1e-12)


def test_compact_second_differences_are_not_in_equilibrium(one_point_scheme):
    ops = operators(one_point_scheme, (8, 8, 8), (1.0, 1.0, 1.0))
    D, P = ops.discretization.adjoint, double(3, 8, 8, 8)

    def product(f, k, m):
        return D(D(f, m - 1, ops.grid), k - 1, ops.grid)

    def compact(f, k, m):
        if k != m:
            return product(f, k, m)
        return f.roll(1, k - 1) - 2 * f + f.roll(-1, k - 1)

    assert relative_divergence([maxwell_by_hand(P, product)], ops) < 1e-15
    assert relative_divergence([maxwell_by_hand(P, compact)], ops) > 0.1


def out_of_reach(kind, ops):
    """Part of the energy (C0^-1) of projected noise that stress functions miss."""
    block, shape = Equilibrium(kind), ops.grid.shape
    unit = torch.eye(block.channels * ops.grid.voxels, dtype=torch.float64)
    columns = block(unit.reshape(-1, block.channels, *shape), ops)
    stress = Projection("equilibrated")(
        double(1, 6, *shape), ops, torch.zeros(1, 6, dtype=torch.float64)
    )
    work = ops.compliance(columns).flatten(1)
    gram, right = columns.flatten(1) @ work.T, work @ stress.flatten()
    energy = (ops.compliance(stress) * stress).sum()
    reached = right @ torch.linalg.pinv(gram, hermitian=True, rtol=1e-11) @ right
    return float(1 - reached / energy)


def test_three_potentials_miss_energy_that_six_reach_on_odd_grids(one_point_scheme):
    ops = operators(one_point_scheme, (5, 3, 5), (1.0, 1.0, 1.0))
    assert 0.05 < out_of_reach("maxwell", ops) < 0.35
    assert abs(out_of_reach("beltrami", ops)) < 1e-8


@pytest.mark.parametrize("scheme, missed", [("rotated", True), ("fourier", False)])
def test_on_even_grids_six_potentials_miss_the_null_modes_alone(scheme, missed):
    ops = operators(scheme, (4, 4, 4), (1.0, 1.0, 1.0))
    assert (out_of_reach("beltrami", ops) > 0.1) is missed


def test_fixed_gains_have_no_parameters_and_learnable_ones_start_at_one():
    assert not list(Equilibrium("beltrami").parameters())
    (gains,) = Equilibrium("maxwell", "learnable").parameters()
    assert torch.equal(gains, torch.ones(3))


def test_predicted_gains_are_one_number_a_sample_and_are_learnt(one_point_scheme):
    shape = (6, 6, 6)
    ops = operators(one_point_scheme, shape)
    potential, hidden = torch.randn(2, 3, *shape), torch.randn(2, 7, 3, 3, 3)
    block = Equilibrium("maxwell", "predicted", hidden=7)
    fixed = Equilibrium("maxwell")(potential, ops)
    assert torch.equal(block(potential, ops, hidden=hidden), fixed)
    torch.nn.init.normal_(block.gains.last.weight)
    stress = block(potential, ops, hidden=hidden)
    assert not torch.allclose(stress, fixed)
    assert relative_divergence(stress, ops) < 1e-6
    stress.square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in block.gains.parameters())


def test_what_a_block_cannot_use_is_refused_with_what_it_expects():
    ops = operators("rotated", (4, 4, 4))
    u = torch.zeros(2, 3, 4, 4, 4)
    for call, message in (
        (lambda: Equilibrium("airy"), "'airy': expected one of maxwell, beltrami"),
        (lambda: Equilibrium(gains="predicted"), "hidden state of 0 channels"),
        (lambda: Equilibrium("maxwell", "predicted", 1)(u, ops), "hidden state"),
        (lambda: Equilibrium("beltrami")(u, ops), "expected 6 channels"),
        (lambda: Compatibility()(u, ops, torch.zeros(6, 2)), r"expected \(2, 6\)"),
        (lambda: Projection("symmetric"), "expected one of compatible, equilibrated"),
    ):
        with pytest.raises(InputError, match=message):
            call()


@odd_and_even
def test_projections_are_idempotent_and_orthogonal_in_the_energy_norm(
    one_point_scheme, shape
):
    ops = operators(one_point_scheme, shape)
    for kind, metric in (
        ("compatible", ops.stiffness),
        ("equilibrated", ops.compliance),
    ):
        block = Projection(kind)
        g, other = double(1, 6, *shape), double(1, 6, *shape)
        projected = block(g, ops)
        assert torch.allclose(block(projected, ops), projected, atol=1e-13)
        product = (metric(g - projected) * block(other, ops)).sum()
        size = (metric(g) * g).sum().sqrt() * (metric(other) * other).sum().sqrt()
        assert abs(product) < 1e-13 * size
        mean = double(1, 6)
        found = block(g, ops, mean).mean(dim=(2, 3, 4))
        assert torch.allclose(found, mean, atol=1e-13)


def test_gradient_through_a_projection_is_projected_itself(one_point_scheme):
    ops = operators(one_point_scheme, (4, 5, 6))
    g = double(1, 6, 4, 5, 6).requires_grad_()
    stress = Projection("equilibrated")(g, ops)
    (stress * ops.compliance(stress)).sum().div(2).backward()
    # the derivative of 1/2 |P g|^2 in the norm of C0^-1 is C0^-1 P g
    assert torch.allclose(g.grad, ops.compliance(stress.detach()), atol=1e-14)


def body(shape=(5, 4, 6)):
    return grains(shape, count=4)


def stiffness_fields(microstructure):
    """C and C^-1 of each voxel, (1, 6, 6, X, Y, Z)."""
    C = microstructure.stiffness
    fields = (
        np.moveaxis(table[microstructure.phase], (3, 4), (0, 1))
        for table in (
            C,
            np.linalg.inv(C),
        )
    )
    return [torch.tensor(field)[None] for field in fields]


def energies(strain, stress, C, S):
    def of(A, f):
        product = torch.einsum("bmnxyz,bnxyz->bmxyz", A, f)
        return float((product * f).sum(dim=1).mean()) / 2

    return of(C, strain), of(S, stress)


@pytest.mark.parametrize("means", ["predicted", "solved"])
@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_prescribed_means_enter_exactly_and_free_ones_are_the_networks(load, means):
    micro = body()
    matrices = dict(zip(("strain", "stress"), stiffness_fields(micro), strict=True))
    loads = MeanLoad.of([load, load], double(1))
    for field, prescribed, free in (
        ("strain", load.mean_strain, load.free),
        ("stress", load.mean_stress, ~load.free),
    ):
        fluctuation, predicted = double(2, 6, *micro.grid.shape), double(2, 6)
        block = MeanField(field, means)
        both = torch.cat([matrices[field]] * 2)
        given = predicted if means == "predicted" else both
        mean = block(fluctuation, loads, given).mean(dim=(2, 3, 4)).numpy()
        np.testing.assert_allclose(mean[:, ~free], [prescribed[~free]] * 2, atol=1e-13)
        if means == "predicted":
            np.testing.assert_allclose(mean[:, free], predicted[:, free], atol=1e-13)


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_solved_means_of_the_solvers_fluctuations_are_the_solvers(load):
    micro = body()
    result = solve(micro, load, tolerance=1e-12)
    C, S = stiffness_fields(micro)
    for name, matrix in (("strain", C), ("stress", S)):
        exact = torch.tensor(getattr(result, name))[None]
        # of another mean, which is replaced
        found = MeanField(name, "solved")(
            exact + double(1, 6, 1, 1, 1), MeanLoad.of(load, exact), matrix
        )
        assert torch.allclose(found, exact, atol=1e-9 * float(exact.abs().max()))


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_no_other_free_means_have_less_energy(load):
    micro = body()
    C, S = stiffness_fields(micro)
    loads = MeanLoad.of(load, C)
    e = MeanField("strain", "solved")(double(1, 6, *micro.grid.shape), loads, C)
    s = MeanField("stress", "solved")(double(1, 6, *micro.grid.shape), loads, S)
    free = torch.tensor(load.free)

    def objectives(de, ds):
        strain = e + torch.where(free, de, 0)[:, None, None, None]
        stress = s + torch.where(free, 0, ds)[:, None, None, None]
        w, w_star = energies(strain, stress, C, S)
        E, Sigma = (f.mean(dim=(2, 3, 4))[0].numpy() for f in (strain, stress))
        return (
            w - load.mean_stress[load.free] @ E[load.free],
            w_star - load.mean_strain[~load.free] @ Sigma[~load.free],
        )

    zero = torch.zeros(6, dtype=torch.float64)
    W, W_star = objectives(zero, zero)
    for _ in range(5):
        de, ds = 1e-2 * double(6), double(6)
        for sign in (1, -1):
            more = objectives(sign * de, sign * ds)
            assert more[0] >= W and more[1] >= W_star
            assert more[0] > W or not load.free.any()
            assert more[1] > W_star or load.free.all()


@pytest.mark.parametrize("blocks", ["s-eco", "p-eco"])
@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_certificate_of_block_fields_is_their_error_against_a_real_solve(
    one_point_scheme, load, blocks
):
    micro = body()
    shape = micro.grid.shape
    ops = Operators(one_point_scheme, micro.grid, 160.0, 78.0)
    if blocks == "s-eco":
        e = 1e-3 * Compatibility()(0.1 * double(1, 3, *shape), ops)
        s = Equilibrium("beltrami")(1e-3 * double(1, 6, *shape), ops)
    else:
        e = Projection("compatible")(1e-3 * double(1, 6, *shape), ops)
        s = Projection("equilibrated")(0.1 * double(1, 6, *shape), ops)
    C, S = stiffness_fields(micro)
    loads = MeanLoad.of(load, e)
    e = MeanField("strain", "solved")(e, loads, C)
    s = MeanField("stress", "predicted")(s, loads, 0.1 * double(1, 6))

    problem = Problem(micro, load, discretization(one_point_scheme), cpu_backend())
    certificate = certify(problem, e.numpy(), s.numpy())
    result = solve(micro, load, scheme=one_point_scheme, tolerance=1e-13)
    errors = energies(
        e - torch.tensor(result.strain), s - torch.tensor(result.stress), C, S
    )
    assert certificate.gap == pytest.approx(sum(errors), rel=1e-10)


def test_blocks_compute_in_single_precision_under_autocast(one_point_scheme):
    shape = (6, 5, 4)
    ops = operators(one_point_scheme, shape)
    C, _ = stiffness_fields(body(shape))
    loads = MeanLoad.of(LOADS["mixed"], torch.zeros(1))
    hidden = torch.randn(1, 4, 3, 3, 3)
    gained = Equilibrium("beltrami", "predicted", hidden=4)
    torch.nn.init.normal_(gained.gains.last.weight)
    for call, channels in (
        (lambda x: Compatibility()(x, ops), 3),
        (lambda x: gained(x, ops, hidden=hidden), 6),
        (lambda x: Projection("compatible")(x, ops), 6),
        (lambda x: Projection("equilibrated")(x, ops), 6),
        (lambda x: MeanField("strain", "solved")(x, loads, C.float()), 6),
    ):
        field = torch.randn(1, channels, *shape).bfloat16()
        expected = call(field.float())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = call(field)
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)


def test_a_batch_is_its_samples_one_by_one(one_point_scheme):
    shape = (4, 5, 6)
    ops = operators(one_point_scheme, shape)
    for block, channels in (
        (Compatibility(), 3),
        (Equilibrium("maxwell"), 3),
        (Projection("compatible"), 6),
        (Projection("equilibrated"), 6),
    ):
        field, mean = double(3, channels, *shape), double(3, 6)
        together = block(field, ops, mean)
        alone = [block(f[None], ops, m[None]) for f, m in zip(field, mean, strict=True)]
        assert torch.allclose(together, torch.cat(alone), atol=1e-13)
