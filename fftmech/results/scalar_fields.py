"""Scalar fields by name and tensor component, for pictures and tables."""

from dataclasses import dataclass

import numpy as np

from fftmech.errors import InputError
from fftmech.microstructure.base import Microstructure
from fftmech.results.field_names import FINITE, is_tensor
from fftmech.results.result import Result, missing
from fftmech.tensors import COMPONENTS, FACTORS
from fftmech.tensors.fields import hydrostatic, von_mises

FIELDS: dict[str, tuple[str, ...]] = {
    "phase": (),
    "strain": COMPONENTS,
    "stress": COMPONENTS,
    "displacement": ("x", "y", "z"),
    "von_mises": (),
    "hydrostatic": (),
    "energy_density": (),
}
"""Components of each field that every result has; none for a scalar."""

ROWS = tuple(i + j for i in "xyz" for j in "xyz")
"""Components of F and P, by row and column."""

_SYMBOLS = {
    "strain": r"$\varepsilon_{{{}}}$",
    "stress": r"$\sigma_{{{}}}$",
    "displacement": r"$\tilde u_{{{}}}$",
    "F": r"$F_{{{}}}$",
    "P": r"$P_{{{}}}$",
    "von_mises": "von Mises stress",
    "hydrostatic": "hydrostatic stress",
    "energy_density": "energy density",
    "phase": "phase",
}
_UNITS = {
    "stress": "stress",
    "displacement": "length",
    "P": "stress",
    "von_mises": "stress",
    "hydrostatic": "stress",
    "energy_density": "stress",
}


@dataclass(frozen=True)
class ScalarField:
    """Values on the voxels, (x, y, z), with symbol and unit for the labels of pictures.

    The symbol may hold LaTeX mathematics; the unit is "" where there is none or it is
    not known. `solid` are the voxels where the field means something (not pores).
    `magnitude` is the root mean square of the whole tensor, the scale of rounding of a
    component.
    """

    values: np.ndarray
    symbol: str
    unit: str
    solid: np.ndarray
    magnitude: float

    @property
    def label(self) -> str:
        """Symbol and unit."""
        return f"{self.symbol} ({self.unit})" if self.unit else self.symbol


def microstructure_of(source: Microstructure | Result) -> Microstructure:
    """Return the microstructure of a result, or the microstructure itself."""
    return source.microstructure if isinstance(source, Result) else source


def known_fields(source: Microstructure | Result) -> dict[str, tuple[str, ...]]:
    """Components of each field that a file has: `FIELDS`, and what its laws add.

    A result may have been written without some.
    """
    if not isinstance(source, Result):
        return FIELDS
    fields, kept = {**FIELDS, "F": ROWS, "P": ROWS}, {"phase", *source.fields}
    if "stress" in kept:
        kept.add("hydrostatic")
    fields = {name: known for name, known in fields.items() if name in kept}
    for name, variable in source.variables.items():
        numbers = tuple(str(k) for k in range(1, len(variable) + 1))
        fields[name] = () if len(variable) == 1 else numbers
        if is_tensor(name, len(variable)):
            fields[name] = COMPONENTS
    return fields


def default_field(source: Microstructure | Result) -> str:
    """Return the field to show of a file if none is named."""
    if not isinstance(source, Result):
        return "phase"
    first = next(iter(source.fields), "phase")
    return "von_mises" if "von_mises" in source.fields else first


def scalar_fields(
    source: Microstructure | Result, field: str, components: tuple[str, ...] = ()
) -> list[ScalarField]:
    """Return components of a field of `known_fields`, all of them if none is named.

    A microstructure has its `phase` only. Displacement is the fluctuation at the nodes;
    tensor components have no Mandel factor.
    """
    fields = known_fields(source)
    if field not in fields:
        finite = isinstance(source, Result) and source.finite is not None
        if isinstance(source, Result) and field in (
            *FIELDS,
            *(FINITE if finite else ()),
        ):
            raise missing(field, source.fields, source.status)
        raise InputError(f"field {field!r}", f"one of {', '.join(fields)}")
    known = fields[field]
    for component in components:
        if component not in known:
            expected = f"one of {', '.join(known)}" if known else "none: it is a scalar"
            raise InputError(f"component {component!r} of {field}", expected)
    micro = microstructure_of(source)
    unit = micro.units.get(_UNITS.get(field, ""), "")
    symbol = _SYMBOLS.get(field, field.replace("_", " "))
    everywhere = np.ones(micro.grid.shape, bool)
    if field == "phase":
        return [ScalarField(micro.phase, symbol, unit, everywhere, 1.0)]
    if not isinstance(source, Result):
        raise InputError(
            f"field {field}: this file holds a microstructure, which has its phase "
            "only",
            mend="solve it first (fftmech solve ... -o result.vtkhdf)",
        )
    solid = ~np.isin(micro.phase, micro.pores)
    if not known:
        values = _values(source, field)
        return [ScalarField(values, symbol, unit, solid, _magnitude(values, solid))]
    nx, ny, nz = micro.grid.shape
    # boxes with faces have one plane of nodes more
    tensor = _values(source, field)[..., :nx, :ny, :nz]
    magnitude = _magnitude(tensor, solid)
    factors = FACTORS if known is COMPONENTS else np.ones(len(known))
    if field not in _SYMBOLS:
        symbol += " {}"
    return [
        ScalarField(
            tensor[c] / factors[c], symbol.format(known[c]), unit, solid, magnitude
        )
        for c in (known.index(name) for name in components or known)
    ]


def _magnitude(field: np.ndarray, solid: np.ndarray) -> float:
    return float(((field * solid) ** 2).sum() / max(solid.sum(), 1)) ** 0.5


def _values(result: Result, field: str) -> np.ndarray:
    """Values (nx, ny, nz), or with the components of a tensor first."""
    if field in result.variables:
        values = result.variables[field]
        return values[0] if len(values) == 1 else values
    if field == "von_mises" and result.von_mises is not None:
        return result.von_mises
    if field in ("von_mises", "hydrostatic"):
        return (von_mises if field == "von_mises" else hydrostatic)(result.stress)
    if result.finite is not None and field in ("F", "P"):
        return getattr(result.finite, field).reshape(
            9, *result.microstructure.grid.shape
        )
    return getattr(result, field)
