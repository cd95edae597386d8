"""The ReplicaSet loop: as many Pods as spec.replicas asks for.

Rules: pkg/controller/replicaset. It adopts matching orphans, releases what no longer matches, creates or deletes at
most 500 Pods a round, and writes the counts to the status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.kinds import POD, REPLICASET
from homeostat.api.rules import ownership
from homeostat.api.selecting.label_selectors import of_label_selector
from homeostat.api.types import Obj
from homeostat.controllers.ownership.owning import Matcher, claim, owner_keys
from homeostat.controllers.workloads.deletion_rank import first_to_go
from homeostat.controllers.writing import status_patch, without_zeros
from homeostat.kit.clock import rfc3339
from homeostat.loop.contract import Action, Create, Delete, Key, Later, Loop, Record, Watch, World

BURST = 500  # Pods created or deleted in one round


def selects(replica_set: Obj) -> Matcher:
    """The test of spec.selector."""
    return of_label_selector(replica_set["spec"].get("selector")).matches


@dataclass(slots=True)
class _Tally:
    """One pass over the Pods: those that count, and how many of them are what."""

    active: list[Obj] = field(default_factory=list)
    going: int = 0
    labelled: int = 0
    ready: int = 0
    available: int = 0
    # Seconds until the next ready Pod is available; None when none is on its way.
    wait_seconds: float | None = None


def _tally(replica_set: Obj, pods: list[Obj], now: float) -> _Tally:
    tally = _Tally()
    template_labels = meta.labels(replica_set["spec"].get("template") or {}).items()
    minimum = int(replica_set["spec"].get("minReadySeconds") or 0)
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status") or {}
        if status.get("phase") in ("Succeeded", "Failed"):
            continue
        if metadata.get("deletionTimestamp"):
            tally.going += 1
            continue
        tally.active.append(pod)
        tally.labelled += template_labels <= (metadata.get("labels") or {}).items()
        for condition in status.get("conditions") or ():
            if condition["type"] == "Ready":
                if condition["status"] != "True":
                    break
                tally.ready += 1
                wait = meta.time_of(condition.get("lastTransitionTime")) + minimum - now if minimum else 0.0
                if wait <= 0:
                    tally.available += 1
                elif tally.wait_seconds is None or wait < tally.wait_seconds:
                    tally.wait_seconds = wait
                break
    return tally


def decide(key: Key, world: World) -> list[Action]:
    """Create or delete Pods until there are spec.replicas of them, and report the counts."""
    replica_set = world.get(REPLICASET, *meta.split_key(key))
    if replica_set is None:
        return []
    claimed = claim(REPLICASET, replica_set, POD, selects(replica_set), world)
    tally = _tally(replica_set, claimed.children, world.now)
    missing = 0
    if not meta.deleting(replica_set):
        missing = int(replica_set["spec"].get("replicas", 1)) - len(tally.active)
    report: list[Action] = [*status_patch(REPLICASET, replica_set, _status(replica_set, tally, missing, world))]
    scaling = _scale(replica_set, tally.active, missing, world)
    # Pods before the status; but repeated failures must not prevent the status from showing them.
    steps = [*report, *scaling] if world.failure else [*scaling, *report]
    if tally.wait_seconds is not None:
        steps.append(Later(tally.wait_seconds))
    return [*claimed.actions, *steps]


def _scale(replica_set: Obj, active: list[Obj], missing: int, world: World) -> Sequence[Action]:
    if missing > 0:
        have = len(active)
        note = f"{have} of {have + missing} replicas exist"
        # All are the same: the server completes their names.
        return [_create(replica_set, note)] * min(missing, BURST)
    if missing < 0:
        doomed = first_to_go(active, _related(replica_set, active, world), min(-missing, BURST), world.now)
        note = f"{len(active)} replicas exist, {len(active) + missing} are wanted"
        return [_delete(replica_set, pod, note) for pod in doomed]
    return []


def _create(replica_set: Obj, note: str) -> Create:
    return Create(
        POD,
        pod_from_template(
            replica_set["spec"]["template"], replica_set, ownership.controller_reference(REPLICASET, replica_set)
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
    controller = ownership.controller_of(replica_set)
    if controller is None:
        return active
    pods = list(active)
    for sibling in world.owned(REPLICASET, controller["uid"]):
        if meta.uid(sibling) != meta.uid(replica_set):
            pods += [pod for pod in world.owned(POD, meta.uid(sibling)) if meta.pod_active(pod)]
    return pods


def _status(replica_set: Obj, tally: _Tally, missing: int, world: World) -> Obj:
    status: Obj = {"replicas": len(tally.active), "observedGeneration": meta.generation(replica_set)}
    numbers = {
        "fullyLabeledReplicas": tally.labelled,
        "readyReplicas": tally.ready,
        "availableReplicas": tally.available,
        "terminatingReplicas": tally.going,
        "conditions": _conditions(replica_set, missing, world),
    }
    return status | without_zeros(numbers)


def _conditions(replica_set: Obj, missing: int, world: World) -> list[Obj]:
    """ReplicaFailure is set while the last round of creates or deletes failed."""
    others = [dict(item) for item in meta.conditions(replica_set) if item.get("type") != "ReplicaFailure"]
    if not world.failure or not missing:
        return others
    reason = "FailedCreate" if missing > 0 else "FailedDelete"
    current = meta.condition(replica_set, "ReplicaFailure")
    new = current or {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": reason,
        "message": world.failure,
        "lastTransitionTime": rfc3339(world.now),
    }
    return [*others, new]


def loop() -> Loop:
    """The loop `replicaset`."""
    return Loop("replicaset", (Watch(REPLICASET), Watch(POD, owner_keys(REPLICASET, selects))), decide, parallel=5)
