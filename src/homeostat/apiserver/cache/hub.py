"""The current state of one resource, its window of recent changes and its watchers.

Everything here is in memory and synchronous: `apply` takes commits in revision order (`feed` calls it), reads look at
dictionaries. Objects are bytes; nothing is decoded but what selectors need (`cached_objects`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import ChainMap
from collections.abc import Mapping

from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.cached_objects import Item, Maker
from homeostat.apiserver.cache.watchers import Watchers
from homeostat.apiserver.cache.window import Change, Window
from homeostat.apiserver.settings import Settings
from homeostat.store.contract import Entry, Event


class Hub:
    """One resource on one API server. Keys are those of the store without the resource's prefix.

    Invariants: `order` holds exactly the keys of `items`, sorted; every item's revision is at most the feed's applied
    revision; `revision` is that of the last change (or of the load). `make` makes the items.
    """

    def __init__(self, prefix: str, revision: int, settings: Settings, make: Maker) -> None:
        self.prefix = prefix
        self.items: dict[str, Item] = {}
        self.order: list[str] = []
        self.revision = revision
        self.window = Window(revision, events=settings.window_events, bytes_max=settings.window_bytes)
        self.watchers = Watchers()
        self.make = make
        # How often the kind has changed: what was begun before then does not go on.
        self.renewals = 0
        self._settings = settings
        self._skip = len(prefix)

    def load(self, entries: list[Entry]) -> None:
        """Take the state that the store listed, in key order."""
        for entry in entries:
            key = entry.key[self._skip :]
            self.items[key] = self.make(key, entry.value, entry.revision)
        self.order = sorted(self.items)

    def apply(self, event: Event) -> Change:
        """Apply one commit and notify the watchers."""
        key = event.key[self._skip :]
        item = self.make(key, event.value, event.revision)
        old = self.items.get(key)
        if event.deleted:
            if old is not None:
                del self.items[key]
                del self.order[bisect_left(self.order, key)]
        else:
            self.items[key] = item
            if old is None:
                insort(self.order, key)
        change = Change(item, old, deleted=event.deleted)
        self.revision = event.revision
        self.window.append(change)
        self.watchers.dispatch(change)
        return change

    def renew(self, make: Maker) -> None:
        """The kind's definition changed: rebuild the items by `make`, forget the window, end the watches."""
        self.make = make
        self.renewals += 1
        for key, item in self.items.items():
            self.items[key] = make(key, stored_form.stored(item.cause, item.data), item.revision)
        settings = self._settings
        self.window = Window(self.revision, events=settings.window_events, bytes_max=settings.window_bytes)
        for watcher in self.watchers:
            watcher.close()

    def now(self) -> View:
        """The current state."""
        return View(self.order, self.items)

    def at(self, revision: int) -> View | None:
        """The state at a past revision; None when the window no longer reaches that far."""
        if revision >= self.revision:
            return self.now()
        changes = self.window.after(revision)
        if changes is None:
            return None
        # The first change of a key after `revision` knows what the key was at `revision`.
        before: dict[str, Item | None] = {}
        for change in changes:
            before.setdefault(change.item.key, change.old)
        return View(*_undo(self.order, self.items, before))


def _undo(
    order: list[str], items: dict[str, Item], before: dict[str, Item | None]
) -> tuple[list[str], Mapping[str, Item]]:
    """The order and the objects with some keys put back to what they were (None: not there)."""
    came = {key for key, item in before.items() if item is None}
    went = [key for key, item in before.items() if item is not None and key not in items]
    if came:
        order = [key for key in order if key not in came]
    if went:
        order = sorted([*order, *went])
    return order, ChainMap({key: item for key, item in before.items() if item is not None}, items)


class View:
    """A sorted state of a resource, to be read before the next await (the current one changes later)."""

    def __init__(self, order: list[str], items: Mapping[str, Item]) -> None:
        self._order = order
        self._items = items

    def keys(self, namespace: str, after: str) -> list[str]:
        """The keys in a namespace (or, empty, in all) that are greater than `after`, in order."""
        order = self._order
        low = bisect_right(order, after) if after else 0
        if not namespace:
            return order[low:] if low else order[:]
        start = f"{namespace}/"
        # `0` is the character after `/`.
        return order[max(low, bisect_left(order, start)) : bisect_left(order, f"{namespace}0")]

    def items(self, keys: list[str]) -> list[Item]:
        """The objects of these keys."""
        return list(map(self._items.__getitem__, keys))
