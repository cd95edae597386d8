"""A DaemonSet's updates and failures: how many nodes at once, surges, failing Pods, taints, history, adoption."""

import pytest

from homeostat.api import meta
from homeostat.api.kinds import CONTROLLERREVISION, DAEMONSET, NODE, POD
from homeostat.api.rules import ownership
from homeostat.controllers.workloads import daemonset
from homeostat.controllers.workloads.daemonset_pods import placement, target_node
from tests.support.controlling import Bench, node, obj, pod, run, template

HASH = "controller-revision-hash"


def make(image="one", *, surge=0, unavailable=1, **more):
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    spec = {
        "selector": {"matchLabels": {"app": "agent"}},
        "template": template("agent", image),
        "updateStrategy": rolling,
        "revisionHistoryLimit": 10,
        **more,
    }
    return obj("apps/v1", "DaemonSet", "agent", spec=spec)


class Daemons(Bench):
    """Pods are bound where they are meant for, and become ready when the story says `start`, unless they are broken."""

    def __init__(self, count, *objects, graceful=False):
        super().__init__(
            [daemonset.loop()], [*(node(f"n{i}") for i in range(1, count + 1)), *objects], graceful=graceful
        )
        self.after = self.bind

    def bind(self):
        for item in self.all(POD):
            if not meta.pod_node(item):
                self.change(POD, meta.name(item), "default", lambda p: p["spec"].update(nodeName=target_node(p)))

    def start(self, count=1000):
        """So many Pods that could be ready become so."""
        self.settle()
        waiting = [item for item in self.all(POD) if not meta.pod_ready(item) and not meta.deleting(item)]
        for item in [item for item in waiting if image(item) != "broken"][:count]:
            self.change(POD, meta.name(item), "default", lambda p: run(p, self.now))
        self.settle()

    def steady(self):
        for _ in range(20):
            self.start()
        return self

    def image(self, name):
        self.change(DAEMONSET, "agent", "default", lambda d: d["spec"].update(template=template("agent", name)))
        self.settle()

    def images(self):
        found = {}
        for item in self.all(POD):
            if not meta.deleting(item):
                found.setdefault(target_node(item), []).append(image(item))
        return {name: sorted(images) for name, images in sorted(found.items())}

    def count(self, name):
        return sum(images.count(name) for images in self.images().values())

    @property
    def status(self):
        return self.need(DAEMONSET, "agent")["status"]


def image(item):
    return item["spec"]["containers"][0]["image"]


@pytest.mark.parametrize(
    ("nodes", "unavailable", "replaced"),
    [(4, 1, 1), (4, 2, 2), (4, "50%", 2), (10, "25%", 3), (3, "1%", 1), (3, "100%", 3), (2, 5, 2), (3, 0, 1)],
)
def test_how_many_nodes_a_broken_template_reaches(nodes, unavailable, replaced):
    """Shares are rounded up; neither surge nor unavailability means one at a time."""
    world = Daemons(nodes, make(unavailable=unavailable)).steady()
    world.image("broken")
    world.steady()
    assert (world.count("broken"), world.count("one")) == (replaced, nodes - replaced)
    assert world.status["numberUnavailable"] == replaced
    assert world.status["updatedNumberScheduled"] == replaced


@pytest.mark.parametrize(
    ("nodes", "surge", "added"), [(4, 1, 1), (4, 2, 2), (4, "50%", 2), (10, "25%", 3), (3, "100%", 3), (2, 5, 2)]
)
def test_how_many_nodes_a_broken_surge_reaches(nodes, surge, added):
    world = Daemons(nodes, make(surge=surge, unavailable=0)).steady()
    world.image("broken")
    world.steady()
    assert (world.count("broken"), world.count("one")) == (added, nodes)
    assert world.status["numberAvailable"] == nodes


def test_a_surge_replaces_broken_pods_without_waiting_for_them():
    """An old Pod that is not ready is no loss: its node gets the new one beyond the surge, and the old one is
    deleted."""
    world = Daemons(4, make("broken", surge=1, unavailable=0))
    world.settle()
    world.image("two")
    world.settle()
    assert world.count("two") == 4
    world.steady()
    assert world.images() == {f"n{i}": ["two"] for i in range(1, 5)}


def test_a_new_pod_alone_on_its_node_uses_none_of_the_surge():
    world = Daemons(3, make(surge=1, unavailable=0)).steady()
    lost = next(meta.name(item) for item in world.all(POD) if target_node(item) == "n1")
    world.image("broken")
    alone = next(name for name, images in world.images().items() if images == ["broken", "one"])
    world.remove(POD, next(meta.name(p) for p in world.all(POD) if target_node(p) == alone and image(p) == "one"))
    world.settle()
    assert world.images()[alone] == ["broken"]
    assert sorted(world.images().values()) == [["broken"], ["broken", "one"], ["one"]]
    assert lost


