"""The server on a port: it listens, and on SIGTERM finishes what it has begun."""

import asyncio
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn

from ecosurrogate.server.app import make_app
from ecosurrogate.server.memory import keep_freed_memory
from ecosurrogate.server.service import Service, Settings
from ecosurrogate.server.silence import Silence
from fftmech.errors import InputError

GRACE = 60.0
"""Seconds that jobs have to end after the first SIGTERM or Ctrl-C, and their clients to
fetch them; a second one ends all at once."""


class Server(uvicorn.Server):
    """A server that is asked to stop and takes no new work, before it stops.

    Parameters
    ----------
    service
        Started; ended with the server.
    grace
        As `GRACE`.
    ready
        Called when it listens.
    """

    def __init__(
        self,
        service: Service,
        grace: float = GRACE,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.service, self.grace, self.ready = service, grace, ready
        self._until: float | None = None
        self._silence = Silence(service.settings.limits.silence)
        self.left: list[dict[str, Any]] = []
        super().__init__(
            uvicorn.Config(
                make_app(service),
                log_level="warning",
                server_header=False,
                ws="none",
                # jobs that a client waits for are done by then
                timeout_graceful_shutdown=5,
            )
        )

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop at the first signal, stop at the second."""
        if self._until is not None:
            self._until = time.monotonic()
        else:
            self.stop()

    def stop(self) -> None:
        """Take no new work, and stop when there is none."""
        self.service.stopping = True
        self._until = time.monotonic() + self.grace

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop now."""
        if await super().on_tick(counter):
            return True
        self._silence.end(self.server_state.connections, time.monotonic())
        if self._until is None:
            return False
        left = self.service.jobs.unfinished
        if left and time.monotonic() < self._until:
            return False
        self.left = [job.as_dict() for job in left]
        for job in left:
            self.service.jobs.remove(job)
        await asyncio.sleep(0)
        return True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self.ready()


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 8000,
    grace: float = GRACE,
    ready: Callable[[int], None] = lambda port: None,
) -> list[dict[str, Any]]:
    """Serve until a signal ends it; return the jobs that were not finished.

    Parameters
    ----------
    settings
        How the server is to be.
    host, port
        Where it listens; port 0 is any that is free.
    grace
        Seconds that jobs have to end when it is asked to stop.
    ready
        Called with the port when it listens.

    Raises
    ------
    InputError
        A run that cannot be served, an address that cannot be listened on.
    """
    keep_freed_memory()
    # before models are loaded, which takes time
    with listen(host, port) as place:
        service = Service(settings)
        try:
            service.start()
            server = Server(service, grace, partial(ready, place.getsockname()[1]))
            server.run([place])
            return server.left
        finally:
            service.end()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 is any that is free.

    Raises
    ------
    InputError
        An address that cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        place = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        # without what socket adds: "(while attempting to bind on address ..."
        reason = str(getattr(error, "strerror", None) or error).partition(" (")[0]
        raise InputError(
            f"{host}:{port}: cannot listen there ({reason}); choose another --port or "
            "--host"
        ) from error
    # its connections inherit this; else the second part of an answer waits until the
    # client confirms the first, 40 ms
    place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return place
