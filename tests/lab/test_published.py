"""Services on the host's loopback: which port they get, that they keep it, and that a lab in a network of its own can
have one."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.lab.links import host_ports, published_services
from homeostat.lab.links.published_services import Entry, HostListeners, with_host_ports
from homeostat.network.decide.endpoint_selection import Backend
from homeostat.network.decide.service_ports import Front
from homeostat.network.decide.userspace_plan import Rule

HELLO = Rule("default/hello", "http", (Backend("10.0.0.1", 8080),))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of this host that another program has."""
    with socket.create_server((host_ports.HOST, 0)) as server:
        yield int(server.getsockname()[1])


def free() -> int:
    with socket.create_server((host_ports.HOST, 0)) as server:
        return int(server.getsockname()[1])


def test_a_service_has_its_node_port_on_the_host_where_that_is_free(tmp_path: Path) -> None:
    file, number = tmp_path / "published.json", free()
    listeners = HostListeners(file, host_ports.listening)
    with listeners.open(Front(host_ports.HOST, number), HELLO) as sock:
        assert sock.getsockname() == (host_ports.HOST, number)
        (entry,) = published_services.read(file)
        assert entry == Entry("default/hello", "http", number, number, open=True)
        assert entry.url == f"http://127.0.0.1:{number}"


def test_another_port_is_chosen_where_it_is_taken_and_kept_when_the_cluster_starts_again(
    tmp_path: Path, taken: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "published.json"
    with HostListeners(file, host_ports.listening).open(Front(host_ports.HOST, taken), HELLO) as sock:
        chosen = sock.getsockname()[1]
    assert chosen != taken
    again = HostListeners(file, host_ports.listening)
    assert [entry.open for entry in published_services.read(file)] == [False], (
        "nothing listens before it is opened again"
    )
    with again.open(Front(host_ports.HOST, taken), HELLO) as sock:
        assert sock.getsockname()[1] == chosen
    assert caplog.text.count("is taken") == 1, "the port that is kept was free"
    again.closed(Front(host_ports.HOST, taken), HELLO)
    assert [entry.open for entry in published_services.read(file)] == [False]


def test_other_fronts_are_bound_as_they_are_and_not_published(tmp_path: Path) -> None:
    file = tmp_path / "published.json"
    with HostListeners(file, host_ports.listening).open(Front("127.77.0.1", 8081), HELLO) as sock:
        assert sock.getsockname() == ("127.77.0.1", 8081)
    assert published_services.read(file) == []


def test_a_damaged_file_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "published.json"
    file.write_text('[{"service": 1}')
    assert published_services.read(file) == []
    HostListeners(file, host_ports.listening)
    assert file.read_text() == "[]"


def test_only_tcp_node_ports_of_the_load_balancer_are_doubled() -> None:
    plan = {
        Front("172.30.0.1", 30080): HELLO,
        Front("172.30.0.1", 30053, "UDP"): HELLO,
        Front("10.96.0.9", 80): HELLO,
    }
    assert with_host_ports(plan, "172.30.0.1") == {**plan, Front(host_ports.HOST, 30080): HELLO}
    assert with_host_ports({Front(host_ports.HOST, 30080): HELLO}, host_ports.HOST) == {
        Front(host_ports.HOST, 30080): HELLO
    }


_STORY = """
import os, socket, sys
from homeostat.kit import kernel
from homeostat.lab.links import host_ports

reading, writing = os.pipe()
outside = os.fork()
if not outside:
    # Somebody on the host, as a browser would be.
    port = int(os.read(reading, 10))
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        print("on the host:", client.recv(100).decode(), flush=True)
    os._exit(0)
busy = socket.create_server(("127.0.0.1", 0))
channel = host_ports.fork([busy.fileno()])
kernel.unshare(kernel.NEWNET)
try:
    host_ports.asked(channel, busy.getsockname()[1])
except OSError as error:
    print("a port that is taken:", error.strerror, flush=True)
listener = host_ports.asked(channel, 0)
listener.setblocking(True)
os.write(writing, str(listener.getsockname()[1]).encode())
connection, _ = listener.accept()
connection.sendall(b"hello from the lab")
connection.close()
os.waitpid(outside, 0)
"""


@pytest.mark.real
@pytest.mark.parametrize("user", [[], ["--map-root-user"]], ids=["root", "user-namespace"])
def test_a_lab_in_a_network_of_its_own_serves_ports_of_the_host(user: list[str]) -> None:
    # The process namespace ends what the story leaves running; the network one gives it a loopback of its own.
    script = "import subprocess; subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)\n" + _STORY
    enter = ["unshare", *user, "--net", "--pid", "--fork", "--kill-child"]
    ended = subprocess.run([*enter, sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.stdout.splitlines() == [
        "a port that is taken: Address already in use",
        "on the host: hello from the lab",
    ], ended.stderr
