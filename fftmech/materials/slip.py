"""Slip of crystals: Schmid tensors, hardening, constants.

A system of plane normal m and direction b slips under the resolved shear stress tau =
P : s, and strains the crystal along P = sym(b m). Its rate is a power of tau over the
resistance g, which all systems of its family share and which grows with the slip G that
all systems of the crystal have accumulated (extended Voce law: Tome, Canova, Kocks,
Christodoulou & Jonas 1984, doi:10.1016/0001-6160(84)90222-0):

    d gamma_a / dt = rate0 sign(tau_a) |tau_a / g|^exponent,   dG / dt = sum |d gamma_a|
    g(G) = tau0 + (tau1 + theta1 G) (1 - exp(-G theta0 / tau1)),     tau0 + theta1 G
                                                                     if tau1 = 0

With ratios q_ab of latent hardening each system has a G of its own, G_a = sum_b q_ab
times the slip that b has accumulated (`fftmech.materials.slip_interactions`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from fftmech.arrays.backend import namespace
from fftmech.errors import InputError
from fftmech.materials.base import Law, positive
from fftmech.materials.slip_interactions import (
    Ratios,
    check_ratios,
    interactions,
    read_ratios,
)
from fftmech.materials.slip_systems import FAMILIES, slip_systems
from fftmech.tensors import K, mandel_rotation, symmetric_product

HARDENING = "tau0", "tau1", "theta0", "theta1"

INDEPENDENT = 5
"""Systems that any strain without change of volume needs."""

# Relative to the largest singular value of Schmid tensors: less is none.
DEPENDENT = 1e-9

# What resistances may grow apart within a step, beyond what they differ already.
APART = 10.0


def resistance(G: Any, hardening: Any) -> tuple[Any, Any]:
    """g and dg/dG, stress units, of the shape of the constants.

    Parameters
    ----------
    G
        Accumulated slip.
    hardening
        tau0, tau1, theta0, theta1, of shapes that go with that of G.
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
class SlipFamily:
    """Constants of a family of slip systems, as `SlipLaw` has them.

    None is the law's own.

    Attributes
    ----------
    name
        One of `fftmech.materials.slip_systems.FAMILIES`.
    """

    name: str
    tau0: float | None = None
    tau1: float | None = None
    theta0: float | None = None
    theta1: float | None = None
    rate0: float | None = None
    exponent: float | None = None

    @property
    def given(self) -> dict[str, float]:
        """Constants that are not the law's, by name."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: v for k, v in values.items() if k != "name" and v is not None}


@dataclass(frozen=True, kw_only=True)
class SlipLaw(Law):
    """Constants of slip and of the extended Voce law.

    Attributes
    ----------
    tau0
        Resistance of the virgin crystal, > 0, stress units. None if families have it.
    rate0
        Slip rate at tau = g, > 0, one over time.
    exponent
        n >= 1; 1 / n is the rate sensitivity. With 1 the crystal is linear.
    tau1, theta0, theta1
        Resistance gained in the end beside theta1 G, first and last slope of g(G), >=
        0, stress units. There is no hardening if they are left out; theta1 alone is
        linear hardening.
    lattice
        "fcc", "bcc" or "hcp".
    c_over_a
        Ratio of the axes of hcp, > 0; None of cubic crystals.
    families
        Slip systems; those of fcc if there are none. What a family does not give is
        that of the law.
    latent_hardening
        Ratios of the hardening that slip on other systems brings to that of slip on the
        system itself, >= 0; 1 without dimension if left out, so that all are alike. See
        `fftmech.materials.slip_interactions`.

    Raises
    ------
    InputError
        A constant out of range. Softening is refused: its solution depends on the grid.
    """

    directed = True
    isochoric = True

    tau0: float | None = None
    rate0: float
    exponent: float
    tau1: float = 0.0
    theta0: float = 0.0
    theta1: float = 0.0
    lattice: str = "fcc"
    c_over_a: float | None = None
    families: tuple[SlipFamily, ...] = ()
    latent_hardening: Ratios = 1.0

    def __post_init__(self) -> None:
        if self.lattice not in FAMILIES:
            raise InputError(
                f"lattice = {self.lattice!r}", f"one of {', '.join(FAMILIES)}"
            )
        if (self.lattice == "hcp") != (self.c_over_a is not None):
            raise InputError(
                f"c_over_a = {self.c_over_a!r} of lattice {self.lattice!r}",
                "a number for hcp alone",
            )
        if self.c_over_a is not None:
            positive(self, "c_over_a")
        known = FAMILIES[self.lattice]
        names = [family.name for family in self.families]
        if not names and len(known) > 1 or not set(names) <= set(known):
            raise InputError(f"families = {names}", f"some of {', '.join(known)}")
        count = len(self.slip_families)
        check_ratios(self.latent_hardening, self.lattice, count)
        for family in self.slip_families:
            try:
                _check(family)
            except InputError as error:
                raise (error.within(family.name) if names else error) from error

    @classmethod
    def value(cls, key: str, value: Any, where: str) -> Any:
        """See `Law.value`; families are a table of tables."""
        if key == "lattice":
            return value
        if key == "latent_hardening":
            return read_ratios(value, f"{where}: {key}")
        if key != "families":
            return super().value(key, value, where)
        if not isinstance(value, Mapping) or not all(
            isinstance(constants, Mapping) for constants in value.values()
        ):
            raise InputError(
                f"{where}: families", "a table of tables, { basal = { tau0 = ... } }"
            )
        allowed = [f.name for f in fields(SlipFamily)[1:]]
        for name, constants in value.items():
            for k, number in constants.items():
                if k not in allowed:
                    raise InputError(
                        f"{where}: {name}: unknown key {k!r}", ", ".join(allowed)
                    )
                super().value(k, number, f"{where}: {name}")
        return tuple(SlipFamily(name=name, **v) for name, v in value.items())

    def constants(self) -> dict[str, Any]:
        """See `Law.constants`; what describes no fcc is left out where it is."""
        values = super().constants()
        values["families"] = {family.name: family.given for family in self.families}
        values["latent_hardening"] = np.array(self.latent_hardening).tolist()
        defaults = {
            "tau0": None,
            "lattice": "fcc",
            "c_over_a": None,
            "families": {},
            "latent_hardening": 1.0,
        }
        return {
            k: v for k, v in values.items() if k not in defaults or v != defaults[k]
        }

    @property
    def variables(self) -> Mapping[str, int]:
        """See `Law.variables`: slips, where each system hardens by itself."""
        known = dict(self.material.variables)
        if self.interactions is not None:
            known.pop("increment_of_slip", None)
            known["slip"] = known["slip_increment"] = len(self.family)
        return known

    @property
    def hardens(self) -> bool:
        """Whether slip changes the resistance of a family."""
        return any(f.theta1 or f.theta0 for f in self.slip_families)

    @property
    def slip_families(self) -> tuple[SlipFamily, ...]:
        """Families with all of their constants."""
        own = {name: getattr(self, name) for name in ("rate0", "exponent", *HARDENING)}
        given = self.families or (SlipFamily(name=FAMILIES[self.lattice][0]),)
        return tuple(replace(family, **{**own, **family.given}) for family in given)

    @property
    def structure(self) -> tuple[int, ...]:
        """Number of systems of each family; then none, where each hardens by itself."""
        counts = tuple(len(m) for m, _ in self._systems())
        return counts if self.interactions is None else (*counts, 0)

    @property
    def family(self) -> np.ndarray:
        """Number of each system's family, (N,)."""
        counts = [len(m) for m, _ in self._systems()]
        return np.repeat(np.arange(len(counts)), counts)

    @property
    def interactions(self) -> np.ndarray | None:
        """q_ab, (N, N); None where all are 1."""
        m, b = (
            np.concatenate(vectors) for vectors in zip(*self._systems(), strict=True)
        )
        q = interactions(self.latent_hardening, m, b, self.family)
        return None if (q == 1).all() else q

    def schmid_tensors(self) -> np.ndarray:
        """P_a in the crystal frame, Mandel (N, 6), family by family."""
        return np.concatenate([symmetric_product(b, m) for m, b in self._systems()])

    def spin_vectors(self) -> np.ndarray:
        """Axial vectors of skew(b m^T) in the crystal frame, (N, 3), family by family.

        Slip turns the material by them, past the lattice.
        """
        return np.concatenate([np.cross(m, b) / 2 for m, b in self._systems()])

    @property
    def independent(self) -> int:
        """Number of independent systems: 5 strain the crystal in any way."""
        return int((_stretches(self.schmid_tensors()) > 0).sum())

    def _systems(self) -> list[tuple[np.ndarray, np.ndarray]]:
        families = self.slip_families
        return [slip_systems(f.name, self.c_over_a or 1.0) for f in families]


