"""Ports that are named: of a Service in a Pod, of a probe in its container, of a Service in an EndpointSlice. Pure.

Kubernetes: Service (Port definitions); Configure Liveness, Readiness and Startup Probes; EndpointSlices (Ports).
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.api.rules.containers import lasting_containers
from homeostat.api.types import Obj


def port_name(port: Obj) -> str:
    """The name of a port of a Service, Pod or EndpointSlice; empty when it has none."""
    return str(port.get("name") or "")


def protocol_of(port: Obj) -> str:
    """The port's protocol; TCP when it says none."""
    return str(port.get("protocol") or "TCP")


def target_port(service_port: Obj, pod_spec: Obj) -> int | None:
    """The number on which a Pod with this spec serves the port of a Service (FindPort).

    A targetPort that is a name means the port of that name and of the same protocol, of an app container or a sidecar;
    None when the Pod has no such port. Without a targetPort it is the Service's own number.
    """
    target = service_port.get("targetPort")
    if not isinstance(target, str) or not target:
        return int(target or service_port["port"])
    for container in lasting_containers(pod_spec):
        for port in container.get("ports") or ():
            if port.get("name") == target and protocol_of(port) == protocol_of(service_port):
                return int(port["containerPort"])
    return None


def container_port(container: Obj, port: int | str) -> int | None:
    """The number of a probe's or hook's port: itself, or that of the container's port of this name; a name that is none
    of them may be digits. None when there is no such port (ResolveContainerPort)."""
    if isinstance(port, int):
        return port
    for known in container.get("ports") or ():
        if known.get("name") == port:
            return int(known["containerPort"])
    return int(port) if port.isascii() and port.isdecimal() else None


def slice_port(ports: Iterable[Obj] | None, name: str, protocol: str) -> int:
    """The number on which the endpoints of a slice with these `ports` serve the Service's port of this name and
    protocol; 0 when they do not."""
    for port in ports or ():
        if port_name(port) == name and protocol_of(port) == protocol:
            return int(port.get("port") or 0)
    return 0
