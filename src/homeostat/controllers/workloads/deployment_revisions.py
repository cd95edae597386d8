"""A Deployment's revisions: which ReplicaSet belongs to which template, how they are numbered, and which old ones are
kept.

Rules: deploymentutil (FindNewReplicaSet, SetNewReplicaSetAnnotations, NewReplicaSet) and cleanupDeployment. `kubectl
rollout undo` writes an old template back into the Deployment; the ReplicaSet of that template then gets the newest
number, and its former numbers go to its revision-history.
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.api import meta
from homeostat.api.kinds import DEPLOYMENT, REPLICASET
from homeostat.api.rules import ownership, wellknown
from homeostat.api.types import Obj
from homeostat.controllers.workloads.deployment_plan import (
    Plan,
    count,
    oldest_first,
    replicas,
    revision,
    size_annotations,
)
from homeostat.controllers.workloads.hashing import short_hash
from homeostat.loop.contract import Delete

HISTORY_CHARACTERS_MAX = 2000
# What says something about the Deployment alone, or that each ReplicaSet has in a form of its own.
_NOT_COPIED = frozenset(
    {
        wellknown.ANNOTATION_LAST_APPLIED,
        "deprecated.deployment.rollback.to",
        wellknown.ANNOTATION_REVISION,
        wellknown.ANNOTATION_REVISION_HISTORY,
        wellknown.ANNOTATION_DESIRED_REPLICAS,
        wellknown.ANNOTATION_MAX_REPLICAS,
    }
)


def _bare(template: Obj) -> Obj:
    """The template without the hash label, to compare."""
    metadata: Obj = dict(template.get("metadata") or {})
    labels = {
        name: value for name, value in (metadata.get("labels") or {}).items() if name != wellknown.LABEL_TEMPLATE_HASH
    }
    metadata.pop("labels", None)
    metadata.pop("creationTimestamp", None)
    if labels:
        metadata["labels"] = labels
    return {"metadata": metadata, "spec": template.get("spec")}


def same_template(one: Obj, other: Obj) -> bool:
    """Whether two Pod templates are equal but for the hash label."""
    return one.get("spec") == other.get("spec") and _bare(one) == _bare(other)


def find_new(deployment: Obj, replica_sets: Iterable[Obj]) -> Obj | None:
    """The ReplicaSet that has the Deployment's template; the oldest, should there be several."""
    template = deployment["spec"]["template"]
    for replica_set in oldest_first(replica_sets):
        if same_template(replica_set["spec"]["template"], template):
            return replica_set
    return None


def next_revision(plan: Plan) -> int:
    """One above the old ReplicaSets' revisions."""
    return max((revision(old) for old in plan.old_replica_sets), default=0) + 1


def build_replica_set(deployment: Obj) -> Obj:
    """The ReplicaSet of the current template, with no Pods yet and no revision."""
    template = deployment["spec"]["template"]
    template_hash = short_hash(_bare(template), int((deployment.get("status") or {}).get("collisionCount") or 0))
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), wellknown.LABEL_TEMPLATE_HASH: template_hash}
    selector = dict(deployment["spec"]["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), wellknown.LABEL_TEMPLATE_HASH: template_hash}
    spec: Obj = {"replicas": 0, "selector": selector, "template": {**template, "metadata": metadata}}
    if minimum := deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = minimum
    return {
        "apiVersion": REPLICASET.api_version,
        "kind": REPLICASET.kind,
        "metadata": {
            "name": f"{meta.name(deployment)}-{template_hash}",
            "namespace": meta.namespace(deployment),
            "labels": dict(metadata["labels"]),
            "annotations": {**copied_annotations(deployment), **size_annotations(deployment)},
            "ownerReferences": [ownership.controller_reference(DEPLOYMENT, deployment)],
        },
        "spec": spec,
    }


def copied_annotations(deployment: Obj) -> dict[str, str]:
    """The Deployment's annotations that its newest ReplicaSet carries too."""
    return {name: value for name, value in meta.annotations(deployment).items() if name not in _NOT_COPIED}


def sync_new(plan: Plan) -> None:
    """Keep the new ReplicaSet's revision, copied annotations and minReadySeconds in step with the Deployment."""
    new_replica_set = plan.new_replica_set
    if new_replica_set is None:
        return
    present = meta.annotations(new_replica_set)
    wanted = copied_annotations(plan.deployment)
    number = next_revision(plan)
    if revision(new_replica_set) < number:
        wanted[wellknown.ANNOTATION_REVISION] = str(number)
        if former := present.get(wellknown.ANNOTATION_REVISION):
            wanted[wellknown.ANNOTATION_REVISION_HISTORY] = _history(
                present.get(wellknown.ANNOTATION_REVISION_HISTORY, ""), former
            )
    if not wanted.items() <= present.items():
        plan.edit(new_replica_set)["metadata"]["annotations"].update(wanted)
    minimum = int(plan.deployment["spec"].get("minReadySeconds") or 0)
    if int(new_replica_set["spec"].get("minReadySeconds") or 0) != minimum:
        plan.edit(new_replica_set)["spec"]["minReadySeconds"] = minimum


def _history(history: str, former: str) -> str:
    """The comma-separated former revisions, the oldest dropped when the text grows too long."""
    numbers = [number for number in history.split(",") if number] + [former]
    while len(",".join(numbers)) > HISTORY_CHARACTERS_MAX and len(numbers) > 1:
        del numbers[0]
    return ",".join(numbers)


def clean_up(plan: Plan) -> None:
    """Delete old, empty ReplicaSets beyond revisionHistoryLimit, those of the lowest revisions first."""
    limit = plan.deployment["spec"].get("revisionHistoryLimit")
    alive = [old for old in plan.old_replica_sets if not meta.deleting(old)]
    if limit is None or len(alive) <= int(limit):
        return
    alive.sort(key=lambda old: (revision(old), meta.created_at(old), meta.name(old)))
    for old in alive[: len(alive) - int(limit)]:
        busy = replicas(old) or count(old, "replicas") or meta.generation(old) > count(old, "observedGeneration")
        if not busy:
            note = f"revisionHistoryLimit is {limit}"
            plan.trailing_actions.append(
                Delete(REPLICASET, meta.namespace(old), meta.name(old), uid=meta.uid(old), note=note)
            )
