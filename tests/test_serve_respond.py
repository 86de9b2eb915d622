"""A served network of laminates: equal to the command line, limits, bad input."""

import csv
import io
import json

import pytest
from served import HDF5, JSON, until
from test_response_files import MATERIALS, PATH
from test_response_many import small_network

from ecosurrogate.client import Client
from ecosurrogate.response.response import respond
from ecosurrogate.response.trained_network import TrainedNetwork
from ecosurrogate.server.service import Service, Settings
from fftmech.io.load_path import read_path

FORM = {"Content-Type": "multipart/form-data; boundary=EDGE"}
ONE = "[[step]]\nuniaxial = { xx = 0.02 }\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("laminates")
    small_network(folder / "lam")
    (folder / "m.toml").write_text(MATERIALS)
    (folder / "p.toml").write_text(PATH)
    return folder


@pytest.fixture(scope="module")
def served(shared_server, folder):
    with shared_server.beside(increments=8, body=2**20) as served:
        trained = small_network(folder / "lam")
        served.service.networks = {"lam": trained}
        yield served
    until(lambda: not list(shared_server.service.folder.iterdir()))


def form(**fields):
    parts = [
        f'--EDGE\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return "".join([*parts, "--EDGE--\r\n"]).encode()


def test_a_response_is_that_of_the_command_line(served, folder):
    own = TrainedNetwork.read(folder / "lam")
    found = respond(own, folder / "m.toml", read_path(folder / "p.toml"))
    found.curve.write(folder / "c.csv")
    body = form(materials=MATERIALS, path=PATH)
    status, headers, table = served.ask("POST", "/respond", body, FORM)
    assert status == 200 and headers["Content-Type"].startswith("text/csv")
    assert table.decode() == (folder / "c.csv").read_text()
    assert headers["X-Certificate"] == "none" and json.loads(headers["X-Notes"]) == []
    status, said = served.json("POST", "/respond?model=lam", body, {**FORM, **JSON})
    assert status == 200 and said["model"] == "lam" and said["increments"] == 2
    assert said["certificate"]["relative"] is None and said["certificate"]["reason"]
    rows = [*csv.DictReader(io.StringIO(table.decode()))]
    stress = [float(row["stress_xx (GPa)"]) for row in rows]
    assert said["path"]["stress_xx"] == stress and said["units"]["stress"] == "GPa"
    assert Client(served.address).respond(MATERIALS, PATH) == table
    soft = form(materials=MATERIALS.replace("400.0", "4e6"), path=ONE)
    status, headers, _ = served.ask("POST", "/respond", soft, FORM)
    assert "shear moduli differ" in json.loads(headers["X-Notes"])[0]


def test_a_job_of_a_response_has_a_table_and_no_fields(served):
    body = form(materials=MATERIALS, path=PATH, options='{"temperature": 0}')
    status, headers, _ = served.ask("POST", "/respond?wait=0", body, FORM)
    job = served.ended(headers["Location"])
    assert status == 202 and job["state"] == "done" and job["kind"] == "respond"
    status, headers, table = served.ask("GET", job["result"])
    assert headers["Content-Type"].startswith("text/csv") and b"stress_xx" in table
    for method, path in (("GET", "fields"), ("GET", "fields/xx"), ("POST", "solve")):
        status, said = served.json(method, f"{job['href']}/{path}")
        assert status == 422 and "response" in str(said) or "no prediction" in str(said)
    served.ask("DELETE", job["href"])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"materials": MATERIALS}, "no path"),
        ({"path": PATH}, "no materials"),
        ({"materials": "= [", "path": PATH}, "materials.toml"),
        ({"materials": MATERIALS, "path": "[[step]]\ntime = 0\n"}, "path.toml: step 1"),
        ({"materials": MATERIALS, "path": "[[step]]\nF = { xx = 1.1 }\n"}, "finite"),
        ({"materials": MATERIALS, "path": f"{ONE}increments = 9\n"}, "at most 8"),
        ({"materials": MATERIALS.replace("id = 1", "id = 7"), "path": PATH}, "phase 1"),
        ({"materials": MATERIALS, "path": PATH, "file": "x"}, "other fields"),
        ({"materials": MATERIALS, "path": PATH, "options": '{"res": 4}'}, "'res'"),
        ({"materials": MATERIALS, "path": PATH, "options": '{"temperature": 9}'},
         "no phase expands"),
        ({"materials": "[" * 10**5, "path": PATH}, "materials.toml"),
        ({"materials": f"#{'x' * 2**20}\n", "path": PATH}, ""),
    ],
    ids=["no path", "no materials", "toml", "time", "finite", "increments", "phase",
         "field", "option", "temperature", "nested", "large"],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(fields, words, served):
    status, _, text = served.ask("POST", "/respond", form(**fields), {**FORM, **JSON})
    assert 400 <= status < 500 and text.count(b"\n") == 1, (status, text)
    said = json.loads(text)
    assert [*said] == ["error", "expected", "mend"] and all(said.values())
    assert words in str(said) and "/tmp" not in str(said)


def test_models_of_two_kinds_are_not_taken_for_each_other(served, served_folder):
    micro = (served_folder / "micro.h5").read_bytes()
    body = form(materials=MATERIALS, path=PATH)
    for path, content, headers, code in (
        ("/respond?model=s-eco", body, FORM, 404),
        ("/predict?model=lam", micro, HDF5, 404),
        ("/respond", body, HDF5, 415),
        ("/respond", body, {**FORM, "Accept": "application/x-hdf5"}, 406),
    ):
        status, _, text = served.ask("POST", path, content, headers)
        assert status == code, (path, text)
    said = served.json("GET", "/models")[1]["models"]
    assert said[-1]["name"] == "lam" and said[-1]["model"] == "dmn"
    assert served.json("GET", "/health")[1]["models"][-1] == "lam"
    assert "/respond" in served.json("GET", "/openapi.json")[1]["paths"]


def test_a_server_of_networks_alone_refuses_what_needs_fields(folder):
    service = Service(Settings({"lam": folder / "lam"}))
    try:
        with pytest.raises(Exception, match="no model of fields"):
            service.model(None)
        assert [card["model"] for card in service.describe()] == ["dmn"]
    finally:
        service.end()
