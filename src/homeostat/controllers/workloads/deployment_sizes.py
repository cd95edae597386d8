"""How a Deployment's Pods are shared among its ReplicaSets: the steps of a rollout, and scaling in the middle of one.

Rules: pkg/controller/deployment (rolling.go, recreate.go, sync.go). Each function plans sizes and says whether it
changed any; the status of ReplicaSets is what was last observed, sizes are those planned.
"""

from __future__ import annotations

import math

from homeostat.api import meta
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.controllers.workloads.deployment_plan import (
    Plan,
    active,
    count,
    oldest_first,
    replicas,
    total_count,
    total_replicas,
)
from homeostat.controllers.workloads.fenceposts import is_rolling, max_surge, max_unavailable


def new_size(plan: Plan) -> int:
    """The size that the new ReplicaSet may have now: what the surge leaves room for."""
    deployment = plan.deployment
    wanted = replicas(deployment)
    if not is_rolling(deployment):
        return wanted
    current = replicas(plan.new_replica_set) if plan.new_replica_set is not None else 0
    room = wanted + max_surge(deployment) - total_replicas(plan.all_replica_sets)
    return current + max(0, min(room, wanted - current))


def grow_new(plan: Plan) -> bool:
    """Rolling update, first half: bring the new ReplicaSet as far up as the surge allows (or down to the wanted
    size)."""
    if plan.new_replica_set is None:
        return False
    wanted = replicas(plan.deployment)
    size = wanted if replicas(plan.new_replica_set) > wanted else new_size(plan)
    return plan.scale(plan.new_replica_set, size)


def shrink_old(plan: Plan) -> bool:
    """Rolling update, second half: take down old Pods, unhealthy ones first, keeping enough available ones."""
    old = oldest_first(active(plan.old_replica_sets))
    if not old:
        return False
    minimum = replicas(plan.deployment) - max_unavailable(plan.deployment)
    not_yet = (
        replicas(plan.new_replica_set) - count(plan.new_replica_set, "availableReplicas")
        if plan.new_replica_set is not None
        else 0
    )
    spare = total_replicas(plan.all_replica_sets) - minimum - not_yet
    if spare <= 0:
        return False
    removed = _remove_unhealthy(plan, old, spare)
    removed += _remove_available(plan, minimum)
    return removed > 0


def _remove_unhealthy(plan: Plan, old: list[Obj], spare: int) -> int:
    """Pods that are not available serve no traffic: they are removed first, or they could block a rollout for ever."""
    removed = 0
    for replica_set in old:
        if removed >= spare:
            break
        size = replicas(replica_set)
        step = min(spare - removed, size - count(replica_set, "availableReplicas"))
        if step > 0:
            plan.scale(replica_set, size - step)
            removed += step
    return removed


def _remove_available(plan: Plan, minimum: int) -> int:
    """Take down available old Pods as long as `minimum` stay."""
    spare = total_count(plan.all_replica_sets, "availableReplicas") - minimum
    removed = 0
    for replica_set in oldest_first(active(plan.old_replica_sets)):
        if removed >= spare:
            break
        step = min(replicas(replica_set), spare - removed)
        plan.scale(replica_set, replicas(replica_set) - step)
        removed += step
    return removed


def stop_old(plan: Plan) -> bool:
    """Recreate: every old ReplicaSet is scaled to 0 at once."""
    return sum(plan.scale(replica_set, 0) for replica_set in active(plan.old_replica_sets)) > 0


def size_changed(plan: Plan) -> bool:
    """Whether spec.replicas of the Deployment differs from what its active ReplicaSets were last sized for."""
    wanted = str(replicas(plan.deployment))
    return any(
        meta.annotations(item).get(wellknown.ANNOTATION_DESIRED_REPLICAS, wanted) != wanted
        for item in active(plan.all_replica_sets)
    )


def scale_all(plan: Plan) -> None:
    """Follow a change of the Deployment's size without taking the rollout further."""
    wanted = replicas(plan.deployment)
    only = _active_or_latest(plan)
    if only is not None:
        plan.scale(only, wanted)
    elif _saturated(plan):
        stop_old(plan)
    elif is_rolling(plan.deployment):
        _share_out(plan)


def _active_or_latest(plan: Plan) -> Obj | None:
    """The one ReplicaSet that all Pods belong to; None when there are several."""
    running = active(plan.all_replica_sets)
    if len(running) == 1:
        return running[0]
    if running:
        return None
    if plan.new_replica_set is not None:
        return plan.new_replica_set
    return oldest_first(plan.old_replica_sets)[-1] if plan.old_replica_sets else None


def _saturated(plan: Plan) -> bool:
    """Whether the new ReplicaSet alone holds the full, available size."""
    new_replica_set, wanted = plan.new_replica_set, replicas(plan.deployment)
    return (
        new_replica_set is not None
        and meta.annotations(new_replica_set).get(wellknown.ANNOTATION_DESIRED_REPLICAS) == str(wanted)
        and replicas(new_replica_set) == wanted
        and count(new_replica_set, "availableReplicas") == wanted
    )


def _share_out(plan: Plan) -> None:
    """Proportional scaling: each ReplicaSet keeps its share of the Pods; the largest takes what rounding leaves."""
    running = active(plan.all_replica_sets)
    wanted = replicas(plan.deployment)
    allowed = wanted + max_surge(plan.deployment) if wanted else 0
    change = allowed - total_replicas(running)
    # Of equal ones the newer grows first, and the older shrinks first.
    age = -1 if change > 0 else 1
    running.sort(key=lambda item: (-replicas(item), age * meta.created_at(item), meta.name(item)))
    given = 0
    sizes: list[int] = []
    for replica_set in running:
        part = _share(plan.deployment, replica_set, change, given) if change else 0
        given += part
        sizes.append(replicas(replica_set) + part)
    if change:
        sizes[0] = max(0, sizes[0] + change - given)
    for replica_set, size in zip(running, sizes, strict=True):
        plan.scale(replica_set, size)


def _share(deployment: Obj, replica_set: Obj, change: int, given: int) -> int:
    """How much of `change`, of which `given` is already shared out, falls to the ReplicaSet."""
    size = replicas(replica_set)
    left = change - given
    wanted = replicas(deployment)
    if wanted == 0:
        part = -size
    else:
        text = meta.annotations(replica_set).get(wellknown.ANNOTATION_MAX_REPLICAS, "")
        before = int(text) if text.isascii() and text.isdecimal() else count(deployment, "replicas")
        if before == 0:
            return 0
        share = size * (wanted + max_surge(deployment)) / before
        part = math.floor(share + 0.5) - size
    return min(part, left) if change > 0 else max(part, left)
