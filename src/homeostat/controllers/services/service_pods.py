"""What Services see of Pods: which Pods back one, on which addresses and ports, and when that has changed.

Shared by the EndpointSlice and Endpoints loops. Rules: k8s.io/endpointslice/util and pkg/controller/endpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.kinds import POD, SERVICE
from homeostat.api.rules.ports import port_name, protocol_of, target_port
from homeostat.api.selecting.label_selectors import of_labels
from homeostat.api.types import Obj
from homeostat.loop.contract import Key, World


def selected_pods(service: Obj, world: World) -> list[Obj]:
    """The Pods that the Service's selector matches, that have an address and have not ended."""
    matches = of_labels(service["spec"].get("selector")).matches
    found = []
    for pod in world.list(POD, meta.namespace(service)):
        status = pod.get("status") or {}
        has_ended = status.get("phase") in ("Succeeded", "Failed")
        if status.get("podIP") and not has_ended and matches(pod["metadata"].get("labels")):
            found.append(pod)
    return found


def has_endpoints(service: Obj) -> bool:
    """Whether endpoints are kept for the Service: it has a selector and is no mere name."""
    return bool(service["spec"].get("selector")) and service["spec"].get("type") != "ExternalName"


def is_headless(service: Obj) -> bool:
    """Whether the Service has no cluster address on purpose."""
    return bool(service["spec"].get("clusterIP") == "None")


def hostname(pod: Obj, service: Obj) -> str:
    """The name that the Pod has in DNS under this Service; empty when it has none."""
    spec = pod["spec"]
    return spec["hostname"] if spec.get("hostname") and spec.get("subdomain") == meta.name(service) else ""


# (name, protocol, number, appProtocol) of each port.
Ports: TypeAlias = tuple[tuple[str, str, int, str], ...]


def ports_of_slice(item: Obj) -> Ports:
    """The ports of an EndpointSlice."""
    ports = item.get("ports") or ()
    return tuple((port_name(p), protocol_of(p), int(p["port"]), p.get("appProtocol") or "") for p in ports)


def slice_ports(ports: Ports) -> list[Obj]:
    """Ports in the form that an EndpointSlice has them."""
    found: list[Obj] = []
    for name, protocol, number, application in ports:
        port: Obj = {"name": name, "protocol": protocol, "port": number}
        found.append(port | {"appProtocol": application} if application else port)
    return found


def ports_of_pods(service: Obj) -> Callable[[Obj], Ports]:
    """A function that returns the ports of a Pod behind the Service; found once for all Pods unless some port is given
    by name."""
    if any(isinstance(port.get("targetPort"), str) for port in service["spec"].get("ports") or ()):
        return partial(_target_ports, service)
    same = _target_ports(service, {})
    return lambda pod: same


def _target_ports(service: Obj, pod: Obj) -> Ports:
    """The Service's ports that the Pod has."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = target_port(port, pod.get("spec") or {})
        if number is not None:
            found.append((port_name(port), protocol_of(port), number, port.get("appProtocol") or ""))
    return tuple(found)


def addresses_of(pod: Obj) -> list[str]:
    """All addresses of the Pod, the first its main one."""
    status = pod.get("status") or {}
    listed = [item["ip"] for item in status.get("podIPs") or () if item.get("ip")]
    return listed or ([status["podIP"]] if status.get("podIP") else [])


def target_reference(pod: Obj) -> Obj:
    """The reference from an endpoint to its Pod."""
    return {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod), "uid": meta.uid(pod)}


def _concerns(pod: Obj) -> tuple[object, ...]:
    """What of a Pod can change endpoints, apart from its labels."""
    status = pod.get("status") or {}
    return (
        meta.deleting(pod),
        meta.pod_terminal(pod),
        meta.pod_ready(pod),
        status.get("podIP"),
        status.get("podIPs"),
        meta.pod_node(pod),
        meta.uid(pod),
    )


def service_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """The Services that a changed Pod concerns; none when nothing that they see has changed."""
    some = new if new is not None else old
    if some is None:
        return ()
    now = meta.labels(some)
    before = meta.labels(old) if old is not None else now
    forms = [now.items()] if before == now else [before.items(), now.items()]
    found = []
    for service in world.list(SERVICE, meta.namespace(some)):
        selector = (service["spec"].get("selector") or {}).items()
        if selector and any(selector <= labels for labels in forms):
            found.append(meta.key(service))
    # Most Pods back few Services or none: what has changed is only asked where it matters.
    same = found and old is not None and new is not None and before == now and _concerns(old) == _concerns(new)
    return () if same else found
