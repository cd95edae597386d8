"""All feeds: one for each place that somebody looks at, kept for a moment after the last one has left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from homeostat.api import errors
from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CRD
from homeostat.client.api_client import ApiClient
from homeostat.console.cache.feed import Feed, Listener
from homeostat.console.cache.places import Place, Resource
from homeostat.console.cache.rights import RIGHTS_SECONDS
from homeostat.console.cache.users import User
from homeostat.console.rows import layout
from homeostat.console.rows.layout import Layout
from homeostat.console.upstream.api_servers import ApiServers
from homeostat.kit import tasks
from homeostat.kit.log import logger

LINGER_SECONDS = 10.0
FEEDS_MAX, FEEDS_OF_A_USER_MAX = 600, 200
_REFUSED = (401, 403)

_log = logger("console")


@dataclass(eq=False, slots=True)
class _Kept:
    """A feed at work; `ends` is when it is let go, unless somebody comes."""

    feed: Feed
    task: asyncio.Task[None]
    ends: asyncio.TimerHandle | None = None


class Pool:
    """`run` asks again for everybody's rights until cancelled. `catalogue` has the kinds whose rows are made here; with
    `writers` it is kept who wrote each version of an object."""

    def __init__(self, servers: ApiServers, catalogue: Catalogue, *, writers: bool = False) -> None:
        self._writers = writers
        self.catalogue = catalogue
        self._servers = servers
        self._kept: dict[Place, _Kept] = {}
        self._doubted = asyncio.Event()
        self._users: dict[Listener, tuple[User, Place]] = {}
        self._end_listening = servers.listen(lambda _: self._renewed())

    @property
    def places(self) -> Sequence[Place]:
        """What is being watched."""
        return list(self._kept)

    async def join(self, user: User, place: Place, listener: Listener) -> Feed:
        """The feed of a place, of whose changes `listener` is told from now on. Raises ApiError when the user may not
        see it, or it cannot be found out now."""
        user.doubtful = self._doubted.set
        await user.admit(place)
        found = await self._layout(user, place.resource) if place not in self._kept else None
        # Nothing is awaited from here on: several may have come this far at once.
        own = {followed for other, followed in self._users.values() if other is user}
        if place not in own and len(own) >= FEEDS_OF_A_USER_MAX:
            raise errors.too_many_requests(f"you follow more than {FEEDS_OF_A_USER_MAX} resources; close some pages")
        kept = self._kept.get(place) or self._begin(place, found)
        if kept.ends is not None:
            kept.ends.cancel()
            kept.ends = None
        self._users[listener] = (user, place)
        kept.feed.join(listener, user)
        return kept.feed

    def leave(self, listener: Listener) -> None:
        """Tell the listener no more."""
        _, place = self._users.pop(listener, (None, None))
        kept = self._kept.get(place) if place is not None else None
        if kept is None or place is None:
            return
        kept.feed.leave(listener)
        if not kept.feed.members and kept.ends is None:
            kept.ends = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._end, place)

    async def run(self) -> None:
        """Ask for rights again and again, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(RIGHTS_SECONDS):
                    await self._doubted.wait()
            except TimeoutError:
                pass
            self._doubted.clear()
            await self._ask_again()

    async def close(self) -> None:
        """End all feeds."""
        self._end_listening()
        kept, self._kept = list(self._kept.values()), {}
        await tasks.stop(*[each.task for each in kept])

    # Inside

    def _begin(self, place: Place, found: Layout | None) -> _Kept:
        if len(self._kept) >= FEEDS_MAX:
            raise errors.too_many_requests(f"more than {FEEDS_MAX} resources are being watched")
        feed = Feed(self._servers, place, found, writers=self._writers)
        kept = self._kept[place] = _Kept(feed, tasks.spawn(feed.run(), name=f"console feed {place.path}"))
        return kept

    def _end(self, place: Place) -> None:
        kept = self._kept.pop(place, None)
        if kept is not None:
            kept.feed.stop_timers()
            kept.task.cancel()

    async def _layout(self, user: User, resource: Resource) -> Layout | None:
        """The columns of a resource; None: the API server makes the rows."""
        kind = self.catalogue.by_resource(resource.group, resource.version, resource.plural)
        if kind is not None:
            return Layout(resource.group, resource.plural, self.catalogue.resource(kind).printer)
        client = ApiClient(user.speaker, user_agent="homeostat-console")
        try:
            definition = await client.get(CRD, f"{resource.plural}.{resource.group}")
        except ApiError as error:
            if error.code >= 500:
                raise
            return None
        return layout.defined(resource.group, resource.version, resource.plural, definition)

    async def _ask_again(self) -> None:
        asked: set[tuple[User, Place]] = set(self._users.values())
        for user, place in asked:
            try:
                await user.ask(place)
            except ApiError as error:
                if error.code in _REFUSED:
                    self._refuse(user, place, error)
                else:
                    _log.debug("rights of %s: %s", user.name, error)
                continue
            if (kept := self._kept.get(place)) is not None:
                kept.feed.welcome(user)

    def _refuse(self, user: User, place: Place, error: ApiError) -> None:
        kept = self._kept.get(place)
        if kept is None:
            return
        for listener in kept.feed.listeners_of(user):
            self.leave(listener)
            listener.failed(error)

    def _renewed(self) -> None:
        """Who answers has changed: what is known may be old now, or is current again."""
        for listener in list(self._users):
            listener.renewed()
