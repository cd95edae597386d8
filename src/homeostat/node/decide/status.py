"""A pod's status as a pure function of what runs: phases, container statuses, conditions and addresses.

The rules are the kubelet's: generateAPIPodStatus, convertStatusToAPIStatus and getPhase.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.rules.containers import is_sidecar
from homeostat.api.rules.podresources import container_requests
from homeostat.api.rules.qos import qos_class
from homeostat.api.types import Obj
from homeostat.kit.clock import rfc3339
from homeostat.node.decide import conditions, resize
from homeostat.node.decide.plan import initialized
from homeostat.node.podspec import spec
from homeostat.node.podspec.view import FailureReason, View
from homeostat.runtime.contract import Container, ContainerState

TERMINAL = ("Succeeded", "Failed")

# The same few timestamps are formatted repeatedly.
_time = functools.lru_cache(maxsize=4096)(rfc3339)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a status needs beside the view. `waiting` is the plan's; `ending` is set once all containers must stay
    ended; `outcome` forces a failure (DeadlineExceeded, OutOfcpu) with its message."""

    node_ip: str
    runtime: str
    start_time: float
    now: float
    waiting: Mapping[str, FailureReason]
    ending: bool = False
    outcome: FailureReason | None = None
    # What the containers have been given where limits are enforced, by name; and conditions that pass.
    given: Mapping[str, Obj] = field(default_factory=dict)
    passing: tuple[Obj, ...] = ()


def pod_status(pod: Obj, view: View, facts: Facts) -> Obj:
    """The whole status that the node wants the pod to have; conditions of others are left out."""
    old = pod.get("status") or {}
    done = initialized(pod, view)
    status: Obj = {"phase": "", "hostIP": facts.node_ip, "hostIPs": [{"ip": facts.node_ip}]}
    status["startTime"] = _time(facts.start_time)
    status["qosClass"] = old.get("qosClass") or qos_class(pod)
    box = view.sandboxes[0] if view.sandboxes else None
    if box is not None and (view.sandbox is not None or facts.ending):
        status |= {"podIP": box.ip, "podIPs": [{"ip": box.ip}]}
    inits, mains = spec.inits(pod), spec.mains(pod)
    if inits:
        status["initContainerStatuses"] = [_init_status(c, pod, view, facts) for c in inits]
    default = FailureReason("ContainerCreating" if done else "PodInitializing", "")
    if spec.ephemerals(pod):
        waiting = FailureReason("ContainerCreating", "")
        status["ephemeralContainerStatuses"] = [
            _container_status(c, view, facts, waiting) for c in spec.ephemerals(pod)
        ]
    by_name = sorted(mains, key=lambda container: str(container["name"]))
    status["containerStatuses"] = [_container_status(c, view, facts, default) for c in by_name]
    status["phase"] = _phase(pod, status, old, facts, is_initialized=done)
    if facts.outcome is not None:
        status |= {"reason": facts.outcome.reason, "message": facts.outcome.message}
    elif old.get("phase") in TERMINAL:
        status |= {key: old[key] for key in ("reason", "message") if old.get(key)}
    generation = meta.generation(pod)
    if generation:
        status["observedGeneration"] = generation
    status["conditions"] = conditions.conditions(pod, status, has_sandbox=view.sandbox is not None, is_initialized=done)
    status["conditions"] += _passing(status, view, facts)
    return status


def _passing(status: Obj, view: View, facts: Facts) -> list[Obj]:
    """Conditions that are there while they are true: those given, and that a resize is under way."""
    found = list(facts.passing)
    running = {c.spec.name: c.spec.resources for c in view.running()}
    if any(resize.changed(running[name], wanted) for name, wanted in view.sizes.items() if name in running):
        found.append({"type": resize.IN_PROGRESS, "status": "True"})
    for entry in found:
        entry["lastProbeTime"] = None
        if "observedGeneration" in status:
            entry["observedGeneration"] = status["observedGeneration"]
    return found


def _init_status(container: Obj, pod: Obj, view: View, facts: Facts) -> Obj:
    status = _container_status(container, view, facts, FailureReason("PodInitializing", ""))
    if not is_sidecar(container):
        ended = status["state"].get("terminated")
        status["ready"] = bool(ended) and ended["exitCode"] == 0
    return status


