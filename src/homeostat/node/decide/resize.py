"""Resizing a pod in place: which resources it has been given, whether it can have those that it wants now. Pure.

A pod's spec says what is wanted; the node gives it when there is room, and until then the pod keeps what it had. What
it had is in its status, so that a new agent knows. Rules: pkg/kubelet/allocation (canResizePod), status conditions of
KEP-1287.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from homeostat.api import quantity
from homeostat.api.types import Obj
from homeostat.node.isolation import figures
from homeostat.node.podspec import spec
from homeostat.node.podspec.view import FailureReason
from homeostat.runtime.contract import Resources

PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"
_GROUPS = ("initContainers", "containers")


def wanted_sizes(pod: Obj) -> dict[str, Obj]:
    """What the pod's containers want, by name."""
    return {container["name"]: container.get("resources") or {} for container in spec.all_containers(pod)}


def former_sizes(pod: Obj) -> dict[str, Obj]:
    """What a former agent gave: what the status says, and what is wanted where it says nothing."""
    status, found = pod.get("status") or {}, wanted_sizes(pod)
    for field in ("initContainerStatuses", "containerStatuses"):
        for entry in status.get(field) or ():
            if entry.get("name") in found and entry.get("resources"):
                found[entry["name"]] = entry["resources"]
    return found


def sized(pod: Obj, given: Mapping[str, Obj]) -> Obj:
    """The pod with the resources that it has been given."""
    if wanted_sizes(pod) == given:
        return pod
    body = dict(spec.spec(pod))
    for group in _GROUPS:
        if body.get(group):
            body[group] = [{**c, "resources": given.get(c["name"], c.get("resources") or {})} for c in body[group]]
    return {**pod, "spec": body}


def refusal(pod: Obj, allocatable: Mapping[str, str], no_room: FailureReason | None) -> Obj | None:
    """The condition of a pod that cannot be resized: never on this node, or not beside the others (`no_room`)."""
    requests = figures.pod_amount(pod)
    for name, asked in (("cpu", requests.cpu_request), ("memory", requests.memory_request)):
        have = quantity.of(allocatable[name]) if name in allocatable else None
        most = None if have is None else have.milli if name == "cpu" else have.value
        if most is not None and asked and asked > most:
            text = f"Node didn't have enough capacity: {name}, requested: {asked}, capacity: {most}"
            return {"type": PENDING, "status": "True", "reason": "Infeasible", "message": text}
    if no_room is None:
        return None
    text = no_room.message.removeprefix("Pod was rejected: ")
    return {"type": PENDING, "status": "True", "reason": "Deferred", "message": text}


def changed(actual: Resources, wanted: Resources) -> tuple[str, ...]:
    """Which resources differ in what can be changed while a container runs."""
    found = []
    if (actual.cpu_shares, actual.cpu_quota) != (wanted.cpu_shares, wanted.cpu_quota):
        found.append("cpu")
    if actual.memory_limit_bytes != wanted.memory_limit_bytes:
        found.append("memory")
    return tuple(found)


def needs_restart(container: Obj, names: tuple[str, ...]) -> bool:
    """Whether the container's resizePolicy wants a restart for a change of these resources."""
    rules = {rule["resourceName"]: rule.get("restartPolicy") for rule in container.get("resizePolicy") or ()}
    return any(rules.get(name) == "RestartContainer" for name in names)


def applied(actual: Resources, wanted: Resources) -> Resources:
    """What a container has after the change; its place in the order of ends stays that of its start."""
    return replace(wanted, oom_score_adj=actual.oom_score_adj)
