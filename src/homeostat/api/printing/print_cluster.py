"""How the kinds of cluster administration are printed: access, certificates, leases, networking, storage, admission.

Source: kube-apiserver's printers (internalversion).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from homeostat.api import meta
from homeostat.api.printing.print_columns import (
    AGE,
    NAME,
    NONE,
    UNSET,
    Cells,
    Printer,
    age,
    flag,
    human_duration,
    number,
    selector_text,
    spec,
    status,
    text,
    wide,
)
from homeostat.api.printing.print_core import balancer_addresses
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj

_DEFAULT_CLASS = (wellknown.ANNOTATION_DEFAULT_STORAGE_CLASS, wellknown.ANNOTATION_DEFAULT_STORAGE_CLASS_BETA)


def _own(middle: Callable[[Obj], list[Any]]) -> Cells:
    """The name, then what `middle` says, then the age: what most kinds print."""
    return lambda obj, now: [meta.name(obj), *middle(obj), age(obj, now)]


def _binding(obj: Obj, now: float) -> list[Any]:
    """RoleBindings and ClusterRoleBindings."""
    role = obj.get("roleRef") or {}
    names: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        space = f"{subject.get('namespace', '')}/" if subject.get("kind") == "ServiceAccount" else ""
        names.setdefault(subject.get("kind") or "", []).append(f"{space}{subject.get('name', '')}")
    subjects = [", ".join(names[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [meta.name(obj), f"{role.get('kind', '')}/{role.get('name', '')}", age(obj, now), *subjects]


def _request_condition(obj: Obj) -> str:
    types = {entry.get("type") for entry in meta.conditions(obj)}
    word = "Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"
    failed = ",Failed" if "Failed" in types else ""
    return f"{word}{failed}{',Issued' if status(obj).get('certificate') else ''}"


def _signing_request(obj: Obj, now: float) -> list[Any]:
    said = spec(obj)
    asked = said.get("expirationSeconds")
    duration = NONE if asked is None else human_duration(asked)
    who = [said.get("signerName") or NONE, said.get("username") or ""]
    return [meta.name(obj), age(obj, now), *who, duration, _request_condition(obj)]


def _ingress(obj: Obj) -> list[Any]:
    said = spec(obj)
    rules = said.get("rules") or []
    hosts = [rule["host"] for rule in rules[:3] if rule.get("host")]
    shown = ",".join(hosts) or "*"
    if hosts and len(rules) > 3:
        shown += f" + {len(rules) - 3} more..."
    ports = "80, 443" if said.get("tls") else "80"
    return [said.get("ingressClassName") or NONE, shown, balancer_addresses(obj), ports]


def _ingress_class(obj: Obj) -> list[Any]:
    said = spec(obj)
    ref = said.get("parameters")
    shown = NONE
    if ref:
        group = f".{ref['apiGroup']}" if ref.get("apiGroup") is not None else ""
        shown = f"{ref.get('kind', '')}{group}/{ref.get('name', '')}"
    return [said.get("controller") or "", shown]


def _ip_address(obj: Obj) -> list[Any]:
    ref = spec(obj).get("parentRef")
    if not ref:
        return [NONE]
    group = f".{ref['group']}" if ref.get("group") else ""
    space = f"/{ref['namespace']}" if ref.get("namespace") else ""
    return [f"{(ref.get('resource') or '').lower()}{group}{space}/{ref.get('name', '')}"]


def _named_with_default(obj: Obj, annotations: tuple[str, ...]) -> str:
    default = any(meta.annotations(obj).get(name) == "true" for name in annotations)
    return f"{meta.name(obj)} (default)" if default else meta.name(obj)


def _storage_class(obj: Obj, now: float) -> list[Any]:
    policy, mode = obj.get("reclaimPolicy") or "Delete", obj.get("volumeBindingMode") or "Immediate"
    cells = [obj.get("provisioner") or "", policy, mode, bool(obj.get("allowVolumeExpansion"))]
    return [_named_with_default(obj, _DEFAULT_CLASS), *cells, age(obj, now)]


def _attributes_class(obj: Obj, now: float) -> list[Any]:
    annotation = wellknown.ANNOTATION_DEFAULT_ATTRIBUTES_CLASS
    return [_named_with_default(obj, (annotation,)), obj.get("driverName") or "", age(obj, now)]


def _csi_driver(obj: Obj) -> list[Any]:
    said = spec(obj)
    requests = said.get("tokenRequests")
    audiences = UNSET if requests is None else ",".join(entry.get("audience") or "" for entry in requests)
    return [
        said.get("attachRequired", True),
        bool(said.get("podInfoOnMount")),
        bool(said.get("storageCapacity")),
        audiences,
        bool(said.get("requiresRepublish")),
        ",".join(said.get("volumeLifecycleModes") or ()) or NONE,
    ]


def _attachment(obj: Obj) -> list[Any]:
    said = spec(obj)
    volume = (said.get("source") or {}).get("persistentVolumeName") or ""
    attached = bool(status(obj).get("attached"))
    return [said.get("attacher") or "", volume, said.get("nodeName") or "", attached]


def _priority_class(obj: Obj, now: float) -> list[Any]:
    cells = [obj.get("value") or 0, bool(obj.get("globalDefault"))]
    return [meta.name(obj), *cells, age(obj, now), obj.get("preemptionPolicy") or ""]


def _flow_schema(obj: Obj, now: float) -> list[Any]:
    said = spec(obj)
    level = (said.get("priorityLevelConfiguration") or {}).get("name") or ""
    method = (said.get("distinguisherMethod") or {}).get("type") or NONE
    dangling = (meta.condition(obj, "Dangling") or {}).get("status") or "?"
    return [meta.name(obj), level, said.get("matchingPrecedence") or 0, method, age(obj, now), dangling]


def _priority_level(obj: Obj) -> list[Any]:
    limited = spec(obj).get("limited")
    shares = limited.get("nominalConcurrencyShares", 0) if limited else NONE
    queuing = ((limited or {}).get("limitResponse") or {}).get("queuing")
    names = ("queues", "handSize", "queueLengthLimit")
    queues = [queuing.get(name, 0) for name in names] if queuing else [NONE] * 3
    return [spec(obj).get("type") or "", shares, *queues]


def _policy(obj: Obj) -> list[Any]:
    """Validating and mutating admission policies."""
    said = spec(obj)
    kind = said.get("paramKind")
    shown = f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else UNSET
    return [len(said.get("validations") or said.get("mutations") or ()), shown]


def _policy_binding(obj: Obj) -> list[Any]:
    said = spec(obj)
    ref = said.get("paramRef") or {}
    shown = UNSET
    if ref.get("name"):
        shown = f"{ref.get('namespace') or '*'}/{ref['name']}"
    elif ref.get("selector") is not None:
        shown = selector_text(ref["selector"])
    return [said.get("policyName") or "", shown]


def _claim_state(obj: Obj) -> list[Any]:
    seen, deleting = status(obj), meta.deleting(obj)
    states = ["deleted"] if deleting else []
    if seen.get("allocation") is not None:
        states += ["allocated", "reserved"] if seen.get("reservedFor") else ["allocated"]
    elif not deleting:
        states.append("pending")
    return [",".join(states)]


def _device_slice(obj: Obj) -> list[Any]:
    said = spec(obj)
    return [said.get("nodeName") or "", said.get("driver") or "", (said.get("pool") or {}).get("name") or ""]


def _api_service(obj: Obj) -> list[Any]:
    service = spec(obj).get("service")
    shown = f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"
    available = meta.condition(obj, "Available") or {}
    word = available.get("status") or "Unknown"
    return [shown, word if word == "True" else f"{word} ({available.get('reason', '')})"]


def _capacity(obj: Obj, now: float) -> list[Any]:
    return [meta.name(obj), obj.get("storageClassName") or "", obj.get("capacity") or UNSET]


_BINDINGS = Printer((NAME, text("Role"), AGE, wide("Users"), wide("Groups"), wide("ServiceAccounts")), _binding)
_WEBHOOKS = Printer((NAME, number("Webhooks"), AGE), _own(lambda obj: [len(obj.get("webhooks") or ())]))
_BOUND_POLICIES = Printer((NAME, text("PolicyName"), text("ParamRef"), AGE), _own(_policy_binding))
_ADMISSION = "admissionregistration.k8s.io"
_FLOW = "flowcontrol.apiserver.k8s.io"
_NETWORK = "networking.k8s.io"
_STORAGE = "storage.k8s.io"

PRINTERS = {
    ("apiregistration.k8s.io", "apiservices"): Printer(
        (NAME, text("Service"), text("Available"), AGE), _own(_api_service)
    ),
    ("rbac.authorization.k8s.io", "rolebindings"): _BINDINGS,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): _BINDINGS,
    ("certificates.k8s.io", "certificatesigningrequests"): Printer(
        (NAME, AGE, *map(text, ("SignerName", "Requestor", "RequestedDuration", "Condition"))), _signing_request
    ),
    ("coordination.k8s.io", "leases"): Printer(
        (NAME, text("Holder"), AGE), _own(lambda obj: [spec(obj).get("holderIdentity") or ""])
    ),
    (_NETWORK, "ingresses"): Printer(
        (NAME, text("Class"), text("Hosts"), text("Address"), text("Ports"), AGE), _own(_ingress)
    ),
    (_NETWORK, "ingressclasses"): Printer((NAME, text("Controller"), text("Parameters"), AGE), _own(_ingress_class)),
    (_NETWORK, "networkpolicies"): Printer(
        (NAME, text("Pod-Selector"), AGE), _own(lambda obj: [selector_text(spec(obj).get("podSelector"))])
    ),
    (_NETWORK, "servicecidrs"): Printer(
        (NAME, text("CIDRs"), AGE), _own(lambda obj: [",".join(spec(obj).get("cidrs") or ())])
    ),
    (_NETWORK, "ipaddresses"): Printer((NAME, text("ParentRef"), AGE), _own(_ip_address)),
    ("node.k8s.io", "runtimeclasses"): Printer(
        (NAME, text("Handler"), AGE), _own(lambda obj: [obj.get("handler") or ""])
    ),
    ("scheduling.k8s.io", "priorityclasses"): Printer(
        (NAME, number("Value"), flag("Global-Default"), AGE, text("PreemptionPolicy")), _priority_class
    ),
    (_STORAGE, "storageclasses"): Printer(
        (NAME, *map(text, ("Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion")), AGE),
        _storage_class,
    ),
    (_STORAGE, "volumeattributesclasses"): Printer((NAME, text("DriverName"), AGE), _attributes_class),
    (_STORAGE, "volumeattachments"): Printer(
        (NAME, text("Attacher"), text("PV"), text("Node"), flag("Attached"), AGE), _own(_attachment)
    ),
    (_STORAGE, "csinodes"): Printer(
        (NAME, number("Drivers"), AGE), _own(lambda obj: [len(spec(obj).get("drivers") or ())])
    ),
    (_STORAGE, "csidrivers"): Printer(
        (
            NAME,
            *map(flag, ("AttachRequired", "PodInfoOnMount", "StorageCapacity")),
            text("TokenRequests"),
            flag("RequiresRepublish"),
            text("Modes"),
            AGE,
        ),
        _own(_csi_driver),
    ),
    (_STORAGE, "csistoragecapacities"): Printer((NAME, text("StorageClassName"), text("Capacity")), _capacity),
    (_FLOW, "flowschemas"): Printer(
        (NAME, *map(text, ("PriorityLevel", "MatchingPrecedence", "DistinguisherMethod")), AGE, text("MissingPL")),
        _flow_schema,
    ),
    (_FLOW, "prioritylevelconfigurations"): Printer(
        (NAME, *map(text, ("Type", "NominalConcurrencyShares", "Queues", "HandSize", "QueueLengthLimit")), AGE),
        _own(_priority_level),
    ),
    (_ADMISSION, "mutatingwebhookconfigurations"): _WEBHOOKS,
    (_ADMISSION, "validatingwebhookconfigurations"): _WEBHOOKS,
    (_ADMISSION, "validatingadmissionpolicies"): Printer(
        (NAME, number("Validations"), text("ParamKind"), AGE), _own(_policy)
    ),
    (_ADMISSION, "mutatingadmissionpolicies"): Printer(
        (NAME, number("Mutations"), text("ParamKind"), AGE), _own(_policy)
    ),
    (_ADMISSION, "validatingadmissionpolicybindings"): _BOUND_POLICIES,
    (_ADMISSION, "mutatingadmissionpolicybindings"): _BOUND_POLICIES,
    ("resource.k8s.io", "deviceclasses"): Printer((NAME, AGE), _own(lambda obj: [])),
    ("resource.k8s.io", "resourceclaims"): Printer((NAME, text("State"), AGE), _own(_claim_state)),
    ("resource.k8s.io", "resourceclaimtemplates"): Printer((NAME, AGE), _own(lambda obj: [])),
    ("resource.k8s.io", "resourceslices"): Printer(
        (NAME, text("Node"), text("Driver"), text("Pool"), AGE), _own(_device_slice)
    ),
}
