"""Runs one loop: turns cache changes into keys, keys into decisions, decisions into writes, failures into retries.

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
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.loop.cache import CacheWorld, GroupKind, PresentWorld
from homeostat.loop.catchup import Catchup
from homeostat.loop.contract import Action, Key, Loop, Remember, Watch
from homeostat.loop.informer import Informer
from homeostat.loop.objects import revision_of
from homeostat.loop.perform import Outcome, Performer, group_kind
from homeostat.loop.queue import WorkQueue
from homeostat.loop.recorder import EventRecorder
from homeostat.wire.cause import Seen

_UNREACHABLE_RETRY_SECONDS_MAX = 1.0
# How many objects that triggered a key are remembered, and how many of them a write names as its cause.
_TRIGGERS_MAX = 8
_SEEN_MAX = 4
# A decision that took long (over thousands of Pods, say) is not made again at once: its key rests for some multiple of
# that time, while changes gather. The first change is always answered at once, and the simulation never gets here.
_LONG_SECONDS = 0.01
_REST_FACTOR = 4.0
_REST_SECONDS_MAX = 0.5
_FILLED_LOOK_SECONDS = 1.0

# Objects (kind, namespace, name) that brought a key into the queue, each with its newest revision; the newest last.
Triggers: TypeAlias = dict[tuple[str, str, str], int]

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
        self._triggers: dict[Key, Triggers] = {}
        self._failures: dict[Key, str] = {}
        self._memories: dict[Key, object] = {}
        self._deleted: dict[str, None] = {}  # uids, the oldest first
        self._ends: list[Callable[[], None]] = []
        self._workers: list[asyncio.Task[None]] = []

    @property
    def idle(self) -> bool:
        """Whether no key waits, is worked on or held back (delayed ones do not count)."""
        return self.queue.idle

    async def start(self) -> None:
        """Wait for the caches, reconcile all objects, then follow the changes."""
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
        """Reconcile all objects, then those that change."""
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
        self.catchup.stop()
        self.queue.close()
        self._triggers.clear()
        self._failures.clear()
        self._memories.clear()
        self._deleted.clear()

    def _changed(self, watch: Watch, old: Obj | None, new: Obj | None) -> None:
        obj = new if new is not None else old
        if obj is None:
            return
        if new is None and self.loop.deletions_max:
            self._deleted[meta.uid(obj)] = None
            if len(self._deleted) > self.loop.deletions_max:
                del self._deleted[next(iter(self._deleted))]
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
            triggers = self._triggers.pop(key, {})
            self._settle(key, triggers, await self._reconcile(key, triggers))

    async def _reconcile(self, key: Key, triggers: Triggers) -> Outcome:
        """Decide and perform once. Failures are in the outcome."""
        newest = list(reversed(triggers.items()))[:_SEEN_MAX]
        seen = tuple(Seen(*about, revision) for about, revision in newest)
        self.counters.decisions += 1
        failure, memory = self._failures.get(key, ""), self._memories.get(key)
        try:
            world = CacheWorld(self._indexes, clock.wall(), failure, self._catalogue, memory)
            world.deleted = self._deleted
            began = clock.monotonic()
            actions = self.loop.decide(key, world)
            decided = clock.monotonic()
            self._keep_memory(key, actions)
            outcome = await self.performer.perform(key, actions, seen)
        except Exception as error:  # noqa: BLE001 - a mistake in the loop; the other keys must go on
            return Outcome(error=error)
        # While its writes were under way, the key has rested.
        outcome.rest_seconds = max(0.0, rest_after(decided - began) - (clock.monotonic() - decided))
        return outcome

    def _keep_memory(self, key: Key, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Remember):
                if action.memory is None:
                    self._memories.pop(key, None)
                else:
                    self._memories[key] = action.memory

    def _settle(self, key: Key, triggers: Triggers, outcome: Outcome) -> None:
        """Decide when a key is reconciled again after its round. No other place does."""
        failure = ""
        match outcome.error:
            case None:
                self.queue.forget(key)
            case ApiError(code=429 | 503 | 504, message=failure):
                # No API server could be reached, or one says that it or its store cannot answer now; that says nothing
                # about the key.
                self.counters.unreachable += 1
                self.queue.retry(key, seconds_max=_UNREACHABLE_RETRY_SECONDS_MAX)
            case ApiError(reason="Conflict", message=failure):
                # Decided on a stale cache: beside the back-off, the waits keep the key until the cache has moved.
                self.counters.conflicts += 1
                self.queue.retry(key)
            case ApiError(message=failure) as error:
                # Refused, perhaps for good; but what would change that may be no object of these caches.
                self.counters.errors += 1
                pause = self.queue.retry(key)
                _log.info("%s: %s: %s (again in %.3f s)", self.name, key, error, pause)
            case mistake:
                self.counters.mistakes += 1
                failure = f"{type(mistake).__name__}: {mistake}"
                self.queue.retry(key)
                _log.error("%s: working on %s", self.name, key, exc_info=mistake)
        if outcome.error is None:
            self._failures.pop(key, None)
        else:
            self._failures[key] = failure
            # The writes of the next round have the same causes.
            self._triggers[key] = triggers | self._triggers.get(key, {})
        if outcome.later_seconds is not None:
            self.queue.add_after(key, outcome.later_seconds)
        # However soon it is due: not before its rest is over and the caches have what it wrote.
        self.catchup.hold(key, outcome.waits, rest_seconds=outcome.rest_seconds)


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
