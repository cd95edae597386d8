"""One resource in one place, kept current by a list and a watch for all who look at it.

The watch is made with the token of one who takes part, and made again with another's when that one leaves or may not
any more. A watch that breaks goes on from the newest revision seen, at whichever API server answers; when that is too
old (410) the list is made again and only its differences are told. Nothing that was known is forgotten meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol, TypeAlias

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.console.cache.entries import Entry, Keeper, Key
from homeostat.console.cache.places import Place
from homeostat.console.cache.reading import Event, Item, Page, page_of, watch
from homeostat.console.rows.layout import Layout, TableLayout
from homeostat.console.upstream.api_servers import ApiServers, Speaker
from homeostat.kit import chance, clock, collector, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger

# (old, new): None where there was none, or is none any more.
Change: TypeAlias = tuple[Entry | None, Entry | None]

_GONE = 410
_REFUSED = (401, 403)
_RETRY = Backoff(first_seconds=0.05, ceiling_seconds=0.5)
# A watch that is made again within this time was never away.
STALE_SECONDS = 1.0
# A list that is older than what was known already: of a cluster restored from a backup, if it stays so.
_OLDER_LISTS_MAX = 3
# How many objects of a list are kept before others get their turn, and after how many the memory of its pages is given
# back.
_SLICE, _MANY = 100, 2_000

_log = logger("console")


class Viewer(Protocol):
    """Somebody who looks, as the API servers know them."""

    def token(self) -> str:
        """The bearer token."""
        ...

    def refused(self, place: Place) -> None:
        """The API server refused the watch with this one's token: look whether it still may."""
        ...


class Listener(Protocol):
    """Who is told of changes; all of it must be quick."""

    def changed(self, changes: Sequence[Change]) -> None:
        """These objects changed."""

    def renewed(self) -> None:
        """The state (loading, live, stale) is another one."""

    def failed(self, error: ApiError) -> None:
        """There is nothing to be shown here."""