def _check(family: SlipFamily) -> None:
    """Refuse constants out of range."""
    for name in ("tau0", "rate0"):
        value = getattr(family, name)
        if value is None:
            raise InputError(f"{name} missing", "a positive number")
        if not value > 0:
            raise InputError(f"{name} = {value!r}", "a positive number")
    exponent, tau1, theta0 = family.exponent, family.tau1, family.theta0
    if exponent is None or not exponent >= 1:
        raise InputError(f"exponent = {exponent!r}", "1 or more")
    for name in HARDENING[1:]:
        value = getattr(family, name)
        if not value >= 0:
            raise InputError(f"{name} = {value!r}", "no negative number")
    if bool(tau1) != bool(theta0):
        raise InputError(
            f"tau1 = {tau1!r}, theta0 = {theta0!r}",
            "both positive, or neither given",
            "theta1 alone is linear hardening",
        )


def schmid_tensors(laws: Sequence[SlipLaw], rotation: np.ndarray) -> np.ndarray:
    """Schmid tensors sym(b m) of each row in the sample frame, Mandel (R, N, 6).

    Parameters
    ----------
    laws
        Of one structure.
    rotation
        R with v_sample = R v_crystal, (R, 3, 3).
    """
    # one table for all grains of a phase
    made = {law: law.schmid_tensors() for law in dict.fromkeys(laws)}
    crystal = np.stack([made[law] for law in laws])
    return np.einsum("rij,raj->rai", mandel_rotation(rotation), crystal)


