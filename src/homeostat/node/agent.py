"""The node agent: brings the pods that belong to this node together with the runtime that runs them.

Pods come from the API (those with this node's name) and from files (static pods); each has a worker
(`node.pod.worker`). The agent routes what it observes (changes of pods, exits of containers) to the workers, and keeps
the node's registration, lease, status and mirror pods. It needs no API to run static pods, and outlasts any outage of
the API.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.kinds import NODE, POD, SERVICE
from homeostat.api.rules import wellknown
from homeostat.api.rules.eviction import is_mirror
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.kit import clock, tasks
from homeostat.kit.log import logger
from homeostat.loop.informer import Informer
from homeostat.loop.recorder import EventRecorder
from homeostat.node.decide.admission import by_age, refusal
from homeostat.node.decide.lifecycle import PodState
from homeostat.node.housekeeping import eviction
from homeostat.node.housekeeping.eviction import Signal
from homeostat.node.housekeeping.keeper import HousekeepingContext, Keeper
from homeostat.node.housekeeping.signals import read as read_signals
from homeostat.node.images.puller import ImagePuller
from homeostat.node.isolation import figures, security
from homeostat.node.machine import node_object, static_pods
from homeostat.node.machine.heartbeat import Heartbeat
from homeostat.node.machine.host_facts import this_machine
from homeostat.node.machine.node_object import Health, Machine
from homeostat.node.pod.context import NodeContext
from homeostat.node.pod.pod_isolation import PodIsolation
from homeostat.node.pod.worker import PodWorker
from homeostat.node.podspec import spec
from homeostat.node.podspec.node_config import COMPONENT, NodeConfig
from homeostat.node.podspec.view import FailureReason
from homeostat.node.reports.mirror_pods import Mirrors
from homeostat.node.reports.statuswriter import StatusWriter
from homeostat.node.volumes.references import References
from homeostat.runtime.contract import Runtime, RuntimeFault

_log = logger("kubelet")
# How often the kubelet's housekeeping looks for pods that no longer exist.
_ORPHANS_RETRY_SECONDS = 2.0
_SHUTDOWN = FailureReason("Terminated", "Pod was terminated in response to imminent node shutdown.")
_UNLIMITED = "cgroups cannot be written: limits of CPU and memory are not enforced"
# How long a static pod that does not come to run keeps the next one waiting.
_TURN_SECONDS_MAX = 5.0
# For the runtime to end what was killed when its grace was over.
_LAST_SECONDS = 2.0


@dataclass(slots=True)
class _Caches:
    """What the node watches of the API."""

    pods: Informer
    node: Informer
    services: Informer | None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class NodeAgent:
    """One node's agent. It opens and closes `runtime`. `machine` says what the node is made of; without it, it is this
    machine where containers are real. `signals` reads what the node has left, where its pods are kept apart."""

    def __init__(
        self,
        config: NodeConfig,
        client: Client,
        runtime: Runtime,
        machine: Machine | None = None,
        signals: Callable[[], Mapping[str, Signal]] | None = None,
    ) -> None:
        self.config = config
        self.runtime = runtime
        self._client = client
        self._machine = machine or (this_machine(config.root) if runtime.real else Machine())
        name = config.name
        self._recorder = EventRecorder(client, COMPONENT, host=name)
        self._caches = _Caches(
            pods=Informer(client, POD, fields=f"spec.nodeName={name}"),
            node=Informer(client, NODE, fields=f"metadata.name={name}"),
            services=Informer(client, SERVICE) if runtime.real else None,
        )
        self._statuses = StatusWriter(client, name, self._api_object)
        self._heartbeat = Heartbeat(
            config, client, self._machine, version=self._version, health=self._health, current=self.node
        )
        self._mirrors = Mirrors(
            client, name, static=lambda: self._static.values(), mirrors=self._mirror_pods, node=self.node
        )
        self._workers: dict[str, PodWorker] = {}
        self._static: dict[str, Obj] = {}
        # Waits until the static pod that begins now has begun.
        self._turn: asyncio.Task[None] | None = None
        references, allocatable = References(client, name), node_object.capacity(config, self._machine)
        self._context = NodeContext(
            config=config,
            client=client,
            runtime=runtime,
            recorder=self._recorder,
            references=references,
            puller=ImagePuller(config, runtime, references, self._recorder.record),
            statuses=self._statuses,
            services=self._services,
            refusal=self._refusal,
            finished=self._finished,
            allocatable=allocatable,
            pod_isolation=PodIsolation(config, allocatable["memory"], allocatable["cpu"]) if runtime.isolates else None,
        )
        self._signals = signals or functools.partial(read_signals, config.root, config.images)
        self._keeper = self._make_keeper()
        self._shutting_down = False
        self._pending_warning = ""
        self._tasks: list[asyncio.Task[None]] = []

    def _make_keeper(self) -> Keeper | None:
        """Only a node whose pods are kept apart knows what each of them uses."""
        if self._context.pod_isolation is None:
            return None
        return Keeper(
            HousekeepingContext(
                config=self.config,
                runtime=self.runtime,
                pod_isolation=self._context.pod_isolation,
                workers=lambda: list(self._workers.values()),
                record=self._recorder.record,
                signals=self._signals,
                node=self.node,
                known=self._caches.pods.synced.is_set,
                changed=self._heartbeat.look,
            )
        )

    # -- opening and closing ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the runtime, run static pods, and begin to follow the API (which need not be there)."""
        await self.runtime.start()
        self._recorder.start()
        if self._context.pod_isolation is not None and not self._context.pod_isolation.start():
            _log.warning("%s: %s", self.config.name, _UNLIMITED)
            self._pending_warning = _UNLIMITED
        name = self.config.name
        self._caches.pods.listen(self._pod_changed)
        self._caches.node.listen(self._node_changed)
        informers = [self._caches.pods, self._caches.node, self._caches.services]
        self._tasks = [
            tasks.spawn(informer.run(), name=f"{name}/{informer.kind.plural}") for informer in informers if informer
        ]
        self._tasks.append(tasks.spawn(self._follow_runtime(), name=f"{name}/runtime"))
        self._tasks.append(tasks.spawn(self._follow_pods(), name=f"{name}/adopt"))
        if self.config.static_pod_dir is not None:
            self._read_static()
            self._tasks.append(tasks.spawn(self._follow_files(), name=f"{name}/static"))
        self._mirrors.start()
        self._heartbeat.start()
        if self._keeper is not None:
            self._keeper.start()

    async def stop(self, *, stop_containers: bool = False) -> None:
        """Let go of the node. Containers run on for the next agent to adopt, or (`stop_containers`) end now."""
        await tasks.stop(*self._tasks, self._turn)
        if self._keeper is not None:
            await self._keeper.stop()
        await self._heartbeat.stop()
        await self._mirrors.stop()
        await asyncio.gather(*(worker.stop() for worker in list(self._workers.values())))
        await self._statuses.stop()
        await self._recorder.stop()
        await self.runtime.close(stop_containers=stop_containers)

    async def shut_down(self) -> None:
        """The machine shuts down: end all pods within shutdown-grace-period, those that are part of the node or the
        cluster (static or critical ones) in its last part, shutdown-grace-period-critical-pods.

        Rules: pkg/kubelet/nodeshutdown. Without such a period nothing is ended."""
        whole = self.config.seconds("shutdown-grace-period")
        last = min(self.config.seconds("shutdown-grace-period-critical-pods"), whole)
        if not whole:
            return
        self._shutting_down = True
        self._heartbeat.look()
        for critical, grace in ((False, whole - last), (True, last)):
            leaving = [w for w in self._workers.values() if figures.is_critical(w.pod) is critical and w.runs]
            for worker in leaving:
                worker.end(_SHUTDOWN, grace_seconds=grace)
            await _ended(leaving, grace + _LAST_SECONDS)

    async def registered(self) -> None:
        """Wait until the Node is in the API."""
        await self._heartbeat.registered.wait()

    # -- what others ask -------------------------------------------------------------------------------------------

    def node(self) -> Obj | None:
        """This node's Node as cached."""
        return self._caches.node.objects.get("", self.config.name)

    def pods(self) -> list[Obj]:
        """The pods of this node, static ones among them."""
        return [worker.pod for worker in self._workers.values()]

    def signals(self) -> Mapping[str, Signal]:
        """What the node has left."""
        return self._signals()

    def pod_of(self, namespace: str, name: str) -> Obj | None:
        """The pod of that name on this node."""
        for pod in self.pods():
            if (meta.namespace(pod), meta.name(pod)) == (namespace, name):
                return pod
        return None

    # -- pods of the API -------------------------------------------------------------------------------------------

    async def _follow_pods(self) -> None:
        """Once the API's pods are known, oldest first; then end what belongs to none of them."""
        await self._caches.pods.synced.wait()
        for pod in by_age(self._caches.pods.objects.list()):
            self._pod_changed(None, pod)
        self._mirrors.look()
        while not await self._end_orphans():
            await clock.sleep(_ORPHANS_RETRY_SECONDS)

    async def _end_orphans(self) -> bool:
        """Remove sandboxes that belong to no pod of this node; whether the runtime removed all of them."""
        done = True
        try:
            sandboxes = await self.runtime.sandboxes()
        except RuntimeFault as fault:
            _log.warning("%s: %s", self.config.name, fault)
            return False
        for sandbox in sandboxes:
            if sandbox.spec.pod_uid in self._workers:
                continue
            _log.info("%s: pod %s/%s is gone", self.config.name, sandbox.spec.namespace, sandbox.spec.name)
            try:
                await self.runtime.remove_sandbox(sandbox.id)
            except RuntimeFault as fault:
                _log.warning("%s: sandbox %s: %s", self.config.name, sandbox.id, fault)
                done = False
        return done

    def _pod_changed(self, old: Obj | None, new: Obj | None) -> None:
        pod = new or old
        if pod is None:
            return
        if is_mirror(pod):
            self._mirrors.look()
            self._statuses.poke(meta.annotations(pod)[wellknown.ANNOTATION_MIRROR])
            return
        if not self._caches.pods.synced.is_set():
            return
        worker = self._workers.get(meta.uid(pod))
        if new is None:
            if worker is not None:
                worker.gone()
        elif worker is None:
            self._begin(new)
        else:
            worker.update(new)
            self._statuses.poke(worker.uid)

    def _begin(self, pod: Obj) -> None:
        worker = self._workers[meta.uid(pod)] = PodWorker(self._context, pod)
        worker.start()

    def _refusal(self, pod: Obj) -> FailureReason | None:
        """Static pods are part of the node: it runs them whatever its resources."""
        if self._shutting_down:
            return FailureReason("NodeShutdown", "Pod was rejected as the node is shutting down.")
        if spec.is_static(pod):
            return None
        if self._keeper is not None and (pressed := eviction.refusal(pod, self._keeper.pressures)) is not None:
            return pressed
        others = [worker.sized for uid, worker in self._workers.items() if uid != meta.uid(pod) and worker.wants_place]
        node = self.node()
        labels = meta.labels(node) if node is not None else {**self._default_labels, **self.config.labels}
        if self._context.pod_isolation is not None:
            forbidden = security.sysctl_refusal(pod, self.config.words("allowed-unsafe-sysctls"))
            if forbidden is not None:
                return forbidden
        return refusal(pod, others, self.config.name, labels, self._context.allocatable)

    def _version(self) -> str:
        return f"{self.runtime.name}://{self.runtime.version}"

    async def _health(self) -> Health:
        keeper = self._keeper
        found = [await self.runtime.status(), keeper.trouble() if keeper else ""]
        if self._shutting_down:
            found.append("node is shutting down")
        troubles = [trouble for trouble in found if trouble]
        if keeper is None:
            return Health(", ".join(troubles))
        return Health(", ".join(troubles), keeper.pressures, keeper.images)

    @functools.cached_property
    def _default_labels(self) -> Mapping[str, str]:
        return node_object.default_labels(self.config, self._machine)

    def _finished(self, uid: str) -> None:
        self._workers.pop(uid, None)
        self._begin_static()

    def _api_object(self, pod: Obj) -> Obj | None:
        found = self._caches.pods.objects.get(meta.namespace(pod), meta.name(pod))
        if found is None or is_mirror(found) != spec.is_static(pod):
            return None
        identity = meta.annotations(found).get(wellknown.ANNOTATION_MIRROR) if spec.is_static(pod) else meta.uid(found)
        return found if identity == meta.uid(pod) else None

    def _services(self) -> Sequence[Obj] | None:
        cache = self._caches.services
        return cache.objects.list() if cache is not None and cache.synced.is_set() else None

    def _node_changed(self, _old: Obj | None, new: Obj | None) -> None:
        if new is not None and self._pending_warning:
            self._recorder.record(new, "NotEnforced", self._pending_warning)
            self._pending_warning = ""
        self._heartbeat.look()
        self._mirrors.look()

    # -- static pods -----------------------------------------------------------------------------------------------

    def _mirror_pods(self) -> dict[tuple[str, str], Obj] | None:
        if not self._caches.pods.synced.is_set():
            return None
        pods = self._caches.pods.objects.list()
        return {(meta.namespace(pod), meta.name(pod)): pod for pod in pods if is_mirror(pod)}

    def _read_static(self) -> None:
        assert self.config.static_pod_dir is not None
        found = static_pods.read_folder(self.config.static_pod_dir, self.config.name, clock.wall())
        for uid in self._static.keys() - found.keys():
            if uid in self._workers:
                self._workers[uid].delete()
        if self._static.keys() != found.keys():
            self._mirrors.look()
        self._static = found
        self._begin_static()

    def _begin_static(self) -> None:
        """Begin what is not there yet, in the order of the files' names: a booting node has little CPU for each, and
        the first (etcd, on a master) is what the others wait for.

        Two forms of one static pod never run at once: the former one ends first."""
        if self._turn is not None:
            return
        names = {meta.key(worker.pod) for worker in self._workers.values()}
        for uid, pod in self._static.items():
            if uid not in self._workers and meta.key(pod) not in names:
                self._begin(pod)
                self._turn = tasks.spawn(self._take_turn(self._workers[uid]), name=f"{self.config.name}/static/turn")
                return

    async def _take_turn(self, worker: PodWorker) -> None:
        """Let the next static pod begin when this one has begun, or has had its time for that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_TURN_SECONDS_MAX):
                await worker.begun.wait()
        self._turn = None
        self._begin_static()

    async def _follow_files(self) -> None:
        while True:
            await clock.sleep(self.config.seconds("file-check-frequency"))
            self._read_static()

    # -- the runtime -----------------------------------------------------------------------------------------------

    async def _follow_runtime(self) -> None:
        async for event in self.runtime.events():
            worker = self._workers.get(event.pod_uid)
            if worker is not None and worker.state is not PodState.FINISHED:
                worker.wake()


async def _ended(workers: list[PodWorker], seconds_max: float) -> None:
    """Wait until nothing of these pods runs, at most so long."""
    end = clock.monotonic() + seconds_max
    while any(worker.runs for worker in workers) and clock.monotonic() < end:
        await clock.sleep(0.02)
