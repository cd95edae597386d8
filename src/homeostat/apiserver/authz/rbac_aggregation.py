"""ClusterRoles and what they aggregate: a graph of roles and selectors, walked from a role when its rules are asked.

A role without an aggregation rule has the rules written in it. One with an aggregation rule has those of the roles that
its selectors match, of whatever these match, and so on; what is written in it does not count, as the aggregation
controller of Kubernetes overwrites it. Roles may select each other: each role and each link is visited once.

Pure. Rule: pkg/controller/clusterroleaggregation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from homeostat.api import meta
from homeostat.api.selecting import label_selectors
from homeostat.api.selecting.label_selectors import LabelSelector, Requirement
from homeostat.api.types import Obj
from homeostat.apiserver.authz.rbac_rules import Rule, parse_all

# Equal selectors are one: roles that say the same have one node of the graph between them.
_SelectorKey: TypeAlias = tuple[bool, tuple[Requirement, ...]]


class ClusterRoles:
    """The ClusterRoles at one moment. Nothing is computed of a role before its rules are asked; then they are kept.

    `steps` counts the work: roles compared with a selector, links followed, rules collected.
    """

    def __init__(self, roles: Iterable[Obj]) -> None:
        self.steps = 0
        self._roles = {meta.name(role): role for role in roles}
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._matches: dict[_SelectorKey, list[str]] = {}
        self._labelled: dict[tuple[str, str], list[str]] | None = None

    def __contains__(self, name: str) -> bool:
        return name in self._roles

    def rules(self, name: str) -> tuple[Rule, ...]:
        """The rules of the role, each once; empty when there is no such role."""
        found = self._rules.get(name)
        if found is None:
            role = self._roles.get(name) or {}
            found = parse_all(role.get("rules")) if role.get("aggregationRule") is None else self._united(name)
            self._rules[name] = found
        return found

    def _united(self, name: str) -> tuple[Rule, ...]:
        """The rules of all roles that can be reached from the role and aggregate nothing themselves."""
        collected: dict[Rule, None] = {}
        seen, waiting = {name}, [name]
        walked: set[_SelectorKey] = set()
        while waiting:
            role = waiting.pop()
            for selector in _selectors_of(self._roles[role]):
                key = (selector.nothing, selector.requirements)
                if key in walked:
                    continue
                walked.add(key)
                for other in self._matching(key, selector):
                    self.steps += 1
                    if other in seen:
                        continue
                    seen.add(other)
                    if self._roles[other].get("aggregationRule") is not None:
                        waiting.append(other)
                    else:
                        rules = self.rules(other)
                        self.steps += len(rules)
                        collected.update(dict.fromkeys(rules))
        return tuple(collected)

    def _matching(self, key: _SelectorKey, selector: LabelSelector) -> list[str]:
        found = self._matches.get(key)
        if found is None:
            candidates = self._candidates(selector)
            self.steps += len(candidates)
            found = [name for name in candidates if selector.matches(self._roles[name]["metadata"].get("labels"))]
            self._matches[key] = found
        return found

    def _candidates(self, selector: LabelSelector) -> Sequence[str]:
        """Roles that the selector may match, by one of its labels."""
        if not selector.equal:
            return list(self._roles)
        if self._labelled is None:
            self._labelled = defaultdict(list)
            for name, role in self._roles.items():
                for pair in (role["metadata"].get("labels") or {}).items():
                    self._labelled[pair].append(name)
        return min((self._labelled.get(pair, []) for pair in selector.equal), key=len)


def _selectors_of(role: Obj) -> list[LabelSelector]:
    made: list[LabelSelector] = []
    for written in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        try:
            made.append(label_selectors.of_label_selector(written))
        except label_selectors.SelectorError:
            # Stored before selectors were validated: it selects nothing, and no request fails for it.
            continue
    return made
