"""The walks over objects of kinds that are defined at run time: unknown fields are pruned, defaults are filled in.

Compiled once from a version's structural schema. Metadata are brought into the shape of every object's. Whether values
are of their types and meet the schema's rules is not looked at here. Rule: kubernetes.io/docs/tasks/extend-kubernetes/
custom-resources/custom-resource-definitions, "Field pruning" and "Defaulting".
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from homeostat.api.shape.defaults import Fill
from homeostat.api.shape.structural import Check, Mismatch, Notes
from homeostat.api.types import Obj

_OF_ALL = ("apiVersion", "kind", "metadata")
_Filler = Callable[[Any], None]


def walk_of(schema: Obj, metadata: Check) -> Check:
    """The walk of a whole object; `metadata` is that of its metadata."""
    inner = _pruning({**schema, "x-kubernetes-embedded-resource": True})

    def check(value: Any, box: Any, key: Any, notes: Notes) -> None:
        found = value.get("metadata")
        if found.__class__ is dict:
            metadata(found, value, "metadata", notes)
        elif found is not None:
            raise Mismatch(value, "metadata", found)
        if inner is not None:
            inner(value, box, key, notes)

    return check


def _pruning(node: Obj) -> Check | None:
    """The walk of one place; None where nothing can be unknown."""
    if isinstance(node.get("items"), dict):
        return _pruning_list(node["items"])
    if node.get("type") != "object":
        return None
    fields = {name: _pruning(child) for name, child in (node.get("properties") or {}).items()}
    if node.get("x-kubernetes-embedded-resource"):
        fields |= dict.fromkeys(_OF_ALL)
    more = node.get("additionalProperties")
    others = _pruning(more) if isinstance(more, dict) else None
    keeps = bool(more) or isinstance(more, dict) or bool(node.get("x-kubernetes-preserve-unknown-fields"))
    if keeps and others is None and not any(fields.values()):
        return None

    def check(value: Any, box: Any, key: Any, notes: Notes) -> None:
        if value.__class__ is not dict:
            return
        unknown = []
        for name, child in value.items():
            inner = fields.get(name, others)
            if inner is not None:
                inner(child, value, name, notes)
            elif name not in fields and not keeps:
                unknown.append(name)
        for name in unknown:
            notes.unknown.append((value, name))
            del value[name]

    return check


def _pruning_list(items: Obj) -> Check | None:
    each = _pruning(items)
    if each is None:
        return None

    def check(value: Any, box: Any, key: Any, notes: Notes) -> None:
        if value.__class__ is list:
            for at, child in enumerate(value):
                each(child, value, at, notes)

    return check


def fill_of(schema: Obj) -> Fill | None:
    """What fills in the defaults of a schema, in place; None where it has none."""
    return _filling(schema)


def _filling(node: Obj) -> _Filler | None:
    if isinstance(node.get("items"), dict):
        each = _filling(node["items"])
        return _for_each(each) if each is not None else None
    fields = [(name, child, _filling(child)) for name, child in (node.get("properties") or {}).items()]
    wanted = [(name, child, inner) for name, child, inner in fields if inner is not None or "default" in child]
    more = node.get("additionalProperties")
    others = _filling(more) if isinstance(more, dict) else None
    if not wanted:
        return _for_each(others) if others is not None else None

    def fill(value: Any) -> None:
        if value.__class__ is not dict:
            return
        for name, child, inner in wanted:
            found = value.get(name)
            if found is None and "default" in child and not (name in value and child.get("nullable")):
                found = value[name] = copy.deepcopy(child["default"])
            if inner is not None and found is not None:
                inner(found)

    return fill


def _for_each(inner: _Filler) -> _Filler:
    """The same for each of a list, and for each value of a map."""

    def fill(value: Any) -> None:
        if isinstance(value, dict | list):
            for child in value.values() if isinstance(value, dict) else value:
                inner(child)

    return fill
