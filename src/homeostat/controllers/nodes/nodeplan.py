"""Which names and addresses a node's serving certificate may have, and the annotations that say so. Pure.

What a Node says of itself is never evidence: it is written with the node's own key. A node of the cluster's plan has
the address that the plan gives it. A machine that joined has those that its bootstrap was bound to: they are in the
ConfigMap `homeostat-nodes` in kube-system, which is written when a join is approved, and which nodes cannot write.
Nothing that belongs to an API server, to a Service or to another node is bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from homeostat.api import meta, names
from homeostat.api.kinds import NODE
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.loop.contract import World

NAMESPACE, NAME = "kube-system", "homeostat-nodes"
_ADDRESSES_MAX = 8
_RESERVED_SUFFIXES = (".svc", ".cluster.local", ".localhost")
_NOTE = (
    "The addresses for which machines that joined get serving certificates, by node name, separated by commas. "
    "They are written when a join is approved."
)


def _unplanned(name: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What the cluster was planned with.

    `address_of` gives the planned address of a node by its name, empty for a name that the plan does not know;
    `servers` are the names and addresses under which API servers are reached; `ranges` hold those of Services.
    """

    address_of: Callable[[str], str] = _unplanned
    servers: frozenset[str] = frozenset()
    ranges: tuple[str, ...] = ()

    def names_of(self, name: str, record: Obj | None) -> set[str]:
        """Every name and address that node `name` may have in its serving certificate; `record` is the ConfigMap."""
        planned = self.address_of(name)
        if planned:
            return {name, planned}
        bound = bound_addresses(record, name)
        return set() if bound is None or self.name_problem(name) else {name, *bound}

    def name_problem(self, name: str) -> str:
        """Why no machine can join under this name; empty when one can."""
        if names.dns1123_subdomain(name):
            return f"{name!r} is not the name of a node: lower case letters, digits, '-' and '.'"
        if self.address_of(name):
            return f"node name {name} is one of the cluster's own nodes; choose another"
        if name in self.servers or name.endswith(_RESERVED_SUFFIXES) or _address(name) is not None:
            return f"node name {name} is that of an API server, of a Service or an address; choose another"
        return ""

    def address_problem(self, text: str, name: str, world: World, record: Obj | None) -> str:
        """Why node `name` cannot be bound to an address; empty when it can."""
        address = _address(text)
        if address is None:
            return f"{text!r} is not an address"
        if address.is_unspecified or address.is_multicast or address.is_link_local:
            return f"{text} is not the address of a machine"
        if str(address) in self.servers or any(address in ip_network(each) for each in self.ranges):
            return f"{text} is an address of the API servers or of Services; give the machine's own by --node-address"
        for other in map(meta.name, world.list(NODE)):
            if other != name and str(address) in {self.address_of(other), *(bound_addresses(record, other) or ())}:
                return f"{text} is the address of node {other}; give the machine's own by --node-address"
        return ""


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    # One machine has one name: an IPv4 address in IPv6's clothes is that IPv4 address.
    return getattr(found, "ipv4_mapped", None) or found


def bound_addresses(record: Obj | None, name: str) -> list[str] | None:
    """What a joined node is bound to by the record; None for a node that is not in it."""
    text = ((record or {}).get("data") or {}).get(name)
    return None if text is None else [each.strip() for each in text.split(",") if each.strip()]


def join_problem(plan: NodePlan, name: str, addresses: Sequence[str], world: World, record: Obj | None) -> str:
    """Why a machine cannot have the identity of node `name`, at these addresses; empty when it can."""
    node = world.get(NODE, "", name)
    if plan.name_problem(name):
        return plan.name_problem(name)
    if node is not None and meta.condition_true(node, "Ready"):
        # kubeadm join checks the same before it sends its request.
        return f"a node {name} exists and is Ready; `kubectl delete node {name}` first, or choose another --node-name"
    if len(addresses) > _ADDRESSES_MAX:
        return f"a node has at most {_ADDRESSES_MAX} addresses, not {len(addresses)}"
    problems = (plan.address_problem(each, name, world, record) for each in addresses)
    return next((problem for problem in problems if problem), "")


def with_binding(record: Obj, name: str, addresses: Sequence[str]) -> Obj:
    """The record with node `name` bound to these addresses, each in its usual form."""
    usual = [str(_address(each)) for each in addresses]
    return {**record, "data": {**(record.get("data") or {}), name: ",".join(usual)}}


def first_record(plan: NodePlan, world: World) -> Obj:
    """The record of a cluster that has none yet: machines that joined before there was one keep their addresses, as far
    as they can be a joined node's."""
    data = {}
    for node in world.list(NODE):
        name = meta.name(node)
        if not plan.name_problem(name):
            said = [each["address"] for each in (node.get("status") or {}).get("addresses") or ()]
            own = [each for each in said if not plan.address_problem(each, name, world, None)]
            data[name] = ",".join(own[:_ADDRESSES_MAX])
    metadata = {"name": NAME, "namespace": NAMESPACE, "annotations": {wellknown.ANNOTATION_DESCRIPTION: _NOTE}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
