"""What a command on the host does in the network of an ordinary user's lab, which has a user namespace around it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from homeostat.cluster.state_folder import Folder, LabError
from homeostat.kit import kernel
from homeostat.lab.links import host_reach
from homeostat.lab.processes.orders import bind

pytestmark = pytest.mark.real
ROOT = Path(__file__).resolve().parents[2]
# A lab's supervisor, as far as its namespaces go; it serves on an address that only its network has.
_LAB = """
import socket, subprocess, sys, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "addr", "add", "172.30.77.1/32", "dev", "lo"], check=True)
server = socket.create_server(("172.30.77.1", 7000))
print("ready", flush=True)
while True:
    client, _ = server.accept()
    client.sendall(b"from inside")
    client.close()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A cluster whose supervisor is in a user and a network namespace of its own, and answers orders."""
    argv = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", _LAB]
    lab = subprocess.Popen(argv, stdout=subprocess.PIPE)
    listener = bind(tmp_path / "supervisor.sock")
    serving = threading.Thread(target=_answer, args=(listener, lab.pid), daemon=True)
    try:
        assert lab.stdout is not None and lab.stdout.readline() == b"ready\n"
        serving.start()
        yield Folder(tmp_path)
    finally:
        listener.close()
        lab.kill()
        lab.wait()


def _answer(listener: socket.socket, pid: int) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(4096)
            connection.sendall(orjson.dumps({"pid": pid, "children": [], "cut": {}}) + b"\n")


@pytest.mark.parametrize("story", ["work", "trouble"])
def test_results_from_the_labs_network_are_returned_in_a_process_of_one_thread(folder: Folder, story: str) -> None:
    """As a command is one; this process may have more (`reach_process` has the stories)."""
    argv = [sys.executable, "-m", "tests.lab.reach_process", story, str(folder.path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_where_the_host_reaches_the_nodes_nothing_is_entered(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_reach, "apart", lambda _: False)
    monkeypatch.setattr(kernel, "setns", lambda *_: pytest.fail("a namespace was entered"))
    assert host_reach.in_network(folder, os.getpid) == os.getpid()


def test_without_a_cluster_that_runs_there_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(LabError):
        host_reach.in_network(Folder(tmp_path), os.getpid)
