"""The ReplicaSet loop keeps as many Pods as it is asked to (pkg/controller/replicaset)."""

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import POD, REPLICASET
from homeostat.api.rules import ownership
from homeostat.controllers.workloads import replicaset
from homeostat.loop.snapshot import Snapshot
from tests.support.controlling import NOW, Bench, owner, pod, replica_set, run


def bench(*objects, **options):
    return Bench([replicaset.loop()], objects, **options)


def status(of):
    return of.need(REPLICASET, "web")["status"]


def test_creates_what_is_missing_and_says_so():
    world = bench(replica_set(replicas=3))
    world.settle()
    pods = world.all(POD)
    assert len(pods) == 3
    assert {meta.labels(item)["app"] for item in pods} == {"web"}
    assert all(ownership.controlled_by(item, world.need(REPLICASET, "web")) for item in pods)
    assert world.events[0] == ("SuccessfulCreate", "Created pod: web-00001")
    assert status(world) == {"replicas": 3, "observedGeneration": 1, "fullyLabeledReplicas": 3}


def test_counts_ready_and_available_pods():
    world = bench(replica_set(replicas=2, minReadySeconds=10))
    world.settle()
    for item in world.all(POD):
        world.change(POD, meta.name(item), "default", lambda p: run(p, world.now))
    world.settle()
    assert status(world)["readyReplicas"] == 2
    assert "availableReplicas" not in status(world)
    world.advance(11)
    assert status(world)["availableReplicas"] == 2


def test_a_pod_is_available_when_its_min_ready_seconds_are_over_and_not_a_second_before():
    wanted = replica_set(replicas=1, minReadySeconds=10)
    wanted["metadata"]["uid"] = "u-web"
    mine = run(pod("mine", metadata={"ownerReferences": [owner(wanted)]}), NOW)

    def decided(after):
        return " ".join(map(str, replicaset.decide("default/web", Snapshot(NOW + after, [mine, wanted]))))

    assert "'availableReplicas'" not in decided(9) and "Later(seconds=1.0" in decided(9)
    assert "'availableReplicas': 1" in decided(10) and "Later" not in decided(10)


def test_replaces_a_deleted_pod_at_once_while_the_old_one_still_ends():
    world = bench(replica_set(replicas=1), graceful=True)
    world.settle()
    (name,) = world.names(POD)
    world.change(POD, name, "default", lambda p: p["spec"].update(nodeName="n"))
    world.delete(POD, name)
    world.settle()
    assert len(world.all(POD)) == 2
    assert status(world)["terminatingReplicas"] == 1
    world.remove(POD, name)
    world.settle()
    assert len(world.all(POD)) == 1
    assert "terminatingReplicas" not in status(world)


def test_replaces_a_failed_pod():
    world = bench(replica_set(replicas=1))
    world.settle()
    world.change(POD, world.names(POD)[0], "default", lambda p: p.update(status={"phase": "Failed"}))
    world.settle()
    assert [meta.pod_phase(item) for item in world.all(POD)] == ["Failed", "Pending"]


def test_at_most_500_pods_a_round():
    snapshot = Snapshot(NOW, [replica_set(replicas=1200)])
    creates = [a for a in replicaset.decide("default/web", snapshot) if type(a).__name__ == "Create"]
    assert len(creates) == 500


def test_a_create_notes_how_many_replicas_exist_of_how_many():
    wanted = replica_set(replicas=3)
    wanted["metadata"]["uid"] = "u-web"
    snapshot = Snapshot(NOW, [pod("mine", metadata={"ownerReferences": [owner(wanted)]}), wanted])
    creates = [a for a in replicaset.decide("default/web", snapshot) if type(a).__name__ == "Create"]
    assert [action.note for action in creates] == ["1 of 3 replicas exist"] * 2


def test_a_condition_says_failure_only_while_pods_are_missing_and_the_last_round_failed():
    def failing(replicas, failure):
        actions = replicaset.decide("default/web", Snapshot(NOW, [replica_set(replicas=replicas)], failure=failure))
        return [a for a in actions if type(a).__name__ == "Patch" and "ReplicaFailure" in str(a)]

    assert failing(600, "quota") != []
    assert failing(600, "") == [], "more Pods are to come, and nothing is wrong"
    assert failing(0, "an earlier round failed") == [], "nothing is missing any more"


def test_adopts_matching_orphans_and_leaves_others_alone():
    world = bench(pod("mine"), pod("other", app="db"), replica_set(replicas=1))
    world.settle()
    assert world.names(POD) == ["mine", "other"]
    assert ownership.controlled_by(world.need(POD, "mine"), world.need(REPLICASET, "web"))
    assert ownership.controller_of(world.need(POD, "other")) is None


def test_an_orphan_that_appears_later_is_adopted_too():
    world = bench(replica_set(replicas=1))
    world.settle()
    world.put(pod("later"))
    world.settle()
    assert len(world.all(POD)) == 1


