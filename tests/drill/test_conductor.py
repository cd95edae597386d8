"""A whole drill over a stage of one story: what is waited for, undone and judged, on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from homeostat.api.kinds import DEPLOYMENT, NAMESPACE, NODE, POD, SERVICE, Kind
from homeostat.apiserver.api_server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import WatchEvent
from homeostat.client.in_process import InProcessTransport
from homeostat.drill import conductor
from homeostat.drill.conductor import Report, conduct
from homeostat.drill.contract import Drill, DrillError, Prediction, Target
from homeostat.drill.report import as_json, text
from homeostat.kit import clock, tasks, virtual
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import User

ADMIN = User("admin", ("system:masters",))
LABEL = "broken"


@dataclass
class Theatre:
    """A stage whose faults label the node, and heal it on request; clients may be made to fail."""

    client: ApiClient
    recovers_after: float | None = 1.0
    outage: tuple[float, float] = (-1.0, -1.0)
    calls: list[str] = field(default_factory=list)
    fails: str = ""

    async def _mark(self, value: str) -> None:
        node = await self.client.get(NODE, "worker-1")
        node["metadata"]["labels"] = {LABEL: value}
        await self.client.update(NODE, node)

    async def cut(self, node: str, *, seconds: float) -> str:
        self.calls.append(f"cut for {seconds:g}")
        if self.fails == "cut":
            raise DrillError("the uplink cannot be cut")
        await self._mark("yes")
        if self.recovers_after is not None:
            tasks.spawn(self._recover(self.recovers_after), name="recover")
        return "the uplink was cut"

    async def _recover(self, seconds: float) -> None:
        await clock.sleep(seconds)
        await self._mark("no")

    async def heal(self, node: str) -> str:
        self.calls.append("heal")
        await self._mark("healed")
        return "the uplink was joined"

    async def kill_container(self, namespace: str, pod: str, container: str) -> str:
        self.calls.append(f"kill {namespace}/{pod}/{container}")
        return "SIGKILL"

    async def kill_agent(self, node: str) -> str:
        self.calls.append(f"kill agent of {node}")
        return "SIGKILL"

    async def power_off(self, node: str) -> str:
        self.calls.append(f"off {node}")
        return "off"

    async def power_on(self, node: str) -> str:
        self.calls.append(f"on {node}")
        return "on"

    async def ask_app(self) -> None:
        if self.outage[0] <= clock.monotonic() < self.outage[1]:
            raise ConnectionRefusedError("nobody there")

    async def ask_api(self) -> None:
        return None


def label_is(value: str) -> Callable[[Any, Target], bool]:
    def holds(world: Any, target: Target) -> bool:
        node = world.get(NODE, "", "worker-1")
        return ((node or {}).get("metadata", {}).get("labels") or {}).get(LABEL) == value

    return holds


BACK = Prediction("the node is back", 5.0, label_is("no"))
HEALED = Prediction("the node is healed", 5.0, label_is("healed"), of_undo=True)
DRILL = Drill(
    name="test",
    title="A node is cut off",
    loop="(x) a loop",
    choose=lambda world: Target("worker-1"),
    inject="cut",
    predictions=(BACK, HEALED),
    undo="heal",
    deadline_seconds=33.0,
)


NAMED = {"name": "hello", "namespace": "default"}
TEMPLATE = {"metadata": {"labels": {"app": "hello"}}, "spec": {"containers": [{"name": "main", "image": "app"}]}}
APP = [
    (DEPLOYMENT, {"metadata": NAMED, "spec": {"selector": {"matchLabels": {"app": "hello"}}, "template": TEMPLATE}}),
    (SERVICE, {"metadata": NAMED, "spec": {"ports": [{"port": 80}]}}),
]


def play(
    monkeypatch: pytest.MonkeyPatch,
    drill: Drill = DRILL,
    *,
    steady: bool = True,
    app: Sequence[tuple[Kind, dict[str, Any]]] = APP,
    prepare: Callable[[Theatre], None] = lambda _: None,
    client: type[ApiClient] = ApiClient,
    said: list[str] | None = None,
) -> tuple[Report, Theatre, list[str]]:
    monkeypatch.setattr(conductor, "app_ready", lambda world: steady)
    reported: list[str] = [] if said is None else said

    async def main() -> tuple[Report, Theatre, list[str]]:
        store = MemoryStore(MemoryState())
        server = ApiServer(store)
        await store.start()
        await server.start()
        connected = client(InProcessTransport([server.handle], ADMIN))
        for kind, name in ((NAMESPACE, "default"), (NODE, "worker-1")):
            await connected.create(
                kind, {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
            )
        for obj in app:
            await connected.create(*obj)
        stage = Theatre(connected)
        prepare(stage)
        try:
            return await conduct(drill, stage, say=reported.append), stage, reported
        finally:
            await server.stop()

    return virtual.run(main, seed=1)


def test_a_drill_that_goes_as_predicted_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    report, stage, said = play(monkeypatch)
    assert report.passed
    assert stage.calls == ["cut for 33", "heal"]
    back, healed = report.findings
    assert back.seconds == pytest.approx(1.0, abs=0.3)
    assert healed.seconds == pytest.approx(0.0, abs=0.3)
    assert said[0] == "the uplink was cut (node worker-1)"
    assert said[2] == "the uplink was joined"
    assert report.undo_at >= report.fault_at + 1.0
    assert report.journal, "what the loops wrote since the fault is part of the report"
    assert all(entry["time"] >= report.fault_at for entry in report.journal)


def test_a_prediction_that_does_not_come_true_fails_the_drill_and_the_fault_is_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def prepare(stage: Theatre) -> None:
        stage.recovers_after = None

    report, stage, said = play(monkeypatch, prepare=prepare)
    assert not report.passed
    assert (report.findings[0].seconds, report.findings[1].kept) == (None, True)
    assert stage.calls[-1] == "heal"
    assert "NOT within 5 s: the node is back" in said


def test_what_comes_true_too_early_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    early = replace(DRILL, predictions=(replace(BACK, after_seconds=3.0), HEALED))
    report, _, said = play(monkeypatch, early)
    assert not report.passed
    assert any(line.endswith("the node is back (predicted no earlier than 3 s)") for line in said)


def test_a_target_that_crashed_before_may_take_its_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(DRILL, choose=lambda world: Target("worker-1", backoff_seconds=20.0), predictions=(BACK,), undo="")

    def prepare(stage: Theatre) -> None:
        stage.recovers_after = 15.0

    report, _, _ = play(monkeypatch, slow, prepare=prepare)
    assert report.passed
    assert report.findings[0].within_seconds == 25.0


def test_the_undoing_waits_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    report, _, _ = play(monkeypatch, replace(DRILL, undo_after_seconds=12.0))
    assert report.undo_at - report.fault_at == pytest.approx(12.0, abs=0.1)


def test_an_app_that_is_not_steady_is_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DrillError, match="the drill's app is not steady"):
        play(monkeypatch, steady=False)


def test_a_fault_that_cannot_be_injected_ends_the_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(stage: Theatre) -> None:
        stage.fails = "cut"

    with pytest.raises(DrillError, match="the uplink cannot be cut"):
        play(monkeypatch, prepare=prepare)


def test_requests_that_fail_during_a_recovery_fail_the_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(stage: Theatre) -> None:
        now = clock.monotonic()
        stage.outage = (now + 1.0, now + 1.4)

    report, _, _ = play(monkeypatch, prepare=prepare)
    assert all(finding.kept for finding in report.findings)
    assert not report.passed
    assert report.app is not None and report.app.failures


@pytest.mark.parametrize(
    ("inject", "call"),
    [
        ("kill-container", "kill default/web/main"),
        ("kill-agent", "kill agent of worker-1"),
        ("power-off", "off worker-1"),
        ("power-on", "on worker-1"),
    ],
)
def test_each_fault_reaches_its_target(monkeypatch: pytest.MonkeyPatch, inject: str, call: str) -> None:
    target = Target("worker-1", "default", "web", "main")
    drill = replace(DRILL, inject=inject, undo="", predictions=(), choose=lambda world: target)
    report, stage, _ = play(monkeypatch, drill)
    assert stage.calls == [call]
    assert report.passed
    assert report.undid == ""


def test_a_report_reads_from_verdict_to_timeline_and_is_data_too(monkeypatch: pytest.MonkeyPatch) -> None:
    report, _, _ = play(monkeypatch)
    lines = text(report)
    assert lines[0] == "PASSED  test: A node is cut off"
    assert lines[2] == "  fault     the uplink was cut: node worker-1"
    assert lines[3].startswith("  undone    the uplink was joined, 1.")
    assert any("Node worker-1" in line for line in lines)
    assert len(text(report, timeline=False)) < len(lines)
    data = orjson.loads(orjson.dumps(as_json(report)))
    assert (data["drill"], data["passed"], data["target"]) == ("test", True, "node worker-1")
    assert data["fault"]["did"] == "the uplink was cut"
    assert data["undo"]["did"] == "the uplink was joined"


def test_a_pod_is_deleted_through_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target("worker-1", "default", "web")
    gone = Prediction("the pod is gone", 5.0, lambda world, t: world.get(POD, "default", "web") is None)
    drill = replace(DRILL, inject="delete-pod", undo="", predictions=(gone,), choose=lambda world: target)

    async def scene(stage: Theatre) -> None:
        spec = {"containers": [{"name": "main", "image": "app"}]}
        await stage.client.create(POD, {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})

    original = Theatre.ask_api
    made: list[bool] = []

    async def first(self: Theatre) -> None:
        if not made:
            made.append(True)
            await scene(self)
        await original(self)

    monkeypatch.setattr(Theatre, "ask_api", first)
    report, _, said = play(monkeypatch, drill)
    assert report.passed
    assert said[0] == "kubectl delete pod web (pod default/web on worker-1)"


@pytest.mark.parametrize(("kept", "missing"), [((), "Deployment"), (APP[:1], "Service")])
def test_a_drill_without_its_app_says_at_once_what_to_apply(
    monkeypatch: pytest.MonkeyPatch, kept: Sequence[tuple[Kind, dict[str, Any]]], missing: str
) -> None:
    with pytest.raises(DrillError, match=rf"no {missing} 'hello'.*`kubectl apply -f examples/hello.yaml` launches it"):
        play(monkeypatch, app=kept, steady=False)


def test_a_drill_that_waits_for_its_app_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with pytest.raises(DrillError, match="not steady"):
        play(monkeypatch, steady=False, said=said)
    assert said == ["waiting until all replicas of the app are ready, for at most 60 s"]


TAKEN_OVER = Prediction("another leads", 20.0, lambda world, target: world.now >= target.at + 14.0)


def test_each_expectation_is_timed_by_its_own_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is true a second after the fault is not later because another expectation takes fourteen."""
    drill = replace(DRILL, undo="", predictions=(TAKEN_OVER, BACK), choose=lambda world: Target("w", at=world.now))
    report, _, said = play(monkeypatch, drill)
    slow, quick = report.findings
    assert slow.seconds == pytest.approx(14.0, abs=0.8)
    written = next(e["time"] for e in report.journal if e["name"] == "worker-1" and e["time"] > report.fault_at + 0.9)
    assert quick.seconds == round(written - report.fault_at, 3) == pytest.approx(1.0, abs=0.01)
    assert report.passed and said[-1] == "after 1.00 s: the node is back"
    assert said[1] == "waiting, for at most 18 s more: another leads", "a long wait is no silence"


