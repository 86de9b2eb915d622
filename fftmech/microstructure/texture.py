"""Crystal orientations: uniformly random, or gathered around a fibre."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from fftmech.errors import InputError

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
            raise InputError(f"fibre axis {self.axis!r}: expected x, y or z")
        if not 0 <= self.spread <= 180:
            raise InputError(f"fibre spread {self.spread}: expected 0 to 180 degrees")
        length = np.linalg.norm(self.direction)
        if len(self.direction) != 3 or not 0 < length < np.inf:
            raise InputError(
                f"fibre direction {self.direction}: expected three numbers, not all 0"
            )


def orientations(
    count: int, random: Generator, texture: Fibre | None = None
) -> np.ndarray:
    """Random unit quaternions w x y z with w >= 0, v_sample = R v_crystal, (count, 4).

    Without a texture they are uniform over all rotations: four normal numbers,
    normalized.
    """
    if texture is None:
        quaternion = random.standard_normal((count, 4))
        quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    else:
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
        quaternion = (turn * onto).as_quat()[:, [3, 0, 1, 2]]
    return np.where(quaternion[:, :1] < 0, -quaternion, quaternion)


def _tilts(spread: float, uniform: np.ndarray) -> np.ndarray:
    """Angles to the axis (radians), von Mises-Fisher, by inverting the distribution."""
    if spread == 0:
        return np.zeros_like(uniform)
    concentration = 1 / np.radians(spread) ** 2
    least = np.exp(-2 * concentration)
    cosine = 1 + np.log(least + (1 - least) * (1 - uniform)) / concentration
    return np.arccos(np.clip(cosine, -1, 1))
