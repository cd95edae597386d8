"""What one API server does beside answering: it compacts the store's history and deletes old Events.

Every server does both, at jittered times; compaction to a revision is idempotent, and an Event is deleted by compare
and swap, so several servers only do each other's work.
"""

from __future__ import annotations

import msgspec

from homeostat.api import meta
from homeostat.api.kinds import EVENT
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.cache.feed import Feed
from homeostat.apiserver.cache.served_catalogue import Served
from homeostat.apiserver.settings import Settings
from homeostat.apiserver.write.writing import Write, Writes
from homeostat.kit import chance, clock
from homeostat.kit.log import logger
from homeostat.store.contract import Stale, Store, StoreError
from homeostat.wire.cause import WriteCause
from homeostat.wire.message import User

_SERVER = User("system:apiserver", ("system:masters",))
_CAUSE = WriteCause("apiserver/events", note="older than event-ttl", user=_SERVER.name).encode()
_EVENTS_PERIOD_SECONDS = 60.0
# What one pass deletes at most: upkeep must not delay requests.
_EVENTS_A_PASS = 500

_log = logger("apiserver.upkeep")


class _Series(msgspec.Struct):
    lastObservedTime: str | None = None


class _Meta(msgspec.Struct):
    creationTimestamp: str | None = None


class _Times(msgspec.Struct):
    metadata: _Meta
    lastTimestamp: str | None = None
    eventTime: str | None = None
    series: _Series | None = None


_times = msgspec.json.Decoder(_Times)


def happened_at(item: Item) -> float:
    """When an Event was last seen, in seconds since the epoch; 0 when it does not say."""
    times = _times.decode(item.data)
    said = (
        times.series.lastObservedTime if times.series else None,
        times.lastTimestamp,
        times.eventTime,
        times.metadata.creationTimestamp,
    )
    return max(meta.time_of(text) for text in said)


class Upkeep:
    """The two loops; both run until they are cancelled."""

    def __init__(self, store: Store, feed: Feed, writes: Writes, served: Served, settings: Settings) -> None:
        self._store = store
        self._feed = feed
        self._writes = writes
        self._served = served
        self._settings = settings

    async def compact(self) -> None:
        """Every interval, forget the history from before the last one."""
        before = 0
        while True:
            revision = self._feed.applied
            await clock.sleep(_jittered(self._settings.compaction_interval_seconds))
            try:
                if revision > before:
                    await self._store.compact(revision)
                    before = revision
            except StoreError as error:
                _log.warning("compaction to revision %d failed: %s", revision, error)

    async def expire_events(self) -> None:
        """Every minute, delete the Events that are older than event-ttl."""
        while True:
            await clock.sleep(_jittered(_EVENTS_PERIOD_SECONDS))
            try:
                await self._expire()
            except StoreError as error:
                _log.warning("deleting old events failed: %s", error)

    async def _expire(self) -> None:
        oldest = clock.wall() - self._settings.event_ttl_seconds
        old = [item for item in self._feed.hub(EVENT.prefix).items.values() if happened_at(item) < oldest]
        events = self._served.catalogue.resource(EVENT)
        for item in old[:_EVENTS_A_PASS]:
            write = Write(events, item.namespace, item.name, _SERVER, _CAUSE)
            try:
                await self._writes.replace(write, item, stored_form.decode(item.data), delete=True)
            except Stale:
                continue


def _jittered(seconds: float) -> float:
    return seconds * chance.uniform(0.9, 1.1)
