"""Nodes that fall silent are marked, tainted and emptied, at a bounded rate (pkg/controller/nodelifecycle)."""

from homeostat.api import meta
from homeostat.api.kinds import LEASE, NODE, POD
from homeostat.controllers.nodes import nodelifecycle, taints
from homeostat.controllers.nodes.node_health import Options
from homeostat.kit.clock import rfc3339, rfc3339_micro
from tests.support.controlling import Bench, node, obj, pod

OPTIONS = Options()


class Nodes(Bench):
    """Nodes that renew their lease every ten seconds, unless they are `cut`."""

    def __init__(self, *objects, options=OPTIONS):
        loops = [nodelifecycle.health_loop(options), nodelifecycle.taints_loop(), nodelifecycle.pods_loop()]
        super().__init__(loops, objects)
        self.cut = set()
        self.renew()

    def renew(self):
        for name in self.names(NODE):
            if name not in self.cut:
                spec = {"renewTime": rfc3339_micro(self.now), "holderIdentity": name}
                self.put(obj("coordination.k8s.io/v1", "Lease", name, namespace="kube-node-lease", spec=spec))

    def live(self, seconds):
        for _ in range(int(seconds) // 10):
            self.advance(10)
            self.renew()

    def until(self, wanted, limit=400):
        """Seconds until `wanted()`, looked at each second."""
        start = self.now
        while not wanted():
            assert self.now - start < limit, "it never came"
            self.advance(1)
            if int(self.now - start) % 10 == 0:
                self.renew()
        return self.now - start

    def post_ready(self, name, status="True"):
        """What the node agent writes when it can."""

        def edit(item):
            for condition in item["status"]["conditions"]:
                wanted = status if condition["type"] == "Ready" else "False"
                if condition["status"] != wanted:
                    condition.update(status=wanted, lastTransitionTime=rfc3339(self.now))
                condition["lastHeartbeatTime"] = rfc3339(self.now)

        self.change(NODE, name, "", edit)

    def ready(self, name):
        return meta.condition(self.need(NODE, name), "Ready")["status"]

    def taints(self, name):
        return sorted(
            f"{t['key'].removeprefix('node.kubernetes.io/')}:{t['effect']}" for t in taints.of(self.need(NODE, name))
        )


def nodes(count, **fields):
    return [node(f"n{i}", **fields) for i in range(1, count + 1)]


def test_healthy_nodes_are_left_alone():
    world = Nodes(*nodes(3))
    world.live(300)
    assert world.writes == []


def test_a_silent_node_is_unknown_40_to_55_seconds_after_the_cut():
    world = Nodes(*nodes(3))
    world.live(100)
    world.advance(7)
    world.cut.add("n2")
    assert 40 <= world.until(lambda: world.ready("n2") == "Unknown") <= 55
    for name in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure"):
        condition = meta.condition(world.need(NODE, "n2"), name)
        assert (condition["status"], condition["reason"]) == ("Unknown", "NodeStatusUnknown")
        assert condition["message"] == "Kubelet stopped posting node status."
    assert ("NodeNotReady", "Node n2 status is now: NodeNotReady") in world.events
    world.settle()
    assert world.taints("n2") == ["unreachable:NoExecute", "unreachable:NoSchedule"]
    assert world.taints("n1") == []


def test_a_node_that_comes_back_loses_its_taints_at_once():
    world = Nodes(*nodes(3))
    world.live(50)
    world.cut.add("n2")
    world.live(80)
    assert "unreachable:NoExecute" in world.taints("n2")
    world.cut.clear()
    world.post_ready("n2")
    world.settle()
    assert world.taints("n2") == []


def test_a_heartbeat_in_the_node_status_counts_as_well_as_a_lease():
    world = Nodes(*nodes(2))
    world.cut.add("n1")
    for _ in range(12):
        world.live(20)
        world.post_ready("n1")
    assert world.ready("n1") == "True"


def test_the_clock_of_a_node_does_not_matter():
    world = Nodes(*nodes(2))
    for _ in range(20):
        world.live(10)
        lease = obj("coordination.k8s.io/v1", "Lease", "n1", namespace="kube-node-lease")
        world.put(lease | {"spec": {"renewTime": rfc3339_micro(world.now - 7200)}})
    assert world.ready("n1") == "True"


def test_a_node_that_never_spoke_gets_a_minute():
    mute = node("mute")
    mute["status"] = {}
    world = Nodes(node("n1"), mute)
    world.cut.add("mute")
    waited = world.until(lambda: meta.condition(world.need(NODE, "mute"), "Ready") is not None)
    assert 60 <= waited <= 66
    assert meta.condition(world.need(NODE, "mute"), "Ready")["reason"] == "NodeStatusNeverUpdated"


def test_pods_of_an_unreachable_node_are_not_ready():
    world = Nodes(*nodes(2), pod("a", node="n1", ready=True), pod("b", node="n2", ready=True))
    world.cut.add("n1")
    world.live(70)
    assert not meta.pod_ready(world.need(POD, "a"))
    assert meta.pod_ready(world.need(POD, "b"))
    assert ("NodeNotReady", "Node is not ready") in world.events


def test_a_node_that_says_it_is_not_ready_is_tainted_but_speaks_for_its_pods():
    world = Nodes(*nodes(2), pod("a", node="n1", ready=True))
    world.live(20)
    world.post_ready("n1", "False")
    world.settle()
    assert world.taints("n1") == ["not-ready:NoExecute", "not-ready:NoSchedule"]
    assert meta.pod_ready(world.need(POD, "a"))


def test_a_taint_changes_its_name_with_the_condition():
    world = Nodes(*nodes(3))
    world.post_ready("n1", "False")
    world.settle()
    world.cut.add("n1")
    world.live(80)
    assert world.taints("n1") == ["unreachable:NoExecute", "unreachable:NoSchedule"]


def test_conditions_and_cordon_become_noschedule_taints_and_go_again():
    world = Nodes(*nodes(1))
    world.change(NODE, "n1", "", lambda n: n["status"]["conditions"][0].update(status="True"))
    world.change(NODE, "n1", "", lambda n: n["spec"].update(unschedulable=True))
    world.settle()
    assert world.taints("n1") == ["memory-pressure:NoSchedule", "unschedulable:NoSchedule"]
    world.change(NODE, "n1", "", lambda n: n["status"]["conditions"][0].update(status="False"))
    world.change(NODE, "n1", "", lambda n: n["spec"].pop("unschedulable"))
    world.settle()
    assert world.taints("n1") == []


def test_foreign_taints_stay():
    world = Nodes(node("n1", taints=[{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]))
    world.change(NODE, "n1", "", lambda n: n["spec"].update(unschedulable=True))
    world.settle()
    world.change(NODE, "n1", "", lambda n: n["spec"].pop("unschedulable"))
    world.settle()
    assert taints.of(world.need(NODE, "n1")) == [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]


def evicting(world):
    return [name for name in world.names(NODE) if any("NoExecute" in text for text in world.taints(name))]


def test_in_a_healthy_zone_one_node_in_ten_seconds_is_emptied():
    world = Nodes(*nodes(8))
    world.live(20)
    world.cut |= {"n1", "n2", "n3"}
    world.until(lambda: len(evicting(world)) == 1)
    second = world.until(lambda: len(evicting(world)) == 2)
    third = world.until(lambda: len(evicting(world)) == 3)
    assert (second, third) == (10, 10)


def test_a_small_zone_that_is_mostly_down_is_not_emptied():
    world = Nodes(*nodes(5))
    world.live(20)
    world.cut |= {"n1", "n2", "n3"}
    world.live(200)
    assert [world.ready(f"n{i}") for i in range(1, 6)] == ["Unknown"] * 3 + ["True"] * 2
    # The first was given its taint before the zone was seen to be unhealthy, or none was.
    assert len(evicting(world)) <= 1


def test_a_large_zone_that_is_mostly_down_is_emptied_slowly():
    world = Nodes(*nodes(6), options=Options(large_cluster_nodes=5))
    world.live(20)
    world.cut |= {f"n{i}" for i in range(1, 5)}
    world.live(100)
    before = len(evicting(world))
    assert world.until(lambda: len(evicting(world)) == before + 1) <= 100
    assert world.until(lambda: len(evicting(world)) == before + 2) >= 99


def test_when_every_node_is_silent_none_is_emptied():
    world = Nodes(*nodes(3))
    world.live(20)
    world.cut |= {"n1", "n2", "n3"}
    world.live(300)
    assert [world.ready(name) for name in world.names(NODE)] == ["Unknown"] * 3
    assert evicting(world) == []


def test_a_whole_zone_may_be_emptied_while_another_lives():
    world = Nodes(*[node(f"a{i}", zone="a") for i in range(2)], *[node(f"b{i}", zone="b") for i in range(2)])
    world.live(20)
    world.cut |= {"a0", "a1"}
    world.live(120)
    assert evicting(world) == ["a0", "a1"]


def test_after_a_pause_of_the_loop_itself_nodes_get_a_fresh_grace_period():
    world = Nodes(*nodes(2))
    world.live(50)
    world.advance(6)
    world.sleep(600)  # another leads, or the machine sleeps: nothing is renewed and nobody looks
    world.settle()
    assert world.ready("n1") == "True"
    world.cut.add("n1")
    assert 40 <= world.until(lambda: world.ready("n1") == "Unknown") <= 55


def test_a_clock_of_ours_that_was_set_back_makes_no_silence_longer():
    """A heartbeat "in the future" would otherwise count for as long as the clock was set back."""
    world = Nodes(*nodes(2))
    world.live(50)
    world.set_clock(-600)
    world.live(20)
    assert world.ready("n1") == world.ready("n2") == "True"
    world.cut.add("n1")
    assert 40 <= world.until(lambda: world.ready("n1") == "Unknown") <= 55


def test_a_deleted_node_is_forgotten():
    world = Nodes(*nodes(2))
    world.live(20)
    world.remove(NODE, "n1", "")
    world.remove(LEASE, "n1", "kube-node-lease")
    world.live(200)
    assert world.names(NODE) == ["n2"]
