"""Changes of one part of a Pod: ephemeral containers, and resources while it runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api_edge import World, story

PODS = "/api/v1/namespaces/default/pods"
Obj = dict[str, Any]
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}


def debugger(name: str = "debug", **more: Any) -> Obj:
    return {"name": name, "image": "busybox", **more}


def sized(cpu: str, memory: str = "64Mi") -> Obj:
    amounts = {"cpu": cpu, "memory": memory}
    return {"requests": amounts, "limits": amounts}


async def add(w: World, *containers: Obj, name: str = "p") -> Any:
    """As `kubectl debug` does: a strategic merge patch of the subresource."""
    body = {"spec": {"ephemeralContainers": list(containers)}}
    return await w.call("PATCH", f"{PODS}/{name}/ephemeralcontainers", body, headers=STRATEGIC)


def test_ephemeral_containers_are_added_and_stay():
    async def scenario(w: World) -> None:
        await w.account()
        before = await w.pod("p")
        reply = await add(w, debugger(targetContainerName="app", stdin=True, tty=True))
        assert reply.status == 200, reply.message
        [container] = reply.obj["spec"]["ephemeralContainers"]
        assert container["terminationMessagePath"] == "/dev/termination-log"
        assert container["imagePullPolicy"] == "Always", "defaults are those of any container"
        assert reply.obj["metadata"]["generation"] == before["metadata"]["generation"] + 1
        # The patch names the new one only: lists of containers are merged by name.
        reply = await add(w, debugger("second"))
        assert sorted(each["name"] for each in reply.obj["spec"]["ephemeralContainers"]) == ["debug", "second"]
        pod = (await w.get(f"{PODS}/p")).obj
        pod["spec"]["ephemeralContainers"].pop()
        reply = await w.call("PUT", f"{PODS}/p/ephemeralcontainers", pod)
        assert reply.status == 422 and "may not be removed" in reply.message
        reply = await add(w, debugger(image="other"))
        assert reply.status == 422 and 'existing ephemeral containers "debug" may not be changed' in reply.message

    story(scenario)


@pytest.mark.parametrize(
    ("container", "words"),
    [
        (debugger("app"), 'spec.ephemeralContainers[0].name: Duplicate value: "app"'),
        (debugger(targetContainerName="none"), 'targetContainerName: Not found: "none"'),
        (debugger(ports=[{"containerPort": 1}]), "ports: Forbidden: cannot be set for an Ephemeral Container"),
        (debugger(resources=sized("1")), "resources: Forbidden: cannot be set for an Ephemeral Container"),
        (debugger(livenessProbe={"tcpSocket": {"port": 1}}), "livenessProbe: Forbidden"),
        ({"name": "debug"}, "image: Required value"),
        (debugger("Not_A_Name"), "spec.ephemeralContainers[0].name: Invalid value"),
    ],
)
def test_what_an_ephemeral_container_cannot_have(container: Obj, words: str):
    async def scenario(w: World) -> None:
        await w.account()
        await w.pod("p")
        reply = await add(w, container)
        assert reply.status == 422 and words in reply.message

    story(scenario)


def test_the_subresource_changes_nothing_else_and_the_pod_itself_takes_none():
    async def scenario(w: World) -> None:
        await w.account()
        pod = await w.pod("p")
        body = {"metadata": {"labels": {"a": "b"}}, "spec": {"ephemeralContainers": [debugger()], "hostname": "x"}}
        reply = await w.call("PATCH", f"{PODS}/p/ephemeralcontainers", body, headers=STRATEGIC)
        assert reply.status == 200 and "hostname" not in reply.obj["spec"]
        assert reply.obj["metadata"].get("labels") == pod["metadata"].get("labels")
        body = {"spec": {"ephemeralContainers": [debugger("more")]}}
        reply = await w.call("PATCH", f"{PODS}/p", body, headers=STRATEGIC)
        assert reply.status == 422 and "pod updates may not change fields other than" in reply.message
        assert (await add(w, debugger(), name="nobody")).status == 404
        assert (await w.get(f"{PODS}/p/ephemeralcontainers")).obj["kind"] == "Pod"

    story(scenario)


async def resize(w: World, resources: Obj, **more: Any) -> Any:
    body = {"spec": {"containers": [{"name": "main", "resources": resources}], **more}}
    return await w.call("PATCH", f"{PODS}/p/resize", body, headers=STRATEGIC)


def test_a_pod_is_resized_in_place():
    async def scenario(w: World) -> None:
        await w.account()
        before = await w.pod("p", containers=[{"name": "main", "image": "app", "resources": sized("1")}])
        reply = await resize(w, sized("500m", "128Mi"), hostname="x")
        assert reply.status == 200, reply.message
        [container] = reply.obj["spec"]["containers"]
        assert container["resources"] == sized("500m", "128Mi")
        assert "hostname" not in reply.obj["spec"]
        assert reply.obj["metadata"]["generation"] == before["metadata"]["generation"] + 1
        body = {"spec": {"containers": [{"name": "main", "resources": sized("2")}]}}
        reply = await w.call("PATCH", f"{PODS}/p", body, headers=STRATEGIC)
        assert reply.status == 422, "resources of a running Pod change through the subresource only"

    story(scenario)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"requests": {"cpu": "500m"}}, "Pod QOS Class may not change as a result of resizing"),
        ({"limits": {"memory": None}, "requests": {"memory": None}}, "resource limits cannot be removed"),
        (sized("1") | {"limits": {"cpu": "1", "memory": "64Mi", "ephemeral-storage": "1Gi"}}, "only cpu and memory"),
        ({"requests": {"cpu": "2"}}, "must be less than or equal to cpu limit"),
    ],
)
def test_resizes_that_cannot_be(resources: Obj, words: str):
    async def scenario(w: World) -> None:
        await w.account()
        await w.pod("p", containers=[{"name": "main", "image": "app", "resources": sized("1")}])
        reply = await resize(w, resources)
        assert reply.status == 422 and words in reply.message, reply.message

    story(scenario)


def test_only_containers_that_last_are_resized():
    async def scenario(w: World) -> None:
        await w.account()
        init = {"name": "init", "image": "app", "resources": sized("1")}
        sidecar = {"name": "side", "image": "app", "restartPolicy": "Always", "resources": sized("1")}
        await w.pod("p", containers=[{"name": "main", "image": "app"}], initContainers=[init, sidecar])
        for name, status in (("init", 422), ("side", 200)):
            body = {"spec": {"initContainers": [{"name": name, "resources": sized("2")}]}}
            reply = await w.call("PATCH", f"{PODS}/p/resize", body, headers=STRATEGIC)
            assert reply.status == status, reply.message
        body = {"spec": {"containers": [{"name": "new", "image": "app"}]}}
        reply = await w.call("PATCH", f"{PODS}/p/resize", body, headers=STRATEGIC)
        assert reply.status == 422 and "may not add, remove, rename or reorder" in reply.message

    story(scenario)
