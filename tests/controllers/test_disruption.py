"""How many Pods a PodDisruptionBudget lets go (pkg/controller/disruption)."""

import pytest

from homeostat.api import meta
from homeostat.api.kinds import PDB, POD
from homeostat.controllers import disruption
from homeostat.kit.clock import rfc3339
from tests.support.controlling import Bench, obj, owner, pod, replica_set


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
    told = status(world)
    assert (told["currentHealthy"], told["desiredHealthy"], told["disruptionsAllowed"]) == (ready, desired, allowed)
    assert told["expectedPods"] == 4
    assert told["observedGeneration"] == 1
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


def test_a_percentage_of_pods_without_controller_cannot_be_told():
    world = Bench([disruption.loop()], [pod("alone", ready=True)])
    spec = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": "50%"}
    world.put(obj("policy/v1", "PodDisruptionBudget", "web", spec=spec))
    world.settle()
    condition = meta.condition(world.need(PDB, "web"), "DisruptionAllowed")
    assert (condition["status"], condition["reason"]) == ("False", "SyncFailed")
    assert status(world)["disruptionsAllowed"] == 0
    assert world.reasons() == ["CalculateExpectedPodCountFailed"]
