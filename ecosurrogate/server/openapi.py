"""What /openapi.json, and the page /docs of it, say of each route, with examples."""

import json
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from ecosurrogate.server.generation import GENERATORS, RES

PAGE = {"validatorUrl": None, "defaultModelsExpandDepth": -1}
"""Of Swagger UI: nobody else is asked whether the description is valid."""

_REFUSAL = {
    "error": "the body is no HDF5 file",
    "expected": "HDF5 from its first byte on",
    "mend": "write the body again with fftmech convert",
}
_MEANS = {
    "mean_strain": {"xx": 1e-3, "yy": 0, "zz": 0, "yz": 0, "xz": 0, "xy": 0},
    "mean_stress": {"xx": 0.26, "yy": 0.12, "zz": 0.12, "yz": 0, "xz": 0, "xy": 0},
    "energy": 1.3e-4,
    "voxels": 32768,
    "time": {"setup": 0.003, "compile": 0.0, "solve": 0.23},
}
_PREDICTED = {
    "model": "run",
    **_MEANS,
    "certificate": {"relative": 0.007, "gap": 6.4e-9, "reason": ""},
    "certificates": [0.05, 0.02, 0.01, 0.007],
}
_SOLVED = {
    "status": "converged",
    "iterations": 12,
    "residual": 4.4e-07,
    "scheme": "rotated",
    **_MEANS,
    "certificate": {"relative": 2.2e-07, "gap": 6.1e-18, "reason": ""},
}
_JOB = {
    "id": "2rO0vJpLxq1nW5kT0a6p3Q",
    "kind": "solve",
    "state": "running",
    "seconds": 1.2,
    "progress": {"iteration": 7, "residual": 3.1e-4},
    "href": "/jobs/2rO0vJpLxq1nW5kT0a6p3Q",
}
_MEASURED = {
    "id": "Wn3nJ8a0Uo7cS1qf5Y2lEw",
    "strain": 0.061,
    "stress": 0.034,
    "energy": 0.007,
    "iterations": {"strain": 4, "stress": 3},
    "seconds": {"strain": 0.09, "stress": 0.07},
}
_FIELDS = {
    "shape": [32, 32, 32],
    "size": [1.0, 1.0, 1.0],
    "units": {"stress": "GPa", "length": "box edge"},
    "fields": {
        "phase": [],
        "strain": ["xx", "yy", "zz", "yz", "xz", "xy"],
        "stress": ["xx", "yy", "zz", "yz", "xz", "xy"],
        "displacement": ["x", "y", "z"],
        "von_mises": [],
        "hydrostatic": [],
        "energy_density": [],
    },
}
_FIELD = {
    "shape": [32, 32, 32],
    "symbol": "$\\sigma_{xx}$",
    "unit": "GPa",
    "low": 0.21,
    "high": 0.33,
    "diverging": False,
}
_JSON = "application/json"
_FILE = "application/x-hdf5"
_BINARY = {"schema": {"type": "string", "format": "binary"}}


def _content(example: Any, text: str) -> dict[str, Any]:
    return {"description": text, "content": {_JSON: {"example": example}}}


_ERRORS = {
    status: _content(_REFUSAL, text)
    for status, text in (
        (401, "No token"),
        (404, "No such model or job"),
        (408, "The body came too slowly"),
        (413, "Too many bytes or voxels"),
        (422, "A body or an option that makes no sense"),
        (429, "Too many requests from this address; Retry-After"),
        (503, "The queue is full, or the server is stopping; Retry-After"),
    )
}


def _query(name: str, kind: str, text: str, example: Any) -> dict[str, Any]:
    # in words, for Swagger UI would send all examples with every request
    return {
        "name": name,
        "in": "query",
        "schema": {"type": kind},
        "description": f"{text}, for instance `{example}`",
    }


_WAIT = _query("wait", "number", "Seconds before it becomes a job, 0 to 60", 5)
_ASKED = [
    _query("model", "string", "Name of the model; the first one if left out", "run"),
    _query("strain", "string", "Mean strain, IJ=VALUE; may be repeated", "xx=1e-3"),
    _query("stress", "string", "Mean stress, IJ=VALUE; may be repeated", "yy=0"),
    _query("uniaxial", "string", "This strain, other mean stresses zero", "zz=1e-3"),
    _query("res", "string", "Resample the body to N voxels, or NX,NY,NZ", "32"),
    _WAIT,
    _query("options", "string", "All of these as JSON", '{"strain": {"xx": 1e-3}}'),
    _query("dataset", "string", "Array in the file", "/data/phase"),
    _query("axes", "string", "Order of its axes, xyz or zyx", "zyx"),
    _query("shape", "string", "Voxels of .raw along x, y, z", "128,128,128"),
    _query("dtype", "string", "Type of .raw", "uint8"),
    _query("spacing", "string", "Edges of a voxel", "1,1,1"),
    _query("threshold", "number", "Grey image: above is phase 1, the rest 0", 0),
]
_METHOD = [
    _query("scheme", "string", "Discretization; the model's if left out", "rotated"),
    _query("tolerance", "number", "Relative equilibrium residual", 1e-6),
    _query("max_iterations", "integer", "Iterations at most", 1000),
    _query("precision", "string", "double or single", "double"),
]
_BODY = {
    "required": True,
    "description": "A microstructure: HDF5 as it is, or any file that `fftmech "
    "convert` reads as the field `file` of a form, with `materials` (TOML) and "
    "`options` (JSON) where they are needed.",
    "content": {
        _FILE: _BINARY,
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "materials": {"type": "string", "format": "binary"},
                    "options": {"type": "string"},
                },
            },
            "example": {"options": '{"strain": {"xx": 1e-3}}'},
        },
    },
}


