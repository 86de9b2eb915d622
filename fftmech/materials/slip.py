"""Slip of fcc crystals: systems, Schmid tensors, hardening, constants.

A system of plane normal m and direction b slips under the resolved shear stress tau =
P : s, and strains the crystal along P = sym(b m). Its rate is a power of tau over the
resistance g, which all systems share and which grows with their accumulated slip G
(extended Voce law: Tome, Canova, Kocks, Christodoulou & Jonas 1984,
doi:10.1016/0001-6160(84)90222-0):

    d gamma_a / dt = rate0 sign(tau_a) |tau_a / g|^exponent,   dG / dt = sum |d gamma_a|
    g(G) = tau0 + (tau1 + theta1 G) (1 - exp(-G theta0 / tau1)),     tau0 + theta1 G
                                                                     if tau1 = 0
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import Law, positive, table
from fftmech.tensors import mandel_rotation, symmetric_product

PLANES = np.array([(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1)])
"""Normals of the slip planes {111}."""

DIRECTIONS = np.array(
    [(0, 1, -1), (1, 0, -1), (1, -1, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
)
"""Slip directions <110>; each plane holds three."""

HARDENING = "tau0", "tau1", "theta0", "theta1"


def slip_systems() -> tuple[np.ndarray, np.ndarray]:
    """Unit normals m and directions b of {111}<110> in the crystal frame, (12, 3)."""
    pairs = [(m, b) for m in PLANES for b in DIRECTIONS if m @ b == 0]
    m, b = np.moveaxis(np.array(pairs, dtype=float), 1, 0)
    return m / 3**0.5, b / 2**0.5


def schmid_tensors(rotation: np.ndarray) -> np.ndarray:
    """Schmid tensors sym(b m) in the sample frame, Mandel (R, 12, 6).

    Parameters
    ----------
    rotation
        R with v_sample = R v_crystal, (R, 3, 3).
    """
    m, b = slip_systems()
    crystal = symmetric_product(b, m)
    return np.einsum("rij,aj->rai", mandel_rotation(rotation), crystal)


def resistance(G: Any, hardening: Any) -> tuple[Any, Any]:
    """g and dg/dG, (n,) each, stress units.

    Parameters
    ----------
    G
        Accumulated slip, (n,).
    hardening
        tau0, tau1, theta0, theta1 of each point, (4, n).
    """
    xp = namespace(G)
    tau0, tau1, theta0, theta1 = hardening
    # tau1 = 0: the limit of the exponential is 0
    steepness = xp.where(tau1 > 0, theta0 / xp.where(tau1 > 0, tau1, 1.0), 0.0)
    left = xp.where(tau1 > 0, xp.exp(-G * steepness), 0.0)
    height = tau1 + theta1 * G
    return (
        tau0 + height * (1 - left),
        theta1 * (1 - left) + height * steepness * left,
    )


@dataclass(frozen=True, kw_only=True)
class SlipLaw(Law):
    """Constants of slip and of the extended Voce law.

    Attributes
    ----------
    tau0
        Resistance of the virgin crystal, > 0, stress units.
    rate0
        Slip rate at tau = g, > 0, one over time.
    exponent
        n >= 1; 1 / n is the rate sensitivity. With 1 the crystal is linear.
    tau1, theta0, theta1
        Resistance gained in the end beside theta1 G, first and last slope of g(G), >=
        0, stress units. There is no hardening if they are left out; theta1 alone is
        linear hardening.

    Raises
    ------
    InputError
        A constant out of range. Softening is refused: its solution depends on the grid.
    """

    directed = True
    isochoric = True

    tau0: float
    rate0: float
    exponent: float
    tau1: float = 0.0
    theta0: float = 0.0
    theta1: float = 0.0

    def __post_init__(self) -> None:
        positive(self, "tau0", "rate0")
        if not self.exponent >= 1:
            raise InputError(f"exponent = {self.exponent!r}", "1 or more")
        for name in HARDENING[1:]:
            value = getattr(self, name)
            if not value >= 0:
                raise InputError(f"{name} = {value!r}", "no negative number")
        if (self.tau1 > 0) != (self.theta0 > 0):
            raise InputError(
                f"tau1 = {self.tau1!r}, theta0 = {self.theta0!r}",
                "both positive, or neither given",
                "theta1 alone is linear hardening",
            )


def constants(laws: Sequence[SlipLaw]) -> np.ndarray:
    """rate0, exponent, tau0, tau1, theta0 and theta1 of each row, (6, R)."""
    return np.stack([table(laws, name) for name in ("rate0", "exponent", *HARDENING)])
