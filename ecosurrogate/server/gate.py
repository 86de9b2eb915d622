"""Who may ask, and how much: what every request passes before anything else."""

import asyncio
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from ecosurrogate.server.refusal import Refusal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PUBLIC = ("/", "/docs", "/health", "/openapi.json")
"""Paths that need no token; also all below /static/."""

SAFE = [(b"x-frame-options", b"DENY"), (b"x-content-type-options", b"nosniff")]
"""Headers of all answers: no page of others frames them, no browser guesses types."""

CLIENTS = 1024
"""Addresses whose rate is remembered."""

LINGER = 1.0
"""Seconds in which the rest of a refused body is thrown away, so that its client reads
the refusal instead of meeting a closed connection."""


@dataclass(frozen=True)
class Limits:
    """What one request may take.

    Attributes
    ----------
    body
        Bytes.
    upload
        Seconds for the body.
    silence
        Seconds in which a client that is connected has to ask, and to take some of what
        it is sent.
    rate
        Requests a second and address, on average; twice as many in one second.
    open
        Requests at once, of all addresses: each may have a body on the disk.
    """

    body: int = 2**28
    upload: float = 60.0
    silence: float = 20.0
    rate: float = 50.0
    open: int = 128


class Gate:
    """An application behind checks of address, origin, token, rate, size and time.

    Parameters
    ----------
    app
        What is behind.
    limits
        Of a request.
    token
        Expected as `Authorization: Bearer TOKEN`; none if None.
    local
        Whether the server is for this machine only: then other names of it are
        refused, with which a page on the web could reach it (DNS rebinding).
    """

    def __init__(
        self, app: App, limits: Limits, token: str | None, local: bool
    ) -> None:
        self.app, self.limits, self.token, self.local = app, limits, token, local
        self._tokens: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it pass."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        upload = _Upload(receive, self.limits)
        started = False

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message["headers"], *SAFE]}
                if message["status"] >= 400:
                    await upload.discard()
            await send(message)

        self._open += 1
        try:
            self._check(scope)
            await self.app(scope, upload.receive, sending)
        except Refusal as refusal:
            if started:
                raise
            await refuse(refusal, sending)
        finally:
            self._open -= 1

    def _check(self, scope: Scope) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        host = headers.get("host", "")
        if self.local and _name(host) not in ("127.0.0.1", "localhost", "[::1]"):
            raise Refusal(
                403,
                f"host {host!r}",
                "127.0.0.1 or localhost",
                "ask by that name; --host and --token serve others",
            )
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            raise Refusal(
                403,
                f"a request of a page of {origin!r}",
                "pages of this server only",
                "ask from a program, or from the server's own page",
            )
        self._check_rate(scope)
        self._check_token(scope["path"], headers.get("authorization", ""))
        if self._open > self.limits.open:
            raise busy()
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > self.limits.body:
            raise too_much(self.limits.body)

    def _check_token(self, path: str, given: str) -> None:
        if self.token is None or path in PUBLIC or path.startswith("/static/"):
            return
        scheme, _, token = given.partition(" ")
        same = hmac.compare_digest(token.strip().encode(), self.token.encode())
        if scheme.lower() != "bearer" or not same:
            raise Refusal(
                401,
                "no token, or another one",
                "the header Authorization: Bearer TOKEN",
                "ask who runs the server for its token",
            )

    def _check_rate(self, scope: Scope) -> None:
        address = (scope.get("client") or ("?",))[0]
        now, rate = time.monotonic(), self.limits.rate
        left, then = self._tokens.pop(address, (2 * rate, now))
        left = min(2 * rate, left + (now - then) * rate)
        self._tokens[address] = (left - 1 if left >= 1 else left, now)
        if len(self._tokens) > CLIENTS:
            self._tokens.popitem(last=False)
        if left < 1:
            raise Refusal(
                429,
                "too many requests",
                f"at most {rate:g} a second",
                "wait a second",
                retry_after=1,
            )


class _Upload:
    """A body on its way, with a limit on its bytes and its time."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive, self.limits = receive, limits
        self.taken, self.whole = 0, False
        self.until = time.monotonic() + limits.upload

    async def receive(self) -> MutableMapping[str, Any]:
        """The next part.

        Raises
        ------
        Refusal
            Too much, or too late.
        """
        if self.whole:
            return await self._receive()
        try:
            rest = max(self.until - time.monotonic(), 0)
            message = await asyncio.wait_for(self._receive(), rest)
        except TimeoutError as error:
            raise Refusal(
                408,
                f"a body that has not arrived after {self.limits.upload:g} s",
                f"all of it in {self.limits.upload:g} s",
                "send it again, or a smaller one",
            ) from error
        self._count(message)
        if self.taken > self.limits.body:
            raise too_much(self.limits.body)
        return message

    async def discard(self) -> None:
        """Throw the rest away, for a short while."""
        until = time.monotonic() + LINGER
        while not self.whole and (rest := until - time.monotonic()) > 0:
            try:
                self._count(await asyncio.wait_for(self._receive(), rest))
            except TimeoutError:
                return

    def _count(self, message: MutableMapping[str, Any]) -> None:
        self.taken += len(message.get("body", b""))
        self.whole = message["type"] != "http.request" or not message.get("more_body")


def busy() -> Refusal:
    """Of work that has no place in a queue."""
    return Refusal(
        503,
        "the queue is full",
        "fewer requests at once",
        "try again after the time that Retry-After says",
        retry_after=1,
    )


def too_much(most: int) -> Refusal:
    """Of a body that has too many bytes."""
    return Refusal(
        413,
        "the body is too large",
        f"at most {most} bytes",
        "coarsen it or compress it: fftmech convert --res",
    )


async def refuse(refusal: Refusal, send: Send) -> None:
    """Send a refusal."""
    line = json.dumps(refusal.as_dict()).encode() + b"\n"
    headers = {"Content-Type": "application/json", "Content-Length": str(len(line))}
    headers.update(refusal.headers())
    await send(
        {
            "type": "http.response.start",
            "status": refusal.status,
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": line})


def _name(host: str) -> str:
    """A host without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
