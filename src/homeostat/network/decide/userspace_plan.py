"""The rules of the userspace proxy: a pure plan from Services and EndpointSlices.

A rule leads one front (an address and a port) to the backends that `service_ports` has chosen. A front without a
backend is not in the plan: connections to it are refused, as kube-proxy's REJECT rule does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from homeostat.api.types import Obj
from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.service_ports import Front, cluster_addresses, service_ports


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
    rules: dict[Front, Rule] = {}
    for port in service_ports(service, slices):
        if not port.backends.cluster:
            continue
        rule = Rule(port.service, port.name, port.backends.cluster, port.affinity_seconds)
        for address in cluster_addresses(service):
            rules[Front(address, port.port, port.protocol)] = rule
        for node, address in node_addresses.items() if port.node_port else ():
            rules[Front(address, port.node_port, port.protocol, node)] = rule
    return rules


def changes(old: Plan, new: Plan) -> tuple[list[Front], list[Front], list[Front]]:
    """Fronts to close, to open, and those whose rule alone has changed; each in order."""
    closing = sorted(front for front in old if front not in new)
    opening = sorted(front for front in new if front not in old)
    altered = sorted(front for front in new if front in old and old[front] != new[front])
    return closing, opening, altered
