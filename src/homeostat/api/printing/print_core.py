"""How the core group's other kinds are printed: services, nodes, namespaces, events, volumes, configuration.

Source: kube-apiserver's printers (internalversion).
"""

from __future__ import annotations

from typing import Any

from homeostat.api import meta
from homeostat.api.printing.print_columns import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    UNSET,
    Column,
    Printer,
    access_modes,
    age,
    cut_short,
    labels_text,
    since,
    spec,
    status,
    text,
    wide,
)
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj


def balancer_addresses(obj: Obj) -> str:
    """The addresses of a load balancer in an object's status, sorted."""
    ingress = (status(obj).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(sorted({entry.get("ip") or entry.get("hostname") or "" for entry in ingress} - {""}))


def _external_address(obj: Obj) -> str:
    said = spec(obj)
    own = ",".join(said.get("externalIPs") or ())
    kind = said.get("type")
    if kind in ("ClusterIP", "NodePort"):
        return own or NONE
    if kind == "LoadBalancer":
        return ",".join(filter(None, (balancer_addresses(obj), own))) or "<pending>"
    return said.get("externalName") or "" if kind == "ExternalName" else UNKNOWN


def _service_port(port: Obj) -> str:
    outside = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port', 0)}{outside}/{port.get('protocol', '')}"


def _service(obj: Obj, now: float) -> list[Any]:
    said = spec(obj)
    addresses = said.get("clusterIPs") or [said.get("clusterIP") or NONE]
    ports = ",".join(map(_service_port, said.get("ports") or ())) or NONE
    own = [meta.name(obj), said.get("type") or "", addresses[0], _external_address(obj), ports]
    return [*own, age(obj, now), labels_text(said.get("selector"))]


def _host_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _endpoints(obj: Obj, now: float) -> list[Any]:
    shown: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [address.get("ip") or "" for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        shown += [_host_port(address, port.get("port", 0)) for port in ports for address in addresses]
        shown += [] if ports else addresses
    none = "" if obj.get("subsets") else NONE
    return [meta.name(obj), cut_short(shown, 3, none), age(obj, now)]


def _endpoint_slice(obj: Obj, now: float) -> list[Any]:
    ports = [str(port.get("port") or port.get("name") or "*") for port in obj.get("ports") or ()]
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    lists = [cut_short(ports, 3, UNSET), cut_short(addresses, 3, UNSET)]
    return [meta.name(obj), obj.get("addressType") or "", *lists, age(obj, now)]


def _node_status(obj: Obj) -> str:
    ready = meta.condition(obj, "Ready")
    word = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    return f"{word},SchedulingDisabled" if spec(obj).get("unschedulable") else word


def _node_roles(obj: Obj) -> str:
    labels = meta.labels(obj)
    roles = {
        name.removeprefix(wellknown.LABEL_NODE_ROLE_PREFIX)
        for name in labels
        if name.startswith(wellknown.LABEL_NODE_ROLE_PREFIX)
    }
    return ",".join(sorted((roles | {labels.get(wellknown.LABEL_NODE_ROLE, "")}) - {""})) or NONE


def _node_address(obj: Obj, kind: str) -> str:
    found = (entry.get("address") or NONE for entry in status(obj).get("addresses") or () if entry.get("type") == kind)
    return next(found, NONE)


def _node(obj: Obj, now: float) -> list[Any]:
    info = status(obj).get("nodeInfo") or {}
    system = [info.get(name) or UNKNOWN for name in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    addresses = [_node_address(obj, kind) for kind in ("InternalIP", "ExternalIP")]
    own = [meta.name(obj), _node_status(obj), _node_roles(obj), age(obj, now), info.get("kubeletVersion") or ""]
    return [*own, *addresses, *system]


def _event(obj: Obj, now: float) -> list[Any]:
    """Both versions of an event: the newer one has other names for the same fields."""

    def old(name: str, new: str) -> Any:
        return obj.get(name) if obj.get(name) is not None else obj.get(new)

    series = obj.get("series") or {}
    first = since(old("firstTimestamp", "deprecatedFirstTimestamp") or obj.get("eventTime"), now)
    last_time = series.get("lastObservedTime") or old("lastTimestamp", "deprecatedLastTimestamp")
    last = since(last_time, now) if last_time else first
    about, source = old("involvedObject", "regarding") or {}, old("source", "deprecatedSource") or {}
    kind = (about.get("kind") or "").lower()
    target = f"{kind}/{about['name']}" if about.get("name") else kind
    component = source.get("component") or old("reportingComponent", "reportingController") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return [
        last,
        obj.get("type") or "",
        obj.get("reason") or "",
        target,
        about.get("fieldPath") or "",
        f"{component}, {host}" if host else component,
        (old("message", "note") or "").strip(),
        first,
        series.get("count") or old("count", "deprecatedCount") or 1,
        meta.name(obj),
    ]


def _namespace(obj: Obj, now: float) -> list[Any]:
    return [meta.name(obj), status(obj).get("phase") or "", age(obj, now)]


def _secret(obj: Obj, now: float) -> list[Any]:
    return [meta.name(obj), obj.get("type") or "", len(obj.get("data") or ()), age(obj, now)]


def _config_map(obj: Obj, now: float) -> list[Any]:
    entries = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [meta.name(obj), entries, age(obj, now)]


def _service_account(obj: Obj, now: float) -> list[Any]:
    return [meta.name(obj), len(obj.get("secrets") or ()), age(obj, now)]


def _storage_class(obj: Obj) -> str:
    return meta.annotations(obj).get(wellknown.ANNOTATION_STORAGE_CLASS_BETA) or spec(obj).get("storageClassName") or ""


def _volume_phase(obj: Obj) -> str:
    return "Terminating" if meta.deleting(obj) else status(obj).get("phase") or ""


def _volume(obj: Obj, now: float) -> list[Any]:
    said = spec(obj)
    claim = said.get("claimRef")
    return [
        meta.name(obj),
        (said.get("capacity") or {}).get("storage", "0"),
        access_modes(said.get("accessModes")),
        said.get("persistentVolumeReclaimPolicy") or "",
        _volume_phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _storage_class(obj),
        said.get("volumeAttributesClassName") or UNSET,
        status(obj).get("reason") or "",
        age(obj, now),
        said.get("volumeMode") or UNSET,
    ]


def _claim(obj: Obj, now: float) -> list[Any]:
    said, seen = spec(obj), status(obj)
    bound = bool(said.get("volumeName"))
    return [
        meta.name(obj),
        _volume_phase(obj),
        said.get("volumeName") or "",
        (seen.get("capacity") or {}).get("storage", "0") if bound else "",
        access_modes(seen.get("accessModes")) if bound else "",
        _storage_class(obj),
        said.get("volumeAttributesClassName") or UNSET,
        age(obj, now),
        said.get("volumeMode") or UNSET,
    ]


def _resource_quota(obj: Obj, now: float) -> list[Any]:
    hard, used = status(obj).get("hard") or {}, status(obj).get("used") or {}
    shown = {name: f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard)}
    requests = ", ".join(line for name, line in shown.items() if not name.startswith("limits."))
    limits = ", ".join(line for name, line in shown.items() if name.startswith("limits."))
    return [meta.name(obj), requests, limits, age(obj, now)]


def _component_status(obj: Obj, now: float) -> list[Any]:
    healthy = next((entry for entry in obj.get("conditions") or () if entry.get("type") == "Healthy"), None)
    if healthy is None:
        return [meta.name(obj), "Unknown", "", ""]
    word = "Healthy" if healthy.get("status") == "True" else "Unhealthy"
    return [meta.name(obj), word, healthy.get("message") or "", healthy.get("error") or ""]


_EVENTS = Printer(
    (
        text("Last Seen", "The time since it last happened."),
        text("Type", "Normal or Warning."),
        text("Reason", "What happened, in a word."),
        text("Object", "What it happened to."),
        wide("Subobject"),
        wide("Source", "The component that reports it."),
        text("Message", "What happened, in a sentence."),
        wide("First Seen"),
        wide("Count"),
        Column("Name", format="name", priority=1),
    ),
    _event,
)

PRINTERS = {
    ("", "services"): Printer(
        (
            NAME,
            text("Type"),
            text("Cluster-IP"),
            text("External-IP"),
            text("Port(s)"),
            AGE,
            wide("Selector", "The labels of the Pods behind it."),
        ),
        _service,
    ),
    ("", "endpoints"): Printer((NAME, text("Endpoints"), AGE), _endpoints),
    ("discovery.k8s.io", "endpointslices"): Printer(
        (NAME, text("AddressType"), text("Ports"), text("Endpoints"), AGE), _endpoint_slice
    ),
    ("", "nodes"): Printer(
        (
            NAME,
            text("Status"),
            text("Roles"),
            AGE,
            text("Version", "The version of the node's agent."),
            wide("Internal-IP"),
            wide("External-IP"),
            wide("OS-Image"),
            wide("Kernel-Version"),
            wide("Container-Runtime"),
        ),
        _node,
    ),
    ("", "events"): _EVENTS,
    ("events.k8s.io", "events"): _EVENTS,
    ("", "namespaces"): Printer((NAME, text("Status"), AGE), _namespace),
    ("", "secrets"): Printer((NAME, text("Type"), text("Data"), AGE), _secret),
    ("", "configmaps"): Printer((NAME, text("Data"), AGE), _config_map),
    ("", "serviceaccounts"): Printer((NAME, text("Secrets"), AGE), _service_account),
    ("", "persistentvolumes"): Printer(
        (
            NAME,
            *map(text, ("Capacity", "Access Modes", "Reclaim Policy", "Status", "Claim", "StorageClass")),
            *map(text, ("VolumeAttributesClass", "Reason")),
            AGE,
            wide("VolumeMode"),
        ),
        _volume,
    ),
    ("", "persistentvolumeclaims"): Printer(
        (
            NAME,
            *map(text, ("Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass")),
            AGE,
            wide("VolumeMode"),
        ),
        _claim,
    ),
    ("", "resourcequotas"): Printer((NAME, text("Request"), text("Limit"), AGE), _resource_quota),
    ("", "componentstatuses"): Printer((NAME, text("Status"), text("Message"), text("Error")), _component_status),
}
