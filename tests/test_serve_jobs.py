"""What the page asks for: microstructures, fields of jobs, what a prediction is off."""

import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from command_lines import run_fftmech
from served import HDF5, JSON, until

from ecosurrogate.comparison.measure import Measure
from ecosurrogate.server.prediction_errors import solve_prediction
from ecosurrogate.server.refusal import Refusal
from ecosurrogate.server.schemas import Asked, AskedToRespond, AskedToSolve, Generate
from ecosurrogate.server.service import Service
from fftmech import Boundary, Grid, Load, Microstructure, io, read_result, solve
from fftmech.errors import InputError
from fftmech.figures.colors import color_range
from fftmech.materials.elastic import PORE, isotropic
from fftmech.microstructure import single_pore
from fftmech.problems.certificate import energy_error
from fftmech.results.scalar_fields import known_fields, scalar_fields

LOAD = Load({"xx": 1e-3})


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def served(shared_server):
    yield shared_server
    until(lambda: not list(shared_server.service.folder.iterdir()))


@pytest.fixture
def predict(served, served_folder):
    """Predict, and return where the result is; it is removed."""
    places = []

    def predict(body=None):
        body = (served_folder / "grains.h5").read_bytes() if body is None else body
        places.append(served.begin("/predict?strain=xx=1e-3", body))
        assert served.ended(places[-1])["state"] == "done"
        return places[-1]

    yield predict
    for place in places:
        served.ask("DELETE", place)


def composite(contrast):
    """Random voxels, half of them `contrast` times as stiff; 0 makes them pores."""
    phase = (np.random.default_rng(3).random((8, 8, 8)) < 0.5).astype(int)
    stiff = isotropic(E=contrast, nu=0.3) if contrast else PORE
    return Microstructure(
        Grid((8, 8, 8)), phase, np.stack([isotropic(E=1, nu=0.3), stiff])
    )


@pytest.mark.parametrize(
    "line",
    [
        "polycrystal --res 12",
        "polycrystal --grains 5 --seed 3 --res 12,10,8",
        "inclusions --res 32",
        "inclusions --fraction 0.1 --contrast 0.5 --seed 1 --res 16",
        "pores --res 16",
        "pores --fraction 0.1 --count 3 --seed 2 --res 16",
    ],
)
def test_a_microstructure_is_that_of_the_command_line(tmp_path, served, line):
    kind, *options = line.split()
    run_fftmech("generate", *line.split(), "-o", f"{tmp_path}/m.h5")
    query = "&".join(
        f"{name.removeprefix('--')}={value}"
        for name, value in zip(options[::2], options[1::2], strict=True)
    )
    status, headers, content = served.ask("POST", f"/generate?kind={kind}&{query}")
    assert status == 200 and headers["Content-Type"] == "application/x-hdf5"
    (tmp_path / "got.h5").write_bytes(content)
    expected, got = io.read(tmp_path / "m.h5"), io.read(tmp_path / "got.h5")
    assert len(expected.phases) > 1
    assert got.phase.tobytes() == expected.phase.tobytes()
    assert got.stiffness.tobytes() == expected.stiffness.tobytes()
    assert got.grid == expected.grid and got.units == expected.units


def test_a_microstructure_has_32_voxels_along_each_axis_and_can_be_predicted(served):
    body = served.ask("POST", "/generate?kind=polycrystal")[2]
    status, said = served.json(
        "POST", "/predict?strain=xx=1e-3", body, {**HDF5, **JSON}
    )
    assert status == 200 and said["voxels"] == 32**3


@pytest.mark.parametrize("porous", [False, True])
def test_fields_are_those_of_the_file_with_their_colour_scales(
    served, tmp_path, predict, porous
):
    if porous:
        io.write(tmp_path / "pore.h5", single_pore(12, fraction=0.05))
    place = predict((tmp_path / "pore.h5").read_bytes() if porous else None)
    (tmp_path / "p.vtkhdf").write_bytes(served.ask("GET", f"{place}/result")[2])
    result = read_result(tmp_path / "p.vtkhdf")
    solid = ~np.isin(result.microstructure.phase, result.microstructure.pores)
    status, listed = served.json("GET", f"{place}/fields")
    known = known_fields(result)
    assert status == 200
    assert listed["fields"] == {name: [*parts] for name, parts in known.items()}
    assert listed["shape"] == [*result.microstructure.grid.shape]
    assert listed["size"] == pytest.approx(result.microstructure.grid.size)
    assert listed["units"] == result.microstructure.units
    for name, component in (("stress", "xy"), ("displacement", "z"), ("phase", "")):
        query = f"?component={component}" if component else ""
        status, headers, content = served.ask("GET", f"{place}/fields/{name}{query}")
        assert status == 200
        told = json.loads(headers["X-Field"])
        got = np.frombuffer(content, "<f4").reshape(told["shape"])
        (exact,) = scalar_fields(result, name, (component,) if component else ())
        assert (told["symbol"], told["unit"]) == (exact.symbol, exact.unit)
        assert (told["low"], told["high"], told["diverging"]) == color_range(exact)
        inside = solid | (name == "phase")
        np.testing.assert_array_equal(got[inside], exact.values[inside].astype("f4"))
        assert np.isnan(got[~inside]).all() and np.ptp(got[inside]) > 0


