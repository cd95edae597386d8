"""What one pod says about others: (anti-)affinity terms and topology spread constraints, compiled. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from homeostat.api.rules.nodeaffinity import PREFERRED, REQUIRED
from homeostat.api.selecting import label_selectors
from homeostat.api.selecting.label_selectors import LabelSelector
from homeostat.api.types import Obj

Labels = Mapping[str, str]
# Namespaces by name, with their labels.
Namespaces = Mapping[str, Labels]


@dataclass(frozen=True, slots=True, eq=False)
class PodTerm:
    """One term: which pods, in which namespaces, within which topology. `namespaces` are named, `where` selects more
    by label. `identity` is equal for terms that mean the same pods."""

    selector: LabelSelector
    namespaces: frozenset[str]
    where: LabelSelector | None
    topology_key: str
    weight: int
    identity: tuple[str, ...]

    def matches(self, namespace: str, labels: Labels, known: Namespaces) -> bool:
        """Whether a pod with these labels is meant; `known` holds the labels of the namespaces."""
        if not self.selector.matches(labels):
            return False
        if namespace in self.namespaces:
            return True
        return self.where is not None and (self.where.everything or self.where.matches(known.get(namespace)))


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """One topology spread constraint. `hard`: DoNotSchedule."""

    term: PodTerm
    max_skew: int
    min_domains: int
    hard: bool
    honor_taints: bool
    honor_affinity: bool


def required_terms(affinity: Obj | None, namespace: str, labels: Labels, *, weight: int = 0) -> tuple[PodTerm, ...]:
    """The required terms of a podAffinity or podAntiAffinity of a pod in `namespace` with `labels`."""
    items = (affinity or {}).get(REQUIRED) or ()
    return tuple(_affinity_term(item, namespace, labels, weight) for item in items)


def preferred_terms(affinity: Obj, namespace: str, labels: Labels) -> tuple[PodTerm, ...]:
    """All preferred terms of an affinity; those of anti-affinity have negative weights."""
    return tuple(
        _affinity_term(item["podAffinityTerm"], namespace, labels, sign * int(item["weight"]))
        for part, sign in (("podAffinity", 1), ("podAntiAffinity", -1))
        for item in (affinity.get(part) or {}).get(PREFERRED) or ()
    )


def spreads(constraints: Sequence[Obj], namespace: str, labels: Labels) -> tuple[Spread, ...]:
    """The topology spread constraints of a pod; they count pods of its own namespace."""
    return tuple(_spread(item, namespace, labels) for item in constraints)


def _affinity_term(item: Obj, namespace: str, labels: Labels, weight: int) -> PodTerm:
    named = frozenset(item.get("namespaces") or ())
    where = item.get("namespaceSelector")
    if not named and where is None:
        named = frozenset({namespace})
    return _term(item, labels, named, where, weight)


def _term(item: Obj, labels: Labels, named: frozenset[str], where: Obj | None, weight: int = 0) -> PodTerm:
    selector = item.get("labelSelector")
    compiled = label_selectors.of_label_selector(None if selector is None else _with_own_labels(selector, item, labels))
    chosen = None if where is None else label_selectors.of_label_selector(where)
    identity = (f"{compiled.nothing}{compiled}", ",".join(sorted(named)), "" if where is None else f"where {chosen}")
    return PodTerm(compiled, named, chosen, str(item["topologyKey"]), weight, identity)


def _with_own_labels(selector: Obj, item: Obj, labels: Labels) -> Obj:
    """`matchLabelKeys` and `mismatchLabelKeys`: the pod's own values of these labels narrow the selector."""
    return {**selector, "matchExpressions": [*(selector.get("matchExpressions") or ()), *_own_labels(item, labels)]}


def _own_labels(item: Obj, labels: Labels) -> Iterator[Obj]:
    for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")):
        for key in item.get(field) or ():
            if key in labels:
                yield {"key": key, "operator": operator, "values": [labels[key]]}


def _spread(item: Obj, namespace: str, labels: Labels) -> Spread:
    return Spread(
        term=_term(item, labels, frozenset({namespace}), None),
        max_skew=int(item["maxSkew"]),
        min_domains=int(item.get("minDomains") or 1),
        hard=item.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
        honor_taints=item.get("nodeTaintsPolicy") == "Honor",
        honor_affinity=item.get("nodeAffinityPolicy", "Honor") == "Honor",
    )
