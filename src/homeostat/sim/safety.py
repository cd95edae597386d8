"""What must hold at every moment of a run, faults or not: checked at each commit and once a second.

Only what is true in Kubernetes stands here; what faults may break for a while is for `checkers`, at the end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.kit import clock, tasks
from homeostat.sim.ledger import Commit

if TYPE_CHECKING:
    from homeostat.sim.cluster import SimCluster

_PERIOD_SECONDS = 1.0
_FAULTS_MAX = 20


class Safety:
    """Collects `faults`: each a line saying when and what."""

    def __init__(self, cluster: SimCluster) -> None:
        self.faults: list[str] = []
        self._cluster = cluster
        self._task: asyncio.Task[None] | None = None
        self._said: dict[str, None] = {}
        cluster.ledger.checks.append(self._commit)

    def start(self) -> None:
        """Begin the checks that look at more than a commit."""
        self._task = tasks.spawn(self._run(), name="safety")

    async def stop(self) -> None:
        """End."""
        await tasks.stop(self._task)

    def _fault(self, text: str) -> None:
        if text not in self._said and len(self.faults) < _FAULTS_MAX:
            self._said[text] = None
            self.faults.append(f"at {clock.monotonic():.3f}: {text}")
            self._cluster.transcript.say("UNSAFE", text)

    # -- at each commit --------------------------------------------------------------------------------------------

    def _commit(self, commit: Commit) -> None:
        for text in commit_faults(commit):
            self._fault(text)

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
                self._fault(f"{component} is led by {' and '.join(leading)}")

    def _streams(self) -> None:
        for server in self._cluster.servers:
            while server.order_faults:
                self._fault(server.order_faults.pop())

    async def _places(self) -> None:
        """No pod runs on two nodes, and no address is used twice."""
        places: dict[str, str] = {}
        addresses: dict[str, str] = {}
        for worker in self._cluster.workers.values():
            for container, _ in await worker.running():
                first = places.setdefault(container.pod_uid, worker.name)
                if first != worker.name:
                    self._fault(f"pod {container.pod_uid} runs on {first} and {worker.name}")
            for box in await worker.runtime.sandboxes():
                if not box.ready or box.spec.host_network:
                    continue
                holder = addresses.setdefault(box.ip, box.spec.pod_uid)
                if holder != box.spec.pod_uid:
                    self._fault(f"address {box.ip} is used by pods {holder} and {box.spec.pod_uid}")


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
