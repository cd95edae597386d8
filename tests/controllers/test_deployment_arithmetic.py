"""The arithmetic of rollouts: maxSurge and maxUnavailable, shares of a change of size, counts, revisions and deadlines.

Numbers are worked out by hand from the rules of pkg/controller/deployment (rolling.go, sync.go, progress.go).
"""

import pytest

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import DEPLOYMENT, POD, REPLICASET
from homeostat.api.rules import ownership, wellknown
from homeostat.controllers.workloads import deployment, replicaset
from homeostat.controllers.workloads.deployment_revisions import build_replica_set
from homeostat.controllers.workloads.fenceposts import fenceposts
from tests.support.controlling import Bench, owner, replica_set, run, template
from tests.support.controlling import deployment as make

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"


class Rollout(Bench):
    """Pods of an image that begins with `broken` never become ready, all others at once."""

    def __init__(self, *objects):
        super().__init__([deployment.loop(), replicaset.loop()], objects)
        self.after = self.start_pods

    def start_pods(self):
        for item in self.all(POD):
            if not meta.pod_ready(item) and not self.image_of(item).startswith("broken"):
                self.change(POD, meta.name(item), "default", lambda p: run(p, self.now))

    def image_of(self, item):
        return item["spec"]["containers"][0]["image"]

    def edit(self, **fields):
        self.change(DEPLOYMENT, "web", "default", lambda d: d["spec"].update(fields))
        self.settle()

    def image(self, image):
        self.edit(template=template("web", image))

    @property
    def web(self):
        return self.need(DEPLOYMENT, "web")

    def by_image(self, read):
        return {self.image_of(rs["spec"]["template"]): read(rs) for rs in self.all(REPLICASET)}

    def sizes(self):
        return self.by_image(lambda rs: rs["spec"]["replicas"])

    def says(self, condition):
        found = meta.condition(self.web, condition)
        return (found["status"], found["reason"]) if found else None


def rolling(surge, unavailable):
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def begun(replicas=10, surge="25%", unavailable="25%", **spec):
    """A Deployment that is fully there."""
    world = Rollout(make(replicas=replicas, strategy=rolling(surge, unavailable), **spec))
    world.settle()
    assert world.web["status"].get("availableReplicas", 0) == replicas
    return world


@pytest.mark.parametrize(
    ("surge", "unavailable", "total", "expected"),
    [
        ("25%", "25%", 10, (3, 2)),
        (0, 0, 10, (0, 1)),
        ("0%", "10%", 5, (0, 1)),
        (1, 0, 5, (1, 0)),
        ("1%", "0%", 0, (0, 1)),
    ],
)
def test_when_rounding_leaves_neither_one_may_be_unavailable(surge, unavailable, total, expected):
    assert fenceposts(surge, unavailable, total) == expected


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "old", "new"),
    [
        (10, "25%", "25%", 8, 5),
        (10, 0, 1, 9, 1),
        (10, 1, 0, 10, 1),
        (4, "25%", "25%", 3, 2),
        (3, "25%", "25%", 3, 1),
        (1, "25%", "25%", 1, 1),
        (1, 0, 1, 0, 1),
        (10, "100%", 0, 10, 10),
        (10, 0, "100%", 0, 10),
        (5, "0%", "10%", 4, 1),
        (2, "50%", "50%", 1, 2),
        (7, 2, 3, 4, 5),
        (2, 5, 0, 2, 2),
        (3, 0, 10, 0, 3),
        (100, "1%", "1%", 99, 2),
    ],
)
def test_where_a_broken_rollout_stops(replicas, surge, unavailable, old, new):
    world = begun(replicas, surge, unavailable)
    world.image("broken")
    assert world.sizes() == {"one": old, "broken": new}


@pytest.mark.parametrize(
    ("size", "old", "new"),
    [
        (20, 15, 10),  # 25 allowed where 13 were: 8 * 25/13 and 5 * 25/13, rounded
        (12, 9, 6),
        (11, 9, 5),
        (9, 7, 5),
        (5, 4, 3),
        (0, 0, 0),
    ],
)
def test_a_change_of_size_in_the_midst_of_a_rollout_is_shared_out(size, old, new):
    world = begun(10)
    world.image("broken")
    world.edit(replicas=size)
    assert world.sizes() == {"one": old, "broken": new}


def test_a_new_replica_set_begins_with_all_that_the_surge_leaves_room_for():
    world = begun(replicas=10, surge="25%")
    world.image("two")
    (new,) = [rs for rs in world.all(REPLICASET) if world.image_of(rs["spec"]["template"]) == "two"]
    ups = [text for reason, text in world.events if reason == "ScalingReplicaSet" and meta.name(new) in text]
    assert ups[0].endswith("from 0 to 3")


