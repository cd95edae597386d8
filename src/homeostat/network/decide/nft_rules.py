"""The node plan as nftables rules: the kernel objects of each entry, and the text that leads from one state to
the next. Pure.

Most Services need no chain of their own. A verdict map leads address, protocol and port to a chain that all fronts with
as many backends share; that chain draws a number and looks up the backend under address, protocol, port and number. So
a Service of three endpoints is four map elements. Only session affinity needs a chain and a set of clients for each
backend. The number is kept in the packet's priority: the kernel resets that when it forwards a packet, and rules see
only a connection's first one. docs/decisions/0016-service-rules.md has the reasons and the figures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.node_plan import Entry, Refusal, Way
from homeostat.network.decide.service_ports import Front

TABLE = "kube-proxy"
# The bit that says "replace the source address", the same as in Kubernetes' own rules.
MARK = 0x4000
_MASQUERADE = f"meta mark set meta mark or {MARK:#x}"
_CLIENTS_MAX = 65535
_PORTED = "meta l4proto { tcp, udp, sctp }"


class Chain(NamedTuple):
    """A chain and its rules, in order."""

    name: str
    rules: tuple[str, ...]


class Clients(NamedTuple):
    """A set of clients that packets fill; each is forgotten `seconds` after its last connection."""

    name: str
    seconds: int


class Element(NamedTuple):
    """An element of one of the table's maps, or (with an empty value) of one of its sets."""

    container: str
    key: str
    value: str


Item: TypeAlias = Chain | Clients | Element


class _Maps(NamedTuple):
    """The maps that hold a front, by what is in them; `prefix` names the chains that look into them."""

    prefix: str
    verdicts: str
    refusals: str


_SERVICE = _Maps("service", "service-ips", "no-endpoint-services")
_NODE_PORT = _Maps("nodeport", "service-nodeports", "no-endpoint-nodeports")


def items(front: Front, entry: Entry, node: str) -> list[Item]:
    """Everything that the kernel of `node` needs for one front. Items that several fronts need are equal."""
    maps = _SERVICE if front.address else _NODE_PORT
    key = _key(front)
    found: list[Item] = []
    if front.address and entry.sources:
        guard = _name("guard", entry.sources)
        found.append(Chain(guard, (f"ip saddr {{ {', '.join(entry.sources)} }} return", "drop")))
        found.append(Element("firewall-ips", key, f"goto {guard}"))
    if not entry.inside or (entry.way is Way.LOCAL and not entry.outside):
        found.append(Element(maps.refusals, key, "drop" if entry.refusal is Refusal.DROP else "goto refuse"))
    if not entry.inside and (entry.way is not Way.LOCAL or not entry.outside):
        return found
    inside = _pool(found, front, entry, entry.inside, maps.prefix)
    outside = _pool(found, front, entry, entry.outside, f"{maps.prefix}-local") if entry.way is Way.LOCAL else ""
    entrance = _entrance(entry.way, inside, outside)
    found += [entrance, Element(maps.verdicts, key, f"goto {entrance.name}")]
    for address in {backend.address for backend in entry.backends if backend.node == node}:
        found.append(Element("hairpin-connections", f"{address} . {address}", ""))
    return found


def _entrance(way: Way, inside: str, outside: str) -> Chain:
    """The chain that a front leads to: it marks what is to be masqueraded and jumps to the pool's chain."""
    if way is Way.CLUSTER:
        return Chain(f"cluster-{inside}", (f"ip saddr != @pod-ranges {_MASQUERADE}", f"goto {inside}"))
    if way is Way.EXTERNAL:
        return Chain(f"external-{inside}", (_MASQUERADE, f"goto {inside}"))
    rules = []
    if inside:
        own = f"fib saddr type local {_MASQUERADE}"
        rules = [f"ip saddr @pod-ranges goto {inside}", own, f"fib saddr type local goto {inside}"]
    if outside:
        rules.append(f"goto {outside}")
    return Chain(_name("local", inside, outside), tuple(rules))


def _pool(found: list[Item], front: Front, entry: Entry, backends: Sequence[Backend], prefix: str) -> str:
    """What chooses among `backends` is added to `found`; the name of the chain to go to, empty when there is none."""
    if not backends:
        return ""
    return _affine(found, front, entry, backends) if entry.affinity_seconds else _shared(found, front, backends, prefix)


