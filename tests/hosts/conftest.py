"""A small cluster of real nodes, shared by the stories of this folder: one master with SQLite and one worker."""

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

from homeostat.api import meta
from homeostat.cluster.lab_orders import Order
from homeostat.cluster.state_folder import Folder
from homeostat.lab.hosts import enter
from homeostat.lab.processes.orders import ask
from tests.support.images import share_images
from tests.support.kubectl import kubectl_path
from tests.support.ports import own_port

COMMAND = str(Path(sys.executable).parent / "homeostat")
# Runs side by side must not take the other's traces for their own.
NAME = f"hosts-{os.getpid()}"
SMALL = ("--runtime", "container", "--store", "sqlite", "--control-planes", "1", "--workers", "1")


class Hosts:
    """The commands of one user with a state folder of his own."""

    def __init__(self, home: Path, name: str = NAME) -> None:
        self.home = home
        self.name = name
        self.env = {**os.environ, "XDG_STATE_HOME": str(home / "state"), "KUBECONFIG": str(home / "config")}
        self.env |= {"HOMEOSTAT_NAME": name, "HOMEOSTAT_RUNTIME": "auto"}
        self.folder = Folder(home / "state" / "homeostat" / name)
        share_images(self.folder.path.parent)

    def run(self, *words: str, ok: bool = True) -> str:
        done = subprocess.run([COMMAND, *words], env=self.env, capture_output=True, text=True, timeout=170, check=False)
        assert not ok or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def kubectl(self, *words: str, input: str | None = None) -> str:
        command = [kubectl_path(), *words]
        done = subprocess.run(
            command, env=self.env, input=input, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def refusal(self, *words: str) -> str:
        """What kubectl complains of; nothing when it succeeded."""
        done = subprocess.run(
            [kubectl_path(), *words], env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stderr if done.returncode else ""

    def on(self, node: str, *argv: str) -> str:
        done = enter.run(self.folder, node, argv, timeout_seconds=120)
        return (done.stdout + done.stderr).decode()

    def ready(self) -> dict[str, str]:
        """Every node's Ready; Unknown for one that has said nothing yet."""
        items = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return {
            node["metadata"]["name"]: (meta.condition(node, "Ready") or {}).get("status", "Unknown") for node in items
        }

    def supervisor(self) -> int:
        return int(ask(self.folder.supervisor_socket, Order("status"))["pid"])

    def traces(self) -> list[str]:
        """What the host has of this cluster beside its state folder."""
        try:
            found = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/homeostat-{self.name}-*")]
        except FileNotFoundError as error:
            return [f"going as we look: {error.filename}"]
        links: list[dict[str, Any]] = json.loads(subprocess.check_output(["ip", "-j", "link"]))
        index = self.folder.load().index
        found += [link["ifname"] for link in links if link["ifname"] == f"homeostat{index}"]
        found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.home) in line]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    output = (entry / "cmdline").read_bytes() + os.readlink(entry / "root").encode()
                    output += (entry / "environ").read_bytes()
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                except OSError:
                    continue
                if state != "Z" and str(self.home).encode() in output:
                    found.append(f"process {entry.name}")
        return found

    def processes(self) -> list[int]:
        """Every process of the cluster that runs: in its control groups, or with a file of its folder open."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                groups = (entry / "cgroup").read_text()
                files = [os.readlink(file) for file in (entry / "fd").iterdir()]
            except OSError:
                continue
            if f"/homeostat-{self.name}-" in groups or any(file.startswith(f"{self.folder.path}/") for file in files):
                found.append(int(entry.name))
        return found

    def kill_all(self) -> int:
        """What the failure of the machine's power is to the cluster: SIGKILL to all of it at once; how many there were.

        A supervisor that saw some end before it ended itself may have launched others: they have gone with it.
        """
        found = self.processes()
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return len(found)


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    made = Hosts(tmp_path_factory.mktemp("hosts"))
    try:
        made.run("up", *SMALL, *own_port())
        yield made
    finally:
        made.run("down", "--purge", ok=False)
