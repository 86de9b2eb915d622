"""Bodies whose effective behaviour is known in closed form, and the closed form.

Bodies are drawn on n voxels a side of a unit cube; a ball has the number of voxels that
comes nearest to its volume, about the centre of the cube.
"""

import numpy as np
from scipy.interpolate import KroghInterpolator
from scipy.spatial.transform import Rotation

from fftmech import Grid, Load, Microstructure, homogenize, solve
from fftmech.materials import PORE, isotropic, orthotropic
from fftmech.materials.plasticity import Plasticity
from fftmech.tensors import mandel_rotation
from fftmech.tensors.stiffness import isotropic_moduli

HYDROSTATIC = Load(strain=dict(xx=1 / 3, yy=1 / 3, zz=1 / 3))

NUNAN_KELLER = {
    0.04: (0.11567, 0.097696),
    0.12: (0.46580, 0.28995),
    0.16: (0.72502, 0.39009),
    0.24: (1.5228, 0.61306),
}
"""Cubic array of rigid spheres: (C11 - C12) / 2G - 1 and C44 / G - 1 by fraction."""


def nunan_keller(fraction):
    """alpha and beta at another fraction, by interpolation; 2.5 c for small ones.

    Fractions that are drawn differ from those published by up to 2 %.
    """
    c = np.array([0, *NUNAN_KELLER])
    ratios = [(2.5, 2.5), *(np.divide(v, k) for k, v in NUNAN_KELLER.items())]
    return fraction * KroghInterpolator(c, ratios)(fraction)


RIGID = 1e4
"""Shear modulus of spheres that count as rigid, that of the matrix being 1."""

NU = 0.4999
"""Poisson's ratio of a matrix that counts as incompressible."""


def ball(n, fraction, axes=(1.0, 1.0, 1.0)):
    """Voxels of a ball, or an ellipsoid of such axes, of a volume, (n, n, n)."""
    half = (2 * np.arange(n) + 1 - n) ** 2
    x, y, z = (half / a**2 for a in axes)
    # symmetric voxels are as far from the centre, whatever rounding does
    square = np.round(x[:, None, None] + y[:, None] + z, 6)
    distances, counts = np.unique(square, return_counts=True)
    nearest = np.abs(counts.cumsum() - fraction * n**3).argmin()
    return square <= distances[nearest]


def sphere_volume(radius):
    """Volume of a sphere."""
    return 4 / 3 * np.pi * radius**3


def bulk(body, **method):
    """Effective bulk modulus of a body with cubic symmetry."""
    result = solve(body, HYDROSTATIC, **method)
    assert result.converged
    return result.mean_stress[:3].mean()


def rigid_spheres(n, fraction):
    """Nunan and Keller's suspension: G = 1 in the matrix, one sphere a cube."""
    K = 2 * (1 + NU) / (3 * (1 - 2 * NU))
    C = np.array([isotropic(K=K, G=1.0), isotropic(K=K, G=RIGID)])
    return Microstructure(Grid((n, n, n)), ball(n, fraction), C)


def suspension(body, **method):
    """Nunan and Keller's alpha and beta of a body."""
    values = []
    for load, component in (
        (Load(strain=dict(xx=0.5, yy=-0.5)), 0),
        (Load(strain=dict(xy=0.5 * 0.5**0.5)), 5),
    ):
        result = solve(body, load, certificate=False, max_iterations=5000, **method)
        assert result.converged
        values.append(float(result.mean_stress[component]) - 1)
    return np.array(values)


COATED = 3.63867684478 + 2 / 3
"""Bulk modulus of the coated spheres, and of their matrix, by Hashin 1962."""


def coated_sphere(n):
    """A sphere, coated so that it does not disturb a hydrostatic load.

    Radii 0.2 and 0.4; (lambda, mu) are (4, 5) in the core, (2, 3) in the coating.
    """
    phase = ball(n, sphere_volume(0.4)).astype(int) + ball(n, sphere_volume(0.2))
    lame = ((COATED - 2 / 3, 1), (2, 3), (4, 5))
    C = np.array([isotropic(K=a + 2 * b / 3, G=b) for a, b in lame])
    return Microstructure(Grid(phase.shape), phase, C)


def coated_bulk(body):
    """Bulk modulus of `coated_sphere` with the fractions that were drawn.

    The coated sphere's, and a second time that of such spheres in the matrix: nearly
    equal moduli, so that the array does not matter; `COATED` if fractions are exact.
    """
    (matrix, G), coating, core = (isotropic_moduli(C) for C in body.stiffness)
    whole = body.fractions[1] + body.fractions[2]
    sphere = _coated(core[0], *coating, body.fractions[2] / whole)
    return _coated(sphere, matrix, G, whole)


def _coated(core, K, G, fraction):
    """Bulk modulus of a coated sphere, Hashin 1962."""
    return K + fraction / (1 / (core - K) + (1 - fraction) / (K + 4 / 3 * G))


def equal_shear_cube(n):
    """A cube of 11 fifteenths of the edge with K = 20 in K = 1; G = 1 in both."""
    edge = 11 * n // 15
    first = (n - edge) // 2
    inside = slice(first, first + edge)
    phase = np.zeros((n, n, n), int)
    phase[inside, inside, inside] = 1
    C = np.array([isotropic(K=1, G=1), isotropic(K=20, G=1)])
    return Microstructure(Grid(phase.shape), phase, C)


def hill(body):
    """Effective stiffness where the phases share a shear modulus of 1 (Hill 1963).

    1 / (K + 4/3 G) is the mean of 1 / (K_p + 4/3 G), whatever the geometry.
    """
    K = body.stiffness[:, :3, :3].sum(axis=(1, 2)) / 9
    mean = body.fractions @ (1 / (K + 4 / 3))
    return isotropic(K=1 / mean - 4 / 3, G=1)


