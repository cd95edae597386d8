"""Which of the nodes that fit is best: each score by itself, and against the others (kube-scheduler's weights)."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.scheduler.cycle import place
from homeostat.scheduler.podinfo import PodInfo, pod_info
from homeostat.scheduler.snapshot import Snapshot
from tests.support import scheduling
from tests.support.scheduling import info, node, snapshot

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def liked(cluster: Snapshot, pod: PodInfo) -> str:
    """The nodes that share the highest score."""
    return "".join(sorted({place(cluster, pod, draw).node for draw in range(24)}))


def using(name: str, cpu: str = "0", memory: str = "0", **what: Any) -> PodInfo:
    made = scheduling.pod(name, **what)
    made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu, "memory": memory}}
    return pod_info(made)


def with_pods(cluster: Snapshot, **pods: list[PodInfo]) -> Snapshot:
    for name, items in pods.items():
        for each in items:
            cluster.add_pod(each, name)
    return cluster


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        pytest.param({"a": ("0", "0"), "b": ("0", "0")}, "ab", id="equal"),
        pytest.param({"a": ("2", "0"), "b": ("1", "0")}, "b", id="less cpu"),
        pytest.param({"a": ("0", "4Gi"), "b": ("0", "2Gi")}, "b", id="less memory"),
        pytest.param({"a": ("2", "0"), "b": ("1", "2Gi")}, "b", id="balanced before lopsided"),
        pytest.param({"a": ("2", "4Gi"), "b": ("3", "0")}, "a", id="the fullest resource counts"),
    ],
)
def test_the_least_used_and_best_balanced_node_wins(used: dict[str, tuple[str, str]], expected: str) -> None:
    cluster = snapshot(node("a"), node("b"))
    for name, (cpu, memory) in used.items():
        cluster.add_pod(using(f"on-{name}", cpu, memory), name)
    assert liked(cluster, using("p", "100m", "200Mi")) == expected


def test_a_larger_node_is_emptier_with_the_same_load() -> None:
    cluster = snapshot(node("a", cpu="4", memory="8Gi"), node("b", cpu="8", memory="16Gi"))
    for name in "ab":
        cluster.add_pod(using(f"on-{name}", "2", "4Gi"), name)
    assert liked(cluster, using("p", "100m", "200Mi")) == "b"


def test_pods_that_ask_for_nothing_still_make_a_node_fuller() -> None:
    cluster = with_pods(snapshot(node("a"), node("b")), a=[info(f"i{n}") for n in range(5)])
    assert liked(cluster, info("p")) == "b"


def soft(key: str) -> dict[str, Any]:
    return {"key": key, "effect": "PreferNoSchedule"}


@pytest.mark.parametrize(
    ("taints", "tolerations", "expected"),
    [
        pytest.param({"a": [], "b": [soft("x")]}, [], "a", id="none before one"),
        pytest.param({"a": [soft("x"), soft("y")], "b": [soft("x")]}, [], "b", id="one before two"),
        pytest.param({"a": [], "b": [soft("x")]}, [{"key": "x", "operator": "Exists"}], "ab", id="tolerated"),
        pytest.param({"a": [soft("x")], "b": [soft("x")]}, [], "ab", id="all alike"),
        pytest.param(
            {"a": [], "b": [soft("x")]},
            [{"key": "x", "operator": "Exists", "effect": "NoSchedule"}],
            "a",
            id="a toleration of another effect",
        ),
    ],
)
def test_soft_taints_count_by_how_many_are_not_tolerated(taints: Any, tolerations: Any, expected: str) -> None:
    cluster = snapshot(*(node(name, taints=items) for name, items in taints.items()))
    assert liked(cluster, info("p", tolerations=tolerations)) == expected


def preference(weight: int, key: str, *values: str) -> dict[str, Any]:
    return {
        "weight": weight,
        "preference": {"matchExpressions": [{"key": key, "operator": "In", "values": list(values)}]},
    }


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        pytest.param([preference(1, "disk", "ssd")], "a", id="one preference"),
        pytest.param([preference(1, "disk", "ssd"), preference(2, "arch", "arm")], "b", id="the heavier preference"),
        pytest.param(
            [preference(2, "disk", "ssd"), preference(1, "disk", "ssd"), preference(2, "arch", "arm")],
            "a",
            id="preferences add up",
        ),
        pytest.param([preference(50, "disk", "tape")], "ab", id="a preference that no node meets"),
        pytest.param([preference(5, "both", "yes")], "ab", id="a preference that all nodes meet"),
    ],
)
def test_preferred_node_affinity_adds_the_weights_up(preferences: list[Any], expected: str) -> None:
    cluster = snapshot(
        node("a", labels={"disk": "ssd", "both": "yes"}), node("b", labels={"arch": "arm", "both": "yes"})
    )
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferences}}
    assert liked(cluster, info("p", affinity=affinity)) == expected


def company(part: str, weight: int, app: str, key: str = HOST) -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    items = [{"weight": weight, "podAffinityTerm": term}]
    return {part: {"preferredDuringSchedulingIgnoredDuringExecution": items}}


@pytest.mark.parametrize(
    ("affinity", "expected"),
    [
        pytest.param(company("podAffinity", 1, "db"), "a", id="near"),
        pytest.param(company("podAntiAffinity", 1, "db"), "bc", id="away"),
        pytest.param(company("podAffinity", 1, "db", ZONE), "ab", id="near in the zone"),
        pytest.param(company("podAntiAffinity", 1, "db", ZONE), "c", id="away from the zone"),
        pytest.param(
            company("podAffinity", 5, "db") | company("podAntiAffinity", 10, "db", ZONE), "c", id="the sum decides"
        ),
    ],
)
def test_preferred_company(affinity: dict[str, Any], expected: str) -> None:
    cluster = snapshot(*(node(n, labels={ZONE: z}) for n, z in (("a", "1"), ("b", "1"), ("c", "2"))))
    # As full as the others, so that only company makes a difference.
    filler = {"b": [info("f1")], "c": [info("f2")], "a": [info("db", labels={"app": "db"})]}
    assert liked(with_pods(cluster, **filler), info("p", affinity=affinity)) == expected


def test_pods_that_require_company_attract_it() -> None:
    """hardPodAffinityWeight is 1: a pod that needs `web` nearby makes its node better for `web`."""
    term = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "web"}}}
    needy = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    cluster = with_pods(snapshot(node("a"), node("b")), a=[info("x")], b=[info("needy", affinity=needy)])
    assert liked(cluster, info("p", labels={"app": "web"})) == "b"


def owned(name: str, owner: str = "rs", **what: Any) -> PodInfo:
    made = scheduling.pod(name, **what)
    made["metadata"]["ownerReferences"] = [{"uid": owner, "controller": True, "kind": "ReplicaSet", "name": owner}]
    return pod_info(made)


def test_pods_of_one_controller_spread_over_zones_first() -> None:
    cluster = snapshot(*(node(n, labels={ZONE: z}) for n, z in (("a", "1"), ("b", "1"), ("c", "2"))))
    with_pods(cluster, a=[owned("one")], b=[info("f1")], c=[info("f2")])
    assert liked(cluster, owned("two")) == "c"
    assert liked(cluster, owned("two", "another")) == "abc"


def test_a_pod_that_is_going_does_not_keep_its_successor_away() -> None:
    made = owned("old").pod
    made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster = with_pods(snapshot(node("a"), node("b")), a=[pod_info(made)], b=[info("f")])
    assert liked(cluster, owned("new")) == "ab"


def test_own_constraints_replace_the_default_spreading() -> None:
    """Default constraints hold only for pods that define none."""
    selector = {"matchLabels": {"app": "none"}}
    own = [{"maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}]
    cluster = with_pods(snapshot(node("a"), node("b")), a=[owned("one")], b=[info("f")])
    assert liked(cluster, owned("two", topologySpreadConstraints=own)) == "ab"


def anyway(key: str = ZONE, skew: int = 1) -> dict[str, Any]:
    selector = {"matchLabels": {"app": "web"}}
    only = {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
    return {"labels": {"app": "web"}, "topologySpreadConstraints": [only]}


def test_a_node_outside_the_topology_is_the_last_choice_of_soft_spreading() -> None:
    cluster = snapshot(node("a", labels={ZONE: "1"}), node("x"))
    with_pods(cluster, a=[info("w", labels={"app": "web"})], x=[info("f")])
    assert liked(cluster, info("p", **anyway())) == "a"


def test_a_heavy_node_preference_outweighs_a_little_load() -> None:
    """NodeAffinity weighs 2, resources 1 each: a preference beats a load of less than half a node."""
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preference(1, "disk", "ssd")]}}
    cluster = snapshot(node("a", labels={"disk": "ssd"}), node("b"))
    cluster.add_pod(using("load", "1", "2Gi"), "a")
    assert liked(cluster, using("p", "100m", "200Mi", affinity=affinity)) == "a"
    cluster.add_pod(using("more", "2800m", "4Gi"), "a")
    assert liked(cluster, using("p", "100m", "200Mi", affinity=affinity)) == "a"


def test_a_soft_taint_outweighs_a_preference() -> None:
    """TaintToleration weighs 3, NodeAffinity 2."""
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preference(100, "disk", "ssd")]}}
    cluster = snapshot(node("a", labels={"disk": "ssd"}, taints=[soft("x")]), node("b"))
    assert liked(cluster, info("p", affinity=affinity)) == "b"


def test_only_nodes_that_fit_are_compared() -> None:
    cluster = snapshot(node("a", unschedulable=True, cpu="64", memory="256Gi"), node("b"), node("c", cpu="1"))
    assert liked(cluster, info("p", cpu="2")) == "b"
