"""What a create resets and an update keeps, kind by kind: the registry strategies of Kubernetes as data and rules.

`prepare_create` and `prepare_update` change the new object in place, before validation. They do not set identity
(uid, times, resourceVersion, deletion): that is the server's. The old object is only read, but parts of it are shared
into the new one.
"""

from __future__ import annotations

from typing import TypeAlias

from homeostat.api.kinds import Kind
from homeostat.api.rules import wellknown
from homeostat.api.rules.qos import qos_class
from homeostat.api.shape.service_values import keep_allocated
from homeostat.api.types import Obj

_Id: TypeAlias = tuple[str, str]

_ADMISSION = "admissionregistration.k8s.io"
_FLOW = "flowcontrol.apiserver.k8s.io"

# Kinds that count generations, and the fields whose change makes a new one. Others keep no generation.
_GENERATION: dict[_Id, tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("", "ReplicationController"): ("spec",),
    ("", "PodTemplate"): ("template",),
    ("apps", "Deployment"): ("spec", "metadata.annotations"),
    ("apps", "ReplicaSet"): ("spec",),
    ("apps", "StatefulSet"): ("spec",),
    ("apps", "DaemonSet"): ("spec",),
    ("batch", "Job"): ("spec",),
    ("batch", "CronJob"): ("spec",),
    ("policy", "PodDisruptionBudget"): ("spec",),
    ("networking.k8s.io", "Ingress"): ("spec",),
    ("networking.k8s.io", "IngressClass"): ("spec",),
    ("networking.k8s.io", "NetworkPolicy"): ("spec",),
    ("discovery.k8s.io", "EndpointSlice"): ("addressType", "endpoints", "ports", "metadata.labels"),
    ("scheduling.k8s.io", "PriorityClass"): (),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("spec",),
    ("resource.k8s.io", "DeviceClass"): ("spec",),
    (_ADMISSION, "ValidatingWebhookConfiguration"): ("webhooks",),
    (_ADMISSION, "MutatingWebhookConfiguration"): ("webhooks",),
    (_ADMISSION, "ValidatingAdmissionPolicy"): ("spec",),
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"): ("spec",),
    (_ADMISSION, "MutatingAdmissionPolicy"): ("spec",),
    (_ADMISSION, "MutatingAdmissionPolicyBinding"): ("spec",),
    (_FLOW, "FlowSchema"): ("spec",),
    (_FLOW, "PriorityLevelConfiguration"): ("spec",),
}

