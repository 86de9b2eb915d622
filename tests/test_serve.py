"""A served model: equal to the command line, together as alone, jobs, a soft end."""

import asyncio
import json
import threading

import numpy as np
import pytest
from command_lines import run_fftmech
from served import HDF5, JSON, MODELS, form, until
from small_runs import run

from ecosurrogate.client import Client, Refused
from ecosurrogate.evaluation import batches
from ecosurrogate.evaluation.predict import predict_many
from ecosurrogate.server import model_cards
from ecosurrogate.server.predictor import Predictor
from fftmech import Load, read_result
from fftmech.microstructure import polycrystal

FIELDS = ("strain", "stress", "displacement", "energy_density")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(served_folder):
    return served_folder


@pytest.fixture
def body(served_folder):
    return (served_folder / "micro.h5").read_bytes()


@pytest.fixture
def served(shared_server):
    yield shared_server
    until(lambda: not list(shared_server.service.folder.iterdir()))


@pytest.fixture
def held(monkeypatch):
    """Set it, and predictions go on; sizes of the batches so far."""
    go, sizes = threading.Event(), []

    def waiting(model, card, bodies, loads, device, shifts):
        sizes.append(len(bodies))
        assert go.wait(20)
        return predict_many(model, card, bodies, loads, device)

    monkeypatch.setattr(batches, "predict_many", waiting)
    yield go, sizes
    go.set()


def ask_many(served, body, count, path="/predict"):
    """Answers to as many clients at once, in the order in which they come."""
    answers = []

    def one():
        answers.append(served.json("POST", path, body, {**HDF5, **JSON}))

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def test_a_prediction_is_that_of_the_command_line_bit_for_bit(
    folder, served, body, tmp_path
):
    for name, load in (
        ("p-eco-iterated", "--strain xx=1e-3 --stress yy=0"),
        ("s-eco", ""),
    ):
        out = tmp_path / f"{name}.vtkhdf"
        run(f"predict {folder / name} {folder}/micro.h5 {load} -o {out}")
        query = load.replace("--", "").replace(" stress", "&stress").replace(" ", "=")
        status, headers, content = served.post(f"/predict?model={name}&{query}", body)
        assert status == 200 and headers["Content-Type"] == "application/x-hdf5"
        (tmp_path / "got.vtkhdf").write_bytes(content)
        expected, got = read_result(out), read_result(tmp_path / "got.vtkhdf")
        for field in FIELDS:
            assert np.abs(getattr(got, field)).max() > 0
            assert getattr(got, field).tobytes() == getattr(expected, field).tobytes()
        assert got.certificate == expected.certificate
        assert got.residuals == expected.residuals


def test_what_waits_is_answered_together(served, body, held):
    go, sizes = held
    threads, answers = ask_many(served, body, 6, "/predict?wait=20")
    until(lambda: sizes and len(served.service.predictor.waiting) == 5)
    go.set()
    for thread in threads:
        thread.join()
    assert sizes == [1, 5] and [status for status, _ in answers] == [200] * 6
    energies = [answer["energy"] for _, answer in answers]
    np.testing.assert_allclose(energies, energies[0], rtol=1e-5)


def test_a_body_that_cannot_be_predicted_does_not_spoil_the_others(folder):
    # a load of zero is found when the batch is made
    service = Predictor({"run": folder / "p-eco-iterated"})
    micro, load = polycrystal(8, 4), Load({"xx": 1e-3})

    async def asked():
        cases = (load, load.scaled(0), load)
        asked = [service.predict("run", micro, case) for case in cases]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second, third = asyncio.run(asked())
    assert first.status == third.status == "predicted"
    assert "load of zero" in str(second)
    service.end()


