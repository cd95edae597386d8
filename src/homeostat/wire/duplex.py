"""Bytes both ways: what a connection is once it has left HTTP, and how two such connections are joined.

A stream is over when either side ends it: neither TLS in asyncio nor Go's proxies close one direction alone, and the
protocols that need it (SPDY, WebSocket channels) say so in their own words.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from homeostat.kit import tasks

# What one side may have unread before its writer waits.
BUFFER_BYTES = 256 * 1024


class Duplex(Protocol):
    """One end of a stream of bytes."""

    async def read(self) -> bytes:
        """The next bytes; empty once the other side has ended."""
        ...

    def write(self, data: bytes) -> None:
        """Send; nothing is waited for, so several writers keep their order. Raises ConnectionError once the other
        side is gone."""
        ...

    async def drain(self) -> None:
        """Wait while the other side does not keep up; call it when writing a lot. Raises ConnectionError."""
        ...

    def close(self) -> None:
        """End the stream; what was written still arrives."""
        ...


# What is done with a connection after the head of a 101 has left. The stream is closed when it returns.
Upgrade: TypeAlias = Callable[[Duplex], Awaitable[None]]


async def splice(one: Duplex, other: Duplex) -> None:
    """Carry bytes between the two, unread, until either ends; both are closed then."""
    pours = [tasks.spawn(_pour(one, other), name="splice"), tasks.spawn(_pour(other, one), name="splice back")]
    try:
        await asyncio.wait(pours, return_when=asyncio.FIRST_COMPLETED)
    finally:
        one.close()
        other.close()
        await tasks.stop(*pours)


async def _pour(source: Duplex, sink: Duplex) -> None:
    try:
        while data := await source.read():
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        return  # the sink is gone, which ends the stream


class Inbox:
    """Bytes on their way to a reader. `full` and `drained` signal the writer's side when to pause and continue."""

    def __init__(self, *, full: Callable[[], None], drained: Callable[[], None]) -> None:
        self.ended = False
        self._chunks: deque[bytes] = deque()
        self._bytes = 0
        self._paused = False
        self._full = full
        self._drained = drained
        self._reader: asyncio.Future[None] | None = None

    def put(self, data: bytes) -> None:
        """More bytes came; `full` is called when there are too many now."""
        self._chunks.append(data)
        self._bytes += len(data)
        self._wake()
        if self._bytes > BUFFER_BYTES and not self._paused:
            self._paused = True
            self._full()

    def end(self) -> None:
        """No more will come."""
        self.ended = True
        self._wake()

    async def get(self) -> bytes:
        """All that is there, once something is; empty at the end."""
        while not self._chunks:
            if self.ended:
                return b""
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._bytes = 0
        if self._paused:
            self._paused = False
            self._drained()
        return data

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class Gate:
    """Where a writer waits: shut while the other side does not keep up."""

    def __init__(self, *, shut: bool = False) -> None:
        self._shut = shut
        self._waiting: set[asyncio.Future[None]] = set()

    def shut(self) -> None:
        """Who passes from now on waits."""
        self._shut = True

    def open(self) -> None:
        """Let all pass."""
        self._shut = False
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def passed(self) -> None:
        """Wait until it is open."""
        while self._shut:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)


def pair() -> tuple[Duplex, Duplex]:
    """Two ends of one stream in this process, bounded like a connection."""
    one, other = _End(), _End()
    one.peer, other.peer = other, one
    return one, other


class _End:
    """One end of a `pair`; `gate` is shut while the peer has too much unread."""

    peer: _End

    def __init__(self) -> None:
        self.gate = Gate()
        self.inbox = Inbox(full=lambda: self.peer.gate.shut(), drained=lambda: self.peer.gate.open())

    async def read(self) -> bytes:
        return await self.inbox.get()

    def write(self, data: bytes) -> None:
        if self.peer.inbox.ended:
            raise ConnectionResetError("the stream has ended")
        self.peer.inbox.put(data)

    async def drain(self) -> None:
        await self.gate.passed()
        if self.peer.inbox.ended:
            raise ConnectionResetError("the stream has ended")

    def close(self) -> None:
        for end in (self, self.peer):
            end.inbox.end()
            end.gate.open()
