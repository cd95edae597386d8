"""What the connections of one HTTP server share: the handler, the limits, the time, and the room for bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from homeostat.kit import clock, collector
from homeostat.kit.log import logger
from homeostat.wire.fields import response_head
from homeostat.wire.limits import Limits
from homeostat.wire.message import Handler, Response
from homeostat.wire.reader import Incoming

# The longest chunk that is kept for the next connection it is sent to.
_SHARED_BYTES_MAX = 1024 * 1024
# What a body in parts passes on its way (TLS, the socket's reader) is no less than this.
_BUFFERS_BYTES = 512 * 1024
# After so many bytes of bodies are freed, what the allocator keeps of them is returned to the system: of fewer, once no
# more are freed (from one look to the next).
_TRIM_BYTES, _TRIM_QUIET_BYTES = 32 * 1024 * 1024, 2 * 1024 * 1024

_log = logger("http")


class Served(Protocol):
    """A connection, as its server sees it."""

    def drop_if_overdue(self) -> None:
        """Close when a deadline has passed."""

    def shut(self) -> None:
        """The server is closing: end what need not be waited for."""

    def abort(self) -> None:
        """Close at once, whatever is under way."""


class Room:
    """How many bytes of request bodies a server holds at once, at most `bytes_max`: those that come in several parts,
    from their first byte until their request is answered."""

    def __init__(self, bytes_max: int) -> None:
        self.held = 0
        self._bytes_max = bytes_max
        self._freed = self._before = 0

    def take(self, count: int) -> bool:
        """Hold `count` bytes more; False, and nothing is held, when they do not fit."""
        if self.held + count > self._bytes_max:
            return False
        self.held += count
        return True

    def give_back(self, count: int) -> None:
        """Hold `count` bytes less."""
        self.held -= count
        self._freed += count

    def part(self) -> None:
        """A connection that received chunked bodies is closed, and with it its buffers."""
        self._freed += _BUFFERS_BYTES

    def trim(self) -> bool:
        """Give the memory of freed bodies back to the system, where it is worth the time; False: not yet."""
        quiet, self._before = self._freed == self._before, self._freed
        if self._freed >= (_TRIM_QUIET_BYTES if quiet else _TRIM_BYTES):
            self._freed = 0
            collector.give_back()
        return self._freed < _TRIM_QUIET_BYTES


class Edge:
    """See the module. `now` (monotonic) and `date` are as of the last sweep; `wake` is called before the first
    connection of a server that has none, for then it does not sweep. With `bodies_on_demand` the handler is called
    once the headers are there, and takes the body itself (`Request.take_body`)."""

    def __init__(self, handler: Handler, limits: Limits, *, bodies_on_demand: bool = False) -> None:
        self.handler = handler
        self.limits = limits
        self.connections_max = limits.connections_allowed
        self.bodies_on_demand = bodies_on_demand
        self.room = Room(limits.bodies_bytes_max)
        self.connections: set[Served] = set()
        self.closing = False
        self.empty = asyncio.Event()
        self.now = clock.monotonic()
        self.date = b""
        self.wake: Callable[[], None] = lambda: None
        self._chunk = self._frame = b""

    def framed(self, chunk: bytes) -> bytes:
        """A chunk as it is on the wire; made once for all who are sent the same one after the other."""
        if chunk is not self._chunk:
            frame = b"%x\r\n%b\r\n" % (len(chunk), chunk)
            if len(chunk) > _SHARED_BYTES_MAX:
                return frame
            self._chunk, self._frame = chunk, frame
        return self._frame

    def head(self, response: Response, incoming: Incoming, *, length: int | None, keep_alive: bool) -> bytes:
        """The head of an answer; a bare one in place of one that would break out of its lines."""
        old = incoming.version_1_0
        try:
            return response_head(response, date=self.date, length=length, keep_alive=keep_alive, version_1_0=old)
        except ValueError as error:
            _log.error("%s %s: %s", incoming.request.method, incoming.request.path, error)
            bare = Response(response.status)
            return response_head(bare, date=self.date, length=length, keep_alive=keep_alive, version_1_0=old)
