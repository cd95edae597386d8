"""The schema of a kind as typed nodes, resolved as they are walked: what patches, validation and `explain` read.

`schema_of(POD).at("spec", "containers")` is a list whose `patch_merge_key` is `name`. Nodes of one definition are
shared between the kinds that use it, so a node may serve as a cache key. Pure data from `api.facts`; nothing here looks
at objects.
"""

from __future__ import annotations

from functools import cache, cached_property

from homeostat.api import facts
from homeostat.api.kinds import Kind, Subresource
from homeostat.api.types import Obj

QUANTITY = "quantity"
INT_OR_STRING = "int-or-string"
DATE_TIME = "date-time"
BYTE = "byte"


class Schema:
    """One place in an object: its type, the values it may hold, and how lists and maps in it merge.

    `type` is object, array, string, integer, number, boolean, or "" for any value. `format` is int32, int64, double,
    byte, date-time, quantity, int-or-string or "". `definition` is the OpenAPI name of the type, "" for an inline one.
    """

    def __init__(self, node: Obj, owner: str = "", field: str = "") -> None:
        """`node` is the facts' form of the place; `owner` and `field` say which property it is, for its description."""
        self.definition: str = node.get("$ref", "")
        target = facts.definitions()[self.definition] if self.definition else node
        self._owner, self._field, self._target = owner, field, target
        self.type: str = target.get("type", "")
        self.format: str = target.get("format", "")
        self.required: tuple[str, ...] = tuple(target.get("required", ()))
        strategy: str = node.get("x-kubernetes-patch-strategy", "")
        self.patch_strategy: tuple[str, ...] = tuple(strategy.split(",")) if strategy else ()
        self.patch_merge_key: str = node.get("x-kubernetes-patch-merge-key", "")
        self.list_type: str = node.get("x-kubernetes-list-type", "")
        self.list_map_keys: tuple[str, ...] = tuple(node.get("x-kubernetes-list-map-keys", ()))
        self.map_type: str = node.get("x-kubernetes-map-type") or target.get("x-kubernetes-map-type", "")

    def __repr__(self) -> str:
        return f"<Schema {self.definition or self.type or 'any'}>"

    @property
    def preserve_unknown(self) -> bool:
        """Whether fields that the schema does not name are kept: free-form objects (RawExtension, FieldsV1, JSON)."""
        target = self._target
        free = "properties" not in target and "additionalProperties" not in target
        return not self.type or (self.type == "object" and free)

    @property
    def is_quantity(self) -> bool:
        """Whether the value is a resource quantity: a string, or a number on input."""
        return self.format == QUANTITY

    @property
    def is_int_or_string(self) -> bool:
        """Whether the value is an integer or a string such as a percentage."""
        return self.format == INT_OR_STRING

    @cached_property
    def properties(self) -> dict[str, Schema]:
        """The named fields; empty for what is no object with fields. Shared by all places of the definition."""
        if self.definition:
            return _properties_of(self.definition)
        return {name: Schema(node) for name, node in self._target.get("properties", {}).items()}

    @cached_property
    def items(self) -> Schema | None:
        """What a list holds."""
        node = self._target.get("items")
        return Schema(node) if node is not None else None

    @cached_property
    def values(self) -> Schema | None:
        """What a map (an object with free keys) holds under each key."""
        node = self._target.get("additionalProperties")
        return Schema(node) if isinstance(node, dict) else None

    @property
    def description(self) -> str:
        """The prose of this property, else that of its type."""
        prose = facts.descriptions()
        own = prose.get(self._owner, {}).get(self._field, "") if self._field else ""
        return own or prose.get(self.definition, {}).get("", "")

    def field(self, name: str) -> Schema | None:
        """The schema under a key: that of the named field, or of a map's values."""
        return self.properties.get(name) or self.values

    def at(self, *path: str) -> Schema | None:
        """The schema at a path of keys; lists are passed through (`at("spec", "containers", "image")`)."""
        here: Schema | None = self
        for name in path:
            while here is not None and here.items is not None:
                here = here.items
            here = here.field(name) if here is not None else None
        return here


@cache
def _properties_of(definition: str) -> dict[str, Schema]:
    nodes = facts.definitions()[definition].get("properties", {})
    return {name: Schema(node, definition, name) for name, node in nodes.items()}


@cache
def schema_named(definition: str) -> Schema:
    """The schema of a type by its OpenAPI name, such as `io.k8s.api.core.v1.PodSpec`."""
    return Schema({"$ref": definition})


def definition_of(kind: Kind | Subresource) -> str:
    """The OpenAPI name of the kind's schema, or of what a subresource takes and gives."""
    return kind.definition or facts.definition_named(kind.api_version, kind.kind)


def schema_of(kind: Kind | Subresource) -> Schema:
    """The schema of a built-in kind's whole object, or of what its subresource takes and gives."""
    return schema_named(definition_of(kind))
