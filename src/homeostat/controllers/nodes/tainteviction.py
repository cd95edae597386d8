"""The taint eviction loop: Pods leave a node with a NoExecute taint, at once or when their toleration expires.

Rules: pkg/controller/tainteviction. A Pod that tolerates every NoExecute taint without a limit stays; one that does not
tolerate some taint is evicted at once; else it is evicted when the shortest of the tolerations it uses has run since
the taint was added (or since the Pod was bound, when that was later). Taints put by hand carry no time: for each Pod it
is remembered when each was first seen, and whether an eviction is planned, to say so when that is called off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.kinds import NODE, POD
from homeostat.api.rules import wellknown
from homeostat.api.rules.tolerations import matching
from homeostat.api.types import Obj
from homeostat.controllers.nodes import taints
from homeostat.controllers.writing import STRATEGIC
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Action, Delete, Key, Later, Loop, Patch, Record, Watch, World, remembering

REASON = "TaintManagerEviction"


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one Pod. `seen`: when each taint without a time was first seen on its node, by node, key and value of the
    taint. `planned`: whether its eviction waits for its time."""

    seen: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    planned: bool = False


def loop() -> Loop:
    """The loop `taint-eviction`."""
    watches = (Watch(POD, _pod_keys), Watch(NODE, _node_keys))
    return Loop("taint-eviction", watches, remembering(evict, Memory()), parallel=8)


def _evicting(node: Obj | None) -> list[Obj]:
    return (
        [taint for taint in taints.of(node) if taint.get("effect") == wellknown.NO_EXECUTE] if node is not None else []
    )


def _pod_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """Pods that are bound to a tainted node, or whose tolerations have changed there."""
    if new is None or not (name := meta.pod_node(new)) or not _evicting(world.get(NODE, "", name)):
        return ()
    same = old is not None and meta.pod_node(old) == name and _tolerations(old) == _tolerations(new)
    return () if same else (meta.key(new),)


def _node_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """The Pods of a node whose NoExecute taints have changed."""
    node = new if new is not None else old
    if node is None or _evicting(old) == _evicting(new):
        return ()
    return [meta.key(pod) for pod in world.on_node(POD, meta.name(node))]


def _tolerations(pod: Obj) -> list[Obj]:
    return pod["spec"].get("tolerations") or []


def evict(key: Key, world: World, memory: Memory) -> tuple[list[Action], Memory]:
    """Delete the Pod, wait for its time, or call off what was planned."""
    pod = world.get(POD, *meta.split_key(key))
    if pod is None or meta.deleting(pod) or not (name := meta.pod_node(pod)):
        return [], Memory()
    node = world.get(NODE, "", name)
    seen = _seen(node, world.now, memory)
    deadline = _deadline(pod, node, world.now, seen)
    if deadline is None:
        calls_off = Record(pod, REASON, f"Cancelling deletion of Pod {key}")
        return [calls_off] if memory.planned else [], Memory(seen)
    if deadline > world.now:
        return [Later(deadline - world.now)], Memory(seen, planned=True)
    why = ", ".join(str(taint.get("key")) for taint in _evicting(node))
    return _delete(pod, key, world.now, why), Memory(seen)


def _seen(node: Obj | None, now: float, memory: Memory) -> dict[tuple[str, str, str], float]:
    """When the node's taints without timeAdded were first seen; removed ones are dropped."""
    timeless = [_named(taint, node or {}) for taint in _evicting(node) if not taint.get("timeAdded")]
    return {taint: memory.seen.get(taint, now) for taint in timeless}


def _deadline(pod: Obj, node: Obj | None, now: float, seen: Mapping[tuple[str, str, str], float]) -> float | None:
    """When the Pod has to go; None when it may stay."""
    deadlines: list[float] = []
    for taint in _evicting(node):
        toleration = matching(_tolerations(pod), taint)
        if toleration is None:
            return now
        seconds = toleration.get("tolerationSeconds")
        if seconds is not None:
            added = taint.get("timeAdded")
            since = meta.time_of(added, now) if added else seen[_named(taint, node or {})]
            deadlines.append(max(since, _bound_at(pod)) + max(0, int(seconds)))
    return min(deadlines, default=None)


def _named(taint: Obj, node: Obj) -> tuple[str, str, str]:
    return meta.name(node), str(taint.get("key")), str(taint.get("value"))


def _bound_at(pod: Obj) -> float:
    scheduled = meta.condition(pod, "PodScheduled") or {}
    return meta.time_of(scheduled.get("lastTransitionTime"), meta.created_at(pod))


def _delete(pod: Obj, key: Key, now: float, why: str) -> list[Action]:
    space, name = meta.split_key(key)
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastTransitionTime": rfc3339(now),
    }
    body = {"metadata": {"uid": meta.uid(pod)}, "status": {"conditions": [condition]}}
    note = f"node {meta.pod_node(pod)}: {why}"
    return [
        Record(pod, REASON, f"Marking for deletion Pod {key}"),
        Patch(POD, space, name, body, subresource="status", content_type=STRATEGIC, note=note),
        Delete(POD, space, name, uid=meta.uid(pod), note=note),
    ]
