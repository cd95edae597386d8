"""The store in memory: for simulation, tests and `up --store memory`. Deterministic, no I/O, no thread, nothing
survives the process.

Several handles can share one `MemoryState`, as several API servers share one file: closing a handle ends its own
watchers only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator

from homeostat.store.contract import Batch, Compacted, Entry, Event, FutureRevision, Page, Stale, Unavailable
from homeostat.store.feed import Feed

HISTORY_COMMITS_MAX = 50_000
# History is trimmed in steps of this part of its bound, so that trimming costs a commit next to nothing.
_SLACK = 8
_HISTORY_BATCH = 1_000


class MemoryState:
    """What the handles share: the live entries and a bounded log with the entry each commit replaced."""

    def __init__(self, *, history_commits_max: int = HISTORY_COMMITS_MAX) -> None:
        self.revision = 0
        self.compacted = 0
        self.live: dict[str, Entry] = {}
        self.feeds: list[Feed] = []
        # Commit r is at index r - compacted - 1.
        self._log: list[tuple[Event, Entry | None]] = []
        self._history_commits_max = history_commits_max
        # The keys in order as of the last listing, and those that came since.
        self._sorted: list[str] = []
        self._fresh: list[str] = []
        self._gone = False

    def apply(self, key: str, expected: int, value: bytes, *, delete: bool) -> int:
        """Compare and swap, then notify every feed. Raises Stale."""
        before = self.live.get(key)
        if (before.revision if before else 0) != expected or (delete and before is None):
            raise Stale(key, before)
        self.revision += 1
        if delete:
            del self.live[key]
            self._gone = True
        else:
            self.live[key] = Entry(key, value, self.revision)
            if before is None:
                self._fresh.append(key)
        event = Event(key, value, self.revision, delete)
        self._log.append((event, before))
        if len(self._log) > self._history_commits_max + self._history_commits_max // _SLACK:
            self.compact(self.revision - self._history_commits_max)
        for feed in self.feeds:
            feed.publish([event])
        return self.revision

    def compact(self, revision: int) -> None:
        """Forget commits up to `revision`."""
        if revision > self.compacted:
            del self._log[: revision - self.compacted]
            self.compacted = revision

    def history(self, prefix: str, after: int, upto: int) -> tuple[Batch, int]:
        """See `feed.History`."""
        if after < self.compacted:
            raise Compacted(after, self.compacted)
        upto = min(upto, after + _HISTORY_BATCH)
        part = self._log[after - self.compacted : upto - self.compacted]
        return [event for event, _ in part if event.key.startswith(prefix)], upto

    def entries(self, prefix: str, revision: int, after: str) -> list[Entry]:
        """What was live under `prefix` at `revision`, in key order, keys above `after`."""
        found = [self.live[key] for key in self._keys(prefix, after)]
        if revision == self.revision:
            return found
        # The first commit to a key after `revision` says what the key was then.
        was: dict[str, Entry | None] = {}
        for event, before in self._log[revision - self.compacted :]:
            if event.key.startswith(prefix) and event.key > after:
                was.setdefault(event.key, before)
        kept = [entry for entry in found if entry.key not in was]
        return sorted([*kept, *(entry for entry in was.values() if entry)], key=lambda entry: entry.key)

    def _keys(self, prefix: str, after: str) -> list[str]:
        if self._gone or self._fresh:
            merged = [key for key in [*self._sorted, *self._fresh] if key in self.live]
            merged.sort()
            # A key deleted and made again is in both lists.
            self._sorted = list(dict.fromkeys(merged)) if self._gone else merged
            self._fresh, self._gone = [], False
        start = max(bisect_left(self._sorted, prefix), bisect_right(self._sorted, after) if after else 0)
        # The keys of the prefix (0) come before all that follow them (1).
        end = bisect_left(self._sorted, 1, lo=start, key=lambda key: not key.startswith(prefix))
        return self._sorted[start:end]


class MemoryStore:
    """One handle on a `MemoryState` (its own where none is given). See `contract.Store`."""

    def __init__(self, state: MemoryState | None = None) -> None:
        self._state = state or MemoryState()
        self._feed = Feed(self._state.history)
        self._open = False

    async def start(self) -> None:
        """Begin to take part. A closed handle can be started again."""
        if self._open:
            return
        self._feed = Feed(self._state.history)
        self._feed.position = self._state.revision
        self._state.feeds.append(self._feed)
        self._open = True

    async def close(self) -> None:
        """End this handle's watchers."""
        if self._open:
            self._open = False
            self._state.feeds.remove(self._feed)
            self._feed.close()

    async def revision(self) -> int:
        """See the contract."""
        self._check_open()
        return self._state.revision

    async def get(self, key: str) -> Entry | None:
        """See the contract."""
        self._check_open()
        return self._state.live.get(key)

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, after: str = "") -> Page:
        """See the contract."""
        self._check_open()
        state = self._state
        at = revision or state.revision
        if at > state.revision:
            raise FutureRevision(f"revision {at} is ahead of {state.revision}")
        if at < state.compacted:
            raise Compacted(at, state.compacted)
        entries = state.entries(prefix, at, after)
        page = entries[:limit] if limit else entries
        return Page(page, at, len(entries) - len(page))

    async def commit(self, key: str, expected_revision: int, value: bytes, *, delete: bool = False) -> int:
        """See the contract."""
        self._check_open()
        key.encode()  # No other store could keep a key that is no text.
        return self._state.apply(key, expected_revision, value, delete=delete)

    def watch(self, prefix: str, *, after_revision: int) -> AsyncIterator[Batch]:
        """See the contract."""
        self._check_open()
        return self._feed.follow(prefix, after_revision)

    def silence(self) -> str:
        """See the contract."""
        return "this server did not catch up with it in time"

    async def compact(self, revision: int) -> None:
        """See the contract. Raises FutureRevision."""
        self._check_open()
        if revision > self._state.revision:
            raise FutureRevision(f"revision {revision} is ahead of {self._state.revision}")
        self._state.compact(revision)

    def _check_open(self) -> None:
        if not self._open:
            raise Unavailable("the store is not open")
