"""The filters: for a pod, which nodes can run it, and for each other node why not. Pure, over columns.

Names, order and words are those of kube-scheduler's plugins, so that an `Unschedulable` message reads as users know it.
`fitting` is the quick answer that most pods get; `examined` works filter by filter and counts reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from homeostat.api.rules import wellknown
from homeostat.api.rules.hostports import clash
from homeostat.api.rules.nodeaffinity import preference
from homeostat.api.rules.tolerations import HARD_EFFECTS, SOFT_EFFECTS, untolerated
from homeostat.scheduler.podinfo import Needs, PodInfo
from homeostat.scheduler.podterms import PodTerm, Spread
from homeostat.scheduler.room import room_for
from homeostat.scheduler.snapshot import PODS, Floats, Ints, Mask, Snapshot, StaticFit

UNSCHEDULABLE_TAINT = {"key": wellknown.TAINT_UNSCHEDULABLE, "effect": wellknown.NO_SCHEDULE}


@dataclass(frozen=True, slots=True)
class Failure:
    """The rows that fail for `reason`. `helpable`: taking pods away from the node could make it pass."""

    rows: Mask
    reason: str
    helpable: bool = False


# A filter may fail a row for several reasons.
Failures = Iterator[Failure]


@dataclass(slots=True)
class Examined:
    """The rows that passed, how many nodes failed for each reason, and on which rows preemption may help."""

    mask: Mask
    reasons: dict[str, int] = field(default_factory=dict)
    helpable: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))


def fitting(snapshot: Snapshot, pod: PodInfo) -> Mask:
    """The rows that pass every filter. Asked for every pod, so what each pod needs is done without reasons."""
    needs = pod.needs
    mask: Mask = room_for(snapshot, needs, static_fit(snapshot, needs).allowed).fits.copy()
    if needs.host_ports or needs.regards_pods or snapshot.anti_terms:
        for check in _BY_COMPANY:
            for failure in check(snapshot, pod):
                mask &= ~failure.rows
    return mask


def examined(snapshot: Snapshot, pod: PodInfo) -> Examined:
    """Run the filters in order; a node is counted at the first filter that it fails."""
    result = Examined(snapshot.valid.copy(), helpable=np.zeros(snapshot.size, dtype=np.bool_))
    for by_nodes in _BY_NODES:
        _take_off(result, by_nodes(snapshot, pod.needs))
    for by_pods in _BY_PODS:
        failures = by_pods(snapshot, pod)
        _take_off(result, failures if by_pods is _resources else _first_of_each(failures))
    return result


def _first_of_each(failures: Failures) -> Failures:
    """Each row with its first failure alone: only the filter of resources names all that a node lacks."""
    said: Mask | None = None
    for failure in failures:
        rows = failure.rows if said is None else failure.rows & ~said
        said = failure.rows if said is None else said | failure.rows
        yield Failure(rows, failure.reason, failure.helpable)


def _take_off(result: Examined, failures: Failures) -> None:
    failed = np.zeros_like(result.mask)
    hopeless = np.zeros_like(result.mask)
    for failure in failures:
        hit = failure.rows & result.mask
        if number := int(np.count_nonzero(hit)):
            result.reasons[failure.reason] = result.reasons.get(failure.reason, 0) + number
            failed |= hit
            if not failure.helpable:
                hopeless |= hit
    result.mask &= ~failed
    result.helpable |= failed & ~hopeless


def no_node_message(total: int, reasons: dict[str, int]) -> str:
    """`0/5 nodes are available: 2 Insufficient cpu, 3 node(s) were unschedulable.`"""
    if not total:
        return "no nodes available to schedule pods"
    listed = ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items()))
    return f"0/{total} nodes are available: {listed}."


# -- what nodes alone decide ---------------------------------------------------------------------------------------


def static_fit(snapshot: Snapshot, needs: Needs) -> StaticFit:
    """What nodes alone say of a pod's needs."""
    return snapshot.static_fit(needs, _judge)


