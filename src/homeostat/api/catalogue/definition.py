"""What a kind that is defined at run time is made from: the fields of a CustomResourceDefinition's spec, as data.

Preconditions, which whoever makes one has checked: names are valid and of no other kind of the group, schemas are
structural, exactly one version is the stored one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from homeostat.api.catalogue.columns import PrinterColumn
from homeostat.api.kinds import Kind, Subresource
from homeostat.api.types import Obj

VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})
_PART_VERBS = frozenset({"get", "patch", "update"})
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_TEXT = {"type": "string"}
# The schema of a kind that is known only by its names, from discovery.
FREE: Obj = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@dataclass(frozen=True, slots=True)
class Version:
    """One version. `schema` is its openAPIV3Schema; `selectable` are JSON paths such as `.spec.color`; `status` and
    `scale` say which subresources there are. An unserved version is only stored."""

    name: str
    schema: Obj = field(default_factory=lambda: FREE)
    served: bool = True
    stored: bool = True
    columns: tuple[PrinterColumn, ...] = ()
    selectable: tuple[str, ...] = ()
    status: bool = False
    scale: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """One resource. `list_kind` and `singular` may be empty: then they are Kubernetes' defaults."""

    group: str
    kind: str
    plural: str
    namespaced: bool
    versions: tuple[Version, ...]
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: frozenset[str] = VERBS


def openapi_name(group: str, version: str, kind: str) -> str:
    """`com.example.stable.v1.CronTab`: the OpenAPI name of a defined kind's type."""
    return ".".join([*reversed(group.split(".")), version, kind])


def kinds_of(definition: Definition) -> list[tuple[Version, Kind]]:
    """The kinds of a definition's versions, the one that is stored first. Raises ValueError without a stored one."""
    stored = next((version for version in definition.versions if version.stored), None)
    if stored is None:
        raise ValueError(f"{definition.plural}.{definition.group} has no version that is stored")
    home = _kind(definition, stored, None)
    others = [(each, _kind(definition, each, home)) for each in definition.versions if each is not stored]
    return [(stored, home), *others]


def _kind(definition: Definition, version: Version, stored: Kind | None) -> Kind:
    name = openapi_name(definition.group, version.name, definition.kind)
    parts = []
    if version.scale:
        parts.append(Subresource("scale", "autoscaling", "v1", "Scale", _PART_VERBS))
    if version.status:
        status = Subresource("status", definition.group, version.name, definition.kind, _PART_VERBS, definition=name)
        parts.append(status)
    return Kind(
        definition.group,
        version.name,
        definition.kind,
        definition.plural,
        definition.singular or definition.kind.lower(),
        definition.namespaced,
        verbs=definition.verbs,
        parts=tuple(parts),
        short_names=definition.short_names,
        categories=definition.categories,
        definition=name,
        list_kind=definition.list_kind,
        custom=True,
        stored=stored,
    )


def object_node(version: Version, kind: Kind) -> Obj:
    """The schema of a whole object, as OpenAPI has it: what the version says, with the fields that all objects have."""
    schema = version.schema or FREE
    own = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": {"$ref": f"{_META}ObjectMeta"}}
    identity = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    properties = {**(schema.get("properties") or {}), **own}
    return {**schema, "properties": properties, "x-kubernetes-group-version-kind": [identity]}


def list_node(kind: Kind) -> Obj:
    """The schema of a list of objects."""
    identity = {"group": kind.group, "version": kind.version, "kind": kind.list_kind}
    return {
        "type": "object",
        "description": f"{kind.list_kind} is a list of {kind.kind}",
        "required": ["items"],
        "properties": {
            "apiVersion": _TEXT,
            "items": {"type": "array", "items": {"$ref": kind.definition}},
            "kind": _TEXT,
            "metadata": {"$ref": f"{_META}ListMeta"},
        },
        "x-kubernetes-group-version-kind": [identity],
    }
