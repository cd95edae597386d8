"""Stories on a simulated cluster with Kubernetes' timings, and their golden transcripts.

`pytest tests/sim --update-golden` rewrites the transcripts; the difference is for the reviewer to read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.kit import clock, virtual, world
from homeostat.sim.checks import end_state
from homeostat.sim.clients.service_traffic import Tally
from homeostat.sim.clients.workload import App
from homeostat.sim.components.candidates_and_workers import Candidate, Worker
from homeostat.sim.components.noisy_links import QUIET
from homeostat.sim.milestones import Milestones
from homeostat.sim.schedule.simulated_user import User
from homeostat.sim.sim_cluster import Shape, SimCluster

GOLDEN = Path(__file__).parent / "golden"
WEB = "default/web"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden transcripts of tests/sim again")


@dataclass
class Stage:
    """A cluster with the app `web` running and a client that asks it 20 times a second."""

    cluster: SimCluster
    story: Milestones
    user: User
    tally: Tally = field(default_factory=Tally)

    async def settled(self) -> None:
        """Wait until all is as it should be."""
        for _ in range(600):
            if not end_state.faults(await self.cluster.view()):
                return
            await clock.sleep(1)
        raise AssertionError(end_state.faults(await self.cluster.view()))

    async def faults(self) -> list[str]:
        """What is wrong now, and what was unsafe at any time."""
        return [*end_state.faults(await self.cluster.view()), *self.cluster.safety.faults]

    def pods(self) -> list[Obj]:
        """The pods of `web` that are not going."""
        return [pod for pod in self.cluster.ledger.all("Pod", "default") if not meta.deleting(pod)]

    def pod_on(self, node: str) -> Obj:
        """A pod of `web` on that node."""
        return next(pod for pod in self.pods() if meta.pod_node(pod) == node)

    def worker(self, name: str = "worker-2") -> Worker:
        return self.cluster.workers[name]

    def leader(self, component: str) -> Candidate:
        return next(candidate for candidate in self.cluster.candidates[component] if candidate.leading)

    async def kill_container(self, node: str) -> None:
        uid = meta.uid(self.pod_on(node))
        for container, box in await self.worker(node).running():
            if box.spec.pod_uid == uid:
                self.worker(node).runtime.kill(container.id)

    def moment(self, text: str) -> float:
        """When that was reported first, in seconds since the story began."""
        assert text in self.story.moments, f"{text!r} is not in the story:\n{self.story.text()}"
        return self.story.moments[text]


Play = Callable[[Stage], Awaitable[None]]


def perform(play: Play, *, seed: int = 1, even: bool = True, replicas: int = 3) -> Stage:
    """Bring a cluster up with Kubernetes' timings, run the story, and let the client's last requests end."""
    stages: list[Stage] = []

    async def main() -> None:
        cluster = SimCluster(Shape(noise=QUIET, request_period_seconds=0.05))
        stage = Stage(cluster, Milestones(cluster), User(cluster))
        stages.append(stage)
        await cluster.start()
        assert await cluster.until(lambda: len(cluster.ledger.all("Node")) == 3, seconds=10)
        await clock.sleep(10)
        await stage.user.create_app(App("web", replicas))
        await stage.settled()
        await clock.sleep(30)
        # A little after a request began, so that some are in flight when the story begins.
        await clock.sleep(0.01)
        stage.tally = cluster.traffic.tallies[WEB] = Tally()
        stage.story.begin()
        await play(stage)
        await cluster.stop()
        await clock.sleep(2)

    virtual.run(main, seed=seed, world_of=world.EvenWorld if even else world.SeededWorld)
    return stages[0]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Stage], None]:
    """Compare a story with its golden transcript, or write it."""

    def compare(name: str, stage: Stage) -> None:
        tally = stage.tally
        slowest = f"the slowest took {tally.longest_seconds:.1f} s"
        counts = f"{tally.answered} answered, {tally.in_flight} lost in flight, {tally.refused} refused, {slowest}"
        text = f"{stage.story.text()}requests: {counts}\n"
        path = GOLDEN / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path.name} is not there: run pytest tests/sim --update-golden"
        assert text == path.read_text(), "the story has changed: see --update-golden"

    return compare
