"""Whether the node takes a pod: the kubelet's own checks, beside the scheduler's. Pure.

Reasons and messages are those of lifecycle/predicate.go: OutOfcpu, OutOfmemory, OutOfpods, NodePorts, NodeAffinity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from homeostat.api import meta, quantity
from homeostat.api.hostports import clash, host_ports
from homeostat.api.selectors import Requirement
from homeostat.api.types import Obj
from homeostat.node import spec
from homeostat.node.view import Trouble

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}


def refusal(
    pod: Obj, others: Iterable[Obj], labels: Mapping[str, str], allocatable: Mapping[str, str]
) -> Trouble | None:
    """Why the pod cannot run beside `others` (the pods that are to run here), or None."""
    others = list(others)
    places = int(quantity.of(allocatable.get("pods", "110")).value)
    if len(others) + 1 > places:
        return _short("pods", 1, len(others), places)
    for resource in ("cpu", "memory", "ephemeral-storage"):
        wanted = _request(pod, resource)
        if not wanted or resource not in allocatable:
            continue
        capacity = quantity.of(allocatable[resource]).milli
        used = sum(_request(other, resource) for other in others)
        if used + wanted > capacity:
            unit = 1 if resource == "cpu" else 1000
            return _short(resource, wanted // unit, used // unit, capacity // unit)
    ports = host_ports(spec.spec(pod))
    if ports and any(clash(ports, host_ports(spec.spec(other))) for other in others):
        why = "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
        return Trouble("NodePorts", why)
    if not matches_node(pod, labels):
        why = "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
        return Trouble("NodeAffinity", why)
    return None


def matches_node(pod: Obj, labels: Mapping[str, str]) -> bool:
    """Whether nodeSelector and required node affinity match a node of these labels."""
    body = spec.spec(pod)
    if any(labels.get(key) != value for key, value in (body.get("nodeSelector") or {}).items()):
        return False
    affinity = (body.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_term_matches(term, labels) for term in required.get("nodeSelectorTerms") or [])


def _term_matches(term: Obj, labels: Mapping[str, str]) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    # The one field is metadata.name; it was the scheduler's, and the pod is here.
    return all(
        Requirement(e["key"], _OPERATORS.get(e["operator"], ""), frozenset(e.get("values") or ())).matches(dict(labels))
        for e in expressions
    )


def _request(pod: Obj, resource: str) -> int:
    """What the pod asks for, in thousandths: app containers and sidecars together, or the largest init container."""
    running = sum(_of(c, resource) for c in spec.mains(pod))
    peak = sidecars = 0
    for init in spec.inits(pod):
        amount = _of(init, resource)
        if spec.is_sidecar(init):
            sidecars += amount
            amount = 0
        peak = max(peak, sidecars + amount)
    overhead = (spec.spec(pod).get("overhead") or {}).get(resource)
    extra = quantity.of(overhead).milli if overhead is not None else 0
    return max(running + sidecars, peak) + extra


def _of(container: Obj, resource: str) -> int:
    resources = container.get("resources") or {}
    given = (resources.get("requests") or {}).get(resource)
    if given is None:
        given = (resources.get("limits") or {}).get(resource)
    return quantity.of(given).milli if given is not None else 0


def _short(resource: str, requested: int, used: int, capacity: int) -> Trouble:
    detail = f"resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}"
    return Trouble(f"OutOf{resource}", f"Pod was rejected: Node didn't have enough {detail}")


def by_age(pods: Iterable[Obj]) -> list[Obj]:
    """Oldest first: the order in which a node that starts decides about its pods."""
    return sorted(pods, key=lambda pod: (meta.created_at(pod), meta.key(pod)))
