"""The filters: for a pod, which nodes can run it, and for each other node why not. Pure, over columns.

Names, order and words are those of kube-scheduler's plugins, so that an `Unschedulable` message reads as users know it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from homeostat.scheduler.nodeterms import untolerated
from homeostat.scheduler.podinfo import PodInfo, PodTerm, Spread
from homeostat.scheduler.snapshot import PODS, Ints, Mask, Snapshot

HARD_TAINTS = frozenset({"NoSchedule", "NoExecute"})
UNSCHEDULABLE_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}

# A filter gives (the rows that fail, the reason); a row may fail for several reasons within one filter.
Failures = Iterator[tuple[Mask, str]]
Filter = Callable[[Snapshot, PodInfo], Failures]


@dataclass(slots=True)
class Feasible:
    """The rows that passed, and how many nodes failed for each reason. `resolvable` are rows that only lack what
    other pods hold: preemption may help there."""

    mask: Mask
    reasons: dict[str, int] = field(default_factory=dict)
    resolvable: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))


def feasible(snapshot: Snapshot, pod: PodInfo) -> Feasible:
    """Run the filters in order; a node is counted at the first filter that it fails."""
    result = Feasible(snapshot.valid.copy())
    result.resolvable = np.zeros(snapshot.size, dtype=np.bool_)
    for check, resolvable in _FILTERS:
        failed = np.zeros(snapshot.size, dtype=np.bool_)
        for rows, reason in check(snapshot, pod):
            hit = rows & result.mask
            if number := int(np.count_nonzero(hit)):
                result.reasons[reason] = result.reasons.get(reason, 0) + number
                failed |= hit
        result.mask &= ~failed
        if resolvable:
            result.resolvable |= failed
        if not result.mask.any():
            break
    return result


def unschedulable_message(total: int, reasons: dict[str, int]) -> str:
    """`0/5 nodes are available: 2 Insufficient cpu, 3 node(s) were unschedulable.`"""
    if not total:
        return "no nodes available to schedule pods"
    listed = ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items()))
    return f"0/{total} nodes are available: {listed}."


def _unschedulable(snapshot: Snapshot, pod: PodInfo) -> Failures:
    if untolerated([UNSCHEDULABLE_TAINT], pod.tolerations, HARD_TAINTS):
        yield snapshot.unschedulable, "node(s) were unschedulable"


def _node_name(snapshot: Snapshot, pod: PodInfo) -> Failures:
    if pod.node_name:
        rows = np.ones(snapshot.size, dtype=np.bool_)
        if (row := snapshot.rows.get(pod.node_name)) is not None:
            rows[row] = False
        yield rows, "node(s) didn't match the requested node name"


def _taints(snapshot: Snapshot, pod: PodInfo) -> Failures:
    for number, taints in enumerate(snapshot.taint_lists):
        if taints and (missing := untolerated(taints, pod.tolerations, HARD_TAINTS)):
            taint = missing[0]
            text = f"node(s) had untolerated taint {{{taint.get('key')}: {taint.get('value') or ''}}}"
            yield snapshot.taints == number, text


def node_affinity_mask(snapshot: Snapshot, pod: PodInfo) -> Mask:
    """The rows that `nodeSelector` and the required node affinity allow."""
    allowed = snapshot.valid.copy()
    if not pod.node_selector and pod.node_required is None:
        return allowed
    for row in np.flatnonzero(allowed):
        labels, name = snapshot.labels_of(int(row)), snapshot.name_of(int(row))
        fits = all(labels.get(key) == value for key, value in pod.node_selector)
        if fits and pod.node_required is not None:
            fits = any(term.matches(name, labels) for term in pod.node_required)
        allowed[row] = fits
    return allowed


def _node_affinity(snapshot: Snapshot, pod: PodInfo) -> Failures:
    if pod.node_selector or pod.node_required is not None:
        yield ~node_affinity_mask(snapshot, pod), "node(s) didn't match Pod's node affinity/selector"


def _ports(snapshot: Snapshot, pod: PodInfo) -> Failures:
    if not pod.host_ports:
        return
    taken = np.zeros(snapshot.size, dtype=np.bool_)
    for row, pods in snapshot.on_row.items():
        taken[row] = any(_clash(pod, other) for other in pods.values() if other.host_ports)
    yield taken, "node(s) didn't have free ports for the requested pod ports"


def _clash(pod: PodInfo, other: PodInfo) -> bool:
    everywhere = "0.0.0.0"
    return any(
        mine[0] == theirs[0] and mine[2] == theirs[2] and (mine[1] == theirs[1] or everywhere in (mine[1], theirs[1]))
        for mine in pod.host_ports
        for theirs in other.host_ports
    )


def _resources(snapshot: Snapshot, pod: PodInfo) -> Failures:
    allocatable, requested = snapshot.columns_of(PODS)
    yield requested + 1 > allocatable, "Too many pods"
    for resource, amount in pod.requests.items():
        allocatable, requested = snapshot.columns_of(resource)
        yield requested + amount > allocatable, f"Insufficient {resource}"


def domain_sums(snapshot: Snapshot, topology_key: str, counts: Ints) -> tuple[Ints, Ints]:
    """The topology's number of each row (-1: none), and the sum of `counts` over each topology."""
    ids, number = snapshot.topology(topology_key)
    inside = (ids >= 0) & snapshot.valid
    sums = np.bincount(ids[inside], weights=counts[inside], minlength=max(number, 1))
    return ids, sums.astype(np.int64)


