"""RBAC rule by rule through a server: verbs, names, subresources, URLs, groups, aggregation, escalation, impersonation.

The rules are those of "Using RBAC Authorization"; every row is one request by a user without other rights.
"""

from __future__ import annotations

import pytest

from homeostat.wire.message import User
from tests.support.api_edge import World, rule, story

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
ANN = User("ann", ("devs", "system:authenticated"))
MERGE = {"content-type": "application/merge-patch+json"}


def to(kind: str, name: str, namespace: str = ""):
    subject = {"kind": kind, "name": name}
    if kind != "ServiceAccount":
        subject["apiGroup"] = "rbac.authorization.k8s.io"
    return {**subject, **({"namespace": namespace} if namespace else {})}


async def grant(w: World, *rules, subject=None, namespace: str = "", name: str = "granted", **role):
    """Give ann these rules everywhere, or in one namespace."""
    await w.make(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": list(rules), **role})
    body = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [subject or to("User", "ann")],
    }
    path = f"{RBAC}/namespaces/{namespace}/rolebindings" if namespace else f"{RBAC}/clusterrolebindings"
    await w.make(path, body)


async def status(w: World, method: str, path: str, body=None, *, user: User = ANN, **headers):
    reply = await w.call(method, path, body, user=user, headers=headers)
    return reply.status


@pytest.mark.parametrize(
    ("given", "method", "path", "body", "allowed"),
    [
        (rule("get", "pods"), "GET", f"{PODS}/a", None, True),
        (rule("get", "pods"), "GET", PODS, None, False),
        (rule("list", "pods"), "GET", PODS, None, True),
        (rule("list", "pods"), "GET", f"{PODS}/a", None, False),
        (rule("list", "pods"), "GET", "/api/v1/pods", None, True),
        (rule("list", "pods"), "GET", f"{PODS}?watch=true&timeoutSeconds=1", None, False),
        (rule("watch", "pods"), "GET", f"{PODS}?watch=true&timeoutSeconds=1", None, True),
        # Of one object, `watch` means nothing: such a request is a get.
        (rule("watch", "pods"), "GET", f"{PODS}/web?watch=true&timeoutSeconds=1", None, False),
        (rule("get", "pods"), "GET", f"{PODS}/web?watch=true&timeoutSeconds=1", None, True),
        (rule("create", "configmaps"), "POST", MAPS, {"metadata": {"name": "n"}}, True),
        (rule("update patch", "configmaps"), "POST", MAPS, {"metadata": {"name": "n"}}, False),
        (rule("update", "configmaps"), "PUT", f"{MAPS}/m", {"metadata": {"name": "m"}}, True),
        (rule("patch", "configmaps"), "PUT", f"{MAPS}/m", {"metadata": {"name": "m"}}, False),
        (rule("delete", "configmaps"), "DELETE", f"{MAPS}/m", None, True),
        (rule("delete", "configmaps"), "DELETE", MAPS, None, False),
        (rule("deletecollection", "configmaps"), "DELETE", MAPS, None, True),
        # A subresource is a resource of its own.
        (rule("get", "pods"), "GET", f"{PODS}/a/status", None, False),
        (rule("get", "pods/status"), "GET", f"{PODS}/a/status", None, True),
        (rule("get", "pods/*"), "GET", f"{PODS}/a/status", None, False),
        (rule("get", "*/status"), "GET", f"{PODS}/a/status", None, True),
        (rule("get", "*"), "GET", f"{PODS}/a/status", None, True),
        # Groups.
        (rule("list", "deployments"), "GET", "/apis/apps/v1/deployments", None, False),
        (rule("list", "deployments", "apps"), "GET", "/apis/apps/v1/deployments", None, True),
        (rule("list", "deployments", "*"), "GET", "/apis/apps/v1/deployments", None, True),
        (rule("*", "*", "*"), "GET", "/apis/apps/v1/deployments", None, True),
        # Names: of one object only; lists and creations have none unless the request names it.
        (rule("get", "configmaps", names=("m",)), "GET", f"{MAPS}/m", None, True),
        (rule("get", "configmaps", names=("m",)), "GET", f"{MAPS}/other", None, False),
        (rule("list", "configmaps", names=("m",)), "GET", MAPS, None, False),
        (rule("list", "configmaps", names=("m",)), "GET", f"{MAPS}?fieldSelector=metadata.name%3Dm", None, True),
        (rule("create", "configmaps", names=("n",)), "POST", MAPS, {"metadata": {"name": "n"}}, False),
        # URLs of no resource.
        (rule("get", urls=("/metrics",)), "GET", "/metrics", None, True),
        (rule("get", urls=("/metrics",)), "GET", "/metrics/slis", None, False),
        (rule("post", urls=("/metrics",)), "GET", "/metrics", None, False),
        (rule("get", urls=("*",)), "GET", "/metrics", None, True),
        (rule("get", "pods"), "GET", "/metrics", None, False),
    ],
)  # fmt: skip
def test_one_rule_and_one_request(given, method, path, body, allowed):
    async def scenario(w: World) -> None:
        await w.account()
        await w.pod("a")
        await w.make(MAPS, {"metadata": {"name": "m"}})
        await grant(w, given)
        path_of, _, query = path.partition("?")
        asked = f"{path_of}?{query.replace('%3D', '=')}" if query else path
        found = await status(w, method, asked, body)
        assert (found != 403) is allowed, found

    story(scenario)


