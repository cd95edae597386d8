"""A WebSocket's server side after its handshake, over any stream of bytes: messages in, messages out (RFC 6455).

As a `Duplex` its bytes are those of binary messages, one `read` a message: what is tunnelled in them needs no more.
"""

from __future__ import annotations

import asyncio
from collections import deque

from websockets.frames import CloseCode, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.utils import accept_key

from homeostat.api import errors
from homeostat.kit import clock
from homeostat.wire.duplex import Duplex
from homeostat.wire.message import Request

# The longest message that is taken; kubectl's have 32 KiB, other clients send all of a file at once.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
# kubectl gives up 61 s after the last pong.
_PONG_SECONDS = 15.0


def asked(request: Request) -> bool:
    """Whether the request asks for a WebSocket."""
    return request.headers.get("upgrade", "").lower() == "websocket"


def protocols(request: Request) -> list[str]:
    """The subprotocols that the client offers, best first."""
    offered = request.headers.get("sec-websocket-protocol", "").split(",")
    return [word.strip() for word in offered if word.strip()]


def accept(request: Request, protocol: str) -> dict[str, str]:
    """The headers of the 101 that agrees. Raises ApiError 400 on a handshake that is none."""
    key = request.headers.get("sec-websocket-key", "").strip()
    if not key or request.headers.get("sec-websocket-version", "").strip() != "13":
        raise errors.bad_request("unable to upgrade: a WebSocket of version 13 with a key is required")
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-accept": accept_key(key)}
    return headers | ({"sec-websocket-protocol": protocol} if protocol else {})


class WebSocket:
    """See the module. `read` and `write` are for one task each.

    While nobody reads, since whoever does waits for a slow command, the client's pings wait as well. It gets pongs that
    it did not ask for, which say that it is not forgotten (RFC 6455, 5.5.3). `heard` is when its last bytes came, on
    the monotonic clock.
    """

    def __init__(self, stream: Duplex, *, message_bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self.heard = clock.monotonic()
        self._stream = stream
        self._protocol = Protocol(Side.SERVER, max_size=message_bytes_max)
        self._messages: deque[bytes] = deque()
        self._fragments: list[bytes] = []
        self._ended = False
        self._listening = False
        self._pong = asyncio.get_running_loop().call_later(_PONG_SECONDS, self._reassure)

    async def read(self) -> bytes:
        """The next message that is not empty; empty at the end. Pings are answered on the way."""
        while not self._messages:
            if self._ended:
                return b""
            data = await self._listen()
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
                self._ended = True
            for frame in self._protocol.events_received():
                self._take(frame.opcode, bytes(frame.data), whole=frame.fin)  # type: ignore[union-attr]
            if self._protocol.close_rcvd is not None or self._protocol.parser_exc is not None:
                self._ended = True
            self._flush()
        return self._messages.popleft()

    async def _listen(self) -> bytes:
        self._listening = True
        try:
            data = await self._stream.read()
        finally:
            self._listening = False
        self.heard = clock.monotonic()
        return data

    def _reassure(self) -> None:
        if self._ended or self._protocol.state is not State.OPEN:
            return
        if not self._listening:
            self._protocol.send_pong(b"")
            self._flush()
        self._pong = asyncio.get_running_loop().call_later(_PONG_SECONDS, self._reassure)

    def write(self, data: bytes) -> None:
        """Send a binary message. Raises ConnectionError once the client is gone."""
        if self._protocol.state is not State.OPEN:
            raise ConnectionResetError("the WebSocket is closed")
        self._protocol.send_binary(data)
        self._send()

    def write_text(self, data: bytes) -> None:
        """Send a text message, which is UTF-8. Raises as `write`."""
        if self._protocol.state is not State.OPEN:
            raise ConnectionResetError("the WebSocket is closed")
        self._protocol.send_text(data)
        self._send()

    def ping(self) -> None:
        """Ask the client for a sign of life: whoever reads sees it in `heard`."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            self._flush()

    async def drain(self) -> None:
        """See `Duplex`."""
        await self._stream.drain()

    def close(self) -> None:
        """Say goodbye, once, and close the stream."""
        self._pong.cancel()
        self.say_goodbye()
        self._stream.close()

    def say_goodbye(self) -> None:
        """Send a close frame; the client answers with its own, which ends the reading."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()

    async def farewell(self, *, seconds: float) -> None:
        """Read on, and throw away, until the client has closed too: an answer it has not read yet is not lost."""
        try:
            async with asyncio.timeout(seconds):
                while await self.read():
                    pass
        except TimeoutError:
            return

    def _take(self, opcode: Opcode, data: bytes, *, whole: bool) -> None:
        if opcode not in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
            return
        if not whole or self._fragments:
            self._fragments.append(data)
            if not whole:
                return
            data = b"".join(self._fragments)
            self._fragments.clear()
        if data:
            self._messages.append(data)

    def _flush(self) -> None:
        """Send pending control frames; errors are ignored."""
        try:
            self._send()
        except ConnectionError:
            self._ended = True

    def _send(self) -> None:
        data = b"".join(self._protocol.data_to_send())
        if data:
            self._stream.write(data)
