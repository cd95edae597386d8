"""A load generator's HTTP/1.1 connection: so little Python a request that the server is what is measured.

It writes prepared bytes, finds `Content-Length` by a search, and counts the lines of a stream without reading them.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast


class Connection(asyncio.Protocol):
    """One kept-alive connection, one request at a time; or, after `stream`, a counter of lines."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._want = 0
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.streaming = False
        self._brace = False
        self.lines = 0
        self.bytes = 0

    @staticmethod
    async def open(host: str, port: int, tls: ssl.SSLContext | None) -> Connection:
        """Connect."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, host, port, ssl=tls)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are not subclasses of asyncio's.
        transport = cast("asyncio.Transport", transport)
        self._transport = transport

    def request(self, head_and_body: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; the future gives the status and the body."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head_and_body)
        return self._answer

    def stream(self, head: bytes) -> None:
        """Send a watch request; from now on only lines are counted."""
        assert self._transport is not None
        self.streaming = True
        self._transport.write(head)

    def data_received(self, data: bytes) -> None:
        """Count, or complete the answer that is waited for."""
        self.bytes += len(data)
        if self.streaming:
            # Every event is one chunk `{...}\n`: a line feed that no carriage return precedes ends an event.
            self.lines += data.count(b"}\n") + (self._brace and data[:1] == b"\n")
            self._brace = data[-1:] == b"}"
            return
        if not self._buffer and not self._want:
            self._head(data)
        else:
            self._buffer += data
            if not self._want:
                whole, self._buffer = bytes(self._buffer), bytearray()
                self._head(whole)
        if self._want and len(self._buffer) >= self._want:
            self._complete()

    def _head(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._buffer += data
            return
        at = data.lower().find(b"content-length:", 0, end)
        length = int(data[at + 15 : data.index(b"\r", at)])
        self._status = int(data[9:12])
        self._start = end + 4
        self._want = self._start + length
        self._buffer += data

    def _complete(self) -> None:
        body = bytes(self._buffer[self._start : self._want])
        self._buffer.clear()
        self._want = 0
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result((self._status, body))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request under way."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
