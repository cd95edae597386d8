"""The watchers of one resource: what each selects, what waits for it, and the index that finds the right ones.

A watcher is in one place of the index: under its node name, its object name, its namespace, or among those that
see everything; so an event of a Pod costs one lookup however many node agents watch. What waits for a watcher is
bounded; one that is too slow is dropped with 410 Expired and starts again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TypeAlias

import orjson

from homeostat.api import errors
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.cache.fanout import Fanout
from homeostat.apiserver.cache.selection import Seen, Selection
from homeostat.apiserver.cache.window import ERROR, Change, line
from homeostat.wire.message import Push

# Renders one event in another form than the plain object (a Table): (type, object's bytes) -> line.
Render: TypeAlias = Callable[[str, bytes], bytes]

_SLOW = "too old resource version: the watch fell too far behind and was dropped; list again"


class Joined:
    """Joins lines to chunks: watchers that were sent the same lines share one chunk."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._chunk = b""

    def chunk(self, lines: list[bytes]) -> bytes:
        """All of `lines`, which are not changed any more."""
        if len(lines) == 1:
            return lines[0]
        if lines != self._lines:
            self._lines, self._chunk = lines, b"".join(lines)
        return self._chunk

    def forget(self) -> None:
        """Keep no chunk."""
        self._lines, self._chunk = [], b""


