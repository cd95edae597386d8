"""The transport over HTTP/1.1: kept-alive connections to several API servers, and failover between them.

It stays with one server until that fails: refused or broken connections, silence, or 503 lead to the next one, and the
failed one is left alone for a moment. Which requests may be sent twice is the caller's word (`client.api_client`); a
request that certainly did not leave is always sent to the next server. Written for few processor cycles: controllers
and node agents share their cores with everything else.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from homeostat.api.errors import ApiError
from homeostat.client.connection import ClientConnection
from homeostat.client.contract import Unreachable
from homeostat.client.transport import Fence, try_next
from homeostat.kit import clock
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.wire.fields import encode_target, is_stream, is_upgrade
from homeostat.wire.message import Request, Response
from homeostat.wire.tls import expired, explain

_TARGET = re.compile(rb"[^\x00-\x20\x7f]*")
_DOWN = Backoff(first_seconds=0.2, ceiling_seconds=5.0)

_log = logger("client")


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait, in seconds. All but `connect` bound the silence on a connection, not a whole exchange."""

    connect: float = 2.0
    answer: float = 10.0
    # Watches: a server sends a bookmark each minute.
    watch: float = 90.0
    # How long an unused connection is kept; less than servers do, so that they seldom close one as we write to it.
    idle: float = 60.0
    # How long a connection is used at all: so that a renewed certificate comes into use, and that a server which comes
    # back behind a load balancer gets its share.
    life: float = 120.0


