"""`homeostat ssh`: which client is run with what, and the way into a network that the host has no way to."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from homeostat.cli.commands import ssh
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.cluster.topology import Cluster
from tests.support.netns import Space

HOSTS = Cluster("homeostat", 0, runtime="container")


def test_the_client_knows_the_clusters_keys() -> None:
    argv = ssh.client(Folder(Path("/state/one")), "worker-1", ("docker", "ps", "-q"), terminal=False, proxy="")
    assert argv == ["ssh", "-F", "/state/one/ssh/config", "worker-1", "docker", "ps", "-q"]


def test_a_command_gets_a_terminal_where_there_is_one() -> None:
    folder = Folder(Path("/state/one"))
    assert "-t" in ssh.client(folder, "worker-1", ("top",), terminal=True, proxy="")
    assert "-t" not in ssh.client(folder, "worker-1", (), terminal=True, proxy=""), "a shell has one anyway"


def test_without_a_way_to_the_nodes_it_goes_through_their_namespaces() -> None:
    argv = ssh.client(Folder(Path("/s")), "worker-1", (), terminal=False, proxy=ssh.proxy(4711))
    option = argv[argv.index("-o") + 1]
    assert shlex.split(option.removeprefix("ProxyCommand="))[-4:] == ["-m", "homeostat.lab.links.connect", "4711", "22"]


def test_a_percent_sign_in_a_path_is_no_token_of_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/a%b/python")
    assert ssh.proxy(1).startswith("/a%%b/python ")


def test_an_unknown_node_gets_a_hint() -> None:
    ssh.check_host(HOSTS, "worker-2")
    with pytest.raises(LabError, match=r"there is no node 'worker2'; did you mean 'worker-2'\?"):
        ssh.check_host(HOSTS, "worker2")


def test_nodes_that_are_processes_have_no_shell(command: Callable[..., object], saved: Callable[..., Folder]) -> None:
    saved(runtime="process")
    said = command("ssh", "worker-1")
    assert "only with `--runtime container` are they hosts" in said.complaint  # type: ignore[attr-defined]


@pytest.mark.real
def test_a_port_of_another_network_joined_to_standard_input_and_output() -> None:
    space = Space("node")
    try:
        port = _echo(space)
        # Somebody who is in that network, as a node's init is.
        init = space.do(lambda: subprocess.Popen(["sleep", "60"]))
        try:
            call = [sys.executable, "-m", "homeostat.lab.links.connect", str(init.pid)]
            big = os.urandom(1 << 20)
            done = subprocess.run([*call, str(port)], input=big, capture_output=True, timeout=30)
            assert (done.returncode, done.stdout) == (0, big)
            closed = subprocess.run([*call, "1"], input=b"", capture_output=True, timeout=30)
            assert closed.returncode == 1
            assert b"cannot connect to port 1 of the node: Connection refused" in closed.stderr
        finally:
            init.kill()
            init.wait()
    finally:
        space.close()


def _echo(space: Space) -> int:
    """The port of a server in the namespace that sends back all it gets, once its client has said all."""
    listener = space.do(lambda: socket.create_server(("127.0.0.1", 0)))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            said = bytearray()
            while part := connection.recv(65536):
                said += part
            connection.sendall(said)

    threading.Thread(target=serve, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port