class Watcher:
    """One watch. The hub calls `offer`, the fan-out `wake`; the stream calls `take`, and `wait` ends with `notify`.

    With a `push`, `wake` sends what waits and leaves the stream asleep; where that is not accepted it notifies the
    stream.
    """

    __slots__ = ("_bytes", "_bytes_max", "_events_max", "_lines", "_push", "_waiter", "after", "broken",
                 "closed", "joined", "render", "selection")  # fmt: skip

    def __init__(
        self, selection: Selection, after: int, *, events_max: int, bytes_max: int, render: Render | None = None
    ) -> None:
        self.selection = selection
        self.after = after
        self.render = render
        self.joined = Joined()
        self._push: Push | None = None
        # No more events follow: the stream ends after its pending ones. `broken` ends it like a lost connection.
        self.closed = False
        self.broken = False
        self._lines: list[bytes] = []
        self._bytes = 0
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, seen: Seen) -> bool:
        """Take an event that its selection saw, unless the watch begins after it.

        True when the stream sleeps and this is the first line that waits for it: it is to be woken.
        """
        if seen.item.revision <= self.after or self.closed:
            return False
        text = seen.line if self.render is None else self.render(seen.type, seen.item.data)
        lines = self._lines
        lines.append(text)
        self._bytes += len(text)
        if len(lines) > self._events_max or self._bytes > self._bytes_max:
            self.fail(errors.expired(_SLOW))
            return False
        return self._waiter is not None and len(lines) == 1

    def push(self, text: bytes) -> None:
        """Add a line that is no change: a bookmark."""
        self._lines.append(text)
        self._bytes += len(text)

    def fail(self, error: errors.ApiError) -> None:
        """Drop what waits; the stream ends with this error."""
        self._lines = [line(ERROR, orjson.dumps(error.status()))]
        self._bytes = 0
        self.close()

    def close(self, *, broken: bool = False) -> None:
        """End the stream: after its pending events, or with `broken` at once, as if the connection broke."""
        self.closed = True
        self.broken = self.broken or broken
        self.notify()

    def push_by(self, push: Push) -> None:
        """Send by `push` from now on whenever the stream sleeps."""
        self._push = push

    def wake(self) -> None:
        """Send what waits, or let the stream do it."""
        waiter = self._waiter
        if self._push is not None and waiter is not None and not waiter.done() and self._lines and not self.closed:
            chunk = self.joined.chunk(self._lines)
            self._lines = []
            if self._push(chunk):
                self._bytes = 0
                return
            self._lines.append(chunk)
        self.notify()

    def notify(self) -> None:
        """Let the stream go on."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def take(self) -> bytes:
        """Everything that waits, as one chunk; empty when nothing does."""
        lines = self._lines
        if not lines:
            return b""
        self._lines = []
        self._bytes = 0
        return self.joined.chunk(lines)

    async def wait(self) -> None:
        """Return when something waits, the watch is closed, or `notify` was called."""
        if self._lines or self.closed:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


class _Group:
    """Watchers of one selection, in the order of their arrival: what it sees of a change is decided once for all."""

    __slots__ = ("selection", "watchers")

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.watchers: dict[int, Watcher] = {}


# The groups in one place of the index, by `Selection.key`.
_Place: TypeAlias = dict[object, _Group]


class Watchers:
    """The index. Its dictionaries keep the order of arrival: the same run gives the same order.

    It only finds groups whose selection may see a change; whether it does is for the selection to decide.
    """

    def __init__(self) -> None:
        self._all: _Place = {}
        self._by_namespace: dict[str, _Place] = {}
        self._by_name: dict[tuple[str, str], _Place] = {}
        self._by_node: dict[str, _Place] = {}
        self._fanout = Fanout()
        self._joined = Joined()
        self.count = 0

    def __iter__(self) -> Iterator[Watcher]:
        for index in ({"": self._all}, self._by_namespace, self._by_name, self._by_node):
            for place in list(index.values()):
                for group in list(place.values()):
                    yield from list(group.watchers.values())

    def _place(self, selection: Selection) -> _Place:
        if selection.node is not None:
            return self._by_node.setdefault(selection.node, {})
        if selection.name is not None:
            return self._by_name.setdefault((selection.namespace, selection.name), {})
        if selection.namespace:
            return self._by_namespace.setdefault(selection.namespace, {})
        return self._all

    def add(self, watcher: Watcher) -> None:
        """Send changes to `watcher` from now on."""
        selection = watcher.selection
        place = self._place(selection)
        group = place.get(selection.key)
        if group is None:
            group = place[selection.key] = _Group(selection)
        group.watchers[id(watcher)] = watcher
        watcher.joined = self._joined
        self.count += 1

    def remove(self, watcher: Watcher) -> None:
        """Stop sending to `watcher`. It must have been added."""
        selection = watcher.selection
        place = self._place(selection)
        group = place[selection.key]
        del group.watchers[id(watcher)]
        self.count -= 1
        if not self.count:
            self._joined.forget()
        if group.watchers:
            return
        del place[selection.key]
        if place:
            return
        if selection.node is not None:
            del self._by_node[selection.node]
        elif selection.name is not None:
            del self._by_name[(selection.namespace, selection.name)]
        elif selection.namespace:
            del self._by_namespace[selection.namespace]

    def dispatch(self, change: Change) -> None:
        """Offer a change to every watcher whose selection sees it; its line is made once."""
        if not self.count:
            return
        places = self._places(change)
        if not places:
            return
        plain = change.line()
        notify = self._fanout.add
        for place in places:
            for group in place.values():
                seen = group.selection.see(change, plain)
                if seen is None:
                    continue
                for watcher in group.watchers.values():
                    if watcher.offer(seen):
                        notify(watcher)

    def _places(self, change: Change) -> list[_Place]:
        """Where the index has the selections that may see the change."""
        item = change.item
        places = [self._all] if self._all else []
        if self._by_namespace and (place := self._by_namespace.get(item.namespace)):
            places.append(place)
        if self._by_name:
            places.extend(_named(self._by_name, item))
        if self._by_node:
            places.extend(_on_nodes(self._by_node, item, change.old))
        return places


def _named(index: dict[tuple[str, str], _Place], item: Item) -> Iterator[_Place]:
    for key in ((item.namespace, item.name), ("", item.name)) if item.namespace else (("", item.name),):
        if place := index.get(key):
            yield place


def _on_nodes(index: dict[str, _Place], item: Item, old: Item | None) -> Iterator[_Place]:
    now = item.node
    before = old.node if old is not None else now
    for node in (now,) if now == before else (now, before):
        if place := index.get(node):
            yield place
