"""The conductor: steady state first, then the fault, the predictions, undoing the fault, and the verdict.

Whatever happens, the fault is undone and the probes are stopped; the stage's own deadline ends the fault even if this
process dies.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import POD
from homeostat.api.types import Obj
from homeostat.drill.contract import Drill, DrillError, Prediction, Stage, Target
from homeostat.drill.library import app_missing, app_ready
from homeostat.drill.observer import Change, Condition, Observer, Since
from homeostat.drill.probe import Probe, Sample
from homeostat.kit import clock
from homeostat.loop.contract import World
from homeostat.wire.message import Request

_STEADY_SECONDS = 60.0
_BASELINE_SECONDS = 0.5
_SETTLE_SECONDS = 0.5
# Longer waits are announced.
_QUIET_SECONDS = 2.0
_JOURNAL_SECONDS = 5.0
# A signal takes a moment to end a process: what is sent within it counts as in flight.
_INSTANT_SECONDS = 0.02

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one prediction: since when it is true (seconds after the fault, or its undoing; 0 when it was true
    all the time), if it is. `within_seconds` is the prediction's bound with the target's backoff."""

    prediction: Prediction
    seconds: float | None
    within_seconds: float

    @property
    def kept(self) -> bool:
        """Whether it was met within its time."""
        return self.seconds is not None and self.prediction.after_seconds <= self.seconds <= self.within_seconds


@dataclass(slots=True)
class Report:
    """Everything a drill showed. `journal` are the writes since the fault, oldest first; times are wall seconds."""

    drill: Drill
    target: Target
    did: str = ""
    undid: str = ""
    fault_at: float = 0.0
    # The fault was injected between these two moments (monotonic seconds).
    fault_began: float = 0.0
    fault_ended: float = 0.0
    undo_at: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    app: Probe | None = None
    api: Probe | None = None
    journal: list[Obj] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """The verdict: all predictions were kept and no more requests failed than the drill allows."""
        kept = all(finding.kept for finding in self.findings)
        return kept and not any(self.unexcused(probe) for probe in (self.app, self.api) if probe)

    def unexcused(self, probe: Probe) -> list[Sample]:
        """The failed requests that were not in flight when the fault was injected."""
        return [s for s in probe.failures if not self._in_flight(s)]

    def _in_flight(self, sample: Sample) -> bool:
        return sample.at <= self.fault_ended + _INSTANT_SECONDS and sample.at + sample.seconds >= self.fault_began


async def conduct(drill: Drill, stage: Stage, *, say: Say) -> Report:
    """Run one drill. Raises DrillError when it cannot begin."""
    observer = Observer(stage.client)
    await observer.start()
    try:
        await _steady(observer, say)
        target = drill.choose(observer.world)
        report = Report(drill, target)
        async with _probing(stage, report):
            await clock.sleep(_BASELINE_SECONDS)
            await _break_and_watch(stage, observer, report, say)
            await clock.sleep(_SETTLE_SECONDS)
        report.journal = await _journal(stage, after=f"{report.fault_at:.6f}")
        return report
    finally:
        await observer.stop()


async def _steady(observer: Observer, say: Say) -> None:
    """Return once the app is there and ready. Raises DrillError."""
    if missing := app_missing(observer.world):
        raise DrillError(missing)
    ready = observer.condition(app_ready)
    if ready.since is None:
        say(f"waiting until all replicas of the app are ready, for at most {_STEADY_SECONDS:g} s")
        if await observer.until(ready, timeout_seconds=_STEADY_SECONDS) is None:
            raise DrillError("the drill's app is not steady: `kubectl get pods -l app=hello` shows why")


@asynccontextmanager
async def _probing(stage: Stage, report: Report) -> AsyncIterator[None]:
    report.app = Probe("app", stage.ask_app)
    report.api = Probe("api", stage.ask_api, interval_seconds=0.1)
    report.app.start()
    report.api.start()
    try:
        yield
    finally:
        await asyncio.gather(report.app.stop(), report.api.stop())


async def _break_and_watch(stage: Stage, observer: Observer, report: Report, say: Say) -> None:
    drill, target = report.drill, report.target
    # Before the fault: what it leads to may be there before the order has been answered.
    awaited = _conditions(observer, [p for p in drill.predictions if not p.of_undo], target)
    fault = _Moment(clock.wall(), clock.monotonic())
    report.fault_at, report.fault_began = fault.wall, fault.monotonic
    report.did = await _act(stage, drill.inject, target, drill.deadline_seconds)
    report.fault_ended = clock.monotonic()
    say(f"{report.did} ({target})")
    try:
        await _await(stage, observer, report, awaited, fault, say)
        if drill.undo:
            await clock.sleep(max(0.0, fault.monotonic + drill.undo_after_seconds - clock.monotonic()))
    finally:
        if drill.undo:
            awaited = _conditions(observer, [p for p in drill.predictions if p.of_undo], target)
            undoing = _Moment(clock.wall(), clock.monotonic())
            report.undo_at = undoing.wall
            report.undid = await _act(stage, drill.undo, target, drill.deadline_seconds)
            say(report.undid)
    if drill.undo:
        await _await(stage, observer, report, awaited, undoing, say)


