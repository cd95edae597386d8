"""What traffic rules the Services ask for: a pure plan from Services and EndpointSlices.

A rule leads one front (an address and a port) to the backends that may get new connections: the ready endpoints, or,
when there is none, those that are terminating but still serve (KEP-1669). A front without a backend is not in the plan:
connections to it are refused, as kube-proxy's REJECT rule does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.rules.endpoints import is_ready, is_serving_while_terminating
from homeostat.api.rules.ports import port_name, protocol_of, slice_port
from homeostat.api.types import Obj

_AFFINITY_SECONDS = 10800


@dataclass(frozen=True, slots=True, order=True)
class Front:
    """Where connections come in. `node` is whose address it is (empty for cluster IPs and the host's own)."""

    address: str
    port: int
    protocol: str = "TCP"
    node: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Backend:
    """Where connections go: a pod's address and port, and the node it is on."""

    address: str
    port: int
    node: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """The backends of one Service port. `affinity_seconds` 0: none, else how long a client keeps its backend."""

    service: str
    port_name: str
    backends: tuple[Backend, ...]
    affinity_seconds: int = 0


Plan = Mapping[Front, Rule]


def plan_service(service: Obj, slices: Iterable[Obj], node_addresses: Mapping[str, str]) -> dict[Front, Rule]:
    """The rules of one Service. `slices` are its EndpointSlices; `node_addresses` maps node names (the empty name is
    the host itself) to the addresses that node ports listen on."""
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName" or not spec.get("clusterIP") or spec["clusterIP"] == "None":
        return {}
    known = list(slices)
    rules: dict[Front, Rule] = {}
    for port in spec.get("ports") or []:
        backends = _backends(known, port_name(port), protocol_of(port))
        if not backends:
            continue
        rule = Rule(meta.key(service), port_name(port), backends, affinity_seconds(spec))
        for front in _fronts(spec, port, node_addresses):
            rules[front] = rule
    return rules


def changes(old: Plan, new: Plan) -> tuple[list[Front], list[Front], list[Front]]:
    """Fronts to close, to open, and those whose rule alone has changed; each in order."""
    closing = sorted(front for front in old if front not in new)
    opening = sorted(front for front in new if front not in old)
    altered = sorted(front for front in new if front in old and old[front] != new[front])
    return closing, opening, altered


def affinity_seconds(spec: Obj) -> int:
    """How long a client keeps its backend by the Service's spec; 0 without affinity."""
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(config.get("timeoutSeconds") or _AFFINITY_SECONDS)


def _fronts(spec: Obj, port: Obj, node_addresses: Mapping[str, str]) -> list[Front]:
    addresses = spec.get("clusterIPs") or [spec["clusterIP"]]
    fronts = [Front(str(address), int(port["port"]), protocol_of(port)) for address in addresses]
    if node_port := int(port.get("nodePort") or 0):
        fronts += [Front(address, node_port, protocol_of(port), node) for node, address in node_addresses.items()]
    return fronts


def _backends(slices: Sequence[Obj], name: str, of_protocol: str) -> tuple[Backend, ...]:
    ready: set[Backend] = set()
    leaving: set[Backend] = set()
    for piece in slices:
        number = slice_port(piece.get("ports"), name, of_protocol)
        if not number:
            continue
        for endpoint in piece.get("endpoints") or []:
            found = {Backend(str(a), number, str(endpoint.get("nodeName") or "")) for a in endpoint["addresses"]}
            if is_ready(endpoint):
                ready |= found
            elif is_serving_while_terminating(endpoint):
                leaving |= found
    return tuple(sorted(ready or leaving))
