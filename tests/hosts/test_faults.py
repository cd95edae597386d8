"""What a small cluster of real nodes takes: clocks that are wrong, an engine that is killed, a certificate that has
expired, a disk that is full, a machine that joins, and everything killed at once. Nothing acknowledged is lost.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homeostat.api import durations
from homeostat.cluster import node_layout
from homeostat.cluster.lab_orders import Order
from homeostat.compose.shared.certificate_rotation import renew_once
from homeostat.kit import clock, world
from homeostat.lab.hosts import enter
from homeostat.lab.images import build, stock
from homeostat.lab.processes.orders import ask
from homeostat.wire import pki
from tests.hosts.conftest import COMMAND, SMALL, Hosts
from tests.support.patience import eventually
from tests.support.ports import own_port

pytestmark = [pytest.mark.real, pytest.mark.slow]
NAME = "faults-test"
APP = "homeostat.local/hello:1"
_WRITES_MAX = 60


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    disk = tmp_path_factory.mktemp("disk")
    # All that the cluster keeps is on a disk of its own, which is to be full one day.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500m", "none", disk], check=True)
    made = Hosts(disk / "home", NAME)
    try:
        # Kubernetes has 10 seconds and 5 minutes: what is to be seen here does not depend on how long it takes.
        quick = ("node-status-update-frequency=2s", "eviction-pressure-transition-period=5s")
        made.run("up", *SMALL, *own_port(), *(word for flag in quick for word in ("--set", f"kubelet.{flag}")))
        yield made
    finally:
        made.run("down", "--purge", ok=False)
        eventually(lambda: subprocess.run(["umount", disk], capture_output=True, check=False).returncode == 0)


def containers(hosts: Hosts, selector: str) -> dict[str, tuple[str, int]]:
    """Of every ready pod: its container's ID and how often that was restarted."""
    found = {}
    for pod in json.loads(hosts.kubectl("get", "pods", "-l", selector, "-o", "json"))["items"]:
        status = (pod["status"].get("containerStatuses") or [{}])[0]
        if status.get("ready"):
            found[pod["metadata"]["name"]] = (status["containerID"], status["restartCount"])
    return found


def condition(hosts: Hosts, node: str, kind: str) -> str:
    path = f'{{.status.conditions[?(@.type=="{kind}")].status}}'
    return hosts.kubectl("get", "node", node, "-o", f"jsonpath={path}")


def kubelet(hosts: Hosts, node: str, number: int) -> None:
    """Send a signal to a node's kubelet; init starts it again when it ends."""
    order = Order("kill", unit="kubelet", signal=number)
    ask(Path(f"/proc/{enter.process(hosts.folder, node)}/root{node_layout.INIT_SOCKET}"), order)


def test_an_engine_that_is_killed_under_load_costs_no_container_and_the_rest_comes_up(hosts: Hosts) -> None:
    hosts.kubectl("create", "deployment", "busy", f"--image={APP}", "--replicas=3")
    before = eventually(lambda: found if len(found := containers(hosts, "app=busy")) == 3 else None)
    hosts.kubectl("scale", "deployment/busy", "--replicas=7")
    # In the middle of creating the others, twice.
    for _ in range(2):
        engine = hosts.on("worker-1", "pidof", "containerd").split()
        hosts.on("worker-1", "kill", "-9", *engine)
        eventually(lambda engine=engine: set(hosts.on("worker-1", "pidof", "containerd").split()) - set(engine))  # type: ignore[misc]
    after = eventually(lambda: found if len(found := containers(hosts, "app=busy")) == 7 else None, seconds=60)
    assert {name: after[name] for name in before} == before, "what ran goes on in the same containers"
    # Without its engine a node is not ready, and it says so for as long as that lasts.
    eventually(lambda: condition(hosts, "worker-1", "Ready") == "True")
    hosts.kubectl("delete", "deployment", "busy")


def _renewed(hosts: Hosts) -> float:
    """When the worker says that it renewed its lease, by its own clock."""
    text = hosts.kubectl("-n", "kube-node-lease", "get", "lease", "worker-1", "-o", "jsonpath={.spec.renewTime}")
    return clock.parse_rfc3339(text)


