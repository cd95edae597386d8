"""Whole objects: one, or all that selectors match."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson

from homeostat.api import errors
from homeostat.api.catalogue import Catalogue
from homeostat.api.selecting import field_selectors, label_selectors
from homeostat.api.selecting.field_selectors import FieldSelector
from homeostat.api.types import Obj
from homeostat.console.cache.entries import Entry, Key
from homeostat.console.cache.feed import Change, Feed
from homeostat.console.cache.places import Resource
from homeostat.console.cache.pool import Pool
from homeostat.console.cache.users import User
from homeostat.console.live.asked import ObjectAsked, ObjectsAsked
from homeostat.console.live.subscription import FeedSubscription

OBJECTS_MAX = 2_000
# How many are looked at, and how many are sent, in one message: so that others are not kept waiting.
_LOOKED_AT, _SENT = 1_000, 200


class ObjectSubscription(FeedSubscription):
    """One object; None while there is none of its name."""

    def __init__(self, number: int, wake: Callable[[], None], pool: Pool, user: User, asked: ObjectAsked) -> None:
        super().__init__(number, wake, pool, user, asked.place)

    def said(self) -> Obj | None:
        """See `Subscription`."""
        feed = self._feed
        if feed is None or feed.state == "loading":
            return None
        entry = feed.entries.get((self._place.namespace, self._place.name))
        found = orjson.Fragment(feed.keeper.json(entry)) if entry is not None else None
        return {"type": "object", "id": self.number, "object": found, **self.standing(feed)}


class ObjectsSubscription(FeedSubscription):
    """All objects that selectors match, at most `OBJECTS_MAX`."""

    def __init__(self, number: int, wake: Callable[[], None], pool: Pool, user: User, asked: ObjectsAsked) -> None:
        super().__init__(number, wake, pool, user, asked.place)
        self._labels = label_selectors.parse(asked.labels)
        self._fields = _fields(pool.catalogue, asked.place.resource, asked.fields)
        self._reset = True
        # Keys to be looked at, in their order; what matched; what the page has.
        self._open: dict[Key, None] = {}
        self._matching: dict[Key, Entry] = {}
        self._sent: dict[Key, Entry] = {}
        self._unsent: dict[Key, None] = {}

    def begun(self, feed: Feed) -> None:
        """See `FeedSubscription`."""
        self._open = dict.fromkeys(feed.entries)

    def changed(self, changes: Sequence[Change]) -> None:
        """See `Listener`."""
        for old, new in changes:
            either = new or old
            if either is not None:
                self._open[either.key] = None
        self.touch()

    def said(self) -> Obj | None:
        """See `Subscription`."""
        feed = self._feed
        if feed is None or feed.state == "loading":
            return None
        self._look(feed)
        if len(self._matching) > OBJECTS_MAX:
            what = self._place.resource.plural
            self.failed(errors.too_large(f"more than {OBJECTS_MAX} {what} match: narrow it by a namespace or labels"))
            return None
        reset, self._reset = self._reset, False
        gone, found = self._news(feed)
        standing = self.standing(feed)
        if self._open or self._unsent:
            self.touch()
            standing["state"] = "loading" if standing["state"] == "live" and reset else standing["state"]
        message = {"type": "objects", "id": self.number, "set": found, "gone": gone, **standing}
        return {**message, "reset": True} if reset else message

    def _look(self, feed: Feed) -> None:
        """See which of the open ones match."""
        for key in list(self._open)[:_LOOKED_AT]:
            del self._open[key]
            entry = feed.entries.get(key)
            if entry is not None and self._matches(feed, entry):
                self._matching[key] = entry
                self._unsent[key] = None
            elif self._matching.pop(key, None) is not None:
                self._unsent[key] = None

    def _matches(self, feed: Feed, entry: Entry) -> bool:
        if not self._labels.everything and not self._labels.matches(entry.labels):
            return False
        return not self._fields.terms or self._fields.matches(feed.keeper.object(entry))

    def _news(self, feed: Feed) -> tuple[list[str], list[orjson.Fragment]]:
        gone: list[str] = []
        found: list[orjson.Fragment] = []
        for key in list(self._unsent)[:_SENT]:
            del self._unsent[key]
            entry, before = self._matching.get(key), self._sent.pop(key, None)
            if before is not None and (entry is None or entry.uid != before.uid):
                gone.append(before.uid)
            if entry is not None:
                self._sent[key] = entry
                if entry is not before:
                    found.append(orjson.Fragment(feed.keeper.json(entry)))
        return gone, found


def _fields(catalogue: Catalogue, resource: Resource, text: str) -> FieldSelector:
    """The selector over what can be selected of a resource; of custom ones that is name and namespace. Raises ApiError
    400."""
    kind = catalogue.by_resource(resource.group, resource.version, resource.plural)
    selectable = catalogue.resource(kind).selectable if kind is not None else field_selectors.SelectableFields()
    return selectable.parse(text)
