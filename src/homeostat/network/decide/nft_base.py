"""The part of the service rules that is the same for all Services: the table, its maps and its base chains. Pure.

The hooks and their order follow kube-proxy's nftables mode (pkg/proxy/nftables/proxier.go): source ranges are checked
before, refusals after the destination has been replaced. Only this table is touched, never a user's own rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from homeostat.network.decide.nft_rules import MARK, TABLE

_ADDRESS, _PORT = "ip daddr . meta l4proto . th dport", "meta l4proto . th dport"
_ADDRESS_TYPE, _PORT_TYPE = "type ipv4_addr . inet_proto . inet_service", "type inet_proto . inet_service"
# The type of a packet's priority is called classid. It is written as two hexadecimal numbers.
_BACKEND = " . classid : ipv4_addr . inet_service"

# Maps and sets whose elements come from the plan.
CONTAINERS = {
    "service-ips": ("map", f"{_ADDRESS_TYPE} : verdict"),
    "service-nodeports": ("map", f"{_PORT_TYPE} : verdict"),
    "service-endpoints": ("map", f"{_ADDRESS_TYPE}{_BACKEND}"),
    "service-local-endpoints": ("map", f"{_ADDRESS_TYPE}{_BACKEND}"),
    "nodeport-endpoints": ("map", f"{_PORT_TYPE}{_BACKEND}"),
    "nodeport-local-endpoints": ("map", f"{_PORT_TYPE}{_BACKEND}"),
    "no-endpoint-services": ("map", f"{_ADDRESS_TYPE} : verdict"),
    "no-endpoint-nodeports": ("map", f"{_PORT_TYPE} : verdict"),
    "firewall-ips": ("map", f"{_ADDRESS_TYPE} : verdict"),
    "hairpin-connections": ("set", "type ipv4_addr . ipv4_addr"),
}

_NEW = "ct state new jump"
_CHAINS: dict[str, tuple[str, tuple[str, ...]]] = {
    "refuse": ("", ("reject",)),
    "services": (
        "",
        (
            f"{_ADDRESS} vmap @service-ips",
            f"ip daddr @node-addresses {_PORT} vmap @service-nodeports",
        ),
    ),
    "check-sources": ("", (f"{_ADDRESS} vmap @firewall-ips",)),
    "check-endpoints": (
        "",
        (
            f"{_ADDRESS} vmap @no-endpoint-services",
            f"ip daddr @node-addresses {_PORT} vmap @no-endpoint-nodeports",
        ),
    ),
    # A cluster address leads nowhere else than to its Service's ports.
    "check-cluster-ips": ("", ("ip daddr @service-ranges reject",)),
    "filter-prerouting": ("type filter hook prerouting priority -110", (f"{_NEW} check-sources",)),
    "filter-output-before": ("type filter hook output priority -110", (f"{_NEW} check-sources",)),
    "nat-prerouting": ("type nat hook prerouting priority -100", ("jump services",)),
    "nat-output": ("type nat hook output priority -100", ("jump services",)),
    "filter-output": ("type filter hook output priority -90", (f"{_NEW} check-endpoints", f"{_NEW} check-cluster-ips")),
    "filter-input": ("type filter hook input priority -110", (f"{_NEW} check-endpoints",)),
    "filter-forward": (
        "type filter hook forward priority -110",
        (f"{_NEW} check-endpoints", f"{_NEW} check-cluster-ips"),
    ),
    "nat-postrouting": (
        "type nat hook postrouting priority 100",
        (
            "ct status dnat ip saddr . ip daddr @hairpin-connections masquerade fully-random",
            f"meta mark and {MARK:#x} == 0 return",
            f"meta mark set meta mark xor {MARK:#x}",
            "masquerade fully-random",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Ranges:
    """The addresses that the rules distinguish: IPv4 ranges, and the node's own addresses for node ports."""

    pods: tuple[str, ...]
    services: tuple[str, ...]
    node_addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What an earlier run has left in the kernel: names of the table's chains, and of its sets and maps."""

    chains: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()


def begin(ranges: Ranges) -> list[str]:
    """The commands that make the table, its maps and its base chains: also over what is there already."""
    lines = [f"add table ip {TABLE}"]
    for name, (noun, spec) in CONTAINERS.items():
        lines += [f"add {noun} ip {TABLE} {name} {{ {spec}; }}", f"flush {noun} ip {TABLE} {name}"]
    lines += _interval_set("pod-ranges", ranges.pods) + _interval_set("service-ranges", ranges.services)
    lines += _interval_set("node-addresses", ranges.node_addresses)
    for name, (hook, _) in _CHAINS.items():
        lines.append(f"add chain ip {TABLE} {name}" + (f" {{ {hook}; }}" if hook else ""))
        lines.append(f"flush chain ip {TABLE} {name}")
    lines += [f"add rule ip {TABLE} {name} {rule}" for name, (_, rules) in _CHAINS.items() for rule in rules]
    return lines


def _interval_set(name: str, ranges: Iterable[str]) -> list[str]:
    listed = ", ".join(sorted(ranges))
    lines = [f"add set ip {TABLE} {name} {{ type ipv4_addr; flags interval; }}", f"flush set ip {TABLE} {name}"]
    return lines + ([f"add element ip {TABLE} {name} {{ {listed} }}"] if listed else [])


def leftovers(found: Found, chains: Collection[str], sets: Collection[str]) -> tuple[list[str], list[str]]:
    """What an earlier run has left that is not wanted any more: commands for before the new rules are written (nothing
    may lead to these chains), and for after."""
    stale = sorted(found.chains - set(chains) - set(_CHAINS))
    first = [f"flush chain ip {TABLE} {name}" for name in stale]
    last = [f"delete chain ip {TABLE} {name}" for name in stale]
    known = {*sets, *CONTAINERS, "pod-ranges", "service-ranges", "node-addresses"}
    last += [f"delete set ip {TABLE} {name}" for name in sorted(found.sets - known)]
    return first, last
