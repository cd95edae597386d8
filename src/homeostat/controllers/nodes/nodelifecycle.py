"""The node lifecycle loops: nodes that stop reporting are marked Unknown, tainted, and drained at a bounded rate.

Rules: pkg/controller/nodelifecycle. Three loops share them. `node-lifecycle` looks at all nodes together every few
seconds: it marks silent ones Unknown and gives NoExecute taints, at most so many nodes a second in each zone, none when
all zones are down (then the fault is more likely ours). `node-taints` turns conditions into NoSchedule taints, node by
node. `node-pods` says of the Pods on an unreachable node that they are not ready, so that no Service uses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from homeostat.api import meta
from homeostat.api.kinds import LEASE, NODE, POD
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.controllers.nodes import taints
from homeostat.controllers.nodes.node_health import (
    FULL,
    Observed,
    Options,
    by_zone,
    eviction_rate,
    ready_status,
    zone_states,
)
from homeostat.controllers.writing import STRATEGIC
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Action, Key, Later, Loop, Patch, Record, Watch, World, remembering

ALL = "all"
_WATCHED_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


def health_loop(options: Options) -> Loop:
    """The loop `node-lifecycle`. Its memory begins empty: a new leader gives every node a fresh grace period."""

    def decide(key: Key, world: World, observed: Observed) -> tuple[list[Action], Observed]:
        return look(observed, world, options)

    watches = (Watch(NODE, _health_keys), Watch(LEASE, _no_keys))
    return Loop("node-lifecycle", watches, remembering(decide, Observed()), parallel=1, start_keys=(ALL,))


def _no_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """Leases are read at each look; 5,000 of them change each ten seconds."""
    return ()


def _health_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """Look at once when a node is added, deleted, or changes its readiness or its taints."""
    if old is None or new is None:
        return (ALL,)
    return (ALL,) if ready_status(old) != ready_status(new) or taints.of(old) != taints.of(new) else ()


def look(observed: Observed, world: World, options: Options) -> tuple[list[Action], Observed]:
    """One check of all nodes: its actions, and the memory for the next."""
    nodes = [node for node in world.list(NODE) if not meta.deleting(node)]
    observed = observed.observe(nodes, world, options)
    actions: list[Action] = []
    pause = options.monitor_period_seconds
    for node in nodes:
        left = observed.deadline(node, options) - world.now
        if left <= 0:
            actions += _mark_unknown(node, world.now)
        else:
            pause = min(pause, left)
    zones = by_zone(nodes)
    states = zone_states(zones, observed, options.unhealthy_zone_threshold)
    former, observed = observed.zones, replace(observed, zones=states)
    all_down = bool(states) and set(states.values()) == {FULL}
    was_all_down = bool(former) and set(former.values()) == {FULL}
    if all_down:
        actions += [patch for node in nodes for patch in _admit(node, world.now, "every zone is down")]
    else:
        if was_all_down:
            observed = observed.with_fresh_grace()
        for zone, members in zones.items():
            rate = eviction_rate(states[zone], len(members), options)
            steps, wait = _taint_zone(members, observed, rate, world.now)
            actions += steps
            pause = min(pause, wait) if wait is not None else pause
    return [*actions, Later(pause)], observed


def _mark_unknown(node: Obj, now: float) -> list[Action]:
    """Say of a silent node that nothing is known about it."""
    moment = rfc3339(now)
    changed: list[Obj] = []
    for name in _WATCHED_CONDITIONS:
        known = meta.condition(node, name)
        new: Obj = {"type": name, "status": "Unknown", "lastTransitionTime": moment}
        if known is None:
            never = {"reason": "NodeStatusNeverUpdated", "message": "Kubelet never posted node status."}
            created = meta.metadata(node).get("creationTimestamp")
            changed.append(new | never | {"lastHeartbeatTime": created or moment})
        elif known.get("status") != "Unknown":
            changed.append(new | {"reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."})
    if not changed:
        return []
    revision = meta.metadata(node).get("resourceVersion")
    body = {"metadata": {"resourceVersion": revision}, "status": {"conditions": changed}}
    name = meta.name(node)
    patch = Patch(NODE, "", name, body, subresource="status", content_type=STRATEGIC, note="the node is silent")
    if ready_status(node) != "True":
        return [patch]
    return [patch, Record(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady")]


def _admit(node: Obj, now: float, why: str) -> list[Patch]:
    both = (wellknown.TAINT_NOT_READY, wellknown.TAINT_UNREACHABLE)
    return taints.change(node, (), both, wellknown.NO_EXECUTE, now=now, note=why)


def _taint_zone(nodes: Sequence[Obj], observed: Observed, rate: float, now: float) -> tuple[list[Action], float | None]:
    """The NoExecute taints of a zone, and in how many seconds the next node may be tainted (None: none waits).

    The rate is kept by what the taints themselves say: the next node's turn is `1 / rate` seconds after the newest
    timeAdded in the zone, so a new leader continues where the former one was.
    """
    actions: list[Action] = []
    waiting: list[Obj] = []
    newest = 0.0
    for node in nodes:
        status = observed.status(node)
        tainted = [taint for taint in taints.of(node) if _evicts(taint)]
        if status == "True":
            actions += _admit(node, now, "the node is ready") if tainted else ()
            continue
        wanted = wellknown.TAINT_UNREACHABLE if status == "Unknown" else wellknown.TAINT_NOT_READY
        if not tainted:
            waiting.append(node)
            continue
        newest = max(newest, *(meta.time_of(taint.get("timeAdded")) for taint in tainted))
        other = wellknown.TAINT_UNREACHABLE if wanted == wellknown.TAINT_NOT_READY else wellknown.TAINT_NOT_READY
        actions += taints.change(node, (wanted,), (other,), wellknown.NO_EXECUTE, now=now, note=f"Ready is {status}")
    if not waiting or rate <= 0:
        return actions, None
    turn = newest + 1.0 / rate
    if newest and now < turn:
        return actions, turn - now
    first = min(waiting, key=lambda node: (_since(node), meta.name(node)))
    status = observed.status(first)
    key = wellknown.TAINT_UNREACHABLE if status == "Unknown" else wellknown.TAINT_NOT_READY
    actions += taints.change(first, (key,), (), wellknown.NO_EXECUTE, now=now, note=f"Ready is {status}")
    return actions, (1.0 / rate if len(waiting) > 1 else None)


def _evicts(taint: Obj) -> bool:
    return taint.get("effect") == wellknown.NO_EXECUTE and taint.get("key") in (
        wellknown.TAINT_NOT_READY,
        wellknown.TAINT_UNREACHABLE,
    )


def _since(node: Obj) -> float:
    """Since when the node has not been ready."""
    return meta.time_of((meta.condition(node, "Ready") or {}).get("lastTransitionTime"))


def taints_loop() -> Loop:
    """The loop `node-taints`."""
    return Loop("node-taints", (Watch(NODE, _taint_keys),), decide_taints, parallel=8)


def _taint_sources(node: Obj) -> tuple[object, ...]:
    conditions = [(item.get("type"), item.get("status")) for item in meta.conditions(node)]
    return conditions, (node.get("spec") or {}).get("unschedulable"), taints.of(node)


def _taint_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """Nodes of which something has changed that taints follow from; heartbeats do not count."""
    if new is None or (old is not None and _taint_sources(old) == _taint_sources(new)):
        return ()
    return (meta.name(new),)


def decide_taints(key: Key, world: World) -> list[Action]:
    """Give the node the NoSchedule taints that its conditions and its cordon call for, and no others of that kind."""
    node = world.get(NODE, "", key)
    if node is None or meta.deleting(node):
        return []
    found = {(item.get("type"), item.get("status")) for item in meta.conditions(node)}
    wanted = [key for cause, key in taints.OF_CONDITION.items() if cause in found]
    if (node.get("spec") or {}).get("unschedulable"):
        wanted.append(wellknown.TAINT_UNSCHEDULABLE)
    managed = {*taints.OF_CONDITION.values(), wellknown.TAINT_UNSCHEDULABLE}
    note = "conditions: " + (" ".join(name.removeprefix("node.kubernetes.io/") for name in wanted) or "all well")
    return [*taints.change(node, wanted, managed.difference(wanted), wellknown.NO_SCHEDULE, now=world.now, note=note)]


def pods_loop() -> Loop:
    """The loop `node-pods`."""
    watches = (Watch(NODE, _unreachable_keys), Watch(POD, _pod_keys))
    return Loop("node-pods", watches, decide_pods, parallel=8)


def _unreachable_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """Nodes that have become unreachable."""
    if new is None or ready_status(new) != "Unknown":
        return ()
    return (meta.name(new),) if old is None or ready_status(old) != "Unknown" else ()


def _pod_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """The node of a Pod that claims to be ready."""
    name = meta.pod_node(new) if new is not None else ""
    return (name,) if name and new is not None and meta.pod_ready(new) and _unreachable(name, world) else ()


def _unreachable(name: str, world: World) -> bool:
    node = world.get(NODE, "", name)
    return node is not None and meta.condition(node, "Ready") is not None and ready_status(node) == "Unknown"


def decide_pods(key: Key, world: World) -> list[Action]:
    """Take readiness from the Pods of an unreachable node. A node that reports itself NotReady still reports its Pods:
    its agent would set them ready again."""
    if not _unreachable(key, world):
        return []
    actions: list[Action] = []
    moment = rfc3339(world.now)
    for pod in world.on_node(POD, key):
        if not meta.pod_ready(pod):
            continue
        condition = {"type": "Ready", "status": "False", "lastTransitionTime": moment}
        body = {"metadata": {"uid": meta.uid(pod)}, "status": {"conditions": [condition]}}
        space, name = meta.namespace(pod), meta.name(pod)
        note = f"node {key} is unreachable"
        actions.append(Patch(POD, space, name, body, subresource="status", content_type=STRATEGIC, note=note))
        actions.append(Record(pod, "NodeNotReady", "Node is not ready", "Warning"))
    return actions
