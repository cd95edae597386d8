"""Where a Pod may run: tolerations, node and pod affinity, topology spread."""

from __future__ import annotations

import re

from homeostat.api import names
from homeostat.api.fields import Causes, duplicate, forbidden, invalid, not_supported, required
from homeostat.api.rules import wellknown
from homeostat.api.rules.nodeaffinity import OPERATORS, PREFERRED, REQUIRED, required_terms
from homeostat.api.types import Obj
from homeostat.api.validation.common import check_enum, check_selector

_ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
_ONLY_ADDED = "only additions are allowed (no mutations or deletions)"
_ALL_KEYS = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'


def check_tolerations(tolerations: list[Obj], path: str, out: Causes) -> None:
    """Tolerations of taints (ValidateTolerations)."""
    for position, toleration in enumerate(tolerations):
        where = f"{path}[{position}]"
        key, operator = toleration.get("key"), toleration.get("operator") or "Equal"
        effect = toleration.get("effect")
        if key:
            out += [invalid(f"{where}.key", key, why) for why in names.qualified_name(key)]
        elif operator != "Exists":
            out.append(invalid(f"{where}.operator", operator, _ALL_KEYS))
        if toleration.get("tolerationSeconds") is not None and effect != wellknown.NO_EXECUTE:
            why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            out.append(invalid(f"{where}.effect", effect or "", why))
        value = toleration.get("value") or ""
        if operator == "Equal":
            out += [invalid(f"{where}.operator", value, why) for why in names.label_value(value)]
        elif operator == "Exists":
            if value:
                out.append(invalid(f"{where}.operator", value, "value must be empty when `operator` is 'Exists'"))
        else:
            out.append(not_supported(f"{where}.operator", operator, ("Equal", "Exists")))
        if effect and effect not in wellknown.TAINT_EFFECTS:
            out.append(not_supported(f"{where}.effect", effect, wellknown.TAINT_EFFECTS))


def check_affinity(affinity: Obj, path: str, out: Causes) -> None:
    """Node affinity, pod affinity and anti-affinity."""
    if node := affinity.get("nodeAffinity"):
        _check_node_affinity(node, f"{path}.nodeAffinity", out)
    for field in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(field) or {}
        for position, term in enumerate(terms.get(REQUIRED) or ()):
            _check_pod_term(term, f"{path}.{field}.{REQUIRED}[{position}]", out)
        for position, weighted in enumerate(terms.get(PREFERRED) or ()):
            where = f"{path}.{field}.{PREFERRED}[{position}]"
            _check_weight(weighted, where, out)
            _check_pod_term(weighted.get("podAffinityTerm") or {}, f"{where}.podAffinityTerm", out)


def _check_weight(weighted: Obj, path: str, out: Causes) -> None:
    weight = weighted.get("weight") or 0
    if not 1 <= weight <= 100:
        out.append(invalid(f"{path}.weight", weight, "must be in the range 1-100"))


def _check_node_affinity(affinity: Obj, path: str, out: Causes) -> None:
    if affinity.get(REQUIRED) is not None:
        check_node_selector(affinity[REQUIRED], f"{path}.{REQUIRED}", out)
    for position, weighted in enumerate(affinity.get(PREFERRED) or ()):
        where = f"{path}.{PREFERRED}[{position}]"
        _check_weight(weighted, where, out)
        _check_node_term(weighted.get("preference") or {}, f"{where}.preference", out)


def check_node_selector(selector: Obj, path: str, out: Causes) -> None:
    """A NodeSelector: at least one term."""
    terms = selector.get("nodeSelectorTerms")
    if not terms:
        out.append(required(f"{path}.nodeSelectorTerms", "must have at least one node selector term"))
    for position, term in enumerate(terms or ()):
        _check_node_term(term, f"{path}.nodeSelectorTerms[{position}]", out)


