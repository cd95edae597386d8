"""Owner references: who owns an object, and how a reference to its owner is written. Pure.

Kubernetes: Owners and Dependents; metav1.GetControllerOf, IsControlledBy, NewControllerRef. References are compared by
uid: another object may have the name by now.
"""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj


def owner_references(obj: Obj) -> list[Obj]:
    """metadata.ownerReferences; read-only, empty where there are none."""
    return (obj.get("metadata") or {}).get("ownerReferences") or []


def controller_of(obj: Obj) -> Obj | None:
    """The one owner reference with `controller: true`; None for an object without a controller."""
    for reference in owner_references(obj):
        if reference.get("controller"):
            return reference
    return None


def controller_uid(obj: Obj) -> str:
    """The uid of the object's controller; empty for an object without one."""
    reference = controller_of(obj)
    return "" if reference is None else str(reference.get("uid") or "")


def controlled_by(obj: Obj, owner: Obj) -> bool:
    """Whether `owner` is the controller of `obj`, by uid."""
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == meta.uid(owner)


def refers_to(reference: Obj, kind: Kind) -> bool:
    """Whether the reference is to an object of this kind, of whatever version."""
    return reference.get("kind") == kind.kind and group_of(reference) == kind.group


def group_of(reference: Obj) -> str:
    """The API group of the owner; empty for the core group."""
    group, _, _ = str(reference.get("apiVersion") or "").rpartition("/")
    return group


def owner_reference(kind: Kind, owner: Obj) -> Obj:
    """A reference to `owner`, which is no controller."""
    return {"apiVersion": kind.api_version, "kind": kind.kind, "name": meta.name(owner), "uid": meta.uid(owner)}


def controller_reference(kind: Kind, owner: Obj) -> Obj:
    """The reference of what a controller creates to its `owner`: it blocks the owner's foreground deletion."""
    return {**owner_reference(kind, owner), "controller": True, "blockOwnerDeletion": True}
