"""RBAC rules as data: what one rule allows, and whether a set of rules covers another (escalation).

Pure. Rules: k8s.io/api/rbac/v1 PolicyRule and component-helpers/auth/rbac/validation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

from homeostat.api.types import Obj

ALL = "*"
# How many permissions that are not held a refusal lists.
MISSING_MAX = 100
# How many comparisons a grant may take: a role of thousands of rules, by somebody with as many, asks for billions.
COMPARISONS_MAX = 2_000_000


class TooManyRules(Exception):
    """What is asked for cannot be compared with what is held within COMPARISONS_MAX."""


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
        return self.has_group(group) and self.names_resource(resource, subresource)

    def has_group(self, group: str) -> bool:
        """Whether the rule is about resources of the API group."""
        return group in self.groups or ALL in self.groups

    def names_resource(self, resource: str, subresource: str) -> bool:
        """Whether the rule is about the resource, in the groups that it is about."""
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
    """The single permissions of `asked` that no rule of `held` gives, the first MISSING_MAX; empty when all are held.

    A rule of a few thousand verbs and resources has millions of single permissions: they are not looked at one by one,
    but in classes of those that the same held rules are about. Raises TooManyRules.
    """
    look = _Look(list(dict.fromkeys(held)))
    return list(islice((part for rule in dict.fromkeys(asked) for part in look.lacking(rule)), MISSING_MAX))


class _Look:
    """One comparison with the rules `held`; counts its steps."""

    def __init__(self, held: Sequence[Rule]) -> None:
        self._held = held
        self._steps = 0

    def lacking(self, rule: Rule) -> Iterator[Rule]:
        """The parts of one verb, one group, one resource and one name (or one URL) that no held rule gives."""
        verbs = self._classes(rule.verbs, Rule.has_verb)
        groups = self._classes(rule.groups, Rule.has_group)
        resources = self._classes(rule.resources, _names)
        names = self._classes(rule.names or ("",), lambda owner, name: not owner.names or name in owner.names)
        for (by_verb, of_verb), (by_group, of_group) in product(verbs, groups):
            for by_resource, of_resource in resources:
                owners = by_verb & by_group & by_resource
                self._count(len(names))
                for by_name, of_name in names:
                    if owners & by_name:
                        continue
                    for verb, group, resource, name in product(of_verb, of_group, of_resource, of_name):
                        one = (frozenset((verb,)), frozenset((group,)), frozenset((resource,)))
                        yield Rule(*one, frozenset((name,)) if rule.names else frozenset())
        urls = self._classes(rule.urls, Rule.has_url)
        self._count(len(verbs) * len(urls))
        for (by_verb, of_verb), (by_url, of_url) in product(verbs, urls):
            if not by_verb & by_url:
                for verb, url in product(of_verb, of_url):
                    yield Rule(frozenset((verb,)), urls=(url,))

    def _classes(self, values: Collection[str], gives: Callable[[Rule, str], bool]) -> list[tuple[int, list[str]]]:
        """The values in classes: those that the same held rules are about, each class with these rules as bits."""
        self._count(len(values) * len(self._held))
        found: dict[int, list[str]] = {}
        for value in sorted(values):
            bits = sum(1 << place for place, owner in enumerate(self._held) if gives(owner, value))
            found.setdefault(bits, []).append(value)
        return list(found.items())

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > COMPARISONS_MAX:
            raise TooManyRules


def _names(owner: Rule, written: str) -> bool:
    resource, _, subresource = written.partition("/")
    return owner.names_resource(resource, subresource)


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
