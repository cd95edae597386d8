"""The agent dies, the API is down, the node is cut off: what runs continues, and all is right afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable

from homeostat.api.kinds import LEASE, NODE, POD
from homeostat.kit import clock
from homeostat.runtime.simulated import Behaviour, behaviours
from homeostat.wire.message import Request

from .conftest import Stage, condition, is_ready, status_of

Play = Callable[..., None]


def test_a_new_agent_adopts_what_runs_without_touching_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        before = await stage.ready()
        await stage.restart_agent()
        await clock.sleep(100)
        after = await stage.get()
        assert after is not None
        assert status_of(after)["containerID"] == status_of(before)["containerID"]
        assert status_of(after)["restartCount"] == 0
        assert condition(after, "Ready") == condition(before, "Ready")

    play(story)


def test_a_new_agent_ends_orphans_once_its_broken_runtime_works_again(play: Play) -> None:
    """kubelet's housekeeping tries again every two seconds. Found by the simulation, seed 54."""

    async def story(stage: Stage) -> None:
        await stage.pod()
        await stage.ready()
        await stage.agent.stop()
        stage.runtime.break_down("down for a while")
        await stage.api.delete(POD, "web", "default", options={"gracePeriodSeconds": 0})
        await stage.restart_agent()
        await clock.sleep(20)
        assert len(await stage.running()) == 1
        stage.runtime.break_down("")
        await clock.sleep(5)
        assert await stage.runtime.sandboxes() == []

    play(story)


