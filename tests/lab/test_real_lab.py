"""A real lab of real processes: it boots, heals, comes back, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from homeostat.cluster.lab_orders import Order
from homeostat.kit import clock
from tests.support.kubectl import kubectl_path
from tests.support.ports import own_port

pytestmark = pytest.mark.real
COMMAND = str(Path(sys.executable).parent / "homeostat")
HELLO = Path(__file__).parents[2] / "examples" / "hello.yaml"


class Lab:
    """The commands of one user, with a state folder and a kubeconfig of his own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {**os.environ, "XDG_STATE_HOME": str(home / "state"), "KUBECONFIG": str(home / "config")}

    def run(self, *words: str, ok: bool = True, seconds: float = 90) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [COMMAND, *words], env=self.env, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert not ok or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def status(self, name: str = "homeostat") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--name", name, "-o", "json", ok=False).stdout)
        return found

    def kubectl(self, *words: str, given: str = "") -> str:
        done = subprocess.run(
            [kubectl_path(), *words], env=self.env, capture_output=True, text=True, timeout=60, input=given, check=False
        )
        assert done.returncode == 0, f"kubectl {words}: {done.stdout}{done.stderr}"
        return done.stdout

    def supervisor(self, name: str = "homeostat") -> int:
        return int(self.order(name, Order("status"))["pid"])

    def order(self, name: str, order: Order) -> dict[str, Any]:
        from homeostat.lab.processes.orders import ask

        return ask(self.home / "state" / "homeostat" / name / "supervisor.sock", order)

    def processes(self) -> list[int]:
        """Every process that this user's clusters started: their command line or environment names the state folder."""
        mark = str(self.home).encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    reported = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                    alive = "Z" not in (entry / "stat").read_text().rpartition(")")[2].split()[0]
                except OSError:
                    continue
                if mark in reported and alive:
                    found.append(int(entry.name))
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        for folder in (tmp_path / "state" / "homeostat").glob("*/cluster.json"):
            made.run("down", "--name", folder.parent.name, "--purge", ok=False)
        for pid in made.processes():
            os.kill(pid, signal.SIGKILL)


def until(holds: Callable[[], bool], *, seconds: float) -> None:
    deadline = clock.monotonic() + seconds
    while not holds():
        assert clock.monotonic() < deadline, f"not within {seconds} s"
        pause()


def pause() -> None:
    subprocess.run(["sleep", "0.05"], check=True)


def test_a_highly_available_cluster_boots_heals_and_comes_back_with_its_objects(lab: Lab) -> None:
    lab.run("up", *own_port())
    state = lab.status()
    assert state["healthy"]
    assert [row["name"] for row in state["nodes"]] == ["master-1", "master-2", "master-3", "worker-1", "worker-2"]
    assert len(state["controlPlane"]) == 9
    lab.kubectl("apply", "-f", str(HELLO))
    lab.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    drills = lab.run("drill", "run", "first", "-o", "json")
    reports = json.loads(drills.stdout)
    assert [(report["drill"], report["passed"]) for report in reports] == [("api-server", True), ("node", True)]
    assert all(client["requests"] > 10 for report in reports for client in report["clients"])
    why = lab.run("why", "-n", "kube-system", reports[0]["target"].split()[4].replace("kube-system/", "pod/")).stdout
    assert "container kube-apiserver ended with 137" in why
    assert "container kube-apiserver started" in why
    before = lab.kubectl("get", "deployment,service,configmap", "-o", "jsonpath={.items[*].metadata.uid}")
    lab.run("down")
    assert lab.processes() == []
    lab.run("up")
    assert lab.kubectl("get", "deployment,service,configmap", "-o", "jsonpath={.items[*].metadata.uid}") == before
    lab.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    until(lambda: all(row["ready"] for row in lab.status()["controlPlane"]), seconds=30)
    # Its high availability came back too: the same drill passes again.
    assert "PASSED" in lab.run("drill", "run", "api-server").stdout


def test_nothing_outlives_a_supervisor_that_is_killed(lab: Lab) -> None:
    lab.run("up", "--control-planes", "1", "--workers", "1", *own_port())
    lab.kubectl("apply", "-f", str(HELLO))
    lab.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    assert len(lab.processes()) > 8
    os.kill(lab.supervisor(), signal.SIGKILL)
    until(lambda: lab.processes() == [], seconds=20)
    done = lab.run("status", ok=False)
    assert done.returncode == 1
    assert "is not running" in done.stdout
    # The state it leaves is whole: the cluster comes back from it.
    lab.run("up")
    lab.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")


STRAYING = """
apiVersion: v1
kind: Pod
metadata: {name: straying}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: none, command: [sh, -c, "(setsid sleep 1000 &); exec sleep 1000"]}
"""


def up_with_a_straying_pod(lab: Lab) -> tuple[list[dict[str, Any]], set[int]]:
    """Boot one master and one worker with STRAYING; the supervisor's children, and all processes of containers."""
    lab.run("up", "--control-planes", "1", "--workers", "1")
    lab.kubectl("apply", "-f", "-", given=STRAYING)
    lab.kubectl("wait", "--for=condition=Ready", "pod/straying", "--timeout=60s")
    children = lab.order("homeostat", Order("status"))["children"]
    return children, set(lab.processes()) - {lab.supervisor(), *(child["pid"] for child in children)}


