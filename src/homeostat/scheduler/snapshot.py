"""The cluster as columns: one row a node, numpy arrays of what filters and scores compare.

It is updated by event, never rebuilt for a pod. Rows of removed nodes are used again; `valid` masks them. Counts of
pods that a selector matches are kept per node for every selector in use (`counts`), so affinity and spreading cost one
array operation a term. What follows from nodes and one pod's needs alone is kept until a node changes (`static_fit`).
Pure: it changes nothing but itself.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from homeostat.api import meta
from homeostat.api.rules.podresources import amount_of
from homeostat.api.types import Obj
from homeostat.scheduler.budgets import Budget
from homeostat.scheduler.podinfo import Needs, PodInfo
from homeostat.scheduler.podterms import Labels, PodTerm

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_ROWS_FIRST = 64
_COUNTED_MAX = 512
_STATIC_FITS_MAX = 512
_ROOMS_MAX = 64
_TOUCHED_MAX = 4096
CPU, MEMORY, PODS = "cpu", "memory", "pods"

Counted = Callable[[PodInfo], bool]
# Terms that placed pods carry, and for each row the sum of their weights.
Carried = dict[tuple[str, ...], tuple[PodTerm, Ints]]


@dataclass(frozen=True, slots=True)
class StaticFit:
    """What nodes alone say of a pod's needs: the rows that may take it, how many untolerated soft taints each has, and
    the weight of its preferences on each (None: the same on all). `eligible` holds the masks of spread constraints."""

    allowed: Mask
    soft_taints: Floats | None
    preferred: Floats | None
    eligible: dict[object, Mask] = field(default_factory=dict)


@dataclass(slots=True)
class Room:
    """For one pod's needs: the rows where its amounts fit, and how evenly filled each would be (a score), as of the
    first `seen` rows of `Snapshot.touched`. See `room`."""

    fits: Mask
    balance: Floats
    seen: int


class Snapshot:
    """See the module. Amounts are milli-units for cpu and whole units for everything else."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.nodes: dict[int, Obj] = {}
        self.pods: dict[str, tuple[PodInfo, int]] = {}
        self.on_row: dict[int, dict[str, PodInfo]] = {}
        self.valid: Mask = np.zeros(_ROWS_FIRST, dtype=np.bool_)
        self.unschedulable: Mask = np.zeros(_ROWS_FIRST, dtype=np.bool_)
        self.taints: Ints = np.zeros(_ROWS_FIRST, dtype=np.int64)
        self.nonzero_cpu: Ints = np.zeros(_ROWS_FIRST, dtype=np.int64)
        self.nonzero_memory: Ints = np.zeros(_ROWS_FIRST, dtype=np.int64)
        self.allocatable: dict[str, Ints] = {}
        self.requested: dict[str, Ints] = {}
        self._divisors: dict[str, Ints] = {}
        # Each distinct list of taints has a number, so that a pod is compared with lists and not with nodes.
        self.taint_lists: list[tuple[Obj, ...]] = [()]
        self._taint_ids: dict[str, int] = {"[]": 0}
        self._free: list[int] = []
        self._topologies: dict[str, tuple[Ints, dict[str, int]]] = {}
        self._counted: OrderedDict[tuple[str, ...], tuple[Counted, Ints]] = OrderedDict()
        self.anti_terms: Carried = {}
        self.attracting: Carried = {}
        self.namespaces: dict[str, Labels] = {}
        # PodDisruptionBudgets by key; preemption weighs them.
        self.budgets: dict[str, Budget] = {}
        # How many placed pods have each priority: without a lower one nothing can be preempted.
        self.priorities: Counter[int] = Counter()
        self._static_fits: dict[Needs, StaticFit] = {}
        self.rooms: dict[Needs, Room] = {}
        # The rows on which pods were added or removed, in order.
        self.touched: list[int] = []
        self.columns_of(CPU), self.columns_of(MEMORY), self.columns_of(PODS)

    @property
    def size(self) -> int:
        """How many rows there are, the unused ones included."""
        return len(self.valid)

    def columns_of(self, resource: str) -> tuple[Ints, Ints]:
        """Allocatable and requested amounts of a resource, a row a node."""
        if resource not in self.allocatable:
            self.allocatable[resource] = np.zeros(self.size, dtype=np.int64)
            self.requested[resource] = np.zeros(self.size, dtype=np.int64)
        return self.allocatable[resource], self.requested[resource]

    @property
    def divisors(self) -> dict[str, Ints]:
        """Allocatable cpu and memory to divide by: 1 where there is none."""
        if not self._divisors:
            self._divisors = {resource: np.maximum(self.allocatable[resource], 1) for resource in (CPU, MEMORY)}
        return self._divisors

    def _nodes_changed(self) -> None:
        """Forget what was made of nodes alone."""
        self._static_fits.clear()
        self._forget_rooms()
        self._divisors = {}

    def _forget_rooms(self) -> None:
        self.rooms.clear()
        self.touched.clear()

    # -- nodes -----------------------------------------------------------------------------------------------------

    def set_node(self, node: Obj) -> None:
        """Add a node or take over its new form."""
        name = meta.name(node)
        row = self.rows.get(name)
        if row is None:
            row = self._new_row()
            self.rows[name] = row
        self.nodes[row] = node
        self.valid[row] = True
        spec = node.get("spec") or {}
        self.unschedulable[row] = bool(spec.get("unschedulable"))
        self.taints[row] = self._taint_id(spec.get("taints") or [])
        allocatable = (node.get("status") or {}).get("allocatable") or {}
        for resource in {*self.allocatable, *allocatable}:
            amounts, _ = self.columns_of(resource)
            amounts[row] = amount_of(resource, allocatable.get(resource, "0"))
        for key, (ids, values) in self._topologies.items():
            ids[row] = _topology_id(node, key, values)
        self._nodes_changed()

    def remove_node(self, name: str) -> None:
        """Forget a node; its pods are forgotten by their own events."""
        row = self.rows.pop(name, None)
        if row is None:
            return
        for pod in list(self.on_row.get(row, {}).values()):
            self.remove_pod(pod.key)
        self.valid[row] = False
        del self.nodes[row]
        for column in self.allocatable.values():
            column[row] = 0
        self._free.append(row)
        self._nodes_changed()

    def _new_row(self) -> int:
        if self._free:
            return self._free.pop()
        row = len(self.nodes)
        if row >= self.size:
            self._grow()
        return row

    def _grow(self) -> None:
        def longer(column: Ints) -> Ints:
            return np.concatenate([column, np.zeros_like(column)])

        self.valid = np.concatenate([self.valid, np.zeros_like(self.valid)])
        self.unschedulable = np.concatenate([self.unschedulable, np.zeros_like(self.unschedulable)])
        self.taints, self.nonzero_cpu = longer(self.taints), longer(self.nonzero_cpu)
        self.nonzero_memory = longer(self.nonzero_memory)
        self.allocatable = {name: longer(column) for name, column in self.allocatable.items()}
        self.requested = {name: longer(column) for name, column in self.requested.items()}
        for key, (counted, counts) in self._counted.items():
            self._counted[key] = (counted, longer(counts))
        self.anti_terms = {key: (term, longer(counts)) for key, (term, counts) in self.anti_terms.items()}
        self.attracting = {key: (term, longer(counts)) for key, (term, counts) in self.attracting.items()}
        self._topologies = {key: (longer(ids), values) for key, (ids, values) in self._topologies.items()}

    def _taint_id(self, taints: list[Obj]) -> int:
        identity = repr([(t.get("key"), t.get("value"), t.get("effect")) for t in taints])
        if identity not in self._taint_ids:
            self._taint_ids[identity] = len(self.taint_lists)
            self.taint_lists.append(tuple(taints))
        return self._taint_ids[identity]

    def topology(self, key: str) -> tuple[Ints, int]:
        """For a node label: the number of each row's value (0 where the label is missing), and how many there are."""
        if key not in self._topologies:
            values: dict[str, int] = {}
            ids = np.zeros(self.size, dtype=np.int64)
            for row, node in self.nodes.items():
                ids[row] = _topology_id(node, key, values)
            self._topologies[key] = (ids, values)
        ids, values = self._topologies[key]
        return ids, len(values)

    def static_fit(self, needs: Needs, judge: Callable[[Snapshot, Needs], StaticFit]) -> StaticFit:
        """What nodes alone say of `needs`: judged once, and kept until a node changes."""
        known = self._static_fits.get(needs)
        if known is None:
            if len(self._static_fits) >= _STATIC_FITS_MAX:
                self._static_fits.clear()
            known = self._static_fits[needs] = judge(self, needs)
        return known

    def keep_room(self, needs: Needs, room: Room) -> None:
        """Keep what `room` found for `needs`, until a node changes or there is too much of it."""
        if len(self.rooms) >= _ROOMS_MAX:
            self.rooms.clear()
        self.rooms[needs] = room

    # -- namespaces ------------------------------------------------------------------------------------------------

    def set_namespace(self, name: str, labels: Labels | None) -> bool:
        """Take over a namespace's labels (None: it is gone); whether they have changed."""
        if self.namespaces.get(name) == labels:
            return False
        if labels is None:
            del self.namespaces[name]
        else:
            self.namespaces[name] = labels
        # Terms with a namespaceSelector may mean other pods now: count again when next asked.
        self._counted.clear()
        return True

    # -- pods ------------------------------------------------------------------------------------------------------

    def add_pod(self, pod: PodInfo, node_name: str) -> None:
        """Count a pod on a node; one that is counted already is moved. On an unknown node nothing happens."""
        self.remove_pod(pod.key)
        row = self.rows.get(node_name)
        if row is None:
            return
        self.pods[pod.key] = (pod, row)
        self.on_row.setdefault(row, {})[pod.key] = pod
        self._count(pod, row, 1)

    def remove_pod(self, key: str) -> None:
        """Count a pod no longer."""
        known = self.pods.pop(key, None)
        if known is None:
            return
        pod, row = known
        del self.on_row[row][key]
        self._count(pod, row, -1)

    def _count(self, pod: PodInfo, row: int, sign: int) -> None:
        needs = pod.needs
        if len(self.touched) >= _TOUCHED_MAX:
            self._forget_rooms()
        self.touched.append(row)
        for resource, amount in needs.requests.items():
            self.columns_of(resource)[1][row] += sign * amount
        self.requested[PODS][row] += sign
        self.nonzero_cpu[row] += sign * needs.nonzero_cpu
        self.nonzero_memory[row] += sign * needs.nonzero_memory
        self.priorities[pod.priority] += sign
        if not self.priorities[pod.priority]:
            del self.priorities[pod.priority]
        for counted, counts in self._counted.values():
            if counted(pod):
                counts[row] += sign
        for term in needs.anti_affinity:
            self._carry(self.anti_terms, term, row, sign)
        for term in needs.attracts:
            self._carry(self.attracting, term, row, sign * term.weight)

    def _carry(self, carried: Carried, term: PodTerm, row: int, amount: int) -> None:
        key = (*term.identity, term.topology_key)
        if key not in carried:
            carried[key] = (term, np.zeros(self.size, dtype=np.int64))
        counts = carried[key][1]
        counts[row] += amount
        if not counts[row] and not counts.any():
            del carried[key]

    def counts(self, identity: tuple[str, ...], counted: Counted) -> Ints:
        """How many pods `counted` accepts on each row; kept up to date from the first call on."""
        known = self._counted.get(identity)
        if known is None:
            counts = np.zeros(self.size, dtype=np.int64)
            for pod, row in self.pods.values():
                if counted(pod):
                    counts[row] += 1
            known = self._counted[identity] = (counted, counts)
            while len(self._counted) > _COUNTED_MAX:
                self._counted.popitem(last=False)
        self._counted.move_to_end(identity)
        return known[1]

    def means(self, term: PodTerm, pod: PodInfo) -> bool:
        """Whether a term means a pod."""
        return term.matches(pod.namespace, pod.labels, self.namespaces)

    def term_counts(self, term: PodTerm) -> Ints:
        """How many pods a term means on each row."""
        return self.counts(("term", *term.identity), lambda pod: self.means(term, pod))

    def spread_counts(self, term: PodTerm) -> Ints:
        """How many pods count for a spread constraint on each row; those that are going do not."""
        return self.counts(("spread", *term.identity), lambda pod: not pod.deleting and self.means(term, pod))

    def group_counts(self, terms: tuple[PodTerm, ...]) -> Ints:
        """How many pods all of `terms` mean, on each row."""
        identity = ("group", *(part for term in terms for part in term.identity))
        return self.counts(identity, lambda pod: all(self.means(term, pod) for term in terms))

    def name_of(self, row: int) -> str:
        """The node in a row."""
        return meta.name(self.nodes[row])

    def labels_of(self, row: int) -> Labels:
        """The labels of the node in a row."""
        return meta.labels(self.nodes[row])


def _topology_id(node: Obj, key: str, values: dict[str, int]) -> int:
    value = meta.labels(node).get(key)
    return 0 if value is None else values.setdefault(value, len(values) + 1)
