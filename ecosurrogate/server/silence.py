"""Connections on which nothing happens are ended: each takes a place and memory.

The server behind waits for the head of a request, and for a client to take an answer,
as long as the client likes.
"""

from collections.abc import Iterable
from typing import Any


class Silence:
    """Ends connections whose clients neither ask nor take what is sent.

    Parameters
    ----------
    seconds
        How long that may be. What a request waits for, and its body, do not count.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since: dict[Any, tuple[Any, int, float]] = {}

    def end(self, connections: Iterable[Any], now: float) -> None:
        """Look at uvicorn's connections; to be called now and then."""
        since = {}
        for connection in [*connections]:
            request, transport = connection.cycle, connection.transport
            unsent = transport.get_write_buffer_size()
            if request is not None and not request.response_complete and not unsent:
                continue
            seen = self._since.get(connection)
            if seen is None or seen[0] is not request or seen[1] != unsent:
                seen = request, unsent, now
            since[connection] = seen
            if now - seen[2] > self.seconds:
                transport.abort()
        self._since = since
