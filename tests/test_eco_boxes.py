"""Models of bodies in boxes with faces: what no weights can break.

Differences are written here once more, of slices of arrays, for `rotated`.
"""

import numpy as np
import pytest
import torch
from conftest import grains

from ecosurrogate.data.encoder import Encoder
from ecosurrogate.data.normalization import Normalization
from ecosurrogate.data.symmetry import symmetries
from ecosurrogate.mechanics.box_operators import BoxOperators
from ecosurrogate.mechanics.fields import inner_product
from ecosurrogate.models.boxes import BOX_MODELS
from ecosurrogate.networks import make_network
from ecosurrogate.networks.convolution import set_periodic
from ecosurrogate.training.losses import hypercircle
from fftmech import Boundary, Grid, InputError, Load, solve
from fftmech.results.metrics import divergence_norm
from fftmech.tensors import COMPONENTS, PAIRS
from fftmech.tensors.fields import full, symmetrize

PULLED = Boundary("uniaxial", "free", "free")
BOXES = {
    "pulled": (PULLED, Load({"xx": 8e-5})),
    "stress": (PULLED, Load(stress={"xx": 0.02})),
    "plate": (Boundary("uniaxial", "free"), Load({"xx": 8e-5}, {"zz": 0.0})),
    "sheared": (Boundary("free", "displacement", "periodic"), Load({"xy": 1e-4})),
    "held": (Boundary(*["displacement"] * 3), Load({"xx": 8e-5, "yz": 1e-4})),
}
SHAPE = (6, 5, 4)
in_boxes = pytest.mark.parametrize("name", BOXES)


def difference(f, axis, periodic, void=False):
    """Of voxels (..., x, y, z) at the nodes between them, or with void beyond faces."""
    for a in range(3):
        if periodic[a]:
            f = np.concatenate([f.take([-1], a - 3), f], a - 3)
        elif void:
            f = np.pad(
                f, [(0, 0)] * (f.ndim - 3) + [(int(b == a),) * 2 for b in range(3)]
            )
        low, high = f.take(range(f.shape[a - 3] - 1), a - 3), None
        high = f.take(range(1, f.shape[a - 3]), a - 3)
        f = high - low if a == axis else (high + low) / 2
    return f


def at_voxels(u, axis, periodic):
    """Difference of nodes (..., x, y, z), in the voxels between them."""
    for a in range(3):
        high = (
            np.roll(u, -1, a - 3)
            if periodic[a]
            else u.take(range(1, u.shape[a - 3]), a - 3)
        )
        low = u if periodic[a] else u.take(range(u.shape[a - 3] - 1), a - 3)
        u = high - low if a == axis else (high + low) / 2
    return u


def forces(stress, periodic, void=False):
    """div s, (3, *nodes), and its root mean square bound, that of grad s."""
    s = full(np.asarray(stress, float))
    d = np.stack([difference(s, a, periodic, void) for a in range(3)])
    gradient = np.sqrt((d**2).sum(axis=(0, 1, 2)).mean())
    return sum(d[a][:, a] for a in range(3)), gradient


def batch(name, dtype=torch.float32, shape=SHAPE, count=2):
    boundary, load = BOXES[name]
    same = Normalization((0.0,) * 21, (1.0,) * 21)
    encoder = Encoder("rotated", "stiffness", 5 / 3, same, boundary=boundary)
    crystals = [grains(shape, 5, seed) for seed in range(count)]
    made = encoder.bodies(crystals, [load] * count)
    if dtype == torch.float64:
        made = as_double(made)
    return crystals, made


def as_double(made):
    from dataclasses import replace

    parts = ("tables", "strain_unit", "stress_unit", "inputs")
    load = type(made.load)(*(p.double() for p in made.load[:2]), made.load.free)
    return replace(made, load=load, **{p: getattr(made, p).double() for p in parts})


def predict(model, made, boundary, gain=1.0, **options):
    torch.manual_seed(0)

    def backbone(channels, out):
        return make_network("unet", channels, out, "smoke", channels=(4, 8), groups=2)

    network = BOX_MODELS[model](backbone, 21, **options)
    set_periodic(network, boundary.periodic)
    with torch.no_grad():
        network.network.head.weight *= gain
        return network.to(made.inputs.dtype)(made)


@in_boxes
@pytest.mark.parametrize("kind", ["beltrami", "maxwell"])
def test_div_s_vanishes_at_every_node_inside_in_single_precision(name, kind):
    boundary, _ = BOXES[name]
    _, made = batch(name)
    for gain in (1, 1e3):
        found = predict("s-eco", made, boundary, gain, stress_functions=kind)
        for s in found.stress:
            force, gradient = forces(s, boundary.periodic)
            assert force.shape[1] < SHAPE[0] + 1
            assert np.sqrt((force**2).sum(axis=0).mean()) < 1e-6 * gradient


