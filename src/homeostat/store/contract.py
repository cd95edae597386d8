"""The store's contract. `memory`, `sqlite` and `etcd` pass one conformance suite for it.

Keys are text, values are bytes the store never looks into. One global revision counts commits: every commit, create,
update or delete, takes the next one. An acknowledged commit is durable, and every watcher of its prefix gets it once,
in revision order, with nothing skipped. Data and signatures alone: pure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Entry:
    """A live key. `revision` is that of its last commit."""

    key: str
    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Event:
    """One commit. For a deletion `value` is the final value that the delete was given."""

    key: str
    value: bytes
    revision: int
    deleted: bool


# What a watch yields: commits in revision order.
Batch: TypeAlias = list[Event]


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing: the entries, the revision they are true at, and how many follow them."""

    entries: list[Entry]
    revision: int
    remaining: int


class StoreError(Exception):
    """Base of the store's errors."""


class Stale(StoreError):
    """The key is not at the expected revision. `current` is what it is now, None when it is not there."""

    def __init__(self, key: str, current: Entry | None) -> None:
        super().__init__(f"{key}: at revision {current.revision if current else 0}")
        self.current = current


class Compacted(StoreError):
    """The requested revision is older than the kept history. `oldest` is the oldest revision that can still be
    requested."""

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(f"revision {revision} has been compacted; the oldest is {oldest}")
        self.oldest = oldest


class FutureRevision(StoreError):
    """The asked revision has not been reached."""


class Unavailable(StoreError):
    """The store cannot take the write now (disk full, file gone, quorum lost). Nothing was acknowledged."""


class Store(Protocol):
    """See the module. All methods are safe to call at once from tasks of one loop."""

    async def start(self) -> None:
        """Open. Raises Unavailable with what to do when the state cannot be used."""
        ...

    async def close(self) -> None:
        """Finish the writes under way, then release everything."""
        ...

    async def revision(self) -> int:
        """The newest committed revision of the whole store, linearizable; 0 when nothing was ever committed."""
        ...

    async def get(self, key: str) -> Entry | None:
        """The live entry, linearizable."""
        ...

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, after: str = "") -> Page:
        """Entries under `prefix` in key order, as of `revision` (0: now), at most `limit` (0: all), keys > `after`.

        Raises Compacted or FutureRevision.
        """
        ...

    async def commit(self, key: str, expected_revision: int, value: bytes, *, delete: bool = False) -> int:
        """Compare and swap; returns the new revision, which is durable and unique to this commit.

        `expected_revision` 0: the key must not be there (create). With `delete` the key is removed and `value` is what
        watchers get as its final value. Raises Stale or Unavailable.
        """
        ...

    def watch(self, prefix: str, *, after_revision: int) -> AsyncIterator[Batch]:
        """Batches of the commits under `prefix` with a revision above `after_revision`, in order, for ever.

        Raises Compacted from the iterator when `after_revision` is older than what is kept; ends when closed.
        """
        ...

    def silence(self) -> str:
        """What a lack of answers means for this kind of store, in the words of its errors."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget history up to `revision` (live keys stay). Later lists and watches before it raise Compacted."""
        ...
