"""Recent changes of one resource: what a watch that resumes replays, and how a past state is seen again.

Bounded by count and by bytes; what falls out moves `start`, and who asks for more gets it from the store's history.
"""

from __future__ import annotations

from collections import deque

from homeostat.apiserver.cache.cached_objects import Item

ADDED, MODIFIED, DELETED, BOOKMARK, ERROR = "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"

_HEADS = {kind: b'{"type":"%b","object":' % kind.encode() for kind in (ADDED, MODIFIED, DELETED, BOOKMARK, ERROR)}


def line(event_type: str, data: bytes) -> bytes:
    """One watch event as clients get it."""
    return b"%b%b}\n" % (_HEADS[event_type], data)


class Change:
    """One commit: the object after it (for DELETED its final form) and before it (None when it was not there)."""

    __slots__ = ("deleted", "item", "old", "revision")

    def __init__(self, item: Item, old: Item | None, *, deleted: bool) -> None:
        self.revision = item.revision
        self.item = item
        self.old = old
        self.deleted = deleted

    @property
    def type(self) -> str:
        """ADDED, MODIFIED or DELETED, for a watcher that selects everything."""
        if self.deleted:
            return DELETED
        return ADDED if self.old is None else MODIFIED

    def line(self) -> bytes:
        """The event for a watcher that selects everything."""
        return line(self.type, self.item.data)


class Window:
    """The changes with a revision above `start`, oldest first."""

    def __init__(self, start: int, *, events: int, bytes_max: int) -> None:
        self.start = start
        self._events_max = events
        self._bytes_max = bytes_max
        self._bytes = 0
        self._changes: deque[Change] = deque()

    def append(self, change: Change) -> None:
        """Take the newest change; forget the oldest ones that no longer fit."""
        changes = self._changes
        changes.append(change)
        self._bytes += len(change.item.data)
        while len(changes) > self._events_max or (self._bytes > self._bytes_max and len(changes) > 1):
            gone = changes.popleft()
            self._bytes -= len(gone.item.data)
            self.start = gone.revision

    def after(self, revision: int) -> list[Change] | None:
        """The changes above `revision`, oldest first; None when some of them are no longer kept."""
        if revision < self.start:
            return None
        found: list[Change] = []
        for change in reversed(self._changes):
            if change.revision <= revision:
                break
            found.append(change)
        found.reverse()
        return found
