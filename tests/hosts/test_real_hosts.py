"""A small cluster of real nodes: what is on a node is its own, it comes and goes, and nothing of it stays on the host.

One master with SQLite and one worker: what three masters do is told in tests/guide.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homeostat.lab.control import ask
from homeostat.lab.nodes import enter
from homeostat.lab.state import Folder
from tests.support.images import share_images
from tests.support.kubectl import kubectl_path
from tests.support.patience import eventually

pytestmark = [pytest.mark.real, pytest.mark.slow]
COMMAND = str(Path(sys.executable).parent / "homeostat")
NAME = "hosts-test"
SMALL = ("--runtime", "container", "--store", "sqlite", "--control-planes", "1", "--workers", "1")


class Hosts:
    """The commands of one user with a state folder of his own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {**os.environ, "XDG_STATE_HOME": str(home / "state"), "KUBECONFIG": str(home / "config")}
        self.env |= {"HOMEOSTAT_NAME": NAME, "HOMEOSTAT_RUNTIME": "auto"}
        self.folder = Folder(home / "state" / "homeostat" / NAME)
        share_images(self.folder.path.parent)

    def run(self, *words: str, ok: bool = True) -> str:
        done = subprocess.run([COMMAND, *words], env=self.env, capture_output=True, text=True, timeout=170, check=False)
        assert not ok or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def kubectl(self, *words: str) -> str:
        done = subprocess.run(
            [kubectl_path(), *words], env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def on(self, node: str, *argv: str) -> str:
        done = enter.run(self.folder, node, argv, timeout_seconds=30)
        return (done.stdout + done.stderr).decode()

    def ready(self) -> dict[str, str]:
        items = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return {
            node["metadata"]["name"]: next(c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready")
            for node in items
        }

    def supervisor(self) -> int:
        return int(ask(self.folder.supervisor_socket, {"do": "status"})["pid"])

    def traces(self) -> list[str]:
        """What the host has of this cluster beside its state folder."""
        try:
            found = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/homeostat-{NAME}-*")]
        except FileNotFoundError as error:
            return [f"going as we look: {error.filename}"]
        links: list[dict[str, Any]] = json.loads(subprocess.check_output(["ip", "-j", "link"]))
        index = self.folder.load().index
        found += [link["ifname"] for link in links if link["ifname"] == f"homeostat{index}"]
        found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.home) in line]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    told = (entry / "cmdline").read_bytes() + os.readlink(entry / "root").encode()
                    told += (entry / "environ").read_bytes()
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                except OSError:
                    continue
                if state != "Z" and str(self.home).encode() in told:
                    found.append(f"process {entry.name}")
        return found


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    made = Hosts(tmp_path_factory.mktemp("hosts"))
    try:
        made.run("up", *SMALL)
        yield made
    finally:
        made.run("down", "--purge", ok=False)


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
    assert 0 < ask(hosts.folder.supervisor_socket, {"do": "status"})["cut"]["worker-1"] <= 5
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
        # The supervisor may have been forked already: then it goes on, and `down` ends it.
        hosts.run("down", ok=False)
        eventually(lambda: hosts.traces() == [])
    hosts.run("up")
    assert hosts.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "b"
