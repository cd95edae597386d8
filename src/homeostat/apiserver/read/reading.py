"""Get and list: bytes joined from the hubs, from the store's history only where the hub no longer reaches back.

The rules for resourceVersion, resourceVersionMatch, limit and continue are those of "Kubernetes API Concepts, Resource
versions". Without a resourceVersion a read is linearizable: the hub first catches up with the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homeostat.api import errors
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver.bodies.output_forms import Form, Forms, list_body
from homeostat.apiserver.cache import history, selection
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.cache.feed import Feed, too_large_revision
from homeostat.apiserver.cache.hub import Hub, View
from homeostat.apiserver.cache.selection import Selection
from homeostat.apiserver.contract import Negotiator, RequestInfo
from homeostat.apiserver.path.query_numbers import integer
from homeostat.apiserver.read import continue_tokens
from homeostat.apiserver.read.list_bodies import Key, LastLists
from homeostat.store.contract import Compacted, FutureRevision, Store
from homeostat.wire.message import Request, Response

EXACT, NOT_OLDER_THAN = "Exact", "NotOlderThan"
JSON = {"content-type": "application/json"}
_LAST_LISTS_BYTES = 8 * 1024 * 1024


def revision_param(request: Request) -> int | None:
    """resourceVersion as a number, None when absent. Raises 400."""
    return integer(request.query, "resourceVersion", unsigned=True)


@dataclass(frozen=True, slots=True)
class _Options:
    """A list request's parameters, checked against each other."""

    revision: int | None
    match: str
    limit: int
    token: continue_tokens.Token | None

    @property
    def exact(self) -> int:
        """The one past revision that is asked for; 0: the state as it is now."""
        if self.token is not None and self.token.rv > 0:
            return self.token.rv
        return (self.revision or 0) if self.match == EXACT else 0

    @property
    def after(self) -> str:
        """The key after which the page begins."""
        return self.token.after if self.token else ""


