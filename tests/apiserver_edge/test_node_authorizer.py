"""The Node authorizer: what a node agent may ask for, by what its Pods refer to (kubernetes.io/docs, "Using Node
Authorization")."""

from __future__ import annotations

import time
from typing import Any

import pytest

from homeostat.apiserver.authz.authorizers import by_modes
from homeostat.apiserver.authz.node_authorizer import NodeAuthorizer
from homeostat.apiserver.authz.node_graph import references_of
from homeostat.apiserver.authz.rbac_policy import node_rules
from homeostat.apiserver.authz.rbac_rules import parse_all
from homeostat.apiserver.contract import RequestInfo
from homeostat.wire.message import User
from tests.support.api_edge import ADMIN, World, pod, story

W1 = User("system:node:w1", ("system:nodes", "system:authenticated"))
W2 = User("system:node:w2", ("system:nodes", "system:authenticated"))
SECRET_SOURCES: dict[str, Any] = {
    "a pull secret": {"imagePullSecrets": [{"name": "s"}]},
    "a volume": {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]},
    "a projected volume": {"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}]},
    "a CSI volume": {"volumes": [{"name": "v", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "s"}}}]},
    "a CephFS volume": {"volumes": [{"name": "v", "cephfs": {"monitors": ["m"], "secretRef": {"name": "s"}}}]},
    "an azureFile volume": {"volumes": [{"name": "v", "azureFile": {"secretName": "s", "shareName": "x"}}]},
    "a variable": {
        "containers": [{"name": "c", "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]
    },
    "all variables": {"initContainers": [{"name": "c", "envFrom": [{"secretRef": {"name": "s"}}]}]},
    "an ephemeral container": {"ephemeralContainers": [{"name": "c", "envFrom": [{"secretRef": {"name": "s"}}]}]},
}


@pytest.mark.parametrize("how", SECRET_SOURCES)
def test_every_way_to_name_a_secret_is_seen(how: str) -> None:
    bound = {"metadata": {"name": "p", "namespace": "a"}, "spec": SECRET_SOURCES[how]}
    assert ("secrets", "a", "s") in references_of(bound)


@pytest.mark.parametrize(
    ("spec", "reference"),
    [
        ({"volumes": [{"name": "v", "configMap": {"name": "c"}}]}, ("configmaps", "a", "c")),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "c"}}]}}]},
            ("configmaps", "a", "c"),
        ),
        ({"containers": [{"name": "x", "envFrom": [{"configMapRef": {"name": "c"}}]}]}, ("configmaps", "a", "c")),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            ("persistentvolumeclaims", "a", "c"),
        ),
        ({"volumes": [{"name": "v", "ephemeral": {}}]}, ("persistentvolumeclaims", "a", "p-v")),
        ({"serviceAccountName": "robot"}, ("serviceaccounts", "a", "robot")),
        ({"resourceClaims": [{"name": "r", "resourceClaimName": "gpu"}]}, ("resourceclaims", "a", "gpu")),
    ],
)
def test_other_references_of_a_pod(spec: dict[str, Any], reference: tuple[str, str, str]) -> None:
    assert reference in references_of({"metadata": {"name": "p", "namespace": "a"}, "spec": spec})


def test_a_pod_that_names_nothing_has_no_references() -> None:
    assert references_of({"metadata": {"name": "p", "namespace": "a"}, "spec": {"containers": [{"name": "c"}]}}) == (
        frozenset()
    )


async def _bound_pod(w: World, name: str, node: str, **spec: Any) -> None:
    await w.make("/api/v1/namespaces/default/pods", pod(name, nodeName=node, **spec))


def test_a_node_reads_the_secrets_of_its_own_pods_only() -> None:
    async def scenario(w: World) -> None:
        await w.account()
        for name in ("mine", "other"):
            await w.make("/api/v1/namespaces/default/secrets", {"metadata": {"name": name}})
        path = "/api/v1/namespaces/default/secrets"
        refused = await w.get(f"{path}/mine", user=W1)
        assert refused.status == 403
        assert refused.message == (
            'secrets "mine" is forbidden: User "system:node:w1" cannot get resource "secrets" in API group "" in the '
            "namespace \"default\": no relationship found between node 'w1' and this object"
        )
        await _bound_pod(w, "p", "w1", volumes=[{"name": "v", "secret": {"secretName": "mine"}}])
        assert (await w.get(f"{path}/mine", user=W1)).status == 200
        assert (await w.get(f"{path}/mine", user=W2)).status == 403
        assert (await w.get(f"{path}/other", user=W1)).status == 403
        assert (await w.get(path, user=W1)).status == 403
        watching = await w.get(f"{path}?fieldSelector=metadata.name%3Dmine".replace("%3D", "="), user=W1)
        assert watching.status == 200
        assert (await w.call("DELETE", f"{path}/mine", user=W1)).status == 403
        # The Pod is deleted, and with it the node's permission to read.
        options = {"gracePeriodSeconds": 0}
        assert (await w.call("DELETE", "/api/v1/namespaces/default/pods/p", options)).status == 200
        assert (await w.get(f"{path}/mine", user=W1)).status == 403

    story(scenario)