@dataclass(frozen=True, slots=True)
class _Moment:
    """One moment on both clocks."""

    wall: float
    monotonic: float


_Awaited = list[tuple[Prediction, Condition]]


def _conditions(observer: Observer, predictions: list[Prediction], target: Target) -> _Awaited:
    return [(each, observer.condition(functools.partial(_holds, each, target))) for each in predictions]


async def _await(stage: Stage, observer: Observer, report: Report, awaited: _Awaited, began: _Moment, say: Say) -> None:
    """Judge the predictions in their order; each is timed by its own fact, which may be older than the one before."""
    for prediction, condition in awaited:
        within = prediction.within_seconds + (0.0 if prediction.of_undo else report.target.backoff_seconds)
        left = max(0.0, began.monotonic + within - clock.monotonic())
        since = await observer.until(condition, timeout_seconds=min(left, _QUIET_SECONDS))
        if since is None and left > _QUIET_SECONDS:
            say(f"waiting, for at most {left - _QUIET_SECONDS:.0f} s more: {prediction.text}")
            since = await observer.until(condition, timeout_seconds=left - _QUIET_SECONDS)
        seconds = round(await _seconds(stage, since, began), 3) if since else None
        finding = Finding(prediction, seconds, within)
        say(_finding_line(finding))
        report.findings.append(finding)


async def _seconds(stage: Stage, since: Since, began: _Moment) -> float:
    """When it was met, after `began`: when the change was written if the journal has it, else when it was seen."""
    seen = max(0.0, since.seconds - began.monotonic)
    written = await _written(stage, since.change) if since.change else None
    # A node's clock may be wrong, and so the time that its API server wrote.
    if written is not None and 0.0 <= written - began.wall <= seen:
        return written - began.wall
    return seen


async def _written(stage: Stage, change: Change) -> float | None:
    """When the change was written (wall seconds), by the API servers' journal; None when it is not recorded there."""
    revision = int(change.obj["metadata"]["resourceVersion"])
    entries = await _journal(
        stage,
        kind=change.kind.kind,
        namespace=meta.namespace(change.obj),
        name=meta.name(change.obj),
        since=str(revision - 1),
    )
    for entry in entries:
        # What a new list lacks was deleted at an unknown revision.
        if entry["revision"] == revision and (entry["verb"] == "DELETED") == change.deleted:
            return float(entry["time"])
    return None


def _holds(prediction: Prediction, target: Target, world: World) -> bool:
    return prediction.holds(world, target)


def _finding_line(finding: Finding) -> str:
    if finding.seconds is None:
        return f"NOT within {finding.within_seconds:g} s: {finding.prediction.text}"
    if finding.seconds == 0.0 and finding.kept:
        return f"all the time: {finding.prediction.text}"
    early = "" if finding.kept else f" (predicted no earlier than {finding.prediction.after_seconds:g} s)"
    return f"after {finding.seconds:.2f} s: {finding.prediction.text}{early}"


async def _act(stage: Stage, what: str, target: Target, deadline_seconds: float) -> str:
    actions: dict[str, Callable[[], Awaitable[str]]] = {
        "kill-container": lambda: stage.kill_container(target.namespace, target.pod, target.container),
        "delete-pod": lambda: _delete_pod(stage, target),
        "kill-agent": lambda: stage.kill_agent(target.node),
        "cut": lambda: stage.cut(target.node, seconds=deadline_seconds),
        "heal": lambda: stage.heal(target.node),
        "power-off": lambda: stage.power_off(target.node),
        "power-on": lambda: stage.power_on(target.node),
    }
    return await actions[what]()


async def _delete_pod(stage: Stage, target: Target) -> str:
    await stage.client.delete(POD, target.pod, target.namespace)
    return f"kubectl delete pod {target.pod}"


async def _journal(stage: Stage, **query: str) -> list[Obj]:
    """Entries of the API servers' journal, by revision; none when it cannot be asked."""
    try:
        async with asyncio.timeout(_JOURNAL_SECONDS):
            response = await stage.client.raw(Request("GET", "/homeostat/journal", {**query, "limit": "5000"}))
    except (ApiError, TimeoutError):
        return []
    if response.status != 200 or not isinstance(response.body, bytes):
        return []
    entries: list[Obj] = orjson.loads(response.body).get("items") or []
    return entries