def _options(request: Request) -> _Options:
    query = request.query
    revision = revision_param(request)
    match = query.get("resourceVersionMatch", "")
    limit = max(integer(query, "limit") or 0, 0)
    token = continue_tokens.parse(query["continue"]) if query.get("continue") else None
    causes: list[errors.Cause] = []

    def forbid(field: str, message: str) -> None:
        causes.append(errors.Cause("FieldValueForbidden", field, f"Forbidden: {message}"))

    if match:
        if revision is None:
            forbid("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
        if token:
            forbid("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
        if match not in (EXACT, NOT_OLDER_THAN):
            message = f'Unsupported value: "{match}": supported values: "{EXACT}", "{NOT_OLDER_THAN}"'
            causes.append(errors.Cause("FieldValueNotSupported", "resourceVersionMatch", message))
        if match == EXACT and revision == 0:
            forbid("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if causes:
        raise errors.invalid("ListOptions", "meta.k8s.io", "", causes)
    if token and revision:
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    return _Options(revision, match, limit, token)


@dataclass(slots=True)
class _Part:
    """What a list found: the objects, the revision they are true at, where it continues, and how many follow."""

    items: list[Item]
    revision: int
    after: str = ""
    remaining: int | None = None


class Reads:
    """Get and list over the hubs."""

    def __init__(self, store: Store, feed: Feed, negotiator: Negotiator | None) -> None:
        self._store = store
        self._feed = feed
        self._forms = Forms(negotiator)
        self._last_lists = LastLists(bytes_max=_LAST_LISTS_BYTES)

    async def get(self, request: Request, info: RequestInfo) -> Response:
        """One object. Raises 404, and 504 for a resourceVersion from the future."""
        kind = info.kind
        assert kind is not None
        revision = revision_param(request)
        if revision is None:
            await self._feed.catch_up()
        else:
            await self._feed.reach(revision)
        key = f"{info.namespace}/{info.name}" if kind.namespaced else info.name
        item = self._feed.hub(kind.home.prefix).items.get(key)
        if item is None:
            raise errors.not_found(kind.plural, kind.group, info.name)
        form = self._forms.of(request, kind)
        return Response(200, item.data if form is None else form.one(item.data), dict(JSON))

    async def list(self, request: Request, info: RequestInfo) -> Response:
        """A collection, or a page of it. Raises 400, 410 and 504."""
        kind = info.kind
        assert kind is not None
        options = _options(request)
        selected = _selection(info, kind, request)
        form = self._forms.of(request, kind)
        hub = self._feed.hub(kind.home.prefix)
        if options.exact:
            await self._feed.reach(options.exact)
            part = await self._past(hub, selected, options)
            return Response(200, _body(kind, part, form), dict(JSON))
        if options.revision is None:
            await self._feed.catch_up()
        else:
            await self._feed.reach(options.revision)
        applied, query = self._feed.applied, request.query
        selectors = query.get("labelSelector", ""), query.get("fieldSelector", "")
        key: Key = (hub.prefix, selected.namespace, *selectors, options.limit, options.after)
        body = self._last_lists.get(applied, key) if form is None else None
        if body is None:
            body = _body(kind, _page(hub.now(), selected, applied, options.limit, options.after), form)
            if form is None:
                self._last_lists.keep(applied, key, body)
        return Response(200, body, dict(JSON))

    @property
    def applied(self) -> int:
        """The revision that this server's state is true at."""
        return self._feed.applied

    async def selected(self, request: Request, info: RequestInfo, kind: Kind) -> Sequence[Item]:
        """The objects that the request's selectors select now. Raises 400."""
        selected = _selection(info, kind, request)
        await self._feed.catch_up()
        return _page(self._feed.hub(kind.home.prefix).now(), selected, self.applied, 0, "").items

    async def _past(self, hub: Hub, selected: Selection, options: _Options) -> _Part:
        """A page of the state at one revision, which the feed has reached."""
        revision, limit, after = options.exact, options.limit, options.after
        view = hub.at(revision)
        if view is not None:
            return _page(view, selected, revision, limit, after)
        return await self._from_history(hub, selected, revision, limit, after)

    async def _from_history(self, hub: Hub, selected: Selection, revision: int, limit: int, after: str) -> _Part:
        """A page of a past state that the hub no longer knows."""
        prefix = hub.prefix + (f"{selected.namespace}/" if selected.namespace else "")
        make = hub.make
        found: list[Item] = []
        start = hub.prefix + after if after else ""
        try:
            while True:
                page = await self._store.list(prefix, revision=revision, limit=limit, after=start)
                for place, entry in enumerate(page.entries):
                    item = make(entry.key[len(hub.prefix) :], entry.value, entry.revision)
                    if not selected.selects(item):
                        continue
                    found.append(item)
                    left = len(page.entries) - place - 1 + page.remaining
                    if limit and len(found) == limit and left:
                        return _Part(found, revision, item.key, left if selected.only_namespace else None)
                if not page.remaining:
                    return _Part(found, revision)
                start = page.entries[-1].key
        except Compacted as error:
            raise (continue_tokens.expired(after) if after else history.too_old(revision, error.oldest)) from error
        except FutureRevision as error:
            raise too_large_revision(revision, self._feed.applied) from error


def _selection(info: RequestInfo, kind: Kind, request: Request) -> Selection:
    return selection.parse(info.catalogue.resource(kind), info.namespace if kind.namespaced else "", request.query)


def _body(kind: Kind, part: _Part, form: Form | None) -> bytes:
    """A list's body, in the form that was asked for."""
    meta: Obj = {"resourceVersion": str(part.revision)}
    if part.after:
        meta["continue"] = continue_tokens.token(part.revision, part.after).text()
        if part.remaining is not None:
            meta["remainingItemCount"] = part.remaining
    if form is not None:
        return form.many(part.items, meta)
    return list_body(kind, meta, [item.data for item in part.items])


def _page(view: View, selected: Selection, revision: int, limit: int, after: str) -> _Part:
    """The selected objects after a key, at most `limit`."""
    keys = view.keys(selected.namespace, after)
    if selected.only_namespace and limit and len(keys) > limit:
        page = selected.select(view.items(keys[:limit]))
        return _Part(page, revision, keys[limit - 1], len(keys) - limit)
    found = selected.select(view.items(keys))
    if not limit or len(found) <= limit:
        return _Part(found, revision)
    return _Part(found[:limit], revision, found[limit - 1].key)