def test_with_min_ready_seconds_the_next_node_waits():
    world = Daemons(2, make(minReadySeconds=30))
    world.start()
    world.advance(31)
    world.image("two")
    world.start()
    assert world.count("two") == 1
    world.advance(29)
    assert world.count("two") == 1
    world.advance(2)
    assert world.count("two") == 2


def test_no_node_is_touched_while_another_pod_is_still_going():
    world = Daemons(3, make(), graceful=True).steady()
    world.image("two")
    world.steady()
    assert [meta.deleting(item) for item in world.all(POD)].count(True) == 1
    assert world.count("one") == 2


# Pods that fail


def fail(world, name, phase="Failed"):
    world.change(POD, name, "default", lambda p: p.setdefault("status", {}).update(phase=phase))


def test_a_pod_that_fails_again_and_again_is_replaced_with_longer_pauses():
    world = Daemons(1, make())
    world.settle()
    times, begun = [], world.now
    for _ in range(12):
        (name,) = world.names(POD)
        fail(world, name)
        world.settle()
        while world.names(POD) == [name]:
            world.advance(1)
        times.append(world.now - begun)
        begun = world.now
    assert times == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900]


def test_other_nodes_and_other_daemon_sets_do_not_wait_for_a_failing_one():
    world = Daemons(2, make())
    world.settle()
    for _ in range(5):
        name = next(meta.name(item) for item in world.all(POD) if target_node(item) == "n1")
        fail(world, name)
        world.advance(20)
    other = next(meta.name(item) for item in world.all(POD) if target_node(item) == "n2")
    fail(world, other)
    world.settle()
    assert other not in world.names(POD)


def test_half_an_hour_without_a_failure_is_forgiven():
    world = Daemons(1, make())
    world.settle()
    for _ in range(4):
        fail(world, world.names(POD)[0])
        world.advance(10)
    world.advance(1801)
    (name,) = world.names(POD)
    fail(world, name)
    world.settle()
    assert world.names(POD) != [name]


def test_a_pod_that_succeeds_is_made_again_at_once():
    world = Daemons(1, make())
    world.settle()
    for _ in range(5):
        (name,) = world.names(POD)
        fail(world, name, "Succeeded")
        world.settle()
        assert world.names(POD) != [name]
    assert world.reasons().count("SucceededDaemonPod") == 5


def test_what_is_said_of_ended_pods():
    world = Daemons(1, make())
    world.settle()
    (name,) = world.names(POD)
    fail(world, name)
    world.settle()
    text = f"Found failed daemon pod default/{name} on node n1, will try to kill it"
    assert ("FailedDaemonPod", text) in world.events


# Where Pods may be


EFFECTS = [
    ("NoSchedule", False, True),
    ("NoExecute", False, False),
    ("PreferNoSchedule", True, True),
]


@pytest.mark.parametrize(("effect", "wanted", "kept"), EFFECTS)
def test_what_a_taint_does_to_daemons(effect, wanted, kept):
    tainted = node("n1", taints=[{"key": "x", "effect": effect}])
    where = placement(make(), [], [tainted])
    assert ([meta.name(item) for item in where.wanted], where.tolerated) == (["n1"] * wanted, {"n1"} if kept else set())


@pytest.mark.parametrize(
    ("key", "effect", "wanted"),
    [
        ("node.kubernetes.io/not-ready", "NoExecute", True),
        ("node.kubernetes.io/unreachable", "NoExecute", True),
        ("node.kubernetes.io/disk-pressure", "NoSchedule", True),
        ("node.kubernetes.io/memory-pressure", "NoSchedule", True),
        ("node.kubernetes.io/pid-pressure", "NoSchedule", True),
        ("node.kubernetes.io/unschedulable", "NoSchedule", True),
        ("node.kubernetes.io/not-ready", "NoSchedule", False),
        ("node.kubernetes.io/network-unavailable", "NoSchedule", False),
        ("node.kubernetes.io/out-of-service", "NoExecute", False),
    ],
)
def test_which_troubles_of_nodes_daemons_bear(key, effect, wanted):
    assert bool(placement(make(), [], [node("n1", taints=[{"key": key, "effect": effect}])]).wanted) is wanted


def with_affinity(*terms):
    daemon_set = make()
    required = {"nodeSelectorTerms": list(terms)}
    spec = daemon_set["spec"]["template"]["spec"]
    spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return daemon_set


