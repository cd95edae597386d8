"""Two connections joined into one, byte for byte, with flow control both ways and a valve in the middle.

While the valve is shut nothing passes, neither bytes nor the close of a side: what a cut cable does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

# What a client may say before its backend is there.
_EARLY_BYTES_MAX = 64 * 1024


class Side(asyncio.Protocol):
    """One end of a splice. Until the other end is there it keeps what comes, up to a bound, and notices when a client
    leaves: one that gives up while its connection waits must not be kept."""

    def __init__(self, on_connect: Callable[[Side], None] | None = None) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None
        self.shut = False
        self.lost = False
        self.ended = False
        self._choked = False
        # Bytes that came before the other end was there, or when a valve had just been shut: a loop may still deliver
        # what it has read when it has to pause.
        self._early = bytearray()
        self._on_connect = on_connect
        self.on_lost: Callable[[], object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        # uvloop's transports are not subclasses of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        if self._on_connect:
            self._on_connect(self)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on."""
        if self.other is None or self.other.transport is None or self.shut:
            self._early += data
            if len(self._early) > _EARLY_BYTES_MAX and self.transport is not None:
                self.transport.pause_reading()
        else:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Pass a half close on; the own direction stays open, until the other side has ended too. Before the other end
        is there it means that the client has left."""
        self.ended = True
        other = self.other
        if self.shut:
            return True
        if other is None or other.transport is None or other.ended or other.lost:
            # False: the transport closes, and takes the other with it.
            return False
        if not other.transport.is_closing() and other.transport.can_write_eof():
            other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """This side is full: the other one must wait."""
        if self.other is not None:
            self.other._choked = True
            self.other.flow()

    def resume_writing(self) -> None:
        """This side has room again."""
        if self.other is not None:
            self.other._choked = False
            self.other.flow()

    def connection_lost(self, exc: Exception | None) -> None:
        """This side is gone; the other follows, unless the valve is shut."""
        self.lost = True
        if self.on_lost:
            self.on_lost()
        if self.other is not None and not self.shut:
            self.other.close()

    def flow(self) -> None:
        """Read or wait, as the valve and the other side's room say."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.shut or self._choked or self.other is None:
            self.transport.pause_reading()
        else:
            self._send_early()
            self.transport.resume_reading()

    def _send_early(self) -> None:
        if self._early and self.other is not None and self.other.transport is not None:
            self.other.transport.write(bytes(self._early))
            self._early.clear()

    def close(self) -> None:
        """Send what is written, then close."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()


class Splice:
    """A client's side and a backend's side. `crosses` are the nodes whose uplinks the bytes pass; `label` is its
    maker's own, to find it again."""

    def __init__(self, client: Side, backend: Side, crosses: frozenset[str], label: object = None) -> None:
        self.client = client
        self.backend = backend
        self.crosses = crosses
        self.label = label
        client.other, backend.other = backend, client
        if client.lost:
            backend.close()

    @property
    def over(self) -> bool:
        """Whether both sides are closed."""
        return self.client.lost and self.backend.lost

    def valve(self, *, shut: bool) -> None:
        """Shut or open. On opening, a side that closed meanwhile takes the other with it."""
        for side in (self.client, self.backend):
            side.shut = shut
            side.flow()
        if shut:
            return
        if self.client.lost != self.backend.lost:
            (self.backend if self.client.lost else self.client).close()
        elif self.client.ended and self.backend.ended:
            self.client.close()
            self.backend.close()

    def abort(self) -> None:
        """Reset both sides."""
        self.client.abort()
        self.backend.abort()
