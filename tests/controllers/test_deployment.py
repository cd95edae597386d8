"""The Deployment loop moves Pods from one template to the next (pkg/controller/deployment)."""

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import DEPLOYMENT, POD, REPLICASET
from homeostat.api.rules import ownership
from homeostat.controllers.workloads import deployment, replicaset
from tests.support.controlling import Bench, obj, replica_set, run, template
from tests.support.controlling import deployment as make

REVISION = "deployment.kubernetes.io/revision"


class Rollout(Bench):
    """Deployments whose Pods become ready as soon as they exist, unless their image is `broken`."""

    def __init__(self, *objects, graceful=False, running=True):
        super().__init__([deployment.loop(), replicaset.loop()], objects, graceful=graceful)
        if running:
            self.after = self.start_pods

    def start_pods(self):
        for item in self.all(POD):
            if not meta.pod_ready(item) and item["spec"]["containers"][0]["image"] != "broken":
                self.change(POD, meta.name(item), "default", lambda p: run(p, self.now))

    def edit(self, edit, name="web"):
        self.change(DEPLOYMENT, name, "default", edit)

    def image(self, image):
        self.edit(lambda d: d["spec"].update(template=template("web", image)))

    @property
    def web(self):
        return self.need(DEPLOYMENT, "web")

    def sizes(self):
        """Sizes by image."""
        return {rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"] for rs in self.sets()}

    def sets(self):
        return self.all(REPLICASET)

    def revisions(self):
        return {
            rs["spec"]["template"]["spec"]["containers"][0]["image"]: meta.annotations(rs)[REVISION]
            for rs in self.sets()
        }

    def says(self, condition):
        found = meta.condition(self.web, condition)
        return (found["status"], found["reason"]) if found else None


def test_a_new_deployment_makes_a_replica_set_and_ends_available():
    world = Rollout(make(replicas=3))
    world.settle()
    (made,) = world.sets()
    assert made["metadata"]["name"] == f"web-{made['metadata']['labels']['pod-template-hash']}"
    assert made["spec"]["selector"]["matchLabels"]["pod-template-hash"] in meta.name(made)
    assert meta.annotations(made) == {
        REVISION: "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    assert meta.annotations(world.web)[REVISION] == "1"
    assert ("ScalingReplicaSet", f"Scaled up replica set {meta.name(made)} from 0 to 3") in world.events
    status = {field: value for field, value in world.web["status"].items() if field != "conditions"}
    assert status == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
    }
    assert world.says("Available") == ("True", "MinimumReplicasAvailable")
    assert world.says("Progressing") == ("True", "NewReplicaSetAvailable")
    message = meta.condition(world.web, "Progressing")["message"]
    assert message == f'ReplicaSet "{meta.name(made)}" has successfully progressed.'


def test_nothing_is_written_when_nothing_changes():
    world = Rollout(make())
    world.settle()
    written = list(world.writes)
    world.edit(lambda d: None)
    world.advance(3600)
    assert world.writes == written


def test_progress_is_reported_by_its_reasons():
    world = Rollout(make(), running=False)
    world.settle()
    assert world.says("Progressing") == ("True", "ReplicaSetUpdated")
    assert world.says("Available") == ("False", "MinimumReplicasUnavailable")


def test_a_rolling_update_ends_with_the_new_template_alone():
    world = Rollout(make(replicas=4))
    world.settle()
    world.image("two")
    world.settle()
    assert world.sizes() == {"one": 0, "two": 4}
    assert world.revisions() == {"one": "1", "two": "2"}
    assert len(world.all(POD)) == 4


def test_a_broken_template_stops_within_surge_and_unavailability():
    world = Rollout(make(replicas=10))
    world.settle()
    world.image("broken")
    world.settle()
    # 25 % of 10: three more (rounded up), two fewer (rounded down).
    assert world.sizes() == {"one": 8, "broken": 5}
    assert world.says("Available") == ("True", "MinimumReplicasAvailable")


def test_a_rollout_that_makes_no_progress_is_called_late_and_recovers():
    world = Rollout(make(replicas=2, progressDeadlineSeconds=60))
    world.settle()
    world.image("broken")
    world.advance(55)
    assert world.says("Progressing")[0] == "True"
    world.advance(10)
    assert world.says("Progressing") == ("False", "ProgressDeadlineExceeded")
    world.image("three")
    world.settle()
    assert world.says("Progressing") == ("True", "NewReplicaSetAvailable")


def test_unhealthy_old_pods_go_first():
    world = Rollout(make(replicas=4))
    world.settle()
    world.image("broken")
    world.settle()
    before = world.sizes()
    assert before["broken"] == 2
    world.image("three")
    world.settle()
    assert world.sizes() == {"one": 0, "broken": 0, "three": 4}


def test_undo_brings_the_old_replica_set_back_under_a_new_revision():
    world = Rollout(make(replicas=2))
    world.settle()
    first = world.names(REPLICASET)
    world.image("two")
    world.settle()
    world.image("one")  # what kubectl rollout undo writes: the old template
    world.settle()
    assert world.sizes() == {"one": 2, "two": 0}
    assert world.revisions() == {"one": "3", "two": "2"}
    assert meta.annotations(world.web)[REVISION] == "3"
    assert set(first) < set(world.names(REPLICASET))
    back = world.need(REPLICASET, first[0])
    assert meta.annotations(back)["deployment.kubernetes.io/revision-history"] == "1"


def test_history_beyond_its_limit_is_dropped_oldest_first():
    world = Rollout(make(replicas=1, revisionHistoryLimit=2))
    world.settle()
    for image in ("two", "three", "four", "five"):
        world.image(image)
        world.settle()
    assert world.sizes() == {"three": 0, "four": 0, "five": 1}


def test_recreate_waits_until_every_old_pod_has_gone():
    world = Rollout(make(replicas=2, strategy={"type": "Recreate"}), graceful=True)
    world.settle()
    old = world.names(POD)
    for name in old:
        world.change(POD, name, "default", lambda p: p["spec"].update(nodeName="n"))
    world.image("two")
    world.settle()
    assert world.sizes() == {"one": 0}
    world.remove(POD, old[0])
    world.settle()
    assert world.sizes() == {"one": 0}
    world.remove(POD, old[1])
    world.settle()
    assert world.sizes() == {"one": 0, "two": 2}
    assert world.says("Progressing") == ("True", "NewReplicaSetAvailable")


def test_a_paused_deployment_scales_but_does_not_roll():
    world = Rollout(make(replicas=2))
    world.settle()
    world.edit(lambda d: d["spec"].update(paused=True))
    world.image("two")
    world.edit(lambda d: d["spec"].update(replicas=5))
    world.settle()
    assert world.sizes() == {"one": 5}
    assert world.says("Progressing") == ("Unknown", "DeploymentPaused")
    world.edit(lambda d: d["spec"].pop("paused"))
    world.settle()
    assert world.sizes() == {"one": 0, "two": 5}
    assert world.says("Progressing") == ("True", "NewReplicaSetAvailable")


def test_scaling_in_the_middle_of_a_rollout_keeps_the_proportions():
    world = Rollout(make(replicas=10))
    world.settle()
    world.image("broken")
    world.settle()
    assert world.sizes() == {"one": 8, "broken": 5}
    world.edit(lambda d: d["spec"].update(replicas=20))
    world.settle()
    # 25 Pods are allowed now where 13 were: each grows by its share, the larger takes the rest.
    assert world.sizes() == {"one": 15, "broken": 10}


def test_scaling_to_zero_and_back():
    world = Rollout(make(replicas=3))
    world.settle()
    world.edit(lambda d: d["spec"].update(replicas=0))
    world.settle()
    assert world.all(POD) == []
    assert world.says("Available") == ("True", "MinimumReplicasAvailable")
    world.edit(lambda d: d["spec"].update(replicas=2))
    world.settle()
    assert len(world.all(POD)) == 2
    assert len(world.sets()) == 1


def test_pods_that_die_during_a_rollout_are_replaced_and_it_ends():
    world = Rollout(make(replicas=3))
    world.settle()
    world.image("two")
    world.delete(POD, world.names(POD)[0])
    world.settle()
    world.delete(POD, world.names(POD)[0])
    world.settle()
    assert world.sizes() == {"one": 0, "two": 3}
    assert world.web["status"]["availableReplicas"] == 3


def test_annotations_reach_the_replica_set_but_not_those_of_kubectl():
    made = make()
    made["metadata"]["annotations"] = {"team": "red", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    world = Rollout(made)
    world.settle()
    world.edit(lambda d: d["metadata"]["annotations"].update(team="blue"))
    world.settle()
    (made,) = world.sets()
    assert meta.annotations(made)["team"] == "blue"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in meta.annotations(made)


def test_an_orphaned_replica_set_is_adopted_and_used():
    orphan = replica_set("web", replicas=3)
    orphan["metadata"]["labels"] = {"app": "web"}
    world = Rollout(orphan, make(replicas=3))
    world.settle()
    assert world.names(REPLICASET) == ["web"]
    assert ownership.controlled_by(world.need(REPLICASET, "web"), world.web)


def test_a_name_that_is_taken_by_another_template_is_hashed_again():
    world = Rollout(make(replicas=1))
    world.settle()
    (first,) = world.names(REPLICASET)
    world.delete(REPLICASET, first)
    world.settle()
    assert world.names(REPLICASET) == [first]
    foreign = obj("apps/v1", "ReplicaSet", first, spec=replica_set("other", replicas=0)["spec"])
    world = Rollout(foreign, make(replicas=1))
    world.settle()
    assert world.web["status"]["collisionCount"] == 1
    assert len(world.names(REPLICASET)) == 2
    assert world.web["status"]["availableReplicas"] == 1


def test_a_refused_replica_set_is_reported_as_lack_of_progress():
    world = Rollout(make(replicas=1))
    refused = ApiError(403, "Forbidden", "exceeded quota")
    world.refuse = lambda action: refused if type(action).__name__ == "Create" else None
    world.settle()
    world.advance(1)
    assert world.says("Progressing") == ("False", "ReplicaSetCreateError")
    assert world.reasons()[0] == "ReplicaSetCreateError"
    world.refuse = lambda action: None
    world.advance(3)
    assert world.says("Progressing") == ("True", "NewReplicaSetAvailable")


def test_quota_on_pods_shows_as_replica_failure():
    world = Rollout(make(replicas=1))
    refused = ApiError(403, "Forbidden", "exceeded quota")
    world.refuse = lambda action: refused if getattr(action, "kind", None) is POD else None
    world.advance(2)
    assert world.says("ReplicaFailure") == ("True", "FailedCreate")
    world.refuse = lambda action: None
    world.advance(3)
    assert world.says("ReplicaFailure") is None


def test_an_empty_selector_is_refused_by_an_event():
    world = Rollout(make(selector={}))
    world.settle()
    assert world.reasons() == ["SelectingAll"]
    assert world.sets() == []


def test_min_ready_seconds_slow_a_rollout_down():
    world = Rollout(make(replicas=2, minReadySeconds=30))
    world.advance(31)
    assert world.web["status"]["availableReplicas"] == 2
    world.image("two")
    world.settle()
    assert world.sizes() == {"one": 2, "two": 1}
    world.advance(70)
    assert world.sizes() == {"one": 0, "two": 2}


def test_a_deleted_deployment_only_reports():
    world = Rollout(make(replicas=2))
    world.settle()
    world.edit(lambda d: d["metadata"].update(deletionTimestamp="2027-01-01T00:00:00Z", finalizers=["x"]))
    world.image("two")
    world.settle()
    assert world.sizes() == {"one": 2}
