"""The Deployment loop: one ReplicaSet for each template, and Pods moved from the old ones to the new one.

Rules: pkg/controller/deployment. `decide` finds the ReplicaSets and picks what this round is: a change of size, a
paused Deployment, a rolling update or a recreation. Sizes are `deployment_sizes`, revisions `deployment_revisions`,
the status `deployment_status`.
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.api import meta
from homeostat.api.kinds import DEPLOYMENT, POD, REPLICASET
from homeostat.api.rules import ownership, wellknown
from homeostat.api.selecting.label_selectors import of_label_selector
from homeostat.api.types import Obj
from homeostat.controllers.ownership.owning import Matcher, claim, controller_key, owner_keys
from homeostat.controllers.workloads import deployment_sizes as sizes
from homeostat.controllers.workloads.deployment_plan import Plan, count, replicas, revision, scaled
from homeostat.controllers.workloads.deployment_revisions import (
    build_replica_set,
    clean_up,
    find_new,
    next_revision,
    same_template,
    sync_new,
)
from homeostat.controllers.workloads.deployment_status import Condition, complete, counted, has_deadline, put, report
from homeostat.controllers.workloads.fenceposts import is_rolling
from homeostat.controllers.writing import status_patch
from homeostat.loop.contract import Action, Create, Key, Loop, Patch, Record, Watch, World


def selects(deployment: Obj) -> Matcher:
    """The test of spec.selector."""
    return of_label_selector(deployment["spec"].get("selector")).matches


def decide(key: Key, world: World) -> list[Action]:
    """Take the Deployment one step on."""
    deployment = world.get(DEPLOYMENT, *meta.split_key(key))
    if deployment is None:
        return []
    if not _selects_something(deployment):
        message = "This deployment is selecting all pods. A non-empty selector is required."
        status = {**(deployment.get("status") or {}), "observedGeneration": meta.generation(deployment)}
        write = status_patch(DEPLOYMENT, deployment, status)
        return [Record(deployment, "SelectingAll", message, "Warning"), *write] if write else []
    claimed = claim(DEPLOYMENT, deployment, REPLICASET, selects(deployment), world)
    if claimed.actions:
        # References first: the next round sees them, and every later write builds on them.
        return claimed.actions
    plan = Plan(deployment, world.now)
    plan.new_replica_set = find_new(deployment, claimed.children)
    plan.old_replica_sets = [
        item
        for item in claimed.children
        if plan.new_replica_set is None or meta.uid(item) != meta.uid(plan.new_replica_set)
    ]
    _step(plan, world)
    return plan.result()


def _selects_something(deployment: Obj) -> bool:
    selector = deployment["spec"].get("selector") or {}
    return bool(selector.get("matchLabels") or selector.get("matchExpressions"))


def _step(plan: Plan, world: World) -> None:
    deployment = plan.deployment
    if meta.deleting(deployment):
        report(plan, rolling_out=False)
    elif (condition := _pause_or_resumption(deployment)) is not None:
        conditions = list(meta.conditions(deployment))
        put(conditions, condition, plan.now)
        status = {**(deployment.get("status") or {}), "conditions": conditions}
        plan.trailing_actions += status_patch(DEPLOYMENT, deployment, status)
    elif deployment["spec"].get("paused"):
        _resize(plan)
        clean_up(plan)
        report(plan, rolling_out=False)
    elif sizes.size_changed(plan):
        _resize(plan)
        report(plan, rolling_out=False)
    elif is_rolling(deployment):
        _roll(plan, world)
    else:
        _recreate(plan, world)


def _pause_or_resumption(deployment: Obj) -> Condition | None:
    """The condition of a rollout that was paused or resumed, so that a pause does not count as a lack of progress; None
    where it is there already, or does not matter."""
    progressing = meta.condition(deployment, "Progressing")
    reason = progressing.get("reason") if progressing else ""
    paused = bool(deployment["spec"].get("paused"))
    if not has_deadline(deployment) or reason == "ProgressDeadlineExceeded" or paused == (reason == "DeploymentPaused"):
        return None
    if paused:
        return Condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    return Condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")


def _resize(plan: Plan) -> None:
    sync_new(plan)
    plan.trailing_actions += _missing_revision(plan)
    sizes.scale_all(plan)


def _roll(plan: Plan, world: World) -> None:
    if plan.new_replica_set is None:
        _create_new(plan, world)
        return
    sync_new(plan)
    if first := _missing_revision(plan) or _progress_of_found(plan):
        # The rollout continues when the Deployment has it.
        plan.trailing_actions += first
        return
    resizes = sizes.grow_new(plan) or sizes.shrink_old(plan)
    if not resizes and complete(plan.deployment, plan.deployment.get("status") or {}):
        clean_up(plan)
    report(plan, rolling_out=True)


def _recreate(plan: Plan, world: World) -> None:
    sync_new(plan)
    if first := _missing_revision(plan):
        plan.trailing_actions += first
        return
    stops = sizes.stop_old(plan)
    if not stops and not _old_pods_remain(plan, world):
        if plan.new_replica_set is None:
            _create_new(plan, world)
            return
        if first := _progress_of_found(plan):
            plan.trailing_actions += first
            return
        resizes = plan.scale(plan.new_replica_set, replicas(plan.deployment))
        if not resizes and complete(plan.deployment, plan.deployment.get("status") or {}):
            clean_up(plan)
    report(plan, rolling_out=True)


def _old_pods_remain(plan: Plan, world: World) -> bool:
    """Whether any Pod of an old ReplicaSet has not ended; a Recreate rollout waits for all of them."""
    return any(
        count(old, "replicas") or any(not meta.pod_terminal(pod) for pod in world.owned(POD, meta.uid(old)))
        for old in plan.old_replica_sets
    )


def _create_new(plan: Plan, world: World) -> None:
    deployment = plan.deployment
    new = build_replica_set(deployment)
    name = meta.name(new)
    if (taken := world.get(REPLICASET, meta.namespace(new), name)) is not None:
        _on_collision(plan, taken, new)
        return
    number = str(next_revision(plan))
    new["metadata"]["annotations"][wellknown.ANNOTATION_REVISION] = number
    size = sizes.new_size(plan)
    new["spec"]["replicas"] = size
    failed = f'Failed to create new replica set "{name}": '
    create = Create(
        REPLICASET,
        new,
        note=f"new template, revision {number}",
        done=scaled(deployment, name, 0, size) if size else None,
        failed=Record(deployment, "ReplicaSetCreateError", failed + "{error}", "Warning"),
    )
    condition = Condition("Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "{name}"')
    if world.failure:
        condition = Condition("Progressing", "False", "ReplicaSetCreateError", failed + world.failure)
    status = counted(plan)
    if has_deadline(deployment):
        put(status["conditions"], condition, plan.now)
    report = status_patch(DEPLOYMENT, deployment, status)
    # Repeated failures must not prevent the status from showing them.
    plan.actions += [*report, create] if world.failure else [create, *_revision_patch(deployment, number), *report]


def _on_collision(plan: Plan, taken: Obj, wanted: Obj) -> None:
    """The name is taken. Another template has it: hash again with a higher count. Ours is going: wait until it has."""
    ours = ownership.controlled_by(taken, plan.deployment)
    if ours and same_template(taken["spec"]["template"], wanted["spec"]["template"]):
        return
    collisions = int((plan.deployment.get("status") or {}).get("collisionCount") or 0) + 1
    status = {**(plan.deployment.get("status") or {}), "collisionCount": collisions}
    plan.trailing_actions += status_patch(
        DEPLOYMENT, plan.deployment, status, note=f"{meta.name(taken)} is another's name"
    )


def _revision_patch(deployment: Obj, number: str) -> list[Action]:
    if meta.annotations(deployment).get(wellknown.ANNOTATION_REVISION) == number:
        return []
    body = {"metadata": {"annotations": {wellknown.ANNOTATION_REVISION: number}}}
    return [Patch(DEPLOYMENT, meta.namespace(deployment), meta.name(deployment), body, note=f"revision {number}")]


def _missing_revision(plan: Plan) -> list[Action]:
    """The patch that sets the Deployment's revision to its new ReplicaSet's; empty where it is set."""
    number = revision(plan.new_replica_set) if plan.new_replica_set is not None else 0
    return _revision_patch(plan.deployment, str(number)) if number else []


def _progress_of_found(plan: Plan) -> list[Action]:
    """What starts the progress of a rollout to a template that already has a ReplicaSet; empty where it has begun."""
    deployment = plan.deployment
    if plan.new_replica_set is None or not has_deadline(deployment) or meta.condition(deployment, "Progressing"):
        return []
    status = counted(plan)
    message = f'Found new replica set "{meta.name(plan.new_replica_set)}"'
    put(status["conditions"], Condition("Progressing", "True", "FoundNewReplicaSet", message), plan.now)
    return [*status_patch(DEPLOYMENT, deployment, status)]


def _pod_keys(old: Obj | None, new: Obj | None, world: World) -> Iterable[Key]:
    """A Pod that is gone may be the last that a Recreate rollout waited for."""
    if new is not None or old is None:
        return ()
    parent = controller_key(old, REPLICASET)
    replica_set = world.get(REPLICASET, *meta.split_key(parent)) if parent else None
    key = controller_key(replica_set, DEPLOYMENT) if replica_set is not None else None
    deployment = world.get(DEPLOYMENT, *meta.split_key(key)) if key else None
    return (key,) if key and deployment is not None and not is_rolling(deployment) else ()


def loop() -> Loop:
    """The loop `deployment`."""
    watches = (Watch(DEPLOYMENT), Watch(REPLICASET, owner_keys(DEPLOYMENT, selects)), Watch(POD, _pod_keys))
    return Loop("deployment", watches, decide, parallel=5)
