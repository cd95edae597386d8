"""Observes the cluster during a drill: informer caches as one `World`, and conditions that are judged at every
change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from homeostat.api.kinds import DEPLOYMENT, ENDPOINTSLICE, LEASE, NODE, POD, REPLICASET, SERVICE, Kind
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import clock, tasks
from homeostat.loop.cache import CacheWorld
from homeostat.loop.contract import World
from homeostat.loop.informer import Changed, Informer

_KINDS = (POD, NODE, ENDPOINTSLICE, LEASE, DEPLOYMENT, REPLICASET, SERVICE)
# A World also moves with time (an age, a deadline), so a wait looks again now and then without any event.
_LOOK_AGAIN_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was seen: the object as it was written, or in its final form when it was deleted."""

    kind: Kind
    obj: Obj
    deleted: bool


@dataclass(frozen=True, slots=True)
class Since:
    """When a condition was seen to begin to hold (monotonic seconds), and the change that made it hold; without one it
    held when it was first judged, or time made it hold."""

    seconds: float
    change: Change | None


class Condition:
    """Something that may hold of a World. `since` is None while it does not."""

    def __init__(self, holds: Callable[[World], bool]) -> None:
        self._holds = holds
        self.since: Since | None = None

    def judge(self, world: World, change: Change | None) -> None:
        """Judge it of the world as it is after the change."""
        if not self._holds(world):
            self.since = None
        elif self.since is None:
            self.since = Since(clock.monotonic(), change)


class Observer:
    """Informers over what drills look at."""

    def __init__(self, client: Client) -> None:
        self._informers = {(kind.group, kind.kind): Informer(client, kind) for kind in _KINDS}
        self._tasks: list[asyncio.Task[None]] = []
        self._conditions: list[Condition] = []
        self._moved = asyncio.Event()

    async def start(self) -> None:
        """Begin to watch; returns when every cache has filled."""
        for informer in self._informers.values():
            informer.listen(self._listener(informer.kind))
            self._tasks.append(tasks.spawn(informer.run(), name=f"observe-{informer.kind.plural}"))
        for informer in self._informers.values():
            await informer.synced.wait()

    async def stop(self) -> None:
        """End the watches."""
        await tasks.stop(*self._tasks)

    @property
    def world(self) -> World:
        """What is seen now."""
        return CacheWorld({key: informer.objects for key, informer in self._informers.items()}, clock.wall())

    def condition(self, holds: Callable[[World], bool]) -> Condition:
        """Judge whether it holds from now on."""
        made = Condition(holds)
        made.judge(self.world, None)
        self._conditions.append(made)
        return made

    async def until(self, condition: Condition, *, timeout_seconds: float) -> Since | None:
        """Wait until the condition holds; None when the time is over first."""
        deadline = clock.monotonic() + timeout_seconds
        while condition.since is None:
            left = deadline - clock.monotonic()
            if left <= 0:
                return None
            self._moved.clear()
            try:
                async with asyncio.timeout(min(left, _LOOK_AGAIN_SECONDS)):
                    await self._moved.wait()
            except TimeoutError:
                self._judge(None)
        return condition.since

    def _listener(self, kind: Kind) -> Changed:
        def changed(old: Obj | None, new: Obj | None) -> None:
            obj = new if new is not None else old
            assert obj is not None
            self._judge(Change(kind, obj, deleted=new is None))
            self._moved.set()

        return changed

    def _judge(self, change: Change | None) -> None:
        world = self.world
        for condition in self._conditions:
            condition.judge(world, change)
