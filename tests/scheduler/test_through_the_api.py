"""The scheduler over a real API server, its watches, its rules and its roles, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from homeostat.api import meta
from homeostat.api.errors import ApiError, conflict
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import EVENT, NAMESPACE, NODE, PDB, POD, SERVICEACCOUNT
from homeostat.api.types import Obj
from homeostat.apiserver.api_server import ApiServer
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.kit import clock, tasks, virtual
from homeostat.loop.election import Election
from homeostat.scheduler.scheduler import Scheduler
from homeostat.store.memory import MemoryState
from homeostat.wire.message import Request, Response, User
from tests.support import scheduling
from tests.support.api_edge import ADMIN, config, start

SCHEDULER = User("system:kube-scheduler", ("system:authenticated",))


class Refusing(ApiClient):
    """A client whose next bindings fail with `errors`, one each."""

    def __init__(self, transport: InProcessTransport) -> None:
        super().__init__(transport)
        self.errors: list[ApiError] = []

    async def create(self, kind: Any, obj: Obj, **options: Any) -> Obj:
        if options.get("subresource") == "binding" and self.errors:
            raise self.errors.pop(0)
        return await super().create(kind, obj, **options)


class Cluster:
    """An API server, a scheduler, and the words to talk about nodes and pods."""

    def __init__(self, server: ApiServer) -> None:
        self.client = ApiClient(InProcessTransport([server.handle], ADMIN))
        self.own = Refusing(InProcessTransport([server.handle], SCHEDULER))
        self.scheduler = Scheduler(self.own, Settings())

    async def node(self, name: str, **what: Any) -> None:
        made = await self.client.create(NODE, scheduling.node(name, **what))
        # The API server taints new nodes until the node lifecycle's loop has seen them Ready.
        made["spec"]["taints"] = what.get("taints", [])
        await self.client.update(NODE, made)

    async def pod(self, name: str, *, namespace: str = "default", **what: Any) -> Obj:
        obj = scheduling.pod(name, **what)
        obj["metadata"] = {"name": name, "namespace": namespace, "labels": what.get("labels") or {}}
        return await self.client.create(POD, obj)

    async def get(self, name: str, namespace: str = "default") -> Obj:
        return await self.client.get(POD, name, namespace)

    async def place_of(self, name: str, namespace: str = "default") -> str:
        return meta.pod_node(await self.get(name, namespace))

    async def message(self, name: str) -> str:
        condition = meta.condition(await self.get(name), "PodScheduled") or {}
        assert condition["status"] == "False" and condition["reason"] == "Unschedulable"
        return str(condition["message"])

    async def events(self, reason: str) -> list[Obj]:
        return [event for event in (await self.client.list(EVENT, "default")).items if event["reason"] == reason]

    async def restart(self) -> None:
        await self.scheduler.stop()
        self.scheduler = Scheduler(self.own, Settings())
        await self.scheduler.start()


def story(scenario: Callable[[Cluster], Awaitable[None]], *, running: bool = True) -> None:
    async def main() -> None:
        server = await start(MemoryState(), config())
        await clock.sleep(0.5)
        cluster = Cluster(server)
        account = {"metadata": {"name": "default", "namespace": "default"}}
        await cluster.client.create(SERVICEACCOUNT, account)
        if running:
            await cluster.scheduler.start()
        await scenario(cluster)
        await cluster.scheduler.stop()
        await server.stop()

    virtual.run(main, seed=1)


def test_a_pod_gets_a_node_a_condition_and_an_event() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("only")
        await cluster.pod("web")
        await clock.sleep(1)
        pod = await cluster.get("web")
        assert meta.pod_node(pod) == "only"
        assert meta.condition_true(pod, "PodScheduled")
        (event,) = await cluster.events("Scheduled")
        assert event["message"] == "Successfully assigned default/web to only"
        assert (event["type"], event["source"]["component"]) == ("Normal", "default-scheduler")

    story(scenario)


def test_a_pod_that_fits_nowhere_says_why_and_is_placed_when_a_node_comes() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("small", cpu="1")
        await cluster.pod("big", cpu="2")
        await clock.sleep(1)
        said = (
            "0/1 nodes are available: 1 Insufficient cpu. "
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        )
        assert await cluster.message("big") == said
        (event,) = await cluster.events("FailedScheduling")
        assert (event["message"], event["type"]) == (said, "Warning")
        since = meta.condition(await cluster.get("big"), "PodScheduled")["lastTransitionTime"]  # type: ignore[index]
        await cluster.node("closed", unschedulable=True)
        await clock.sleep(5)
        assert "1 Insufficient cpu, 1 node(s) were unschedulable" in await cluster.message("big")
        # Another reason, but still the same status.
        assert meta.condition(await cluster.get("big"), "PodScheduled")["lastTransitionTime"] == since  # type: ignore[index]
        await cluster.node("roomy", cpu="4")
        await clock.sleep(11)
        assert await cluster.place_of("big") == "roomy"

    story(scenario)


def test_with_room_for_one_the_more_important_pod_gets_it() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("only", pods="1")
        await cluster.pod("plain")
        await cluster.pod("vital", priorityClassName="system-node-critical")
        await cluster.scheduler.start()
        await clock.sleep(1)
        assert await cluster.place_of("vital") == "only"
        assert "Too many pods" in await cluster.message("plain")

    story(scenario, running=False)


def test_preemption_ends_the_lesser_pod_keeps_its_place_and_gives_it_to_the_preemptor() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("only", cpu="1")
        await cluster.pod("lesser", cpu="800m")
        await clock.sleep(1)
        victim = await cluster.get("lesser")
        await cluster.pod("vital", cpu="800m", priorityClassName="system-node-critical")
        await clock.sleep(1)
        assert (await cluster.get("vital"))["status"]["nominatedNodeName"] == "only"
        going = await cluster.get("lesser")
        assert meta.deleting(going)
        target = meta.condition(going, "DisruptionTarget") or {}
        assert (target["status"], target["reason"]) == ("True", "PreemptionByScheduler")
        (event,) = await cluster.events("Preempted")
        assert event["involvedObject"]["uid"] == meta.uid(victim)
        assert event["message"].endswith("on node only")
        # While the victim takes its time nobody else has to go, and nobody else gets the place.
        await cluster.pod("sneaky", cpu="800m", priorityClassName="system-cluster-critical")
        await cluster.node("later", cpu="100m")
        await clock.sleep(15)
        assert "terminating pod on the nominated node" in await cluster.message("vital")
        await cluster.client.delete(POD, "lesser", "default", options={"gracePeriodSeconds": 0})
        await clock.sleep(11)
        assert await cluster.place_of("vital") == "only"
        assert "nominatedNodeName" not in (await cluster.get("vital"))["status"]
        assert await cluster.place_of("sneaky") == ""
        assert len(await cluster.events("Preempted")) == 1

    story(scenario)


def test_a_restarted_scheduler_keeps_the_nominations_of_its_predecessor() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("only", cpu="1")
        await cluster.pod("lesser", cpu="800m")
        await clock.sleep(1)
        await cluster.pod("vital", cpu="800m", priorityClassName="system-node-critical")
        await clock.sleep(1)
        await cluster.restart()
        await cluster.pod("sneaky", cpu="800m", priorityClassName="system-cluster-critical")
        await clock.sleep(1)
        await cluster.client.delete(POD, "lesser", "default", options={"gracePeriodSeconds": 0})
        await clock.sleep(11)
        assert await cluster.place_of("vital") == "only"
        assert await cluster.place_of("sneaky") == ""

    story(scenario)


def test_a_binding_that_conflicts_is_taken_back_and_tried_again() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("only", pods="1")
        cluster.own.errors = [conflict("pods/binding", "", "web", "somebody was faster")]
        await cluster.pod("web")
        await clock.sleep(0.5)
        assert await cluster.place_of("web") == ""
        await clock.sleep(2)
        # The room that was assumed is free again: the only pod that fits is this one.
        assert await cluster.place_of("web") == "only"

    story(scenario)


def test_a_pod_that_went_while_it_was_bound_leaves_its_room() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("only", pods="1")
        cluster.own.errors = [ApiError(404, "NotFound", 'pods "web" not found')]
        await cluster.pod("web")
        await clock.sleep(0.1)
        await cluster.client.delete(POD, "web", "default", options={"gracePeriodSeconds": 0})
        await cluster.pod("next")
        await clock.sleep(12)
        assert await cluster.place_of("next") == "only"

    story(scenario)


def test_a_scheduler_that_restarts_midway_counts_what_its_predecessor_placed() -> None:
    async def scenario(cluster: Cluster) -> None:
        for name in ("a", "b"):
            await cluster.node(name, pods="4")
        for number in range(5):
            await cluster.pod(f"first-{number}")
        await clock.sleep(1)
        await cluster.scheduler.stop()
        for number in range(4):
            await cluster.pod(f"second-{number}")
        await clock.sleep(1)
        assert await cluster.place_of("second-0") == ""
        await cluster.restart()
        await clock.sleep(1)
        pods = (await cluster.client.list(POD, "default")).items
        counts = [sum(meta.pod_node(pod) == name for pod in pods) for name in ("a", "b", "")]
        assert counts == [4, 4, 1]

    story(scenario)


def test_gates_hold_a_pod_back_and_other_schedulers_pods_are_left_alone() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("only")
        await cluster.pod("gated", schedulingGates=[{"name": "example.com/wait"}])
        await cluster.pod("foreign", schedulerName="somebody-else")
        await clock.sleep(1)
        gated = await cluster.get("gated")
        assert (meta.condition(gated, "PodScheduled") or {})["reason"] == "SchedulingGated"
        gated["spec"]["schedulingGates"] = []
        await cluster.client.update(POD, gated)
        await clock.sleep(1)
        assert await cluster.place_of("gated") == "only"
        assert await cluster.place_of("foreign") == ""

    story(scenario)


def test_a_pod_with_a_claim_is_refused_in_plain_words() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("only")
        await cluster.pod("db", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}}])
        await clock.sleep(1)
        assert await cluster.message("db") == (
            '0/1 nodes are available: pod uses persistentVolumeClaim "data-0", and this cluster binds no volumes.'
        )

    story(scenario)


def near(app: str, **more: Any) -> Obj:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": app}}, **more}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_a_pod_that_wants_company_follows_when_the_company_comes() -> None:
    async def scenario(cluster: Cluster) -> None:
        for name in ("a", "b", "c"):
            await cluster.node(name)
        await cluster.pod("web", affinity=near("cache"))
        await clock.sleep(1)
        assert "3 node(s) didn't match pod affinity rules" in await cluster.message("web")
        await cluster.pod("cache", labels={"app": "cache"})
        await clock.sleep(5)
        assert await cluster.place_of("web") == await cluster.place_of("cache") != ""

    story(scenario)


def test_a_namespace_selector_means_the_namespaces_that_it_selects_now() -> None:
    async def scenario(cluster: Cluster) -> None:
        for name in ("a", "b", "c"):
            await cluster.node(name)
        space = await cluster.client.create(NAMESPACE, {"metadata": {"name": "far"}})
        await cluster.client.create(SERVICEACCOUNT, {"metadata": {"name": "default", "namespace": "far"}})
        await cluster.pod("cache", namespace="far", labels={"app": "cache"})
        wanted = near("cache", namespaceSelector={"matchLabels": {"team": "blue"}})
        await cluster.pod("web", affinity=wanted)
        await clock.sleep(1)
        assert "didn't match pod affinity rules" in await cluster.message("web")
        space = await cluster.client.get(NAMESPACE, "far")
        space["metadata"].setdefault("labels", {})["team"] = "blue"
        await cluster.client.update(NAMESPACE, space)
        await clock.sleep(5)
        assert await cluster.place_of("web") == await cluster.place_of("cache", "far") != ""

    story(scenario)


def test_a_pod_whose_node_went_away_no_longer_counts() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("old", pods="1")
        await cluster.pod("web")
        await clock.sleep(1)
        await cluster.client.delete(NODE, "old")
        await cluster.pod("next")
        await clock.sleep(1)
        assert await cluster.message("next") == "no nodes available to schedule pods"
        await cluster.node("new", pods="1")
        await clock.sleep(3)
        assert await cluster.place_of("next") == "new"

    story(scenario)


def test_preemption_avoids_pods_that_a_budget_protects_while_it_exists() -> None:
    async def scenario(cluster: Cluster) -> None:
        await cluster.node("a", cpu="1")
        await cluster.node("b", cpu="1")
        await cluster.pod("db", cpu="1", labels={"app": "db"}, nodeSelector={"kubernetes.io/hostname": "a"})
        await cluster.pod("web", cpu="1", labels={"app": "web"}, nodeSelector={"kubernetes.io/hostname": "b"})
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "db"}}}
        await cluster.client.create(PDB, {"metadata": {"name": "db", "namespace": "default"}, "spec": spec})
        await clock.sleep(2)
        await cluster.pod("vital", cpu="1", priorityClassName="system-node-critical")
        await clock.sleep(1)
        assert (await cluster.get("vital"))["status"]["nominatedNodeName"] == "b"
        assert meta.deleting(await cluster.get("web"))
        assert not meta.deleting(await cluster.get("db"))
        await cluster.client.delete(PDB, "db", "default")
        await clock.sleep(1)
        await cluster.pod("second", cpu="1", priorityClassName="system-node-critical")
        await clock.sleep(1)
        assert meta.deleting(await cluster.get("db"))

    story(scenario)


def test_a_scheduler_suspended_beyond_its_lease_binds_nothing_when_it_continues() -> None:
    pods = 60

    async def main() -> None:
        server = await start(MemoryState(), config())
        cluster = Cluster(server)
        await cluster.client.create(SERVICEACCOUNT, {"metadata": {"name": "default", "namespace": "default"}})
        await cluster.node("n", pods="100", cpu="100")
        early, late = [], []

        async def handle(request: Request) -> Response:
            response = await server.handle(request)
            if request.path.endswith("/binding"):
                (late if clock.monotonic() > 22 else early).append(request.path)
                if len(early) == pods // 2:
                    asyncio.get_running_loop().suspend(22)  # type: ignore[attr-defined]
            return response

        client = ApiClient(InProcessTransport([handle], SCHEDULER))
        election = Election(client, name="kube-scheduler", identity="a_1")
        scheduler = Scheduler(election.writer(), Settings())
        for number in range(pods):
            await cluster.pod(f"p{number}", cpu="10m")

        async def lead() -> None:
            await scheduler.start()
            await asyncio.Event().wait()

        running = tasks.spawn(election.run(lead, scheduler.stop_deciding), name="election")
        while not late and clock.monotonic() < 23:
            await clock.sleep(0.001)
        await tasks.stop(running)
        assert pods // 2 <= len(early) < pods
        assert not late
        await scheduler.stop()
        await server.stop()

    virtual.run(main, seed=1)
