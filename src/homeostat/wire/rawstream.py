"""A connection that has left HTTP: takes over the transport from the parser, and is a `Duplex`.

It has no deadlines: a terminal may be silent, or unread, for hours. That its peer has died is for TCP to find out: by
keep-alive, and, where the event loop does not look because nothing is read for the time being, by asking the kernel.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from homeostat.kit.log import logger
from homeostat.wire.duplex import BUFFER_BYTES, Gate, Inbox, Upgrade
from homeostat.wire.keepalive import KeepAlive, keep_alive

# As Go's net/http keeps connections alive: first probe after 15 s of silence, then every 15 s, nine in all.
_KEEPALIVE_SECONDS = 15
_KEEPALIVE = KeepAlive(_KEEPALIVE_SECONDS, _KEEPALIVE_SECONDS, probes=9)
# The first byte of TCP_INFO when the connection is no more (include/net/tcp_states.h).
_TCP_CLOSE = b"\x07"

_log = logger("http")


class RawStream(asyncio.Protocol):
    """Takes over `transport` with the bytes that came `early`; `lost` is called once it is closed.

    The transport may be paused either way (`paused`: it is not being read; `stuffed`: its peer is not reading).
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        early: Sequence[bytes],
        lost: Callable[[], None],
        *,
        paused: bool = False,
        stuffed: bool = False,
    ) -> None:
        self._transport = transport
        self._lost = lost
        self._gone = False
        self._gate = Gate(shut=stuffed)
        self._inbox = Inbox(full=self._pause, drained=self._resume)
        self._look: asyncio.TimerHandle | None = None
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=BUFFER_BYTES)
        keep_alive(transport, _KEEPALIVE)
        if paused:
            transport.resume_reading()
        for data in early:
            if data:
                self._inbox.put(data)

    # A Duplex.

    async def read(self) -> bytes:
        """See `Duplex`."""
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        """See `Duplex`."""
        if self._gone or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._transport.write(data)

    async def drain(self) -> None:
        """See `Duplex`."""
        await self._gate.passed()
        if self._gone:
            raise ConnectionResetError("the connection is closed")

    def close(self) -> None:
        """See `Duplex`."""
        self._inbox.end()
        self._transport.close()

    async def lend(self, upgrade: Upgrade) -> None:
        """Let `upgrade` have the stream, and close it after that; a mistake of its own is logged."""
        try:
            await upgrade(self)
        except ConnectionError as error:
            _log.debug("a stream broke: %s", error)
        except Exception:  # noqa: BLE001 - the head has left, so the client can only notice by a cut
            _log.exception("a stream was cut off")
        finally:
            self.close()

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if not self._inbox.ended:
            self._inbox.put(data)

    def eof_received(self) -> bool:
        """The peer has ended the stream; pending output is still sent."""
        self._inbox.end()
        return False

    def pause_writing(self) -> None:
        """The peer does not read fast enough."""
        self._gate.shut()

    def resume_writing(self) -> None:
        """The peer has read on."""
        self._gate.open()

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed, by whichever side."""
        self._gone = True
        self._look_no_more()
        self._inbox.end()
        self._gate.open()
        self._lost()

    def _pause(self) -> None:
        self._transport.pause_reading()
        self._look_later()

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(_KEEPALIVE_SECONDS, self._look_at_peer)

    def _look_at_peer(self) -> None:
        """While nothing is read, whoever waits here does not notice that the peer has died."""
        if _is_dead(self._transport):
            self._transport.abort()
        else:
            self._look_later()

    def _look_no_more(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _resume(self) -> None:
        self._look_no_more()
        if not self._gone and not self._transport.is_closing():
            self._transport.resume_reading()


def _is_dead(transport: asyncio.Transport) -> bool:
    sock = transport.get_extra_info("socket")
    try:
        return sock is not None and sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == _TCP_CLOSE
    except OSError:
        return False  # a Unix socket: its peer's end is seen at once
