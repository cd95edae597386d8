"""One kind with all that is derived of it: its schema, walks, printer and selectable fields, each when first needed."""

from __future__ import annotations

from functools import cached_property
from typing import Generic, TypeVar

from homeostat.api.catalogue import columns, pruning
from homeostat.api.catalogue.definition import Version, object_node
from homeostat.api.kinds import BUILT_IN, Kind, Subresource
from homeostat.api.printing import tables
from homeostat.api.printing.print_columns import Printer
from homeostat.api.selecting import field_selectors
from homeostat.api.selecting.field_selectors import SelectableFields
from homeostat.api.shape.defaults import Defaulting, Fill
from homeostat.api.shape.required import Required
from homeostat.api.shape.schema import Schema, schema_named, schema_of
from homeostat.api.shape.structural import Check, Walks
from homeostat.api.types import Obj

_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

What = TypeVar("What", Kind, Subresource)


class Types:
    """What is compiled of the built-in types. They never change, so all catalogues share one."""

    def __init__(self) -> None:
        self.walks = Walks(Required(BUILT_IN))
        self.defaulting = Defaulting()
        self._bodies: dict[Subresource, Body] = {}

    def body(self, subresource: Subresource) -> Body:
        """What a subresource takes, which is of a built-in type."""
        found = self._bodies.get(subresource)
        if found is None:
            found = self._bodies[subresource] = Body(subresource, self)
        return found


class _Shaped(Generic[What]):
    """Something with a schema, and a walk that converts an object to it (`structural.Shape`)."""

    def __init__(self, kind: What, types: Types) -> None:
        self.kind: What = kind
        self._types = types

    @cached_property
    def schema(self) -> Schema:
        """The schema of the whole object."""
        return schema_of(self.kind)

    @cached_property
    def walk(self) -> Check:
        """The walk that converts an object to the schema."""
        return self._types.walks.of(self.schema)


class Body(_Shaped[Subresource]):
    """The request and response body of a subresource."""


class Resource(_Shaped[Kind]):
    """A kind that is served. Its attributes never change once they are made."""

    @cached_property
    def fill(self) -> Fill | None:
        """What fills in the defaults of an object, in place; None where it has none."""
        return self._types.defaulting.fill_of(self.schema.definition)

    @cached_property
    def printer(self) -> Printer:
        """How a table shows it."""
        return tables.built_in(self.kind.group, self.kind.plural)

    @cached_property
    def selectable(self) -> SelectableFields:
        """What field selectors can name."""
        return field_selectors.built_in(self.kind.group, self.kind.kind)

    def apply_defaults(self, obj: Obj) -> None:
        """Fill in the absent fields of `obj`, in place. Doing it again changes nothing."""
        fill = self.fill
        if fill is not None:
            fill(obj)


class DefinedResource(Resource):
    """A kind of a definition, in one version."""

    def __init__(self, kind: Kind, types: Types, version: Version) -> None:
        super().__init__(kind, types)
        self._version = version

    @cached_property
    def node(self) -> Obj:
        """The schema as OpenAPI has it."""
        return object_node(self._version, self.kind)

    @cached_property
    def schema(self) -> Schema:
        """The schema of the whole object."""
        return Schema(self.node)

    @cached_property
    def walk(self) -> Check:
        """The walk that converts an object to the schema."""
        return pruning.walk_of(self._version.schema, self._types.walks.of(schema_named(_OBJECT_META)))

    @cached_property
    def fill(self) -> Fill | None:
        """What fills in the defaults of an object."""
        return pruning.fill_of(self._version.schema)

    @cached_property
    def printer(self) -> Printer:
        """How a table shows it. Raises ValueError on a column's JSON path that is not recognised."""
        return columns.printer_of(self._version.columns)

    @cached_property
    def selectable(self) -> SelectableFields:
        """What field selectors can name."""
        paths = self._version.selectable
        return field_selectors.of_paths(path.removeprefix(".") for path in paths) if paths else SelectableFields()
