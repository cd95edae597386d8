"""The taint eviction loop: Pods leave a node with a NoExecute taint, at once or when their toleration runs out.

Rules: pkg/controller/tainteviction. A Pod that tolerates every NoExecute taint without a limit stays; one that does not
tolerate some taint goes at once; else it goes when the shortest of the tolerations it uses has run since the taint was
added (or since the Pod was bound, when that was later). Taints put by hand carry no time: the loop remembers when it
first saw each, and for which Pods it has an eviction planned, to say so when that is called off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.kinds import NODE, POD
from homeostat.api.rules import wellknown
from homeostat.api.rules.tolerations import matching
from homeostat.api.types import Obj
from homeostat.controllers.nodes import taints
from homeostat.controllers.writing import STRATEGIC
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Action, Delete, Key, Later, Loop, Patch, Record, Watch, World

REASON = "TaintManagerEviction"


@dataclass(slots=True)
class Memory:
    """`seen`: when a taint without a time was first seen, by node, then key and value. `planned`: keys of Pods."""

    seen: dict[str, dict[tuple[str, str], float]] = field(default_factory=dict)
    planned: set[Key] = field(default_factory=set)


def loop() -> Loop:
    """The loop `taint-eviction`."""
    memory = Memory()

    def decide(key: Key, world: World) -> list[Action]:
        return evict(key, world, memory)

    def node_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
        return _node_keys(old, new, world, memory)

    return Loop("taint-eviction", (Watch(POD, _pod_keys), Watch(NODE, node_keys)), decide, parallel=8)


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


def _node_keys(old: Obj | None, new: Obj | None, world: World, memory: Memory) -> Iterable[Key]:
    """The Pods of a node whose NoExecute taints have changed; what has no taint any more is forgotten."""
    node = new if new is not None else old
    if node is None or _evicting(old) == _evicting(new):
        return ()
    present = {_named(taint) for taint in _evicting(new)}
    seen = {taint: since for taint, since in memory.seen.pop(meta.name(node), {}).items() if taint in present}
    if seen:
        memory.seen[meta.name(node)] = seen
    return [meta.key(pod) for pod in world.on_node(POD, meta.name(node))]


def _tolerations(pod: Obj) -> list[Obj]:
    return pod["spec"].get("tolerations") or []


def evict(key: Key, world: World, memory: Memory) -> list[Action]:
    """Delete the Pod, wait for its hour, or call off what was planned."""
    pod = world.get(POD, *meta.split_key(key))
    if pod is None or meta.deleting(pod) or not (name := meta.pod_node(pod)):
        memory.planned.discard(key)
        return []
    node = world.get(NODE, "", name)
    deadline = _deadline(pod, node, world.now, memory)
    if deadline is None:
        if key not in memory.planned:
            return []
        memory.planned.discard(key)
        return [Record(pod, REASON, f"Cancelling deletion of Pod {key}")]
    if deadline > world.now:
        memory.planned.add(key)
        return [Later(deadline - world.now)]
    memory.planned.discard(key)
    return _delete(pod, key, world.now, ", ".join(str(taint.get("key")) for taint in _evicting(node)))


def _deadline(pod: Obj, node: Obj | None, now: float, memory: Memory) -> float | None:
    """When the Pod has to go; None when it may stay."""
    deadlines: list[float] = []
    for taint in _evicting(node):
        toleration = matching(_tolerations(pod), taint)
        if toleration is None:
            return now
        seconds = toleration.get("tolerationSeconds")
        if seconds is not None:
            start = max(_added(taint, node or {}, now, memory), _bound_at(pod))
            deadlines.append(start + max(0, int(seconds)))
    return min(deadlines, default=None)


def _added(taint: Obj, node: Obj, now: float, memory: Memory) -> float:
    if taint.get("timeAdded"):
        return meta.time_of(taint["timeAdded"], now)
    return memory.seen.setdefault(meta.name(node), {}).setdefault(_named(taint), now)


def _named(taint: Obj) -> tuple[str, str]:
    return str(taint.get("key")), str(taint.get("value"))


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
