"""Pods that no node agent will finish are removed by force (pkg/controller/podgc)."""

from homeostat.api import meta
from homeostat.api.kinds import NODE, POD
from homeostat.controllers.ownership import podgc
from homeostat.kit.clock import rfc3339
from tests.support.controlling import NOW, Bench, node, pod

DELETED = {"deletionTimestamp": rfc3339(NOW)}


def bench(*objects, ended_pods_max=12_500):
    return Bench([podgc.loop(ended_pods_max=ended_pods_max)], objects, graceful=True)


def test_pods_of_a_missing_node_go_after_40_seconds():
    world = bench(node("n1"), pod("a", node="n1", ready=True), pod("b", node="n2"), node("n2"))
    world.settle()
    world.remove(NODE, "n1", "")
    world.advance(39)
    assert world.names(POD) == ["a", "b"]
    world.advance(1)
    assert world.names(POD) == ["b"]
    assert [write for write in world.writes if write[2] == "a"] == [("status", "Pod", "a"), ("delete", "Pod", "a")]


def test_a_node_that_comes_back_within_the_quarantine_keeps_its_pods():
    world = bench(node("n1"), pod("a", node="n1", ready=True))
    world.settle()
    world.remove(NODE, "n1", "")
    world.advance(30)
    world.put(node("n1"))
    world.advance(100)
    assert world.names(POD) == ["a"]
    world.remove(NODE, "n1", "")
    world.advance(39)
    assert world.names(POD) == ["a"]


def test_a_node_that_goes_again_within_the_quarantine_starts_it_anew():
    world = bench(node("n1"), pod("a", node="n1", ready=True))
    world.settle()
    for seconds in (20, 15):
        world.remove(NODE, "n1", "")
        world.advance(seconds)
        world.put(node("n1"))
        world.advance(1)
    world.remove(NODE, "n1", "")
    world.advance(39)
    assert world.names(POD) == ["a"]
    world.advance(1)
    assert world.names(POD) == []


def test_an_unscheduled_pod_that_is_being_deleted_goes_at_once():
    world = bench(pod("a", metadata=DELETED | {"labels": {}}), pod("b"))
    world.settle()
    assert world.names(POD) == ["b"]


def test_pods_that_are_being_deleted_on_a_node_out_of_service_go():
    dead = node("n1", ready="Unknown", taints=[{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}])
    world = bench(dead, pod("a", node="n1", metadata=DELETED | {"labels": {}}), pod("b", node="n1"))
    world.settle()
    assert world.names(POD) == ["b"]


def test_ended_pods_beyond_the_limit_go_evicted_and_old_ones_first():
    def ended(name, created, **status):
        made = pod(name, node="n1", phase="Succeeded", **status)
        made["metadata"]["creationTimestamp"] = rfc3339(NOW + created)
        return made

    world = bench(
        node("n1"),
        ended("old", 0),
        ended("new", 10),
        ended("evicted", 20, reason="Evicted"),
        pod("running", node="n1", ready=True),
        ended_pods_max=1,
    )
    world.settle()
    assert world.names(POD) == ["new", "running"]
    world.put(ended("newer", 30))
    world.advance(21)
    assert world.names(POD) == ["newer", "running"]


def test_no_limit_keeps_every_ended_pod():
    world = bench(node("n1"), pod("a", node="n1", phase="Failed"), ended_pods_max=0)
    world.advance(100)
    assert world.names(POD) == ["a"]
    assert meta.pod_terminal(world.need(POD, "a"))
