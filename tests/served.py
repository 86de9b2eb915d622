"""A server in a thread of this process, and requests to it."""

import json
import threading
import time
from http.client import HTTPConnection

from small_runs import as_options, run, tiny

from ecosurrogate.server.service import Service, Settings
from ecosurrogate.server.serving import Server, listen
from fftmech import io
from fftmech.microstructure import polycrystal

HDF5 = {"Content-Type": "application/x-hdf5"}
JSON = {"Accept": "application/json"}


class Served:
    """A context: `service` behind a port of the loopback."""

    def __init__(self, runs, grace=5.0, **settings):
        self.service = Service(Settings(runs, **settings))
        self.service.start()
        self.socket = listen("127.0.0.1", 0)
        self.port = self.socket.getsockname()[1]
        ready = threading.Event()
        self.server = Server(self.service, grace, ready.set)
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],))
        self.thread.start()
        assert ready.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.should_exit = True
        self.thread.join(20)
        self.service.end()
        self.socket.close()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def post(self, path, body, **headers):
        """The same of HDF5 that is posted."""
        return self.ask("POST", path, body, {**HDF5, **headers})

    def json(self, method, path, body=None, headers=None):
        """Status, and the body parsed."""
        status, _, text = self.ask(method, path, body, headers)
        return status, json.loads(text)


def until(holds, seconds=20):
    """Wait for something to hold."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def form(name, content, **fields):
    """Body and headers of a form with a file."""
    parts = [
        f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}'.encode()
        for key, value in fields.items()
    ]
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    parts.append(head.encode() + content)
    body = b"".join(b"--EDGE\r\n" + part + b"\r\n" for part in parts) + b"--EDGE--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=EDGE"}


def trained(tmp_path_factory, dataset):
    """A folder with two trained models and two bodies."""
    folder = tmp_path_factory.mktemp("served")
    for model in ("p-eco-iterated", "s-eco"):
        settings = tiny(model=model, steps=2, validate_every=2)
        run(f"fit {dataset} -o {folder / model} {as_options(settings)}")
    io.write(folder / "micro.h5", polycrystal(8, 4, seed=5))
    io.write(folder / "large.h5", polycrystal(48, 9, seed=5))
    return folder
