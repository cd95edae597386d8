"""Which nodes can run a pod, and the words that say why the others cannot (kube-scheduler's filter plugins)."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.scheduler.cycle import place
from homeostat.scheduler.podinfo import PodInfo
from homeostat.scheduler.snapshot import Snapshot
from tests.support.scheduling import info, node, snapshot

CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def affinity(*expressions: dict[str, Any]) -> dict[str, Any]:
    terms = [{"matchExpressions": list(expressions)}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def why(cluster: Snapshot, pod: PodInfo) -> str:
    """The filters' part of the message."""
    return place(cluster, pod, 0).message.partition(" preemption: ")[0]


def test_a_pod_that_fits_nowhere_gets_the_first_reason_of_each_node() -> None:
    cluster = snapshot(
        node("master", taints=[CONTROL_PLANE]),
        node("small", cpu="1"),
        node("closed", unschedulable=True),
    )
    placement = place(cluster, info("big", cpu="2"), 0)
    assert placement.node == ""
    assert placement.message == (
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), "
        "1 node(s) were unschedulable. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_a_toleration_opens_a_tainted_node() -> None:
    cluster = snapshot(node("master", taints=[CONTROL_PLANE]))
    tolerations = [{"key": CONTROL_PLANE["key"], "operator": "Exists"}]
    assert place(cluster, info("p", tolerations=tolerations), 0).node == "master"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"key": "disk", "operator": "In", "values": ["ssd"]}, "fast"),
        ({"key": "disk", "operator": "NotIn", "values": ["ssd"]}, "slow"),
        ({"key": "gpu", "operator": "Exists"}, "fast"),
        ({"key": "gpu", "operator": "DoesNotExist"}, "slow"),
        ({"key": "cores", "operator": "Gt", "values": ["4"]}, "fast"),
        ({"key": "cores", "operator": "Lt", "values": ["4"]}, "slow"),
    ],
)
def test_required_node_affinity_knows_every_operator(expression: dict[str, Any], expected: str) -> None:
    cluster = snapshot(
        node("fast", labels={"disk": "ssd", "gpu": "", "cores": "8"}),
        node("slow", labels={"disk": "hdd", "cores": "2"}),
    )
    assert place(cluster, info("p", affinity=affinity(expression)), 0).node == expected


def test_the_sum_of_requests_counts_and_leaves_with_its_pod() -> None:
    cluster = snapshot(node("only", cpu="1"))
    cluster.add_pod(info("first", cpu="600m"), "only")
    assert "Insufficient cpu" in place(cluster, info("second", cpu="600m"), 0).message
    cluster.remove_pod("default/first")
    assert place(cluster, info("second", cpu="600m"), 0).node == "only"


def test_a_node_takes_no_more_pods_than_it_says() -> None:
    cluster = snapshot(node("only", pods="1"))
    cluster.add_pod(info("first"), "only")
    assert why(cluster, info("second")) == "0/1 nodes are available: 1 Too many pods."


def test_two_pods_cannot_have_the_same_host_port_on_one_node() -> None:
    cluster = snapshot(node("a"), node("b"))
    ports = [{"containerPort": 80, "hostPort": 8080}]
    cluster.add_pod(info("first", ports=ports), "a")
    assert place(cluster, info("second", ports=[dict(ports[0])]), 0).node == "b"
    cluster.add_pod(info("second", ports=[dict(ports[0])]), "b")
    message = why(cluster, info("third", ports=[dict(ports[0])]))
    assert message == "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports."


def pods_near(key: str, *, anti: bool, app: str = "web") -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    part = "podAntiAffinity" if anti else "podAffinity"
    return {part: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_anti_affinity_keeps_pods_apart_and_holds_against_later_ones_too() -> None:
    cluster = snapshot(node("a"), node("b"))
    alone = {"affinity": pods_near("kubernetes.io/hostname", anti=True), "labels": {"app": "web"}}
    cluster.add_pod(info("first", **alone), "a")
    assert place(cluster, info("second", **alone), 0).node == "b"
    # A pod without a rule of its own must still respect the one of the pod that is there.
    assert place(cluster, info("plain", labels={"app": "web"}), 0).node == "b"
    cluster.add_pod(info("second", **alone), "b")
    message = why(cluster, info("plain", labels={"app": "web"}))
    assert message == "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules."


def test_affinity_follows_a_zone_and_the_first_of_a_group_may_go_anywhere() -> None:
    cluster = snapshot(
        node("a1", labels={"zone": "a"}), node("a2", labels={"zone": "a"}), node("b1", labels={"zone": "b"}), node("no")
    )
    together = {"affinity": pods_near("zone", anti=False), "labels": {"app": "web"}}
    first = place(cluster, info("first", **together), 0).node
    assert first in ("a1", "a2", "b1")
    cluster.add_pod(info("first", **together), "b1")
    assert {place(cluster, info("next", **together), draw).node for draw in range(8)} == {"b1"}


def test_affinity_to_pods_that_do_not_exist_fits_nowhere() -> None:
    cluster = snapshot(node("a"))
    message = why(cluster, info("p", affinity=pods_near("kubernetes.io/hostname", anti=False, app="db")))
    assert message == "0/1 nodes are available: 1 node(s) didn't match pod affinity rules."


def spread(skew: int, *, when: str = "DoNotSchedule", key: str = "zone") -> list[dict[str, Any]]:
    selector = {"matchLabels": {"app": "web"}}
    return [{"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": when, "labelSelector": selector}]


def test_hard_spreading_refuses_the_fuller_zone() -> None:
    cluster = snapshot(node("a", labels={"zone": "a"}), node("b", labels={"zone": "b"}, cpu="1"))
    for name in ("one", "two"):
        cluster.add_pod(info(name, labels={"app": "web"}), "a")
    wanted = {"labels": {"app": "web"}, "topologySpreadConstraints": spread(1)}
    assert place(cluster, info("third", **wanted), 0).node == "b"
    message = why(cluster, info("big", cpu="2", **wanted))
    assert message == (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints."
    )


def test_a_removed_node_and_its_pods_are_forgotten_and_its_row_is_used_again() -> None:
    cluster = snapshot(node("a", cpu="1"))
    cluster.add_pod(info("p", cpu="1"), "a")
    cluster.remove_node("a")
    assert place(cluster, info("q"), 0).message == "no nodes available to schedule pods"
    cluster.set_node(node("b", cpu="1"))
    assert place(cluster, info("q", cpu="1"), 0).node == "b"


def test_the_columns_grow_with_the_cluster() -> None:
    cluster = snapshot(*(node(f"n{i}", cpu="1", labels={"zone": str(i % 3)}) for i in range(500)))
    keep = {"affinity": pods_near("kubernetes.io/hostname", anti=True), "labels": {"app": "web"}}
    for number in range(500):
        pod = info(f"p{number}", cpu="1", **keep)
        placement = place(cluster, pod, number)
        assert placement.node
        cluster.add_pod(pod, placement.node)
    assert len({row for _, row in cluster.pods.values()}) == 500
    assert "500 Insufficient cpu" in place(cluster, info("late", cpu="1"), 0).message
