"""All loops together over a real API server, its watches and its rules, on virtual time.

A small hand plays the scheduler and the node agents: it binds Pods, reports them running, ends deleted ones and renews
leases, for every node that is not cut off.
"""

import pytest

from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.flags.flag_settings import Settings, parse_settings
from homeostat.api.kinds import (
    CONFIGMAP,
    DEPLOYMENT,
    ENDPOINTSLICE,
    EVENT,
    LEASE,
    NAMESPACE,
    NODE,
    PDB,
    POD,
    REPLICASET,
    SECRET,
    SERVICE,
    SERVICEACCOUNT,
)
from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import build_edge
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import STRATEGIC_PATCH
from homeostat.client.in_process import InProcessTransport
from homeostat.controllers.registry import Authority, all_loops
from homeostat.kit import clock, tasks, virtual
from homeostat.loop.manager import Manager
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import User
from tests.support.api_edge import config
from tests.support.controlling import deployment, node, obj, template

ADMIN = User("admin", ("system:masters", "system:authenticated"))
CONTROLLER = User("system:kube-controller-manager", ("system:authenticated",))


class Cluster:
    """One API server, the controller manager, and nodes played by hand."""

    def __init__(self, settings=None):
        self._store = MemoryStore(MemoryState())
        self.server = ApiServer(self._store, parts=build_edge(config()))
        self.client = ApiClient(InProcessTransport([self.server.handle], ADMIN))
        own = ApiClient(InProcessTransport([self.server.handle], CONTROLLER))
        self.manager = Manager(
            own, all_loops(settings or Settings(), Authority("PEM", "https://api")), "controller-manager"
        )
        self.cut = set()
        self._hand = None
        self._bound = 0

    async def __aenter__(self):
        await self._store.start()
        await self.server.start()
        await clock.sleep(1)
        await self.manager.start()
        self._hand = tasks.spawn(self._play(), name="hand")
        return self

    async def __aexit__(self, *_):
        await tasks.stop(self._hand)
        await self.manager.stop()
        await self.server.stop()

    async def add_nodes(self, *names):
        for name in names:
            await self.client.create(NODE, node(name))
            await self._renew(name)

    async def get(self, kind, name, namespace="default"):
        return await self.client.get(kind, name, namespace if kind.namespaced else "")

    async def names(self, kind, namespace="default", **selectors):
        return [meta.name(item) for item in (await self.client.list(kind, namespace, **selectors)).items]

    async def until(self, condition, seconds=120.0):
        """How long it took until `await condition()` was true."""
        start = clock.monotonic()
        while not await condition():
            assert clock.monotonic() - start < seconds, "it never came"
            await clock.sleep(0.1)
        return clock.monotonic() - start

    async def available(self, count, name="web", seconds=120.0):
        async def enough():
            status = (await self.get(DEPLOYMENT, name)).get("status") or {}
            done = status.get("observedGeneration") == (await self.get(DEPLOYMENT, name))["metadata"]["generation"]
            numbers = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas")]
            return done and numbers == [count] * 3

        return await self.until(enough, seconds)

    async def gone(self, kind, name, namespace="default", seconds=120.0):
        async def absent():
            try:
                await self.get(kind, name, namespace)
            except ApiError as error:
                return error.code == 404
            return False

        return await self.until(absent, seconds)

    async def _play(self):
        beat = 0
        while True:
            await clock.sleep(0.2)
            beat += 1
            for item in (await self.client.list(NODE)).items:
                name = meta.name(item)
                if beat % 50 == 0 and name not in self.cut:
                    await self._renew(name)
            for item in (await self.client.list(POD)).items:
                try:
                    await self._serve(item)
                except ApiError as error:
                    assert error.code in (404, 409), error

    async def _renew(self, name):
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": clock.now_rfc3339_micro()}
        made = obj("coordination.k8s.io/v1", "Lease", name, namespace="kube-node-lease", spec=spec)
        try:
            found = await self.client.get(LEASE, name, "kube-node-lease")
        except ApiError:
            await self.client.create(LEASE, made)
        else:
            await self.client.update(LEASE, {**found, "spec": spec})

    async def _serve(self, item):
        name, space, host = meta.name(item), meta.namespace(item), meta.pod_node(item)
        if host in self.cut:
            return
        if meta.deleting(item):
            await self.client.delete(POD, name, space, options={"gracePeriodSeconds": 0})
        elif not host:
            free = [meta.name(n) for n in (await self.client.list(NODE)).items if not n["spec"].get("taints")]
            if free:
                self._bound += 1
                target = {"apiVersion": "v1", "kind": "Node", "name": free[self._bound % len(free)]}
                binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, "namespace": space}}
                await self.client.create(POD, binding | {"target": target}, subresource="binding")
        elif not meta.pod_ready(item) and item["spec"]["containers"][0]["image"] != "broken":
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": clock.now_rfc3339()}
            address = f"10.1.{sum(name.encode()) % 200}.{sum(name[-5:].encode()) % 250}"
            status = {"phase": "Running", "podIP": address, "conditions": [ready]}
            await self.client.patch(
                POD, name, space, {"status": status}, subresource="status", content_type=STRATEGIC_PATCH
            )


