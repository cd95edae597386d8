"""The status of an object in a word of Kubernetes, and its tone. Pure.

The tone is `ok`, `change` (on its way to what is desired), `trouble` (somebody should look) or `idle` (done, or meant
to be so). What has no status of its own has no word, and is `ok`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.printing import print_pods
from homeostat.api.types import Obj

# A word and a tone.
Status: TypeAlias = tuple[str, str]

OK, CHANGE, TROUBLE, IDLE = "ok", "change", "trouble", "idle"
NONE: Status = ("", OK)
_BEGINNING = frozenset(
    {"Pending", "ContainerCreating", "PodInitializing", "NotReady", "Terminating", "SchedulingGated", "Unknown"}
)
_SCALED_TO_ZERO: Status = ("Scaled to 0", IDLE)


def status_of(group: str, plural: str, obj: Obj) -> Status:
    """The status of an object of a resource."""
    reader = _READERS.get((group, plural))
    found = reader(obj) if reader is not None else _by_conditions(obj)
    if meta.deleting(obj) and plural != "pods":
        return "Terminating", CHANGE
    return found


def _pod(pod: Obj) -> Status:
    word = print_pods.status_word(pod)
    phase = meta.pod_phase(pod)
    if not meta.deleting(pod) and phase == "Running" and (code := _just_ended(pod)):
        return f"Terminated {code}", TROUBLE
    if word == "Running":
        return word, OK if meta.pod_ready(pod) else CHANGE
    if word in ("Completed", "Succeeded"):
        return word, IDLE
    if word == "Pending" and (meta.condition(pod, "PodScheduled") or {}).get("reason") == "Unschedulable":
        return word, TROUBLE
    number, _, total = word.removeprefix("Init:").partition("/")
    beginning = word in _BEGINNING or (word.startswith("Init:") and number.isdecimal() and total.isdecimal())
    return word, CHANGE if beginning and word != "Unknown" else TROUBLE


def _just_ended(pod: Obj) -> int:
    """The exit code of a container that has ended and not been started again; 0 when all run, or wait for a reason
    that says more."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting")
        if ended is None and waiting is not None and waiting.get("reason") in (None, "", "ContainerCreating"):
            ended = (container.get("lastState") or {}).get("terminated")
        if ended is not None and ended.get("exitCode"):
            return int(ended["exitCode"])
    return 0


def _node(node: Obj) -> Status:
    if not meta.condition_true(node, "Ready"):
        return "Unhealthy (NotReady)", TROUBLE
    return ("SchedulingDisabled", CHANGE) if (node.get("spec") or {}).get("unschedulable") else ("Ready", OK)


