"""ObjectMeta: names, labels, annotations, owners, finalizers; and what no update may change.

Rules: apimachinery pkg/api/validation (ValidateObjectMeta, ValidateObjectMetaUpdate).
"""

from __future__ import annotations

from homeostat.api import names
from homeostat.api.fields import Causes, forbidden, invalid, required, show, too_long
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj

_ANNOTATIONS_BYTES_MAX = 256 * 1024
_STANDARD_FINALIZERS = frozenset(("kubernetes", "orphan", "foregroundDeletion"))
_IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp")


def check_metadata(kind: Kind, obj: Obj, rule: names.Rule, out: Causes) -> None:
    """All of `metadata`; `rule` is that of the kind's names."""
    metadata = obj.get("metadata") or {}
    check_name(metadata, rule, out)
    namespace = metadata.get("namespace")
    if kind.namespaced:
        if not namespace:
            out.append(required("metadata.namespace"))
        else:
            if wrong := names.dns1123_label(namespace):
                out += [invalid("metadata.namespace", namespace, why) for why in wrong]
    elif namespace:
        out.append(forbidden("metadata.namespace", "not allowed on this type"))
    _check_details(metadata, out)


def check_name(metadata: Obj, rule: names.Rule, out: Causes) -> None:
    """`name` and `generateName`: one of them is needed."""
    prefix = metadata.get("generateName")
    if prefix:
        out += [invalid("metadata.generateName", prefix, why) for why in names.for_prefix(rule)(prefix)]
    name = metadata.get("name")
    if not name:
        out.append(required("metadata.name", "name or generateName is required"))
    else:
        if wrong := rule(name):
            out += [invalid("metadata.name", name, why) for why in wrong]


def check_metadata_update(new: Obj, old: Obj, out: Causes) -> None:
    """What an update may not change, and the parts that it may."""
    ours, theirs = new.get("metadata") or {}, old.get("metadata") or {}
    for field in _IMMUTABLE:
        if ours.get(field) != theirs.get(field):
            out.append(invalid(f"metadata.{field}", ours.get(field), "field is immutable"))
    generation, before = ours.get("generation") or 0, theirs.get("generation") or 0
    if generation < before:
        out.append(invalid("metadata.generation", generation, "must not be decremented"))
    _check_details(ours, out)


def _check_details(metadata: Obj, out: Causes) -> None:
    if labels := metadata.get("labels"):
        check_labels(labels, "metadata.labels", out)
    if annotations := metadata.get("annotations"):
        check_annotations(annotations, "metadata.annotations", out)
    if owners := metadata.get("ownerReferences"):
        _check_owners(owners, out)
    if finalizers := metadata.get("finalizers"):
        _check_finalizers(finalizers, out)


def check_labels(labels: dict[str, str] | None, path: str, out: Causes) -> None:
    """Keys are qualified names, values label values."""
    for key, value in (labels or {}).items():
        if names.good_label(key, value):
            continue
        out += [invalid(path, key, why) for why in names.qualified_name(key)]
        out += [invalid(path, value, why) for why in names.label_value(value)]


def check_annotations(annotations: dict[str, str] | None, path: str, out: Causes) -> None:
    """Keys are qualified names (in any case); all together may have 256 KiB."""
    total_bytes = 0
    for key, value in (annotations or {}).items():
        if wrong := names.qualified_name(key.lower()):
            out += [invalid(path, key, why) for why in wrong]
        total_bytes += len(key) + (len(value) if value.isascii() else len(value.encode()))
    if total_bytes > _ANNOTATIONS_BYTES_MAX:
        out.append(too_long(path, _ANNOTATIONS_BYTES_MAX))


def _check_owners(owners: list[Obj], out: Causes) -> None:
    controller = ""
    for position, owner in enumerate(owners):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                word = "version must not be empty" if field == "apiVersion" else "must not be empty"
                out.append(invalid(f"metadata.ownerReferences[{position}].{field}", "", word))
        if owner.get("apiVersion") == "v1" and owner.get("kind") == "Event":
            why = "/v1, Kind=Event is disallowed from being an owner"
            out.append(invalid(f"metadata.ownerReferences[{position}]", owner, why))
        if owner.get("controller"):
            name = owner.get("name") or ""
            if controller:
                both = f'Found "true" in references for {controller} and {name}'
                why = f"Only one reference can have Controller set to true. {both}"
                out.append(invalid("metadata.ownerReferences", owners, why))
            controller = controller or name


def _check_finalizers(finalizers: list[str], out: Causes) -> None:
    for position, finalizer in enumerate(finalizers):
        if finalizer in _STANDARD_FINALIZERS:
            continue
        path = f"metadata.finalizers[{position}]"
        out += [invalid("metadata.finalizers", finalizer, why) for why in names.qualified_name(finalizer)]
        if "/" not in finalizer:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            out.append(invalid(path, finalizer, why))
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        why = f"finalizer {show('orphan')} and {show('foregroundDeletion')} cannot be both set"
        out.append(invalid("metadata.finalizers", finalizers, why))
