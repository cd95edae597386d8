"""exec and attach for a WebSocket client of v5.channel.k8s.io, over a SPDY stream of v4.channel.k8s.io to the node.

Container runtimes speak SPDY, newer clients prefer WebSockets; kube-apiserver translates between the two, and so does
this: channel bytes become SPDY streams and back, nothing else is looked at. v5 adds to v4 one message, a channel's
close, by which standard input ends while output continues. Sources: apimachinery's util/remotecommand, apiserver's
util/proxy/streamtranslator.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson

from homeostat.api import errors
from homeostat.kit import tasks
from homeostat.wire import spdy
from homeostat.wire.duplex import Duplex, pair
from homeostat.wire.message import Response
from homeostat.wire.websocket import WebSocket

PROTOCOL = "v5.channel.k8s.io"
BEHIND = "v4.channel.k8s.io"

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_NAMES = {ERROR: "error", STDIN: "stdin", STDOUT: "stdout", STDERR: "stderr", RESIZE: "resize"}
_STATUS_BYTES_MAX = 64 * 1024
_OPEN_SECONDS_MAX = 30.0
_FAREWELL_SECONDS_MAX = 5.0
_SUCCESS = orjson.dumps({"metadata": {}, "status": "Success"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The streams that the client asks for (PodExecOptions)."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    def channels(self) -> list[int]:
        """In the order in which clients open them; a terminal has its errors in its output."""
        wanted = {ERROR: True, STDIN: self.stdin, STDOUT: self.stdout, STDERR: self.stderr and not self.tty}
        return [channel for channel, asked in (wanted | {RESIZE: self.tty}).items() if asked]


async def translate(client: WebSocket, dial: Callable[[], Awaitable[Response]], wanted: Wanted) -> None:
    """Serve one client; `dial` asks the node for a SPDY stream. Failures are reported on the error channel."""
    try:
        node = await dial()
        if node.upgrade is None:
            raise errors.internal(f"unable to upgrade connection: {await text_of(node)}")
    except errors.ApiError as error:
        _finish(client, orjson.dumps(error.status()))
        await client.farewell(seconds=_FAREWELL_SECONDS_MAX)
        return
    near, far = pair()
    carrier = tasks.spawn(_carry(node, far), name="stream to node")
    try:
        await _Translation(client, near, wanted).run()
    finally:
        near.close()
        await tasks.stop(carrier)


async def text_of(response: Response) -> str:
    """What a refusal says."""
    body = response.body
    raw = body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])
    return raw.decode("utf-8", "replace").strip()


async def _carry(node: Response, far: Duplex) -> None:
    assert node.upgrade is not None
    try:
        await node.upgrade(far)
    finally:
        far.close()


def _finish(client: WebSocket, status: bytes) -> None:
    """Send the result, then the close message."""
    try:
        client.write(bytes([ERROR]) + status)
    except ConnectionError:
        return
    client.say_goodbye()


class _Translation:
    """One session between `client` and `node`."""

    def __init__(self, client: WebSocket, node: Duplex, wanted: Wanted) -> None:
        self._client = client
        self._node = node
        self._writer = spdy.FrameWriter()
        # A SPDY client's streams have odd numbers.
        self._streams = {channel: 2 * at + 1 for at, channel in enumerate(wanted.channels())}
        self._channels = {stream: channel for channel, stream in self._streams.items()}
        # Channels whose stream the node has not taken yet, those on which it still speaks, and those we have ended.
        self._pending = set(self._streams)
        self._speaking = self._streams.keys() & {ERROR, STDOUT, STDERR}
        self._done: set[int] = set()
        self._opened = asyncio.Event()
        self._status = b""

    async def run(self) -> None:
        """Until the command has ended or the client has left."""
        outward = tasks.spawn(self._outward(), name="stream outward")
        inward = tasks.spawn(self._inward(), name="stream inward")
        try:
            await asyncio.wait((outward, inward), return_when=asyncio.FIRST_COMPLETED)
            if outward.done():
                _finish(self._client, outward.result())
                self._node.close()
                self._opened.set()
                await asyncio.wait((inward,), timeout=_FAREWELL_SECONDS_MAX)
        finally:
            await tasks.stop(outward, inward)

    # From the node to the client.

    async def _outward(self) -> bytes:
        """Carry the output; the Status of the end."""
        try:
            for channel, stream in self._streams.items():
                self._node.write(self._writer.syn_stream(stream, {"streamtype": _NAMES[channel]}))
            return await self._read_output()
        except TimeoutError:
            return _internal("timed out waiting for the node to open the streams")
        except spdy.SpdyError as error:
            return _internal(f"the node does not speak SPDY: {error}")
        except ConnectionError as error:
            return self._status or _internal(f"the stream to the node broke: {error}")

    async def _read_output(self) -> bytes:
        reader = spdy.FrameReader()
        while self._speaking:
            async with asyncio.timeout(_OPEN_SECONDS_MAX if self._pending else None):
                data = await self._node.read()
            if not data:
                break
            for frame in reader.feed(data):
                self._take(frame)
            await self._client.drain()
        if self._status:
            return self._status
        # Before v4 an end without a status meant success; it still does when the node has closed all streams properly.
        return _internal("the node ended the stream without a status") if self._speaking else _SUCCESS

    def _take(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.Data(stream, data, last):
                channel = self._channels.get(stream)
                if channel == ERROR:
                    self._status = (self._status + data)[:_STATUS_BYTES_MAX]
                elif channel in (STDOUT, STDERR) and data:
                    self._client.write(bytes((channel,)) + data)
                if last:
                    self._ended(stream)
            case spdy.SynReply(stream, _, last):
                self._pending.discard(self._channels.get(stream, CLOSE))
                if not self._pending:
                    self._opened.set()
                if last:
                    self._ended(stream)
            case spdy.Reset(stream):
                self._ended(stream)
            case spdy.Ping(number) if number % 2 == 0:
                self._node.write(spdy.ping_frame(number))

    def _ended(self, stream: int) -> None:
        self._speaking.discard(self._channels.get(stream, CLOSE))

    # From the client to the node.

    async def _inward(self) -> None:
        """Carry the input, until the client has left."""
        # A node drops data on a stream that it has not accepted yet.
        await self._opened.wait()
        while message := await self._client.read():
            try:
                self._forward(message)
                await self._node.drain()
            except ConnectionError:
                continue  # the command has ended; what is still sent is read, or the client would miss the result

    def _forward(self, message: bytes) -> None:
        channel, data, last = message[0], message[1:], False
        if channel == CLOSE:
            channel, data, last = data[0] if data else CLOSE, b"", True
        stream = self._streams.get(channel)
        if stream is None or channel in self._done or channel not in (STDIN, RESIZE) or not (data or last):
            return
        if last:
            self._done.add(channel)
        self._node.write(spdy.data_frames(stream, data, last=last))


def _internal(what: str) -> bytes:
    return orjson.dumps(errors.internal(what).status())
