"""Fills in what Kubernetes v1.36 fills in when a field is absent (its `SetDefaults_*` functions).

Rules belong to types, not to kinds: what is said of `core.v1.PodSpec` holds in every template. They are data in
`api.defaults_data` and small functions in `api.defaults_rules`; here is the walk, compiled once for each type, that
goes only where some rule applies. An object's own rules come before those of what it holds, so a rule may make the
object that another rule then fills. What the server itself chooses (addresses, uids, times) is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeAlias

from homeostat.api.defaults_data import ABSENT, ZERO
from homeostat.api.defaults_rules import RULES
from homeostat.api.kinds import Kind
from homeostat.api.schema import Schema, schema_named, schema_of
from homeostat.api.types import Obj

_Fill: TypeAlias = Callable[[Obj], None]


def apply_defaults(kind: Kind, obj: Obj) -> None:
    """Fill the absent fields of `obj`, in place. Doing it again changes nothing."""
    fill = _fill_of(schema_of(kind).definition)
    if fill is not None:
        fill(obj)


def apply_type_defaults(definition: str, obj: Obj) -> None:
    """The same for a part of an object, by the OpenAPI name of its type."""
    fill = _fill_of(definition)
    if fill is not None:
        fill(obj)


def _short(definition: str) -> str:
    """`core.v1.PodSpec`: how the rules name a type."""
    return definition.removeprefix("io.k8s.api.").removeprefix("io.k8s.kube-aggregator.pkg.apis.")


def _holds(place: Schema) -> Schema:
    """What stands in a place, in its lists and in its maps."""
    inner = place.items or place.values
    return _holds(inner) if inner is not None else place


@cache
def _reaches_rules(definition: str) -> bool:
    """Whether a rule applies to this type or to one that it leads to."""
    seen: set[str] = set()
    todo = [definition]
    while todo:
        name = todo.pop()
        if name in seen or not name:
            continue
        seen.add(name)
        short = _short(name)
        if short in ZERO or short in ABSENT or short in RULES:
            return True
        todo += [_holds(place).definition for place in schema_named(name).properties.values()]
    return False


@cache
def _fill_of(definition: str) -> _Fill | None:
    """The compiled rules of a type; None where no rule applies."""
    if not _reaches_rules(definition):
        return None
    short = _short(definition)
    zero = tuple(ZERO.get(short, {}).items())
    absent = tuple(ABSENT.get(short, {}).items())
    rule = RULES.get(short)
    parts = _parts(schema_named(definition))

    def fill(obj: Obj) -> None:
        for name, value in zero:
            if not obj.get(name):
                obj[name] = value
        for name, value in absent:
            if obj.get(name) is None:
                obj[name] = value.copy() if value.__class__ in (dict, list) else value
        if rule is not None:
            rule(obj)
        for name, inner in parts:
            child = obj.get(name)
            if child is not None:  # an empty object has its defaults too
                inner(child)

    return fill


def _parts(schema: Schema) -> tuple[tuple[str, Callable[[Any], None]], ...]:
    """The fields of a type that lead to rules, each with what to do to its value."""
    found = []
    for name, place in schema.properties.items():
        if _reaches_rules(_holds(place).definition):
            inner = _fill_place(place)
            if inner is not None:
                found.append((name, inner))
    return tuple(found)


def _fill_place(place: Schema) -> Callable[[Any], None] | None:
    """What to do to the value of a place: to the object, to each of a list, to each value of a map."""
    inner = place.items or place.values
    if inner is None:
        return _fill_of(place.definition)
    each = _fill_place(inner)
    if each is None:
        return None
    if place.items is not None:
        return partial(_each, each)
    return lambda value: _each(each, value.values())


def _each(fill: Callable[[Any], None], values: Any) -> None:
    for value in values:
        fill(value)
