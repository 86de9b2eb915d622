"""The solvers of peers.py: each takes a phase map and Voigt stiffnesses.

Modules are imported in the functions: an environment may have one solver alone.
"""

import time

import numpy as np

STRAIN = np.diag([1e-3, 0, 0])
TOLERANCE = 1e-6
MAX_ITERATIONS = 1000

# Voigt position of each component of a 3 x 3 tensor, row by row.
VOIGT = np.array([0, 5, 4, 5, 1, 3, 4, 3, 2])

Answer = tuple[int, float, float]
"""Iterations, mean stress xx, seconds of the solve without set-up."""


def run_fftmech(
    phase: np.ndarray, stiffness: np.ndarray, scheme: str, threads: int | None = None
) -> Answer:
    """Displacement CG, reference-medium preconditioner."""
    from fftmech import Grid, Load, Microstructure, mandel_from_voigt, solve

    body = Microstructure(Grid(phase.shape), phase, mandel_from_voigt(stiffness))
    load = Load(strain={"xx": STRAIN[0, 0]})
    result = solve(
        body,
        load,
        scheme=scheme,
        tolerance=TOLERANCE,
        max_iterations=MAX_ITERATIONS,
        threads=threads,
        certificate=False,
    )
    if not result.converged:
        raise RuntimeError(result.status)
    return result.iterations, result.mean_stress[0], result.times["solve"]


def run_mugrid(phase: np.ndarray, stiffness: np.ndarray) -> Answer:
    """Trilinear hexahedra, displacement CG, reference-stiffness preconditioner.

    Isotropic phases use muGrid's fused stiffness operator; it has none for anisotropic
    ones, which go through its gradient operator and a stress computed here.
    """
    import muGrid
    from muGrid.Preconditioners import make_reference_stiffness_preconditioner
    from muGrid.Solvers import conjugate_gradients

    lame = np.array([[C[0, 1], C[3, 3]] for C in stiffness])
    isotropic = all(
        np.allclose(C, isotropic_voigt(*pair))
        for C, pair in zip(stiffness, lame, strict=True)
    )
    parts = mugrid_isotropic if isotropic else mugrid_anisotropic
    spacing = [1 / n for n in phase.shape]
    engine, apply, load, average = parts(
        muGrid, phase, lame if isotropic else stiffness, spacing
    )
    weights = np.bincount(phase.ravel(), minlength=len(stiffness)) / phase.size
    C0 = np.einsum("p,pij->ij", weights, stiffness)
    bulk = C0[:3, :3].sum() / 9
    shear = (np.trace(C0[:3, :3]) - 3 * bulk) / 10 + np.trace(C0[3:, 3:]) / 5
    precondition = make_reference_stiffness_preconditioner(
        engine,
        element=muGrid.FEMElement.q1,
        grid_spacing=spacing,
        lambda_ref=bulk - 2 / 3 * shear,
        mu_ref=shear,
    )
    u = engine.real_space_field("displacement", components=(3,))
    b = engine.real_space_field("load", components=(3,))
    count = 0

    def callback(iteration, state):
        nonlocal count
        count = iteration

    start = time.perf_counter()
    load(b)
    conjugate_gradients(
        muGrid.Communicator(),
        engine.real_space_collection,
        b,
        u,
        apply,
        precondition,
        rtol=TOLERANCE,
        maxiter=MAX_ITERATIONS,
        callback=callback,
    )
    return count, average(u), time.perf_counter() - start


def mugrid_isotropic(muGrid, phase, lame, spacing):
    """Engine, K u, load and mean stress xx from muGrid's fused operator."""
    operator = muGrid.IsotropicStiffnessOperator3D(spacing)
    engine = muGrid.FFTEngine(phase.shape, ghosts=operator)
    moduli = [engine.real_space_field(name) for name in ("lambda", "mu")]
    for field, values in zip(moduli, lame.T, strict=True):
        field.p[...] = values[phase]
        engine.communicate_ghosts(field)
    strain = STRAIN.ravel().tolist()

    def apply(u, f):
        engine.communicate_ghosts(u)
        operator.apply(u, *moduli, f)

    def load(b):
        operator.apply_macro_rhs(*map(cpp, moduli), strain, cpp(b))
        muGrid.linalg.scal(-1.0, b)

    def average(u):
        engine.communicate_ghosts(u)
        return operator.average_stress(cpp(u), *map(cpp, moduli), strain)[0]

    return engine, apply, load, average


def cpp(field):
    """Field that muGrid's unwrapped methods take."""
    return field._cpp


