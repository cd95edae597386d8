"""What a node does for itself: pressure, eviction, images, logs, leftovers, and going down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from homeostat.api.kinds import NODE, POD
from homeostat.kit import clock, tasks
from homeostat.node.housekeeping.eviction import Signal
from homeostat.node.isolation import mounting
from homeostat.node.serve.kubelet_server import NodeServer
from homeostat.runtime.contract import Image, Stats
from homeostat.runtime.simulated import Behaviour, behaviours
from homeostat.wire.message import Request

from .conftest import Stage, condition, container

Play = Callable[..., None]
MIB = 1 << 20


@pytest.fixture
def pod_isolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("cpu", "memory", "pids"):
        (tmp_path / "cgroup" / name).mkdir(parents=True)
    monkeypatch.setattr(mounting, "make_tmpfs", lambda folder, size=0: folder.mkdir(parents=True, exist_ok=True))
    return tmp_path


async def node_condition(stage: Stage, kind: str) -> dict:
    return condition(await stage.api.get(NODE, "node-1"), kind)


async def pressed(stage: Stage, kind: str, status: str) -> dict:
    end = clock.monotonic() + 1000
    while (found := await node_condition(stage, kind)).get("status") != status:
        assert clock.monotonic() < end, found
        await clock.sleep(1)
    return found


def uses(stage: Stage, pod: dict, memory: int) -> None:
    [found] = [c for c in stage.runtime._containers.values() if c.pod_uid == pod["metadata"]["uid"]]
    stage.runtime.usage[found.id] = Stats(found.id, memory_working_set_bytes=memory)


def test_a_node_short_of_memory_gives_up_the_greediest_pod(play: Play, pod_isolation: Path) -> None:
    """pkg/kubelet/eviction: the condition, one pod at a time, Failed with reason Evicted, at once."""

    async def story(stage: Stage) -> None:
        asks = {"resources": {"requests": {"memory": "1Gi"}}}
        await stage.pod("modest", containers=[container("main", **asks)])
        await stage.pod("greedy")
        uses(stage, await stage.ready("modest"), 900 * MIB)
        uses(stage, await stage.ready("greedy"), 500 * MIB)
        stage.left["memory.available"] = Signal(50 * MIB, 8 << 30)
        pod = await stage.phase("Failed", "greedy")
        assert pod["status"]["reason"] == "Evicted"
        assert pod["status"]["message"].startswith("The node was low on resource: memory. Threshold quantity: 100Mi")
        assert condition(pod, "DisruptionTarget")["reason"] == "TerminationByKubelet"
        stage.left["memory.available"] = Signal(4 << 30, 8 << 30)
        held = await pressed(stage, "MemoryPressure", "True")
        assert held["reason"] == "KubeletHasInsufficientMemory"
        await stage.pod("late")
        refused = await stage.phase("Failed", "late")
        assert refused["status"]["message"] == "Pod was rejected: The node had condition: [MemoryPressure]. "
        begun = clock.monotonic()
        await pressed(stage, "MemoryPressure", "False")
        assert clock.monotonic() - begun > 200, "the condition holds on for five minutes"
        await stage.ready("modest")
        await stage.pod("after")
        await stage.ready("after")
        assert await stage.events("EvictionThresholdMet") == ["Attempting to reclaim memory"]

    play(story, isolated=pod_isolation)


def test_a_full_disk_takes_unused_images_before_pods(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.runtime.present["idle:1"] = Image("sha256:idle", ("idle:1",), ("idle@sha256:0",), size_bytes=MIB)
        await stage.pod()
        await stage.ready()
        await clock.sleep(400)
        assert "idle:1" in stage.runtime.present, "there is room"
        stage.left["imagefs.available"] = Signal(5 << 30, 100 << 30)
        await pressed(stage, "DiskPressure", "True")
        assert set(stage.runtime.present) == {"app:1"}
        pod = await stage.phase("Failed")
        assert "low on resource: ephemeral-storage" in pod["status"]["message"]

    play(story, isolated=pod_isolation)


def test_unused_images_go_when_their_disk_fills_up(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.runtime.present["idle:1"] = Image("sha256:idle", ("idle:1",), ("idle@sha256:0",), size_bytes=20 << 30)
        await stage.pod()
        await stage.ready()
        await clock.sleep(310)
        stage.left["imagefs.available"] = Signal(15 << 30, 100 << 30)
        await clock.sleep(310)
        assert set(stage.runtime.present) == {"app:1"}
        images = (await stage.api.get(NODE, "node-1"))["status"]["images"]
        assert images == [{"names": ["app:1"], "sizeBytes": 1000}]
        await stage.ready()

    play(story, isolated=pod_isolation)


def test_a_volume_over_its_limit_costs_the_pod(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        mount = [{"name": "v", "mountPath": "/v"}]
        volumes = [{"name": "v", "emptyDir": {"sizeLimit": "64Ki"}}]
        await stage.pod(containers=[container("main", volumeMounts=mount)], volumes=volumes)
        pod = await stage.ready()
        fill(pod_isolation / "node/pods" / pod["metadata"]["uid"] / "volumes/v/data", 128 << 10)
        pod = await stage.phase("Failed")
        assert pod["status"]["message"] == 'Usage of EmptyDir volume "v" exceeds the limit "64Ki". '

    play(story, isolated=pod_isolation)


def fill(path: Path, size: int) -> None:
    path.write_bytes(b"x" * size)


def test_long_logs_are_rotated(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        await stage.ready()
        main = stage.runtime.container_named("main")
        log = Path(main.spec.log_path)
        start_log(log)
        await clock.sleep(15)
        assert stage.runtime.reopened == [main.id]
        assert names(log.parent) == ["0.log.1"]

    play(story, isolated=pod_isolation, settings={"container-log-max-size": "4Ki"})


def start_log(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    fill(log, 5000)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_dead_pods_left_is_cleared_away(play: Play, pod_isolation: Path) -> None:
    (pod_isolation / "node/pods/ghost/volumes/v").mkdir(parents=True)
    (pod_isolation / "cgroup/cpu/kubepods/besteffort/podghost").mkdir(parents=True)
    (pod_isolation / "cgroup/cpu/kubepods/besteffort/podstranger").mkdir(parents=True)

    async def story(stage: Stage) -> None:
        await stage.pod()
        await stage.ready()
        await clock.sleep(15)
        assert not (pod_isolation / "node/pods/ghost").exists()
        assert not (pod_isolation / "cgroup/cpu/kubepods/besteffort/podghost").exists()
        # Another node's: this one never had a pod of that name.
        assert (pod_isolation / "cgroup/cpu/kubepods/besteffort/podstranger").exists()
        await stage.ready()

    play(story, isolated=pod_isolation)


def test_a_runtime_that_says_nothing_makes_the_node_unready(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        async def dead() -> list:
            raise OSError("no answer")

        stage.runtime.stats = dead
        found = await pressed(stage, "Ready", "False")
        assert found["message"].startswith("PLEG is not healthy: pleg was last seen active 3m")

    play(story, isolated=pod_isolation)


# Going down


def test_a_node_that_goes_down_ends_its_pods_critical_ones_last(play: Play, pod_isolation: Path) -> None:
    """pkg/kubelet/nodeshutdown."""

    async def story(stage: Stage) -> None:
        await stage.pod("usual", terminationGracePeriodSeconds=300)
        await stage.pod("critical", priority=2_000_000_000, priorityClassName="system-node-critical")
        await stage.ready("usual")
        await stage.ready("critical")
        begun = clock.monotonic()
        going = tasks.spawn(stage.agent.shut_down(), name="shutdown")
        pod = await stage.phase("Failed", "usual")
        assert (pod["status"]["reason"], pod["status"]["message"]) == (
            "Terminated", "Pod was terminated in response to imminent node shutdown.",
        )  # fmt: skip
        assert 20 <= clock.monotonic() - begun < 25, "it had 30 s less the last 10"
        await stage.pod("late")
        refused = await stage.phase("Failed", "late")
        assert refused["status"]["reason"] == "NodeShutdown"
        await going
        await stage.phase("Failed", "critical")
        assert "node is shutting down" in (await pressed(stage, "Ready", "False"))["message"]

    flags = {"shutdown-grace-period": "30s", "shutdown-grace-period-critical-pods": "10s"}
    slow = behaviours({"main": Behaviour(stop_seconds=100)})
    play(story, isolated=pod_isolation, settings=flags, behaviour=slow)


def test_without_a_grace_period_pods_are_left_alone(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        await stage.ready()
        await stage.agent.shut_down()
        await clock.sleep(1)
        await stage.ready()
        await stage.api.delete(POD, "web", "default")

    play(story, isolated=pod_isolation)


# What it reports


def test_the_summary_reports_what_pods_use_and_what_the_node_has_left(play: Play, pod_isolation: Path) -> None:
    """stats/v1alpha1, as `kubectl get --raw /api/v1/nodes/NAME/proxy/stats/summary` shows it."""

    async def story(stage: Stage) -> None:
        await stage.pod()
        pod = await stage.ready()
        main = stage.runtime.container_named("main")
        figures = {"cpu_nanoseconds": 5, "memory_working_set_bytes": 7 * MIB, "writable_bytes": 9, "at": clock.wall()}
        stage.runtime.usage[main.id] = Stats(main.id, **figures)
        response = await NodeServer(stage.agent).answer(Request("GET", "/stats/summary"))
        reported = json.loads(response.body)
        assert reported["node"]["memory"]["availableBytes"] == 4 << 30
        assert reported["node"]["runtime"]["imageFs"]["capacityBytes"] == 100 << 30
        [one] = reported["pods"]
        assert one["podRef"] == {"name": "web", "namespace": "default", "uid": pod["metadata"]["uid"]}
        assert one["memory"]["workingSetBytes"] == 7 * MIB
        [container] = one["containers"]
        assert container["cpu"]["usageCoreNanoSeconds"] == 5
        assert container["rootfs"]["usedBytes"] == 9

    play(story, isolated=pod_isolation)


# Who is spared, and who is not taken


@pytest.mark.parametrize(
    ("signal", "kind", "resource"),
    [
        ("nodefs.available", "DiskPressure", "ephemeral-storage"),
        ("imagefs.available", "DiskPressure", "ephemeral-storage"),
        ("pid.available", "PIDPressure", "pids"),
    ],
)
def test_each_shortage_has_its_condition_and_costs_one_pod_at_a_time(
    play: Play, pod_isolation: Path, signal: str, kind: str, resource: str
) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod("low", priority=-5, priorityClassName="")
        await stage.pod("critical", priority=2_000_000_000, priorityClassName="system-node-critical")
        await stage.ready("low")
        await stage.ready("critical")
        stage.left[signal] = Signal(1, 1000)
        pod = await stage.phase("Failed", "low")
        assert f"The node was low on resource: {resource}." in pod["status"]["message"]
        await pressed(stage, kind, "True")
        await clock.sleep(60)
        await stage.ready("critical")
        taints = (await stage.api.get(NODE, "node-1"))["spec"].get("taints", [])
        assert taints == [], "taints follow conditions by a loop of the controller manager"

    limits = "memory.available<100Mi,nodefs.available<10%,imagefs.available<15%,pid.available<100"
    play(story, isolated=pod_isolation, settings={"eviction-hard": limits})


def test_a_container_that_writes_too_much_costs_its_pod(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        limits = {"resources": {"limits": {"ephemeral-storage": "1Mi"}}}
        await stage.pod("big", containers=[container("main", **limits)])
        await stage.pod("small", containers=[container("main", **limits)])
        for name, size in (("big", 2 * MIB), ("small", MIB // 2)):
            pod = await stage.ready(name)
            [found] = [c for c in stage.runtime._containers.values() if c.pod_uid == pod["metadata"]["uid"]]
            stage.runtime.usage[found.id] = Stats(found.id, writable_bytes=size)
        pod = await stage.phase("Failed", "big")
        assert pod["status"]["message"] == 'Container main exceeded its local ephemeral storage limit "1Mi". '
        await stage.ready("small")

    play(story, isolated=pod_isolation)


def test_an_evicted_pod_is_not_started_again_and_leaves_when_it_is_deleted(play: Play, pod_isolation: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        uid = (await stage.ready())["metadata"]["uid"]
        stage.left["memory.available"] = Signal(1, 1 << 30)
        await stage.phase("Failed")
        stage.left["memory.available"] = Signal(1 << 29, 1 << 30)
        await stage.restart_agent()
        await clock.sleep(60)
        assert await stage.running() == []
        await stage.api.delete(POD, "web", "default")
        await stage.until(lambda pod: pod is None)
        await clock.sleep(15)
        assert not (pod_isolation / "node/pods" / uid).exists()
        assert not (pod_isolation / f"cgroup/cpu/kubepods/besteffort/pod{uid}").exists()

    play(story, isolated=pod_isolation)