def test_a_full_queue_is_503_with_the_time_to_wait(served, body, held, monkeypatch):
    go, _ = held
    monkeypatch.setattr(served.service.jobs, "most", 2)
    threads, answers = ask_many(served, body, 2, "/predict?wait=20")
    until(lambda: len(served.service.jobs.running) == 2)
    status, headers, text = served.post("/predict", body)
    assert status == 503 and int(headers["Retry-After"]) > 0
    assert json.loads(text)["error"] == "the queue is full"
    go.set()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers] == [200, 200]
    assert served.post("/predict", body)[0] == 200


def test_a_solve_is_that_of_the_command_line(folder, served, body, tmp_path):
    line = f"solve {folder}/micro.h5 --scheme rotated --strain xx=1e-3 --json"
    line += f" -o {tmp_path}/s.vtkhdf"
    done = run_fftmech(line)
    expected = json.loads(done.stdout)
    status, got = served.json("POST", "/solve?strain=xx=1e-3", body, {**HDF5, **JSON})
    assert status == 200
    assert got["status"] == "converged" and got["iterations"] == expected["iterations"]
    for name in ("mean_stress", "mean_strain"):
        for component, value in expected[name].items():
            assert got[name][component] == pytest.approx(value, rel=1e-9, abs=1e-12)
    status, _, content = served.post("/solve?strain=xx=1e-3", body)
    (tmp_path / "solved.vtkhdf").write_bytes(content)
    assert read_result(tmp_path / "solved.vtkhdf").converged


def test_a_solve_that_does_not_converge_is_refused(served, body):
    status, said = served.json("POST", "/solve?max_iterations=1", body, HDF5)
    assert status == 422 and "not converged" in said["error"]


def test_long_work_is_a_job_with_progress_that_can_be_cancelled(folder, served, body):
    large = (folder / "large.h5").read_bytes()
    path = "/solve?wait=0&tolerance=1e-12&solver=basic"
    assert served.json("POST", path, large, HDF5)[0] == 422
    path = path.removesuffix("&solver=basic") + "&scheme=fourier&max_iterations=100000"
    status, headers, text = served.post(path, large)
    job = json.loads(text)
    place = headers["Location"]
    assert status == 202 and place == job["href"] and job["kind"] == "solve"
    until(lambda: served.json("GET", place)[1]["state"] == "running")
    progress = served.json("GET", place)[1]["progress"]
    assert progress["iteration"] >= 1 and progress["residual"] > 0
    assert served.ask("GET", f"{place}/result")[0] == 409
    status, job = served.json("DELETE", place)
    assert status == 200 and job["state"] == "cancelled"
    assert served.json("GET", place)[1]["state"] == "cancelled"
    served.ask("DELETE", place)
    assert served.ask("GET", place)[0] == 404
    # the process that was ended is replaced
    assert served.post("/solve?wait=30", body)[0] == 200


def test_a_prediction_that_is_cancelled_leaves_the_queue(served, body, held):
    go, sizes = held
    places = [served.begin("/predict", body) for _ in range(3)]
    until(lambda: len(served.service.predictor.waiting) == 2)
    assert served.json("DELETE", places[1])[1]["state"] == "cancelled"
    until(lambda: len(served.service.predictor.waiting) == 1)
    go.set()
    assert served.ended(places[2])["state"] == "done"
    status, _, content = served.ask("GET", f"{places[2]}/result")
    assert status == 200 and content.startswith(b"\x89HDF")
    summary = served.json("GET", places[2])[1]["summary"]
    assert summary["voxels"] == 512 and summary["certificate"]["relative"] > 0
    assert sizes == [1, 1]
    for place in places:
        served.ask("DELETE", place)


def test_the_client_predicts_solves_and_says_why_not(served, body, tmp_path):
    client = Client(served.address)
    assert [m["name"] for m in client.models()] == [*MODELS]
    fields = {}
    for name in ("predict", "solve"):
        # the second one becomes a job
        options = {"strain": "xx=1e-3", "wait": 10 if name == "predict" else 0}
        path = tmp_path / f"{name}.vtkhdf"
        path.write_bytes(getattr(client, name)(body, **options))
        fields[name] = read_result(path).stress
    error = abs(fields["predict"] - fields["solve"]).max()
    assert 0 < error < 0.5 * abs(fields["solve"]).max()
    with pytest.raises(Refused, match="no HDF5"):
        client.predict(b"noise")
    for job in [*served.service.jobs._jobs]:
        served.ask("DELETE", f"/jobs/{job}")


