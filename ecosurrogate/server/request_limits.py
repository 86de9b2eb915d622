"""What every request has to pass first: who asks, how often, how much, how slowly."""

import asyncio
import hmac
import json
import re
import time
from collections import OrderedDict
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecosurrogate.server.refusal import Refusal, busy, parts_of, too_large
from ecosurrogate.server.service import Settings
from fftmech.errors import InputError

# paths that need no token
PUBLIC = re.compile(r"/|/docs|/health|/openapi\.json|/static/.*")
# this machine as it calls itself: a page on the web can have another name lead here
LOCAL = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")
# of all answers: no page of others frames them, no browser guesses types, and files of
# two versions of the page are never mixed
HEADERS = [
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-cache"),
]
CLIENTS = 1024  # addresses whose rate is remembered
# seconds in which the rest of a refused body is thrown away, so that its client reads
# the refusal instead of meeting a closed connection
LINGER = 1.0


class RequestLimits:
    """An application behind checks of address, origin, rate, token, size and time."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it pass."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(receive, self.settings)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *HEADERS]}
                if message["status"] >= 400:
                    await body.discard()
            await send(message)

        self._open += 1
        try:
            self._check(scope["path"], Headers(scope=scope), scope["client"])
        except Refusal as refusal:
            await answer(refusal)(scope, receive, sending)
        else:
            await self.app(scope, body.receive, sending)
        finally:
            self._open -= 1

    def _check(self, path: str, headers: Headers, client: tuple[str, int]) -> None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.settings.local and not LOCAL.fullmatch(host):
            mend = "ask by that name; --host and --token serve others"
            raise Refusal(403, f"host {host!r}", "127.0.0.1 or localhost", mend)
        if origin is not None and origin.partition("://")[2] != host:
            given = f"a request of a page of {origin!r}"
            raise Refusal(403, given, "pages of this server, or programs")
        self._check_rate(client[0])
        if self.settings.token is not None and not PUBLIC.fullmatch(path):
            scheme, _, token = headers.get("authorization", "").partition(" ")
            pair = token.strip().encode(), self.settings.token.encode()
            if scheme.lower() != "bearer" or not hmac.compare_digest(*pair):
                expected = "the header Authorization: Bearer TOKEN"
                mend = "ask who runs the server for its token"
                raise Refusal(401, "no token, or another one", expected, mend)
        if self._open > self.settings.open:
            raise busy()
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > self.settings.body:
            raise too_large("the body", f"{self.settings.body} bytes")

    def _check_rate(self, address: str) -> None:
        """Take one of the requests that an address has left; some come each second."""
        now, rate = time.monotonic(), self.settings.rate
        left, then = self._left.pop(address, (2 * rate, now))
        left = min(2 * rate, left + (now - then) * rate)
        self._left[address] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > CLIENTS:
            self._left.popitem(last=False)
        if left < 1:
            most = f"at most {rate:g} a second"
            raise Refusal(429, "too many requests", most, "wait a second", 1)


class _Body:
    """A body on its way, with a limit on its bytes and its time."""

    def __init__(self, receive: Receive, settings: Settings) -> None:
        self._receive, self.settings = receive, settings
        self.taken, self.whole = 0, False
        self.until = time.monotonic() + settings.upload

    async def receive(self) -> Message:
        """The next part; what is too much or too late is refused."""
        if self.whole:
            return await self._receive()
        try:
            message = await self._next(self.until)
        except TimeoutError as error:
            most = f"all of it in {self.settings.upload:g} s"
            raise Refusal(408, "a body that arrives slowly", most) from error
        if self.taken > self.settings.body:
            raise too_large("the body", f"{self.settings.body} bytes")
        return message

    async def discard(self) -> None:
        """Throw the rest away, for a short while."""
        until = time.monotonic() + LINGER
        with suppress(TimeoutError):
            while not self.whole:
                await self._next(until)

    async def _next(self, until: float) -> Message:
        async with asyncio.timeout(until - time.monotonic()):
            message = await self._receive()
        self.taken += len(message.get("body", b""))
        self.whole = message["type"] != "http.request" or not message.get("more_body")
        return message


def answer(error: InputError) -> Response:
    """One line of JSON that says no."""
    refusal = error if isinstance(error, Refusal) else Refusal(422, *error.args)
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    line = json.dumps(parts_of(refusal)) + "\n"
    return Response(line, refusal.status, headers, "application/json")