@pytest.mark.parametrize(
    ("subject", "user", "allowed"),
    [
        (to("User", "ann"), ANN, True),
        (to("User", "ann"), User("bob", ()), False),
        (to("Group", "devs"), ANN, True),
        (to("Group", "ops"), ANN, False),
        (to("Group", "system:authenticated"), ANN, True),
        (to("ServiceAccount", "ci", "default"), User("system:serviceaccount:default:ci", ()), True),
        (to("ServiceAccount", "ci", "default"), User("system:serviceaccount:other:ci", ()), False),
        (to("Group", "system:serviceaccounts:default"),
         User("system:serviceaccount:default:x", ("system:serviceaccounts:default",)), True),
        (to("User", "*"), ANN, False),
    ],
)  # fmt: skip
def test_subjects(subject, user, allowed):
    async def scenario(w: World) -> None:
        await grant(w, rule("list", "configmaps"), subject=subject)
        assert (await status(w, "GET", MAPS, user=user) == 200) is allowed

    story(scenario)


def test_a_cluster_role_bound_in_a_namespace_holds_there_only():
    async def scenario(w: World) -> None:
        await w.make("/api/v1/namespaces", {"metadata": {"name": "two"}})
        await grant(w, rule("list", "configmaps nodes"), namespace="two")
        assert await status(w, "GET", "/api/v1/namespaces/two/configmaps") == 200
        for path in (MAPS, "/api/v1/configmaps", "/api/v1/nodes"):
            assert await status(w, "GET", path) == 403, path

    story(scenario)


def test_rights_come_and_go_with_their_bindings():
    async def scenario(w: World) -> None:
        assert await status(w, "GET", MAPS) == 403
        await grant(w, rule("list", "configmaps"))
        assert await status(w, "GET", MAPS) == 200
        await w.call("PATCH", f"{RBAC}/clusterroles/granted", {"rules": [rule("get", "configmaps")]}, headers=MERGE)
        assert await status(w, "GET", MAPS) == 403
        await w.call("PATCH", f"{RBAC}/clusterroles/granted", {"rules": [rule("list", "configmaps")]}, headers=MERGE)
        assert await status(w, "GET", MAPS) == 200
        await w.call("DELETE", f"{RBAC}/clusterrolebindings/granted")
        assert await status(w, "GET", MAPS) == 403

    story(scenario)


def test_an_aggregated_role_grows_with_what_its_labels_select():
    async def scenario(w: World) -> None:
        selector = {"clusterRoleSelectors": [{"matchLabels": {"to": "granted"}}]}
        await grant(w, aggregationRule=selector)
        assert await status(w, "GET", MAPS) == 403
        part = {"metadata": {"name": "part", "labels": {"to": "granted"}}, "rules": [rule("list", "configmaps")]}
        await w.make(f"{RBAC}/clusterroles", part)
        assert await status(w, "GET", MAPS) == 200
        await w.call("DELETE", f"{RBAC}/clusterroles/part")
        assert await status(w, "GET", MAPS) == 403

    story(scenario)