def test_a_secret_becomes_readable_when_its_pod_is_bound() -> None:
    async def scenario(w: World) -> None:
        await w.account()
        await w.make("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}})
        await w.pod("p", volumes=[{"name": "v", "configMap": {"name": "c"}}])
        assert (await w.get("/api/v1/namespaces/default/configmaps/c", user=W1)).status == 403
        target = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "w1"}}
        assert (await w.post("/api/v1/namespaces/default/pods/p/binding", target)).status == 201
        assert (await w.get("/api/v1/namespaces/default/configmaps/c", user=W1)).status == 200

    story(scenario)


def test_a_volume_and_its_secret_are_readable_through_the_claim() -> None:
    async def scenario(w: World) -> None:
        await w.account()
        claim = {"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "v"}}
        claim["spec"]["resources"] = {"requests": {"storage": "1Gi"}}
        await w.make("/api/v1/namespaces/default/persistentvolumeclaims", claim)
        csi = {"driver": "d", "volumeHandle": "h", "nodeStageSecretRef": {"name": "key", "namespace": "vault"}}
        csi["controllerPublishSecretRef"] = {"name": "master-key", "namespace": "vault"}
        spec: dict[str, Any] = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "csi": csi}
        spec["claimRef"] = {"namespace": "default", "name": "c"}
        await w.make("/api/v1/persistentvolumes", {"metadata": {"name": "v"}, "spec": spec})
        await w.make("/api/v1/namespaces", {"metadata": {"name": "vault"}})
        await _bound_pod(w, "p", "w1", volumes=[{"name": "x", "persistentVolumeClaim": {"claimName": "c"}}])
        secrets = "/api/v1/namespaces/vault/secrets"
        for name in ("key", "master-key"):
            await w.make(secrets, {"metadata": {"name": name}})
        seen = {
            path: [(await w.get(path, user=node)).status for node in (W1, W2)]
            for path in (
                "/api/v1/namespaces/default/persistentvolumeclaims/c",
                "/api/v1/persistentvolumes/v",
                f"{secrets}/key",
                # A node mounts; it does not attach.
                f"{secrets}/master-key",
            )
        }
        assert list(seen.values()) == [[200, 403], [200, 403], [200, 403], [403, 403]]

    story(scenario)


ALLOWED = [
    ("list", "pods", {"node": "w1"}),
    ("watch", "pods", {"node": "w1"}),
    ("create", "pods", {"namespace": "kube-system"}),
    ("delete", "pods", {"namespace": "kube-system", "name": "p"}),
    ("patch", "pods", {"namespace": "a", "name": "p", "subresource": "status"}),
    ("create", "pods", {"namespace": "a", "name": "p", "subresource": "eviction"}),
    ("get", "nodes", {"name": "w1"}),
    ("watch", "nodes", {"name": "w1"}),
    ("create", "nodes", {}),
    ("patch", "nodes", {"name": "w1", "subresource": "status"}),
    ("get", "leases", {"group": "coordination.k8s.io", "namespace": "kube-node-lease", "name": "w1"}),
    ("create", "leases", {"group": "coordination.k8s.io", "namespace": "kube-node-lease"}),
    ("get", "csinodes", {"group": "storage.k8s.io", "name": "w1"}),
    ("list", "services", {}),
    ("create", "events", {"namespace": "a"}),
    ("create", "certificatesigningrequests", {"group": "certificates.k8s.io"}),
    ("create", "tokenreviews", {"group": "authentication.k8s.io"}),
    ("create", "subjectaccessreviews", {"group": "authorization.k8s.io"}),
]
REFUSED = [
    ("list", "pods", {}, "can only list/watch pods with spec.nodeName field selector"),
    ("watch", "pods", {"node": "w2"}, "can only list/watch pods with spec.nodeName field selector"),
    ("get", "pods", {"namespace": "a", "name": "p"}, "no relationship found between node 'w1' and this object"),
    ("update", "pods", {"namespace": "a", "name": "p"}, ""),
    ("list", "nodes", {}, "node 'w1' cannot read '', only its own Node object"),
    ("get", "nodes", {"name": "w2"}, "node 'w1' cannot read 'w2', only its own Node object"),
    ("delete", "nodes", {"name": "w1"}, ""),
    ("get", "secrets", {"namespace": "a"}, "No Object name found"),
    ("list", "secrets", {"name": "s"}, "can only read namespaced object of this type"),
    ("update", "secrets", {"namespace": "a", "name": "s"}, "can only read resources of this type"),
    ("list", "persistentvolumes", {}, "can only get individual resources of this type"),
    (
        "create",
        "serviceaccounts",
        {"namespace": "a", "name": "robot", "subresource": "token"},
        "no relationship found between node 'w1' and this object",
    ),
    (
        "get",
        "leases",
        {"group": "coordination.k8s.io", "namespace": "kube-system", "name": "w1"},
        'can only access leases in the "kube-node-lease" system namespace',
    ),
    (
        "update",
        "leases",
        {"group": "coordination.k8s.io", "namespace": "kube-node-lease", "name": "w2"},
        "can only access node lease with the same name as the requesting node",
    ),
    (
        "list",
        "leases",
        {"group": "coordination.k8s.io", "namespace": "kube-node-lease"},
        "can only get, create, update, patch, or delete a node lease",
    ),
    (
        "get",
        "csinodes",
        {"group": "storage.k8s.io", "name": "w2"},
        "can only access CSINode with the same name as the requesting node",
    ),
    ("list", "deployments", {"group": "apps"}, ""),
    ("list", "namespaces", {}, ""),
]


