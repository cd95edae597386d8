"""Fills in what Kubernetes v1.36 fills in when a field is absent (its `SetDefaults_*` functions).

Rules belong to types, not to kinds: what is said of `core.v1.PodSpec` holds in every template. They are data in
`api.shape.defaults_data` and small functions in `api.shape.defaults_rules`; here is the walk, compiled once for each
type, that goes only where some rule applies. An object's own rules come before those of what it holds, so a rule may
make the object that another rule then fills. What the server itself chooses (addresses, uids, times) is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from homeostat.api.shape.defaults_data import ABSENT, ZERO
from homeostat.api.shape.defaults_rules import RULES
from homeostat.api.shape.schema import Schema, schema_named
from homeostat.api.types import Obj

Fill: TypeAlias = Callable[[Obj], None]


def _short(definition: str) -> str:
    """`core.v1.PodSpec`: how the rules name a type."""
    return definition.removeprefix("io.k8s.api.").removeprefix("io.k8s.kube-aggregator.pkg.apis.")


def _holds(place: Schema) -> Schema:
    """The value at a place, in its lists and in its maps."""
    inner = place.items or place.values
    return _holds(inner) if inner is not None else place


class Defaulting:
    """The compiled rules of the built-in types, each made when it is first needed."""

    def __init__(self) -> None:
        self._fills: dict[str, Fill | None] = {}
        self._reaching: dict[str, bool] = {}

    def fill_of(self, definition: str) -> Fill | None:
        """What fills in the absent fields of an object of the type, in place; None where no rule applies.

        To do it again changes nothing.
        """
        if definition not in self._fills:
            self._fills[definition] = self._compile(definition) if self._reaches_rules(definition) else None
        return self._fills[definition]

    def _reaches_rules(self, definition: str) -> bool:
        """Whether a rule applies to this type or to one that it leads to."""
        known = self._reaching.get(definition)
        if known is None:
            known = self._reaching[definition] = _reaches_rules(definition)
        return known

    def _compile(self, definition: str) -> Fill:
        short = _short(definition)
        zero = tuple(ZERO.get(short, {}).items())
        absent = tuple(ABSENT.get(short, {}).items())
        rule = RULES.get(short)
        parts = self._parts(schema_named(definition))

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

    def _parts(self, schema: Schema) -> tuple[tuple[str, Callable[[Any], None]], ...]:
        """The fields of a type that lead to rules, each with what to do to its value."""
        found = []
        for name, place in schema.properties.items():
            if self._reaches_rules(_holds(place).definition):
                inner = self._fill_place(place)
                if inner is not None:
                    found.append((name, inner))
        return tuple(found)

    def _fill_place(self, place: Schema) -> Callable[[Any], None] | None:
        """What to do to the value of a place: to the object, to each of a list, to each value of a map."""
        inner = place.items or place.values
        if inner is None:
            return self.fill_of(place.definition)
        each = self._fill_place(inner)
        if each is None:
            return None
        if place.items is not None:
            return partial(_each, each)
        return lambda value: _each(each, value.values())


def _reaches_rules(definition: str) -> bool:
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


def _each(fill: Callable[[Any], None], values: Any) -> None:
    for value in values:
        fill(value)
