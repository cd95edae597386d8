"""The Endpoints loop: the older, single object with all addresses of a Service, for clients that still read it.

Rules: pkg/controller/endpoint. At most 1,000 addresses; what is beyond is cut off, and an annotation says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.api import meta
from homeostat.api.kinds import ENDPOINTS, POD, SERVICE
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.controllers.services.service_pods import (
    Ports,
    addresses_of,
    has_endpoints,
    hostname,
    is_headless,
    ports_of_pods,
    selected_pods,
    service_keys,
    target_reference,
)
from homeostat.loop.contract import Action, Create, Delete, Key, Loop, Update, Watch, World

CAPACITY = 1000
MANAGER = "endpoint-controller"


def loop() -> Loop:
    """The loop `endpoints`."""
    watches = (Watch(SERVICE), Watch(POD, service_keys), Watch(ENDPOINTS, _own_keys))
    return Loop("endpoints", watches, decide, parallel=5)


def _own_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """Endpoints that this loop wrote, or that belong to a Service with a selector."""
    item = new if new is not None else old
    return (meta.key(item),) if item is not None else ()


def decide(key: Key, world: World) -> list[Action]:
    """Make the Service's Endpoints say which of its Pods are ready."""
    namespace, name = meta.split_key(key)
    service = world.get(SERVICE, namespace, name)
    current = world.get(ENDPOINTS, namespace, name)
    if service is None:
        if current is not None and meta.labels(current).get(wellknown.LABEL_ENDPOINTS_MANAGED_BY) == MANAGER:
            return [Delete(ENDPOINTS, namespace, name, uid=meta.uid(current), note="the Service is gone")]
        return []
    if not has_endpoints(service) or meta.deleting(service):
        return []
    subsets, cut = _truncated(_subsets(service, selected_pods(service, world)))
    metadata: Obj = dict(current["metadata"]) if current is not None else {"name": name, "namespace": namespace}
    labels = {**meta.labels(service), wellknown.LABEL_ENDPOINTS_MANAGED_BY: MANAGER}
    labels.pop(wellknown.LABEL_HEADLESS, None)
    if is_headless(service):
        labels[wellknown.LABEL_HEADLESS] = ""
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if key != wellknown.ANNOTATION_OVER_CAPACITY
    }
    if cut:
        annotations[wellknown.ANNOTATION_OVER_CAPACITY] = "truncated"
    wanted = (subsets, labels, annotations)
    if current is not None and wanted == (
        current.get("subsets") or [],
        meta.labels(current),
        meta.annotations(current),
    ):
        return []
    metadata["labels"] = labels
    if annotations or metadata.get("annotations"):
        metadata["annotations"] = annotations
    ready = sum(len(subset.get("addresses") or ()) for subset in subsets)
    endpoints: Obj = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}
    if current is None:
        return [Create(ENDPOINTS, endpoints, note=f"{ready} ready addresses")]
    return [Update(ENDPOINTS, endpoints, note=f"{ready} ready addresses")]


def _subsets(service: Obj, pods: list[Obj]) -> list[Obj]:
    """Addresses by the ports that they serve, in the order that EndpointSubsets are packed: ports, then addresses."""
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    family = (service["spec"].get("ipFamilies") or ["IPv4"])[0]
    ports_of = ports_of_pods(service)
    groups: dict[Ports, tuple[list[Obj], list[Obj]]] = {}
    for pod in pods:
        own = [text for text in addresses_of(pod) if (":" in text) == (family == "IPv6")]
        if not own or (meta.deleting(pod) and not publish):
            continue
        ports = ports_of(pod)
        if not ports and service["spec"].get("ports"):
            continue
        ready, waiting = groups.setdefault(ports, ([], []))
        (ready if publish or meta.pod_ready(pod) else waiting).append(_address(service, pod, own[0]))
    subsets = []
    for ports, (ready, waiting) in sorted(groups.items()):
        subset: Obj = {}
        if ready:
            subset["addresses"] = sorted(ready, key=_order)
        if waiting:
            subset["notReadyAddresses"] = sorted(waiting, key=_order)
        if ports:
            subset["ports"] = [_port(*port) for port in ports]
        subsets.append(subset)
    return subsets


def _order(address: Obj) -> tuple[str, str]:
    return address["ip"], address["targetRef"]["uid"]


def _address(service: Obj, pod: Obj, own: str) -> Obj:
    address: Obj = {"ip": own}
    if name := hostname(pod, service):
        address["hostname"] = name
    if node := meta.pod_node(pod):
        address["nodeName"] = node
    return address | {"targetRef": target_reference(pod)}


def _port(name: str, protocol: str, number: int, application: str) -> Obj:
    port: Obj = {"name": name} if name else {}
    port |= {"port": number, "protocol": protocol}
    return port | {"appProtocol": application} if application else port


def _truncated(subsets: list[Obj]) -> tuple[list[Obj], bool]:
    """At most 1,000 addresses, ready ones before others; whether any were cut off."""
    total = sum(len(subset.get(field) or ()) for subset in subsets for field in ("addresses", "notReadyAddresses"))
    if total <= CAPACITY:
        return subsets, False
    left = CAPACITY
    for field in ("addresses", "notReadyAddresses"):
        for subset in subsets:
            kept = (subset.pop(field, None) or [])[:left]
            left -= len(kept)
            if kept:
                subset[field] = kept
    return [subset for subset in subsets if subset.get("addresses") or subset.get("notReadyAddresses")], True