def story(scenario, settings=None, seed=1):
    async def main():
        async with Cluster(settings) as cluster:
            await scenario(cluster)
            assert all(runner.counters.mistakes == 0 for runner in cluster.manager.runners)

    virtual.run(main, seed=seed)


def test_a_deployment_becomes_available_rolls_and_is_reachable():
    async def scenario(cluster):
        await cluster.add_nodes("n1", "n2")
        await cluster.client.create(SERVICE, obj("v1", "Service", "web", spec=_plain_service()))
        await cluster.client.create(DEPLOYMENT, deployment(replicas=3))
        await cluster.available(3)
        change = {"spec": {"template": template("web", "two")}}
        await cluster.client.patch(DEPLOYMENT, "web", "default", change)
        await cluster.available(3)
        await clock.sleep(1)
        pods = (await cluster.client.list(POD, "default")).items
        assert {item["spec"]["containers"][0]["image"] for item in pods} == {"two"}
        slices = (await cluster.client.list(ENDPOINTSLICE, "default", labels="kubernetes.io/service-name=web")).items
        found = {address for item in slices for endpoint in item["endpoints"] for address in endpoint["addresses"]}
        assert found == {item["status"]["podIP"] for item in pods}
        reasons = [item["reason"] for item in (await cluster.client.list(EVENT, "default")).items]
        assert reasons.count("ScalingReplicaSet") >= 3
        assert "SuccessfulCreate" in reasons

    story(scenario)


def _plain_service():
    return {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}


def test_when_all_is_well_nothing_is_written():
    async def scenario(cluster):
        await cluster.add_nodes("n1")
        await cluster.client.create(DEPLOYMENT, deployment(replicas=2))
        await cluster.client.create(SERVICE, obj("v1", "Service", "web", spec=_plain_service()))
        await cluster.available(2)
        await clock.sleep(30)
        before = {runner.name: dict(runner.performer.performed) for runner in cluster.manager.runners}
        await clock.sleep(300)
        assert before == {runner.name: dict(runner.performer.performed) for runner in cluster.manager.runners}

    story(scenario)


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_deleting_a_deployment_takes_everything_along(policy):
    async def scenario(cluster):
        await cluster.add_nodes("n1")
        await cluster.client.create(DEPLOYMENT, deployment(replicas=3))
        await cluster.available(3)
        await cluster.client.delete(DEPLOYMENT, "web", "default", options={"propagationPolicy": policy})
        await cluster.gone(DEPLOYMENT, "web")
        if policy == "Foreground":
            assert await cluster.names(REPLICASET) == await cluster.names(POD) == []

        async def empty():
            return await cluster.names(REPLICASET) == await cluster.names(POD) == []

        await cluster.until(empty)

    story(scenario)


def test_orphaned_pods_stay_and_are_adopted_by_a_deployment_that_comes_back():
    async def scenario(cluster):
        await cluster.add_nodes("n1")
        await cluster.client.create(DEPLOYMENT, deployment(replicas=2))
        await cluster.available(2)
        before = await cluster.names(POD)
        await cluster.client.delete(DEPLOYMENT, "web", "default", options={"propagationPolicy": "Orphan"})
        await cluster.gone(DEPLOYMENT, "web")
        assert await cluster.names(POD) == before
        await cluster.client.create(DEPLOYMENT, deployment(replicas=2))
        await cluster.available(2)
        assert await cluster.names(POD) == before

    story(scenario)


def test_a_namespace_comes_furnished_and_goes_with_all_its_content():
    async def scenario(cluster):
        await cluster.add_nodes("n1")
        await cluster.client.create(NAMESPACE, obj("v1", "Namespace", "team", namespace=""))

        async def furnished():
            accounts = await cluster.names(SERVICEACCOUNT, "team")
            return accounts == ["default"] and await cluster.names(CONFIGMAP, "team") == ["kube-root-ca.crt"]

        await cluster.until(furnished)
        made = deployment(replicas=2)
        made["metadata"]["namespace"] = "team"
        await cluster.client.create(DEPLOYMENT, made)
        await cluster.client.create(SECRET, obj("v1", "Secret", "s", namespace="team", data={}))

        async def running():
            return len(await cluster.names(POD, "team")) == 2

        await cluster.until(running)
        await cluster.client.delete(NAMESPACE, "team")
        await cluster.gone(NAMESPACE, "team")
        for kind in (DEPLOYMENT, REPLICASET, POD, SECRET, SERVICEACCOUNT, CONFIGMAP, EVENT):
            assert await cluster.names(kind, "team") == []

    story(scenario)


