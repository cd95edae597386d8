"""Makes faults happen on a simulated cluster, and undoes those that last when their time is over.

What the user does goes through one queue, so that a later order never overtakes an earlier one that waits for the API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import NODE, POD
from homeostat.api.rules.eviction import leaves_on_drain
from homeostat.api.types import Obj
from homeostat.client.drain import cordon, evict
from homeostat.kit import clock, tasks
from homeostat.runtime.simulated import SimulatedRuntime
from homeostat.sim.clients.workload import App, Daemon
from homeostat.sim.components.candidates_and_workers import Worker
from homeostat.sim.schedule import faults
from homeostat.sim.schedule.faults import Fault
from homeostat.sim.schedule.simulated_user import User
from homeostat.sim.sim_cluster import SimCluster

_EVICTING_SECONDS_MAX = 60.0
# What may leave a controller in doubt about its own writes, or with a stale view of those of another.
_DISTURBING = (faults.KillApiServer, faults.Compact, faults.StoreAway, faults.LoseLeader, faults.Roughen)

_Order = Callable[[], Awaitable[None]]


class Injector:
    """Performs a schedule on `cluster`. `run` returns when everything is undone and the user has got all it asked."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self.user = User(cluster)
        # None is the last one.
        self._orders: asyncio.Queue[_Order | None] = asyncio.Queue()
        self._rough = 0

    async def run(self, schedule: Sequence[Fault]) -> None:
        """All faults at their moments, counted from now."""
        ordering = tasks.spawn(self._perform_orders(), name="user")
        begun = clock.monotonic()
        under_way: list[asyncio.Task[None]] = []
        for fault in sorted(schedule, key=lambda known: known.at_seconds):
            await clock.sleep(max(0.0, begun + fault.at_seconds - clock.monotonic()))
            self._cluster.transcript.say("fault", fault.text())
            under_way.append(tasks.spawn(self.happen(fault), name=f"fault/{fault.text()}"))
        await asyncio.gather(*under_way)
        self._orders.put_nowait(None)
        await ordering
        self._cluster.transcript.say("calm", "all faults are over")

    async def happen(self, fault: Fault) -> None:
        """One fault, until it is undone."""
        disturbs = isinstance(fault, _DISTURBING)
        if disturbs:
            self._cluster.safety.disturbances += 1
        await self._happen(fault)
        if disturbs:
            self._cluster.safety.calmed()

    async def _happen(self, fault: Fault) -> None:
        match fault:
            case faults.KillContainer(pick=pick):
                await self._kill_container(pick)
            case faults.FreezeContainer(pick=pick, seconds=seconds):
                await self._freeze_container(pick, seconds)
            case faults.KillApiServer(server=server, seconds=seconds):
                slot = self._cluster.servers[server]
                await self._down(slot.name, slot.kill, slot.start, seconds)
            case faults.LoseLeader():
                await self._lose_leader(fault)
            case faults.KillAgent(worker=number, seconds=seconds):
                worker = self._worker(number)
                await self._down(f"agent of {worker.name}", worker.kill, worker.start, seconds)
            case faults.Reboot(worker=number, seconds=seconds):
                worker = self._worker(number)
                await self._down(worker.name, worker.crash, worker.start, seconds)
            case faults.AbandonNode(worker=number, seconds=seconds):
                await self._abandon(self._worker(number), seconds)
            case faults.StoreAway(seconds=seconds):
                await self._store_away(seconds)
            case faults.Compact(server=server, seconds=seconds):
                slot = self._cluster.servers[server]
                await slot.kill()
                await clock.sleep(seconds)
                self._cluster.state.compact(self._cluster.state.revision)
                self._cluster.transcript.say("back", slot.name)
                await slot.start()
            case faults.CutNode(worker=number, seconds=seconds):
                await self._cut(self._worker(number), seconds)
            case faults.BreakRuntime(worker=number, seconds=seconds):
                await self._break_runtime(self._worker(number), seconds)
            case faults.Roughen(seconds=seconds):
                await self._roughen(seconds)
            case faults.Drain(worker=number, seconds=seconds):
                await self._drain(self._worker(number), seconds)
            case _:
                self._orders.put_nowait(lambda: self._change(fault))

    # -- what happens to machines ----------------------------------------------------------------------------------

    def _worker(self, number: int) -> Worker:
        return list(self._cluster.workers.values())[number]

    async def _down(
        self, name: str, down: Callable[[], Awaitable[None]], up: Callable[[], Awaitable[None]], seconds: float
    ) -> None:
        await down()
        await clock.sleep(seconds)
        self._cluster.transcript.say("back", name)
        await up()

    async def _running(self) -> list[tuple[SimulatedRuntime, str, str]]:
        """(runtime, container id, `pod on node`) of every running container."""
        found: list[tuple[SimulatedRuntime, str, str]] = []
        for worker in self._cluster.workers.values():
            for container, box in await worker.running():
                found.append((worker.runtime, container.id, f"{box.spec.namespace}/{box.spec.name} on {worker.name}"))
        return found

    async def _kill_container(self, pick: int) -> None:
        running = await self._running()
        if running:
            runtime, container, name = running[pick % len(running)]
            self._cluster.transcript.say("killed", name)
            runtime.kill(container)

    async def _freeze_container(self, pick: int, seconds: float) -> None:
        running = await self._running()
        if not running:
            return
        runtime, container, name = running[pick % len(running)]
        self._cluster.transcript.say("frozen", name)
        runtime.freeze(container)
        await clock.sleep(seconds)
        if any(known.id == container for known in await runtime.containers()):
            runtime.freeze(container, frozen=False)

    async def _lose_leader(self, fault: faults.LoseLeader) -> None:
        leaders = [candidate for candidate in self._cluster.candidates[fault.component] if candidate.leading]
        if not leaders:
            return
        leader = leaders[0]
        self._cluster.transcript.say("lost", f"{leader.name} by {fault.way}")
        if fault.way == "cut":
            link = leader.link
            link.cut()
            await clock.sleep(fault.seconds)
            link.heal()
        else:
            down = leader.kill if fault.way == "kill" else leader.stop
            await self._down(leader.name, down, leader.start, fault.seconds)

    async def _cut(self, worker: Worker, seconds: float) -> None:
        worker.cut()
        await clock.sleep(seconds)
        self._cluster.transcript.say("healed", worker.name)
        worker.heal()

    async def _break_runtime(self, worker: Worker, seconds: float) -> None:
        worker.runtime.break_down("the simulated runtime is down")
        await clock.sleep(seconds)
        self._cluster.transcript.say("back", f"runtime of {worker.name}")
        worker.runtime.break_down("")

    async def _abandon(self, worker: Worker, seconds: float) -> None:
        await worker.kill()
        self._orders.put_nowait(lambda: self._force_delete_all(worker.name))
        await clock.sleep(seconds)
        self._cluster.transcript.say("back", f"agent of {worker.name}")
        await worker.start()

    async def _store_away(self, seconds: float) -> None:
        disk = self._cluster.disk
        disk.away = True
        await clock.sleep(seconds)
        self._cluster.transcript.say("back", "the store")
        disk.away = False

    async def _roughen(self, seconds: float) -> None:
        self._rough += 1
        self._cluster.set_noise(self._cluster.shape.rough)
        await clock.sleep(seconds)
        self._rough -= 1
        if not self._rough:
            self._cluster.transcript.say("calm", "the ways to the API are good again")
            self._cluster.set_noise(self._cluster.shape.noise)

    # -- what the user does ----------------------------------------------------------------------------------------

    async def _perform_orders(self) -> None:
        while order := await self._orders.get():
            await order()

    async def _drain(self, worker: Worker, seconds: float) -> None:
        self._orders.put_nowait(lambda: self._cordon(worker.name, unschedulable=True))
        self._orders.put_nowait(lambda: self._evict_all(worker.name))
        await clock.sleep(seconds)
        self._orders.put_nowait(lambda: self._cordon(worker.name, unschedulable=False))

    async def _change(self, fault: Fault) -> None:
        wanted, user = self._cluster.wanted, self.user
        match fault:
            case faults.DeletePod():
                await self._delete_pod(fault)
            case faults.DeleteNode(worker=number):
                name = self._worker(number).name
                await self._insist(lambda: self._cluster.user.delete(NODE, name))
            case faults.Scale(app=key, replicas=replicas) if key in wanted.apps:
                await user.change_app(replace(wanted.apps[key], replicas=replicas))
            case faults.Rollout(app=key, back=back) if key in wanted.apps:
                version = wanted.apps[key].version
                await user.change_app(replace(wanted.apps[key], version=max(1, version - 1) if back else version + 1))
            case faults.RolloutDaemon(daemon=key) if key in wanted.daemons:
                await user.change_daemon(replace(wanted.daemons[key], version=wanted.daemons[key].version + 1))
            case faults.CreateApp(app=key, replicas=replicas, strategy=strategy) if self._may_create(key):
                namespace, name = meta.split_key(key)
                await user.create_app(App(name, replicas, namespace=namespace, strategy=strategy))
            case faults.DeleteApp(app=key, propagation=propagation):
                await user.delete_app(key, propagation)
            case faults.DeleteDaemon(daemon=key) if key in wanted.daemons:
                await user.delete_daemon(key)
                namespace, name = meta.split_key(key)
                await user.create_daemon(Daemon(name, namespace=namespace))
            case faults.DeleteNamespace(namespace=name, seconds=seconds) if name in wanted.namespaces:
                await user.delete_namespace(name)
                if seconds >= 0:
                    await clock.sleep(seconds)
                    await user.create_namespace(name)

    def _may_create(self, key: str) -> bool:
        namespace = meta.split_key(key)[0]
        wanted = self._cluster.wanted
        return key not in wanted.apps and (namespace == "default" or namespace in wanted.namespaces)

    async def _insist(self, attempt: Callable[[], Awaitable[Obj]]) -> None:
        await self._cluster.insist(attempt)

    async def _delete_pod(self, fault: faults.DeletePod) -> None:
        pods = self._cluster.ledger.all("Pod")
        if not pods:
            return
        await self._delete_one(pods[fault.pick % len(pods)], fault.grace_seconds)

    async def _force_delete_all(self, node: str) -> None:
        for pod in self._cluster.ledger.all("Pod"):
            if meta.pod_node(pod) == node:
                await self._delete_one(pod, 0)

    async def _delete_one(self, pod: Obj, grace_seconds: int) -> None:
        self._cluster.transcript.say("user", f"deletes pod {meta.key(pod)}")
        options: Obj = {"preconditions": {"uid": meta.uid(pod)}}
        if grace_seconds >= 0:
            options["gracePeriodSeconds"] = grace_seconds
        name, namespace = meta.name(pod), meta.namespace(pod)

        async def attempt() -> None:
            try:
                await self._cluster.user.delete(POD, name, namespace, options=options)
            except ApiError as error:
                # Another pod has the name by now.
                if error.reason != "Conflict":
                    raise

        await self._cluster.insist(attempt)

    async def _cordon(self, node: str, *, unschedulable: bool) -> None:
        self._cluster.transcript.say("user", f"{'cordons' if unschedulable else 'uncordons'} {node}")
        await self._insist(lambda: cordon(self._cluster.user, node, unschedulable=unschedulable))

    async def _evict_all(self, node: str) -> None:
        """What kubectl drain does, daemons' pods left alone; as with --timeout, it gives up on what a budget keeps."""
        end = clock.monotonic() + _EVICTING_SECONDS_MAX
        for pod in self._cluster.ledger.all("Pod"):
            if meta.pod_node(pod) == node and leaves_on_drain(pod) and not meta.deleting(pod):
                await self._evict(pod, max(1.0, end - clock.monotonic()))

    async def _evict(self, pod: Obj, seconds: float) -> None:
        try:
            await self._cluster.insist(lambda: evict(self._cluster.user, pod), seconds=seconds)
        except ApiError as error:
            if error.reason != "TooManyRequests":
                raise
            self._cluster.transcript.say("user", f"gives up on {meta.key(pod)}: {error.message}")
