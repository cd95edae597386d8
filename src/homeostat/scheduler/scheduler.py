"""The scheduler: follows nodes and pods, decides pod by pod, binds many at once.

A decision counts at once in the snapshot (the pod is assumed on its node) and is written behind it; a write that fails
takes the assumption back and the pod waits again. Nothing here decides: `cycle` does.
"""

from __future__ import annotations

import asyncio

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.flags import Settings
from homeostat.api.kinds import NODE, POD
from homeostat.api.types import Obj
from homeostat.client.contract import STRATEGIC_PATCH, Client
from homeostat.kit import chance, clock, tasks
from homeostat.kit.backoff import Backoff
from homeostat.kit.log import logger
from homeostat.loop.informer import Informer
from homeostat.loop.recorder import EventRecorder
from homeostat.scheduler.backlog import Backlog, Waiting
from homeostat.scheduler.cycle import Placement, place
from homeostat.scheduler.podinfo import DEFAULT_SCHEDULER, PodInfo, pod_info
from homeostat.scheduler.snapshot import Snapshot
from homeostat.wire.cause import Seen, WriteCause

_log = logger("scheduler")
_BINDS_MAX = 64
# Decisions between two looks at the event loop: long enough to be quick, short enough that caches stay current.
_BATCH = 8
_IDLE_SECONDS = 30.0
_COMPONENT = "scheduler"


