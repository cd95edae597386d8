"""Drives one loop: turns cache changes into keys, keys into decisions, decisions into writes, failures into retries.

A key is decided about by one worker at a time, and not before the caches have seen the key's own last writes. Errors
never leave a key behind: a conflict waits for the cache to move, an unreachable API is tried again within a second,
anything else backs off per key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.client.contract import Client, Unreachable
from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.loop.cache import CacheWorld, GroupKind, PresentWorld
from homeostat.loop.catchup import Catchup, Wait
from homeostat.loop.contract import Key, Loop, Watch
from homeostat.loop.informer import Informer
from homeostat.loop.objects import revision_of
from homeostat.loop.perform import Outcome, Performer, group_kind
from homeostat.loop.queue import WorkQueue
from homeostat.loop.recorder import EventRecorder
from homeostat.wire.cause import Seen

_UNREACHABLE_RETRY_SECONDS_MAX = 1.0
# An API server that says that it, or its store, cannot answer now; that says nothing about the key.
_CANNOT_NOW = (429, 503, 504)
# How many objects that triggered a key are remembered, and how many of them a write names as its cause.
_TRIGGERS_MAX = 8
_SEEN_MAX = 4
# A decision that took long (over thousands of Pods, say) is not made again at once: its key rests for some multiple of
# that time, while changes gather. The first change is always answered at once, and the simulation never gets here.
_LONG_SECONDS = 0.01
_REST_FACTOR = 4.0
_REST_SECONDS_MAX = 0.5
_FILLED_LOOK_SECONDS = 1.0

_log = logger("loop")


@dataclass(slots=True)
class Counters:
    """What a loop has done so far. Its writes are counted by type of action in `Performer.performed`."""

    decisions: int = 0
    mistakes: int = 0
    conflicts: int = 0
    errors: int = 0
    unreachable: int = 0


class LoopRunner:
    """Runs `loop` as `component` over informers that others keep running; `start` after they have synced."""

    def __init__(
        self,
        loop: Loop,
        client: Client,
        *,
        informers: Mapping[GroupKind, Informer],
        recorder: EventRecorder,
        component: str,
    ) -> None:
        self.loop = loop
        self.name = f"{component}/{loop.name}"
        self.counters = Counters()
        self._catalogue = Catalogue.builtin()
        self._watches = loop.watching(self._catalogue)
        self._informers = {group_kind(watch.kind): informers[group_kind(watch.kind)] for watch in self._watches}
        self._indexes = {kind: informer.objects for kind, informer in self._informers.items()}
        self._present = PresentWorld(self._indexes, self._catalogue)
        self.queue = WorkQueue()
        self.performer = Performer(client, self.name, recorder=recorder, informers=self._informers)
        self.catchup = Catchup(self._informers, self.queue.done)
        self._triggers: dict[Key, dict[tuple[str, str, str], int]] = {}
        self._failures: dict[Key, str] = {}
        self._ends: list[Callable[[], None]] = []
        self._resting: dict[Key, asyncio.TimerHandle] = {}
        self._workers: list[asyncio.Task[None]] = []

    @property
    def idle(self) -> bool:
        """Whether no key waits, is worked on or held back (delayed ones do not count)."""
        return self.queue.idle

    async def start(self) -> None:
        """Wait for the caches, decide about all that is there, then follow the changes."""
        # Kinds may come and go meanwhile: a cache that is given up never fills.
        while missing := [informer for informer in self._informers.values() if not informer.synced.is_set()]:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FILLED_LOOK_SECONDS):
                    await missing[0].synced.wait()
        self._listen()
        self.catchup.start()
        for key in self.loop.start_keys:
            self.queue.add(key)
        for number in range(self.loop.parallel):
            self._workers.append(tasks.spawn(self._work(), name=f"{self.name}/{number}"))

    def _listen(self) -> None:
        """Decide about all that is there, and about what changes from now on."""
        for watch in self._watches:
            informer = self._informers[group_kind(watch.kind)]
            self._ends.append(informer.listen(partial(self._changed, watch)))
            for obj in informer.objects.list():
                self._changed(watch, None, obj)

    def follow(self, catalogue: Catalogue, informers: Mapping[GroupKind, Informer]) -> None:
        """Work on the kinds of `catalogue`, whose caches have filled. All objects are looked at again: what they name
        may have been unknown."""
        self._catalogue = catalogue
        self._watches = self.loop.watching(catalogue)
        kinds = {group_kind(watch.kind) for watch in self._watches}
        for known in self._informers.keys() - kinds:
            del self._informers[known], self._indexes[known]
        for kind in kinds:
            self._informers[kind] = informers[kind]
            self._indexes[kind] = informers[kind].objects
        self._present = PresentWorld(self._indexes, catalogue)
        if self._workers:
            while self._ends:
                self._ends.pop()()
            self._listen()
        self.catchup.follow(self._informers)

    async def stop(self) -> None:
        """End the workers, with the requests they have under way, and forget the queue."""
        workers, self._workers = self._workers, []
        await tasks.stop(*workers)
        while self._ends:
            self._ends.pop()()
        for timer in self._resting.values():
            timer.cancel()
        self._resting.clear()
        self.catchup.stop()
        self.queue.close()
        self._triggers.clear()
        self._failures.clear()

    def _changed(self, watch: Watch, old: Obj | None, new: Obj | None) -> None:
        obj = new if new is not None else old
        if obj is None:
            return
        try:
            keys = self._keys(watch, old, new)
        except Exception:  # noqa: BLE001 - a mistake in one loop's mapping must not end the informer that others share
            self.counters.mistakes += 1
            _log.exception("%s: mapping %s %s to keys", self.name, watch.kind.kind, obj["metadata"].get("name"))
            return
        if not keys:
            return
        metadata = obj["metadata"]
        about = (watch.kind.kind, metadata.get("namespace", ""), metadata["name"])
        revision = revision_of(obj)
        for key in keys:
            self._remember(key, about, revision)
            self.queue.add(key)

    def _keys(self, watch: Watch, old: Obj | None, new: Obj | None) -> Sequence[Key]:
        if watch.keys is None:
            return (own_key(new if new is not None else old or {}),)
        return tuple(watch.keys(old, new, self._present))

    def _remember(self, key: Key, about: tuple[str, str, str], revision: int) -> None:
        triggers = self._triggers.setdefault(key, {})
        triggers.pop(about, None)
        triggers[about] = revision
        if len(triggers) > _TRIGGERS_MAX:
            del triggers[next(iter(triggers))]

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            outcome, rest_seconds = await self._attempt(key)
            if rest_seconds:
                later = asyncio.get_running_loop().call_later(rest_seconds, self._rested, key, outcome.waits)
                self._resting[key] = later
            else:
                self.catchup.hold(key, outcome.waits)

    def _rested(self, key: Key, waits: list[Wait]) -> None:
        del self._resting[key]
        self.catchup.hold(key, waits)

    async def _attempt(self, key: Key) -> tuple[Outcome, float]:
        """Decide and perform once, and arrange what follows from a failure; the outcome, and how long the key rests."""
        triggers = self._triggers.pop(key, {})
        newest = list(reversed(triggers.items()))[:_SEEN_MAX]
        seen = tuple(Seen(*about, revision) for about, revision in newest)
        self.counters.decisions += 1
        rest_seconds = 0.0
        try:
            world = CacheWorld(self._indexes, clock.wall(), self._failures.get(key, ""), self._catalogue)
            began = clock.monotonic()
            actions = self.loop.decide(key, world)
            decided = clock.monotonic()
            outcome = await self.performer.perform(key, actions, seen)
            # While its writes were under way, the key has rested.
            rest_seconds = max(0.0, rest_after(decided - began) - (clock.monotonic() - decided))
        except Exception as error:  # noqa: BLE001 - a mistake in the loop; the other keys must go on
            self.counters.mistakes += 1
            _log.exception("%s: working on %s", self.name, key)
            self.queue.retry(key)
            self._failures[key] = f"{type(error).__name__}: {error}"
            return Outcome(), rest_seconds
        if outcome.error is None:
            self.queue.forget(key)
            self._failures.pop(key, None)
        else:
            self._failed(key, outcome.error)
            self._failures[key] = outcome.error.message
            self._triggers[key] = triggers | self._triggers.get(key, {})
        if outcome.later_seconds is not None:
            self.queue.add_after(key, outcome.later_seconds)
        return outcome, rest_seconds

    def _failed(self, key: Key, error: ApiError) -> None:
        if isinstance(error, Unreachable) or error.code in _CANNOT_NOW:
            self.counters.unreachable += 1
            self.queue.retry(key, seconds_max=_UNREACHABLE_RETRY_SECONDS_MAX)
            return
        pause = self.queue.retry(key)
        if error.reason == "Conflict":
            self.counters.conflicts += 1
        else:
            self.counters.errors += 1
            _log.info("%s: %s: %s (again in %.3f s)", self.name, key, error, pause)


def rest_after(decision_seconds: float) -> float:
    """How long a key rests after a decision that took so long; 0 for one that was quick."""
    if decision_seconds < _LONG_SECONDS:
        return 0.0
    return min(decision_seconds * _REST_FACTOR, _REST_SECONDS_MAX)


def own_key(obj: Obj) -> Key:
    """The key of an object: `namespace/name`, or `name`."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])
