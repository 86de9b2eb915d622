"""The server on a port: it listens, and on SIGTERM finishes what it has begun."""

import asyncio
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn

from ecosurrogate.server.app import make_app
from ecosurrogate.server.service import Service, Settings
from fftmech.errors import InputError

# seconds that jobs have to end after the first SIGTERM or Ctrl-C, and their clients to
# fetch them; a second one ends all at once
GRACE = 60.0


class Server(uvicorn.Server):
    """A server that, asked to stop, takes no new work and finishes what it has begun.

    `ready` is called when it listens; `left` are the jobs that it did not finish.
    """

    def __init__(self, service: Service, grace: float, ready: Callable[[], None]):
        self.service, self.grace, self.ready = service, grace, ready
        self.left: list[dict[str, Any]] = []
        self._until: float | None = None
        self._silent: dict[Any, tuple[Any, int, float]] = {}
        config = uvicorn.Config(
            make_app(service),
            log_level="warning",
            server_header=False,
            http="h11",  # the one that `_end_silent` knows
            ws="none",
            timeout_graceful_shutdown=5,  # what clients wait for is done by then
        )
        super().__init__(config)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop at the first signal, stop at the second."""
        self.service.stopping = True
        grace = self.grace if self._until is None else 0
        self._until = time.monotonic() + grace

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop now; called ten times a second."""
        if await super().on_tick(counter):
            return True
        self._end_silent(time.monotonic())
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

    def _end_silent(self, now: float) -> None:
        """End connections whose clients neither ask nor take what they are sent.

        uvicorn waits for the head of a request, and for a client to take its answer, as
        long as the client likes. What a request waits for, and its body, do not count.
        """
        silent = {}
        connections: list[Any] = [*self.server_state.connections]
        for connection in connections:
            request = connection.cycle
            unsent = connection.transport.get_write_buffer_size()
            if request is not None and not request.response_complete and not unsent:
                continue
            *before, since = self._silent.get(connection, (None, 0, now))
            since = since if before == [request, unsent] else now
            silent[connection] = request, unsent, since
            if now - since > self.service.settings.silence:
                connection.transport.abort()
        self._silent = silent


def serve(
    settings: Settings, host: str, port: int, ready: Callable[[int], None]
) -> list[dict[str, Any]]:
    """Serve until a signal ends it; return the jobs that were not finished.

    `ready` is called with the port when it listens.
    """
    # before models are loaded, which takes time
    with listen(host, port) as place:
        service = Service(settings)
        try:
            service.start()
            server = Server(service, GRACE, partial(ready, place.getsockname()[1]))
            server.run([place])
            return server.left
        finally:
            service.end()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, or InputError; port 0 is any that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        place = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        # without what socket adds: "(while attempting to bind on address ..."
        reason = str(getattr(error, "strerror", None) or error).partition(" (")[0]
        given = f"{host}:{port}: cannot listen there ({reason})"
        raise InputError(given, mend="choose another --port or --host") from error
    # its connections inherit this; else the second part of an answer waits until the
    # client confirms the first, 40 ms
    place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return place
