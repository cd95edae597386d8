"""Whether every connection of a watch had just the events that it asked for.

What happened is put together from the streams that asked for everything. From it follows what any other stream must
have had between the revision it began after and the last one it passed: an object that enters a selection is ADDED
there, one that leaves it is DELETED (Kubernetes: API concepts, "Efficient detection of changes"). Anything missing,
doubled, out of order or foreign is a fault. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from bench.torture.history import Change, History, Key, Selection, Stream


class Record:
    """All changes of all objects in the order of revisions. It must begin before the first object is created."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        whole = [stream for stream in streams if stream.selection == Selection()]
        found: dict[int, Change] = {}
        self.disagreements: list[str] = []
        for stream in whole:
            for change in stream.changes:
                known = found.setdefault(change.revision, change)
                if known != change:
                    self.disagreements.append(
                        f"revision {change.revision} is {known} to one watch, {change} to another"
                    )
        self.changes = [found[revision] for revision in sorted(found)]
        self._revisions = [change.revision for change in self.changes]
        self._sides_before = _sides_before(self.changes)
        self._covered = _joined((stream.after, stream.passed) for stream in whole)

    def covers(self, after: int, until: int) -> bool:
        """Whether everything that happened from the beginning to `until` is known."""
        low, high = self._covered[0] if self._covered else (0, -1)
        return low <= after and until <= high

    def versions(self) -> dict[Key, dict[int, str]]:
        """By object and revision, its value; deletions left out."""
        found: dict[Key, dict[int, str]] = defaultdict(dict)
        for change in self.changes:
            if change.type != "DELETED":
                found[change.key][change.revision] = change.value
        return found

    def expected(self, selection: Selection, after: int, until: int) -> list[Change]:
        """What a watch of `selection` must have had after `after` and up to `until`."""
        wanted = []
        for at in range(bisect_right(self._revisions, after), bisect_right(self._revisions, until)):
            change, side_before = self.changes[at], self._sides_before[at]
            before = side_before is not None and selection.has(change.key, side_before)
            now = change.type != "DELETED" and selection.has(change.key, change.side)
            if before or now:
                kind = "DELETED" if not now else "MODIFIED" if before else "ADDED"
                wanted.append(Change(change.revision, kind, change.key, change.value, change.side))
        return wanted


def _sides_before(changes: Sequence[Change]) -> list[str | None]:
    """The side of each change's object before it; None for one that did not exist."""
    sides: dict[Key, str] = {}
    found = []
    for change in changes:
        found.append(sides.get(change.key))
        if change.type == "DELETED":
            sides.pop(change.key, None)
        else:
            sides[change.key] = change.side
    return found


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that touch as one."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        elif high > low:
            joined.append((low, high))
    return joined


def faults(history: History, record: Record) -> list[str]:
    """Everything wrong, in words."""
    deletes = {each.key for each in history.operations if each.kind == "delete"}
    unasked = [
        f"{'/'.join(change.key)} was deleted at revision {change.revision}, which nobody asked for"
        for change in record.changes
        if change.type == "DELETED" and change.key not in deletes
    ]
    return [*record.disagreements, *unasked, *(fault for stream in history.streams for fault in _of(stream, record))]


def checked(history: History, record: Record) -> int:
    """How many streams can be judged: those that began and ended where everything is known."""
    return sum(record.covers(stream.after, stream.passed) for stream in history.streams if stream.passed)


def _of(stream: Stream, record: Record) -> Iterable[str]:
    who = f"{stream.watcher} after {stream.after}"
    for first, second in pairwise(stream.changes):
        if second.revision <= first.revision:
            yield f"{who}: revision {second.revision} came after {first.revision}"
    if stream.changes and stream.changes[0].revision <= stream.after:
        yield f"{who}: it got revision {stream.changes[0].revision} again"
    if not stream.passed or not record.covers(stream.after, stream.passed):
        return
    wanted = {change.revision: change for change in record.expected(stream.selection, stream.after, stream.passed)}
    seen = {change.revision: change for change in stream.changes}
    for revision in sorted(wanted.keys() | seen.keys()):
        if revision not in seen:
            yield f"{who}: {wanted[revision]} never came"
        elif revision not in wanted:
            yield f"{who}: {seen[revision]} does not belong to {stream.selection}"
        elif _text(seen[revision]) != _text(wanted[revision]):
            yield f"{who}: {seen[revision]} came instead of {wanted[revision]}"


def _text(change: Change) -> tuple[str, Key, str]:
    """What must agree. An object that leaves a selection is shown as it was before or as it is now: Kubernetes shows
    the former, with the revision of the change."""
    return (change.type, change.key, "" if change.type == "DELETED" else change.value)
