"""What a path asks for is decided once, as kube-apiserver decides it: by identity, over real sockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson
import pytest

from homeostat.wire.fields import json_response
from homeostat.wire.message import Request, Response
from tests.support.api_edge import rule
from tests.support.api_site import Site, story

RBAC = "/apis/rbac.authorization.k8s.io/v1"
API_GROUP = "rbac.authorization.k8s.io"
IN_TENANT = "/api/v1/namespaces/tenant"
reached: list[Request] = []


async def kubelet(request: Request) -> Response:
    """A node's kubelet: keeps what it was asked."""
    reached.append(request)
    return json_response(200, {"target": request.target.decode()})


def attacked(test: Callable[[Site], Awaitable[None]]) -> None:
    """`eve` owns the namespace `tenant`, and nothing else; `other` is another tenant's, with a Secret."""

    async def scenario(site: Site) -> None:
        world = site.world
        reached.clear()
        for name in ("tenant", "other"):
            await world.make("/api/v1/namespaces", {"metadata": {"name": name}})
            await world.make(f"/api/v1/namespaces/{name}/secrets", {"metadata": {"name": "key"}})
        await world.make("/api/v1/nodes", {"metadata": {"name": "n1"}})
        everything = rule("*", "*")
        everything["apiGroups"] = ["*"]
        role = {"metadata": {"name": "owner"}, "rules": [everything]}
        await world.make(f"{RBAC}/namespaces/tenant/roles", role)
        subject = {"apiGroup": API_GROUP, "kind": "User", "name": "eve"}
        reference = {"apiGroup": API_GROUP, "kind": "Role", "name": "owner"}
        bound = {"metadata": {"name": "owner"}, "roleRef": reference, "subjects": [subject]}
        await world.make(f"{RBAC}/namespaces/tenant/rolebindings", bound)
        await test(site)

    story(scenario, dial_kubelet=lambda node: kubelet)


async def code(site: Site, method: str, path: str, *, body: object = None, token: str = "eve") -> int:
    raw = b"" if body is None else orjson.dumps(body)
    merge = "application/merge-patch+json"
    kind = "Content-Type: " + (merge if method == "PATCH" else "application/json")
    return (await (await site.call(method, path, kind, body=raw, token=token)).answer())[0]


VOLUME = {"metadata": {"name": "v"}, "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}}
LABEL = {"metadata": {"labels": {"taken": "over"}}}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{IN_TENANT}/nodes", None),
        ("GET", f"{IN_TENANT}/nodes?watch=true", None),
        ("GET", f"{IN_TENANT}/nodes/n1", None),
        ("PATCH", f"{IN_TENANT}/nodes/n1", LABEL),
        ("PATCH", f"{IN_TENANT}/nodes/n1/status", LABEL),
        ("GET", f"{IN_TENANT}/nodes/n1/proxy/pods", None),
        ("GET", f"{IN_TENANT}/namespaces", None),
        ("PATCH", f"{IN_TENANT}/namespaces/other", LABEL),
        ("DELETE", f"{IN_TENANT}/namespaces/other", None),
        ("GET", f"{IN_TENANT}/namespaces/tenant", None),
        ("PUT", f"{IN_TENANT}/namespaces/other/finalize", {"metadata": {"name": "other"}}),
        ("POST", f"{IN_TENANT}/persistentvolumes", VOLUME),
        ("DELETE", f"{IN_TENANT}/nodes", None),
        ("DELETE", f"{RBAC}/namespaces/tenant/clusterrolebindings/cluster-admin", None),
        ("GET", f"{RBAC}/namespaces/tenant/clusterroles", None),
        ("POST", "/apis/authorization.k8s.io/v1/namespaces/tenant/selfsubjectaccessreviews", {"spec": {}}),
        ("GET", "/apis/storage.k8s.io/v1/namespaces/tenant/storageclasses", None),
    ],
)
def test_kinds_of_the_cluster_are_not_found_inside_a_namespace(method: str, path: str, body: object):
    async def scenario(site: Site) -> None:
        assert await code(site, method, path, body=body) == 404
        assert await code(site, method, path, body=body, token="admin") == 404
        node = (await site.world.get("/api/v1/nodes/n1")).obj
        assert "labels" not in node["metadata"] or "taken" not in node["metadata"]["labels"]
        assert (await site.world.get("/api/v1/namespaces/other")).obj["status"]["phase"] == "Active"
        assert not reached

    attacked(scenario)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/secrets", 200),
        ("GET", "/api/v1/secrets/key", 404),
        ("DELETE", "/api/v1/secrets/key", 404),
        ("GET", "/api/v1/pods/p/log", 404),
        ("GET", "/api/v1/pods/p/proxy/", 404),
        ("POST", "/api/v1/secrets", 405),
        ("DELETE", "/api/v1/secrets", 405),
        ("POST", "/api/v1/bindings", 404),
        ("POST", "/apis/authorization.k8s.io/v1/localsubjectaccessreviews", 404),
        ("GET", "/api/v1/namespaces/tenant/status", 200),
        ("GET", "/api/v1/namespaces/tenant/secrets/..", 400),
        ("GET", "/api/v1/namespaces/tenant/secrets/a%252Fb", 400),
        ("GET", "/api/v1/namespaces/tenant/secrets/key%00", 404),
        ("GET", "/api//v1/secrets", 404),
        ("GET", "/api/v1/namespaces//secrets", 404),
        ("GET", "/api/v1/namespaces/tenant/secrets//key", 404),
        ("GET", "//api/v1/namespaces/tenant/secrets/key/", 200),
    ],
)
def test_kinds_of_namespaces_are_asked_of_the_cluster_only_as_a_whole(method: str, path: str, expected: int):
    """What an administrator gets: rights are not the reason."""

    async def scenario(site: Site) -> None:
        body = {"metadata": {"name": "new"}} if method == "POST" else None
        assert await code(site, method, path, body=body, token="admin") == expected

    attacked(scenario)