def mugrid_anisotropic(muGrid, phase, stiffness, spacing):
    """Engine, K u, load and mean stress xx from muGrid's gradient operator."""
    gradient = muGrid.FEMGradientOperator(3, spacing)
    points = gradient.nb_quad_pts
    engine = muGrid.FFTEngine(phase.shape, ghosts=gradient, nb_sub_pts={"quad": points})
    field = engine.real_space_field("stress", components=(3, 3), sub_pt="quad")
    # In memory components change fastest, then points, then x, y, z with ghosts.
    flat = field.sg.reshape(9 * points, -1, order="F").T
    if not np.shares_memory(flat, field.sg):
        raise RuntimeError("muGrid's memory layout has changed")
    # A field that has -1 in its ghosts tells where in memory each phase is.
    where = engine.real_space_field("phase")
    where.sg[...] = -1
    where.p[...] = phase
    padded = where.sg.ravel(order="F")
    voxels = [np.flatnonzero(padded == p) for p in range(len(stiffness))]
    C = stiffness[:, VOIGT][:, :, VOIGT]

    def stress():
        for p, v in enumerate(voxels):
            flat[v] = (flat[v].reshape(-1, 9) @ C[p]).reshape(-1, 9 * points)

    def divergence(f):
        engine.communicate_ghosts(field)
        gradient.transpose(field, f)

    def apply(u, f):
        engine.communicate_ghosts(u)
        gradient.apply(u, field)
        stress()
        divergence(f)

    def load(b):
        field.s[...] = -STRAIN[:, :, None, None, None, None]
        stress()
        divergence(b)

    def average(u):
        engine.communicate_ghosts(u)
        gradient.apply(u, field)
        field.s[...] += STRAIN[:, :, None, None, None, None]
        stress()
        return field.s[0, 0].mean()

    return engine, apply, load, average


def isotropic_voigt(lam: float, mu: float) -> np.ndarray:
    """Voigt stiffness of two Lamé constants."""
    C = np.diag([2 * mu] * 3 + [mu] * 3)
    C[:3, :3] += lam
    return C


def run_muspectre(phase: np.ndarray, stiffness: np.ndarray, scheme: str) -> Answer:
    """CG on the strain, projection onto compatible fields."""
    import muSpectre
    from muFFT import Stencils3D

    if scheme == "rotated":
        gradient, weights = Stencils3D.averaged_upwind, [1.0]
    else:
        # One tetrahedron has a third of the voxel, four a sixth; the mean must be 1.
        gradient, weights = Stencils3D.linear_finite_elements_5, [5 / 3] + 4 * [5 / 6]
    cell = muSpectre.Cell(
        list(phase.shape),
        [1.0, 1.0, 1.0],
        muSpectre.Formulation.small_strain,
        gradient,
        weights,
    )
    material = muSpectre.material.MaterialLinearElasticGeneric1_3d
    materials = [
        material.make(cell, str(p), np.asfortranarray(C))
        for p, C in enumerate(stiffness)
    ]
    # Pixels are numbered with x changing fastest.
    for pixel, p in enumerate(phase.ravel(order="F").tolist()):
        materials[p].add_pixel(pixel)
    krylov = muSpectre.solvers.KrylovSolverCG(cell, TOLERANCE, MAX_ITERATIONS)
    start = time.perf_counter()
    # The problem is linear: one Newton step, whatever its tolerance.
    result = muSpectre.solvers.newton_cg(cell, STRAIN, krylov, TOLERANCE, 0.0)
    stress = np.reshape(result.stress, (9, len(weights), -1), order="F")
    mean = float(np.average(stress[0].mean(axis=1), weights=weights))
    if not result.success:
        raise RuntimeError(result.message)
    return krylov.counter, mean, time.perf_counter() - start


def run_xpektra(phase: np.ndarray, stiffness: np.ndarray) -> Answer:
    """CG on the displacement gradient, Galerkin projection, in JAX.

    xpektra brings transforms, derivatives and projections, but no linear solver: the
    conjugate gradients are written here.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    import xpektra

    space = xpektra.SpectralSpace(
        lengths=(1.0, 1.0, 1.0),
        shape=phase.shape,
        transform=xpektra.FFTTransform(dim=3),
    )
    operator = xpektra.SpectralOperator(
        scheme=xpektra.RotatedDifference(space=space),
        space=space,
        projection=xpektra.GalerkinProjection(),
    )

    def stress(g, C, phase):
        strain = jnp.stack(
            [g[..., 0, 0], g[..., 1, 1], g[..., 2, 2]]
            + [g[..., i, j] + g[..., j, i] for i, j in ((1, 2), (0, 2), (0, 1))],
            axis=-1,
        )
        return (C[phase] * strain[..., None, :]).sum(-1)[..., VOIGT].reshape(g.shape)

    def solve(operator, C, phase):
        def apply(g):
            transformed = operator.forward(stress(g, C, phase))
            return operator.inverse(operator.project(transformed))

        def step(state):
            x, r, p, square, k = state
            q = apply(p)
            alpha = square / jnp.vdot(p, q)
            r = r - alpha * q
            new = jnp.vdot(r, r)
            return x + alpha * p, r, r + new / square * p, new, k + 1

        def unfinished(state):
            return (state[3] > limit) & (state[4] < MAX_ITERATIONS)

        mean = jnp.broadcast_to(STRAIN, (*phase.shape, 3, 3))
        b = -apply(mean)
        limit = TOLERANCE**2 * jnp.vdot(b, b)
        x, r, _, square, k = jax.lax.while_loop(
            unfinished, step, (jnp.zeros_like(b), b, b, jnp.vdot(b, b), 0)
        )
        return stress(mean + x, C, phase)[..., 0, 0].mean(), k, square <= limit

    arguments = operator, jnp.asarray(stiffness), jnp.asarray(phase)
    compiled = jax.jit(solve).lower(*arguments).compile()
    start = time.perf_counter()
    mean, iterations, converged = jax.block_until_ready(compiled(*arguments))
    if not converged:
        raise RuntimeError(f"not converged in {MAX_ITERATIONS} iterations")
    return int(iterations), float(mean), time.perf_counter() - start
