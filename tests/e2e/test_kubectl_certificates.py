"""Certificates and node permissions by kubectl: requests approved and denied by hand, and what a node may do."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography import x509

from tests.support.certificates import CLIENT, csr, request_pem
from tests.support.patience import eventually

from .conftest import Lab

pytestmark = pytest.mark.real


def test_kubectl_approves_and_the_loop_signs(lab: Lab) -> None:
    """kubernetes.io/docs, "Issue a certificate for a Kubernetes API client using a CertificateSigningRequest"."""
    lab.kubectl("apply", "-f", "-", input=json.dumps(csr("jane", request_pem("jane", ["developers"]))))
    assert "Pending" in lab.out("get", "csr", "jane", "--no-headers")
    assert "approved" in lab.out("certificate", "approve", "jane")
    issued = eventually(lambda: lab.json("get", "csr", "jane")["status"].get("certificate"))
    certificate = x509.load_pem_x509_certificate(base64.b64decode(issued))
    assert certificate.subject.rfc4514_string() == "CN=jane,O=developers"
    assert "Approved,Issued" in lab.out("get", "csr", "jane", "--no-headers")


def test_kubectl_denies(lab: Lab) -> None:
    lab.kubectl("apply", "-f", "-", input=json.dumps(csr("mallory", request_pem("mallory"))))
    assert "denied" in lab.out("certificate", "deny", "mallory")
    assert "Denied" in lab.out("get", "csr", "mallory", "--no-headers")
    told = lab.refused("certificate", "approve", "mallory")
    assert "Denied" in told or "mutually exclusive" in told, told
    lab.kubectl("delete", "csr", "mallory")


def test_a_signer_that_nobody_serves_leaves_a_request_approved(lab: Lab) -> None:
    lab.kubectl("apply", "-f", "-", input=json.dumps(csr("foreign", request_pem("x"), "example.com/mine")))
    lab.kubectl("certificate", "approve", "foreign")
    assert "Approved" in lab.out("get", "csr", "foreign", "--no-headers")
    assert lab.json("get", "csr", "foreign", "-o", "json")["spec"]["signerName"] != CLIENT


def _may(lab: Lab, node: str, *what: str) -> bool:
    identity = ("--as", f"system:node:{node}", "--as-group", "system:nodes")
    return lab.kubectl("auth", "can-i", *what, *identity, check=False).stdout.strip() == "yes"


def test_kubectl_asks_what_a_node_may(lab: Lab) -> None:
    """A node reads the Secret that its own Pod mounts, and no other (kubernetes.io/docs, "Node Authorization")."""
    lab.kubectl("create", "secret", "generic", "mounted", "--from-literal=key=value")
    volume = {"name": "v", "secret": {"secretName": "mounted"}}
    container = {"name": "c", "image": "none", "command": ["sleep", "600"]}
    spec = {"volumes": [volume], "containers": [container], "nodeName": "worker-1", "terminationGracePeriodSeconds": 0}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mounting"}, "spec": spec}
    assert not _may(lab, "worker-1", "get", "secret/mounted")
    lab.kubectl("apply", "-f", "-", input=json.dumps(pod))
    assert eventually(lambda: _may(lab, "worker-1", "get", "secret/mounted"))
    assert not _may(lab, "worker-2", "get", "secret/mounted")
    assert not _may(lab, "worker-1", "list", "secrets")
    assert _may(lab, "worker-1", "create", "nodes")
    assert not _may(lab, "worker-1", "delete", "nodes")
    as_node = ("--as", "system:node:worker-1", "--as-group", "system:nodes")
    told = lab.refused("label", "node", "worker-1", "node-role.kubernetes.io/control-plane=", *as_node)
    assert "is not allowed to modify labels: node-role.kubernetes.io/control-plane" in told
    lab.kubectl("delete", "pod", "mounting", "--wait=false")


def test_the_nodes_have_their_roles_though_they_cannot_give_them(lab: Lab) -> None:
    roles = dict(line.split()[:3:2] for line in lab.out("get", "nodes", "--no-headers").splitlines())
    assert roles == {"master-1": "control-plane", "worker-1": "worker", "worker-2": "worker"}