@pytest.mark.parametrize("shift", ["+10m", "-10m"])
def test_a_node_whose_clock_jumps_stays_ready_and_keeps_its_pods(hosts: Hosts, shift: str) -> None:
    """Who is silent is judged by the observer's own clock, from when it saw a lease change (nodelifecycle), and so is
    who leads (client-go's leaderelection)."""
    hosts.kubectl("create", "deployment", "timed", f"--image={APP}", "--replicas=2")
    before = eventually(lambda: found if len(found := containers(hosts, "app=timed")) == 2 else None)
    seconds = durations.parse(shift.lstrip("+-")) * (-1 if shift.startswith("-") else 1)
    for node in ("worker-1", "master-1"):
        assert f"the clock of {node} is 10m0s" in hosts.run("node", "clock", node, shift)
    eventually(lambda: abs(_renewed(hosts) - time.time() - seconds) < 60)
    leads = ("-n", "kube-system", "get", "lease", "kube-controller-manager", "-o", "jsonpath={.spec.leaseTransitions}")
    transitions = hosts.kubectl(*leads)
    # The loops go on: what is new comes up, what was there is left alone.
    hosts.kubectl("scale", "deployment/timed", "--replicas=3")
    after = eventually(lambda: found if len(found := containers(hosts, "app=timed")) == 3 else None)
    assert {name: after[name] for name in before} == before
    for node in ("worker-1", "master-1"):
        assert f"the clock of {node} is right" in hosts.run("node", "clock", node, "0")
    eventually(lambda: abs(_renewed(hosts) - time.time()) < 60)
    assert hosts.ready() == {"master-1": "True", "worker-1": "True"}
    assert hosts.kubectl(*leads) == transitions
    assert "NodeNotReady" not in hosts.kubectl("get", "events", "-A")
    hosts.kubectl("delete", "deployment", "timed")


def test_a_clock_is_not_set_to_nonsense(hosts: Hosts) -> None:
    assert "'soon' says no shift of a clock; one is +10m, -90s or 0" in hosts.run(
        "node", "clock", "worker-1", "soon", ok=False
    )
    assert "there is no node 'worker-9'" in hosts.run("node", "clock", "worker-9", "+1m", ok=False)


def test_an_expired_certificate_is_reported_by_its_user_and_renewed(hosts: Hosts, tmp_path: Path) -> None:
    own = hosts.folder.node("worker-1") / "etc/kubernetes/pki/kubelet-worker-1.crt"
    (tmp_path / "shift").write_text(str(-2 * 366 * 86_400))
    authority = pki.KeyPair((hosts.folder.pki / "ca.crt").read_bytes(), (hosts.folder.pki / "ca.key").read_bytes())
    with world.use(world.ShiftedWorld(tmp_path / "shift")):
        old = pki.issue(authority, "system:node:worker-1", organizations=["system:nodes"], client=True)
    own.with_suffix(".key").write_bytes(old.key)
    own.write_bytes(old.certificate)
    # Whoever runs already would go on: it showed the good one.
    kubelet(hosts, "worker-1", signal.SIGKILL)
    log = hosts.folder.node("worker-1") / "var/log/units/kubelet.log"
    eventually(lambda: "kubelet-worker-1.crt has expired at 20" in log.read_text())
    # The lab does this each minute, and `up` does.
    renew_once(hosts.folder)
    assert own.read_bytes() != old.certificate
    began = time.time()
    eventually(lambda: _renewed(hosts) > began, seconds=40)
    assert hosts.ready()["worker-1"] == "True"


def fill(hosts: Hosts, *, leave_bytes: int = 0) -> Path:
    """Leave no more than that free on the cluster's disk; the file that takes the rest."""
    filler = hosts.home / "filler"
    with filler.open("ab") as file:
        while (free := os.statvfs(hosts.home).f_bavail * os.statvfs(hosts.home).f_frsize) > leave_bytes:
            try:
                file.write(bytes(min(free - leave_bytes, 1 << 20)))
                file.flush()
            except OSError:
                break
    return filler


