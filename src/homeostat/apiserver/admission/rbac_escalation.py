"""RBAC escalation: nobody grants what they do not hold, unless they may `escalate` the role or `bind` it.

Rule: pkg/registry/rbac/*/policybased.
"""

from __future__ import annotations

from homeostat.api import kinds
from homeostat.api.errors import not_found
from homeostat.api.types import Obj
from homeostat.apiserver.admission.plugin import CREATE, UPDATE, Plugin, refuse
from homeostat.apiserver.authz.rbac import MASTERS, Rbac
from homeostat.apiserver.authz.rbac_rules import Rule, TooManyRules, describe, missing, parse_all
from homeostat.apiserver.contract import Attributes, RequestInfo

_ROLES = (kinds.ROLE, kinds.CLUSTERROLE)
_BINDINGS = (kinds.ROLEBINDING, kinds.CLUSTERROLEBINDING)


class RbacEscalation(Plugin):
    """See the module."""

    name = "RBACEscalation"
    validates = frozenset(kind.plural for kind in (*_ROLES, *_BINDINGS))

    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    async def validate(self, attributes: Attributes) -> None:
        """Refuse with 403, naming what is not held."""
        if attributes.kind.group != kinds.ROLE.group or attributes.operation not in (CREATE, UPDATE):
            return
        if attributes.obj is None or MASTERS in attributes.user.groups:
            return
        if attributes.kind in _ROLES:
            self._check_role(attributes, attributes.obj)
        elif attributes.kind in _BINDINGS:
            self._check_binding(attributes, attributes.obj)

    def _check_role(self, attributes: Attributes, role: Obj) -> None:
        old = attributes.old
        same = ("rules", "aggregationRule")
        if old is not None and all((old.get(part) or None) == (role.get(part) or None) for part in same):
            return
        if self._may(attributes, "escalate", attributes.kind.plural, attributes.name):
            return
        if role.get("aggregationRule"):
            held = self._rbac.rules(attributes.user, "")
            self._require(attributes, held, (Rule(_ANY, _ANY, _ANY), Rule(_ANY, urls=("*",))))
            return
        self._require(attributes, self._rbac.rules(attributes.user, attributes.namespace), parse_all(role.get("rules")))

    def _check_binding(self, attributes: Attributes, binding: Obj) -> None:
        old = attributes.old
        if old is not None and all(old.get(part) == binding.get(part) for part in ("subjects", "roleRef")):
            return
        reference = binding.get("roleRef") or {}
        kind, name = reference.get("kind", ""), reference.get("name", "")
        plural = "roles" if kind == "Role" else "clusterroles"
        if self._may(attributes, "bind", plural, name):
            return
        rules = self._rbac.role_rules(kind, attributes.namespace, name)
        if rules is None:
            raise not_found(plural, kinds.ROLE.group, name)
        self._require(attributes, self._rbac.rules(attributes.user, attributes.namespace), rules)

    def _may(self, attributes: Attributes, verb: str, plural: str, name: str) -> bool:
        info = RequestInfo(
            verb,
            "",
            is_resource=True,
            group=kinds.ROLE.group,
            version="v1",
            resource=plural,
            namespace=attributes.namespace,
            name=name,
        )
        return self._rbac.allowed(attributes.user, info)[0]

    def _require(self, attributes: Attributes, held: list[Rule], asked: tuple[Rule, ...]) -> None:
        user = attributes.user
        groups = ", ".join(f'"{group}"' for group in user.groups)
        who = f'user "{user.name}" (groups=[{groups}])'
        try:
            lacking = missing(held, asked)
        except TooManyRules:
            many = "is attempting to grant more RBAC permissions than can be compared with those currently held"
            raise refuse(attributes, f"{who} {many}: divide them between several roles") from None
        if not lacking:
            return
        listed = "\n".join(describe(rule) for rule in lacking)
        raise refuse(attributes, f"{who} is attempting to grant RBAC permissions not currently held:\n{listed}")


_ANY = frozenset(("*",))