@in_boxes
def test_the_measured_divergence_is_that_at_the_nodes_inside(name, rng):
    boundary, _ = BOXES[name]
    s = rng.normal(size=(6, *SHAPE))
    force, gradient = forces(s, boundary.periodic)
    found = divergence_norm(s, Grid(SHAPE, (1.0,) * 3), "rotated", boundary)
    expected = np.sqrt((force**2).sum(axis=0).mean())
    np.testing.assert_allclose(found, [expected, expected / gradient], rtol=1e-12)


@in_boxes
def test_tractions_vanish_but_for_reactions(name):
    boundary, _ = BOXES[name]
    _, made = batch(name)
    for s in predict("s-eco", made, boundary, 10, gains="learnable").stress:
        force, gradient = forces(s, boundary.periodic, void=True)
        for c in range(3):
            kept = force[c]
            for a in range(3):
                if boundary.fixed(c, a):
                    kept = kept.take(range(1, kept.shape[a] - 1), a)
            assert abs(kept).max() < 2e-6 * gradient


@in_boxes
def test_gradients_are_those_of_a_displacement_with_the_values_prescribed(name):
    boundary, load = BOXES[name]
    _, made = batch(name, torch.float64)
    found = predict("s-eco", made, boundary, 10)
    unit = made.strain_unit[:, None, None, None, None]
    u = (found.displacement * unit).numpy()
    assert u.shape[2:] == boundary.nodes(Grid(SHAPE))
    H = (found.gradient * unit[..., None]).numpy()
    x = np.stack(np.meshgrid(*map(np.arange, u.shape[2:]), indexing="ij"))
    # periodic but for the affine part
    E = H.mean(axis=(3, 4, 5)) * ~np.array([not p for p in boundary.periodic])
    rest = u - np.einsum("bca,axyz->bcxyz", E, x)
    for a in range(3):
        expected = at_voxels(rest, a, boundary.periodic) + E[:, :, a, None, None, None]
        np.testing.assert_allclose(H[:, :, a], expected, atol=1e-12)
    for v, strain in zip(u, found.strain * unit, strict=True):
        mean = boundary.mean_gradient(strain.numpy().mean(axis=(1, 2, 3)))
        v = torch.as_tensor(v - np.tensordot(mean, x, 1))[None]
        turned = made.box.gradient(v - made.box.without_turn(v))
        assert turned.abs().max() < 1e-10 * abs(u).max()
    asked = boundary.affine(load)
    if asked.free.any():
        return
    strain = full(asked.mean_strain[:, None, None, None])[..., 0, 0, 0]
    for c in range(3):
        for a in range(3):
            if boundary.fixed(c, a):
                faces = (u[:, c] - np.tensordot(strain[c], x, 1)).take([0, -1], a + 1)
                # the load itself is in single precision
                assert abs(faces).max() < 1e-6 * abs(u).max()


@pytest.mark.parametrize("name", ["pulled", "stress", "plate"])
def test_the_hypercircle_is_an_identity_in_boxes_too(name):
    # so that a certificate would be exact
    boundary, load = BOXES[name]
    crystals, made = batch(name, torch.float64, (4, 4, 4), 1)
    found = predict("s-eco", made, boundary, 3)
    solved = solve(
        crystals[0], load, scheme="rotated", boundary=boundary, tolerance=1e-11
    )
    e = torch.as_tensor(solved.strain)[None] / made.strain_unit
    s = torch.as_tensor(solved.stress)[None] / made.stress_unit
    C, S = made.stiffness, made.compliance
    size = sum(
        inner_product(a, (A * a[:, None]).sum(dim=2))
        for a, A in ((found.strain, C), (found.stress, S))
    )
    squares = sum(
        inner_product(a, (A * a[:, None]).sum(dim=2))
        for a, A in ((found.strain - e, C), (found.stress - s, S))
    )
    gap = hypercircle(C, S, *found[:2])
    assert gap > 1e-3
    torch.testing.assert_close(gap, squares / size, rtol=1e-6, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "count", "part"), [("beltrami", 6, 0.1), ("maxwell", 3, 1e-10)]
)
def test_stress_functions_reach_a_solved_stress(kind, count, part):
    body = grains((5, 5, 5), 5)
    solved = solve(body, Load({"xx": 1e-3}), scheme="rotated", boundary=PULLED)
    box = BoxOperators("rotated", body.grid, PULLED)
    s = torch.as_tensor(solved.stress)[None]
    size = count * int(np.prod(box.around))
    unit = torch.eye(size, dtype=s.dtype).reshape(size, count, *box.around)
    if kind == "beltrami":
        unit = unit[box.stress_function(unit).abs().amax(dim=(1, 2, 3, 4)) > 0]
    fields = [*box.stress_function(unit)]
    for n, _, values in box.stress_modes(s):
        fields.append(torch.zeros_like(s[0]))
        fields[-1][n] = values
    # in the norm of the complementary energy
    S = np.linalg.inv(body.stiffness)[body.phase]
    root = torch.as_tensor(np.linalg.cholesky(S))
    A, y = (
        torch.einsum("xyzij,bixyz->bjxyz", root, f).flatten(1).T
        for f in (torch.stack(fields), s)
    )
    uniform = A[:, [-3]]
    rest, fluctuation = (
        float(((y - B @ torch.linalg.lstsq(B, y, driver="gelsd").solution) ** 2).sum())
        for B in (A, uniform)
    )
    assert rest < part * fluctuation
    assert fluctuation > 0.03 * float((y**2).sum())


