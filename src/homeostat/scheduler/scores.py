"""The scores: which of the feasible nodes is best. Pure, over columns; the plugins' weights are kube-scheduler's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from homeostat.scheduler.filters import row_sums
from homeostat.scheduler.nodeterms import untolerated
from homeostat.scheduler.podinfo import PodInfo
from homeostat.scheduler.snapshot import CPU, MEMORY, Mask, Snapshot

Scores = npt.NDArray[np.float64]
_MAX = 100.0
_SOFT_TAINTS = frozenset({"PreferNoSchedule"})


def score(snapshot: Snapshot, pod: PodInfo, rows: Mask) -> Scores:
    """A score for each row; only those in `rows` mean anything."""
    total = _resources(snapshot, pod)
    total += 3 * _soft_taints(snapshot, pod, rows)
    total += 2 * _preferred_nodes(snapshot, pod, rows)
    total += 2 * _preferred_pods(snapshot, pod, rows)
    total += 2 * _spreading(snapshot, pod, rows)
    return total


def best(scores: Scores, rows: Mask, draw: int) -> int:
    """The row with the highest score; `draw` (any non-negative integer) decides between equals."""
    candidates = np.flatnonzero(rows)
    values = scores[candidates]
    top = candidates[values >= values.max() - 1e-9]
    return int(top[draw % len(top)])


def _resources(snapshot: Snapshot, pod: PodInfo) -> Scores:
    """LeastAllocated plus BalancedAllocation of cpu and memory."""
    cpu, memory = snapshot.allocatable[CPU], snapshot.allocatable[MEMORY]
    used_cpu = np.minimum((snapshot.nonzero_cpu + pod.nonzero_cpu) / np.maximum(cpu, 1), 1.0)
    used_memory = np.minimum((snapshot.nonzero_memory + pod.nonzero_memory) / np.maximum(memory, 1), 1.0)
    least = _MAX * (2.0 - used_cpu - used_memory) / 2.0
    balanced = _MAX * (1.0 - np.abs(used_cpu - used_memory) / 2.0)
    return np.asarray(least + balanced)


def _normalised(values: Scores, rows: Mask, *, reverse: bool) -> Scores:
    """Spread over 0 to 100 by the largest value; `reverse`: the smallest is best."""
    top = float(values[rows].max()) if rows.any() else 0.0
    if top <= 0:
        return np.full(len(values), _MAX if reverse else 0.0)
    scaled = _MAX * values / top
    return np.asarray(_MAX - scaled if reverse else scaled)


def _soft_taints(snapshot: Snapshot, pod: PodInfo, rows: Mask) -> Scores:
    counts = np.array([len(untolerated(t, pod.tolerations, _SOFT_TAINTS)) for t in snapshot.taint_lists], dtype=float)
    return _normalised(counts[snapshot.taints], rows, reverse=True)


def _preferred_nodes(snapshot: Snapshot, pod: PodInfo, rows: Mask) -> Scores:
    values = np.zeros(snapshot.size)
    if not pod.node_preferred:
        return values
    for row in np.flatnonzero(rows):
        name, labels = snapshot.name_of(int(row)), snapshot.labels_of(int(row))
        values[row] = sum(weight for weight, term in pod.node_preferred if term.matches(name, labels))
    return _normalised(values, rows, reverse=False)


def _preferred_pods(snapshot: Snapshot, pod: PodInfo, rows: Mask) -> Scores:
    values = np.zeros(snapshot.size)
    if not pod.preferred:
        return values
    for term in pod.preferred:
        values += term.weight * row_sums(snapshot, term.topology_key, snapshot.term_counts(term))
    low = float(values[rows].min()) if rows.any() else 0.0
    return _normalised(values - low, rows, reverse=False)


def _spreading(snapshot: Snapshot, pod: PodInfo, rows: Mask) -> Scores:
    """Soft constraints; without any, pods of one controller spread over nodes (the default constraints)."""
    soft = [spread for spread in pod.spreads if not spread.hard]
    values = np.zeros(snapshot.size)
    if soft:
        for spread in soft:
            values += row_sums(snapshot, spread.term.topology_key, snapshot.term_counts(spread.term))
    elif pod.owner and not pod.spreads:
        owner = pod.owner
        values += snapshot.counts(("owner", owner), lambda other: other.owner == owner)
    return _normalised(values, rows, reverse=True)
