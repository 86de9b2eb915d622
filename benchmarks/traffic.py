"""Clients that send bodies to `ecosr serve`, and the times of their answers."""

import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from math import inf

ACCEPT = {"file": "application/x-hdf5", "JSON": "application/json"}
"""Kinds of answers, and the types that are asked for."""

RAMP = 3.0
"""Seconds of a load before its figures begin: at first nothing waits."""


class Traffic:
    """Clients that ask at once, until a time or for a number of requests.

    Parameters
    ----------
    port, path
        Of the server.
    bodies
        What they send, in turn.
    answer
        One of `ACCEPT`.
    """

    def __init__(self, port: int, path: str, bodies: list[bytes], answer: str) -> None:
        self.port, self.path, self.bodies, self.answer = port, path, bodies, answer
        self.headers = {"Content-Type": ACCEPT["file"], "Accept": ACCEPT[answer]}
        self.start = b"\x89HDF" if answer == "file" else b'{"model"'
        self.answers: list[tuple[float, float]] = []
        self.errors: list[str] = []
        self._asked = 0
        self._lock = threading.Lock()

    @property
    def done(self) -> int:
        """Requests that were answered, in whatever way."""
        return len(self.answers) + len(self.errors)

    def run_for(self, clients: int, seconds: float) -> dict:
        """Ask for so long, after `RAMP`; the figures are of answers in that time."""
        began = time.perf_counter() + RAMP
        self._ask(clients, began + seconds, sys.maxsize)
        return self._figures(clients, began, began + seconds)

    def run_many(self, clients: int, most: int) -> dict:
        """Ask so often; the figures are of all answers."""
        began = time.perf_counter()
        self._ask(clients, inf, most)
        return self._figures(clients, began, time.perf_counter())

    def _ask(self, clients: int, until: float, most: int) -> None:
        threads = [
            threading.Thread(target=self._client, args=(until, most))
            for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _client(self, until: float, most: int) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        while time.perf_counter() < until:
            with self._lock:
                number, self._asked = self._asked, self._asked + 1
            if number >= most:
                break
            body = self.bodies[number % len(self.bodies)]
            started = time.perf_counter()
            try:
                connection.request("POST", self.path, body, self.headers)
                answer = connection.getresponse()
                status, content = answer.status, answer.read()
            except (OSError, HTTPException) as error:
                connection.close()
                self.errors.append(repr(error))
            else:
                if status == 200 and content.startswith(self.start):
                    ended = time.perf_counter()
                    self.answers.append((ended, ended - started))
                else:
                    self.errors.append(f"{status} {content[:200]!r}")
        connection.close()

    def _figures(self, clients: int, began: float, ended: float) -> dict:
        """JSON-ready, of answers between two times; errors are those of all."""
        times = [took for end, took in self.answers if began <= end <= ended]
        cuts = [1e3 * time for time in sorted(times)]
        return {
            "clients": clients,
            "answer": self.answer,
            "requests": len(times),
            "errors": len(self.errors),
            "first_errors": self.errors[:3],
            "throughput": len(times) / (ended - began),
            "p50_ms": quantile(cuts, 0.5),
            "p99_ms": quantile(cuts, 0.99),
        }


def quantile(ordered: list[float], q: float) -> float | None:
    """Smallest value that a part q of all does not exceed."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
