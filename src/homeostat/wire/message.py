"""A request and a response as data. The in-process client and the HTTP edge meet in these."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from homeostat.wire.duplex import Upgrade as Upgrade


@dataclass(frozen=True, slots=True)
class User:
    """Who asks (authentication.k8s.io UserInfo)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Request:
    """One request. Header names are lower case; `query` has the last value of each name; `path` is decoded.

    `user` is set by an in-process caller or by the authentication stage; `peer` is the identity that a verified
    TLS client certificate gave (common name and organisations), None without one. `target` is the request target as
    it came, for those who pass it on; empty in a request made here, unless it is to be sent just so. `decided` is what
    the server that got the request takes it to ask for, once it has decided that. `pending` reads a body that has not
    come yet: for a handler that knows that the client may send one (`take_body`).
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: User | None = None
    peer: User | None = None
    remote: str = ""
    target: bytes = b""
    decided: object = None
    pending: Callable[[], Awaitable[bytes]] | None = None

    async def take_body(self) -> None:
        """Have the whole body in `body`. Raises ApiError: 400 when it is malformed, 413 when it is too large, 429 when
        the server holds too many."""
        pending, self.pending = self.pending, None
        if pending is not None:
            self.body = await pending()


# Sends one chunk of a streamed body now. False: it was not taken, and must come through the iterator in its turn.
Push: TypeAlias = Callable[[bytes], bool]


@dataclass(slots=True)
class Response:
    """One response. A body that is an iterator is sent chunk by chunk; an empty chunk is skipped.

    `live` belongs to an iterator that can also push: it is given a `Push`, to be called only while the iterator is
    awaited, so that a chunk need not wake who awaits it. Nobody has to use it, and who replaces the body drops it.

    `upgrade` belongs to a 101: once its head has left, it gets the connection, from the first byte after the request
    on, and the connection is closed when it returns. A client's 101 brings one that splices: so a proxy passes it on.
    """

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    live: Callable[[Push], None] | None = None
    upgrade: Upgrade | None = None


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