def _work(
    summary: str, example: Any, parameters: list[dict[str, Any]], body: bool = True
) -> dict[str, Any]:
    done = {
        "description": "VTKHDF, or with Accept: application/json its summary",
        "content": {
            _FILE: _BINARY,
            _JSON: {"example": example},
        },
    }
    return {
        "summary": summary,
        "responses": {
            200: done,
            202: _content(_JOB, "Not done in `wait` seconds: a job"),
            **_ERRORS,
        },
        "openapi_extra": {
            "parameters": parameters,
            **({"requestBody": _BODY} if body else {}),
        },
    }


HEALTH: dict[str, Any] = {
    "summary": "Whether the server works",
    "responses": {200: _content({"status": "ok", "waiting": 0, "jobs": 0}, "It does")},
}
MODELS: dict[str, Any] = {
    "summary": "The models: scheme, resolution, training data, errors",
    "responses": {
        200: _content(
            {"models": [{"name": "run", "model": "p-eco-iterated"}]}, "All of them"
        )
    },
}
GENERATE: dict[str, Any] = {
    "response_class": Response,
    "summary": "Make a microstructure, to be sent to /predict or /solve",
    "responses": {
        200: {"description": "VTKHDF", "content": {_FILE: _BINARY}},
        **{status: _ERRORS[status] for status in (401, 413, 422, 429, 503)},
    },
    "openapi_extra": {
        "parameters": [
            {
                "name": "kind",
                "in": "query",
                "required": True,
                "schema": {"type": "string", "enum": [*GENERATORS]},
            },
            _query("res", "string", f"{RES} voxels, or NX,NY,NZ", "32"),
            _query("seed", "integer", "Of the random numbers", 0),
            _query("grains", "integer", "Of a polycrystal", 20),
            _query("fraction", "number", "Of inclusions or pores, by volume", 0.2),
            _query("contrast", "number", "Stiffness of inclusions to matrix", 10),
            _query("count", "integer", "Number of pores", 1),
        ]
    },
}
PREDICT = _work("Predict the fields of a body", _PREDICTED, _ASKED)
SOLVE = _work("Solve the same with the solver", _SOLVED, [*_ASKED, *_METHOD])
SOLVE_PREDICTION = _work(
    "Solve what was predicted, and measure the prediction: nRMSE, relative energy "
    "error, and when the solver is first as good (null where a field is uniform)",
    {**_SOLVED, "prediction": _MEASURED},
    [_WAIT, *_METHOD[1:]],
    body=False,
)
SOLVE_PREDICTION["responses"][409] = _content(_REFUSAL, "It is not done")
JOB: dict[str, Any] = {
    "summary": "How far a job is",
    "responses": {200: _content(_JOB, "Its state and progress"), 404: _ERRORS[404]},
}
RESULT: dict[str, Any] = {
    "response_class": Response,
    "summary": "The result of a job that is done, VTKHDF",
    "responses": {
        200: {"description": "VTKHDF", "content": {_FILE: _BINARY}},
        404: _ERRORS[404],
        409: _content(_REFUSAL, "It is not done"),
    },
}
FIELDS: dict[str, Any] = {
    "summary": "The fields of a job that is done, with their components",
    "responses": {
        200: _content(_FIELDS, "Names of fields and components, and the grid"),
        404: _ERRORS[404],
        409: _content(_REFUSAL, "It is not done"),
        422: _ERRORS[422],
    },
}
FIELD: dict[str, Any] = {
    "response_class": Response,
    "summary": "One of them by voxel: float32, little-endian, C order (x, y, z)",
    "responses": {
        200: {
            "description": "NaN in pores; X-Field says what it is and the ends of its "
            "colour scale",
            "headers": {
                "X-Field": {
                    "description": "JSON",
                    "schema": {"type": "string"},
                    "example": json.dumps(_FIELD),
                }
            },
            "content": {"application/octet-stream": _BINARY},
        },
        404: _content(_REFUSAL, "No such job or field"),
        409: _content(_REFUSAL, "It is not done"),
        422: _content(_REFUSAL, "A component that the field does not have"),
    },
    "openapi_extra": {
        "parameters": [
            _query("component", "string", "Of a field that has some", "xx"),
        ]
    },
}
CANCEL: dict[str, Any] = {
    "summary": "Cancel a job, or remove one that has ended",
    "responses": {
        200: _content({**_JOB, "state": "cancelled"}, "What it was"),
        404: _ERRORS[404],
    },
}


def ask_for_token(app: FastAPI) -> None:
    """Have the description say that requests need the token, and /docs ask for it."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        document = describe()
        parts = document.setdefault("components", {})
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        return document

    app.openapi = described
