"""Boxes with faces: patch tests, closed forms, mirrors, free surfaces, convergence."""

from dataclasses import replace
from itertools import product

import h5py
import numpy as np
import pytest
from command_lines import run_fftmech
from conftest import EMPTY, SOFT, STIFF, grains, sphere

from fftmech import (
    SOLVERS,
    Boundary,
    FiniteLoad,
    Grid,
    InputError,
    Load,
    Microstructure,
    discretization,
    read_result,
    solve,
    write_result,
)
from fftmech.arrays.backend import cpu_backend
from fftmech.loads.boundary import KINDS
from fftmech.materials import isotropic
from fftmech.operators.green_nonperiodic import NonperiodicGreen
from fftmech.problems.nonperiodic import NonperiodicProblem, remove_alternating_turns
from fftmech.results.comparison import compare
from fftmech.simulations.prepare import NONPERIODIC_SOLVERS as OURS
from fftmech.tensors import COMPONENTS, mandel_from_components

CORNERS = ["rotated", "hex8", "forward"]
PAPER = Boundary(x="uniaxial", y="free", z="free")
ROLLERS = Boundary("uniaxial", "uniaxial", "uniaxial")
CLAMPED = Boundary("displacement", "displacement", "displacement")
FREE = Boundary("free", "free", "free")
AFFINE: dict[str, float] = dict(
    zip(COMPONENTS, (1e-3, -2e-4, 3e-4, 1e-4, 2e-4, -3e-4), strict=True)
)


def one_crystal(shape=(4, 5, 6)):
    """A homogeneous body without symmetry about the axes, voxels that are no cubes."""
    body = grains(shape, count=1)
    return body.with_changes(grid=Grid(shape, (0.1, 0.2, 0.15), (3.0, 0.0, -1.0)))


def rubble(shape=(4, 5, 6)):
    """Random voxels of three isotropic phases."""
    phase = np.random.default_rng(7).integers(0, 3, shape)
    tables = np.array([SOFT, STIFF, isotropic(E=3.0, nu=0.1)])
    return Microstructure(Grid(shape), phase, tables)


def mirrored(body, axes):
    """The body beside its mirror image along some axes."""
    phase = body.phase
    for axis in axes:
        phase = np.concatenate([phase, np.flip(phase, axis)], axis)
    return body.with_changes(grid=Grid(phase.shape, body.grid.spacing), phase=phase)


def total(result):
    """Displacement at the nodes, G.x included, x from the corner of the box."""
    nodes = np.indices(result.displacement.shape[1:])
    x = nodes * np.array(result.microstructure.grid.h)[:, None, None, None]
    return result.displacement + np.einsum("ij,j...->i...", result.mean_gradient, x)


@pytest.mark.parametrize("scheme", CORNERS)
def test_affine_displacement_of_all_faces_strains_a_crystal_uniformly(scheme):
    body, load = one_crystal(), Load(AFFINE)
    # prescribed as a field: the search has to find the inside
    E = np.array([[1e-3, -3e-4, 2e-4], [-3e-4, -2e-4, 1e-4], [2e-4, 1e-4, 3e-4]])
    field = Boundary(
        *CLAMPED.kinds,
        displacement=lambda x, y, z: np.einsum("ij,j...->i...", E, [x, y, z]),
    )
    for boundary, given in ((CLAMPED, load), (field, Load())):
        result = solve(body, given, boundary=boundary, scheme=scheme, tolerance=1e-12)
        assert result.converged
        uniform = load.mean_strain[:, None, None, None]
        assert abs(result.strain - uniform).max() < 1e-13
        assert abs(result.displacement).max() > 1e-6 or given is load
    assert result.iterations > 3


@pytest.mark.parametrize("scheme", CORNERS)
def test_a_crystal_between_grips_without_friction_has_youngs_modulus(scheme):
    body = one_crystal()
    assert body.stiffness is not None
    result = solve(
        body, Load({"xx": 1e-3}), boundary=PAPER, scheme=scheme, tolerance=1e-11
    )
    S = np.linalg.inv(body.stiffness[0])
    expected = 1e-3 * S[:, 0] / S[0, 0]
    assert abs(expected[3:]).min() > 1e-6
    assert abs(result.strain - expected[:, None, None, None]).max() < 1e-13
    np.testing.assert_allclose(result.mean_stress[0], 1e-3 / S[0, 0], rtol=1e-11)


