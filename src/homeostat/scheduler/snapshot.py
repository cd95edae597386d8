"""The cluster as columns: one row a node, numpy arrays of what filters and scores compare.

It is updated by event, never rebuilt for a pod. Rows of removed nodes are used again; `valid` masks them. Counts of
pods that a selector matches are kept per node for every selector in use (`counts`), so affinity and spreading cost one
array operation a term.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.scheduler.podinfo import PodInfo, PodTerm, amount_of

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_ROWS_FIRST = 64
_COUNTED_MAX = 512
CPU, MEMORY, PODS = "cpu", "memory", "pods"

Counted = Callable[[PodInfo], bool]


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
        # Each distinct list of taints has a number, so that a pod is compared with lists and not with nodes.
        self.taint_lists: list[tuple[Obj, ...]] = [()]
        self._taint_ids: dict[str, int] = {"[]": 0}
        self._free: list[int] = []
        self._topologies: dict[str, tuple[Ints, dict[str, int]]] = {}
        self._counted: OrderedDict[tuple[str, ...], tuple[Counted, Ints]] = OrderedDict()
        self.anti_terms: dict[tuple[str, ...], tuple[PodTerm, Ints]] = {}
        # Changes with every node event: what masks that depend on nodes alone are cached by.
        self.node_generation = 0
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
        self.node_generation += 1

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
        self.node_generation += 1

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
        self._topologies = {
            key: (np.concatenate([ids, np.full_like(ids, -1)]), values)
            for key, (ids, values) in self._topologies.items()
        }

    def _taint_id(self, taints: list[Obj]) -> int:
        identity = repr([(t.get("key"), t.get("value"), t.get("effect")) for t in taints])
        if identity not in self._taint_ids:
            self._taint_ids[identity] = len(self.taint_lists)
            self.taint_lists.append(tuple(taints))
        return self._taint_ids[identity]

    def topology(self, key: str) -> tuple[Ints, int]:
        """For a node label: the number of each row's value (-1 where the label is missing), and how many there are."""
        if key not in self._topologies:
            values: dict[str, int] = {}
            ids = np.full(self.size, -1, dtype=np.int64)
            for row, node in self.nodes.items():
                ids[row] = _topology_id(node, key, values)
            self._topologies[key] = (ids, values)
        ids, values = self._topologies[key]
        return ids, len(values)

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
        for resource, amount in pod.requests.items():
            self.columns_of(resource)[1][row] += sign * amount
        self.requested[PODS][row] += sign
        self.nonzero_cpu[row] += sign * pod.nonzero_cpu
        self.nonzero_memory[row] += sign * pod.nonzero_memory
        for counted, counts in self._counted.values():
            if counted(pod):
                counts[row] += sign
        for term in pod.anti_affinity:
            key = (*term.identity, term.topology_key)
            if key not in self.anti_terms:
                self.anti_terms[key] = (term, np.zeros(self.size, dtype=np.int64))
            counts = self.anti_terms[key][1]
            counts[row] += sign
            if sign < 0 and not counts.any():
                del self.anti_terms[key]

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

    def term_counts(self, term: PodTerm) -> Ints:
        """How many pods a term means on each row."""
        return self.counts(term.identity, lambda pod: term.matches(pod.namespace, pod.labels))

    def name_of(self, row: int) -> str:
        """The node in a row."""
        return meta.name(self.nodes[row])

    def labels_of(self, row: int) -> Mapping[str, str]:
        """The labels of the node in a row."""
        return meta.labels(self.nodes[row])


def _topology_id(node: Obj, key: str, values: dict[str, int]) -> int:
    value = meta.labels(node).get(key)
    return -1 if value is None else values.setdefault(value, len(values))