def test_the_pods_of_a_cut_node_are_replaced_after_five_minutes_and_again_none_is_lost():
    async def scenario(cluster):
        await cluster.add_nodes("n1", "n2", "n3")
        await cluster.client.create(DEPLOYMENT, deployment(replicas=6))
        await cluster.available(6)
        await clock.sleep(20)
        victims = await cluster.names(POD, fields="spec.nodeName=n1")
        assert victims
        cluster.cut.add("n1")
        cut_at = clock.monotonic()

        async def not_ready():
            return meta.condition(await cluster.get(NODE, "n1"), "Ready")["status"] == "Unknown"

        async def evicted():
            pods = [await cluster.get(POD, name) for name in victims]
            return all(meta.deleting(item) for item in pods)

        assert 40 <= await cluster.until(not_ready) <= 55
        await clock.sleep(2)
        for name in victims:
            assert not meta.pod_ready(await cluster.get(POD, name))
        await cluster.until(evicted, 400)
        assert 340 <= clock.monotonic() - cut_at <= 356
        await cluster.until(lambda: _ready_elsewhere(cluster, 6))
        cluster.cut.clear()
        await _post_ready(cluster, "n1")
        for name in victims:
            await cluster.gone(POD, name)
        assert (await cluster.get(NODE, "n1"))["spec"].get("taints") in (None, [])

    story(scenario)


async def _ready_elsewhere(cluster, count):
    pods = (await cluster.client.list(POD, "default")).items
    return sum(meta.pod_ready(item) and meta.pod_node(item) not in cluster.cut for item in pods) == count


async def _post_ready(cluster, name):
    conditions = [
        {"type": kind, "status": status, "lastHeartbeatTime": clock.now_rfc3339()}
        for kind, status in (("Ready", "True"), ("MemoryPressure", "False"), ("DiskPressure", "False"))
    ]
    conditions.append({"type": "PIDPressure", "status": "False", "lastHeartbeatTime": clock.now_rfc3339()})
    patch = {"status": {"conditions": conditions}}
    await cluster.client.patch(NODE, name, "", patch, subresource="status", content_type=STRATEGIC_PATCH)
    await clock.sleep(1)


def test_a_node_that_heals_in_time_keeps_its_pods():
    async def scenario(cluster):
        await cluster.add_nodes("n1", "n2")
        await cluster.client.create(DEPLOYMENT, deployment(replicas=4))
        await cluster.available(4)
        before = await cluster.names(POD)
        cluster.cut.add("n1")
        await clock.sleep(200)
        assert (await cluster.get(NODE, "n1"))["spec"]["taints"]
        cluster.cut.clear()
        await _post_ready(cluster, "n1")
        await cluster.available(4, seconds=5)
        await clock.sleep(400)
        assert await cluster.names(POD) == before
        reasons = [item["reason"] for item in (await cluster.client.list(EVENT, "default")).items]
        assert "TaintManagerEviction" in reasons

    story(scenario)


def test_times_follow_the_settings():
    async def scenario(cluster):
        await cluster.add_nodes("n1", "n2")
        await clock.sleep(20)
        cluster.cut.add("n1")

        async def not_ready():
            return meta.condition(await cluster.get(NODE, "n1"), "Ready")["status"] == "Unknown"

        assert await cluster.until(not_ready) <= 14

    grace = "controller-manager.node-monitor-grace-period=11s"
    story(scenario, parse_settings([grace, "controller-manager.node-monitor-period=1s"]))


def test_evictions_respect_a_budget_that_the_loop_keeps():
    async def scenario(cluster):
        await cluster.add_nodes("n1")
        await cluster.client.create(DEPLOYMENT, deployment(replicas=2))
        await cluster.available(2)
        spec = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 2}
        await cluster.client.create(PDB, obj("policy/v1", "PodDisruptionBudget", "web", spec=spec))

        async def counted():
            return ((await cluster.get(PDB, "web")).get("status") or {}).get("currentHealthy") == 2

        await cluster.until(counted)
        (name, _) = await cluster.names(POD)
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
        with pytest.raises(ApiError) as refused:
            await cluster.client.create(POD, eviction, subresource="eviction")
        assert refused.value.code == 429
        await cluster.client.patch(PDB, "web", "default", {"spec": {"minAvailable": 1}})
        await clock.sleep(1)
        await cluster.client.create(POD, eviction, subresource="eviction")
        await cluster.gone(POD, name)
        await cluster.available(2)

    story(scenario)


def test_a_new_leader_takes_over_in_the_middle_of_a_rollout():
    async def scenario(cluster):
        await cluster.add_nodes("n1", "n2")
        await cluster.client.create(DEPLOYMENT, deployment(replicas=4))
        await cluster.available(4)
        change = {"spec": {"template": template("web", "two")}}
        await cluster.client.patch(DEPLOYMENT, "web", "default", change)
        await clock.sleep(0.3)
        await cluster.manager.stop()
        own = ApiClient(InProcessTransport([cluster.server.handle], CONTROLLER))
        cluster.manager = Manager(own, all_loops(Settings()), "controller-manager")
        await cluster.manager.start()
        await cluster.available(4)
        await clock.sleep(1)
        assert len(await cluster.names(POD)) == 4

    story(scenario)
