"""The server refuses what is hostile, in one line, and serves on."""

import json
import socket
import time
from http.client import HTTPConnection

import hostile_bodies as hostile
import numpy as np
import pytest
from served import HDF5, JSON, until

from ecosurrogate.server.hdf5_check import check_hdf5
from fftmech import Load, read, solve, write, write_result
from fftmech.microstructure import polycrystal

VOXELS = 4096
LIMITS = {"body": 2**21, "upload": 0.3, "silence": 0.6}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def whole():
    return hostile.good()


@pytest.fixture(scope="module")
def served(shared_server):
    with shared_server.beside(voxels=VOXELS, **LIMITS) as served:
        yield served


@pytest.fixture(scope="module")
def goes_on(served, whole):
    """Check that the server goes on as if nothing had been."""

    def predict():
        path = "/predict?model=s-eco"
        status, said = served.json("POST", path, whole, {**HDF5, **JSON})
        assert status == 200
        return said["energy"]

    def check():
        until(lambda: not list(served.service.folder.iterdir()), 5)
        assert predict() == energy

    energy = predict()
    return check


@pytest.fixture
def one_line(served):
    """Check an answer that refuses, and return what it says."""

    def check(status, text):
        assert 400 <= status < 500, (status, text)
        assert text.endswith(b"}\n") and text.count(b"\n") == 1, text
        said = json.loads(text)
        assert [*said] == ["error", "expected", "mend"] and all(said.values()), said
        assert not any(part in str(said) for part in ("Traceback", "/tmp")), said
        assert str(served.service.folder) not in str(said)
        return said

    return check


@pytest.fixture
def refused(one_line, goes_on):
    """Check such an answer, and that the server goes on."""

    def check(status, text):
        said = one_line(status, text)
        goes_on()
        return said

    return check


