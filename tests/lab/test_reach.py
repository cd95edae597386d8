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

from homeostat.kit import kernel
from homeostat.lab.control import bind
from homeostat.lab.nodes import reach
from homeostat.lab.state import Folder, LabError

pytestmark = pytest.mark.real
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


def _ask(sock: socket.socket | None = None) -> str:
    with sock or socket.socket() as client:
        client.settimeout(5)
        client.connect(("172.30.77.1", 7000))
        return client.recv(100).decode()


def test_work_is_done_where_the_nodes_are_and_its_result_comes_back(folder: Folder) -> None:
    assert reach.in_network(folder, _ask) == "from inside"
    # This process has stayed where it was.
    assert reach.in_network(folder, lambda: os.readlink("/proc/self/ns/net")) != os.readlink("/proc/self/ns/net")
    assert reach.in_network(folder, os.getpid) != os.getpid()
    with pytest.raises(OSError):
        _ask()


def test_what_goes_wrong_there_is_told_here(folder: Folder) -> None:
    def fail() -> None:
        raise LabError("etcd has no quorum")

    with pytest.raises(LabError, match=r"^etcd has no quorum$"):
        reach.in_network(folder, fail)
    with pytest.raises(LabError, match=r"^ZeroDivisionError: "):
        reach.in_network(folder, lambda: 1 // 0)
    with pytest.raises(LabError, match="ended without a word"):
        reach.in_network(folder, lambda: os._exit(9))


def test_sockets_of_the_labs_network_are_connected_from_here(folder: Folder) -> None:
    sockets = reach.Sockets(folder)
    try:
        assert [_ask(sockets.make()) for _ in range(3)] == ["from inside"] * 3
        kept = sockets.make()
    finally:
        sockets.close()
    assert _ask(kept) == "from inside", "a socket stays where it was made"


def test_a_command_is_led_there_by_words(folder: Folder) -> None:
    words = [*reach.lab_words(folder), "ip", "-br", "addr", "show", "lo"]
    assert words[0] == "nsenter"
    assert "172.30.77.1" in subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_where_the_host_reaches_the_nodes_nothing_is_entered(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "apart", lambda _: False)
    monkeypatch.setattr(kernel, "setns", lambda *_: pytest.fail("a namespace was entered"))
    assert reach.in_network(folder, os.getpid) == os.getpid()
    assert reach.lab_words(folder) == []
    sockets = reach.Sockets(folder)
    sockets.make().close()
    sockets.close()


def test_without_a_cluster_that_runs_there_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(LabError):
        reach.in_network(Folder(tmp_path), os.getpid)
