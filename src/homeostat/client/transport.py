"""What carries a request to one of the API servers and brings the response back: in process, or over HTTP.

A transport knows several servers and uses the next one when one is down. It may send a request again only when
that is safe, which its caller says (`repeatable`); otherwise a connection that breaks after the request went out is
raised as `Unreachable`, and nobody knows whether the request was carried out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from homeostat.wire.message import Request, Response

_SERVICE_UNAVAILABLE = 503

# Called each time that a request is about to leave, repeats included, with nothing awaited in between. Raises ApiError
# when it must not leave any more.
Fence: TypeAlias = Callable[[], None]


class Transport(Protocol):
    """Sends requests. Safe to use from many tasks of one loop."""

    async def send(self, request: Request, *, repeatable: bool, fence: Fence | None = None) -> Response:
        """The response, of whatever status. Raises client.contract.Unreachable, and what `fence` raises."""
        ...

    async def close(self) -> None:
        """Release connections; requests under way fail."""
        ...


def try_next(response: Response, *, repeatable: bool) -> bool:
    """Whether another server should be asked: this one says 503, it cannot now (going down, or its store is away)."""
    return repeatable and response.status == _SERVICE_UNAVAILABLE
