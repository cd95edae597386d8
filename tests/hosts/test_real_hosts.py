"""A small cluster of real nodes: what is on a node is its own, nodes are added and removed, and nothing of them stays
on the host.

One master with SQLite and one worker: what three masters do is in tests/guide.
"""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from homeostat.cluster.lab_orders import Order
from homeostat.lab.processes.orders import ask
from tests.hosts.conftest import COMMAND, Hosts
from tests.support.patience import eventually

pytestmark = [pytest.mark.real, pytest.mark.slow]

# What a program in a Pod does with what the kubelet mounts, and with Python's standard library alone: it follows the
# issuer of its own token to the keys, and checks the token's ES256 signature (RFC 7518, 3.4; FIPS 186-5, 6.4.2).
CHECK_OWN_TOKEN = """
import base64, hashlib, json, ssl, urllib.request
mount = "/var/run/secrets/kubernetes.io/serviceaccount/"
token = open(mount + "token").read()
trust = ssl.create_default_context(cafile=mount + "ca.crt")
def raw(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
def get(url):
    ask = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
    return json.load(urllib.request.urlopen(ask, context=trust, timeout=20))
head, claims, signature = token.split(".")
issuer = json.loads(raw(claims))["iss"]
found = get(issuer + "/.well-known/openid-configuration")
assert found["issuer"] == issuer, found
key = next(k for k in get(found["jwks_uri"])["keys"] if k["kid"] == json.loads(raw(head))["kid"])
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)
def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = (3 * a[0] ** 2 - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope ** 2 - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P
def times(k, a):
    found = None
    while k:
        found, a, k = add(found, a) if k & 1 else found, add(a, a), k >> 1
    return found
public = tuple(int.from_bytes(raw(key[part]), "big") for part in "xy")
both = raw(signature)
r, s = int.from_bytes(both[:32], "big"), int.from_bytes(both[32:], "big")
digest = int.from_bytes(hashlib.sha256((head + "." + claims).encode()).digest(), "big")
w = pow(s, -1, N)
assert add(times(digest * w % N, G), times(r * w % N, public))[0] % N == r
print("signed by", issuer)
"""


def test_a_node_is_a_host_of_its_own(hosts: Hosts) -> None:
    assert hosts.on("worker-1", "hostname") == "worker-1\n"
    assert "172.30." in hosts.on("worker-1", "ip", "-br", "addr", "show", "eth0")
    processes = hosts.on("worker-1", "ps", "-eo", "args")
    assert "containerd --config" in processes
    assert "kubelet --state" in processes
    assert "kube-apiserver" not in processes
    assert str(os.getpid()) not in hosts.on("worker-1", "ps", "-eo", "pid").split()
    assert "kube-apiserver --state" in hosts.on("master-1", "ps", "-eo", "args")
    # Its root is its own: of this folder of the host nothing can be seen.
    assert not hosts.on("worker-1", "sh", "-c", f"ls {hosts.home} 2>/dev/null")


def test_a_firewall_rule_on_one_node_is_no_rule_of_another(hosts: Hosts) -> None:
    rule = ("-p", "tcp", "--dport", "4242", "-j", "DROP")
    hosts.on("worker-1", "iptables", "-A", "OUTPUT", *rule)
    try:
        assert "4242" in hosts.on("worker-1", "iptables", "-S", "OUTPUT")
        assert "4242" not in hosts.on("master-1", "iptables", "-S", "OUTPUT")
        here = subprocess.run(["iptables", "-S", "OUTPUT"], capture_output=True, text=True, check=False).stdout
        assert "4242" not in here
    finally:
        hosts.on("worker-1", "iptables", "-D", "OUTPUT", *rule)


def test_a_program_in_a_pod_checks_its_token_by_following_the_issuer(hosts: Hosts) -> None:
    image = "--image=homeostat.local/python:3"
    hosts.kubectl("run", "checker", image, "--restart=Never", "--", "python3", "-c", CHECK_OWN_TOKEN)
    hosts.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/checker", "--timeout=50s")
    assert hosts.kubectl("logs", "checker") == "signed by https://kubernetes.default.svc.cluster.local\n"


def test_what_is_written_on_a_node_outlives_its_power(hosts: Hosts) -> None:
    hosts.on("worker-1", "sh", "-c", "echo kept >/root/note; echo gone >/run/note")
    hosts.run("node", "power-off", "worker-1")
    assert "is off" in hosts.run("ssh", "worker-1", "true", ok=False)
    hosts.run("node", "power-on", "worker-1")
    eventually(lambda: "kept" in hosts.on("worker-1", "cat", "/root/note"))
    assert "No such file" in hosts.on("worker-1", "cat", "/run/note")
    eventually(lambda: hosts.ready()["worker-1"] == "True")


def test_a_cut_ends_by_itself(hosts: Hosts) -> None:
    hosts.run("node", "cut", "worker-1", "--for", "5")
    assert 0 < ask(hosts.folder.supervisor_socket, Order("status"))["cut"]["worker-1"] <= 5
    assert "DOWN" in hosts.on("worker-1", "ip", "-br", "link", "show", "eth0")

    def joined() -> bool:
        return " UP " in hosts.on("worker-1", "ip", "-br", "link", "show", "eth0")

    eventually(joined)


def test_a_worker_comes_and_goes_while_the_cluster_runs(hosts: Hosts) -> None:
    assert "worker-2 is Ready" in hosts.run("node", "add")
    hosts.kubectl("create", "deployment", "goes", "--image=homeostat.local/hello:1", "--replicas=2")
    hosts.kubectl("wait", "--for=condition=available", "deployment/goes", "--timeout=50s")
    assert "worker-2 is removed" in hosts.run("node", "remove", "worker-2")
    assert set(hosts.ready()) == {"master-1", "worker-1"}
    hosts.kubectl("wait", "--for=condition=available", "deployment/goes", "--timeout=50s")
    assert "there is no node 'worker-2'" in hosts.run("node", "stop", "worker-2", ok=False)
    assert not hosts.folder.node("worker-2").exists()


def test_everything_survives_a_supervisor_that_is_killed_and_nothing_stays_behind(hosts: Hosts) -> None:
    hosts.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    os.kill(hosts.supervisor(), signal.SIGKILL)
    eventually(lambda: hosts.traces() == [])
    hosts.run("up")
    assert hosts.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "b"
    hosts.kubectl("wait", "--for=condition=available", "deployment/goes", "--timeout=50s")


def test_a_start_that_is_killed_in_the_middle_leaves_nothing_behind(hosts: Hosts) -> None:
    hosts.run("down")
    eventually(lambda: hosts.traces() == [])
    for moment in ("cluster.json", "supervisor.sock"):
        starting = subprocess.Popen(
            [COMMAND, "up"], env=hosts.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        eventually(lambda moment=moment: (hosts.folder.path / moment).exists())  # type: ignore[misc]
        os.killpg(starting.pid, signal.SIGKILL)
        starting.wait(timeout=10)
        # The supervisor may have been forked already: then it continues, and `down` ends it.
        hosts.run("down", ok=False)
        eventually(lambda: hosts.traces() == [])
    hosts.run("up")
    assert hosts.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "b"
