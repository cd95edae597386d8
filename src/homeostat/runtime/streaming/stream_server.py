"""The runtime's streaming server: one-time URLs on loopback, each for one stream that was agreed on beforehand.

As in the CRI, whoever has the URL may use it, once, and soon. Over SPDY/3.1, and over the WebSockets of older clients;
the API server translates newer ones.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from homeostat.kit import chance, clock
from homeostat.runtime.streaming.spdy_session import Connection, Session
from homeostat.wire import spdy
from homeostat.wire.duplex import Duplex
from homeostat.wire.fields import is_upgrade, text_response
from homeostat.wire.http_server import Server, serve
from homeostat.wire.message import Request, Response

_GOOD_SECONDS = 60.0
_TOKENS_MAX = 1000
_SPDY = "SPDY/3.1"
# The protocols of a WebSocket here, whatever is sent over it.
_CHANNELS = "v4.channel.k8s.io"
_VERSION = "x-stream-protocol-version"


@dataclass(frozen=True, slots=True)
class _Agreed:
    """A stream that has a URL: its protocol over SPDY, the channels that a WebSocket has, what is done with the
    connection, and until when the URL is good."""

    protocol: str
    channels: Sequence[spdy.Headers]
    work: Callable[[Connection], Awaitable[None]]
    until: float


class StreamServer:
    """See the module. It listens from the first URL on."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self._agreed: dict[str, _Agreed] = {}

    async def url(
        self,
        what: str,
        protocol: str,
        work: Callable[[Connection], Awaitable[None]],
        *,
        channels: Sequence[spdy.Headers],
    ) -> str:
        """A URL at which `work` is done, once. Raises OSError when no port is to be had."""
        if self._server is None:
            self._server = await serve(self._handle)
        now = clock.monotonic()
        self._agreed = {token: agreed for token, agreed in self._agreed.items() if agreed.until > now}
        while len(self._agreed) >= _TOKENS_MAX:
            del self._agreed[next(iter(self._agreed))]
        token = chance.token_hex(32)
        self._agreed[token] = _Agreed(protocol, channels, work, now + _GOOD_SECONDS)
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
        if is_upgrade(request) and asked.lower() == "websocket" and agreed.channels:
            protocol, offered = _CHANNELS, request.headers.get("sec-websocket-protocol", "").split(",")
        elif is_upgrade(request) and asked.lower() == _SPDY.lower():
            protocol, offered = agreed.protocol, request.headers.get(_VERSION, "").split(",")
        else:
            return text_response(400, f"unable to upgrade: this stream speaks {_SPDY}, not {asked or 'HTTP'}")
        if protocol not in map(str.strip, offered):
            refusal = text_response(403, f"unable to upgrade: this stream speaks {protocol}, not {offered}")
            refusal.headers["x-accepted-stream-protocol-versions"] = protocol
            return refusal
        return _over_websocket(request, agreed) if asked.lower() == "websocket" else _over_spdy(agreed)


def _over_spdy(agreed: _Agreed) -> Response:
    async def upgrade(stream: Duplex) -> None:
        await agreed.work(Session(stream))

    headers = {"connection": "Upgrade", "upgrade": _SPDY, _VERSION: agreed.protocol}
    return Response(101, b"", headers, upgrade=upgrade)


def _over_websocket(request: Request, agreed: _Agreed) -> Response:
    # `websockets` takes 15 ms to import: it is for those who use it.
    from homeostat.runtime.streaming.websocket_channels import ChannelSession
    from homeostat.wire.websocket import accept

    async def upgrade(stream: Duplex) -> None:
        await agreed.work(ChannelSession(stream, agreed.channels))

    return Response(101, b"", accept(request, _CHANNELS), upgrade=upgrade)
