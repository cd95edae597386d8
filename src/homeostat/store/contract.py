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
    """A page of a listing: the entries, the revision of the listing, and how many entries follow."""

    entries: list[Entry]
    revision: int
    remaining: int


class StoreError(Exception):
    """Base of the store's errors."""


class Stale(StoreError):
    """The key is not at the expected revision. `current` is its current entry, None when it does not exist."""

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
    """The requested revision is newer than the store's."""


class Unavailable(StoreError):
    """The store cannot take the write now (disk full, file gone, quorum lost). Nothing was acknowledged."""


class Store(Protocol):
    """See the module. All methods may be called concurrently by tasks of one event loop."""

    async def start(self) -> None:
        """Open the store. Raises Unavailable, whose text says what to do, when the state cannot be used."""
        ...

    async def close(self) -> None:
        """Finish the writes under way, then release everything."""
        ...

    async def revision(self) -> int:
        """The newest committed revision of the whole store, linearizable; 0 when nothing was ever committed."""
        ...

    async def get(self, key: str) -> Entry | None:
        """The live entry, linearizable; None when the key does not exist."""
        ...

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, after: str = "") -> Page:
        """Entries under `prefix` in key order, as of `revision` (0: now), at most `limit` (0: all), keys > `after`.

        Raises Compacted or FutureRevision.
        """
        ...

    async def commit(self, key: str, expected_revision: int, value: bytes, *, delete: bool = False) -> int:
        """Compare and swap; returns the new revision, which is durable and unique to this commit.

        `expected_revision` 0: the key must not exist (create). With `delete` the key is removed and `value` is what
        watchers get as its final value. Raises Stale or Unavailable.
        """
        ...

    def watch(self, prefix: str, *, after_revision: int) -> AsyncIterator[Batch]:
        """Batches of the commits under `prefix` with a revision above `after_revision`, in order, for ever.

        Raises Compacted from the iterator when `after_revision` is older than the kept history; ends when the store is
        closed.
        """
        ...

    def silence(self) -> str:
        """What it means when this kind of store does not answer: a text for errors."""
        ...

    async def compact(self, revision: int) -> None:
        """Delete the history up to `revision` (live keys stay). Later lists and watches before it raise Compacted."""
        ...
