"""Authentication: certificates, tokens, anonymous requests, and impersonation."""

from __future__ import annotations

from homeostat.apiserver.authn.service_account_tokens import TokenIssuer
from homeostat.kit import clock
from homeostat.wire.message import User
from tests.support.api_edge import World, signing_key, story

WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ISSUER = "https://kubernetes.default.svc.cluster.local"


async def whoami(w: World, **options):
    reply = await w.post(WHOAMI, {}, user=None, **options)
    return reply.obj["status"]["userInfo"] if reply.status == 201 else reply


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def token_of(w: World, name: str = "robot", **spec) -> str:
    reply = await w.post(f"/api/v1/namespaces/default/serviceaccounts/{name}/token", {"spec": spec})
    assert reply.status == 201, reply.raw
    return reply.obj["status"]["token"]


def test_a_client_certificate_names_its_user_and_groups():
    async def scenario(w: World) -> None:
        me = await whoami(w, peer=User("system:node:worker-1", ("system:nodes",)))
        assert me == {"username": "system:node:worker-1", "groups": ["system:nodes", "system:authenticated"]}

    story(scenario)


def test_a_static_token_names_its_user():
    async def scenario(w: World) -> None:
        me = await whoami(w, headers=bearer("bench-token"))
        assert me["username"] == "bench" and "system:authenticated" in me["groups"]

    story(scenario, static_tokens={"bench-token": User("bench", ("system:masters",))})


def test_a_service_account_token_names_its_account_and_groups():
    async def scenario(w: World) -> None:
        account = await w.account(name="robot")
        me = await whoami(w, headers=bearer(await token_of(w)))
        assert me["username"] == "system:serviceaccount:default:robot"
        assert me["uid"] == account["metadata"]["uid"]
        assert me["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
        assert me["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")

    story(scenario)


def test_a_bad_token_is_refused_with_401_even_where_anonymous_would_be_allowed():
    async def scenario(w: World) -> None:
        for token in ("nonsense", "a.b.c", await token_of_another_cluster(w)):
            reply = await w.get("/version", user=None, headers=bearer(token))
            assert (reply.status, reply.obj["reason"]) == (401, "Unauthorized")

    async def token_of_another_cluster(w: World) -> str:
        account = await w.account(name="robot")
        other = TokenIssuer(signing_key(), issuer="https://elsewhere")
        return other.sign(account, audiences=[ISSUER], seconds=600)[0]

    story(scenario)


def test_a_token_ends_with_its_time():
    async def scenario(w: World) -> None:
        await w.account(name="robot")
        token = await token_of(w, expirationSeconds=600)
        await clock.sleep(500)
        assert (await whoami(w, headers=bearer(token)))["username"].endswith(":robot")
        await clock.sleep(200)
        assert (await whoami(w, headers=bearer(token))).status == 401

    story(scenario)


def test_a_token_ends_with_its_account_and_with_its_pod():
    async def scenario(w: World) -> None:
        await w.account(name="robot")
        await w.pod("p", serviceAccountName="robot")
        bound = await token_of(w, boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "p"})
        free = await token_of(w)
        me = await whoami(w, headers=bearer(bound))
        assert me["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
        await w.call("DELETE", "/api/v1/namespaces/default/pods/p?gracePeriodSeconds=0")
        await clock.sleep(11)
        assert (await whoami(w, headers=bearer(bound))).status == 401
        assert (await whoami(w, headers=bearer(free)))["username"].endswith(":robot")
        await w.call("DELETE", "/api/v1/namespaces/default/serviceaccounts/robot")
        await w.account(name="robot")
        await clock.sleep(11)
        assert (await whoami(w, headers=bearer(free))).status == 401, "the account of the same name has another UID"

    story(scenario)


def test_a_token_is_bound_only_to_a_pod_of_its_account():
    async def scenario(w: World) -> None:
        await w.account()
        await w.account(name="robot")
        await w.pod("p")
        path = "/api/v1/namespaces/default/serviceaccounts/robot/token"
        reference = {"kind": "Pod", "apiVersion": "v1", "name": "p"}
        reply = await w.post(path, {"spec": {"boundObjectRef": reference}})
        assert reply.status == 400
        assert "pod running with different serviceaccount name" in reply.message
        reply = await w.post(path, {"spec": {"expirationSeconds": 5}})
        assert reply.status == 422 and "may not specify a duration less than 10 minutes" in reply.message
        assert (await w.post(path, {"spec": {"boundObjectRef": {**reference, "name": "gone"}}})).status == 404

    story(scenario)


def test_a_token_for_another_audience_does_not_open_the_api():
    async def scenario(w: World) -> None:
        await w.account(name="robot")
        token = await token_of(w, audiences=["vault"])
        assert (await whoami(w, headers=bearer(token))).status == 401
        review = {"spec": {"token": token, "audiences": ["vault"]}}
        status = (await w.post("/apis/authentication.k8s.io/v1/tokenreviews", review)).obj["status"]
        assert status["authenticated"] and status["audiences"] == ["vault"]
        status = (await w.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})).obj["status"]
        assert "authenticated" not in status and status["error"]

    story(scenario)


def test_nobody_is_anonymous_or_refused():
    async def scenario(w: World) -> None:
        reply = await w.get("/api/v1/pods", user=None)
        assert reply.status == 403
        assert (
            'User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope' in reply.message
        )

    async def closed(w: World) -> None:
        assert (await w.get("/api/v1/pods", user=None)).status == 401

    story(scenario)
    story(closed, anonymous_auth=False)


def test_impersonation_is_seen_among_whatever_headers_a_client_sends():
    async def scenario(w: World) -> None:
        usual = {"host": "a", "accept": "application/json", "user-agent": "kubectl"}
        root = User("root", ("system:masters",))
        assert (await whoami(w, peer=root, headers=usual))["username"] == "root"
        assert (await whoami(w, peer=root, headers={**usual, "x-request-id": "1"}))["username"] == "root"
        assert (await whoami(w, peer=root, headers={**usual, "impersonate-user": "bob"}))["username"] == "bob"
        reply = await whoami(w, peer=root, headers={**usual, "impersonate-uid": "1"})
        assert reply.status == 400

    story(scenario)


def test_acting_as_another_user_needs_the_right_to_impersonate():
    async def scenario(w: World) -> None:
        as_bob = {"impersonate-user": "bob", "impersonate-group": "devs"}
        me = await whoami(w, peer=User("root", ("system:masters",)), headers=as_bob)
        assert me == {"username": "bob", "groups": ["devs", "system:authenticated"]}
        reply = await whoami(w, peer=User("eve"), headers=as_bob)
        assert reply.status == 403
        assert 'User "eve" cannot impersonate resource "users" in API group "" at the cluster scope' in reply.message
        reply = await whoami(w, peer=User("root", ("system:masters",)), headers={"impersonate-group": "devs"})
        assert reply.status == 400
        as_robot = {"impersonate-user": "system:serviceaccount:default:robot"}
        me = await whoami(w, peer=User("root", ("system:masters",)), headers=as_robot)
        assert "system:serviceaccounts:default" in me["groups"]

    story(scenario)
