"""One scheduling decision: a pod, a snapshot and a draw lead to a node, a preemption, or the reasons why not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from homeostat.scheduler.filters import examined, fitting, no_node_message, too_small
from homeostat.scheduler.podinfo import PodInfo
from homeostat.scheduler.preemption import BEING_FREED, Preemption, is_freed_for, preempt
from homeostat.scheduler.scores import best, score
from homeostat.scheduler.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Nomination:
    """A pod that waits for room on the node on which others are making it."""

    pod: PodInfo
    node: str


@dataclass(frozen=True, slots=True)
class Placement:
    """The node, or with an empty one the message that says why there is none and what preemption would do.
    `nominated_node` is the node on which room is made for the pod, by this decision or by an earlier one."""

    node: str
    message: str = ""
    preemption: Preemption | None = None
    nominated_node: str = ""


# Nominations by the key of their pod.
Nominations = Mapping[str, Nomination]
_NO_NOMINATIONS: Nominations = MappingProxyType({})


def place(snapshot: Snapshot, pod: PodInfo, draw: int, nominations: Nominations = _NO_NOMINATIONS) -> Placement:
    """Decide about one pod. `draw`, any non-negative integer, chooses between nodes that are equally good. Room that
    is reserved for nominated pods of the same or higher priority is not given away."""
    if pod.needs.unsupported:
        return Placement("", f"0/{len(snapshot.rows)} nodes are available: {pod.needs.unsupported}.")
    own = nominations[pod.key].node if pod.key in nominations else ""
    others = [each for key, each in nominations.items() if key != pod.key and each.pod.priority >= pod.priority]
    rows = fitting(snapshot, pod)
    number = int(np.count_nonzero(rows))
    if others and number:
        # As if the others were there already; but they are not, so it must fit without them too.
        _assume(snapshot, others)
        rows &= fitting(snapshot, pod)
        _forget(snapshot, others)
        number = int(np.count_nonzero(rows))
    if not number:
        return _nowhere(snapshot, pod, own, others)
    if own in snapshot.rows and rows[snapshot.rows[own]]:
        return Placement(own)
    row = int(np.argmax(rows)) if number == 1 else best(score(snapshot, pod, rows), rows, draw)
    return Placement(snapshot.name_of(row))


def _nowhere(snapshot: Snapshot, pod: PodInfo, own: str, others: Sequence[Nomination]) -> Placement:
    _assume(snapshot, others)
    found = examined(snapshot, pod)
    is_being_freed = is_freed_for(snapshot, pod, own)
    preemption, why_not = None, BEING_FREED
    if not is_being_freed:
        preemption, why_not = preempt(snapshot, pod, found.helpable & ~too_small(snapshot, pod))
    _forget(snapshot, others)
    message = no_node_message(len(snapshot.rows), found.reasons)
    if preemption is not None:
        return Placement("", message, preemption, preemption.node)
    if snapshot.rows:
        message = f"{message} preemption: {why_not}"
    return Placement("", message, nominated_node=own if is_being_freed else "")


def _assume(snapshot: Snapshot, nominations: Sequence[Nomination]) -> None:
    for nomination in nominations:
        snapshot.add_pod(nomination.pod, nomination.node)


def _forget(snapshot: Snapshot, nominations: Sequence[Nomination]) -> None:
    for nomination in nominations:
        snapshot.remove_pod(nomination.pod.key)
