"""How many disruptions a PodDisruptionBudget allows: one rule for the disruption loop and for evictions.

Kubernetes: Disruptions; Specifying a Disruption Budget for your Application (docs/tasks/run-application/configure-pdb);
pkg/controller/disruption; API-initiated Eviction; KEP-3017.
"""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.api.kinds import Kind
from homeostat.api.rules.disruption import (
    DELETION_SECONDS,
    Counts,
    UnknownScale,
    counted,
    counts,
    disrupted,
    is_unprotected,
    needs_allowance,
    still_disrupted,
)
from homeostat.kit.clock import rfc3339

Obj = dict[str, Any]
NOW = 1_800_000_000.0


def pod(name: str, owner: str = "rs", *, ready: bool = True, **more: Any) -> Obj:
    metadata: Obj = {"name": name, "namespace": "d", "labels": {"app": "web"}, **more.get("metadata", {})}
    if owner:
        kind = more.get("kind", "ReplicaSet")
        metadata["ownerReferences"] = [{"kind": kind, "name": owner, "uid": f"uid-{owner}", "controller": True}]
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": metadata, "status": {"phase": more.get("phase", "Running"), "conditions": conditions}}


def budget(**spec: Any) -> Obj:
    status = spec.pop("status", {})
    return {"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}, "status": status}


def scale(name: str, replicas: int | None, above: str = "") -> Obj:
    references = [{"kind": "Deployment", "name": above, "uid": f"uid-{above}", "controller": True}] if above else []
    spec = {} if replicas is None else {"replicas": replicas}
    return {"metadata": {"name": name, "uid": f"uid-{name}", "ownerReferences": references}, "spec": spec}


WORLD = {
    ("ReplicaSet", "rs"): scale("rs", 4),
    ("ReplicaSet", "bare"): scale("bare", None),
    ("ReplicaSet", "old"): scale("old", 3, "web"),
    ("ReplicaSet", "new"): scale("new", 2, "web"),
    ("ReplicaSet", "orphan"): scale("orphan", 2, "gone"),
    ("ReplicaSet", "other"): {**scale("other", 9), "metadata": {"name": "other", "uid": "another"}},
    ("Deployment", "web"): scale("web", 4),
    ("StatefulSet", "db"): scale("db", 3),
}


def find(kind: Kind, name: str) -> Obj | None:
    return WORLD.get((kind.kind, name))


FOUR = [pod(f"p{number}") for number in range(4)]


@pytest.mark.parametrize(
    ("spec", "pods", "expected"),
    [
        # (expected, healthy, desired)
        ({"minAvailable": 2}, FOUR, (4, 4, 2)),
        ({"minAvailable": 2}, FOUR[:3], (3, 3, 2)),
        ({"minAvailable": 0}, FOUR, (4, 4, 0)),
        ({"minAvailable": "50%"}, FOUR, (4, 4, 2)),
        ({"minAvailable": "30%"}, FOUR, (4, 4, 2)),
        ({"maxUnavailable": 1}, FOUR[:2], (4, 2, 3)),
        ({"maxUnavailable": "30%"}, FOUR, (4, 4, 2)),
        ({"maxUnavailable": "100%"}, FOUR, (4, 4, 0)),
        ({"maxUnavailable": 9}, FOUR, (4, 4, 0)),
        # Without either field nothing is expected.
        ({}, FOUR, (0, 4, 0)),
        # Pods that are not ready, or are being deleted, are not healthy.
        ({"minAvailable": 1}, [pod("a"), pod("b", ready=False)], (2, 1, 1)),
        ({"minAvailable": 1}, [pod("a"), pod("b", metadata={"deletionTimestamp": "x"})], (2, 1, 1)),
        # Pods without a controller count as they are, but not for a share.
        ({"minAvailable": 1}, [*FOUR, pod("x", "")], (5, 5, 1)),
        ({"minAvailable": "50%"}, [*FOUR, pod("x", "")], (4, 5, 2)),
        # The ReplicaSets of a rollout have the size of their Deployment, once.
        ({"maxUnavailable": "25%"}, [pod("a", "old"), pod("b", "new")], (4, 2, 3)),
        ({"minAvailable": "50%"}, [pod("a", "db", kind="StatefulSet"), pod("b")], (7, 2, 4)),
        # No replicas: one.
        ({"maxUnavailable": 0}, [pod("a", "bare")], (1, 1, 1)),
        ({"maxUnavailable": 1}, [], (0, 0, 0)),
    ],
)
def test_what_a_budget_counts(spec: Obj, pods: list[Obj], expected: tuple[int, int, int]) -> None:
    assert counts(budget(**spec), pods, find, NOW) == Counts(*expected)


@pytest.mark.parametrize(
    ("numbers", "allowed"), [((4, 4, 2), 2), ((4, 2, 2), 0), ((4, 1, 2), 0), ((0, 4, 0), 0), ((4, 4, 0), 4)]
)
def test_as_many_may_go_as_are_healthy_beyond_those_to_keep(numbers: tuple[int, int, int], allowed: int) -> None:
    found = Counts(*numbers)
    assert found.allowed == allowed
    assert found.status() == {
        "expectedPods": numbers[0],
        "currentHealthy": numbers[1],
        "desiredHealthy": numbers[2],
        "disruptionsAllowed": allowed,
    }


@pytest.mark.parametrize(
    "lost",
    [
        pod("lost", "gone"),
        pod("lost", "w", kind="Widget"),
        pod("lost", "other"),  # another object of that name
        pod("lost", "orphan"),  # its Deployment is gone
    ],
)
def test_a_share_of_an_unknown_size_is_unknown_and_a_number_is_not(lost: Obj) -> None:
    with pytest.raises(UnknownScale, match='found no controllers for pod "lost"'):
        counts(budget(maxUnavailable=1), [*FOUR, lost], find, NOW)
    assert counts(budget(minAvailable=1), [*FOUR, lost], find, NOW) == Counts(5, 5, 1)


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [(None, []), ({}, ["a", "b"]), ({"matchLabels": {"app": "web"}}, ["a"]), ({"matchLabels": {"app": "x"}}, [])],
)
def test_a_null_selector_counts_no_pod_and_an_empty_one_all_that_have_not_ended(
    selector: Obj, chosen: list[str]
) -> None:
    pods = [pod("a"), pod("b", metadata={"labels": {}}), pod("c", phase="Succeeded"), pod("d", phase="Failed")]
    assert [each["metadata"]["name"] for each in counted(budget(selector=selector), pods)] == chosen


