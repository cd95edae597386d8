"""The journal for pages: what was written in the cluster, and why.

Where the API servers have a journal of causes it is asked with the user's own token, since each user sees entries of
their own: four times a second while somebody looks and something happens, and once a second when nothing does.
Elsewhere it is inferred from what the user's watches bring.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import orjson

from homeostat.api.errors import ApiError
from homeostat.api.types import Obj
from homeostat.client.api_client import failure
from homeostat.console.cache.pool import Pool
from homeostat.console.cache.users import User
from homeostat.console.live.asked import JournalAsked
from homeostat.console.live.inferred import Inference
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
# What a cluster says that has no journal: to those who may not ask for unknown paths it says Forbidden.
_NONE = (403, 404)

_log = logger("console")


async def asked(user: User, since: int, limit: int) -> Obj:
    """The entries after a revision: at most the newest `limit`. Raises ApiError, 404 where there is no journal."""
    query = {"since": str(since), "limit": str(limit)}
    request = Request("GET", "/homeostat/journal", query, {"accept": "application/json"})
    response = await user.speaker.send(request, repeatable=True)
    body = await whole(response)
    if response.status >= 400:
        raise failure(response.status, body)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("items"), list):
        raise ApiError(404, "NotFound", "this cluster has no journal")
    return found


class Journals:
    """The entries of one user, numbered as they come, while somebody looks. `recorded` is None until it is known."""

    def __init__(self, user: User, pool: Pool, *, records_causes: bool | None) -> None:
        self.recorded = records_causes
        self.entries: deque[tuple[int, Obj]] = deque(maxlen=_KEPT)
        self.count = 0
        self.revision = 0
        self.oldest = 0
        self._sure = records_causes is True
        self._user = user
        self._inference = Inference(user, pool, self._take)
        self._told: dict[object, Callable[[], None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def first(self, since: int, limit: int) -> Obj:
        """What is there already. Raises ApiError."""
        if self.recorded is not False:
            try:
                found = await asked(self._user, since, limit)
                self.recorded = True
                return found
            except ApiError as error:
                if self._sure or error.code not in _NONE:
                    raise
                self.recorded = False
        return {"items": [], "oldest": 0}

    def follow(self, who: object, told: Callable[[], None], revision: int) -> None:
        """Call `told` when there are entries; they are asked for from `revision` on, if nobody looks yet."""
        self._told[who] = told
        if self._task is None:
            self.entries.clear()
            self.revision = revision
            work = self._ask() if self.recorded else self._inference.run()
            self._task = tasks.spawn(work, name="console journal")

    def leave(self, who: object) -> None:
        """Look no more."""
        self._told.pop(who, None)
        if not self._told and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _ask(self) -> None:
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
                self.revision = max(int(each["revision"]) for each in items)
                self._take(items)

    def _take(self, items: list[Obj]) -> None:
        for item in items:
            self.count += 1
            self.entries.append((self.count, item))
        for told in list(self._told.values()):
            told()


class JournalSubscription(Subscription):
    """A page's look at the journal."""

    def __init__(self, number: int, wake: Callable[[], None], journals: Journals, said: JournalAsked) -> None:
        super().__init__(number, wake)
        self._journals = journals
        self._asked = said
        self._first: Obj | None = None
        # The newest revision that was there at first, the newest one that was said, and the number of the last entry.
        self._known = said.since
        self._newest = said.since
        self._count = 0

    async def start(self) -> None:
        """See `Subscription`."""
        found = await self._journals.first(self._asked.since, self._asked.limit)
        if self.closed:
            return
        self._first = found
        if self._journals.recorded:
            self._known = max([self._known, *(int(each.get("revision") or 0) for each in found["items"])])
        self._newest = self._known
        self._journals.follow(self, self.touch, self._known)
        self.touch()

    def said(self) -> Obj | None:
        """See `Subscription`."""
        first, self._first = self._first, None
        journals = self._journals
        entries = list(first["items"]) if first is not None else []
        news = [
            entry
            for number, entry in journals.entries
            if number > self._count and (not journals.recorded or int(entry["revision"]) > self._known)
        ]
        self._count = journals.count
        if first is None and not news:
            return None
        self._newest = max([self._newest, *(int(each["revision"]) for each in news)])
        return {
            "type": "journal",
            "id": self.number,
            "entries": [*entries, *news],
            "revision": self._newest,
            "oldest": int(first.get("oldest") or 0) if first is not None else journals.oldest,
            "recorded": bool(journals.recorded),
        }

    def close(self) -> None:
        """See `Subscription`."""
        super().close()
        self._journals.leave(self)
