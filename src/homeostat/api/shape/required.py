"""Which fields of a built-in type must be there, as far as the schema can say it.

The published `required` means that Go writes the field even when it is empty, so it is no rule by itself. Taken as one
are text, lists and objects of what users write; numbers are left to `api.validation`, and what the server or a loop
fills in (statuses, events) is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from homeostat.api import facts
from homeostat.api.kinds import Kind
from homeostat.api.shape.schema import Schema

# Published as required, yet an empty value is accepted.
_MAY_BE_EMPTY = frozenset(
    {
        ("CSINodeSpec", "drivers"),
        ("FlowSchemaSpec", "priorityLevelConfiguration"),
        ("HTTPHeader", "value"),
        ("LimitRangeSpec", "limits"),
        ("OpaqueDeviceConfiguration", "parameters"),
        ("OwnerReference", "uid"),
        ("Sysctl", "value"),
        ("TokenReviewSpec", "token"),
    }
)
_EXEMPT = frozenset({"io.k8s.api.core.v1.Event", "io.k8s.api.events.v1.Event", "io.k8s.api.events.v1.EventSeries"})


class Required:
    """What must be there in the types that `kinds` lead to."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._kinds = kinds

    def may_be_empty(self, schema: Schema, name: str) -> bool:
        """Whether Go writes this list or map of a type even when it is empty, and accepts it so."""
        return name in schema.required and name not in self.needed_fields(schema)

    def needed_fields(self, schema: Schema) -> frozenset[str]:
        """The fields that an object of this type must have: text and lists that are not empty, and objects."""
        if schema.definition not in self._written_by_users:
            return frozenset()
        own = schema.definition.rsplit(".", 1)[-1]
        numbers = ("integer", "boolean", "number")
        names = [name for name in schema.required if schema.properties[name].type not in numbers]
        return frozenset(name for name in names if (own, name) not in _MAY_BE_EMPTY)

    @cached_property
    def _written_by_users(self) -> frozenset[str]:
        """The definitions that a kind reaches without passing through its status."""
        found: set[str] = set()
        todo = [kind.definition for kind in self._kinds if not kind.virtual or kind.kind == "Binding"]
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.add(name)
            for field, node in facts.definitions()[name].get("properties", {}).items():
                if field != "status":
                    parts = (node, node.get("items", {}), node.get("additionalProperties", {}))
                    todo += [part["$ref"] for part in parts if "$ref" in part]
        return frozenset(found - _EXEMPT)
