"""A pod's conditions as the kubelet computes them from its container statuses: pure."""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.api import meta
from homeostat.api.rules.containers import is_sidecar
from homeostat.api.types import Obj
from homeostat.node.podspec import spec

# The types that the node owns; all others in a pod's status belong to other writers.
OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
# Those that the node adds when they become true; it takes the first two away again.
PASSING = ("PodResizePending", "PodResizeInProgress")
ADDED = (*PASSING, "DisruptionTarget")


def conditions(pod: Obj, status: Obj, *, has_sandbox: bool, is_initialized: bool) -> list[Obj]:
    """The five conditions of the node, in the kubelet's order, without transition times."""
    phase = status["phase"]
    containers = _containers_ready(pod, status, phase)
    entries = [
        {"type": "PodReadyToStartContainers", "status": "True" if has_sandbox else "False"},
        _initialized(pod, status, phase, is_initialized=is_initialized),
        {"type": "Ready"} | _ready(pod, containers),
        {"type": "ContainersReady"} | containers,
        {"type": "PodScheduled", "status": "True"},
    ]
    generation = meta.generation(pod)
    for entry in entries:
        entry["lastProbeTime"] = None
        if generation:
            entry["observedGeneration"] = generation
    return entries


def _containers_ready(pod: Obj, status: Obj, phase: str) -> Obj:
    if phase == "Succeeded":
        return {"status": "False", "reason": "PodCompleted"}
    if phase == "Failed":
        return {"status": "False", "reason": "PodFailed"}
    statuses = {s["name"]: s for s in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))}
    watched = [c["name"] for c in spec.inits(pod) if is_sidecar(c)] + [c["name"] for c in spec.mains(pod)]
    unknown = [name for name in watched if name not in statuses]
    unready = [name for name in watched if name in statuses and not statuses[name]["ready"]]
    texts = []
    if unknown:
        texts.append(f"containers with unknown status: {_listed(unknown)}")
    if unready:
        texts.append(f"containers with unready status: {_listed(unready)}")
    if texts:
        return {"status": "False", "reason": "ContainersNotReady", "message": ", ".join(texts)}
    return {"status": "True"}


def _ready(pod: Obj, containers: Obj) -> Obj:
    if containers["status"] != "True":
        return dict(containers)
    texts = []
    for gate in spec.spec(pod).get("readinessGates") or []:
        found = meta.condition(pod, gate["conditionType"])
        if found is None:
            texts.append(f'corresponding condition of pod readiness gate "{gate["conditionType"]}" does not exist.')
        elif found.get("status") != "True":
            why = f'the status of pod readiness gate "{gate["conditionType"]}" is not "True", but {found.get("status")}'
            texts.append(why)
    if texts:
        return {"status": "False", "reason": "ReadinessGatesNotReady", "message": ", ".join(texts)}
    return {"status": "True"}


def _initialized(pod: Obj, status: Obj, phase: str, *, is_initialized: bool) -> Obj:
    entry: Obj = {"type": "Initialized"}
    if phase == "Succeeded":
        return entry | {"status": "True", "reason": "PodCompleted"}
    if is_initialized:
        return entry | {"status": "True"}
    done = {s["name"] for s in status.get("initContainerStatuses", ()) if s["ready"]}
    left = [c["name"] for c in spec.inits(pod) if c["name"] not in done]
    message = f"containers with incomplete status: {_listed(left)}"
    return entry | {"status": "False", "reason": "ContainersNotInitialized", "message": message}


def _listed(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"
