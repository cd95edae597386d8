"""What one Service puts into DNS: from the Service and its EndpointSlices. Pure.

Rules: the Kubernetes DNS specification 1.1.0 (kubernetes/dns, docs/specification.md), sections 2.3 to 2.5. Where it
leaves a choice, CoreDNS' is taken: an endpoint without a host name is called by its address with dashes, and SRV
records of headless Services give the endpoints' own port numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from homeostat.api import meta
from homeostat.api.rules.endpoints import is_ready
from homeostat.api.rules.ports import protocol_of
from homeostat.api.types import Obj
from homeostat.network.dns.records import dashed

K = TypeVar("K")
V = TypeVar("V")


class Endpoint(NamedTuple):
    """A ready endpoint: the label under which it has a name, and an address."""

    label: str
    address: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One Service's names. `alias` is an ExternalName; `hosts` are the endpoints' addresses by their label. `ports` are
    the named ports by name and protocol, both as in SRV names: each is a list of (label, number), an empty label for
    the Service itself. `reverse` leads from addresses to labels."""

    namespace: str
    name: str
    alias: str = ""
    addresses: tuple[str, ...] = ()
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ports: Mapping[tuple[str, str], tuple[tuple[str, int], ...]] = field(default_factory=dict)
    reverse: Mapping[str, str] = field(default_factory=dict)


def entry_of(service: Obj, slices: Sequence[Obj]) -> Entry:
    """What `service` with its `slices` puts into DNS."""
    spec = service.get("spec") or {}
    namespace, name = meta.namespace(service).lower(), meta.name(service).lower()
    if spec.get("type") == "ExternalName":
        return Entry(namespace, name, alias=str(spec.get("externalName") or "").rstrip("."))
    all_count = bool(spec.get("publishNotReadyAddresses"))
    pieces = [piece for piece in slices if piece.get("addressType", "IPv4") != "FQDN"]
    found = [(endpoint, piece) for piece in pieces for endpoint in _endpoints(piece, all_count=all_count)]
    hosts = _grouped((endpoint.label, endpoint.address) for endpoint, _ in found)
    cluster_ips = [str(ip) for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None"]
    if cluster_ips:
        ports = {_port_key(port): (("", int(port["port"])),) for port in spec.get("ports") or () if port.get("name")}
        return Entry(namespace, name, "", tuple(cluster_ips), hosts, ports, dict.fromkeys(cluster_ips, ""))
    addresses = tuple(dict.fromkeys(endpoint.address for endpoint, _ in found))
    targets = _grouped(
        (_port_key(port), (endpoint.label, int(port["port"])))
        for endpoint, piece in found
        for port in piece.get("ports") or ()
        if port.get("name") and port.get("port")
    )
    return Entry(namespace, name, "", addresses, hosts, targets, {address: label for (label, address), _ in found})


def _endpoints(piece: Obj, *, all_count: bool) -> Iterable[Endpoint]:
    """The slice's ready endpoints; those that do not say are ready (discovery/v1, EndpointConditions)."""
    for endpoint in piece.get("endpoints") or ():
        if not all_count and not is_ready(endpoint):
            continue
        for address in endpoint.get("addresses") or ():
            yield Endpoint(str(endpoint.get("hostname") or dashed(address)).lower(), address)


def _port_key(port: Obj) -> tuple[str, str]:
    return f"_{port['name']}".lower(), f"_{protocol_of(port)}".lower()


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, tuple[V, ...]]:
    """Values by key, each once, in their order."""
    groups: dict[K, dict[V, None]] = {}
    for key, value in pairs:
        groups.setdefault(key, {})[value] = None
    return {key: tuple(values) for key, values in groups.items()}
