"""Which node answers for a load balancer's address on the nodes' network. Pure.

Every healthy node could: its rules serve the address all the same. One does, by a rank that all nodes compute alike
from the address and their names; the next in rank steps in while those before it do not answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.rules import wellknown
from homeostat.api.rules.endpoints import is_ready
from homeostat.api.types import Obj
from homeostat.network.decide.node_plan import balancer_addresses
from homeostat.network.decide.pod_routes import node_address

# A Node with this label takes no traffic of load balancers (KEP-1143).


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A node that may answer: its name and its own address."""

    name: str
    address: str


# From each balancer address to the nodes that may answer for it, the best first.
Ranks = Mapping[str, tuple[Candidate, ...]]


def healthy(nodes: Iterable[Obj]) -> list[Candidate]:
    """The nodes that may take traffic of load balancers."""
    return [
        Candidate(meta.name(node), node_address(node))
        for node in nodes
        if meta.condition_true(node, "Ready")
        and node_address(node)
        and wellknown.LABEL_EXCLUDE_BALANCERS not in meta.labels(node)
        and not meta.deleting(node)
    ]


def rank(service: Obj, slices: Iterable[Obj], nodes: Collection[Candidate]) -> dict[str, tuple[Candidate, ...]]:
    """The ranks for one Service's addresses. With externalTrafficPolicy Local only nodes with a ready endpoint are in
    it."""
    fit = list(nodes)
    if (service.get("spec") or {}).get("externalTrafficPolicy") == "Local":
        having = _nodes_with_endpoints(slices)
        fit = [candidate for candidate in fit if candidate.name in having]
    return {
        address: tuple(sorted(fit, key=lambda candidate: _lot(candidate.name, address)))
        for address in balancer_addresses(service)
    }


def rivals(ranks: Ranks, here: str) -> set[str]:
    """The addresses of the nodes that come before this one for any address: those whose answers matter here."""
    found: set[str] = set()
    for ranked in ranks.values():
        names = [candidate.name for candidate in ranked]
        if here in names:
            found.update(candidate.address for candidate in ranked[: names.index(here)])
    return found


def answers(ranked: Sequence[Candidate], here: str, alive: Collection[str]) -> bool:
    """Whether the node called `here` is to answer, when of those before it these addresses are `alive`."""
    for candidate in ranked:
        if candidate.name == here:
            return True
        if candidate.address in alive:
            return False
    return False


def _nodes_with_endpoints(slices: Iterable[Obj]) -> set[str]:
    return {
        str(endpoint.get("nodeName"))
        for piece in slices
        for endpoint in piece.get("endpoints") or ()
        if is_ready(endpoint)
    }


def _lot(node: str, address: str) -> str:
    return hashlib.sha256(f"{node} {address}".encode()).hexdigest()
