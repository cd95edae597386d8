"""The apps of `examples/` on real nodes, as they are: each becomes ready, and is reached as its users reach it."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.kubectl import kubectl_path

from .conftest import Hosts

pytestmark = [pytest.mark.real]

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
_BUSYBOX = "--image=homeostat.local/busybox:1"


@contextmanager
def applied(hosts: Hosts, manifest: Path) -> Iterator[None]:
    hosts.kubectl("apply", "-f", str(manifest))
    try:
        yield
    finally:
        hosts.kubectl("delete", "-f", str(manifest), "--wait=false")


@contextmanager
def forwarded(hosts: Hosts, target: str, port: int) -> Iterator[str]:
    """`kubectl port-forward` while it is needed; the address of its end here."""
    command = [kubectl_path(), "port-forward", target, f":{port}"]
    process = subprocess.Popen(command, env=hosts.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Forwarding from 127.0.0.1:"), line + process.stdout.read()
        yield "http://" + line.split()[2]
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(10)


@pytest.mark.parametrize("manifest", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_becomes_ready_on_real_nodes(hosts: Hosts, manifest: Path) -> None:
    with applied(hosts, manifest):
        for deployment in hosts.kubectl("get", "deployments", "-o", "name").split():
            # A loaded machine starts ten Pods of containerd in half a minute.
            hosts.kubectl("rollout", "status", deployment, "--timeout=55s")


def test_port_forward_and_wget_by_the_service_s_name_reach_hello(hosts: Hosts) -> None:
    with applied(hosts, ROOT / "examples" / "hello.yaml"):
        hosts.kubectl("rollout", "status", "deployment/hello", "--timeout=55s")
        for target in ("deployment/hello", "service/hello"):
            with forwarded(hosts, target, 8080) as url, urllib.request.urlopen(url, timeout=10) as answer:
                assert answer.read().startswith(b"hello from hello-")
        hosts.kubectl("run", "shell", _BUSYBOX, "--command", "--", "sleep", "600")
        try:
            hosts.kubectl("wait", "pod/shell", "--for=condition=Ready", "--timeout=50s")
            for name in ("hello:8080", "hello.default.svc.cluster.local:8080"):
                words = ["exec", "shell", "--", "wget", "-T", "9", "-q", "-O", "-", f"http://{name}/"]
                assert hosts.kubectl(*words).startswith("hello from hello-")
        finally:
            hosts.kubectl("delete", "pod", "shell", "--now", "--wait=false")
