"""Which taints a Pod tolerates: one table for the scheduler, the kubelet and the controllers.

Kubernetes: Taints and Tolerations (docs/concepts/scheduling-eviction/taint-and-toleration).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.api.rules.tolerations import HARD_EFFECTS, matching, tolerates, untolerated, with_toleration
from homeostat.controllers.workloads.daemonset_pods import all_tolerations, placement
from homeostat.node.housekeeping import eviction
from homeostat.scheduler.filters import fitting, static_fit
from tests.support import scheduling

Obj = dict[str, Any]

TAINT = {"key": "disk", "value": "slow", "effect": "NoSchedule"}
BARE = {"key": "disk", "effect": "NoSchedule"}

TABLE: list[tuple[Obj, Obj, bool]] = [
    # toleration, taint, whether it matches
    ({"key": "disk", "operator": "Equal", "value": "slow", "effect": "NoSchedule"}, TAINT, True),
    ({"key": "disk", "operator": "Equal", "value": "fast", "effect": "NoSchedule"}, TAINT, False),
    ({"key": "other", "operator": "Equal", "value": "slow", "effect": "NoSchedule"}, TAINT, False),
    ({"key": "disk", "operator": "Exists", "effect": "NoSchedule"}, TAINT, True),
    ({"key": "disk", "operator": "Exists", "effect": "NoExecute"}, TAINT, False),
    # An empty operator is Equal.
    ({"key": "disk", "value": "slow"}, TAINT, True),
    ({"key": "disk", "operator": "", "value": "slow"}, TAINT, True),
    ({"key": "disk"}, TAINT, False),
    ({"key": "disk"}, BARE, True),
    ({"key": "disk", "value": ""}, {**BARE, "value": ""}, True),
    # An empty effect matches every effect.
    ({"key": "disk", "operator": "Exists"}, {**TAINT, "effect": "PreferNoSchedule"}, True),
    ({"key": "disk", "operator": "Exists", "effect": ""}, {**TAINT, "effect": "NoExecute"}, True),
    # An empty key matches every key, with Exists alone.
    ({"operator": "Exists"}, TAINT, True),
    ({"operator": "Exists", "effect": "NoExecute"}, TAINT, False),
    ({"key": "", "operator": "Exists"}, TAINT, True),
    ({"operator": "Equal", "value": "slow"}, TAINT, False),
    ({}, BARE, False),
    # What is no operator matches nothing.
    ({"key": "disk", "operator": "Near", "value": "slow"}, TAINT, False),
]


@pytest.mark.parametrize(("toleration", "taint", "matches"), TABLE)
def test_a_toleration_matches_a_taint_by_key_operator_value_and_effect(
    toleration: Obj, taint: Obj, matches: bool
) -> None:
    assert tolerates(toleration, taint) is matches
    assert matching([toleration], taint) == (toleration if matches else None)


@pytest.mark.parametrize(("toleration", "taint", "matches"), TABLE)
def test_the_scheduler_and_the_daemonset_loop_follow_the_same_table(toleration: Obj, taint: Obj, matches: bool) -> None:
    taints = [{**taint, "effect": taint["effect"] if taint["effect"] in HARD_EFFECTS else "NoSchedule"}]
    matches = tolerates(toleration, taints[0])
    node = scheduling.node("one", taints=taints)
    cluster = scheduling.snapshot(node)
    assert bool(fitting(cluster, scheduling.info("p", tolerations=[toleration]))[0]) is matches
    daemon_set = {"spec": {"template": {"spec": {"tolerations": [toleration]}}}}
    assert bool(placement(daemon_set, [], [node]).wanted) is matches


@pytest.mark.parametrize(
    ("toleration", "taken"),
    [
        ({"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "node.kubernetes.io/memory-pressure"}, True),
        ({"key": "node.kubernetes.io/memory-pressure", "value": "high"}, False),
        ({"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_a_node_short_of_memory_takes_a_best_effort_pod_that_tolerates_the_taint(toleration: Obj, taken: bool) -> None:
    """Kubernetes: Node-pressure Eviction; Taints and Tolerations (Taint Nodes by Condition)."""
    pod = scheduling.pod("best-effort", tolerations=[toleration])
    assert (eviction.refusal(pod, ["MemoryPressure"]) is None) is taken


def test_what_is_untolerated_keeps_its_order_and_has_one_of_the_effects() -> None:
    taints = [
        {"key": "a", "effect": "NoSchedule"},
        {"key": "b", "effect": "PreferNoSchedule"},
        {"key": "c", "effect": "NoExecute"},
        {"key": "d", "effect": "NoExecute"},
    ]
    assert untolerated(taints, [{"key": "c", "operator": "Exists"}], HARD_EFFECTS) == [taints[0], taints[3]]
    assert untolerated([], [], HARD_EFFECTS) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [{"key": "k", "operator": "Exists", "effect": "NoExecute"}]),
        (
            [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}, {"key": "z"}],
            [{"key": "k", "operator": "Exists", "effect": "NoExecute"}, {"key": "z"}],
        ),
        (
            [{"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute"}],
            [
                {"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute"},
                {"key": "k", "operator": "Exists", "effect": "NoExecute"},
            ],
        ),
    ],
)
def test_an_added_toleration_replaces_the_one_that_differs_in_its_seconds_alone(
    before: list[Obj], after: list[Obj]
) -> None:
    """pkg/apis/core/v1/helper: AddOrUpdateTolerationInPodSpec."""
    assert with_toleration(before, {"key": "k", "operator": "Exists", "effect": "NoExecute"}) == after


def test_a_daemon_stays_on_a_node_that_is_not_ready_whatever_its_template_says() -> None:
    """Kubernetes: DaemonSet (Taints and tolerations)."""
    key = "node.kubernetes.io/not-ready"
    for toleration in (
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
        {"key": key, "operator": "Equal", "value": "x", "effect": "NoExecute"},
    ):
        found = matching(
            [item for item in all_tolerations({"tolerations": [toleration]}) if item.get("value") != "x"],
            {"key": key, "effect": "NoExecute"},
        )
        assert found is not None and "tolerationSeconds" not in found


words = st.sampled_from(["", "a", "b"])
effects = st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"])
some_taints = st.lists(
    st.fixed_dictionaries({"key": st.sampled_from(["a", "b"]), "effect": effects}, optional={"value": words}),
    max_size=4,
)
some_tolerations = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "key": words,
            "operator": st.sampled_from(["", "Equal", "Exists", "Near"]),
            "value": words,
            "effect": st.sampled_from(["", "NoSchedule", "PreferNoSchedule", "NoExecute"]),
        },
    ),
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(some_taints, st.booleans()), min_size=1, max_size=5), some_tolerations)
def test_the_schedulers_columns_say_of_taints_what_the_rule_says_of_each_node(
    nodes: list[tuple[list[Obj], bool]], tolerations: list[Obj]
) -> None:
    cluster = scheduling.snapshot(
        *(
            scheduling.node(f"n{number}", taints=taints, unschedulable=closed)
            for number, (taints, closed) in enumerate(nodes)
        )
    )
    pod = scheduling.info("p", tolerations=tolerations)
    allowed, found = fitting(cluster, pod), static_fit(cluster, pod.needs)
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    for row, (taints, closed) in enumerate(nodes):
        hard = untolerated([*taints, *([cordon] if closed else [])], tolerations, HARD_EFFECTS)
        assert bool(allowed[row]) is (not hard)
        soft = untolerated(taints, tolerations, {"PreferNoSchedule"})
        assert (0 if found.soft_taints is None else found.soft_taints[row]) == len(soft)
