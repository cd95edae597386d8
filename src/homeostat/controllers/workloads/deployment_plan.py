"""What one round of the Deployment loop works on: the Deployment, its ReplicaSets, and the changes planned for them.

The plan keeps changed copies of ReplicaSets, so that each later step of a round sees the sizes that an earlier one
chose, and ends with at most one write for each. Nothing here touches the objects in the caches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.kinds import REPLICASET
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj
from homeostat.controllers.workloads.fenceposts import max_surge
from homeostat.loop.contract import Action, Record, Update


@dataclass(slots=True)
class Plan:
    """One round: `new_replica_set` is the ReplicaSet of the current template (None before it exists),
    `old_replica_sets` all others."""

    deployment: Obj
    now: float
    new_replica_set: Obj | None = None
    old_replica_sets: list[Obj] = field(default_factory=list)
    changed: dict[str, Obj] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    # Planned after the writes of ReplicaSets: clean-up, status, waking up.
    trailing_actions: list[Action] = field(default_factory=list)

    @property
    def all_replica_sets(self) -> list[Obj]:
        """All ReplicaSets, the new one last."""
        if self.new_replica_set is None:
            return list(self.old_replica_sets)
        return [*self.old_replica_sets, self.new_replica_set]

    def edit(self, replica_set: Obj) -> Obj:
        """A private copy of the ReplicaSet that may be changed; it is written at the end of the round."""
        uid = meta.uid(replica_set)
        if uid in self.changed:
            return self.changed[uid]
        metadata = dict(replica_set["metadata"])
        metadata["annotations"] = dict(metadata.get("annotations") or {})
        copy = {**replica_set, "metadata": metadata, "spec": dict(replica_set["spec"])}
        self.changed[uid] = copy
        if self.new_replica_set is not None and meta.uid(self.new_replica_set) == uid:
            self.new_replica_set = copy
        self.old_replica_sets = [copy if meta.uid(old) == uid else old for old in self.old_replica_sets]
        return copy

    def scale(self, replica_set: Obj, size: int) -> bool:
        """Plan `size` Pods for the ReplicaSet, with its annotations; returns whether the size changes."""
        before = replicas(replica_set)
        annotate_size(self, replica_set)
        if before == size:
            return False
        self.edit(replica_set)["spec"]["replicas"] = size
        self.actions.append(scaled(self.deployment, meta.name(replica_set), before, size))
        return True

    def result(self) -> list[Action]:
        """The round's actions in order: ReplicaSets, then events, then the rest."""
        writes: list[Action] = [
            Update(REPLICASET, copy, note=f"rollout of {meta.name(self.deployment)}") for copy in self.changed.values()
        ]
        return [*writes, *self.actions, *self.trailing_actions]


def scaled(deployment: Obj, name: str, before: int, after: int) -> Record:
    """The event that kubectl users know."""
    direction = "up" if after > before else "down"
    return Record(deployment, "ScalingReplicaSet", f"Scaled {direction} replica set {name} from {before} to {after}")


def size_annotations(deployment: Obj) -> dict[str, str]:
    """What a ReplicaSet remembers of the Deployment's size, to share out a change of it later."""
    wanted = replicas(deployment)
    return {
        wellknown.ANNOTATION_DESIRED_REPLICAS: str(wanted),
        wellknown.ANNOTATION_MAX_REPLICAS: str(wanted + max_surge(deployment)),
    }


def annotate_size(plan: Plan, replica_set: Obj) -> None:
    """Bring the size annotations of the ReplicaSet up to date."""
    wanted = size_annotations(plan.deployment)
    if not wanted.items() <= meta.annotations(replica_set).items():
        plan.edit(replica_set)["metadata"]["annotations"].update(wanted)


def replicas(obj: Obj) -> int:
    """spec.replicas; 1 where it is absent."""
    value = obj["spec"].get("replicas")
    return 1 if value is None else int(value)


def count(obj: Obj, name: str) -> int:
    """A number in the status; 0 where it is absent."""
    return int((obj.get("status") or {}).get(name) or 0)


def total_replicas(items: Iterable[Obj]) -> int:
    """The planned sizes, summed."""
    return sum(replicas(item) for item in items)


def total_count(items: Iterable[Obj], name: str) -> int:
    """A number of the statuses, summed."""
    return sum(count(item, name) for item in items)


def active(items: Iterable[Obj]) -> list[Obj]:
    """ReplicaSets that ask for Pods."""
    return [item for item in items if replicas(item) > 0]


def oldest_first(items: Iterable[Obj]) -> list[Obj]:
    """By creation, then name."""
    return sorted(items, key=lambda item: (meta.created_at(item), meta.name(item)))


def revision(obj: Obj) -> int:
    """The revision annotation; 0 where it is absent or no number."""
    text = meta.annotations(obj).get(wellknown.ANNOTATION_REVISION, "")
    return int(text) if text.isascii() and text.isdecimal() else 0