def test_an_evicted_pod_is_not_healthy_until_it_goes_or_its_time_is_over() -> None:
    going = pod("p1", metadata={"deletionTimestamp": "x"})
    noted = {"p0": rfc3339(NOW), "p1": rfc3339(NOW), "gone": rfc3339(NOW), "late": rfc3339(NOW - DELETION_SECONDS)}
    owned = budget(minAvailable=1, status={"disruptedPods": noted})
    pods = [pod("p0"), going, pod("late"), pod("p3")]
    assert disrupted(owned, NOW).keys() == {"p0", "p1", "gone"}
    assert still_disrupted(owned, pods, NOW) == {"p0": rfc3339(NOW)}
    assert counts(owned, pods, find, NOW).healthy == 2
    assert disrupted(budget(), NOW) == still_disrupted(budget(), pods, NOW) == {}


@pytest.mark.parametrize(
    ("ready", "policy", "numbers", "needs"),
    [
        (True, "IfHealthyBudget", (4, 4, 2), True),
        (True, "AlwaysAllow", (4, 4, 2), True),
        (False, "IfHealthyBudget", (4, 2, 2), False),
        (False, "IfHealthyBudget", (4, 1, 2), True),
        (False, "IfHealthyBudget", (4, 0, 0), True),
        (False, None, (4, 2, 2), False),
        (False, "AlwaysAllow", (4, 1, 2), False),
    ],
)
def test_a_pod_that_is_not_ready_may_go_without_an_allowance(
    ready: bool, policy: str | None, numbers: tuple[int, int, int], needs: bool
) -> None:
    owned = budget(unhealthyPodEvictionPolicy=policy)
    assert needs_allowance(owned, pod("a", ready=ready), Counts(*numbers)) is needs


@pytest.mark.parametrize(
    ("given", "free"),
    [
        (pod("a"), False),
        (pod("a", phase="Pending"), True),
        (pod("a", phase="Succeeded"), True),
        (pod("a", phase="Failed"), True),
        (pod("a", metadata={"deletionTimestamp": "x"}), True),
    ],
)
def test_no_budget_protects_a_pod_that_does_not_run(given: Obj, free: bool) -> None:
    assert is_unprotected(given) is free
