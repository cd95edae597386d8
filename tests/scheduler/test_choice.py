"""Which of the feasible nodes is chosen, which pods are preempted, and the order of the queue."""

from __future__ import annotations

from typing import Any

from homeostat.kit.backoff import Backoff
from homeostat.scheduler.backlog import Backlog
from homeostat.scheduler.cycle import place
from tests.support.scheduling import info, node, snapshot


def test_the_emptier_node_wins() -> None:
    cluster = snapshot(node("full"), node("empty"))
    cluster.add_pod(info("heavy", cpu="3"), "full")
    assert {place(cluster, info("p", cpu="100m"), draw).node for draw in range(8)} == {"empty"}


def test_equals_are_chosen_by_the_draw() -> None:
    cluster = snapshot(*(node(f"n{i}") for i in range(4)))
    assert {place(cluster, info("p"), draw).node for draw in range(4)} == {"n0", "n1", "n2", "n3"}


def test_replicas_of_one_controller_spread_over_nodes() -> None:
    cluster = snapshot(*(node(f"n{i}") for i in range(3)))
    owned: dict[str, Any] = {}
    placed = []
    for number in range(6):
        pod = info(f"p{number}", **owned)
        pod.pod["metadata"]["ownerReferences"] = [{"uid": "rs", "controller": True, "kind": "ReplicaSet", "name": "rs"}]
        from homeostat.scheduler.podinfo import pod_info

        pod = pod_info(pod.pod)
        where = place(cluster, pod, number).node
        cluster.add_pod(pod, where)
        placed.append(where)
    assert sorted(placed) == ["n0", "n0", "n1", "n1", "n2", "n2"]


def test_preferences_weigh_and_soft_taints_repel() -> None:
    preference = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    preferred = [{"weight": 50, "preference": preference}]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    cluster = snapshot(node("ssd", labels={"disk": "ssd"}), node("hdd"))
    assert {place(cluster, info("p", affinity=affinity), draw).node for draw in range(6)} == {"ssd"}
    soft = [{"key": "old", "effect": "PreferNoSchedule"}]
    cluster = snapshot(node("old", taints=soft), node("new"))
    assert {place(cluster, info("p"), draw).node for draw in range(6)} == {"new"}


def test_an_important_pod_takes_the_place_of_the_least_important_ones() -> None:
    cluster = snapshot(node("a", cpu="2"), node("b", cpu="2"))
    cluster.add_pod(info("a-low", cpu="1", priority=1), "a")
    cluster.add_pod(info("a-high", cpu="1", priority=50), "a")
    cluster.add_pod(info("b-mid", cpu="2", priority=20), "b")
    placement = place(cluster, info("vip", cpu="1", priority=100), 0)
    assert placement.node == ""
    assert placement.preemption is not None
    assert placement.preemption.node == "a"
    assert [victim.key for victim in placement.preemption.victims] == ["default/a-low"]
    # Thinking about it changed nothing.
    assert len(cluster.pods) == 3


def test_a_pod_that_never_preempts_waits() -> None:
    cluster = snapshot(node("a", cpu="1"))
    cluster.add_pod(info("low", cpu="1", priority=1), "a")
    assert place(cluster, info("meek", cpu="1", priority=9, preemptionPolicy="Never"), 0).preemption is None


def backlog() -> Backlog:
    return Backlog(Backoff(first_seconds=1, ceiling_seconds=10))


def test_the_important_come_first_then_the_older() -> None:
    waiting = backlog()
    waiting.add(info("old"), 0.0)
    waiting.add(info("young"), 1.0)
    waiting.add(info("vip", priority=10), 2.0)
    order = []
    while (found := waiting.pop(3.0)) is not None:
        order.append(found.pod.key)
        waiting.remove(found.pod.key)
    assert order == ["default/vip", "default/old", "default/young"]


def test_a_pod_without_a_node_waits_for_a_change_and_then_backs_off() -> None:
    waiting = backlog()
    waiting.add(info("p"), 0.0)
    first = waiting.pop(0.0)
    assert first is not None
    waiting.no_node(first, 0.0)
    assert waiting.pop(100.0) is None
    waiting.cluster_changed(0.2)
    assert waiting.pop(0.5) is None
    second = waiting.pop(1.0)
    assert second is first
    waiting.no_node(second, 1.0)
    waiting.cluster_changed(1.1)
    # The second pause is twice the first.
    assert waiting.pop(2.9) is None
    assert waiting.pop(3.0) is first


def test_a_pod_that_nothing_helps_is_tried_again_all_the_same() -> None:
    waiting = backlog()
    waiting.add(info("p"), 0.0)
    found = waiting.pop(0.0)
    assert found is not None
    waiting.no_node(found, 0.0)
    waiting.flush(299.0)
    assert waiting.pop(299.0) is None
    waiting.flush(300.0)
    assert waiting.pop(300.0) is found
