"""The pods that wait for a node: an active heap by priority and age, pods that back off, and pods that found no node.

A pod that found no node waits until something changed that may help it; then it backs off for a while that doubles
with its tries (1 s to 10 s), as kube-scheduler's queue does. Pure: times come in as arguments (seconds).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from homeostat.kit.backoff import Backoff
from homeostat.scheduler.podinfo import PodInfo


@dataclass(slots=True)
class Waiting:
    """One pod that waits. `tries` counts the attempts so far."""

    pod: PodInfo
    since: float
    tries: int = 0
    ready_at: float = 0.0
    missed_at: float = 0.0


@dataclass(slots=True)
class Backlog:
    """See the module. Even without any helpful event a pod is tried again after `flush_seconds`."""

    backoff: Backoff
    flush_seconds: float = 300.0
    _waiting: dict[str, Waiting] = field(default_factory=dict)
    _active: list[tuple[int, float, int, str]] = field(default_factory=list)
    _delayed: list[tuple[float, int, str]] = field(default_factory=list)
    _without_node: set[str] = field(default_factory=set)
    _order: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, pod: PodInfo, now: float) -> None:
        """A pod waits for a node, or one that waits has changed."""
        known = self._waiting.get(pod.key)
        if known is not None and known.pod.uid == pod.uid:
            changed = not known.pod.same_to_scheduler(pod)
            known.pod = pod
            if changed and pod.key in self._without_node:
                self._without_node.discard(pod.key)
                self._push_active(known)
            return
        waiting = Waiting(pod, now)
        self._waiting[pod.key] = waiting
        self._without_node.discard(pod.key)
        self._push_active(waiting)

    def remove(self, key: str) -> None:
        """A pod waits no longer."""
        self._waiting.pop(key, None)
        self._without_node.discard(key)

    def pop(self, now: float) -> Waiting | None:
        """The next pod to place, or None. It stays known until `remove`."""
        while self._delayed and self._delayed[0][0] <= now:
            _, _, key = heapq.heappop(self._delayed)
            if waiting := self._waiting.get(key):
                self._push_active(waiting)
        while self._active:
            _, _, _, key = heapq.heappop(self._active)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.ready_at <= now and key not in self._without_node:
                waiting.tries += 1
                # A stale heap entry of the same pod must not bring it up twice.
                waiting.ready_at = float("inf")
                return waiting
        return None

    def add_failed(self, waiting: Waiting, now: float) -> None:
        """Placing failed for a passing reason (a write failed): the pod waits again, after its backoff."""
        self._waiting[waiting.pod.key] = waiting
        self._delay(waiting, now)

    def no_node(self, waiting: Waiting, now: float) -> None:
        """No node fits: wait until the cluster changes."""
        waiting.missed_at = now
        self._without_node.add(waiting.pod.key)

    def cluster_changed(self, now: float, helps: Callable[[PodInfo], bool] | None = None) -> None:
        """Something happened that may let a pod fit: those that found no node (and that it `helps`) try again after
        their backoff."""
        if not self._without_node:
            return
        for key in sorted(self._without_node):
            waiting = self._waiting.get(key)
            if waiting is None:
                self._without_node.discard(key)
            elif helps is None or helps(waiting.pod):
                self._delay(waiting, now)
                self._without_node.discard(key)

    def flush(self, now: float) -> None:
        """Try those again that have waited for too long without any event."""
        for key in sorted(self._without_node):
            waiting = self._waiting.get(key)
            if waiting is not None and now - waiting.missed_at >= self.flush_seconds:
                self._without_node.discard(key)
                self._push_active(waiting)

    def next_moment(self) -> float | None:
        """When the next delayed pod is due; None when none is."""
        return self._delayed[0][0] if self._delayed else None

    def _delay(self, waiting: Waiting, now: float) -> None:
        since = waiting.missed_at if waiting.pod.key in self._without_node else now
        due = since + self.backoff.delay(max(0, waiting.tries - 1))
        self._order += 1
        waiting.ready_at = due
        heapq.heappush(self._delayed, (max(due, now), self._order, waiting.pod.key))

    def _push_active(self, waiting: Waiting) -> None:
        self._order += 1
        waiting.ready_at = 0.0
        heapq.heappush(self._active, (-waiting.pod.priority, waiting.since, self._order, waiting.pod.key))
