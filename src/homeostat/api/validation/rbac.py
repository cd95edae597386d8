"""Roles and their bindings. Rules: pkg/apis/rbac/validation."""

from __future__ import annotations

from homeostat.api import names
from homeostat.api.fields import Causes, invalid, not_supported, required
from homeostat.api.types import Obj
from homeostat.api.validation.common import check_selector

GROUP = "rbac.authorization.k8s.io"


def check_role(obj: Obj, out: Causes) -> None:
    """A Role: its rules are about resources."""
    _check_rules(obj, out, namespaced=True)


def check_cluster_role(obj: Obj, out: Causes) -> None:
    """A ClusterRole: its rules may be about URLs, and it may aggregate others."""
    _check_rules(obj, out, namespaced=False)
    if obj.get("aggregationRule") is None:
        return
    path = "aggregationRule.clusterRoleSelectors"
    chosen = obj["aggregationRule"].get("clusterRoleSelectors") or ()
    if not chosen:
        out.append(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
    for position, selector in enumerate(chosen):
        check_selector(selector, f"{path}[{position}]", out)


def _check_rules(obj: Obj, out: Causes, *, namespaced: bool) -> None:
    for position, rule in enumerate(obj.get("rules") or ()):
        path = f"rules[{position}]"
        if not rule.get("verbs"):
            out.append(required(f"{path}.verbs", "verbs must contain at least one value"))
        urls = rule.get("nonResourceURLs")
        if urls:
            if namespaced:
                why = "namespaced rules cannot apply to non-resource URLs"
                out.append(invalid(f"{path}.nonResourceURLs", urls, why))
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                why = "rules cannot apply to both regular resources and non-resource URLs"
                out.append(invalid(f"{path}.nonResourceURLs", urls, why))
            continue
        if not rule.get("apiGroups"):
            out.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            out.append(required(f"{path}.resources", "resource rules must supply at least one resource"))


def check_role_binding(obj: Obj, out: Causes) -> None:
    """A RoleBinding refers to a Role or a ClusterRole."""
    _check_binding(obj, ("ClusterRole", "Role"), out)


def check_cluster_role_binding(obj: Obj, out: Causes) -> None:
    """A ClusterRoleBinding refers to a ClusterRole."""
    _check_binding(obj, ("ClusterRole",), out)


def _check_binding(obj: Obj, kinds: tuple[str, ...], out: Causes) -> None:
    role = obj.get("roleRef") or {}
    if role.get("apiGroup") != GROUP:
        out.append(not_supported("roleRef.apiGroup", role.get("apiGroup") or "", (GROUP,)))
    if role.get("kind") not in kinds:
        out.append(not_supported("roleRef.kind", role.get("kind") or "", kinds))
    if not role.get("name"):
        out.append(required("roleRef.name"))
    else:
        out += [invalid("roleRef.name", role["name"], why) for why in names.path_segment(role["name"])]
    for position, subject in enumerate(obj.get("subjects") or ()):
        _check_subject(subject, f"subjects[{position}]", out)


def _check_subject(subject: Obj, path: str, out: Causes) -> None:
    if not subject.get("name"):
        out.append(required(f"{path}.name"))
    group = subject.get("apiGroup") or ""
    match subject.get("kind"):
        case "ServiceAccount":
            if name := subject.get("name"):
                out += [invalid(f"{path}.name", name, why) for why in names.dns1123_subdomain(name)]
            if group:
                out.append(not_supported(f"{path}.apiGroup", group, ("",)))
            if not subject.get("namespace"):
                out.append(required(f"{path}.namespace"))
        case "User" | "Group":
            if group != GROUP:
                out.append(not_supported(f"{path}.apiGroup", group, (GROUP,)))
        case other:
            out.append(not_supported(f"{path}.kind", other or "", ("Group", "ServiceAccount", "User")))


def check_binding_update(new: Obj, old: Obj, out: Causes) -> None:
    """A binding keeps its role."""
    if new.get("roleRef") != old.get("roleRef"):
        out.append(invalid("roleRef", new.get("roleRef"), "cannot change roleRef"))
