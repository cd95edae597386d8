"""The transport of one process: calls the API servers' handlers directly.

It is how the simulation and the tests reach an API server, and it enters at the same `Request` as the HTTP edge. A
dead server's handler raises ConnectionError, ConnectionRefusedError when it surely did nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.client.contract import Unreachable
from homeostat.client.transport import Fence, try_next
from homeostat.wire.message import Handler, Request, Response, User


class InProcessTransport:
    """Sends to one of several handlers as `user`; stays with one until it fails, then uses the next."""

    def __init__(self, handlers: Sequence[Handler], user: User) -> None:
        if not handlers:
            raise ValueError("at least one API server is needed")
        self._handlers = tuple(handlers)
        self._user = user
        self._current = 0
        self._closed = False

    async def send(self, request: Request, *, repeatable: bool, fence: Fence | None = None) -> Response:
        """The first answer of a server that is up. Raises Unreachable when none is left, and what `fence` raises."""
        if self._closed:
            raise Unreachable("the client is closed")
        request.user = self._user
        refusal: Response | None = None
        for _ in self._handlers:
            if fence is not None:
                fence()
            try:
                response = await self._handlers[self._current](request)
            except ConnectionRefusedError:
                self._advance()
                continue
            except ConnectionError as error:
                self._advance()
                if repeatable:
                    continue
                raise Unreachable(f"the connection broke: {error}") from error
            if not try_next(response, repeatable=repeatable):
                return response
            refusal = response
            self._advance()
        if refusal is not None:
            return refusal
        raise Unreachable(f"none of {len(self._handlers)} API servers answers")

    async def close(self) -> None:
        """Refuse further requests."""
        self._closed = True

    def _advance(self) -> None:
        self._current = (self._current + 1) % len(self._handlers)