# The status that a new object has; kinds with a status subresource that are not here begin with an empty one.
_FIRST_STATUS: dict[_Id, Obj] = {
    ("", "Namespace"): {"phase": "Active"},
    ("", "PersistentVolume"): {"phase": "Pending"},
    ("", "PersistentVolumeClaim"): {"phase": "Pending"},
    ("", "Service"): {"loadBalancer": {}},
    ("", "ReplicationController"): {"replicas": 0},
    ("networking.k8s.io", "Ingress"): {"loadBalancer": {}},
    ("apps", "ReplicaSet"): {"replicas": 0},
    ("apps", "StatefulSet"): {"replicas": 0, "availableReplicas": 0},
    ("apps", "DaemonSet"): {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    ("policy", "PodDisruptionBudget"): {
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "disruptionsAllowed": 0,
        "expectedPods": 0,
    },
}
_OF_ALL = frozenset(("apiVersion", "kind", "metadata"))
# Their creators may bring a status: a node registers with one.
_STATUS_BROUGHT: frozenset[_Id] = frozenset({("", "Node")})

# Metadata that a write of `status` cannot change; by default only the name and what the server keeps is protected.
_ALL_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")
_STATUS_KEEPS: dict[_Id, tuple[str, ...]] = {
    ("", "Pod"): ("ownerReferences",),
    ("apps", "Deployment"): ("labels",),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _ALL_METADATA,
    ("apiregistration.k8s.io", "APIService"): _ALL_METADATA,
    (_ADMISSION, "ValidatingAdmissionPolicy"): _ALL_METADATA,
    (_FLOW, "FlowSchema"): _ALL_METADATA,
    (_FLOW, "PriorityLevelConfiguration"): _ALL_METADATA,
}

_JOB_LABELS = (wellknown.LABEL_JOB_UID, wellknown.LABEL_JOB_UID_LEGACY)
_JOB_NAMES = (wellknown.LABEL_JOB_NAME, wellknown.LABEL_JOB_NAME_LEGACY)
_GATED = "Scheduling is blocked due to non-empty scheduling gates"


def has_generation(kind: Kind) -> bool:
    """Whether objects of the kind count generations."""
    return kind.custom or (kind.group, kind.kind) in _GENERATION


def prepare_create(kind: Kind, obj: Obj) -> None:
    """Reset the fields that a creator may not set, and fill in those that every new object of the kind has."""
    identity = (kind.group, kind.kind)
    metadata = obj["metadata"]
    if has_generation(kind):
        metadata["generation"] = 1
    else:
        metadata.pop("generation", None)
    if identity == ("", "Namespace"):
        _add_namespace_finalizer(obj)
    elif identity == ("batch", "Job"):
        _select_own_pods(obj)
    if kind.custom and "status" in kind.subresources:
        obj.pop("status", None)
    elif "status" in kind.subresources and identity not in _STATUS_BROUGHT:
        obj["status"] = _first_pod_status(obj) if identity == ("", "Pod") else _fresh(_FIRST_STATUS.get(identity, {}))


def prepare_update(kind: Kind, new: Obj, old: Obj, subresource: str = "") -> None:
    """Carry over from `old` what a write of this subresource (none: the object itself) cannot change."""
    identity = (kind.group, kind.kind)
    generation = (old["metadata"]).get("generation")
    if generation is None:
        new["metadata"].pop("generation", None)
    else:
        new["metadata"]["generation"] = generation
    if subresource in ("status", "approval"):
        _prepare_status(kind, new, old)
        if subresource == "approval":
            _keep_all_but_approval(new, old)
        return
    if subresource == "finalize":
        _keep(new, old, except_for=("metadata", "spec"))
        return
    if subresource in ("ephemeralcontainers", "resize"):
        _keep_all_but_part(new, old, subresource)
    if subresource in ("", "ephemeralcontainers", "scale", "resize"):
        _prepare_main(kind, identity, new, old)


def _prepare_main(kind: Kind, identity: _Id, new: Obj, old: Obj) -> None:
    if "status" in kind.subresources:
        _put(new, "status", old.get("status"))
    if identity == ("", "Namespace"):
        _put(new.setdefault("spec", {}), "finalizers", (old.get("spec") or {}).get("finalizers"))
    elif identity == ("", "Service"):
        keep_allocated(new, old)
    elif identity == ("certificates.k8s.io", "CertificateSigningRequest"):
        new["spec"] = old["spec"]
    if kind.custom:
        # All that its author says of it: the metadata are no part of that, nor is a status that is written by itself.
        changed = any(new.get(field) != old.get(field) for field in (new.keys() | old.keys()) - _OF_ALL)
    else:
        changed = any(_at(new, path) != _at(old, path) for path in _GENERATION.get(identity, ()))
    if changed:
        new["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1


def _keep_all_but_part(new: Obj, old: Obj, subresource: str) -> None:
    """A write of a Pod's ephemeral containers or resources may change nothing else (dropPodUpdates)."""
    wanted = new.get("spec") or {}
    _keep(new, old, except_for=("metadata", "spec"))
    for field in _ALL_METADATA:
        _put(new["metadata"], field, old["metadata"].get(field))
    if subresource == "ephemeralcontainers":
        new["spec"] = {**old["spec"], "ephemeralContainers": wanted.get("ephemeralContainers") or []}
        return
    new["spec"] = dict(old["spec"])
    for group in ("containers", "initContainers"):
        asked, present = wanted.get(group) or [], old["spec"].get(group) or []
        if [each.get("name") for each in asked] != [each.get("name") for each in present]:
            new["spec"][group] = asked  # for validation to refuse
        elif present:
            pairs = zip(present, asked, strict=True)
            new["spec"][group] = [{**kept, "resources": each.get("resources") or {}} for kept, each in pairs]


def _prepare_status(kind: Kind, new: Obj, old: Obj) -> None:
    _keep(new, old, except_for=("metadata", "status"))
    metadata, before = new["metadata"], old["metadata"]
    keeps = _ALL_METADATA if kind.custom else _STATUS_KEEPS.get((kind.group, kind.kind), ())
    for field in keeps:
        _put(metadata, field, before.get(field))


def _keep_all_but_approval(new: Obj, old: Obj) -> None:
    """A write of a request's `approval` may change the conditions only."""
    conditions = (new.get("status") or {}).get("conditions")
    new["status"] = {**(old.get("status") or {}), "conditions": conditions or []}


def _keep(new: Obj, old: Obj, *, except_for: tuple[str, ...]) -> None:
    """Make the top-level fields those of `old`, but for those named."""
    for field in [field for field in new if field not in old and field not in except_for]:
        del new[field]
    for field, value in old.items():
        if field not in except_for:
            new[field] = value


def _put(target: Obj, field: str, value: object) -> None:
    if value is None:
        target.pop(field, None)
    else:
        target[field] = value


def _at(obj: Obj, path: str) -> object:
    """The value at a path of one or two fields; empty and absent are the same."""
    head, _, tail = path.partition(".")
    value = obj.get(head)
    return ((value or {}).get(tail) if tail else value) or None


def _fresh(status: Obj) -> Obj:
    """A deep copy."""
    return {field: dict(value) if isinstance(value, dict) else value for field, value in status.items()}


def _first_pod_status(pod: Obj) -> Obj:
    status: Obj = {"phase": "Pending", "qosClass": qos_class(pod)}
    if (pod.get("spec") or {}).get("schedulingGates"):
        gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": _GATED}
        status["conditions"] = [gated]
    return status


def _add_namespace_finalizer(namespace: Obj) -> None:
    spec = namespace.setdefault("spec", {})
    finalizers = spec.get("finalizers") or []
    spec["finalizers"] = finalizers if "kubernetes" in finalizers else [*finalizers, "kubernetes"]


def _select_own_pods(job: Obj) -> None:
    """A Job selects its Pods by its own uid, unless its author says otherwise (the Job strategy's selector)."""
    spec = job.get("spec") or {}
    metadata = job["metadata"]
    uid = metadata.get("uid") or ""
    if spec.get("manualSelector") or not uid or not isinstance(spec.get("template"), dict):
        return
    template = spec["template"].setdefault("metadata", {})
    labels = template["labels"] = dict(template.get("labels") or {})
    labels.update(dict.fromkeys(_JOB_LABELS, uid))
    labels.update(dict.fromkeys(_JOB_NAMES, metadata.get("name") or ""))
    selector = spec["selector"] = dict(spec.get("selector") or {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), _JOB_LABELS[0]: uid}
