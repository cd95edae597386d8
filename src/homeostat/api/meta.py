"""What every loop reads of an object: its metadata, its conditions, and a Pod's readiness.

Pure helpers over plain objects (decoded JSON). Absent and null fields read as Go's zero values. Times are seconds
since the epoch; nothing here reads a clock.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from homeostat.api.types import Obj
from homeostat.kit.clock import parse_rfc3339

# What `kubectl apply` keeps: the manifest that it sent last.

_NOTHING: dict[str, str] = {}


def metadata(obj: Obj) -> Obj:
    """The metadata map; an empty one where there is none."""
    return obj.get("metadata") or {}


def name(obj: Obj) -> str:
    """metadata.name, or empty."""
    return (obj.get("metadata") or {}).get("name") or ""


def namespace(obj: Obj) -> str:
    """metadata.namespace; empty for cluster-scoped objects."""
    return (obj.get("metadata") or {}).get("namespace") or ""


def uid(obj: Obj) -> str:
    """metadata.uid, or empty."""
    return (obj.get("metadata") or {}).get("uid") or ""


def key(obj: Obj) -> str:
    """`namespace/name`, or `name` for what has no namespace: the key a loop works on."""
    meta = obj["metadata"]
    space = meta.get("namespace")
    return f"{space}/{meta['name']}" if space else cast(str, meta["name"])


def split_key(text: str) -> tuple[str, str]:
    """The namespace (empty when there is none) and the name of a key."""
    space, _, own = text.rpartition("/")
    return space, own


def labels(obj: Obj) -> dict[str, str]:
    """metadata.labels; read-only."""
    return (obj.get("metadata") or {}).get("labels") or _NOTHING


def annotations(obj: Obj) -> dict[str, str]:
    """metadata.annotations; read-only."""
    return (obj.get("metadata") or {}).get("annotations") or _NOTHING


def finalizers(obj: Obj) -> list[str]:
    """metadata.finalizers; read-only."""
    return (obj.get("metadata") or {}).get("finalizers") or []


def resource_version(obj: Obj) -> int:
    """metadata.resourceVersion as a number; 0 when absent or not a number."""
    text = (obj.get("metadata") or {}).get("resourceVersion") or ""
    return int(text) if text.isdecimal() else 0


def generation(obj: Obj) -> int:
    """metadata.generation; 0 when absent."""
    return int((obj.get("metadata") or {}).get("generation") or 0)


def deleting(obj: Obj) -> bool:
    """Whether deletion has been asked for (metadata.deletionTimestamp is set)."""
    return bool((obj.get("metadata") or {}).get("deletionTimestamp"))


@lru_cache(maxsize=4096)
def parse_time(text: str) -> float:
    """Seconds since the epoch of a metav1.Time or MicroTime. Raises ValueError."""
    return parse_rfc3339(text)


def time_of(text: str | None, default: float = 0.0) -> float:
    """Like `parse_time`, with `default` for what is absent or malformed."""
    if not text:
        return default
    try:
        return parse_time(text)
    except ValueError:
        return default


def created_at(obj: Obj) -> float:
    """metadata.creationTimestamp as seconds; 0 when absent."""
    return time_of((obj.get("metadata") or {}).get("creationTimestamp"))


# Conditions


def conditions(obj: Obj) -> list[Obj]:
    """status.conditions; read-only."""
    return (obj.get("status") or {}).get("conditions") or []


def find_condition(items: Sequence[Obj], condition_type: str) -> Obj | None:
    """The entry of this type in a list of conditions."""
    for item in items:
        if item.get("type") == condition_type:
            return item
    return None


def condition(obj: Obj, condition_type: str) -> Obj | None:
    """The condition of this type in the object's status."""
    return find_condition(conditions(obj), condition_type)


def condition_true(obj: Obj, condition_type: str) -> bool:
    """Whether the condition is there with status "True"."""
    found = condition(obj, condition_type)
    return found is not None and found.get("status") == "True"


def set_condition(items: list[Obj], new: Obj, now_text: str) -> bool:
    """Put `new` in the list `items`, in place; returns whether anything changed.

    lastTransitionTime is kept while the status stays, and becomes `now_text` when the status changes; a
    lastTransitionTime inside `new` is used instead of `now_text`. Fields that `new` lacks are kept from before.
    """
    old = find_condition(items, new["type"])
    if old is None:
        items.append({"lastTransitionTime": now_text, **new})
        return True
    merged = {**old, **new}
    if old.get("status") == new.get("status"):
        if "lastTransitionTime" in old:
            merged["lastTransitionTime"] = old["lastTransitionTime"]
    else:
        merged["lastTransitionTime"] = new.get("lastTransitionTime", now_text)
    if merged == old:
        return False
    old.clear()
    old.update(merged)
    return True


# Pods


def pod_phase(pod: Obj) -> str:
    """status.phase; Pending where there is none."""
    return (pod.get("status") or {}).get("phase") or "Pending"


def pod_terminal(pod: Obj) -> bool:
    """Whether the Pod has ended for good: Succeeded or Failed."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def pod_active(pod: Obj) -> bool:
    """Whether the Pod counts for its controller: not ended and not being deleted (controller.IsPodActive)."""
    return not pod_terminal(pod) and not deleting(pod)


def pod_ready(pod: Obj) -> bool:
    """Whether the Pod's Ready condition is True."""
    return condition_true(pod, "Ready")


def pod_available(pod: Obj, min_ready_seconds: int, now: float) -> bool:
    """Whether the Pod has been Ready for `min_ready_seconds` at `now` (podutils.IsPodAvailable)."""
    ready = condition(pod, "Ready")
    if ready is None or ready.get("status") != "True":
        return False
    if not min_ready_seconds:
        return True
    since = time_of(ready.get("lastTransitionTime"))
    return since > 0 and since + min_ready_seconds <= now


def pod_node(pod: Obj) -> str:
    """spec.nodeName; empty while the Pod is not scheduled."""
    return (pod.get("spec") or {}).get("nodeName") or ""


def pod_restarts(pod: Obj) -> int:
    """The restarts of the Pod's containers, summed."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return sum(int(status.get("restartCount") or 0) for status in statuses)
