"""Transforms of torch.func: maps are loops, and derivatives are those they claim."""

from typing import Any

import numpy as np
import pytest
from conftest import EMPTY, SOFT, STIFF, sphere
from test_torch_solve import body, random, random_stiffness, relative, torch

from fftmech import SCHEMES, InputError
from fftmech.discretization import fourier
from fftmech.torch import (
    NotConverged,
    cubic,
    effective_stiffness,
    isotropic,
    quaternion_from_bunge,
    rotate,
    solve,
)

from torch.autograd import gradcheck, gradgradcheck  # isort: skip
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap  # isort: skip

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    # a map that torch makes a slow loop of would say so
    pytest.mark.filterwarnings("error:There is a performance drop"),
    # torch's own, at the first forward derivative
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated"),
]

SHAPE = (4, 3, 2)
FREE = torch.tensor([True, False, True, False, False, True])
EXACT: dict[str, Any] = {"tolerance": 1e-12}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


def phases(*batch):
    return torch.randint(0, 2, (*batch, *SHAPE))


def field(*batch):
    """Random stiffness by voxel."""
    return random_stiffness(*batch, *SHAPE).movedim((-2, -1), (-5, -4)).contiguous()


def close(value, reference, bound=1e-9):
    assert relative(value.detach(), reference.detach()) < bound


def difference(function, x, direction, step=1e-4):
    """Central difference along a direction."""
    forward, backward = (function(x + s * direction) for s in (step, -step))
    return (forward - backward) / (2 * step)


@pytest.mark.parametrize(
    ("scheme", "by_voxel"),
    [("rotated", False), pytest.param("rotated", True, marks=pytest.mark.slow)]
    + [
        pytest.param(scheme, False, marks=pytest.mark.slow)
        for scheme in SCHEMES
        if scheme != "rotated"
    ],
)
def test_first_and_second_derivatives_are_derivatives(scheme, by_voxel):
    phase = None if by_voxel else phases(2)
    C = field() if by_voxel else random_stiffness(2)
    e0 = random(6, *SHAPE) if by_voxel else random(2, 6)

    def fields(C, E, S, e0):
        options: dict[str, Any] = {"scheme": scheme, "tolerance": 1e-13}
        return solve(phase, C, E, free=FREE, mean_stress=S, eigenstrain=e0, **options)[
            :2
        ]

    given = [C, random(6), random(2, 6), e0]
    given = [argument.requires_grad_() for argument in given]
    bounds: dict[str, Any] = {"fast_mode": True, "atol": 1e-6, "rtol": 1e-5}
    assert gradcheck(fields, given, check_forward_ad=True, **bounds)
    assert gradgradcheck(fields, given, check_fwd_over_rev=True, **bounds)


def stress(phase, C, E, S=None, e0=None, free=None):
    free = FREE if free is None and S is not None else free
    return solve(phase, C, E, free=free, mean_stress=S, eigenstrain=e0, **EXACT).stress


def shared():
    return [phases(), random_stiffness(2), random(2, 6), random(6)]


MAPS = {
    # the arguments, and the axes that are mapped
    "loads": lambda: ([phases(), random_stiffness(2), random(3, 6)], (None, None, 0)),
    "stiffness": lambda: (
        [phases(), random_stiffness(3, 2), random(6), random(6)],
        (None, 0, None, None),
    ),
    "stiffness under two loads": lambda: (
        [phases(), random_stiffness(3, 2), random(2, 6)],
        (None, 0, None),
    ),
    "stiffness of two bodies": lambda: (
        [phases(2), random_stiffness(3, 2, 2), random(2, 6)],
        (None, 0, None),
    ),
    "a last axis": lambda: (
        [phases(), random_stiffness(3, 2).movedim(0, -1), random(6)],
        (None, 3, None),
    ),
    "phases": lambda: (
        [phases(3, 2), random_stiffness(2), random(6)],
        (0, None, None),
    ),
    "phases and stiffness": lambda: (
        [phases(3), random_stiffness(3, 2), random(2, 6)],
        (0, 0, None),
    ),
    "loads of two bodies": lambda: (
        [phases(2), random_stiffness(2, 2), random(3, 6), random(3, 2, 6)],
        (None, None, 0, 0),
    ),
    "stiffness by voxel": lambda: ([None, field(3), random(2, 6)], (None, 0, None)),
    "loads of two bodies by voxel": lambda: (
        [None, field(2), random(3, 6)],
        (None, None, 0),
    ),
    "mean stress and eigenstrain": lambda: (
        [*shared()[:3], random(3, 6), random(3, 2, 6)],
        (None, None, None, 0, 0),
    ),
    "eigenstrain by voxel": lambda: (
        [*shared(), random(3, 6, *SHAPE)],
        (None, None, None, None, 0),
    ),
    "free components": lambda: (
        [*shared(), None, torch.rand(3, 6) > 0.5],
        (None, None, None, None, None, 0),
    ),
}


