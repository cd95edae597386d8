"""How many disruptions a PodDisruptionBudget allows (pkg/controller/disruption)."""

import pytest

from homeostat.api import meta
from homeostat.api.kinds import PDB, POD
from homeostat.controllers.policy import disruption
from homeostat.kit.clock import rfc3339
from tests.support.controlling import Bench, deployment, obj, owner, pod, replica_set


def bench(replicas=4, ready=4, **spec):
    world = Bench([disruption.loop()])
    parent = world.put(replica_set(replicas=replicas))
    for number in range(replicas):
        world.put(pod(f"p{number}", ready=number < ready, metadata={"ownerReferences": [owner(parent)]}))
    world.put(
        obj("policy/v1", "PodDisruptionBudget", "web", spec={"selector": {"matchLabels": {"app": "web"}}, **spec})
    )
    world.settle()
    return world


def status(world):
    return world.need(PDB, "web")["status"]


@pytest.mark.parametrize(
    ("spec", "ready", "desired", "allowed"),
    [
        ({"minAvailable": 2}, 4, 2, 2),
        ({"minAvailable": 4}, 4, 4, 0),
        ({"minAvailable": "50%"}, 4, 2, 2),
        ({"minAvailable": "30%"}, 4, 2, 2),  # rounded up
        ({"maxUnavailable": 1}, 4, 3, 1),
        ({"maxUnavailable": 1}, 3, 3, 0),
        ({"maxUnavailable": "50%"}, 3, 2, 1),
        ({"maxUnavailable": 0}, 4, 4, 0),
    ],
)
def test_what_may_go(spec, ready, desired, allowed):
    world = bench(ready=ready, **spec)
    budget_status = status(world)
    assert (budget_status["currentHealthy"], budget_status["desiredHealthy"], budget_status["disruptionsAllowed"]) == (
        ready,
        desired,
        allowed,
    )
    assert budget_status["expectedPods"] == 4
    assert budget_status["observedGeneration"] == 1
    condition = meta.condition(world.need(PDB, "web"), "DisruptionAllowed")
    assert condition["status"] == ("True" if allowed else "False")


def test_pods_that_come_go_and_change_are_counted_again():
    world = bench(minAvailable=2)
    world.remove(POD, "p0")
    world.settle()
    assert status(world)["disruptionsAllowed"] == 1
    world.change(POD, "p1", "default", lambda p: p["metadata"].update(deletionTimestamp="2027-01-01T00:00:00Z"))
    world.settle()
    assert status(world)["disruptionsAllowed"] == 0


def test_an_evicted_pod_does_not_count_and_is_given_up_after_two_minutes():
    world = bench(minAvailable=2)
    world.change(PDB, "web", "default", lambda b: b["status"].update(disruptedPods={"p0": rfc3339(world.now)}))
    world.settle()
    assert status(world)["currentHealthy"] == 3
    world.advance(121)
    assert status(world)["currentHealthy"] == 4
    assert "disruptedPods" not in status(world)


def test_pods_whose_controller_does_not_say_how_many_there_should_be_cannot_be_counted():
    foreign = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "w", "controller": True}
    world = Bench([disruption.loop()], [pod("odd", ready=True, metadata={"ownerReferences": [foreign]})])
    spec = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": "50%"}
    world.put(obj("policy/v1", "PodDisruptionBudget", "web", spec=spec))
    world.settle()
    condition = meta.condition(world.need(PDB, "web"), "DisruptionAllowed")
    assert (condition["status"], condition["reason"]) == ("False", "SyncFailed")
    assert status(world)["disruptionsAllowed"] == 0
    why = 'found no controllers for pod "odd"'
    assert condition["message"] == why
    text = f"Failed to calculate the number of expected pods: {why}"
    assert world.events == [("CalculateExpectedPodCountFailed", text)]


