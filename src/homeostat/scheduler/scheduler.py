"""The scheduler: follows nodes, pods and namespaces, decides pod by pod, binds many at once.

A decision counts at once in the snapshot (the pod is assumed on its node) and is written behind it; a write that fails
takes the assumption back and the pod waits again. Nothing here decides: `cycle` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import NAMESPACE, NODE, PDB, POD
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import chance, clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.loop.informer import Informer
from homeostat.scheduler.backlog import Backlog, Waiting
from homeostat.scheduler.budgets import budget_of
from homeostat.scheduler.cycle import Nomination, Placement, place
from homeostat.scheduler.podinfo import DEFAULT_SCHEDULER, PodInfo, is_bound_form, pod_info
from homeostat.scheduler.snapshot import Snapshot
from homeostat.scheduler.writes import COMPONENT, Writes

_log = logger("scheduler")
_WRITES_MAX = 32
# With so many bindings under way, events wait.
_BUSY_WRITES = 8
# Decisions between two looks at the event loop: long enough to be quick, short enough that caches stay current.
_BATCH = 8
_IDLE_SECONDS = 30.0


class Scheduler:
    """See the module. `warm` fills the caches; `start` begins to decide; `stop_deciding` keeps the caches."""

    def __init__(self, client: Client, settings: Settings, *, host: str = "") -> None:
        self._informers = [Informer(client, kind) for kind in (NODE, POD, NAMESPACE, PDB)]
        self._nodes, self._pods, self._namespaces, self._budgets = self._informers
        self._snapshot = Snapshot()
        first = settings.integer(COMPONENT, "pod-initial-backoff-seconds")
        ceiling = settings.integer(COMPONENT, "pod-max-backoff-seconds")
        flush = settings.duration(COMPONENT, "pod-max-in-unschedulable-pods-duration")
        self._backlog = Backlog(Backoff(first_seconds=first, ceiling_seconds=ceiling), flush)
        self._writes = Writes(client, host=host, busy=lambda: len(self._writing) >= _BUSY_WRITES)
        self._assumed: dict[str, Waiting] = {}
        self._nominations: dict[str, Nomination] = {}
        self._moved = asyncio.Event()
        self._slots = asyncio.Semaphore(_WRITES_MAX)
        self._caching: list[asyncio.Task[None]] = []
        self._deciding: asyncio.Task[None] | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self.bound = 0

    async def warm(self) -> None:
        """Start to follow the cluster; returns at once."""
        if self._caching:
            return
        self._nodes.listen(self._node_changed)
        self._pods.listen(self._pod_changed)
        self._namespaces.listen(self._namespace_changed)
        self._budgets.listen(self._budget_changed)
        for informer in self._informers:
            self._caching.append(tasks.spawn(informer.run(), name=f"scheduler/{informer.kind.plural}"))

    async def start(self) -> None:
        """Begin to decide, as soon as the caches have filled."""
        await self.warm()
        self._writes.recorder.start()
        self._deciding = tasks.spawn(self._decide_all(), name="scheduler/cycle")

    async def stop_deciding(self) -> None:
        """End the cycle (another instance leads) and the writes under way; the caches go on."""
        deciding, self._deciding = self._deciding, None
        await tasks.stop(deciding, *self._writing)
        for waiting in list(self._assumed.values()):
            self._take_back(waiting)
        await self._writes.recorder.stop()

    async def stop(self) -> None:
        """End everything."""
        await self.stop_deciding()
        await tasks.stop(*self._caching)
        self._caching = []

    # -- what is seen ----------------------------------------------------------------------------------------------

    def _node_changed(self, old: Obj | None, new: Obj | None) -> None:
        if new is None:
            self._snapshot.remove_node(meta.name(old or {}))
            return
        if old is not None and not _matters(old, new):
            return
        fresh = meta.name(new) not in self._snapshot.rows
        self._snapshot.set_node(new)
        if fresh:
            for pod in self._pods.objects.on_node(meta.name(new)):
                self._pod_changed(None, pod)
        self._cluster_changed()

    def _namespace_changed(self, old: Obj | None, new: Obj | None) -> None:
        namespace = meta.name(new or old or {})
        if self._snapshot.set_namespace(namespace, None if new is None else dict(meta.labels(new))):
            self._pods_moved()

    def _budget_changed(self, old: Obj | None, new: Obj | None) -> None:
        """Budgets matter for preemption only; a change makes no waiting pod schedulable."""
        if new is None:
            self._snapshot.budgets.pop(meta.key(old or {}), None)
        else:
            self._snapshot.budgets[meta.key(new)] = budget_of(new)

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        pod = new or old or {}
        key, node = meta.key(pod), meta.pod_node(pod)
        if new is None or meta.pod_terminal(new):
            self._forget(key)
            if key in self._snapshot.pods:
                self._snapshot.remove_pod(key)
                self._cluster_changed()
        elif node:
            self._forget(key)
            self._place_seen(old, new, node)
        elif not self._is_ours(new):
            self._forget(key)
        elif key not in self._assumed:
            self._wait(pod_info(new))

    def _place_seen(self, old: Obj | None, pod: Obj, node: str) -> None:
        """Count a pod on the node that the API says it has."""
        known = self._snapshot.pods.get(meta.key(pod))
        moved = known is None or self._snapshot.name_of(known[1]) != node
        is_first = old is None or not meta.pod_node(old)
        if is_first and not moved and known is not None and is_bound_form(known[0].pod, pod):
            # Nearly always: the pod was assumed there, and nothing but its node has come.
            self._pods_moved()
            return
        info = pod_info(pod)
        if moved or known is None or not known[0].same_to_scheduler(info):
            self._snapshot.add_pod(info, node)
            self._pods_moved()
        elif is_first:
            self._pods_moved()

    def _wait(self, pod: PodInfo) -> None:
        if pod.nominated and pod.key not in self._nominations:
            self._nominations[pod.key] = Nomination(pod, pod.nominated)
        self._backlog.add(pod, clock.monotonic())
        self._moved.set()

    def _forget(self, key: str) -> None:
        """A pod waits for no node any more."""
        self._backlog.remove(key)
        self._assumed.pop(key, None)
        if self._nominations.pop(key, None) is not None:
            self._cluster_changed()

    def _is_ours(self, pod: Obj) -> bool:
        spec = pod["spec"]
        named = (spec.get("schedulerName") or DEFAULT_SCHEDULER) == DEFAULT_SCHEDULER
        return named and not spec.get("schedulingGates") and not meta.deleting(pod)

    def _cluster_changed(self) -> None:
        self._backlog.cluster_changed(clock.monotonic())
        self._moved.set()

    def _pods_moved(self) -> None:
        """Pods came or changed on nodes: that takes resources, but may satisfy the affinity that others wait for."""
        self._backlog.cluster_changed(clock.monotonic(), _regards_pods)
        self._moved.set()

    # -- the cycle -------------------------------------------------------------------------------------------------

    async def _decide_all(self) -> None:
        for informer in self._informers:
            await informer.synced.wait()
        draw = chance.below(1 << 30)
        while True:
            self._moved.clear()
            for _ in range(_BATCH):
                await self._slots.acquire()
                waiting = self._backlog.pop(clock.monotonic())
                if waiting is None:
                    self._slots.release()
                    await self._rest()
                    break
                # One draw of chance for all: numbers that follow it, spread by Knuth's multiplier.
                draw = (draw * 2654435761 + 1) & 0x3FFFFFFF
                self._decide(waiting, draw)
            await clock.sleep(0)

    async def _rest(self) -> None:
        due = self._backlog.next_moment()
        seconds = _IDLE_SECONDS if due is None else max(0.0, due - clock.monotonic())
        try:
            async with asyncio.timeout(min(seconds, _IDLE_SECONDS)):
                await self._moved.wait()
        except TimeoutError:
            self._backlog.flush(clock.monotonic())

    def _decide(self, waiting: Waiting, draw: int) -> None:
        """One decision, with the write that follows; between looking and assuming nothing else happens."""
        pod = waiting.pod
        placement = place(self._snapshot, pod, draw, self._nominations)
        if placement.node:
            self._snapshot.add_pod(pod, placement.node)
            self._assumed[pod.key] = waiting
            self._backlog.remove(pod.key)
            self._nominations.pop(pod.key, None)
            self._write(self._bind(waiting, placement.node), f"bind {pod.key}")
            return
        self._backlog.no_node(waiting, clock.monotonic())
        withdrawn = self._nominate(pod, placement)
        self._write(self._refuse(pod, placement, withdrawn), f"unschedulable {pod.key}")

    def _nominate(self, pod: PodInfo, placement: Placement) -> list[PodInfo]:
        """Record the pod's nominated node; returns the pods of lower priority that were nominated to the same node."""
        if not placement.nominated_node:
            self._nominations.pop(pod.key, None)
            return []
        self._nominations[pod.key] = Nomination(pod, placement.nominated_node)
        rivals = [each.pod for each in self._nominations.values() if each.node == placement.nominated_node]
        withdrawn = [rival for rival in rivals if rival.priority < pod.priority]
        for rival in withdrawn:
            del self._nominations[rival.key]
        return withdrawn

    def _write(self, work: Coroutine[None, None, None], name: str) -> None:
        task = tasks.spawn(work, name=name)
        self._writing.add(task)
        task.add_done_callback(self._written)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        self._slots.release()

    async def _bind(self, waiting: Waiting, node: str) -> None:
        try:
            await self._writes.bind(waiting.pod, node)
        except ApiError as error:
            _log.info("binding %s failed: %s", waiting.pod.key, error)
            self._take_back(waiting, is_gone=error.code == 404)
        else:
            self.bound += 1

    def _take_back(self, waiting: Waiting, *, is_gone: bool = False) -> None:
        """The pod is not on its node after all; it waits again when it is still there."""
        pod = waiting.pod
        if self._assumed.get(pod.key) is not waiting:
            return
        del self._assumed[pod.key]
        self._snapshot.remove_pod(pod.key)
        current = self._pods.objects.get(pod.namespace, meta.name(pod.pod))
        if not is_gone and current is not None and meta.uid(current) == pod.uid and self._is_ours(current):
            waiting.pod = pod_info(current)
            self._backlog.add_failed(waiting, clock.monotonic())
        self._cluster_changed()

    async def _refuse(self, pod: PodInfo, placement: Placement, withdrawn: list[PodInfo]) -> None:
        try:
            await self._writes.refuse(pod, placement)
            if placement.preemption is not None:
                for victim in placement.preemption.victims:
                    await self._writes.evict(victim, pod, placement.preemption.node)
            for rival in withdrawn:
                await self._writes.withdraw(rival, pod)
        except ApiError as error:
            _log.info("the failed scheduling of %s could not be recorded: %s", pod.key, error)
            # Nobody may be making room: do not count on it.
            self._nominations.pop(pod.key, None)


def _regards_pods(pod: PodInfo) -> bool:
    return pod.needs.regards_pods


def _matters(old: Obj, new: Obj) -> bool:
    """Whether a node changed in a way that scheduling looks at; heartbeats do not."""
    return (
        old.get("spec") != new.get("spec")
        or meta.labels(old) != meta.labels(new)
        or (old.get("status") or {}).get("allocatable") != (new.get("status") or {}).get("allocatable")
    )
