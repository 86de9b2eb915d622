"""Microstructures that the server makes, as `fftmech generate` makes them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ecosurrogate.server.options import parse_values
from ecosurrogate.server.refusal import UNREADABLE, Refusal
from fftmech.datasets.recipe import UNITS
from fftmech.materials.elastic import isotropic
from fftmech.microstructure import inclusions, polycrystal, pores, single_pore
from fftmech.microstructure.base import Microstructure

RES = "32"
"""Voxels along each axis where a request does not say."""

COMMON = {"kind": str, "res": str, "seed": int}
"""Types of the options of all generators."""

MATRIX = 3.0, 0.35
"""Young's modulus (GPa) and Poisson's ratio around inclusions."""

RADIUS = 0.1
"""Of inclusions, in units of the longest edge."""

STIFFEST = 1e12
"""Largest contrast."""

PORE = "lack-of-fusion"
"""Kind of pores."""

Shape = tuple[int, int, int]


class Generator(NamedTuple):
    """What makes one kind of microstructure.

    Attributes
    ----------
    make
        Called with the voxels along x, y, z and its options.
    options
        Types of those that it takes beside `seed`.
    """

    make: Callable[..., Microstructure]
    options: Mapping[str, type]


def _inclusions(
    shape: Shape, fraction: float = 0.2, contrast: float = 10.0, seed: int = 0
) -> Microstructure:
    if not 0 < contrast <= STIFFEST:
        raise Refusal(
            UNREADABLE,
            f"contrast {contrast:g}",
            f"above 0 and at most {STIFFEST:g}",
            "give Young's modulus of the inclusions over the matrix's",
        )
    E, nu = MATRIX
    matrix, inclusion = isotropic(E=E, nu=nu), isotropic(E=contrast * E, nu=nu)
    return inclusions(shape, fraction, RADIUS, matrix, inclusion, seed=seed)


def _pores(
    shape: Shape, fraction: float = 0.01, count: int = 1, seed: int = 0
) -> Microstructure:
    if count == 1:
        return single_pore(shape, PORE, fraction, seed=seed)
    return pores(shape, fraction, count, PORE, seed=seed)


GENERATORS = {
    "polycrystal": Generator(polycrystal, {"grains": int}),
    "inclusions": Generator(_inclusions, {"fraction": float, "contrast": float}),
    "pores": Generator(_pores, {"fraction": float, "count": int}),
}
"""By the name of their kind."""


def parse_generate(query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the options of a query: kind, and those of its generator that are given.

    Raises
    ------
    Refusal
        No such kind, an option that it does not take, a value that makes no sense.
    """
    query = list(query)
    kind = dict(query).get("kind")
    if kind not in GENERATORS:
        raise Refusal(
            UNREADABLE,
            "no kind" if kind is None else f"kind {kind[:80]!r}",
            f"one of {', '.join(GENERATORS)}",
            "add ?kind=polycrystal",
        )
    return parse_values(query, {**COMMON, **GENERATORS[kind].options})


def make(kind: str, shape: Shape, options: Mapping[str, Any]) -> Microstructure:
    """Return a microstructure, stresses in GPa, lengths in longest edges of the box.

    Parameters
    ----------
    kind
        One of `GENERATORS`.
    shape
        Voxels along x, y, z.
    options
        Of that generator, and `seed`.

    Raises
    ------
    Refusal
        A contrast or a seed that makes no sense.
    InputError
        What the generator cannot make.
    """
    if options.get("seed", 0) < 0:
        raise Refusal(
            UNREADABLE, f"seed {options['seed']}", "0 or more", "give another one"
        )
    return GENERATORS[kind].make(shape, **options).check().with_changes(units=UNITS)
