"""One kind's objects, indexed: by namespace and name, by owner, by node, by uid. The store behind caches and snapshots.

Listings are ordered by namespace and name without a sort on each call: each index keeps its listing until it changes,
and sorts again only after a name was added. Objects are shared, never copied: whoever reads must not change them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from homeostat.api.types import Obj

K = TypeVar("K", str, tuple[str, str])

_NOTHING: Sequence[Obj] = ()
_NO_CONTROLLER = ("",)


class _Shelf(Generic[K]):
    """Objects by key, with their ordered listing."""

    __slots__ = ("_listing", "_ordered", "items")

    def __init__(self) -> None:
        self.items: dict[K, Obj] = {}
        self._ordered = True
        self._listing: list[Obj] | None = None

    def put(self, key: K, obj: Obj) -> None:
        if key not in self.items:
            self._ordered = False
        self.items[key] = obj
        self._listing = None

    def remove(self, key: K) -> None:
        if self.items.pop(key, None) is not None:
            self._listing = None

    def listing(self) -> Sequence[Obj]:
        if self._listing is None:
            if not self._ordered:
                self.items = {key: self.items[key] for key in sorted(self.items)}
                self._ordered = True
            self._listing = list(self.items.values())
        return self._listing


class ObjectIndex:
    """The objects of one kind."""

    def __init__(self) -> None:
        self._namespaces: dict[str, _Shelf[str]] = {}
        self._owners: dict[str, _Shelf[tuple[str, str]]] = {}
        self._nodes: dict[str, _Shelf[tuple[str, str]]] = {}
        self._by_uid: dict[str, Obj] = {}
        self._everything: list[Obj] | None = None

    def __len__(self) -> int:
        return sum(len(shelf.items) for shelf in self._namespaces.values())

    def get(self, namespace: str, name: str) -> Obj | None:
        """The object of this name."""
        shelf = self._namespaces.get(namespace)
        return shelf.items.get(name) if shelf is not None else None

    def by_uid(self, uid: str) -> Obj | None:
        """The object with this uid."""
        return self._by_uid.get(uid)

    def list(self, namespace: str = "") -> Sequence[Obj]:
        """All objects, of one namespace when it is given, ordered by namespace and name."""
        if namespace:
            shelf = self._namespaces.get(namespace)
            return shelf.listing() if shelf is not None else _NOTHING
        if self._everything is None:
            everything: list[Obj] = []
            for name in sorted(self._namespaces):
                everything.extend(self._namespaces[name].listing())
            self._everything = everything
        return self._everything

    def owned(self, owner_uid: str) -> Sequence[Obj]:
        """Objects with an ownerReference of this uid; with an empty uid those without a controller. Ordered."""
        shelf = self._owners.get(owner_uid)
        return shelf.listing() if shelf is not None else _NOTHING

    def on_node(self, node_name: str) -> Sequence[Obj]:
        """Objects with this spec.nodeName, ordered by namespace and name."""
        shelf = self._nodes.get(node_name)
        return shelf.listing() if shelf is not None else _NOTHING

    def put(self, obj: Obj) -> Obj | None:
        """Add or replace; returns the object of the same name that was there."""
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        shelf = self._namespaces.get(namespace)
        if shelf is None:
            shelf = self._namespaces[namespace] = _Shelf()
        old = shelf.items.get(name)
        shelf.put(name, obj)
        key = (namespace, name)
        owners, node, uid = _owner_keys(obj), node_name(obj), metadata.get("uid") or ""
        if old is not None:
            self._forget(old, key, owners, node, uid)
        for owner in owners:
            _put(self._owners, owner, key, obj)
        if node:
            _put(self._nodes, node, key, obj)
        if uid:
            self._by_uid[uid] = obj
        self._everything = None
        return old

    def remove(self, namespace: str, name: str) -> Obj | None:
        """Take the object of this name away; returns it."""
        shelf = self._namespaces.get(namespace)
        old = shelf.items.get(name) if shelf is not None else None
        if shelf is None or old is None:
            return None
        shelf.remove(name)
        if not shelf.items:
            del self._namespaces[namespace]
        self._forget(old, (namespace, name), (), "", "")
        self._everything = None
        return old

    def _forget(self, old: Obj, key: tuple[str, str], owners: tuple[str, ...], node: str, uid: str) -> None:
        """Take `old` from the indexes in which its successor, of these owners, node and uid, is not."""
        for owner in _owner_keys(old):
            if owner not in owners:
                _take(self._owners, owner, key)
        if (before := node_name(old)) and before != node:
            _take(self._nodes, before, key)
        if (before := old["metadata"].get("uid") or "") and before != uid:
            self._by_uid.pop(before, None)


def _put(index: dict[str, _Shelf[tuple[str, str]]], value: str, key: tuple[str, str], obj: Obj) -> None:
    shelf = index.get(value)
    if shelf is None:
        shelf = index[value] = _Shelf()
    shelf.put(key, obj)


def _take(index: dict[str, _Shelf[tuple[str, str]]], value: str, key: tuple[str, str]) -> None:
    shelf = index.get(value)
    if shelf is not None:
        shelf.remove(key)
        if not shelf.items:
            del index[value]


def _owner_keys(obj: Obj) -> tuple[str, ...]:
    """The object's keys in the index of owners: under their uids, and under "" when none is its controller."""
    references = obj["metadata"].get("ownerReferences")
    if not references:
        return _NO_CONTROLLER
    uids, controlled = [], False
    for reference in references:
        uids.append(reference.get("uid", ""))
        controlled = controlled or bool(reference.get("controller"))
    return tuple(uids) if controlled else (*uids, *_NO_CONTROLLER)


def node_name(obj: Obj) -> str:
    """The object's spec.nodeName, empty where it has none."""
    spec: Any = obj.get("spec")
    return spec.get("nodeName") or "" if isinstance(spec, dict) else ""


def revision_of(obj: Obj) -> int:
    """The object's resourceVersion as a number; 0 where it has none."""
    return int(obj["metadata"].get("resourceVersion") or 0)
