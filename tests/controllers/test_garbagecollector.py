"""Owned objects are deleted with their owners, by the three propagation policies of kubectl
(pkg/controller/garbagecollector)."""

from homeostat.api import meta
from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import CONFIGMAP, DEPLOYMENT, NODE, POD, REPLICASET
from homeostat.api.rules import ownership
from homeostat.controllers.ownership import garbagecollector
from homeostat.loop.snapshot import Snapshot
from tests.support.controlling import NOW, Bench, deployment, node, obj, owner, pod, replica_set


def bench(*objects, graceful=False):
    return Bench([garbagecollector.loop()], objects, graceful=graceful)


def family(**options):
    """A Deployment with a ReplicaSet with two Pods."""
    world = bench(**options)
    top = world.put(deployment())
    middle = world.put(replica_set("middle") | {"metadata": {"name": "middle", "namespace": "default"}})
    world.change(REPLICASET, "middle", "default", lambda r: r["metadata"].update(ownerReferences=[owner(top)]))
    for name in ("a", "b"):
        world.put(pod(name, node="n1", metadata={"ownerReferences": [owner(middle)]}))
    world.settle()
    return world


def test_while_owners_live_nothing_happens():
    world = family()
    assert world.writes == []


def test_background_deletion_takes_the_whole_line():
    world = family()
    world.delete(DEPLOYMENT, "web")
    assert world.names(REPLICASET) == ["middle"]
    world.settle()
    assert world.all(REPLICASET) == world.all(POD) == []


def test_foreground_deletion_takes_the_owner_last():
    world = family()
    world.delete(DEPLOYMENT, "web", propagation="Foreground")
    assert meta.finalizers(world.need(DEPLOYMENT, "web")) == ["foregroundDeletion"]
    world.settle()
    assert world.all(DEPLOYMENT) == world.all(REPLICASET) == world.all(POD) == []
    gone = [name for verb, _, name in world.writes if verb == "delete"]
    assert gone == ["web", "middle", "a", "b"]


def test_in_a_foreground_deletion_owners_wait_for_pods_that_end_slowly():
    world = family(graceful=True)
    world.delete(DEPLOYMENT, "web", propagation="Foreground")
    world.settle()
    assert world.names(POD) == ["a", "b"]
    assert world.names(REPLICASET) == ["middle"]
    assert world.names(DEPLOYMENT) == ["web"]
    world.remove(POD, "a")
    world.remove(POD, "b")
    world.settle()
    assert world.all(DEPLOYMENT) == world.all(REPLICASET) == []


def test_dependents_that_do_not_block_do_not_hold_the_owner_up():
    world = bench(graceful=True)
    top = world.put(replica_set())
    world.put(pod("a", node="n1", metadata={"ownerReferences": [owner(top, block=False)]}))
    world.delete(REPLICASET, "web", propagation="Foreground")
    world.settle()
    assert world.all(REPLICASET) == []


def test_orphaning_keeps_the_dependents_and_cuts_the_reference():
    world = family()
    world.delete(DEPLOYMENT, "web", propagation="Orphan")
    world.settle()
    assert world.all(DEPLOYMENT) == []
    assert ownership.owner_references(world.need(REPLICASET, "middle")) == []
    assert world.names(POD) == ["a", "b"]


def test_an_object_with_another_living_owner_stays_and_forgets_the_dead_one():
    world = bench()
    one, two = world.put(replica_set("one")), world.put(replica_set("two"))
    world.put(pod("a", metadata={"ownerReferences": [owner(one), owner(two, controller=False)]}))
    world.settle()
    world.delete(REPLICASET, "one")
    world.settle()
    assert [reference["name"] for reference in ownership.owner_references(world.need(POD, "a"))] == ["two"]


def test_an_object_created_after_its_owner_went_goes_too():
    world = bench()
    gone = world.put(replica_set("gone"))
    world.remove(REPLICASET, "gone")
    world.put(pod("late", metadata={"ownerReferences": [owner(gone)]}))
    world.settle()
    assert world.all(POD) == []


def test_an_owner_that_is_missing_from_the_cache_is_confirmed_before_anything_is_deleted():
    absent = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "slow-cache", "uid": "u-1"}
    world = Snapshot(NOW, [pod("a", metadata={"uid": "p", "ownerReferences": [absent]})])
    (action,) = garbagecollector.loop().decide("pods|default/a", world)
    assert type(action).__name__ == "Confirm"
    (claim,) = action.absent
    assert (claim.kind, claim.namespace, claim.name, claim.uid) == (REPLICASET, "default", "slow-cache", "u-1")
    assert [type(step).__name__ for step in action.then] == ["Delete"]


def test_an_owner_of_the_same_name_but_another_uid_is_another_object():
    world = bench()
    old = owner(world.put(replica_set("twin")))
    world.remove(REPLICASET, "twin")
    world.put(replica_set("twin"))
    world.put(pod("a", metadata={"ownerReferences": [old]}))
    world.settle()
    assert world.all(POD) == []
    assert world.names(REPLICASET) == ["twin"]


def test_a_namespaced_owner_of_a_cluster_wide_object_is_named_invalid_and_nothing_is_deleted():
    world = bench()
    inner = world.put(obj("v1", "ConfigMap", "inner", data={}))
    made = node("n1")
    made["metadata"]["ownerReferences"] = [owner(inner)]
    world.put(made)
    world.settle()
    assert world.names(NODE) == ["n1"]
    assert world.reasons() == ["OwnerRefInvalidNamespace"]


def test_an_owner_in_another_namespace_does_not_count():
    world = bench()
    far = world.put(obj("v1", "ConfigMap", "far", namespace="elsewhere", data={}))
    world.put(obj("v1", "ConfigMap", "near", data={}, metadata={"ownerReferences": [owner(far)]}))
    world.settle()
    assert world.names(CONFIGMAP) == ["far"]
    assert world.reasons() == ["OwnerRefInvalidNamespace"]


def test_owners_of_kinds_that_are_not_served_count_as_there():
    unknown = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "w-1"}
    world = bench(pod("a", metadata={"ownerReferences": [unknown]}))
    world.settle()
    assert world.names(POD) == ["a"]
    assert world.writes == []


def test_owners_that_wait_for_each_other_in_a_circle_all_go():
    world = bench()
    one = world.put(obj("v1", "ConfigMap", "one", data={}))
    two = world.put(obj("v1", "ConfigMap", "two", data={}, metadata={"ownerReferences": [owner(one)]}))
    world.change(CONFIGMAP, "one", "default", lambda c: c["metadata"].update(ownerReferences=[owner(two)]))
    world.settle()
    world.delete(CONFIGMAP, "one", propagation="Foreground")
    world.settle()
    assert world.all(CONFIGMAP) == []


def test_changes_that_do_not_concern_ownership_cost_no_decision():
    loop = garbagecollector.loop()
    (watch,) = [watch for watch in loop.watching(Catalogue.builtin()) if watch.kind is POD]
    parent = replica_set() | {"metadata": {"name": "web", "namespace": "default", "uid": "u"}}
    old = pod("a", metadata={"ownerReferences": [owner(parent)]})
    assert list(watch.keys(old, old | {"status": {"phase": "Running"}}, Snapshot(NOW))) == []
    assert list(watch.keys(None, old, Snapshot(NOW))) == ["pods|default/a"]


def test_caches_keep_only_who_an_object_is_and_whose():
    full = obj("v1", "Secret", "s", data={"password": "x"}, metadata={"uid": "u", "labels": {"a": "b"}})
    trimmed = garbagecollector.trim(full)
    assert trimmed == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "default", "uid": "u"},
    }