# Refusals


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "GET",
            f"{PODS}/a",
            'pods "a" is forbidden: User "ann" cannot get resource "pods" in API group "" in the namespace "default"',
        ),
        (
            "GET",
            PODS,
            'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"',
        ),
        (
            "GET",
            "/api/v1/nodes",
            'nodes is forbidden: User "ann" cannot list resource "nodes" in API group "" at the cluster scope',
        ),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/default/deployments/web",
            'deployments.apps "web" is forbidden: User "ann" cannot delete resource "deployments" in API group "apps" '
            'in the namespace "default"',
        ),
        (
            "GET",
            f"{PODS}/a/log",
            'pods "a" is forbidden: User "ann" cannot get resource "pods/log" in API group "" '
            'in the namespace "default"',
        ),
        ("GET", "/metrics", 'forbidden: User "ann" cannot get path "/metrics"'),
    ],
)
def test_a_refusal_says_who_cannot_do_what_where(method, path, message):
    async def scenario(w: World) -> None:
        reply = await w.call(method, path, user=ANN)
        assert (reply.status, reply.obj["reason"], reply.message) == (403, "Forbidden", message)

    story(scenario)


def test_a_refusal_comes_before_any_word_of_what_is_there():
    """Whoever may not look must not learn from the answer whether the object exists."""

    async def scenario(w: World) -> None:
        await w.make(MAPS, {"metadata": {"name": "here"}})
        here, gone = [await w.call("GET", f"{MAPS}/{name}", user=ANN) for name in ("here", "gone")]
        assert here.status == gone.status == 403
        assert here.message.replace("here", "gone") == gone.message

    story(scenario)


# Escalation

MANAGE = rule("create update patch get", "roles rolebindings clusterroles clusterrolebindings", RBAC.split("/")[2])


def new_role(*rules):
    return {"metadata": {"name": "new"}, "rules": list(rules)}


@pytest.mark.parametrize(
    ("held", "asked", "allowed"),
    [
        (rule("get list", "pods"), rule("get", "pods"), True),
        (rule("get", "pods"), rule("get", "pods", names=("a",)), True),
        (rule("get", "pods", names=("a",)), rule("get", "pods"), False),
        (rule("get", "pods"), rule("get list", "pods"), False),
        (rule("get", "pods"), rule("get", "pods", "apps"), False),
        (rule("*", "pods"), rule("delete", "pods"), True),
        (rule("get", "*"), rule("get", "secrets"), True),
        (rule("get", "secrets"), rule("get", "*"), False),
        (rule("get", "pods"), rule("get", "pods/log"), False),
        (rule("get", urls=("/metrics",)), rule("get", urls=("/metrics",)), True),
        (rule("get", urls=("/metrics",)), rule("get", urls=("*",)), False),
    ],
)
@pytest.mark.parametrize("where", ["clusterroles", "namespaces/default/roles"])
def test_nobody_makes_a_role_of_more_than_they_hold(where, held, asked, allowed):
    async def scenario(w: World) -> None:
        await grant(w, MANAGE, held)
        if "nonResourceURLs" in asked and where != "clusterroles":
            assert (await w.call("POST", f"{RBAC}/{where}", new_role(asked))).status == 422, "a Role has no URLs"
            return
        reply = await w.call("POST", f"{RBAC}/{where}", new_role(asked), user=ANN)
        assert reply.status == (201 if allowed else 403), reply.raw
        if not allowed:
            assert "is attempting to grant RBAC permissions not currently held:" in reply.message

    story(scenario)


@pytest.mark.parametrize("verb", ["escalate", "bind"])
def test_some_may_grant_what_they_do_not_hold(verb):
    async def scenario(w: World) -> None:
        await w.make(f"{RBAC}/clusterroles", {"metadata": {"name": "strong"}, "rules": [rule("*", "secrets")]})
        reference = {"apiGroup": RBAC.split("/")[2], "kind": "ClusterRole", "name": "strong"}
        bind = {"metadata": {"name": "new"}, "roleRef": reference, "subjects": [to("User", "ann")]}
        await grant(w, MANAGE)
        made = [("clusterroles", new_role(rule("*", "secrets"))), ("clusterrolebindings", bind)]
        for path, body in made:
            assert (await w.call("POST", f"{RBAC}/{path}", body, user=ANN)).status == 403, path
        await grant(w, rule(verb, "clusterroles", RBAC.split("/")[2]), name="more")
        codes = [(await w.call("POST", f"{RBAC}/{path}", body, user=ANN)).status for path, body in made]
        assert codes == ([201, 403] if verb == "escalate" else [403, 201])

    story(scenario)


