"""Random schedules of faults from the current run's chance, and shrinking: the smallest schedule that still fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from homeostat.kit import chance
from homeostat.sim.clients.rival_writers import KINDS
from homeostat.sim.clients.watch_readers import LOOKS
from homeostat.sim.clients.workload import App
from homeostat.sim.components.noisy_links import HARSH, ROUGH, Noise
from homeostat.sim.schedule import faults
from homeostat.sim.schedule.faults import Fault

# What runs when the faults begin. `heavy` has room twice on a node: without one of three nodes some of it waits.
START = (
    App("web", 3, budget=1),
    App("api", 3, spread=True),
    App("heavy", 3, cpu="1500m"),
    App("shop", 2, namespace="team"),
)
DAEMONS = ("default/logs",)
_REPLICAS_MAX = {"default/heavy": 5}
NAMESPACE = "team"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how hard: faults begin within `seconds`, and last at most `longest_seconds`; `rough` is what ways
    are like while they are rough.

    A seed draws from `masters_min` to `masters` masters, at least `apps_min` of the `apps`, and so many of the kinds of
    readers and of rivals: many seeds together see them all.
    """

    seconds: float = 30.0
    faults_min: int = 6
    faults_max: int = 18
    longest_seconds: float = 30.0
    masters_min: int = 1
    masters: int = 3
    readers: int = 3
    rivals: int = 1
    evict_seconds: tuple[float, float] = (10.0, 30.0)
    apps_min: int = 2
    apps: tuple[App, ...] = START
    workers: int = 3
    rough: Noise = ROUGH


# For a hunt: more of everything at once than any cluster sees.
HARD = Bounds(
    seconds=60.0,
    faults_min=25,
    faults_max=45,
    longest_seconds=40.0,
    masters_min=3,
    apps_min=len(START),
    readers=len(LOOKS),
    rivals=len(KINDS),
    evict_seconds=(4.0, 16.0),
    rough=HARSH,
)

_Make: TypeAlias = Callable[[Bounds, float], Fault]


def sized(bounds: Bounds) -> Bounds:
    """The bounds with the masters and the apps that this seed has."""
    masters = _between(bounds.masters_min, bounds.masters)
    apps = chance.some(bounds.apps, _between(bounds.apps_min, len(bounds.apps)))
    return replace(bounds, masters=masters, apps=tuple(apps))


def _between(least: int, most: int) -> int:
    """One of the two or a number between them; nothing is drawn where both are the same."""
    return least if least == most else least + chance.below(most - least + 1)


def random_schedule(bounds: Bounds) -> tuple[Fault, ...]:
    """Faults in the order of their moments."""
    count = bounds.faults_min + chance.below(bounds.faults_max - bounds.faults_min + 1)
    weighted = [make for make, weight in _MAKERS for _ in range(weight)]
    made = [chance.choice(weighted)(bounds, round(chance.uniform(0, bounds.seconds), 1)) for _ in range(count)]
    return tuple(sorted(made, key=lambda fault: fault.at_seconds))


