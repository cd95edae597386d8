"""A node's init: it starts its services, starts them again, stops them, reaps orphans, and shuts the node down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import LabError
from homeostat.lab.processes import orders
from tests.support.patience import eventually

pytestmark = pytest.mark.real
SCRIPT = Path(__file__).with_name("init_process.py")


class Node:
    """An init that runs, and what a person asks of it."""

    def __init__(self, folder: Path, *how: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen([sys.executable, str(SCRIPT), str(folder), *how])
        eventually(lambda: (folder / "init.sock").exists())

    def ask(self, do: str, unit: str = "", **more: Any) -> dict[str, Any]:
        return orders.ask(self.folder / "init.sock", Order(do, unit=unit, **more))

    def unit(self, name: str) -> dict[str, Any]:
        return next(unit for unit in self.ask("units")["units"] if unit["name"] == name)

    def starts(self, name: str) -> int:
        file = self.folder / f"{name}.starts"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def log(self, name: str) -> str:
        return (self.folder / "logs" / f"{name}.log").read_text()


@contextmanager
def running(folder: Path, *how: str) -> Iterator[Node]:
    made = Node(folder, *how)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            os.kill(int((folder / "init.pid").read_text()), signal.SIGKILL)
        made.process.wait(timeout=20)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running(tmp_path) as made:
        eventually(lambda: made.starts("steady") and made.starts("worker") and made.starts("stubborn"))
        yield made


def test_every_service_runs_and_says_so(node: Node) -> None:
    steady = node.unit("steady")
    assert (steady["state"], steady["sub"], steady["enabled"]) == ("active", "running", True)
    assert steady["pid"] > 1
    eventually(lambda: "the component says hello" in node.log("worker"))
    assert "Started steady.service - the steady unit." in node.log("init")


def test_a_service_that_is_killed_is_started_again(node: Node) -> None:
    first = node.unit("steady")["pid"]
    node.ask("kill", "steady", signal=int(signal.SIGKILL))
    eventually(lambda: node.starts("steady") == 2)
    eventually(lambda: node.unit("steady")["pid"] not in (0, first))
    assert node.unit("steady")["restarts"] == 1


def test_a_service_that_keeps_ending_is_started_ever_more_slowly(node: Node) -> None:
    eventually(lambda: node.starts("brief") >= 3)
    brief = node.unit("brief")
    assert brief["state"] in ("activating", "active")
    assert "brief.service: Main process exited (exit-code, code 3)." in node.log("init")


def test_a_service_that_is_stopped_stays_stopped_until_it_is_started(node: Node) -> None:
    assert node.ask("stop", "steady") == {"ok": True}
    stopped = node.unit("steady")
    assert (stopped["state"], stopped["sub"], stopped["pid"]) == ("inactive", "dead", 0)
    node.ask("start", "steady")
    eventually(lambda: node.starts("steady") == 2)
    assert node.unit("steady")["state"] == "active"


def test_a_restart_gives_a_service_a_new_process(node: Node) -> None:
    first = node.unit("worker")["pid"]
    node.ask("restart", "worker")
    eventually(lambda: node.starts("worker") == 2)
    assert node.unit("worker")["pid"] != first


def test_an_unknown_unit_or_order_is_refused_by_name(node: Node) -> None:
    with pytest.raises(LabError, match=r"Unit steedy\.service could not be found\. Did you mean steady\?"):
        node.ask("start", "steedy")
    with pytest.raises(LabError, match="unknown order 'explode'"):
        node.ask("explode", "steady")


def test_orphans_are_reaped(node: Node) -> None:
    """A process whose parent has ended belongs to init, as on any host: it leaves no zombie."""
    init = int((node.folder / "init.pid").read_text())
    orphan = "(exec sleep 0.01) & exit"
    subprocess.run(["nsenter", "--target", str(init), "--all", "--", "/bin/sh", "-c", orphan], check=True)

    def state_of(child: str) -> str:
        try:
            return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return ""  # a unit that has just ended

    def zombies() -> list[str]:
        children = Path(f"/proc/{init}/task/{init}/children").read_text().split()
        return [child for child in children if state_of(child) == "Z"]

    eventually(lambda: zombies() == [])


def test_a_shutdown_ends_everything_also_what_does_not_want_to(node: Node) -> None:
    """SIGTERM is a machine that is turned off in good order: what does not end within its grace is killed."""
    os.kill(int((node.folder / "init.pid").read_text()), signal.SIGTERM)
    assert node.process.wait(timeout=20) == 0


def test_a_cluster_that_ends_waits_for_no_etcd_member_that_waits_for_a_successor(tmp_path: Path) -> None:
    """etcd's leader hands over before it ends (server.TransferLeadership). SIGINT says that there is nobody to hand
    over to; what a member has acknowledged is on its disk already."""
    with running(tmp_path, "patient") as made:
        eventually(lambda: made.starts("etcd"))
        os.kill(int((tmp_path / "init.pid").read_text()), signal.SIGINT)
        assert made.process.wait(timeout=20) == 0


def test_a_node_is_turned_off_or_rebooted_from_inside(node: Node) -> None:
    """The kubelet gets SIGPWR first, so that pods end in order (decision 13); it is not started again."""
    eventually(lambda: node.starts("kubelet"))
    node.ask("reboot")
    assert node.process.wait(timeout=20) == 3
    assert (node.folder / "kubelet.ended").read_text() == "done\n"
    assert node.starts("kubelet") == 1
