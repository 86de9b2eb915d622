"""How much slip on one system hardens another: ratios of latent to self-hardening.

A pair of systems of normals m and directions b has a type, by geometry; of fcc these
are the interactions of dislocations (Madec & Kubin 2017,
doi:10.1016/j.actamat.2016.12.040):

    self, coplanar    the same system; another of the same plane
    collinear         the same direction on another plane
    Hirth             directions at right angles
    glissile          one direction lies in the plane of the other system: I if it is
                      that of the system that is hardened, II if it is the other's
    Lomer             neither does
"""

from typing import Any

import numpy as np

from fftmech.errors import InputError

TYPES = "self", "coplanar", "collinear", "Hirth", "glissile I", "glissile II", "Lomer"
"""Names of what `interaction_types` returns, by number."""

ZERO = 1e-6
"""Cosine below which directions are at right angles."""

Ratios = float | tuple[float, ...] | tuple[tuple[float, ...], ...]
"""Of all other systems to the system itself; or of each type of pair: (self, coplanar,
other), or of fcc (self, coplanar, collinear, Hirth, glissile, Lomer), where glissile
may be two; or of families, (hardened, slipping), of which a system itself has 1."""

FORMS = (
    "a number; [self, coplanar, other]; of fcc [self, coplanar, collinear, Hirth, "
    "glissile, Lomer], with glissile I and II as DAMASK has them or as one; or a row "
    "for each family, [[...], ...]"
)


def interaction_types(m: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Type of each pair of fcc systems, hardened by slipping, (N, N); see `TYPES`.

    Parameters
    ----------
    m, b
        Unit normals and directions, (N, 3).
    """
    planes, directions, in_plane = (abs(x) for x in (m @ m.T, b @ b.T, b @ m.T))
    types = np.full(planes.shape, TYPES.index("Lomer"))
    types[in_plane.T < ZERO] = TYPES.index("glissile II")
    types[in_plane < ZERO] = TYPES.index("glissile I")
    types[directions < ZERO] = TYPES.index("Hirth")
    types[directions > 1 - ZERO] = TYPES.index("collinear")
    types[planes > 1 - ZERO] = TYPES.index("coplanar")
    types[(planes > 1 - ZERO) & (directions > 1 - ZERO)] = TYPES.index("self")
    return types


def interactions(
    ratios: Ratios, m: np.ndarray, b: np.ndarray, family: np.ndarray
) -> np.ndarray:
    """Ratio by which slip on each system hardens each, hardened by slipping, (N, N).

    Parameters
    ----------
    ratios
        As `check_ratios` takes them.
    m, b, family
        Unit normals, directions, (N, 3), and families, (N,), of the systems.
    """
    table = np.asarray(ratios, dtype=float)
    if table.ndim == 1:
        types = interaction_types(m, b)
        if len(table) == 3:
            return table[np.minimum(types, 2)]
        # of six, both of glissile are one
        return (table if len(table) == 7 else np.insert(table, 5, table[4]))[types]
    q = (
        np.full((len(m), len(m)), table)
        if table.ndim == 0
        else table[family][:, family]
    )
    np.fill_diagonal(q, 1.0)
    return q


def read_ratios(value: Any, where: str) -> Ratios:
    """Ratios of a materials file, lists as tuples."""

    def read(x: Any, depth: int) -> Any:
        if isinstance(x, list) and depth:
            return tuple(read(y, depth - 1) for y in x)
        if isinstance(x, bool) or not isinstance(x, int | float):
            raise InputError(f"{where} = {value!r}", FORMS)
        return float(x)

    return read(value, 2)


def check_ratios(ratios: Ratios, lattice: str, families: int) -> None:
    """Refuse ratios that are of no such lattice, or negative.

    Raises
    ------
    InputError
        Saying which forms there are.
    """
    try:
        table = np.array(ratios, dtype=float)
    except (TypeError, ValueError):
        table = np.array(np.nan)
    shapes = [
        (),
        (3,),
        (families, families),
        *([(6,), (7,)] if lattice == "fcc" else []),
    ]
    if table.shape not in shapes or not (np.isfinite(table) & (table >= 0)).all():
        raise InputError(
            f"latent_hardening = {ratios!r} of {lattice} with {families} families",
            f"no negative numbers: {FORMS}",
        )
