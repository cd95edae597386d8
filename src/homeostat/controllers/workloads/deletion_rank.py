"""Which Pods of a ReplicaSet are deleted first when it is scaled down (controller.ActivePodsWithRanks)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key, partial

from homeostat.api import meta
from homeostat.api.rules import wellknown
from homeostat.api.rules.containers import is_sidecar
from homeostat.api.types import Obj

_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the order looks at. `worth` compares directly: the lower is deleted first. Times are seconds; 0 is none."""

    worth: tuple[bool, int, bool, int, int]
    ready: bool
    ready_since: float
    restarts: tuple[int, int]
    created_at: float
    uid: str


def _cost(pod: Obj) -> int:
    text = meta.annotations(pod).get(wellknown.ANNOTATION_DELETION_COST, "")
    digits = text[1:] if text[:1] in ("-", "+") else text
    return int(text) if digits.isascii() and digits.isdecimal() else 0


def _restarts(pod: Obj) -> tuple[int, int]:
    """The most restarts of any one app container, and of any one sidecar."""
    status = pod.get("status") or {}
    sidecars = {item["name"] for item in pod["spec"].get("initContainers") or () if is_sidecar(item)}
    regular = (int(item.get("restartCount") or 0) for item in status.get("containerStatuses") or ())
    inits = status.get("initContainerStatuses") or ()
    beside = (int(item.get("restartCount") or 0) for item in inits if item.get("name") in sidecars)
    return max(regular, default=0), max(beside, default=0)


def _facts(pod: Obj, neighbours: int) -> _Facts:
    ready = meta.condition(pod, "Ready") or {}
    is_ready = ready.get("status") == "True"
    return _Facts(
        # Unassigned before assigned, pending before running, unready before ready, cheap before costly, and the
        # Pods of a crowded node before those that are alone on theirs.
        worth=(bool(meta.pod_node(pod)), _PHASE_ORDER.get(meta.pod_phase(pod), 0), is_ready, _cost(pod), -neighbours),
        ready=is_ready,
        ready_since=meta.time_of(ready.get("lastTransitionTime")) if is_ready else 0.0,
        restarts=_restarts(pod),
        created_at=meta.created_at(pod),
        uid=meta.uid(pod),
    )


def _magnitude(since: float, now: float) -> int:
    """The power of two of an age: ages in the same one count as equal, so that it is not always the youngest."""
    nanoseconds = (now - since) * 1e9
    return int(math.log2(nanoseconds)) if nanoseconds > 0 else -1


def _by_age(one: float, other: float, now: float) -> int:
    """Younger first; an unknown age before any known one."""
    if not one or not other:
        return -1 if not one else 1
    return _magnitude(one, now) - _magnitude(other, now)


def _by_uid(one: _Facts, other: _Facts) -> int:
    return -1 if one.uid < other.uid else 1


def _compare(one: _Facts, other: _Facts, now: float) -> int:
    if one.worth != other.worth:
        return -1 if one.worth < other.worth else 1
    if one.ready and one.ready_since != other.ready_since:
        return _by_age(one.ready_since, other.ready_since, now) or _by_uid(one, other)
    if one.restarts != other.restarts:
        return -1 if one.restarts > other.restarts else 1
    if one.created_at != other.created_at:
        return _by_age(one.created_at, other.created_at, now) or _by_uid(one, other)
    return _by_uid(one, other)


def first_to_go(pods: Sequence[Obj], related: Iterable[Obj], count: int, now: float) -> list[Obj]:
    """The `count` of `pods` to delete. `related` are all active Pods of the same application (also `pods`), by which
    nodes are seen to be crowded."""
    if count >= len(pods):
        return list(pods)
    crowd = Counter(meta.pod_node(pod) for pod in related)
    facts = [(_facts(pod, crowd[meta.pod_node(pod)] if meta.pod_node(pod) else 0), pod) for pod in pods]
    order = cmp_to_key(partial(_compare, now=now))
    facts.sort(key=lambda pair: order(pair[0]))
    return [pod for _, pod in facts[:count]]
