"""Runs several loops as one component over shared caches: one informer a kind, however many loops watch it.

A cache fills when the first loop that needs it starts, and follows from then on. Loops that work on all kinds follow
the API's discovery: a kind that appears gets a cache; the cache of one that disappears is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import APISERVICE, CRD
from homeostat.client.contract import Client
from homeostat.kit import clock, tasks
from homeostat.loop.cache import GroupKind
from homeostat.loop.contract import Loop, Watch
from homeostat.loop.discovery import Discovery, Follower
from homeostat.loop.informer import Informer, Transform, drop_managed_fields
from homeostat.loop.perform import group_kind
from homeostat.loop.recorder import EventRecorder
from homeostat.loop.runner import LoopRunner


class Manager:
    """`warm` fills the caches of the loops that start at once (a standby may do so before it leads), `start` runs the
    loops as well, `stop_loops` ends them and keeps the caches, `stop` ends everything."""

    def __init__(self, client: Client, loops: Sequence[Loop], component: str, *, host: str = "") -> None:
        # The current catalogue, and the next one, used once its caches are synced.
        self._catalogue = self._wanted = Catalogue.builtin()
        self.recorder = EventRecorder(client, component, host=host)
        self.informers = {
            kind: Informer(client, watches[0].kind, transform=shared_transform(watches))
            for kind, watches in _by_kind([watch for loop in loops for watch in loop.watching(self._catalogue)]).items()
        }
        self.runners = [
            LoopRunner(loop, client, informers=self.informers, recorder=self.recorder, component=component)
            for loop in loops
        ]
        self._component = component
        self._caching: dict[GroupKind, asyncio.Task[None]] = {}
        self._patient: list[asyncio.Task[None]] = []
        self._client = client
        self._follower = Follower(Discovery(client), self._adopt)
        self._following: asyncio.Task[None] | None = None
        self._adopting: asyncio.Task[None] | None = None
        for kind in (CRD, APISERVICE):
            if (informer := self.informers.get(group_kind(kind))) is not None:
                informer.listen(lambda old, new: self._follower.expect())

    @property
    def idle(self) -> bool:
        """Whether every loop has begun and none has anything to do now (delayed keys do not count)."""
        return all(task.done() for task in self._patient) and all(runner.idle for runner in self.runners)

    async def warm(self) -> None:
        """Start to fill the caches; returns at once."""
        for runner in self.runners:
            if not runner.loop.start_delay_seconds:
                self._fill(runner.loop)

    async def start(self) -> None:
        """Run the loops; returns when all that start immediately are running, that is when their caches are synced."""
        await self.warm()
        self.recorder.start()
        for runner in self.runners:
            if runner.loop.start_delay_seconds:
                self._patient.append(tasks.spawn(self._start_later(runner), name=f"{runner.name}/start"))
        for runner in self.runners:
            if not runner.loop.start_delay_seconds:
                await runner.start()

    async def _start_later(self, runner: LoopRunner) -> None:
        await clock.sleep(runner.loop.start_delay_seconds)
        self._fill(runner.loop)
        await runner.start()
        if runner.loop.follows is not None and self._following is None:
            self._following = tasks.spawn(self._follower.run(), name=f"{self._component}/discovery")

    def _fill(self, loop: Loop) -> None:
        for watch in loop.watching(self._catalogue):
            self._run(group_kind(watch.kind))

    def _run(self, kind: GroupKind) -> None:
        if kind not in self._caching:
            informer = self.informers[kind]
            self._caching[kind] = tasks.spawn(informer.run(), name=f"{self._component}/informer/{kind[1]}")

    def _adopt(self, catalogue: Catalogue) -> None:
        """Follow the kinds that the API serves now, if they changed."""
        if catalogue is self._wanted:
            return
        self._wanted = catalogue
        if self._adopting is not None:
            self._adopting.cancel()
        self._adopting = tasks.spawn(self._follow(catalogue), name=f"{self._component}/kinds")

    async def _follow(self, catalogue: Catalogue) -> None:
        """Let the loops that follow the catalogue work on its kinds, once their caches have filled."""
        following = [runner for runner in self.runners if runner.loop.follows is not None]
        watches = _by_kind([watch for runner in self.runners for watch in runner.loop.watching(catalogue)])
        for kind, of_kind in watches.items():
            known = self.informers.get(kind)
            if known is None or known.kind != of_kind[0].kind:
                await tasks.stop(self._caching.pop(kind, None))
                self.informers[kind] = Informer(self._client, of_kind[0].kind, transform=shared_transform(of_kind))
                self._run(kind)
        for kind in watches:
            if kind in self._caching:
                await self.informers[kind].synced.wait()
        self._catalogue = catalogue
        for runner in following:
            runner.follow(catalogue, self.informers)
        for kind in self.informers.keys() - watches.keys():
            await tasks.stop(self._caching.pop(kind, None))
            del self.informers[kind]

    async def stop_loops(self) -> None:
        """End the loops and the event recorder; the caches go on."""
        patient, self._patient = self._patient, []
        await tasks.stop(*patient, self._following, self._adopting)
        self._following = self._adopting = None
        self._wanted = self._catalogue
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


def _by_kind(watches: Sequence[Watch]) -> dict[GroupKind, list[Watch]]:
    found: dict[GroupKind, list[Watch]] = {}
    for watch in watches:
        found.setdefault(group_kind(watch.kind), []).append(watch)
    return found
