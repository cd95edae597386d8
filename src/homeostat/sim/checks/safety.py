"""What must hold at every moment of a run, faults or not: checked at each commit, each request and once a second.

Only what is true in Kubernetes is checked here; what faults may break for a while is for `end_state`, after the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from homeostat.api import meta
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.kit import clock, tasks
from homeostat.sim.checks.pod_bounds import PodBounds
from homeostat.sim.components.candidates_and_workers import Candidate, Worker
from homeostat.sim.components.server_slot import ServerSlot
from homeostat.sim.record.commit_ledger import Commit, Ledger
from homeostat.sim.record.transcript import Transcript
from homeostat.wire.message import Request

_PERIOD_SECONDS = 1.0
_FAULTS_MAX = 20
# How long after a disturbance a controller may still act on a stale view or on doubts about its own writes.
_AFTERMATH_SECONDS = 15.0


class Checked(Protocol):
    """What of a cluster is looked at."""

    @property
    def ledger(self) -> Ledger:
        """All commits."""
        ...

    @property
    def transcript(self) -> Transcript:
        """Where a fault is written."""
        ...

    @property
    def candidates(self) -> Mapping[str, Sequence[Candidate]]:
        """Those that may lead, by component."""
        ...

    @property
    def servers(self) -> Sequence[ServerSlot]:
        """The API servers."""
        ...

    @property
    def workers(self) -> Mapping[str, Worker]:
        """The node agents with their runtimes, by name."""
        ...


class Safety:
    """Collects `faults`: each a line saying when and what. `disturbances` counts the faults under way that may leave
    controllers in doubt; the bounds on pods are not checked then."""

    def __init__(self, cluster: Checked) -> None:
        self.faults: list[str] = []
        # Set with the first of them.
        self.unsafe = asyncio.Event()
        self.disturbances = 0
        self._calm_since = 0.0
        self._cluster = cluster
        self._bounds = PodBounds(cluster.ledger)
        self._cached: dict[tuple[str, str, str], int] = {}
        self._task: asyncio.Task[None] | None = None
        self._said: dict[str, None] = {}
        cluster.ledger.checks.append(self._commit)

    def start(self) -> None:
        """Begin the checks that look at more than a commit."""
        self._task = tasks.spawn(self._run(), name="safety")

    async def stop(self) -> None:
        """End."""
        await tasks.stop(self._task)

    def calmed(self) -> None:
        """A disturbance is over."""
        self.disturbances -= 1
        self._calm_since = clock.monotonic() + _AFTERMATH_SECONDS

    def fault(self, text: str) -> None:
        """Note what is wrong now; each text counts once."""
        if text not in self._said and len(self.faults) < _FAULTS_MAX:
            self._said[text] = None
            self.unsafe.set()
            self.faults.append(f"at {clock.monotonic():.3f}: {text}")
            self._cluster.transcript.say("UNSAFE", text)

    # -- at each commit, request and change of a cache -------------------------------------------------------------

    def _commit(self, commit: Commit) -> None:
        for text in commit_faults(commit):
            self.fault(text)
        calm = not self.disturbances and clock.monotonic() >= self._calm_since
        for text in self._bounds.faults(commit, clock.monotonic()):
            if calm:
                self.fault(text)

    def sent(self, candidate: Candidate, request: Request) -> None:
        """A candidate that does not lead does not write while another leads; its events may still report what was."""
        if request.method == "GET" or candidate.leading or "/leases" in request.path or "/events" in request.path:
            return
        for other in self._cluster.candidates[candidate.component]:
            if other.leading:
                self.fault(f"{candidate.name} sends {request.method} {request.path} while {other.name} leads")

    def cached(self, process: str, kind: Kind, old: Obj | None, new: Obj | None) -> None:
        """What a cache shows of an object never goes back to an older revision."""
        obj = new if new is not None else old
        assert obj is not None
        place = (process, kind.kind, meta.key(obj))
        before, now = self._cached.get(place, 0), meta.resource_version(obj)
        if now < before or (now == before and new is not None):
            self.fault(f"{process} shows {kind.kind} {meta.key(obj)} at revision {now} after {before}")
        self._cached[place] = now

    # -- once a second ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await clock.sleep(_PERIOD_SECONDS)
            self._leaders()
            self._streams()
            await self._places()

    def _leaders(self) -> None:
        for component, candidates in self._cluster.candidates.items():
            leading = [candidate.name for candidate in candidates if candidate.leading]
            if len(leading) > 1:
                self.fault(f"{component} is led by {' and '.join(leading)}")

    def _streams(self) -> None:
        for server in self._cluster.servers:
            while server.order_faults:
                self.fault(server.order_faults.pop())

    async def _places(self) -> None:
        """No pod runs on two nodes, and no address is used twice."""
        places: dict[str, str] = {}
        addresses: dict[str, str] = {}
        for worker in self._cluster.workers.values():
            for container, _ in await worker.running():
                first = places.setdefault(container.pod_uid, worker.name)
                if first != worker.name:
                    self.fault(f"pod {container.pod_uid} runs on {first} and {worker.name}")
            for box in await worker.runtime.sandboxes():
                if not box.ready or box.spec.host_network:
                    continue
                holder = addresses.setdefault(box.ip, box.spec.pod_uid)
                if holder != box.spec.pod_uid:
                    self.fault(f"address {box.ip} is used by pods {holder} and {box.spec.pod_uid}")


def commit_faults(commit: Commit) -> list[str]:
    """What is wrong with a commit, whatever else happens."""
    old, new = commit.old, commit.new
    if old is None or new is None:
        return []
    found: list[str] = []
    if meta.uid(old) != meta.uid(new):
        found.append("got another uid")
    if meta.deleting(old) and not meta.deleting(new):
        found.append("came back from its deletion")
    if meta.generation(new) < meta.generation(old):
        found.append(f"went from generation {meta.generation(old)} to {meta.generation(new)}")
    if commit.kind == "Pod":
        found += _pod_faults(old, new)
    return [f"{commit.kind} {commit.key} {what} (r{commit.revision}, {commit.by})" for what in found]


def _pod_faults(old: Obj, new: Obj) -> list[str]:
    found: list[str] = []
    if meta.pod_node(old) and meta.pod_node(old) != meta.pod_node(new):
        found.append(f"moved from {meta.pod_node(old)} to {meta.pod_node(new) or 'nowhere'}")
    if meta.pod_terminal(old) and meta.pod_phase(old) != meta.pod_phase(new):
        found.append(f"went from {meta.pod_phase(old)} to {meta.pod_phase(new) or 'no phase'}")
    if meta.pod_restarts(new) < meta.pod_restarts(old):
        found.append(f"went from {meta.pod_restarts(old)} restarts to {meta.pod_restarts(new)}")
    return found