def square_array(n, contrast):
    """A square of a quarter of the area, `contrast` times as stiff."""
    phase = np.zeros((n, n, 1), int)
    # an odd number of voxels has half a voxel too much or too little
    phase[: n // 2, : n // 2] = 1
    C = np.array([isotropic(K=1, G=1), isotropic(K=contrast, G=contrast)])
    return Microstructure(Grid(phase.shape), phase, C)


def obnosov(contrast):
    """Effective antiplane shear modulus of `square_array` (Obnosov 1999)."""
    return np.sqrt((1 + 3 * contrast) / (3 + contrast))


def antiplane(body, **method):
    """Effective antiplane shear modulus of a body."""
    result = solve(body, Load(strain={"xz": 0.5}), **method)
    assert result.converged
    return result.mean_stress[4] / 2**0.5


def random_laminate(seed):
    """Eleven layers across x of orthotropic crystals, turned and with eigenstrain.

    Odd, so that every scheme has its fields without a checkerboard.
    """
    random = np.random.default_rng(seed)
    layers = 11
    turn = mandel_rotation(Rotation.random(layers, random).as_matrix())
    size = 10 ** random.uniform(-1, 1, layers)
    axes = np.array(
        [
            orthotropic(*random.uniform(3, 6, 3), *random.uniform(0.2, 1.5, 6))
            for _ in range(layers)
        ]
    )
    C = size[:, None, None] * turn @ axes @ np.swapaxes(turn, 1, 2)
    phase = np.arange(layers)[:, None, None]
    eigenstrain = 1e-3 * random.normal(size=(layers, 6))
    body = Microstructure(Grid(phase.shape), phase, C, eigenstrain=eigenstrain)
    values = 1e-3 * random.normal(size=6)
    free = random.permutation(6) < 3
    names = np.array(["xx", "yy", "zz", "yz", "xz", "xy"])
    load = Load(
        strain=dict(zip(names[~free], values[~free], strict=True)),
        stress=dict(zip(names[free], values[free], strict=True)),
    )
    return body, load


def layered(body, load):
    """Mean strain and stress of layers across x, and the strain in each, Mandel.

    Strains yy, zz, yz and stresses xx, xz, xy are the same in all layers (Backus 1962).
    """
    C, a = body.stiffness, body.eigenstrain
    f = body.fractions[:, None]
    across, along = np.array([0, 4, 5]), np.array([1, 2, 3])

    def strains(mean, t):
        """In each layer, of the mean strain along and the traction across."""
        e = np.zeros_like(a)
        e[:, along] = mean
        rest = np.einsum("pij,pj->pi", C[:, across][:, :, along], (e - a)[:, along])
        solved = np.linalg.solve(C[:, across][:, :, across], (t - rest)[..., None])
        e[:, across] = solved[..., 0] + a[:, across]
        return e

    def means(x):
        e = strains(x[:3], x[3:])
        return (f * e).sum(axis=0), (f * np.einsum("pij,pj->pi", C, e - a)).sum(axis=0)

    def excess(x):
        e, s = means(x)
        return np.where(load.free, s - load.mean_stress, e - load.mean_strain)

    # affine in the six unknowns
    start = excess(np.zeros(6))
    slope = np.array([excess(unit) - start for unit in np.eye(6)]).T
    x = np.linalg.solve(slope, -start)
    return *means(x), strains(x[:3], x[3:])


def expanding_phases(n):
    """A ball of a tenth in a matrix; both expand with temperature, one with shear."""
    a = np.array([[1, 1, 1, 0, 0, 0], [2, 0.5, 0, 0.3, 0, -0.2]])
    C = np.array([isotropic(E=1, nu=0.3), isotropic(E=10, nu=0.2)])
    phase = ball(n, 0.1)
    return Microstructure(Grid(phase.shape), phase, C, thermal_expansion=1e-5 * a)


def expansions(body, **method):
    """Effective thermal expansion of two phases: solved, and by Levin's theorem.

    a = <a> + (S - <S>) (S1 - S2)^-1 (a1 - a2) with the body's own compliance S (Levin
    1967): exact whatever the geometry and the error of S.
    """
    effective = homogenize(body, **method)
    assert effective.converged
    S, f, a = np.linalg.inv(body.stiffness), body.fractions, body.thermal_expansion
    excess = np.linalg.inv(effective.stiffness) - np.einsum("p,pij->ij", f, S)
    expected = f @ a + excess @ np.linalg.solve(S[0] - S[1], a[0] - a[1])
    return effective.thermal_expansion, expected


INNER, OUTER, YIELD = 0.225, 0.45, 1.0
"""Radii and yield stress of the hollow sphere."""


def hollow_sphere(n):
    """An ideally plastic hollow sphere under the pressure of what is around it.

    Around it the shear modulus is 1e-5 of the sphere's: stress there is a pressure,
    which the surface of the sphere bears and which is the mean stress.
    """
    phase = ball(n, sphere_volume(OUTER)).astype(int) + ball(n, sphere_volume(INNER))
    C = np.array([isotropic(K=200, G=1e-3), isotropic(K=200, G=100), PORE])
    law = {1: Plasticity(yield_stress=YIELD)}
    return Microstructure(Grid(phase.shape), phase, C, law=law)


def limit_pressure(body):
    """Limit of the mean stress of `hollow_sphere`, 2/3 s_y ln(1 / f)."""
    _, shell, pore = body.fractions
    return 2 / 3 * YIELD * np.log((shell + pore) / pore)
