"""The ReplicaSet loop: as many Pods as spec.replicas asks for.

Rules: pkg/controller/replicaset. It adopts matching orphans, releases what no longer matches, creates or deletes at
most 500 Pods a round, and writes the counts to the status.
"""

from __future__ import annotations

from homeostat.api import meta
from homeostat.api.kinds import POD, REPLICASET
from homeostat.api.selectors import of_label_selector
from homeostat.api.types import Obj
from homeostat.controllers.deletion_rank import first_to_go
from homeostat.controllers.owning import Matcher, claim, owner_keys
from homeostat.controllers.writing import status_patch
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Action, Create, Delete, Key, Later, Loop, Record, Watch, World

BURST = 500  # Pods created or deleted in one round


def selects(replica_set: Obj) -> Matcher:
    """The test of spec.selector."""
    return of_label_selector(replica_set["spec"].get("selector")).matches


def decide(key: Key, world: World) -> list[Action]:
    """Create or delete Pods until there are spec.replicas of them, and report the counts."""
    replica_set = world.get(REPLICASET, *meta.split_key(key))
    if replica_set is None:
        return []
    claimed = claim(REPLICASET, replica_set, POD, selects(replica_set), world)
    active = [pod for pod in claimed.children if meta.pod_active(pod)]
    missing = 0
    if not meta.deleting(replica_set):
        missing = int(replica_set["spec"].get("replicas", 1)) - len(active)
    going = sum(1 for pod in claimed.children if meta.deleting(pod) and not meta.pod_terminal(pod))
    status = _status(replica_set, active, going, world.now)
    if conditions := _conditions(replica_set, missing, world):
        status["conditions"] = conditions
    scaling = _scale(replica_set, active, missing, world)
    report: list[Action] = [*status_patch(REPLICASET, replica_set, status)]
    # Pods before words; but what fails again and again must not keep the status from saying so.
    steps = [*report, *scaling] if world.failure else [*scaling, *report]
    return [*claimed.actions, *steps, *_until_available(replica_set, active, world.now)]


def _scale(replica_set: Obj, active: list[Obj], missing: int, world: World) -> list[Action]:
    if missing > 0:
        have = len(active)
        note = f"{have} of {have + missing} replicas exist"
        return [_create(replica_set, note) for _ in range(min(missing, BURST))]
    if missing < 0:
        doomed = first_to_go(active, _related(replica_set, active, world), min(-missing, BURST), world.now)
        note = f"{len(active)} replicas exist, {len(active) + missing} are wanted"
        return [_delete(replica_set, pod, note) for pod in doomed]
    return []


def _create(replica_set: Obj, note: str) -> Create:
    return Create(
        POD,
        pod_from_template(
            replica_set["spec"]["template"], replica_set, meta.make_controller_ref(REPLICASET, replica_set)
        ),
        note=note,
        done=Record(replica_set, "SuccessfulCreate", "Created pod: {name}"),
        failed=Record(replica_set, "FailedCreate", "Error creating: {error}", "Warning"),
    )


def _delete(replica_set: Obj, pod: Obj, note: str) -> Delete:
    return Delete(
        POD,
        meta.namespace(pod),
        meta.name(pod),
        uid=meta.uid(pod),
        note=note,
        done=Record(replica_set, "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}"),
        failed=Record(replica_set, "FailedDelete", "Error deleting: {error}", "Warning"),
    )


def pod_from_template(template: Obj, owner: Obj, reference: Obj) -> Obj:
    """A new Pod of `owner` from its template; the server completes its name."""
    given = template.get("metadata") or {}
    metadata: Obj = {"generateName": f"{meta.name(owner)}-", "namespace": meta.namespace(owner)}
    metadata |= {field: given[field] for field in ("labels", "annotations", "finalizers") if given.get(field)}
    metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec") or {}}


def _related(replica_set: Obj, active: list[Obj], world: World) -> list[Obj]:
    """The active Pods of this ReplicaSet and of its siblings under the same Deployment."""
    controller = meta.controller_of(replica_set)
    if controller is None:
        return active
    pods = list(active)
    for sibling in world.owned(REPLICASET, controller["uid"]):
        if meta.uid(sibling) != meta.uid(replica_set):
            pods += [pod for pod in world.owned(POD, meta.uid(sibling)) if meta.pod_active(pod)]
    return pods


def _status(replica_set: Obj, active: list[Obj], going: int, now: float) -> Obj:
    template_labels = meta.labels(replica_set["spec"].get("template") or {}).items()
    minimum = int(replica_set["spec"].get("minReadySeconds") or 0)
    ready = [pod for pod in active if meta.pod_ready(pod)]
    available = len(ready)
    if minimum:
        available = sum(1 for pod in ready if meta.pod_available(pod, minimum, now))
    status: Obj = {"replicas": len(active), "observedGeneration": meta.generation(replica_set)}
    counts = {
        "fullyLabeledReplicas": sum(1 for pod in active if template_labels <= meta.labels(pod).items()),
        "readyReplicas": len(ready),
        "availableReplicas": available,
        "terminatingReplicas": going,
    }
    return status | {field: count for field, count in counts.items() if count}


def _conditions(replica_set: Obj, missing: int, world: World) -> list[Obj]:
    """ReplicaFailure stands while the last round of creates or deletes failed."""
    others = [dict(item) for item in meta.conditions(replica_set) if item.get("type") != "ReplicaFailure"]
    if not world.failure or not missing:
        return others
    reason = "FailedCreate" if missing > 0 else "FailedDelete"
    standing = meta.condition(replica_set, "ReplicaFailure")
    new = standing or {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": reason,
        "message": world.failure,
        "lastTransitionTime": rfc3339(world.now),
    }
    return [*others, new]


def _until_available(replica_set: Obj, active: list[Obj], now: float) -> list[Action]:
    """Wake when the next ready Pod has been ready for minReadySeconds."""
    minimum = int(replica_set["spec"].get("minReadySeconds") or 0)
    if not minimum:
        return []
    waits = [
        meta.time_of(ready.get("lastTransitionTime")) + minimum - now
        for pod in active
        if (ready := meta.condition(pod, "Ready")) and ready.get("status") == "True"
    ]
    pending = [wait for wait in waits if wait > 0]
    return [Later(min(pending))] if pending else []


def loop() -> Loop:
    """The loop `replicaset`."""
    return Loop("replicaset", (Watch(REPLICASET), Watch(POD, owner_keys(REPLICASET, selects))), decide, parallel=5)
