"""RBAC: who may do what, from the Roles, ClusterRoles and their bindings that exist now.

The index of who holds which role is compiled when an RBAC object changes and decisions are kept per user, verb and
resource, so that a request costs a lookup. What a role allows is read, and united with what it aggregates
(`rbac_aggregation`), when somebody who holds it asks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from homeostat.api import errors, kinds, meta
from homeostat.api.types import Obj
from homeostat.apiserver.authz.rbac_aggregation import ClusterRoles
from homeostat.apiserver.authz.rbac_rules import Rule, parse_all
from homeostat.apiserver.contract import Reader, RequestInfo
from homeostat.wire.message import User

MASTERS = "system:masters"
_DECISIONS_MAX = 50_000


@dataclass(frozen=True, slots=True)
class Grant:
    """What one binding grants; `namespace` is empty for all namespaces; `reason` for SubjectAccessReview."""

    namespace: str
    reason: str
    role: Callable[[], tuple[Rule, ...]]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of the role that is bound."""
        return self.role()


@dataclass(slots=True)
class _Decision:
    """`reason` is set where all names are allowed; else `names` are."""

    reason: str = ""
    names: dict[str, str] = field(default_factory=dict)


class Rbac:
    """The authorizer."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kinds = (kinds.ROLE, kinds.CLUSTERROLE, kinds.ROLEBINDING, kinds.CLUSTERROLEBINDING)
        self._stamp: tuple[int, ...] | None = None
        self._by_user: dict[str, list[Grant]] = {}
        self._by_group: dict[str, list[Grant]] = {}
        self._roles: dict[tuple[str, str], Obj] = {}
        self._role_rules: dict[tuple[str, str], tuple[Rule, ...]] = {}
        self._cluster_roles = ClusterRoles(())
        self._decisions: dict[tuple[object, ...], _Decision] = {}

    def allowed(self, user: User, info: RequestInfo) -> tuple[bool, str]:
        """Whether `user` may do what `info` says, and by which binding."""
        if MASTERS in user.groups:
            return True, ""
        self._refresh()
        key = (
            user.name,
            user.groups,
            info.verb,
            info.group,
            info.resource if info.is_resource else info.path,
            info.subresource,
            info.namespace,
            info.is_resource,
        )
        decision = self._decisions.get(key)
        if decision is None:
            if len(self._decisions) >= _DECISIONS_MAX:
                self._decisions.clear()
            decision = self._decisions[key] = self._decide(user, info)
        if decision.reason:
            return True, decision.reason
        reason = decision.names.get(info.name) if info.name else None
        return (True, reason) if reason is not None else (False, "")

    def grants(self, user: User, namespace: str) -> list[Grant]:
        """What the user holds in `namespace` (and everywhere); with an empty namespace only what holds everywhere."""
        self._refresh()
        held = list(self._by_user.get(user.name, ()))
        for group in user.groups:
            held += self._by_group.get(group, ())
        return [grant for grant in held if not grant.namespace or grant.namespace == namespace]

    def rules(self, user: User, namespace: str) -> list[Rule]:
        """The rules of `grants`; system:masters has all permissions."""
        if MASTERS in user.groups:
            everything = frozenset(("*",))
            return [Rule(everything, everything, everything), Rule(everything, urls=("*",))]
        return [rule for grant in self.grants(user, namespace) for rule in grant.rules]

    def role_rules(self, kind: str, namespace: str, name: str) -> tuple[Rule, ...] | None:
        """The rules of a Role or ClusterRole, aggregation included; None when there is no such role."""
        self._refresh()
        role = self._role(kind, namespace, name)
        return None if role is None else role()

    def _role(self, kind: str, namespace: str, name: str) -> Callable[[], tuple[Rule, ...]] | None:
        """What gives the rules of a role; None when there is no such role."""
        if kind != "Role":
            return partial(self._cluster_roles.rules, name) if name in self._cluster_roles else None
        return partial(self._rules_of_role, (namespace, name)) if (namespace, name) in self._roles else None

    def _rules_of_role(self, place: tuple[str, str]) -> tuple[Rule, ...]:
        found = self._role_rules.get(place)
        if found is None:
            found = self._role_rules[place] = parse_all(self._roles[place].get("rules"))
        return found

    def _decide(self, user: User, info: RequestInfo) -> _Decision:
        decision = _Decision()
        for grant in self.grants(user, info.namespace if info.is_resource else ""):
            for rule in grant.rules:
                if not rule.has_verb(info.verb):
                    continue
                if not info.is_resource:
                    if rule.has_url(info.path):
                        return _Decision(grant.reason)
                elif rule.has_resource(info.group, info.resource, info.subresource):
                    if not rule.names:
                        return _Decision(grant.reason)
                    decision.names.update(dict.fromkeys(rule.names, grant.reason))
        return decision

    def _refresh(self) -> None:
        revision = self._reader.revision
        stamp = tuple([revision(kind) for kind in self._kinds])
        if stamp == self._stamp:
            return
        role, cluster_role, role_binding, cluster_role_binding = self._kinds
        self._cluster_roles = ClusterRoles(self._reader.list(cluster_role))
        self._roles = {(meta.namespace(obj), meta.name(obj)): obj for obj in self._reader.list(role)}
        self._role_rules = {}
        by_user: dict[str, list[Grant]] = defaultdict(list)
        by_group: dict[str, list[Grant]] = defaultdict(list)
        for binding in (*self._reader.list(cluster_role_binding), *self._reader.list(role_binding)):
            self._bind(binding, by_user, by_group)
        self._by_user, self._by_group = dict(by_user), dict(by_group)
        self._decisions = {}
        self._stamp = stamp

    def _bind(self, binding: Obj, by_user: dict[str, list[Grant]], by_group: dict[str, list[Grant]]) -> None:
        namespace = binding["metadata"].get("namespace", "")
        reference = binding.get("roleRef") or {}
        role = self._role(reference.get("kind", ""), namespace, reference.get("name", ""))
        if role is None:
            return
        for subject in binding.get("subjects") or ():
            grant = Grant(namespace, _reason(binding, reference, subject, namespace), role)
            if subject.get("kind") == "ServiceAccount":
                owner = f"system:serviceaccount:{subject.get('namespace') or namespace}:{subject.get('name')}"
                by_user[owner].append(grant)
            elif subject.get("kind") == "Group":
                by_group[subject.get("name", "")].append(grant)
            else:
                by_user[subject.get("name", "")].append(grant)


def _reason(binding: Obj, reference: Obj, subject: Obj, namespace: str) -> str:
    name = binding["metadata"]["name"]
    which = f'RoleBinding "{name}/{namespace}"' if namespace else f'ClusterRoleBinding "{name}"'
    who = subject.get("name", "")
    if subject.get("kind") == "ServiceAccount":
        who = f"{who}/{subject.get('namespace') or namespace}"
    return f'RBAC: allowed by {which} of {reference.get("kind")} "{reference.get("name")}" to {subject["kind"]} "{who}"'


def denial(user: User, info: RequestInfo, why: str = "") -> errors.ApiError:
    """403 in Kubernetes' words; `why` is the authorizer's addition."""
    tail = f": {why}" if why else ""
    if not info.is_resource:
        text = f'forbidden: User "{user.name}" cannot {info.verb} path "{info.path}"{tail}'
        return errors.ApiError(403, "Forbidden", text)
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    where = f'in the namespace "{info.namespace}"' if info.namespace else "at the cluster scope"
    sentence = f'User "{user.name}" cannot {info.verb} resource "{resource}" in API group "{info.group}" {where}{tail}'
    return errors.forbidden(info.resource, info.group, info.name, sentence)
