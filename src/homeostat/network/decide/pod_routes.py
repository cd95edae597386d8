"""The Pod network as one node is to have it: a pure plan from the Node objects.

Each node has a bridge for its Pods and a route to every other node's Pods, by that node's own address. What Pods send
out of the cluster leaves with the node's address; between Pods and nodes source addresses stay as they are ("The
Kubernetes network model").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.network.decide.endpoint_selection import is_ipv4

POD_TABLE = "homeostat-pods"
POD_CHAIN = "HOMEOSTAT-PODS"
BRIDGE = "cni0"
NETWORK = "homeostat"
# On disk, with what was given out last: an address that was a Pod's a moment ago must not be another's while services
# may still lead to it.
LEASES = "/var/lib/cni/networks"


@dataclass(frozen=True, slots=True)
class PodPlan:
    """`own` is the range of this node's Pods (empty: none is known yet); `routes` lead from ranges to nodes'
    addresses; `nodes` are the addresses of all nodes."""

    own: str = ""
    routes: Mapping[str, str] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()


def plan_pods(nodes: Iterable[Obj], here: str) -> PodPlan:
    """The plan for the node called `here`. A node whose range or address is missing or malformed gets no route; when
    two claim one range, the older keeps it."""
    own = ""
    routes: dict[str, str] = {}
    addresses: set[str] = set()
    for node in sorted(nodes, key=lambda node: (meta.created_at(node), meta.name(node))):
        address, range_ = node_address(node), pod_range(node)
        if address:
            addresses.add(address)
        if meta.name(node) == here:
            own = range_
        elif address and range_:
            routes.setdefault(range_, address)
    routes.pop(own, None)
    return PodPlan(own, dict(sorted(routes.items())), tuple(sorted(addresses)))


def node_address(node: Obj) -> str:
    """The node's InternalIP of the family IPv4; empty when it has none."""
    for entry in (node.get("status") or {}).get("addresses") or ():
        if entry.get("type") == "InternalIP" and is_ipv4(entry.get("address")):
            return str(entry["address"])
    return ""


def pod_range(node: Obj) -> str:
    """The IPv4 range of the node's Pods; empty when it has none."""
    spec = node.get("spec") or {}
    for text in spec.get("podCIDRs") or [spec.get("podCIDR") or ""]:
        try:
            return str(IPv4Network(text))
        except ValueError:
            continue
    return ""


def conflist(own: str, mtu: int) -> str:
    """The configuration for the CNI plugins: a bridge whose Pods have addresses of `own`, and host ports."""
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isDefaultGateway": True,
        "forceAddress": True,
        "hairpinMode": True,
        "ipMasq": False,
        "mtu": mtu,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": own}]], "dataDir": LEASES},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    return json.dumps({"cniVersion": "0.4.0", "name": NETWORK, "plugins": [bridge, ports]}, indent=2) + "\n"


def masquerade(plan: PodPlan, cluster_pods: str) -> str:
    """The rules, as one nftables transaction, that give Pods' traffic out of the cluster the node's address."""
    inside = ", ".join(sorted({cluster_pods, *plan.nodes}))
    lines = [
        f"add table ip {POD_TABLE}",
        f"delete table ip {POD_TABLE}",
        f"add table ip {POD_TABLE}",
        f"add set ip {POD_TABLE} inside {{ type ipv4_addr; flags interval; auto-merge; }}",
        f"add element ip {POD_TABLE} inside {{ {inside} }}",
        f"add chain ip {POD_TABLE} out {{ type nat hook postrouting priority 101; }}",
    ]
    if plan.own:
        leaving = f"ip saddr {plan.own} ip daddr != @inside ip daddr != 224.0.0.0/4"
        lines.append(f"add rule ip {POD_TABLE} out {leaving} masquerade fully-random")
    return "\n".join(lines) + "\n"


def masquerade_without_nft(plan: PodPlan, cluster_pods: str) -> str:
    """The same as input of `iptables-restore --noflush`; the chain is called from POSTROUTING."""
    rules: list[str] = []
    if plan.own:
        # 224.0.0.0/4 is multicast.
        spared = sorted({cluster_pods, "224.0.0.0/4", *plan.nodes})
        rules = [f"-A {POD_CHAIN} -d {text} -j RETURN" for text in spared]
        rules.append(f"-A {POD_CHAIN} -s {plan.own} -j MASQUERADE --random-fully")
    return "\n".join(["*nat", f":{POD_CHAIN} - [0:0]", *rules, "COMMIT"]) + "\n"
