"""Reviews: `kubectl auth can-i`, `auth whoami`, and what delegated servers ask."""

from __future__ import annotations

from homeostat.wire.message import User
from tests.support.api_edge import World, story

AUTHZ = "/apis/authorization.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
BOB = User("bob", ("system:authenticated",))


async def viewer(w: World) -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}]
    body = {"metadata": {"name": "bob-views"}, "roleRef": reference, "subjects": subjects}
    await w.make(f"{RBAC}/namespaces/default/rolebindings", body)


def asking(verb: str, resource: str, namespace: str = "default") -> dict:
    return {"spec": {"resourceAttributes": {"verb": verb, "resource": resource, "namespace": namespace}}}


def test_a_user_asks_what_they_may_do():
    async def scenario(w: World) -> None:
        await viewer(w)
        path = f"{AUTHZ}/selfsubjectaccessreviews"
        status = (await w.post(path, asking("list", "pods"), user=BOB)).obj["status"]
        assert status["allowed"]
        assert status["reason"] == (
            'RBAC: allowed by RoleBinding "bob-views/default" of ClusterRole "view" to User "bob"'
        )
        assert (await w.post(path, asking("delete", "pods"), user=BOB)).obj["status"] == {"allowed": False}
        version = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/version"}}}
        assert (await w.post(path, version, user=BOB)).obj["status"]["allowed"]
        assert (await w.post(path, {"spec": {}}, user=BOB)).status == 400

    story(scenario)


def test_another_asks_what_a_user_may_do():
    async def scenario(w: World) -> None:
        await viewer(w)
        asked = asking("list", "pods")
        asked["spec"]["user"] = "bob"
        assert (await w.post(f"{AUTHZ}/subjectaccessreviews", asked)).obj["status"]["allowed"]
        local = f"{AUTHZ}/namespaces/default/localsubjectaccessreviews"
        assert (await w.post(local, asked)).obj["status"]["allowed"]
        elsewhere = f"{AUTHZ}/namespaces/kube-system/localsubjectaccessreviews"
        assert (await w.post(elsewhere, asked)).status == 400
        assert (await w.post(f"{AUTHZ}/subjectaccessreviews", asked, user=BOB)).status == 403

    story(scenario)


def test_the_list_of_what_a_user_may_do():
    async def scenario(w: World) -> None:
        await viewer(w)
        path = f"{AUTHZ}/selfsubjectrulesreviews"
        status = (await w.post(path, {"spec": {"namespace": "default"}}, user=BOB)).obj["status"]
        assert any("pods/log" in rule["resources"] for rule in status["resourceRules"])
        assert any("/version" in rule["nonResourceURLs"] for rule in status["nonResourceRules"])
        elsewhere = (await w.post(path, {"spec": {"namespace": "other"}}, user=BOB)).obj["status"]
        assert not any("pods/log" in rule["resources"] for rule in elsewhere["resourceRules"])
        assert (await w.post(path, {"spec": {}}, user=BOB)).status == 400

    story(scenario)