def _replicas(obj: Obj) -> int:
    replicas = (obj.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def _is_observed(obj: Obj) -> bool:
    return int((obj.get("status") or {}).get("observedGeneration") or 0) >= meta.generation(obj)


def _deployment(obj: Obj) -> Status:
    desired, seen = _replicas(obj), obj.get("status") or {}
    if meta.condition_true(obj, "ReplicaFailure"):
        return "ReplicaFailure", TROUBLE
    if (meta.condition(obj, "Progressing") or {}).get("reason") == "ProgressDeadlineExceeded":
        return "ProgressDeadlineExceeded", TROUBLE
    counts = [int(seen.get(name) or 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    as_desired = _is_observed(obj) and all(count == desired for count in counts)
    if as_desired:
        return _SCALED_TO_ZERO if desired == 0 else ("Available", OK)
    if (obj.get("spec") or {}).get("paused"):
        return "Paused", IDLE
    if desired and (meta.condition(obj, "Available") or {}).get("status") == "False":
        return "Unavailable", TROUBLE
    return "Progressing", CHANGE


def _replica_set(obj: Obj) -> Status:
    desired, seen = _replicas(obj), obj.get("status") or {}
    if meta.condition_true(obj, "ReplicaFailure"):
        return "ReplicaFailure", TROUBLE
    counts = [int(seen.get(name) or 0) for name in ("replicas", "readyReplicas")]
    if _is_observed(obj) and all(count == desired for count in counts):
        return _SCALED_TO_ZERO if desired == 0 else ("Ready", OK)
    return "Progressing", CHANGE


def _stateful_set(obj: Obj) -> Status:
    desired, seen = _replicas(obj), obj.get("status") or {}
    settled = seen.get("currentRevision") == seen.get("updateRevision")
    if _is_observed(obj) and settled and int(seen.get("readyReplicas") or 0) == desired:
        return _SCALED_TO_ZERO if desired == 0 else ("Ready", OK)
    return "Progressing", CHANGE


def _daemon_set(obj: Obj) -> Status:
    seen = obj.get("status") or {}
    desired = int(seen.get("desiredNumberScheduled") or 0)
    counts = [int(seen.get(name) or 0) for name in ("numberReady", "updatedNumberScheduled")]
    if _is_observed(obj) and all(count == desired for count in counts):
        return "Ready", OK
    return "Progressing", CHANGE


def _job(obj: Obj) -> Status:
    if meta.condition_true(obj, "Complete"):
        return "Complete", IDLE
    if meta.condition_true(obj, "Failed"):
        return "Failed", TROUBLE
    if (obj.get("spec") or {}).get("suspend"):
        return "Suspended", IDLE
    return "Running", CHANGE


def _cron_job(obj: Obj) -> Status:
    if (obj.get("spec") or {}).get("suspend"):
        return "Suspended", IDLE
    return ("Active", CHANGE) if (obj.get("status") or {}).get("active") else ("Scheduled", OK)


def _phase(tones: Mapping[str, str]) -> Callable[[Obj], Status]:
    def read(obj: Obj) -> Status:
        phase = str((obj.get("status") or {}).get("phase") or "Pending")
        return phase, tones.get(phase, CHANGE)

    return read


def _event(event: Obj) -> Status:
    word = str(event.get("type") or "Normal")
    return word, TROUBLE if word == "Warning" else OK


def _budget(budget: Obj) -> Status:
    reason = str((meta.condition(budget, "DisruptionAllowed") or {}).get("reason") or "")
    return (reason, TROUBLE if reason == "InsufficientPods" else OK) if reason else NONE


def _autoscaler(obj: Obj) -> Status:
    for name in ("AbleToScale", "ScalingActive"):
        found = meta.condition(obj, name) or {}
        if found.get("status") == "False" and found.get("reason") != "ScalingDisabled":
            return str(found.get("reason") or name), TROUBLE
    return "Active", OK


def _signing_request(obj: Obj) -> Status:
    for name, tone in (("Denied", IDLE), ("Failed", TROUBLE)):
        if meta.condition_true(obj, name):
            return name, tone
    if meta.condition_true(obj, "Approved"):
        return ("Issued", OK) if (obj.get("status") or {}).get("certificate") else ("Approved", CHANGE)
    return "Pending", CHANGE


def _definition(obj: Obj) -> Status:
    if meta.condition_true(obj, "Established"):
        return "Established", OK
    accepted = meta.condition(obj, "NamesAccepted") or {}
    return ("NamesNotAccepted", TROUBLE) if accepted.get("status") == "False" else ("Pending", CHANGE)


def _service(obj: Obj) -> Status:
    waiting = (obj.get("spec") or {}).get("type") == "LoadBalancer"
    given = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return ("Pending", CHANGE) if waiting and not given else NONE


def _by_conditions(obj: Obj) -> Status:
    """What is usual for custom resources: a condition Ready or Available, or else a phase."""
    status = obj.get("status")
    listed = status.get("conditions") if isinstance(status, dict) else None
    known = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    for name in ("Ready", "Available", "Healthy", "Synced"):
        found = meta.find_condition(known, name)
        if found is not None:
            match found.get("status"):
                case "True":
                    return name, OK
                case "False":
                    return f"Not{name}", TROUBLE
            return str(found.get("reason") or f"{name} unknown"), CHANGE
    phase = status.get("phase") if isinstance(status, dict) else None
    return (phase, _PHASES.get(phase, OK)) if isinstance(phase, str) else NONE


_PHASES: Mapping[str, str] = {
    "Pending": CHANGE, "Progressing": CHANGE, "Creating": CHANGE, "Updating": CHANGE, "Terminating": CHANGE,
    "Failed": TROUBLE, "Error": TROUBLE, "Degraded": TROUBLE, "Unknown": TROUBLE, "Lost": TROUBLE,
    "Succeeded": IDLE, "Completed": IDLE, "Released": IDLE,
}  # fmt: skip
_READERS: Mapping[tuple[str, str], Callable[[Obj], Status]] = {
    ("", "pods"): _pod,
    ("", "nodes"): _node,
    ("", "namespaces"): _phase({"Active": OK}),
    ("", "persistentvolumeclaims"): _phase({"Bound": OK, "Lost": TROUBLE}),
    ("", "persistentvolumes"): _phase({"Available": OK, "Bound": OK, "Released": IDLE, "Failed": TROUBLE}),
    ("", "events"): _event,
    ("", "services"): _service,
    ("", "replicationcontrollers"): _replica_set,
    ("events.k8s.io", "events"): _event,
    ("apps", "deployments"): _deployment,
    ("apps", "replicasets"): _replica_set,
    ("apps", "statefulsets"): _stateful_set,
    ("apps", "daemonsets"): _daemon_set,
    ("batch", "jobs"): _job,
    ("batch", "cronjobs"): _cron_job,
    ("policy", "poddisruptionbudgets"): _budget,
    ("autoscaling", "horizontalpodautoscalers"): _autoscaler,
    ("certificates.k8s.io", "certificatesigningrequests"): _signing_request,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _definition,
}