def shrink(schedule: Sequence[Fault], fails: Callable[[Sequence[Fault]], bool]) -> tuple[Fault, ...]:
    """A part of a failing schedule from which nothing can be left out (delta debugging)."""
    kept = list(schedule)
    size = max(1, len(kept) // 2)
    while True:
        at, smaller = 0, False
        while at < len(kept):
            without = kept[:at] + kept[at + size :]
            if fails(without):
                kept, smaller = without, True
            else:
                at += size
        if size == 1 and not smaller:
            return tuple(kept)
        size = max(1, size // 2)


def _seconds(bounds: Bounds) -> float:
    """Short troubles and long ones."""
    longest = bounds.longest_seconds if chance.below(3) == 0 else bounds.longest_seconds / 5
    return round(chance.uniform(0.2, longest), 1)


def _worker(bounds: Bounds) -> int:
    return chance.below(bounds.workers)


def _app(bounds: Bounds) -> str:
    return chance.choice(bounds.apps).key


def _kill_container(bounds: Bounds, at: float) -> Fault:
    return faults.KillContainer(at_seconds=at, pick=chance.below(1000))


def _freeze_container(bounds: Bounds, at: float) -> Fault:
    return faults.FreezeContainer(at_seconds=at, pick=chance.below(1000), seconds=_seconds(bounds))


def _delete_pod(bounds: Bounds, at: float) -> Fault:
    grace = chance.choice((-1, -1, 0, 1, 5))
    return faults.DeletePod(at_seconds=at, pick=chance.below(1000), grace_seconds=grace)


def _kill_api_server(bounds: Bounds, at: float) -> Fault:
    return faults.KillApiServer(at_seconds=at, server=chance.below(bounds.masters), seconds=_seconds(bounds))


def _lose_leader(bounds: Bounds, at: float) -> Fault:
    component = chance.choice(("controller-manager", "controller-manager", "scheduler"))
    ways: tuple[faults.Way, ...] = ("kill", "stop", "cut")
    way = chance.choice(ways)
    # A cut of more than ten seconds costs the lease; the same process may take it again later.
    seconds = round(chance.uniform(2, 25), 1) if way == "cut" else _seconds(bounds)
    return faults.LoseLeader(at_seconds=at, component=component, way=way, seconds=seconds)


def _kill_agent(bounds: Bounds, at: float) -> Fault:
    return faults.KillAgent(at_seconds=at, worker=_worker(bounds), seconds=_seconds(bounds))


def _reboot(bounds: Bounds, at: float) -> Fault:
    return faults.Reboot(at_seconds=at, worker=_worker(bounds), seconds=_seconds(bounds))


def _cut_node(bounds: Bounds, at: float) -> Fault:
    return faults.CutNode(at_seconds=at, worker=_worker(bounds), seconds=_seconds(bounds))


def _break_runtime(bounds: Bounds, at: float) -> Fault:
    return faults.BreakRuntime(at_seconds=at, worker=_worker(bounds), seconds=_seconds(bounds))


def _abandon_node(bounds: Bounds, at: float) -> Fault:
    return faults.AbandonNode(at_seconds=at, worker=_worker(bounds), seconds=_seconds(bounds))


def _store_away(bounds: Bounds, at: float) -> Fault:
    return faults.StoreAway(at_seconds=at, seconds=_seconds(bounds))


def _compact(bounds: Bounds, at: float) -> Fault:
    return faults.Compact(at_seconds=at, server=chance.below(bounds.masters), seconds=_seconds(bounds))


def _drain(bounds: Bounds, at: float) -> Fault:
    return faults.Drain(at_seconds=at, worker=_worker(bounds), seconds=_seconds(bounds))


def _delete_node(bounds: Bounds, at: float) -> Fault:
    return faults.DeleteNode(at_seconds=at, worker=_worker(bounds))


def _roughen(bounds: Bounds, at: float) -> Fault:
    return faults.Roughen(at_seconds=at, seconds=round(chance.uniform(5, bounds.longest_seconds), 1))


def _scale(bounds: Bounds, at: float) -> Fault:
    app = _app(bounds)
    return faults.Scale(at_seconds=at, app=app, replicas=chance.below(_REPLICAS_MAX.get(app, 8)))


def _rollout(bounds: Bounds, at: float) -> Fault:
    return faults.Rollout(at_seconds=at, app=_app(bounds), back=chance.below(3) == 0)


def _rollout_daemon(bounds: Bounds, at: float) -> Fault:
    return faults.RolloutDaemon(at_seconds=at, daemon=chance.choice(DAEMONS))


def _create_app(bounds: Bounds, at: float) -> Fault:
    strategy = chance.choice(("RollingUpdate", "RollingUpdate", "Recreate"))
    app = chance.choice((*(app.key for app in bounds.apps), "default/extra"))
    replicas = 1 + chance.below(_REPLICAS_MAX.get(app, 6) - 1)
    return faults.CreateApp(at_seconds=at, app=app, replicas=replicas, strategy=strategy)


def _delete_app(bounds: Bounds, at: float) -> Fault:
    if chance.below(3) == 0:
        return faults.DeleteApp(at_seconds=at, app=_app(bounds), propagation="Foreground")
    return faults.DeleteApp(at_seconds=at, app=_app(bounds))


def _delete_daemon(bounds: Bounds, at: float) -> Fault:
    return faults.DeleteDaemon(at_seconds=at, daemon=chance.choice(DAEMONS))


def _delete_namespace(bounds: Bounds, at: float) -> Fault:
    seconds = -1.0 if chance.below(2) else _seconds(bounds)
    return faults.DeleteNamespace(at_seconds=at, namespace=NAMESPACE, seconds=seconds)


_MAKERS: tuple[tuple[_Make, int], ...] = (
    (_kill_container, 4),
    (_freeze_container, 1),
    (_delete_pod, 4),
    (_kill_api_server, 4),
    (_lose_leader, 4),
    (_kill_agent, 3),
    (_reboot, 2),
    (_cut_node, 4),
    (_break_runtime, 1),
    (_abandon_node, 2),
    (_store_away, 1),
    (_compact, 2),
    (_drain, 2),
    (_delete_node, 1),
    (_roughen, 3),
    (_scale, 4),
    (_rollout, 4),
    (_rollout_daemon, 1),
    (_create_app, 2),
    (_delete_app, 2),
    (_delete_daemon, 1),
    (_delete_namespace, 1),
)
