"""What a drill is made of: probes that count every failure, targets, predictions, chains of causes, the verdict."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from homeostat.api.flags.flag_settings import parse_settings
from homeostat.drill.chain import chain, line, lines
from homeostat.drill.conductor import Finding, Report
from homeostat.drill.contract import DrillError, Prediction, Target
from homeostat.drill.library import app_ready, library
from homeostat.drill.probe import Probe, Sample
from homeostat.drill.report import as_json, text
from homeostat.kit import clock, virtual
from homeostat.loop.snapshot import Snapshot

NOW = 1_800_000_000.0
DRILLS = library(parse_settings([]))


def test_a_probe_asks_on_though_the_former_requests_hang() -> None:
    async def main() -> Probe:
        async def hangs() -> None:
            await asyncio.Event().wait()

        probe = Probe("app", hangs, interval_seconds=0.1, timeout_seconds=2.0)
        probe.start()
        await clock.sleep(5.05)
        await probe.stop()
        return probe

    probe = virtual.run(main, seed=1)
    assert len(probe.samples) == 51
    assert {sample.error for sample in probe.samples} == {"no answer within 2 s"}


def test_an_outage_shows_in_full_length() -> None:
    async def main() -> Probe:
        async def fails_for_a_while() -> None:
            if 3.0 <= clock.monotonic() < 4.0:
                raise ConnectionRefusedError("down")

        probe = Probe("api", fails_for_a_while, interval_seconds=0.1)
        probe.start()
        await clock.sleep(8)
        await probe.stop()
        return probe

    probe = virtual.run(main, seed=1)
    assert len(probe.failures) == 10
    assert probe.longest_gap() == pytest.approx(1.1)


def pod(name: str, *, ready: bool = True, restarts: int = 0, ended: str = "", **labels: str) -> dict[str, Any]:
    status: dict[str, Any] = {"name": "main", "containerID": f"process://{name}-{restarts}", "state": {"running": {}}}
    status["restartCount"] = restarts
    if ended:
        status["lastState"] = {"terminated": {"finishedAt": ended}}
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": labels.pop("namespace", "default"), "labels": labels, "uid": name},
        "spec": {"nodeName": "worker-1", "containers": [{"name": "main"}]},
        "status": {"phase": "Running", "containerStatuses": [status], "conditions": [condition]},
    }


def world(*objects: dict[str, Any], now: float = NOW) -> Snapshot:
    return Snapshot(now, list(objects))


def test_the_calmest_pod_is_broken_and_an_unquiet_one_may_take_its_backoff() -> None:
    recent = "2027-01-15T07:59:00Z"
    nervous, calm = pod("a", restarts=3, ended=recent, app="hello"), pod("b", app="hello")
    assert DRILLS["container"].choose(world(nervous, calm)).pod == "b"
    target = DRILLS["container"].choose(world(nervous))
    assert (target.pod, target.backoff_seconds) == ("a", 40.0)
    forgiven = DRILLS["container"].choose(world(nervous, now=NOW + 700))
    assert forgiven.backoff_seconds == 0.0


def test_a_drill_without_a_target_says_what_to_do() -> None:
    with pytest.raises(DrillError, match="kubectl apply -f examples"):
        DRILLS["container"].choose(world(pod("a", ready=False, app="hello")))


@pytest.mark.parametrize("name", ["node", "node-cut", "node-long"])
def test_a_node_is_taken_away_only_when_another_serves_the_app(name: str) -> None:
    workers = [{"kind": "Node", "apiVersion": "v1", "metadata": {"name": f"worker-{number}"}} for number in (1, 2)]
    here, there = pod("a", app="hello"), pod("b", app="hello")
    with pytest.raises(DrillError, match=r"all ready pods of the app 'hello' run on worker-1: .*rollout restart"):
        DRILLS[name].choose(world(*workers, here, there))
    there["spec"]["nodeName"] = "worker-2"
    assert DRILLS[name].choose(world(*workers, here, there)).node == "worker-1"
    # An agent may be killed all the same: its containers run on.
    there["spec"]["nodeName"] = "worker-1"
    assert DRILLS["node-agent"].choose(world(*workers, here, there)).node == "worker-1"


def test_a_container_is_new_only_under_a_new_id() -> None:
    drill = DRILLS["container"]
    before = world(pod("a", app="hello"))
    target = drill.choose(before)
    new, serves = (prediction.holds for prediction in drill.predictions)
    assert not new(before, target)
    after = world(pod("a", app="hello", restarts=1))
    assert new(after, target)
    assert not serves(after, target)


def test_times_of_predictions_follow_the_cluster_settings() -> None:
    slow = DRILLS["node-long"].predictions[1]
    assert (slow.after_seconds, slow.within_seconds) == (340, 355)
    fast = library(
        parse_settings(
            [
                "controller-manager.node-monitor-grace-period=8s",
                "controller-manager.node-monitor-period=1s",
                "apiserver.default-unreachable-toleration-seconds=5",
            ]
        )
    )["node-long"].predictions[1]
    assert (fast.after_seconds, fast.within_seconds) == (3, 14)


def test_an_app_is_ready_when_all_replicas_are_behind_the_service() -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hello", "namespace": "default", "uid": "d"},
        "spec": {"replicas": 1},
    }
    slices = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "hello-x",
            "namespace": "default",
            "uid": "s",
            "labels": {"kubernetes.io/service-name": "hello"},
        },
        "endpoints": [{"addresses": ["127.0.0.2"], "conditions": {"ready": True}, "targetRef": {"name": "a"}}],
    }
    assert app_ready(world(deployment, slices, pod("a", app="hello")))
    assert not app_ready(world(deployment, pod("a", app="hello")))
    assert not app_ready(world(deployment, slices, pod("a", app="hello", ready=False)))


def entry(revision: int, name: str, loop: str, note: str = "", seen: tuple[int, ...] = ()) -> dict[str, Any]:
    reported = [{"kind": "Pod", "namespace": "default", "name": "a", "revision": number} for number in seen]
    cause = {"loop": loop, "key": "", "note": note, "seen": reported}
    return {
        "revision": revision,
        "time": NOW + revision,
        "kind": "Pod",
        "namespace": "default",
        "name": name,
        "verb": "MODIFIED",
        "summary": "",
        "cause": cause,
    }


JOURNAL = [
    entry(1, "a", "kubelet/worker-1", "container main ended with 137"),
    entry(2, "stranger", "user/admin"),
    entry(3, "slice", "controller-manager/endpointslice", seen=(1,)),
    entry(4, "rules", "proxy", seen=(3,)),
    entry(5, "other", "controller-manager/x", seen=(2,)),
]


def test_a_chain_leads_back_to_the_root_and_on_to_what_followed() -> None:
    assert [(link.entry["revision"], link.depth) for link in chain(JOURNAL, 3)] == [(1, -1), (3, 0), (4, 1)]
    assert [link.entry["revision"] for link in chain(JOURNAL, 4)] == [1, 3, 4]
    assert chain(JOURNAL, 99) == []


def test_a_line_of_a_chain_says_which_of_several_instances_wrote() -> None:
    led = entry(3, "slice", "controller-manager/endpointslice", note="a pod is ready")
    led["cause"]["instance"] = "master-2_2f1c"
    assert line(led, NOW)[-1].endswith("<- controller-manager/endpointslice on master-2: a pod is ready")


def test_a_chain_without_its_root_still_shows_the_rest() -> None:
    assert [link.entry["revision"] for link in chain(JOURNAL[2:4], 4)] == [3, 4]


def test_a_chain_is_bounded() -> None:
    storm = [entry(1, "a", "root"), *(entry(n, "x", "loop", seen=(1,)) for n in range(2, 500))]
    assert len(chain(storm, 1, links_max=30)) == 30


def test_a_chain_reads_as_one_line_a_write() -> None:
    first, second, third = lines(chain(JOURNAL, 3))
    assert first.endswith("Pod default/a modified  <- kubelet/worker-1: container main ended with 137")
    assert second.startswith("=>    +2.000 s")
    assert third.startswith("  ")


def report(**more: Any) -> Report:
    made = Report(DRILLS["container"], Target("w", "default", "a", "main", "id"), fault_began=10.0, fault_ended=10.1)
    made.findings = [Finding(Prediction("it heals", 3.0, lambda *_: True), 0.5, 3.0)]
    for name, value in more.items():
        setattr(made, name, value)
    return made


def probe(*samples: Sample) -> Probe:
    async def ask() -> None:
        """Never asked."""

    return Probe("app", ask, samples=list(samples))


def test_only_requests_in_flight_at_the_fault_are_excused() -> None:
    answered = Sample(9.0, 0.01)
    in_flight = Sample(10.05, 0.02, "ConnectionResetError: gone")
    later = Sample(11.0, 0.02, "ConnectionRefusedError: down")
    assert report(app=probe(answered, in_flight)).passed
    failed = report(app=probe(answered, in_flight, later))
    assert not failed.passed
    assert failed.unexcused(failed.app) == [later]  # type: ignore[arg-type]
    assert any("2 failed, 1 of them in flight at the fault" in line for line in text(failed))
    assert [failure["inFlight"] for failure in as_json(failed)["clients"][0]["failures"]] == [True, False]


@pytest.mark.parametrize("seconds", [None, 3.5, 0.1])
def test_a_prediction_that_comes_true_too_late_too_early_or_never_is_broken(seconds: float | None) -> None:
    prediction = Prediction("it heals", 3.0, lambda *_: True, after_seconds=0.2)
    made = report(findings=[Finding(prediction, seconds, 3.0)])
    assert not made.passed
    assert text(made)[0].startswith("FAILED  container")
    assert "BROKEN" in "\n".join(text(made))


def test_writes_are_listed_by_their_time_and_fit_the_terminal() -> None:
    note = "container main ended with 137, and was started again because its policy says so"
    writes = [entry(3, "late", "loop"), entry(1, "early", "kubelet/worker-1", note), entry(2, "middle", "loop")]
    made = report(journal=writes, fault_at=NOW)
    wide = text(made)[-3:]
    assert [each.split()[3] for each in wide] == ["default/early", "default/middle", "default/late"]
    assert wide[0].endswith(f"Pod default/early modified  <- kubelet/worker-1: {note}")
    narrow = text(made, width=60)
    listed = narrow[narrow.index("  what the loops wrote, and why:") + 1 :]
    assert all(len(each) <= 60 for each in listed)
    assert listed[0].endswith("s  Pod default/early modified") and listed[1].lstrip().startswith("<- kubelet/worker-1")
    assert " ".join(" ".join(listed[:4]).split()).endswith(note)


def test_a_killed_leader_runs_again_under_a_new_id_only() -> None:
    """It is ready until its kubelet sees that it has ended: that is no recovery."""
    runs_again = DRILLS["scheduler"].predictions[1].holds
    target = Target("worker-1", "default", "a", "main", container_id="process://a-0", before="worker-1_x")
    assert not runs_again(world(pod("a")), target)
    assert runs_again(world(pod("a", restarts=1)), target)
    assert not runs_again(world(pod("a", restarts=1, ready=False)), target)
