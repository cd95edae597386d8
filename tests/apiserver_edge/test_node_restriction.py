"""NodeRestriction: what a node agent may write (kubernetes.io/docs, admission controllers, "NodeRestriction")."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.apiserver.admission.node_labels import forbidden_changes
from homeostat.wire.message import User
from tests.support.api_edge import World, pod, story

W1 = User("system:node:w1", ("system:nodes", "system:authenticated"))
MIRROR = {"kubernetes.io/config.mirror": "hash"}
MERGE = {"content-type": "application/merge-patch+json"}
PODS = "/api/v1/namespaces/default/pods"
Obj = dict[str, Any]


@pytest.mark.parametrize(
    ("label", "may"),
    [
        ("example.com/anything", True),
        ("plain", True),
        ("kubernetes.io/hostname", True),
        ("topology.kubernetes.io/zone", True),
        ("node.kubernetes.io/instance-type", True),
        ("kubelet.kubernetes.io/custom", True),
        ("sub.node.kubernetes.io/custom", True),
        ("kubernetes.io/custom", False),
        ("k8s.io/custom", False),
        ("sub.k8s.io/custom", False),
        ("node-role.kubernetes.io/control-plane", False),
        ("node-restriction.kubernetes.io/tenant", False),
        ("sub.node-restriction.kubernetes.io/tenant", False),
    ],
)
def test_which_labels_an_agent_may_set_and_take_away(label: str, may: bool) -> None:
    for new, old in (({label: "x"}, {}), ({}, {label: "x"}), ({label: "x"}, {label: "y"})):
        assert forbidden_changes(new, old) == ([] if may else [label])
    assert forbidden_changes({label: "x"}, {label: "x"}) == []


async def _node(w: World, name: str = "w1", **metadata: Any) -> Obj:
    return await w.make("/api/v1/nodes", {"metadata": {"name": name, **metadata}})


def test_an_agent_registers_itself_and_gets_its_role_from_the_plan() -> None:
    async def scenario(w: World) -> None:
        node = {"metadata": {"name": "w1", "labels": {"kubernetes.io/hostname": "w1"}}}
        reply = await w.post("/api/v1/nodes", node, user=W1)
        assert reply.status == 201
        assert reply.obj["metadata"]["labels"] == {
            "kubernetes.io/hostname": "w1",
            "node-role.kubernetes.io/worker": "",
        }
        other = await w.post("/api/v1/nodes", {"metadata": {"name": "w2"}}, user=W1)
        assert (other.status, other.message) == (
            403,
            'nodes "w2" is forbidden: node "w1" is not allowed to modify node "w2"',
        )
        # A Node that a person makes has the labels that the person gives it.
        assert "labels" not in (await _node(w, "by-hand"))["metadata"]

    story(scenario, node_role=lambda name: "worker")


def test_an_agent_gives_itself_no_role_no_owner_and_no_tenant() -> None:
    async def scenario(w: World) -> None:
        for labels in ({"node-role.kubernetes.io/control-plane": ""}, {"node-restriction.kubernetes.io/x": "y"}):
            reply = await w.post("/api/v1/nodes", {"metadata": {"name": "w1", "labels": labels}}, user=W1)
            (label,) = labels
            assert reply.status == 403
            assert reply.message.endswith(f'node "w1" is not allowed to set the following labels: {label}')
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}
        reply = await w.post("/api/v1/nodes", {"metadata": {"name": "w1", "ownerReferences": [owner]}}, user=W1)
        assert reply.status == 403 and "ownerReferences" in reply.message

    story(scenario)


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"metadata": {"labels": {"kubernetes.io/os": "linux"}}}, ""),
        ({"metadata": {"labels": {"tier": "front"}}}, ""),
        ({"metadata": {"annotations": {"a": "b"}}}, ""),
        ({"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}}, ""),
        ({"metadata": {"labels": {"node-role.kubernetes.io/x": ""}}}, "is not allowed to modify labels: node-role"),
        ({"spec": {"taints": None}}, "is not allowed to modify taints"),
        (
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "1"}]}},
            "is not allowed to modify ownerReferences",
        ),
    ],
)
def test_what_an_agent_may_change_in_its_node(patch: Obj, why: str) -> None:
    async def scenario(w: World) -> None:
        taint = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}
        await w.make("/api/v1/nodes", {"metadata": {"name": "w1"}, "spec": {"taints": [taint]}})
        reply = await w.call("PATCH", "/api/v1/nodes/w1", patch, headers=MERGE, user=W1)
        assert reply.status == (403 if why else 200), reply.raw
        assert why in reply.obj.get("message", "")

    story(scenario)


def test_an_agent_leaves_other_nodes_alone() -> None:
    async def scenario(w: World) -> None:
        await _node(w, "w2")
        patch = {"metadata": {"annotations": {"a": "b"}}}
        reply = await w.call("PATCH", "/api/v1/nodes/w2", patch, headers=MERGE, user=W1)
        assert (reply.status, "not allowed to modify node" in reply.message) == (403, True)
        status = {"status": {"conditions": []}}
        assert (await w.call("PATCH", "/api/v1/nodes/w2/status", status, headers=MERGE, user=W1)).status == 403
        assert (await w.call("DELETE", "/api/v1/nodes/w2", user=W1)).status == 403

    story(scenario)


def _mirror(uid: str, **changes: Any) -> Obj:
    """A mirror Pod of node w1; `changes` of its owner, metadata and spec."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": "w1", "uid": uid, "controller": True}
    body = pod("etcd-w1", nodeName="w1", **changes.get("spec", {}))
    body["metadata"] |= {"annotations": MIRROR, "ownerReferences": [owner | changes.get("owner", {})]}
    body["metadata"] |= changes.get("metadata", {})
    return body


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"metadata": {"annotations": {}}}, "can only create mirror pods"),
        ({"spec": {"nodeName": "w2"}}, "can only create pods with spec.nodeName set to itself"),
        ({"metadata": {"ownerReferences": []}}, "with an owner reference set to itself"),
        ({"owner": {"name": "w2"}}, "with an owner reference set to itself"),
        ({"owner": {"controller": False}}, "with a controller owner reference set to itself"),
        ({"owner": {"blockOwnerDeletion": True}}, "must not set blockOwnerDeletion on an owner reference"),
        ({"owner": {"uid": "another"}}, "UID mismatch: expected another got"),
        ({"spec": {"serviceAccountName": "default"}}, "can not create pods that reference a service account"),
        (
            {"spec": {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}},
            "can not create pods that reference secrets",
        ),
        (
            {"spec": {"volumes": [{"name": "v", "configMap": {"name": "s"}}]}},
            "can not create pods that reference configmaps",
        ),
        (
            {"spec": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "s"}}]}},
            "can not create pods that reference persistentvolumeclaims",
        ),
    ],
)
def test_which_pods_an_agent_may_create(changes: Obj, why: str) -> None:
    async def scenario(w: World) -> None:
        await w.account()
        uid = (await _node(w))["metadata"]["uid"]
        spec = changes.get("spec", {})
        body = _mirror(uid, **{**changes, "spec": {k: v for k, v in spec.items() if k != "nodeName"}})
        body["spec"] |= {k: v for k, v in spec.items() if k == "nodeName"}
        reply = await w.post(PODS, body, user=W1)
        assert reply.status == (403 if why else 201), reply.raw
        assert why in reply.obj.get("message", "")

    story(scenario)


