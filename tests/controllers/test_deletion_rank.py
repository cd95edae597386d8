"""Which Pods are deleted first when a ReplicaSet is scaled down (controller.ActivePodsWithRanks): one row for each
comparison."""

import itertools

import pytest

from homeostat.api import meta
from homeostat.controllers.workloads.deletion_rank import first_to_go
from homeostat.kit.clock import rfc3339
from tests.support.controlling import NOW, obj

COST = "controller.kubernetes.io/pod-deletion-cost"


def pod(name, *, node="n1", phase="Running", ready=3600, age=7200, restarts=(0,), sidecar=0, cost=None):
    """A Pod; `ready` and `age` are seconds ago (`ready` None: not ready)."""
    conditions = []
    if ready is not None:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(NOW - ready)}]
    spec = {"containers": [{"name": "main"}], "initContainers": [{"name": "side", "restartPolicy": "Always"}]}
    made = obj("v1", "Pod", name, spec=spec | ({"nodeName": node} if node else {}))
    made["metadata"] |= {"uid": name, "creationTimestamp": rfc3339(NOW - age)}
    if cost is not None:
        made["metadata"]["annotations"] = {COST: cost}
    statuses = [{"name": f"c{number}", "restartCount": count} for number, count in enumerate(restarts)]
    inits = [{"name": "side", "restartCount": sidecar}]
    made["status"] = {
        "phase": phase,
        "conditions": conditions,
        "containerStatuses": statuses,
        "initContainerStatuses": inits,
    }
    return made


def order(pods, related=None):
    related = pods if related is None else related
    picked = [first_to_go(pods, related, count, NOW) for count in range(1, len(pods))]
    names = [[meta.name(item) for item in some] for some in picked]
    # Each longer choice holds the shorter one: it is one order.
    for shorter, longer in itertools.pairwise(names):
        assert longer[: len(shorter)] == shorter
    return names[-1][0] if names else ""


# Each row's first Pod is deleted before its second; names are against that, for uids decide last.
ROWS = {
    "without a node before with one": ({"node": ""}, {}),
    "without a node before pending on one": ({"node": "", "phase": "Pending"}, {"phase": "Pending", "ready": None}),
    "pending before unknown": ({"phase": "Pending", "ready": None}, {"phase": "Unknown", "ready": None}),
    "unknown before running": ({"phase": "Unknown", "ready": None}, {"ready": None}),
    "unready before ready": ({"ready": None}, {}),
    "unready before cheap": ({"ready": None, "cost": "100"}, {"cost": "-100"}),
    "cheap before costly": ({"cost": "1"}, {"cost": "2"}),
    "negative costs before none": ({"cost": "-1"}, {}),
    "none before positive costs": ({}, {"cost": "1"}),
    "a cost with a sign": ({}, {"cost": "+5"}),
    "ready for a short time before ready for long": ({"ready": 60}, {"ready": 3600}),
    "restarted more often before less often": ({"restarts": (5,)}, {"restarts": (4,)}),
    "the most restarts of one container, not their sum": ({"restarts": (5, 0)}, {"restarts": (4, 4)}),
    "restarts of sidecars when those of others are equal": ({"sidecar": 2}, {"sidecar": 1}),
    "restarts of containers before those of sidecars": ({"restarts": (1,)}, {"sidecar": 9}),
    "young before old": ({"age": 4000, "ready": 3600}, {"age": 40000, "ready": 3600}),
    "ready time before restarts": ({"ready": 60}, {"ready": 3600, "restarts": (50,)}),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_which_of_two_goes_first(row):
    first, second = (pod(name, **what) for name, what in zip(("zz", "aa"), row, strict=True))
    assert order([first, second]) == "zz"
    assert order([second, first]) == "zz"


@pytest.mark.parametrize("cost", ["", "1.5", "many", "１", "- 1", "--1"])
def test_a_cost_that_is_no_number_counts_as_none(cost):
    assert order([pod("odd", cost=cost), pod("cheap", cost="-1")]) == "cheap"
    assert order([pod("odd", cost=cost), pod("dear", cost="1")]) == "odd"


def test_of_a_crowded_node_pods_go_first():
    pods = [pod("aa", node="lonely"), pod("zy", node="crowd"), pod("zz", node="crowd")]
    assert order(pods).startswith("z")


def test_pods_of_the_same_deployments_other_replica_sets_crowd_a_node_too():
    mine = [pod("aa", node="n1"), pod("zz", node="n2")]
    assert order(mine, [*mine, pod("theirs", node="n2")]) == "zz"
    assert order(mine, [*mine, pod("theirs", node="n1")]) == "aa"


def test_a_crowd_weighs_less_than_costs_and_more_than_readiness_time():
    pods = [pod("zz", node="crowd"), pod("zy", node="crowd", cost="-5"), pod("aa", node="lonely", ready=10)]
    assert [meta.name(item) for item in first_to_go(pods, pods, 2, NOW)] == ["zy", "zz"]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [(3600, 3700, True), (3600, 7200, False), (10, 11, True), (100, 1_000_000, False), (8.6, 17, True)],
)
def test_ages_of_one_power_of_two_count_as_equal(one, other, equal):
    """LogarithmicScaleDown: then the uid decides, so that it is not always the youngest that is deleted."""
    young, old = pod("zz", ready=one), pod("aa", ready=other)
    assert order([young, old]) == ("aa" if equal else "zz")


def test_the_whole_order_in_one_story():
    pods = [
        pod("8-old", ready=100_000, age=200_000),
        pod("6-restarted", restarts=(3,), ready=100_000, age=200_000),
        pod("5-fresh", ready=10, age=200_000),
        pod("4-cheap", cost="-1"),
        pod("3-unready", ready=None),
        pod("2-pending", phase="Pending", ready=None),
        pod("1-unbound", phase="Pending", ready=None, node=""),
    ]
    for number, item in enumerate(pods):
        if item["spec"].get("nodeName"):
            item["spec"]["nodeName"] = f"n{number}"
    doomed = first_to_go(pods, pods, 6, NOW)
    assert [meta.name(item)[0] for item in doomed] == ["1", "2", "3", "4", "5", "6"]


def test_all_go_when_all_have_to():
    pods = [pod("b"), pod("a")]
    assert first_to_go(pods, pods, 2, NOW) == pods
    assert first_to_go(pods, pods, 9, NOW) == pods