def test_an_expectation_is_timed_by_the_write_however_late_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(ApiClient):
        async def watch(self, *words: Any, **more: Any) -> AsyncIterator[WatchEvent]:
            async for event in super().watch(*words, **more):
                await clock.sleep(3.0)
                yield event

    drill = replace(DRILL, undo="", predictions=(replace(BACK, within_seconds=20.0),))
    report, _, _ = play(monkeypatch, drill, client=Slow)
    assert report.findings[0].seconds == pytest.approx(1.0, abs=0.01)


def test_a_time_that_cannot_be_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node's clock may be set wrong, and with it what its API server writes."""

    async def wrong(*_: Any, **__: Any) -> list[dict[str, Any]]:
        return [{"revision": number, "verb": "MODIFIED", "time": clock.wall() + 600.0} for number in range(1000)]

    monkeypatch.setattr(conductor, "_journal", wrong)
    report, _, _ = play(monkeypatch)
    assert report.findings[0].seconds == pytest.approx(1.0, abs=0.3)


def test_what_is_true_all_the_time_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    always = Prediction("nothing is touched", 5.0, lambda world, target: True)
    report, _, said = play(monkeypatch, replace(DRILL, undo="", predictions=(BACK, always)))
    assert said[-1] == "all the time: nothing is touched"
    assert "  kept     nothing is touched: all the time (predicted within 5 s)" in text(report)
