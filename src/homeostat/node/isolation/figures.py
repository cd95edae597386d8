"""A pod's requests and limits in the kernel's terms. Pure.

Rules: the kubelet's cm/helpers_linux.go (shares, quota, ResourceConfigForPod) and qos/policy.go (oom_score_adj). CPU
shares are those of cgroup v1; `weight` turns them into those of v2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from homeostat.api.rules.containers import is_sidecar
from homeostat.api.rules.eviction import is_mirror
from homeostat.api.rules.podresources import amounts_of, container_requests, pod_limits, pod_requests
from homeostat.api.rules.qos import qos_class
from homeostat.api.types import Obj
from homeostat.node.podspec import spec
from homeostat.runtime.contract import Resources

SHARES_MIN, SHARES_MAX = 2, 262144
PERIOD_MICROSECONDS = 100_000
_QUOTA_MIN = 1000
_OOM_GUARANTEED, _OOM_BEST_EFFORT = -997, 1000
# Pods of this priority or more are the node's own (scheduling.SystemCriticalPriority).
CRITICAL_PRIORITY = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Amount:
    """What a pod or container requests and may use: CPU in thousandths, memory in bytes; None: not said."""

    cpu_request: int | None = None
    cpu_limit: int | None = None
    memory_request: int | None = None
    memory_limit: int | None = None


def amount(container: Obj) -> Amount:
    """What one container says."""
    resources = container.get("resources") or {}
    requests = amounts_of(container_requests(resources))
    limits = amounts_of(resources.get("limits"))
    return Amount(requests.get("cpu"), limits.get("cpu"), requests.get("memory"), limits.get("memory"))


def shares(cpu_milli: int) -> int:
    """CPU shares of a request."""
    return min(max(cpu_milli * 1024 // 1000, SHARES_MIN), SHARES_MAX) if cpu_milli else SHARES_MIN


def quota(cpu_milli: int) -> int:
    """Microseconds of CPU time in each period; 0: no limit."""
    return max(cpu_milli * PERIOD_MICROSECONDS // 1000, _QUOTA_MIN) if cpu_milli else 0


def weight(cpu_shares: int) -> int:
    """The CPU weight of cgroup v2 that corresponds to shares of v1."""
    return 1 + (cpu_shares - SHARES_MIN) * 9999 // (SHARES_MAX - SHARES_MIN)


def container_resources(pod: Obj, container: Obj, memory_capacity: int) -> Resources:
    """One container's limits; `memory_capacity` is the node's, in bytes."""
    wanted = amount(container)
    limit = quota(wanted.cpu_limit or 0)
    return Resources(
        cpu_shares=shares(wanted.cpu_request or 0),
        cpu_quota=limit,
        cpu_period=PERIOD_MICROSECONDS if limit else 0,
        memory_limit_bytes=wanted.memory_limit or 0,
        oom_score_adj=oom_score_adj(pod, container, memory_capacity),
    )


def oom_score_adj(pod: Obj, container: Obj, memory_capacity: int) -> int:
    """How soon the kernel ends the container when memory runs out: -997 (late) to 1000 (first)."""
    body = spec.spec(pod)
    if is_critical(pod):
        return _OOM_GUARANTEED
    quality = quality_of(pod)
    if quality == "Guaranteed":
        return _OOM_GUARANTEED
    if quality == "BestEffort":
        return _OOM_BEST_EFFORT
    found = _burstable_score(container, memory_capacity)
    if is_sidecar(container) and container in (body.get("initContainers") or []):
        # A sidecar outlives the container that it serves.
        found = min([found, *(_burstable_score(main, memory_capacity) for main in spec.mains(pod))])
    return found


def is_critical(pod: Obj) -> bool:
    """Whether the pod is part of the node or of the cluster: the last to go."""
    return spec.is_static(pod) or is_mirror(pod) or int(spec.spec(pod).get("priority") or 0) >= CRITICAL_PRIORITY


def _burstable_score(container: Obj, memory_capacity: int) -> int:
    share = 1000 * (amount(container).memory_request or 0) // max(memory_capacity, 1)
    score = 1000 - share
    # Later than best effort, sooner than guaranteed.
    return min(max(score, 1000 + _OOM_GUARANTEED), _OOM_BEST_EFFORT - 1)


def pod_amount(pod: Obj) -> Amount:
    """The pod as a whole: app containers and sidecars together or the largest init container, and its overhead.

    A limit counts only where every container has one."""
    requests, limits = pod_requests(spec.spec(pod)), pod_limits(spec.spec(pod))
    each = [amount(container) for container in spec.all_containers(pod)]
    return Amount(
        requests.get("cpu", 0),
        limits.get("cpu", 0) if all(container.cpu_limit for container in each) else None,
        requests.get("memory", 0),
        limits.get("memory", 0) if all(container.memory_limit for container in each) else None,
    )


def pod_resources(pod: Obj) -> Resources:
    """The limits of the cgroup around all of a pod's containers."""
    quality = quality_of(pod)
    if quality == "BestEffort":
        return Resources(cpu_shares=SHARES_MIN)
    wanted = pod_amount(pod)
    limit = quota(wanted.cpu_limit or 0)
    return Resources(
        cpu_shares=shares(wanted.cpu_request or 0),
        cpu_quota=limit,
        cpu_period=PERIOD_MICROSECONDS if limit else 0,
        memory_limit_bytes=wanted.memory_limit or 0,
    )


def burstable_shares(pods: Iterable[Obj]) -> int:
    """The shares of the cgroup around all Burstable pods: what they ask for together."""
    return shares(sum(pod_amount(pod).cpu_request or 0 for pod in pods if quality_of(pod) == "Burstable"))


def quality_of(pod: Obj) -> str:
    """The pod's quality of service class."""
    return str((pod.get("status") or {}).get("qosClass") or qos_class(pod))


def cgroup_of(pod: Obj, uid: str) -> str:
    """The path of a pod's cgroup below the hierarchy's root (Kubernetes' cgroupfs names)."""
    quality = quality_of(pod)
    middle = "" if quality == "Guaranteed" else f"/{quality.lower()}"
    return f"/kubepods{middle}/pod{uid}"