def test_a_paused_deployment_without_pods_gets_its_size_by_its_latest_replica_set():
    world = begun(replicas=2)
    world.image("two")
    world.edit(replicas=0)
    world.edit(paused=True)
    world.image("three")
    world.edit(replicas=2)
    assert world.sizes() == {"one": 0, "two": 2}


def test_a_change_of_size_and_template_at_once_scales_first():
    """The ReplicaSet that is there follows the size before the new template begins."""
    world = begun(4)
    world.edit(replicas=8, template=template("web", "broken"))
    # 8 replicas: 2 may be missing, 2 may be too many.
    assert world.sizes() == {"one": 6, "broken": 4}


def test_a_broken_rollout_that_is_taken_back_ends_where_it_began():
    world = begun(10)
    world.image("broken")
    world.image("one")
    assert world.sizes() == {"one": 10, "broken": 0}
    assert world.web["status"]["availableReplicas"] == 10
    assert "unavailableReplicas" not in world.web["status"]


def test_a_strategy_that_changes_in_the_midst_is_followed():
    world = begun(4)
    world.image("broken")
    assert world.sizes() == {"one": 3, "broken": 2}
    world.edit(strategy=rolling("100%", 0))
    assert world.sizes() == {"one": 3, "broken": 4}
    world.edit(strategy={"type": "Recreate"})
    assert world.sizes() == {"one": 0, "broken": 4}


# Counts and conditions


def test_pods_that_cannot_be_made_are_unavailable_too():
    """unavailableReplicas counts what is asked for, not what is there."""
    world = Rollout(make(replicas=3))
    refused = ApiError(403, "Forbidden", "exceeded quota")
    world.refuse = lambda action: refused if getattr(action, "kind", None) is POD else None
    world.settle()
    status = world.web["status"]
    assert (status.get("replicas", 0), status["unavailableReplicas"]) == (0, 3)


def test_a_broken_rollout_counts_its_unready_pods():
    world = begun(10)
    world.image("broken")
    status = world.web["status"]
    counted = [status[name] for name in ("replicas", "updatedReplicas", "readyReplicas", "unavailableReplicas")]
    assert counted == [13, 5, 8, 5]


@pytest.mark.parametrize(
    ("unavailable", "broken", "expected"),
    [(1, 1, "True"), (1, 2, "False"), (0, 1, "False"), ("50%", 2, "True"), ("50%", 3, "False")],
)
def test_available_means_no_fewer_than_the_strategy_allows(unavailable, broken, expected):
    world = begun(4, 1, unavailable)
    for name in world.names(POD)[:broken]:
        world.change(POD, name, "default", lambda p: p["metadata"].update(annotations={"sick": "yes"}))
    world.after = lambda: None
    for name in world.names(POD)[:broken]:
        world.change(POD, name, "default", lambda p: run(p, world.now, ready=False))
    world.settle()
    assert world.says("Available")[0] == expected


@pytest.mark.parametrize("limit", [None, 2**31 - 1])
def test_without_a_deadline_nothing_is_said_of_progress(limit):
    world = Rollout(make(replicas=2, progressDeadlineSeconds=limit))
    world.settle()
    world.image("broken")
    world.advance(10_000)
    assert world.says("Progressing") is None


def test_each_step_forward_moves_the_deadline():
    world = Rollout(make(replicas=3, strategy=rolling(1, 0), progressDeadlineSeconds=60))
    world.settle()
    world.after = lambda: None
    world.image("two")
    for _ in range(3):
        world.advance(50)
        assert world.says("Progressing") == ("True", "ReplicaSetUpdated")
        waiting = [name for name in world.names(POD) if not meta.pod_ready(world.need(POD, name))]
        world.change(POD, waiting[0], "default", lambda p: run(p, world.now))
        world.settle()
    assert world.says("Progressing") == ("True", "NewReplicaSetAvailable")


def test_a_complete_deployment_is_never_late():
    world = begun(2, progressDeadlineSeconds=30)
    for name in world.names(POD):
        world.change(POD, name, "default", lambda p: run(p, world.now, ready=False))
    world.after = lambda: None
    world.advance(1000)
    assert world.says("Progressing") == ("True", "NewReplicaSetAvailable")


def test_a_pause_stops_the_clock_of_progress():
    world = begun(2, progressDeadlineSeconds=30)
    world.image("broken")
    world.advance(20)
    world.edit(paused=True)
    world.advance(500)
    assert world.says("Progressing") == ("Unknown", "DeploymentPaused")
    world.edit(paused=False)
    assert world.says("Progressing") == ("Unknown", "DeploymentResumed")
    world.advance(25)
    assert world.says("Progressing")[0] != "False"
    world.advance(10)
    assert world.says("Progressing") == ("False", "ProgressDeadlineExceeded")


