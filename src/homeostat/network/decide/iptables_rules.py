"""The node plan as input of `iptables-restore --noflush`, for machines without nftables. Pure.

The chains are named as kube-proxy's iptables mode names them (pkg/proxy/iptables): KUBE-SERVICES and KUBE-NODEPORTS
lead to a Service's way in, that to a pool, that by chance to an endpoint. Only our own chains are written, which begin
with KUBE-, and the jumps to them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.nft_base import Ranges
from homeostat.network.decide.nft_rules import MARK
from homeostat.network.decide.node_plan import Entry, NodePlan, Refusal, Way
from homeostat.network.decide.service_ports import Front

PREFIX = "KUBE-"
# Where users' tables lead into ours: (table, built-in chain, our chain, further matches).
JUMPS = (
    ("nat", "PREROUTING", "KUBE-SERVICES", ()),
    ("nat", "OUTPUT", "KUBE-SERVICES", ()),
    ("nat", "POSTROUTING", "KUBE-POSTROUTING", ()),
    ("filter", "INPUT", "KUBE-REFUSALS", ("-m", "conntrack", "--ctstate", "NEW")),
    ("filter", "FORWARD", "KUBE-REFUSALS", ("-m", "conntrack", "--ctstate", "NEW")),
    ("filter", "OUTPUT", "KUBE-REFUSALS", ("-m", "conntrack", "--ctstate", "NEW")),
)
_MARKED = f"{MARK:#x}/{MARK:#x}"


@dataclass(slots=True)
class Chains:
    """Chains and their rules, by table."""

    nat: dict[str, list[str]] = field(default_factory=dict)
    filter: dict[str, list[str]] = field(default_factory=dict)

    def text(self, present: dict[str, set[str]]) -> str:
        """The input of iptables-restore. `present` are our chains that are there now, by table: those that are not
        wanted any more go."""
        parts: list[str] = []
        for table, chains in (("nat", self.nat), ("filter", self.filter)):
            stale = sorted(present.get(table, set()) - set(chains))
            parts.append(f"*{table}")
            # To declare a chain is to empty it, also one that is to go.
            parts += [f":{name} - [0:0]" for name in [*chains, *stale]]
            parts += [f"-A {name} {rule}" for name, rules in chains.items() for rule in rules]
            parts += [f"-X {name}" for name in stale]
            parts.append("COMMIT")
        return "\n".join(parts) + "\n"


def render(plan: NodePlan, ranges: Ranges) -> Chains:
    """All rules for a plan."""
    out = Chains()
    out.nat["KUBE-MARK-MASQ"] = [f"-j MARK --or-mark {MARK:#x}"]
    unmarked = [f"-m mark ! --mark {_MARKED} -j RETURN", f"-j MARK --xor-mark {MARK:#x}"]
    out.nat["KUBE-POSTROUTING"] = [*unmarked, "-j MASQUERADE --random-fully"]
    services = out.nat.setdefault("KUBE-SERVICES", [])
    node_ports = out.nat.setdefault("KUBE-NODEPORTS", [])
    refusals = out.filter.setdefault("KUBE-REFUSALS", [])
    for front in sorted(plan):
        entry = plan[front]
        way = _way(out, front, entry, ranges)
        for matches in _matches(front, ranges):
            if not entry.inside or (entry.way is Way.LOCAL and not entry.outside):
                refusals.append(f"{matches} -j {'DROP' if entry.refusal is Refusal.DROP else 'REJECT'}")
            elif front.address and entry.sources:
                # What comes from elsewhere keeps its destination, and is stopped by that.
                refusals.append(f"{matches} -j DROP")
        port = f"-p {front.protocol.lower()} -m {front.protocol.lower()} --dport {front.port}"
        if way and not front.address:
            node_ports.append(f"{port} -j {way}")
        elif way:
            origins = [f"-s {text} " for text in entry.sources] or [""]
            services += [f"{origin}-d {front.address}/32 {port} -j {way}" for origin in origins]
    services += [f"-d {address}/32 -j KUBE-NODEPORTS" for address in ranges.node_addresses]
    refusals += [f"-d {text} -j REJECT" for text in ranges.services]
    return out


def _matches(front: Front, ranges: Ranges) -> list[str]:
    protocol = front.protocol.lower()
    addresses = [front.address] if front.address else ranges.node_addresses
    return [f"-d {address}/32 -p {protocol} -m {protocol} --dport {front.port}" for address in addresses]


def _way(out: Chains, front: Front, entry: Entry, ranges: Ranges) -> str:
    """The chain that a front leads to; empty when no endpoint can take its connections."""
    inside = _pool(out, front, entry, entry.inside)
    outside = _pool(out, front, entry, entry.outside) if entry.way is Way.LOCAL else ""
    if not inside and not outside:
        return ""
    rules: list[str] = []
    if entry.way is Way.EXTERNAL:
        rules = ["-j KUBE-MARK-MASQ", f"-j {inside}"]
    elif entry.way is Way.CLUSTER:
        rules = [f"-s {text} -j {inside}" for text in ranges.pods] + ["-j KUBE-MARK-MASQ", f"-j {inside}"]
    else:
        local = "-m addrtype --src-type LOCAL"
        if inside:
            rules += [f"-s {text} -j {inside}" for text in ranges.pods]
            rules += [f"{local} -j KUBE-MARK-MASQ", f"{local} -j {inside}"]
        if outside:
            rules.append(f"-j {outside}")
    name = _name("EXT" if entry.way is not Way.CLUSTER else "CLU", entry.way.value, inside, outside)
    out.nat[name] = rules
    return name


def _pool(out: Chains, front: Front, entry: Entry, backends: tuple[Backend, ...]) -> str:
    """The chain that chooses among backends; empty when there is none."""
    if not backends:
        return ""
    ends = [_endpoint(out, front, entry, backend) for backend in backends]
    rules: list[str] = []
    if entry.affinity_seconds:
        seconds = entry.affinity_seconds
        rules += [f"-m recent --name {end} --rcheck --seconds {seconds} --reap --rsource -j {end}" for end in ends]
    for left, end in zip(range(len(ends), 0, -1), ends, strict=True):
        chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        rules.append(f"{chance}-j {end}")
    name = _name("SVC", *rules)
    out.nat[name] = rules
    return name


def _endpoint(out: Chains, front: Front, entry: Entry, backend: Backend) -> str:
    protocol = front.protocol.lower()
    target = f"-j DNAT --to-destination {backend.address}:{backend.port}"
    # Affinity is remembered for each endpoint of a Service port.
    whose = (entry.service, entry.port_name) if entry.affinity_seconds else ()
    name = _name("SEP", *whose, protocol, backend.address, str(backend.port))
    remember = f"-m recent --name {name} --set --rsource " if entry.affinity_seconds else ""
    out.nat[name] = [f"-s {backend.address}/32 -j KUBE-MARK-MASQ", f"-p {protocol} {remember}-m {protocol} {target}"]
    return name


def _name(kind: str, *parts: str) -> str:
    """A chain's name has 28 characters at most."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return f"{PREFIX}{kind}-{base64.b32encode(digest).decode()[:16]}"


def ours(saved: Iterable[str]) -> dict[str, set[str]]:
    """Our chains in the output of iptables-save, by table."""
    found: dict[str, set[str]] = {}
    table = ""
    for line in saved:
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(f":{PREFIX}"):
            found.setdefault(table, set()).add(line[1:].split()[0])
    return found
