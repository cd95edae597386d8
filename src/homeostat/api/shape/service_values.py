"""What an update of a Service keeps of the addresses and ports that were allocated to it, and what it releases.

A client that leaves them out means the old ones (the Service registry's patchAllocatedValues); a change of type
releases those that the new type does not have (dropTypeDependentFields).
"""

from __future__ import annotations

from collections.abc import Callable

from homeostat.api.rules.ports import protocol_of
from homeostat.api.types import Obj

_WITH_ADDRESS = frozenset(("ClusterIP", "NodePort", "LoadBalancer"))
_WITH_NODE_PORTS = frozenset(("NodePort", "LoadBalancer"))
_ADDRESS_FIELDS = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def service_type(spec: Obj) -> str:
    """spec.type; ClusterIP where there is none."""
    return spec.get("type") or "ClusterIP"


def keep_allocated(new: Obj, old: Obj) -> None:
    """Carry allocated values from `old` into `new`, in place, or drop them when the type no longer has them."""
    ours, theirs = new.setdefault("spec", {}), old.get("spec") or {}
    now, before = service_type(ours), service_type(theirs)
    if now in _WITH_ADDRESS and before in _WITH_ADDRESS:
        _keep_address(ours, theirs)
    elif now == "ExternalName" and before in _WITH_ADDRESS:
        _drop_address(ours, theirs)
    if now in _WITH_NODE_PORTS and before in _WITH_NODE_PORTS:
        _keep_node_ports(ours, theirs)
    elif before in _WITH_NODE_PORTS:
        _drop_node_ports(ours, theirs)
    for field, has in _TYPE_DEPENDENT:
        if has(theirs) and not has(ours) and ours.get(field) == theirs.get(field):
            ours.pop(field, None)


def reached_from_outside(spec: Obj) -> bool:
    """Whether traffic from outside the cluster comes to addresses or ports of the Service's own."""
    kind = service_type(spec)
    return kind in _WITH_NODE_PORTS or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def has_health_port(spec: Obj) -> bool:
    """Whether a load balancer asks nodes for their health."""
    return _is_balanced(spec) and spec.get("externalTrafficPolicy") == "Local"


def _is_balanced(spec: Obj) -> bool:
    return service_type(spec) == "LoadBalancer"


# Fields that are dropped with their type when a client leaves them unchanged; health first: it needs the policy.
_TYPE_DEPENDENT: tuple[tuple[str, Callable[[Obj], bool]], ...] = (
    ("healthCheckNodePort", has_health_port),
    ("externalTrafficPolicy", reached_from_outside),
    ("allocateLoadBalancerNodePorts", _is_balanced),
    ("loadBalancerClass", _is_balanced),
)


def _keep_address(ours: Obj, theirs: Obj) -> None:
    if not ours.get("clusterIP") and theirs.get("clusterIP"):
        ours["clusterIP"] = theirs["clusterIP"]
    if ours.get("clusterIP") == theirs.get("clusterIP"):
        for field in _ADDRESS_FIELDS:
            if not ours.get(field) and theirs.get(field):
                ours[field] = theirs[field]


def _drop_address(ours: Obj, theirs: Obj) -> None:
    for field in _ADDRESS_FIELDS:
        if ours.get(field) == theirs.get(field):
            ours.pop(field, None)


def _port_key(port: Obj) -> tuple[str, int]:
    return protocol_of(port), int(port.get("port") or 0)


def _keep_node_ports(ours: Obj, theirs: Obj) -> None:
    before = {_port_key(port): port.get("nodePort") for port in theirs.get("ports") or ()}
    taken = {port.get("nodePort") for port in ours.get("ports") or ()}
    for port in ours.get("ports") or ():
        allocated = before.get(_port_key(port))
        if not port.get("nodePort") and allocated and allocated not in taken:
            port["nodePort"] = allocated
    if has_health_port(ours) and not ours.get("healthCheckNodePort") and theirs.get("healthCheckNodePort"):
        ours["healthCheckNodePort"] = theirs["healthCheckNodePort"]


def _drop_node_ports(ours: Obj, theirs: Obj) -> None:
    before = {port.get("nodePort") for port in theirs.get("ports") or ()}
    for port in ours.get("ports") or ():
        if port.get("nodePort") in before:
            port.pop("nodePort", None)
