"""A cache of one kind, kept current by a list and a watch.

A watch that ends or breaks is resumed from the newest revision seen, over whichever API server answers; only 410 (the
server no longer has that revision) leads to a new list, whose differences are delivered as the changes they are, the
deletions included. Events that were already seen are dropped, since revisions are global and only grow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias, cast

from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.client.contract import Client, Listing, WatchEvent
from homeostat.kit import chance, clock
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.loop.objects import ObjectIndex, revision_of

# (old, new): (None, obj) for an addition, (obj, None) for a deletion (obj is then the final form).
Changed: TypeAlias = Callable[[Obj | None, Obj | None], None]
Transform: TypeAlias = Callable[[Obj], Obj]

_GONE = 410
_PAGE_ITEMS = 1000
_RETRY = Backoff(first_seconds=0.1, ceiling_seconds=5.0)
# Before the first list: a program that boots with its cluster is of no use until it has one.
_FIRST_SECONDS_MAX = 0.8
# client-go asks for 5 to 10 minutes, so that watches spread again over the API servers.
_WATCH_SECONDS_MIN, _WATCH_SECONDS_MAX = 300, 600
_WATCH_SECONDS_SUSPICIOUS = 1.0

_log = logger("informer")


def drop_managed_fields(obj: Obj) -> Obj:
    """The usual transform: no loop reads metadata.managedFields, and they are often half of an object."""
    obj["metadata"].pop("managedFields", None)
    return obj


class Informer:
    """The cache of one kind (of one namespace, or of what the selectors match).

    `objects` is the cache and `revision` what it is true at; both change between listeners' calls only. `synced` is
    set after the first list. `transform` may trim each object as it arrives.
    """

    def __init__(
        self,
        client: Client,
        kind: Kind,
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        transform: Transform = drop_managed_fields,
    ) -> None:
        self.kind = kind
        self.objects = ObjectIndex()
        self.revision = 0
        self.synced = asyncio.Event()
        self.relists = 0
        self._client = client
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._transform = transform
        self._changed: list[Changed] = []
        self._progressed: list[Callable[[], None]] = []

    def listen(self, changed: Changed, *, progressed: Callable[[], None] | None = None) -> Callable[[], None]:
        """Call `changed` for each change and `progressed` whenever `revision` has grown; both must be quick.

        What the cache already holds is not delivered. Returns what ends it.
        """
        self._changed = [*self._changed, changed]
        if progressed is not None:
            self._progressed = [*self._progressed, progressed]

        def end() -> None:
            # New lists, so that a listener may leave while changes are being delivered.
            self._changed = [other for other in self._changed if other is not changed]
            self._progressed = [other for other in self._progressed if other is not progressed]

        return end

    async def run(self) -> None:
        """Keep the cache current until cancelled."""
        failures = 0
        listed = False
        while True:
            fresh = not listed
            started, before = clock.monotonic(), self.revision
            try:
                if not listed:
                    await self._relist()
                    listed, before = True, self.revision
                await self._watch()
            except ApiError as error:
                _log.debug("%s: %s", self.kind.plural, error)
                if error.code == _GONE:
                    listed = False
                    if not fresh:
                        continue
            if self.revision > before or clock.monotonic() - started > _WATCH_SECONDS_SUSPICIOUS:
                failures = 0
            else:
                pause = _RETRY.delay(failures) * chance.uniform(0.5, 1.5)
                await clock.sleep(pause if self.synced.is_set() else min(pause, _FIRST_SECONDS_MAX))
                failures += 1

    async def _relist(self) -> None:
        """Replace the cache by a fresh list and deliver the differences."""
        items, revision = await self._list_all()
        self.relists += 1
        kept: set[tuple[str, str]] = set()
        for obj in items:
            metadata = obj["metadata"]
            kept.add((metadata.get("namespace", ""), metadata["name"]))
        gone = [
            obj
            for obj in self.objects.list()
            if (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]) not in kept
        ]
        for obj in gone:
            self._remove(obj, final=obj)
        for obj in items:
            self._put(self._transform(obj))
        self.revision = revision
        self.synced.set()
        self._notify_progress()

    async def _list_all(self) -> tuple[list[Obj], int]:
        """All pages of a consistent list; without pages when the list's revision expires on the way."""
        page = await self._page(limit=_PAGE_ITEMS)
        items = page.items
        while page.next_token:
            try:
                page = await self._page(limit=_PAGE_ITEMS, next_token=page.next_token)
                items.extend(page.items)
            except ApiError as error:
                if error.code != _GONE:
                    raise
                page = await self._page()
                items = page.items
        return items, int(page.resource_version)

    async def _page(self, *, limit: int = 0, next_token: str = "") -> Listing:
        return await self._client.list(
            self.kind, self._namespace, labels=self._labels, fields=self._fields, limit=limit, next_token=next_token
        )

    async def _watch(self) -> None:
        """Apply events until the stream ends. Raises ApiError."""
        events = self._client.watch(
            self.kind,
            self._namespace,
            resource_version=str(self.revision),
            labels=self._labels,
            fields=self._fields,
            timeout_seconds=int(chance.uniform(_WATCH_SECONDS_MIN, _WATCH_SECONDS_MAX)),
        )
        async with aclosing(cast("AsyncGenerator[WatchEvent, None]", events)) as stream:
            async for event in stream:
                self._apply(event)

    def _apply(self, event: WatchEvent) -> None:
        obj = event.obj
        revision = revision_of(obj)
        if event.type == "DELETED":
            metadata = obj["metadata"]
            cached = self.objects.get(metadata.get("namespace", ""), metadata["name"])
            if cached is not None and revision_of(cached) <= revision:
                self._remove(cached, final=self._transform(obj))
        elif event.type in ("ADDED", "MODIFIED") and revision > self.revision:
            self._put(self._transform(obj))
        if revision > self.revision:
            self.revision = revision
            self._notify_progress()

    def _put(self, obj: Obj) -> None:
        metadata = obj["metadata"]
        cached = self.objects.get(metadata.get("namespace", ""), metadata["name"])
        if cached is not None:
            if cached["metadata"].get("resourceVersion") == metadata.get("resourceVersion"):
                return
            if cached["metadata"].get("uid") != metadata.get("uid"):
                self._remove(cached, final=cached)
                cached = None
        self.objects.put(obj)
        for changed in self._changed:
            changed(cached, obj)

    def _remove(self, cached: Obj, *, final: Obj) -> None:
        metadata = cached["metadata"]
        self.objects.remove(metadata.get("namespace", ""), metadata["name"])
        for changed in self._changed:
            changed(final, None)

    def _notify_progress(self) -> None:
        for progressed in self._progressed:
            progressed()