@pytest.mark.parametrize("contrast", [30.0, 0.0])
def test_the_solver_is_first_as_good_where_solving_again_and_again_finds_it(
    tmp_path, contrast
):
    body = composite(contrast)
    if not contrast:
        # voxels at random would not hang together
        body = body.with_changes(phase=(np.indices((8, 8, 8)) < 3).all(axis=0) * 1)
    exact = solve(body, LOAD, tolerance=1e-7)
    measure, last = Measure(exact), exact.iterations
    stopped = [
        solve(body, LOAD, tolerance=1e-7, max_iterations=k) for k in range(1, last + 1)
    ]
    assert last > 9
    # a little worse than seven iterations in strain, than four in stress
    strain = 1.01 * stopped[6].strain - 0.01 * exact.strain
    stress = 1.01 * stopped[3].stress - 0.01 * exact.stress
    made = replace(stopped[6], strain=strain, stress=stress, status="predicted")
    io.write_result(tmp_path / "made.vtkhdf", made)
    reports = []
    summary = solve_prediction(
        reports.append,
        "name",
        tmp_path / "made.vtkhdf",
        {"tolerance": 1e-7, "max_iterations": 99},
        tmp_path / "solved.vtkhdf",
    )
    assert reports[0]["iteration"] >= 1 and reports[-1] == {"phase": "errors"}
    assert summary["iterations"] == last and summary["status"] == "converged"
    found = summary["prediction"]
    made = read_result(tmp_path / "made.vtkhdf")
    for name in ("strain", "stress"):
        errors = [measure(name, getattr(one, name)) for one in stopped]
        error = measure(name, getattr(made, name))
        first = next(k for k, e in enumerate(errors, 1) if e <= error)
        assert found[name] == pytest.approx(error) and error > 0
        assert found["iterations"][name] == first
        assert found["seconds"][name] > 0
    assert found["iterations"] == {"strain": 7, "stress": 4}
    fields = (made.strain, made.stress)
    if contrast:
        true = energy_error(body, fields, (exact.strain, exact.stress))
        assert found["energy"] == pytest.approx(true)
    else:
        assert found["energy"] is None
    assert read_result(tmp_path / "solved.vtkhdf").converged


def test_a_prediction_is_solved_in_its_box(tmp_path):
    faces = Boundary("uniaxial", "free", "free")
    box = {"scheme": "rotated", "boundary": faces}
    rough = solve(composite(3.0), LOAD, max_iterations=2, **box)
    io.write_result(tmp_path / "made.vtkhdf", replace(rough, status="predicted"))
    paths = tmp_path / "made.vtkhdf", {}, tmp_path / "solved.vtkhdf"
    found = solve_prediction(lambda said: None, "name", *paths)["prediction"]
    exact = read_result(tmp_path / "solved.vtkhdf")
    assert exact.boundary == faces and exact.scheme == "rotated"
    assert found["stress"] == pytest.approx(Measure(exact)("stress", rough.stress))
    assert found["iterations"] == {"strain": 2, "stress": 2}


def test_a_solve_is_in_the_box_of_the_model():
    box = {"scheme": "rotated", "boundary": Boundary("uniaxial", "free", "free")}
    card = SimpleNamespace(encoder=SimpleNamespace(**box))
    service = SimpleNamespace(
        model=lambda name: (None, card), _solve=lambda task, *given: given[-1]
    )
    asked = AskedToSolve(strain=["xx=1e-3"], tolerance=1e-4)
    method = Service.solve(service, composite(3.0), asked, False)
    assert method == {**box, "tolerance": 1e-4}


