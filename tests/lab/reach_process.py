"""Stories of `test_reach` that need a process of one thread: `python -m tests.lab.reach_process STORY FOLDER`."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from homeostat.cluster.state_folder import Folder, LabError
from homeostat.lab.links import host_reach


def _ask() -> str:
    with socket.socket() as client:
        client.settimeout(5)
        client.connect(("172.30.77.1", 7000))
        return client.recv(100).decode()


def work(folder: Folder) -> None:
    """Work is done where the nodes are, and its result comes back."""
    assert host_reach.in_network(folder, _ask) == "from inside"
    # This process has stayed where it was.
    assert host_reach.in_network(folder, lambda: os.readlink("/proc/self/ns/net")) != os.readlink("/proc/self/ns/net")
    assert host_reach.in_network(folder, os.getpid) != os.getpid()
    with pytest.raises(OSError):
        _ask()


def trouble(folder: Folder) -> None:
    """Failures there are reported here."""

    def fail() -> None:
        raise LabError("etcd has no quorum")

    with pytest.raises(LabError, match=r"^etcd has no quorum$"):
        host_reach.in_network(folder, fail)
    with pytest.raises(LabError, match=r"^ZeroDivisionError: "):
        host_reach.in_network(folder, lambda: 1 // 0)
    with pytest.raises(LabError, match="ended without a word"):
        host_reach.in_network(folder, lambda: os._exit(9))


if __name__ == "__main__":
    {"work": work, "trouble": trouble}[sys.argv[1]](Folder(Path(sys.argv[2])))
