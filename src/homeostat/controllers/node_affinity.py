"""Whether a Pod's nodeSelector and required node affinity admit a node (component-helpers, nodeaffinity)."""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.api import meta
from homeostat.api.selectors import Requirement
from homeostat.api.types import Obj

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": "gt", "Lt": "lt"}


def admits(spec: Obj, node: Obj) -> bool:
    """Whether the Pod `spec` may run on `node`, as far as node name, nodeSelector and required affinity say."""
    if spec.get("nodeName") and spec["nodeName"] != meta.name(node):
        return False
    if not (spec.get("nodeSelector") or {}).items() <= meta.labels(node).items():
        return False
    required = required_terms(spec)
    return required is None or any(_term_admits(term, node) for term in required)


def required_terms(spec: Obj) -> list[Obj] | None:
    """The terms of which one must hold; None when there is no such rule."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return (required.get("nodeSelectorTerms") or []) if required is not None else None


def _term_admits(term: Obj, node: Obj) -> bool:
    """All expressions and fields of the term hold; an empty term holds for no node."""
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    own = {"metadata.name": meta.name(node)}
    return all(_holds(item, meta.labels(node)) for item in expressions) and all(_holds(item, own) for item in fields)


def _holds(expression: Obj, values: Mapping[str, str]) -> bool:
    operator = _OPERATORS.get(str(expression.get("operator")))
    if operator is None:
        return False
    return Requirement(expression["key"], operator, frozenset(expression.get("values") or ())).matches(values)
