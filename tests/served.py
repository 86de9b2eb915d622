"""A server in a thread of this process, and requests to it."""

import asyncio
import copy
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection

from small_runs import as_options, run, tiny

from ecosurrogate.server.service import Service, Settings
from ecosurrogate.server.serving import Server, listen
from fftmech import io
from fftmech.microstructure import polycrystal

HDF5 = {"Content-Type": "application/x-hdf5"}
JSON = {"Accept": "application/json"}

MODELS = ("p-eco-iterated", "s-eco")
"""Of the shared server."""


class Served:
    """A context: models behind a port of the loopback; many requests are allowed."""

    def __init__(self, runs, rate=1e6, **settings):
        self.service = Service(Settings(runs, rate=rate, **settings))
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self):
        self.service.start()
        self.thread.start()
        self.listening = self._listening()
        self.listening.__enter__()
        return self

    def __exit__(self, *error):
        self.listening.__exit__(*error)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(20)
        self.service.end()
        assert not self.service.folder.exists()

    @contextmanager
    def _listening(self):
        ready = threading.Event()
        with listen("127.0.0.1", 0) as self.socket:
            self.port = self.socket.getsockname()[1]
            self.server = Server(self.service, 5.0, ready.set)
            serving = self.server.serve([self.socket])
            done = asyncio.run_coroutine_threadsafe(serving, self.loop)
            assert ready.wait(20)
            yield self
            self.server.should_exit = True
            done.result(20)

    @contextmanager
    def beside(self, **settings):
        """The same models, workers and jobs behind another port, served otherwise."""
        other = copy.copy(self)
        other.service = copy.copy(self.service)
        other.service.settings = replace(self.service.settings, **settings)
        other.service.voxels = settings.get("voxels", self.service.voxels)
        with other._listening():
            yield other

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

    def begin(self, path, body):
        """Place of work that nobody waits for."""
        status, headers, _ = self.post(
            f"{path}{'&' if '?' in path else '?'}wait=0", body
        )
        assert status == 202
        return headers["Location"]

    def ended(self, place):
        """A job, once it has ended."""
        until(lambda: self.json("GET", place)[1]["state"] not in ("queued", "running"))
        return self.json("GET", place)[1]


def until(holds, seconds=20):
    """Wait for something to hold."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


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
    """A folder with models of a few steps, and bodies of three sizes."""
    folder = tmp_path_factory.mktemp("served")
    for model in (*MODELS, "unet"):
        settings = tiny(model=model, steps=2, validate_every=2)
        run(f"fit {dataset} -o {folder / model} {as_options(settings)}")
    io.write(folder / "micro.h5", polycrystal(8, 4, seed=5))
    io.write(folder / "grains.h5", polycrystal((8, 6, 10), 4, seed=5))
    io.write(folder / "large.h5", polycrystal(48, 9, seed=5))
    return folder
