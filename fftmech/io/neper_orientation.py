"""neper's orientation descriptors, as unit quaternions.

In neper's convention "active" (the default) is the rotation that takes the sample's
axes to the crystal's, v_sample = R v_crystal; "passive" is its inverse; "rotmat" is
Bunge's orientation matrix, the transpose of R. Angles are in degrees.

They are described in neper's manual, https://neper.info/doc/exprskeys.html, "Rotations
and Orientations".
"""

import numpy as np

from fftmech.errors import InputError
from fftmech.tensors import quaternion_from_bunge, quaternion_from_xyzw

PARAMETERS = {
    "quaternion": 4, "rodrigues": 3, "euler-bunge": 3, "rotmat": 9, "axis-angle": 4,
}  # fmt: skip
"""Numbers an orientation in each descriptor."""


def descriptor_of(name: str, descriptor: str) -> tuple[str, str]:
    """Kind and convention of an orientation descriptor."""
    kind, _, convention = descriptor.partition(":")
    if kind not in PARAMETERS or convention not in ("", "active", "passive"):
        raise InputError(
            f"{name}: orientation descriptor {descriptor!r}",
            f"one of {', '.join(PARAMETERS)} with :active or :passive",
            "write it with neper -oridescriptor",
        )
    return kind, convention


def quaternions(kind: str, convention: str, values: np.ndarray) -> np.ndarray:
    """Unit quaternions w x y z, v_sample = R v_crystal, (n, 4); NaN of what is none."""
    with np.errstate(all="ignore"):
        found = _active(kind, values)
        if convention == "passive":
            found = found * [1.0, -1.0, -1.0, -1.0]
        unit = np.abs(np.linalg.norm(found, axis=1) - 1) < 1e-6
    return np.where(unit[:, None], found, np.nan)


def _active(kind: str, values: np.ndarray) -> np.ndarray:
    if kind == "quaternion":
        return values / np.linalg.norm(values, axis=1, keepdims=True)
    if kind == "euler-bunge":
        return quaternion_from_bunge(values, degrees=True)
    if kind == "rodrigues":
        whole = np.insert(values, 0, 1.0, axis=1)
        return whole / np.linalg.norm(whole, axis=1, keepdims=True)
    from scipy.spatial.transform import Rotation

    if kind == "rotmat":
        rotation = Rotation.from_matrix(values.reshape(-1, 3, 3).transpose(0, 2, 1))
    else:
        axis = values[:, :3] / np.linalg.norm(values[:, :3], axis=1, keepdims=True)
        rotation = Rotation.from_rotvec(axis * np.deg2rad(values[:, 3:]))
    return quaternion_from_xyzw(rotation.as_quat())