@pytest.mark.parametrize("encoded", ["%2F", "%2f", "%252F", "%252f", "/../", "/%2e%2e/", ";/", "/;", "%00/", "//"])
def test_encoded_slashes_give_nobody_another_namespace_or_a_node(encoded: str):
    async def scenario(site: Site) -> None:
        for path in (
            f"/api/v1{encoded}namespaces{encoded}tenant/nodes/n1/proxy/exec/other/web/app",
            f"/api/v1/namespaces/tenant{encoded}nodes/n1/proxy/run/other/web/app",
            f"/api/v1/namespaces/tenant{encoded}..{encoded}other/secrets/key",
            f"/api/v1/namespaces/tenant/secrets/..{encoded}..{encoded}other{encoded}secrets{encoded}key",
            f"/api/v1/namespaces{encoded}tenant/namespaces/other/secrets/key",
            f"/api{encoded}v1/namespaces/other/secrets/key",
            f"http://api/api/v1{encoded}namespaces{encoded}tenant/nodes/n1/proxy/exec/other/web/app",
        ):
            for method in ("GET", "POST"):
                status = await code(site, method, path)
                assert status in (400, 403, 404, 405), (method, path, status)
        assert not reached, reached[0].target

    attacked(scenario)


def test_a_namespaces_owner_has_what_is_in_it_and_no_more():
    async def scenario(site: Site) -> None:
        assert await code(site, "GET", f"{IN_TENANT}/secrets/key") == 200
        assert await code(site, "GET", "/api/v1%2Fnamespaces%2Ftenant%2Fsecrets%2Fkey") == 200
        assert await code(site, "GET", IN_TENANT) == 200, "a Namespace is in itself"
        for path in ("/api/v1/namespaces/other/secrets/key", "/api/v1/secrets", "/api/v1/nodes/n1/proxy/pods"):
            assert await code(site, "GET", path) == 403

    attacked(scenario)


def test_what_a_node_is_sent_of_a_proxied_path_is_what_came():
    async def scenario(site: Site) -> None:
        path = "/api/v1%2Fnodes/n1/proxy/a%2Fb%0a/x/../c;d?e=%0d%0a"
        status, _, body = await (await site.call("GET", path, token="admin")).answer()
        assert (status, orjson.loads(body)["target"]) == (200, "/a%2Fb%0a/c;d?e=%0d%0a")

    attacked(scenario)