@pytest.mark.parametrize("case", MAPS)
def test_a_map_is_a_loop(case):
    arguments, dims = MAPS[case]()

    def weighed(*arguments):
        return (torch.linspace(-1, 2, 24).view(SHAPE) * stress(*arguments)).sum()

    def one(n):
        return [
            given if dim is None else given.select(dim, n)
            for given, dim in zip(arguments, dims, strict=True)
        ]

    functions: list[Any] = [stress, grad(weighed, 1), grad(weighed, 2)]
    for function in functions:
        mapped = vmap(function, in_dims=dims)(*arguments)
        loop = torch.stack([function(*one(n)) for n in range(3)])
        close(mapped, loop, 1e-10)


def test_nested_maps_are_nested_loops():
    phase, C, E = phases(), random_stiffness(3, 2), random(2, 6)
    found = vmap(lambda c: vmap(lambda e: stress(phase, c, e))(E))(C)
    loop = [torch.stack([stress(phase, c, e) for e in E]) for c in C]
    close(found, torch.stack(loop), 1e-10)


def test_the_gradient_of_a_map_is_the_sum_of_gradients():
    # what is mapped needs no gradient itself
    phase, C, E = phases(), random_stiffness(2), random(3, 6)

    def loss(C):
        return (vmap(lambda e: stress(phase, C, e))(E) ** 2).sum()

    parts = [grad(lambda C, e=e: (stress(phase, C, e) ** 2).sum())(C) for e in E]
    close(grad(loss)(C), sum(parts))
    C.requires_grad_()
    loss(C).backward()
    assert C.grad is not None
    close(C.grad, sum(parts))


def moduli_to_stiffness(x):
    """Effective stiffness of a composite of seven parameters."""
    crystal = rotate(cubic(x[2], x[3], 1.0), quaternion_from_bunge(x[4:]))
    C = torch.stack([isotropic(E=x[0], nu=x[1]), crystal])
    return effective_stiffness(LAYERS, C, **EXACT)


LAYERS = torch.tensor([0, 1, 1, 0])[:, None, None].expand(SHAPE)
MODULI = torch.tensor([2.0, 0.3, 9.0, 1.0, 0.1, 0.4, 0.8], dtype=torch.float64)


def test_jacobians_are_those_of_autograd():
    expected = torch.autograd.functional.jacobian(moduli_to_stiffness, MODULI)
    for jacobian in (jacrev, jacfwd):
        close(jacobian(moduli_to_stiffness)(MODULI), expected)
    close(jacrev(moduli_to_stiffness, chunk_size=10)(MODULI), expected)


def test_the_hessian_is_symmetric_and_the_difference_of_gradients():
    def loss(x):
        return (moduli_to_stiffness(x) ** 2).sum()

    H = hessian(loss)(MODULI)
    close(H, H.T, 1e-9)
    close(jacrev(jacrev(loss))(MODULI), H)
    close(jacfwd(jacfwd(loss))(MODULI), H)
    v = random(7)
    slope = grad(loss)
    close(difference(slope, MODULI, v), H @ v, 1e-6)
    close(jvp(slope, (MODULI,), (v,))[1], H @ v)
    close(vjp(slope, MODULI)[1](v)[0], H @ v)
    close(torch.autograd.functional.hvp(loss, MODULI, v)[1], H @ v)
    both = torch.stack([MODULI, 1.1 * MODULI])
    close(vmap(hessian(loss))(both)[0], H)


@pytest.mark.slow
def test_third_derivatives_are_differences_in_every_order():
    # forward derivatives of forward derivatives of an autograd.Function are silently
    # zero in torch 2.13
    phase, C, v = phases(), random_stiffness(2), random_stiffness(2)

    def loss(C):
        return (stress(phase, C, torch.ones(6)) ** 2).sum()

    def forward(function):
        return lambda C: jvp(function, (C,), (v,))[1]

    def reverse(function):
        return lambda C: (grad(function)(C) * v).sum()

    expected = difference(forward(reverse(loss)), C, v)
    for one, two, three in (
        (forward, forward, forward),
        (reverse, forward, forward),
        (forward, forward, reverse),
        (reverse, reverse, reverse),
    ):
        found = one(two(three(loss)))(C)
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_energy_has_the_hessian_that_theory_says():
    phase, C, E = phases(), random_stiffness(2), random(6)

    def energy(C, E):
        return 0.5 * (solve(phase, C, E, **EXACT).mean_stress * E).sum()

    # quadratic in the strain, homogeneous of degree one in the stiffness
    H = hessian(energy, argnums=(0, 1))(C, E)
    close(H[1][1], effective_stiffness(phase, C, **EXACT))
    assert (H[0][0] * C).sum((-3, -2, -1)).abs().max() < 1e-9 * H[0][0].abs().max()
    # concave in the stiffness: the least of energies that are linear in it
    flat = H[0][0].reshape(72, 72)
    assert torch.linalg.eigvalsh(flat)[-1] < 1e-9 * flat.abs().max()


