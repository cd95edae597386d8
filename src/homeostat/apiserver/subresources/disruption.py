"""What a PodDisruptionBudget allows now, computed from the Pods that exist. Pure.

The budget's own status is written by the eviction that uses it up (`eviction`), so that two API servers never give the
same disruption away twice. Rule: pkg/controller/disruption.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.types import Obj

# An evicted Pod that has not begun to go after this long counts as healthy again (DeletionTimeout).
DELETION_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Budget:
    """The counts of a budget's status."""

    expected: int
    healthy: int
    desired: int

    @property
    def allowed(self) -> int:
        """How many healthy Pods may go."""
        return max(self.healthy - self.desired, 0) if self.expected > 0 else 0

    def status(self) -> Obj:
        """The fields of PodDisruptionBudgetStatus."""
        return {
            "currentHealthy": self.healthy,
            "desiredHealthy": self.desired,
            "disruptionsAllowed": self.allowed,
            "expectedPods": self.expected,
        }


def budget(pdb: Obj, pods: Sequence[Obj], replicas_of: Callable[[Obj], int | None], now: float) -> Budget:
    """The budget over its matching `pods`; `replicas_of` gives the wanted replicas of a Pod's controller."""
    spec = pdb.get("spec") or {}
    counted = [pod for pod in pods if not meta.pod_terminal(pod)]
    going = disrupted(pdb, now)
    healthy = sum(meta.pod_ready(pod) and not meta.deleting(pod) and meta.name(pod) not in going for pod in counted)
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if isinstance(least, int) or (least is None and most is None):
        return Budget(len(counted), healthy, int(least if least is not None else 1))
    expected = _expected(counted, replicas_of)
    if least is not None:
        return Budget(expected, healthy, scaled(least, expected))
    return Budget(expected, healthy, max(expected - scaled(most or 0, expected), 0))


def disrupted(pdb: Obj, now: float) -> dict[str, str]:
    """status.disruptedPods that are recent enough to count: name to time."""
    recorded = (pdb.get("status") or {}).get("disruptedPods") or {}
    return {name: since for name, since in recorded.items() if meta.time_of(since) + DELETION_SECONDS > now}


def scaled(value: int | str, total: int) -> int:
    """A count, or a percentage of `total` rounded up."""
    if isinstance(value, int):
        return value
    return -(-int(value.rstrip("%")) * total // 100)


def _expected(pods: Sequence[Obj], replicas_of: Callable[[Obj], int | None]) -> int:
    """The sum of the controllers' replicas. 0, so that nothing may go, when one is not known; Pods without a
    controller do not count."""
    by_controller: dict[str, int] = {}
    for pod in pods:
        owner = meta.controller_of(pod)
        if owner is None:
            continue
        wanted = replicas_of(owner)
        if wanted is None:
            return 0
        by_controller[owner["uid"]] = wanted
    return sum(by_controller.values())
