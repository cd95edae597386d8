"""Runs several loops as one component over shared caches: one informer a kind, however many loops watch it.

A cache fills when the first loop that needs it starts, and goes on from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from homeostat.client.contract import Client
from homeostat.kit import clock, tasks
from homeostat.loop.cache import GroupKind
from homeostat.loop.contract import Loop, Watch
from homeostat.loop.informer import Informer, Transform, drop_managed_fields
from homeostat.loop.perform import group_kind
from homeostat.loop.recorder import EventRecorder
from homeostat.loop.runner import LoopRunner


class Manager:
    """`warm` fills the caches of the loops that start at once (a standby may do so before it leads), `start` runs the
    loops as well, `stop_loops` ends them and keeps the caches, `stop` ends everything."""

    def __init__(self, client: Client, loops: Sequence[Loop], component: str, *, host: str = "") -> None:
        self.recorder = EventRecorder(client, component, host=host)
        self.informers = {
            group_kind(watches[0].kind): Informer(client, watches[0].kind, transform=shared_transform(watches))
            for watches in _by_kind(loops)
        }
        self.runners = [
            LoopRunner(loop, client, informers=self.informers, recorder=self.recorder, component=component)
            for loop in loops
        ]
        self._component = component
        self._caching: dict[GroupKind, asyncio.Task[None]] = {}
        self._patient: list[asyncio.Task[None]] = []

    @property
    def idle(self) -> bool:
        """Whether every loop has begun and none has anything to do now (delayed keys do not count)."""
        return all(task.done() for task in self._patient) and all(runner.idle for runner in self.runners)

    async def warm(self) -> None:
        """Begin to fill the caches; returns at once."""
        for runner in self.runners:
            if not runner.loop.patience_seconds:
                self._fill(runner.loop)

    async def start(self) -> None:
        """Run the loops; returns when all that start at once have begun, that is when their caches have filled."""
        await self.warm()
        self.recorder.start()
        for runner in self.runners:
            if runner.loop.patience_seconds:
                self._patient.append(tasks.spawn(self._start_later(runner), name=f"{runner.name}/start"))
        for runner in self.runners:
            if not runner.loop.patience_seconds:
                await runner.start()

    async def _start_later(self, runner: LoopRunner) -> None:
        await clock.sleep(runner.loop.patience_seconds)
        self._fill(runner.loop)
        await runner.start()

    def _fill(self, loop: Loop) -> None:
        for watch in loop.watches:
            kind = group_kind(watch.kind)
            if kind not in self._caching:
                informer = self.informers[kind]
                self._caching[kind] = tasks.spawn(informer.run(), name=f"{self._component}/informer/{kind[1]}")

    async def stop_loops(self) -> None:
        """End the loops and the event recorder; the caches go on."""
        patient, self._patient = self._patient, []
        await tasks.stop(*patient)
        for runner in self.runners:
            await runner.stop()
        await self.recorder.stop()

    async def stop(self) -> None:
        """End everything."""
        await self.stop_loops()
        caching, self._caching = self._caching, {}
        await tasks.stop(*caching.values())


def shared_transform(watches: Sequence[Watch]) -> Transform:
    """How a cache that these watches share trims: as all of them say, or not at all where they differ."""
    trims = {watch.trim for watch in watches}
    trim = trims.pop()
    if trims or trim is None:
        return drop_managed_fields
    return trim


def _by_kind(loops: Sequence[Loop]) -> list[list[Watch]]:
    kinds: dict[GroupKind, list[Watch]] = {}
    for loop in loops:
        for watch in loop.watches:
            kinds.setdefault(group_kind(watch.kind), []).append(watch)
    return list(kinds.values())
