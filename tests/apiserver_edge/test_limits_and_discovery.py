"""LimitRanges, tokens and cluster addresses in their corners; and that discovery says what the server really does."""

from __future__ import annotations

import pytest

from homeostat.api.catalogue import Catalogue
from tests.support.api_edge import World, pod, story

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
RANGES = "/api/v1/namespaces/default/limitranges"
TOKEN = "/api/v1/namespaces/default/serviceaccounts/default/token"


def asking(requests=None, limits=None, *, inits=()):
    made = pod("p")
    resources = {**({"requests": requests} if requests else {}), **({"limits": limits} if limits else {})}
    made["spec"]["containers"][0]["resources"] = resources
    made["spec"]["initContainers"] = [
        {"name": f"i{at}", "image": "none", "resources": {"limits": each}} for at, each in enumerate(inits)
    ]
    return made


@pytest.mark.parametrize(
    ("limit", "asked", "why"),
    [
        ({"type": "Container", "max": {"cpu": "1"}}, asking(limits={"cpu": "1"}), ""),
        (
            {"type": "Container", "max": {"cpu": "1"}},
            asking(limits={"cpu": "1001m"}),
            "maximum cpu usage per Container is 1, but limit is 1001m",
        ),
        # The maximum is the default limit of those that say none.
        ({"type": "Container", "max": {"cpu": "1"}}, asking(requests={"cpu": "500m"}), ""),
        (
            {"type": "Container", "min": {"cpu": "1"}},
            asking(requests={"cpu": "500m"}),
            "minimum cpu usage per Container is 1, but request is 500m",
        ),
        (
            {"type": "Container", "min": {"cpu": "1"}},
            asking(requests={"cpu": "500m"}, limits={"cpu": "700m"}),
            "minimum cpu usage per Container is 1, but request is 500m",
        ),
        ({"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}, asking({"cpu": "1"}, {"cpu": "2"}), ""),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            asking({"cpu": "1"}, {"cpu": "3"}),
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            asking(requests={"cpu": "1"}),
            "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            asking(),
            "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
        # A Pod is the sum of its containers, or its largest init container.
        ({"type": "Pod", "max": {"cpu": "2"}}, asking(limits={"cpu": "2"}, inits=({"cpu": "1"}, {"cpu": "2"})), ""),
        (
            {"type": "Pod", "max": {"cpu": "2"}},
            asking(limits={"cpu": "1"}, inits=({"cpu": "3"},)),
            "maximum cpu usage per Pod is 2, but limit is 3",
        ),
        (
            {"type": "Pod", "max": {"cpu": "2"}},
            asking(requests={"cpu": "1"}),
            "maximum cpu usage per Pod is 2.  No limit is specified",
        ),
        (
            {"type": "Pod", "min": {"memory": "1Gi"}},
            asking(),
            "minimum memory usage per Pod is 1Gi.  No request is specified",
        ),
    ],
)
def test_limit_ranges(limit, asked, why):
    async def scenario(w: World) -> None:
        await w.account()
        await w.make(RANGES, {"metadata": {"name": "r"}, "spec": {"limits": [limit]}})
        reply = await w.post(PODS, asked)
        if why:
            assert (reply.status, reply.message) == (403, f'pods "p" is forbidden: {why}')
        else:
            assert reply.status == 201, reply.raw

    story(scenario)


def test_all_violations_are_reported_at_once():
    async def scenario(w: World) -> None:
        await w.account()
        limits = [{"type": "Container", "max": {"cpu": "1", "memory": "1Gi"}}]
        await w.make(RANGES, {"metadata": {"name": "r"}, "spec": {"limits": limits}})
        reply = await w.post(PODS, asking(limits={"cpu": "2", "memory": "2Gi"}))
        assert reply.message == (
            'pods "p" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, '
            "maximum memory usage per Container is 1Gi, but limit is 2Gi]"
        )

    story(scenario)


def test_a_limit_range_of_one_namespace_is_not_felt_in_another():
    async def scenario(w: World) -> None:
        await w.make("/api/v1/namespaces", {"metadata": {"name": "two"}})
        await w.account("two")
        limits = [{"type": "Container", "max": {"cpu": "1"}}]
        await w.make(RANGES, {"metadata": {"name": "r"}, "spec": {"limits": limits}})
        made = await w.make("/api/v1/namespaces/two/pods", asking(limits={"cpu": "9"}))
        assert made["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "9"}

    story(scenario)


# Addresses of Services


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"clusterIP": "127.11.0.77", "clusterIPs": ["127.11.0.77"]}, ""),
        ({"clusterIP": "127.11.0.77"}, ""),
        (
            {"clusterIP": "127.11.0.77", "clusterIPs": ["127.11.0.78"]},
            'spec.clusterIPs: Invalid value: ["127.11.0.78"]: first value must match `clusterIP`',
        ),
        (
            {"clusterIPs": ["127.11.0.78"]},
            "spec.clusterIPs: Forbidden: must be empty when `clusterIP` is not specified",
        ),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, ""),
    ],
)
def test_the_two_fields_of_an_address_agree(spec, problem):
    async def scenario(w: World) -> None:
        reply = await w.post(SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}], **spec}})
        if problem:
            assert (reply.status, reply.message) == (422, f'Service "s" is invalid: {problem}')
        else:
            assert reply.status == 201, reply.raw
            assert reply.obj["spec"]["clusterIPs"] == [spec["clusterIP"]]

    story(scenario)


