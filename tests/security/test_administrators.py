"""The identities that a cluster writes to disk: administrators are what a binding makes them, and the API server's
client to kubelets may do nothing but that. Over real sockets."""

from __future__ import annotations

import asyncio

import orjson

from homeostat.cluster import certificate_plan
from homeostat.node.serve.kubelet_server import API_SERVER
from homeostat.wire.message import User
from tests.support.api_site import TOKENS, Site, story

ADMIN = User(certificate_plan.ADMIN.common_name, (*certificate_plan.ADMIN.organizations, "system:authenticated"))
KUBELET_CLIENT = User(
    certificate_plan.KUBELET_CLIENT.common_name,
    (*certificate_plan.KUBELET_CLIENT.organizations, "system:authenticated"),
)
IDENTITIES = {**TOKENS, "cluster-admin": ADMIN, "kubelet-client": KUBELET_CLIENT}
BINDING = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:cluster-admins"


async def _status(site: Site, method: str, path: str, token: str, body: bytes = b"") -> int:
    caller = await site.call(method, path, "Content-Type: application/json", body=body, token=token)
    return (await caller.answer())[0]


def test_an_administrator_may_do_everything_by_a_binding_that_can_be_taken_away() -> None:
    async def scenario(site: Site) -> None:
        secret = orjson.dumps({"metadata": {"name": "s"}, "stringData": {"a": "b"}})
        assert await _status(site, "POST", "/api/v1/namespaces/kube-system/secrets", "cluster-admin", secret) == 201
        assert await _status(site, "GET", "/api/v1/secrets", "cluster-admin") == 200
        assert await _status(site, "GET", "/homeostat/journal", "cluster-admin") == 200
        # Roles of any strength can be made: the role holds everything.
        rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
        role = orjson.dumps({"metadata": {"name": "all"}, "rules": rules})
        path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        assert await _status(site, "POST", path, "cluster-admin", role) == 201
        assert await _status(site, "DELETE", BINDING, "admin") == 200
        assert await _status(site, "GET", "/api/v1/secrets", "cluster-admin") == 403

    story(scenario, static_tokens=IDENTITIES)


def test_the_api_server_s_client_to_kubelets_may_nothing_but_speak_to_them() -> None:
    async def scenario(site: Site) -> None:
        for path in ("/api/v1/secrets", "/api/v1/namespaces/default/pods", "/homeostat/journal", "/api/v1/nodes/x"):
            assert await _status(site, "GET", path, "kubelet-client") in (403, 404)
        assert await _status(site, "GET", "/api/v1/secrets", "kubelet-client") == 403
        review = {"spec": {"user": API_SERVER, "resourceAttributes": {
            "verb": "get", "resource": "nodes", "subresource": "proxy"}}}  # fmt: skip
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        reply = await site.world.post(path, review)
        assert reply.obj["status"]["allowed"] is True

    story(scenario, static_tokens=IDENTITIES)


def test_a_server_is_not_ready_before_administrators_have_their_rights() -> None:
    async def scenario(site: Site) -> None:
        hook = "/readyz/poststarthook/rbac/bootstrap-roles"
        while await _status(site, "GET", hook, "admin") != 200:
            await asyncio.sleep(0.01)
        assert await _status(site, "GET", "/api/v1/secrets", "cluster-admin") == 200
        assert (await site.world.get(BINDING)).status == 200

    story(scenario, static_tokens=IDENTITIES)