def _shared(found: list[Item], front: Front, backends: Sequence[Backend], prefix: str) -> str:
    """One map element for each backend, numbered; the chain draws among as many numbers."""
    container, key = f"{prefix}-endpoints", _key(front)
    for number, backend in enumerate(backends):
        found.append(Element(container, f"{key} . 0:{number:x}", f"{backend.address} . {backend.port}"))
    look = f"{_PORTED} dnat ip to {_place(front)} . meta priority map @{container}"
    # A packet that is between the two rules while they change may have drawn a number that has just gone; the first
    # number is there as long as any is.
    first = ("meta priority set 0:0", look)
    draw = (f"meta priority set numgen random mod {len(backends)}", look) if len(backends) > 1 else ()
    chain = Chain(f"{prefix}-{len(backends)}", (*draw, *first, "drop"))
    found.append(chain)
    return chain.name


def _place(front: Front) -> str:
    """What of a packet is looked up in the maps that hold this front."""
    return ("ip daddr . " if front.address else "") + "meta l4proto . th dport"


def _affine(found: list[Item], front: Front, entry: Entry, backends: Sequence[Backend]) -> str:
    """A chain and a set of clients for each backend; known clients go first."""
    known: list[str] = []
    draw: list[str] = []
    protocol = front.protocol.lower()
    for number, backend in enumerate(backends):
        own = (entry.service, entry.port_name, protocol, backend.address, backend.port, entry.affinity_seconds)
        clients = Clients(_name("affinity", own), entry.affinity_seconds)
        target = f"meta l4proto {protocol} dnat ip to {backend.address}:{backend.port}"
        end = Chain(_name("endpoint", own), (f"update @{clients.name} {{ ip saddr }}", target))
        found += [clients, end]
        known.append(f"ip saddr @{clients.name} goto {end.name}")
        draw.append(f"{number} : goto {end.name}")
    choice = f"numgen random mod {len(draw)} vmap {{ {', '.join(draw)} }}"
    chain = Chain(_name("affine", known), (*known, choice))
    found.append(chain)
    return chain.name


def difference(gone: Iterable[Item], new: Iterable[Item]) -> list[str]:
    """The commands, of one transaction, after which `gone` is no longer there and `new` is."""
    old, fresh = _Sorted(gone), _Sorted(new)
    lines = [_add_clients(item) for item in fresh.clients]
    lines += [f"add chain ip {TABLE} {item.name}" for item in fresh.chains]
    kept = {item.name for item in fresh.chains}
    lines += [f"flush chain ip {TABLE} {item.name}" for item in (*old.chains, *fresh.chains)]
    lines += [f"add rule ip {TABLE} {item.name} {rule}" for item in fresh.chains for rule in item.rules]
    for container, elements in old.elements.items():
        lines.append(f"delete element ip {TABLE} {container} {{ {', '.join(item.key for item in elements)} }}")
    for container, elements in fresh.elements.items():
        listed = ", ".join(f"{item.key} : {item.value}" if item.value else item.key for item in elements)
        lines.append(f"add element ip {TABLE} {container} {{ {listed} }}")
    lines += [f"delete chain ip {TABLE} {item.name}" for item in old.chains if item.name not in kept]
    lines += [f"delete set ip {TABLE} {item.name}" for item in old.clients]
    return lines


class _Sorted:
    """Items by what they are."""

    def __init__(self, mixed: Iterable[Item]) -> None:
        self.chains: list[Chain] = []
        self.clients: list[Clients] = []
        self.elements: dict[str, list[Element]] = {}
        for item in mixed:
            if isinstance(item, Element):
                self.elements.setdefault(item.container, []).append(item)
            elif isinstance(item, Chain):
                self.chains.append(item)
            else:
                self.clients.append(item)


def _add_clients(item: Clients) -> str:
    kind = f"type ipv4_addr; flags dynamic,timeout; timeout {item.seconds}s; size {_CLIENTS_MAX};"
    return f"add set ip {TABLE} {item.name} {{ {kind} }}"


def _key(front: Front) -> str:
    place = f"{front.address} . " if front.address else ""
    return f"{place}{front.protocol.lower()} . {front.port}"


def _name(kind: str, *parts: object) -> str:
    return f"{kind}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"
