"""A list as one page sees it: which rows, in which order, and the window of them that is on screen. Pure.

Positions hold: the order is made when the list is opened, changed or merged. What comes later is `fresh` and waits for
a merge; what goes keeps its place (`held`). A list sorted by a time takes new rows at once, where they belong. An
object that is made again under its name takes its place back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from homeostat.api.selecting.label_selectors import EVERYTHING, LabelSelector
from homeostat.console.cache.entries import Entry, Key
from homeostat.console.rows.layout import Layout
from homeostat.console.rows.sorting import SortKey, natural, sort_key

NAMESPACE, STATUS = "Namespace", "Status"
# Deleted objects that keep their place in a list sorted by time, which never merges by itself.
HELD_MAX = 200

# What is shown at a position: the object, and whether it is gone.
Shown: TypeAlias = tuple[Entry, bool]


@dataclass(frozen=True, slots=True)
class Query:
    """What a page asks of a list. `search` is part of a name, or of `namespace/name`; no `statuses` means all."""

    search: str = ""
    labels: LabelSelector = field(default_factory=lambda: EVERYTHING)
    statuses: frozenset[str] = frozenset()
    column: str = "Name"
    descending: bool = False

    def concerns(self, entry: Entry) -> bool:
        """Whether the object is counted: name and labels match."""
        if self.search and self.search not in entry.key[1] and self.search not in "/".join(entry.key):
            return False
        return self.labels.everything or self.labels.matches(entry.labels)

    def shows(self, entry: Entry) -> bool:
        """Whether the object is to be seen: its status is one of those asked for too."""
        return self.concerns(entry) and (not self.statuses or entry.status in self.statuses)


class ListView:
    """See the module. `entries` returns what is known now; each change of it is to be given to `apply`, in order."""

    def __init__(self, layout: Layout, entries: Callable[[], Mapping[Key, Entry]], query: Query) -> None:
        self.query = query
        self.order: list[Key] = []
        self.fresh: set[Key] = set()
        self.statuses: Counter[str] = Counter()
        self._layout = layout
        self._entries = entries
        # Rows that are only here because positions hold; of one that is gone its last version.
        self._held: dict[Key, Entry | None] = {}
        self._key_of, self._by_time = self._sorting()
        self.arrange()

    @property
    def total(self) -> int:
        """How many objects there are, whatever is asked for."""
        return len(self._entries())

    def ask(self, query: Query) -> bool:
        """Ask for something else; True when the rows were arranged anew."""
        if query == self.query:
            return False
        self.query = query
        self._key_of, self._by_time = self._sorting()
        self.arrange()
        return True

    def arrange(self) -> None:
        """Put all rows where they belong now."""
        query = self.query
        self.fresh.clear()
        self._held.clear()
        concerned = [entry for entry in self._entries().values() if query.concerns(entry)]
        self.statuses = Counter(entry.status for entry in concerned)
        shown = [entry for entry in concerned if not query.statuses or entry.status in query.statuses]
        shown.sort(key=_by_name)
        if query.column != "Name" or query.descending:
            shown.sort(key=self._key_of, reverse=query.descending)
        self.order = [entry.key for entry in shown]

    def apply(self, changes: Sequence[tuple[Entry | None, Entry | None]]) -> None:
        """Objects have changed."""
        for old, new in changes:
            self._apply(old, new)

    def at(self, position: int) -> Shown | None:
        """What is at a position; None beyond the end."""
        if position >= len(self.order):
            return None
        key = self.order[position]
        gone = self._held.get(key)
        if gone is not None:
            return gone, True
        entry = self._entries().get(key)
        return (entry, False) if entry is not None else None

    # Inside

    def _apply(self, old: Entry | None, new: Entry | None) -> None:
        query = self.query
        either = new or old
        if either is None:
            return
        key = either.key
        counted_before = old is not None and query.concerns(old)
        counts = new is not None and query.concerns(new)
        if old is not None and counted_before:
            self._count(old.status, -1)
        if new is not None and counts:
            self._count(new.status, 1)
        seen_before = old is not None and counted_before and (not query.statuses or old.status in query.statuses)
        seen = new is not None and counts and (not query.statuses or new.status in query.statuses)
        if key in self._held or (seen_before and key not in self.fresh):
            self._keep(key, old, new, seen=seen)
        elif not seen:
            self.fresh.discard(key)
        elif self._by_time and new is not None:
            self._insert(new)
        else:
            self.fresh.add(key)

    def _keep(self, key: Key, old: Entry | None, new: Entry | None, *, seen: bool) -> None:
        """A row that has its place."""
        if new is None:
            self._held[key] = old
            if self._by_time and len(self._held) > HELD_MAX:
                oldest = next(iter(self._held))
                del self._held[oldest]
                self.order.remove(oldest)
        elif not seen:
            self._held[key] = None
        else:
            before = self._held.pop(key, None) or old
            if self._by_time and before is not None and self._key_of(before) != self._key_of(new):
                self.order.remove(key)
                self._insert(new)

    def _insert(self, entry: Entry) -> None:
        """Put a row where it belongs in a list sorted by time."""
        value, descending = self._key_of(entry), self.query.descending

        def behind(key: Key) -> int:
            held = self._held.get(key) or self._entries().get(key)
            other = self._key_of(held) if held is not None else value
            return int(other <= value if descending else other >= value)

        self.order.insert(bisect_left(self.order, 1, key=behind), entry.key)

    def _count(self, status: str, by: int) -> None:
        self.statuses[status] += by
        if not self.statuses[status]:
            del self.statuses[status]

    def _sorting(self) -> tuple[Callable[[Entry], SortKey], bool]:
        """How rows are compared, and whether that is by a time."""
        name = self.query.column
        if name == NAMESPACE:
            return (lambda entry: (1, 0.0, natural(entry.key[0]))), False
        at = self._layout.index(name)
        if at is None:
            if name == STATUS:
                return (lambda entry: (1, 0.0, natural(entry.status))), False
            return (lambda entry: (1, 0.0, natural(entry.key[1]))), False
        kind = self._layout.columns[at].kind
        if name == "Name":
            kind = "name"
        elif name.endswith("Duration"):
            kind = "duration"
        return (lambda entry: sort_key(entry.cells[at], kind)), kind == "age"


def _by_name(entry: Entry) -> tuple[object, object]:
    return natural(entry.key[1]), entry.key[0]
