"""Watch: first what the client must catch up with, then changes as the hub offers them, with bookmarks in between.

The rules are those of "Kubernetes API Concepts, Efficient detection of changes" and "Streaming lists". A watch starts
from the current state (no resourceVersion or "0": synthetic ADDED events), or after a resourceVersion: from the hub's
window, else from the store's history; a version that both have forgotten is 410 Expired.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import chain

import orjson

from homeostat.api import errors
from homeostat.api.kinds import Kind
from homeostat.api.rules import wellknown
from homeostat.apiserver.bodies.output_forms import Form, Forms
from homeostat.apiserver.cache import history, selection
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.cache.feed import Feed
from homeostat.apiserver.cache.hub import Hub
from homeostat.apiserver.cache.watchers import Watcher
from homeostat.apiserver.cache.window import ADDED, BOOKMARK, Change, line
from homeostat.apiserver.contract import Negotiator, RequestInfo
from homeostat.apiserver.path.query_numbers import integer
from homeostat.apiserver.path.routing import truth
from homeostat.apiserver.read.reading import JSON, NOT_OLDER_THAN, revision_param
from homeostat.apiserver.settings import Settings
from homeostat.kit import chance
from homeostat.store.contract import Store
from homeostat.wire.message import Request, Response

_CHUNK_BYTES = 256 * 1024
# What a client may ask for at most: what is longer no timer can hold.
_TIMEOUT_SECONDS_MAX = 365 * 86_400
# How often the history is read again because the window has moved on meanwhile.
_HISTORY_READS_MAX = 10
_INITIAL_END = {wellknown.ANNOTATION_INITIAL_EVENTS_END: "true"}


@dataclass(slots=True)
class _Plan:
    """How one watch runs. It begins with the state (`from_state`) or resumes with `past` and then the hub's window."""

    kind: Kind
    watcher: Watcher
    from_state: bool
    end_marker: bool
    bookmarks: bool
    timeout_seconds: float
    form: Form | None
    # Where the hub's window takes over from `past`.
    resume: int
    # What the hub had of `renewals` when the selection was made.
    renewals: int
    initial: list[Item] = field(default_factory=list)
    past: list[Change] = field(default_factory=list)


