"""Holds keys back until the caches have seen what was written for them.

This is what makes expectation counters needless: revisions are global and only grow, so a cache that has reached the
revision of a write holds it. A key whose event never comes (filtered by a selector) is let go after a while.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from homeostat.api.types import Obj
from homeostat.loop.cache import GroupKind
from homeostat.loop.contract import Key
from homeostat.loop.informer import Informer
from homeostat.loop.objects import revision_of

HOLD_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Reached:
    """The kind's cache has reached this revision: a create or a change."""

    kind: GroupKind
    revision: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The uid has left the kind's cache, or is marked as being deleted: a deletion."""

    kind: GroupKind
    uid: str


@dataclass(frozen=True, slots=True)
class Moved:
    """The object is no longer at this revision in the cache: a conflict."""

    kind: GroupKind
    namespace: str
    name: str
    revision: int


Wait: TypeAlias = Reached | Gone | Moved


class _Hold:
    """One key that is held, and for how many waits still."""

    __slots__ = ("key", "left", "timer")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.left = 0
        self.timer: asyncio.TimerHandle | None = None


class _Watched:
    """One informer's cache and the holds that wait for it."""

    def __init__(self, informer: Informer) -> None:
        self.informer = informer
        self.revisions: list[tuple[int, int, _Hold]] = []
        self.uids: dict[str, list[_Hold]] = {}
        self.names: dict[tuple[str, str], list[_Hold]] = {}


class Catchup:
    """Calls `release(key)` once all waits of a held key are over, or after `seconds_max`."""

    def __init__(
        self,
        informers: dict[GroupKind, Informer],
        release: Callable[[Key], None],
        *,
        seconds_max: float = HOLD_SECONDS_MAX,
    ) -> None:
        self.expired = 0
        self._release = release
        self._seconds_max = seconds_max
        self._counter = 0
        self._watched = {kind: _Watched(informer) for kind, informer in informers.items()}
        self._holds: set[_Hold] = set()
        self._ends: dict[GroupKind, Callable[[], None]] = {}
        self._listening = False

    def start(self) -> None:
        """Listen to the informers."""
        self._listening = True
        for kind, watched in self._watched.items():
            self._listen(kind, watched)

    def _listen(self, kind: GroupKind, watched: _Watched) -> None:
        changed, progressed = partial(self._changed, watched), partial(self._progressed, watched)
        self._ends[kind] = watched.informer.listen(changed, progressed=progressed)

    def follow(self, informers: Mapping[GroupKind, Informer]) -> None:
        """Wait for these caches from now on. Keys that are held for a removed one wait until their timeout."""
        gone = [kind for kind, watched in self._watched.items() if informers.get(kind) is not watched.informer]
        for kind in gone:
            del self._watched[kind]
            if kind in self._ends:
                self._ends.pop(kind)()
        for kind in informers.keys() - self._watched.keys():
            self._watched[kind] = _Watched(informers[kind])
            if self._listening:
                self._listen(kind, self._watched[kind])

    def stop(self) -> None:
        """Stop listening; held keys are forgotten, not released."""
        self._listening = False
        while self._ends:
            self._ends.popitem()[1]()
        for hold in self._holds:
            if hold.timer is not None:
                hold.timer.cancel()
        self._holds.clear()

    def hold(self, key: Key, waits: Iterable[Wait], *, rest_seconds: float = 0.0) -> None:
        """Release `key` when `rest_seconds` have passed and every wait is over: at once when none is open. Waits on
        unwatched kinds do not count."""
        hold = _Hold(key)
        if rest_seconds:
            self._holds.add(hold)
            hold.timer = asyncio.get_running_loop().call_later(rest_seconds, self._rested, hold, waits)
            return
        for wait in waits:
            watched = self._watched.get(wait.kind)
            if watched is not None and not _over(watched.informer, wait):
                hold.left += 1
                self._register(watched, wait, hold)
        if not hold.left:
            self._release(key)
            return
        self._holds.add(hold)
        hold.timer = asyncio.get_running_loop().call_later(self._seconds_max, self._expire, hold)

    def _rested(self, hold: _Hold, waits: Iterable[Wait]) -> None:
        self._holds.discard(hold)
        self.hold(hold.key, waits)

    def _register(self, watched: _Watched, wait: Wait, hold: _Hold) -> None:
        match wait:
            case Reached(revision=revision):
                self._counter += 1
                heapq.heappush(watched.revisions, (revision, self._counter, hold))
            case Gone(uid=uid):
                watched.uids.setdefault(uid, []).append(hold)
            case Moved(namespace=namespace, name=name):
                watched.names.setdefault((namespace, name), []).append(hold)

    def _progressed(self, watched: _Watched) -> None:
        reached, revisions = watched.informer.revision, watched.revisions
        while revisions and revisions[0][0] <= reached:
            self._settle(heapq.heappop(revisions)[2])

    def _changed(self, watched: _Watched, old: Obj | None, new: Obj | None) -> None:
        obj = new if new is not None else old
        if obj is None:
            return
        metadata = obj["metadata"]
        if watched.uids and (new is None or "deletionTimestamp" in metadata):
            for hold in watched.uids.pop(metadata.get("uid", ""), ()):
                self._settle(hold)
        if watched.names:
            for hold in watched.names.pop((metadata.get("namespace", ""), metadata["name"]), ()):
                self._settle(hold)

    def _settle(self, hold: _Hold) -> None:
        hold.left -= 1
        if hold.left == 0 and hold in self._holds:
            self._holds.discard(hold)
            if hold.timer is not None:
                hold.timer.cancel()
            self._release(hold.key)

    def _expire(self, hold: _Hold) -> None:
        if hold in self._holds:
            self._holds.discard(hold)
            self.expired += 1
            self._release(hold.key)


def _over(informer: Informer, wait: Wait) -> bool:
    match wait:
        case Reached(revision=revision):
            return informer.revision >= revision
        case Gone(uid=uid):
            obj = informer.objects.by_uid(uid)
            return obj is None or "deletionTimestamp" in obj["metadata"]
        case Moved(namespace=namespace, name=name, revision=revision):
            obj = informer.objects.get(namespace, name)
            return obj is None or revision_of(obj) != revision