def _check_node_term(term: Obj, path: str, out: Causes) -> None:
    for field in ("matchExpressions", "matchFields"):
        for position, expression in enumerate(term.get(field) or ()):
            where = f"{path}.{field}[{position}]"
            _check_node_expression(expression, where, out)
            key = expression.get("key") or ""
            if field == "matchExpressions":
                out += [invalid(f"{where}.key", key, why) for why in names.qualified_name(key)]
            elif key != "metadata.name":
                out.append(invalid(f"{where}.key", key, "not a valid field selector key"))


def _check_node_expression(expression: Obj, path: str, out: Causes) -> None:
    operator, values = expression.get("operator") or "", expression.get("values") or []
    if operator in ("In", "NotIn") and not values:
        out.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist") and values:
        why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        out.append(invalid(f"{path}.values", values, why))
    elif operator in ("Gt", "Lt") and (len(values) != 1 or not re.fullmatch(r"-?[0-9]{1,19}", values[0])):
        why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        out.append(required(f"{path}.values", why))
    elif operator not in OPERATORS:
        out.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))


def _check_pod_term(term: Obj, path: str, out: Causes) -> None:
    check_selector(term.get("labelSelector"), f"{path}.labelSelector", out)
    check_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector", out)
    for position, namespace in enumerate(term.get("namespaces") or ()):
        out += [invalid(f"{path}.namespace[{position}]", namespace, why) for why in names.dns1123_label(namespace)]
    _check_topology_key(term.get("topologyKey"), f"{path}.topologyKey", out)


def _check_topology_key(key: str | None, path: str, out: Causes) -> None:
    if not key:
        out.append(required(path, "can not be empty"))
    else:
        out += [invalid(path, key, why) for why in names.qualified_name(key)]


def check_spread(constraints: list[Obj], path: str, out: Causes) -> None:
    """Topology spread constraints (validateTopologySpreadConstraints)."""
    seen: set[tuple[str, str]] = set()
    for position, constraint in enumerate(constraints):
        where = f"{path}[{position}]"
        key, action = constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
        if (constraint.get("maxSkew") or 0) <= 0:
            out.append(invalid(f"{where}.maxSkew", constraint.get("maxSkew") or 0, "must be greater than zero"))
        _check_topology_key(key, f"{where}.topologyKey", out)
        if action not in _ACTIONS:
            out.append(not_supported(f"{where}.whenUnsatisfiable", action, _ACTIONS))
        if (key, action) in seen:
            out.append(duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        seen.add((key, action))
        domains = constraint.get("minDomains")
        if domains is not None and domains <= 0:
            out.append(invalid(f"{where}.minDomains", domains, "must be greater than zero"))
        if domains is not None and action != "DoNotSchedule":
            why = "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"
            out.append(invalid(f"{where}.minDomains", domains, why))
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            check_enum(constraint.get(field), f"{where}.{field}", ("Honor", "Ignore"), out)
        if constraint.get("matchLabelKeys") and constraint.get("labelSelector") is None:
            out.append(forbidden(f"{where}.matchLabelKeys", "must not be set when labelSelector is not set"))
        check_selector(constraint.get("labelSelector"), f"{where}.labelSelector", out)


def check_gated_placement(new: Obj, old: Obj, out: Causes) -> None:
    """What a change of a Pod with scheduling gates may do to where it may go: narrow it, never widen it."""
    before, now = old.get("nodeSelector") or {}, new.get("nodeSelector") or {}
    if any(now.get(key) != value for key, value in before.items()):
        why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        out.append(invalid("spec.nodeSelector", now, why))
    terms, changed = required_terms(old) or [], required_terms(new) or []
    path = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"
    if terms and len(terms) != len(changed):
        why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        out.append(invalid(path, changed, why))
        return
    for position, (term, other) in enumerate(zip(terms, changed, strict=False)):
        # An empty term matches nothing and stays so.
        if term != other and not (any(term.values()) and _has_all(other, term)):
            out.append(invalid(f"{path}[{position}]", other, _ONLY_ADDED))


def _has_all(term: Obj, before: Obj) -> bool:
    """Whether a term begins with all requirements of the former one."""
    fields = ("matchExpressions", "matchFields")
    return all((term.get(field) or [])[: len(before.get(field) or ())] == (before.get(field) or []) for field in fields)