@pytest.mark.parametrize("kinds", [PAPER.kinds, ("displacement", "free", "periodic")])
def test_a_bar_of_two_materials_in_tension_is_a_series(kinds):
    # without Poisson's effect the strain has one component
    E, n = (1.0, 5.0), 8
    phase = np.zeros((n, 4, 3), int)
    phase[3:] = 1
    tables = np.array([isotropic(E=e, nu=0.0) for e in E])
    body = Microstructure(Grid(phase.shape), phase, tables)
    result = solve(body, Load({"xx": 1e-3}), boundary=Boundary(*kinds), tolerance=1e-11)
    stress = 1e-3 / (3 / 8 / E[0] + 5 / 8 / E[1])
    np.testing.assert_allclose(result.stress[0], stress, rtol=1e-9)
    assert abs(result.stress[1:]).max() < 1e-9 * stress
    np.testing.assert_allclose(result.strain[0, :3], stress / E[0], rtol=1e-9)
    u = total(result)[0]
    np.testing.assert_allclose(u[3] - u[0], 3 / 8 * stress / E[0], rtol=1e-9)


@pytest.mark.parametrize("scheme", ["rotated", "hex8"])
@pytest.mark.parametrize(
    "kinds",
    [
        ("uniaxial", "uniaxial", "uniaxial"),
        ("uniaxial", "periodic", "periodic"),
        ("periodic", "uniaxial", "uniaxial"),
        ("periodic", "uniaxial", "periodic"),
    ],
    ids=lambda kinds: "-".join(kind[0] for kind in kinds),
)
@pytest.mark.parametrize("shape", [(4, 6, 8), (5, 3, 7)], ids=str)
def test_sines_and_cosines_invert_a_homogeneous_body_between_grips(
    scheme, kinds, shape, rng
):
    problem = reference_problem(shape, Boundary(*kinds), scheme)
    v = random_vector(problem, rng)
    f = problem.apply(v)
    assert abs(problem.apply(problem.precondition(f)) - f).max() < 1e-13 * abs(f).max()


@pytest.mark.parametrize("scheme", CORNERS)
@pytest.mark.parametrize(
    "kinds",
    [
        PAPER.kinds,
        ("displacement", "free", "periodic"),
        ("periodic", "free", "uniaxial"),
    ],
    ids=lambda kinds: "-".join(kind[0] for kind in kinds),
)
def test_operator_and_preconditioner_are_symmetric_and_fixed_nodes_stay(
    scheme, kinds, rng
):
    problem = reference_problem((4, 3, 5), Boundary(*kinds), scheme)
    v, w = random_vector(problem, rng), random_vector(problem, rng)
    for operator in (problem.apply, problem.precondition):
        Kv, Kw = operator(v), operator(w)
        assert problem.dot(v, Kv) > 0 and problem.dot(w, Kv) != 0
        assert problem.dot(w, Kv) == pytest.approx(problem.dot(v, Kw), rel=1e-10)
        for i in range(3):
            for axis in range(3):
                if problem.boundary.fixed(i, axis):
                    faces = np.moveaxis(problem.displacement(Kv)[i], axis, 0)
                    assert not faces[[0, -1]].any() and faces.any()


def reference_problem(shape, boundary, scheme):
    """A homogeneous isotropic body, its own reference medium, in double precision."""
    grid = Grid(shape, (0.1, 0.2, 0.15))
    body = Microstructure(grid, np.zeros(shape, int), SOFT[None])
    scheme = discretization(scheme)
    problem = NonperiodicProblem(body, Load(), boundary, scheme, cpu_backend(1))
    problem.body.kernels = None
    problem.inverse = NonperiodicGreen(
        scheme, grid, boundary, *problem.reference, float
    )
    return problem


def random_vector(problem, rng):
    v = problem.zeros()
    v[:-6] = rng.normal(size=v.size - 6)
    problem.release(v)
    return v


@pytest.mark.parametrize("scheme", ["rotated", "hex8"])
def test_a_box_between_grips_is_half_of_a_periodic_box_with_its_mirror_image(scheme):
    body, load = rubble(), Load({"xx": 1e-3, "zz": -5e-4})
    for boundary, axes in ((ROLLERS, (0, 1, 2)), (Boundary(y="uniaxial"), (1,))):
        box = solve(body, load, boundary=boundary, scheme=scheme, tolerance=1e-10)
        whole = solve(mirrored(body, axes), load, scheme=scheme, tolerance=1e-10)
        part = whole.stress[:, :4, :5, :6]
        assert abs(part[3:]).max() > 1e-5  # shear inside, though none in the mean
        assert abs(box.stress - part).max() < 1e-8 * abs(part).max()
        np.testing.assert_allclose(box.energy, whole.energy, rtol=1e-9)


