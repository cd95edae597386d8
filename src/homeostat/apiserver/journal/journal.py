"""The journal of causes: a bounded ring of every change that this server saw, with who made it and why.

`GET /homeostat/journal?kind=&namespace=&name=&since=REVISION&after=SECONDS&limit=` answers with the newest `limit`
entries that match, oldest first. The write path only appends; what a change changed is worked out when somebody asks,
or when the objects that are kept until then take much room. Events are no entries (they report changes themselves),
nor are a Lease's renewals.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from math import isfinite, nan

import msgspec
import orjson

from homeostat.api import errors, kinds
from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import Kind
from homeostat.api.printing.change_summary import summarize
from homeostat.api.types import Obj
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.cache.feed import Feed
from homeostat.apiserver.cache.hub import Hub
from homeostat.apiserver.cache.window import Change
from homeostat.apiserver.contract import Authorizer, info_of
from homeostat.apiserver.journal.readable_objects import Sight
from homeostat.kit import clock
from homeostat.wire.message import Request, Response

_LIMIT, _LIMIT_MAX = 200, 5_000
# What clients write (phases, reasons) is not bounded otherwise.
_SUMMARY_MAX = 1024
_SETTLE_PERIOD_SECONDS = 1.0
_SETTLED_A_PERIOD = 100
_HOLDER = b'"holderIdentity":"'


class _Parts(msgspec.Struct):
    """An object's parts as they are in its JSON."""

    spec: msgspec.Raw = msgspec.Raw(b"")
    status: msgspec.Raw = msgspec.Raw(b"")
    data: msgspec.Raw = msgspec.Raw(b"")


_parts = msgspec.json.Decoder(_Parts)


class Entry:
    """One change. `change` holds the objects until `summary` is known."""

    __slots__ = ("cause", "change", "name", "namespace", "prefix", "revision", "size", "summary", "type")

    def __init__(self, prefix: str, change: Change) -> None:
        item = change.item
        self.prefix = prefix
        self.revision = change.revision
        self.type = change.type
        self.namespace = item.namespace
        self.name = item.name
        self.cause = item.cause
        self.change: Change | None = change
        self.size = len(item.data)
        self.summary = ""

    @property
    def time(self) -> float:
        """When the write was made, in wall-clock seconds; read when somebody asks."""
        return stored_form.time_of(self.cause)

    def settle(self) -> str:
        """Work out the summary and let the objects go."""
        change, self.change = self.change, None
        if change is not None:
            old = None if change.old is None else stored_form.decode(change.old.data)
            self.summary = summarize(old, stored_form.decode(change.item.data), deleted=change.deleted)[:_SUMMARY_MAX]
        return self.summary

    def let_go(self) -> None:
        """Let the objects go with no more than the names of the parts that changed."""
        change, self.change = self.change, None
        if change is None:
            return
        if change.deleted or change.old is None:
            self.summary = "deleted" if change.deleted else "created"
            return
        before, after = _parts.decode(change.old.data), _parts.decode(change.item.data)
        changed = [part for part in ("spec", "status", "data") if getattr(before, part) != getattr(after, part)]
        self.summary = f"{', '.join(changed or ['metadata'])} changed"


class Journal:
    """The ring. `entries_max` bounds the entries, `bytes_max` the objects kept for summaries not yet made.

    Hardly a summary is ever read, so none is made before the objects fill half of the room. Then `settle` sums up
    beside the requests, at a modest pace; under a load that is faster than that, the oldest objects are let go with a
    rougher summary, so that the write path never pays for prose.
    """

    def __init__(self, *, entries_max: int, bytes_max: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=entries_max)
        self._unsettled: deque[Entry] = deque()
        self._bytes = 0
        self._bytes_max = bytes_max
        self._bytes_calm = bytes_max // 2

    def observe(self, hub: Hub, change: Change) -> None:
        """Take a change: the feed calls this for every one."""
        if not _is_recorded(hub.prefix, change):
            return
        entry = Entry(hub.prefix, change)
        self._entries.append(entry)
        self._unsettled.append(entry)
        self._bytes += entry.size
        while self._bytes > self._bytes_max:
            self._oldest().let_go()

    def remember(self, past: list[tuple[str, Change]]) -> None:
        """Put changes from before this journal began, oldest first, in front of it, as far as there is room."""
        room = (self._entries.maxlen or 0) - len(self._entries)
        recorded = [(prefix, change) for prefix, change in past if _is_recorded(prefix, change)]
        for prefix, change in reversed(recorded[-room:] if room else []):
            entry = Entry(prefix, change)
            self._entries.appendleft(entry)
            if self._bytes + entry.size > self._bytes_calm:
                entry.settle()
            else:
                self._unsettled.appendleft(entry)
                self._bytes += entry.size

    def _oldest(self) -> Entry:
        entry = self._unsettled.popleft()
        self._bytes -= entry.size
        return entry

    async def settle(self) -> None:
        """Sum up the oldest while they take more than half of the room, for ever."""
        while True:
            await clock.sleep(_SETTLE_PERIOD_SECONDS)
            for _ in range(_SETTLED_A_PERIOD):
                if self._bytes <= self._bytes_calm:
                    break
                self._oldest().settle()

    def newest(self, *, prefix: str, namespace: str, name: str) -> Iterator[Entry]:
        """The entries that match, newest first; an empty text matches all."""
        for entry in reversed(self._entries):
            if prefix and entry.prefix != prefix:
                continue
            if (name and entry.name != name) or (namespace and entry.namespace != namespace):
                continue
            yield entry

    @property
    def oldest(self) -> int:
        """The revision of the oldest entry; 0 without one."""
        return self._entries[0].revision if self._entries else 0


