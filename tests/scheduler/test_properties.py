"""For any pods on any nodes: no node is given more than it has, and preemption takes no more than it must."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.scheduler.budgets import Budget, budget_of
from homeostat.scheduler.cycle import place
from homeostat.scheduler.filters import examined, fitting, static_fit
from homeostat.scheduler.podinfo import PodInfo
from homeostat.scheduler.room import room_for
from homeostat.scheduler.snapshot import PODS, Snapshot
from tests.support.scheduling import info, node, snapshot

ZONES = ["a", "b", "c"]
TAINTS: list[list[dict[str, str]]] = [
    [],
    [],
    [{"key": "x", "effect": "NoSchedule"}],
    [{"key": "y", "effect": "NoExecute"}],
]


def term(app: str, key: str) -> dict[str, Any]:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}


apps = st.sampled_from(["web", "db"])
keys = st.sampled_from(["kubernetes.io/hostname", "zone"])
companies = st.one_of(
    st.just({}),
    st.builds(
        lambda part, app, key: {
            "affinity": {part: {"requiredDuringSchedulingIgnoredDuringExecution": [term(app, key)]}}
        },
        st.sampled_from(["podAffinity", "podAntiAffinity"]),
        apps,
        keys,
    ),
    st.builds(
        lambda skew, key: {
            "topologySpreadConstraints": [
                {"maxSkew": skew, "whenUnsatisfiable": "DoNotSchedule", **term("web", key)},
            ]
        },
        st.integers(1, 2),
        keys,
    ),
)
tolerations = st.sampled_from([[], [{"operator": "Exists"}], [{"key": "x", "operator": "Exists"}]])
preferences = st.builds(
    lambda cpu, app, priority, company, tolerated: {
        "cpu": str(cpu),
        "labels": {"app": app},
        "priority": priority,
        "tolerations": tolerated,
        **company,
    },
    st.integers(1, 3),
    apps,
    st.sampled_from([-5, 0, 10, 1000]),
    companies,
    tolerations,
)
machines = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([*ZONES, ""]), st.sampled_from(TAINTS), st.booleans()),
    min_size=1,
    max_size=5,
)


def cluster_of(nodes: list[tuple[int, str, list[dict[str, str]], bool]]) -> Snapshot:
    made = []
    for number, (cpu, zone, taints, closed) in enumerate(nodes):
        labels = {"zone": zone} if zone else {}
        made.append(node(f"n{number}", cpu=str(cpu), labels=labels, taints=taints, unschedulable=closed, pods="4"))
    return snapshot(*made)


def filled(nodes: list[Any], pods: list[dict[str, Any]]) -> Snapshot:
    """The cluster after its pods were placed one after the other."""
    cluster = cluster_of(nodes)
    for number, preference in enumerate(pods):
        pod = info(f"p{number}", **preference)
        if where := place(cluster, pod, number).node:
            cluster.add_pod(pod, where)
    return cluster


def used(cluster: Snapshot) -> dict[str, list[int]]:
    return {name: column.tolist() for name, column in cluster.requested.items()}


@settings(max_examples=60, deadline=None)
@given(machines, st.lists(preferences, max_size=12))
def test_no_node_is_ever_given_more_than_it_has(nodes: list[Any], pods: list[dict[str, Any]]) -> None:
    cluster = filled(nodes, pods)
    for resource in ("cpu", PODS):
        allocatable, requested = cluster.columns_of(resource)
        assert (requested <= allocatable)[cluster.valid].all()


@settings(max_examples=60, deadline=None)
@given(machines, st.lists(preferences, max_size=40), preferences, st.data())
def test_what_is_kept_of_the_room_on_nodes_is_what_a_fresh_look_finds(
    nodes: list[Any], pods: list[dict[str, Any]], preference: Any, data: Any
) -> None:
    cluster = cluster_of(nodes)
    pod = info("next", **preference)
    placed: list[str] = []
    for number, each in enumerate(pods):
        other = info(f"p{number}", **each)
        if placed and data.draw(st.booleans()):
            cluster.remove_pod(placed.pop())
        elif where := place(cluster, other, number).node:
            cluster.add_pod(other, where)
            placed.append(other.key)
        if data.draw(st.booleans()):
            allowed = static_fit(cluster, pod.needs).allowed
            kept = room_for(cluster, pod.needs, allowed)
            fits, balance = kept.fits.tolist(), kept.balance.tolist()
            cluster.rooms.clear()
            fresh = room_for(cluster, pod.needs, allowed)
            assert (fits, balance) == (fresh.fits.tolist(), fresh.balance.tolist())
            # As before, so that what is kept is used again.
            cluster.rooms[pod.needs] = kept


@settings(max_examples=60, deadline=None)
@given(machines, st.lists(preferences, max_size=10), preferences)
def test_the_quick_answer_and_the_long_one_agree(nodes: list[Any], pods: list[dict[str, Any]], preference: Any) -> None:
    cluster = filled(nodes, pods)
    pod = info("next", **preference)
    found = examined(cluster, pod)
    assert np.array_equal(fitting(cluster, pod), found.mask)
    # Each node that fails is counted, once at least; only resources may count it more often.
    failed = len(cluster.rows) - int(found.mask.sum())
    counted = sum(found.reasons.values())
    several = sum(number for text, number in found.reasons.items() if text.startswith(("Insufficient", "Too many")))
    assert failed <= counted <= failed + several
    assert not (found.helpable & found.mask).any()


@settings(max_examples=60, deadline=None)
@given(machines, st.lists(preferences, max_size=12), preferences, st.integers(0, 2))
def test_preemption_takes_only_what_it_must_and_that_is_enough(
    nodes: list[Any], pods: list[dict[str, Any]], preference: Any, allowed: int
) -> None:
    cluster = filled(nodes, pods)
    cluster.budgets["b"] = web_budget(allowed)
    pod = info("next", **preference | {"priority": 2000})
    before = used(cluster)
    placement = place(cluster, pod, 0)
    assert used(cluster) == before, "thinking changed the cluster"
    if placement.preemption is None:
        return
    where, victims = placement.preemption.node, placement.preemption.victims
    row = cluster.rows[where]
    assert victims and all(victim.priority < pod.priority for victim in victims)
    assert all(cluster.pods[victim.key][1] == row for victim in victims)
    assert not fitting(cluster, pod).any()
    take(cluster, victims)
    assert fitting(cluster, pod)[row], "without its victims the pod fits"
    for spared in victims:
        cluster.add_pod(spared, where)
        assert not fitting(cluster, pod)[row], f"{spared.key} need not go"
        cluster.remove_pod(spared.key)


def web_budget(allowed: int) -> Budget:
    spec = {"selector": {"matchLabels": {"app": "web"}}}
    metadata = {"name": "b", "namespace": "default"}
    return budget_of({"metadata": metadata, "spec": spec, "status": {"disruptionsAllowed": allowed}})


def take(cluster: Snapshot, pods: tuple[PodInfo, ...]) -> None:
    for pod in pods:
        cluster.remove_pod(pod.key)


@settings(max_examples=40, deadline=None)
@given(machines, st.lists(preferences, max_size=10), st.data())
def test_a_cluster_that_has_forgotten_everything_counts_nothing(
    nodes: list[Any], pods: list[dict[str, Any]], data: Any
) -> None:
    cluster = filled(nodes, pods)
    for key in data.draw(st.permutations(sorted(cluster.pods))):
        cluster.remove_pod(key)
    assert all(not any(column) for column in used(cluster).values())
    assert not cluster.anti_terms and not cluster.attracting and not cluster.priorities
    assert not cluster.nonzero_cpu.any() and not cluster.nonzero_memory.any()
