"""Each Node has a range for its Pods (pkg/controller/nodeipam)."""

from homeostat.api.kinds import NODE
from homeostat.controllers.nodes import nodeipam
from tests.support.controlling import Bench, node


def bench(*nodes, cluster="10.244.0.0/16", prefix=24):
    return Bench([nodeipam.loop(cluster, node_prefix=prefix)], nodes)


def ranged(name, *ranges):
    made = node(name)
    made["spec"] |= {"podCIDR": ranges[0], "podCIDRs": list(ranges)}
    return made


def ranges(world):
    return {found["metadata"]["name"]: found["spec"].get("podCIDR") for found in world.all(NODE)}


def test_nodes_without_a_range_get_the_lowest_that_are_free():
    world = bench(node("a"), ranged("b", "10.244.1.0/24"), node("c"))
    world.settle()
    assert ranges(world) == {"a": "10.244.0.0/24", "b": "10.244.1.0/24", "c": "10.244.2.0/24"}
    assert world.need(NODE, "a")["spec"]["podCIDRs"] == ["10.244.0.0/24"]


def test_a_range_never_changes_once_it_is_set():
    world = bench(ranged("a", "127.10.1.0/24"), ranged("b", "10.244.7.0/24"))
    world.settle()
    assert world.writes == []


def test_a_larger_range_of_another_takes_all_its_parts():
    world = bench(ranged("a", "10.244.0.0/22"), node("b"))
    world.settle()
    assert ranges(world)["b"] == "10.244.4.0/24"


def test_nothing_of_the_cluster_is_left_while_one_node_has_all():
    world = bench(ranged("a", "10.244.0.0/16", "fd00::/64"), node("b"))
    world.settle()
    assert ranges(world)["b"] is None


def test_a_full_range_is_reported_and_a_deleted_node_frees_its_part():
    world = bench(node("a"), node("b"), node("c"), cluster="10.244.0.0/23")
    world.settle()
    assert ranges(world) == {"a": "10.244.0.0/24", "b": "10.244.1.0/24", "c": None}
    assert world.reasons() == ["CIDRNotAvailable"]
    world.remove(NODE, "a", "")
    world.settle()
    assert ranges(world) == {"b": "10.244.1.0/24", "c": "10.244.0.0/24"}


def test_other_changes_of_nodes_are_not_looked_at():
    world = bench(node("a"))
    world.settle()
    world.change(NODE, "a", "", lambda found: found["metadata"]["labels"].update(x="y"))
    assert world.writes == [("write", "Node", "a")]
    world.settle()
    assert world.writes == [("write", "Node", "a")]


def test_every_node_of_many_has_a_range_of_its_own():
    world = bench(*(node(f"n{number:03d}") for number in range(40)), prefix=26)
    world.settle()
    assert len(set(ranges(world).values())) == 40
