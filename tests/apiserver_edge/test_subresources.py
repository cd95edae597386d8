"""Subresources: binding, scale, eviction, logs, and what is refused by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from homeostat.kit import clock, virtual
from homeostat.store.memory import MemoryState
from homeostat.wire.message import Handler, Request, Response
from tests.support.api_edge import World, config, start, story

PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PDBS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


def to(node: str, **metadata) -> dict:
    return {"metadata": metadata, "target": {"kind": "Node", "name": node}}


async def ready(w: World, name: str, **labels: str) -> None:
    await w.make(PODS, {"metadata": {"name": name, "labels": labels or {"app": "web"}}, "spec": running_spec()})
    await w.make(f"{PODS}/{name}/binding", to("n1"))
    conditions = [{"type": "Ready", "status": "True"}]
    status = {"status": {"phase": "Running", "conditions": conditions}}
    merge = {"content-type": "application/merge-patch+json"}
    assert (await w.call("PATCH", f"{PODS}/{name}/status", status, headers=merge)).status == 200


def running_spec() -> dict:
    return {"containers": [{"name": "app", "image": "none", "command": ["true"]}], "terminationGracePeriodSeconds": 0}


async def budget(w: World, **spec) -> None:
    selector = {"matchLabels": {"app": "web"}}
    await w.make(PDBS, {"metadata": {"name": "web"}, "spec": {"selector": selector, **spec}})


async def evict(w: World, name: str, **options):
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    return await w.post(f"{PODS}/{name}/eviction", body | ({"deleteOptions": options} if options else {}))


def test_a_pod_is_bound_once():
    async def scenario(w: World) -> None:
        await w.account()
        await w.pod("p")
        reply = await w.post(f"{PODS}/p/binding", to("n1", name="p", annotations={"why": "fits"}))
        assert (reply.status, reply.obj["status"]) == (201, "Success")
        bound = (await w.get(f"{PODS}/p")).obj
        assert bound["spec"]["nodeName"] == "n1" and bound["metadata"]["annotations"]["why"] == "fits"
        scheduled = next(c for c in bound["status"]["conditions"] if c["type"] == "PodScheduled")
        assert scheduled["status"] == "True"
        reply = await w.post(f"{PODS}/p/binding", to("n2"))
        assert (reply.status, reply.obj["reason"]) == (409, "Conflict")
        assert reply.message.endswith('pod p is already assigned to node "n1"')

    story(scenario)


def test_a_binding_may_be_posted_to_its_collection_and_must_be_right():
    async def scenario(w: World) -> None:
        await w.account()
        made = await w.pod("p")
        collection = "/api/v1/namespaces/default/bindings"
        assert (await w.post(collection, to("n1", name="p", uid="another"))).status == 409
        assert (await w.post(collection, to("", name="p"))).status == 422
        assert (await w.post(collection, to("n1", name="nobody"))).status == 404
        assert (await w.post(f"{PODS}/p/binding", to("n1", name="q"))).status == 400
        assert (await w.post(collection, to("n1", name="p", uid=made["metadata"]["uid"]))).status == 201

    story(scenario)


def test_two_schedulers_on_two_servers_bind_a_pod_to_one_node():
    async def main() -> None:
        state = MemoryState()
        servers = [await start(state, config(advertise_port=6443 + n)) for n in range(2)]
        await clock.sleep(1)
        one, two = (World(server) for server in servers)
        await one.account()
        await one.pod("p")
        replies = await asyncio.gather(one.post(f"{PODS}/p/binding", to("n1")), two.post(f"{PODS}/p/binding", to("n2")))
        assert sorted(reply.status for reply in replies) == [201, 409]

    virtual.run(main, seed=3)


def test_scale_reads_and_writes_the_replicas():
    async def scenario(w: World) -> None:
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "i"}]}}
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        await w.make(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
        path = f"{DEPLOYMENTS}/web/scale"
        scale = (await w.get(path)).obj
        assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert scale["spec"] == {"replicas": 2} and scale["status"] == {"replicas": 0, "selector": "app=web"}
        stale = scale["metadata"]["resourceVersion"]
        scale["spec"]["replicas"] = 5
        assert (await w.call("PUT", path, scale)).obj["spec"]["replicas"] == 5
        assert (await w.call("PUT", path, scale)).status == 409, f"{stale} has passed"
        for kind in ("merge-patch", "strategic-merge-patch"):
            headers = {"content-type": f"application/{kind}+json"}
            reply = await w.call("PATCH", path, {"spec": {"replicas": 3}}, headers=headers)
            assert reply.obj["spec"]["replicas"] == 3
        deployment = (await w.get(f"{DEPLOYMENTS}/web")).obj
        assert deployment["spec"]["replicas"] == 3 and deployment["metadata"]["generation"] == 3
        reply = await w.call("PUT", path, {"metadata": {"name": "web"}, "spec": {"replicas": -1}})
        assert reply.status == 422
        assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in reply.message
        assert (await w.get(f"{DEPLOYMENTS}/nobody/scale")).status == 404

    story(scenario)


def test_an_eviction_deletes_the_pod_and_says_why():
    async def scenario(w: World) -> None:
        await w.account()
        await ready(w, "a")
        reply = await evict(w, "a", dryRun=["All"])
        assert reply.status == 201 and (await w.get(f"{PODS}/a")).status == 200
        assert (await evict(w, "a")).status == 201
        assert (await w.get(f"{PODS}/a")).status == 404
        assert (await evict(w, "a")).status == 404

    story(scenario)


def test_a_budget_lets_pods_go_only_as_far_as_it_allows():
    async def scenario(w: World) -> None:
        await w.account()
        for name in ("a", "b", "c"):
            await ready(w, name)
        await ready(w, "other", app="db")
        await budget(w, minAvailable=2)
        assert (await evict(w, "a")).status == 201
        reply = await evict(w, "b")
        assert (reply.status, reply.obj["reason"]) == (429, "TooManyRequests")
        assert reply.message == "Cannot evict pod as it would violate the pod's disruption budget."
        (cause,) = reply.obj["details"]["causes"]
        assert cause == {
            "reason": "DisruptionBudget",
            "message": "The disruption budget web needs 2 healthy pods and has 2 currently",
        }
        assert (await evict(w, "other")).status == 201

    story(scenario)


def test_a_percentage_counts_the_replicas_that_the_controller_wants():
    async def scenario(w: World) -> None:
        await w.account()
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "i"}]}}
        spec = {"replicas": 4, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        owner = await w.make("/apis/apps/v1/namespaces/default/replicasets", {"metadata": {"name": "rs"}, "spec": spec})
        reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "controller": True}
        for name in ("a", "b", "c"):
            await ready(w, name)
            owned = {"metadata": {"ownerReferences": [{**reference, "uid": owner["metadata"]["uid"]}]}}
            headers = {"content-type": "application/merge-patch+json"}
            await w.call("PATCH", f"{PODS}/{name}", owned, headers=headers)
        await budget(w, maxUnavailable="25%")
        # Of four wanted one may be missing, and one is: three are there.
        assert (await evict(w, "a")).status == 429

    story(scenario)


def test_unready_pods_are_evicted_beyond_the_budget():
    async def scenario(w: World) -> None:
        await w.account()
        await w.make(PODS, {"metadata": {"name": "pending", "labels": {"app": "web"}}, "spec": running_spec()})
        await budget(w, minAvailable=5)
        assert (await evict(w, "pending")).status == 201

    story(scenario)


def test_evictions_on_two_servers_share_one_allowance():
    async def main() -> None:
        state = MemoryState()
        servers = [await start(state, config(advertise_port=6443 + n)) for n in range(2)]
        await clock.sleep(1)
        one, two = (World(server) for server in servers)
        await one.account()
        for name in ("a", "b", "c"):
            await ready(one, name)
        await budget(one, minAvailable=2)
        await clock.sleep(0.1)
        replies = await asyncio.gather(evict(one, "a"), evict(two, "b"))
        assert sorted(reply.status for reply in replies) == [201, 429]

    virtual.run(main, seed=5)


# Logs


class Kubelet:
    """A node's server that answers with what it was asked."""

    def __init__(self, answer: Response | None = None) -> None:
        self.asked: list[Request] = []
        self._answer = answer

    def dial(self, node: dict) -> Handler:
        async def handle(request: Request) -> Response:
            self.asked.append(request)
            return self._answer or Response(200, _lines(node["metadata"]["name"]))

        return handle


