"""What a hub keeps of an object: its bytes, and the few values that selectors ask for; never the decoded object.

Which fields a resource can be selected by is `api.selecting.field_selectors`' to say; they are decoded by a struct made
for them, which skips everything else in the object (4 us where decoding a 4 KB Pod takes 12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from keyword import iskeyword
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec

from homeostat.api.selecting import field_selectors
from homeostat.apiserver.cache import stored_form


class Item:
    """One object at one revision. `data` is its JSON with the revision in it. Never changed once made."""

    __slots__ = ("cause", "data", "fields", "key", "labels", "name", "namespace", "revision")

    def __init__(self, key: str, revision: int, data: bytes, cause: bytes) -> None:
        self.key = key
        self.revision = revision
        self.data = data
        self.cause = cause
        # Of the key, which indexes go by too: so they cannot differ from what selections compare.
        self.namespace, _, self.name = key.rpartition("/")
        self.labels: dict[str, str] = _NOTHING
        self.fields: dict[str, str] = _NOTHING

    @property
    def node(self) -> str:
        """spec.nodeName of a Pod, or empty."""
        return self.fields.get("spec.nodeName", "")

    def field(self, path: str) -> str:
        """The value of a selectable field; empty where there is none."""
        if path == "metadata.name":
            return self.name
        if path == "metadata.namespace":
            return self.namespace
        # Events are stored as core/v1 ones; events.k8s.io names the same fields otherwise.
        path = _EVENT_FIELDS.get(path, path)
        return self.fields.get(path) or self.fields.get(field_selectors.ELSE.get(path, ""), "")

    def at(self, revision: int) -> Item:
        """The same object under another revision: the last form of one that left a watch's selection."""
        other = Item(self.key, revision, stored_form.restamp(self.data, revision), self.cause)
        other.labels, other.fields = self.labels, self.fields
        return other


_NOTHING: dict[str, str] = {}
_EVENT_FIELDS = {"reportingController": "reportingComponent"} | {
    f"regarding.{part}": f"involvedObject.{part}"
    for part in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
}


class _Meta(msgspec.Struct):
    labels: dict[str, str] | None = None


def _text(value: object) -> str:
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _attribute(part: str) -> str:
    """The name under which a struct has a field, which may be called as no attribute can be."""
    return part if part.isidentifier() and not iskeyword(part) else f"x{part.encode().hex()}"


def _struct(name: str, paths: Sequence[tuple[str, ...]], **fixed: Any) -> type:
    """A struct type that decodes only `paths`; each level optional."""
    heads = dict.fromkeys(path[0] for path in paths)
    fields: list[Any] = list(fixed.items())
    for head in heads:
        tails = [path[1:] for path in paths if path[0] == head and len(path) > 1]
        inner: Any = (_struct(f"{name}_{_attribute(head)}", tails) | None) if tails else Any
        fields.append((_attribute(head), inner, None))
    return msgspec.defstruct(name, fields, rename={_attribute(head): head for head in heads})


Maker: TypeAlias = Callable[[str, bytes, int], Item]


def maker(zeros: Mapping[str, str]) -> Maker:
    """`make(key below the prefix, stored value, revision) -> Item`, for objects with these selectable fields.

    `zeros` are their paths, each with what absent reads as. The same fields give the same function.
    """
    return _maker(tuple(zeros.items()))


@lru_cache(maxsize=256)
def _maker(zeros: tuple[tuple[str, str], ...]) -> Maker:
    parts = [tuple(path.split(".")) for path, _ in zeros]
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_struct("Selectable", parts, metadata=_Meta))
    lookups = _lookups(dict(zeros))

    def make(key: str, value: bytes, revision: int) -> Item:
        data = stored_form.stamp_stored(value, revision)
        item = Item(key, revision, data, stored_form.cause_of(value))
        seen = decoder.decode(data)
        if seen.metadata.labels:
            item.labels = seen.metadata.labels
        if lookups:
            item.fields = _fields(seen, lookups)
        return item

    return make


# Of the fields within one part of an object: what gets the part, what gets a field of it, path and zero value.
_Lookup: TypeAlias = tuple[Callable[[Any], Any], list[tuple[Callable[[Any], Any], str, str]]]


def _lookups(zeros: Mapping[str, str]) -> list[_Lookup]:
    by_part: dict[str, list[tuple[Callable[[Any], Any], str, str]]] = {}
    for path, zero in zeros.items():
        part, _, name = path.rpartition(".")
        by_part.setdefault(part, []).append((attrgetter(_attribute(name)), path, zero))
    return [(_part_getter(part), fields) for part, fields in by_part.items()]


def _part_getter(path: str) -> Callable[[Any], Any]:
    names = [_attribute(name) for name in path.split(".")] if path else []

    def part(seen: Any) -> Any:
        for name in names:
            seen = getattr(seen, name, None)
        return seen

    return part


def _fields(seen: object, lookups: list[_Lookup]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part_of, fields in lookups:
        part = part_of(seen)
        for get, path, zero in fields:
            value = None if part is None else get(part)
            if value is None:
                value = zero
                if not zero:
                    continue
            found[path] = value if value.__class__ is str else _text(value)
    return found
