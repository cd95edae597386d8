"""The HTTP/1.1 server edge: sockets in, `Request`s to a handler, `Response`s back.

Runs on any asyncio loop, fastest on uvloop. A handler that answers 101 gets the connection (`message.Response`). What
it does not do: HTTP/2, compression.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from email.utils import formatdate

from homeostat.kit import clock
from homeostat.wire.connection import Connection
from homeostat.wire.edge import Edge, Room
from homeostat.wire.limits import Limits
from homeostat.wire.message import Handler

_BACKLOG = 1024


class Server:
    """A running server; `serve` makes it. `port` is that of the first listening socket."""

    def __init__(self, edge: Edge, listeners: Sequence[asyncio.Server]) -> None:
        self._edge = edge
        self._listeners = listeners
        self._timer: asyncio.TimerHandle | None = None
        self.port = int(listeners[0].sockets[0].getsockname()[1])
        edge.wake = self._wake
        self._sweep()

    @property
    def room(self) -> Room:
        """What the bodies under way hold."""
        return self._edge.room

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._edge.connections)

    async def close(self, *, grace_seconds: float = 5.0) -> None:
        """Take no new connections, close idle ones, end watches, and let requests finish for `grace_seconds`."""
        edge = self._edge
        edge.closing = True
        for listener in self._listeners:
            listener.close()
        for connection in list(edge.connections):
            connection.shut()
        if edge.connections:
            try:
                async with asyncio.timeout(grace_seconds):
                    await edge.empty.wait()
            except TimeoutError:
                for connection in list(edge.connections):
                    connection.abort()
                await clock.sleep(0)
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        if self._timer is None and not self._edge.closing:
            self._sweep()
            self._timer = self._later()

    def _sweep(self) -> None:
        """Look at all deadlines, and note the time. Without connections it is not done again: an idle server sleeps."""
        edge = self._edge
        edge.now = clock.monotonic()
        edge.date = f"date: {formatdate(clock.wall(), usegmt=True)}\r\n".encode()
        for connection in list(edge.connections):
            connection.drop_if_overdue()
        trimmed = edge.room.trim()
        self._timer = None
        if edge.connections or not trimmed:
            self._timer = self._later()

    def _later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._edge.limits.sweep_seconds, self._sweep)


async def serve(
    handler: Handler,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    sockets: Sequence[socket.socket] = (),
    tls: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    bodies_on_demand: bool = False,
) -> Server:
    """Serve on `host` and `port` (0: any free one), or on sockets that are already bound. Raises OSError.

    With `bodies_on_demand` the handler must await `Request.take_body` before it looks at a body: once it knows that the
    client may send one.
    """
    edge = Edge(handler, limits or Limits(), bodies_on_demand=bodies_on_demand)
    loop = asyncio.get_running_loop()
    # A handshake comes before the headers, and in kube-apiserver within their time.
    handshake = edge.limits.header_seconds if tls is not None else None
    # A client that does not take part in the end of TLS is not waited for.
    shutdown_seconds = edge.limits.linger_seconds if tls is not None else None

    def connect() -> Connection:
        return Connection(edge)

    if not sockets:
        listener = await loop.create_server(
            connect,
            host,
            port,
            ssl=tls,
            backlog=_BACKLOG,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=shutdown_seconds,
        )
        return Server(edge, [listener])
    listeners = [
        await loop.create_server(
            connect,
            sock=sock,
            ssl=tls,
            backlog=_BACKLOG,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=shutdown_seconds,
        )
        for sock in sockets
    ]
    return Server(edge, listeners)
