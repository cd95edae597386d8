"""Whether the node takes a pod: the kubelet's own checks, beside the scheduler's. Pure.

Reasons and messages are those of lifecycle/predicate.go: OutOfcpu, OutOfmemory, OutOfpods, NodePorts, NodeAffinity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from homeostat.api import meta, quantity
from homeostat.api.rules.hostports import clash, host_ports
from homeostat.api.rules.nodeaffinity import required_nodes
from homeostat.api.rules.podresources import amount_of, pod_requests
from homeostat.api.types import Obj
from homeostat.node.podspec import spec
from homeostat.node.podspec.view import FailureReason


def refusal(
    pod: Obj, others: Iterable[Obj], name: str, labels: Mapping[str, str], allocatable: Mapping[str, str]
) -> FailureReason | None:
    """Why the pod cannot run beside `others` (the pods that are to run here), or None. `name` and `labels` are the
    Node's."""
    others = list(others)
    places = int(quantity.of(allocatable.get("pods", "110")).value)
    if len(others) + 1 > places:
        return _short("pods", 1, len(others), places)
    wanted, used = pod_requests(spec.spec(pod)), [pod_requests(spec.spec(other)) for other in others]
    for resource in ("cpu", "memory", "ephemeral-storage"):
        if resource not in wanted or resource not in allocatable:
            continue
        capacity = amount_of(resource, allocatable[resource])
        held = sum(requests.get(resource, 0) for requests in used)
        if held + wanted[resource] > capacity:
            return _short(resource, wanted[resource], held, capacity)
    ports = host_ports(spec.spec(pod))
    if ports and any(clash(ports, host_ports(spec.spec(other))) for other in others):
        why = "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
        return FailureReason("NodePorts", why)
    if not required_nodes(spec.spec(pod)).matches(name, labels):
        why = "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
        return FailureReason("NodeAffinity", why)
    return None


def _short(resource: str, requested: int, used: int, capacity: int) -> FailureReason:
    detail = f"resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}"
    return FailureReason(f"OutOf{resource}", f"Pod was rejected: Node didn't have enough {detail}")


def by_age(pods: Iterable[Obj]) -> list[Obj]:
    """Oldest first: the order in which a node that starts decides about its pods."""
    return sorted(pods, key=lambda pod: (meta.created_at(pod), meta.key(pod)))
