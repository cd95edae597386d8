"""How many pods a workload may have at most, while nothing leaves its controller in doubt.

A ReplicaSet never has more than it wants and a DaemonSet never two on a node when a pod is created; a Deployment's
ReplicaSets never want more than replicas + maxSurge together when one of them grows. The wanted number may have
shrunk a moment ago, so the largest within the last seconds counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.api import meta
from homeostat.api.rules import ownership
from homeostat.api.rules.nodeaffinity import pinned_node
from homeostat.api.types import Obj
from homeostat.controllers.workloads.fenceposts import max_surge
from homeostat.sim.record.commit_ledger import Commit, Ledger

# How long a controller's view of the wanted number may be behind.
_LATE_SECONDS = 5.0


class PodBounds:
    """Remembers how much each workload wanted of late."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._wanted: dict[str, list[tuple[float, int]]] = {}

    def faults(self, commit: Commit, now: float) -> Iterable[str]:
        """Which bounds the commit breaks. `now` is in seconds on the run's clock."""
        if commit.kind in ("ReplicaSet", "Deployment"):
            self._note_wanted(commit, now)
            if commit.kind == "ReplicaSet" and commit.new is not None:
                yield from self._grown(commit.old, commit.new, now)
        elif commit.kind == "Pod" and commit.old is None and commit.new is not None:
            yield from self._created(commit.new, now)

    def _note_wanted(self, commit: Commit, now: float) -> None:
        obj = commit.obj
        if commit.new is None:
            return
        amount = obj["spec"]["replicas"] + (max_surge(obj) if commit.kind == "Deployment" else 0)
        wanted = self._wanted.setdefault(meta.uid(obj), [])
        if not wanted or wanted[-1][1] != amount:
            wanted.append((now, amount))

    def _most(self, uid: str, now: float) -> int:
        """The largest number that was wanted within the last `_LATE_SECONDS`, that of now included."""
        most, until = 0, now
        for since, amount in reversed(self._wanted.get(uid, [])):
            if until < now - _LATE_SECONDS:
                break
            most, until = max(most, amount), since
        return most

    def _created(self, pod: Obj, now: float) -> Iterable[str]:
        owner = ownership.controller_of(pod) or {}
        siblings = [other for other in self._ledger.all("Pod", meta.namespace(pod)) if meta.pod_active(other)]
        if owner.get("kind") == "ReplicaSet":
            yield from self._of_replica_set(pod, siblings, now)
        elif owner.get("kind") == "DaemonSet":
            own = [other for other in siblings if ownership.controller_uid(other) == owner["uid"]]
            node = pinned_node(pod["spec"])
            number = sum(pinned_node(other["spec"]) == node for other in own)
            if number > 1:
                yield f"DaemonSet {owner['name']} has {number} pods for {node}"

    def _of_replica_set(self, pod: Obj, siblings: list[Obj], now: float) -> Iterable[str]:
        rs = self._ledger.get("ReplicaSet", f"{meta.namespace(pod)}/{(ownership.controller_of(pod) or {})['name']}")
        if rs is None or not ownership.controlled_by(pod, rs):
            return
        own = sum(1 for other in siblings if ownership.controlled_by(other, rs))
        if own > self._most(meta.uid(rs), now):
            yield f"ReplicaSet {meta.key(rs)} has {own} pods, and wants {self._most(meta.uid(rs), now)} at most"

    def _grown(self, old: Obj | None, rs: Obj, now: float) -> Iterable[str]:
        owner = ownership.controller_of(rs)
        before = old["spec"]["replicas"] if old is not None else 0
        if owner is None or rs["spec"]["replicas"] <= before or owner["uid"] not in self._wanted:
            return
        sets = [other for other in self._ledger.all("ReplicaSet") if ownership.controller_uid(other) == owner["uid"]]
        whole = sum(other["spec"]["replicas"] for other in sets)
        most = self._most(owner["uid"], now)
        if whole > most:
            yield f"ReplicaSets of Deployment {owner['name']} want {whole} pods, and it allows {most} at most"
