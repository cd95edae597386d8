"""Whether the node takes a pod: the kubelet's own checks, beside the scheduler's. Pure.

Reasons and messages are those of lifecycle/predicate.go: OutOfcpu, OutOfmemory, OutOfpods, NodePorts, NodeAffinity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from homeostat.api import meta, quantity
from homeostat.api.rules import podresources
from homeostat.api.rules.hostports import clash, host_ports
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
    wanted, used = _requests(pod), [_requests(other) for other in others]
    for resource in ("cpu", "memory", "ephemeral-storage"):
        if resource not in wanted or resource not in allocatable:
            continue
        capacity = podresources.amount_of(resource, allocatable[resource])
        held = sum(requests.get(resource, 0) for requests in used)
        if held + wanted[resource] > capacity:
            return _short(resource, wanted[resource], held, capacity)
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


def _requests(pod: Obj) -> dict[str, int]:
    """What the pod needs; a limit counts where nothing is requested (a Pod from a file has no such default)."""
    return podresources.total(
        map(_of, spec.mains(pod)),
        [(spec.is_sidecar(init), _of(init)) for init in spec.inits(pod)],
        podresources.amounts_of(spec.spec(pod).get("overhead")),
    )


def _of(container: Obj) -> dict[str, int]:
    resources = container.get("resources") or {}
    return podresources.amounts_of({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _short(resource: str, requested: int, used: int, capacity: int) -> Trouble:
    detail = f"resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}"
    return Trouble(f"OutOf{resource}", f"Pod was rejected: Node didn't have enough {detail}")


def by_age(pods: Iterable[Obj]) -> list[Obj]:
    """Oldest first: the order in which a node that starts decides about its pods."""
    return sorted(pods, key=lambda pod: (meta.created_at(pod), meta.key(pod)))
