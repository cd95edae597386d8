"""systemctl and journalctl over a node's own init: services start, end, restart, and are shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homeostat.cluster import node_layout
from homeostat.lab.inside.init import POWERED_OFF, REBOOT
from tests.shell import init_host
from tests.shell.conftest import Said
from tests.support.patience import eventually

pytestmark = pytest.mark.real
ROOT = Path(init_host.__file__).parents[2]


class Host:
    """An init in namespaces of its own, and tools among its processes."""

    def __init__(self) -> None:
        spaces = ["unshare", "-mpiu", "--fork", "--kill-child", "--mount-proc"]
        self.process = subprocess.Popen([*spaces, sys.executable, "-m", "tests.shell.init_host"], cwd=ROOT)

    @property
    def init(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        assert children, "not yet forked"
        return int(children[0])

    def __call__(self, *words: str) -> Said:
        enter = ["nsenter", "-t", str(self.init), "-m", "-p"]
        tool = [*enter, sys.executable, "-P", "-m", "homeostat.shell", *words]
        # Nobody plays the engine: the init's own socket answers in its place.
        environment = {**os.environ, "CONTAINER_RUNTIME_ENDPOINT": node_layout.INIT_SOCKET}
        done = subprocess.run(
            tool, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, env=environment
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def ps(self) -> str:
        enter = ["nsenter", "-t", str(self.init), "-m", "-p", "ps", "auxww"]
        return subprocess.run(enter, capture_output=True, text=True, timeout=30, check=True).stdout


@pytest.fixture
def host() -> Iterator[Host]:
    one = Host()
    try:
        eventually(lambda: one("systemctl", "is-active", "kubelet").out == "active\n")
        yield one
    finally:
        one.process.kill()
        one.process.wait()


def test_services_from_start_to_end(host: Host) -> None:
    assert "kubelet --node=n1" in host.ps(), "a component has the title that people look for"
    pid = host("systemctl", "show", "kubelet", "-p", "MainPID", "--value").word
    # GUIDE.md, section 3: stopped, it is gone; Docker's service is the engine.
    assert host("systemctl", "stop", "docker") == Said(0, "", "")
    assert host("systemctl", "stop", "kubelet") == Said(0, "", "")
    listed = host.ps()
    assert "kubelet" not in listed and "sleep 1000" not in listed
    assert host("systemctl", "is-active", "docker", "kubelet") == Said(3, "inactive\ninactive\n", "")
    assert host("systemctl", "status", "kubelet").code == 3
    assert host("systemctl", "start", "docker").code == 0
    assert host("systemctl", "start", "kubelet") == Said(0, "", "")
    assert host("systemctl", "show", "kubelet", "-p", "MainPID", "--value").word != pid
    # The services' words, and the init's about them.
    said = host("journalctl", "-u", "kubelet", "-o", "cat").lines
    assert said.count("2027-01-15T08:00:00.5Z I homeostat.kubelet: hello") == 2
    assert "Stopped kubelet.service - Kubernetes node agent." in said
    # Its signal reaches the main process.
    assert host("systemctl", "kill", "-s", "USR1", "kubelet").code == 0
    eventually(lambda: "told by SIGUSR1" in host("journalctl", "-u", "kubelet", "-o", "cat").out)
    # One that is killed comes back by itself.
    before = host("systemctl", "show", "kubelet", "-p", "MainPID", "--value").word
    host("systemctl", "kill", "-s", "KILL", "kubelet")
    eventually(lambda: host("systemctl", "show", "kubelet", "-p", "MainPID", "--value").word not in (before, "0"))
    assert host("systemctl", "show", "kubelet", "-p", "NRestarts", "--value").word == "1"


def test_one_that_does_not_stay_up(host: Host) -> None:
    def resting() -> Said:
        state = host("systemctl", "status", "sshd")
        assert "activating (auto-restart)" in state.out
        return state

    state = eventually(resting)
    assert "status=3" in state.out
    assert any(line.endswith("sshd: no keys") for line in state.lines)
    eventually(lambda: host("systemctl", "restart", "sshd").code == 1)
    assert host("systemctl", "stop", "sshd").code == 0
    assert host("systemctl", "is-active", "sshd").out in ("inactive\n", "failed\n")


def test_enabling_and_unknown_units(host: Host) -> None:
    assert host("systemctl", "disable", "kubelet").code == 0
    assert host("systemctl", "is-enabled", "kubelet") == Said(1, "disabled\n", "")
    assert host("systemctl", "enable", "--now", "kubelet").code == 0
    assert host("systemctl", "is-enabled", "kubelet.service").word == "enabled"
    assert "Did you mean kubelet.service?" in host("systemctl", "start", "kubelt").err


@pytest.mark.parametrize(("words", "code"), [(("poweroff",), POWERED_OFF), (("systemctl", "reboot"), REBOOT)])
def test_power(host: Host, words: tuple[str, ...], code: int) -> None:
    done: Callable[[], Said] = lambda: host(*words)  # noqa: E731
    done()
    assert host.process.wait(20) == code
    assert not os.path.exists(f"/proc/{host.process.pid}/task")
