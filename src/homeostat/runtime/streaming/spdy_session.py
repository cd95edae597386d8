"""The server's side of one SPDY connection: streams that a client opens, each read and written on its own.

A stream that is not read stops the reading of the whole connection, as in Go's servers: there is no flow control but
TCP's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from homeostat.wire import spdy
from homeostat.wire.duplex import Duplex, Gate, Inbox

STREAMS_MAX = 1000
_REFUSED_STREAM = 3


class Streaming(Protocol):
    """One of a connection's streams, whatever carries it."""

    @property
    def headers(self) -> spdy.Headers:
        """What the client said when it opened it: `streamtype`, and more."""
        ...

    async def read(self) -> bytes:
        """The next bytes; empty once the client is done with this stream."""
        ...

    def write(self, data: bytes) -> None:
        """Send. Raises ConnectionError once the stream or its connection is over."""
        ...

    async def drain(self) -> None:
        """Wait while the client does not keep up. Raises ConnectionError."""
        ...

    def end(self) -> None:
        """Nothing more comes from us."""
        ...


class Connection(Protocol):
    """A client's connection, made of streams. One that is `fixed` has all its streams from the start."""

    @property
    def fixed(self) -> bool: ...

    async def run(self, opened: Callable[[Streaming], None]) -> None:
        """Read until the client leaves; `opened` is called for each new stream. Raises ConnectionError on nonsense."""
        ...

    def close(self) -> None:
        """End all streams and the connection; what was written still arrives."""
        ...


class Stream:
    """One stream; a `Duplex` but for `end`, which ends our half alone."""

    def __init__(self, session: Session, number: int, headers: spdy.Headers) -> None:
        self.headers = headers
        self.number = number
        self.gate = Gate()
        self.inbox = Inbox(full=self.gate.shut, drained=self.gate.open)
        self._session = session
        self._ended = False

    async def read(self) -> bytes:
        """The next bytes; empty once the client is done with this stream."""
        return await self.inbox.get()

    def write(self, data: bytes) -> None:
        """Send. Raises ConnectionError once the stream or its connection is over."""
        if self._ended:
            raise ConnectionResetError("the stream has ended")
        self._session.send(spdy.data_frames(self.number, data))

    async def drain(self) -> None:
        """Wait while the client does not keep up. Raises ConnectionError."""
        await self._session.drain()

    def end(self) -> None:
        """Nothing more comes from us."""
        if not self._ended:
            self._ended = True
            self._session.send_last(spdy.data_frames(self.number, b"", last=True))

    def over(self) -> None:
        """The client has reset the stream, or the connection is over."""
        self._ended = True
        self.inbox.end()
        self.gate.open()


class Session:
    """See the module."""

    fixed = False

    def __init__(self, connection: Duplex) -> None:
        self._connection = connection
        self._reader = spdy.FrameReader()
        self._writer = spdy.FrameWriter()
        self._streams: dict[int, Stream] = {}

    async def run(self, opened: Callable[[Streaming], None]) -> None:
        """See `Connection`."""
        try:
            while data := await self._connection.read():
                for frame in self._reader.feed(data):
                    await self._take(frame, opened)
        finally:
            for stream in self._streams.values():
                stream.over()

    def send(self, data: bytes) -> None:
        """Write frames. Raises ConnectionError."""
        self._connection.write(data)

    def send_last(self, data: bytes) -> None:
        """Write frames, if the peer is still connected."""
        try:
            self._connection.write(data)
        except ConnectionError:
            return

    async def drain(self) -> None:
        """See `Duplex`."""
        await self._connection.drain()

    def close(self) -> None:
        """See `Connection`."""
        for stream in self._streams.values():
            self.send_last(spdy.reset_frame(stream.number))
            stream.over()
        self.send_last(spdy.goaway_frame())
        self._connection.close()

    async def _take(self, frame: spdy.Frame, opened: Callable[[Streaming], None]) -> None:
        match frame:
            case spdy.SynStream(number, headers, last):
                if number in self._streams or len(self._streams) >= STREAMS_MAX:
                    self.send(spdy.reset_frame(number, _REFUSED_STREAM))
                    return
                stream = self._streams[number] = Stream(self, number, headers)
                self.send(self._writer.syn_reply(number))
                if last:
                    stream.inbox.end()
                opened(stream)
            case spdy.Data(number, data, last) if number in self._streams:
                stream = self._streams[number]
                if data and not stream.inbox.ended:
                    stream.inbox.put(data)
                    await stream.gate.passed()
                if last:
                    stream.inbox.end()
            case spdy.Reset(number) if number in self._streams:
                self._streams.pop(number).over()
            case spdy.Ping(number) if number % 2 == 1:
                self.send(spdy.ping_frame(number))
