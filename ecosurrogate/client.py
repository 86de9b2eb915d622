"""A client of `ecosr serve`, on the standard library alone."""

import json
import time
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

HDF5 = "application/x-hdf5"


class Refused(RuntimeError):
    """What the server said no to: `document` has error, expected and mend."""

    def __init__(self, status: int, document: dict[str, str]) -> None:
        super().__init__("; ".join(document.values()))
        self.status, self.document = status, document


class Client:
    """A server at an address.

        client = Client("http://127.0.0.1:8000")
        with open("micro.h5", "rb") as file:
            result = client.predict(file.read(), strain="xx=1e-3")

    Parameters
    ----------
    address, token
        Of the server.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        self.address = address.rstrip("/")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def models(self) -> list[dict[str, Any]]:
        """What the server has."""
        return json.loads(self.ask("GET", "/models"))["models"]

    def predict(self, body: bytes, **options: Any) -> bytes:
        """Return a prediction, VTKHDF, of a body in HDF5; waits for it."""
        return self._work("/predict", body, options)

    def solve(self, body: bytes, **options: Any) -> bytes:
        """Return the solver's result, likewise."""
        return self._work("/solve", body, options)

    def respond(self, materials: str, path: str, **options: Any) -> bytes:
        """Return mean stresses along a load path, CSV, by a network of laminates.

        `materials` and `path` are the texts of the TOML files of `ecosr respond`. The
        stresses have no certificate; `GET /jobs/{id}` of the answer to `wait=0` says
        what makes them doubtful.
        """
        edge = uuid4().hex
        head = '--{}\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
        fields = {"materials": materials, "path": path}.items()
        body = "".join(head.format(edge, *field) for field in fields)
        kind = f"multipart/form-data; boundary={edge}"
        return self._work("/respond", f"{body}--{edge}--\r\n".encode(), options, kind)

    def ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = HDF5
    ) -> bytes:
        """Return the answer to a request with a body of some type.

        Raises
        ------
        Refused
            The server says no.
        """
        headers = {**self.headers, "Content-Type": kind}
        request = Request(self.address + path, body, headers, method=method)
        try:
            with urlopen(request) as answer:
                return answer.read()
        except HTTPError as error:
            raise Refused(error.code, json.loads(error.read())) from error

    def _work(
        self, path: str, body: bytes, options: dict[str, Any], kind: str = HDF5
    ) -> bytes:
        query = urlencode(options, doseq=True)
        answer = self.ask("POST", f"{path}?{query}", body, kind)
        while answer.startswith(b"{"):
            job = json.loads(answer)
            if job["state"] == "done":
                answer = self.ask("GET", job["result"])
            elif job["state"] in ("queued", "running"):
                time.sleep(0.2)
                answer = self.ask("GET", job["href"])
            else:
                raise Refused(422, {"error": job["state"], **_said(job)})
        return answer


def _said(job: dict[str, Any]) -> dict[str, str]:
    return {name: job[name] for name in ("error", "expected", "mend") if name in job}
