"""The Pod garbage collection loop: Pods that no node agent will ever finish are removed by force.

Rules: pkg/controller/podgc. Pods of nodes that do not exist (after 40 s, and a live look at the node), unscheduled Pods
that are being deleted, Pods being deleted on a node that is out of service, and ended Pods beyond a number. Of each Pod
it is remembered since when its node has been missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.kinds import NODE, POD
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.controllers.nodes import taints
from homeostat.controllers.writing import STRATEGIC
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Absent, Action, Confirm, Delete, Key, Later, Loop, Patch, Watch, World, remembering

PASS_SECONDS = 20.0
QUARANTINE_SECONDS = 40.0
ENDED = "ended"  # the key of the pass over ended Pods; a Pod's key has a slash
_DELETIONS_MAX = 500


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one Pod: since when its node has been missing, in seconds since the epoch; None while it is there."""

    missing_since: float | None = None


def loop(*, ended_pods_max: int = 12_500) -> Loop:
    """The loop `pod-garbage-collector`. `ended_pods_max` of 0 keeps every ended Pod."""

    def decide(key: Key, world: World, memory: Memory) -> tuple[list[Action], Memory]:
        if key == ENDED:
            return _collect_ended(world, ended_pods_max), Memory()
        return _collect(key, world, memory)

    watches = (Watch(POD, _pod_keys), Watch(NODE, _node_keys))
    return Loop("pod-garbage-collector", watches, remembering(decide, Memory()), start_keys=(ENDED,))


def _pod_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """Pods on no node that are being deleted, and Pods on a node that is missing or out of service."""
    if new is None:
        return ()
    name = meta.pod_node(new)
    if not name:
        return (meta.key(new),) if meta.deleting(new) else ()
    node = world.get(NODE, "", name)
    return (meta.key(new),) if node is None or (meta.deleting(new) and _out_of_service(node)) else ()


def _node_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """The Pods of a node that was deleted, has the out-of-service taint, or is new: they may have waited for it."""
    node = new if new is not None else old
    if node is None:
        return ()
    is_new = old is None and meta.created_at(node) > world.now - QUARANTINE_SECONDS
    if new is not None and not is_new and not _out_of_service(new):
        return ()
    return [meta.key(pod) for pod in world.on_node(POD, meta.name(node))]


def _out_of_service(node: Obj) -> bool:
    return not meta.condition_true(node, "Ready") and any(
        taint.get("key") == wellknown.TAINT_OUT_OF_SERVICE for taint in taints.of(node)
    )


def _collect(key: Key, world: World, memory: Memory) -> tuple[list[Action], Memory]:
    pod = world.get(POD, *meta.split_key(key))
    if pod is None:
        return [], Memory()
    name = meta.pod_node(pod)
    if not name:
        return _remove(pod, "unscheduled, and being deleted") if meta.deleting(pod) else [], Memory()
    node = world.get(NODE, "", name)
    if node is not None:
        gone = meta.deleting(pod) and _out_of_service(node)
        return _fail_and_remove(pod, world.now, f"node {name} is out of service", "") if gone else [], Memory()
    since = world.now if memory.missing_since is None else memory.missing_since
    wait = since + QUARANTINE_SECONDS - world.now
    if wait > 0:
        return [Later(wait)], Memory(since)
    steps = _fail_and_remove(pod, world.now, f"node {name} does not exist", "PodGC: node no longer exists")
    return [Confirm((Absent(NODE, "", name),), tuple(steps))], Memory(since)


def _fail_and_remove(pod: Obj, now: float, note: str, message: str) -> list[Action]:
    """The Pod is set to Failed before it is deleted, for those that wait for an end; `message` says which rule did
    it."""
    status: Obj = {}
    if not meta.pod_terminal(pod):
        status["phase"] = "Failed"
    if message:
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "message": message}
        status["conditions"] = [condition | {"lastTransitionTime": rfc3339(now)}]
    body = {"metadata": {"uid": meta.uid(pod)}, "status": status}
    space, name = meta.namespace(pod), meta.name(pod)
    patch = Patch(POD, space, name, body, subresource="status", content_type=STRATEGIC, note=note)
    return [*([patch] if status else []), *_remove(pod, note)]


def _remove(pod: Obj, note: str) -> list[Action]:
    return [Delete(POD, meta.namespace(pod), meta.name(pod), uid=meta.uid(pod), grace_seconds=0, note=note)]


def _collect_ended(world: World, ended_pods_max: int) -> list[Action]:
    """Delete ended Pods beyond the limit: evicted ones first, then the oldest."""
    actions: list[Action] = [Later(PASS_SECONDS)]
    if ended_pods_max <= 0:
        return []
    ended = [pod for pod in world.list(POD) if meta.pod_terminal(pod)]
    excess = len(ended) - ended_pods_max
    if excess > 0:
        ended.sort(key=lambda pod: ((pod["status"].get("reason") != "Evicted"), meta.created_at(pod), meta.key(pod)))
        for pod in ended[: min(excess, _DELETIONS_MAX)]:
            actions += _remove(pod, f"more than {ended_pods_max} ended Pods")
    return actions
