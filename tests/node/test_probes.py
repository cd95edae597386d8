"""Startup, readiness and liveness: which containers are probed when, and the consequences."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from homeostat.kit import clock
from homeostat.node.probes.probe_results import ProbeRule, Tally
from homeostat.runtime.simulated import Behaviour, behaviours

from .conftest import Stage, condition, container, is_ready, status_of

Play = Callable[..., None]
HTTP = {"httpGet": {"path": "/ready", "port": 80}}


def probed(**probes: dict) -> dict:
    return container("main", ports=[{"containerPort": 80}], **probes)


@pytest.mark.parametrize("handler", [HTTP, {"tcpSocket": {"port": 80}}, {"exec": {"command": ["check"]}}])
def test_a_container_is_ready_when_its_probe_says_so(play: Play, handler: dict) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(containers=[probed(readinessProbe={**handler, "periodSeconds": 10})])
        pod = await stage.phase("Running")
        assert not is_ready(pod)
        assert condition(pod, "Ready")["message"] == "containers with unready status: [main]"
        begun = clock.monotonic()
        await stage.ready(seconds=20)
        # Ready after 3 s; asked more often than every 10 s until then.
        assert 3 <= clock.monotonic() - begun < 7
        await clock.sleep(2)
        assert await stage.events("Unhealthy") == []

    play(story, behaviour=behaviours({"main": Behaviour(ready_seconds=3)}))


def test_three_failures_in_a_row_make_it_unready_and_one_success_ready_again(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(containers=[probed(readinessProbe={**HTTP, "periodSeconds": 5})])
        await stage.ready(seconds=2)
        main = (await stage.running())[0]
        stage.runtime.freeze(main.id)
        begun = clock.monotonic()
        await stage.until(lambda pod: not is_ready(pod), seconds=30)
        assert 10 <= clock.monotonic() - begun <= 16
        stage.runtime.freeze(main.id, frozen=False)
        await stage.ready(seconds=6)
        assert (await stage.running())[0].id == main.id
        assert any(text.startswith("Readiness probe failed: dial tcp") for text in await stage.events("Unhealthy"))

    play(story)


def test_a_failed_liveness_probe_restarts_the_container(play: Play) -> None:
    async def story(stage: Stage) -> None:
        probe = {**HTTP, "periodSeconds": 2, "failureThreshold": 3}
        await stage.pod(containers=[probed(livenessProbe=probe)], terminationGracePeriodSeconds=4)
        await stage.ready()
        main = (await stage.running())[0]
        stage.runtime.freeze(main.id)
        pod = await stage.until(lambda pod: pod if status_of(pod)["restartCount"] == 1 else None, seconds=30)
        assert status_of(pod)["lastState"]["terminated"]["exitCode"] == 137
        assert "Container main failed liveness probe, will be restarted" in await stage.events("Killing")
        await stage.ready(seconds=1)

    play(story)


def test_a_startup_probe_holds_the_others_back(play: Play) -> None:
    async def story(stage: Stage) -> None:
        liveness = {**HTTP, "periodSeconds": 1, "failureThreshold": 1}
        startup = {**HTTP, "periodSeconds": 5, "failureThreshold": 10}
        await stage.pod(containers=[probed(livenessProbe=liveness, startupProbe=startup)])
        pod = await stage.phase("Running")
        assert not status_of(pod)["started"]
        pod = await stage.ready(seconds=40)
        assert status_of(pod)["restartCount"] == 0

    play(story, behaviour=behaviours({"main": Behaviour(ready_seconds=28)}))


def test_a_startup_probe_that_never_succeeds_kills_the_container(play: Play) -> None:
    async def story(stage: Stage) -> None:
        startup = {**HTTP, "periodSeconds": 2, "failureThreshold": 3}
        await stage.pod(containers=[probed(startupProbe=startup)])
        await stage.until(lambda pod: pod and status_of(pod).get("restartCount") == 1, seconds=30)
        assert "Container main failed startup probe, will be restarted" in await stage.events("Killing")

    play(story, behaviour=behaviours({"main": Behaviour(ready_seconds=1000)}))


def test_the_initial_delay_counts_from_the_start(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod(containers=[probed(readinessProbe={**HTTP, "initialDelaySeconds": 15})])
        begun = clock.monotonic()
        await stage.ready(seconds=30)
        assert 15 <= clock.monotonic() - begun < 16

    play(story)


def test_a_grpc_probe_follows_the_container(play: Play) -> None:
    """pkg/probe/grpc: what is simulated answers on its port when it is ready."""

    async def story(stage: Stage) -> None:
        await stage.pod(containers=[probed(readinessProbe={"grpc": {"port": 80}, "periodSeconds": 1})])
        await stage.until(lambda pod: pod and condition(pod, "Ready").get("status") == "False")
        await stage.ready(seconds=30)

    play(story, behaviour=behaviours({"main": Behaviour(ready_seconds=5)}))


def test_post_start_runs_before_and_its_failure_kills(play: Play) -> None:
    async def story(stage: Stage) -> None:
        hooked = container("main", lifecycle={"postStart": {"exec": {"command": ["prepare"]}}})
        await stage.pod(containers=[hooked])
        await stage.until(lambda pod: pod and status_of(pod).get("restartCount", 0) >= 1, seconds=30)
        assert any("PostStartHook failed" in text for text in await stage.events("FailedPostStartHook"))

    play(story, behaviour=behaviours({"main": Behaviour(ready_seconds=1000)}))


def test_thresholds_count_results_in_a_row() -> None:
    rule = ProbeRule.of({"successThreshold": 2, "failureThreshold": 3})
    tally, verdicts = Tally(), []
    for result in (True, True, False, False, True, False, False, False, True, True):
        tally = tally.add(rule, result=result)
        verdicts.append(tally.verdict)
    assert verdicts == [None, True, True, True, True, True, True, False, False, True]


def test_a_probes_defaults_are_those_of_the_api() -> None:
    assert ProbeRule.of({}) == ProbeRule(0.0, 10.0, 1.0, 1, 3)
