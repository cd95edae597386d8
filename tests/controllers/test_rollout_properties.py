"""Whatever happens during a rollout: never too few available, never too many Pods, and it always ends."""

from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.api import meta
from homeostat.api.kinds import DEPLOYMENT, POD, REPLICASET
from homeostat.controllers.workloads import deployment, replicaset
from homeostat.controllers.workloads.fenceposts import fenceposts
from tests.support.controlling import Bench, run, template
from tests.support.controlling import deployment as make

amounts = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "10%", "25%", "50%", "100%"]))


class Unhurried(Bench):
    """Pods start one by one, in an order that the story draws; each move is followed by the checks."""

    def __init__(self, draw, replicas, surge, unavailable):
        rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
        wanted = make(replicas=replicas, strategy={"type": "RollingUpdate", "rollingUpdate": rolling})
        super().__init__([deployment.loop(), replicaset.loop()], [wanted])
        self.draw = draw

    def start_one(self):
        waiting = [name for name in self.names(POD) if not meta.pod_ready(self.need(POD, name))]
        if not waiting:
            return False
        chosen = waiting[self.draw(st.integers(0, len(waiting) - 1))]
        self.change(POD, chosen, "default", lambda p: run(p, self.now))
        return True

    def finish(self):
        self.settle()
        steps = 0
        while self.start_one():
            self.settle()
            steps += 1
            assert steps < 500, "the rollout does not end"

    def available(self):
        return sum(1 for item in self.all(POD) if meta.pod_ready(item))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 8), amounts, amounts)
def test_a_rollout_stays_between_its_fenceposts_and_ends(data, replicas, surge, unavailable):
    world = Unhurried(data.draw, replicas, surge, unavailable)
    world.finish()
    assert world.available() == replicas
    most, least = fenceposts(surge, unavailable, replicas)

    def check():
        assert world.available() >= replicas - least
        assert len(world.all(POD)) <= replicas + most

    world.after = check
    world.change(DEPLOYMENT, "web", "default", lambda d: d["spec"].update(template=template("web", "two")))
    world.finish()
    sizes = {
        rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"] for rs in world.all(REPLICASET)
    }
    assert sizes == {"one": 0, "two": replicas}


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 6), st.lists(st.integers(0, 8), min_size=1, max_size=4))
def test_changes_of_size_and_template_at_any_moment_still_end_right(data, replicas, sizes):
    world = Unhurried(data.draw, replicas, "25%", "25%")
    world.settle()
    for number, size in enumerate(sizes):
        for _ in range(data.draw(st.integers(0, 3))):
            world.start_one()
            world.settle()
        image = data.draw(st.sampled_from(["one", "two", f"image-{number}"]))
        world.change(
            DEPLOYMENT,
            "web",
            "default",
            lambda d, size=size, image=image: d["spec"].update(replicas=size, template=template("web", image)),
        )
    world.finish()
    images = [item["spec"]["containers"][0]["image"] for item in world.all(POD)]
    assert images == [image] * size
    status = world.need(DEPLOYMENT, "web")["status"]
    assert status.get("updatedReplicas", 0) == status.get("availableReplicas", 0) == size
