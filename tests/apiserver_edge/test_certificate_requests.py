"""CertificateSigningRequests: rules, identity, approval and signing (kubernetes.io/docs, "Certificates and Certificate
Signing Requests")."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from homeostat.wire import pki
from homeostat.wire.message import User
from tests.support.api_edge import World, rule, story
from tests.support.certificates import CLIENT, CSRS, KUBELET, csr, node_csr, request_pem

MERGE = {"content-type": "application/merge-patch+json"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"
BOB = User("bob", ("devs", "system:authenticated"), "uid-1", {"team": ("blue",)})
Obj = dict[str, Any]


async def _may(w: World, user: str, *rules: Obj) -> None:
    await w.make(f"{RBAC}/clusterroles", {"metadata": {"name": f"of-{user}"}, "rules": list(rules)})
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"of-{user}"}
    body = {"metadata": {"name": f"of-{user}"}, "subjects": [subject], "roleRef": reference}
    await w.make(f"{RBAC}/clusterrolebindings", body)


def _decided(kind: str = "Approved", **more: str) -> Obj:
    condition = {"type": kind, "status": "True", "reason": "Because", "message": "it is good", **more}
    return {"status": {"conditions": [condition]}}


def test_a_request_says_who_made_it_whatever_its_author_claims() -> None:
    async def scenario(w: World) -> None:
        await _may(w, "bob", rule("create get", "certificatesigningrequests", "certificates.k8s.io"))
        asked = csr("mine", request_pem("bob"), username="root", groups=["system:masters"], extra={"a": ["b"]})
        made = await w.post(CSRS, asked | {"status": _decided()["status"]}, user=BOB)
        assert made.status == 201, made.raw
        spec = made.obj["spec"]
        assert (spec["username"], spec["groups"], spec["uid"]) == ("bob", list(BOB.groups), "uid-1")
        assert spec["extra"] == {"team": ["blue"]}
        assert not made.obj["status"].get("conditions")
        # Nor can it be changed later.
        changed = await w.call("PATCH", f"{CSRS}/mine", {"spec": {"username": "root"}}, headers=MERGE)
        assert changed.obj["spec"]["username"] == "bob"

    story(scenario)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"request": base64.b64encode(b"nonsense").decode()}, "PEM block type must be CERTIFICATE REQUEST"),
        ({"usages": []}, "spec.usages: Required value"),
        ({"usages": ["walk"]}, 'spec.usages[0]: Unsupported value: "walk"'),
        ({"usages": ["any", "any"]}, 'spec.usages[1]: Duplicate value: "any"'),
        ({"signerName": "nobody"}, "must be a fully qualified domain and path"),
        ({"signerName": "nobody/x"}, "should be a domain with at least two segments separated by dots"),
        ({"signerName": "kubernetes.io/legacy-unknown"}, "the legacy signerName is not allowed via this API version"),
        ({"expirationSeconds": 599}, "may not specify a duration less than 600 seconds (10 minutes)"),
    ],
)
def test_what_is_wrong_with_a_request(changes: Obj, why: str) -> None:
    async def scenario(w: World) -> None:
        asked = csr("mine", request_pem("bob"))
        asked["spec"] |= changes
        reply = await w.post(CSRS, asked)
        assert reply.status == 422, reply.raw
        assert why in reply.message

    story(scenario)


def test_a_request_that_was_tampered_with_is_refused() -> None:
    async def scenario(w: World) -> None:
        lines = request_pem("bob").decode().splitlines()
        middle = len(lines) - 2
        lines[middle] = lines[middle][:-6] + ("AAAA" if lines[middle][-6:-2] != "AAAA" else "BBBB") + lines[middle][-2:]
        reply = await w.post(CSRS, csr("mine", "\n".join(lines).encode()))
        assert reply.status == 422 and "spec.request" in reply.message

    story(scenario)


def test_membership_of_the_masters_is_not_for_sale() -> None:
    async def scenario(w: World) -> None:
        reply = await w.post(CSRS, csr("mine", request_pem("bob", ["system:masters"])))
        assert (reply.status, "system:masters group is not allowed" in reply.message) == (403, True)

    story(scenario)


def test_approving_needs_a_permission_for_the_signer() -> None:
    async def scenario(w: World) -> None:
        update = rule("get update patch", "certificatesigningrequests/approval", "certificates.k8s.io")
        await _may(w, "bob", update, rule("approve", "signers", "certificates.k8s.io", names=("example.com/*",)))
        await _may(w, "eve", update)
        for name, signer in (("one", CLIENT), ("two", "example.com/x")):
            await w.make(CSRS, csr(name, request_pem("x"), signer))

        async def approve(who: str, name: str) -> tuple[int, str]:
            path = f"{CSRS}/{name}/approval"
            reply = await w.call("PATCH", path, _decided(), headers=MERGE, user=User(who, ("system:authenticated",)))
            return reply.status, reply.obj.get("message", "")

        assert (await approve("bob", "one"))[0] == 403
        status, message = await approve("eve", "two")
        assert status == 403
        assert message.endswith('user not permitted to approve requests with signerName "example.com/x"')
        assert (await approve("bob", "two"))[0] == 200

    story(scenario)


def test_approval_is_dated_final_and_excludes_denial() -> None:
    async def scenario(w: World) -> None:
        await w.make(CSRS, csr("mine", request_pem("x")))
        path = f"{CSRS}/mine/approval"
        approved = (await w.call("PATCH", path, _decided(), headers=MERGE)).obj["status"]["conditions"][0]
        assert approved["lastUpdateTime"] and approved["lastTransitionTime"]
        both = {"status": {"conditions": [approved, _decided("Denied")["status"]["conditions"][0]]}}
        answer = {
            "mutually exclusive": await w.call("PATCH", path, both, headers=MERGE),
            "may not remove": await w.call("PATCH", path, {"status": {"conditions": []}}, headers=MERGE),
            "may not modify": await w.call("PATCH", path, _decided(message="changed"), headers=MERGE),
            "Unsupported value": await w.call("PATCH", path, _decided(status="False"), headers=MERGE),
        }
        for why, reply in answer.items():
            assert reply.status == 422 and why in reply.message, (why, reply.raw)
        # A write of approval changes nothing else.
        certificate = {"status": {"certificate": base64.b64encode(b"x").decode(), "conditions": [approved]}}
        assert "certificate" not in (await w.call("PATCH", path, certificate, headers=MERGE)).obj["status"]

    story(scenario)


def test_signing_needs_a_permission_and_an_approval_is_not_given_on_the_way() -> None:
    async def scenario(w: World) -> None:
        update = rule("get update patch", "certificatesigningrequests/status", "certificates.k8s.io")
        await _may(w, "bob", update)
        await w.make(CSRS, csr("mine", request_pem("x")))
        path = f"{CSRS}/mine/status"
        good = base64.b64encode(pki.make_authority("x").certificate).decode()
        signed = {"status": {"certificate": good}}
        refused = await w.call("PATCH", path, signed, headers=MERGE, user=User("bob", ("system:authenticated",)))
        assert refused.status == 403
        assert refused.message.endswith(f'user not permitted to sign requests with signerName "{CLIENT}"')
        sneaked = await w.call("PATCH", path, _decided(), headers=MERGE)
        assert sneaked.status == 422 and 'may not add a condition of type "Approved"' in sneaked.message
        bad = {"status": {"certificate": base64.b64encode(b"no PEM").decode()}}
        assert (await w.call("PATCH", path, bad, headers=MERGE)).status == 422
        assert (await w.call("PATCH", path, signed, headers=MERGE)).obj["status"]["certificate"] == good
        other = {"status": {"certificate": base64.b64encode(pki.make_authority("y").certificate).decode()}}
        again = await w.call("PATCH", path, other, headers=MERGE)
        assert again.status == 422 and "may not modify existing certificate content" in again.message

    story(scenario)


def test_a_node_asks_in_its_own_name_only() -> None:
    async def scenario(w: World) -> None:
        node = User("system:node:w1", ("system:nodes", "system:authenticated"))
        assert (await w.post(CSRS, node_csr("w1"), user=node)).status == 201
        reply = await w.post(CSRS, node_csr("w2"), user=node)
        assert (reply.status, "can only create a node CSR with CN=system:node:w1" in reply.message) == (403, True)
        # Certificates of other signers are not a node's own: those are judged by whoever approves them.
        assert (await w.post(CSRS, csr("other", request_pem("x")), user=node)).status == 201
        broken = csr("broken", b"", KUBELET)
        assert (await w.post(CSRS, broken, user=node)).status == 403

    story(scenario)


def test_anybody_reads_by_which_authority_the_cluster_is_known() -> None:
    async def scenario(w: World) -> None:
        path = "/api/v1/namespaces/kube-public/configmaps"
        await w.make(path, {"metadata": {"name": "cluster-info"}, "data": {"kubeconfig": "x"}})
        await w.make(path, {"metadata": {"name": "secret"}})
        assert (await w.get(f"{path}/cluster-info", user=None)).status == 200
        assert (await w.get(f"{path}/secret", user=None)).status == 403
        assert (await w.get(path, user=None)).status == 403

    story(scenario)