def test_an_old_client_that_changes_the_single_field_gets_an_error():
    async def scenario(w: World) -> None:
        made = await w.make(SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}})
        made["spec"]["clusterIP"] = "127.11.0.99"
        reply = await w.call("PUT", f"{SERVICES}/s", made)
        assert reply.status == 422
        assert "may not change once set" in reply.message

    story(scenario)


# Tokens


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({}, 201),
        ({"expirationSeconds": 600}, 201),
        ({"expirationSeconds": 599}, 422),
        ({"expirationSeconds": 2**32 + 1}, 422),
        ({"expirationSeconds": "600"}, 400),
        ({"expirationSeconds": True}, 400),
        ({"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "m"}}, 400),
        ({"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "nobody"}}, 404),
        ({"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "s"}}, 201),
        ({"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": "another"}}, 409),
    ],
)
def test_requests_of_tokens(spec, status):
    async def scenario(w: World) -> None:
        await w.account()
        await w.make("/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
        reply = await w.post(TOKEN, {"spec": spec})
        assert reply.status == status, reply.raw
        if status == 201:
            bearer = {"authorization": f"Bearer {reply.obj['status']['token']}"}
            opened = await w.get("/version", user=None, headers=bearer)
            assert opened.status == 200

    story(scenario)


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic YTpi", "bearer x", "Bearer  x y", "Negotiate abc"],
)
def test_bad_credentials(header):
    """A bearer token that is wrong is refused, not taken for nobody; what is no bearer token is nobody."""

    async def scenario(w: World) -> None:
        reply = await w.get("/api/v1/pods", user=None, headers={"authorization": header})
        is_token = header.lower().startswith("bearer ") and bool(header[7:].strip())
        assert reply.status == (401 if is_token else 403), reply.raw

    story(scenario)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TOKEN, {"spec": {}}),
        (f"{PODS}/p/eviction", {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": "p"}}),
        (f"{PODS}/p/binding", {"target": {"kind": "Node", "name": "n1"}}),
        ("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}),
        ("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": {"user": "a"}}),
    ],
)
def test_what_can_only_be_created_is_not_made_by_another_method(method, path, body):
    """A reader's GET with a body must neither mint a token nor evict a Pod: RBAC has judged it as a read."""

    async def scenario(w: World) -> None:
        await w.account()
        await w.pod("p")
        reply = await w.call(method, path, body, headers={"content-type": "application/merge-patch+json"})
        assert (reply.status, reply.obj["reason"]) == (405, "MethodNotAllowed"), reply.raw
        there = await w.get(f"{PODS}/p")
        assert there.status == 200 and "nodeName" not in there.obj["spec"]

    story(scenario)


# Discovery


def test_what_discovery_lists_is_what_is_served():
    """Each listed verb of each resource gets another answer than 404 or 405, and each unlisted one gets 405."""
    ways = {"list": "GET", "create": "POST", "deletecollection": "DELETE"}

    async def scenario(w: World) -> None:
        paths = {"/api/v1": ""} | {
            f"/apis/{version['groupVersion']}": group["name"]
            for group in (await w.get("/apis")).obj["groups"]
            for version in group["versions"]
        }
        for base in paths:
            for entry in (await w.get(base)).obj["resources"]:
                if "/" in entry["name"]:
                    continue
                where = "/namespaces/none" if entry["namespaced"] else ""
                for verb, method in ways.items():
                    path = f"{base}{where}/{entry['name']}"
                    reply = await w.call(method, path, {"metadata": {"name": "x"}} if method == "POST" else None,
                                         headers={"content-type": "application/json"})  # fmt: skip
                    listed = verb in entry["verbs"]
                    if method == "POST" and listed:
                        assert reply.status not in (405,), (path, verb)
                    else:
                        assert (reply.status == 200) is listed, (path, verb, reply.raw)

    story(scenario)


def test_discovery_says_of_every_kind_what_the_schema_says():
    async def scenario(w: World) -> None:
        for kind in Catalogue.builtin().kinds:
            base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
            entries = {entry["name"]: entry for entry in (await w.get(base)).obj["resources"]}
            entry = entries[kind.plural]
            assert (entry["kind"], entry["namespaced"]) == (kind.kind, kind.namespaced)
            assert entry["singularName"] == kind.kind.lower()
            assert set(entry["verbs"]) == set(kind.verbs), kind.plural

    story(scenario)
