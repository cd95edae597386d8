"""What a delete does to an object, decided from the object, the DeleteOptions and the time alone.

From apiserver's BeforeDelete and deletionFinalizersForGarbageCollection, the Pod strategy's CheckGracefulDelete and the
Namespace registry's Delete.
"""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.api import errors, fields
from homeostat.api.kinds import NAMESPACE, POD, Kind
from homeostat.api.types import Obj
from homeostat.kit.clock import rfc3339

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_POLICIES = ("Background", "Foreground", "Orphan")
_ENDED = ("Succeeded", "Failed")
_DEFAULT_GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Deletion:
    """`obj` is the new form. `remove`: it is removed now; else it stays until its finalizers are gone. `changed` is
    false when it already did."""

    obj: Obj
    remove: bool
    changed: bool


def check_options(options: Obj) -> None:
    """Raises 422 for DeleteOptions that contradict themselves (metav1 ValidateDeleteOptions)."""
    causes: list[errors.Cause] = []
    policy = options.get("propagationPolicy")
    if policy is not None and options.get("orphanDependents") is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(fields.invalid("propagationPolicy", policy, why))
    if policy is not None and policy not in _POLICIES:
        supported = ", ".join(f'"{known}"' for known in (*_POLICIES, "nil"))
        text = f'Unsupported value: "{policy}": supported values: {supported}'
        causes.append(errors.Cause("FieldValueNotSupported", "propagationPolicy", text))
    if causes:
        raise errors.invalid("DeleteOptions", "meta.k8s.io", "", causes)


def decide(kind: Kind, old: Obj, options: Obj, *, now: float) -> Deletion:
    """The result of a delete of `old` (a private copy, changed in place) at `now`, seconds since the epoch."""
    if kind.group == "" and kind.kind == NAMESPACE.kind:
        return _decide_namespace(old, now)
    finalizers_changed = _set_finalizers(old["metadata"], options)
    grace = _grace_seconds(old, options) if kind.group == "" and kind.kind == POD.kind else 0
    finalizers = bool(old["metadata"].get("finalizers"))
    metadata = old["metadata"]
    if metadata.get("deletionTimestamp"):
        left = int(metadata.get("deletionGracePeriodSeconds") or 0)
        if grace < left:
            # A second delete may shorten the wait, never lengthen it.
            _mark(metadata, now, grace)
            return Deletion(old, remove=grace == 0 and not finalizers, changed=True)
        return Deletion(old, remove=left == 0 and not finalizers, changed=finalizers_changed)
    if grace == 0 and not finalizers:
        return Deletion(old, remove=True, changed=True)
    _mark(metadata, now, grace)
    if metadata.get("generation"):
        metadata["generation"] += 1
    return Deletion(old, remove=False, changed=True)


def _mark(metadata: Obj, now: float, grace: int) -> None:
    metadata["deletionTimestamp"] = rfc3339(now + grace)
    metadata["deletionGracePeriodSeconds"] = grace


def _grace_seconds(pod: Obj, options: Obj) -> int:
    """How long a Pod gets to stop; none when no node runs it."""
    spec = pod.get("spec") or {}
    if not spec.get("nodeName") or (pod.get("status") or {}).get("phase") in _ENDED:
        return 0
    asked = options.get("gracePeriodSeconds")
    if asked is None:
        asked = spec.get("terminationGracePeriodSeconds")
    seconds = _DEFAULT_GRACE_SECONDS if asked is None else int(asked)
    return 1 if seconds < 0 else seconds


def _set_finalizers(metadata: Obj, options: Obj) -> bool:
    """Put in or take out the garbage collector's finalizers; whether that changed anything."""
    before = metadata.get("finalizers") or []
    policy = options.get("propagationPolicy")
    orphan_asked = options.get("orphanDependents")
    if policy is None and orphan_asked is not None:
        policy = "Orphan" if orphan_asked else "Background"
    if policy is None:
        return False
    after = [finalizer for finalizer in before if finalizer not in (ORPHAN, FOREGROUND)]
    if policy == "Orphan":
        after.append(ORPHAN)
    elif policy == "Foreground":
        after.append(FOREGROUND)
    if after:
        metadata["finalizers"] = after
    else:
        metadata.pop("finalizers", None)
    return after != before


def _decide_namespace(old: Obj, now: float) -> Deletion:
    """A Namespace first becomes Terminating; it is removed when its content and its finalizers are gone."""
    metadata = old["metadata"]
    if metadata.get("deletionTimestamp"):
        held = (old.get("spec") or {}).get("finalizers") or metadata.get("finalizers")
        return Deletion(old, remove=not held, changed=False)
    metadata["deletionTimestamp"] = rfc3339(now)
    old.setdefault("status", {})["phase"] = "Terminating"
    return Deletion(old, remove=False, changed=True)