def _judge(snapshot: Snapshot, needs: Needs) -> StaticFit:
    allowed = snapshot.valid.copy()
    for check in _BY_NODES:
        for failure in check(snapshot, needs):
            allowed &= ~failure.rows
    soft = np.array([len(untolerated(taints, needs.tolerations, SOFT_EFFECTS)) for taints in snapshot.taint_lists])
    soft_taints = soft[snapshot.taints].astype(np.float64) if soft.any() else None
    return StaticFit(allowed, soft_taints, _preferences(snapshot, needs, allowed))


def _preferences(snapshot: Snapshot, needs: Needs, rows: Mask) -> Floats | None:
    if not needs.preferred_nodes:
        return None
    values = np.zeros(snapshot.size)
    for row in np.flatnonzero(rows):
        name, labels = snapshot.name_of(int(row)), snapshot.labels_of(int(row))
        values[row] = preference(needs.preferred_nodes, name, labels)
    return values


def _unschedulable(snapshot: Snapshot, needs: Needs) -> Failures:
    if untolerated([UNSCHEDULABLE_TAINT], needs.tolerations, HARD_EFFECTS):
        yield Failure(snapshot.unschedulable, "node(s) were unschedulable")


def _taints(snapshot: Snapshot, needs: Needs) -> Failures:
    for number, taints in enumerate(snapshot.taint_lists):
        if taints and untolerated(taints, needs.tolerations, HARD_EFFECTS):
            yield Failure(snapshot.taints == number, "node(s) had untolerated taint(s)")


def node_affinity_mask(snapshot: Snapshot, needs: Needs) -> Mask:
    """The rows that `nodeSelector` and the required node affinity allow."""
    allowed = snapshot.valid.copy()
    if needs.required_nodes.everything:
        return allowed
    for row in np.flatnonzero(allowed):
        allowed[row] = needs.required_nodes.matches(snapshot.name_of(int(row)), snapshot.labels_of(int(row)))
    return allowed


def _node_affinity(snapshot: Snapshot, needs: Needs) -> Failures:
    if not needs.required_nodes.everything:
        yield Failure(~node_affinity_mask(snapshot, needs), "node(s) didn't match Pod's node affinity/selector")


# -- what the pods on the nodes decide -----------------------------------------------------------------------------


def _ports(snapshot: Snapshot, pod: PodInfo) -> Failures:
    if not pod.needs.host_ports:
        return
    taken = np.zeros(snapshot.size, dtype=np.bool_)
    for row, pods in snapshot.on_row.items():
        taken[row] = any(clash(pod.needs.host_ports, other.needs.host_ports) for other in pods.values())
    yield Failure(taken, "node(s) didn't have free ports for the requested pod ports", helpable=True)


def _resources(snapshot: Snapshot, pod: PodInfo) -> Failures:
    allocatable, requested = snapshot.columns_of(PODS)
    yield Failure(requested >= allocatable, "Too many pods", helpable=True)
    for resource, amount in pod.needs.requests.items():
        allocatable, requested = snapshot.columns_of(resource)
        lacking = requested + amount > allocatable
        yield Failure(lacking, f"Insufficient {resource}", helpable=True)


def too_small(snapshot: Snapshot, pod: PodInfo) -> Mask:
    """The rows that could not hold the pod even if they were empty: no preemption helps there."""
    rows = snapshot.columns_of(PODS)[0] < 1
    for resource, amount in pod.needs.requests.items():
        rows = rows | (snapshot.columns_of(resource)[0] < amount)
    return np.asarray(rows)


def domain_sums(snapshot: Snapshot, topology_key: str, counts: Ints) -> tuple[Ints, Floats]:
    """The topology's number of each row (0: none), and the sum of `counts` over each topology."""
    ids, number = snapshot.topology(topology_key)
    sums: Floats = np.asarray(np.bincount(ids, weights=counts, minlength=number + 1), dtype=np.float64)
    sums[0] = 0
    return ids, sums


