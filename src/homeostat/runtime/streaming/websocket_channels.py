"""exec, attach and port-forward over a WebSocket of v4.channel.k8s.io, as older clients and Kubernetes' Python client
speak it.

Each message begins with the number of its channel; all channels are there from the start. Input cannot end before the
connection does: that is what v5 added for exec and attach, which the API server translates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from homeostat.runtime.streaming.spdy_session import Streaming
from homeostat.wire import spdy
from homeostat.wire.duplex import Duplex, Gate, Inbox
from homeostat.wire.websocket import WebSocket


class Channel:
    """One channel, in the manner of `session.Stream`."""

    def __init__(self, socket: WebSocket, number: int, headers: spdy.Headers) -> None:
        self.headers = headers
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
    """The server's side of one such connection; `layout` says what its channels are."""

    fixed = True

    def __init__(self, connection: Duplex, layout: Sequence[spdy.Headers]) -> None:
        self._socket = WebSocket(connection)
        self._layout = layout

    async def run(self, opened: Callable[[Streaming], None]) -> None:
        """Read until the client leaves; `opened` is called for every channel."""
        channels = [Channel(self._socket, number, headers) for number, headers in enumerate(self._layout)]
        for channel in channels:
            if "port" in channel.headers:
                # So a client that asked for several knows which is which.
                channel.write(int(channel.headers["port"]).to_bytes(2, "little"))
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
