"""Takes in the body of one request that came in parts, when its handler asks for it: no body is read before.

Bytes count against the server's room until the request is answered (`finish`); what does not fit is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from homeostat.api import errors
from homeostat.wire.edge import Room
from homeostat.wire.reader import Incoming, RequestReader

_NO_ROOM = "Too many request bodies are being read at once, please try again later."


class Intake:
    """See the module. `read_on` lets the client send (on)."""

    def __init__(self, reader: RequestReader, incoming: Incoming, room: Room, read_on: Callable[[], None]) -> None:
        self._reader = reader
        self._incoming = incoming
        self._room = room
        self._read_on = read_on
        self._held = 0
        self._whole: asyncio.Future[None] | None = None

    def takes(self, incoming: Incoming) -> bool:
        """Whether it is this request's body that is being read."""
        return self._whole is not None and incoming is self._incoming

    async def body(self) -> bytes:
        """The body, once it is whole. Raises 400 when it is malformed, 413 and 429."""
        incoming = self._incoming
        self._whole = asyncio.get_running_loop().create_future()
        self.look()
        if not self._whole.done():
            self._read_on()
            await self._whole
        if incoming.trouble is not None:
            raise incoming.trouble
        return incoming.request.body

    def look(self) -> None:
        """Count what came, and let the handler know when that was all."""
        incoming = self._incoming
        came = incoming.received - self._held
        if came and incoming.trouble is None:
            if self._room.take(came):
                self._held += came
            else:
                self._reader.give_up(incoming, errors.too_many_requests(_NO_ROOM))
        if self._whole is not None and not self._whole.done() and (incoming.whole or incoming.trouble is not None):
            self._whole.set_result(None)

    def finish(self) -> None:
        """The request is answered: the received part of its body is released, and the rest is not read."""
        self._reader.give_up(self._incoming)
        self._incoming.request.body = b""
        self._room.give_back(self._held)
        self._held = 0
