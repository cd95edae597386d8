"""A namespace labelled `enforce: restricted` holds against its own owner: no way leads to the node.

The owner has the role `admin` in the namespace, as kubectl create rolebinding gives it, and nothing else.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from homeostat.api.flags.flag_settings import Settings
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.controllers.registry import Authority, all_loops
from homeostat.loop.manager import Manager
from homeostat.wire.message import User
from tests.support import api_site
from tests.support.api_site import Site

Obj = dict[str, Any]
OWNER = User("olga", ("system:authenticated",))
NODE = User("system:node:n1", ("system:nodes", "system:authenticated"))
CONTROLLERS = User("system:kube-controller-manager", ("system:authenticated",))
TENANT = "/api/v1/namespaces/tenant"
ENFORCE = "pod-security.kubernetes.io/enforce"
REFUSED = 'violates PodSecurity "restricted:latest"'
SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
SAFE_CONTAINER = {"name": "app", "image": "none", "securityContext": SAFE}
# Each takes a Pod that is allowed over what is not.
BREAKOUTS: dict[str, Obj] = {
    "privileged": {"containers": [{"name": "app", "image": "none", "securityContext": {"privileged": True}}]},
    "host network": {"hostNetwork": True},
    "host processes": {"hostPID": True},
    "host memory": {"hostIPC": True},
    "a host path": {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
    "a host port": {"containers": [SAFE_CONTAINER | {"ports": [{"containerPort": 80, "hostPort": 80}]}]},
    "a capability": {
        "containers": [SAFE_CONTAINER | {"securityContext": SAFE | {"capabilities": {"add": ["SYS_ADMIN"]}}}]
    },
    "an init container": {
        "initContainers": [{"name": "init", "image": "none", "securityContext": {"privileged": True}}]
    },
    "a foreign profile": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    "another host's probe": {
        "containers": [SAFE_CONTAINER | {"livenessProbe": {"tcpSocket": {"host": "::1", "port": 1}}}]
    },
}


def pod(name: str, spec: Obj, **meta: Any) -> Obj:
    return {"metadata": {"name": name, **meta}, "spec": {"containers": [SAFE_CONTAINER], **spec}}


class Attack:
    """The tenant's namespace on a server with real sockets, and requests in the names of its attackers."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def ask(self, method: str, path: str, body: Obj | None = None, *, by: str = "owner", patch: str = "") -> Any:
        kind = f"Content-Type: application/{patch}+json" if patch else "Content-Type: application/json"
        raw = orjson.dumps(body) if body is not None else b""
        caller = await self._site.call(method, path, kind, body=raw, token=by)
        status, _, answer = await caller.answer()
        caller.writer.close()
        return status, orjson.loads(answer)

    async def refused(self, method: str, path: str, body: Obj, why: str = REFUSED, **how: Any) -> None:
        status, answer = await self.ask(method, path, body, **how)
        assert status == 403 and why in answer["message"], (status, answer)


def attack(test: Any) -> None:
    async def story(site: Site) -> None:
        w = site.world
        await w.make("/api/v1/namespaces", {"metadata": {"name": "tenant", "labels": {ENFORCE: "restricted"}}})
        await w.account("tenant")
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}
        binding = {"metadata": {"name": "owner"}, "roleRef": role, "subjects": [{"kind": "User", "name": OWNER.name}]}
        await w.make("/apis/rbac.authorization.k8s.io/v1/namespaces/tenant/rolebindings", binding)
        # Kubernetes gives this to cluster administrators only; the level has to hold without that as well.
        rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/tenant"
        parts = ["pods/ephemeralcontainers", "pods/resize"]
        rules = [{"verbs": ["*"], "apiGroups": [""], "resources": parts}]
        await w.make(f"{rbac}/roles", {"metadata": {"name": "debugger"}, "rules": rules})
        role = role | {"kind": "Role", "name": "debugger"}
        await w.make(f"{rbac}/rolebindings", binding | {"metadata": {"name": "debugger"}, "roleRef": role})
        await test(Attack(site), site)

    api_site.story(story, static_tokens=api_site.TOKENS | {"owner": OWNER, "node": NODE})


@pytest.mark.parametrize("breakout", BREAKOUTS)
def test_an_owner_cannot_run_a_pod_that_reaches_the_node(breakout):
    async def scenario(attack: Attack, site: Site) -> None:
        assert (await attack.ask("POST", f"{TENANT}/pods", pod("good", {})))[0] == 201
        await attack.refused("POST", f"{TENANT}/pods", pod("bad", BREAKOUTS[breakout]))
        # Neither as a dry run nor by a generated name.
        await attack.refused("POST", f"{TENANT}/pods?dryRun=All", pod("bad", BREAKOUTS[breakout]))
        generated = pod("", BREAKOUTS[breakout])
        generated["metadata"] = {"generateName": "bad-"}
        await attack.refused("POST", f"{TENANT}/pods", generated)

    attack(scenario)