@pytest.mark.parametrize(
    ("spec", "expected", "desired", "allowed"),
    [
        ({"minAvailable": 1}, 3, 1, 2),  # a number counts the Pods that are there
        ({"minAvailable": "50%"}, 2, 1, 2),  # a share is one of the controllers' sizes
        ({"maxUnavailable": 1}, 2, 1, 2),
    ],
)
def test_pods_without_a_controller_add_nothing_to_the_size(spec, expected, desired, allowed):
    world = Bench([disruption.loop()])
    parent = world.put(replica_set(replicas=2))
    for name in ("a", "b"):
        world.put(pod(name, ready=True, metadata={"ownerReferences": [owner(parent)]}))
    world.put(pod("bare", ready=True))
    full = {"selector": {"matchLabels": {"app": "web"}}, **spec}
    world.put(obj("policy/v1", "PodDisruptionBudget", "web", spec=full))
    world.settle()
    budget_status = status(world)
    assert (budget_status["expectedPods"], budget_status["desiredHealthy"], budget_status["disruptionsAllowed"]) == (
        expected,
        desired,
        allowed,
    )


def test_the_size_of_a_rollout_is_that_of_its_deployment_counted_once():
    world = Bench([disruption.loop()])
    top = world.put(deployment(replicas=4))
    for name, size in (("old", 3), ("new", 2)):
        child = replica_set(name, replicas=size)
        child["metadata"]["ownerReferences"] = [owner(top)]
        parent = world.put(child)
        for number in range(size):
            world.put(pod(f"{name}-{number}", ready=True, metadata={"ownerReferences": [owner(parent)]}))
    spec = {"selector": {"matchLabels": {"app": "web"}}, "maxUnavailable": "25%"}
    world.put(obj("policy/v1", "PodDisruptionBudget", "web", spec=spec))
    world.settle()
    budget_status = status(world)
    assert (budget_status["expectedPods"], budget_status["currentHealthy"], budget_status["desiredHealthy"]) == (
        4,
        5,
        3,
    )
    assert budget_status["disruptionsAllowed"] == 2


@pytest.mark.parametrize(
    "phase",
    ["Succeeded", "Failed"],
)
def test_ended_pods_are_neither_healthy_nor_expected(phase):
    world = bench(minAvailable=2)
    world.change(POD, "p0", "default", lambda p: p["status"].update(phase=phase))
    world.settle()
    assert (status(world)["currentHealthy"], status(world)["expectedPods"]) == (3, 3)


def test_a_budget_over_nothing_allows_nothing():
    world = Bench([disruption.loop()])
    spec = {"selector": {"matchLabels": {"app": "web"}}, "maxUnavailable": 1}
    world.put(obj("policy/v1", "PodDisruptionBudget", "web", spec=spec))
    world.settle()
    budget_status = status(world)
    assert (budget_status["expectedPods"], budget_status["disruptionsAllowed"]) == (0, 0)


def test_a_budget_that_is_content_is_not_written_again():
    world = bench(minAvailable=2)
    written = list(world.writes)
    world.change(PDB, "web", "default", lambda b: None)
    world.change(POD, "p0", "default", lambda p: p["metadata"].update(annotations={"a": "b"}))
    world.advance(600)
    assert world.writes == written


def test_pods_of_other_namespaces_and_labels_do_not_count():
    world = bench(minAvailable=2)
    world.put(pod("far", ready=True, metadata={"namespace": "elsewhere"}))
    world.put(pod("other", app="db", ready=True))
    world.settle()
    assert status(world)["currentHealthy"] == 4


def test_a_pod_that_changes_its_labels_changes_both_budgets():
    world = bench(minAvailable=2)
    spec = {"selector": {"matchLabels": {"app": "db"}}, "minAvailable": 0}
    world.put(obj("policy/v1", "PodDisruptionBudget", "db", spec=spec))
    world.settle()
    world.change(POD, "p0", "default", lambda p: p["metadata"]["labels"].update(app="db"))
    world.settle()
    assert status(world)["currentHealthy"] == 3
    assert world.need(PDB, "db")["status"]["currentHealthy"] == 1