@in_boxes
def test_shear_forces_are_said_to_be_missing_where_they_are(name):
    faces, load = BOXES[name]
    body = grains(SHAPE, 3)
    solved = solve(body, load, scheme="rotated", boundary=faces, certificate=False)
    box = BoxOperators("rotated", body.grid, faces)
    torch.manual_seed(0)
    stress = box.stress_function(torch.randn(1, 6, *box.around, dtype=torch.float64))
    between = [
        n
        for n, pair in enumerate(PAIRS)
        if {faces.kinds[a] for a in pair} == {"free", "displacement"}
    ]
    assert bool(between) == box.lacks_shear
    assert not any(n in between for n, _, _ in box.stress_modes(stress))
    assert (stress.mean(dim=(2, 3, 4))[0, between].abs() < 1e-10).all()
    largest = abs(solved.mean_stress).max()
    assert (abs(solved.mean_stress[between]) > 1e-2 * largest).all()


def test_what_is_not_the_loads_minimises_the_energies():
    boundary, _ = BOXES["pulled"]
    _, made = batch("pulled", torch.float64)
    found = predict("s-eco", made, boundary)
    box = made.box
    stress = (made.stiffness * found.strain[:, None]).sum(dim=2)
    released = [n for n, ways in enumerate(box.affine_parts) if ways]
    assert [COMPONENTS[n] for n in released] == ["yy", "zz", "yz", "xz", "xy"]
    means = stress.mean(dim=(-3, -2, -1))
    assert means[:, released].abs().max() < 1e-12 * means[:, 0].abs().min()
    strain = (made.compliance * found.stress[:, None]).sum(dim=2)
    prescribed = made.load.strain[:, 0]
    for n, uniform, values in box.stress_modes(strain):
        work = (strain[:, n] * values).mean(dim=(-3, -2, -1))
        expected = prescribed if uniform else 0 * prescribed
        torch.testing.assert_close(work, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("model", BOX_MODELS)
def test_all_models_predict_a_gradient_and_its_strain(model):
    _, made = batch("pulled")
    found = predict(model, made, PULLED)
    assert found.gradient.shape == (2, 3, 3, *SHAPE)
    torch.testing.assert_close(found.strain, symmetrize(found.gradient))
    assert found.stress.shape == (2, 6, *SHAPE)


def test_a_label_is_the_gradient_of_the_solved_displacement():
    body = grains(SHAPE, 5)
    solved = solve(body, Load({"xx": 8e-5}), scheme="rotated", boundary=PULLED)
    u = torch.as_tensor(solved.total_displacement)[None]
    box = BoxOperators("rotated", body.grid, PULLED)
    H = box.gradient(u)[0].numpy()
    np.testing.assert_allclose(H, solved.displacement_gradient, atol=1e-14)
    turned = u + torch.tensor([0.0, 0.0, 1.0]).reshape(1, 3, 1, 1, 1) * torch.arange(
        SHAPE[1] + 1
    ).reshape(1, 1, 1, -1, 1)
    turned[:, 1] -= torch.arange(SHAPE[2] + 1).reshape(1, 1, 1, -1)
    mean_free = box.without_turn(turned) - box.without_turn(u)
    assert box.gradient(mean_free).abs().max() < 1e-12


def test_solutions_move_with_symmetries_that_keep_the_faces():
    load = Load({"xx": 8e-5})
    body = grains((4, 4, 4), 5)
    found = symmetries("rotated", body.grid, load, PULLED)
    assert len(found) == 16
    assert (
        len(symmetries("rotated", body.grid, load, Boundary("uniaxial", "free"))) == 8
    )
    before = solve(body, load, scheme="rotated", boundary=PULLED, tolerance=1e-10)
    g = found[11]
    assert g.determinant < 0 or g.axes != (0, 1, 2)
    after = solve(
        g.body(body), load, scheme="rotated", boundary=PULLED, tolerance=1e-10
    )
    np.testing.assert_allclose(
        after.displacement_gradient,
        g.gradient(before.displacement_gradient),
        atol=1e-12,
    )


def test_other_schemes_are_refused():
    for scheme in ("bbar", "fourier", "central"):
        with pytest.raises(InputError, match="nodes at corners"):
            BoxOperators(scheme, Grid((4, 4, 4)), PULLED)