async def _lines(node: str) -> AsyncIterator[bytes]:
    yield b"from "
    yield node.encode()


async def with_node(w: World) -> None:
    await w.account()
    await w.make("/api/v1/nodes", {"metadata": {"name": "n1"}})
    await w.pod("p")
    await w.make(f"{PODS}/p/binding", to("n1"))


def test_logs_are_passed_through_from_the_pods_node():
    kubelet = Kubelet()

    async def scenario(w: World) -> None:
        await with_node(w)
        reply = await w.get(f"{PODS}/p/log?tailLines=5&follow=true&unknown=1")
        assert (reply.status, reply.raw) == (200, b"from n1")
        (asked,) = kubelet.asked
        assert asked.path == "/containerLogs/default/p/app"
        assert asked.query == {"tailLines": "5", "follow": "true"}

    story(scenario, dial_kubelet=kubelet.dial)


def test_what_the_kubelet_refuses_reaches_the_client():
    text = b'container "app" in pod "p" is waiting to start: ContainerCreating'

    async def scenario(w: World) -> None:
        await with_node(w)
        reply = await w.get(f"{PODS}/p/log")
        assert (reply.status, reply.obj["reason"], reply.message) == (400, "BadRequest", text.decode())

    story(scenario, dial_kubelet=Kubelet(Response(400, text)).dial)


def test_a_container_must_be_there_and_be_chosen_where_there_are_several():
    async def scenario(w: World) -> None:
        await with_node(w)
        two = [{"name": name, "image": "i"} for name in ("web", "side")]
        await w.make(
            PODS,
            {
                "metadata": {"name": "two"},
                "spec": {"containers": two, "initContainers": [{"name": "init", "image": "i"}]},
            },
        )
        assert (await w.get(f"{PODS}/p/log?container=nope")).message == "container nope is not valid for pod p"
        assert (await w.get(f"{PODS}/two/log")).message == (
            "a container name must be specified for pod two, choose one of: [web side] "
            "or one of the init containers: [init]"
        )
        assert (await w.get(f"{PODS}/two/log?container=init")).status == 200
        assert (await w.get(f"{PODS}/p/log?tailLines=-1")).status == 422
        assert (await w.get(f"{PODS}/p/log?tailLines=x")).status == 400
        assert (await w.get(f"{PODS}/p/log?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z")).status == 422
        assert (await w.get(f"{PODS}/nobody/log")).status == 404

    story(scenario, dial_kubelet=Kubelet().dial)
