"""The components that run beside the API servers, each as a process that can die: candidates for leadership, and nodes.

A killed process leaves nothing behind: what it had sent continues, nothing new leaves it, and its successor starts with
empty memory. Only a node's runtime outlives its agent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import Client
from homeostat.client.in_process import InProcessTransport
from homeostat.controllers.registry import all_loops
from homeostat.kit import chance, tasks
from homeostat.loop.election import Election, Timing
from homeostat.loop.manager import Manager
from homeostat.node.agent import NodeAgent
from homeostat.node.podspec.node_config import NodeConfig
from homeostat.runtime.contract import Container, ContainerState, Sandbox
from homeostat.runtime.simulated import SimulatedRuntime
from homeostat.scheduler.scheduler import Scheduler
from homeostat.sim.components.noisy_links import Link, Noise
from homeostat.sim.components.server_slot import ServerSlot
from homeostat.wire.message import Request, User

_NOWHERE = Path("/nonexistent")


@dataclass(slots=True)
class Roads:
    """What every component reaches the API by: the servers, and how rough the way to them is now."""

    servers: Sequence[ServerSlot]
    noise: Noise
    settings: Settings

    def client(self, link: Link, name: str, *groups: str) -> Client:
        """A client that goes over `link` as the user `name`, with the servers in an order of its own."""
        first = chance.below(len(self.servers))
        order = [*self.servers[first:], *self.servers[:first]]
        user = User(name, (*groups, "system:authenticated"))
        return ApiClient(InProcessTransport([link.through(server.handle) for server in order], user), user_agent=name)


@dataclass(frozen=True, slots=True)
class Work:
    """What a candidate does: `warm` before it leads, `start` when it leads, `yield_` when it no longer does, `stop`."""

    warm: Callable[[], Awaitable[None]]
    start: Callable[[], Awaitable[None]]
    yield_: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]


class Candidate:
    """One process of a component of which one leads. `component` is controller-manager or scheduler.

    `sent` is called with each request that it sends, `cached` with each change in the caches of one of its processes.
    """

    def __init__(self, component: str, host: str, roads: Roads) -> None:
        self.component = component
        self.name = f"{component}@{host}"
        self.host = host
        self.link = Link(self.name, roads.noise)
        self.election: Election | None = None
        self.sent: Callable[[Candidate, Request], None] = lambda candidate, request: None
        self.cached: Callable[[str, Kind, Obj | None, Obj | None], None] = lambda name, kind, old, new: None
        self._roads = roads
        self._work: Work | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._task is not None

    @property
    def leading(self) -> bool:
        """Whether it believes to lead."""
        return self.election is not None and self.election.leading

    async def start(self) -> None:
        """A new process: it fills its caches and takes part in the election."""
        roads = self._roads
        self.link = Link(self.name, roads.noise, sent=lambda request: self.sent(self, request))
        client = roads.client(self.link, f"system:kube-{self.component}")
        settings, component = roads.settings, self.component
        timing = Timing(
            lease_seconds=settings.duration(component, "leader-elect-lease-duration"),
            renew_deadline_seconds=settings.duration(component, "leader-elect-renew-deadline"),
            retry_seconds=settings.duration(component, "leader-elect-retry-period"),
        )
        identity = f"{self.host}_{chance.uuid4()}"
        election = Election(client, name=f"kube-{component}", identity=identity, timing=timing)

        self._work = work = self._make(election.writer())
        await work.warm()

        async def lead() -> None:
            await work.start()
            await asyncio.Event().wait()

        self.election = election
        self._task = tasks.spawn(election.run(lead, work.yield_), name=f"{self.name}/election")

    async def kill(self) -> None:
        """The process dies: the lease it may hold has to run out."""
        self.link.kill()
        await self._end()

    async def stop(self) -> None:
        """The process ends in good order: it releases the lease it may hold."""
        if self.election is not None and self._task is not None:
            await self.election.stop()
        self.link.kill()
        await self._end()

    async def _end(self) -> None:
        task, self._task = self._task, None
        await tasks.stop(task)
        if self._work is not None:
            await self._work.stop()
        self.election = self._work = None

    def _make(self, client: Client) -> Work:
        settings = self._roads.settings
        if self.component == "scheduler":
            scheduler = Scheduler(client, settings, host=self.host)
            return Work(scheduler.warm, scheduler.start, scheduler.stop_deciding, scheduler.stop)
        manager = Manager(client, all_loops(settings), self.component, host=self.host)
        process = f"{self.name}/{chance.name_suffix()}"
        for informer in manager.informers.values():
            informer.listen(partial(self.cached, process, informer.kind))
        return Work(manager.warm, manager.start, manager.stop_loops, manager.stop)


class Worker:
    """One node: its runtime, which stays, and its agent, which comes and goes."""

    def __init__(self, name: str, number: int, roads: Roads) -> None:
        self.name = name
        self.address = f"10.0.{1 + number // 250}.{1 + number % 250}"
        pod_cidr = f"10.{128 + number // 256}.{number % 256}.0/24"
        self.config = NodeConfig(
            name=name,
            address=self.address,
            root=_NOWHERE,
            pod_cidr=pod_cidr,
            capacity={"cpu": "4", "memory": "8Gi"},
            settings=roads.settings,
        )
        self.runtime = SimulatedRuntime(pod_cidr=pod_cidr, node_address=self.address)
        self.link = Link(name, roads.noise)
        self._roads = roads
        self._agent: NodeAgent | None = None
        # Cuts may overlap: the node is back when the last of them is healed.
        self._cuts = 0

    async def start(self) -> None:
        """A new agent takes over what runs."""
        if self._agent is not None:
            return
        self.link = Link(self.name, self._roads.noise)
        if self._cuts:
            self.link.cut()
        client = self._roads.client(self.link, f"system:node:{self.name}", "system:nodes")
        self._agent = NodeAgent(self.config, client, self.runtime)
        await self._agent.start()

    async def kill(self) -> None:
        """The agent dies; containers run on."""
        agent, self._agent = self._agent, None
        self.link.kill()
        if agent is not None:
            await agent.stop()

    async def crash(self) -> None:
        """The machine goes down: the agent dies, and every container with it."""
        await self.kill()
        self.runtime.reboot()

    @property
    def is_cut(self) -> bool:
        """Whether nobody reaches the node."""
        return self._cuts > 0

    def cut(self) -> None:
        """Cut the node off, from the API and from the clients."""
        self._cuts += 1
        self.link.cut()

    def heal(self) -> None:
        """End one cut."""
        self._cuts -= 1
        if not self._cuts:
            self.link.heal()

    async def running(self) -> list[tuple[Container, Sandbox]]:
        """The containers that run, each with its pod's sandbox, in the order in which they were made."""
        boxes = {box.id: box for box in await self.runtime.sandboxes()}
        containers = await self.runtime.containers()
        return [(c, boxes[c.sandbox_id]) for c in containers if c.state is ContainerState.RUNNING]
