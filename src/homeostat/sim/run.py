"""One seed from beginning to end: a cluster comes up, faults happen, then all must be as it should and stay so."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from homeostat.kit import clock, tasks, virtual
from homeostat.sim.checks import end_state
from homeostat.sim.clients.workload import Daemon
from homeostat.sim.components import first_objects
from homeostat.sim.record.transcript import Level, Transcript
from homeostat.sim.schedule.faults import Fault
from homeostat.sim.schedule.injector import Injector
from homeostat.sim.schedule.random_schedules import DAEMONS, NAMESPACE, Bounds, random_schedule, sized
from homeostat.sim.sim_cluster import HASTY, Shape, SimCluster
from homeostat.store.memory import MemoryState

_UP_SECONDS = 60.0
# The longest that something may take after the last fault: a crash backoff of minutes, then a rollout.
_SETTLE_SECONDS = 600.0
# Longer than the longest time that something may pass unseen: the lease of a leader that died.
_QUIET_SECONDS = 16.0
_LOOK_SECONDS = 2.0
# No seed takes this long. What waits for ever fails, and says so.
_RUN_SECONDS = 3600.0
_ERRORS_MAX = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a seed went. `failures` is empty when all is well; `settled_seconds` is how long after the last fault."""

    seed: int
    schedule: Sequence[Fault]
    failures: Sequence[str]
    transcript: Transcript
    settled_seconds: float = 0.0
    virtual_seconds: float = 0.0
    requests: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.failures


@dataclass(slots=True)
class _Run:
    """What a run finds out."""

    schedule: Sequence[Fault] = ()
    failures: list[str] = field(default_factory=list)
    settled_seconds: float = 0.0
    virtual_seconds: float = 0.0
    requests: str = ""


def run_seed(
    seed: int,
    *,
    bounds: Bounds | None = None,
    choose: Callable[[Sequence[Fault]], Sequence[Fault]] = tuple,
    keep: Level = Level.WRITE,
    until_unsafe: bool = False,
) -> Outcome:
    """Run the seed's schedule, or the part of it that `choose` gives; with `until_unsafe` only up to the first moment
    that is not safe."""
    given = bounds or Bounds()
    found = _Run()
    transcripts: list[Transcript] = []

    state = MemoryState()
    first_objects.fill(state)

    async def main() -> None:
        bounds = sized(given)
        found.schedule = choose(random_schedule(bounds))
        cluster = SimCluster(_shape(bounds, keep), state)
        transcripts.append(cluster.transcript)
        async with asyncio.timeout(_RUN_SECONDS):
            playing = tasks.spawn(_play(cluster, bounds, found), name="play")
            unsafe = tasks.spawn(cluster.safety.unsafe.wait(), name="unsafe") if until_unsafe else playing
            await asyncio.wait((playing, unsafe), return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                playing.result()
            else:
                await tasks.stop(playing)
                found.failures += [f"safety: {text}" for text in cluster.safety.faults]
            await tasks.stop(unsafe)

    with _errors() as errors, _patient_collector():
        try:
            virtual.run(main, seed=seed)
        except Exception as error:  # noqa: BLE001 - whatever ends a seed is its failure; the others must go on
            found.failures.append(f"the run ended by {type(error).__name__}: {error}")
    found.failures += [f"log: {text}" for text in errors[:_ERRORS_MAX]]
    return Outcome(
        seed,
        found.schedule,
        found.failures,
        transcripts[0],
        found.settled_seconds,
        found.virtual_seconds,
        found.requests,
    )


def _shape(bounds: Bounds, keep: Level) -> Shape:
    return Shape(
        masters=bounds.masters,
        workers=bounds.workers,
        rough=bounds.rough,
        settings=HASTY,
        request_period_seconds=0.5,
        keep=keep,
    )


async def _play(cluster: SimCluster, bounds: Bounds, found: _Run) -> None:
    await cluster.start()
    injector = Injector(cluster)
    await injector.user.create_namespace(NAMESPACE)
    for app in bounds.apps:
        await injector.user.create_app(app)
    for key in DAEMONS:
        namespace, _, name = key.partition("/")
        await injector.user.create_daemon(Daemon(name, namespace=namespace))
    found.failures += [f"before any fault: {text}" for text in await _settle(cluster, _UP_SECONDS)]
    if not found.failures:
        cluster.transcript.say("up", "all is as it should be")
        cluster.readers.start(bounds.readers)
        cluster.rivals.start(bounds.rivals, evict_seconds=bounds.evict_seconds)
        await injector.run(found.schedule)
        await cluster.rivals.stop()
        began = clock.monotonic()
        found.failures += await _settle(cluster, _SETTLE_SECONDS)
        found.settled_seconds = clock.monotonic() - began
        if not found.failures:
            cluster.transcript.say("settled", "all is as it should be")
            found.failures += await _stays(cluster)
            found.failures += cluster.readers.behind()
    found.failures += [f"safety: {text}" for text in cluster.safety.faults]
    for text in found.failures:
        cluster.transcript.say("FAILED", text)
    tallies = cluster.traffic.tallies.values()
    found.requests = (
        f"{sum(t.answered for t in tallies)} answered, {sum(t.in_flight for t in tallies)} lost in flight, "
        f"{sum(t.refused for t in tallies)} refused"
    )
    found.virtual_seconds = clock.monotonic()
    await cluster.stop()


async def _settle(cluster: SimCluster, seconds: float) -> list[str]:
    """Wait until nothing is wrong; what still is after `seconds`."""
    end = clock.monotonic() + seconds
    while wrong := end_state.faults(await cluster.view()):
        if clock.monotonic() >= end:
            return [*wrong, f"the last change was at {cluster.ledger.changed_at:.1f}: {cluster.ledger.last}"]
        await clock.sleep(_LOOK_SECONDS)
    return []


async def _stays(cluster: SimCluster) -> list[str]:
    """Nothing changes any more. What is right may still be tidied up for a while, but then there is no write."""
    ledger, end = cluster.ledger, clock.monotonic() + _SETTLE_SECONDS
    while clock.monotonic() - ledger.changed_at < _QUIET_SECONDS:
        if clock.monotonic() >= end:
            return [f"writes go on: at {ledger.changed_at:.1f} {ledger.last}"]
        await clock.sleep(_LOOK_SECONDS)
    return [f"after it had settled: {text}" for text in end_state.faults(await cluster.view())]


class _Collector(logging.Handler):
    """Takes down errors: a task that failed, a loop's mistake. No simulated fault may cause one."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text} ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
        self.texts.append(f"{record.name}: {text}")


@contextmanager
def _errors() -> Iterator[list[str]]:
    """What is logged as an error inside the block."""
    collector = _Collector()
    loggers = [logging.getLogger("homeostat"), logging.getLogger("asyncio")]
    kept = [(logger, logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.addHandler(collector)
        logger.propagate = False
    try:
        yield collector.texts
    finally:
        for logger, propagate, level in kept:
            logger.removeHandler(collector)
            logger.propagate = propagate
            logger.setLevel(level)


@contextmanager
def _patient_collector() -> Iterator[None]:
    """A run makes many objects that live long, and few that only the collector frees: some thousand in a seed. Looking
    through all of them once in each seed would cost 3 % of it."""
    kept = gc.get_threshold()
    gc.set_threshold(500_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*kept)
