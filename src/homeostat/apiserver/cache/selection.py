"""What a list or a watch selects (a namespace, label and field selectors), and the only place that decides it.

`Selection.select` decides for objects and `Selection.selects` for one, the same, `Selection.see` for changes, which it
judges by `selects`. A list and the state
that a watch begins with, changes from the store's history, from the hub's window and live ones all go through them. An
index (keys of a namespace, watchers by node name) saves looking at what cannot be selected; it never decides.
"""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.api.catalogue import Resource
from homeostat.api.selecting import label_selectors
from homeostat.api.selecting.label_selectors import LabelSelector
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.cache.window import ADDED, DELETED, MODIFIED, Change, line


class Seen:
    """One event of a watch: what a selection sees of a change. Only `Selection.see` makes one."""

    __slots__ = ("item", "line", "type")

    def __init__(self, event_type: str, item: Item, text: bytes) -> None:
        self.type = event_type
        self.item = item
        # The event as clients get it that ask for the plain object.
        self.line = text


class Selection:
    """A namespace (empty: all) with the selectors. `node`, `name`: what the index of watchers may use, or None."""

    __slots__ = ("_equal", "_fields", "_others", "key", "name", "namespace", "node", "only_namespace")

    def __init__(self, namespace: str, labels: LabelSelector, fields: tuple[tuple[str, str, bool], ...]) -> None:
        self.namespace = namespace
        self._equal = () if labels.nothing else labels.equal
        self._others = labels.matches if labels.nothing or labels.others else None
        # (path, value, whether it must not be that value)
        self._fields = fields
        equal = {path: value for path, value, negated in fields if not negated}
        self.name = equal.get("metadata.name")
        self.node = equal.get("spec.nodeName")
        # What has one key selects the same. (The same text is parsed to the same label selector as long as it is
        # remembered; another one of the same meaning only costs its watchers a decision of their own.)
        self.key = (namespace, labels, fields)
        # Everything in the namespace is selected, so that keys may be counted in place of objects.
        self.only_namespace = labels.everything and not fields

    def selects(self, item: Item) -> bool:
        """Whether one object is selected: `select` of a list of it, which for one costs more than the decision."""
        if (namespace := self.namespace) and item.namespace != namespace:
            return False
        for path, value, negated in self._fields:
            if (item.field(path) == value) is negated:
                return False
        for key, value in self._equal:
            if item.labels.get(key) != value:
                return False
        return (matches := self._others) is None or matches(item.labels)

    def select(self, items: list[Item]) -> list[Item]:
        """Those of `items` that are selected, in their order. `items` itself when that is all of them."""
        if namespace := self.namespace:
            items = [item for item in items if item.namespace == namespace]
        for path, value, negated in self._fields:
            items = [item for item in items if (item.field(path) == value) is not negated]
        for key, value in self._equal:
            items = [item for item in items if item.labels.get(key) == value]
        if (matches := self._others) is not None:
            items = [item for item in items if matches(item.labels)]
        return items

    def see(self, change: Change, plain: bytes = b"") -> Seen | None:
        """The change as a watcher with this selection gets it; None when it concerns nothing that is selected.

        An object that comes into the selection is ADDED, one that leaves it DELETED, in the form that it had, at the
        revision of the change. `plain` is `change.line()`, for callers that have it.
        """
        old = change.old
        before = old is not None and self.selects(old)
        after = not change.deleted and self.selects(change.item)
        if after:
            event_type, item = MODIFIED if before else ADDED, change.item
        elif before:
            assert old is not None
            event_type, item = DELETED, change.item if change.deleted else old.at(change.revision)
        else:
            return None
        if item is change.item and event_type == change.type:
            return Seen(event_type, item, plain or change.line())
        return Seen(event_type, item, line(event_type, item.data))


def parse(resource: Resource, namespace: str, query: Mapping[str, str]) -> Selection:
    """The selection of a request. Raises 400 for what cannot be parsed or is not supported."""
    labels = label_selectors.parse(query.get("labelSelector", ""))
    terms = resource.selectable.parse(query.get("fieldSelector", "")).terms
    fields = tuple((term.path, term.value, term.negated) for term in terms)
    return Selection(namespace, labels, fields)
