"""Crystal orientations: uniformly random, about a fibre, or about one of them."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from fftmech.errors import InputError
from fftmech.tensors import quaternion_from_bunge, quaternion_from_xyzw

AXES = "xyz"


@dataclass(frozen=True)
class Fibre:
    """A fibre texture: one crystal direction gathers around one sample axis.

    The angle between them follows a von Mises-Fisher distribution with concentration
    1/spread^2; the turn about the axis is uniform.

    Parameters
    ----------
    axis
        Sample axis, "x", "y" or "z".
    spread
        Angular spread in degrees; 0 is a perfect fibre.
    direction
        Crystal direction.

    Raises
    ------
    InputError
        An unknown axis, a spread outside [0, 180], a direction of length zero.
    """

    axis: str = "z"
    spread: float = 10.0
    direction: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        if self.axis not in ("x", "y", "z"):
            raise InputError(f"fibre axis {self.axis!r}", "x, y or z")
        _check_spread("fibre", self.spread)
        length = np.linalg.norm(self.direction)
        if len(self.direction) != 3 or not 0 < length < np.inf:
            raise InputError(
                f"fibre direction {self.direction}", "three numbers, not all 0"
            )


@dataclass(frozen=True)
class Peak:
    """A unimodal texture: all crystals gather around one orientation.

    The density over the rotations is the von Mises-Fisher matrix distribution about
    the mean M, f(R) ~ exp(k tr(M^T R) / 2) ~ exp(k cos w), with w the angle of the
    rotation from M to R, about any axis alike, and k = 1/spread^2 (spread in radians).
    On quaternions it is a Bingham distribution. For a small spread, each component of
    the rotation vector is normal with this standard deviation, the most frequent angle
    w is sqrt(2) times it, and the root of the mean square sqrt(3) times it. Symmetry
    of the crystal is left out of account: w is the angle to M itself.

    Source: Khatri and Mardia 1977, J. R. Stat. Soc. B 39, 95-106.

    Parameters
    ----------
    euler
        Mean orientation M: Bunge angles phi1, Phi, phi2 in degrees.
    spread
        Standard deviation about each axis in degrees; 0 is a single orientation. At
        180 the density still varies by 22 %: for a uniform one give no texture.

    Raises
    ------
    InputError
        Not three finite angles, a spread outside [0, 180].
    """

    euler: tuple[float, float, float]
    spread: float = 10.0

    def __post_init__(self) -> None:
        if len(self.euler) != 3 or not np.isfinite(self.euler).all():
            raise InputError(
                f"peak at {self.euler}", "three finite Bunge angles, degrees"
            )
        _check_spread("peak", self.spread)


Texture = Fibre | Peak
"""A distribution of orientations that is not uniform."""


def texture_of(
    fibre: str | None = None,
    direction: tuple[float, float, float] | None = None,
    peak: tuple[float, float, float] | None = None,
    spread: float | None = None,
) -> Texture | None:
    """The `Fibre` or `Peak` of those parameters that are given; None if none is."""
    given: dict[str, float] = {} if spread is None else {"spread": spread}
    if fibre is not None and peak is not None:
        raise InputError(f"fibre {fibre} and peak {peak}: give one of them")
    if direction is not None and fibre is None:
        raise InputError("--direction is that of a fibre: add --fibre x|y|z")
    if fibre is not None:
        return Fibre(fibre, direction=direction or Fibre.direction, **given)
    if peak is not None:
        return Peak(peak, **given)
    if spread is not None:
        raise InputError(
            f"--spread {spread:g} is that of a texture: add --fibre x|y|z or --peak "
            "PHI1,PHI,PHI2"
        )
    return None


def orientations(
    count: int, random: Generator, texture: Texture | None = None
) -> np.ndarray:
    """Random unit quaternions w x y z with w >= 0, v_sample = R v_crystal, (count, 4).

    Without a texture they are uniform over all rotations: four normal numbers,
    normalized.
    """
    if texture is None:
        quaternion = random.standard_normal((count, 4))
        quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    elif isinstance(texture, Fibre):
        quaternion = _about_fibre(count, random, texture)
    else:
        quaternion = _about_peak(count, random, texture)
    return np.where(quaternion[:, :1] < 0, -quaternion, quaternion)


def _about_fibre(count: int, random: Generator, texture: Fibre) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    # the axis and two directions across it
    a = AXES.index(texture.axis)
    axis, u, v = np.eye(3)[[a, (a + 1) % 3, (a + 2) % 3]]
    onto = Rotation.align_vectors(axis[None], np.array([texture.direction]))[0]
    spin = 2 * np.pi * random.random((count, 1))
    about = 2 * np.pi * random.random((count, 1))
    tilt = _tilts(texture.spread, random.random((count, 1)))
    across = np.cos(about) * u + np.sin(about) * v
    turn = Rotation.from_rotvec(tilt * across) * Rotation.from_rotvec(spin * axis)
    return quaternion_from_xyzw((turn * onto).as_quat())


def _about_peak(count: int, random: Generator, texture: Peak) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    mean = quaternion_from_bunge(np.array(texture.euler), degrees=True)
    axis = random.standard_normal((count, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = _angles(texture.spread, random.random((count, 1)))
    turn = Rotation.from_rotvec(angle * axis)
    about = turn * Rotation.from_quat(np.roll(mean, -1))
    return quaternion_from_xyzw(about.as_quat())


def _tilts(spread: float, uniform: np.ndarray) -> np.ndarray:
    """Angles to the axis (radians), von Mises-Fisher, by inverting the distribution."""
    if spread == 0:
        return np.zeros_like(uniform)
    concentration = 1 / np.radians(spread) ** 2
    least = np.exp(-2 * concentration)
    cosine = 1 + np.log(least + (1 - least) * (1 - uniform)) / concentration
    return np.arccos(np.clip(cosine, -1, 1))


def _angles(spread: float, uniform: np.ndarray) -> np.ndarray:
    """Angles to the mean orientation (radians), by inverting their distribution.

    Their density is (1 - cos w) exp(k cos w), the first factor that of a uniform
    texture; it is summed numerically, up to ten spreads.
    """
    if spread == 0:
        return np.zeros_like(uniform)
    sigma = np.radians(spread)
    angle = np.linspace(0, min(np.pi, 10 * sigma), 4097)
    versine = 2 * np.sin(angle / 2) ** 2
    density = versine * np.exp(-versine / sigma**2)
    below = np.cumsum(density[1:] + density[:-1])
    return np.interp(uniform, np.append(0, below) / below[-1], angle)


def _check_spread(name: str, spread: float) -> None:
    if not 0 <= spread <= 180:
        raise InputError(f"spread {spread} of a {name}", "0 to 180 degrees")
