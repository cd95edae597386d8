"""Indexed objects list in order and forget what left an index; a snapshot reads like the caches."""

import random

import pytest

from homeostat.api.kinds import Kind
from homeostat.loop.cache import CacheWorld, UnwatchedKind
from homeostat.loop.objects import ObjectIndex
from homeostat.loop.snapshot import Snapshot

POD = Kind("", "v1", "Pod", "pods", "pod", namespaced=True)
NODE = Kind("", "v1", "Node", "nodes", "node", namespaced=False)


def pod(name, namespace="default", *, uid="", owners=(), node="", controller=True):
    metadata = {"name": name, "namespace": namespace, "uid": uid or f"uid-{namespace}-{name}"}
    if owners:
        metadata["ownerReferences"] = [{"uid": owner, "controller": controller} for owner in owners]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node} if node else {}}


def names(objects):
    return [f"{obj['metadata']['namespace']}/{obj['metadata']['name']}" for obj in objects]


def test_listings_are_ordered_by_namespace_and_name():
    index = ObjectIndex()
    for name, namespace in [("b", "a-b"), ("a", "a"), ("c", "a-b"), ("a", "a-b"), ("b", "a")]:
        index.put(pod(name, namespace))
    assert names(index.list()) == ["a/a", "a/b", "a-b/a", "a-b/b", "a-b/c"]
    assert names(index.list("a-b")) == ["a-b/a", "a-b/b", "a-b/c"]
    assert index.list("none") == ()
    index.remove("a", "a")
    index.remove("a", "b")
    assert names(index.list()) == ["a-b/a", "a-b/b", "a-b/c"]


def test_objects_move_between_owners_and_nodes():
    index = ObjectIndex()
    index.put(pod("p", owners=["o1"]))
    assert names(index.owned("o1")) == ["default/p"]
    assert names(index.owned("")) == []
    index.put(pod("p", node="n1"))
    assert index.owned("o1") == ()
    assert names(index.owned("")) == ["default/p"]
    index.put(pod("p", node="n2", owners=["o2"], controller=False))
    assert index.on_node("n1") == ()
    assert names(index.on_node("n2")) == names(index.owned("o2")) == names(index.owned("")) == ["default/p"]
    index.put(pod("p", uid="again"))
    assert index.by_uid("uid-default-p") is None
    assert index.by_uid("again") is not None
    index.remove("default", "p")
    assert (len(index), index.list(), index.owned(""), index.by_uid("again")) == (0, [], (), None)


def test_it_agrees_with_a_plain_scan_after_any_changes():
    draw = random.Random(7)
    index, plain = ObjectIndex(), {}
    for step in range(3000):
        name, namespace = f"p{draw.randrange(40)}", f"n{draw.randrange(4)}"
        if draw.random() < 0.4:
            index.remove(namespace, name)
            plain.pop((namespace, name), None)
        else:
            owners = draw.sample(["o1", "o2", "o3"], draw.randrange(3))
            obj = pod(name, namespace, uid=f"u{step}", owners=owners, node=draw.choice(["", "x", "y"]))
            index.put(obj)
            plain[(namespace, name)] = obj
        if step % 50 == 0:
            scan = [plain[key] for key in sorted(plain)]
            assert list(index.list()) == scan
            assert list(index.list("n1")) == [obj for obj in scan if obj["metadata"]["namespace"] == "n1"]
            assert list(index.on_node("x")) == [obj for obj in scan if obj["spec"].get("nodeName") == "x"]
            owned = [o for o in scan if any(r["uid"] == "o2" for r in o["metadata"].get("ownerReferences", ()))]
            assert list(index.owned("o2")) == owned
            assert len(index) == len(plain)


def test_a_snapshot_reads_like_the_caches_and_unknown_kinds_as_empty():
    world = Snapshot(12.5, [pod("p", owners=["o"], node="n")], failure="no")
    assert (world.now, world.failure) == (12.5, "no")
    assert world.get(POD, "default", "p") is not None
    assert names(world.owned(POD, "o")) == names(world.on_node(POD, "n")) == ["default/p"]
    assert world.exists_uid("uid-default-p")
    assert list(world.list(NODE)) == []


def test_reading_a_kind_that_is_not_watched_is_a_named_mistake():
    with pytest.raises(UnwatchedKind, match="Node is read but not watched"):
        CacheWorld({}, 0.0).list(NODE)