def _info(verb: str, resource: str, more: dict[str, str]) -> RequestInfo:
    return RequestInfo(verb, "", is_resource=True, version="v1", resource=resource, **more)


@pytest.mark.parametrize(("verb", "resource", "more"), ALLOWED)
def test_what_every_node_may(verb: str, resource: str, more: dict[str, str]) -> None:
    allowed, _ = NodeAuthorizer(_Nothing(), parse_all(node_rules())).allowed(W1, _info(verb, resource, more))
    assert allowed


@pytest.mark.parametrize(("verb", "resource", "more", "why"), REFUSED)
def test_what_no_node_may(verb: str, resource: str, more: dict[str, str], why: str) -> None:
    answer = NodeAuthorizer(_Nothing(), parse_all(node_rules())).allowed(W1, _info(verb, resource, more))
    assert answer == (False, why)


class _Nothing:
    """A reader of an empty cluster."""

    def get(self, kind: object, namespace: str, name: str) -> None:
        return None

    def list(self, kind: object, namespace: str = "") -> list[Any]:
        return []

    def revision(self, kind: object) -> int:
        return 0

    def changes(self, kind: object, after: int) -> list[Any]:
        return []

    def items(self, kind: object) -> list[Any]:
        return []


def test_others_are_none_of_its_business() -> None:
    authorizer = NodeAuthorizer(_Nothing(), parse_all(node_rules()))
    assert authorizer.allowed(User("bob"), _info("list", "services", {})) == (False, "")
    nameless = User("bob", ("system:nodes",))
    assert authorizer.allowed(nameless, _info("list", "services", {})) == (False, 'unknown node for user "bob"')
    assert authorizer.allowed(W1, RequestInfo("get", "/metrics")) == (False, "")


