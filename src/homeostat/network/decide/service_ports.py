"""The ports of a Service that are proxied, each with the endpoints that take its connections: a pure choice.

The one place that says so: the plan of the userspace proxy, and the plan of a node that nftables and iptables carry
out, are made of these. Rules: ShouldSkipService and newServiceInfo of kube-proxy (pkg/proxy).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.rules import wellknown
from homeostat.api.rules.ports import port_name, protocol_of
from homeostat.api.types import Obj
from homeostat.network.decide.endpoint_selection import NOWHERE, Here, Pools, endpoints_of, is_ipv4, pools

_AFFINITY_SECONDS = 10800


@dataclass(frozen=True, slots=True, order=True)
class Front:
    """Where connections come in. `node` is whose address it is (empty for cluster IPs and the host's own)."""

    address: str
    port: int
    protocol: str = "TCP"
    node: str = ""


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service. `service` is the Service's key; `node_port` 0: none; `affinity_seconds` is how long a
    client keeps its backend, 0: it does not."""

    service: str
    name: str
    protocol: str
    port: int
    node_port: int
    affinity_seconds: int
    backends: Pools


def service_ports(service: Obj, slices: Iterable[Obj], here: Here = NOWHERE) -> list[ServicePort]:
    """The ports that a proxy serves, in the order of the spec; none for one that is not proxied. `slices` are the
    Service's EndpointSlices; `here` is the node that the proxy is for, NOWHERE for one that serves all nodes."""
    if not is_proxied(service):
        return []
    spec = service["spec"]
    key, seconds, known = meta.key(service), _affinity_seconds(spec), list(slices)
    found: list[ServicePort] = []
    for port in spec.get("ports") or ():
        name, protocol = port_name(port), protocol_of(port)
        backends = pools(endpoints_of(known, name, protocol), here)
        number, node_port = int(port["port"]), int(port.get("nodePort") or 0)
        found.append(ServicePort(key, name, protocol, number, node_port, seconds, backends))
    return found


def is_proxied(service: Obj) -> bool:
    """Whether proxies serve the Service: it has a cluster IP, and is not left to another proxy by its label
    `service.kubernetes.io/service-proxy-name` (KEP-2447)."""
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") in (None, "", "None"):
        return False
    return wellknown.LABEL_SERVICE_PROXY_NAME not in meta.labels(service)


def cluster_addresses(service: Obj) -> list[str]:
    """The IPv4 addresses in the cluster of a Service that has some."""
    spec = service["spec"]
    return [address for address in spec.get("clusterIPs") or [spec["clusterIP"]] if is_ipv4(address)]


def _affinity_seconds(spec: Obj) -> int:
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(config.get("timeoutSeconds") or _AFFINITY_SECONDS)
