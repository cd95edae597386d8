"""A container runtime's end of a SPDY stream, played by hand; and a WebSocket client's end. Both over any Duplex."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from websockets.frames import Opcode
from websockets.protocol import Protocol, Side, State

from homeostat.kit import tasks
from homeostat.wire import spdy
from homeostat.wire.duplex import Duplex, pair, splice
from homeostat.wire.message import Request, Response

Play = Callable[["SpdyNode"], Awaitable[None]]


class SpdyNode:
    """One connection. `opened` maps the names of streams to their numbers, in their order."""

    def __init__(self, stream: Duplex) -> None:
        self.stream = stream
        self.opened: dict[str, int] = {}
        self.headers: list[dict[str, str]] = []
        self._reader, self._writer = spdy.FrameReader(), spdy.FrameWriter()
        self._frames: deque[spdy.Frame] = deque()

    async def frame(self) -> spdy.Frame | None:
        """The next frame; None at the end."""
        while not self._frames:
            data = await self.stream.read()
            if not data:
                return None
            self._frames.extend(self._reader.feed(data))
        return self._frames.popleft()

    async def open(self, count: int, *, reply: bool = True) -> None:
        """Take so many streams."""
        while len(self.opened) < count:
            frame = await self.frame()
            assert isinstance(frame, spdy.SynStream), frame
            self.opened[frame.headers["streamtype"]] = frame.stream
            self.headers.append(dict(frame.headers))
            if reply:
                self.stream.write(self._writer.syn_reply(frame.stream))

    async def data(self, name: str) -> tuple[bytes, bool]:
        """The next bytes on that stream, and whether they are its last; nothing else may come."""
        frame = await self.frame()
        assert isinstance(frame, spdy.Data) and frame.stream == self.opened[name], frame
        return frame.data, frame.last

    def say(self, name: str, data: bytes, *, last: bool = False) -> None:
        self.stream.write(spdy.data_frames(self.opened[name], data, last=last))

    def end(self, status: bytes = b'{"status":"Success"}') -> None:
        """As containerd ends an exec: the status, resets of all streams, goodbye."""
        self.say("error", status)
        for number in self.opened.values():
            self.stream.write(spdy.reset_frame(number))
        self.stream.write(spdy.goaway_frame())
        self.stream.close()


class Runtime:
    """A runtime's streaming server as a handler; `play` is what it does with a connection. It keeps its requests."""

    def __init__(self, play: Play, protocol: str = "v4.channel.k8s.io") -> None:
        self._play = play
        self._protocol = protocol
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        near, far = pair()

        async def upgrade(stream: Duplex) -> None:
            played = tasks.spawn(self._played(near), name="runtime")  # type: ignore[arg-type]
            await splice(stream, far)
            await tasks.stop(played)

        headers = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": self._protocol}
        return Response(101, b"", headers, upgrade=upgrade)

    async def _played(self, stream: Duplex) -> None:
        await self._play(SpdyNode(stream))


class WebSocketClient:
    """The client's end of a WebSocket whose handshake is over."""

    def __init__(self, stream: Duplex) -> None:
        self.stream = stream
        self.protocol = Protocol(Side.CLIENT, max_size=None)
        self._messages: deque[bytes] = deque()
        self.pongs = 0

    def send(self, message: bytes) -> None:
        self.protocol.send_binary(message)
        self.flush()

    def flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.stream.write(data)

    async def message(self) -> bytes | None:
        """The next message; None once the server has said goodbye, or has left."""
        while not self._messages:
            if self.protocol.state is not State.OPEN:
                return None
            data = await self.stream.read()
            if not data:
                return None
            self.protocol.receive_data(data)
            for frame in self.protocol.events_received():
                if frame.opcode is Opcode.PONG:  # type: ignore[union-attr]
                    self.pongs += 1
                elif frame.opcode in (Opcode.BINARY, Opcode.TEXT):  # type: ignore[union-attr]
                    self._messages.append(bytes(frame.data))  # type: ignore[union-attr]
            self.flush()
        return self._messages.popleft()

    async def all(self) -> list[bytes]:
        """What still comes."""
        found = []
        while (message := await self.message()) is not None:
            found.append(message)
        return found
