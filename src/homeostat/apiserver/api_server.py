"""One API server: assembles the request path over a store, and runs what must run beside it.

`ApiServer.handle` is what the HTTP edge and the in-process client call. Several servers may share one store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from homeostat.api import errors
from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import qualified
from homeostat.api.kinds import Kind
from homeostat.apiserver.bodies.output_forms import Forms
from homeostat.apiserver.cache.feed import Feed
from homeostat.apiserver.cache.served_catalogue import Served
from homeostat.apiserver.contract import (
    Build,
    Call,
    Parts,
    Reader,
    RequestInfo,
    Stage,
    SubresourceHandler,
    Writer,
    info_of,
)
from homeostat.apiserver.journal.earlier_changes import recall
from homeostat.apiserver.journal.journal import Journal, JournalPath
from homeostat.apiserver.metrics import Metrics
from homeostat.apiserver.nonresource_paths import Special
from homeostat.apiserver.path import pipeline, warnings
from homeostat.apiserver.path.request_limits import Limits
from homeostat.apiserver.path.routing import check_place, finding
from homeostat.apiserver.read.internal_reader import HubReader
from homeostat.apiserver.read.reading import Reads
from homeostat.apiserver.read.watching import Watches
from homeostat.apiserver.resource_verbs import Verbs
from homeostat.apiserver.settings import Settings
from homeostat.apiserver.upkeep.compaction import Upkeep
from homeostat.apiserver.write.internal_writer import ServerWriter
from homeostat.apiserver.write.writing import Writes
from homeostat.kit import tasks
from homeostat.kit.log import logger
from homeostat.store.contract import Store, StoreError
from homeostat.wire.message import Request, Response

_log = logger("apiserver")


class ApiServer:
    """See the module. `parts` builds what is plugged in (`contract.Parts`)."""

    def __init__(
        self,
        store: Store,
        *,
        settings: Settings | None = None,
        parts: Build | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        settings = settings or Settings()
        self._store = store
        self._served = Served(catalogue or Catalogue.builtin())
        self._journal = journal = Journal(entries_max=settings.journal_entries, bytes_max=settings.journal_bytes)
        self._feed = feed = Feed(store, settings, self._served, observe=journal.observe)
        self._limits = Limits(settings)
        self._metrics = Metrics(feed, self._limits)
        self.reader: Reader = HubReader(feed)
        self._writes = Writes(store, feed, measure=self._metrics.store)
        self.writer: Writer = ServerWriter(self._writes, self._served)
        self._parts = parts(self.reader, self.writer) if parts else Parts()
        self._writes.admit(self._parts.admission)
        negotiator = self._parts.negotiator
        self._reads = Reads(store, feed, negotiator)
        self._watches = Watches(store, feed, settings, negotiator)
        self._verbs = Verbs(self._reads, self._writes, Forms(negotiator), settings)
        self._upkeep = Upkeep(store, feed, self._writes, self._served, settings)
        journal_path = JournalPath(journal, feed, self._parts.authorizer)
        self._special = Special(feed, self._metrics, journal_path, self._parts)
        self._handle = pipeline.chain(self._stages(), self._serve)
        self._running = False
        # Counts stops: a request from before a stop is never answered.
        self._lives = 0
        self._background: list[asyncio.Task[None]] = []

    def _stages(self) -> list[Stage]:
        stages: list[Stage] = [finding(self._served), self._metrics.stage, pipeline.answer_errors, self._limits.stage]
        stages.append(pipeline.authentication(self._parts.authenticators))
        if self._parts.authorizer is not None:
            stages.append(pipeline.authorization(self._parts.authorizer))
        return stages

    @property
    def catalogue(self) -> Catalogue:
        """The kinds that are served now."""
        return self._served.catalogue

    def serve(self, catalogue: Catalogue) -> None:
        """Serve these kinds from now on. Requests under way end with the catalogue that they began with; watches of
        defined kinds that are no longer the same end, so that their clients begin again."""
        self._feed.serve(catalogue)

    async def start(self) -> None:
        """Load the state; requests are answered when this returns."""
        await self._feed.start()
        self._recall_until = self._feed.applied
        self._running = True
        upkeep = (self._recall, self._journal.settle, self._upkeep.compact, self._upkeep.expire_events)
        for number, work in enumerate((*upkeep, *self._parts.background)):
            self._background.append(tasks.spawn(_run(work), name=f"apiserver-background-{number}"))

    async def _recall(self) -> None:
        """Let the journal know what happened before this server began, as far as the store remembers."""
        try:
            self._journal.remember(await recall(self._store, until=self._recall_until))
        except StoreError as error:
            _log.warning("the journal starts empty: earlier changes cannot be read: %s", error)

    async def stop(self) -> None:
        """Go away as a killed server would: watches break, later calls raise ConnectionRefusedError."""
        self._running = False
        self._recall_until = 0
        self._lives += 1
        await tasks.stop(*self._background)
        await self._feed.stop()

    async def handle(self, request: Request) -> Response:
        """Answer one request.

        Raises ConnectionRefusedError when the server does not run, and ConnectionResetError when it stopped meanwhile.
        """
        if not self._running:
            raise ConnectionRefusedError("this API server is not running")
        life = self._lives
        response = await self._handle(request)
        if life != self._lives:
            raise ConnectionResetError("this API server stopped while it worked on the request")
        return response

    async def _serve(self, request: Request) -> Response:
        """The end of the path: the verb of a resource, or a special path. The request is authorized here, so its body
        may be read."""
        if request.pending is not None:
            await request.take_body()
        info = info_of(request)
        if not info.is_resource:
            return await self._special.handle(request, self._call(request, info))
        kind = info.kind
        if kind is None:
            raise errors.path_not_found()
        check_place(kind, info)
        handler = self._handler(kind, info.subresource)
        if handler is not None:
            if info.verb not in _verbs_of(kind, info.subresource):
                # Whoever may only read must not get to write by a GET with a body.
                raise errors.method_not_allowed()
            # Handlers read the hubs: they must be as new as the request.
            await self._feed.catch_up()
            call = self._call(request, info)
            response = await handler(call)
            if call.warnings:
                response.headers.update(warnings.headers(call.warnings))
            return response
        if info.subresource not in _WHOLE:
            raise errors.path_not_found()
        if not info.subresource and info.verb not in kind.verbs:
            raise errors.method_not_allowed()
        return await self._verb(request, info, kind)

    def _verb(self, request: Request, info: RequestInfo, kind: Kind) -> Awaitable[Response]:
        match info.verb:
            case "get":
                return self._reads.get(request, info)
            case "list":
                return self._reads.list(request, info)
            case "watch":
                return self._watches.watch(request, info)
            case "create" if not info.subresource:
                return self._verbs.create(request, info, kind)
            case "update" if info.name:
                return self._verbs.update(request, info, kind)
            case "patch" if info.name:
                return self._verbs.patch(request, info, kind)
            case "delete" if not info.subresource:
                return self._verbs.delete(request, info, kind)
            case "deletecollection":
                return self._verbs.delete_collection(request, info, kind)
        raise errors.method_not_allowed()

    def _handler(self, kind: Kind, subresource: str) -> SubresourceHandler | None:
        handlers = self._parts.handlers
        if subresource and subresource not in kind.subresources:
            raise errors.path_not_found()
        found = handlers.get((qualified(kind.plural, kind.group), subresource))
        if found is None and subresource:
            found = handlers.get(("*", subresource))
        return found

    def _call(self, request: Request, info: RequestInfo) -> Call:
        assert request.user is not None
        return Call(request, info, request.user, self.reader, self.writer)


# Subresources whose body is the whole object; which part of it counts, the kind's strategy says.
_WHOLE = ("", "status", "finalize", "approval", "ephemeralcontainers", "resize")


def _verbs_of(kind: Kind, subresource: str) -> frozenset[str]:
    """What can be done to a resource or one of its subresources."""
    found = kind.part(subresource) if subresource else None
    # What is behind a proxy has whatever methods it likes: kube-apiserver passes OPTIONS on as well.
    verbs = found.verbs if found is not None else kind.verbs
    return verbs | {"options"} if subresource == "proxy" else verbs


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()