@pytest.mark.parametrize(
    ("terms", "names"),
    [
        ([{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}], ["n1"]),
        ([{"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["ssd"]}]}], ["n2", "n3"]),
        ([{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}], ["n1", "n2"]),
        ([{"matchExpressions": [{"key": "disk", "operator": "DoesNotExist"}]}], ["n3"]),
        ([{"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["4"]}]}], ["n1"]),
        ([{"matchExpressions": [{"key": "cores", "operator": "Lt", "values": ["4"]}]}], ["n2"]),
        ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n3"]}]}], ["n3"]),
        ([{}], []),
        ([{}, {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}], ["n1", "n2"]),
        ([{"matchExpressions": [{"key": "disk", "operator": "Near", "values": ["ssd"]}]}], []),
    ],
)
def test_node_affinity_chooses_the_nodes(terms, names):
    nodes = [node("n1"), node("n2"), node("n3")]
    nodes[0]["metadata"]["labels"] |= {"disk": "ssd", "cores": "8"}
    nodes[1]["metadata"]["labels"] |= {"disk": "hdd", "cores": "2"}
    assert [meta.name(item) for item in placement(with_affinity(*terms), [], nodes).wanted] == names


def test_a_template_that_names_a_node_has_one_pod():
    daemon_set = make()
    daemon_set["spec"]["template"]["spec"]["nodeName"] = "n2"
    where = placement(daemon_set, [], [node("n1"), node("n2")])
    assert [meta.name(item) for item in where.wanted] == ["n2"]


def test_of_two_pods_on_one_node_the_older_stays():
    world = Daemons(1, make())
    world.start()
    (name,) = world.names(POD)
    twin = pod("aa-twin", app="agent", node="n1")
    twin["metadata"]["labels"][HASH] = meta.labels(world.need(POD, name))[HASH]
    world.sleep(10)
    world.put(twin)
    world.settle()
    assert world.names(POD) == [name]


def test_a_pod_without_an_owner_that_matches_is_adopted():
    world = Daemons(1)
    world.put(pod("mine", app="agent", node="n1", ready=True))
    world.put(make())
    world.settle()
    assert world.status["currentNumberScheduled"] == 1
    assert [meta.name(item) for item in world.all(POD) if ownership.controller_of(item)] == world.names(POD)


def test_misscheduled_pods_are_counted_until_they_are_gone():
    world = Daemons(2, make(), graceful=True).steady()
    world.change(NODE, "n2", "", lambda n: n["spec"].update(taints=[{"key": "x", "effect": "NoSchedule"}]))
    world.settle()
    counts = {name: world.status[name] for name in ("desiredNumberScheduled", "numberMisscheduled", "numberReady")}
    assert counts == {"desiredNumberScheduled": 1, "numberMisscheduled": 1, "numberReady": 1}


# History


def revisions(world):
    return {
        image({"spec": item["data"]["spec"]["template"]["spec"]}): item["revision"]
        for item in world.all(CONTROLLERREVISION)
    }


def test_revisions_in_use_stay_but_count_towards_the_limit():
    world = Daemons(2, make(revisionHistoryLimit=1, updateStrategy={"type": "OnDelete"})).steady()
    for name in ("two", "three", "four"):
        world.image(name)
    assert revisions(world) == {"one": 1, "four": 4}


def test_a_limit_of_zero_keeps_the_current_revision_alone():
    world = Daemons(1, make(revisionHistoryLimit=0)).steady()
    for name in ("two", "three"):
        world.image(name)
        world.steady()
    assert revisions(world) == {"three": 3}


def test_a_revision_carries_the_whole_template_and_its_labels():
    world = Daemons(1, make()).steady()
    (made,) = world.all(CONTROLLERREVISION)
    assert made["data"]["spec"]["template"] == {**template("agent", "one"), "$patch": "replace"}
    (only,) = world.all(POD)
    assert meta.labels(made)[HASH] == meta.labels(only)[HASH]
    assert meta.name(made) == f"agent-{meta.labels(only)[HASH]}"


def test_a_name_that_is_taken_by_another_revision_is_hashed_again():
    world = Daemons(1, make())
    world.settle()
    (taken,) = world.names(CONTROLLERREVISION)
    foreign = obj("apps/v1", "ControllerRevision", taken, data={"spec": {"other": 1}}, revision=1)
    world = Daemons(1, foreign, make())
    world.steady()
    assert world.status["collisionCount"] == 1
    assert len(world.all(CONTROLLERREVISION)) == 2
    assert world.status["numberReady"] == 1


def test_a_daemon_set_that_goes_only_lets_go():
    world = Daemons(1, make()).steady()
    world.change(
        DAEMONSET,
        "agent",
        "default",
        lambda d: d["metadata"].update(deletionTimestamp="2027-01-01T00:00:00Z", finalizers=["foregroundDeletion"]),
    )
    world.put(node("n2"))
    world.settle()
    assert list(world.images()) == ["n1"]
