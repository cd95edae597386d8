"""Preemption: which pods of lower priority have to go so that a pod fits, and on which node. Pure.

The rule is kube-scheduler's: a node qualifies when without its lower-priority pods the pod would pass every filter;
then pods come back, the most important first, as long as it still does. The node whose victims matter least wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from homeostat.scheduler.filters import feasible
from homeostat.scheduler.podinfo import PodInfo
from homeostat.scheduler.snapshot import Mask, Snapshot

_CANDIDATES_MAX = 100


@dataclass(frozen=True, slots=True)
class Preemption:
    """The node to free and the pods to delete there."""

    node: str
    victims: tuple[PodInfo, ...]


def preempt(snapshot: Snapshot, pod: PodInfo, resolvable: Mask) -> Preemption | None:
    """The best preemption, or None. The snapshot is left as it was."""
    if not pod.may_preempt:
        return None
    options: list[Preemption] = []
    for row in np.flatnonzero(resolvable)[:_CANDIDATES_MAX]:
        victims = _victims(snapshot, pod, int(row))
        if victims:
            options.append(Preemption(snapshot.name_of(int(row)), tuple(victims)))
    return min(options, key=_cost, default=None)


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
    fits = bool(feasible(snapshot, pod).mask[row])
    if fits:
        for other in sorted(lower, key=lambda each: (-each.priority, each.key)):
            snapshot.add_pod(other, node)
            if not feasible(snapshot, pod).mask[row]:
                snapshot.remove_pod(other.key)
                victims.append(other)
    for other in lower:
        snapshot.add_pod(other, node)
    return victims