def row_sums(snapshot: Snapshot, topology_key: str, counts: Ints) -> Floats:
    """For each row the sum of `counts` over its topology; 0 where it has none."""
    ids, sums = domain_sums(snapshot, topology_key, counts)
    return np.asarray(sums[ids])


def _affinity(snapshot: Snapshot, pod: PodInfo) -> Failures:
    if pod.needs.affinity:
        yield Failure(~_affinity_mask(snapshot, pod), "node(s) didn't match pod affinity rules")
    for term in pod.needs.anti_affinity:
        hit = row_sums(snapshot, term.topology_key, snapshot.term_counts(term)) > 0
        yield Failure(hit, "node(s) didn't match pod anti-affinity rules", helpable=True)
    for term, counts in snapshot.anti_terms.values():
        if snapshot.means(term, pod):
            hit = row_sums(snapshot, term.topology_key, counts) > 0
            yield Failure(hit, "node(s) didn't satisfy existing pods anti-affinity rules", helpable=True)


def _affinity_mask(snapshot: Snapshot, pod: PodInfo) -> Mask:
    """Rows in whose topologies run pods that meet all terms at once."""
    allowed = snapshot.valid.copy()
    terms = pod.needs.affinity
    counts = snapshot.group_counts(terms)
    for term in terms:
        allowed &= row_sums(snapshot, term.topology_key, counts) > 0
    if not counts.any() and all(snapshot.means(term, pod) for term in terms):
        # The first pod of a group that wants to be together may go anywhere that has the topologies.
        allowed = snapshot.valid & has_topologies(snapshot, terms)
    return allowed


def has_topologies(snapshot: Snapshot, terms: tuple[PodTerm, ...]) -> Mask:
    """The rows that have the topology of every term."""
    rows = np.ones(snapshot.size, dtype=np.bool_)
    for term in terms:
        rows &= snapshot.topology(term.topology_key)[0] > 0
    return rows


def spread_rows(snapshot: Snapshot, pod: PodInfo, spread: Spread) -> Mask:
    """The rows whose pods count for a constraint: they have all the topologies that constraints of this strength name,
    and the node inclusion policies (nodeAffinityPolicy, nodeTaintsPolicy) let them in."""
    known = static_fit(snapshot, pod.needs).eligible
    if spread not in known:
        same = tuple(other.term for other in pod.needs.spreads if other.hard == spread.hard)
        rows = snapshot.valid & has_topologies(snapshot, same)
        if spread.honor_affinity:
            rows &= node_affinity_mask(snapshot, pod.needs)
        if spread.honor_taints:
            for failure in _taints(snapshot, pod.needs):
                rows &= ~failure.rows
        known[spread] = rows
    return known[spread]


def _spreading(snapshot: Snapshot, pod: PodInfo) -> Failures:
    for spread in pod.needs.spreads:
        if not spread.hard:
            continue
        missing = ~has_topologies(snapshot, (spread.term,))
        yield Failure(missing, "node(s) didn't match pod topology spread constraints (missing required label)")
        rows = spread_rows(snapshot, pod, spread)
        counts = np.where(rows, snapshot.spread_counts(spread.term), 0)
        ids, sums = domain_sums(snapshot, spread.term.topology_key, counts)
        domains = np.unique(ids[rows])
        lowest = int(sums[domains].min()) if len(domains) >= spread.min_domains and len(domains) else 0
        own = int(snapshot.means(spread.term, pod))
        skewed = sums[ids] + own - lowest > spread.max_skew
        yield Failure(skewed & ~missing, "node(s) didn't match pod topology spread constraints", helpable=True)


_BY_NODES: tuple[Callable[[Snapshot, Needs], Failures], ...] = (_unschedulable, _taints, _node_affinity)
_BY_PODS: tuple[Callable[[Snapshot, PodInfo], Failures], ...] = (_ports, _resources, _spreading, _affinity)
# Those of which most pods ask nothing.
_BY_COMPANY = (_ports, _spreading, _affinity)
