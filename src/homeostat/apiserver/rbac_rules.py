"""RBAC rules as data: what one rule allows, and whether a set of rules covers another (escalation).

Pure. Rules: k8s.io/api/rbac/v1 PolicyRule and component-helpers/auth/rbac/validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from homeostat.api.types import Obj

ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """A PolicyRule. Resources may be `pods`, `pods/log`, `*/scale` or `*`; URLs may end in `*`."""

    verbs: frozenset[str]
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    urls: tuple[str, ...] = ()

    def has_verb(self, verb: str) -> bool:
        """Whether the rule is about `verb`."""
        return verb in self.verbs or ALL in self.verbs

    def has_resource(self, group: str, resource: str, subresource: str) -> bool:
        """Whether the rule is about the resource, names aside."""
        if group not in self.groups and ALL not in self.groups:
            return False
        if ALL in self.resources:
            return True
        if not subresource:
            return resource in self.resources
        return f"{resource}/{subresource}" in self.resources or f"*/{subresource}" in self.resources

    def has_url(self, path: str) -> bool:
        """Whether the rule is about a path that is no resource."""
        return any(url_covers(url, path) for url in self.urls)


def parse(rule: Obj) -> Rule:
    """The rule of a Role's `rules` entry."""
    return Rule(
        verbs=frozenset(rule.get("verbs") or ()),
        groups=frozenset(rule.get("apiGroups") or ()),
        resources=frozenset(rule.get("resources") or ()),
        names=frozenset(rule.get("resourceNames") or ()),
        urls=tuple(rule.get("nonResourceURLs") or ()),
    )


def parse_all(rules: Iterable[Obj] | None) -> tuple[Rule, ...]:
    """The rules of a Role."""
    return tuple(parse(rule) for rule in rules or ())


def url_covers(pattern: str, path: str) -> bool:
    """`*`, the path itself, or a prefix that ends in `*`."""
    if pattern in (ALL, path):
        return True
    return pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL))


def missing(held: Sequence[Rule], asked: Sequence[Rule]) -> list[Rule]:
    """The single permissions of `asked` that no rule of `held` gives; empty when `held` covers all."""
    return [part for rule in asked for part in _single(rule) if not any(_covers(owner, part) for owner in held)]


def _single(rule: Rule) -> list[Rule]:
    """The rule cut into parts of one verb, one group, one resource and one name (or one URL)."""
    parts: list[Rule] = []
    for verb in sorted(rule.verbs):
        one = frozenset((verb,))
        for group in sorted(rule.groups):
            for resource in sorted(rule.resources):
                names = [frozenset((name,)) for name in sorted(rule.names)] or [frozenset()]
                parts += [Rule(one, frozenset((group,)), frozenset((resource,)), name) for name in names]
        parts += [Rule(one, urls=(url,)) for url in rule.urls]
    return parts


def _covers(owner: Rule, part: Rule) -> bool:
    (verb,) = part.verbs
    if not owner.has_verb(verb):
        return False
    if part.urls:
        return owner.has_url(part.urls[0])
    (group,), (written,) = part.groups, part.resources
    resource, _, subresource = written.partition("/")
    if not owner.has_resource(group, resource, subresource):
        return False
    return not owner.names or (bool(part.names) and part.names <= owner.names)


def describe(rule: Rule) -> str:
    """`{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`, as Kubernetes' messages write a rule."""
    fields = (
        ("APIGroups", rule.groups),
        ("Resources", rule.resources),
        ("ResourceNames", rule.names),
        ("NonResourceURLs", rule.urls),
        ("Verbs", rule.verbs),
    )
    shown = [f"{name}:[{', '.join(_quoted(value))}]" for name, value in fields if value]
    return "{" + ", ".join(shown) + "}"


def _quoted(values: Iterable[str]) -> list[str]:
    return [f'"{value}"' for value in sorted(values)]