def test_the_graph_outlives_a_forgotten_window() -> None:
    """More changes of Pods between two questions than the server remembers: the graph is rebuilt."""

    async def scenario(w: World) -> None:
        await w.account()
        await w.make("/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
        secret = "/api/v1/namespaces/default/secrets/s"
        assert (await w.get(secret, user=W1)).status == 403
        await _bound_pod(w, "p", "w1", volumes=[{"name": "v", "secret": {"secretName": "s"}}])
        hub = w.server._feed.hub("/registry/core/pods/")
        hub.window.start = hub.revision + 1
        assert (await w.get(secret, user=W1)).status == 200

    story(scenario)


def test_an_ephemeral_container_brings_its_references_with_it() -> None:
    async def scenario(w: World) -> None:
        await w.account()
        await w.make("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}})
        await _bound_pod(w, "p", "w1")
        path = "/api/v1/namespaces/default/configmaps/c"
        assert (await w.get(path, user=W1)).status == 403
        await w.writer.change(
            _pod_kind(), "default", "p", _with_ephemeral, user=ADMIN, subresource="ephemeralcontainers"
        )
        assert (await w.get(path, user=W1)).status == 200

    story(scenario)


def _pod_kind() -> Any:
    from homeostat.api.kinds import POD

    return POD


def _with_ephemeral(obj: dict[str, Any]) -> dict[str, Any]:
    debug = {"name": "debug", "image": "none", "envFrom": [{"configMapRef": {"name": "c"}}]}
    debug |= {"imagePullPolicy": "Never", "terminationMessagePolicy": "File"}
    return {**obj, "spec": {**obj["spec"], "ephemeralContainers": [debug]}}


def test_modes_are_asked_in_turn() -> None:
    class Says:
        def __init__(self, *answer: Any) -> None:
            self.answer = answer

        def allowed(self, user: User, info: RequestInfo) -> Any:
            return self.answer

    known: Any = {"Node": Says(False, "not a node's"), "RBAC": Says(True, "a binding")}
    info = _info("get", "pods", {})
    assert by_modes("Node,RBAC", known).allowed(W1, info) == (True, "a binding")
    both: Any = {"Node": Says(False, "one"), "RBAC": Says(False, "two")}
    assert by_modes("Node,RBAC", both).allowed(W1, info) == (False, "one\ntwo")
    assert by_modes("AlwaysAllow", known).allowed(W1, info) == (True, "")
    assert by_modes("AlwaysDeny", known).allowed(W1, info)[0] is False
    for wrong in ("", "ABAC", "RBAC,RBAC"):
        with pytest.raises(ValueError, match="authorization-mode"):
            by_modes(wrong, known)


def test_a_nodes_question_costs_microseconds() -> None:
    async def scenario(w: World) -> None:
        await w.account()
        for number in range(110):
            await _bound_pod(w, f"p{number}", "w1", volumes=[{"name": "v", "secret": {"secretName": f"s{number}"}}])
        authorizer = NodeAuthorizer(w.reader, parse_all(node_rules()))
        asked = _info("get", "secrets", {"namespace": "default", "name": "s109"})
        beat = _info("update", "leases", {"group": "coordination.k8s.io", "namespace": "kube-node-lease", "name": "w1"})
        for info in (asked, beat):
            assert authorizer.allowed(W1, info)[0]
            # Far above what it takes: only a graph that is rebuilt each time is slower.
            assert min(_seconds(authorizer, info) for _ in range(20)) < 200e-6

    story(scenario)


def _seconds(authorizer: NodeAuthorizer, info: RequestInfo) -> float:
    began = time.perf_counter()
    authorizer.allowed(W1, info)
    return time.perf_counter() - began


def test_access_reviews_speak_for_nodes() -> None:
    """`kubectl auth can-i --as system:node:w1 --as-group system:nodes` (SubjectAccessReview)."""

    async def scenario(w: World) -> None:
        async def may(node: str, **resource: Any) -> bool:
            spec = {"user": f"system:node:{node}", "groups": ["system:nodes"], "resourceAttributes": resource}
            review = await w.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
            return bool(review.obj["status"]["allowed"])

        await w.account()
        await _bound_pod(w, "p", "w1", volumes=[{"name": "v", "secret": {"secretName": "s"}}])
        secret = {"verb": "get", "resource": "secrets", "namespace": "default", "name": "s"}
        assert [await may(node, **secret) for node in ("w1", "w2")] == [True, False]
        selector = {"requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["w1"]}]}
        pods = {"verb": "list", "resource": "pods", "fieldSelector": selector}
        assert [await may(node, **pods) for node in ("w1", "w2")] == [True, False]
        pods = {"verb": "list", "resource": "pods", "fieldSelector": {"rawSelector": "spec.nodeName=w1"}}
        assert [await may(node, **pods) for node in ("w1", "w2")] == [True, False]

    story(scenario)


def test_what_a_node_may_cannot_be_listed() -> None:
    async def scenario(w: World) -> None:
        review = await w.post(
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "default"}}, user=W1
        )
        assert review.obj["status"]["incomplete"] is True

    story(scenario)


def test_a_grant_of_an_earlier_version_is_taken_back() -> None:
    """Clusters made before the Node authorizer had every node bound to system:node."""

    async def scenario(w: World) -> None:
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:node"
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}
        patch = {"subjects": [subject]}
        merge = {"content-type": "application/merge-patch+json"}
        assert (await w.call("PATCH", path, patch, headers=merge)).obj["subjects"] == [subject]
        await w.server._parts.background[0].__self__.make()  # type: ignore[attr-defined]
        assert not (await w.get(path)).obj.get("subjects")

    story(scenario)