def test_a_late_rollout_that_is_paused_stays_late():
    world = begun(2, progressDeadlineSeconds=30)
    world.image("broken")
    world.advance(40)
    world.edit(paused=True)
    assert world.says("Progressing") == ("False", "ProgressDeadlineExceeded")


# Revisions


def history(world):
    return world.by_image(lambda rs: (meta.annotations(rs).get(REVISION), meta.annotations(rs).get(HISTORY)))


def test_each_return_to_a_template_is_remembered():
    world = begun(1)
    for image in ("two", "one", "two", "one"):
        world.image(image)
    assert history(world) == {"one": ("5", "1,3"), "two": ("4", "2")}
    assert meta.annotations(world.web)[REVISION] == "5"


@pytest.mark.parametrize(
    ("limit", "left"),
    [(0, ["four"]), (1, ["four", "three"]), (2, ["four", "three", "two"]), (10, ["four", "one", "three", "two"])],
)
def test_the_limit_counts_old_replica_sets_only(limit, left):
    world = begun(1, revisionHistoryLimit=limit)
    for image in ("two", "three", "four"):
        world.image(image)
    assert sorted(world.sizes()) == left


def test_old_replica_sets_with_pods_are_never_dropped():
    world = begun(4, revisionHistoryLimit=0)
    world.image("broken")
    world.image("broken-2")
    world.edit(paused=True)
    assert world.sizes() == {"one": 3, "broken-2": 2}


def test_a_lower_limit_takes_effect_without_a_rollout():
    world = begun(1)
    for image in ("two", "three", "four"):
        world.image(image)
    world.edit(revisionHistoryLimit=1)
    assert sorted(world.sizes()) == ["four", "three"]


def test_only_the_template_makes_a_revision():
    world = begun(2)
    world.edit(replicas=3, minReadySeconds=5, revisionHistoryLimit=3, strategy=rolling(1, 1))
    world.advance(10)
    assert len(world.all(REPLICASET)) == 1
    (only,) = world.all(REPLICASET)
    assert (only["spec"]["replicas"], only["spec"]["minReadySeconds"]) == (3, 5)


def test_the_hash_follows_the_template_and_the_collisions_and_nothing_else():
    def name(**changes):
        changed = make(replicas=changes.pop("replicas", 1), template=template("web", changes.pop("image", "one")))
        changed["metadata"]["uid"] = "u"
        changed["status"] = {"collisionCount": changes.pop("collisions", 0)}
        return build_replica_set(changed)["metadata"]["labels"][wellknown.LABEL_TEMPLATE_HASH]

    assert name() == name(replicas=7)
    assert len({name(), name(image="two"), name(collisions=1), name(collisions=2)}) == 4


# Whose ReplicaSets


def test_a_replica_set_whose_labels_no_longer_match_is_let_go_and_another_is_made():
    world = begun(2)
    (first,) = world.names(REPLICASET)
    world.change(REPLICASET, first, "default", lambda r: r["metadata"]["labels"].update(app="mine"))
    world.settle()
    assert ownership.owner_references(world.need(REPLICASET, first)) == []
    assert world.web["status"]["collisionCount"] == 1, "the name is still taken"
    assert len(world.all(REPLICASET)) == 2


def test_another_deployments_replica_set_is_left_alone():
    world = Bench([deployment.loop(), replicaset.loop()])
    other = world.put(make("other", selector={"matchLabels": {"app": "web"}}, template=template("theirs")))
    theirs = replica_set("theirs", replicas=1)
    theirs["metadata"] |= {"labels": {"app": "web"}, "ownerReferences": [owner(other)]}
    world.put(theirs)
    world.put(make(replicas=1))
    world.settle()
    assert ownership.controller_of(world.need(REPLICASET, "theirs"))["name"] == "other"
    owners = [ownership.controller_of(item)["name"] for item in world.all(REPLICASET)]
    assert sorted(owners) == ["other", "web"]


def test_of_two_replica_sets_with_the_same_template_the_older_is_used():
    world = Rollout()
    for number, name in enumerate(("older", "younger")):
        twin = replica_set(name, replicas=0, selector={"matchLabels": {"app": "web"}}, template=template("web"))
        moment = f"2020-01-0{number + 1}T00:00:00Z"
        twin["metadata"] |= {"labels": {"app": "web"}, "creationTimestamp": moment}
        world.put(twin)
    world.put(make(replicas=2))
    world.settle()
    assert world.need(REPLICASET, "older")["spec"]["replicas"] == 2
    assert world.need(REPLICASET, "younger")["spec"]["replicas"] == 0