def _is_recorded(prefix: str, change: Change) -> bool:
    return prefix != kinds.EVENT.prefix and not (prefix == kinds.LEASE.prefix and _is_renewal(change))


def _is_renewal(change: Change) -> bool:
    """Whether a Lease changed but not its holder."""
    return change.old is not None and not change.deleted and _holder(change.old) == _holder(change.item)


def _holder(item: Item) -> bytes:
    start = item.data.find(_HOLDER) + len(_HOLDER)
    return item.data[start : item.data.find(b'"', start)] if start >= len(_HOLDER) else b""


class JournalPath:
    """Answers the journal's path; `authorizer` says whose entries the user may see."""

    def __init__(self, journal: Journal, feed: Feed, authorizer: Authorizer | None = None) -> None:
        self._journal = journal
        self._feed = feed
        self._authorizer = authorizer

    async def handle(self, request: Request) -> Response:
        """The entries that the query asks for, of objects that the user may get. Raises 400."""
        assert request.user is not None
        catalogue = info_of(request).catalogue
        sight = Sight(self._authorizer, request.user, catalogue)
        query = request.query
        kind = _kind(catalogue, query.get("kind", ""))
        prefix = kind.home.prefix if kind else ""
        namespace, name = query.get("namespace", ""), query.get("name", "")
        since, after = _number(query.get("since", "")), _number(query.get("after", ""))
        limit = int(min(max(_number(query.get("limit", "")), 0) or _LIMIT, _LIMIT_MAX))
        found: list[Obj] = []
        for entry in self._journal.newest(prefix=prefix, namespace=namespace, name=name):
            if entry.revision <= since or entry.time <= after or len(found) == limit:
                break
            if sight.stored(entry.prefix, entry.namespace, entry.name):
                found.append(_render(entry, sight, catalogue))
        if not found and kind and name and not since and not after:
            found = self._last(kind, namespace, name, sight, catalogue)
        found.reverse()
        body = orjson.dumps({"oldest": self._journal.oldest, "revision": self._feed.applied, "items": found})
        return Response(200, body, {"content-type": "application/json"})

    def _last(self, kind: Kind, namespace: str, name: str, sight: Sight, catalogue: Catalogue) -> list[Obj]:
        """The last write of an object from before the journal began: its cause is stored with it."""
        home = kind.home
        item = self._feed.hub(home.prefix).items.get(f"{namespace}/{name}" if home.namespaced else name)
        if item is None or not sight.stored(home.prefix, namespace if home.namespaced else "", name):
            return []
        entry = Entry(home.prefix, Change(item, item, deleted=False))
        return [{**_render(entry, sight, catalogue), "summary": ""}]


def _render(entry: Entry, sight: Sight, catalogue: Catalogue) -> Obj:
    """One entry as JSON; `time` is seconds since the epoch. What it reacted to is named as far as it may be seen."""
    cause = orjson.loads(entry.cause)
    cause.pop("at", None)
    # Writes of earlier versions do not say who made them.
    user = cause.pop("user", None)
    if seen := cause.get("seen"):
        cause["seen"] = [each for each in seen if sight.of_kind(each["kind"], each["namespace"], each["name"])]
    return {
        "revision": entry.revision,
        "time": entry.time,
        "kind": _kind_name(catalogue, entry.prefix),
        "namespace": entry.namespace,
        "name": entry.name,
        "verb": entry.type,
        "user": user,
        "cause": cause or None,
        "summary": entry.settle(),
    }


def _kind_name(catalogue: Catalogue, prefix: str) -> str:
    kind = catalogue.stored_at(prefix)
    # Of what is no longer served the resource is all that is known.
    return kind.kind if kind is not None else prefix.split("/")[3]


def _kind(catalogue: Catalogue, text: str) -> Kind | None:
    """A kind by its name, plural, singular or short name. Raises 400."""
    if not text:
        return None
    if (kind := catalogue.by_name(text)) is None:
        raise errors.bad_request(f"unknown kind {text!r}")
    return kind


def _number(text: str) -> float:
    """A query parameter; 0 when absent. Raises 400."""
    try:
        number = float(text or 0)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise errors.bad_request(f"{text!r} is not a number")
    return number