def test_when_the_shim_is_killed_nothing_of_its_containers_is_left_and_all_are_started_again(lab: Lab) -> None:
    children, containers = up_with_a_straying_pod(lab)
    shim = next(child["pid"] for child in children if child["name"] == "shim")
    # Three of the control plane, the container's own, and its stray.
    assert len(containers) == 5
    os.kill(shim, signal.SIGKILL)
    until(lambda: not containers & set(lab.processes()), seconds=20)
    again = "jsonpath={.status.containerStatuses[0].restartCount}"
    until(lambda: lab.run("status", ok=False).returncode == 0, seconds=60)
    until(lambda: lab.kubectl("get", "pod", "straying", "-o", again) == "1", seconds=30)
    lab.kubectl("wait", "--for=condition=Ready", "pod/straying", "--timeout=60s")
    lab.run("down")
    assert lab.processes() == []


def test_containers_outlive_a_killed_kubelet_and_end_with_their_node(lab: Lab) -> None:
    children, containers = up_with_a_straying_pod(lab)
    kubelet = next(child["pid"] for child in children if child["node"] == "worker-1")
    os.kill(kubelet, signal.SIGKILL)
    until(lambda: kubelet not in lab.processes(), seconds=10)
    assert containers <= set(lab.processes())
    lab.run("node", "stop", "worker-1")
    until(lambda: len(containers & set(lab.processes())) == 3, seconds=10)
    lab.run("node", "start", "worker-1")
    until(lambda: lab.run("status", ok=False).returncode == 0, seconds=60)


def test_clusters_run_side_by_side_and_a_second_up_is_refused(lab: Lab) -> None:
    small = ("--control-planes", "1", "--workers", "1")
    lab.run("up", *small)
    lab.run("up", "--name", "other", *small)
    refused = lab.run("up", ok=False)
    assert refused.returncode == 1
    assert (
        refused.stderr
        == "homeostat: cluster 'homeostat' is running or starting; see `homeostat status --name homeostat`\n"
    )
    contexts = lab.kubectl("config", "get-contexts", "-o", "name").split()
    assert contexts == ["homeostat", "homeostat-other"]
    for context in contexts:
        assert len(lab.kubectl("--context", context, "get", "nodes", "-o", "name").split()) == 2
    lab.kubectl("--context", "homeostat", "create", "configmap", "mine")
    assert "mine" not in lab.kubectl("--context", "homeostat-other", "get", "configmaps", "-o", "name")
    lab.run("down", "--name", "other", "--purge")
    assert lab.kubectl("config", "get-contexts", "-o", "name").split() == ["homeostat"]
    assert lab.status()["healthy"]
    assert not (lab.home / "state" / "homeostat" / "other").exists()


def test_an_up_that_cannot_succeed_says_what_is_in_the_way_and_leaves_nothing(lab: Lab) -> None:
    lab.run("up", "--control-planes", "1", "--workers", "0", *own_port())
    cluster = json.loads((lab.home / "state" / "homeostat" / "homeostat" / "cluster.json").read_text())
    lab.run("down")
    with socket.create_server((f"127.{10 + 2 * cluster['index']}.0.11", 10250)):
        done = lab.run("up", ok=False)
    assert done.returncode == 1
    assert "network kept ending (OSError: [Errno 98] cannot listen on 127." in done.stderr
    assert "Traceback" not in done.stderr
    assert lab.processes() == []
    lab.run("up")


def test_a_cut_node_is_marked_and_healed_and_its_traffic_goes_elsewhere(lab: Lab) -> None:
    quick = [
        "controller-manager.node-monitor-grace-period=4s",
        "controller-manager.node-monitor-period=1s",
        "kubelet.node-lease-duration-seconds=4",
        "kubelet.node-status-update-frequency=1s",
        "apiserver.default-unreachable-toleration-seconds=600",
    ]
    lab.run("up", "--control-planes", "1", "--workers", "2", *(word for flag in quick for word in ("--set", flag)))
    lab.kubectl("apply", "-f", str(HELLO))
    lab.kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    report = json.loads(lab.run("drill", "run", "node-cut", "-o", "json").stdout)[0]
    assert report["passed"], report
    address = lab.kubectl("get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")
    port = lab.kubectl("get", "service", "hello", "-o", "jsonpath={.spec.ports[0].nodePort}")
    for url in (f"http://{address}:8080/", f"http://127.0.0.1:{port}/"):
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.read().startswith(b"hello from ")
    unknown = lab.run("node", "cut", "worker-9", ok=False)
    assert unknown.stderr == "homeostat: there is no node 'worker-9'; the nodes are master-1, worker-1, worker-2\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("up", "--set", "controller-manager.node-monitor-grace=1s"), "node-monitor-grace-period"),
        (("up", "--set", "kubelet.max-pods=many"), "whole number"),
        (("up", "--runtime", "docker"), "'docker' is not one of"),
        (("down", "--name", "No Such"), "is no cluster name"),
        (("status", "--name", "missing"), "there is no cluster 'missing'"),
        (("drill", "run", "api-server", "--name", "missing"), "there is no cluster 'missing'"),
        (("nodes",), "did you mean 'node'"),
    ],
)
def test_a_mistake_gets_one_clear_line(lab: Lab, words: tuple[str, ...], text: str) -> None:
    done = lab.run(*words, ok=False)
    assert done.returncode != 0
    assert text in done.stderr
    assert "Traceback" not in done.stderr
