"""A load generator's HTTP/1.1 connection: so little work a request that the server is what is measured.

It writes prepared bytes, reads into a buffer that it keeps, finds `Content-Length` by a search, and counts the events
of a stream without looking at them.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

_BUFFER_BYTES = 64 * 1024


class Connection(asyncio.BufferedProtocol):
    """One kept-alive connection, one request at a time; or, after `stream`, a counter of events in `lines`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._store = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._store)
        # Of the answer that is on its way: the bytes that are here, its body's place, and its status.
        self._filled = 0
        self._start = 0
        self._end = 0
        self._status = 0
        self._answer: asyncio.Future[tuple[int, memoryview]] | None = None
        self._streaming = False
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
        self._transport = cast("asyncio.Transport", transport)

    def request(self, head_and_body: bytes) -> asyncio.Future[tuple[int, memoryview]]:
        """Send a request; the future gives the status, and the body as it stands in the buffer until the next one."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head_and_body)
        return self._answer

    def stream(self, head: bytes) -> None:
        """Send a watch request; from now on only events are counted."""
        assert self._transport is not None
        self._streaming = True
        self._transport.write(head)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Count, or complete the answer that is waited for."""
        self.bytes += nbytes
        store = self._store
        if self._streaming:
            # Every event is one line that ends in a line feed; those of HTTP itself follow a carriage return.
            self.lines += store.count(b"\n", 0, nbytes) - store.count(b"\r", 0, nbytes)
            return
        self._filled += nbytes
        if not self._end:
            self._read_head()
        if 0 < self._end <= self._filled:
            self._complete()

    def _read_head(self) -> None:
        end = self._store.find(b"\r\n\r\n", 0, self._filled)
        if end < 0:
            return
        head = bytes(self._view[:end]).lower() + b"\r\n"
        at = head.index(b"content-length:") + 15
        self._status = int(head[9:12])
        self._start = end + 4
        self._end = self._start + int(head[at : head.index(b"\r", at)])
        if self._end >= len(self._store):
            # The buffer is never full: there is always room to read into.
            larger = bytearray(self._end + _BUFFER_BYTES)
            larger[: self._filled] = self._view[: self._filled]
            self._store, self._view = larger, memoryview(larger)

    def _complete(self) -> None:
        body = self._view[self._start : self._end]
        self._filled = self._end = 0
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
