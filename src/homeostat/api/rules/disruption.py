"""How many disruptions a PodDisruptionBudget allows, and which Pods an eviction counts against it. Pure.

Kubernetes: Disruptions; Specifying a Disruption Budget for your Application; pkg/controller/disruption. The disruption
loop writes the counts into the budget's status; an eviction counts again before it takes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from homeostat.api import meta
from homeostat.api.kinds import DEPLOYMENT, REPLICASET, REPLICATIONCONTROLLER, STATEFULSET, Kind
from homeostat.api.rules import ownership
from homeostat.api.rules.intorpercent import scaled
from homeostat.api.selecting.label_selectors import LabelSelector, of_label_selector
from homeostat.api.types import Obj

# How long an evicted Pod may take to be marked as going before the budget gets its disruption back (DeletionTimeout).
DELETION_SECONDS: Final = 120.0
# The controllers whose replicas say how many Pods there should be.
SCALED: Final[Mapping[str, Kind]] = {kind.kind: kind for kind in (REPLICASET, STATEFULSET, REPLICATIONCONTROLLER)}

# Gives the object of a kind in the budget's namespace by its name; None where there is none.
Find: TypeAlias = Callable[[Kind, str], Obj | None]


class UnknownScale(Exception):
    """How many Pods are expected cannot be computed; the text says why."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of a budget's status: Pods that are expected, healthy now, and to be kept healthy."""

    expected: int
    healthy: int
    desired: int

    @property
    def allowed(self) -> int:
        """How many healthy Pods may go now."""
        return max(self.healthy - self.desired, 0) if self.expected > 0 else 0

    def status(self) -> Obj:
        """The numbers as fields of a PodDisruptionBudgetStatus."""
        return {
            "currentHealthy": self.healthy,
            "desiredHealthy": self.desired,
            "disruptionsAllowed": self.allowed,
            "expectedPods": self.expected,
        }


def selector(budget: Obj) -> LabelSelector:
    """The budget's selector: null matches no Pod, an empty one every Pod of the namespace."""
    return of_label_selector((budget.get("spec") or {}).get("selector"))


def counted(budget: Obj, pods: Iterable[Obj]) -> list[Obj]:
    """Those of the namespace's `pods` that the budget counts: selected, and not ended."""
    matches = selector(budget).matches
    return [pod for pod in pods if not meta.pod_terminal(pod) and matches(meta.labels(pod))]


def disrupted(budget: Obj, now: float) -> dict[str, str]:
    """status.disruptedPods that count at `now`, name to time: those evicted less than `DELETION_SECONDS` ago. This is
    what an eviction keeps: the server that performs it may not know yet what became of Pods evicted by others."""
    noted: Mapping[str, str] = (budget.get("status") or {}).get("disruptedPods") or {}
    return {name: at for name, at in noted.items() if meta.time_of(at) + DELETION_SECONDS > now}


def still_disrupted(budget: Obj, pods: Iterable[Obj], now: float) -> dict[str, str]:
    """Those of `disrupted` whose Pods are among `pods` and not yet on their way out: what the disruption loop keeps."""
    present = {meta.name(pod) for pod in pods if not meta.deleting(pod)}
    return {name: at for name, at in disrupted(budget, now).items() if name in present}


def counts(budget: Obj, pods: Sequence[Obj], find: Find, now: float) -> Counts:
    """The budget over the Pods that it counts (`counted`). Raises UnknownScale when the number of expected Pods depends
    on a controller that `find` does not give."""
    going = disrupted(budget, now)
    healthy = sum(meta.pod_ready(pod) and not meta.deleting(pod) and meta.name(pod) not in going for pod in pods)
    spec = budget.get("spec") or {}
    minimum, maximum = spec.get("minAvailable"), spec.get("maxUnavailable")
    if maximum is not None:
        expected = _expected(pods, find)
        return Counts(expected, healthy, max(0, expected - scaled(maximum, expected, round_up=True)))
    if isinstance(minimum, str):
        expected = _expected(pods, find)
        return Counts(expected, healthy, scaled(minimum, expected, round_up=True))
    # Without either field nothing is expected, so nothing may go.
    return Counts(0, healthy, 0) if minimum is None else Counts(len(pods), healthy, int(minimum))


def needs_allowance(budget: Obj, pod: Obj, found: Counts) -> bool:
    """Whether the eviction of this Pod takes one disruption. A Pod that is not ready may go without, by the budget's
    unhealthyPodEvictionPolicy (KEP-3017)."""
    if meta.pod_ready(pod):
        return True
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return False
    return not (found.healthy >= found.desired and found.desired > 0)


def is_unprotected(pod: Obj) -> bool:
    """Whether no budget protects the Pod: it has ended, does not run yet, or is being deleted."""
    return meta.pod_terminal(pod) or meta.pod_phase(pod) == "Pending" or meta.deleting(pod)


def _expected(pods: Iterable[Obj], find: Find) -> int:
    """The replicas of the Pods' controllers, each counted once; Pods without a controller do not count."""
    sizes: dict[str, int] = {}
    for pod in pods:
        reference = ownership.controller_of(pod)
        if reference is not None:
            owner = _scaled_owner(reference, pod, find)
            replicas = (owner.get("spec") or {}).get("replicas")
            sizes[meta.uid(owner)] = 1 if replicas is None else int(replicas)
    return sum(sizes.values())


def _scaled_owner(reference: Obj, pod: Obj, find: Find) -> Obj:
    """What says how many Pods there should be: the Pod's controller, or the Deployment above its ReplicaSet. Raises
    UnknownScale when it is not there, or another has its name by now."""
    kind = SCALED.get(str(reference.get("kind")))
    owner = find(kind, str(reference.get("name"))) if kind is not None else None
    above = ownership.controller_of(owner) if owner is not None and meta.uid(owner) == reference.get("uid") else None
    if above is not None and above.get("kind") == DEPLOYMENT.kind:
        owner = find(DEPLOYMENT, str(above.get("name")))
        reference = above
    if owner is None or meta.uid(owner) != reference.get("uid"):
        raise UnknownScale(f'found no controllers for pod "{meta.name(pod)}"')
    return owner