def test_a_new_agent_notices_what_ended_meanwhile(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        await stage.ready()
        await stage.agent.stop()
        stage.runtime.kill((await stage.running())[0].id)
        stage.agent = stage._agent()
        await stage.agent.start()
        await stage.until(lambda pod: status_of(pod)["restartCount"] == 1 and is_ready(pod), seconds=2)

    play(story)


def test_without_an_agent_deleted_pods_end_when_it_is_back(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod("gone")
        await stage.pod("stays")
        await stage.ready("gone")
        await stage.ready("stays")
        await stage.agent.stop()
        await stage.api.delete(POD, "gone", "default", options={"gracePeriodSeconds": 0})
        assert len(await stage.running()) == 2
        stage.agent = stage._agent()
        await stage.agent.start()
        await clock.sleep(1)
        (left,) = await stage.running()
        assert left.pod_uid == (await stage.get("stays") or {})["metadata"]["uid"]

    play(story)


def test_a_node_that_is_cut_off_keeps_its_pods_and_restarts_them(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod()
        await stage.ready()
        stage.uplink.open = False
        await clock.sleep(60)
        stage.runtime.kill((await stage.running())[0].id)
        await clock.sleep(1)
        (again,) = await stage.running()
        assert again.spec.attempt == 1
        assert status_of(await stage.get() or {})["restartCount"] == 0
        stage.uplink.open = True
        await stage.until(lambda pod: status_of(pod)["restartCount"] == 1 and is_ready(pod), seconds=5)

    play(story)


def test_pods_deleted_during_the_cut_are_stopped_on_return(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.pod("asked")
        await stage.pod("forced")
        await stage.ready("asked")
        await stage.ready("forced")
        stage.uplink.open = False
        await clock.sleep(5)
        await stage.api.delete(POD, "asked", "default")
        await stage.api.delete(POD, "forced", "default", options={"gracePeriodSeconds": 0})
        await clock.sleep(100)
        assert len(await stage.running()) == 2
        stage.uplink.open = True
        await stage.until(lambda pod: pod is None, "asked", seconds=10)
        await clock.sleep(5)
        assert await stage.runtime.sandboxes() == []

    play(story, behaviour=behaviours({"main": Behaviour(stop_seconds=1)}))


def test_the_node_registers_with_its_facts(play: Play) -> None:
    async def story(stage: Stage) -> None:
        node = await stage.api.get(NODE, "node-1")
        labels = node["metadata"]["labels"]
        assert labels["kubernetes.io/hostname"] == "node-1"
        # Its role is not the agent's to say.
        assert not [label for label in labels if label.startswith("node-role.kubernetes.io/")]
        status = node["status"]
        assert status["capacity"]["pods"] == "110"
        assert {"type": "InternalIP", "address": "10.0.0.1"} in status["addresses"]
        assert status["nodeInfo"]["kubeletVersion"] == "v1.36.0"
        assert status["nodeInfo"]["containerRuntimeVersion"] == "simulated://0.1.0"
        ready = condition(node, "Ready")
        assert (ready["status"], ready["message"]) == ("True", "kubelet is posting ready status")
        assert node["spec"]["podCIDR"] == "10.1.0.0/24"

    play(story)


def test_the_lease_is_renewed_four_times_in_its_duration(play: Play) -> None:
    async def story(stage: Stage) -> None:
        seen = set()
        await clock.sleep(1)
        for _ in range(400):
            lease = await stage.api.get(LEASE, "node-1", "kube-node-lease")
            seen.add(lease["spec"]["renewTime"])
            await clock.sleep(0.25)
        assert lease["spec"]["leaseDurationSeconds"] == 40
        assert lease["metadata"]["ownerReferences"][0]["name"] == "node-1"
        assert 9 <= len(seen) <= 11

    play(story, settings={})


def test_an_unchanged_status_is_written_every_five_minutes_only(play: Play) -> None:
    async def story(stage: Stage) -> None:
        seen = set()
        for _ in range(605):
            seen.add((await stage.api.get(NODE, "node-1"))["metadata"]["resourceVersion"])
            await clock.sleep(1)
        assert 3 <= len(seen) <= 4

    play(story)


def test_a_node_given_up_by_the_cluster_is_ready_again_within_moments_of_healing(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.uplink.open = False
        await clock.sleep(60)
        lost = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "stopped posting"}
        kind = "application/strategic-merge-patch+json"
        body = {"status": {"conditions": [lost]}}
        await stage.api.patch(NODE, "node-1", "", body, content_type=kind, subresource="status")
        await clock.sleep(60)
        stage.uplink.open = True
        begun = clock.monotonic()
        while condition(await stage.api.get(NODE, "node-1"), "Ready")["status"] != "True":
            await clock.sleep(0.05)
        assert clock.monotonic() - begun < 5

    play(story)


def test_a_status_that_was_overwritten_is_not_written_with_an_old_reason(play: Play) -> None:
    """What `homeostat why` shows is why this write was made, not the one before it."""

    async def story(stage: Stage) -> None:
        await stage.pod()
        await stage.ready()
        stage.runtime.kill((await stage.running())[0].id)
        await stage.until(lambda pod: status_of(pod)["restartCount"] == 1 and is_ready(pod), seconds=60)
        await clock.sleep(5)
        # As the node lifecycle loop does to the pods of a node that is silent.
        body = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
        kind = "application/strategic-merge-patch+json"
        await stage.api.patch(POD, "web", "default", body, content_type=kind, subresource="status")
        await stage.until(is_ready, seconds=5)
        answer = await stage.api.raw(Request("GET", "/homeostat/journal", {"kind": "pod", "name": "web", "limit": "1"}))
        (last,) = json.loads(answer.body)["items"]
        assert last["cause"]["note"] == "the API had another status"

    play(story)


def test_a_deleted_node_registers_again(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.api.delete(NODE, "node-1")
        await clock.sleep(2)
        assert condition(await stage.api.get(NODE, "node-1"), "Ready")["status"] == "True"

    play(story)


def test_a_runtime_that_does_not_answer_makes_the_node_not_ready(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.runtime.break_down("the runtime is down")
        await clock.sleep(11)
        ready = condition(await stage.api.get(NODE, "node-1"), "Ready")
        assert (ready["status"], ready["reason"], ready["message"]) == (
            "False",
            "KubeletNotReady",
            "the runtime is down",
        )
        await stage.pod()
        await clock.sleep(5)
        assert any("Failed to create pod sandbox" in text for text in await stage.events())
        stage.runtime.break_down("")
        await stage.ready(seconds=15)

    play(story)


def test_an_api_that_is_not_there_at_first_does_no_harm(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.agent.stop()
        stage.uplink.open = False
        stage.agent = stage._agent()
        await stage.agent.start()
        await stage.pod()
        await clock.sleep(120)
        stage.uplink.open = True
        await stage.ready(seconds=15)

    play(story)
