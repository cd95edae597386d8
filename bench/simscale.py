"""How big a cluster the simulation holds: `python -m bench.simscale [--nodes 1000 --nodes 5000] [--pods-per-node 3]`.

One API server over the memory store, one controller manager, one scheduler and N whole node agents with simulated
runtimes, all in this process on virtual time. For each size it reports how long on the machine's clock it takes until
all nodes are Ready, until a Deployment's pods are all Ready, and how much a quiet virtual minute (heartbeats) costs,
with the process's memory after each.
"""

from __future__ import annotations

import gc
import multiprocessing
import multiprocessing.connection
from dataclasses import dataclass, field
from pathlib import Path

import click

from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import DEPLOYMENT
from homeostat.kit import clock, virtual
from homeostat.kit.world import RealWorld
from homeostat.sim.clients.workload import App, deployment
from homeostat.sim.components.candidates_and_workers import Candidate, Roads, Worker
from homeostat.sim.components.noisy_links import QUIET, Link
from homeostat.sim.components.server_slot import ServerSlot
from homeostat.store.contract import Batch
from homeostat.store.feed import Feed
from homeostat.store.memory import MemoryState, MemoryStore

_STEP_SECONDS = 1.0
_VIRTUAL_SECONDS_MAX = 3600.0
_QUIET_SECONDS = 60.0


@dataclass
class Phase:
    """What one phase took: seconds on the machine's clock and in the simulation, commits, and memory after it."""

    name: str
    wall_seconds: float
    virtual_seconds: float
    commits: int
    memory_mb: float

    def text(self) -> str:
        """One line."""
        return (
            f"  {self.name:<28} {self.wall_seconds:8.1f} s   {self.virtual_seconds:8.1f} s virtual"
            f"   {self.commits:8d} commits   {self.memory_mb:7.0f} MB"
        )


@dataclass
class Count(Feed):
    """What is Ready, counted from the commits: looking through all objects would be what is measured."""

    state: MemoryState
    nodes: set[str] = field(default_factory=set)
    pods: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__(self.state.history)
        self.state.feeds.append(self)

    def publish(self, events: Batch) -> None:
        """Note who is Ready."""
        super().publish(events)
        for event in events:
            if event.key.startswith("/registry/core/nodes/") and b'"type":"Ready","status":"True"' in event.value:
                self.nodes.add(event.key)
            elif event.key.startswith("/registry/core/pods/") and b'"type":"Ready","status":"True"' in event.value:
                self.pods.add(event.key)


def memory_mb() -> float:
    """This process's resident memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def measure(nodes: int, pods: int, report: multiprocessing.connection.Connection) -> None:
    """All phases of one size; each Phase is sent as it ends."""
    machine = RealWorld()
    state = MemoryState()
    server = ServerSlot("master-1", "10.0.0.1", lambda: MemoryStore(state))
    roads = Roads([server], QUIET, Settings())
    count = Count(state)
    began, virtual_began, commits = machine.monotonic(), clock.monotonic(), 0

    def done(name: str) -> None:
        nonlocal began, virtual_began, commits
        now, virtual_now = machine.monotonic(), clock.monotonic()
        report.send(Phase(name, now - began, virtual_now - virtual_began, state.revision - commits, memory_mb()))
        began, virtual_began, commits = machine.monotonic(), virtual_now, state.revision

    async def until(name: str, what: set[str], wanted: int) -> None:
        while len(what) < wanted and clock.monotonic() - virtual_began < _VIRTUAL_SECONDS_MAX:
            await clock.sleep(_STEP_SECONDS)
        done(name if len(what) >= wanted else f"{name}: only {len(what)}!")

    await server.start()
    for component in ("controller-manager", "scheduler"):
        await Candidate(component, "master-1", roads).start()
    for number in range(nodes):
        await Worker(f"worker-{number + 1}", number, roads).start()
    await until(f"{nodes} nodes Ready", count.nodes, nodes)
    user = roads.client(Link("user", QUIET), "admin", "system:masters")
    await user.create(DEPLOYMENT, deployment(App("web", pods, cpu="10m")))
    await until(f"{pods} pods Ready", count.pods, pods)
    await clock.sleep(_QUIET_SECONDS)
    done("a quiet minute")


def run(nodes: int, pods: int, report: multiprocessing.connection.Connection) -> None:
    """One size in a process of its own."""
    gc.set_threshold(100_000, 50, 100)
    virtual.run(lambda: measure(nodes, pods, report), seed=1)
    report.close()


@click.command()
@click.option("--nodes", type=int, multiple=True, default=(1000, 5000), show_default=True)
@click.option("--pods-per-node", type=int, default=3, show_default=True)
def main(nodes: tuple[int, ...], pods_per_node: int) -> None:
    """Print what each size costs."""
    context = multiprocessing.get_context("spawn")
    for size in nodes:
        click.echo(f"{size} nodes:")
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=run, args=(size, size * pods_per_node, send))
        process.start()
        send.close()
        try:
            while True:
                click.echo(receive.recv().text())
        except EOFError:
            process.join()


if __name__ == "__main__":
    main()
