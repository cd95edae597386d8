"""One scheduling decision: a pod, a snapshot and a draw lead to a node, a preemption, or the reasons why not. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from homeostat.scheduler.filters import feasible, unschedulable_message
from homeostat.scheduler.podinfo import PodInfo
from homeostat.scheduler.preemption import Preemption, preempt
from homeostat.scheduler.scores import best, score
from homeostat.scheduler.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Placement:
    """The node, or with an empty one the message that says why there is none and what preemption would do."""

    node: str
    message: str = ""
    preemption: Preemption | None = None


def place(snapshot: Snapshot, pod: PodInfo, draw: int) -> Placement:
    """Decide about one pod. `draw`, any non-negative integer, chooses between nodes that are equally good."""
    found = feasible(snapshot, pod)
    if found.mask.any():
        rows = found.mask
        number = int(np.count_nonzero(rows))
        row = int(np.argmax(rows)) if number == 1 else best(score(snapshot, pod, rows), rows, draw)
        return Placement(snapshot.name_of(row))
    preemption = preempt(snapshot, pod, found.resolvable)
    message = unschedulable_message(len(snapshot.rows), found.reasons)
    return Placement("", message, preemption)
