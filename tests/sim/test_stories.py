"""The four loops on virtual time with Kubernetes' default timings, each killed at its root while a client measures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from homeostat.api import meta
from homeostat.kit import clock

from .conftest import Stage, perform

Golden = Callable[[str, Stage], None]
UNREACHABLE = "node.kubernetes.io/unreachable:NoExecute"
NOT_READY = "node worker-2 is Ready=Unknown (NodeStatusUnknown)"
READY = "node worker-2 is Ready=True (KubeletReady)"


def no_request_failed_but_in_flight(stage: Stage, in_flight_max: int) -> None:
    assert stage.tally.refused == 0, stage.tally.failures
    assert stage.tally.in_flight <= in_flight_max, stage.tally.failures
    assert stage.tally.answered > 100


def test_a_killed_container_is_started_again_at_once(golden: Golden) -> None:
    async def play(stage: Stage) -> None:
        stage.story.record("the container of the pod on worker-2 is killed")
        await stage.kill_container("worker-2")
        await clock.sleep(20)
        assert await stage.faults() == []
        assert meta.pod_restarts(stage.pod_on("worker-2")) == 1

    stage = perform(play)
    no_request_failed_but_in_flight(stage, 2)
    golden("container-killed", stage)


def test_a_container_that_keeps_being_killed_waits_longer_each_time(golden: Golden) -> None:
    """kubelet: no pause before the first restart, then 10 s, 20 s, 40 s."""

    async def play(stage: Stage) -> None:
        for _ in range(4):
            stage.story.record("the container of the pod on worker-2 is killed")
            await stage.kill_container("worker-2")
            await clock.sleep(1)
            assert await stage.cluster.until(lambda: meta.pod_ready(stage.pod_on("worker-2")), seconds=60)
            await clock.sleep(1)
        assert meta.pod_restarts(stage.pod_on("worker-2")) == 4

    stage = perform(play)
    no_request_failed_but_in_flight(stage, 8)
    golden("container-killed-again", stage)


def test_a_deleted_pod_is_replaced(golden: Golden) -> None:
    async def play(stage: Stage) -> None:
        pod = stage.pod_on("worker-2")
        stage.story.record("the user deletes the pod on worker-2")
        await stage.user.delete_pod(meta.key(pod))
        await clock.sleep(20)
        assert await stage.faults() == []
        assert meta.uid(pod) not in {meta.uid(other) for other in stage.pods()}

    stage = perform(play)
    no_request_failed_but_in_flight(stage, 2)
    golden("pod-deleted", stage)


def test_a_killed_api_server_is_noticed_by_nobody(golden: Golden) -> None:
    async def play(stage: Stage) -> None:
        commits = stage.cluster.ledger.objects["Pod"].copy()
        stage.story.record("API server master-1 is killed")
        await stage.cluster.servers[0].kill()
        await clock.sleep(60)
        stage.story.record("it is back")
        await stage.cluster.servers[0].start()
        await clock.sleep(60)
        assert await stage.faults() == []
        assert stage.cluster.ledger.objects["Pod"] == commits

    stage = perform(play)
    no_request_failed_but_in_flight(stage, 0)
    golden("api-server-killed", stage)


def test_all_api_servers_away_stop_no_pod_and_change_nothing(golden: Golden) -> None:
    async def play(stage: Stage) -> None:
        stage.story.record("all API servers are killed")
        for server in stage.cluster.servers:
            await server.kill()
        await clock.sleep(10)
        await stage.kill_container("worker-2")
        stage.story.record("a container is killed meanwhile")
        await clock.sleep(20)
        assert len(await stage.worker().running()) == 1
        stage.story.record("they are back")
        for server in stage.cluster.servers:
            await server.start()
        await clock.sleep(30)
        assert await stage.faults() == []

    stage = perform(play)
    assert stage.tally.refused == 0
    assert "default/kubernetes" not in stage.story.text(), "the servers took each other out of the endpoints"
    golden("all-api-servers-killed", stage)


@pytest.mark.parametrize("component", ["controller-manager", "scheduler"])
def test_a_lost_leader_is_followed_by_another(component: str, golden: Golden) -> None:
    """client-go: the lease runs out 15 s after its last renewal, candidates look every 2 to 4.4 s; ours then, too."""

    async def play(stage: Stage) -> None:
        stage.story.record(f"the leading {component} is killed")
        lost = stage.leader(component)
        await lost.kill()
        await stage.user.delete_pod(meta.key(stage.pod_on("worker-2")))
        stage.story.record("the user deletes the pod on worker-2")
        await clock.sleep(30)
        assert await stage.cluster.until(lambda: stage.leader(component).name != lost.name, seconds=1)
        assert len(stage.pods()) == 3
        await lost.start()
        await stage.settled()
        await clock.sleep(30)
        assert await stage.faults() == []

    stage = perform(play)
    no_request_failed_but_in_flight(stage, 2)
    golden(f"{component}-lost", stage)


def test_a_node_agent_that_is_away_for_a_while_costs_nothing(golden: Golden) -> None:
    async def play(stage: Stage) -> None:
        before = [container.id for container, _ in await stage.worker().running()]
        stage.story.record("the agent of worker-2 is killed")
        await stage.worker().kill()
        await clock.sleep(25)
        stage.story.record("a new agent comes")
        await stage.worker().start()
        await clock.sleep(60)
        assert [container.id for container, _ in await stage.worker().running()] == before
        assert await stage.faults() == []

    stage = perform(play)
    no_request_failed_but_in_flight(stage, 0)
    golden("agent-killed", stage)


async def cut_for_seven_minutes(stage: Stage) -> None:
    stage.story.record("worker-2 is cut off")
    stage.worker().cut()
    await clock.sleep(420)
    stage.story.record("worker-2 is healed")
    stage.worker().heal()
    await clock.sleep(120)
    assert await stage.faults() == []


async def cut_for_four_minutes(stage: Stage) -> None:
    before = {meta.uid(pod) for pod in stage.pods()}
    stage.story.record("worker-2 is cut off")
    stage.worker().cut()
    await clock.sleep(240)
    stage.story.record("worker-2 is healed")
    stage.worker().heal()
    await clock.sleep(200)
    assert await stage.faults() == []
    assert {meta.uid(pod) for pod in stage.pods()} == before


def test_a_node_cut_off_is_given_up_and_taken_back(golden: Golden) -> None:
    stage = perform(cut_for_seven_minutes)
    no_request_failed_but_in_flight(stage, 3)
    golden("node-cut", stage)


def test_a_node_healed_in_time_keeps_its_pods(golden: Golden) -> None:
    stage = perform(cut_for_four_minutes)
    no_request_failed_but_in_flight(stage, 3)
    golden("node-cut-healed-in-time", stage)


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_cut_keeps_kubernetes_times(seed: int) -> None:
    """Grace period 50 s after the last renewal (every 10 s), looked at every 5 s; tolerations of 300 s."""
    stage = perform(cut_for_seven_minutes, seed=seed, even=False)
    cut = stage.moment("worker-2 is cut off")
    assert 40 <= stage.moment(NOT_READY) - cut <= 55
    assert stage.moment(f"node worker-2 is tainted {UNREACHABLE}") - cut <= 60
    evicted = [
        stage.moment(text)
        for text in stage.story.moments
        if text.startswith("pod web") and text.endswith("is being deleted")
    ]
    assert len(evicted) == 1
    assert 340 <= evicted[0] - cut <= 355
    assert 0 <= stage.moment(READY) - stage.moment("worker-2 is healed") <= 5
    no_request_failed_but_in_flight(stage, 3)


@pytest.mark.parametrize("seed", range(1, 4))
def test_an_eviction_is_cancelled_when_the_node_is_back_in_time(seed: int) -> None:
    stage = perform(cut_for_four_minutes, seed=seed, even=False)
    assert 40 <= stage.moment(NOT_READY) <= 55
    assert 0 <= stage.moment(READY) - stage.moment("worker-2 is healed") <= 5
    assert not [text for text in stage.story.moments if text.endswith("is being deleted")]
    no_request_failed_but_in_flight(stage, 3)