class Scheduler:
    """See the module. `warm` fills the caches; `start` begins to decide; `stop_deciding` keeps the caches."""

    def __init__(self, client: Client, settings: Settings, *, host: str = "") -> None:
        self._client = client
        self._nodes = Informer(client, NODE)
        self._pods = Informer(client, POD)
        self._snapshot = Snapshot()
        first = settings.integer(_COMPONENT, "pod-initial-backoff-seconds")
        ceiling = settings.integer(_COMPONENT, "pod-max-backoff-seconds")
        flush = settings.duration(_COMPONENT, "pod-max-in-unschedulable-pods-duration")
        self._backlog = Backlog(Backoff(first_seconds=first, ceiling_seconds=ceiling), flush)
        self._recorder = EventRecorder(client, DEFAULT_SCHEDULER, host=host)
        self._assumed: set[str] = set()
        self._moved = asyncio.Event()
        self._slots = asyncio.Semaphore(_BINDS_MAX)
        self._caching: list[asyncio.Task[None]] = []
        self._deciding: asyncio.Task[None] | None = None
        self.bound = 0

    async def warm(self) -> None:
        """Begin to follow nodes and pods; returns at once."""
        if self._caching:
            return
        self._nodes.listen(self._node_changed)
        self._pods.listen(self._pod_changed)
        self._caching = [
            tasks.spawn(self._nodes.run(), name="scheduler/nodes"),
            tasks.spawn(self._pods.run(), name="scheduler/pods"),
        ]

    async def start(self) -> None:
        """Begin to decide, as soon as the caches have filled."""
        await self.warm()
        self._recorder.start()
        self._deciding = tasks.spawn(self._decide_all(), name="scheduler/cycle")

    async def stop_deciding(self) -> None:
        """End the cycle (another instance leads); the caches go on."""
        deciding, self._deciding = self._deciding, None
        await tasks.stop(deciding)
        await self._recorder.stop()

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

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        pod = new or old or {}
        key = meta.key(pod)
        node = meta.pod_node(pod)
        if new is None or meta.pod_terminal(new):
            self._backlog.remove(key)
            self._assumed.discard(key)
            if key in self._snapshot.pods:
                self._snapshot.remove_pod(key)
                self._cluster_changed()
        elif node:
            self._backlog.remove(key)
            self._assumed.discard(key)
            known = self._snapshot.pods.get(key)
            counted = known is not None and known[0].uid == meta.uid(new) and self._snapshot.name_of(known[1]) == node
            if not counted or old is None or meta.labels(old) != meta.labels(new):
                self._snapshot.add_pod(pod_info(new), node)
        elif self._is_ours(new) and key not in self._assumed:
            self._backlog.add(pod_info(new), clock.monotonic())
            self._moved.set()

    def _is_ours(self, pod: Obj) -> bool:
        spec = pod["spec"]
        named = (spec.get("schedulerName") or DEFAULT_SCHEDULER) == DEFAULT_SCHEDULER
        return named and not spec.get("schedulingGates") and not meta.deleting(pod)

    def _cluster_changed(self) -> None:
        self._backlog.cluster_changed(clock.monotonic())
        self._moved.set()

    # -- the cycle -------------------------------------------------------------------------------------------------

    async def _decide_all(self) -> None:
        await self._nodes.synced.wait()
        await self._pods.synced.wait()
        while True:
            self._moved.clear()
            for _ in range(_BATCH):
                waiting = self._backlog.pop(clock.monotonic())
                if waiting is None:
                    await self._rest()
                    break
                await self._decide(waiting)
            await clock.sleep(0)

    async def _rest(self) -> None:
        due = self._backlog.next_moment()
        seconds = _IDLE_SECONDS if due is None else max(0.0, due - clock.monotonic())
        try:
            async with asyncio.timeout(min(seconds, _IDLE_SECONDS)):
                await self._moved.wait()
        except TimeoutError:
            self._backlog.flush(clock.monotonic())

    async def _decide(self, waiting: Waiting) -> None:
        pod = waiting.pod
        placement = place(self._snapshot, pod, chance.below(1 << 30))
        await self._slots.acquire()
        if placement.node:
            self._snapshot.add_pod(pod, placement.node)
            self._assumed.add(pod.key)
            self._backlog.remove(pod.key)
            tasks.spawn(self._bind(waiting, placement.node), name=f"bind {pod.key}")
        else:
            self._backlog.no_node(waiting, clock.monotonic())
            tasks.spawn(self._refuse(pod, placement), name=f"unschedulable {pod.key}")

    async def _bind(self, waiting: Waiting, node: str) -> None:
        pod = waiting.pod
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta.name(pod.pod), "namespace": pod.namespace, "uid": pod.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self._client.create(POD, binding, subresource="binding", cause=_cause(pod, f"fits on {node}"))
        except ApiError as error:
            self._take_back(waiting, error)
        else:
            self.bound += 1
            self._recorder.record(pod.pod, "Scheduled", f"Successfully assigned {pod.key} to {node}")
        finally:
            self._slots.release()

    def _take_back(self, waiting: Waiting, error: ApiError) -> None:
        pod = waiting.pod
        if pod.key not in self._assumed:
            return
        _log.info("binding %s failed: %s", pod.key, error)
        self._assumed.discard(pod.key)
        self._snapshot.remove_pod(pod.key)
        current = self._pods.objects.get(pod.namespace, meta.name(pod.pod))
        if error.code != 404 and current is not None and meta.uid(current) == pod.uid and not meta.pod_node(current):
            self._backlog.add_failed(waiting, clock.monotonic())
            self._moved.set()

    async def _refuse(self, pod: PodInfo, placement: Placement) -> None:
        try:
            await self._write_refusal(pod, placement)
        except ApiError as error:
            _log.info("the status of %s could not be written: %s", pod.key, error)
        finally:
            self._slots.release()

    async def _write_refusal(self, pod: PodInfo, placement: Placement) -> None:
        preemption = placement.preemption
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": placement.message,
            "lastProbeTime": None,
            "lastTransitionTime": clock.now_rfc3339(),
        }
        status: Obj = {"conditions": [condition]}
        if preemption is not None:
            status["nominatedNodeName"] = preemption.node
        known = meta.condition(pod.pod, "PodScheduled") or {}
        if known.get("message") != placement.message or preemption is not None:
            self._recorder.record(pod.pod, "FailedScheduling", placement.message, "Warning")
            await self._client.patch(
                POD,
                meta.name(pod.pod),
                pod.namespace,
                {"status": status},
                content_type=STRATEGIC_PATCH,
                subresource="status",
                cause=_cause(pod, placement.message),
            )
        if preemption is not None:
            for victim in preemption.victims:
                await self._evict(victim, pod, preemption.node)

    async def _evict(self, victim: PodInfo, pod: PodInfo, node: str) -> None:
        self._recorder.record(victim.pod, "Preempted", f"Preempted by pod {pod.uid} on node {node}")
        options = {"preconditions": {"uid": victim.uid}}
        cause = _cause(pod, f"preempted by {pod.key} on {node}")
        await self._client.delete(POD, meta.name(victim.pod), victim.namespace, options=options, cause=cause)


def _cause(pod: PodInfo, note: str) -> WriteCause:
    seen = Seen("Pod", pod.namespace, meta.name(pod.pod), meta.resource_version(pod.pod))
    return WriteCause(loop=_COMPONENT, key=pod.key, note=note, seen=(seen,))


def _matters(old: Obj, new: Obj) -> bool:
    """Whether a node changed in a way that scheduling looks at; heartbeats do not."""
    return (
        old.get("spec") != new.get("spec")
        or meta.labels(old) != meta.labels(new)
        or (old.get("status") or {}).get("allocatable") != (new.get("status") or {}).get("allocatable")
    )
