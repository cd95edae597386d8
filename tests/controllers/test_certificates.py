"""The loops over certificate requests and bootstrap tokens, at once on the bench and over a real API server."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from homeostat.api.certificates import bootstrap_tokens, signers
from homeostat.api.certificates import certificate_text as api_x509
from homeostat.api.errors import ApiError
from homeostat.api.flags.flag_settings import Settings
from homeostat.api.kinds import CONFIGMAP, CSR, SECRET
from homeostat.client.api_client import ApiClient
from homeostat.client.in_process import InProcessTransport
from homeostat.compose.shared.request_signing import signer
from homeostat.controllers.certificates import bootstraptokens, csrapproving, csrcleaner, csrsigning
from homeostat.controllers.nodes.nodeplan import NodePlan
from homeostat.controllers.registry import Authority, all_loops
from homeostat.kit import clock
from homeostat.kit.clock import rfc3339
from homeostat.loop.manager import Manager
from homeostat.wire import pki
from homeostat.wire.message import User
from tests.support.api_edge import World, story
from tests.support.certificates import (
    CLIENT,
    CSRS,
    KUBELET,
    SERVING,
    SERVING_USAGES,
    csr,
    node_csr,
    request_pem,
)
from tests.support.controlling import NOW, Bench, obj

Obj = dict[str, Any]
TOKEN = "abcdef.0123456789abcdef"
HOUR = 3600.0


def _asked(request: Obj, username: str, *groups: str) -> Obj:
    request["spec"] |= {"username": username, "groups": list(groups)}
    return request


def _conditions(bench: Bench, name: str) -> dict[str, Obj]:
    status = bench.need(CSR, name).get("status") or {}
    return {each["type"]: each for each in status.get("conditions") or ()}


def _decided(request: Obj, kind: str, *, certificate: bytes = b"", seconds_ago: float = 0.0) -> Obj:
    condition = {"type": kind, "status": "True", "lastUpdateTime": rfc3339(NOW - seconds_ago)}
    status: Obj = {"conditions": [condition]}
    if certificate:
        status["certificate"] = base64.b64encode(certificate).decode()
    return {**request, "status": status}


# -- approving -----------------------------------------------------------------------------------------------------


def test_a_machine_that_joins_is_approved_where_a_review_says_so() -> None:
    bench = Bench([csrapproving.loop(approve_serving=False)])
    reviews: list[Obj] = []
    bench.allowed = lambda review: not reviews.append(review)
    bench.put(_asked(node_csr("w1", "mine"), "system:bootstrap:abcdef", bootstrap_tokens.JOIN_GROUP))
    bench.settle()
    assert _conditions(bench, "mine")["Approved"]["reason"] == "AutoApproved"
    (review,) = reviews
    assert (review["user"], review["groups"]) == ("system:bootstrap:abcdef", [bootstrap_tokens.JOIN_GROUP])
    assert review["resourceAttributes"]["subresource"] == "nodeclient"


def test_a_node_that_renews_is_asked_for_its_own_permission_first() -> None:
    bench = Bench([csrapproving.loop(approve_serving=False)])
    asked: list[str] = []

    def allowed(review: Obj) -> bool:
        asked.append(review["resourceAttributes"]["subresource"])
        return asked[-1] == "selfnodeclient"

    bench.allowed = allowed
    bench.put(_asked(node_csr("w1", "mine"), "system:node:w1", "system:nodes"))
    bench.settle()
    assert asked == ["selfnodeclient"]
    assert "self kubelet client" in _conditions(bench, "mine")["Approved"]["message"]


def test_without_permission_a_request_waits_for_a_person() -> None:
    bench = Bench([csrapproving.loop(approve_serving=False)])
    bench.put(_asked(node_csr("w1", "mine"), "bob"))
    bench.advance(10)
    assert _conditions(bench, "mine") == {}
    bench.allowed = lambda review: True
    bench.advance(40)
    assert "Approved" in _conditions(bench, "mine")


@pytest.mark.parametrize(
    "request_",
    [
        csr("mine", request_pem("system:node:w1", ["system:nodes"]), CLIENT),
        csr("mine", request_pem("system:node:w1", ["other"]), KUBELET),
        csr("mine", request_pem("w1", ["system:nodes"]), KUBELET),
        csr("mine", request_pem("system:node:w1", ["system:nodes"], ["w1"]), KUBELET),
        csr("mine", request_pem("system:node:w1", ["system:nodes"]), KUBELET, ["server auth", "digital signature"]),
        csr("mine", b"nonsense", KUBELET),
        _decided(node_csr("w1", "mine"), "Denied"),
    ],
    ids=["another signer", "groups", "name", "addresses", "usages", "unreadable", "denied"],
)
def test_what_is_no_node_s_request_is_left_alone(request_: Obj) -> None:
    bench = Bench([csrapproving.loop(approve_serving=True)])
    bench.allowed = lambda review: True
    bench.put(_asked(request_, "system:node:w1", "system:nodes"))
    bench.advance(100)
    assert "Approved" not in _conditions(bench, "mine")


def _serving(node: str, *names: str, asked_by: str = "") -> Obj:
    pem = request_pem(f"system:node:{node}", ["system:nodes"], names)
    return _asked(csr("mine", pem, SERVING, SERVING_USAGES), asked_by or f"system:node:{node}", "system:nodes")


def _node(name: str, *addresses: str) -> Obj:
    listed = [{"type": "InternalIP", "address": address} for address in addresses]
    return obj("v1", "Node", name, namespace="", status={"addresses": [*listed, {"type": "Hostname", "address": name}]})


PLAN = NodePlan(
    lambda name: {"m1": "10.0.0.1", "worker-2": "10.0.0.7"}.get(name, ""),
    frozenset(("kubernetes.default.svc", "kubernetes", "10.96.0.1", "127.0.0.1", "10.0.0.1")),
    ("10.96.0.0/16",),
)


def _record(**bound: str) -> Obj:
    return obj("v1", "ConfigMap", "homeostat-nodes", namespace="kube-system", data=bound)


@pytest.mark.parametrize(
    ("request_", "approved"),
    [
        (_serving("w1", "w1", "10.0.0.9"), True),
        (_serving("w1", "10.0.0.9"), True),
        (_serving("m1", "m1", "10.0.0.1"), True),
        (_serving("w1", "w1", "10.0.0.2"), False),
        (_serving("w1", "w1", "::ffff:10.0.0.2"), False),
        (_serving("w1", "kubernetes.default.svc"), False),
        (_serving("w1", "w1", "10.96.0.1"), False),
        (_serving("m1", "m1", "10.0.0.2"), False),
        (_serving("w1", "w2"), False),
        (_serving("w1", "w1", asked_by="system:node:w2"), False),
        (_serving("w9", "w9"), False),
    ],
)
def test_a_serving_certificate_is_for_what_was_planned_or_bound_not_for_what_the_node_says(
    request_: Obj, approved: bool
) -> None:
    nodes = [_node(name, "10.0.0.2", "kubernetes.default.svc", "10.96.0.1", "w2") for name in ("w1", "m1", "w9")]
    bench = Bench([csrapproving.loop(approve_serving=True, plan=PLAN)], [*nodes, _record(w1="10.0.0.9")])
    bench.put(request_)
    bench.advance(10)
    assert ("Approved" in _conditions(bench, "mine")) is approved


def test_a_serving_certificate_waits_for_the_node_s_registration() -> None:
    bench = Bench([csrapproving.loop(approve_serving=True, plan=PLAN)], [_record(w1="10.0.0.9")])
    bench.put(_serving("w1", "10.0.0.9"))
    bench.advance(5)
    assert _conditions(bench, "mine") == {}
    bench.put(_node("w1", "10.0.0.9"))
    bench.advance(5)
    assert "Approved" in _conditions(bench, "mine")


def test_serving_certificates_are_approved_by_flag_only() -> None:
    bench = Bench([csrapproving.loop(approve_serving=False, plan=PLAN)], [_node("m1", "10.0.0.1")])
    bench.put(_serving("m1", "10.0.0.1"))
    bench.advance(10)
    assert _conditions(bench, "mine") == {}


def _joining(node: str, addresses: str) -> Obj:
    request = _asked(node_csr(node, "mine"), "system:bootstrap:abcdef", bootstrap_tokens.JOIN_GROUP)
    request["metadata"]["annotations"] = {bootstrap_tokens.ADDRESSES: addresses}
    return request


@pytest.mark.parametrize(
    ("node", "addresses", "bound"),
    [
        ("w1", "10.0.0.9", "10.0.0.9"),
        ("w1", "::ffff:10.0.0.9, fd00:0::9", "10.0.0.9,fd00::9"),
        ("w1", "", ""),
        ("w1", "10.0.0.1", None),
        ("w1", "::ffff:10.0.0.1", None),
        ("w1", "10.0.0.7", None),
        ("w1", "10.0.0.5", None),
        ("w1", "10.0.0.6", "10.0.0.6"),
        ("w1", "10.96.0.1", None),
        ("w1", "10.96.7.7", None),
        ("w1", "127.0.0.1", None),
        ("w1", "0.0.0.0", None),
        ("w1", "169.254.169.254", None),
        ("w1", "kubernetes.default.svc", None),
        ("w1", ",".join(f"10.1.0.{number}" for number in range(9)), None),
        ("kubernetes", "10.0.0.9", None),
        ("api.default.svc", "10.0.0.9", None),
        ("web.default.svc.cluster.local", "10.0.0.9", None),
        ("10.96.0.1", "10.0.0.9", None),
        ("m1", "10.0.0.1", None),
        ("worker-2", "10.0.0.9", None),
        ("alive", "10.0.0.9", None),
        ("A/../b", "10.0.0.9", None),
    ],
)
def test_a_join_binds_what_a_joining_machine_can_have_and_nothing_else(
    node: str, addresses: str, bound: str | None
) -> None:
    alive = obj("v1", "Node", "alive", namespace="", status={"conditions": [{"type": "Ready", "status": "True"}]})
    # The address of `gone` is free again; that of w5 and, by the plan, of worker-2 is not.
    objects = [alive, _node("w5"), _node("worker-2"), _record(w5="10.0.0.5", gone="10.0.0.6", alive="10.0.0.8")]
    bench = Bench([csrapproving.loop(approve_serving=True, plan=PLAN)], objects)
    bench.allowed = lambda review: True
    bench.put(_joining(node, addresses))
    bench.settle()
    conditions = _conditions(bench, "mine")
    record = bench.need(CONFIGMAP, "homeostat-nodes", "kube-system")["data"]
    if bound is None:
        assert conditions["Denied"]["message"]
        assert record == {"w5": "10.0.0.5", "gone": "10.0.0.6", "alive": "10.0.0.8"}
    else:
        assert "Approved" in conditions
        assert record["w1"] == bound


@pytest.mark.parametrize(("names", "approved"), [((), True), (("kubernetes.default.svc",), False)])
def test_a_service_proxy_s_certificate_has_no_names_beside_its_user(names: tuple[str, ...], approved: bool) -> None:
    bench = Bench([csrapproving.loop(approve_serving=True, plan=PLAN)])
    bench.allowed = lambda review: True
    request = csr("mine", request_pem("system:kube-proxy", names=names), CLIENT)
    bench.put(_asked(request, "system:node:w1", "system:nodes"))
    bench.settle()
    assert ("Approved" in _conditions(bench, "mine")) is approved


def test_without_permission_a_join_binds_nothing() -> None:
    bench = Bench([csrapproving.loop(approve_serving=True, plan=PLAN)], [_record()])
    bench.put(_joining("w1", "10.0.0.9"))
    bench.settle()
    assert bench.need(CONFIGMAP, "homeostat-nodes", "kube-system")["data"] == {}
    assert _conditions(bench, "mine") == {}


def test_a_node_that_renews_does_not_bind_itself_again() -> None:
    bench = Bench([csrapproving.loop(approve_serving=True, plan=PLAN)], [_node("w1"), _record(w1="10.0.0.9")])
    bench.allowed = lambda review: True
    request = _asked(_joining("w1", "10.0.0.3"), "system:node:w1", "system:nodes")
    bench.put(request)
    bench.settle()
    assert "Approved" in _conditions(bench, "mine")
    assert bench.need(CONFIGMAP, "homeostat-nodes", "kube-system")["data"] == {"w1": "10.0.0.9"}


def test_machines_that_joined_before_there_was_a_record_keep_their_own_addresses() -> None:
    nodes = [_node("old", "10.0.0.9", "10.96.0.1", "127.0.0.1", "10.0.0.1"), _node("m1", "10.0.0.1")]
    bench = Bench([csrapproving.loop(approve_serving=True, plan=PLAN)], nodes)
    bench.settle()
    assert bench.need(CONFIGMAP, "homeostat-nodes", "kube-system")["data"] == {"old": "10.0.0.9"}


# -- signing -------------------------------------------------------------------------------------------------------


def _pki(folder: Path) -> pki.KeyPair:
    authority = pki.make_authority("the cluster")
    (folder / "ca.crt").write_bytes(authority.certificate)
    (folder / "ca.key").write_bytes(authority.key)
    return authority


def _issued(bench: Bench, name: str = "mine") -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(bench.need(CSR, name)["status"]["certificate"]))


def test_an_approved_request_is_signed_as_it_asks(tmp_path: Path) -> None:
    authority = _pki(tmp_path)
    bench = Bench([csrsigning.loop(signer(tmp_path, 8760 * HOUR))])
    request = node_csr("w1", "mine", expirationSeconds=7200)
    bench.put(request)
    bench.settle()
    assert "certificate" not in bench.need(CSR, "mine").get("status", {})
    bench.put(_decided(request, "Approved"))
    bench.settle()
    issued = _issued(bench)
    issued.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate))
    assert issued.subject.rfc4514_string() == "CN=system:node:w1,O=system:nodes"
    usages = issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    life = issued.not_valid_after_utc - issued.not_valid_before_utc
    # Backdated by five minutes for clocks that are behind.
    assert life.total_seconds() == 7200 + 300


@pytest.mark.parametrize(("asked", "given"), [(None, 8 * HOUR), (100 * 3600, 8 * HOUR), (60, 600.0)])
def test_how_long_a_certificate_lives(tmp_path: Path, asked: int | None, given: float) -> None:
    _pki(tmp_path)
    bench = Bench([csrsigning.loop(signer(tmp_path, 8 * HOUR))])
    more = {} if asked is None else {"expirationSeconds": asked}
    bench.put(_decided(node_csr("w1", "mine", **more), "Approved"))
    bench.settle()
    life = _issued(bench).not_valid_after_utc.timestamp() - clock.wall()
    assert life == pytest.approx(given, abs=30)


def test_no_certificate_outlives_its_authority(tmp_path: Path) -> None:
    short = pki.make_authority("the cluster", seconds=HOUR)
    (tmp_path / "ca.crt").write_bytes(short.certificate)
    (tmp_path / "ca.key").write_bytes(short.key)
    bench = Bench([csrsigning.loop(signer(tmp_path, 8760 * HOUR))])
    bench.put(_decided(node_csr("w1", "mine"), "Approved"))
    bench.settle()
    authority = x509.load_pem_x509_certificate(short.certificate)
    assert _issued(bench).not_valid_after_utc == authority.not_valid_after_utc


def test_names_of_a_serving_certificate_are_those_asked_for(tmp_path: Path) -> None:
    _pki(tmp_path)
    bench = Bench([csrsigning.loop(signer(tmp_path, HOUR))])
    bench.put(_decided(_serving("w1", "w1", "10.0.0.1"), "Approved"))
    bench.settle()
    names = _issued(bench).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["w1"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]


def test_an_approved_request_that_breaks_its_signer_s_rules_fails(tmp_path: Path) -> None:
    _pki(tmp_path)
    bench = Bench([csrsigning.loop(signer(tmp_path, HOUR))])
    bench.put(_decided(csr("mine", request_pem("x"), CLIENT, ["server auth"]), "Approved"))
    bench.settle()
    failed = _conditions(bench, "mine")["Failed"]
    assert (failed["reason"], failed["message"]) == (
        "SignerValidationFailure",
        "invalid usage for client certificate: server auth",
    )


def test_requests_to_others_signers_are_left_alone(tmp_path: Path) -> None:
    _pki(tmp_path)
    bench = Bench([csrsigning.loop(signer(tmp_path, HOUR))])
    bench.put(_decided(csr("mine", request_pem("x"), "example.com/x"), "Approved"))
    bench.settle()
    assert "certificate" not in bench.need(CSR, "mine")["status"]


def test_a_key_that_cannot_be_used_is_tried_again(tmp_path: Path) -> None:
    bench = Bench([csrsigning.loop(signer(tmp_path, HOUR))])
    bench.put(_decided(node_csr("w1", "mine"), "Approved"))
    bench.settle()
    assert "certificate" not in bench.need(CSR, "mine")["status"]
    _pki(tmp_path)
    bench.advance(5)
    assert _issued(bench)


def test_a_missing_key_says_so(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="cannot sign"):
        signer(tmp_path, HOUR)(node_csr("w1"))


@pytest.mark.parametrize(
    ("signer_name", "common_name", "organizations", "names", "usages", "why"),
    [
        (signers.KUBELET_CLIENT, "system:node:a", ["system:nodes"], [], ["client auth", "digital signature"], ""),
        (
            signers.KUBELET_CLIENT,
            "system:node:a",
            ["system:nodes"],
            [],
            ["client auth", "digital signature", "key encipherment"],
            "",
        ),
        (signers.KUBELET_CLIENT, "system:node:a", ["system:nodes"], [], ["client auth"], "missing usage"),
        (signers.KUBELET_CLIENT, "system:node:a", [], [], ["client auth"], "organization is not system:nodes"),
        (
            signers.KUBELET_CLIENT,
            "system:node:a",
            ["system:nodes"],
            ["a@b"],
            ["client auth"],
            "email subjectAltNames are not allowed",
        ),
        (
            signers.KUBELET_SERVING,
            "system:node:a",
            ["system:nodes"],
            [],
            ["server auth", "digital signature"],
            "DNS or IP subjectAltName is required",
        ),
        (
            signers.KUBELET_SERVING,
            "system:node:a",
            ["system:nodes"],
            ["a", "spiffe://x"],
            ["server auth", "digital signature"],
            "URI subjectAltNames are not allowed",
        ),
        (signers.KUBELET_SERVING, "a", ["system:nodes"], ["a"], ["server auth"], "does not begin with system:node:"),
        (signers.CLIENT, "x", [], [], ["client auth"], ""),
        (signers.CLIENT, "x", [], [], ["digital signature"], "missing usage for client certificate: client auth"),
        (signers.LEGACY, "x", [], ["b"], ["any"], ""),
        ("example.com/x", "x", [], [], ["any"], "is not a signer of this cluster"),
    ],
)
def test_what_each_signer_demands(
    signer_name: str, common_name: str, organizations: list[str], names: list[str], usages: list[str], why: str
) -> None:
    asked = api_x509.read_request(request_pem(common_name, organizations, names))
    found = signers.problem(signer_name, asked, usages)
    assert (why in found) if why else found == ""


# -- cleaning ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "kept_seconds"),
    [
        (node_csr("w1", "mine"), 24 * HOUR),
        (_decided(node_csr("w1", "mine"), "Denied"), HOUR),
        (_decided(node_csr("w1", "mine"), "Failed"), HOUR),
        (_decided(node_csr("w1", "mine"), "Approved", certificate=pki.make_authority("x").certificate), HOUR),
        (
            _decided(
                node_csr("w1", "mine"), "Approved", certificate=pki.make_authority("x").certificate, seconds_ago=3000
            ),
            600.0,
        ),
    ],
    ids=["unanswered", "denied", "failed", "issued", "issued a while ago"],
)
def test_how_long_a_request_is_kept(request_: Obj, kept_seconds: float) -> None:
    bench = Bench([csrcleaner.loop()])
    bench.put(request_)
    bench.advance(kept_seconds - 2)
    assert bench.names(CSR) == ["mine"]
    bench.advance(4)
    assert bench.names(CSR) == []


def test_an_approved_request_without_a_certificate_stays() -> None:
    bench = Bench([csrcleaner.loop()])
    bench.put(_decided(node_csr("w1", "mine"), "Approved"))
    bench.advance(100 * HOUR)
    assert bench.names(CSR) == ["mine"]


# -- bootstrap tokens ----------------------------------------------------------------------------------------------


def test_a_token_is_deleted_when_its_time_is_over() -> None:
    bench = Bench([bootstraptokens.cleaner_loop()])
    bench.put(bootstrap_tokens.secret_of(TOKEN, expires=NOW + 60))
    bench.put(bootstrap_tokens.secret_of("zzzzzz.0123456789abcdef", expires=None))
    other = {"metadata": {"name": "other", "namespace": "kube-system"}, "apiVersion": "v1", "kind": "Secret"}
    expired = {"expiration": base64.b64encode(b"2001-01-01T00:00:00Z").decode()}
    bench.put({**other, "type": "Opaque", "data": expired})
    bench.advance(59)
    assert bench.names(SECRET) == ["bootstrap-token-abcdef", "bootstrap-token-zzzzzz", "other"]
    bench.advance(2)
    assert bench.names(SECRET) == ["bootstrap-token-zzzzzz", "other"]


def test_cluster_info_is_signed_with_each_token_that_may() -> None:
    bench = Bench([bootstraptokens.signer_loop("PEM", "https://172.30.0.11:443")])
    bench.settle()
    info = bench.need(CONFIGMAP, "cluster-info", "kube-public")["data"]
    assert list(info) == ["kubeconfig"]
    (cluster,) = json.loads(info["kubeconfig"])["clusters"]
    assert cluster["cluster"]["server"] == "https://172.30.0.11:443"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == b"PEM"
    bench.put(bootstrap_tokens.secret_of(TOKEN, expires=None))
    mute = bootstrap_tokens.secret_of("zzzzzz.0123456789abcdef", expires=None)
    mute["data"]["usage-bootstrap-signing"] = base64.b64encode(b"false").decode()
    bench.put(mute)
    bench.settle()
    info = bench.need(CONFIGMAP, "cluster-info", "kube-public")["data"]
    assert sorted(info) == ["jws-kubeconfig-abcdef", "kubeconfig"]
    signature = info["jws-kubeconfig-abcdef"]
    assert bootstrap_tokens.is_signed(info["kubeconfig"], signature, "abcdef", "0123456789abcdef")
    assert not bootstrap_tokens.is_signed(info["kubeconfig"], signature, "abcdef", "0000000000000000")
    assert not bootstrap_tokens.is_signed(info["kubeconfig"] + " ", signature, "abcdef", "0123456789abcdef")
    bench.delete(SECRET, "bootstrap-token-abcdef", "kube-system")
    bench.settle()
    assert list(bench.need(CONFIGMAP, "cluster-info", "kube-public")["data"]) == ["kubeconfig"]


def test_a_cluster_info_that_somebody_changed_is_put_right() -> None:
    bench = Bench([bootstraptokens.signer_loop("PEM", "https://api")])
    bench.settle()
    bench.change(CONFIGMAP, "cluster-info", "kube-public", lambda info: info["data"].update(kubeconfig="evil"))
    bench.settle()
    assert "https://api" in bench.need(CONFIGMAP, "cluster-info", "kube-public")["data"]["kubeconfig"]


# -- over a real API server ----------------------------------------------------------------------------------------


def test_a_machine_joins_with_a_token_and_renews_as_a_node(tmp_path: Path) -> None:
    """From a bootstrap token to a node's certificate, and from that to the next, with nobody's help."""
    authority = _pki(tmp_path)

    async def scenario(w: World) -> None:
        own = User("system:kube-controller-manager", ("system:authenticated",))
        client = ApiClient(InProcessTransport([w.server.handle], own))
        known = Authority(authority.certificate.decode(), "https://api", signer(tmp_path, HOUR))
        manager = Manager(client, all_loops(Settings(), known), "controller-manager")
        await manager.start()
        await w.make("/api/v1/namespaces/kube-system/secrets", bootstrap_tokens.secret_of(TOKEN, expires=None))
        await clock.sleep(1)
        headers = {"authorization": f"Bearer {TOKEN}"}
        asked = node_csr("w9", "first")
        asked["metadata"]["annotations"] = {bootstrap_tokens.ADDRESSES: "10.9.9.9"}
        assert (await w.post(CSRS, asked, user=None, headers=headers)).status == 201
        first = await _certificate(w, "first")
        peer = User("system:node:w9", ("system:nodes",))
        assert first.subject.rfc4514_string() == "CN=system:node:w9,O=system:nodes"
        assert (await w.post(CSRS, node_csr("w9", "second"), user=None, peer=peer)).status == 201
        assert await _certificate(w, "second")
        status = {"addresses": [{"type": "InternalIP", "address": "10.9.9.9"}]}
        node = {"metadata": {"name": "w9"}, "status": status}
        assert (await w.post("/api/v1/nodes", node, user=None, peer=peer)).status == 201
        pem = request_pem("system:node:w9", ["system:nodes"], ["10.9.9.9"])
        assert (await w.post(CSRS, csr("third", pem, SERVING, SERVING_USAGES), user=None, peer=peer)).status == 201
        assert await _certificate(w, "third")
        info = await w.get("/api/v1/namespaces/kube-public/configmaps/cluster-info", user=None)
        assert "jws-kubeconfig-abcdef" in info.obj["data"]
        await manager.stop()

    story(scenario)


async def _certificate(w: World, name: str) -> x509.Certificate:
    deadline = clock.monotonic() + 30
    while clock.monotonic() < deadline:
        request = (await w.get(f"{CSRS}/{name}")).obj
        if certificate := request.get("status", {}).get("certificate"):
            return x509.load_pem_x509_certificate(base64.b64decode(certificate))
        await clock.sleep(0.1)
    raise AssertionError(f"no certificate: {request}")
