"""Reads of this server's own current state for admission, RBAC and subresource handlers: `contract.Reader`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from homeostat.api.catalogue.conversions import convert
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.cache.feed import Feed
from homeostat.apiserver.cache.window import Change

_DECODED_MAX = 4096
_LISTS_MAX = 64


class HubReader:
    """Decoded views of the hubs; what was listed lately stays decoded."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._decoded: OrderedDict[tuple[str, str, str], tuple[int, Obj]] = OrderedDict()
        self._lists: OrderedDict[tuple[str, str, str], tuple[int, list[Obj]]] = OrderedDict()

    def get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        """The object, decoded; a private copy."""
        home = kind.home
        item = self._feed.hub(home.prefix).items.get(f"{namespace}/{name}" if home.namespaced else name)
        return None if item is None else convert(stored_form.decode(item.data), kind)

    def list(self, kind: Kind, namespace: str = "") -> Sequence[Obj]:
        """All objects, decoded; shared and read-only."""
        hub = self._feed.hub(kind.home.prefix)
        place = (kind.api_version, kind.plural, namespace)
        kept = self._lists.get(place)
        if kept is not None and kept[0] == hub.revision:
            return kept[1]
        view = hub.now()
        found = [self._object(kind, item) for item in view.items(view.keys(namespace, ""))]
        self._lists[place] = (hub.revision, found)
        self._lists.move_to_end(place)
        while len(self._lists) > _LISTS_MAX:
            self._lists.popitem(last=False)
        return found

    def revision(self, kind: Kind) -> int:
        """The revision of the last change of the kind's objects."""
        return self._feed.hub(kind.home.prefix).revision

    def changes(self, kind: Kind, after: int) -> Iterable[Change] | None:
        """The changes above the revision `after`, oldest first; None when some of them are no longer kept."""
        return self._feed.hub(kind.home.prefix).window.after(after)

    def items(self, kind: Kind) -> Iterable[Item]:
        """All objects as the hub keeps them, nothing decoded."""
        return self._feed.hub(kind.home.prefix).items.values()

    def _object(self, kind: Kind, item: Item) -> Obj:
        place = (kind.api_version, kind.plural, item.key)
        kept = self._decoded.get(place)
        if kept is not None and kept[0] == item.revision:
            self._decoded.move_to_end(place)
            return kept[1]
        obj = convert(stored_form.decode(item.data), kind)
        self._decoded[place] = (item.revision, obj)
        if len(self._decoded) > _DECODED_MAX:
            self._decoded.popitem(last=False)
        return obj