def some(names):
    """Every third name, and the others where there is time."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] if number % 3 else [])
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize("name", some(hostile.posted_bodies()))
def test_a_hostile_body_is_refused_in_one_line(served, refused, name):
    status, _, text = served.post("/predict", hostile.posted_bodies()[name])
    refused(status, text)


@pytest.mark.parametrize("name", some(hostile.forms()))
def test_a_hostile_form_is_refused_in_one_line(served, refused, name):
    body, headers = hostile.forms()[name]
    status, _, text = served.ask("POST", "/predict", body, headers)
    refused(status, text)


def test_hostile_queries_are_refused_in_one_line(served, whole, one_line, goes_on):
    for query in hostile.queries().values():
        status, _, text = served.post(f"/predict?{query}", whole)
        one_line(status, text)
    goes_on()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/predict", {}, 405),
        ("PUT", "/models", {}, 405),
        ("GET", "/nothing", {}, 404),
        ("GET", "/../../../etc/passwd", {}, 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", {}, 404),
        ("GET", "/jobs/..%2f..%2fetc", {}, 404),
        ("DELETE", "/jobs/nothing", {}, 404),
        ("POST", "/predict", {"Content-Type": "text/html"}, 415),
        ("POST", "/predict", {**HDF5, "Accept": "image/png"}, 406),
        ("GET", "/health", {"Host": "evil.example"}, 403),
        ("GET", "/models", {"Origin": "https://evil.example"}, 403),
        ("POST", "/predict", {**HDF5, "Content-Length": "99999999999999"}, 413),
        ("GET", "/generate?kind=pores", {}, 405),
        ("POST", "/generate?kind=pores", {"Origin": "https://evil.example"}, 403),
        ("GET", "/jobs/nothing/fields", {}, 404),
        ("GET", "/jobs/..%2f..%2fetc/fields", {}, 404),
        ("GET", "/jobs/nothing/fields/..%2f..%2fetc%2fpasswd", {}, 404),
        ("GET", "/jobs/nothing/fields/stress?output=/etc/passwd", {}, 422),
        ("POST", "/jobs/nothing/solve", {}, 404),
        ("POST", "/jobs/..%2f..%2fetc/solve", {}, 404),
        ("POST", "/jobs/nothing/solve", {"Accept": "image/png"}, 406),
    ],
)
def test_a_request_that_does_not_fit_is_refused(
    served, one_line, method, path, headers, status
):
    got, answered, text = served.ask(method, path, None, headers)
    assert got == status and one_line(got, text)
    assert not any(name.lower().startswith("access-control") for name in answered)


HOSTILE_MICROSTRUCTURES = {
    422: [
        "",
        "kind=laminate",
        "kind=../../etc/passwd",
        "kind=pores&kind=pores",
        "kind=pores&output=/etc/passwd",
        "kind=pores&grains=4",
        'kind=pores&options={"count":2}',
        "kind=polycrystal&res=0",
        "kind=polycrystal&res=8,8",
        "kind=polycrystal&res=1e9",
        "kind=polycrystal&res=8&grains=0",
        "kind=polycrystal&res=8&grains=999999999999",
        "kind=polycrystal&res=8&seed=-1",
        "kind=polycrystal&res=8&seed=" + "9" * 5000,
        "kind=inclusions&res=16&fraction=nan",
        "kind=inclusions&res=16&fraction=0.99",
        "kind=inclusions&res=16&contrast=0",
        "kind=inclusions&res=16&contrast=1e300",
        "kind=pores&res=16&fraction=-0.1",
        "kind=pores&res=16&count=0",
        "kind=pores&res=16&count=9999999999999999999999",
        "kind=pores&res=1&fraction=0.5",
    ],
    413: [
        "kind=polycrystal&res=17",
        "kind=polycrystal&res=99999999999999999999",
        "kind=polycrystal&res=1,1,999999",
    ],
}
"""Status -> queries."""


def test_hostile_microstructures_are_refused_in_one_line(served, one_line, goes_on):
    for status, queries in HOSTILE_MICROSTRUCTURES.items():
        for query in queries:
            got, _, text = served.ask("POST", f"/generate?{query}")
            assert got == status, (query, text)
            one_line(got, text)
    goes_on()


def test_hostile_requests_of_a_job_are_refused_in_one_line(
    served, whole, one_line, goes_on
):
    place = served.begin("/predict", whole)
    assert served.ended(place)["state"] == "done"
    requests = [("GET", f"fields/{q}", s) for q, s in HOSTILE_FIELDS.items()]
    requests += [("POST", f"solve?{query}", 422) for query in HOSTILE_SOLVES]
    for method, path, status in requests:
        got, _, text = served.ask(method, f"{place}/{path}")
        assert got == status, (path, text)
        one_line(got, text)
    served.ask("DELETE", place)
    goes_on()


HOSTILE_FIELDS = {
    "nothing?component=xx": 404,
    "stress": 422,
    "stress?component=": 422,
    "stress?component=qq": 422,
    "stress?component=../../etc": 422,
    "stress?component=xx&component=xx": 422,
    "stress?component=xx&slice=3": 422,
    "von_mises?component=xx": 422,
    "..%2f..%2fresult.vtkhdf": 404,
}

HOSTILE_SOLVES = [
    "scheme=fourier",
    "solver=basic",
    "model=run",
    "res=4",
    "strain=xx=1e-3",
    'options={"tolerance":1e-3}',
    "tolerance=nan",
    "tolerance=-1",
    "tolerance=1e-3&tolerance=1e-3",
    "max_iterations=0",
    "max_iterations=1e99",
    "precision=half",
    "wait=-1",
    "wait=inf",
]


def test_more_bytes_than_allowed_are_not_kept(served, refused):
    parts = (bytes(2**16) for _ in range(64))
    status, _, text = served.post("/predict", parts)
    assert status == 413 and "bytes" in refused(status, text)["expected"]


@pytest.mark.slow
def test_a_slow_body_is_given_up(served, refused):
    def trickle():
        for _ in range(12):
            yield b"\x89"
            time.sleep(0.05)

    started = time.monotonic()
    status, _, text = served.post("/predict", trickle())
    assert status == 408 and time.monotonic() - started < 5
    refused(status, text)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(served, whole, goes_on):
    head = (
        f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        f"Content-Type: application/x-hdf5\r\nContent-Length: {len(whole)}\r\n\r\n"
    )
    for part in (0, 1, len(whole) // 2):
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            client.sendall(head.encode() + whole[:part])
    goes_on()


@pytest.mark.parametrize("sent", [b"", b"POST /predict HTTP/1.1\r\nHost: 127.0"])
def test_a_client_that_does_not_ask_is_not_waited_for(served, goes_on, sent):
    with socket.create_connection(("127.0.0.1", served.port), 10) as client:
        client.sendall(sent)
        assert client.recv(1000) == b""
    goes_on()


@pytest.mark.slow
def test_a_client_that_takes_no_answer_is_not_waited_for(served, tmp_path, goes_on):
    write(tmp_path / "larger.h5", polycrystal(16, 4, seed=5))
    body = (tmp_path / "larger.h5").read_bytes()
    head = (
        f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
        f"Content-Type: application/x-hdf5\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connections = served.server.server_state.connections
    with socket.socket() as client:
        # else the system takes all of it
        served.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", served.port))
        client.sendall(head.encode() + body)
        until(lambda: any(c.transport.get_write_buffer_size() for c in connections))
        until(lambda: not connections)
    goes_on()


@pytest.mark.slow
def test_a_client_that_asks_again_and_again_is_not_taken_for_silent(served):
    connection = HTTPConnection("127.0.0.1", served.port, timeout=10)
    ended = time.monotonic() + 2 * LIMITS["silence"]
    while time.monotonic() < ended:
        connection.request("GET", "/health")
        assert connection.getresponse().read()
        time.sleep(0.11)
    connection.close()


@pytest.mark.parametrize("seed", range(8))
def test_a_body_with_bytes_changed_is_never_a_mistake_of_the_server(
    served, whole, goes_on, seed
):
    rng = np.random.default_rng(seed)
    changed = np.frombuffer(whole, np.uint8).copy()
    places = rng.integers(8, len(changed), 1 << seed)
    changed[places] = rng.integers(0, 256, len(places))
    status, _, text = served.post("/predict", changed.tobytes(), **JSON)
    assert status == 200 or 400 <= status < 500, text
    goes_on()


def test_files_that_are_right_pass_the_guard(tmp_path, grains8, whole, data):
    sample = next(grains8.glob("samples/*.h5"))
    good, packed = tmp_path / "good.h5", tmp_path / "packed.h5"
    good.write_bytes(whole)
    ids = np.zeros((16, 16, 16), "u2")
    how = {"compression": "gzip", "shuffle": True, "chunks": (8, 8, 8)}
    packed.write_bytes(
        hostile.instead(lambda f: f.create_dataset("phase", data=ids, **how))
    )
    result = tmp_path / "result.vtkhdf"
    write_result(result, solve(read(good), Load({"xx": 1e-3})))
    for path in (good, packed, result, sample, data / "measured.dream3d"):
        check_hdf5(path, 2**18)