def test_an_owner_cannot_get_such_a_pod_through_a_controller():
    """The template is accepted with a warning; the Pods that the loops make of it, first and changed, are refused."""

    async def scenario(attack: Attack, site: Site) -> None:
        own = ApiClient(InProcessTransport([site.world.server.handle], CONTROLLERS))
        manager = Manager(own, all_loops(Settings(), Authority("PEM", "https://api")), "controller-manager")
        await manager.start()
        path = "/apis/apps/v1/namespaces/tenant/deployments"

        def deployment(name: str, spec: Obj) -> Obj:
            meta = {"labels": {"app": name}}
            template = {"metadata": meta, "spec": {"containers": [SAFE_CONTAINER], **spec}}
            spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
            return {"metadata": {"name": name}, "spec": spec}

        async def pods(name: str) -> list[Obj]:
            return (await attack.ask("GET", f"{TENANT}/pods?labelSelector=app%3D{name}"))[1]["items"]

        async def events_say(text: str) -> bool:
            found = (await attack.ask("GET", f"{TENANT}/events"))[1]["items"]
            return any(text in event.get("message", "") for event in found)

        async def until(condition: Any) -> None:
            while not await condition():
                await asyncio.sleep(0.05)

        try:
            assert (await attack.ask("POST", path, deployment("bad", {"hostNetwork": True})))[0] == 201
            assert (await attack.ask("POST", path, deployment("good", {})))[0] == 201
            await until(lambda: events_say(f"{REFUSED}: host namespaces (hostNetwork=true)"))

            async def good_is_there() -> bool:
                return len(await pods("good")) == 1

            await until(good_is_there)
            change = {"spec": {"template": {"spec": {"hostPID": True}}}}
            assert (await attack.ask("PATCH", f"{path}/good", change, patch="merge-patch"))[0] == 200
            await until(lambda: events_say(f"{REFUSED}: host namespaces (hostPID=true)"))
            assert await pods("bad") == []
            assert all(not found["spec"].get("hostPID") for found in await pods("good"))
        finally:
            await manager.stop()

    attack(scenario)


def test_an_owner_cannot_debug_with_the_profile_sysadmin():
    """What `kubectl debug --profile=sysadmin` sends."""

    async def scenario(attack: Attack, site: Site) -> None:
        await attack.ask("POST", f"{TENANT}/pods", pod("good", {}))
        debugger = {"name": "debugger", "image": "busybox", "securityContext": {"privileged": True}}
        path = f"{TENANT}/pods/good/ephemeralcontainers"
        change = {"spec": {"ephemeralContainers": [debugger]}}
        await attack.refused("PATCH", path, change, patch="strategic-merge-patch")
        whole = (await attack.ask("GET", f"{TENANT}/pods/good"))[1]
        whole["spec"]["ephemeralContainers"] = [debugger]
        await attack.refused("PUT", path, whole)
        # And not by the Pod itself: its containers cannot be added to.
        status, _ = await attack.ask("PUT", f"{TENANT}/pods/good", whole)
        found = (await attack.ask("GET", f"{TENANT}/pods/good"))[1]
        assert status != 200 or not found["spec"].get("ephemeralContainers")

    attack(scenario)


def test_an_owner_cannot_change_a_running_pod_into_such_a_pod():
    async def scenario(attack: Attack, site: Site) -> None:
        await attack.ask("POST", f"{TENANT}/pods", pod("good", {}))
        for spec in BREAKOUTS.values():
            for path in (f"{TENANT}/pods/good", f"{TENANT}/pods/good/resize"):
                await attack.ask("PATCH", path, {"spec": spec}, patch="strategic-merge-patch")
        spec = (await attack.ask("GET", f"{TENANT}/pods/good"))[1]["spec"]
        assert not any(spec.get(field) for field in ("hostNetwork", "hostPID", "hostIPC"))
        assert not any(container["securityContext"].get("privileged") for container in spec["containers"])
        assert not any("hostPath" in volume for volume in spec["volumes"])

    attack(scenario)


def test_only_nodes_have_mirror_pods_and_they_are_judged_as_well():
    """The annotation of a mirror Pod opens nothing to an owner; a node's own mirror Pod keeps to the level too."""
    mirror = {"annotations": {"kubernetes.io/config.mirror": "x"}}

    async def scenario(attack: Attack, site: Site) -> None:
        await attack.refused("POST", f"{TENANT}/pods", pod("m", {"hostNetwork": True}, **mirror))
        node = await site.world.make("/api/v1/nodes", {"metadata": {"name": "n1"}})
        owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": node["metadata"]["uid"], "controller": True}
        spec = {"hostNetwork": True, "nodeName": "n1"}
        own = pod("m", spec, ownerReferences=[owner], **mirror)
        await attack.refused("POST", f"{TENANT}/pods", own, by="node")
        system = "/api/v1/namespaces/kube-system/pods"
        assert (await attack.ask("POST", system, own, by="node"))[0] == 201
        # Whoever is no node makes none there.
        await attack.refused("POST", system, own, 'cannot create resource "pods"')

    attack(scenario)


@pytest.mark.parametrize("verb", ["PATCH", "PUT"])
def test_an_owner_cannot_take_the_label_away(verb):
    async def scenario(attack: Attack, site: Site) -> None:
        change = {"metadata": {"labels": {ENFORCE: "privileged"}}}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tenant", **change["metadata"]}}
        for path in (TENANT, f"{TENANT}/status", f"{TENANT}/finalize"):
            if verb == "PATCH":
                await attack.refused("PATCH", path, change, "cannot patch resource", patch="merge-patch")
            else:
                await attack.refused("PUT", path, body, "cannot update resource")
        labels = (await site.world.get(TENANT)).obj["metadata"]["labels"]
        assert labels[ENFORCE] == "restricted"

    attack(scenario)
