"""One run: clients and watches start, faults come one after another, all is repaired, and the history is checked.

Every fault is given the time to heal before the next; how long clients were without an answer around each is measured
by two open loops of another process, and reported. Figures never decide: only a violation, or a cluster
that does not heal, makes a run fail.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from bench.torture import counters, registers, streams
from bench.torture.burst import Burst, deployment
from bench.torture.clients import SIDES, Watcher, Writer, body, take_list
from bench.torture.faults import FAULTS, Fault
from bench.torture.history import History, Outcome, Selection
from bench.torture.probing import READS, WRITES, Gap, Probing
from bench.torture.stage import Stage
from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CONFIGMAP, DEPLOYMENT, NAMESPACE, NODE
from homeostat.client.contract import Client
from homeostat.cluster.state_folder import LabError
from homeostat.drill.probe import Sample

_WRITERS, _WATCHERS = 6, 24
_NAMESPACES = ("torture-a", "torture-b", "torture-c")
_QUIET_SECONDS, _SETTLE_SECONDS, _HEAL_SECONDS_MAX = 2.0, 2.0, 90.0


@dataclass(frozen=True, slots=True)
class Felt:
    """What clients felt of one fault: the longest times without an answer, and the seconds until all was well."""

    fault: Fault
    nodes: tuple[str, ...]
    reads: Gap
    writes: Gap
    healed_after: float
    # When it began and was undone (monotonic seconds).
    began: float = 0.0
    undone: float = 0.0

    @property
    def within(self) -> bool:
        """Whether both gaps are as short as the project wants them."""
        return max(self.reads.seconds, self.writes.seconds) <= self.fault.gap_seconds


@dataclass(slots=True)
class Result:
    """All of a run."""

    history: History
    felt: list[Felt] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    judged: int = 0

    def counts(self) -> str:
        """How much was looked at, in one line."""
        operations = self.history.operations
        done = sum(each.outcome is Outcome.DONE and each.kind != "read" for each in operations)
        unknown = sum(each.outcome is Outcome.UNKNOWN for each in operations)
        events = sum(len(stream.changes) for stream in self.history.streams)
        return (
            f"{len(operations)} operations ({done} acknowledged writes, {unknown} without a clear answer), "
            f"{len(self.history.listings)} lists, {events} events of {len(self.history.streams)} watch connections "
            f"({self.judged} judged)"
        )


Say = Callable[[str], None]


class Run:
    """A run of `seconds` against a cluster, from a seed. `connect` makes a client; each is closed at the end."""

    def __init__(
        self, stage: Callable[[Client, random.Random], Stage], connect: Callable[[], Client], seed: int
    ) -> None:
        self._chance = random.Random(seed)
        self._connect = connect
        self._client = connect()
        self._stage = stage(self._client, self._chance)
        self.history = History()
        self._tasks: list[asyncio.Task[None]] = []
        self._clients = [self._client]
        self._watchers: list[Watcher] = []
        self._burst = Burst(self._new_client(), self._chance, _NAMESPACES[0])
        self._probing = Probing()

    async def go(self, seconds: float, *, names: Sequence[str], say: Say) -> Result:
        """Everything. `names`: the faults to choose from, all when empty. Raises LabError."""
        result = Result(self.history, samples=self._probing.samples)
        try:
            await self._begin()
            deadline = time.monotonic() + seconds
            waiting: list[Fault] = []
            while time.monotonic() < deadline:
                if not waiting:
                    waiting = [fault for fault in FAULTS if not names or fault.name in names]
                    self._chance.shuffle(waiting)
                felt = await self._break(waiting.pop(), result)
                result.felt.append(felt)
                say(line(felt))
            result.faults += await self._end()
        finally:
            await self._stop()
        record = streams.Record(self.history.streams)
        result.judged = streams.checked(self.history, record)
        result.faults += registers.faults(self.history, record.versions())
        result.faults += counters.faults(self.history, record.versions())
        result.faults += streams.faults(self.history, record)
        result.faults += self._burst.faults()
        return result

    def _new_client(self) -> Client:
        self._clients.append(self._connect())
        return self._clients[-1]

    async def _begin(self) -> None:
        for name in _NAMESPACES:
            obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            try:
                await self._client.create(NAMESPACE, obj)
            except ApiError as error:
                if error.code != 409:
                    raise
                text = (
                    f"namespace {name} is there from an earlier run: `kubectl delete namespace {' '.join(_NAMESPACES)}`"
                )
                raise LabError(f"{text}, then try again") from error
        await self._client.create(DEPLOYMENT, deployment(_NAMESPACES[0]))
        begin = int((await self._client.list(CONFIGMAP, "default", limit=1)).resource_version)
        for number in range(_WATCHERS):
            # The first ones see everything: from them the others are judged.
            chosen = Selection() if number < 3 else self._selection()
            watcher = Watcher(f"watcher-{number}", self._new_client(), self.history, self._chance, chosen)
            self._watchers.append(watcher)
            self._start(watcher.run(begin))
        for number in range(_WRITERS):
            writer = Writer(f"w{number}", self._new_client(), self.history, self._chance, list(_NAMESPACES))
            self._start(writer.run())
        self._start(self._burst.scale())
        self._start(self._burst.count())
        probed = _NAMESPACES[2], "probed"
        await self._client.create(CONFIGMAP, body(probed, "", "none"))

        await self._probing.start(self._stage.path, *probed)
        await asyncio.sleep(_QUIET_SECONDS)

    def _selection(self) -> Selection:
        draw = self._chance
        name = f"register-{draw.randrange(5)}" if draw.random() < 0.3 else ""
        return Selection(
            draw.choice(["", *_NAMESPACES]),
            name,
            draw.choice(["", "", *SIDES]) if not name else draw.choice(["", *SIDES]),
        )

    def _start(self, work: object) -> None:
        self._tasks.append(asyncio.ensure_future(work))  # type: ignore[call-overload]

    async def _break(self, fault: Fault, result: Result) -> Felt:
        nodes = await self._stage.nodes(fault.where)
        began = time.monotonic()
        async with self._stage.broken(fault, nodes):
            pass
        undone = time.monotonic()
        healed = await self._healed(undone)
        if healed is None:
            result.faults.append(
                f"{fault.name} on {', '.join(nodes)}: not healed {_HEAL_SECONDS_MAX:.0f} s after its end"
            )
            healed = _HEAL_SECONDS_MAX
        await asyncio.sleep(_SETTLE_SECONDS)
        since, now = undone if fault.without_quorum else began, time.monotonic()
        await self._probing.read_past(now)
        return Felt(fault, tuple(nodes), *self._gaps(since, now), healed, began, undone)

    async def _healed(self, since: float) -> float | None:
        """Seconds until all nodes are Ready and both open loops have been answered again; None: it does not heal."""
        while time.monotonic() - since < _HEAL_SECONDS_MAX:
            answered = all(self._probing.answers(loop, since) for loop in (READS, WRITES))
            try:
                nodes = (await self._client.list(NODE)).items if answered else []
            except (ApiError, OSError):
                nodes = []
            if nodes and all(_is_ready(node) for node in nodes):
                return time.monotonic() - since
            await asyncio.sleep(0.1)
        return None

    def _gaps(self, since: float, now: float) -> tuple[Gap, Gap]:
        """The longest times without an answer between two moments, to reads and to writes."""
        return self._probing.gap(READS, since, now), self._probing.gap(WRITES, since, now)

    async def _end(self) -> list[str]:
        """Stop the writers, and wait until every watch has passed the last revision; what does not come to an end."""
        faults = await self._burst.settled(_HEAL_SECONDS_MAX)
        for task in self._tasks[_WATCHERS : _WATCHERS + _WRITERS]:
            task.cancel()
        await self._probing.stop()
        last = 0
        for namespace in _NAMESPACES:
            for side in SIDES:
                for name in ("last", *(f"register-{number}" for number in range(5))):
                    sent = {"metadata": {"labels": {"side": side}}, "data": {"value": f"last-{side}-{name}"}}
                    last = max(last, await self._final(namespace, name, sent))
            if not await take_list(self._client, self.history, "end", namespace):
                faults.append(f"{namespace} cannot be listed at the end")
        deadline = time.monotonic() + _HEAL_SECONDS_MAX
        # A watch that passes its last event of all is asked for no more than that: bookmarks take a minute.
        while time.monotonic() < deadline and any(watcher.passed < last for watcher in self._watchers[:3]):
            await asyncio.sleep(0.1)
        faults += [f"watcher-{n} has not caught up" for n in range(3) if self._watchers[n].passed < last]
        return faults

    async def _final(self, namespace: str, name: str, sent: dict[str, object]) -> int:
        try:
            made = await self._client.patch(CONFIGMAP, name, namespace, sent)
        except ApiError as error:
            if error.code != 404:
                raise
            made = await self._client.create(
                CONFIGMAP, {**body((namespace, name), "", ""), **_merged(namespace, name, sent)}
            )
        return meta.resource_version(made)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._probing.stop()
        async with AsyncExitStack() as stack:
            for client in self._clients:
                stack.push_async_callback(client.close)


def _merged(namespace: str, name: str, sent: dict[str, object]) -> dict[str, object]:
    metadata = {"namespace": namespace, "name": name, **sent["metadata"]}  # type: ignore[dict-item]
    return {"metadata": metadata, "data": sent["data"]}


def _is_ready(node: dict[str, object]) -> bool:
    return meta.condition_true(node, "Ready")


def line(felt: Felt) -> str:
    """One fault for a terminal."""
    mark = "" if felt.within else f"  above {felt.fault.gap_seconds:g} s"
    where = ", ".join(felt.nodes)
    waited = max(felt.reads.late, felt.writes.late)
    late = f"  ({waited:.2f} s of this the prober itself waited)" if waited else ""
    return (
        f"{felt.fault.name:<26}{where:<32}reads {felt.reads.seconds:5.2f} s  writes {felt.writes.seconds:5.2f} s  "
        f"healed {felt.healed_after:5.1f} s after its end{late}{mark}"
    )