class Watches:
    """Starts watches over the hubs."""

    def __init__(self, store: Store, feed: Feed, settings: Settings, negotiator: Negotiator | None) -> None:
        self._store = store
        self._feed = feed
        self._settings = settings
        self._forms = Forms(negotiator)

    async def watch(self, request: Request, info: RequestInfo) -> Response:
        """A stream of events, one JSON object a line. Raises 400, 410, 422 and 504 before it begins."""
        kind = info.kind
        assert kind is not None
        plan = self._plan(request, info, kind)
        revision = revision_param(request)
        if plan.from_state:
            await (self._feed.catch_up() if revision is None else self._feed.reach(revision))
            self._take_state(plan)
        else:
            await self._reach_window(plan)
        return Response(200, self._stream(plan), dict(JSON), plan.watcher.push_by)

    def _plan(self, request: Request, info: RequestInfo, kind: Kind) -> _Plan:
        namespace = info.namespace if kind.namespaced else ""
        selected = selection.parse(info.catalogue.resource(kind), namespace, request.query)
        revision = revision_param(request)
        initial = _initial_events(request)
        form = self._forms.of(request, kind)
        watcher = Watcher(
            selected,
            revision or self._feed.applied,
            events_max=self._settings.watcher_events,
            bytes_max=self._settings.watcher_bytes,
            render=None if form is None else form.event,
        )
        bookmarks = truth(request.query.get("allowWatchBookmarks", "false"))
        return _Plan(
            kind,
            watcher,
            from_state=not revision if initial is None else initial,
            end_marker=bool(initial) and bookmarks,
            bookmarks=bookmarks,
            timeout_seconds=self._timeout(request),
            form=form,
            resume=watcher.after,
            renewals=self._feed.hub(kind.home.prefix).renewals,
        )

    def _timeout(self, request: Request) -> float:
        asked = integer(request.query, "timeoutSeconds") or 0
        if asked:
            # A timeout that is over already ends the watch once it has started, as a timer of Go does.
            return float(min(max(asked, 0), _TIMEOUT_SECONDS_MAX))
        shortest = self._settings.min_request_timeout_seconds
        return chance.uniform(shortest, 2 * shortest)

    async def _stream(self, plan: _Plan) -> AsyncIterator[bytes]:
        watcher = plan.watcher
        started_at = watcher.after
        try:
            await self._reach_window(plan)
        except errors.ApiError as error:
            watcher.fail(error)
        # From here to the subscription nothing awaits, so no change is lost and none comes twice.
        hub = self._hub(plan)
        self._catch_up(plan, hub)
        if hub.renewals != plan.renewals:
            watcher.close()
        hub.watchers.add(watcher)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + plan.timeout_seconds
        timer: asyncio.TimerHandle | None = None
        try:
            for chunk in _chunks(plan.initial, plan.form):
                yield chunk
            if plan.end_marker:
                yield _bookmark(plan, started_at, _INITIAL_END)
            due = min(deadline, loop.time() + self._bookmark_period(plan))
            timer = loop.call_at(due, watcher.notify)
            while True:
                await watcher.wait()
                if watcher.broken:
                    raise ConnectionError("the API server stopped")
                # While a chunk is on its way more may come, and the end with it.
                closed = watcher.closed
                if chunk := watcher.take():
                    yield chunk
                if closed:
                    return
                if loop.time() >= due:
                    if plan.bookmarks:
                        yield watcher.take() + _bookmark(plan, max(watcher.after, self._feed.applied), {})
                    if due >= deadline:
                        return
                    due = min(deadline, loop.time() + self._bookmark_period(plan))
                    timer = loop.call_at(due, watcher.notify)
        finally:
            hub.watchers.remove(watcher)
            if timer is not None:
                timer.cancel()

    def _bookmark_period(self, plan: _Plan) -> float:
        return self._settings.bookmark_period_seconds if plan.bookmarks else plan.timeout_seconds

    def _take_state(self, plan: _Plan) -> None:
        """The state as it is now is what the watch begins with; the changes after it follow from the window."""
        watcher = plan.watcher
        view = self._hub(plan).now()
        plan.initial = watcher.selection.select(view.items(view.keys(watcher.selection.namespace, "")))
        plan.resume = watcher.after = self._feed.applied

    def _hub(self, plan: _Plan) -> Hub:
        return self._feed.hub(plan.kind.home.prefix)

    async def _reach_window(self, plan: _Plan) -> None:
        """Read the store's history up to where the hub's window begins. Raises 410 when the store has forgotten it.

        The window moves on while the history is read. Where it does so faster than that, the watch is not caught up
        with, and ends with 410.
        """
        for _ in range(_HISTORY_READS_MAX):
            hub = self._hub(plan)
            start = hub.window.start
            if plan.resume >= start:
                return
            plan.past += await history.changes(self._store, hub.prefix, hub.make, after=plan.resume, until=start)
            plan.resume = start

    def _catch_up(self, plan: _Plan, hub: Hub) -> None:
        """Offer the watcher what happened before it subscribes."""
        watcher = plan.watcher
        recent = hub.window.after(plan.resume)
        if recent is None:
            watcher.fail(history.too_old(watcher.after, hub.window.start))
            return
        for change in chain(plan.past, recent):
            seen = watcher.selection.see(change)
            if seen is not None:
                watcher.offer(seen)
        watcher.after = max(watcher.after, self._feed.applied)


def _initial_events(request: Request) -> bool | None:
    """sendInitialEvents, None when absent. Raises 422 where it and resourceVersionMatch do not agree."""
    text = request.query.get("sendInitialEvents")
    match = request.query.get("resourceVersionMatch", "")
    wrong = ""
    if text is None and match:
        wrong = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
    elif text is not None and match != NOT_OLDER_THAN:
        wrong = f"sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER_THAN}"
    if wrong:
        cause = errors.Cause("FieldValueForbidden", "resourceVersionMatch", f"Forbidden: {wrong}")
        raise errors.invalid("ListOptions", "meta.k8s.io", "", [cause])
    return None if text is None else truth(text)


def _chunks(items: list[Item], form: Form | None) -> Iterator[bytes]:
    """The synthetic ADDED events, some at a time."""
    lines: list[bytes] = []
    size = 0
    for item in items:
        text = line(ADDED, item.data) if form is None else form.event(ADDED, item.data)
        lines.append(text)
        size += len(text)
        if size >= _CHUNK_BYTES:
            yield b"".join(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines)


def _bookmark(plan: _Plan, revision: int, annotations: dict[str, str]) -> bytes:
    metadata: dict[str, object] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    obj = {"kind": plan.kind.kind, "apiVersion": plan.kind.api_version, "metadata": metadata}
    data = orjson.dumps(obj)
    return line(BOOKMARK, data) if plan.form is None else plan.form.event(BOOKMARK, data)
