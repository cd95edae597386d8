"""The runtime's streaming server: one-time URLs on loopback, each for one stream that was agreed on beforehand.

As in the CRI, whoever has the URL may use it, once, and soon. SPDY/3.1 alone: the API server translates newer
WebSockets, older ones are refused by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from homeostat.kit import chance, clock
from homeostat.wire.duplex import Duplex
from homeostat.wire.fields import is_upgrade, text_response
from homeostat.wire.message import Request, Response
from homeostat.wire.server import Server, serve

_GOOD_SECONDS = 60.0
_TOKENS_MAX = 1000
_SPDY = "SPDY/3.1"
_VERSION = "x-stream-protocol-version"


@dataclass(frozen=True, slots=True)
class _Agreed:
    """A stream that has a URL: its protocol, what is done with the connection, and until when the URL is good."""

    protocol: str
    work: Callable[[Duplex], Awaitable[None]]
    until: float


class StreamServer:
    """See the module. It listens from the first URL on."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self._agreed: dict[str, _Agreed] = {}

    async def url(self, what: str, protocol: str, work: Callable[[Duplex], Awaitable[None]]) -> str:
        """A URL at which `work` is done, once. Raises OSError when no port is to be had."""
        if self._server is None:
            self._server = await serve(self._handle)
        now = clock.monotonic()
        self._agreed = {token: agreed for token, agreed in self._agreed.items() if agreed.until > now}
        while len(self._agreed) >= _TOKENS_MAX:
            del self._agreed[next(iter(self._agreed))]
        token = chance.token_hex(32)
        self._agreed[token] = _Agreed(protocol, work, now + _GOOD_SECONDS)
        return f"http://127.0.0.1:{self._server.port}/{what}/{token}"

    async def close(self) -> None:
        """End all streams."""
        server, self._server = self._server, None
        self._agreed.clear()
        if server is not None:
            await server.close(grace_seconds=1.0)

    async def _handle(self, request: Request) -> Response:
        agreed = self._agreed.pop(request.path.rpartition("/")[2], None)
        if agreed is None or agreed.until <= clock.monotonic():
            return text_response(404, "404 page not found")
        asked = request.headers.get("upgrade", "")
        if not is_upgrade(request) or asked.lower() != _SPDY.lower():
            return text_response(400, f"unable to upgrade: this runtime's streams speak {_SPDY}, not {asked or 'HTTP'}")
        offered = [word.strip() for word in request.headers.get(_VERSION, "").split(",")]
        if agreed.protocol not in offered:
            refusal = text_response(403, f"unable to upgrade: this runtime speaks {agreed.protocol}, not {offered}")
            refusal.headers["x-accepted-stream-protocol-versions"] = agreed.protocol
            return refusal
        headers = {"connection": "Upgrade", "upgrade": _SPDY, _VERSION: agreed.protocol}
        return Response(101, b"", headers, upgrade=agreed.work)