def test_without_its_node_an_agent_shows_no_static_pod() -> None:
    async def scenario(w: World) -> None:
        reply = await w.post(PODS, _mirror("1"), user=W1)
        assert (reply.status, reply.message) == (404, 'nodes "w1" not found')

    story(scenario)


def test_an_agent_writes_the_status_of_its_own_pods_only() -> None:
    async def scenario(w: World) -> None:
        await w.account()
        for name, node in (("mine", "w1"), ("other", "w2")):
            await w.make(PODS, pod(name, nodeName=node))
        status = {"status": {"phase": "Running"}}
        mine = await w.call("PATCH", f"{PODS}/mine/status", status, headers=MERGE, user=W1)
        assert mine.status == 200 and mine.obj["status"]["phase"] == "Running"
        other = await w.call("PATCH", f"{PODS}/other/status", status, headers=MERGE, user=W1)
        assert other.status == 403
        assert other.message.endswith('node "w1" can only update pod status for pods with spec.nodeName set to itself')
        labels = {"metadata": {"labels": {"app": "front"}}}
        relabelled = await w.call("PATCH", f"{PODS}/mine/status", labels, headers=MERGE, user=W1)
        assert relabelled.message.endswith('node "w1" cannot update labels through pod status')

    story(scenario)


def test_an_agent_deletes_and_evicts_its_own_pods_only() -> None:
    async def scenario(w: World) -> None:
        await w.account()
        for name, node in (("mine", "w1"), ("gone", "w1"), ("other", "w2")):
            await w.make(PODS, pod(name, nodeName=node))
        options = {"gracePeriodSeconds": 0}
        assert (await w.call("DELETE", f"{PODS}/mine", options, user=W1)).status == 200
        reply = await w.call("DELETE", f"{PODS}/other", options, user=W1)
        assert reply.message.endswith('node "w1" can only delete pods with spec.nodeName set to itself')
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "gone"}}
        assert (await w.post(f"{PODS}/gone/eviction", eviction, user=W1)).status == 201
        eviction["metadata"] = {"name": "other"}
        assert (await w.post(f"{PODS}/other/eviction", eviction, user=W1)).status == 403

    story(scenario)


