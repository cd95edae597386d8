"""The scores: which of the feasible nodes is best. Pure, over columns; the plugins' weights are kube-scheduler's."""

from __future__ import annotations

import math

import numpy as np

from homeostat.api.rules import wellknown
from homeostat.scheduler.filters import domain_sums, row_sums, spread_rows, static_fit
from homeostat.scheduler.podinfo import PodInfo
from homeostat.scheduler.room import room_for
from homeostat.scheduler.snapshot import Floats, Ints, Mask, Snapshot

_MAX = 100.0
# Without constraints of its own, a pod spreads from its controller's other pods (PodTopologySpread, system defaults).
_DEFAULT_HOST_SKEW, _DEFAULT_ZONE_SKEW = 3, 5


def score(snapshot: Snapshot, pod: PodInfo, rows: Mask) -> Floats:
    """A score for each row; only those in `rows` mean anything, and only differences count."""
    known = static_fit(snapshot, pod.needs)
    total = room_for(snapshot, pod.needs, known.allowed).balance
    if known.soft_taints is not None:
        total = total + 3 * _scaled(known.soft_taints, rows, reverse=True)
    if known.preferred is not None:
        total = total + 2 * _scaled(known.preferred, rows, reverse=False)
    if pod.needs.preferred or snapshot.attracting:
        total = total + 2 * _near_pods(snapshot, pod, rows)
    spreading = _spreading(snapshot, pod, rows)
    if spreading is not None:
        spreading *= 2
        total = spreading + total
    return total


def best(scores: Floats, rows: Mask, draw: int) -> int:
    """The row with the highest score; `draw` (any non-negative integer) decides between equals."""
    masked = np.where(rows, scores, -np.inf)
    top = (masked >= np.maximum.reduce(masked) - 1e-9).nonzero()[0]
    return int(top[draw % len(top)])


def _scaled(values: Floats, rows: Mask, *, reverse: bool) -> Floats:
    """Spread over 0 to 100 by the largest value; `reverse`: the smallest is best."""
    top = float(values[rows].max()) if rows.any() else 0.0
    if top <= 0:
        return np.full(len(values), _MAX if reverse else 0.0)
    scaled = _MAX * values / top
    return np.asarray(_MAX - scaled if reverse else scaled)


def _near_pods(snapshot: Snapshot, pod: PodInfo, rows: Mask) -> Floats:
    """The pod's own preferences for the company of others, and theirs for its own (InterPodAffinity)."""
    values = np.zeros(snapshot.size)
    for term in pod.needs.preferred:
        values += term.weight * row_sums(snapshot, term.topology_key, snapshot.term_counts(term))
    for term, weights in snapshot.attracting.values():
        if snapshot.means(term, pod):
            values += row_sums(snapshot, term.topology_key, weights)
    low = float(values[rows].min()) if rows.any() else 0.0
    return _scaled(values - low, rows, reverse=False)


def _spreading(snapshot: Snapshot, pod: PodInfo, rows: Mask) -> Floats | None:
    """PodTopologySpread's score of the soft constraints, or of the default ones; None when all rows are equal."""
    soft = [spread for spread in pod.needs.spreads if not spread.hard] if pod.needs.spreads else []
    if soft:
        values = np.zeros(snapshot.size)
        for spread in soft:
            eligible = spread_rows(snapshot, pod, spread)
            counts = np.where(eligible, snapshot.spread_counts(spread.term), 0)
            values += _spread_cost(snapshot, spread.term.topology_key, counts, spread.max_skew)
            # Nodes outside the topologies are not what was asked for.
            rows = rows & eligible
        return np.where(rows, _turned(values, rows), 0.0)
    if not pod.owner or pod.needs.spreads:
        return None
    owner = pod.owner
    counts = snapshot.counts(("owner", owner), lambda other: other.owner == owner and not other.deleting)
    values = _spread_cost(snapshot, wellknown.LABEL_HOSTNAME, counts, _DEFAULT_HOST_SKEW)
    values += _spread_cost(snapshot, wellknown.LABEL_ZONE, counts, _DEFAULT_ZONE_SKEW)
    return _turned(values, rows)


def _spread_cost(snapshot: Snapshot, topology_key: str, counts: Ints, max_skew: int) -> Floats:
    """What each row costs under one constraint: the fewer topologies, the less one more pod there weighs."""
    if topology_key == wellknown.LABEL_HOSTNAME:
        return _cost(counts, len(snapshot.rows), max_skew)
    _, number = snapshot.topology(topology_key)
    if not number:
        return np.zeros(snapshot.size)
    ids, sums = domain_sums(snapshot, topology_key, counts)
    return np.asarray(_cost(sums, number, max_skew)[ids])


def _cost(counts: Ints | Floats, topologies: int, max_skew: int) -> Floats:
    costs = np.asarray(counts * math.log(topologies + 2))
    costs += max_skew - 1
    return costs


def _turned(values: Floats, rows: Mask) -> Floats:
    """The cheapest row gets 100."""
    costs = values[rows]
    if not len(costs):
        return np.zeros(len(values))
    low, top = float(np.minimum.reduce(costs)), float(np.maximum.reduce(costs))
    if top <= 0:
        return np.full(len(values), _MAX)
    turned: Floats = (top + low) - values
    turned *= _MAX / top
    return turned
