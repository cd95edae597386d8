"""The journal of causes for pages: asked for with the user's own token, since each user sees entries of their own.

While somebody looks it is asked four times a second as long as something happens, and once a second when nothing does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import orjson

from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.console.cache.reading import failure
from homeostat.console.cache.users import User
from homeostat.console.live.asked import JournalAsked
from homeostat.console.live.subscription import Subscription
from homeostat.console.upstream.api_servers import whole
from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.wire.message import Request

BUSY_SECONDS, QUIET_SECONDS = 0.25, 1.0
# After so long without an entry it is asked less often.
_QUIET_AFTER_SECONDS = 5.0
_KEPT = 2_000
_LIMIT = 1_000

_log = logger("console")


async def asked(user: User, since: int, limit: int) -> Obj:
    """The entries after a revision: at most the newest `limit`. Raises ApiError, 404 where there is no journal."""
    query = {"since": str(since), "limit": str(limit)}
    request = Request("GET", "/homeostat/journal", query, {"accept": "application/json"})
    response = await user.speaker.send(request, repeatable=True)
    body = await whole(response)
    if response.status >= 400:
        raise failure(response.status, body)
    found = orjson.loads(body)
    if not isinstance(found, dict) or not isinstance(found.get("items"), list):
        raise ApiError(404, "NotFound", "this cluster has no journal")
    return found


class Journal:
    """The entries of one user, while somebody looks."""

    def __init__(self, user: User) -> None:
        self.entries: deque[Obj] = deque(maxlen=_KEPT)
        self.revision = 0
        self.oldest = 0
        self._user = user
        self._told: dict[object, Callable[[], None]] = {}
        self._task: asyncio.Task[None] | None = None

    def follow(self, who: object, told: Callable[[], None], revision: int) -> None:
        """Call `told` when there are entries; they are asked for from `revision` on, if nobody looks yet."""
        self._told[who] = told
        if self._task is None:
            self.entries.clear()
            self.revision = revision
            self._task = tasks.spawn(self._run(), name="console journal")

    def leave(self, who: object) -> None:
        """Look no more."""
        self._told.pop(who, None)
        if not self._told and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        busy_until = clock.monotonic()
        while True:
            busy = clock.monotonic() < busy_until
            await clock.sleep(BUSY_SECONDS if busy else QUIET_SECONDS)
            try:
                found = await asked(self._user, self.revision, _LIMIT)
            except ApiError as error:
                _log.debug("journal: %s", error)
                continue
            self.oldest = int(found.get("oldest") or 0)
            if items := [each for each in found["items"] if int(each.get("revision") or 0) > self.revision]:
                busy_until = clock.monotonic() + _QUIET_AFTER_SECONDS
                self.entries.extend(items)
                self.revision = max(int(each["revision"]) for each in items)
                for told in list(self._told.values()):
                    told()


class JournalSubscription(Subscription):
    """A page's look at the journal."""

    def __init__(self, number: int, wake: Callable[[], None], journal: Journal, user: User, said: JournalAsked) -> None:
        super().__init__(number, wake)
        self._journal = journal
        self._user = user
        self._asked = said
        self._first: Obj | None = None
        self._seen = said.since

    async def start(self) -> None:
        """See `Subscription`."""
        found = await asked(self._user, self._asked.since, self._asked.limit)
        if self.closed:
            return
        self._first = found
        revisions = [int(each.get("revision") or 0) for each in found["items"]]
        self._seen = max([self._seen, *revisions])
        self._journal.follow(self, self.touch, self._seen)
        self.touch()

    def said(self) -> Obj | None:
        """See `Subscription`."""
        first, self._first = self._first, None
        entries = list(first["items"]) if first is not None else []
        news = [each for each in self._journal.entries if int(each["revision"]) > self._seen]
        if first is None and not news:
            return None
        self._seen = max([self._seen, *(int(each["revision"]) for each in news)])
        oldest = int(first.get("oldest") or 0) if first is not None else self._journal.oldest
        return {
            "type": "journal",
            "id": self.number,
            "entries": [*entries, *news],
            "revision": self._seen,
            "oldest": oldest,
            "recorded": True,
        }

    def close(self) -> None:
        """See `Subscription`."""
        super().close()
        self._journal.leave(self)
