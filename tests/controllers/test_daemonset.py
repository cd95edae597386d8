"""One Pod on each node that admits it (pkg/controller/daemon)."""

from homeostat.api import meta
from homeostat.api.kinds import CONTROLLERREVISION, DAEMONSET, NODE, POD
from homeostat.controllers.workloads import daemonset
from homeostat.controllers.workloads.daemonset_pods import target_node
from tests.support.controlling import Bench, node, obj, run, template


def make(name="agent", image="one", strategy=None, **spec):
    rolling = strategy or {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    given = template(name, image, **spec)
    full = {"selector": {"matchLabels": {"app": name}}, "template": given, "updateStrategy": rolling}
    return obj("apps/v1", "DaemonSet", name, spec={**full, "revisionHistoryLimit": 10})


class Daemons(Bench):
    """The scheduler binds each Pod where its affinity says; Pods become ready at once unless their image is broken."""

    def __init__(self, *objects, graceful=False):
        super().__init__([daemonset.loop()], objects, graceful=graceful)
        self.most = self.least = None
        self.after = self.go_on

    def go_on(self):
        for item in self.all(POD):
            if not meta.pod_node(item):
                self.change(POD, meta.name(item), "default", lambda p: p["spec"].update(nodeName=target_node(p)))
            elif not meta.pod_ready(item) and item["spec"]["containers"][0]["image"] != "broken":
                self.change(POD, meta.name(item), "default", lambda p: run(p, self.now))

    def image(self, image):
        self.change(DAEMONSET, "agent", "default", lambda d: d["spec"].update(template=template("agent", image)))

    def images(self):
        """The images on each node."""
        found = {}
        for item in self.all(POD):
            if not meta.deleting(item):
                found.setdefault(target_node(item), []).append(item["spec"]["containers"][0]["image"])
        return {name: sorted(images) for name, images in sorted(found.items())}

    @property
    def status(self):
        return self.need(DAEMONSET, "agent")["status"]


def nodes(count):
    return [node(f"n{i}") for i in range(1, count + 1)]


def test_each_node_gets_one_pod_and_a_new_node_too():
    world = Daemons(*nodes(2), make())
    world.settle()
    assert world.images() == {"n1": ["one"], "n2": ["one"]}
    world.put(node("n3"))
    world.settle()
    assert world.images() == {"n1": ["one"], "n2": ["one"], "n3": ["one"]}
    assert world.status == {
        "currentNumberScheduled": 3,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 3,
        "numberReady": 3,
        "observedGeneration": 1,
        "updatedNumberScheduled": 3,
        "numberAvailable": 3,
    }
    assert world.reasons().count("SuccessfulCreate") == 3


def test_pods_are_pinned_by_affinity_and_tolerate_what_nodes_suffer():
    world = Daemons(*nodes(1), make(hostNetwork=True))
    world.settle()
    (made,) = world.all(POD)
    (term,) = made["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term == {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    tolerated = {
        (item["key"].removeprefix("node.kubernetes.io/"), item["effect"]) for item in made["spec"]["tolerations"]
    }
    assert tolerated == {
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
        ("network-unavailable", "NoSchedule"),
    }


def test_node_selectors_and_labels_that_change():
    world = Daemons(*nodes(2), make(nodeSelector={"disk": "ssd"}))
    world.settle()
    assert world.images() == {}
    world.change(NODE, "n1", "", lambda n: n["metadata"]["labels"].update(disk="ssd"))
    world.settle()
    assert world.images() == {"n1": ["one"]}
    world.change(NODE, "n1", "", lambda n: n["metadata"]["labels"].pop("disk"))
    world.settle()
    assert world.images() == {}


def test_a_noschedule_taint_keeps_new_pods_away_and_leaves_old_ones():
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    world = Daemons(node("n1"), node("n2", taints=[taint]), make())
    world.settle()
    assert world.images() == {"n1": ["one"]}
    world.change(NODE, "n1", "", lambda n: n["spec"].update(taints=[taint]))
    world.settle()
    assert world.images() == {"n1": ["one"]}
    assert world.status["desiredNumberScheduled"] == 0
    assert world.status["numberMisscheduled"] == 1
    world.change(NODE, "n1", "", lambda n: n["spec"].update(taints=[taint | {"effect": "NoExecute"}]))
    world.settle()
    assert world.images() == {}


def test_an_unreachable_node_keeps_its_daemon():
    away = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    world = Daemons(node("n1", taints=[away]), make())
    world.settle()
    assert world.images() == {"n1": ["one"]}


def test_a_failed_daemon_is_made_again():
    world = Daemons(*nodes(1), make())
    world.settle()
    world.change(POD, world.names(POD)[0], "default", lambda p: p["status"].update(phase="Failed"))
    world.settle()
    assert world.images() == {"n1": ["one"]}
    assert "FailedDaemonPod" in world.reasons()


def test_a_rolling_update_takes_one_node_at_a_time():
    world = Daemons(*nodes(4), make())
    world.settle()
    fewest = 4

    def check():
        nonlocal fewest
        world.go_on()
        fewest = min(fewest, sum(meta.pod_ready(item) for item in world.all(POD)))

    world.after = check
    world.image("two")
    world.settle()
    assert world.images() == {f"n{i}": ["two"] for i in range(1, 5)}
    assert fewest >= 3
    assert [item["revision"] for item in world.all(CONTROLLERREVISION)] in ([1, 2], [2, 1])


def test_a_broken_template_stops_at_the_first_node():
    world = Daemons(*nodes(3), make())
    world.settle()
    world.image("broken")
    world.settle()
    assert sorted(images[0] for images in world.images().values()) == ["broken", "one", "one"]
    world.image("three")
    world.settle()
    assert world.images() == {f"n{i}": ["three"] for i in range(1, 4)}


def test_with_surge_the_new_daemon_is_there_before_the_old_one_goes():
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    world = Daemons(*nodes(3), make(strategy=surge))
    world.settle()
    counts = set()

    def check():
        world.go_on()
        counts.add(sum(meta.pod_ready(item) for item in world.all(POD)))

    world.after = check
    world.image("two")
    world.settle()
    assert world.images() == {f"n{i}": ["two"] for i in range(1, 4)}
    assert counts == {3, 4}


def test_on_delete_replaces_only_what_is_deleted():
    world = Daemons(*nodes(2), make(strategy={"type": "OnDelete"}))
    world.settle()
    world.image("two")
    world.settle()
    assert world.images() == {"n1": ["one"], "n2": ["one"]}
    world.delete(POD, world.names(POD)[0])
    world.settle()
    assert sorted(world.images().values()) == [["one"], ["two"]]


def test_undo_gives_the_old_revision_the_newest_number():
    world = Daemons(*nodes(1), make())
    world.settle()
    world.image("two")
    world.settle()
    world.image("one")
    world.settle()
    found = {
        item["data"]["spec"]["template"]["spec"]["containers"][0]["image"]: item["revision"]
        for item in world.all(CONTROLLERREVISION)
    }
    assert found == {"one": 3, "two": 2}


def test_history_beyond_its_limit_is_dropped():
    world = Daemons(*nodes(1), make())
    world.change(DAEMONSET, "agent", "default", lambda d: d["spec"].update(revisionHistoryLimit=1))
    for image in ("two", "three", "four"):
        world.settle()
        world.image(image)
    world.settle()
    world.advance(1)
    assert sorted(item["revision"] for item in world.all(CONTROLLERREVISION)) == [3, 4]


def test_pods_of_a_removed_node_are_deleted():
    world = Daemons(*nodes(2), make())
    world.settle()
    world.remove(NODE, "n2", "")
    world.settle()
    assert world.images() == {"n1": ["one"]}
