"""Which endpoints of a Service port get new connections: a pure choice among the EndpointSlices' endpoints.

One choice for every proxy: that of one node (which follows hints and policy Local), and the userspace proxy, which
serves all nodes and so is `NOWHERE`. Rules: CategorizeEndpoints of kube-proxy (pkg/proxy/topology.go): ready endpoints,
or the serving ones that are terminating when there is no ready one (KEP-1669); hints for this node or this zone are
followed when every ready endpoint carries hints and one of them names us (KEP-2433, KEP-3015); the node's own endpoints
for policy Local.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from socket import AF_INET, inet_pton

from homeostat.api.rules.endpoints import is_ready, is_serving_while_terminating
from homeostat.api.rules.ports import slice_port
from homeostat.api.types import Obj


@dataclass(frozen=True, slots=True)
class Here:
    """The node that a choice is for. `zone` may be empty: then hints for zones are not followed."""

    name: str
    zone: str = ""


NOWHERE = Here("")  # no node's own: neither hints nor policy Local mean anything


@dataclass(frozen=True, slots=True, order=True)
class Backend:
    """Where connections go: a pod's address and port, and the node it is on."""

    address: str
    port: int
    node: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address behind a Service port, and what its slice says of it."""

    backend: Backend
    ready: bool = True
    leaving: bool = False  # terminating, and still serving
    zones: frozenset[str] = field(default_factory=frozenset)
    nodes: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Pools:
    """Who gets new connections: under policy Cluster, and under policy Local. Each in order."""

    cluster: tuple[Backend, ...]
    local: tuple[Backend, ...]


def endpoints_of(slices: Iterable[Obj], port_name: str, protocol: str) -> list[Endpoint]:
    """All IPv4 endpoints of the Service port called `port_name`. An address that is in two slices, as it does while
    it moves between them, counts once: as ready when either says so, else as serving when either does."""
    found: dict[Backend, Endpoint] = {}
    for piece in slices:
        number = slice_port(piece.get("ports"), port_name, protocol)
        if not number or piece.get("addressType", "IPv4") != "IPv4":
            continue
        for endpoint in piece.get("endpoints") or ():
            for seen in _read(endpoint, number):
                known = found.get(seen.backend)
                if known is None or (seen.ready, seen.leaving) > (known.ready, known.leaving):
                    found[seen.backend] = seen
    return [found[backend] for backend in sorted(found)]


def pools(endpoints: Iterable[Endpoint], here: Here) -> Pools:
    """The endpoints that the node `here` sends connections to."""
    known = list(endpoints)
    ready = [endpoint for endpoint in known if endpoint.ready]
    near = _near(ready, here) or [endpoint for endpoint in known if endpoint.leaving]
    mine = [endpoint for endpoint in known if here.name and endpoint.backend.node == here.name]
    local = [e for e in mine if e.ready] or [e for e in mine if e.leaving]
    return Pools(tuple(e.backend for e in near), tuple(e.backend for e in local))


def _near(ready: list[Endpoint], here: Here) -> list[Endpoint]:
    """The ready endpoints that hints assign to this node: all of them when hints are missing, or assign none."""
    for place, hints in ((here.name, [e.nodes for e in ready]), (here.zone, [e.zones for e in ready])):
        chosen = [endpoint for endpoint, named in zip(ready, hints, strict=True) if place and place in named]
        if chosen and all(hints):
            return chosen
    return ready


def _read(endpoint: Obj, number: int) -> list[Endpoint]:
    hints = endpoint.get("hints") or {}
    ready, leaving = is_ready(endpoint), is_serving_while_terminating(endpoint)
    zones = frozenset(str(hint.get("name")) for hint in hints.get("forZones") or ())
    nodes = frozenset(str(hint.get("name")) for hint in hints.get("forNodes") or ())
    name = str(endpoint.get("nodeName") or "")
    return [
        Endpoint(Backend(str(address), number, name), ready, leaving, zones, nodes)
        for address in endpoint.get("addresses") or ()
        if is_ipv4(address)
    ]


def is_ipv4(text: object) -> bool:
    """Whether this is an IPv4 address. What is not must never get into the text of a rule: one Service's mistake would
    keep all others' rules from being written."""
    try:
        return isinstance(text, str) and bool(inet_pton(AF_INET, text))
    except OSError:
        return False