def test_models_and_health_say_what_is_served(served):
    models = served.json("GET", "/models")[1]["models"]
    assert models[0]["scheme"] == "rotated" and models[0]["sees_load"]
    assert models[0]["trained_on"]["train"] == 5 and models[1]["parameters"] > 100
    assert models[0]["validation"]["stress"] > 0 and models[0]["test"] is None
    status, health = served.json("GET", "/health")
    assert status == 200 and health["status"] == "ok" and health["jobs"] == 0


def test_the_test_errors_of_a_card_are_over_the_standard_deviation(
    tmp_path, monkeypatch
):
    """Whatever the tables of the evaluation had, which may be an older one."""
    monkeypatch.setattr(model_cards, "digest_of_weights", lambda folder: "w")
    fields = ("strain", "stress")
    errors = {
        kind: {field: {"mean": {"mean": value}} for field in fields}
        for kind, value in (("std", 0.9), ("range", 0.02))
    }
    run_ = {"kind": "run", "weights": "w", "samples": [{}], "certificate": None}
    found = {"normalisation": "range", "resolution": 8}
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "evaluation.json").write_text(
        json.dumps({**found, "contenders": [{**run_, "nrmse": errors}]})
    )
    said = model_cards._test(tmp_path)
    assert said is not None and said["normalisation"] == "std"
    assert said["strain"] == said["stress"] == 0.9
    assert said["uniform"] == {"strain": 1.0, "stress": 1.0}


def test_a_form_takes_any_format_with_materials_and_options(served):
    materials = "[default]\ncubic = { C11 = 204.6, C12 = 137.7, C44 = 126.2 }\n"
    ids = np.arange(64).reshape(4, 4, 4) % 2
    options = json.dumps({"strain": {"xx": 1e-3}, "shape": [4, 4, 4], "dtype": "uint8"})
    content, headers = form(
        "../../a.raw", ids.astype("u1").tobytes(), materials=materials, options=options
    )
    status, said = served.json("POST", "/predict", content, {**headers, **JSON})
    assert status == 200 and said["voxels"] == 64
    # a homogeneous body
    assert said["mean_stress"]["xx"] == pytest.approx(0.2046, rel=1e-5)
    # unlike what the model was trained on, which is said
    assert "4 x 4 x 4 voxels, trained on 8 x 8 x 8" in said["notes"]


def test_a_load_that_a_model_has_not_learned_is_refused_as_it_is_written(served, body):
    path = "/predict?model=s-eco&uniaxial=zz=1e-3"
    status, said = served.json("POST", path, body, {**HDF5, **JSON})
    assert status == 422 and "load --uniaxial zz=0.001" in said["error"]
    assert "--uniaxial xx=8e-05" in said["error"]


def test_a_token_is_asked_for_where_there_is_one(served, body):
    token = "0123456789abcdef"
    with served.beside(token=token, local=False) as guarded:
        assert guarded.ask("GET", "/health")[0] == 200
        for headers in ({}, {"Authorization": "Bearer 0123"}, {"Authorization": token}):
            status, answered, text = guarded.ask("GET", "/models", None, headers)
            assert status == 401 and answered["WWW-Authenticate"] == "Bearer"
            assert token not in text.decode() and "token" in json.loads(text)["error"]
        assert Client(guarded.address, token).predict(body).startswith(b"\x89HDF")


def test_too_many_requests_are_429_and_some_are_allowed_each_second(served):
    with served.beside(rate=4) as slow:
        statuses = [slow.ask("GET", "/health")[0] for _ in range(16)]
        assert statuses[:8] == [200] * 8 and 429 in statuses
        until(lambda: slow.ask("GET", "/health")[0] == 200)
