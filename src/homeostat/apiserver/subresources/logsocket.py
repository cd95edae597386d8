"""A Pod's log over a WebSocket: each piece a message, as it is or in base64; an empty message comes first.

What the client sends is thrown away; when it leaves, the reading of the log ends. Rule: apimachinery's
util/httpstream/wsstream, stream.go (NewDefaultReaderProtocols).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

from homeostat.api import errors
from homeostat.kit import tasks
from homeostat.wire.duplex import Duplex
from homeostat.wire.message import Request, Response
from homeostat.wire.websocket import WebSocket, accept, protocols

_BASE64 = "base64.binary.k8s.io"
_SUPPORTED = ("", "binary.k8s.io", _BASE64)
_FAREWELL_SECONDS_MAX = 5.0


def over_websocket(request: Request, log: bytes | AsyncIterator[bytes]) -> Response:
    """The 101 that leads to the log. Raises ApiError: 400 on a handshake that is none, 403 when no protocol fits."""
    offered = protocols(request)
    chosen = next((word for word in offered or [""] if word in _SUPPORTED), None)
    if chosen is None:
        wrong, right = " ".join(offered), " ".join(filter(None, _SUPPORTED))
        raise errors.ApiError(
            403, "Forbidden", f"requested protocol(s) are not supported: [{wrong}]; supports [{right}]"
        )

    async def upgrade(stream: Duplex) -> None:
        socket = WebSocket(stream)
        sending = tasks.spawn(_send(socket, log, text=chosen == _BASE64), name="log to websocket")
        reading = tasks.spawn(_ignore(socket), name="websocket of a log")
        try:
            await asyncio.wait((sending, reading), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                socket.say_goodbye()
                await asyncio.wait((reading,), timeout=_FAREWELL_SECONDS_MAX)
        finally:
            await tasks.stop(sending, reading)
            socket.close()

    return Response(101, b"", accept(request, chosen), upgrade=upgrade)


async def _send(socket: WebSocket, log: bytes | AsyncIterator[bytes], *, text: bool) -> None:
    def write(data: bytes) -> None:
        if text:
            socket.write_text(base64.b64encode(data))
        else:
            socket.write(data)

    try:
        write(b"")
        if isinstance(log, bytes):
            if log:
                write(log)
            return
        async for chunk in log:
            if chunk:
                write(chunk)
                await socket.drain()
    except ConnectionError:
        return  # the client is gone


async def _ignore(socket: WebSocket) -> None:
    while await socket.read():
        pass
