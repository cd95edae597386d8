"""The conductor: steady state first, then the fault, then the predictions, the undoing, and the verdict.

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

from homeostat.api.kinds import POD
from homeostat.api.types import Obj
from homeostat.drill.contract import Drill, DrillError, Prediction, Stage, Target
from homeostat.drill.library import app_ready
from homeostat.drill.observer import Observer
from homeostat.drill.probe import Probe, Sample
from homeostat.kit import clock
from homeostat.loop.contract import World
from homeostat.wire.message import Request

_STEADY_SECONDS = 60.0
_BASELINE_SECONDS = 0.5
_SETTLE_SECONDS = 0.5
# A signal takes a moment to end a process: what is sent within it counts as in flight.
_INSTANT_SECONDS = 0.02

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one prediction: when it came true (seconds after the fault, or its undoing), if it did.
    `within_seconds` is the prediction's bound with the target's backoff."""

    prediction: Prediction
    seconds: float | None
    within_seconds: float

    @property
    def kept(self) -> bool:
        """Whether it came true in its time."""
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
        if not await observer.until(app_ready, timeout_seconds=_STEADY_SECONDS):
            raise DrillError("the drill's app is not steady: `kubectl get pods -l app=hello` shows why")
        target = drill.choose(observer.world)
        report = Report(drill, target)
        async with _probing(stage, report):
            await clock.sleep(_BASELINE_SECONDS)
            await _break_and_watch(stage, observer, report, say)
            await clock.sleep(_SETTLE_SECONDS)
        report.journal = await _journal(stage, report)
        return report
    finally:
        await observer.stop()


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
    report.fault_at, began = clock.wall(), clock.monotonic()
    report.fault_began = began
    report.did = await _act(stage, drill.inject, target, drill.deadline_seconds)
    report.fault_ended = clock.monotonic()
    say(f"{report.did} ({target})")
    try:
        await _await(observer, report, [p for p in drill.predictions if not p.of_undo], began, say)
        if drill.undo:
            await clock.sleep(max(0.0, began + drill.undo_after_seconds - clock.monotonic()))
    finally:
        if drill.undo:
            report.undo_at, undone = clock.wall(), clock.monotonic()
            report.undid = await _act(stage, drill.undo, target, drill.deadline_seconds)
            say(report.undid)
    if drill.undo:
        await _await(observer, report, [p for p in drill.predictions if p.of_undo], undone, say)


async def _await(observer: Observer, report: Report, predictions: list[Prediction], began: float, say: Say) -> None:
    for prediction in predictions:
        within = prediction.within_seconds + (0.0 if prediction.of_undo else report.target.backoff_seconds)
        left = began + within - clock.monotonic()
        held = await observer.until(
            functools.partial(_holds, prediction, report.target), timeout_seconds=max(0.0, left)
        )
        finding = Finding(prediction, round(clock.monotonic() - began, 3) if held else None, within)
        say(_finding_line(finding))
        report.findings.append(finding)


def _holds(prediction: Prediction, target: Target, world: World) -> bool:
    return prediction.holds(world, target)


def _finding_line(finding: Finding) -> str:
    if finding.seconds is None:
        return f"NOT within {finding.within_seconds:g} s: {finding.prediction.text}"
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


async def _journal(stage: Stage, report: Report) -> list[Obj]:
    """The writes since the fault, from the API servers' journal."""
    response = await stage.client.raw(
        Request("GET", "/homeostat/journal", {"after": f"{report.fault_at:.6f}", "limit": "5000"})
    )
    if response.status != 200 or not isinstance(response.body, bytes):
        return []
    entries: list[Obj] = orjson.loads(response.body).get("items") or []
    return entries
