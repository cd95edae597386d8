"""From a bound pod to its removal: starting, status, restarts, ends and deletion."""

from __future__ import annotations

from collections.abc import Callable

from homeostat.api.kinds import NODE, POD
from homeostat.kit import clock
from homeostat.runtime.contract import FOUND_GONE
from homeostat.runtime.simulated import Behaviour, behaviours

from .conftest import Stage, condition, container, is_ready, state, status_of

Play = Callable[..., None]


def test_a_bound_pod_runs_and_says_so(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        pod = await stage.ready(seconds=1)
        status = pod["status"]
        assert status["phase"] == "Running"
        assert status["podIP"] == "10.1.0.1"
        assert status["podIPs"] == [{"ip": "10.1.0.1"}]
        assert (status["hostIP"], status["qosClass"]) == ("10.0.0.1", "BestEffort")
        main = status_of(pod)
        assert main["containerID"].startswith("simulated://")
        assert (main["ready"], main["started"], main["restartCount"]) == (True, True, 0)
        kinds = [c["type"] for c in status["conditions"]]
        assert sorted(kinds) == sorted(
            ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
        )
        await clock.sleep(2)
        assert await stage.events("Started") == ["Started container main"]
        assert await stage.events("Created") == ["Created container: main"]

    play(story)


def test_a_crashing_container_is_restarted_at_once_then_backs_off_and_doubles(play: Play) -> None:
    # kubelet: first restart at once, then 10 s doubling to 300 s.
    async def story(stage: Stage) -> None:
        await stage.pod()
        starts: list[float] = []
        seen = -1
        begun = clock.monotonic()
        while clock.monotonic() - begun < 200:
            for found in await stage.runtime.containers():
                if found.spec.attempt > seen:
                    seen = found.spec.attempt
                    starts.append(round(found.started_at - clock.wall() + clock.monotonic() - begun))
            await clock.sleep(0.25)
        assert starts == [0, 1, 12, 33, 74, 155]
        pod = await stage.get()
        assert pod is not None
        assert pod["status"]["phase"] == "Running"
        waiting = state(pod)["waiting"]
        assert waiting["reason"] == "CrashLoopBackOff"
        assert waiting["message"].startswith("back-off 2m40s restarting failed container=main pod=web_default(")
        ended = status_of(pod)["lastState"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (1, "Error")
        assert status_of(pod)["restartCount"] == 5
        (message,) = set(await stage.events("BackOff"))
        assert message.startswith("Back-off restarting failed container main in pod web_default(")

    play(story, behaviour=behaviours({"main": Behaviour(exit_after_seconds=1, exit_code=1)}))


def test_ten_quiet_minutes_forgive_a_crash(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        for _ in range(2):
            await stage.ready()
            await clock.sleep(1)
            stage.runtime.kill((await stage.running())[0].id)
        await stage.until(lambda pod: pod and "waiting" in state(pod), seconds=1)
        await stage.ready(seconds=11)
        await clock.sleep(1300)
        stage.runtime.kill((await stage.running())[0].id)
        await stage.ready(seconds=0.5)

    play(story)


def test_a_killed_container_is_back_within_a_moment(play: Play) -> None:
    async def story(stage: Stage) -> None:
        before = status_of(await _ready(stage))["containerID"]
        stage.runtime.kill((await stage.running())[0].id)
        pod = await stage.until(lambda pod: pod if pod and status_of(pod).get("restartCount") == 1 else None, seconds=1)
        pod = await stage.ready(seconds=0.1)
        assert status_of(pod)["containerID"] != before
        ended = status_of(pod)["lastState"]["terminated"]
        assert (ended["exitCode"], ended["containerID"]) == (137, before)

    play(story)


def test_a_container_that_its_engine_found_gone_has_not_crashed(play: Play) -> None:
    """An engine that recovers after a power cut gives such containers the code 255, the reason Unknown and its own
    time; a failure soon after that is the first, and is followed by a start at once."""

    async def story(stage: Stage) -> None:
        await _ready(stage)
        stage.runtime.kill((await stage.running())[0].id, exit_code=255, reason=FOUND_GONE)
        await stage.until(lambda pod: pod and status_of(pod).get("restartCount") == 1, seconds=1)
        await stage.ready(seconds=0.1)
        await clock.sleep(20)
        stage.runtime.kill((await stage.running())[0].id)
        await stage.until(lambda pod: pod and status_of(pod).get("restartCount") == 2, seconds=1)

    play(story)


async def _ready(stage: Stage) -> dict:
    await stage.pod()
    return await stage.ready()


def test_restart_policy_never_leaves_it_ended(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod("good", restartPolicy="Never")
        await stage.pod("bad", restartPolicy="Never", containers=[container("main"), container("broken")])
        good = await stage.phase("Succeeded", "good", seconds=10)
        assert state(good)["terminated"]["reason"] == "Completed"
        assert condition(good, "Ready")["reason"] == "PodCompleted"
        bad = await stage.phase("Failed", "bad", seconds=10)
        assert state(bad, "broken")["terminated"]["exitCode"] == 3
        assert condition(bad, "Ready")["reason"] == "PodFailed"

    ends = Behaviour(exit_after_seconds=2)
    play(story, behaviour=behaviours({"main": ends, "broken": Behaviour(exit_after_seconds=1, exit_code=3)}))


def test_restart_policy_on_failure_repeats_until_it_succeeds(play: Play) -> None:
    tries: list[int] = []

    def behaviour(_: object, spec: object) -> Behaviour:
        tries.append(1)
        return Behaviour(exit_after_seconds=1, exit_code=0 if len(tries) == 3 else 1)

    async def story(stage: Stage) -> None:
        await stage.pod(restartPolicy="OnFailure")
        pod = await stage.phase("Succeeded", seconds=30)
        assert status_of(pod)["restartCount"] == 2
        assert len(tries) == 3

    play(story, behaviour=behaviour)


def test_init_containers_run_one_after_the_other_before_the_app(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(initContainers=[container("first"), container("second")])
        pod = await stage.until(lambda pod: pod if pod and "running" in state(pod, "second") else None)
        assert state(pod, "first")["terminated"]["reason"] == "Completed"
        assert state(pod)["waiting"]["reason"] == "PodInitializing"
        assert pod["status"]["phase"] == "Pending"
        initialized = condition(pod, "Initialized")
        assert initialized["message"] == "containers with incomplete status: [second]"
        pod = await stage.ready(seconds=10)
        assert condition(pod, "Initialized")["status"] == "True"
        started = [c.spec.name for c in sorted(await stage.runtime.containers(), key=lambda c: c.started_at)]
        assert started == ["first", "second", "main"]

    step = Behaviour(exit_after_seconds=2)
    play(story, behaviour=behaviours({"first": step, "second": step}))


def test_a_failed_init_container_fails_a_pod_that_must_not_restart(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(restartPolicy="Never", initContainers=[container("first")])
        await stage.phase("Failed", seconds=5)
        assert not await stage.running()

    play(story, behaviour=behaviours({"first": Behaviour(exit_after_seconds=1, exit_code=1)}))


def test_a_sidecar_starts_first_lasts_and_does_not_keep_the_pod_from_its_end(play: Play) -> None:
    async def story(stage: Stage) -> None:
        sidecar = container("side", restartPolicy="Always")
        await stage.pod(restartPolicy="Never", initContainers=[sidecar])
        pod = await stage.ready(seconds=5)
        assert status_of(pod, "side")["ready"]
        side = (await stage.running("side"))[0]
        stage.runtime.kill(side.id)
        await stage.until(lambda pod: pod and status_of(pod, "side")["restartCount"] == 1 and is_ready(pod), seconds=1)
        await stage.phase("Succeeded", seconds=20)
        assert not await stage.running("side")

    play(story, behaviour=behaviours({"main": Behaviour(exit_after_seconds=10)}))


def test_deletion_gives_grace_then_the_object_goes_with_everything(play: Play) -> None:
    async def story(stage: Stage) -> None:
        pod = await _ready(stage)
        begun = clock.monotonic()
        await stage.api.delete(POD, "web", "default")
        await clock.sleep(3)
        going = await stage.get()
        assert going is not None
        assert going["metadata"]["deletionGracePeriodSeconds"] == 30
        await stage.until(lambda pod: pod is None, seconds=30)
        assert 5 <= clock.monotonic() - begun < 6
        assert await stage.runtime.sandboxes() == []
        assert await stage.events("Killing") == ["Stopping container main"]
        assert pod["metadata"]["uid"]

    play(story, behaviour=behaviours({"main": Behaviour(stop_seconds=5)}))


def test_a_container_that_ignores_the_signal_is_killed_after_the_grace(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(terminationGracePeriodSeconds=7)
        await stage.ready()
        begun = clock.monotonic()
        await stage.api.delete(POD, "web", "default")
        await stage.until(lambda pod: pod is None, seconds=30)
        assert 7 <= clock.monotonic() - begun < 8

    play(story, behaviour=behaviours({"main": Behaviour(stop_seconds=1000)}))


def test_a_second_deletion_with_less_grace_shortens_the_first(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await _ready(stage)
        begun = clock.monotonic()
        await stage.api.delete(POD, "web", "default")
        await clock.sleep(2)
        await stage.api.delete(POD, "web", "default", options={"gracePeriodSeconds": 3})
        await stage.until(lambda pod: pod is None, seconds=30)
        assert clock.monotonic() - begun < 6

    play(story, behaviour=behaviours({"main": Behaviour(stop_seconds=1000)}))


def test_a_pre_stop_hook_counts_towards_the_grace(play: Play) -> None:
    async def story(stage: Stage) -> None:
        hooked = container("main", lifecycle={"preStop": {"sleep": {"seconds": 4}}})
        await stage.pod(containers=[hooked], terminationGracePeriodSeconds=10)
        await stage.ready()
        begun = clock.monotonic()
        await stage.api.delete(POD, "web", "default")
        await stage.until(lambda pod: pod is None, seconds=30)
        assert 10 <= clock.monotonic() - begun < 11

    play(story, behaviour=behaviours({"main": Behaviour(stop_seconds=1000)}))


def test_a_completed_pod_stays_until_it_is_deleted(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(restartPolicy="Never")
        await stage.phase("Succeeded")
        await clock.sleep(100)
        assert await stage.get()
        assert len(await stage.runtime.containers()) == 1
        await stage.api.delete(POD, "web", "default")
        await stage.until(lambda pod: pod is None, seconds=5)
        await clock.sleep(0.1)
        assert await stage.runtime.containers() == []

    play(story, behaviour=behaviours({"main": Behaviour(exit_after_seconds=1)}))


def test_the_active_deadline_fails_the_pod(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(activeDeadlineSeconds=20)
        await stage.ready()
        pod = await stage.phase("Failed", seconds=25)
        assert pod["status"]["reason"] == "DeadlineExceeded"
        assert not await stage.running()

    play(story)


def test_readiness_gates_are_part_of_readiness(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(readinessGates=[{"conditionType": "example.com/lb"}])
        pod = await stage.phase("Running")
        assert condition(pod, "ContainersReady")["status"] == "True"
        assert condition(pod, "Ready")["reason"] == "ReadinessGatesNotReady"
        gate = {"type": "example.com/lb", "status": "True"}
        status = {"status": {"conditions": [*pod["status"]["conditions"], gate]}}
        await stage.api.patch(POD, "web", "default", status, subresource="status")
        pod = await stage.ready(seconds=1)
        assert condition(pod, "example.com/lb")["status"] == "True"

    play(story)


def test_a_changed_image_replaces_the_container(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await _ready(stage)
        patch = {"spec": {"containers": [container("main") | {"image": "app:2"}]}}
        kind = "application/strategic-merge-patch+json"
        await stage.api.patch(POD, "web", "default", patch, content_type=kind)
        await stage.until(lambda pod: pod if pod and status_of(pod).get("image") == "app:2" else None)
        await stage.until(lambda pod: pod if pod and status_of(pod)["restartCount"] == 1 else None, seconds=1)
        assert "Container main definition changed, will be restarted" in await stage.events("Killing")

    play(story)


def test_a_pod_that_does_not_fit_is_refused_by_name(play: Play) -> None:
    async def story(stage: Stage) -> None:
        big = container("main", resources={"requests": {"cpu": "3"}})
        await stage.pod("one", containers=[big])
        await stage.ready("one")
        await stage.pod("two", containers=[big])
        pod = await stage.phase("Failed", "two")
        assert pod["status"]["reason"] == "OutOfcpu"
        wanted = "Pod was rejected: Node didn't have enough resource: cpu, requested: 3000, used: 3000, capacity: 4000"
        assert pod["status"]["message"] == wanted
        await stage.pod("three", nodeSelector={"disk": "fast"})
        pod = await stage.phase("Failed", "three")
        assert pod["status"]["reason"] == "NodeAffinity"
        assert len(await stage.runtime.containers()) == 1

    play(story)


def test_status_writes_name_their_cause_and_change_little(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await _ready(stage)
        await clock.sleep(1)
        before = (await stage.get() or {})["metadata"]["resourceVersion"]
        await clock.sleep(300)
        assert (await stage.get() or {})["metadata"]["resourceVersion"] == before

    play(story)


def test_the_node_of_another_pod_leaves_it_alone(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.create(NODE, {"metadata": {"name": "node-2"}})
        await stage.pod(nodeName="node-2")
        await clock.sleep(5)
        assert await stage.runtime.sandboxes() == []

    play(story)