class _Endpoint:
    """One API server: where it is, its free connections, and whether it has failed."""

    def __init__(self, url: str, tls: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not the URL of an API server")
        if parts.scheme == "https" and tls is None:
            raise ValueError(f"{url!r} needs a TLS context")
        self.url = url
        self.host = parts.hostname
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.tls = tls if parts.scheme == "https" else None
        self.host_line = f"host: {parts.netloc}\r\n"
        self.free: list[ClientConnection] = []
        self.failures = 0
        self.down_until = 0.0

    def failed(self) -> None:
        """Leave it alone for a moment."""
        self.down_until = clock.monotonic() + _DOWN.delay(self.failures)
        self.failures += 1

    def worked(self) -> None:
        """It answers."""
        self.failures = 0
        self.down_until = 0.0


class HttpTransport:
    """Implements `client.transport.Transport` over `endpoints` (URLs), in their order of preference.

    `tls` holds the trusted authority and the client certificate; `token` is sent as a bearer token, or what it returns
    then. The server's certificate is for `server_name`, or (empty) for the host of the URL. At most `connections_max`
    requests are under way at once, streams not counted.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        tls: ssl.SSLContext | None = None,
        token: str | Callable[[], str] = "",
        server_name: str = "",
        timing: Timing | None = None,
        connections_max: int = 32,
    ) -> None:
        if not endpoints:
            raise ValueError("at least one API server is needed")
        self._endpoints = [_Endpoint(url, tls) for url in endpoints]
        self._current = 0
        self._token = token
        self._server_name = server_name
        self._timing = timing or Timing()
        self._slots = asyncio.Semaphore(connections_max)
        self._open: set[ClientConnection] = set()
        self._closed = False

    async def send(self, request: Request, *, repeatable: bool, fence: Fence | None = None) -> Response:
        """The first answer of a living server. Raises Unreachable, and what `fence` raises."""
        if is_stream(request) or is_upgrade(request):
            return await self._send(request, repeatable=repeatable, fence=fence)
        async with self._slots:
            return await self._send(request, repeatable=repeatable, fence=fence)

    async def stream(self, request: Request, *, repeatable: bool = False) -> Response:
        """The answer of whatever status, as soon as its head is there, its body in pieces. Raises Unreachable."""
        return await self._send(request, repeatable=repeatable, pieces=True)

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        for connection in list(self._open):
            connection.close()

    async def _send(
        self, request: Request, *, repeatable: bool, pieces: bool = False, fence: Fence | None = None
    ) -> Response:
        start, rest = self._encode(request)
        refusal: Response | None = None
        troubles = []
        sent = False
        for endpoint in self._order():
            if self._closed:
                raise Unreachable("the client is closed", sent=sent)
            data = b"".join((start, endpoint.host_line.encode("latin-1"), rest))
            try:
                response = await self._ask(endpoint, request, data, repeatable=repeatable, pieces=pieces, fence=fence)
            except _NotSent as trouble:
                troubles.append(f"{endpoint.url}: {trouble}")
                endpoint.failed()
                continue
            except ConnectionError as error:
                sent = True
                endpoint.failed()
                troubles.append(f"{endpoint.url}: {error}")
                if repeatable:
                    continue
                break
            if not try_next(response, repeatable=repeatable):
                self._stay(endpoint)
                return response
            refusal = response
            endpoint.failed()
        if refusal is not None:
            return refusal
        own = {expired(endpoint.tls) for endpoint in self._endpoints if endpoint.tls is not None} - {""}
        why = "; ".join([*sorted(own), *troubles])
        raise Unreachable(f"no API server answers: {why}", why=why, sent=sent)

    async def _ask(
        self,
        endpoint: _Endpoint,
        request: Request,
        data: bytes,
        *,
        repeatable: bool,
        pieces: bool,
        fence: Fence | None,
    ) -> Response:
        """One server's answer, over a free connection or a new one. Raises _NotSent or ConnectionError."""
        timing = self._timing
        stream_silence = float("inf") if pieces else None
        if is_stream(request):
            stream_silence = timing.watch if "watch" in request.query else float("inf")
        while True:
            # A server may be closing a kept connection; an upgrade is not worth that risk.
            connection = None if is_upgrade(request) else self._free(endpoint)
            fresh = connection is None
            if connection is None:
                connection = await self._connect(endpoint)
            try:
                if fence is not None:
                    fence()
                return await connection.exchange(
                    data,
                    silence_seconds=timing.answer,
                    bodiless=request.method == "HEAD",
                    stream_silence=stream_silence,
                    upgrading=is_upgrade(request),
                    pieces=pieces,
                )
            except ApiError:
                # The fence's: nothing has left over this connection.
                connection.close()
                raise
            except ConnectionResetError:
                # A server may close a kept connection just as it is used; that says nothing about a new one.
                if fresh or not repeatable:
                    raise

    def _free(self, endpoint: _Endpoint) -> ClientConnection | None:
        now = clock.monotonic()
        oldest, born = now - self._timing.idle, now - self._timing.life
        while endpoint.free:
            connection = endpoint.free.pop()
            if not connection.closed and connection.idle_since >= oldest and connection.born >= born:
                return connection
            connection.close()
        return None

    async def _connect(self, endpoint: _Endpoint) -> ClientConnection:
        loop = asyncio.get_running_loop()

        def lost(connection: ClientConnection) -> None:
            self._open.discard(connection)

        try:
            async with asyncio.timeout(self._timing.connect):
                _, connection = await loop.create_connection(
                    lambda: ClientConnection(endpoint.free.append, lost),
                    endpoint.host,
                    endpoint.port,
                    ssl=endpoint.tls,
                    server_hostname=(self._server_name or endpoint.host) if endpoint.tls is not None else None,
                )
        except TimeoutError as error:
            raise _NotSent(f"no connection within {self._timing.connect:g} s") from error
        except (OSError, ssl.SSLError) as error:
            raise _NotSent(explain(error) or type(error).__name__) from error
        self._open.add(connection)
        return connection

    def _order(self) -> list[_Endpoint]:
        """The servers to try: the current one first, those that failed just now last."""
        order = self._endpoints[self._current :] + self._endpoints[: self._current]
        if any(endpoint.failures for endpoint in order):
            now = clock.monotonic()
            order.sort(key=lambda endpoint: max(endpoint.down_until - now, 0.0))
        return order

    def _stay(self, endpoint: _Endpoint) -> None:
        if endpoint.failures:
            endpoint.worked()
        if self._endpoints[self._current] is not endpoint:
            _log.info("now talking to %s", endpoint.url)
            self._current = self._endpoints.index(endpoint)

    def _encode(self, request: Request) -> tuple[bytes, bytes]:
        """The request line, and everything after the Host header. Raises ValueError on a header or target that would
        break out of its line."""
        query = request.query if isinstance(request.query, dict) else dict(request.query)
        lines = [f"{name}: {value}\r\n" for name, value in request.headers.items()]
        if token := self._token() if callable(self._token) else self._token:
            lines.append(f"authorization: Bearer {token}\r\n")
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            lines.append(f"content-length: {len(request.body)}\r\n")
        head = "".join(lines)
        if head.count("\n") != len(lines) or head.count("\r") != len(lines):
            raise ValueError("a request header contains a line break")
        if not _TARGET.fullmatch(request.target):
            raise ValueError("the request target contains a space or a line break")
        target = request.target or encode_target(request.path, query).encode("ascii")
        start = b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), target)
        return start, (head + "\r\n").encode("latin-1") + request.body


class _NotSent(Exception):
    """The request did not leave: there was no connection."""