@pytest.mark.parametrize("scheme", ["rotated", "hex8"])
@pytest.mark.parametrize("layers", [1, 3])
def test_free_faces_are_those_of_a_periodic_body_with_layers_of_pore(scheme, layers):
    body, load = rubble((4, 4, 5)), Load({"xx": 1e-3})
    box = solve(body, load, boundary=PAPER, scheme=scheme, tolerance=1e-10)
    whole = mirrored(body, (0,))
    phase = np.pad(whole.phase, ((0, 0), (0, layers), (0, layers)), constant_values=3)
    assert body.stiffness is not None
    whole = Microstructure(
        Grid(phase.shape, body.grid.spacing),
        phase,
        np.concatenate([body.stiffness, EMPTY[None]]),
    )
    part = solve(whole, load, scheme=scheme, tolerance=1e-10).stress[:, :4, :4, :5]
    assert abs(box.stress - part).max() < 1e-7 * abs(part).max()
    # tractions on free and on frictionless faces have no resultant
    assert abs(box.mean_stress[1:]).max() < 1e-9 * box.mean_stress[0]


def smooth(x, y, z):
    """A displacement without divergence or Laplacian: a gradient of a harmonic field.

    It is in equilibrium in every homogeneous isotropic body.
    """
    a = 2**0.5
    wave = np.exp(a * x)
    return np.array(
        [
            a * wave * np.cos(y) * np.cos(z),
            -wave * np.sin(y) * np.cos(z),
            -wave * np.cos(y) * np.sin(z),
        ]
    )


@pytest.mark.parametrize("scheme", ["rotated", "hex8"])
def test_a_smooth_field_is_met_with_second_order(scheme):
    boundary = Boundary(*CLAMPED.kinds, displacement=smooth)
    errors = []
    for n in (4, 8, 16):
        grid = Grid((n, n, n))
        body = Microstructure(grid, np.zeros(grid.shape, int), SOFT[None])
        result = solve(body, Load(), boundary=boundary, scheme=scheme, tolerance=1e-9)
        x = np.indices((n + 1,) * 3) / n
        errors.append(np.sqrt(((total(result) - smooth(*x)) ** 2).mean()))
        assert result.iterations < 40
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    assert 1e-6 < errors[-1] < 1e-3
    assert (slopes > 1.8).all() and (slopes < 2.2).all()


def test_traction_on_free_faces_falls_with_the_voxel():
    # the mean over the first layer of voxels, half a voxel below the surface
    tractions = []
    for n in (8, 16, 32):
        body = sphere(n, SOFT, STIFF, radius=0.375)
        result = solve(body, Load({"xx": 1e-3}), boundary=PAPER)
        layer = result.stress[[1, 3, 5], :, 0] / result.mean_stress[0]
        tractions.append(np.sqrt((layer**2).mean()))
    ratios = np.array(tractions[:-1]) / tractions[1:]
    assert tractions[0] < 0.2 and (ratios > 1.6).all()


def test_iterations_do_not_grow_with_resolution():
    counts = {}
    for n in (8, 16, 32):
        body = sphere(n, SOFT, STIFF)
        for boundary in (PAPER, ROLLERS, CLAMPED, Boundary("displacement", "free")):
            result = solve(body, Load({"xx": 1e-3}), boundary=boundary)
            assert result.converged
            counts.setdefault(boundary.kinds, []).append(result.iterations)
    for least, *_, most in map(sorted, counts.values()):
        assert most <= 1.5 * least and most < 50


@pytest.mark.parametrize("scheme", CORNERS)
def test_a_free_crystal_expands_without_stress(scheme):
    components = np.array([[1e-3, 2e-3, -1e-3, 3e-4, 0, 5e-4]])
    eigenstrain = mandel_from_components(components)
    body = one_crystal().with_changes(thermal_expansion=eigenstrain / 100)
    result = solve(
        body,
        Load(),
        boundary=FREE,
        temperature=100,
        scheme=scheme,
        tolerance=1e-10,
    )
    assert result.iterations > 1
    np.testing.assert_allclose(result.mean_strain, eigenstrain[0], atol=1e-12)
    assert abs(result.stress).max() < 1e-8 and result.energy < 1e-12


