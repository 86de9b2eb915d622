"""What requests may ask and what answers hold, as types.

In a query as on the command line, `model=steel&strain=xx=1e-3&stress=yy=0&wait=5`; in
JSON, the field `options` of the query or of a form, with strain, stress and uniaxial as
objects: {"model": "steel", "strain": {"xx": 1e-3}}.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from math import nan
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, Json, model_validator

from fftmech.errors import InputError
from fftmech.loads.load import Load

MEND = "see /openapi.json for the options"

# options of `fftmech.io.read`, of `fftmech.solve`, and of what makes microstructures
READING = {"dataset", "axes", "shape", "dtype", "spacing", "threshold"}
METHOD = {"scheme", "tolerance", "max_iterations", "precision"}
GENERATORS = {
    "polycrystal": {"grains"},
    "inclusions": {"fraction", "contrast"},
    "pores": {"fraction", "count"},
}


def _split(value: Any) -> list[str]:
    items = [value] if isinstance(value, str) else value
    return ",".join(map(str, items)).split(",")


Text = Annotated[str, Field(max_length=200)]
Shape = Annotated[tuple[int, int, int], BeforeValidator(_split)]
Spacing = Annotated[tuple[float, float, float], BeforeValidator(_split)]


def _option(text: str, example: Any, default: Any = None, **limits: Any) -> Any:
    # the example in words, for Swagger UI would send all examples with every request
    description = f"{text}, for instance `{example}`"
    return Field(default, description=description, **limits)


def _load(text: str, example: str) -> Any:
    return _option(f"{text}, IJ=VALUE", example, min_length=1)


class Options(BaseModel):
    """Of a request: no others, and no number that is not finite."""

    model_config = {"extra": "forbid", "allow_inf_nan": False}

    def given(self, names: set[str]) -> dict[str, Any]:
        """Those of some names that have been given."""
        return self.model_dump(include=names, exclude_none=True)


class Component(Options):
    """Which part of a field."""

    component: Text | None = _option("Of a field that has some", "xx")


class Waiting(Options):
    """How long to wait for work."""

    wait: float = _option("Seconds before it becomes a job", 5, 10.0, ge=0, le=60)


class Method(Waiting):
    """How to solve."""

    tolerance: float | None = _option("Relative equilibrium residual", 1e-6, gt=0)
    max_iterations: int | None = _option("Iterations at most", 1000, ge=1)
    precision: Literal["double", "single"] | None = _option("Of numbers", "double")


class Sent(Waiting):
    """What to do with files that are sent."""

    model: Text | None = _option("Name of the model; the first one if left out", "run")
    options: Json[dict[str, Any]] | None = _option("All as JSON", '{"model": "run"}')

    def with_options(self, form: str | None) -> Self:
        """The same with the options of JSON, its own and those of a form."""
        given = self.model_dump(exclude_defaults=True, exclude={"options"})
        others = self.model_validate({"options": form}).options
        for name, value in [*(self.options or {}).items(), *(others or {}).items()]:
            if name in given or name == "options":
                raise InputError(f"option {name!r} given twice", "each once", MEND)
            given[name] = _as_in_a_query(value)
        return self.model_validate(given)


class AskedToRespond(Sent):
    """A load path for a network of laminates."""

    temperature: float = _option("Change that drives thermal expansion", 100, 0.0)


class Asked(Sent):
    """What to do with a body that is sent."""

    strain: list[Text] | None = _load("Mean strain, several times", "xx=1e-3")
    stress: list[Text] | None = _load("Mean stress, several times", "yy=0")
    uniaxial: list[Text] | None = _load("A strain, no other stress", "zz=1e-3")
    res: Text | None = _option("Resample the body to N voxels, or NX,NY,NZ", "32")
    dataset: Text | None = _option("Array in the file", "/data/phase")
    axes: Text | None = _option("Order of its axes, xyz or zyx", "zyx")
    shape: Shape | None = _option("Voxels of .raw along x, y, z", "128,128,128")
    dtype: Text | None = _option("Type of .raw", "uint8")
    spacing: Spacing | None = _option("Edges of a voxel", "1,1,1")
    threshold: float | None = _option("Grey image: above is phase 1, the rest 0", 0)

    def load(self) -> Load | None:
        """The load; None for that of the training set."""
        names = ("strain", "stress", "uniaxial")
        strain, stress, uniaxial = (_values(n, getattr(self, n) or ()) for n in names)
        if not uniaxial:
            return Load(strain, stress) if strain or stress else None
        if strain or stress or len(uniaxial) > 1:
            raise InputError("uniaxial with another load", "it alone", MEND)
        return Load.uniaxial(*uniaxial.popitem())


class AskedToSolve(Method, Asked):
    """The same, with how to solve it."""

    scheme: Text | None = _option("Discretization; the model's if left out", "rotated")


class Generate(Options):
    """A microstructure to make."""

    kind: Literal["polycrystal", "inclusions", "pores"]
    res: Text = _option("Voxels along each axis, or NX,NY,NZ", "32", "32")
    seed: int = _option("Of the random numbers", 0, 0, ge=0)
    grains: int | None = _option("Of a polycrystal", 20)
    fraction: float | None = _option("Of inclusions or pores, by volume", 0.2)
    contrast: float | None = _option("Inclusions to matrix", 10, gt=0, le=1e12)
    count: int | None = _option("Number of pores", 1)

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        known = GENERATORS[self.kind]
        if {*self.given(set.union(*GENERATORS.values()))} - known:
            raise ValueError(f"{self.kind} with some of {', '.join(sorted(known))}")
        return self


def input_error(found: Any) -> InputError:
    """What pydantic has found, as everything else is refused."""
    name = " ".join(str(part) for part in found["loc"] if part not in ("query", "path"))
    given = f"{name} {str(found['input'])[:40]!r}".strip()
    expected = re.sub("^(Value error, |Input should be )", "", found["msg"])
    if found["type"] == "missing":
        given = f"no {name}"
    elif found["type"] == "extra_forbidden":
        given, expected = f"option {name!r}", "an option that this route has"
    elif found["type"] == "json_invalid":
        expected = "a JSON object"
    return InputError(given, expected, MEND)


def _as_in_a_query(value: Any) -> str | list[str]:
    if isinstance(value, dict):
        return [f"{name}={entry}" for name, entry in value.items()]
    return [*map(str, value)] if isinstance(value, list) else str(value)


def _values(option: str, items: Iterable[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in items:
        component, _, text = item.partition("=")
        if component in found:
            raise InputError(f"{option} {component} given twice", "each once", MEND)
        found[component] = nan  # which a load refuses
        with suppress(ValueError):
            found[component] = float(text)
    return found
