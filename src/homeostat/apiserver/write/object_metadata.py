"""The metadata that the server itself sets: identity, creation, deletion. Pure rules over decoded objects.

From apiserver's registry/rest (BeforeCreate, BeforeUpdate, BeforeDelete) and registry/generic/registry/store.go.
"""

from __future__ import annotations

from homeostat.api import errors, fields
from homeostat.api.kinds import NAMESPACE, Kind
from homeostat.api.types import Obj

_ADMISSION = "admissionregistration.k8s.io"
# Resources whose updates must carry a resourceVersion.
_CONDITIONAL = frozenset(
    {
        ("coordination.k8s.io", "leases"),
        ("policy", "poddisruptionbudgets"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("apiregistration.k8s.io", "apiservices"),
        (_ADMISSION, "mutatingwebhookconfigurations"),
        (_ADMISSION, "validatingwebhookconfigurations"),
        (_ADMISSION, "mutatingadmissionpolicies"),
        (_ADMISSION, "mutatingadmissionpolicybindings"),
        (_ADMISSION, "validatingadmissionpolicies"),
        (_ADMISSION, "validatingadmissionpolicybindings"),
    }
)
# What a client's update can never change.
_SYSTEM_FIELDS = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def born(obj: Obj, *, uid: str, now: str) -> None:
    """Fill in the identity of a new object, in place, and clear what only the server may set."""
    metadata = obj["metadata"]
    for field in (*_SYSTEM_FIELDS, "managedFields"):
        metadata.pop(field, None)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now


def keep_system_fields(kind: Kind, new: Obj, old: Obj) -> None:
    """Carry over what an update cannot change, in place. Raises 422 on a new finalizer of an object being deleted."""
    ours, theirs = new["metadata"], old["metadata"]
    for field in _SYSTEM_FIELDS:
        if field in theirs:
            ours[field] = theirs[field]
        else:
            ours.pop(field, None)
    ours.pop("managedFields", None)
    if not theirs.get("deletionTimestamp"):
        return
    added = [text for text in ours.get("finalizers") or () if text not in (theirs.get("finalizers") or ())]
    if added:
        listed = ", ".join(f'"{text}"' for text in added)
        why = (
            f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
        )
        raise errors.invalid(kind.kind, kind.group, ours["name"], [fields.forbidden("metadata.finalizers", why)])


def check_conditional(kind: Kind, sent: Obj) -> None:
    """Raises 422 where the kind's updates must say which version they change (AllowUnconditionalUpdate)."""
    if sent["metadata"].get("resourceVersion") or (kind.group, kind.plural) not in _CONDITIONAL:
        return
    why = fields.invalid("metadata.resourceVersion", "", "must be specified for an update")
    raise errors.invalid(kind.kind, kind.group, sent["metadata"]["name"], [why])


def ends_with(new: Obj, old: Obj, kind: Kind) -> bool:
    """Whether an update takes away the last thing that kept a deleted object (ShouldDeleteDuringUpdate)."""
    theirs = old["metadata"]
    if not theirs.get("deletionTimestamp") or theirs.get("deletionGracePeriodSeconds"):
        return False
    if new["metadata"].get("finalizers"):
        return False
    return kind.kind != NAMESPACE.kind or not (new.get("spec") or {}).get("finalizers")


def check_preconditions(obj: Obj, preconditions: Obj) -> str:
    """What is wrong with a UID or resourceVersion precondition (storage.Preconditions.Check), empty when they hold."""
    metadata = obj["metadata"]
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted = preconditions.get(field)
        if wanted and wanted != metadata.get(field):
            return f"Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {metadata[field]}"
    return ""
