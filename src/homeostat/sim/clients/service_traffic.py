"""Clients of the cluster's Services on virtual time, and the rules they follow: an open loop of requests.

A request takes the first backend that can be reached, in the balancer's order, as the userspace proxy does; backends
that are gone or cut off are passed over. It fails in flight when its container ends (or is cut off) before it is
answered, and outright when no backend takes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from homeostat.kit import chance, clock, tasks
from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.userspace_plan import Plan
from homeostat.network.userspace.balancer import Balancer
from homeostat.runtime.contract import ProbeError
from homeostat.sim.components.candidates_and_workers import Worker

_DIAL_SECONDS = 0.3


class SimulatedApplier:
    """The service plan in force: which backends get new connections. `changed` is called with each Service whose
    backends have changed, with their addresses."""

    def __init__(self, changed: Callable[[str, list[str]], None] = lambda service, addresses: None) -> None:
        self.plan: dict[Front, Balancer] = {}
        self.trouble: Mapping[Front, str] = {}
        self._changed = changed

    async def apply(self, plan: Plan) -> None:
        """Make `plan` the rules from now on."""
        before = self.backends()
        self.plan = {front: self._balancer(front, plan) for front in plan}
        after = self.backends()
        for service in sorted(before.keys() | after.keys()):
            if before.get(service) != after.get(service):
                self._changed(service, sorted({address for address, _ in after.get(service, ())}))

    def backends(self) -> dict[str, frozenset[tuple[str, int]]]:
        """By Service, the addresses and ports that get its new connections."""
        found: dict[str, frozenset[tuple[str, int]]] = {}
        for balancer in self.plan.values():
            ends = frozenset((backend.address, backend.port) for backend in balancer.rule.backends)
            found[balancer.rule.service] = found.get(balancer.rule.service, frozenset()) | ends
        return found

    async def close(self) -> None:
        """Nothing listens."""
        self.plan = {}

    def _balancer(self, front: Front, plan: Plan) -> Balancer:
        known = self.plan.get(front)
        if known is None:
            return Balancer(plan[front])
        known.rule = plan[front]
        return known


@dataclass(slots=True)
class Tally:
    """How the requests to one Service went."""

    answered: int = 0
    in_flight: int = 0
    refused: int = 0
    longest_seconds: float = 0.0
    failures: list[tuple[float, str]] = field(default_factory=list)


class Traffic:
    """Requests to every Service in `watched` (as `namespace/name`) once a `period_seconds`, whatever became of the
    former ones; each takes up to `service_seconds`."""

    def __init__(
        self,
        applier: SimulatedApplier,
        workers: Mapping[str, Worker],
        *,
        period_seconds: float = 0.2,
        service_seconds: float = 0.05,
        failed: Callable[[str, str], None] = lambda service, how: None,
    ) -> None:
        self.tallies: dict[str, Tally] = {}
        self._applier = applier
        self._workers = workers
        self._period = period_seconds
        self._service = service_seconds
        self._failed = failed
        self._task: asyncio.Task[None] | None = None
        self._watched: dict[str, None] = {}

    def watch(self, service: str) -> None:
        """Send requests to `namespace/name` from now on."""
        self._watched[service] = None
        self.tallies.setdefault(service, Tally())

    def unwatch(self, service: str) -> None:
        """Send no more."""
        self._watched.pop(service, None)

    def start(self) -> None:
        """Begin."""
        self._task = tasks.spawn(self._run(), name="traffic")

    async def stop(self) -> None:
        """End; requests under way end by themselves."""
        await tasks.stop(self._task)

    async def _run(self) -> None:
        while True:
            for service in self._watched:
                tasks.spawn(self._request(service), name=f"request/{service}")
            await clock.sleep(self._period)

    async def _request(self, service: str) -> None:
        tally, started = self.tallies[service], clock.monotonic()
        how = await self._ask(service)
        if not how:
            tally.answered += 1
        elif how.startswith("in flight"):
            tally.in_flight += 1
        else:
            tally.refused += 1
        tally.longest_seconds = max(tally.longest_seconds, clock.monotonic() - started)
        if how:
            tally.failures.append((started, how))
            self._failed(service, how)

    async def _ask(self, service: str) -> str:
        """How one request failed; empty when it was answered."""
        balancer = next((b for b in self._applier.plan.values() if b.rule.service == service), None)
        if balancer is None:
            return "refused: no backend in the rules"
        for backend in balancer.order("client", clock.monotonic()):
            container = await self._connect(backend)
            if container is None:
                continue
            await clock.sleep(chance.uniform(0, self._service))
            worker = self._workers[backend.node]
            alive = any(found.id == container for found, _ in await worker.running())
            if alive and not worker.is_cut:
                return ""
            return f"in flight to a container that ended on {backend.node}"
        return "refused by every backend"

    async def _connect(self, backend: Backend) -> str | None:
        """The container that took the connection, None when none does."""
        worker = self._workers.get(backend.node)
        if worker is None:
            return None
        if worker.is_cut:
            await clock.sleep(_DIAL_SECONDS)
            return None
        try:
            await worker.runtime.tcp_connect(backend.address, backend.port, timeout_seconds=_DIAL_SECONDS)
        except ProbeError:
            return None
        return next((c.id for c, box in await worker.running() if box.ip == backend.address), None)
