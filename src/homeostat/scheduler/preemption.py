"""Preemption: which pods of lower priority have to go so that a pod fits, and on which node. Pure.

The rule is kube-scheduler's: a node qualifies when without its lower-priority pods the pod would pass every filter;
then pods come back, the most important first, as long as it still does. The node whose victims matter least wins.
PodDisruptionBudgets are not weighed, as they bind nobody in preemption.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from homeostat.scheduler.filters import fitting, no_node_message
from homeostat.scheduler.podinfo import PodInfo
from homeostat.scheduler.snapshot import Mask, Snapshot

_CANDIDATES_MAX = 100
BEING_FREED = "not eligible due to a terminating pod on the nominated node."
_NO_VICTIMS = "No preemption victims found for incoming pod"
_NOT_HELPFUL = "Preemption is not helpful for scheduling"


@dataclass(frozen=True, slots=True)
class Preemption:
    """The node to free and the pods to delete there."""

    node: str
    victims: tuple[PodInfo, ...]


def preempt(snapshot: Snapshot, pod: PodInfo, helpable: Mask) -> tuple[Preemption | None, str]:
    """The best preemption on one of the `helpable` rows, or why there is none. The snapshot is left as it was."""
    if not pod.needs.may_preempt:
        return None, "not eligible due to preemptionPolicy=Never."
    options: list[Preemption] = []
    if min(snapshot.priorities, default=pod.priority) < pod.priority:
        for row in np.flatnonzero(helpable)[:_CANDIDATES_MAX]:
            victims = _victims(snapshot, pod, int(row))
            if victims:
                options.append(Preemption(snapshot.name_of(int(row)), tuple(victims)))
    if options:
        return min(options, key=_cost), ""
    hopeful = int(np.count_nonzero(helpable))
    hopeless = len(snapshot.rows) - hopeful
    reasons = {text: number for text, number in ((_NO_VICTIMS, hopeful), (_NOT_HELPFUL, hopeless)) if number}
    return None, no_node_message(len(snapshot.rows), reasons)


def is_freed_for(snapshot: Snapshot, pod: PodInfo, node: str) -> bool:
    """Whether pods of lower priority are on their way out of the node that was promised to the pod: then it waits for
    them, and nobody else has to go."""
    row = snapshot.rows.get(node, -1)
    return any(other.deleting and other.priority < pod.priority for other in snapshot.on_row.get(row, {}).values())


def _cost(option: Preemption) -> tuple[int, int, int, str]:
    priorities = [victim.priority for victim in option.victims]
    return max(priorities), sum(priorities), len(priorities), option.node


def _victims(snapshot: Snapshot, pod: PodInfo, row: int) -> list[PodInfo]:
    node = snapshot.name_of(row)
    lower = [other for other in snapshot.on_row.get(row, {}).values() if other.priority < pod.priority]
    if not lower:
        return []
    for other in lower:
        snapshot.remove_pod(other.key)
    victims: list[PodInfo] = []
    if fitting(snapshot, pod)[row]:
        # Of equal priority those that run for longer matter more.
        for other in sorted(lower, key=lambda each: (-each.priority, each.since, each.key)):
            snapshot.add_pod(other, node)
            if not fitting(snapshot, pod)[row]:
                snapshot.remove_pod(other.key)
                victims.append(other)
    for other in lower:
        snapshot.add_pod(other, node)
    return victims
