"""The DNS server's sockets: UDP, and TCP for long answers. Everything a client can make grow is bounded.

Rules: RFC 1035 section 4.2, RFC 7766 (TCP: several questions on one connection, answers in any order).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

from homeostat.kit import tasks
from homeostat.network.dns.responder import Pending, Responder

_QUESTION_BYTES_MAX = 4096
_UNREAD_BYTES_MAX = 256 * 1024
_LENGTH_BYTES = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may occupy: questions in wait (all over UDP, each connection's over TCP), connections, idle time."""

    waiting: int = 1000
    connections: int = 500
    idle_seconds: float = 10.0


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, responder: Responder, limits: Limits) -> None:
        self._responder = responder
        self._limits = limits
        self._waiting = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._responder.at_once(data, tcp=False)
        if isinstance(reply, Pending):
            if self._waiting >= self._limits.waiting:
                reply = self._responder.failure(reply)
            else:
                self._waiting += 1
                tasks.spawn(self._later(reply, addr), name="dns/udp")
                return
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)

    async def _later(self, pending: Pending, addr: tuple[str, int]) -> None:
        try:
            reply = await self._responder.later(pending)
            if self._transport is not None and not self._transport.is_closing():
                self._transport.sendto(reply, addr)
        finally:
            self._waiting -= 1


class _Stream(asyncio.Protocol):
    """One connection."""

    def __init__(self, responder: Responder, streams: set[_Stream], limits: Limits) -> None:
        self._responder = responder
        self._limits = limits
        self._streams = streams
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting = 0
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        if len(self._streams) >= self._limits.connections:
            self.close()
            return
        self._streams.add(self)
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._streams.discard(self)
        if self._idle is not None:
            self._idle.cancel()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._rest()
        while len(self._buffer) >= _LENGTH_BYTES:
            length = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
            if not 0 < length <= _QUESTION_BYTES_MAX:
                self.close()
                return
            if len(self._buffer) < _LENGTH_BYTES + length:
                return
            question = bytes(self._buffer[_LENGTH_BYTES : _LENGTH_BYTES + length])
            del self._buffer[: _LENGTH_BYTES + length]
            self._asked(question)

    def _asked(self, question: bytes) -> None:
        reply = self._responder.at_once(question, tcp=True)
        if isinstance(reply, Pending):
            if self._waiting >= self._limits.waiting:
                reply = self._responder.failure(reply)
            else:
                self._waiting += 1
                tasks.spawn(self._later(reply), name="dns/tcp")
                return
        if reply is None:
            self.close()
        else:
            self._send(reply)

    async def _later(self, pending: Pending) -> None:
        try:
            self._send(await self._responder.later(pending))
        finally:
            self._waiting -= 1

    def _send(self, reply: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(len(reply).to_bytes(_LENGTH_BYTES, "big") + reply)
        if transport.get_write_buffer_size() > _UNREAD_BYTES_MAX:
            self.close()

    def _rest(self) -> None:
        """Begin to wait for the next question."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._limits.idle_seconds, self.close)


class DnsServer:
    """A running server; `serve` makes it."""

    def __init__(self, datagrams: asyncio.DatagramTransport, listener: asyncio.Server, streams: set[_Stream]) -> None:
        self._datagrams = datagrams
        self._listener = listener
        self._streams = streams
        self.port = int(datagrams.get_extra_info("sockname")[1])

    async def close(self) -> None:
        """Stop answering."""
        self._datagrams.close()
        self._listener.close()
        for stream in list(self._streams):
            stream.close()
        await self._listener.wait_closed()


async def serve(responder: Responder, *, host: str, port: int, limits: Limits | None = None) -> DnsServer:
    """Answer on `host` and `port` (0: any free one), over UDP and TCP, within `limits`. Raises OSError."""
    within = limits or Limits()
    loop = asyncio.get_running_loop()
    streams: set[_Stream] = set()
    listener = await loop.create_server(lambda: _Stream(responder, streams, within), host, port)
    chosen = listener.sockets[0].getsockname()[1]
    try:
        datagrams, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(responder, within), local_addr=(host, chosen)
        )
    except OSError:
        listener.close()
        raise
    return DnsServer(datagrams, listener, streams)
