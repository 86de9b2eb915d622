"""What /openapi.json and /docs say of bodies that are sent, and of answers."""

from typing import Any

from starlette.responses import Response

Answers = dict[int | str, dict[str, Any]]

# what the description says of bodies and files
_BINARY = {"type": "string", "format": "binary"}
_PARTS = {"file": _BINARY, "materials": _BINARY, "options": {"type": "string"}}
_FORM = {"type": "object", "required": ["file"], "properties": _PARTS}
_FILE = {"application/x-hdf5": {"schema": _BINARY}}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "HDF5 as it is, or as the field `file` of a form any file that "
        "`fftmech convert` reads, if needed with `materials` (TOML), `options` (JSON)",
        "content": {**_FILE, "multipart/form-data": {"schema": _FORM}},
    }
}
_TABLE = {"type": "string", "description": "TOML, the text or a file"}
_TABLES = {"materials": _TABLE, "path": _TABLE, "options": {"type": "string"}}
TABLES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A form with the materials file and the load path of `fftmech "
        "solve --materials --path`, of small strain",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["materials", "path"],
                    "properties": _TABLES,
                }
            }
        },
    }
}
VTKHDF: Answers = {200: {"description": "VTKHDF", "content": _FILE}}
DRAWN: Answers = {
    200: {
        "description": "NaN in pores. The header X-Field is JSON: shape, symbol, unit, "
        "and low, high and diverging, the ends and the kind of its colour scale",
        "content": {"application/octet-stream": {"schema": _BINARY}},
    }
}


def _like(example: Any, description: str = "Done", **others: Any) -> dict[str, Any]:
    content = {"application/json": {"example": example}, **others}
    return {"description": description, "content": content}


_REFUSED = {
    "error": "the body is no HDF5 file",
    "expected": "HDF5 from its first byte on",
    "mend": "write the body again with fftmech convert",
}
REFUSALS: Answers = {
    "4XX": _like(
        _REFUSED,
        "401 no token; 404 no such model, job or field; 406 neither the file nor JSON "
        "is accepted; 408 the body came too slowly; 409 the job is not done; 413 too "
        "many bytes or voxels; 422 a body or an option that makes no sense; 429 too "
        "many requests from this address",
    ),
    503: _like(_REFUSED, "The queue is full, or the server stops"),
}
_JOB: dict[str, Any] = {
    "id": "2rO0vJpLxq1nW5kT0a6p3Q",
    "kind": "solve",
    "state": "running",
    "seconds": 1.2,
    "progress": {"iteration": 7, "residual": 3.1e-4},
    "href": "/jobs/2rO0vJpLxq1nW5kT0a6p3Q",
}
_MEANS = {
    "mean_strain": {"xx": 1e-3, "yy": 0, "zz": 0},
    "mean_stress": {"xx": 0.26, "yy": 0.12, "zz": 0.12},
    "energy": 1.3e-4,
    "certificate": {"relative": 0.007, "gap": 6.4e-9},
    "time": {"setup": 0.003, "solve": 0.23},
    "voxels": 32768,
}
_ERRORS = {
    **{"normalisation": "std", "strain": 0.061, "stress": 0.034, "energy": 0.007},
    "uniform": {"strain": 1.0, "stress": 1.0, "energy": 0.094},
    "iterations": {"strain": 4},
    "busy": "",
}
_SOLVE = {"status": "converged", "iterations": 12, "residual": 4.4e-7}
_FIELDS = {
    "shape": [32, 32, 32],
    "size": [1.0, 1.0, 1.0],
    "units": {"stress": "GPa", "length": "box edge"},
    "fields": {"phase": [], "displacement": ["x", "y"]},
}

HEALTH: Answers = {200: _like({"status": "ok", "models": ["run"], "jobs": 0})}
MODELS: Answers = {200: _like({"models": [{"name": "run", "model": "p-eco-iterated"}]})}
JOB: Answers = {200: _like(_JOB, "At its end with a summary, or why it failed")}
FIELDS: Answers = {200: _like(_FIELDS)}


def _work(summary: dict[str, Any]) -> dict[str, Any]:
    """What is said of a route that works for a while."""
    done = "VTKHDF, or with Accept: application/json its summary"
    late = "Not done in `wait` seconds: a job"
    answers = {200: _like(_MEANS | summary, done, **_FILE), 202: _like(_JOB, late)}
    return {"response_class": Response, "responses": answers}


_NOTES = ["contrast 100, trained on 2 to 50"]
_PREDICT = {"model": "run", "status": "predicted", "notes": _NOTES}
PREDICTED = _work({**_PREDICT, "certificates": [0.05, 0.02, 0.007]})
SOLVED = _work({**_SOLVE, "scheme": "rotated", "prediction": _ERRORS})
_RESPONSE = {
    "model": "run",
    "status": "converged",
    "increments": 2,
    "mean_strain": {"xx": 4e-3, "yy": -1.4e-3, "zz": -1.4e-3},
    "mean_stress": {"xx": 0.12, "yy": 0, "zz": 0},
    "increment_error": 0.002,
    "certificate": {"relative": None, "reason": "it has no fields to certify"},
    "notes": [],
    "units": {"stress": "GPa"},
    "path": {"time": [0.5, 1.0], "strain_xx": [2e-3, 4e-3], "stress_xx": [0.1, 0.12]},
}
RESPONDED: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: _like(
            _RESPONSE,
            "CSV, a row an increment, with notes (JSON) in the header X-Notes; or with "
            "Accept: application/json the same as JSON. There is no certificate",
            **{
                "text/csv": {
                    "example": "time,step,increment,strain_xx,...\n0.5,1,1,..."
                }
            },
        ),
        202: _like(_JOB | {"kind": "respond"}, "Not done in `wait` seconds: a job"),
    },
}
