"""Which nodes a Pod may run on: one table for the scheduler, the kubelet and the DaemonSet loop.

Kubernetes: Assigning Pods to Nodes (docs/concepts/scheduling-eviction/assign-pod-node); component-helpers,
nodeaffinity.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.api import meta
from homeostat.api.rules.nodeaffinity import pinned, pinned_node, preference, preferred_nodes, required_nodes
from homeostat.controllers.workloads.daemonset_pods import placement
from homeostat.node.decide.admission import refusal
from homeostat.scheduler.filters import fitting, static_fit
from tests.support import scheduling

Obj = dict[str, Any]
NAME = "n1"
LABELS = {"zone": "a", "rank": "5", "big": "9223372036854775807", "odd": "1_000"}


def expression(key: str, operator: str, *values: str) -> Obj:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def required(*terms: Obj) -> Obj:
    return {
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
        }
    }


def of_labels(*expressions: Obj) -> Obj:
    return required({"matchExpressions": list(expressions)})


def of_fields(*expressions: Obj) -> Obj:
    return required({"matchFields": list(expressions)})


TABLE: list[tuple[Obj, bool]] = [
    # what the Pod's spec says, whether the node will do
    ({}, True),
    ({"nodeSelector": {"zone": "a"}}, True),
    ({"nodeSelector": {"zone": "a", "rank": "6"}}, False),
    ({"nodeSelector": {"none": ""}}, False),
    ({"affinity": {}}, True),
    ({"affinity": {"nodeAffinity": {}}}, True),
    # Operators.
    (of_labels(expression("zone", "In", "a", "b")), True),
    (of_labels(expression("zone", "In", "b")), False),
    (of_labels(expression("none", "In", "b")), False),
    (of_labels(expression("zone", "NotIn", "b")), True),
    (of_labels(expression("none", "NotIn", "b")), True),
    (of_labels(expression("zone", "NotIn", "a")), False),
    (of_labels(expression("zone", "Exists")), True),
    (of_labels(expression("none", "Exists")), False),
    (of_labels(expression("none", "DoesNotExist")), True),
    (of_labels(expression("zone", "DoesNotExist")), False),
    (of_labels(expression("rank", "Gt", "4")), True),
    (of_labels(expression("rank", "Gt", "5")), False),
    (of_labels(expression("rank", "Lt", "6")), True),
    (of_labels(expression("rank", "Lt", "5")), False),
    (of_labels(expression("none", "Gt", "4")), False),
    (of_labels(expression("zone", "Gt", "4")), False),
    # Integers are those of 64 bits, in plain digits.
    (of_labels(expression("big", "Gt", "9223372036854775806")), True),
    # Values are label values: those do not begin with a minus.
    (of_labels(expression("rank", "Gt", "-1")), False),
    (of_labels(expression("rank", "Lt", "9223372036854775808")), False),
    (of_labels(expression("big", "Gt", "1")), True),
    (of_labels(expression("odd", "Gt", "1")), False),
    (of_labels(expression("rank", "Gt", "four")), False),
    # Requirements of a term hold together; one term is enough.
    (of_labels(expression("zone", "In", "a"), expression("rank", "In", "5")), True),
    (of_labels(expression("zone", "In", "a"), expression("rank", "In", "6")), False),
    (required({"matchExpressions": [expression("zone", "In", "b")]}, {"matchExpressions": []}), False),
    (
        required(
            {"matchExpressions": [expression("zone", "In", "b")]}, {"matchExpressions": [expression("rank", "In", "5")]}
        ),
        True,
    ),
    ({"nodeSelector": {"zone": "b"}} | of_labels(expression("zone", "In", "a")), False),
    # No term, and an empty one, match nothing.
    (required(), False),
    ({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}}, False),
    (required({}), False),
    # Fields: the node's name alone.
    (of_fields(expression("metadata.name", "In", "n1")), True),
    (of_fields(expression("metadata.name", "In", "n2")), False),
    (of_fields(expression("metadata.name", "NotIn", "n2")), True),
    (of_fields(expression("metadata.name", "NotIn", "n1")), False),
    (of_fields(expression("metadata.uid", "In", "n1")), False),
    (of_fields(expression("metadata.name", "Exists")), False),
    (of_fields(expression("metadata.name", "In", "n1", "n2")), False),
    # An invalid requirement: its term matches nothing, the others still count.
    (of_labels(expression("zone", "In")), False),
    (of_labels(expression("none", "NotIn")), False),
    (of_labels(expression("zone", "Exists", "a")), False),
    (of_labels(expression("rank", "Gt", "1", "2")), False),
    (of_labels(expression("zone", "Near", "a")), False),
    (
        required(
            {"matchExpressions": [expression("zone", "Near", "a")]},
            {"matchExpressions": [expression("zone", "Exists")]},
        ),
        True,
    ),
]


@pytest.mark.parametrize(("spec", "matches"), TABLE)
def test_scheduler_kubelet_and_daemonset_loop_have_one_rule_for_nodes(spec: Obj, matches: bool) -> None:
    assert required_nodes(spec).matches(NAME, LABELS) is matches
    node = scheduling.node(NAME, labels=LABELS)
    cluster = scheduling.snapshot(node)
    assert bool(fitting(cluster, scheduling.info("p", **spec))[0]) is matches
    trouble = refusal(scheduling.pod("p", **spec), [], NAME, LABELS, {})
    assert ((trouble.reason if trouble else "") == "NodeAffinity") is not matches
    daemon_set = {"spec": {"template": {"spec": spec}}}
    assert bool(placement(daemon_set, [], [node]).wanted) is matches


@pytest.mark.parametrize(
    ("terms", "weight"),
    [
        ([], 0),
        ([(10, {"matchExpressions": [expression("zone", "In", "a")]})], 10),
        ([(10, {"matchExpressions": [expression("zone", "In", "b")]})], 0),
        (
            [
                (10, {"matchExpressions": [expression("zone", "In", "a")]}),
                (5, {"matchFields": [expression("metadata.name", "In", "n1")]}),
            ],
            15,
        ),
        # An empty term prefers nothing.
        ([(10, {})], 0),
        ([(10, {"matchExpressions": [expression("zone", "Near", "a")]})], 0),
    ],
)
def test_a_node_is_preferred_by_the_weights_of_the_terms_that_it_meets(
    terms: list[tuple[int, Obj]], weight: int
) -> None:
    weighted = [{"weight": number, "preference": term} for number, term in terms]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": weighted}}
    assert preference(preferred_nodes({"affinity": affinity}), NAME, LABELS) == weight
    assert preference(preferred_nodes({}), NAME, LABELS) == 0


def test_a_pinned_pod_names_its_node_and_keeps_its_other_affinity() -> None:
    """Kubernetes: DaemonSet (How Daemon Pods are scheduled)."""
    before = of_labels(expression("zone", "In", "b"))["affinity"] | {"podAffinity": {"x": 1}}
    after = pinned(before, NAME)
    assert after["podAffinity"] == {"x": 1}
    assert pinned_node({"affinity": after}) == NAME
    allowed = required_nodes({"affinity": after})
    assert allowed.matches(NAME, {}) and not allowed.matches("n2", LABELS)
    assert pinned_node({"affinity": before}) == pinned_node({}) == ""
    assert pinned_node(of_fields(expression("metadata.name", "NotIn", "n1"))) == ""


keys = st.sampled_from(["zone", "rank", "metadata.name"])
expressions = st.builds(
    lambda key, operator, values: {"key": key, "operator": operator, "values": values},
    keys,
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Near"]),
    st.lists(st.sampled_from(["a", "b", "1", "2", "n0", "n1"]), max_size=2),
)
terms = st.fixed_dictionaries(
    {},
    optional={
        "matchExpressions": st.lists(expressions, max_size=2),
        "matchFields": st.lists(expressions, max_size=1),
    },
)
machines = st.lists(
    st.fixed_dictionaries({}, optional={"zone": st.sampled_from(["a", "b"]), "rank": st.sampled_from(["1", "2", "x"])}),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(
    machines,
    st.one_of(st.none(), st.lists(terms, max_size=3)),
    st.one_of(st.none(), st.dictionaries(st.just("zone"), st.sampled_from(["a", "b"]))),
    st.lists(st.tuples(st.integers(1, 100), terms), max_size=2),
)
def test_the_schedulers_columns_say_of_affinity_what_the_rule_says_of_each_node(
    nodes: list[dict[str, str]], wanted: list[Obj] | None, selector: dict[str, str] | None, liked: list[tuple[int, Obj]]
) -> None:
    cluster = scheduling.snapshot(
        *(scheduling.node(f"n{number}", labels=labels) for number, labels in enumerate(nodes))
    )
    affinity: Obj = {}
    if wanted is not None:
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": wanted}
    if liked:
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": weight, "preference": term} for weight, term in liked
        ]
    spec: Obj = {"affinity": {"nodeAffinity": affinity}} | ({} if selector is None else {"nodeSelector": selector})
    pod = scheduling.info("p", **spec)
    allowed, found = fitting(cluster, pod), static_fit(cluster, pod.needs)
    for row in range(len(nodes)):
        name, labels = meta.name(cluster.nodes[row]), meta.labels(cluster.nodes[row])
        assert bool(allowed[row]) is required_nodes(spec).matches(name, labels)
        if allowed[row]:
            weight = preference(preferred_nodes(spec), name, labels)
            assert (0 if found.preferred is None else found.preferred[row]) == weight
