"""Which pods are preempted for one of higher priority (DefaultPreemption): on which node, which pods, and what budgets
protect."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.scheduler.budgets import Budget, budget_of
from homeostat.scheduler.cycle import Nomination, Placement, place
from homeostat.scheduler.podinfo import PodInfo, pod_info
from homeostat.scheduler.snapshot import Snapshot
from tests.support import scheduling
from tests.support.scheduling import info, node, snapshot

HELPLESS = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


def since(name: str, moment: str, **what: Any) -> PodInfo:
    """A pod that runs since `moment`, hours and minutes of one day."""
    made = scheduling.pod(name, **what)
    made["status"]["startTime"] = f"2026-01-01T{moment}:00Z"
    return pod_info(made)


def budget(allowed: int, app: str = "db", *, namespace: str = "default", disrupted: tuple[str, ...] = ()) -> Budget:
    status = {"disruptionsAllowed": allowed, "disruptedPods": dict.fromkeys(disrupted, "2026-01-01T00:00:00Z")}
    selector = {"matchLabels": {"app": app}} if app else {}
    metadata = {"name": f"{app}-{namespace}", "namespace": namespace}
    return budget_of({"metadata": metadata, "spec": {"selector": selector}, "status": status})


def guarded(cluster: Snapshot, *budgets: Budget) -> Snapshot:
    cluster.budgets = {str(number): each for number, each in enumerate(budgets)}
    return cluster


def filled(**nodes: list[PodInfo]) -> Snapshot:
    """Nodes that have room for exactly the pods (1 cpu each) that run on them."""
    cluster = snapshot(*(node(name, cpu=str(len(pods))) for name, pods in nodes.items()))
    for name, pods in nodes.items():
        for pod in pods:
            cluster.add_pod(pod, name)
    return cluster


def victims(placement: Placement) -> list[str]:
    assert placement.node == ""
    assert placement.preemption is not None, placement.message
    return [victim.key.removeprefix("default/") for victim in placement.preemption.victims]


def chosen(cluster: Snapshot, pod: PodInfo) -> str:
    placement = place(cluster, pod, 0)
    assert placement.preemption is not None, placement.message
    assert placement.nominated_node == placement.preemption.node
    return placement.preemption.node


def low(name: str, priority: int, **what: Any) -> PodInfo:
    return info(name, cpu="1", priority=priority, **what)


VIP = {"cpu": "1", "priority": 100}
DB = {"labels": {"app": "db"}}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param([5], [9], "a", id="the lowest of the most important victims"),
        pytest.param([9], [5], "b", id="whichever node comes first by name"),
        pytest.param([5], [-5], "b", id="negative priorities are the least"),
        pytest.param([5, 90], [5, 4], "b", id="all victims count, not only those that go for one cpu"),
    ],
)
def test_the_node_whose_victims_matter_least_is_taken(a: list[int], b: list[int], expected: str) -> None:
    cluster = filled(a=[low(f"a{p}", p) for p in a], b=[low(f"b{p}", p) for p in b])
    assert chosen(cluster, info("vip", cpu=str(len(a)), priority=100)) == expected


@pytest.mark.parametrize(
    ("one", "many", "names"),
    [
        pytest.param([7], [7, 7], ["one"], id="of equal priority, fewer"),
        pytest.param([7], [7, 1], ["one"], id="a second victim counts though it hardly matters"),
        pytest.param([7], [7, -9], ["one"], id="and though its priority is negative"),
        pytest.param([7], [7, -1_000_000_000], ["one"], id="as negative as priorities are"),
        pytest.param([0], [0, 0], ["one"], id="and among pods without priority"),
    ],
)
def test_more_victims_never_weigh_less_than_fewer(one: list[int], many: list[int], names: list[str]) -> None:
    cluster = snapshot(node("a", cpu="2"), node("b", cpu="2"))
    for number, priority in enumerate(many):
        cluster.add_pod(low(f"many{number}", priority), "a")
    for priority in one:
        cluster.add_pod(info("one", cpu="2", priority=priority), "b")
    assert victims(place(cluster, info("vip", cpu="2", priority=100), 0)) == names


def test_between_equal_nodes_the_victims_that_started_last_go() -> None:
    cluster = filled(
        a=[since("old", "08:00", cpu="1", priority=5)],
        b=[since("young", "12:00", cpu="1", priority=5)],
        c=[since("middle", "10:00", cpu="1", priority=5)],
    )
    assert victims(place(cluster, info("vip", **VIP), 0)) == ["young"]


def test_only_the_start_of_the_most_important_victims_counts() -> None:
    pair = [since("a-top", "09:00", cpu="1", priority=5), since("a-low", "01:00", cpu="1", priority=2)]
    other = [since("b-top", "08:00", cpu="1", priority=5), since("b-low", "23:00", cpu="1", priority=2)]
    cluster = filled(a=pair, b=other)
    assert chosen(cluster, info("vip", cpu="2", priority=100)) == "a"


@pytest.mark.parametrize(
    ("present", "wanted_cpu", "gone"),
    [
        pytest.param([("a", 1), ("b", 2), ("c", 3)], "1", ["a"], id="the least important one"),
        pytest.param([("a", 1), ("b", 2), ("c", 3)], "2", ["b", "a"], id="the least important two, in order"),
        pytest.param([("a", 1), ("b", 99), ("c", 100)], "2", ["b", "a"], id="never one of the same priority"),
        pytest.param([("a", 1), ("b", 1), ("c", 1)], "3", ["a", "b", "c"], id="all, when all are needed"),
    ],
)
def test_no_more_pods_go_than_have_to(present: list[tuple[str, int]], wanted_cpu: str, gone: list[str]) -> None:
    cluster = filled(n=[low(name, priority) for name, priority in present])
    assert victims(place(cluster, info("vip", cpu=wanted_cpu, priority=100), 0)) == gone


def test_of_equal_priority_those_that_run_for_longer_stay() -> None:
    pods = [since("old", "08:00", cpu="1", priority=1), since("young", "12:00", cpu="1", priority=1)]
    assert victims(place(filled(n=pods), info("vip", **VIP), 0)) == ["young"]


def test_a_small_pod_goes_only_when_its_room_is_needed() -> None:
    """Pods come back one by one, the most important first: one that still fits beside the new pod stays."""
    cluster = snapshot(node("n", cpu="4"))
    cluster.add_pod(info("big", cpu="3", priority=5), "n")
    cluster.add_pod(info("small", cpu="1", priority=1), "n")
    assert victims(place(cluster, info("vip", cpu="2", priority=100), 0)) == ["big"]


# Budgets (filterPodsWithPDBViolation, minNumPDBViolatingScoreFunc).


def test_a_pod_within_its_budget_stays_while_an_unprotected_more_important_one_goes() -> None:
    cluster = guarded(filled(n=[low("db", 1, **DB), low("web", 50)]), budget(0))
    assert victims(place(cluster, info("vip", **VIP), 0)) == ["web"]


def test_without_a_budget_the_same_pod_goes() -> None:
    cluster = filled(n=[low("db", 1, **DB), low("web", 50)])
    assert victims(place(cluster, info("vip", **VIP), 0)) == ["db"]


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        pytest.param([budget(0)], "b", id="a node without violations before all else"),
        pytest.param([budget(1)], "a", id="a budget that allows it is no reason"),
        pytest.param([budget(0, "cache")], "a", id="another application's budget"),
        pytest.param([budget(0, namespace="other")], "a", id="another namespace's budget"),
        pytest.param([budget(0, "")], "a", id="an empty selector means no pod"),
        pytest.param([budget(0, disrupted=("a-db",))], "a", id="an eviction has counted the pod already"),
        pytest.param([budget(5), budget(0)], "b", id="of several budgets the strictest"),
    ],
)
def test_which_node_is_freed_depends_on_budgets_first(kept: list[Budget], expected: str) -> None:
    cluster = guarded(filled(a=[low("a-db", 1, **DB)], b=[low("b-web", 90)]), *kept)
    assert chosen(cluster, info("vip", **VIP)) == expected


def test_where_every_node_would_break_a_budget_the_fewest_violations_win() -> None:
    two = [low("a1", 1, **DB), low("a2", 1, **DB)]
    one = [low("b1", 80, **DB), low("b2", 80)]
    cluster = guarded(filled(a=two, b=one), budget(0))
    assert chosen(cluster, info("vip", cpu="2", priority=100)) == "b"


def test_budgets_bind_nobody_in_the_end() -> None:
    cluster = guarded(filled(n=[low("db", 1, **DB)]), budget(0))
    placement = place(cluster, info("vip", **VIP), 0)
    assert victims(placement) == ["db"]
    assert placement.preemption is not None and placement.preemption.violations == 1


def test_a_budget_is_used_up_by_the_more_important_pods_first() -> None:
    """One disruption is allowed: the most important pod is counted first, so the other two would violate; those come
    back first, and the first counted is evicted."""
    pods = [low("low", 1, **DB), low("middle", 2, **DB), low("high", 3, **DB)]
    cluster = guarded(filled(n=pods), budget(1))
    assert victims(place(cluster, info("vip", **VIP), 0)) == ["high"]


def test_a_pod_without_labels_belongs_to_no_budget() -> None:
    all_pods = {"selector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}
    pdb = {"metadata": {"name": "b", "namespace": "default"}, "spec": all_pods, "status": {"disruptionsAllowed": 0}}
    cluster = guarded(filled(n=[low("bare", 1), low("web", 50, labels={"tier": "x"})]), budget_of(pdb))
    assert victims(place(cluster, info("vip", **VIP), 0)) == ["bare"]


# When nobody goes.


@pytest.mark.parametrize(
    ("cluster", "pod", "message"),
    [
        pytest.param(
            filled(a=[low("same", 100)]),
            info("vip", **VIP),
            f"0/1 nodes are available: 1 {NO_VICTIMS}.",
            id="only pods that matter as much",
        ),
        pytest.param(
            filled(a=[low("low", 1)]),
            info("vip", cpu="2", priority=100),
            f"0/1 nodes are available: 1 {HELPLESS}.",
            id="the empty node would be too small",
        ),
        pytest.param(
            snapshot(node("a", unschedulable=True)),
            info("vip", priority=100),
            f"0/1 nodes are available: 1 {HELPLESS}.",
            id="no victim opens a cordoned node",
        ),
        pytest.param(
            filled(a=[low("low", 1)]),
            info("meek", **VIP, preemptionPolicy="Never"),
            "not eligible due to preemptionPolicy=Never.",
            id="a pod that may not",
        ),
    ],
)
def test_why_nobody_goes(cluster: Snapshot, pod: PodInfo, message: str) -> None:
    placement = place(cluster, pod, 0)
    assert placement.preemption is None
    assert placement.message.partition(" preemption: ")[2] == message


def test_a_pod_whose_victims_are_on_their_way_out_waits_for_them() -> None:
    cluster = filled(a=[], b=[low("other", 1)])
    cluster.set_node(node("a", cpu="1"))
    going = scheduling.pod("going", cpu="1", priority=1)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.add_pod(pod_info(going), "a")
    vip = info("vip", **VIP)
    placement = place(cluster, vip, 0, {vip.key: Nomination(vip, "a")})
    assert (placement.preemption, placement.nominated_node) == (None, "a")
    assert placement.message.endswith("preemption: not eligible due to a terminating pod on the nominated node.")


# Nominated pods.


def test_room_of_a_nominated_pod_is_not_given_to_a_pod_of_the_same_or_lower_priority() -> None:
    cluster = snapshot(node("a", cpu="1"))
    vip, equal = info("vip", **VIP), info("equal", **VIP)
    nominations = {vip.key: Nomination(vip, "a")}
    assert place(cluster, info("low", cpu="1", priority=1), 0, nominations).node == ""
    assert place(cluster, equal, 0, nominations).node == ""
    assert place(cluster, vip, 0, nominations).node == "a"


def test_a_pod_of_higher_priority_takes_the_room_of_a_nominated_one() -> None:
    cluster = snapshot(node("a", cpu="1"))
    vip = info("vip", **VIP)
    assert place(cluster, info("king", cpu="1", priority=1000), 0, {vip.key: Nomination(vip, "a")}).node == "a"


def test_a_pod_goes_to_the_node_that_was_freed_for_it_even_when_another_is_emptier() -> None:
    cluster = snapshot(node("a", cpu="2"), node("b", cpu="8"))
    vip = info("vip", **VIP)
    assert {place(cluster, vip, draw, {vip.key: Nomination(vip, "a")}).node for draw in range(5)} == {"a"}


def test_a_nominated_pod_that_is_not_there_yet_satisfies_no_affinity() -> None:
    """Affinity to a nominated pod cannot be met before it is bound: a pod must fit with and without it."""
    cluster = snapshot(node("a"), node("b"))
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}}
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    vip = info("vip", priority=100, **DB)
    placement = place(cluster, info("web", affinity=near), 0, {vip.key: Nomination(vip, "a")})
    assert placement.node == ""


def test_deciding_about_preemption_and_nominations_changes_nothing() -> None:
    cluster = guarded(filled(a=[low("a1", 1, **DB), low("a2", 2)], b=[low("b1", 3)]), budget(0))
    vip, other = info("vip", cpu="2", priority=100), info("other", cpu="1", priority=100)
    before = {key: cluster.name_of(row) for key, (_, row) in cluster.pods.items()}
    used = {name: column.tolist() for name, column in cluster.requested.items()}
    place(cluster, vip, 0, {other.key: Nomination(other, "b")})
    assert {key: cluster.name_of(row) for key, (_, row) in cluster.pods.items()} == before
    assert {name: column.tolist() for name, column in cluster.requested.items()} == used
