"""What one node's kernel is to do with connections to Services: a pure plan from Services and EndpointSlices.

Each front (an address and a port; without an address: a node port) has one entry: who gets the connection, whose
source address is replaced, and what happens without endpoints. Rules: pkg/proxy/nftables of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Network, collapse_addresses
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.rules.ports import port_name, protocol_of
from homeostat.api.types import Obj
from homeostat.network.decide.endpoint_selection import Backend, Here, endpoints_of, is_ipv4
from homeostat.network.decide.service_ports import Front, ServicePort, cluster_addresses, is_proxied, service_ports

_ALL_ADDRESSES = IPv4Network("0.0.0.0/0")
_PROTOCOLS = ("TCP", "UDP", "SCTP")


class Way(Enum):
    """How a front treats its clients."""

    CLUSTER = "cluster"  # one pool for all; clients that are no Pods get the node's source address
    EXTERNAL = "external"  # one pool for all; everybody gets the node's source address, for the answer's way back
    LOCAL = "local"  # Pods and the node itself: `inside`; others: `outside`, whose Pods see the true source address


class Refusal(Enum):
    """What happens to a connection that no endpoint can take."""

    REJECT = "reject"  # there is no endpoint in the cluster: the client gets an error at once
    DROP = "drop"  # there are some, but policy Local keeps them from this node: another node may answer


@dataclass(frozen=True, slots=True)
class Entry:
    """What is done with connections to one front.

    `affinity_seconds` 0: none. `sources` are the only ranges that may connect (empty: all).
    """

    service: str
    port_name: str
    way: Way
    inside: tuple[Backend, ...]
    outside: tuple[Backend, ...]
    affinity_seconds: int = 0
    refusal: Refusal = Refusal.REJECT
    sources: tuple[str, ...] = ()

    @property
    def backends(self) -> frozenset[Backend]:
        """All endpoints that may get a connection."""
        return frozenset((*self.inside, *self.outside))


NodePlan: TypeAlias = Mapping[Front, Entry]


def plan_node(service: Obj, slices: Iterable[Obj], here: Here) -> dict[Front, Entry]:
    """The entries of one Service on one node. `slices` are its EndpointSlices."""
    entries: dict[Front, Entry] = {}
    for port in service_ports(service, slices, here):
        if port.protocol not in _PROTOCOLS:
            continue
        spec = service["spec"]
        inner, outer = _inner(spec, port), _outer(spec, port)
        for address in cluster_addresses(service):
            entries[Front(address, port.port, port.protocol)] = inner
        for address in _family(spec.get("externalIPs") or ()):
            entries.setdefault(Front(address, port.port, port.protocol), outer)
        guarded = _guarded(outer, spec)
        for address in balancer_addresses(service):
            entries.setdefault(Front(address, port.port, port.protocol), guarded)
        if port.node_port:
            entries[Front("", port.node_port, port.protocol)] = outer
    return entries


def balancer_addresses(service: Obj) -> list[str]:
    """The IPv4 addresses of the Service's load balancer that nodes are to serve themselves: not those with ipMode
    Proxy, where the balancer itself forwards (KEP-1860)."""
    if (service.get("spec") or {}).get("type") != "LoadBalancer":
        return []
    given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return _family(item.get("ip") or "" for item in given if item.get("ipMode", "VIP") == "VIP")


@dataclass(frozen=True, slots=True)
class Health:
    """What the health check port of a Service answers on this node: it is healthy with local endpoints."""

    service: str
    port: int
    local_endpoints: int


def plan_health(service: Obj, slices: Iterable[Obj], here: Here) -> Health | None:
    """The Service's health check, when it has one (type LoadBalancer with externalTrafficPolicy Local)."""
    spec = service.get("spec") or {}
    number = int(spec.get("healthCheckNodePort") or 0)
    if not number or spec.get("externalTrafficPolicy") != "Local" or not is_proxied(service):
        return None
    known, local = list(slices), set[str]()
    for port in spec.get("ports") or ():
        found = endpoints_of(known, port_name(port), protocol_of(port))
        local |= {e.backend.address for e in found if e.ready and e.backend.node == here.name}
    return Health(meta.key(service), number, len(local))


def _inner(spec: Obj, port: ServicePort) -> Entry:
    """The entry of the Service's cluster addresses."""
    found = port.backends
    kept = spec.get("internalTrafficPolicy") == "Local"
    pool = found.local if kept else found.cluster
    refusal = Refusal.DROP if kept and found.cluster else Refusal.REJECT
    return Entry(port.service, port.name, Way.CLUSTER, pool, pool, port.affinity_seconds, refusal)


def _outer(spec: Obj, port: ServicePort) -> Entry:
    """The entry of the addresses that clients outside the cluster use."""
    found = port.backends
    if spec.get("externalTrafficPolicy") != "Local":
        return Entry(port.service, port.name, Way.EXTERNAL, found.cluster, found.cluster, port.affinity_seconds)
    refusal = Refusal.DROP if found.cluster else Refusal.REJECT
    return Entry(port.service, port.name, Way.LOCAL, found.cluster, found.local, port.affinity_seconds, refusal)


def _guarded(entry: Entry, spec: Obj) -> Entry:
    """The entry of a load balancer's address: with the ranges that may use it, none of which overlap."""
    given = [_range(str(text).strip()) for text in spec.get("loadBalancerSourceRanges") or ()]
    ranges = sorted(collapse_addresses(found for found in given if found is not None))
    if not ranges or ranges == [_ALL_ADDRESSES]:
        return entry
    return replace(entry, sources=tuple(str(found) for found in ranges))


def _range(text: str) -> IPv4Network | None:
    """The range that this text means; None when it is of the other family."""
    try:
        return IPv4Network(text, strict=False)
    except ValueError:
        return None


def _family(addresses: Iterable[str]) -> list[str]:
    return [text for text in addresses if is_ipv4(text)]
