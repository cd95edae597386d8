"""A DaemonSet's history: one ControllerRevision for each template, numbered, for `kubectl rollout history` and `undo`.

Rules: pkg/controller/daemon/update.go. Undo writes an old template back; its revision then gets the newest number.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.kinds import CONTROLLERREVISION, DAEMONSET
from homeostat.api.rules import ownership, wellknown
from homeostat.api.types import Obj
from homeostat.controllers.workloads.hashing import short_hash
from homeostat.controllers.writing import status_patch
from homeostat.loop.contract import Action, Create, Delete, Patch, World


@dataclass(slots=True)
class History:
    """The hash of the current template, and what keeps the revisions in order. `settled`: the current one exists."""

    revision_hash: str
    settled: bool
    actions: list[Action] = field(default_factory=list)


def _data(daemon_set: Obj) -> Obj:
    return {"spec": {"template": {**daemon_set["spec"]["template"], "$patch": "replace"}}}


def history(daemon_set: Obj, revisions: list[Obj], pods: list[Obj], world: World) -> History:
    """Find or make the revision of the current template, and drop the oldest ones beyond the limit."""
    data = _data(daemon_set)
    highest = max((int(item.get("revision") or 0) for item in revisions), default=0)
    same = sorted((item for item in revisions if item.get("data") == data), key=lambda item: int(item["revision"]))
    if not same:
        return _new(daemon_set, data, highest + 1, world)
    current = same[-1]
    result = History(meta.labels(current).get(wellknown.LABEL_REVISION_HASH, ""), settled=True)
    if int(current["revision"]) < highest:
        body = {"revision": highest + 1}
        note = "an old template is the current one again"
        place = (meta.namespace(current), meta.name(current))
        result.actions.append(Patch(CONTROLLERREVISION, *place, body, note=note))
    result.actions += _clean_up(daemon_set, revisions, current, pods)
    return result


def _new(daemon_set: Obj, data: Obj, number: int, world: World) -> History:
    status: Obj = daemon_set.get("status") or {}
    collisions = int(status.get("collisionCount") or 0)
    revision_hash = short_hash(daemon_set["spec"]["template"], collisions)
    name = f"{meta.name(daemon_set)}-{revision_hash}"
    result = History(revision_hash, settled=False)
    if world.get(CONTROLLERREVISION, meta.namespace(daemon_set), name) is not None:
        counted = {**status, "collisionCount": collisions + 1}
        result.actions += status_patch(DAEMONSET, daemon_set, counted, note=f"{name} is another's name")
        return result
    revision = {
        "apiVersion": CONTROLLERREVISION.api_version,
        "kind": CONTROLLERREVISION.kind,
        "metadata": {
            "name": name,
            "namespace": meta.namespace(daemon_set),
            "labels": {**meta.labels(daemon_set["spec"]["template"]), wellknown.LABEL_REVISION_HASH: revision_hash},
            "annotations": dict(meta.annotations(daemon_set)),
            "ownerReferences": [ownership.controller_reference(DAEMONSET, daemon_set)],
        },
        "data": data,
        "revision": number,
    }
    result.actions.append(Create(CONTROLLERREVISION, revision, note=f"new template, revision {number}"))
    return result


def _clean_up(daemon_set: Obj, revisions: list[Obj], current: Obj, pods: list[Obj]) -> list[Action]:
    """Delete old revisions beyond the limit that no Pod was made from."""
    given = daemon_set["spec"].get("revisionHistoryLimit")
    limit = 10 if given is None else int(given)
    live = {meta.labels(pod).get(wellknown.LABEL_REVISION_HASH) for pod in pods}
    old = sorted((item for item in revisions if item is not current), key=lambda item: int(item.get("revision") or 0))
    # Those in use count, but stay.
    unused = [item for item in old if meta.labels(item).get(wellknown.LABEL_REVISION_HASH) not in live]
    note = f"revisionHistoryLimit is {limit}"
    return [
        Delete(CONTROLLERREVISION, meta.namespace(item), meta.name(item), uid=meta.uid(item), note=note)
        for item in unused[: max(0, len(old) - limit)]
    ]
