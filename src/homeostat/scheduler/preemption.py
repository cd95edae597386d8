"""Preemption: which pods of lower priority to evict so that a pod fits, and on which node. Pure.

The rule is kube-scheduler's: a node qualifies when without its lower-priority pods the pod would pass every filter;
then pods come back as long as it still does, those first that a PodDisruptionBudget protects, the most important
first. The node whose victims matter least wins: budgets are kept where that is possible, but bind nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from homeostat.api import meta
from homeostat.scheduler.filters import fitting, no_node_message
from homeostat.scheduler.podinfo import PodInfo
from homeostat.scheduler.snapshot import Mask, Snapshot

_CANDIDATES_MAX = 100
# Added to each victim's priority, so that more victims always weigh more, even of negative priority.
_PRIORITY_OFFSET = 2**31
BEING_FREED = "not eligible due to a terminating pod on the nominated node."
_NO_VICTIMS = "No preemption victims found for incoming pod"
_NOT_HELPFUL = "Preemption is not helpful for scheduling"


@dataclass(frozen=True, slots=True)
class Preemption:
    """The node to free and the pods to delete there; `violations` of them go against their budget."""

    node: str
    victims: tuple[PodInfo, ...]
    violations: int = 0


def preempt(snapshot: Snapshot, pod: PodInfo, helpable: Mask) -> tuple[Preemption | None, str]:
    """The best preemption on one of the `helpable` rows, or why there is none. The snapshot is left as it was."""
    if not pod.needs.may_preempt:
        return None, "not eligible due to preemptionPolicy=Never."
    options: list[Preemption] = []
    if min(snapshot.priorities, default=pod.priority) < pod.priority:
        for row in np.flatnonzero(helpable)[:_CANDIDATES_MAX]:
            option = _option(snapshot, pod, int(row))
            if option.victims:
                options.append(option)
    if options:
        return _least(options), ""
    hopeful = int(np.count_nonzero(helpable))
    hopeless = len(snapshot.rows) - hopeful
    reasons = {text: number for text, number in ((_NO_VICTIMS, hopeful), (_NOT_HELPFUL, hopeless)) if number}
    return None, no_node_message(len(snapshot.rows), reasons)


def is_freed_for(snapshot: Snapshot, pod: PodInfo, node: str) -> bool:
    """Whether pods of lower priority are terminating on the pod's nominated node: then it waits for them, and no other
    pod is preempted ."""
    row = snapshot.rows.get(node, -1)
    return any(other.deleting and other.priority < pod.priority for other in snapshot.on_row.get(row, {}).values())


def _least(options: list[Preemption]) -> Preemption:
    """The option whose victims matter least; of equal ones that whose important victims have run the shortest."""
    lowest = min(_cost(option) for option in options)
    # `max` keeps the first of equals, so the names decide last.
    equals = sorted((option for option in options if _cost(option) == lowest), key=lambda option: option.node)
    return max(equals, key=_running_since)


def _cost(option: Preemption) -> tuple[int, int, int, int]:
    priorities = [victim.priority for victim in option.victims]
    total = sum(priority + _PRIORITY_OFFSET for priority in priorities)
    return option.violations, max(priorities), total, len(priorities)


def _running_since(option: Preemption) -> str:
    """When the first of the most important victims was started."""
    highest = max(victim.priority for victim in option.victims)
    return min(victim.since for victim in option.victims if victim.priority == highest)


def _importance(pod: PodInfo) -> tuple[int, str, str]:
    """Sorts the most important pod first; of equal priority those that run for longer matter more."""
    return -pod.priority, pod.since, pod.key


def _option(snapshot: Snapshot, pod: PodInfo, row: int) -> Preemption:
    """The pods to preempt on the row's node; none when that would not help."""
    node = snapshot.name_of(row)
    lower = [other for other in snapshot.on_row.get(row, {}).values() if other.priority < pod.priority]
    if not lower:
        return Preemption(node, ())
    for other in lower:
        snapshot.remove_pod(other.key)
    victims: list[PodInfo] = []
    violations = 0
    if fitting(snapshot, pod)[row]:
        protected, others = _by_protection(snapshot, sorted(lower, key=_importance))
        for other in protected + others:
            snapshot.add_pod(other, node)
            if not fitting(snapshot, pod)[row]:
                snapshot.remove_pod(other.key)
                victims.append(other)
        violations = len(set(victims).intersection(protected))
    for other in lower:
        snapshot.add_pod(other, node)
    return Preemption(node, tuple(sorted(victims, key=_importance)), violations)


def _by_protection(snapshot: Snapshot, pods: list[PodInfo]) -> tuple[list[PodInfo], list[PodInfo]]:
    """The pods whose end would go against a budget, and the others, if they went in this order."""
    left = {budget: budget.allowed for budget in snapshot.budgets.values()}
    protected: list[PodInfo] = []
    others: list[PodInfo] = []
    for pod in pods:
        violates = False
        for budget in left:
            if budget.counts(pod.namespace, meta.name(pod.pod), pod.labels):
                left[budget] -= 1
                violates = violates or left[budget] < 0
        (protected if violates else others).append(pod)
    return protected, others
