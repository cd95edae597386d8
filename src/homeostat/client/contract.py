"""The client's contract: the API's verbs as methods, the same in process and over HTTP.

Every error is an `api.errors.ApiError`; that no API server could be reached at all is `Unreachable`, one of them
(503). Reads and idempotent writes are retried over the other API servers before that is raised.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.client.transport import Fence
from homeostat.wire.cause import WriteCause
from homeostat.wire.message import Request, Response

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class Unreachable(ApiError):
    """No API server answered. `why` says how each attempt failed, without the prefix of the message; `sent` whether the
    request may have reached one of them all the same."""

    def __init__(self, message: str, *, why: str = "", sent: bool = True) -> None:
        super().__init__(503, "ServiceUnavailable", message, retry_after_seconds=1)
        self.why = why or message
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Listing:
    """A list's items (each with apiVersion and kind), its resourceVersion, and the continue token (empty: complete)."""

    items: list[Obj]
    resource_version: str
    next_token: str = ""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """ADDED, MODIFIED, DELETED or BOOKMARK, with the object."""

    type: str
    obj: Obj


class Client(Protocol):
    """The verbs. `cause` says why a write happens; `options` is a DeleteOptions, or query parameters of a write."""

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Obj:
        """One object. Raises ApiError 404."""
        ...

    async def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        next_token: str = "",
        resource_version: str = "",
    ) -> Listing:
        """Objects of a kind; `labels` and `fields` are selectors as kubectl writes them."""
        ...

    def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        resource_version: str,
        labels: str = "",
        fields: str = "",
        timeout_seconds: int = 0,
    ) -> AsyncIterator[WatchEvent]:
        """Changes after `resource_version`, bookmarks included, until the server ends the stream (a normal end).

        Raises ApiError 410 when the version is too old, Unreachable when the connection breaks.
        """
        ...

    async def create(
        self, kind: Kind, obj: Obj, *, subresource: str = "", cause: WriteCause | None = None, dry_run: bool = False
    ) -> Obj:
        """Create `obj` in its own namespace; with `subresource` (binding, eviction, token) POST to it by its name."""
        ...

    async def update(self, kind: Kind, obj: Obj, *, subresource: str = "", cause: WriteCause | None = None) -> Obj:
        """Replace the object of the same name."""
        ...

    async def patch(
        self,
        kind: Kind,
        name: str,
        namespace: str,
        patch: Obj | Sequence[Obj],
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        cause: WriteCause | None = None,
    ) -> Obj:
        """Patch one object; returns the new one."""
        ...

    async def delete(
        self, kind: Kind, name: str, namespace: str = "", *, options: Obj | None = None, cause: WriteCause | None = None
    ) -> Obj:
        """Delete one object; returns it when it still exists (grace, finalizers), else a Status."""
        ...

    async def delete_collection(self, kind: Kind, namespace: str = "", *, cause: WriteCause | None = None) -> None:
        """Delete all objects of a kind, in one namespace or (empty) in all, each by its own rules."""
        ...

    async def raw(self, request: Request) -> Response:
        """Any request, as it is."""
        ...

    def fenced(self, fence: Fence, instance: str) -> Client:
        """A client over the same connections whose writes say that `instance` made them, and are sent only while
        `fence` allows it; closing either closes both."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
