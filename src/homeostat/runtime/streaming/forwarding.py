"""port-forward: connections to a pod's ports, any number over one SPDY connection (portforward.k8s.io), or one for each
port over a WebSocket.

Each forwarded connection is a pair of streams of one `requestid`: one for data, one for what went wrong.
"""

from __future__ import annotations

import asyncio
import contextlib

from homeostat.kit import tasks
from homeostat.runtime.streaming.spdy_session import Connection, Streaming
from homeostat.wire.duplex import BUFFER_BYTES

PROTOCOL = "portforward.k8s.io"
_CONNECT_SECONDS_MAX = 10.0


async def serve_ports(connection: Connection, address: str) -> None:
    """Forward to the ports of `address` until the client leaves, or all is over that it could ask for."""
    halves: dict[str, dict[str, Streaming]] = {}
    running: set[asyncio.Task[None]] = set()

    def over(task: asyncio.Task[None]) -> None:
        running.discard(task)
        if connection.fixed and not running:
            connection.close()

    def opened(stream: Streaming) -> None:
        request, kind = stream.headers.get("requestid", ""), stream.headers.get("streamtype", "")
        pair = halves.setdefault(request, {})
        pair[kind] = stream
        if pair.keys() >= {"data", "error"}:
            del halves[request]
            task = tasks.spawn(_forward(pair["data"], pair["error"], address), name="port forward")
            running.add(task)
            task.add_done_callback(over)

    try:
        with contextlib.suppress(ConnectionError):  # no SPDY, or gone
            await connection.run(opened)
    finally:
        await tasks.stop(*running)
        connection.close()


async def _forward(data: Streaming, error: Streaming, address: str) -> None:
    """One connection: to the end of both directions, for a client may end its own and still read."""
    port = data.headers.get("port", "")
    try:
        async with asyncio.timeout(_CONNECT_SECONDS_MAX):
            reader, writer = await asyncio.open_connection(address, int(port), limit=BUFFER_BYTES)
    except (OSError, ValueError, OverflowError, TimeoutError) as trouble:
        with contextlib.suppress(ConnectionError):
            error.write(f"error forwarding port {port} to pod: {trouble or 'no answer'}".encode())
        data.end()
        error.end()
        return
    upward = tasks.spawn(_send(data, writer), name="port forward up")
    try:
        while chunk := await reader.read(BUFFER_BYTES):
            data.write(chunk)
            await data.drain()
    except ConnectionError:
        pass  # either side is gone
    finally:
        data.end()
        error.end()
        await tasks.stop(upward)
        writer.close()


async def _send(data: Streaming, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await data.read():
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except ConnectionError:
        return