def test_a_body_with_a_pore_has_second_derivatives():
    phase, C = body(sphere(6, STIFF, EMPTY))
    v = random_stiffness(1)

    def loss(solid):
        C = torch.cat([solid, torch.zeros(1, 6, 6).to(solid)])
        found = solve(phase, C, [1.0, 0, 0, 0, 0.2, 0], free=FREE, **EXACT)
        return (found.stress**2).sum() + (found.mean_strain**2).sum()

    found = jvp(grad(loss), (C[:1],), (v,))[1]
    close(difference(grad(loss), C[:1], v), found, 1e-5)

    def tangent(C):
        return jvp(lambda C: solve(phase, C, torch.ones(6)).stress, (C,), (C + 1,))

    with pytest.raises(NotConverged, match=r"forward derivative.*stiffness of a pore"):
        tangent(C)


def test_single_precision_has_second_derivatives():
    phase, C = body(sphere(6, SOFT, STIFF), torch.float32)

    def loss(C):
        return (solve(phase, C, [1.0, 0, 0, 0, 0, 0.3]).stress ** 2).sum()

    found = jvp(grad(loss), (C,), (C**2,))[1]
    assert found.dtype == torch.float32
    close(found, jvp(grad(loss), (C.double(),), (C.double() ** 2,))[1], 2e-4)


def test_what_is_kept_between_calls_outlives_a_transform():
    phase, C = phases(), random_stiffness(2)

    def loss(C):
        found = solve(phase, C, [1.0, 0, 0, 0, 0, 0], scheme="fourier", **EXACT)
        return (found.strain**2).sum()

    expected = hessian(loss)(C)
    fourier._tensor_symbol.cache_clear()
    fourier._nyquist_filter.cache_clear()
    for _ in range(2):
        close(hessian(loss)(C), expected)
    close(vmap(loss)(torch.stack([C, C])), loss(C).expand(2))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (
            {"C": [torch.eye(6).expand(2, 6, 6), -torch.ones(2, 6, 6)]},
            "phase 0 in samp",
        ),
        ({"C": [torch.ones(2, 6, 6), torch.nan * torch.ones(2, 6, 6)]}, "not finite"),
        ({"phase": [phases(), phases() + 1]}, "phase ids from 0 to 2"),
        ({"E": [torch.zeros(6), torch.ones(6) / 0]}, "mean strain has values"),
        ({"free": [torch.zeros(6), torch.ones(6) / 2]}, "free has values other than"),
    ],
)
def test_bad_values_are_found_beneath_transforms(arguments, named):
    given = {"phase": phases(), "C": random_stiffness(2), "E": random(6), "free": FREE}
    for name, values in arguments.items():
        given[name] = torch.stack(values).to(given[name].dtype if name == "E" else None)
    dims = tuple(0 if name in arguments else None for name in given)

    def loss(phase, C, E, free):
        return stress(phase, C, E, free=free).sum()

    for function in (loss, grad(loss, 1)):
        with pytest.raises(InputError, match=named) as error:
            vmap(function, in_dims=dims)(*given.values())
        assert "\n" not in str(error.value)


def test_what_has_not_converged_beneath_a_map_is_an_error():
    phase, C = body(sphere(6, SOFT, STIFF))
    E = torch.eye(6, dtype=torch.float64)[:2]

    def mapped(E, scale):
        return vmap(lambda e: solve(phase, C, scale * e, max_iterations=2).stress)(E)

    with pytest.raises(NotConverged, match="sample 0 of 2 is not converged"):
        mapped(E, 1.0)
    with pytest.raises(NotConverged, match="forward derivative: sample 0 of 2"):
        jvp(lambda E: mapped(E, 0.0), (E,), (E / 0.0,))


@pytest.mark.parametrize("argument", ["phase", "C", "E", "S", "e0"])
def test_a_change_in_place_makes_no_gradient_wrong(argument):
    given = {
        "phase": phases(),
        "C": random_stiffness(2),
        "E": random(6),
        "S": random(6),
        "e0": random(2, 6),
    }
    wanted = {n: a.requires_grad_() for n, a in given.items() if n != "phase"}

    def gradients(change):
        loss = (stress(**given) ** 2).sum()
        if change:
            with torch.no_grad():
                given[argument].copy_(given[argument].flip(0))
        return torch.autograd.grad(loss, list(wanted.values()))

    expected = gradients(change=False)
    if argument in ("phase", "C"):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            gradients(change=True)
        return
    for found, right in zip(gradients(change=True), expected, strict=True):
        np.testing.assert_array_equal(found, right)