def test_a_full_disk_is_reported_by_name_and_loses_nothing(hosts: Hosts, tmp_path: Path) -> None:
    """A node under disk pressure is tainted node.kubernetes.io/disk-pressure; a store that cannot write says so."""
    archive = tmp_path / "more.tar"
    archive.write_bytes(build.build(stock.busybox()).read_bytes())
    hosts.kubectl("create", "configmap", "before", "--from-literal=a=b")
    # Less than a hundredth is free, but the store has room: the nodes can say so.
    filler = fill(hosts, leave_bytes=8 << 20)
    eventually(lambda: condition(hosts, "worker-1", "DiskPressure") == "True", seconds=40)
    taints = ("get", "node", "worker-1", "-o", "jsonpath={.spec.taints[*].key}")
    eventually(lambda: "node.kubernetes.io/disk-pressure" in hosts.kubectl(*taints))
    fill(hosts)
    said = hosts.run("image", "load", str(archive), "--as", "homeostat.local/more:1", ok=False)
    assert "worker-1: the disk is full" in said and "Traceback" not in said
    # A store has some room in its own files, and a kubelet makes some by removing what nobody uses.
    large, acknowledged, refused = tmp_path / "large", ["before"], ""
    large.write_text("x" * 500_000)
    while not refused and len(acknowledged) < _WRITES_MAX:
        fill(hosts)
        name = f"during-{len(acknowledged)}"
        refused = hosts.refusal("create", "configmap", name, f"--from-file=a={large}")
        acknowledged += [] if refused else [name]
    assert "full" in refused and "make room" in refused
    assert set(acknowledged) <= set(
        hosts.kubectl("get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}").split()
    )
    assert hosts.kubectl("get", "configmap", "before", "-o", "jsonpath={.data.a}") == "b"
    filler.unlink()
    eventually(lambda: condition(hosts, "worker-1", "DiskPressure") == "False", seconds=60)
    assert hosts.ready() == {"master-1": "True", "worker-1": "True"}
    hosts.run("image", "load", str(archive), "--as", "homeostat.local/more:1")
    hosts.kubectl("create", "configmap", "afterwards", "--from-literal=a=c")
    there = hosts.kubectl("get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert {*acknowledged, "afterwards"} <= set(there)


@contextmanager
def joiner(hosts: Hosts) -> Iterator[subprocess.Popen[str]]:
    """A machine with the join command, on a cable to the lab's switch."""
    # A short name: sockets lie below it.
    root = tempfile.mkdtemp(prefix="hs-")
    cluster = hosts.folder.load()
    address = cluster.node_network[100]
    words = shlex.split(hosts.run("join-command", "--ttl", "10m").strip())
    argv = [sys.executable, "-m", "tests.support.joiner", "guest", COMMAND, *words[1:], "--root", root]
    environment = {**os.environ, "ADDRESS": f"{address}/{cluster.node_network.prefixlen}", "GATEWAY": cluster.gateway}
    # It is another machine: it knows of no state folder.
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        lab = ["nsenter", "--target", str(hosts.supervisor()), "--net", "ip", "link"]
        cable = ("add", "guest", "type", "veth", "peer", "name", "eth0", "netns", first)
        subprocess.run([*lab, *cable], check=True)
        subprocess.run([*lab, "set", "guest", "master", "homeostat", "up"], check=True)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
        shutil.rmtree(root, ignore_errors=True)


def test_a_further_machine_joins_by_a_token_and_its_pods_reach_services(hosts: Hosts) -> None:
    with joiner(hosts) as machine:
        try:
            eventually(lambda: hosts.ready().get("guest") == "True", seconds=60)
        except AssertionError:
            machine.terminate()
            raise AssertionError(machine.communicate(timeout=20)[0]) from None
        at = {"spec": {"nodeName": "worker-1"}}
        hosts.kubectl("run", "far", f"--image={APP}", f"--overrides={json.dumps(at)}")
        hosts.kubectl("expose", "pod", "far", "--port=80", "--target-port=8080")
        at = {"spec": {"nodeName": "guest", "terminationGracePeriodSeconds": 0}}
        sleeps = ("--command", "--", "sleep", "1000")
        hosts.kubectl("run", "near", "--image=homeostat.local/busybox:1", f"--overrides={json.dumps(at)}", *sleeps)
        hosts.kubectl("wait", "--for=condition=ready", "pod/far", "pod/near", "--timeout=40s")
        address = hosts.kubectl("get", "service", "far", "-o", "jsonpath={.spec.clusterIP}")
        asks = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} 80"
        # kubectl reaches its kubelet, it the engine, the pod a cluster IP, and that a pod of another machine.
        eventually(lambda: "hello from far" in hosts.kubectl("exec", "near", "--", "sh", "-c", asks))
        assert address in hosts.kubectl("exec", "near", "--", "nslookup", "far.default.svc.cluster.local")
        engine = "jsonpath={.status.nodeInfo.containerRuntimeVersion}"
        assert hosts.kubectl("get", "node", "guest", "-o", engine).startswith("containerd://")
        hosts.kubectl("delete", "pod", "near", "far", "--wait=false")
        hosts.kubectl("delete", "service", "far")
    hosts.kubectl("delete", "node", "guest")


def test_everything_killed_at_once_is_a_host_that_lost_its_power(hosts: Hosts) -> None:
    """Nothing could put anything in order: not the supervisor, nor what removes its traces."""
    hosts.kubectl("create", "configmap", "acknowledged", "--from-literal=a=b")
    # When the power returns, the disk is full.
    filler = fill(hosts)
    assert hosts.kill_all() > 10
    eventually(lambda: hosts.processes() == [])
    # What only processes held is free again.
    fill(hosts)
    said = hosts.run("up", ok=False)
    assert "No space left on device" in said or "the disk is full" in said, said
    assert "Traceback" not in said and len(said.splitlines()) <= 2, said
    filler.unlink()
    hosts.run("up")
    assert hosts.kubectl("get", "configmap", "acknowledged", "-o", "jsonpath={.data.a}") == "b"
    assert hosts.ready() == {"master-1": "True", "worker-1": "True"}
    groups = {path.name for path in Path("/sys/fs/cgroup").glob(f"**/homeostat-{NAME}-*")}
    assert groups == {f"homeostat-{NAME}-{hosts.supervisor()}"}, "the control groups of the former run are gone"
    hosts.run("down")
    eventually(lambda: hosts.traces() == [])