def test_an_agent_asks_for_tokens_of_its_own_pods_only() -> None:
    async def scenario(w: World) -> None:
        await w.account()
        await w.account(name="robot")
        uids = {}
        for name, node in (("mine", "w1"), ("other", "w2")):
            made = await w.make(PODS, pod(name, nodeName=node, serviceAccountName="robot"))
            uids[name] = made["metadata"]["uid"]

        async def ask(account: str, **reference: str) -> tuple[int, str]:
            spec: Obj = {"boundObjectRef": reference} if reference else {}
            path = f"/api/v1/namespaces/default/serviceaccounts/{account}/token"
            reply = await w.post(path, {"spec": spec}, user=W1)
            return reply.status, reply.obj.get("message", "")

        bound = {"apiVersion": "v1", "kind": "Pod"}
        assert (await ask("robot", **bound, name="mine", uid=uids["mine"]))[0] == 201
        refused = {
            "token not bound to a pod": await ask("robot"),
            "without a uid": await ask("robot", **bound, name="mine"),
            "scheduled on a different node": await ask("robot", **bound, name="other", uid=uids["other"]),
            "no relationship found": await ask("default", **bound, name="mine", uid=uids["mine"]),
        }
        for why, (status, message) in refused.items():
            assert status == 403 and why in message, (why, message)

    story(scenario)


def test_an_agent_keeps_its_own_lease() -> None:
    async def scenario(w: World) -> None:
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        spec = {"holderIdentity": "w1", "leaseDurationSeconds": 40}
        own = await w.post(leases, {"metadata": {"name": "w1"}, "spec": spec}, user=W1)
        assert own.status == 201
        renewed = {**own.obj, "spec": spec | {"leaseDurationSeconds": 41}}
        assert (await w.call("PUT", f"{leases}/w1", renewed, user=W1)).status == 200
        other = await w.post(leases, {"metadata": {"name": "w2"}, "spec": spec}, user=W1)
        assert (other.status, "same name as the requesting node" in other.message) == (403, True)

    story(scenario)


def test_a_claim_s_status_is_all_that_an_agent_may_write_of_it() -> None:
    async def scenario(w: World) -> None:
        await w.account()
        claim: Obj = {"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
        claim["spec"]["resources"] = {"requests": {"storage": "1Gi"}}
        claims = "/api/v1/namespaces/default/persistentvolumeclaims"
        await w.make(claims, claim)
        volume = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
        await w.make(PODS, pod("p", nodeName="w1", volumes=[volume]))
        capacity = {"status": {"capacity": {"storage": "2Gi"}}}
        path = f"{claims}/c/status"
        assert (await w.call("PATCH", path, capacity, headers=MERGE, user=W1)).status == 200
        phase = await w.call("PATCH", path, {"status": {"phase": "Bound"}}, headers=MERGE, user=W1)
        assert phase.status == 403 and "other than status.capacity" in phase.message
        labels = {"metadata": {"labels": {"a": "b"}}}
        assert (await w.call("PATCH", path, labels, headers=MERGE, user=W1)).status == 403

    story(scenario)


def test_a_member_of_the_nodes_without_a_node_writes_nothing() -> None:
    async def scenario(w: World) -> None:
        impostor = User("bob", ("system:nodes", "system:masters"))
        reply = await w.post("/api/v1/nodes", {"metadata": {"name": "w1"}}, user=impostor)
        assert (reply.status, reply.message) == (
            403,
            'nodes "w1" is forbidden: could not determine node from user "bob"',
        )

    story(scenario)