def test_shifts_and_turns_that_faces_leave_free_are_not_in_the_displacement():
    result = solve(grains((4, 5, 6)), Load({"xx": 1e-3}), boundary=PAPER)
    u = total(result)
    length = result.microstructure.grid.size[0]
    assert abs(u[0, 0]).max() < 1e-18
    np.testing.assert_allclose(u[0, -1], 1e-3 * length, rtol=1e-12)
    f = result.displacement
    assert abs(f[1:].mean(axis=(1, 2, 3))).max() < 1e-12
    y, z = np.arange(6) - 2.5, np.arange(7) - 3.0
    turn = (y[:, None] * f[2] - z * f[1]).mean()
    assert abs(turn) < 1e-12 < 1e-6 < abs(f).max()


def test_mean_stress_is_prescribed_between_grips_and_along_periodic_axes():
    body = grains((4, 5, 6))
    boundary = Boundary("uniaxial", "free", "periodic")
    load = Load(stress={"xx": 0.1, "zz": 0.02, "yy": 0.0})
    result = solve(body, load, boundary=boundary, tolerance=1e-9)
    np.testing.assert_allclose(result.mean_stress[[0, 2]], [0.1, 0.02], rtol=1e-6)
    assert abs(result.mean_stress[1]) < 1e-8
    strains = Load({"xx": result.mean_strain[0], "zz": result.mean_strain[2]})
    again = solve(body, strains, boundary=boundary, tolerance=1e-9)
    assert abs(again.stress - result.stress).max() < 1e-7


@pytest.mark.parametrize("kinds", list(product(KINDS, repeat=3)), ids="-".join)
def test_a_mean_stress_of_zero_is_accepted_only_where_faces_make_it_so(kinds):
    boundary = Boundary(*kinds)
    roles = {name: boundary.role(name) for name in COMPONENTS}
    strain = {name: 1e-3 for name in COMPONENTS[:3] if roles[name] == "prescribed"}
    if not strain or all(boundary.periodic):
        return
    result = solve(rubble((3, 4, 3)), Load(strain), boundary=boundary, tolerance=1e-9)
    size = abs(result.mean_stress).max()
    for name, stress in zip(COMPONENTS, result.mean_stress, strict=True):
        if roles[name] != "prescribed":
            load = Load(strain, {name: 0.0})
            if abs(stress) < 1e-8 * size:
                assert boundary.affine(load) == Load(strain)
            else:
                with pytest.raises(InputError, match=f"stress {name}=0"):
                    boundary.affine(load)


@pytest.mark.parametrize(
    "boundary", [Boundary("uniaxial", "free", "free"), Boundary("displacement")]
)
def test_grips_cannot_load_a_body_that_pores_cut(boundary):
    phase = np.zeros((6, 4, 4), int)
    phase[3] = 1
    body = Microstructure(Grid(phase.shape), phase, np.array([SOFT, EMPTY]))
    pull = (
        Load({"yy": 0.0}, {"xx": 1e-3})
        if boundary.y != "free"
        else Load(stress={"xx": 1e-3})
    )
    with pytest.raises(InputError, match="pores separate the solid along x"):
        solve(body, pull, boundary=boundary)
    phase[3, 2, 1] = 0
    joined = body.with_changes(phase=phase)
    result = solve(joined, pull, boundary=boundary)
    assert result.converged and result.mean_stress[0] == pytest.approx(1e-3, rel=1e-5)


def test_solvers_and_precisions_agree():
    body, load = rubble(), Load({"xx": 1e-3})
    expected = solve(body, load, boundary=PAPER, tolerance=1e-9).stress
    for solver in OURS:
        stress = solve(body, load, boundary=PAPER, tolerance=1e-9, solver=solver).stress
        assert abs(stress - expected).max() < 1e-6 * abs(expected).max()
    single = solve(body, load, boundary=PAPER, precision="single").stress
    assert single.dtype == np.float32
    assert abs(single - expected).max() < 1e-3 * abs(expected).max()


def test_pores_and_plane_bodies_converge():
    pore = sphere(12, SOFT, EMPTY)
    result = solve(pore, Load({"xx": 1e-3}), boundary=PAPER)
    assert result.converged and result.mean_stress[0] < 1e-3
    assert not result.stress[:, pore.phase == 1].any()
    plane = rubble((8, 6, 1))
    result = solve(plane, Load({"xx": 1e-3}), boundary=Boundary("uniaxial", "free"))
    assert result.converged and result.displacement.shape == (3, 9, 7, 1)


