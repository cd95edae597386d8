"""A load generator's HTTP/1.1 connection: so little work a request that the server is what is measured.

It writes prepared bytes, finds `Content-Length` by a search, keeps what it reads as it came, and counts the events of a
stream without looking at them.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast


class Body:
    """An answer's body: the chunks that came, of which the first begins with the head. Joined only when asked for."""

    __slots__ = ("_chunks", "_length", "_start")

    def __init__(self, chunks: list[bytes], start: int, length: int) -> None:
        self._chunks = chunks
        self._start = start
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __bytes__(self) -> bytes:
        chunks = self._chunks
        whole = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return whole[self._start : self._start + self._length]


class Connection(asyncio.Protocol):
    """One kept-alive connection, one request at a time; or, after `stream`, a counter of events in `lines`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        # Of the answer that is on its way: its chunks and their bytes, its body's place, and its status.
        self._chunks: list[bytes] = []
        self._came = 0
        self._start = 0
        self._end = 0
        self._status = 0
        self._answer: asyncio.Future[tuple[int, Body]] | None = None
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

    def request(self, head_and_body: bytes) -> asyncio.Future[tuple[int, Body]]:
        """Send a request; the future gives the status and the body."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head_and_body)
        return self._answer

    def stream(self, head: bytes) -> None:
        """Send a watch request; from now on only events are counted."""
        assert self._transport is not None
        self._streaming = True
        self._transport.write(head)

    def data_received(self, data: bytes) -> None:
        """Count, or complete the answer that is waited for."""
        self.bytes += len(data)
        if self._streaming:
            # Every event is one line that ends in a line feed; those of HTTP itself follow a carriage return.
            self.lines += data.count(b"\n") - data.count(b"\r")
            return
        self._chunks.append(data)
        self._came += len(data)
        if not self._end:
            self._read_head()
        if 0 < self._end <= self._came:
            self._complete()

    def _read_head(self) -> None:
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        (data,) = self._chunks
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        at = data.find(b"content-length:", 0, end)
        if at < 0:
            at = data[:end].lower().index(b"content-length:")
        self._status = int(data[9:12])
        self._start = end + 4
        self._end = self._start + int(data[at + 15 : data.index(b"\r", at)])

    def _complete(self) -> None:
        body = Body(self._chunks, self._start, self._end - self._start)
        self._chunks = []
        self._came = self._end = 0
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
