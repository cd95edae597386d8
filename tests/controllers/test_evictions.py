"""Pods leave tainted nodes when their tolerations say (pkg/controller/tainteviction)."""

from homeostat.api import meta
from homeostat.api.kinds import NODE, POD
from homeostat.controllers.nodes import tainteviction
from homeostat.kit.clock import rfc3339
from tests.support.controlling import Bench, node, pod

KEY = "node.kubernetes.io/unreachable"


def bench(*objects):
    return Bench([tainteviction.loop()], objects, graceful=True)


def patient(name, seconds, key=KEY, **fields):
    toleration = {"key": key, "operator": "Exists", "effect": "NoExecute"}
    if seconds is not None:
        toleration["tolerationSeconds"] = seconds
    return pod(name, node="n1", spec={"tolerations": [toleration]}, **fields)


def taint(world, key=KEY, *, timed=True, name="n1"):
    added = {"timeAdded": rfc3339(world.now)} if timed else {}
    wanted = {"key": key, "effect": "NoExecute", **added}
    world.change(NODE, name, "", lambda n: n["spec"].setdefault("taints", []).append(wanted))


def going(world):
    return [meta.name(item) for item in world.all(POD) if meta.deleting(item)]


def test_a_pod_goes_when_its_toleration_runs_out():
    world = bench(node("n1"), patient("a", 300))
    taint(world)
    world.advance(299)
    assert going(world) == []
    world.advance(1)
    assert going(world) == ["a"]
    assert ("TaintManagerEviction", "Marking for deletion Pod default/a") in world.events
    target = meta.condition(world.need(POD, "a"), "DisruptionTarget")
    assert (target["status"], target["reason"]) == ("True", "DeletionByTaintManager")


def test_a_pod_without_toleration_goes_at_once():
    world = bench(node("n1"), pod("a", node="n1"), pod("b", node="n2"), node("n2"))
    taint(world)
    world.settle()
    assert going(world) == ["a"]


def test_a_pod_that_tolerates_without_limit_stays():
    world = bench(node("n1"), patient("a", None))
    taint(world)
    world.advance(10_000)
    assert going(world) == []
    assert world.events == []


def test_eviction_is_called_off_when_the_taint_goes():
    world = bench(node("n1"), patient("a", 300))
    taint(world)
    world.advance(200)
    world.change(NODE, "n1", "", lambda n: n["spec"].pop("taints"))
    world.advance(500)
    assert going(world) == []
    assert world.events == [("TaintManagerEviction", "Cancelling deletion of Pod default/a")]


def test_the_shortest_toleration_in_use_counts():
    world = bench(node("n1"))
    made = patient("a", 300)
    made["spec"]["tolerations"].append({"key": "other", "operator": "Exists", "tolerationSeconds": 20})
    world.put(made)
    taint(world)
    taint(world, "other")
    world.advance(21)
    assert going(world) == ["a"]


def test_taints_put_by_hand_count_from_when_they_were_seen():
    world = bench(node("n1"), patient("a", 60, key="maintenance"))
    world.advance(1000)
    taint(world, "maintenance", timed=False)
    world.advance(59)
    assert going(world) == []
    world.advance(1)
    assert going(world) == ["a"]
    world.remove(POD, "a")
    world.change(NODE, "n1", "", lambda n: n["spec"].pop("taints"))
    world.put(patient("b", 60, key="maintenance"))
    taint(world, "maintenance", timed=False)
    world.advance(59)
    assert going(world) == []


def test_a_pod_bound_to_a_node_that_is_tainted_already_gets_its_whole_time():
    world = bench(node("n1"))
    taint(world)
    world.advance(1000)
    world.put(patient("a", 60))
    world.advance(59)
    assert going(world) == []
    world.advance(1)
    assert going(world) == ["a"]


def test_noschedule_taints_evict_nobody():
    world = bench(node("n1", taints=[{"key": "x", "effect": "NoSchedule"}]), pod("a", node="n1"))
    world.settle()
    assert going(world) == []


def test_a_planned_eviction_is_dropped_with_its_pod():
    world = bench(node("n1"), patient("a", 300))
    taint(world)
    world.settle()
    world.remove(POD, "a")
    world.advance(400)
    assert world.events == []


def test_a_taint_that_is_put_back_by_hand_restarts_the_toleration():
    world = bench(node("n1"), patient("a", 300, key="by-hand"))
    taint(world, "by-hand", timed=False)
    world.advance(100)
    world.change(NODE, "n1", "", lambda n: n["spec"].update(taints=[]))
    world.advance(100)
    taint(world, "by-hand", timed=False)
    world.advance(299)
    assert going(world) == []
    world.advance(1)
    assert going(world) == ["a"]


def test_a_node_that_appears_with_a_taint_evicts_the_pods_that_are_bound_to_it():
    world = bench(pod("a", node="n1"))
    world.settle()
    assert going(world) == []
    tainted = node("n1")
    tainted["spec"]["taints"] = [{"key": KEY, "effect": "NoExecute", "timeAdded": rfc3339(world.now)}]
    world.put(tainted)
    world.settle()
    assert going(world) == ["a"]