def test_never_takes_a_pod_from_another_controller():
    other = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "else", "uid": "else", "controller": True}
    world = bench(pod("theirs", metadata={"ownerReferences": [other]}), replica_set(replicas=1))
    world.settle()
    assert len(world.all(POD)) == 2
    assert ownership.owner_references(world.need(POD, "theirs")) == [other]


def test_releases_a_pod_whose_label_was_changed_and_replaces_it():
    world = bench(replica_set(replicas=1))
    world.settle()
    (name,) = world.names(POD)
    world.change(POD, name, "default", lambda p: p["metadata"]["labels"].update(app="debug"))
    world.settle()
    assert ownership.owner_references(world.need(POD, name)) == []
    assert len(world.all(POD)) == 2


def test_a_deleted_replica_set_neither_creates_nor_deletes():
    going = replica_set(replicas=3)
    going["metadata"] |= {"deletionTimestamp": "2027-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]}
    world = bench(going)
    world.settle()
    assert world.all(POD) == []


def test_a_refused_create_becomes_a_condition_that_goes_when_it_works():
    world = bench(replica_set(replicas=1))
    forbidden = ApiError(403, "Forbidden", 'pods "web-" is forbidden: exceeded quota')
    world.refuse = lambda action: forbidden if type(action).__name__ == "Create" else None
    world.settle()
    world.advance(1)
    assert world.events[0] == ("FailedCreate", f"Error creating: {forbidden.message}")
    condition = meta.condition(world.need(REPLICASET, "web"), "ReplicaFailure")
    assert (condition["reason"], condition["message"]) == ("FailedCreate", forbidden.message)
    world.refuse = lambda action: None
    world.advance(2)
    assert len(world.all(POD)) == 1
    assert meta.condition(world.need(REPLICASET, "web"), "ReplicaFailure") is None


def scaled_down_by_one(*pods):
    """The Pod that is deleted when a ReplicaSet of all these is to have one less."""
    world = bench()
    parent = world.put(replica_set(replicas=len(pods)))
    for item in pods:
        item["metadata"].setdefault("creationTimestamp", "2027-01-01T00:00:00Z")
        world.put(item | {"metadata": item["metadata"] | {"ownerReferences": [owner(parent)]}})
    world.settle()
    before = set(world.names(POD))
    assert len(before) == len(pods)
    world.change(REPLICASET, "web", "default", lambda r: r["spec"].update(replicas=len(pods) - 1))
    world.settle()
    (gone,) = before - set(world.names(POD))
    return gone


def costly(name, cost, **fields):
    annotations = {"controller.kubernetes.io/pod-deletion-cost": cost}
    return pod(name, node="n1", ready=True, metadata={"annotations": annotations}, **fields)


def test_unassigned_pods_go_before_assigned_ones():
    assert scaled_down_by_one(pod("a", node="n1"), pod("b")) == "b"


def test_pending_pods_go_before_running_ones():
    running = run(pod("a", node="n1"), NOW, ready=False)
    assert scaled_down_by_one(running, pod("b", node="n1")) == "b"


def test_unready_pods_go_before_ready_ones():
    unready = run(pod("b", node="n2"), NOW, ready=False)
    assert scaled_down_by_one(pod("a", node="n1", ready=True), unready) == "b"


def test_cheap_pods_go_before_costly_ones():
    assert scaled_down_by_one(costly("a", "10"), costly("b", "-5"), costly("c", "0")) == "b"


def test_pods_on_a_crowded_node_go_first():
    pods = [pod("a", node="n1", ready=True), pod("b", node="n2", ready=True), pod("c", node="n2", ready=True)]
    assert scaled_down_by_one(*pods) in ("b", "c")


def test_pods_that_became_ready_lately_go_before_long_ready_ones():
    old = run(pod("a", node="n1"), NOW - 86_400)
    assert scaled_down_by_one(old, run(pod("b", node="n2"), NOW - 10)) == "b"


def test_pods_that_restart_often_go_first():
    restarts = {"containerStatuses": [{"restartCount": 7}]}
    pods = [pod("a", node="n1", ready=True), pod("b", node="n2", ready=True, **restarts)]
    assert scaled_down_by_one(*pods) == "b"


def test_young_pods_go_before_old_ones():
    old = pod("a", node="n1", metadata={"creationTimestamp": "2020-01-01T00:00:00Z"})
    young = pod("b", node="n2", metadata={"creationTimestamp": "2027-01-15T07:59:00Z"})
    assert scaled_down_by_one(old, young) == "b"


def test_with_3000_ready_pods_there_is_nothing_to_do():
    parent = replica_set(replicas=3000)
    parent["metadata"]["uid"] = "u"
    pods = [
        pod(f"p{i}", node=f"n{i % 90}", ready=True, metadata={"uid": f"{i}", "ownerReferences": [owner(parent)]})
        for i in range(3000)
    ]
    world = Snapshot(NOW, [parent, *pods])
    (patch,) = replicaset.decide("default/web", world)
    parent["status"] = patch.patch["status"]
    assert replicaset.decide("default/web", world) == []