class Feed:
    """See the module. `entries` is what is known, true at `revision`; `run` keeps it current until cancelled. Without a
    `layout` the API server's own Table is asked for."""

    def __init__(self, servers: ApiServers, place: Place, layout: Layout | None, *, writers: bool = False) -> None:
        self.place = place
        self.entries: dict[Key, Entry] = {}
        self.revision = ""
        self.keeper = Keeper(place.resource, layout or TableLayout("", "", ()), writers=writers)
        self._servers = servers
        self._table = layout is None
        self._members: dict[Listener, Viewer] = {}
        self._feeder: Viewer | None = None
        self._unwelcome: set[Viewer] = set()
        self._joined = asyncio.Event()
        self._work: asyncio.Task[ApiError | None] | None = None
        self._loaded = False
        self._listed = False
        self._following = False
        self._as_of = 0.0
        self._broken = 0.0
        self._older_lists = 0
        self._doubt: asyncio.TimerHandle | None = None

    # Who takes part

    def join(self, listener: Listener, viewer: Viewer) -> None:
        """Take part: `listener` is told of what changes from now on, and `viewer`'s token may be used."""
        self._members[listener] = viewer
        self._hand_over()
        self._unwelcome.discard(viewer)
        self._joined.set()

    def welcome(self, viewer: Viewer) -> None:
        """The viewer may look, whatever an API server said before."""
        if viewer in self._unwelcome:
            self._unwelcome.discard(viewer)
            self._joined.set()

    def listeners_of(self, viewer: Viewer) -> list[Listener]:
        """By which listeners a viewer takes part."""
        return [listener for listener, own in self._members.items() if own is viewer]

    def leave(self, listener: Listener) -> None:
        """Take part no more."""
        self._members.pop(listener, None)
        self._hand_over()

    def _hand_over(self) -> None:
        """Watch with the token of one who takes part. While nobody does, the watch goes on for the moment until
        somebody comes, or the feed is ended."""
        if self._members and self._feeder is not None and self._feeder not in self._members.values():
            self._interrupt()

    @property
    def members(self) -> int:
        """How many take part."""
        return len(self._members)

    # What is known

    @property
    def state(self) -> str:
        """`loading`, `live`, or `stale`: what is known may not be so any more."""
        if not self._loaded:
            return "loading"
        if self._following or (not self._servers.out and clock.monotonic() - self._broken < STALE_SECONDS):
            return "live"
        return "stale"

    @property
    def as_of(self) -> float:
        """When what is known was certainly so, in seconds since the epoch."""
        return clock.wall() if self._following else self._as_of

    # The work

    async def run(self) -> None:
        """Keep it current until cancelled."""
        failures = 0
        while True:
            viewer = self._next_feeder()
            if viewer is None:
                self._joined.clear()
                await self._joined.wait()
                continue
            before = self.revision
            error = await self._feed_by(viewer)
            self._break_off()
            if error is None or self.revision != before:
                failures = 0
            if error is not None and self._answer(error, viewer):
                continue
            if error is not None:
                await clock.sleep(_RETRY.delay(failures) * chance.uniform(0.7, 1.3))
                failures += 1

    def _next_feeder(self) -> Viewer | None:
        viewers = list(self._members.values())
        if self._feeder not in viewers or self._feeder in self._unwelcome:
            self._feeder = next((viewer for viewer in viewers if viewer not in self._unwelcome), None)
        return self._feeder

    def _answer(self, error: ApiError, viewer: Viewer) -> bool:
        """What an error means; True when it is tried again at once."""
        _log.debug("%s: %s", self.place, error)
        if error.code == _GONE:
            self._listed = False
            return True
        if error.code in _REFUSED:
            self._unwelcome.add(viewer)
            viewer.refused(self.place)
            return True
        if error.code == 404:
            self._listed = False
            for listener in list(self._members):
                listener.failed(error)
        return False

    async def _feed_by(self, viewer: Viewer) -> ApiError | None:
        """List and watch with one's token, until that ends; None when it was ended from here, or as it should."""
        work = self._work = tasks.spawn(self._attempt(viewer), name="console feed")
        end = self._servers.on_lost(self._interrupt)
        try:
            return await work
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if own is not None and own.cancelling():
                raise
            return None
        finally:
            end()
            self._work = None

    def _interrupt(self) -> None:
        if self._work is not None:
            self._work.cancel()

    async def _attempt(self, viewer: Viewer) -> ApiError | None:
        speaker = Speaker(self._servers, viewer.token)
        try:
            if not self._listed:
                await self._list(speaker)
            await self._watch(speaker)
        except ApiError as error:
            return error
        except Exception as error:  # noqa: BLE001 - an object that cannot be read must not end the news for good
            _log.exception("%s", self.place)
            return errors.internal(f"{type(error).__name__}: {error}")
        return None

    def _break_off(self) -> None:
        """The watch is not there any more."""
        if self._following:
            self._following = False
            self._as_of, self._broken = self._servers.since or clock.wall(), clock.monotonic()
            if self._servers.out:
                self._renew()
            else:
                self._doubt = asyncio.get_running_loop().call_later(STALE_SECONDS + 0.01, self._renew)

    def _follow(self) -> None:
        """The watch is there."""
        if self._doubt is not None:
            self._doubt.cancel()
            self._doubt = None
        self._following = True
        self._renew()

    def _renew(self) -> None:
        for listener in list(self._members):
            listener.renewed()

    async def _list(self, speaker: Speaker) -> None:
        found: dict[Key, Entry] = {}
        page = await page_of(speaker, self.place, table=self._table)
        if self._table and page.columns:
            resource = self.place.resource
            self.keeper.layout = TableLayout(resource.group, resource.plural, page.columns)
        while True:
            following = tasks.spawn(self._next_page(speaker, page), name="console list") if page.more else None
            try:
                await self._keep(found, page.items)
                if following is None:
                    break
                answer = await following
            finally:
                await tasks.stop(following)
            if isinstance(answer, ApiError):
                if answer.code != _GONE:
                    raise answer
                # The list's revision has expired on the way: all of it at once.
                found.clear()
                answer = await page_of(speaker, self.place, limit=0, table=self._table)
            page = answer
        self._replace(found, page.revision)
        if len(found) > _MANY:
            collector.give_back()

    async def _next_page(self, speaker: Speaker, page: Page) -> Page | ApiError:
        """The next part of the list: the API server makes it while the last one is kept here."""
        try:
            return await page_of(speaker, self.place, more=page.more, table=self._table)
        except ApiError as error:
            return error

    async def _keep(self, found: dict[Key, Entry], items: Sequence[Item]) -> None:
        now = clock.wall()
        for at in range(0, len(items), _SLICE):
            for obj, cells in items[at : at + _SLICE]:
                entry = self.keeper.entry(obj, now, cells)
                known = self.entries.get(entry.key)
                if known is not None and known.uid == entry.uid and known.version == entry.version:
                    entry = known
                found[entry.key] = entry
            await clock.sleep(0)

    def _replace(self, found: dict[Key, Entry], revision: str) -> None:
        """A list is what is known from now on; what differs is told."""
        if _number(revision) < _number(self.revision) and self._older_lists < _OLDER_LISTS_MAX:
            self._older_lists += 1
            raise errors.unavailable("the list is older than what was known")
        self._older_lists = 0
        changes: list[Change] = [(old, None) for key, old in self.entries.items() if key not in found]
        for key, new in found.items():
            old = self.entries.get(key)
            if old is not new:
                changes.append((old, new))
        self.entries, self.revision = found, revision
        self._listed = self._loaded = True
        self._as_of, self._broken = clock.wall(), clock.monotonic()
        self.keeper.forget_unused(found)
        if changes:
            self._tell(changes)

    async def _watch(self, speaker: Speaker) -> None:
        async with aclosing(watch(speaker, self.place, self.revision, table=self._table)) as batches:
            async for events in batches:
                if not self._following:
                    self._follow()
                changes: list[Change] = []
                for event in events:
                    change = self._apply(event)
                    if change is not None:
                        changes.append(change)
                if changes:
                    self._tell(changes)

    def _apply(self, event: Event) -> Change | None:
        obj, cells = event.item
        version = str((obj.get("metadata") or {}).get("resourceVersion") or "")
        if version.isdecimal() and _number(version) <= _number(self.revision):
            return None  # seen already, at another API server
        if event.type == "BOOKMARK":
            self.revision = version or self.revision
            return None
        entry = self.keeper.entry(obj, clock.wall(), cells)
        self.revision = version or self.revision
        known = self.entries.get(entry.key)
        if event.type == "DELETED":
            if known is None or known.uid != entry.uid:
                return None
            del self.entries[entry.key]
            return known, None
        self.entries[entry.key] = entry
        return known, entry

    def _tell(self, changes: Sequence[Change]) -> None:
        for listener in list(self._members):
            listener.changed(changes)

    def stop_timers(self) -> None:
        """Nothing is told any more."""
        if self._doubt is not None:
            self._doubt.cancel()


def _number(revision: str) -> int:
    return int(revision) if revision.isdecimal() else 0
