"""How pods end, and what hooks and init containers do on the way: one row a case, on virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from homeostat.api.kinds import POD
from homeostat.kit import clock
from homeostat.runtime.contract import ContainerState
from homeostat.runtime.simulated import Behaviour, behaviours

from .conftest import Stage, condition, container, state, status_of

Play = Callable[..., None]


@pytest.mark.parametrize(
    ("policy", "code", "phase", "restarts"),
    [
        ("Always", 0, "Running", True),
        ("Always", 1, "Running", True),
        ("OnFailure", 0, "Succeeded", False),
        ("OnFailure", 1, "Running", True),
        ("Never", 0, "Succeeded", False),
        ("Never", 1, "Failed", False),
    ],
)
def test_policy_and_exit_code_decide_what_becomes_of_a_pod(
    play: Play, policy: str, code: int, phase: str, restarts: bool
) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(restartPolicy=policy)
        await clock.sleep(30)
        pod = await stage.get()
        assert pod is not None
        assert pod["status"]["phase"] == phase
        assert bool(status_of(pod)["restartCount"]) is restarts
        if restarts:
            assert status_of(pod)["lastState"]["terminated"]["exitCode"] == code
        else:
            assert state(pod)["terminated"]["exitCode"] == code
            assert condition(pod, "Ready")["reason"] == ("PodCompleted" if phase == "Succeeded" else "PodFailed")

    play(story, behaviour=behaviours({"main": Behaviour(exit_after_seconds=1, exit_code=code)}))


@pytest.mark.parametrize(
    ("grace", "behaviour", "least", "most"),
    [
        pytest.param(None, Behaviour(stop_seconds=5), 5, 7, id="it ends within its grace"),
        pytest.param(None, Behaviour(stop_seconds=100), 30, 33, id="it is killed after the default grace"),
        pytest.param(4, Behaviour(stop_seconds=100), 4, 7, id="it is killed after its own grace"),
        pytest.param(4, Behaviour(), 0, 2, id="it goes at once"),
    ],
)
def test_how_long_a_deletion_takes(play: Play, grace: int | None, behaviour: Behaviour, least: int, most: int) -> None:
    async def story(stage: Stage) -> None:
        more: dict[str, Any] = {} if grace is None else {"terminationGracePeriodSeconds": grace}
        await stage.pod(**more)
        await stage.ready()
        begun = clock.monotonic()
        await stage.api.delete(POD, "web", "default")
        await stage.until(lambda pod: pod is None, seconds=60)
        assert least <= clock.monotonic() - begun <= most
        assert await stage.runtime.containers() == []

    play(story, behaviour=behaviours({"main": behaviour}))


@pytest.mark.parametrize(
    ("hook", "ready_after"),
    [({"sleep": {"seconds": 5}}, 5), ({"exec": {"command": ["warm-up"]}}, 0)],
    ids=["sleep", "exec"],
)
def test_a_container_runs_only_after_its_post_start_hook(play: Play, hook: dict[str, Any], ready_after: int) -> None:
    async def story(stage: Stage) -> None:
        begun = clock.monotonic()
        await stage.pod(containers=[container("main", lifecycle={"postStart": hook})])
        await stage.ready(seconds=20)
        assert ready_after <= clock.monotonic() - begun <= ready_after + 2

    play(story)


@pytest.mark.parametrize(("seconds", "least", "most"), [(3, 3, 6), (100, 10, 14)], ids=["within", "beyond its grace"])
def test_a_pre_stop_hook_has_the_grace_and_no_more(play: Play, seconds: int, least: int, most: int) -> None:
    async def story(stage: Stage) -> None:
        lifecycle = {"preStop": {"sleep": {"seconds": seconds}}}
        await stage.pod(containers=[container("main", lifecycle=lifecycle)], terminationGracePeriodSeconds=10)
        await stage.ready()
        begun = clock.monotonic()
        await stage.api.delete(POD, "web", "default")
        await stage.until(lambda pod: pod is None, seconds=60)
        assert least <= clock.monotonic() - begun <= most
        failed = await stage.events("FailedPreStopHook")
        assert bool(failed) is (seconds > 10)

    play(story)


def test_a_forced_deletion_waits_for_nothing(play: Play) -> None:
    async def story(stage: Stage) -> None:
        lifecycle = {"preStop": {"sleep": {"seconds": 100}}}
        await stage.pod(containers=[container("main", lifecycle=lifecycle)])
        await stage.ready()
        await stage.api.delete(POD, "web", "default", options={"gracePeriodSeconds": 0})
        assert await stage.get() is None
        await clock.sleep(3)
        assert await stage.running() == []

    play(story)


def test_an_init_container_that_fails_is_tried_with_growing_pauses(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(initContainers=[container("init")])
        await clock.sleep(60)
        pod = await stage.get()
        assert pod is not None
        assert pod["status"]["phase"] == "Pending"
        init = status_of(pod, "init")
        assert init["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        # At once, then after 10, 20 and 40 seconds.
        assert init["restartCount"] == 3
        assert state(pod)["waiting"]["reason"] == "PodInitializing"
        assert condition(pod, "Initialized")["message"] == "containers with incomplete status: [init]"

    play(story, behaviour=behaviours({"init": Behaviour(exit_after_seconds=1, exit_code=2)}))


def test_sidecars_end_after_the_app_in_reverse_order(play: Play) -> None:
    async def story(stage: Stage) -> None:
        sides = [container(name, restartPolicy="Always") for name in ("first", "second")]
        await stage.pod(initContainers=sides)
        await stage.ready()
        await stage.api.delete(POD, "web", "default")
        order: list[str] = []
        while len(order) < 3:
            running = {c.spec.name for c in await stage.runtime.containers() if c.state is ContainerState.RUNNING}
            order += sorted({"main", "first", "second"} - running - set(order))
            await clock.sleep(0.01)
        assert order == ["main", "second", "first"]

    play(story, behaviour=behaviours({name: Behaviour(stop_seconds=1) for name in ("main", "first", "second")}))


def test_a_missing_image_is_reported_and_tried_again(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        await clock.sleep(30)
        pod = await stage.get()
        assert pod is not None
        waiting = state(pod)["waiting"]
        assert waiting["reason"] in ("ErrImagePull", "ImagePullBackOff")
        assert "app:1" in waiting["message"]
        assert pod["status"]["phase"] == "Pending"

    play(story, behaviour=behaviours({"main": Behaviour(image_missing=True)}))
