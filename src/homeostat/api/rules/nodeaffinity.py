"""Which nodes a Pod may run on by its nodeSelector and node affinity, and which it prefers. Pure.

Kubernetes: Assigning Pods to Nodes; component-helpers/scheduling/corev1/nodeaffinity. Selectors are compiled once and
then asked about many nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from homeostat.api import names
from homeostat.api.selecting.label_selectors import Requirement, int64
from homeostat.api.types import Obj

# The operators of a NodeSelectorRequirement, and those of label selectors that do the same.
OPERATORS: Final = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}
REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
# The one field of a node that a term can ask for.
_NAME: Final = "metadata.name"


@dataclass(frozen=True, slots=True)
class NodeTerm:
    """A NodeSelectorTerm, compiled: requirements on a node's labels and on its name.

    `nothing`: the term is empty, or one of its requirements is invalid; then it matches no node.
    """

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether the node of this name and with these labels meets every requirement."""
        if self.nothing or not all(term.matches(labels) for term in self.labels):
            return False
        return not self.fields or all(term.matches({_NAME: name}) for term in self.fields)


@dataclass(frozen=True, slots=True, eq=False)
class RequiredNodes:
    """The nodes that a Pod may run on: all labels of `node_selector`, and one of `terms` (None: no such rule)."""

    node_selector: tuple[tuple[str, str], ...]
    terms: tuple[NodeTerm, ...] | None

    @property
    def everything(self) -> bool:
        """Whether every node will do."""
        return not self.node_selector and self.terms is None

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether the node of this name and with these labels will do."""
        for key, value in self.node_selector:
            if labels.get(key) != value:
                return False
        return self.terms is None or any(term.matches(name, labels) for term in self.terms)


# Terms with their weights.
PreferredNodes: TypeAlias = tuple[tuple[int, NodeTerm], ...]


def required_nodes(spec: Obj) -> RequiredNodes:
    """The nodes that a Pod with this spec may run on. A required affinity without terms allows no node."""
    terms = required_terms(spec)
    compiled = None if terms is None else tuple(compile_term(term) for term in terms)
    return RequiredNodes(tuple(sorted((spec.get("nodeSelector") or {}).items())), compiled)


def preferred_nodes(spec: Obj) -> PreferredNodes:
    """The preferred terms of a Pod with this spec; those that cannot match are left out."""
    items: Sequence[Obj] = _affinity(spec).get(PREFERRED) or ()
    terms = [(int(item.get("weight") or 0), compile_term(item.get("preference") or {})) for item in items]
    return tuple((weight, term) for weight, term in terms if weight and not term.nothing)


def preference(preferred: PreferredNodes, name: str, labels: Mapping[str, str]) -> int:
    """How much the node of this name and with these labels is preferred: the weights of the terms that it meets."""
    return sum(weight for weight, term in preferred if term.matches(name, labels))


def compile_term(term: Obj) -> NodeTerm:
    """A NodeSelectorTerm, ready to be asked. An empty one, and one with an invalid requirement, matches no node."""
    labels = [_label_requirement(item) for item in term.get("matchExpressions") or ()]
    fields = [_field_requirement(item) for item in term.get("matchFields") or ()]
    valid_labels = tuple(item for item in labels if item is not None)
    valid_fields = tuple(item for item in fields if item is not None)
    if not (labels or fields) or len(valid_labels) < len(labels) or len(valid_fields) < len(fields):
        return NodeTerm(nothing=True)
    return NodeTerm(valid_labels, valid_fields)


def required_terms(spec: Obj) -> list[Obj] | None:
    """The terms of the required node affinity, of which a node must meet one; None when there is no such rule."""
    required = _affinity(spec).get(REQUIRED)
    return None if required is None else required.get("nodeSelectorTerms") or []


def pinned(affinity: Obj, node: str) -> Obj:
    """The affinity of a Pod that may run on the node of this name alone: its required node terms are replaced."""
    term = {"matchFields": [{"key": _NAME, "operator": "In", "values": [node]}]}
    of_nodes = {**(affinity.get("nodeAffinity") or {}), REQUIRED: {"nodeSelectorTerms": [term]}}
    return {**affinity, "nodeAffinity": of_nodes}


def pinned_node(spec: Obj) -> str:
    """The name of the one node that the spec's required affinity names, as in Pods of a DaemonSet; empty when it names
    none or several."""
    for term in required_terms(spec) or ():
        for item in term.get("matchFields") or ():
            if item.get("key") == _NAME and item.get("operator") == "In" and len(item.get("values") or ()) == 1:
                return str(item["values"][0])
    return ""


def _affinity(spec: Obj) -> Obj:
    return (spec.get("affinity") or {}).get("nodeAffinity") or {}


def _label_requirement(item: Obj) -> Requirement | None:
    """A requirement on labels; None for one that is invalid (labels.NewRequirement)."""
    key, operator = item.get("key") or "", item.get("operator")
    values: Sequence[str] = item.get("values") or ()
    meaning = OPERATORS.get(operator or "")
    if meaning is None or names.qualified_name(key) or any(names.label_value(value) for value in values):
        return None
    if operator in ("In", "NotIn"):
        valid = len(values) > 0
    elif operator in ("Gt", "Lt"):
        valid = len(values) == 1 and int64(values[0]) is not None
    else:
        valid = not values
    return Requirement(key, meaning, frozenset(values)) if valid else None


def _field_requirement(item: Obj) -> Requirement | None:
    """A requirement on the name; None for one that is invalid: another field or operator, or not one value."""
    operator, values = item.get("operator"), item.get("values") or ()
    if item.get("key") != _NAME or operator not in ("In", "NotIn") or len(values) != 1:
        return None
    return Requirement(_NAME, OPERATORS[operator], frozenset(values))
