"""exec and attach over a WebSocket of v4.channel.k8s.io, as older clients and Kubernetes' Python client speak it.

Each message begins with the number of its channel; all channels are there from the start. Input cannot end before the
connection does: that is what v5 added, which the API server translates.
"""

from __future__ import annotations

from collections.abc import Callable

from homeostat.runtime.streaming.session import Streaming
from homeostat.wire.duplex import Duplex, Gate, Inbox
from homeostat.wire.websocket import WebSocket

_CHANNELS = ("stdin", "stdout", "stderr", "error", "resize")


class Channel:
    """One channel, in the manner of `session.Stream`."""

    def __init__(self, socket: WebSocket, number: int) -> None:
        self.headers = {"streamtype": _CHANNELS[number]}
        self.gate = Gate()
        self.inbox = Inbox(full=self.gate.shut, drained=self.gate.open)
        self._socket = socket
        self._number = number

    async def read(self) -> bytes:
        """The next bytes; empty at the connection's end."""
        return await self.inbox.get()

    def write(self, data: bytes) -> None:
        """Send. Raises ConnectionError."""
        if data:
            self._socket.write(bytes((self._number,)) + data)

    async def drain(self) -> None:
        """Wait while the client does not keep up. Raises ConnectionError."""
        await self._socket.drain()

    def end(self) -> None:
        """Nothing: a channel has no end of its own."""


class ChannelSession:
    """The server's side of one such connection."""

    def __init__(self, connection: Duplex) -> None:
        self._socket = WebSocket(connection)

    async def run(self, opened: Callable[[Streaming], None]) -> None:
        """Read until the client leaves; `opened` is called for every channel."""
        channels = [Channel(self._socket, number) for number in range(len(_CHANNELS))]
        for channel in channels:
            opened(channel)
        try:
            while message := await self._socket.read():
                if message[0] < len(channels) and len(message) > 1:
                    channels[message[0]].inbox.put(message[1:])
                    await channels[message[0]].gate.passed()
        finally:
            for channel in channels:
                channel.inbox.end()
                channel.gate.open()

    def close(self) -> None:
        """Say goodbye; what was written still arrives."""
        self._socket.close()
