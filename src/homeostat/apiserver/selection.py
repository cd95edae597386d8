"""What a list or a watch selects: a namespace, and label and field selectors, over hub items."""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.api import fieldselectors, selectors
from homeostat.api.kinds import Kind
from homeostat.api.selectors import LabelSelector
from homeostat.apiserver.items import Item


class Selection:
    """A namespace (empty: all) with the selectors. `node`, `name`: what the index of watchers may use, or None."""

    __slots__ = ("_equal", "_fields", "_labels", "everything", "name", "namespace", "node")

    def __init__(self, namespace: str, labels: LabelSelector, fields: tuple[tuple[str, str, bool], ...]) -> None:
        self.namespace = namespace
        self._labels = None if labels.everything else labels.matches
        single = not fields and not labels.nothing and not labels.others and len(labels.equal) == 1
        self._equal = labels.equal[0] if single else None
        # (path, value, whether it must not be that value)
        self._fields = fields
        equal = {path: value for path, value, negated in fields if not negated}
        self.name = equal.get("metadata.name")
        self.node = equal.get("spec.nodeName")
        # Nothing is left to ask of an object that is in the namespace.
        self.everything = self._labels is None and not fields

    def filter(self, items: list[Item]) -> list[Item]:
        """Those of `items`, all of the namespace, that are selected."""
        if self.everything:
            return items
        if self._equal is None:
            matches = self.matches
            return [item for item in items if matches(item)]
        # One label with one value: the selector of nearly every controller and dashboard, so worth its own loop.
        key, value = self._equal
        return [item for item in items if item.labels.get(key) == value]

    def matches(self, item: Item) -> bool:
        """Whether the object is selected."""
        if self.namespace and item.namespace != self.namespace:
            return False
        for path, value, negated in self._fields:
            if (item.field(path) == value) is negated:
                return False
        return self._labels is None or self._labels(item.labels)


def parse(kind: Kind, namespace: str, query: Mapping[str, str], *, name: str = "") -> Selection:
    """The selection of a request, of one object by `name`. Raises 400 for what cannot be parsed or is not supported."""
    labels = selectors.parse(query.get("labelSelector", ""))
    terms = fieldselectors.parse(query.get("fieldSelector", ""), kind).terms
    fields = tuple((term.path, term.value, term.negated) for term in terms)
    if name:
        fields = (*fields, ("metadata.name", name, False))
    return Selection(namespace, labels, fields)