def _container_status(container: Obj, view: View, facts: Facts, default: FailureReason) -> Obj:
    name = container["name"]
    found = view.containers.get(name) or ()
    latest = found[0] if found else None
    former = next((c for c in found[1:] if c.state is ContainerState.EXITED), None)
    trouble = None if facts.ending else facts.waiting.get(name) or view.troubles.get(name)
    status: Obj = {"name": name, "image": container.get("image") or "", "imageID": "", "lastState": {}}
    status |= {"ready": False, "started": False, "restartCount": latest.spec.attempt if latest else 0}
    if latest is not None:
        status |= {"imageID": latest.image_id, "containerID": f"{facts.runtime}://{latest.id}"}
    if latest is not None and latest.state is ContainerState.RUNNING:
        status["state"] = {"running": {"startedAt": _time(latest.started_at)}}
        status |= {"started": latest.id in view.started, "ready": latest.id in view.ready}
    elif trouble is not None or latest is None or latest.state is ContainerState.CREATED:
        status["state"] = {"waiting": _waiting(trouble or default)}
        former = latest if latest is not None and latest.state is ContainerState.EXITED else former
    else:
        status["state"] = {"terminated": _terminated(latest, facts)}
    if facts.given.get(name):
        status |= _sizes(facts.given[name])
    if former is not None:
        status["lastState"] = {"terminated": _terminated(former, facts)}
    return status


def _sizes(resources: Obj) -> Obj:
    """What the container has: all of it, and its share of what the node gives away."""
    requests = container_requests(resources)
    return {"resources": resources} | ({"allocatedResources": requests} if requests else {})


def _waiting(trouble: FailureReason) -> Obj:
    return {"reason": trouble.reason} | ({"message": trouble.message} if trouble.message else {})


def _terminated(container: Container, facts: Facts) -> Obj:
    entry: Obj = {"exitCode": container.exit_code}
    entry["reason"] = container.reason or ("Completed" if container.exit_code == 0 else "Error")
    if container.message:
        entry["message"] = container.message
    if container.started_at:
        entry["startedAt"] = _time(container.started_at)
    entry["finishedAt"] = _time(container.finished_at)
    entry["containerID"] = f"{facts.runtime}://{container.id}"
    return entry


def _phase(pod: Obj, status: Obj, old: Obj, facts: Facts, *, is_initialized: bool) -> str:
    if old.get("phase") in TERMINAL:
        return str(old["phase"])
    if facts.outcome is not None:
        return "Failed"
    policy = spec.restart_policy(pod)
    if not is_initialized and _init_failed(pod, status, policy, ending=facts.ending):
        return "Failed"
    if not is_initialized and not facts.ending:
        return "Pending"
    running, ended_well, ended_badly, waiting = _count(status["containerStatuses"])
    stopped = ended_well + ended_badly
    if facts.ending and not running:
        # What never ran, or did not end well, has not succeeded.
        return "Succeeded" if stopped and not ended_badly and not waiting else "Failed"
    if waiting:
        return "Pending"
    if running or policy == "Always":
        return "Running"
    if not ended_badly:
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _init_failed(pod: Obj, status: Obj, policy: str, *, ending: bool) -> bool:
    if policy != "Never" and not ending:
        return False
    regular = {c["name"] for c in spec.inits(pod) if not is_sidecar(c)}
    ended = [s["state"].get("terminated") for s in status.get("initContainerStatuses", ()) if s["name"] in regular]
    return any(entry is not None and entry["exitCode"] != 0 for entry in ended)


def _count(statuses: list[Obj]) -> tuple[int, int, int, int]:
    """Running, ended well, ended badly, and never run."""
    running = ended_well = ended_badly = waiting = 0
    for status in statuses:
        ended = status["state"].get("terminated") or (
            status["lastState"].get("terminated") if "waiting" in status["state"] else None
        )
        if "running" in status["state"]:
            running += 1
        elif ended is None:
            waiting += 1
        elif ended["exitCode"] == 0:
            ended_well += 1
        else:
            ended_badly += 1
    return running, ended_well, ended_badly, waiting
