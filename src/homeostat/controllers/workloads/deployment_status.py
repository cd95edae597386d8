"""A Deployment's status: counts, Available, Progressing and ReplicaFailure, and when to look again.

Rules: pkg/controller/deployment (progress.go, sync.go) and deploymentutil's conditions.
"""

from __future__ import annotations

from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.kinds import DEPLOYMENT
from homeostat.api.types import Obj
from homeostat.controllers.workloads.deployment_plan import Plan, count, replicas, total_count, total_replicas
from homeostat.controllers.workloads.fenceposts import max_unavailable
from homeostat.controllers.writing import status_patch, without_zeros
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Later

# progressDeadlineSeconds of this value means that there is none (math.MaxInt32).
NO_DEADLINE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as it is to be: `reason` is shown by kubectl, `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str


def has_deadline(deployment: Obj) -> bool:
    """Whether the rollout's progress is watched."""
    limit = deployment["spec"].get("progressDeadlineSeconds")
    return limit is not None and int(limit) != NO_DEADLINE


def put(conditions: list[Obj], condition: Condition, now: float, *, again: bool = False) -> None:
    """Set a condition. The same status and reason change nothing, unless `again`: then lastUpdateTime moves on."""
    old = meta.find_condition(conditions, condition.type)
    if old and (old.get("status"), old.get("reason")) == (condition.status, condition.reason) and not again:
        return
    moment = since = rfc3339(now)
    if old and old.get("status") == condition.status:
        since = old.get("lastTransitionTime", moment)
    new = {
        "type": condition.type,
        "status": condition.status,
        "lastUpdateTime": moment,
        "lastTransitionTime": since,
        "reason": condition.reason,
        "message": condition.message,
    }
    conditions[:] = [item for item in conditions if item.get("type") != condition.type] + [new]


def remove(conditions: list[Obj], condition_type: str) -> None:
    """Drop a condition."""
    conditions[:] = [item for item in conditions if item.get("type") != condition_type]


def counted(plan: Plan) -> Obj:
    """The status by numbers, with Available; the other conditions are copied."""
    deployment = plan.deployment
    all_replica_sets = plan.all_replica_sets
    total = total_count(all_replica_sets, "replicas")
    available = total_count(all_replica_sets, "availableReplicas")
    numbers = {
        "observedGeneration": meta.generation(deployment),
        "replicas": total,
        "updatedReplicas": count(plan.new_replica_set, "replicas") if plan.new_replica_set is not None else 0,
        "readyReplicas": total_count(all_replica_sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total_replicas(all_replica_sets) - available),
        "terminatingReplicas": total_count(all_replica_sets, "terminatingReplicas"),
    }
    status = without_zeros(numbers)
    if (collisions := (deployment.get("status") or {}).get("collisionCount")) is not None:
        status["collisionCount"] = collisions
    conditions = list(meta.conditions(deployment))
    if available >= replicas(deployment) - max_unavailable(deployment):
        condition = Condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        condition = Condition(
            "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
        )
    put(conditions, condition, plan.now)
    status["conditions"] = conditions
    return status


def complete(deployment: Obj, status: Obj) -> bool:
    """Whether the rollout is over: every replica is new, available, and of the observed spec."""
    wanted = replicas(deployment)
    numbers = [int(status.get(name) or 0) for name in ("updatedReplicas", "replicas", "availableReplicas")]
    seen = int(status.get("observedGeneration") or 0)
    return numbers == [wanted, wanted, wanted] and seen >= meta.generation(deployment)


def report(plan: Plan, *, rolling_out: bool) -> None:
    """Plan the status write, and a later look while a deadline runs. `rolling_out`: progress is judged too."""
    status = counted(plan)
    if rolling_out:
        _judge_progress(plan, status)
    plan.trailing_actions += status_patch(DEPLOYMENT, plan.deployment, status)
    if rolling_out:
        _wake_at_deadline(plan, status)


def _judge_progress(plan: Plan, status: Obj) -> None:
    deployment, conditions = plan.deployment, status["conditions"]
    if not has_deadline(deployment):
        remove(conditions, "Progressing")
    current = meta.condition(deployment, "Progressing")
    settled = (
        status.get("replicas") == status.get("updatedReplicas")
        and current is not None
        and current.get("reason") == "NewReplicaSetAvailable"
    )
    if has_deadline(deployment) and not settled:
        who = (
            f'ReplicaSet "{meta.name(plan.new_replica_set)}"'
            if plan.new_replica_set
            else f'Deployment "{meta.name(deployment)}"'
        )
        if complete(deployment, status):
            message = f"{who} has successfully progressed."
            put(conditions, Condition("Progressing", "True", "NewReplicaSetAvailable", message), plan.now)
        elif _moved_on(deployment, status):
            message = f"{who} is progressing."
            put(conditions, Condition("Progressing", "True", "ReplicaSetUpdated", message), plan.now, again=True)
        elif _timed_out(deployment, conditions, plan.now):
            message = f"{who} has timed out progressing."
            put(conditions, Condition("Progressing", "False", "ProgressDeadlineExceeded", message), plan.now)
    _copy_failure(plan, conditions)


def _moved_on(deployment: Obj, status: Obj) -> bool:
    """Whether more new, fewer old, more ready or more available Pods are there than the last status said."""
    now = {name: int(status.get(name) or 0) for name in _WATCHED}
    then = {name: count(deployment, name) for name in _WATCHED}
    return (
        now["updatedReplicas"] > then["updatedReplicas"]
        or now["replicas"] - now["updatedReplicas"] < then["replicas"] - then["updatedReplicas"]
        or now["readyReplicas"] > then["readyReplicas"]
        or now["availableReplicas"] > then["availableReplicas"]
    )


_WATCHED = ("updatedReplicas", "replicas", "readyReplicas", "availableReplicas")


def _timed_out(deployment: Obj, conditions: list[Obj], now: float) -> bool:
    progressing = meta.find_condition(conditions, "Progressing")
    if progressing is None or progressing.get("reason") == "NewReplicaSetAvailable":
        return False
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return True
    limit = int(deployment["spec"]["progressDeadlineSeconds"])
    return meta.time_of(progressing.get("lastUpdateTime")) + limit < now


def _copy_failure(plan: Plan, conditions: list[Obj]) -> None:
    """ReplicaFailure is that of the new ReplicaSet, or else of any."""
    newest_first = [*([plan.new_replica_set] if plan.new_replica_set else []), *plan.old_replica_sets]
    found = [item for rs in newest_first if (item := meta.condition(rs, "ReplicaFailure"))]
    if not found:
        remove(conditions, "ReplicaFailure")
        return
    failure = found[0]
    condition = Condition("ReplicaFailure", failure["status"], failure.get("reason", ""), failure.get("message", ""))
    put(conditions, condition, plan.now)


def _wake_at_deadline(plan: Plan, status: Obj) -> None:
    progressing = meta.find_condition(status["conditions"], "Progressing")
    if progressing is None or not has_deadline(plan.deployment) or complete(plan.deployment, status):
        return
    if progressing.get("reason") in ("ProgressDeadlineExceeded", "NewReplicaSetAvailable"):
        return
    limit = int(plan.deployment["spec"]["progressDeadlineSeconds"])
    left = meta.time_of(progressing.get("lastUpdateTime")) + limit - plan.now
    # One second more: times in objects are whole seconds.
    plan.trailing_actions.append(Later(max(left, 0.0) + 1.0))
