"""What requests may ask and what answers hold: the types of all routes.

In a query as on the command line, `model=steel&strain=xx=1e-3&stress=yy=0&wait=5`; in
JSON, the field `options` of the query or of a form, with strain, stress and uniaxial as
objects: {"model": "steel", "strain": {"xx": 1e-3}}.
"""

import json
from math import nan
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fftmech.errors import InputError
from fftmech.load import Load

LONGEST = 2**14
"""Characters of `options`."""

MEND = "see /openapi.json for the options"

READING = {"dataset", "axes", "shape", "dtype", "spacing", "threshold"}
METHOD = {"scheme", "tolerance", "max_iterations", "precision"}
GENERATORS = {
    "polycrystal": {"grains"},
    "inclusions": {"fraction", "contrast"},
    "pores": {"fraction", "count"},
}
"""Options of each kind of microstructure that is made."""


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
    return _option(f"{text}, IJ=VALUE", example, [], min_length=1)


class Options(BaseModel):
    """Of a request: no others, and no number that is not finite."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

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


class Asked(Waiting):
    """What to do with a body that is sent."""

    model: Text | None = _option("Name of the model; the first one if left out", "run")
    strain: list[Text] = _load("Mean strain; may be repeated", "xx=1e-3")
    stress: list[Text] = _load("Mean stress; may be repeated", "yy=0")
    uniaxial: list[Text] = _load("This strain, other mean stresses zero", "zz=1e-3")
    res: Text | None = _option("Resample the body to N voxels, or NX,NY,NZ", "32")
    options: str | None = _option("All as JSON", '{"strain": {"xx": 1e-3}}')
    dataset: Text | None = _option("Array in the file", "/data/phase")
    axes: Text | None = _option("Order of its axes, xyz or zyx", "zyx")
    shape: Shape | None = _option("Voxels of .raw along x, y, z", "128,128,128")
    dtype: Text | None = _option("Type of .raw", "uint8")
    spacing: Spacing | None = _option("Edges of a voxel", "1,1,1")
    threshold: float | None = _option("Grey image: above is phase 1, the rest 0", 0)

    def with_options(self, form: str | None) -> Self:
        """The same with the options of JSON, its own and those of a form."""
        given = self.model_dump(exclude_defaults=True, exclude={"options"})
        for text in (self.options, form):
            for name, value in ({} if text is None else _object(text)).items():
                if name in given or name == "options":
                    raise InputError(f"option {name!r} given twice", "each once", MEND)
                given[name] = _as_in_a_query(value)
        return self.model_validate(given)

    def load(self) -> Load | None:
        """The load; None for that of the training set."""
        strain, stress = _values("strain", self.strain), _values("stress", self.stress)
        if not self.uniaxial:
            return Load(strain, stress) if strain or stress else None
        if strain or stress or len(self.uniaxial) > 1:
            raise InputError("uniaxial with another load", "it alone", MEND)
        return Load.uniaxial(*_values("uniaxial", self.uniaxial).popitem())


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


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if len(text) <= LONGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError("options that are no JSON object", "a JSON object", MEND)
    return found


def _as_in_a_query(value: Any) -> str | list[str]:
    if isinstance(value, dict):
        return [f"{name}={entry}" for name, entry in value.items()]
    return [*map(str, value)] if isinstance(value, list) else str(value)


def _values(option: str, items: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in items:
        component, _, text = item.partition("=")
        if component in found:
            raise InputError(f"{option} {component} given twice", "each once", MEND)
        try:
            found[component] = float(text)
        except ValueError:
            # which a load refuses
            found[component] = nan
    return found


def _shown(example: Any, description: str | None = None) -> Any:
    return Field(examples=[example], description=description)


class Refused(BaseModel):
    """What was not done, and why."""

    error: str = _shown("the body is no HDF5 file")
    expected: str = _shown("HDF5 from its first byte on")
    mend: str = _shown("write the body again with fftmech convert")


class Health(BaseModel):
    """Whether the server works, and how much waits."""

    status: Literal["ok", "stopping"]
    version: str = _shown("0.1.0")
    models: list[str] = _shown(["run"])
    waiting: int = _shown(0, "Predictions that wait, of at most `queue`")
    queue: int = _shown(64)
    jobs: int = _shown(0, "Work that has not ended")
    voxels: int = _shown(2097152, "Of a body at most")


class Models(BaseModel):
    """The models, each with its card."""

    models: list[dict[str, Any]] = _shown([{"name": "run", "model": "p-eco-iterated"}])


class Means(BaseModel):
    """Volume averages, density of energy, certificate and seconds."""

    mean_strain: dict[str, float] = _shown({"xx": 1e-3, "yy": 0, "zz": 0})
    mean_stress: dict[str, float] = _shown({"xx": 0.26, "yy": 0.12, "zz": 0.12})
    energy: float = _shown(1.3e-4)
    certificate: dict[str, Any] | None = _shown({"relative": 0.007, "gap": 6.4e-9})
    time: dict[str, float] = _shown({"setup": 0.003, "solve": 0.23})
    voxels: int = _shown(32768)


class Predicted(Means):
    """A prediction, with its certificate after each correction."""

    model: str = _shown("run")
    certificates: list[float] = _shown([0.05, 0.02, 0.007])


class Solved(Means):
    """A solution; of what was predicted, with how wrong that is.

    nRMSE of strain and stress, relative error in energy, and after how many iterations
    and seconds the solver is as good; null where a field is uniform.
    """

    status: str = _shown("converged")
    iterations: int = _shown(12)
    residual: float = _shown(4.4e-07)
    scheme: str = _shown("rotated")
    prediction: dict[str, Any] | None = _shown(
        {
            "id": "Wn3nJ8a0Uo7cS1qf5Y2lEw",
            **{"strain": 0.061, "stress": 0.034, "energy": 0.007},
            "iterations": {"strain": 4, "stress": 3},
            "seconds": {"strain": 0.09, "stress": 0.07},
        }
    )


class Job(BaseModel):
    """How far work is; at its end a summary and a result, or why it failed."""

    id: str = _shown("2rO0vJpLxq1nW5kT0a6p3Q")
    kind: Literal["predict", "solve"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    seconds: float = _shown(1.2)
    progress: dict[str, Any] = _shown({"iteration": 7, "residual": 3.1e-4})
    href: str = _shown("/jobs/2rO0vJpLxq1nW5kT0a6p3Q")
    summary: dict[str, Any] | None = None
    result: str | None = None
    error: str | None = None
    expected: str | None = None
    mend: str | None = None


class Fields(BaseModel):
    """The grid of a result and its fields with their components."""

    shape: list[int] = _shown([32, 32, 32])
    size: list[float] = _shown([1.0, 1.0, 1.0])
    units: dict[str, str] = _shown({"stress": "GPa", "length": "box edge"})
    fields: dict[str, list[str]] = _shown({"phase": [], "displacement": ["x", "y"]})