def test_loads_far_from_one_are_scaled():
    body = grains((4, 4, 4))
    one = solve(body, Load({"xx": 1.0}), boundary=PAPER).stress
    tiny = solve(body, Load({"xx": 2.0**-100}), boundary=PAPER)
    assert tiny.converged
    np.testing.assert_allclose(tiny.stress * 2.0**100, one, rtol=1e-12)


def test_a_box_that_is_periodic_everywhere_is_the_periodic_problem():
    body, load = rubble(), Load({"xx": 1e-3})
    result = solve(body, load, boundary=Boundary())
    np.testing.assert_array_equal(result.stress, solve(body, load).stress)
    assert result.boundary is None and result.certificate["gap"] is not None


def test_a_file_keeps_the_faces_and_every_node(tmp_path):
    boundary = Boundary("uniaxial", "periodic", "free")
    result = solve(rubble(), Load({"xx": 1e-3}), boundary=boundary)
    assert result.displacement.shape == (3, 5, 5, 7)
    assert result.certificate["gap"] is None and "faces" in result.certificate["reason"]
    write_result(tmp_path / "r.vtkhdf", result)
    again = read_result(tmp_path / "r.vtkhdf")
    assert again.boundary == boundary
    np.testing.assert_allclose(again.displacement, result.displacement, atol=1e-15)
    with h5py.File(tmp_path / "r.vtkhdf") as file:
        u = file["VTKHDF/PointData/displacement"][()]
    assert u.shape == (7, 6, 5, 3)
    np.testing.assert_allclose(u[:, :5].T, total(result), atol=1e-15)
    # the opposite periodic face is displaced by the mean strain yy in addition, not by
    # shears, which grips and free faces release
    shift = 5 / 6 * result.mean_strain[1] * np.eye(3)[1]
    np.testing.assert_allclose(u[:, 5] - u[:, 0], 0 * u[:, 0] + shift, atol=1e-15)
    assert abs(result.mean_strain[[5, 3]]).min() > 1e-7
    # all nodes in the grips are where these hold them
    for plane, place in ((0, 0.0), (-1, 1e-3 * 4 / 6)):
        np.testing.assert_allclose(u[:, :, plane, 0], place, atol=1e-15)


def test_a_file_keeps_the_displacement_of_faces_and_compare_tells_it_apart(tmp_path):
    def bend(x, y, z):
        return np.array([1e-3 * x * y, 0 * y, 1e-4 * z])

    faces = "displacement", "free", "periodic"
    held = solve(rubble(), Load(), boundary=Boundary(*faces, displacement=bend))
    write_result(tmp_path / "r.vtkhdf", held)
    shown = run_fftmech("info", tmp_path / "r.vtkhdf").stdout
    assert "displacement of faces beside the load" in shown
    again = read_result(tmp_path / "r.vtkhdf")
    grid = held.microstructure.grid
    values = again.boundary.values(grid)
    np.testing.assert_array_equal(values, held.boundary.values(grid))
    assert abs(values[0, -1]).max() > 1e-4 and not values[:, 1:-1].any()
    assert compare(again, held)["notes"] == compare(held, held)["notes"]
    plain = solve(rubble(), Load({"xx": 1e-3}), boundary=Boundary(*faces))
    for other in (plain, replace(held, boundary=plain.boundary)):
        for pair in ((held, other), (other, again)):
            assert "boundaries differ" in compare(*pair)["notes"]
    zero = Boundary(*faces, displacement=np.zeros_like(values))
    notes = compare(replace(plain, boundary=zero), plain)["notes"]
    assert "boundaries differ" not in notes