def constants(laws: Sequence[SlipLaw]) -> np.ndarray:
    """rate0, exponent, tau0, tau1, theta0, theta1 by row and family, (6, R, F)."""
    names = ("rate0", "exponent", *HARDENING)
    table = [
        [[getattr(f, name) for name in names] for f in law.slip_families]
        for law in laws
    ]
    return np.moveaxis(np.array(table, dtype=float), -1, 0)


def latent(laws: Sequence[SlipLaw]) -> np.ndarray | None:
    """q_ab of each row, (R, N, N); None where all are 1."""
    made = {law: law.interactions for law in dict.fromkeys(laws)}
    found = [q for q in (made[law] for law in laws) if q is not None]
    return np.stack(found) if found else None


def farthest(laws: Sequence[SlipLaw], compliance: np.ndarray) -> np.ndarray:
    """What no rate |f_a| exceeds in units of |e|, (R,); see `slip_flow`.

    Slip dissipates no more than its stress does with e, and |P_a : s| <= g keeps what
    the systems see of s below sqrt(N) max(g) over their least singular value. Where
    there are fewer than five, e less its elastic part counts, whose size the compliance
    D (R, 6, 6) limits.
    """
    made: dict[SlipLaw, float] = {}
    for law in dict.fromkeys(laws):
        P = law.schmid_tensors()
        stretches = _stretches(P)
        made[law] = len(P) ** 0.5 / stretches[stretches > 0].min()
        _, _, tau0, tau1, *_ = constants([law])[:, 0]
        g = np.array([tau0, tau0 + tau1])
        if len(tau0) > 1 or law.interactions is not None:
            made[law] *= APART * g.max() / g.min()
    few = np.array([law.independent < INDEPENDENT for law in laws])
    found = np.array([made[law] for law in laws])
    if few.any():
        found[few] *= 1 + np.linalg.cond(compliance[few]) ** 0.5
    return found


def _stretches(P: np.ndarray) -> np.ndarray:
    """Singular values of Schmid tensors, (min(N, 6),): none is an exact zero."""
    values = np.linalg.svd(P @ K, compute_uv=False)
    return np.where(values > DEPENDENT * values[0], values, 0.0)
