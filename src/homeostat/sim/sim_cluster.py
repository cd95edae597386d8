"""A whole cluster in one process on virtual time: API servers over one store, candidates for leadership, nodes, the
service rules, clients that send requests, and a user who insists.

It runs under `kit.virtual.run`; everything in it is drawn from that run's seed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from homeostat.api.errors import ApiError
from homeostat.api.flags.flag_settings import Settings, parse_settings
from homeostat.client.contract import Client
from homeostat.kit import clock
from homeostat.network.userspace.service_proxy import ServiceProxy
from homeostat.sim.checks.cluster_view import NodeView, View
from homeostat.sim.checks.safety import Safety
from homeostat.sim.clients.rival_writers import Rivals
from homeostat.sim.clients.service_traffic import SimulatedApplier, Traffic
from homeostat.sim.clients.watch_readers import Readers
from homeostat.sim.clients.workload import Wanted
from homeostat.sim.components.candidates_and_workers import Candidate, Roads, Worker
from homeostat.sim.components.noisy_links import CALM, QUIET, ROUGH, Link, Noise
from homeostat.sim.components.server_slot import ServerSlot
from homeostat.sim.components.troubled_store import Disk, TroubledStore
from homeostat.sim.record.commit_ledger import Ledger
from homeostat.sim.record.transcript import Level, Transcript
from homeostat.store.memory import MemoryState

T = TypeVar("T")

COMPONENTS = ("controller-manager", "scheduler")

# Kubernetes' timings, shortened so that a random schedule sees a node given up and taken back within minutes.
HASTY = parse_settings(
    [
        "controller-manager.node-monitor-period=2s",
        "controller-manager.node-monitor-grace-period=12s",
        "apiserver.default-not-ready-toleration-seconds=10",
        "apiserver.default-unreachable-toleration-seconds=10",
        "kubelet.node-lease-duration-seconds=12",
    ]
)


@dataclass(frozen=True, slots=True)
class Shape:
    """How big the cluster is, how its ways are without faults (`noise`) and while they are rough."""

    masters: int = 3
    workers: int = 3
    noise: Noise = CALM
    rough: Noise = ROUGH
    settings: Settings = field(default_factory=Settings)
    request_period_seconds: float = 0.2
    keep: Level = Level.WRITE


class SimCluster:
    """See the module. `start` brings everything up; `stop` ends it in good order. It begins with what `state` holds."""

    def __init__(self, shape: Shape | None = None, state: MemoryState | None = None) -> None:
        self.shape = shape = shape or Shape()
        self.transcript = Transcript(keep=shape.keep)
        self.state = state or MemoryState()
        self.disk = Disk()
        self.ledger = Ledger(self.state, self.transcript)
        masters = [f"master-{number + 1}" for number in range(shape.masters)]
        self.servers = [
            ServerSlot(name, f"10.0.0.{number + 1}", lambda: TroubledStore(self.state, self.disk), shape.settings)
            for number, name in enumerate(masters)
        ]
        self.roads = Roads(self.servers, shape.noise, shape.settings)
        self.candidates = {
            component: [Candidate(component, name, self.roads) for name in masters] for component in COMPONENTS
        }
        names = [f"worker-{number + 1}" for number in range(shape.workers)]
        self.workers = {name: Worker(name, number, self.roads) for number, name in enumerate(names)}
        self.rules = SimulatedApplier(self._ruled)
        self.traffic = Traffic(self.rules, self.workers, period_seconds=shape.request_period_seconds, failed=self._lost)
        self.user = self._client("kubernetes-admin", "system:masters")
        self.wanted = Wanted()
        self.on_rules: list[Callable[[str, list[str]], None]] = []
        self.safety = Safety(self)
        for candidate in (candidate for some in self.candidates.values() for candidate in some):
            candidate.sent = self.safety.sent
            candidate.cached = self.safety.cached
        self._client_links: list[Link] = []
        self.readers = Readers(self.ledger, lambda name: self._client(name, "system:masters"), self.safety.fault)
        self.rivals = Rivals(self.ledger, self._rival, self.safety.fault)
        self._proxy_link = Link("proxy", shape.noise)
        self._proxy = ServiceProxy(
            self.roads.client(self._proxy_link, "system:kube-proxy"),
            self.rules,
            {worker.name: worker.address for worker in self.workers.values()},
        )

    def _client(self, name: str, *groups: str) -> Client:
        return self.roads.client(Link(name, QUIET), name, *groups)

    def _rival(self, name: str) -> Client:
        """A client whose way to the API is as rough as a component's."""
        link = Link(name, self.roads.noise)
        self._client_links.append(link)
        return self.roads.client(link, name, "system:masters")

    def links(self) -> Sequence[Link]:
        """Every way to the API that may become rough."""
        candidates = [candidate.link for some in self.candidates.values() for candidate in some]
        return [*candidates, *(worker.link for worker in self.workers.values()), self._proxy_link, *self._client_links]

    def set_noise(self, noise: Noise) -> None:
        """How rough every way is from now on."""
        self.roads.noise = noise
        self.disk.commit_seconds, self.disk.lag_seconds = noise.commit_seconds, noise.lag_seconds
        for link in self.links():
            link.noise = noise

    async def start(self) -> None:
        """Bring everything up; returns when the API answers, leaders are being elected and nodes register."""
        for server in self.servers:
            await server.start()
        for candidates in self.candidates.values():
            for candidate in candidates:
                await candidate.start()
        for worker in self.workers.values():
            await worker.start()
        await self._proxy.start()
        self.traffic.start()
        self.safety.start()

    async def stop(self) -> None:
        """End everything."""
        await self.rivals.stop()
        await self.readers.stop()
        await self.safety.stop()
        await self.traffic.stop()
        await self._proxy.stop()
        for worker in self.workers.values():
            await worker.kill()
        for candidates in self.candidates.values():
            for candidate in candidates:
                await candidate.kill()
        for server in self.servers:
            await server.kill()

    async def view(self) -> View:
        """Everything as it is now, for the checkers."""
        objects = {kind: self.ledger.all(kind) for kind in sorted(self.ledger.objects)}
        nodes = {
            name: NodeView(await worker.runtime.sandboxes(), await worker.runtime.containers())
            for name, worker in self.workers.items()
        }
        leaders = {
            component: [candidate.name for candidate in candidates if candidate.leading]
            for component, candidates in self.candidates.items()
        }
        servers = frozenset(server.address for server in self.servers if server.running)
        return View(objects, nodes, self.rules.backends(), leaders, servers, self.wanted)

    async def until(self, check: Callable[[], bool], *, seconds: float, step: float = 0.1) -> bool:
        """Let time pass until `check()` is true; whether it was within `seconds`."""
        end = clock.monotonic() + seconds
        while not check():
            if clock.monotonic() >= end:
                return False
            await clock.sleep(step)
        return True

    async def insist(self, attempt: Callable[[], Awaitable[T]], *, seconds: float = 600.0) -> T | None:
        """Do what a user does who will not be put off: again while the API is away or the object was changed.

        None when it is done already (exists, or is gone). Raises ApiError for any other refusal.
        """
        end = clock.monotonic() + seconds
        while True:
            try:
                return await attempt()
            except ApiError as error:
                if error.reason in ("AlreadyExists", "NotFound"):
                    return None
                again = error.code >= 500 or error.code == 429 or error.reason == "Conflict"
                if not again or clock.monotonic() >= end:
                    raise
            await clock.sleep(0.5)

    def _ruled(self, service: str, addresses: list[str]) -> None:
        self.transcript.say("rules", f"{service} leads to {' '.join(addresses) or 'nobody'}", Level.WRITE)
        for listener in self.on_rules:
            listener(service, addresses)

    def _lost(self, service: str, how: str) -> None:
        self.transcript.say("request", f"{service}: {how}", Level.WRITE)