@pytest.mark.parametrize(
    ("boundary", "load", "told"),
    [
        (PAPER, {"strain": {"xx": 1e-3, "yy": 1e-4}}, "strain yy=0.0001"),
        (PAPER, {"strain": {"xx": 1e-3, "xy": 1e-4}}, "x=uniaxial and y=free"),
        (PAPER, {"strain": {"xx": 1e-3}, "stress": {"yy": 1.0}}, "stress yy=1"),
        (FREE, {"strain": {"xx": 1e-3}}, "x=free, which leave it free"),
        (Boundary("uniaxial"), {"strain": {"xy": 1e-3}}, "x=uniaxial and y=periodic"),
        (
            Boundary("displacement", "uniaxial"),
            {"strain": {"xy": 1e-3}},
            "hold that strain at zero",
        ),
        (
            Boundary("displacement", "free"),
            {"strain": {"xx": 1e-3}, "stress": {"yy": 0.0}},
            "stress yy=0",
        ),
        (ROLLERS, {"strain": {"xx": 1e-3}, "stress": {"xy": 0.0}}, "stress xy=0"),
    ],
)
def test_loads_that_faces_contradict_are_refused(boundary, load, told):
    with pytest.raises(InputError, match=told) as refused:
        solve(rubble(), Load(**load), boundary=boundary)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"scheme": "central"}, "nodes at the centres"),
        ({"scheme": "fourier"}, "nodes at the centres"),
        ({"solver": "basic"}, "one of cg, minres"),
        ({"device": "cuda"}, "expected cpu"),
        ({"initial": np.zeros((3, 4, 5, 6))}, "initial with a boundary"),
    ],
)
def test_options_that_need_a_periodic_box_are_refused(options, told):
    assert set(OURS) <= set(SOLVERS)
    with pytest.raises(InputError, match=told):
        solve(rubble(), Load({"xx": 1e-3}), boundary=PAPER, **options)


def test_faces_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="boundary y=fixed: expected one of"):
        Boundary(y="fixed")
    with pytest.raises(InputError, match="without faces"):
        Boundary("free", displacement=smooth)
    load = Load({"xx": 1e-3})
    with pytest.raises(InputError, match="z=free across 1 voxel"):
        solve(rubble((4, 4, 1)), load, boundary=PAPER)
    flat = Boundary("displacement", displacement=np.zeros((3, 4, 5, 6)))
    with pytest.raises(InputError, match=r"\(3, 4, 5, 6\): expected .*\(3, 5, 5, 6\)"):
        solve(rubble(), load, boundary=flat)
    nan = Boundary("displacement", displacement=np.full((3, 5, 5, 6), np.nan))
    with pytest.raises(InputError, match="not finite"):
        solve(rubble(), load, boundary=nan)
    with pytest.raises(InputError, match="linear elasticity"):
        solve(rubble(), FiniteLoad(F={"xx": 1.1}), boundary=PAPER)


def test_the_void_around_a_box_with_faces_is_no_pore_of_the_body():
    body = sphere(6, SOFT, STIFF)
    result = solve(
        body,
        Load({"xx": 1e-3}),
        scheme="forward",
        boundary=PAPER,
        max_iterations=1,
        tolerance=1e-9,
    )
    assert result.status == "max_iterations"
    assert "--max-iterations" in result.advice and "pores" not in result.advice


def test_a_box_with_faces_has_a_certificate_that_says_why_not_unless_none_is_wanted():
    body = sphere(4, SOFT, STIFF)
    assert (
        "faces" in solve(body, Load({"xx": 1e-3}), boundary=PAPER).certificate["reason"]
    )
    without = solve(body, Load({"xx": 1e-3}), boundary=PAPER, certificate=False)
    assert without.certificate == {}


@pytest.mark.parametrize("along", ["free", "uniaxial", "periodic", "displacement"])
def test_turns_that_alternate_strain_nothing_and_are_taken_out(along, rng):
    boundary, box = Boundary(along, "free", "free"), Grid((4, 3, 5), (0.1, 0.2, 0.15))
    nodes, d = Grid(boundary.nodes(box), box.spacing), discretization("rotated")
    u = rng.normal(size=(3, *nodes.shape))
    _, j, k = np.indices(nodes.shape)
    f = rng.normal(size=nodes.shape[0])
    if along == "displacement":
        f[[0, -1]] = 0
    sign, turned = (-1.0) ** (j + k) * f[:, None, None], u.copy()
    turned[1] += 0.15 * sign * j
    turned[2] -= 0.2 * sign * k
    fields = []
    for field in (u, turned):
        n, m, p = box.shape
        before = d.strain(field, nodes)[..., :n, :m, :p]
        remove_alternating_turns(field, boundary, box)
        gradient = d.gradient(field, nodes)[0, ..., :n, :m, :p]
        after = d.strain(field, nodes)[..., :n, :m, :p]
        np.testing.assert_allclose(after, before, atol=1e-12)
        fields.append(gradient)
    np.testing.assert_allclose(fields[0], fields[1], atol=1e-11)