def row_sums(snapshot: Snapshot, topology_key: str, counts: Ints) -> Ints:
    """For each row the sum of `counts` over its topology; 0 where it has none."""
    ids, sums = domain_sums(snapshot, topology_key, counts)
    return np.where(ids >= 0, sums[np.maximum(ids, 0)], 0)


def _affinity(snapshot: Snapshot, pod: PodInfo) -> Failures:
    if pod.affinity:
        yield ~_affinity_mask(snapshot, pod), "node(s) didn't match pod affinity rules"
    for term in pod.anti_affinity:
        hit = row_sums(snapshot, term.topology_key, snapshot.term_counts(term)) > 0
        yield hit, "node(s) didn't match pod anti-affinity rules"
    for term, counts in snapshot.anti_terms.values():
        if term.matches(pod.namespace, pod.labels):
            hit = row_sums(snapshot, term.topology_key, counts) > 0
            yield hit, "node(s) didn't satisfy existing pods anti-affinity rules"


def _affinity_mask(snapshot: Snapshot, pod: PodInfo) -> Mask:
    allowed = snapshot.valid.copy()
    anywhere = False
    for term in pod.affinity:
        counts = snapshot.term_counts(term)
        anywhere = anywhere or bool(counts.any())
        allowed &= row_sums(snapshot, term.topology_key, counts) > 0
    if not anywhere and all(term.matches(pod.namespace, pod.labels) for term in pod.affinity):
        # The first pod of a group that wants to be together may go anywhere that has the topology.
        allowed = snapshot.valid.copy()
        for term in pod.affinity:
            allowed &= _has_topology(snapshot, term)
    return allowed


def _has_topology(snapshot: Snapshot, term: PodTerm) -> Mask:
    ids, _ = snapshot.topology(term.topology_key)
    return np.asarray(ids >= 0)


def eligible_for_spread(snapshot: Snapshot, pod: PodInfo, spread: Spread) -> Mask:
    """The rows whose pods count for a constraint (nodeAffinityPolicy, nodeTaintsPolicy)."""
    rows = node_affinity_mask(snapshot, pod) if spread.honor_affinity else snapshot.valid.copy()
    if spread.honor_taints:
        for failing, _ in _taints(snapshot, pod):
            rows &= ~failing
    return rows & _has_topology(snapshot, spread.term)


def _spreading(snapshot: Snapshot, pod: PodInfo) -> Failures:
    for spread in pod.spreads:
        if not spread.hard:
            continue
        missing = ~_has_topology(snapshot, spread.term)
        yield missing, "node(s) didn't match pod topology spread constraints (missing required label)"
        rows = eligible_for_spread(snapshot, pod, spread)
        counts = np.where(rows, snapshot.term_counts(spread.term), 0)
        ids, sums = domain_sums(snapshot, spread.term.topology_key, counts)
        domains = np.unique(ids[rows])
        lowest = int(sums[domains].min()) if len(domains) >= spread.min_domains and len(domains) else 0
        own = int(spread.term.matches(pod.namespace, pod.labels))
        skewed = np.where(ids >= 0, sums[np.maximum(ids, 0)], 0) + own - lowest > spread.max_skew
        yield skewed & ~missing, "node(s) didn't match pod topology spread constraints"


# (filter, whether taking pods away from the node could make it pass)
_FILTERS: tuple[tuple[Filter, bool], ...] = (
    (_unschedulable, False),
    (_node_name, False),
    (_taints, False),
    (_node_affinity, False),
    (_ports, True),
    (_resources, True),
    (_spreading, True),
    (_affinity, True),
)
