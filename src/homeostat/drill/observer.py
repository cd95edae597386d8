"""Sees the cluster during a drill: informer caches as one `World`, and a wait for something to become true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from homeostat.api.kinds import DEPLOYMENT, ENDPOINTSLICE, LEASE, NODE, POD, REPLICASET
from homeostat.client.contract import Client
from homeostat.kit import clock, tasks
from homeostat.loop.cache import CacheWorld
from homeostat.loop.contract import World
from homeostat.loop.informer import Informer

_KINDS = (POD, NODE, ENDPOINTSLICE, LEASE, DEPLOYMENT, REPLICASET)
# A World also moves with time (an age, a deadline), so a wait looks again now and then without any event.
_LOOK_AGAIN_SECONDS = 0.25


class Observer:
    """Informers over what drills look at."""

    def __init__(self, client: Client) -> None:
        self._informers = {(kind.group, kind.kind): Informer(client, kind) for kind in _KINDS}
        self._tasks: list[asyncio.Task[None]] = []
        self._moved = asyncio.Event()

    async def start(self) -> None:
        """Begin to watch; returns when every cache has filled."""
        for informer in self._informers.values():
            informer.listen(lambda _old, _new: self._moved.set())
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

    @property
    def revision(self) -> int:
        """The newest revision seen."""
        return max(informer.revision for informer in self._informers.values())

    async def until(self, holds: Callable[[World], bool], *, timeout_seconds: float) -> bool:
        """Wait until `holds` of what is seen; False when the time is over first."""
        deadline = clock.monotonic() + timeout_seconds
        while not holds(self.world):
            left = deadline - clock.monotonic()
            if left <= 0:
                return False
            self._moved.clear()
            try:
                async with asyncio.timeout(min(left, _LOOK_AGAIN_SECONDS)):
                    await self._moved.wait()
            except TimeoutError:
                pass
        return True
