"""Mapping files (TOML): where another program's files hold what, and how written.

```text
files = "fields/*.npz"              a file, or a folder of .npy files, a sample
program = "Abaqus 2023"             what computed them
scheme = "rotated"                  discretization of the models trained on them
law = "none"                        where stress is not C e, or C is not known
[grid]
size = [1.0, 1.0, 1.0]              edges of the box
periodic = true                     opposite faces meet
cells = [32, 32, 32]                along x, y, z, where arrays are flat
[phase]
array = "phase"
axes = "z y x"                      of the array, the fastest last; VTI needs none
materials = "materials.toml"        stiffness by phase id
isotropic = true                    of law "none": phases have no directions
[stiffness]                         or from the files, (P, 6, 6), row p of phase p
array = "C"
order = "xx yy zz yz xz xy"
form = "voigt"                      or "mandel"
unit = "GPa"
[orientation]                       of law "none": from the files, row p of phase p
array = "q"
form = "quaternion"                 or "bunge degrees", "bunge radians"
[strain]
array = "eps"                       of CSV a list of six columns
axes = "z y x c"                    c: components; of matrices i and j
order = "xx yy zz xy xz yz"         as they are stored; or "3x3"
shear = "engineering"               or "tensor", "mandel"
unit = "1"                          or "%"
[stress]                            likewise; shear "tensor" or "mandel"
unit = "MPa"
[images.grey]                       scalar images, inputs of networks, by any name
array = "ct"
axes = "z y x"
unit = "1"                          text
[load]                              every component in one of these
strain = { xx = 1e-3 }              mean strain, tensor components
stress = { yy = 0, zz = 0, yz = 0, xz = 0, xy = 0 }   in the unit of [stress]
[limits]                            may be left out
law = 1e-4                          of s = C e, in each voxel
mean = 1e-3                         of means against the load
```
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple

from fftmech.datasets.conventions import (
    FORMS,
    MATRIX,
    TensorConvention,
    check_axes,
    component_order,
)
from fftmech.datasets.mapping_keys import check_tables
from fftmech.discretization import SCHEMES, discretization
from fftmech.errors import InputError
from fftmech.io.materials_table import PRESSURES
from fftmech.io.named_fields import Name
from fftmech.io.toml_file import check_keys, number, read_toml, whole
from fftmech.loads.load import Load
from fftmech.microstructure.base import TAKEN

LIMITS = {"law": 1e-4, "mean": 1e-3}
"""Relative errors that a sample may have (`fftmech.datasets.import_checks`)."""

STRAIN_UNITS = {"1": 1.0, "%": 1e-2}


@dataclass(frozen=True)
class TensorArray:
    """Name, axes, convention and unit of an array of strains or stresses."""

    array: Name
    axes: str | None
    convention: TensorConvention
    unit: str


class ScalarArray(NamedTuple):
    """Name, axes and unit of an array with a number a voxel."""

    array: str
    axes: str | None
    unit: str


@dataclass(frozen=True)
class FieldMapping:
    """A mapping file, checked; see the module's docstring.

    `document` is what it was made of, JSON-ready. Axes are None of VTI alone. Where no
    constitutive law is known, `lawless`, there is no stiffness; phases may have
    orientations, or be stated to be isotropic.
    """

    document: Mapping[str, Any]
    files: str
    program: str
    scheme: str
    size: tuple[float, ...]
    cells: tuple[int, ...] | None
    phase: str
    phase_axes: str | None
    materials: str | None
    stiffness: tuple[str, list[str], str, str] | None
    orientation: tuple[str, str] | None
    isotropic: bool
    lawless: bool
    strain: TensorArray
    stress: TensorArray
    images: Mapping[str, ScalarArray]
    load: Load
    limits: Mapping[str, float]

    @property
    def names(self) -> list[Name]:
        """Arrays that are read of each file."""
        tables = (self.stiffness, self.orientation)
        own = [table[0] for table in tables if table is not None]
        own += [image.array for image in self.images.values()]
        return [self.phase, self.strain.array, self.stress.array, *own]

    @classmethod
    def read(cls, path: str | PathLike) -> "FieldMapping":
        """Read a mapping file."""
        try:
            return cls.from_document(read_toml(path))
        except InputError as error:
            raise error if str(path) in error.what else error.within(path) from error

    @classmethod
    def from_document(cls, given: Mapping[str, Any]) -> "FieldMapping":
        """Check what a mapping file states; list what it does not."""
        check_tables(given)
        grid, phase, load = given["grid"], given["phase"], given["load"]
        if discretization(str(given["scheme"])).points > 1:
            one = [n for n in SCHEMES if discretization(n).points == 1]
            raise InputError(
                f"scheme = {given['scheme']!r}: models have one point a voxel",
                f"one of {', '.join(one)}",
            )
        if grid["periodic"] is not True:
            raise InputError(
                f"[grid] periodic = {grid['periodic']!r}: models and their equilibrium "
                "take the box to be periodic",
                "true",
                "fields of other boxes cannot be imported",
            )
        return cls(
            document=given,
            **{name: _text(given[name], name) for name in ("files", "program")},
            scheme=given["scheme"],
            size=_three(grid["size"], "[grid] size", _edge),
            cells=_cells(grid.get("cells")),
            phase=_text(phase["array"], "[phase] array"),
            phase_axes=_axes(phase, "", "[phase]"),
            materials=_text(phase["materials"], "[phase] materials")
            if "materials" in phase
            else None,
            stiffness=_stiffness(given.get("stiffness")),
            orientation=_orientation(given.get("orientation")),
            isotropic=phase.get("isotropic", False),
            lawless=given.get("law") == "none",
            strain=_tensor(given, "strain", STRAIN_UNITS),
            stress=_tensor(given, "stress", PRESSURES),
            images={n: _image(n, e) for n, e in given.get("images", {}).items()},
            load=_load(load),
            limits=LIMITS | _limits(given.get("limits", {})),
        )


def _tensor(given: Mapping[str, Any], name: str, units: Any) -> TensorArray:
    entry, where = given[name], f"[{name}]"
    stress = name == "stress"
    made = TensorConvention.stated(entry["order"], entry["shear"], stress, where)
    unit = _one_of(entry["unit"], units, f"{where} unit")
    components = "ij" if made.order == MATRIX else "c"
    axes = _axes(entry, components, where)
    return TensorArray(_array(entry["array"], where), axes, made, unit)


def _image(name: str, entry: Mapping[str, Any]) -> ScalarArray:
    where = f"[images.{name}]"
    if not name.isidentifier() or name in TAKEN:
        raise InputError(where, f"a name, none of {', '.join(TAKEN)}")
    array, unit = (_text(entry[key], f"{where} {key}") for key in ("array", "unit"))
    return ScalarArray(array, _axes(entry, "", where), unit)


def _axes(entry: Mapping[str, Any], components: str, where: str) -> str | None:
    axes = entry.get("axes")
    return None if axes is None else check_axes(axes, components, where)


def _stiffness(entry: Any) -> tuple[str, list[str], str, str] | None:
    if entry is None:
        return None
    order = component_order(entry["order"], "[stiffness]")
    form = _one_of(entry["form"], ("voigt", "mandel"), "[stiffness] form")
    unit = _one_of(entry["unit"], PRESSURES, "[stiffness] unit")
    return _text(entry["array"], "[stiffness] array"), order, form, unit


def _orientation(entry: Any) -> tuple[str, str] | None:
    if entry is None:
        return None
    form = _one_of(entry["form"], FORMS, "[orientation] form")
    return _text(entry["array"], "[orientation] array"), form


def _load(entry: Mapping[str, Any]) -> Load:
    strain, stress = (
        {k: number(v, f"[load] {key} {k}") for k, v in entry.get(key, {}).items()}
        for key in ("strain", "stress")
    )
    return Load(strain, stress)


def _limits(entry: Any) -> dict[str, float]:
    given = {
        key: number(value, f"[limits] {key}")
        for key, value in check_keys(entry, tuple(LIMITS), "[limits]").items()
    }
    for key, value in given.items():
        if not 0 < value <= 0.01:
            raise InputError(f"[limits] {key} = {value:g}", "above 0, at most 0.01")
    return given


def _three(value: Any, where: str, check: Any) -> tuple:
    if not isinstance(value, list) or len(value) != 3:
        raise InputError(f"{where} = {value!r}", "three numbers, along x, y, z")
    return tuple(check(one, where) for one in value)


def _edge(value: Any, where: str) -> float:
    edge = number(value, where)
    if edge <= 0:
        raise InputError(f"{where} = {value!r}", "three positive lengths")
    return edge


def _cells(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    return _three(value, "[grid] cells", lambda n, w: whole(n, w, "voxels", least=1))


def _one_of(value: Any, known: Collection[str], where: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise InputError(f"{where} = {value!r}", f"one of {', '.join(known)}")
    return value


def _array(value: Any, where: str) -> Name:
    """The name of an array, or those of the six columns of a table."""
    if isinstance(value, list) and len(value) == 6:
        names = tuple(_text(name, f"{where} array") for name in value)
        if len({*names}) < 6:
            raise InputError(f"{where} array = {value!r}", "six different columns")
        return names
    return _text(value, f"{where} array")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"{where} = {value!r}", "text")
    return value
