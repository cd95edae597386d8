"""A journal inferred from watches: for clusters whose API servers record no causes.

What a watch brings is an entry; who wrote it is what its managed fields say. It begins when somebody looks, and knows
nothing of what was before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from homeostat.api import kinds
from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.api.printing.change_summary import summarize
from homeostat.api.types import Obj
from homeostat.console.cache.entries import Entry
from homeostat.console.cache.feed import Change, Feed
from homeostat.console.cache.places import Place, Resource
from homeostat.console.cache.pool import Pool
from homeostat.console.cache.users import User
from homeostat.console.rows.writers import inferred_entry
from homeostat.kit import clock
from homeostat.kit.log import logger

# What recoveries are made of.
WATCHED: tuple[Kind, ...] = (
    kinds.NODE,
    kinds.POD,
    kinds.REPLICASET,
    kinds.DEPLOYMENT,
    kinds.STATEFULSET,
    kinds.DAEMONSET,
    kinds.JOB,
    kinds.ENDPOINTSLICE,
    kinds.PVC,
)
_AGAIN_SECONDS = 15.0
_SUMMARY_MAX = 1_024

_log = logger("console")


class Inference:
    """Calls `taken` with entries while `run` runs."""

    def __init__(self, user: User, pool: Pool, taken: Callable[[list[Obj]], None]) -> None:
        self._user = user
        self._pool = pool
        self._taken = taken

    async def run(self) -> None:
        """Watch what the user may, until cancelled."""
        watched = [_Watched(kind, self._taken) for kind in WATCHED]
        try:
            while True:
                for each in watched:
                    if each.feed is None:
                        await self._join(each)
                await clock.sleep(_AGAIN_SECONDS)
        finally:
            for each in watched:
                self._pool.leave(each)

    async def _join(self, watched: _Watched) -> None:
        try:
            watched.begin(await self._pool.join(self._user, watched.place, watched))
        except ApiError as error:
            _log.debug("inferred journal without %s: %s", watched.place.resource.plural, error)


class _Watched:
    """One resource; a `Listener`."""

    def __init__(self, kind: Kind, taken: Callable[[list[Obj]], None]) -> None:
        self.place = Place(Resource(kind.group, kind.version, kind.plural))
        self.feed: Feed | None = None
        # The first list is what was before.
        self._listed = False
        self._kind = kind.kind
        self._taken = taken

    def begin(self, feed: Feed) -> None:
        """From now on."""
        self.feed, self._listed = feed, feed.state != "loading"

    def changed(self, changes: Sequence[Change]) -> None:
        """See `Listener`."""
        if self.feed is not None and self._listed:
            now = clock.wall()
            self._taken([self._entry(self.feed, old, new, now) for old, new in changes])
        self._listed = True

    def _entry(self, feed: Feed, old: Entry | None, new: Entry | None, now: float) -> Obj:
        either = new or old
        assert either is not None
        before = feed.keeper.object(old) if old is not None else None
        after = feed.keeper.object(either)
        return inferred_entry(
            kind=self._kind,
            namespace=either.key[0],
            name=either.key[1],
            revision=either.revision,
            verb="DELETED" if new is None else "ADDED" if old is None else "MODIFIED",
            writer=either.writer,
            summary=summarize(before, after, deleted=new is None)[:_SUMMARY_MAX],
            now=now,
        )

    def renewed(self) -> None:
        """See `Listener`."""
        self._listed = self._listed or (self.feed is not None and self.feed.state != "loading")

    def failed(self, error: ApiError) -> None:
        """See `Listener`."""
        self.feed = None
