"""What a PodDisruptionBudget says to preemption: which Pods it counts, and how many may be disrupted right now.
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.selecting.label_selectors import LabelSelector, of_label_selector
from homeostat.api.types import Obj


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """One budget. `disrupted` are names of pods that an eviction has counted already."""

    namespace: str
    selector: LabelSelector
    allowed: int
    disrupted: frozenset[str]

    def counts(self, namespace: str, name: str, labels: Mapping[str, str]) -> bool:
        """Whether the end of this pod takes one from the budget. An empty selector means no pod here, nor does a pod
        without labels belong to any budget (DefaultPreemption, filterPodsWithPDBViolation)."""
        if namespace != self.namespace or not labels or name in self.disrupted:
            return False
        return not self.selector.everything and self.selector.matches(labels)


def budget_of(pdb: Obj) -> Budget:
    """Read a PodDisruptionBudget."""
    status = pdb.get("status") or {}
    return Budget(
        namespace=meta.namespace(pdb),
        selector=of_label_selector(pdb["spec"].get("selector")),
        allowed=int(status.get("disruptionsAllowed") or 0),
        disrupted=frozenset(status.get("disruptedPods") or ()),
    )
