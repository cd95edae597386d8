"""Certificates and node permissions by kubectl: requests approved and denied by hand, and what a node may do."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.support.certificates import csr, key, request_pem
from tests.support.patience import eventually

from .conftest import Lab

pytestmark = pytest.mark.real


def _condition_types(lab: Lab, name: str) -> list[str]:
    conditions: list[dict[str, Any]] = lab.json("get", "csr", name)["status"].get("conditions", [])
    return [each["type"] for each in conditions]


def _issued(lab: Lab, name: str) -> bytes:
    """The certificate of a request, once the loop has signed it."""
    found = eventually(lambda: lab.json("get", "csr", name)["status"].get("certificate"))
    return base64.b64decode(found)


def test_an_approved_request_gets_a_certificate_that_the_api_server_accepts(lab: Lab, tmp_path: Path) -> None:
    """kubernetes.io/docs, "Issue a certificate for a Kubernetes API client using a CertificateSigningRequest"."""
    lab.kubectl("apply", "-f", "-", input=json.dumps(csr("jane", request_pem("jane", ["developers"]))))
    assert "Pending" in lab.out("get", "csr", "jane", "--no-headers")
    assert "certificate" not in lab.json("get", "csr", "jane")["status"]
    assert "approved" in lab.out("certificate", "approve", "jane")
    pem = _issued(lab, "jane")
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.subject.rfc4514_string() == "CN=jane,O=developers"
    assert certificate.public_key() == key().public_key()
    assert "Approved,Issued" in lab.out("get", "csr", "jane", "--no-headers")

    (tmp_path / "jane.crt").write_bytes(pem)
    plain, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "jane.key").write_bytes(key().private_bytes(serialization.Encoding.PEM, plain, none))
    config = lab.json("config", "view", "--raw", "--minify", "--flatten")
    config["users"][0]["user"] = {
        "client-certificate": str(tmp_path / "jane.crt"),
        "client-key": str(tmp_path / "jane.key"),
    }
    (tmp_path / "jane.kubeconfig").write_text(json.dumps(config))
    whoami = lab.json("auth", "whoami", "--kubeconfig", str(tmp_path / "jane.kubeconfig"))["status"]["userInfo"]
    assert (whoami["username"], whoami["groups"]) == ("jane", ["developers", "system:authenticated"])


def test_a_denied_request_stays_denied_and_gets_no_certificate(lab: Lab) -> None:
    lab.kubectl("apply", "-f", "-", input=json.dumps(csr("mallory", request_pem("mallory"))))
    assert "denied" in lab.out("certificate", "deny", "mallory")
    assert '"mallory" is already Denied' in lab.refused("certificate", "approve", "mallory")
    lab.kubectl("apply", "-f", "-", input=json.dumps(csr("after-mallory", request_pem("after"))))
    lab.kubectl("certificate", "approve", "after-mallory")
    _issued(lab, "after-mallory")  # the signing loop has processed the denied request
    assert _condition_types(lab, "mallory") == ["Denied"]
    assert "certificate" not in lab.json("get", "csr", "mallory")["status"]


def test_a_signer_that_no_loop_serves_leaves_a_request_approved_and_without_a_certificate(lab: Lab) -> None:
    lab.kubectl("apply", "-f", "-", input=json.dumps(csr("foreign", request_pem("x"), "example.com/mine")))
    lab.kubectl("certificate", "approve", "foreign")
    lab.kubectl("apply", "-f", "-", input=json.dumps(csr("served", request_pem("x"))))
    lab.kubectl("certificate", "approve", "served")
    _issued(lab, "served")  # the signing loop has processed the other request
    assert _condition_types(lab, "foreign") == ["Approved"]
    assert "certificate" not in lab.json("get", "csr", "foreign")["status"]


def _may(lab: Lab, node: str, *what: str) -> bool:
    """What `kubectl auth can-i` answers for a node; anything else than an answer fails the test."""
    identity = ("--as", f"system:node:{node}", "--as-group", "system:nodes")
    done = lab.kubectl("auth", "can-i", *what, *identity, check=False)
    answer = done.stdout.strip().partition(" - ")[0]  # "no - " and why
    assert (answer, done.returncode) in (("yes", 0), ("no", 1)), f"{done.stdout}{done.stderr}"
    return answer == "yes"


def test_a_node_may_read_the_secret_of_its_own_pod_and_no_other(lab: Lab) -> None:
    """kubernetes.io/docs, "Node Authorization"."""
    lab.kubectl("create", "secret", "generic", "mounted", "--from-literal=key=value")
    lab.kubectl("create", "secret", "generic", "other", "--from-literal=key=value")
    volume = {"name": "v", "secret": {"secretName": "mounted"}}
    container = {"name": "c", "image": "none", "command": ["sleep", "600"]}
    spec = {"volumes": [volume], "containers": [container], "nodeName": "worker-1", "terminationGracePeriodSeconds": 0}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mounting"}, "spec": spec}
    assert not _may(lab, "worker-1", "get", "secret/mounted")
    lab.kubectl("apply", "-f", "-", input=json.dumps(pod))
    assert eventually(lambda: _may(lab, "worker-1", "get", "secret/mounted"))
    assert not _may(lab, "worker-1", "get", "secret/other")
    assert not _may(lab, "worker-2", "get", "secret/mounted")
    assert not _may(lab, "worker-1", "list", "secrets")
    assert _may(lab, "worker-1", "create", "nodes")
    assert not _may(lab, "worker-1", "delete", "nodes")
    lab.kubectl("delete", "pod", "mounting", "--wait=false")


def test_nodes_have_their_roles_and_may_not_give_themselves_others(lab: Lab) -> None:
    as_node = ("--as", "system:node:worker-1", "--as-group", "system:nodes")
    refusal = lab.refused("label", "node", "worker-1", "node-role.kubernetes.io/control-plane=", *as_node)
    assert "is not allowed to modify labels: node-role.kubernetes.io/control-plane" in refusal
    roles = dict(line.split()[:3:2] for line in lab.out("get", "nodes", "--no-headers").splitlines())
    assert roles == {"master-1": "control-plane", "worker-1": "worker", "worker-2": "worker"}
