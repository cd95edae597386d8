"""Cluster DNS as Pods meet it: names of Services, and no failed lookup while its own Pods are replaced.

Rules: the Kubernetes DNS specification 1.1.0; resolv.conf by the policy ClusterFirst (pkg/kubelet/network/dns).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from homeostat.lab.hosts import enter
from tests.hosts.conftest import Hosts
from tests.support.patience import eventually

pytestmark = [pytest.mark.real, pytest.mark.slow]

# Looks up names as any program does, by the C library, and reports the results.
_ASKER = """
import socket, time
tried = 0
while True:
    tried += 1
    for name in ("kubernetes.default", "asker.pets"):
        began = time.monotonic()
        try:
            socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
        except OSError as error:
            print("failed", name, error, flush=True)
        if time.monotonic() - began > 2:
            print("slow", name, round(time.monotonic() - began, 1), flush=True)
    if tried % 10 == 0:
        print("tried", 2 * tried, flush=True)
    time.sleep(0.01)
"""
# A rate of 150 lookups a second, and some tenths of a second until the rules have changed.
_LOST_MAX = 20
_METADATA = {"namespace": "default"}
_OBJECTS = [
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "asker", "labels": {"app": "asker"}, **_METADATA},
        "spec": {
            "hostname": "asker",
            "subdomain": "pets",
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [
                {"name": "loop", "image": "homeostat.local/python:3", "command": ["python3", "-c", _ASKER]},
                {"name": "shell", "image": "homeostat.local/busybox:1", "command": ["sleep", "3600"]},
            ],
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "pets", **_METADATA},
        "spec": {"clusterIP": "None", "selector": {"app": "asker"}, "ports": [{"name": "web", "port": 80}]},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "alias", **_METADATA},
        "spec": {"type": "ExternalName", "externalName": "kubernetes.default.svc.cluster.local"},
    },
]


@pytest.fixture(scope="module")
def asker(hosts: Hosts) -> Iterator[Hosts]:
    objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": _OBJECTS})
    hosts.kubectl("-n", "kube-system", "rollout", "status", "deployment/kube-dns", "--timeout=50s")
    hosts.kubectl("apply", "-f", "-", input=objects)
    hosts.kubectl("wait", "--for=condition=ready", "pod/asker", "--timeout=50s")
    yield hosts
    hosts.kubectl("delete", "pod/asker", "service/pets", "service/alias", "--wait=false")


def in_pod(hosts: Hosts, *argv: str) -> str:
    return hosts.kubectl("exec", "asker", "-c", "shell", "--", *argv)


def lookups(hosts: Hosts) -> int:
    """How many there were so far."""
    output = [line.split() for line in hosts.kubectl("logs", "asker", "-c", "loop").splitlines()]
    return max((int(words[1]) for words in output if words[0] == "tried"), default=0)


def complaints(hosts: Hosts) -> list[str]:
    return [line for line in hosts.kubectl("logs", "asker", "-c", "loop").splitlines() if not line.startswith("tried")]


def servers(hosts: Hosts) -> list[dict[str, str]]:
    """The DNS Pods that are not about to end: name, node and container."""
    found = json.loads(hosts.kubectl("-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-dns", "-o", "json"))
    return [
        {
            "name": pod["metadata"]["name"],
            "node": pod["spec"]["nodeName"],
            "container": status["containerID"].removeprefix("containerd://"),
        }
        for pod in found["items"]
        if not pod["metadata"].get("deletionTimestamp")
        for status in pod["status"].get("containerStatuses", [])
        if status["ready"]
    ]


def test_a_pod_finds_every_kind_of_name(asker: Hosts) -> None:
    output = in_pod(asker, "cat", "/etc/resolv.conf")
    assert "nameserver 10.96.0.10" in output
    assert "search default.svc.cluster.local svc.cluster.local cluster.local" in output
    assert "ndots:5" in output
    address = asker.kubectl("get", "pod", "asker", "-o", "jsonpath={.status.podIP}")
    zone = "svc.cluster.local"
    for name, kind, expected in (
        (f"kubernetes.default.{zone}", "a", "Address: 10.96.0.1"),
        (f"pets.default.{zone}", "a", f"Address: {address}"),
        (f"asker.pets.default.{zone}", "a", f"Address: {address}"),
        (f"alias.default.{zone}", "a", "Address: 10.96.0.1"),
        (f"_https._tcp.kubernetes.default.{zone}", "srv", f"0 100 443 kubernetes.default.{zone}"),
        (f"_web._tcp.pets.default.{zone}", "srv", f"0 100 80 asker.pets.default.{zone}"),
        (f"{address.replace('.', '-')}.default.pod.cluster.local", "a", f"Address: {address}"),
        ("1.0.96.10.in-addr.arpa", "ptr", f"kubernetes.default.{zone}"),
        ("dns-version.cluster.local", "txt", "1.1.0"),
    ):
        assert expected in in_pod(asker, "nslookup", f"-type={kind}", name), name
    # Short names, by the search list and the C library.
    eventually(lambda: lookups(asker) >= 20)


def test_its_two_pods_are_on_two_nodes(asker: Hosts) -> None:
    assert len({server["node"] for server in servers(asker)}) == 2


def test_no_lookup_fails_while_its_pods_are_replaced(asker: Hosts) -> None:
    """A Pod that is asked to end answers until every node has removed it from its rules."""
    eventually(lambda: lookups(asker) >= 20)
    before, first = complaints(asker), {server["name"] for server in servers(asker)}
    asker.kubectl("-n", "kube-system", "rollout", "restart", "deployment/kube-dns")
    asker.kubectl("-n", "kube-system", "rollout", "status", "deployment/kube-dns", "--timeout=55s")
    names = ("-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-dns", "-o", "name")
    eventually(lambda: not any(name in asker.kubectl(*names) for name in first))
    assert len(servers(asker)) == 2
    count = lookups(asker)
    eventually(lambda: lookups(asker) >= count + 20)
    assert [line for line in complaints(asker)[len(before) :] if line.startswith("failed")] == []


def test_after_the_kill_of_one_the_other_answers(asker: Hosts) -> None:
    """What is on its way to a killed server is lost, as always over UDP, until its endpoint has left: the C library
    asks twice, and may meet the dead one twice. Then nobody is sent there any more."""
    victim, before = servers(asker)[0], len(complaints(asker))
    enter.run(asker.folder, victim["node"], ["docker", "kill", victim["container"]], timeout_seconds=20)
    eventually(lambda: victim["container"] not in {server["container"] for server in servers(asker)})
    # Whoever waits for the killed one gives up after five seconds (resolv.conf(5), timeout).
    count = lookups(asker)
    eventually(lambda: lookups(asker) >= count + 20)
    after = len(complaints(asker))
    assert after - before <= _LOST_MAX
    eventually(lambda: lookups(asker) >= count + 220)
    assert len(complaints(asker)) == after
    eventually(lambda: len(servers(asker)) == 2)