def test_a_role_may_be_relabelled_by_those_who_could_not_make_it():
    async def scenario(w: World) -> None:
        await w.make(f"{RBAC}/clusterroles", {"metadata": {"name": "strong"}, "rules": [rule("*", "secrets")]})
        await grant(w, MANAGE)
        path = f"{RBAC}/clusterroles/strong"
        change = {"metadata": {"labels": {"a": "b"}}}
        assert (await w.call("PATCH", path, change, user=ANN, headers=MERGE)).status == 200
        change = {"rules": [rule("*", "secrets configmaps")]}
        assert (await w.call("PATCH", path, change, user=ANN, headers=MERGE)).status == 403

    story(scenario)


def test_a_binding_keeps_its_role():
    async def scenario(w: World) -> None:
        await grant(w, rule("get", "pods"))
        change = {"roleRef": {"name": "cluster-admin"}}
        reply = await w.call("PATCH", f"{RBAC}/clusterrolebindings/granted", change, headers=MERGE)
        assert reply.status == 422
        assert "cannot change roleRef" in reply.message

    story(scenario)


# Impersonation


@pytest.mark.parametrize(
    ("given", "headers", "expected"),
    [
        (rule("impersonate", "users"), {"impersonate-user": "bob"}, 200),
        (rule("impersonate", "users", names=("bob",)), {"impersonate-user": "bob"}, 200),
        (rule("impersonate", "users", names=("eve",)), {"impersonate-user": "bob"}, 403),
        (rule("get", "users"), {"impersonate-user": "bob"}, 403),
        (rule("impersonate", "users groups"), {"impersonate-user": "eve", "impersonate-group": "mapreaders"}, 200),
        (rule("impersonate", "users"), {"impersonate-user": "eve", "impersonate-group": "mapreaders"}, 403),
        (rule("impersonate", "users"), {"impersonate-user": "eve"}, 403),
    ],
)
def test_acting_as_another(given, headers, expected):
    """bob and the group mapreaders may list; ann may only be them."""

    async def scenario(w: World) -> None:
        await grant(w, rule("list", "configmaps"), subject=to("User", "bob"), name="of-bob")
        await grant(w, rule("list", "configmaps"), subject=to("Group", "mapreaders"), name="of-group")
        await grant(w, given)
        reply = await w.call("GET", MAPS, user=None, peer=ANN, headers=headers)
        assert reply.status == expected, reply.raw

    story(scenario)


# Reviews: the same answers asked for beforehand (`kubectl auth can-i`)


@pytest.mark.parametrize(
    ("attributes", "allowed"),
    [
        ({"verb": "get", "resource": "pods", "namespace": "default"}, True),
        ({"verb": "get", "resource": "pods", "namespace": "default", "name": "a"}, True),
        ({"verb": "get", "resource": "pods", "subresource": "log", "namespace": "default"}, False),
        ({"verb": "delete", "resource": "pods", "namespace": "default"}, False),
        ({"verb": "get", "resource": "pods", "group": "metrics.k8s.io"}, False),
    ],
)
def test_asking_beforehand_gives_the_answer_of_the_request(attributes, allowed):
    async def scenario(w: World) -> None:
        await grant(w, rule("get", "pods"))
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        reply = await w.call("POST", path, {"spec": {"resourceAttributes": attributes}}, user=ANN)
        assert reply.status in (201, 403), reply.raw
        if reply.status == 403:
            await grant(w, rule("create", "selfsubjectaccessreviews", "authorization.k8s.io"), name="ask")
            reply = await w.call("POST", path, {"spec": {"resourceAttributes": attributes}}, user=ANN)
        assert reply.obj["status"]["allowed"] is allowed

    story(scenario)