def test_a_prediction_is_solved_in_its_scheme_and_measured(
    served, served_folder, tmp_path, predict
):
    place = predict()
    name = place.rpartition("/")[2]
    status, headers, text = served.ask("POST", f"{place}/solve?wait=0&tolerance=1e-8")
    job, solved = json.loads(text), headers["Location"]
    assert status == 202 and job["kind"] == "solve"
    summary = served.ended(solved)["summary"]
    for file, where in (("p.vtkhdf", place), ("s.vtkhdf", solved)):
        (tmp_path / file).write_bytes(served.ask("GET", f"{where}/result")[2])
    predicted, exact = (read_result(tmp_path / f) for f in ("p.vtkhdf", "s.vtkhdf"))
    assert exact.converged and exact.tolerance == 1e-8 and exact.load == predicted.load
    body = (served_folder / "grains.h5").read_bytes()
    plain = served.json(
        "POST", "/solve?strain=xx=1e-3&tolerance=1e-8", body, {**HDF5, **JSON}
    )[1]
    assert {*summary} - {*plain} == {"prediction"}
    assert summary["iterations"] == plain["iterations"]
    assert summary["scheme"] == predicted.scheme
    measure, found = Measure(exact), summary["prediction"]
    assert found["id"] == name
    for field in ("strain", "stress"):
        assert found[field] == pytest.approx(measure(field, getattr(predicted, field)))
        assert 1 <= found["iterations"][field] < summary["iterations"]
    assert found["normalisation"] == "std" and isinstance(found["busy"], str)
    assert found["uniform"]["stress"] == pytest.approx(1)
    assert found["energy"] < found["uniform"]["energy"]
    # hypercircle: what the prediction says of itself
    assert found["energy"] == pytest.approx(predicted.certificate["relative"], rel=1e-3)
    refused = {
        f"{solved}/solve": 422,
        f"{place}/solve?scheme=hex8": 422,
        f"{place}/solve?strain=xx=1": 422,
        f"{place}/solve?max_iterations=1": 422,
        f"{place}/solve?max_iterations=x": 422,
        "/jobs/nothing/solve": 404,
    }
    for path, expected in refused.items():
        status, said = served.json("POST", path)
        assert status == expected and [*said] == ["error", "expected", "mend"], path
    for where in (place, solved):
        served.ask("DELETE", where)
    assert served.ask("POST", f"{place}/solve")[0] == 404


def test_fields_and_solves_of_a_job_that_is_not_done_are_409(served, served_folder):
    body = (served_folder / "large.h5").read_bytes()
    query = "tolerance=1e-12&scheme=fourier&max_iterations=100000"
    place = served.begin(f"/solve?{query}", body)
    assert served.ask("GET", f"{place}/fields")[0] == 409
    assert served.ask("GET", f"{place}/fields/phase")[0] == 409
    served.ask("DELETE", place)
    assert served.ask("GET", f"{place}/fields/phase")[0] == 409
    assert served.ask("POST", f"{place}/solve")[0] == 422
    served.ask("DELETE", place)


def test_uniform_fields_have_nothing_to_measure(tmp_path):
    body = composite(1.0)
    io.write_result(tmp_path / "made.vtkhdf", solve(body, LOAD))
    given = ("name", tmp_path / "made.vtkhdf", {}, tmp_path / "solved.vtkhdf")
    with pytest.raises(InputError, match="uniform"):
        solve_prediction(lambda progress: None, *given)
    assert not (tmp_path / "solved.vtkhdf").exists()
    (tmp_path / "made.vtkhdf").unlink()
    with pytest.raises(Refusal, match="removed") as refusal:
        solve_prediction(lambda progress: None, *given)
    assert refusal.value.status == 404


def test_processes_that_solve_do_not_import_torch():
    program = (
        "import sys, ecosurrogate.server.prediction_errors;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_route_has_a_summary_an_example_and_its_refusals(served):
    document = served.json("GET", "/openapi.json")[1]
    paths = document["paths"]
    job = "/jobs/{name}"
    assert {*paths} == {
        *("/health", "/models", "/generate", "/predict", "/solve", "/respond"),
        *(job, f"{job}/result", f"{job}/fields", f"{job}/fields/{{field}}"),
        f"{job}/solve",
    }
    for path, methods in paths.items():
        for described in methods.values():
            assert described["summary"]
            answers = described["responses"]
            good = answers["200"]
            assert {"4XX", "503"} <= {*answers}
            for content in good["content"].values():
                file = content.get("schema", {}).get("format") == "binary"
                assert content.get("example") or file, path
    names = {p["name"] for p in paths[f"{job}/solve"]["post"]["parameters"]}
    assert names == {"name", "wait", "tolerance", "max_iterations", "precision"}
    for path, options in (
        ("/predict", Asked),
        ("/solve", AskedToSolve),
        ("/generate", Generate),
        ("/respond", AskedToRespond),
    ):
        described = {p["name"] for p in paths[path]["post"]["parameters"]}
        assert described == {*options.model_fields}
    drawn = paths[f"{job}/fields/{{field}}"]["get"]
    assert {p["name"] for p in drawn["parameters"]} == {"name", "field", "component"}
