"""From the store to the hubs: one watch over everything, applied in revision order, and who waits for a revision.

`Feed` owns all hubs of one API server. A hub's prefix comes from the keys themselves, so a resource that nobody ever
wrote costs nothing. The server's own commits are applied when they are acknowledged, if nothing is missing before
them; the watch would bring them anyway, a little later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

from homeostat.api import errors
from homeostat.api.catalogue import Catalogue
from homeostat.apiserver.cache.cached_objects import Maker, maker
from homeostat.apiserver.cache.history import ROOT
from homeostat.apiserver.cache.hub import Hub
from homeostat.apiserver.cache.served_catalogue import Served
from homeostat.apiserver.cache.window import Change
from homeostat.apiserver.settings import Settings
from homeostat.kit import clock, tasks
from homeostat.kit.bounded import within
from homeostat.kit.log import logger
from homeostat.store.contract import Compacted, Entry, Event, Store, Unavailable

_RETRY_SECONDS = 0.2

_log = logger("apiserver.feed")


class Feed:
    """All hubs and the revision up to which they are true (`applied`)."""

    def __init__(
        self, store: Store, settings: Settings, served: Served, *, observe: Callable[[Hub, Change], None]
    ) -> None:
        self.applied = 0
        self._store = store
        self._settings = settings
        self._served = served
        self._observe = observe
        self._hubs: dict[str, Hub] = {}
        self._task: asyncio.Task[None] | None = None
        # (revision, arrival, future): those who wait until the hubs have reached a revision.
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = 0

    async def start(self) -> None:
        """Load the current state and follow the store from there."""
        await self._load()
        self._task = tasks.spawn(self._follow(), name="apiserver-feed")

    async def stop(self) -> None:
        """Stop following; cut every watch as if the connection broke."""
        await tasks.stop(self._task)
        for hub in self._hubs.values():
            for watcher in hub.watchers:
                watcher.close(broken=True)
        for _, _, future in self._waiting:
            if not future.done():
                future.set_exception(ConnectionResetError("the API server stopped"))
        self._waiting.clear()

    def hubs(self) -> list[Hub]:
        """Every hub there is."""
        return list(self._hubs.values())

    def hub(self, prefix: str) -> Hub:
        """The hub of a resource, by its store prefix."""
        found = self._hubs.get(prefix)
        if found is None:
            found = self._hubs[prefix] = Hub(prefix, self.applied, self._settings, self._maker(prefix))
        return found

    def serve(self, catalogue: Catalogue) -> None:
        """Serve other kinds: the hubs of those that changed start over with the objects they have."""
        changed = self._served.catalogue.changed(catalogue)
        self._served.catalogue = catalogue
        for prefix in changed & self._hubs.keys():
            self._hubs[prefix].renew(self._maker(prefix))

    def _maker(self, prefix: str) -> Maker:
        """What makes the items of a resource; one that is not served has no selectable fields."""
        catalogue = self._served.catalogue
        kind = catalogue.stored_at(prefix)
        return maker(catalogue.resource(kind).selectable.zeros if kind is not None else {})

    async def _load(self) -> None:
        page = await self._store.list(ROOT)
        by_prefix: dict[str, list[Entry]] = {}
        for entry in page.entries:
            by_prefix.setdefault(prefix_of(entry.key), []).append(entry)
        old, self._hubs = self._hubs, {}
        for prefix, entries in by_prefix.items():
            hub = self._hubs[prefix] = Hub(prefix, page.revision, self._settings, self._maker(prefix))
            hub.load(entries)
        self.applied = page.revision
        for hub in old.values():
            for watcher in hub.watchers:
                watcher.fail(errors.expired("too old resource version: this API server lost track of its store"))
        self._release()

    async def _follow(self) -> None:
        lost = False
        while True:
            try:
                if lost:
                    await self._load()
                    lost = False
                async for batch in self._store.watch(ROOT, after_revision=self.applied):
                    for event in batch:
                        self._apply(event)
                    self._release()
            except Compacted:
                _log.warning("revision %d is compacted; loading everything again", self.applied)
                lost = True
                continue
            except Unavailable as error:
                _log.warning("the store does not answer: %s", error)
            except Exception as error:  # noqa: BLE001 - whatever it is, a server that no longer follows its store serves the past
                _log.error("following the store failed; loading everything again", exc_info=error)
                lost = True
            await clock.sleep(_RETRY_SECONDS)

    def _apply(self, event: Event) -> None:
        if event.revision <= self.applied:
            return
        hub = self.hub(prefix_of(event.key))
        change = hub.apply(event)
        self.applied = event.revision
        self._observe(hub, change)

    def applied_own(self, event: Event) -> None:
        """A commit of this server was acknowledged: apply it at once if every commit before it is applied."""
        if event.revision == self.applied + 1:
            self._apply(event)
            self._release()

    def _release(self) -> None:
        waiting = self._waiting
        while waiting and waiting[0][0] <= self.applied:
            future = heappop(waiting)[2]
            if not future.done():
                future.set_result(None)

    async def reach(self, revision: int) -> None:
        """Return when the hubs have applied `revision`. Raises 504 Timeout when that takes too long."""
        if revision <= self.applied:
            return
        try:
            await self._applied(revision, self._settings.catch_up_seconds)
        except TimeoutError:
            raise too_large_revision(revision, self.applied) from None

    async def _applied(self, revision: int, seconds: float) -> None:
        """Return when the hubs have applied `revision`. Raises TimeoutError after so many seconds.

        Under load nearly every write waits here for the commits that were under way when it came, so it arms a plain
        timer: `asyncio.timeout` costs several times as much.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._arrivals += 1
        heappush(self._waiting, (revision, self._arrivals, future))
        timer = loop.call_later(seconds, _give_up, future)
        try:
            await future
        finally:
            timer.cancel()

    async def catch_up(self) -> None:
        """Make the hubs as new as the store is now: what a linearizable read waits for. Raises Unavailable after
        a time: another server may have what this one lacks."""
        seconds = self._settings.linearizable_seconds
        began = clock.monotonic()
        try:
            # Nearly every read finds the hubs up to date, at a cost below that of arming a timer.
            revision = await within(seconds, self._store.revision())
            if revision > self.applied:
                await self._applied(revision, seconds - (clock.monotonic() - began))
        except TimeoutError:
            raise Unavailable(self._store.silence()) from None


def _give_up(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_exception(TimeoutError())


def too_large_revision(asked: int, current: int) -> errors.ApiError:
    """504: kube-apiserver's answer to a resourceVersion from the future (storage.NewTooLargeResourceVersionError)."""
    error = errors.timeout(f"Too large resource version: {asked}, current: {current}")
    error.details["causes"] = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return error


def prefix_of(key: str) -> str:
    """`/registry/GROUP/PLURAL/` of a key."""
    return key[: key.index("/", key.index("/", len(ROOT)) + 1) + 1]
